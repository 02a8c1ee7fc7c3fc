// The branch of the fault path that is predicted is the one that the routines take: over the recorded programs, where
// nobody comes in between, and over every scenario of the repository, where a prediction may fail only if somebody did.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Replayer } from '../../src/conform/replay';
import { branchOf, tracedRoutines } from '../../src/debug/faultBranch';
import { agrees, courseOf, Faults } from '../../src/debug/faults';
import { debuggeeOf } from '../../src/debug/scenario';
import type { FaultBranch } from '../../src/protocol/fault';
import type { Engine } from '../../src/routine/engine';
import type { LoggedEvent } from '../../src/state/events';
import { Timeline } from '../../src/timeline/timeline';
import { recording } from '../conform/recordings';
import { exampleFiles } from '../examples';
import { load } from '../scenario/outcome';

/** Predictions of the page faults of an engine from here on, to be compared with what its routines did then. */
function predictions(k: Engine) {
  const open: { event: LoggedEvent; branch: FaultBranch }[] = [];
  const taken = new Map<string, number>();
  const wrong: string[] = [];
  for (const code of tracedRoutines(k)) code.traced = true;
  k.listeners.push((event) => {
    if (event.name !== 'page_fault') return;
    const { address, error_code } = event.args;
    open.push({ event, branch: branchOf(k, event.task, Number(address), Number(error_code)) });
  });
  /** Compares those that are over. */
  const compare = () => {
    for (const { event, branch } of open.splice(0)) {
      const { attempts, end } = courseOf(k, event);
      const way = branch.path.slice(1).join(' ');
      taken.set(way, (taken.get(way) ?? 0) + 1);
      if (end === undefined || !agrees(branch, attempts, end.result)) {
        wrong.push(`${way}: ${attempts.map(({ path }) => path.join(' ')).join('; ')}`);
      }
    }
  };
  return { compare, taken, wrong };
}

test('in the recorded programs every fault takes the branch that is predicted', () => {
  const replayer = new Replayer();
  const taken = new Map<string, number>();
  const programs = [
    ...recording('directed.jsonl'),
    ...recording('random-1.jsonl.gz').slice(0, 300),
  ];
  for (const program of programs) {
    let seen: ReturnType<typeof predictions> | undefined;
    const { ops } = program;
    replayer.perform({ ...program, ops: [...ops, ops.at(-1)!] }, (_operation, k) => {
      seen ??= predictions(k);
      seen.compare();
    });
    expect(seen!.wrong, program.program).toEqual([]);
    for (const [way, times] of seen!.taken) taken.set(way, (taken.get(way) ?? 0) + times);
  }
  expect([...taken.keys()].sort()).toMatchInlineSnapshot(`
    [
      "bad_area",
      "bad_area_access_error",
      "handle_mm_fault handle_pte_fault do_fault do_cow_fault or_fault",
      "handle_mm_fault handle_pte_fault do_fault do_read_fault or_fault",
      "handle_mm_fault handle_pte_fault do_fault do_shared_fault or_fault",
      "handle_mm_fault handle_pte_fault do_wp_page wp_page_copy",
      "handle_mm_fault handle_pte_fault do_wp_page wp_page_reuse",
      "handle_mm_fault handle_pte_fault do_wp_page wp_page_shared do_page_mkwrite or_page_mkwrite",
      "handle_mm_fault handle_pte_fault do_wp_page wp_pfn_shared or_pfn_mkwrite",
    ]
  `);
  expect([...taken.values()].reduce((sum, n) => sum + n)).toBeGreaterThan(1000);
});

/** Numbers below `n`, the same for the same seed. */
function draws(seed: number): (n: number) => number {
  let state = Math.imul(seed, 2654435761);
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % n;
  };
}

/** Goes to the end, each step by chance. */
function runByChance(timeline: Timeline, seed: number): void {
  const { engine } = timeline;
  const draw = draws(seed);
  for (;;) {
    const agents: number[] = [];
    for (let a = 0; a < engine.agents; a++) if (engine.runnable(a)) agents.push(a);
    if (agents.length === 0) return;
    const agent = agents[draw(agents.length)]!;
    timeline.stepForward({ agent, branch: draw(engine.branches(agent)) });
  }
}

test.each(exampleFiles)('%s: where a fault goes another way, somebody came in between', (path) => {
  let seen = 0;
  const text = readFileSync(path, 'utf8');
  for (const kernel of ['series-v2', 'linux-6.1']) {
    const loaded = load(text, { kernel, schedule: [] }); // a schedule may be of one kernel only
    const { engine } = loaded.run;
    const timeline = new Timeline(engine);
    const faults = new Faults(debuggeeOf(path, text, loaded), timeline);
    runByChance(timeline, 1);
    const hash = engine.store.hash();
    const events = engine.events.slice().filter(({ name }) => name === 'page_fault');
    const all = faults.all();
    expect(engine.store.hash()).toEqual(hash); // looking leaves no trace
    all.forEach(({ course: { end }, step, branch }, i) => {
      expect(end).not.toBeNull();
      if (end === null || end.asPredicted) return;
      const agent = engine.agentOfTask(events[i]!.task);
      const between = Array.from(
        { length: end.step - step },
        (_, n) => timeline.choiceAt(step + n)!.agent,
      );
      expect(
        between.some((a) => a !== agent),
        branch.path.join(' '),
      ).toBe(true);
    });
    seen += all.length;
  }
  // In some scenarios no CPU looks at a surface.
  if (/^ +(write|read) /m.test(text)) expect(seen).toBeGreaterThan(0);
});

test.each(['series-v2', 'linux-6.1'])('huge faults of %s are predicted too', (kernel) => {
  const text = `scenario "huge"
surface big: buffer 520 pages coherent
process app {
  let p = map big
  thread render on cpu0 {
    read p[0] as a
    write p[7 pages] = 2
    read p[519 pages] as b
  }
}`;
  const loaded = load(text, { kernel, with: ['huge-faults'] });
  const timeline = new Timeline(loaded.run.engine, loaded.schedule);
  const faults = new Faults(debuggeeOf('huge.coh', text, loaded), timeline);
  expect(timeline.run(() => undefined, 100_000)).toBe('end');
  expect(
    faults
      .all()
      .map(({ branch, course }) => [branch.path.slice(2).join(' '), course.end?.asPredicted]),
  ).toEqual([
    ['create_huge_pud vmw_bo_vm_huge_fault', true],
    ['wp_huge_pmd vmw_bo_vm_huge_fault', true],
    ['handle_pte_fault do_wp_page wp_pfn_shared vmw_bo_vm_mkwrite', true],
    ['create_huge_pmd vmw_bo_vm_huge_fault', true],
  ]);
});
