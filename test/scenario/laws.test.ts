// What must hold for every scenario that is shipped or tested, whichever kernel it runs on and whoever goes next: no
// step breaks a rule of routines, rolling the run back restores every cell, and its schedule, followed again, gives the
// same run.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { presets, variantSet } from '../../src/kernel/variants';
import type { Engine } from '../../src/routine/engine';
import { type Choice, parseSchedule } from '../../src/routine/schedule';
import { composeRun } from '../../src/scenario/compose';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { Timeline } from '../../src/timeline/timeline';
import { exampleFiles, firstExamples } from '../examples';

const stepsMax = 5_000_000;
/** Seeds of the schedules to run a file on. 0: the default schedule. */
const seedsOf = (path: string): readonly number[] =>
  firstExamples.includes(path) ? [0, 1, 2, 3] : [1];

/** Numbers below `n`, the same for the same seed. */
function draws(seed: number): (n: number) => number {
  let state = Math.imul(seed, 2654435761);
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % n;
  };
}

/** Some agent that can go, with a branch of its choice; undefined when none can. */
function anyChoice(engine: Engine, draw: (n: number) => number): Choice | undefined {
  const start = draw(engine.agents);
  for (let i = 0; i < engine.agents; i++) {
    const agent = (start + i) % engine.agents;
    if (engine.runnable(agent)) return { agent, branch: draw(engine.branches(agent)) };
  }
  return undefined;
}

/** Goes to the end, each step by chance unless the seed is 0. */
function runThrough(timeline: Timeline, seed: number): void {
  if (seed === 0) {
    expect(timeline.run(() => undefined, stepsMax)).toBe('end');
    return;
  }
  const draw = draws(seed);
  for (;;) {
    const choice = anyChoice(timeline.engine, draw);
    if (choice === undefined) return;
    timeline.stepForward(choice);
    expect(timeline.position).toBeLessThan(stepsMax);
  }
}

const cases = exampleFiles.flatMap((path) => {
  const { scenarios, sources } = check(readFileSync(path, 'utf8'), known);
  const seeds = seedsOf(path);
  return scenarios.map(({ meaning }) => ({ path, title: meaning.title, meaning, sources, seeds }));
});

describe.each(cases)('$path, $title', ({ meaning, sources, seeds }) => {
  for (const preset of Object.keys(presets) as (keyof typeof presets)[])
    for (const seed of seeds) {
      const schedule = seed === 0 ? 'the default schedule' : `random schedule ${seed}`;
      const stand = (checked: boolean) =>
        composeRun(meaning, sources, variantSet(preset), checked).engine;

      test(`on ${preset}, ${schedule}: follows the rules, goes back to its start, repeats`, () => {
        const engine = stand(true);
        const { store, events, checker } = engine;
        const cells = store.cells.slice();
        const hash = store.hash();
        const timeline = new Timeline(engine);
        runThrough(timeline, seed);
        expect(checker?.broken.map(({ message }) => message)).toEqual([]);
        const end = { hash: store.hash(), events: events.length, steps: timeline.position };

        timeline.seek(0);
        expect([store.hash(), events.length]).toEqual([hash, 0]);
        expect(Buffer.compare(Buffer.from(store.cells.buffer), Buffer.from(cells.buffer))).toBe(0);

        timeline.seek(end.steps);
        const again = new Timeline(stand(false), parseSchedule(timeline.schedule()) as Choice[]);
        again.run(() => undefined, stepsMax);
        expect({
          hash: again.engine.store.hash(),
          events: again.engine.events.length,
          steps: again.position,
        }).toEqual(end);
      });
    }
});
