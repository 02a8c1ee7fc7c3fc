// Reports about the order of locks and about freed objects: what fires them and what, very near to it, must not.
import { expect, test } from 'vitest';
import type { Engine } from '../../src/routine/engine';
import { type LockView, sleepingLock, spinlock } from '../../src/routine/locks';
import { type Node, routine } from '../../src/routine/routine';
import { int, ref, struct, type View } from '../../src/state/layout';
import { runToEnd, toy, toyEngine } from './toy';

const toy_locks = struct('toy_locks', {
  own: {
    a: spinlock('a'),
    b: spinlock('b'),
    c: spinlock('c'),
    sem: sleepingLock('sem'),
    twin: spinlock('a'),
  },
});
const toy_object = struct('toy_object', { shared: { hits: int, total: int } });

declare module '../../src/state/layout' {
  interface Structs {
    toy_locks: View<typeof toy_locks>;
    toy_object: View<typeof toy_object>;
  }
}

type Name = 'a' | 'b' | 'c' | 'sem' | 'twin';
const lock =
  (name: Name) =>
  (_f: unknown, k: Engine): LockView =>
    k.the('locks', 'toy_locks')[name];

/** A word takes that lock, `nested` or by trying; with a minus it gives it back. `raise`: the device's interrupt. */
function routineOf(words: string) {
  return toy('t', (b) =>
    words.split(' ').map((word): Node => {
      const [, how = '', name = ''] = /^(-|nested:|try:)?(\w+)$/.exec(word)!;
      if (name === 'raise') return b.step('raise', (_f, k) => k.raise(0, 0));
      if (name === 'off') return b.step('local_irq_disable', (_f, k) => k.maskInterrupts());
      if (name === 'on') return b.step('local_irq_enable', (_f, k) => k.unmaskInterrupts());
      const of = lock(name as Name);
      if (how === '-') return b.release('unlock', of);
      if (how === 'try:') return b.trylock('trylock', of, { into: 'got' });
      return b.acquire('lock', of, { nested: how === 'nested:' });
    }),
  );
}

const handler = toy(
  'handler',
  (b) => [
    b.step('interrupts off', (_f, k) => k.maskInterrupts()),
    b.acquire('lock', lock('a')),
    b.acquire('lock', lock('c')),
    b.release('unlock', lock('c')),
    b.release('unlock', lock('a')),
    b.step('interrupts on', (_f, k) => k.unmaskInterrupts()),
  ],
  'interrupt',
);

const engineOf = (words: string, cpu = 0): Engine =>
  toyEngine([{ name: 'a', cpu, root: routineOf(words) }], {
    statics: [{ name: 'locks', struct: toy_locks }],
    pools: [],
    vectors: [handler],
    roots: [handler],
    check: false,
  });

function reportsOf(engine: Engine): string[] {
  runToEnd(engine);
  const reports = engine.events.slice().filter(({ name }) => /lockdep|use_after_free/.test(name));
  return reports.map(({ args }) => String(args.message ?? args.what));
}

const reported = (words: string, cpu?: number) => reportsOf(engineOf(words, cpu));

test('two orders of two locks are reported at the second, once; one order never', () => {
  expect(reported('a b -b -a a b -b -a b -b a -a')).toEqual([]);
  expect(reported('a b -b -a b a -a -b b a -a -b')).toEqual([
    'a is taken while b is held, but elsewhere b is taken while a is held: tasks that do so at once wait for each other for ever',
  ]);
});

test('a circle over three locks is one; a trylock does not wait, so it makes no order', () => {
  expect(reported('a b -b -a b c -c -b c a -a -c')).toEqual([
    'a is taken while c is held, but elsewhere b is taken while a is held, and c is taken while b is held: tasks that do so at once wait for each other for ever',
  ]);
  expect(reported('a b -b -a b c -c -b c try:a -a -c')).toEqual([]);
});

test('the orders go back with the run, and each is told with its stack', () => {
  const engine = engineOf('a b -b -a b a -a -b');
  const mark = engine.store.mark();
  const first = reportsOf(engine);
  engine.store.rollback(mark);
  expect(engine.events.length).toBe(0);
  expect(reportsOf(engine)).toEqual(first);
  expect(engine.events.at(0).args.takings).toMatchObject([
    { what: 'takes a while it holds b', task: 0, frames: ['t'] },
    { what: 'takes b while it holds a', task: 0, frames: ['t'] },
  ]);
});

test('a second lock of a class is reported, unless the acquire says that it is nested', () => {
  expect(reported('a twin -twin -a')).toEqual([
    'a is taken while another a is held, and nothing says in which order: two tasks may do so the other way round',
  ]);
  expect(reported('a nested:twin -twin -a')).toEqual([]);
});

test('a lock of interrupts is taken with interrupts off everywhere', () => {
  const told =
    'a is taken in an interrupt, and elsewhere with interrupts enabled: when the interrupt comes while its CPU holds the lock, it waits for what it has interrupted';
  expect(reported('off a -a on raise b -b')).toEqual([]);
  expect(reported('a -a raise b -b')).toEqual([told]);
  expect(reported('raise b -b a -a')).toEqual([told]);
});

test('the order within an interrupt counts, none to what it has interrupted', () => {
  expect(reported('raise off c a -a -c on')).toEqual([
    'a is taken while c is held, but elsewhere c is taken while a is held: tasks that do so at once wait for each other for ever',
  ]);
  expect(reported('b raise -b off c b -b -c a b -b -a on')).toEqual([]);
});

test('who may have to sleep holds no spinlock', () => {
  expect(reported('sem a -a -sem')).toEqual([]);
  expect(reported('a sem -sem -a', -1)).toEqual([
    'sem, for which one may have to sleep, is taken with a spinlock held',
  ]);
});

test('what is done to a freed object is reported once a step', () => {
  const run = (...order: readonly ('use' | 'free')[]) => {
    const root = routine('toy.c', 't', { locals: { object: ref('toy_object') } }, (b) => {
      const use = b.step('object->hits++', (f) => {
        f.object.hits++;
        f.object.total++;
      });
      const free = b.step('kfree(object)', (f, k) => k.free(f.object));
      const alloc = b.step('object = kmalloc()', (f, k) => {
        f.object = k.alloc('toy_object');
      });
      return [alloc, ...order.map((what) => (what === 'use' ? use : free))];
    });
    const engine = toyEngine([{ name: 'a', cpu: 0, root }], {
      statics: [],
      pools: [{ struct: toy_object, count: 2 }],
      check: false,
    });
    return reportsOf(engine);
  };
  expect(run('use', 'free')).toEqual([]);
  expect(run('free', 'use', 'free')).toEqual(['t() uses toy_object.hits', 't() frees it again']);
});
