// Soft-dirty beside the driver's dirty tracking: the claim of the series' cover letter, that neither disturbs the other,
// as the scenarios of examples/05-soft-dirty.coh, and whatever the order in which their steps come.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Choice } from '../../src/routine/schedule';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { Timeline } from '../../src/timeline/timeline';
import { load, outcome } from './outcome';

const example = readFileSync('examples/05-soft-dirty.coh', 'utf8');

describe('examples/05-soft-dirty.coh', () => {
  for (const { meaning } of check(example, known).scenarios)
    test(`"${meaning.title}" holds`, () => {
      expect(outcome(example, { scenario: meaning.title }).problems).toEqual([]);
    });
});

/** Clears, stores and submissions at the same time; page 1 is written once more behind the clear. */
const together = (tracking: string): string => `scenario "three at once"
machine { cpus 3, tracking ${tracking} }
surface ring: buffer 4 pages coherent
process app {
  let p = map ring
  write p = 1
  submit { draw reads ring } as start
  thread writer on cpu0 {
    wait start
    repeat 3 as n { write p[n pages .. n pages + 1 page] }
    wait cleared
    write p[1 page .. 2 pages] = 7
    signal written
  }
  thread checkpoint on cpu1 {
    clear_refs
    signal cleared
  }
  thread submitter on cpu2 {
    repeat 3 as n { submit { update ring[3 pages .. 4 pages] } }
    wait written
    submit { draw reads ring[0 .. 3 pages] } as done
    wait done
    assert pagemap(p[1 page]).softDirty
    assert not pagemap(p[3 pages]).softDirty
    assert gpu(ring)[1 page .. 2 pages] == 7
  }
}
never race`;

/** Numbers below `n`, the same for the same seed. */
function draws(seed: number): (n: number) => number {
  let state = Math.imul(seed, 2654435761);
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % n;
  };
}

/** The problems of a run in which each step is by chance. */
function byChance(text: string, seed: number): readonly string[] {
  const { run } = load(text);
  const { engine } = run;
  const timeline = new Timeline(engine);
  const draw = draws(seed);
  for (;;) {
    const able = Array.from({ length: engine.agents }, (_, agent) => agent).filter((agent) =>
      engine.runnable(agent),
    );
    if (able.length === 0) break;
    const agent = able[draw(able.length)] ?? 0;
    const choice: Choice = { agent, branch: draw(engine.branches(agent)) };
    timeline.stepForward(choice);
  }
  return run.problems(true).map(({ kind, message }) => `${kind}: ${message}`);
}

test.each(['pagetable', 'mkwrite'])(
  'clear_refs at any moment of stores and scans (%s): no store is lost, every page written after it is soft-dirty',
  (tracking) => {
    for (let seed = 1; seed <= 40; seed++)
      expect([seed, byChance(together(tracking), seed)]).toEqual([seed, []]);
  },
);
