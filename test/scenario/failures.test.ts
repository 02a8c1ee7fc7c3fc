// Failures at named points: each can be made to fail, and then the kernel gives back what it took: no lock stays held,
// nobody follows NULL, nobody is stuck, and the contract holds for what was not refused.
import { describe, expect, test } from 'vitest';
import { type FailurePoint, failurePoints } from '../../src/kernel/lib/fault-inject';
import { variantSet } from '../../src/kernel/variants';
import type { Engine } from '../../src/routine/engine';
import { composeRun } from '../../src/scenario/compose';
import { stepsMax } from '../../src/scenario/run';
import { Timeline } from '../../src/timeline/timeline';
import { load } from './outcome';

/** Comes to every point: creation, mapping, private copies, splits, moves, children, submissions. */
const everywhere = (failure: string): string => `scenario "every point"
${failure}
surface ring: buffer 4 pages coherent
surface other: buffer 1 page
process app {
  let p = map ring at 0x10000000 else noMap
  let c = map other private else noCopy
  thread render on cpu0 {
    repeat 2 as n {
      write p[n pages] = 1 else signal
      write c[0] = 2 else killed
    }
    submit { draw reads ring, draw reads other } as done[0] else refused
    if refused == 0 { wait done[0] }
    protect p[3 pages .. 4 pages] readonly else split
    remap p[2 pages .. 3 pages] at 0x40000000 as q else moved
    write p[1 page] = 3 else signal2
    fork child else alone
    submit { draw reads ring } as done[1] else refused2
    if refused2 == 0 { wait done[1] }
  }
}
process child forks app {
  thread run on cpu1 {
    read p[1 page] else signal
    exit
  }
}`;

interface Ended {
  readonly problems: readonly string[];
  readonly failed: number;
  readonly held: readonly string[];
  readonly broken: readonly string[];
}

/** What a run ended with, its accesses held to the rules of routines. */
function ended(text: string): Ended {
  const { meaning, run: sample } = load(text);
  const run = composeRun(meaning, sample.sources, variantSet('series-v2'), true);
  const { engine } = run;
  const over = new Timeline(engine).run(() => undefined, stepsMax) === 'end';
  return {
    problems: run.problems(over).map(({ kind, message }) => `${kind}: ${message}`),
    failed: engine.events.slice().filter(({ name }) => name === 'should_fail').length,
    held: heldLocks(engine),
    broken: engine.checker?.broken.map(({ message }) => message) ?? [],
  };
}

const heldLocks = (engine: Engine): string[] =>
  Array.from({ length: engine.taskCount }, (_, task) => task).flatMap((task) =>
    engine.held(task).map(({ at }) => `${engine.taskName(task)} holds ${engine.lockClass(at)}`),
  );

const points = Object.keys(failurePoints) as FailurePoint[];

describe.each(points)('%s', (point) => {
  for (const often of ['once', 'once after 1', 'always'])
    test(`${often}: errors are returned, locks are given back`, () => {
      const { problems, failed, held, broken } = ended(everywhere(`fail ${point} ${often}`));
      if (often !== 'once after 1') expect(failed).toBeGreaterThan(0);
      expect(held).toEqual([]);
      expect(broken).toEqual([]);
      // What fails while the surfaces are made is told; all else was given a name.
      expect(
        problems.filter((problem) => !problem.startsWith('error: creating it failed')),
      ).toEqual([]);
    });
});

test('without a failure nothing of it is in the machine: no point, no step more', () => {
  const plain = everywhere('');
  const never = everywhere('fail pte_alloc_one never');
  const steps = [plain, never].map((text) => {
    const { run } = load(text);
    new Timeline(run.engine).run(() => undefined, stepsMax);
    return run.engine.steps;
  });
  expect(steps[0]).toBe(steps[1]);
  expect(load(plain).run.engine.store.regions.map(({ name }) => name)).not.toContain(
    'fault injection',
  );
});

test('a failure is counted from where the statement stands, and can be taken back', () => {
  const { problems } = ended(`scenario "counting"
surface ring: buffer 8 pages
process app {
  let p = map ring
  thread t on cpu0 {
    fail ttm_tt_populate 2 times after 3
    read p[0] else first
    assert first == SIGKILL // the fourth page of eight
    read p[0] else second
    assert second == SIGKILL
    read p[0]
    fail vm_area_alloc always
    let q = map ring else why
    let r = map ring else again
    assert why == ENOMEM and again == ENOMEM and events(should_fail) == 4
    fail vm_area_alloc never
    let s = map ring
  }
}`);
  expect(problems).toEqual([]);
});
