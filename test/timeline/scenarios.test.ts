// What must hold for every run: any moment of its run is reached again with every cell as it
// was, and its schedule, followed from the start, gives the same run.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseSchedule } from '../../src/routine/schedule';
import { type Loaded, loadScenario } from '../../src/scenario/load';
import { parse } from '../../src/syntax/parser';
import { Timeline } from '../../src/timeline/timeline';
import { exampleFiles, firstExamples } from '../examples';

describe.each(firstExamples)('%s', (file) => {
  const text = readFileSync(file, 'utf8');
  const load = (options = {}) => loadScenario(text, options) as Loaded;

  test('goes back to any moment and forth again to the same cells', () => {
    const { run, schedule } = load();
    const { store, events } = run.engine;
    const t = new Timeline(run.engine, schedule);
    const kept: [number, Int32Array, string, number][] = [];
    do {
      if (t.position % 1009 === 0) {
        kept.push([t.position, store.cells.slice(), store.hash(), events.length]);
      }
    } while (t.stepForward());
    kept.push([t.position, store.cells.slice(), store.hash(), events.length]);
    const verdict = run.verdict(true);
    // Every second one from the end, then the others from the start, then the end.
    const order = [...kept.keys()].filter((i) => i % 2 === 0).reverse();
    for (const i of [...order, ...kept.keys()]) {
      const [position, cells, hash, length] = kept[i]!;
      t.seek(position);
      expect(store.hash()).toBe(hash);
      expect(events.length).toBe(length);
      expect(Buffer.compare(Buffer.from(store.cells.buffer), Buffer.from(cells.buffer))).toBe(0);
    }
    expect(run.verdict(true)).toBe(verdict);
  });

  test('replays its schedule to the same hash', () => {
    const first = load();
    const t = new Timeline(first.run.engine, first.schedule);
    t.run(() => undefined, 10_000_000);
    const again = load({ schedule: parseSchedule(t.schedule()) });
    const u = new Timeline(again.run.engine, again.schedule);
    u.run(() => undefined, 10_000_000);
    expect([u.position, u.engine.store.hash()]).toEqual([t.position, t.engine.store.hash()]);
  });
});

/** Numbers below `n`, the same in every run. */
function draws(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % n;
  };
}

test('every scenario of the repository goes back from some moments to any other and forth again, to the same hash', () => {
  let journeys = 0;
  for (const file of exampleFiles) {
    const text = readFileSync(file, 'utf8');
    for (const { title } of parse(text).file.scenarios) {
      const name = `${file}: ${title?.text}`;
      const loaded = loadScenario(text, { scenario: title!.text }) as Loaded;
      const t = new Timeline(loaded.run.engine, loaded.schedule);
      const draw = draws(journeys + 1);
      const hash = () => `${name} at ${t.position}: ${t.engine.store.hash()}`;
      // Moments near each other and spans apart, up to the end or as far as there is time for.
      const moments: [number, string][] = [[0, hash()]];
      for (let next = draw(400); t.position < 12_000; ) {
        if (!t.stepForward()) break;
        if (t.position < next) continue;
        moments.push([t.position, hash()]);
        next = t.position + 1 + draw(moments.length % 3 === 0 ? 3000 : 60);
        if (moments.length === 12) next = 12_000; // the rest of the way is gone for its spans
      }
      moments.push([t.position, hash()]);
      for (let i = 0; i < 5; i++) {
        for (const at of [draw(moments.length), Math.max(0, moments.length - 1 - (i % 3))]) {
          const [position, before] = moments[at]!;
          t.seek(position);
          if (i % 2 === 1 && t.back()) t.stepForward();
          expect(hash()).toBe(before);
          journeys++;
        }
      }
    }
  }
  expect(journeys).toBeGreaterThan(10 * 100);
});
