// Tasks on CPUs: when a CPU changes from one to another, and what the default schedule does.
import { expect, test } from 'vitest';
import type { Engine, TaskSpec } from '../../src/routine/engine';
import type { Mode } from '../../src/routine/routine';
import { defaultAgent, parseSchedule, scheduleText } from '../../src/routine/schedule';
import { agentNamed, at, counter, go, runToEnd, toy, toyEngine, transcript, whoCan } from './toy';

const sem = (_f: unknown, k: Engine) => counter(k).sem;
const spin = (_f: unknown, k: Engine) => counter(k).lock;

/** Two tasks on CPU 0: `a` runs a body, `b` has one step in user mode. */
function twoOnOneCpu(body: Parameters<typeof toy>[1], mode: Mode = 'kernel'): Engine {
  const other = toy('other', (b) => [at(b, 'other')], 'user');
  return toyEngine([
    { name: 'a', cpu: 0, root: toy('root', body, mode) },
    { name: 'b', cpu: 0, root: other },
  ]);
}

test('in user mode a CPU may change tasks between any two steps; the change is a step', () => {
  const engine = twoOnOneCpu((b) => [at(b, 'one'), at(b, 'two')], 'user');
  go(engine, 'a a');
  expect(whoCan(engine)).toBe('a b');
  go(engine, 'b');
  expect([engine.currentOf(0), engine.opOf(1)!.text]).toEqual([1, 'other']);
  expect(whoCan(engine)).toBe('a b');
});

test('in the kernel it changes only where the kernel sleeps', () => {
  const engine = twoOnOneCpu((b) => [
    at(b, 'one'),
    b.wait('wait_event(hits)', (_f, k) => counter(k).hits !== 0),
    at(b, 'three'),
  ]);
  go(engine, 'a');
  expect(whoCan(engine)).toBe('a');
  expect(engine.blocked(1)).toEqual({ by: 'cpu', task: 0 });
  go(engine, 'a');
  expect(whoCan(engine)).toBe('b'); // a sleeps
  counter(engine).hits = 1;
  expect(whoCan(engine)).toBe('a'); // and is woken before b came
});

test('a task that is woken waits until its CPU is free', () => {
  const engine = twoOnOneCpu((b) => [
    b.wait('wait_event(hits)', (_f, k) => counter(k).hits !== 0),
    at(b, 'woken'),
  ]);
  counter(engine).hits = 1;
  go(engine, 'b');
  expect(whoCan(engine)).toBe('a b'); // b is in user mode
  go(engine, 'a');
  expect(engine.currentOf(0)).toBe(0);
  expect(whoCan(engine)).toBe('a');
});

test('a spinning wait keeps its CPU, and so does an instruction', () => {
  const spins = twoOnOneCpu((b) => [
    at(b, 'one'),
    b.wait('cpu_relax()', (_f, k) => counter(k).hits !== 0, { spins: true }),
  ]);
  go(spins, 'a a');
  expect(whoCan(spins)).toBe('');
  const instruction = twoOnOneCpu((b) => [at(b, 'walk'), at(b, 'store')], 'instruction');
  go(instruction, 'a a');
  expect(whoCan(instruction)).toBe('a');
});

test('who waits for a spinlock keeps its CPU, and so does who sleeps with one held', () => {
  const held = toy('held', (b) => [b.acquire('spin_lock', spin), at(b, 'inside')]);
  const wants = toy('wants', (b) => [at(b, 'one'), b.acquire('spin_lock', spin)]);
  const engine = toyEngine([
    { name: 'a', cpu: 0, root: wants },
    { name: 'b', cpu: 0, root: toy('other', (b) => [at(b, 'other')], 'user') },
    { name: 'c', cpu: 1, root: held },
  ]);
  go(engine, 'a a c c');
  expect(whoCan(engine)).toBe('c'); // b cannot have the CPU on which a spins

  const sleeps = twoOnOneCpu((b) => [
    b.acquire('spin_lock', spin),
    b.wait('a sleep in atomic context', (_f, k) => counter(k).hits !== 0),
  ]);
  go(sleeps, 'a a');
  expect(whoCan(sleeps)).toBe('');
});

test('a task that ends leaves its CPU idle, for whoever is next', () => {
  const engine = twoOnOneCpu((b) => [at(b, 'one')]);
  go(engine, 'a a a');
  expect([engine.isFinished(0), engine.taskName(engine.currentOf(0))]).toEqual([true, 'idle/0']);
  expect(whoCan(engine)).toBe('b');
});

test('the machine hears of each change of tasks, in the step that makes it', () => {
  const changes: string[] = [];
  const root = toy('root', (b) => [at(b, 'one')]);
  const engine = toyEngine([{ name: 'a', cpu: 0, root }], {
    contextSwitch: (k, cpu, from, to) => {
      changes.push(`${cpu}: ${k.taskName(from)} to ${k.taskName(to)}`);
    },
  });
  runToEnd(engine);
  expect(changes).toEqual(['0: idle/0 to a', '0: a to idle/0']);
});

test('a run is done when all but daemons have finished', () => {
  const waits = toy('waits', (b) => [b.wait('for ever', () => false)]);
  const root = toy('root', (b) => [at(b, 'one')]);
  const engine = toyEngine([
    { name: 'a', cpu: 0, root },
    { name: 'gpu', cpu: -1, root: waits, daemon: true },
  ]);
  runToEnd(engine);
  expect([engine.done, engine.isDaemon(1), engine.isFinished(1)]).toEqual([true, true, false]);
});

/** A thread whose statements have the given texts, each of two steps. */
const statements = (name: string, ...texts: string[]): TaskSpec => ({
  name,
  cpu: name === 'b' ? 1 : 0,
  root: toy(
    name,
    (b) => texts.map((text) => b.statement(undefined, [at(b, text), at(b, `${text}, continued`)])),
    'user',
  ),
});

test('by default everyone has a turn of one statement, in order of declaration', () => {
  const engine = toyEngine([
    statements('a', 'a1', 'a2'),
    statements('b', 'b1'),
    statements('c', 'c1'),
  ]);
  const lines = transcript(engine).filter((line) => !line.includes('switched'));
  expect(lines).toEqual([
    'a: a1',
    'a: a1, continued',
    'b: b1',
    'b: b1, continued',
    'c: c1',
    'c: c1, continued',
    'a: a2',
    'a: a2, continued',
  ]);
});

test('who blocks hands over within its statement and goes on in a later turn', () => {
  const holds = toy('a', (b) => [
    b.statement(undefined, [b.acquire('down', sem), at(b, 'a inside')]),
    b.statement(undefined, [b.release('up', sem)]),
  ]);
  const wants = toy('b', (b) => [
    b.statement(undefined, [b.acquire('down', sem), at(b, 'b inside')]),
  ]);
  const engine = toyEngine([
    { name: 'a', cpu: 0, root: holds },
    { name: 'b', cpu: 1, root: wants },
  ]);
  expect(transcript(engine)).toEqual([
    'a: switched to',
    'a: down',
    'a: a inside',
    'b: switched to',
    'b: down', // queues
    'idle/1: switched to',
    'a: up',
    'b: switched to',
    'b: down', // gets it
    'b: b inside',
  ]);
});

test('who gives way lets the others have a turn first', () => {
  const polite = toy('a', (b) => [
    b.statement(undefined, [b.step('after you', (_f, k) => k.giveWay()), at(b, 'thank you')]),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: 0, root: polite }, statements('b', 'b1')]);
  expect(transcript(engine).filter((line) => !line.includes('switched'))).toEqual([
    'a: after you',
    'b: b1',
    'b: b1, continued',
    'a: thank you',
  ]);
});

test('the default schedule is part of history: rolled back, it decides the same again', () => {
  const engine = toyEngine([statements('a', 'a1', 'a2'), statements('b', 'b1')]);
  const mark = engine.store.mark();
  const first = transcript(engine);
  engine.store.rollback(mark);
  expect(transcript(engine)).toEqual(first);
});

test('the default schedule goes on sensibly after choices that were not its own', () => {
  const engine = toyEngine([statements('a', 'a1', 'a2'), statements('b', 'b1', 'b2')]);
  go(engine, 'b b a a');
  const next = defaultAgent(engine);
  expect(next).toBe(agentNamed(engine, 'a'));
  runToEnd(engine);
  expect(engine.done).toBe(true);
});

test('steps count from the start of the run and go back with it', () => {
  const engine = toyEngine([statements('a', 'a1')]);
  const mark = engine.store.mark();
  go(engine, 'a a');
  expect(engine.steps).toBe(2);
  engine.store.rollback(mark);
  expect(engine.steps).toBe(0);
});

test('a schedule is written as runs of one agent, with the branch of a choice after a slash', () => {
  const choices = [
    ...Array.from({ length: 3 }, () => ({ agent: 2, branch: 0 })),
    { agent: 0, branch: 0 },
    { agent: 3, branch: 1 },
    { agent: 3, branch: 0 },
  ];
  expect(scheduleText(choices)).toBe('2x3 0 3/1 3');
  expect(parseSchedule('2x3 0 3/1 3')).toEqual(choices);
  expect(parseSchedule('')).toEqual([]);
  expect(parseSchedule('  1\n 1x1 ')).toEqual([
    { agent: 1, branch: 0 },
    { agent: 1, branch: 0 },
  ]);
});

test.each([
  ['1 two 3', "'two' is not agent, agentxN, agent/branch or place=value"],
  ['-1', "'-1' is not agent, agentxN, agent/branch or place=value"],
  ['1x', "'1x' is not agent, agentxN, agent/branch or place=value"],
  ['1x2/1', "'1x2/1' is not agent, agentxN, agent/branch or place=value"],
  ['1x999999999', 'the schedule has more than 50 million steps'],
])('the schedule %j is refused with what is wrong in it', (text, problem) => {
  expect(parseSchedule(text)).toBe(problem);
});
