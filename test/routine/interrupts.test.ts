// Interrupts: when one is delivered, on top of what, and when it must wait.
import { expect, test } from 'vitest';
import { type Routine, routine } from '../../src/routine/routine';
import { at, counter, cpu_idle, go, runToEnd, toy, toyEngine, transcript, whoCan } from './toy';

/** Raises vector 0 on its own CPU, then takes a step more. */
const raises = (mode: 'kernel' | 'user' = 'kernel') =>
  toy(
    'raises',
    (b) => [
      b.step('raise', (_f, k) => k.raise(0, 0)),
      at(b, 'next'),
      b.step('hits = 1', (_f, k) => {
        counter(k).hits = 1;
      }),
    ],
    mode,
  );

const stackOf = (engine: ReturnType<typeof toyEngine>, task: number) =>
  engine
    .stack(task)
    .map(({ code, interrupt }) => code.routine.name + (interrupt ? ' (interrupt)' : ''));

test('an interrupt is delivered on top of what it interrupts, which then goes on', () => {
  const engine = toyEngine([{ name: 'a', cpu: 0, root: raises() }]);
  go(engine, 'a a'); // switched to, raise
  expect(whoCan(engine)).toBe('interrupt/0 a');
  go(engine, 'interrupt/0');
  expect(stackOf(engine, 0)).toEqual(['toy_interrupt (interrupt)', 'raises']);
  expect(whoCan(engine)).toBe('a');
  runToEnd(engine);
  expect(counter(engine).hits).toBe(1);
  expect(engine.done).toBe(true);
});

test('by default a pending interrupt goes first', () => {
  const engine = toyEngine([{ name: 'a', cpu: 0, root: raises() }]);
  expect(transcript(engine)).toEqual([
    'a: switched to',
    'a: raise',
    'interrupt/0: delivered',
    'a: hits += 100',
    'a: next',
    'a: hits = 1',
  ]);
});

test('an idle CPU takes its interrupts on its idle task', () => {
  const remote = toy('remote', (b) => [b.step('send an IPI', (_f, k) => k.raise(1, 0))]);
  const engine = toyEngine([{ name: 'a', cpu: 0, root: remote }]);
  expect(transcript(engine)).toEqual([
    'a: switched to',
    'a: send an IPI',
    'interrupt/1: delivered',
    'idle/1: hits += 100',
  ]);
});

test('within an instruction no interrupt comes; in a fault that it raised, one may', () => {
  const fault = toy('exc_page_fault', (b) => [at(b, 'handle the fault')]);
  const store = toy(
    'store',
    (b) => [
      b.step('raise', (_f, k) => k.raise(0, 0)),
      at(b, 'walk'),
      b.call(fault, () => ({})),
      at(b, 'walk again'),
    ],
    'instruction',
  );
  const thread = toy('thread', (b) => [b.call(store, () => ({}))], 'user');
  const engine = toyEngine([{ name: 'a', cpu: 0, root: thread }]);
  go(engine, 'a a a');
  const seen = [];
  for (const text of ['walk', 'exc_page_fault()', 'handle the fault', 'return', 'walk again']) {
    expect(engine.opOf(0)!.text).toBe(text);
    seen.push(`${text}: ${whoCan(engine)}`);
    go(engine, 'a');
  }
  expect(seen).toEqual([
    'walk: a',
    'exc_page_fault(): a',
    'handle the fault: interrupt/0 a',
    'return: interrupt/0 a',
    'walk again: a',
  ]);
});

test('while interrupts are masked none comes; masks nest', () => {
  const root = toy('root', (b) => [
    b.step('local_irq_save', (_f, k) => k.maskInterrupts()),
    b.step('local_irq_save again', (_f, k) => k.maskInterrupts()),
    b.step('raise', (_f, k) => k.raise(0, 0)),
    b.step('local_irq_restore', (_f, k) => k.unmaskInterrupts()),
    b.step('local_irq_restore again', (_f, k) => k.unmaskInterrupts()),
    at(b, 'end'),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: 0, root }]);
  expect(transcript(engine)).toEqual([
    'a: switched to',
    'a: local_irq_save',
    'a: local_irq_save again',
    'a: raise',
    'a: local_irq_restore',
    'a: local_irq_restore again',
    'interrupt/0: delivered',
    'a: hits += 100',
    'a: end',
  ]);
});

test('an interrupt is not interrupted; the lowest vector goes first, and posting twice is once', () => {
  const handler = (name: string) => toy(name, (b) => [at(b, `in ${name}`)], 'interrupt');
  const vectors: Routine[] = [handler('timer'), handler('device')];
  const root = toy('root', (b) => [
    b.step('raise both', (_f, k) => {
      k.raise(0, 1);
      k.raise(0, 0);
      k.raise(0, 1);
    }),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: 0, root }], { vectors, roots: vectors });
  expect(transcript(engine)).toEqual([
    'a: switched to',
    'a: raise both',
    'interrupt/0: delivered',
    'a: in timer',
    'interrupt/0: delivered',
    'a: in device',
  ]);
});

test('a spinning wait lets interrupts in: two CPUs that shoot each other down do not deadlock', () => {
  const shootdown = (self: number) =>
    toy(`shootdown ${self}`, (b) => [
      b.step('send the IPI', (_f, k) => k.raise(1 - self, 0)),
      b.wait('until it is answered', (_f, k) => counter(k).hits === 200, { spins: true }),
    ]);
  const engine = toyEngine([
    { name: 'a', cpu: 0, root: shootdown(0) },
    { name: 'b', cpu: 1, root: shootdown(1) },
  ]);
  go(engine, 'a a b b');
  runToEnd(engine);
  expect(engine.done).toBe(true);
});

test('an idle CPU with nothing pending never goes on', () => {
  const engine = toyEngine([]);
  expect(whoCan(engine)).toBe('');
  expect(engine.done).toBe(true); // idle tasks are daemons
  expect(routine('toy.c', 'x', {}, () => []).mode).toBe(cpu_idle.mode);
});
