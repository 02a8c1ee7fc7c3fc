import { expect, test } from 'vitest';
import { routine } from '../../src/routine/routine';
import { defaultAgent } from '../../src/routine/schedule';
import { int } from '../../src/state/layout';
import { toyEngine } from './toy';

const add = routine(
  'toy.c',
  'add',
  { args: { n: int }, locals: { old: int }, returns: int },
  (b) => [
    b.acquire('spin_lock(&counter->lock)', (_f, k) => k.the('counter', 'toy_counter').lock),
    b.step('old = counter->value', (f, k) => {
      f.old = k.the('counter', 'toy_counter').value;
    }),
    b.step('counter->value = old + n', (f, k) => {
      k.the('counter', 'toy_counter').value = f.old + f.n;
    }),
    b.release('spin_unlock(&counter->lock)', (_f, k) => k.the('counter', 'toy_counter').lock),
    b.ret('old', (f) => f.old),
  ],
);

const thread = routine('toy.c', 'thread', { mode: 'user', locals: { i: int, got: int } }, (b) => [
  b.loop('while (i < 3)', [
    b.when('i == 3', (f) => f.i === 3, [b.leave()]),
    b.statement(undefined, [b.call(add, (f) => ({ n: f.i + 1 }), 'got')]),
    b.step('i++', (f) => {
      f.i++;
    }),
  ]),
]);

test('two threads add under a lock, roll back, and replay to the same hash', () => {
  const engine = toyEngine([
    { name: 'a', cpu: 0, root: thread },
    { name: 'b', cpu: 1, root: thread },
  ]);
  const before = engine.store.cells.slice();
  const start = engine.store.hash();
  const mark = engine.store.mark();
  for (;;) {
    const agent = defaultAgent(engine);
    if (agent < 0) break;
    engine.step(agent);
  }
  expect(engine.done).toBe(true);
  expect(engine.store.cells[engine.objects.staticNamed('counter').at + 4 + 4 + 2]).toBe(12);
  expect(engine.checker?.broken).toEqual([]);
  engine.store.rollback(mark);
  expect(engine.store.cells).toEqual(before);
  expect(engine.store.hash()).toBe(start);
});
