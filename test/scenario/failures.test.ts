// Failures at named points: each can be made to fail, and then the kernel gives back what it took: no lock stays held,
// nobody follows NULL, nobody is stuck, and the contract holds for what was not refused.
import { describe, expect, test } from 'vitest';
import { type FailurePoint, failurePoints } from '../../src/kernel/lib/fault-inject';
import type { Engine } from '../../src/routine/engine';
import { composeRun, variantsOf } from '../../src/scenario/compose';
import { stepsMax } from '../../src/scenario/run';
import { Timeline } from '../../src/timeline/timeline';
import { binding, everywhere, exporting, journey } from './journey';
import { load } from './outcome';

interface Ended {
  readonly problems: readonly string[];
  readonly failed: number;
  readonly held: readonly string[];
  readonly broken: readonly string[];
}

/** What a run ended with, its accesses held to the rules of routines. */
function ended(text: string): Ended {
  const { meaning, run: sample } = load(text);
  const run = composeRun(meaning, sample.sources, variantsOf(meaning), true);
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
/** 6.1 itself does not let go of the object whose fence has no room: below. */
const kernels = ['series-v2', 'linux-6.1, without slots-kept'];
const often = ['once', 'once after 1', 'always'];

/** Of a run in which these fail: what is left held, which rules are broken, and what was not meant to be. */
function leftOver(text: string, point?: FailurePoint): Omit<Ended, 'failed'> {
  const { problems, failed, held, broken } = ended(text);
  if (failed > 0 && point !== undefined) failedHere.add(point);
  // What fails while the surfaces are made is told; all else was given a name.
  const odd = problems.filter((problem) => !problem.startsWith('error: creating it'));
  return { problems: odd, held, broken };
}

const nothing = { problems: [], held: [], broken: [] };

/** What failed in one of these tests. */
const failedHere = new Set<string>();

const ofBindings: readonly FailurePoint[] = [
  'vmw_context_define',
  'vmw_view_add',
  'vmw_view_create',
  'vmw_binding_rebind_all',
];
const ofExports: readonly FailurePoint[] = ['get_unused_fd_flags', 'dma_fence_array_create'];
const managing = points.filter((point) => /^(pte_|alloc_page|vm_area)/.test(point));

test.each(managing)(
  '%s: errors are returned, locks are given back, no reference is lost',
  (point) => {
    for (const times of often)
      expect([times, leftOver(everywhere(`fail ${point} ${times}`), point)]).toEqual([
        times,
        nothing,
      ]);
  },
);

describe.each(kernels)('a submission, a fault, an eviction on %s', (kernel) => {
  test('without a failure all of it holds', () => {
    expect(leftOver(journey(kernel, []))).toEqual(nothing);
    expect(leftOver(binding(kernel, []))).toEqual(nothing);
    expect(leftOver(exporting(kernel, []))).toEqual(nothing);
  });

  const driving = points.filter((point) => !managing.includes(point));
  test.each(driving)('%s fails: coherence is kept, or an error is returned', (point) => {
    const goes = ofExports.includes(point)
      ? exporting
      : ofBindings.includes(point)
        ? binding
        : journey;
    for (const times of often) {
      const left = leftOver(goes(kernel, [`fail ${point} ${times}`]), point);
      expect([times, left]).toEqual([times, nothing]);
    }
  });
});

test.each([
  'vmw_validation_add_resource',
  'vmw_cmd_ctx_reserve',
  'copy_from_user',
  'vmw_gb_surface_bind',
] satisfies FailurePoint[])(
  '%s fails: what was bound before stays so, and nothing else',
  (point) => {
    for (let after = 0; after < 12; after++)
      expect([
        after,
        leftOver(binding('series-v2', [`fail ${point} once after ${after}`])),
      ]).toEqual([after, nothing]);
  },
);

// What is bound is not among them: that journey suspends, which takes cmdbuf_mutex first.
const submitting = points.filter((point) => ![...managing, ...ofBindings].includes(point));
test.each(submitting)(
  '%s fails where submissions reserve outside of the mutex: all is given back',
  (point) => {
    const kernel = 'series-v2, with reserve-outside-mutex';
    expect(leftOver(journey(kernel, [`fail ${point} once after 1`]))).toEqual(nothing);
  },
);

test('Linux 6.1 keeps the object reserved whose fence has no room', () => {
  const { held } = leftOver(
    everywhere('machine { kernel linux-6.1 }\nfail ttm_eu_reserve_buffers once after 2'),
  );
  expect(held).toEqual(['render holds dma_resv']);
});

test('every point was come to', () => {
  expect(points.filter((point) => !failedHere.has(point))).toEqual([]);
});

/** Those that a driver's paths come to one after the other: a second failure on the way out of the first. */
const pairs = [
  ['ttm_tt_populate', 'vmw_surface_clean'],
  ['vmw_mob_bind', 'vmw_cmd_send_fence'],
  ['vmw_gb_surface_bind', 'vmw_resource_create'],
  ['vmw_surface_dirty_sync', 'vmw_fence_create'],
  ['vmw_fence_create', 'vmw_surface_clean'],
  ['vmw_user_fence_create', 'vmw_cmd_send_fence'],
  ['sync_file_create', 'vmw_execbuf_copy_fence_user'],
  ['vmw_cmd_ctx_reserve', 'vmw_event_fence_action_queue'],
] as const satisfies readonly (readonly [FailurePoint, FailurePoint])[];

test.each(pairs)('%s and then %s', (first, second) => {
  for (const kernel of kernels)
    for (const [one, other] of [
      ['once', 'once'],
      ['always', 'once after 1'],
    ]) {
      const failures = [`fail ${first} ${one}`, `fail ${second} ${other}`];
      expect([kernel, ...failures, leftOver(journey(kernel, failures))]).toEqual([
        kernel,
        ...failures,
        nothing,
      ]);
    }
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
