// Control flow inside a routine: when, loops, choose, calls and what they return.
import { expect, test } from 'vitest';
import { type AnyBuilder, type Routine, routine } from '../../src/routine/routine';
import { int, long, ref, u64 } from '../../src/state/layout';
import { agentNamed, at, counter, go, runToEnd, toy, toyEngine, transcript } from './toy';

/** What one task does that runs `root` alone, from its first operation on. */
function alone(root: Routine): string[] {
  const engine = toyEngine([{ name: 'a', cpu: -1, root }]);
  const lines = transcript(engine).map((line) => line.slice('a: '.length));
  expect(engine.checker!.broken).toEqual([]);
  return lines;
}

const count = (b: AnyBuilder) =>
  b.step('i++', (f) => {
    f.i++;
  });

test('when takes its branch, its else branch, or nothing, without a step of its own', () => {
  const root = toy('root', (b) => [
    b.when('i == 0', (f) => f.i === 0, [at(b, 'yes')], [at(b, 'no')]),
    b.when('i == 1', (f) => f.i === 1, [at(b, 'yes, one')], [at(b, 'no, not one')]),
    b.when('i == 2', (f) => f.i === 2, [at(b, 'two')]),
    at(b, 'end'),
  ]);
  expect(alone(root)).toEqual(['yes', 'no, not one', 'end']);
});

test('a loop turns until it is left', () => {
  const root = toy('root', (b) => [
    b.loop('for (;;)', [count(b), b.when('i == 3', (f) => f.i === 3, [b.leave()])]),
    at(b, 'end'),
  ]);
  expect(alone(root)).toEqual(['i++', 'i++', 'i++', 'end']);
});

test('again goes back to the start of its loop', () => {
  const root = toy('root', (b) => [
    b.loop('for (;;)', [
      count(b),
      b.when('i < 2', (f) => f.i < 2, [b.again()]),
      at(b, 'past the condition'),
      b.leave(),
    ]),
  ]);
  expect(alone(root)).toEqual(['i++', 'i++', 'past the condition']);
});

test('leave and again are those of the innermost loop', () => {
  const root = toy('root', (b) => [
    b.loop('outer', [
      b.step('got = 0', (f) => {
        f.got = 0;
      }),
      b.loop('inner', [
        b.step('got++', (f) => {
          f.got++;
        }),
        b.when('got < 2', (f) => f.got < 2, [b.again()]),
        b.leave(),
      ]),
      count(b),
      b.when('i == 2', (f) => f.i === 2, [b.leave()]),
    ]),
  ]);
  const turn = ['got = 0', 'got++', 'got++', 'i++'];
  expect(alone(root)).toEqual([...turn, ...turn]);
});

test('a loop may end the routine', () => {
  const root = toy('root', (b) => [b.loop('for (;;)', [count(b), b.ret()])]);
  expect(alone(root)).toEqual(['i++']);
});

test('choose offers its options as branches of one step, and a local receives which', () => {
  const root = toy('root', (b) => [
    b.choose('the allocation', ['succeeds', 'fails'], 'got'),
    b.when('got == 0', (f) => f.got === 0, [at(b, 'succeeded')], [at(b, 'failed')]),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: -1, root }]);
  const agent = agentNamed(engine, 'a');
  expect(engine.branches(agent)).toBe(2);
  const mark = engine.store.mark();
  engine.step(agent);
  expect(engine.branches(agent)).toBe(1);
  expect(engine.opOf(0)!.text).toBe('succeeded');
  engine.store.rollback(mark);
  engine.step(agent, 1);
  expect(engine.opOf(0)!.text).toBe('failed');
});

test('an option that is not offered is refused', () => {
  const root = toy('root', (b) => [b.choose('either', ['this', 'that'], 'got')]);
  const engine = toyEngine([{ name: 'a', cpu: -1, root }]);
  expect(() => engine.step(agentNamed(engine, 'a'), 2)).toThrow('a branch below 2 of either');
});

const sum = routine(
  'toy.c',
  'sum',
  { args: { n: int }, locals: { rest: int }, returns: int },
  (b) => [
    b.when('n == 0', (f) => f.n === 0, [b.ret('0', () => 0)]),
    b.call(sum, (f) => ({ n: f.n - 1 }), 'rest'),
    b.ret('n + rest', (f) => f.n + f.rest),
  ],
);

test('a call returns its value into a local, and may be of the routine itself', () => {
  const root = toy('root', (b) => [
    b.call(sum, () => ({ n: 4 }), 'got'),
    b.step('hits = got', (f, k) => {
      counter(k).hits = f.got;
    }),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: -1, root }]);
  runToEnd(engine);
  expect(counter(engine).hits).toBe(10);
});

test('each call and each return is a step, with the frames to see in between', () => {
  const root = toy('root', (b) => [b.call(sum, () => ({ n: 1 }), 'got'), at(b, 'end')]);
  const engine = toyEngine([{ name: 'a', cpu: -1, root }]);
  const stack = () =>
    engine.stack(0).map(({ code, pc }) => `${code.routine.name}: ${code.ops[pc]!.text}`);
  const seen = [];
  for (let i = 0; i < 4; i++) {
    seen.push(stack().join(' < '));
    go(engine, 'a');
  }
  expect(seen).toEqual([
    'root: sum(n)',
    'sum: sum(n) < root: sum(n)',
    'sum: return 0 < sum: sum(n) < root: sum(n)',
    'sum: return n + rest < root: sum(n)',
  ]);
  expect(stack()).toEqual(['root: end']);
});

test('arguments and results of two cells, and references, pass through calls', () => {
  const wide = routine(
    'toy.c',
    'wide',
    { args: { offset: long, entry: u64, where: ref('toy_counter') }, returns: long },
    (b) => [
      b.step('where->total = entry.hi', (f) => {
        f.where.total = f.entry.hi;
      }),
      b.ret('offset + 1', (f) => f.offset + 1),
    ],
  );
  const root = routine('toy.c', 'root', { locals: { far: long } }, (b) => [
    b.call(
      wide,
      (_f, k) => ({ offset: 2 ** 40, entry: { lo: 0, hi: -5 }, where: counter(k) }),
      'far',
    ),
    b.step('hits = far >> 32', (f, k) => {
      counter(k).hits = Math.floor(f.far / 2 ** 32);
    }),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: -1, root }]);
  runToEnd(engine);
  expect([counter(engine).total, counter(engine).hits]).toEqual([-5, 256]);
});

test('a frame that returned leaves nothing behind', () => {
  const root = toy('root', (b) => [b.call(sum, () => ({ n: 3 })), at(b, 'end')]);
  const engine = toyEngine([{ name: 'a', cpu: -1, root }]);
  const bottom = engine.topFrame(0);
  const size = engine.stack(0)[0]!.code.frame.cells;
  while (engine.opOf(0)!.text !== 'end') go(engine, 'a');
  const above = engine.store.cells.slice(bottom + size, bottom + 200);
  expect(above.every((cell) => cell === 0)).toBe(true);
});

test('a stack that overflows stops the run with the name of its task', () => {
  const root = toy('root', (b) => [b.call(sum, () => ({ n: 1000 }))]);
  const engine = toyEngine([{ name: 'deep', cpu: -1, root }]);
  expect(() => runToEnd(engine)).toThrow('room on the stack of deep');
});
