// What the fault path does when a handler gives up mmap_sem: once at most in 5.1 with the series of April 2019, as often
// as it takes in 6.1. Linux arch/x86/mm/fault.c, do_user_addr_fault().
import { expect, test } from 'vitest';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_TRIED,
  VM_FAULT_RETRY,
} from '../../src/kernel/include/linux/mm';
import { mm_fault } from '../../src/kernel/mm/memory';
import type { Preset } from '../../src/kernel/variants';
import { defaultAgent } from '../../src/routine/schedule';
import { shyMachine } from './shy';

/** Runs one store with a driver that puts off that many faults and mkwrites. */
function run(preset: Preset, faults: number, mkwrites: number, sigbus = false) {
  const { engine, mms } = shyMachine(preset, faults, mkwrites, { sigbus });
  for (let agent = defaultAgent(engine); agent >= 0; agent = defaultAgent(engine)) {
    if (engine.steps > 10_000) throw new Error('it never ends');
    engine.step(agent);
  }
  const mm = engine.view('mm_struct', mms[0]!);
  const tries = engine.events
    .slice()
    .filter(({ name }) => name === mm_fault.name)
    .map(({ args }) => {
      const flags = Number(args.flags);
      const allowed = (flags & FAULT_FLAG_ALLOW_RETRY) !== 0 ? 'may retry' : 'may not';
      const tried = (flags & FAULT_FLAG_TRIED) !== 0 ? ', tried' : '';
      return `${allowed}${tried}${Number(args.ret) === VM_FAULT_RETRY ? ': RETRY' : ''}`;
    });
  return {
    tries,
    counts: engine.parts.faultCounts.of(mm),
    signal: engine.the('shy', 'shy_driver').faults,
    broken: engine.checker!.broken,
    oopses: engine.events
      .slice()
      .flatMap(({ name, args }) => (name === 'oops' ? [args.message] : [])),
    held: engine.held(0),
  };
}

test('5.1: a fault is retried once, without another permission, and counts as one minor fault', () => {
  const { tries, counts, broken, held } = run('series-v2', 5, 0);
  expect(tries).toEqual(['may retry: RETRY', 'may not, tried', 'may retry']);
  expect(counts).toEqual([2, 0]);
  expect(broken).toEqual([]);
  expect(held).toEqual([]);
});

test('6.1: a fault is retried as often as it takes, and then counts as major', () => {
  const { tries, counts, broken } = run('linux-6.1', 3, 0);
  expect(tries).toEqual([
    'may retry: RETRY',
    'may retry, tried: RETRY',
    'may retry, tried: RETRY',
    'may retry, tried',
    'may retry',
  ]);
  expect(counts).toEqual([1, 1]);
  expect(broken).toEqual([]);
});

test('v2: pfn_mkwrite may give up mmap_sem; the fault is retried, and the entry is made writable then', () => {
  const { tries, counts, signal, broken, held } = run('series-v2', 0, 3);
  expect(tries).toEqual(['may retry', 'may retry: RETRY', 'may not, tried']);
  expect(counts).toEqual([2, 0]);
  expect(signal).toBe(0);
  expect(broken).toEqual([]);
  expect(held).toEqual([]);
});

test('6.1: RETRY of pfn_mkwrite is not looked at, so mmap_sem is released twice', () => {
  expect(run('linux-6.1', 0, 1).oopses).toEqual(['the mmap_sem that is released is not held']);
});

for (const [preset, faults, mkwrites] of [
  ['series-v2', 1, 0],
  ['series-v2', 0, 1],
  ['linux-6.1', 1, 0],
] as const) {
  const callback = faults > 0 ? 'fault' : 'pfn_mkwrite';
  test(`${preset}: what is unmapped while ${callback} has given up mmap_sem is looked up again, and not found: SIGSEGV`, () => {
    const { engine } = shyMachine(preset, faults, mkwrites, { unmaps: true });
    const thread = engine.agentOfTask(0);
    const others = Array.from({ length: engine.agents }, (_, i) => i).filter((i) => i !== thread);
    const asked = () => engine.events.slice().filter(({ name }) => name === mm_fault.name);
    const givenUp = () => asked().some(({ args }) => Number(args.ret) === VM_FAULT_RETRY);
    while (!givenUp()) engine.step(thread);
    // The thread only answers the shootdown, in an interrupt.
    while (!engine.isFinished(1))
      engine.step(others.find((agent) => engine.runnable(agent)) ?? thread);
    const before = asked().length;
    while (!engine.isFinished(0)) engine.step(thread);
    expect(asked().length).toBe(before);
    expect(engine.the('shy', 'shy_driver').faults).toBe(11 | (1 << 8));
    expect(engine.checker!.broken).toEqual([]);
  });
}

test('a handler that fails ends the access with SIGBUS, and no fault is counted', () => {
  const { counts, signal } = run('linux-6.1', 0, 0, true);
  expect(signal).toBe(7 | (2 << 8));
  expect(counts).toEqual([0, 0]);
});
