// What must hold for every run: any moment of its run is reached again with every cell as it
// was, and its schedule, followed from the start, gives the same run.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseSchedule } from '../../src/routine/schedule';
import { type Loaded, loadScenario } from '../../src/scenario/load';
import { Timeline } from '../../src/timeline/timeline';
import { firstExamples } from '../examples';

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
