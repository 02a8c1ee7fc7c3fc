// Bursts of the engine: turns of a loop made at once, what a program must be like to have them, and when there is none.
import { expect, test } from 'vitest';
import { Program } from '../../src/routine/program';
import type { AnyBuilder, Node } from '../../src/routine/routine';
import { at, toy, toyEngine } from './toy';

const count = (b: AnyBuilder): Node =>
  b.step('i++', (f) => {
    f.i++;
  });
const add = (b: AnyBuilder): Node =>
  b.step('got += i', (f) => {
    f.got += f.i;
  });
const last = (b: AnyBuilder): Node => b.when('i == 10', (f) => f.i === 10, [b.leave()]);

/** Ten turns, which a burst makes at once, or as many as there is room for. */
const summing = toy('summing', (b) => [
  b.loop('sum', [
    b.burst((f, _k, room) => {
      const turns = Math.min(10 - f.i, Math.floor(room / 2));
      for (let i = 0; i < turns; i++) f.got += ++f.i;
      return 2 * turns;
    }),
    count(b),
    add(b),
    last(b),
  ]),
  at(b, 'end'),
]);

const engineOf = () => {
  const engine = toyEngine([{ name: 'a', cpu: -1, root: summing }]);
  engine.checker = undefined;
  return engine;
};

test('a burst ends where the conditions behind the last operation of a turn lead', () => {
  for (const [room, next, steps] of [
    [1000, 'end', 20],
    [7, 'i++', 6],
  ] as const) {
    const [burst, stepped] = [engineOf(), engineOf()];
    const agent = burst.agentOfTask(0);
    expect(burst.burst(agent, room)).toBe(steps);
    for (let i = 0; i < steps; i++) stepped.step(agent);
    expect(burst.opOf(0)?.text).toBe(next);
    expect([...burst.store.cells]).toEqual([...stepped.store.cells]);
    expect(burst.steps).toBe(stepped.steps);
    expect(burst.store.hash()).toBe(stepped.store.hash());
  }
});

test('without room for a turn, or within one, it is a single micro-step', () => {
  const engine = engineOf();
  const agent = engine.agentOfTask(0);
  expect(engine.burst(agent, 1)).toBe(1);
  expect(engine.opOf(0)?.text).toBe('got += i');
  expect(engine.burst(agent, 1000)).toBe(1);
  expect(engine.burst(agent, 1000)).toBe(18);
});

test('there is none while every step is looked at', () => {
  const engine = engineOf();
  engine.afterStep.push(() => {});
  expect(engine.burst(engine.agentOfTask(0), 1000)).toBe(1);
});

test('going back leads to before the burst', () => {
  const engine = engineOf();
  const { store } = engine;
  const before = [...store.cells];
  const mark = store.mark();
  engine.burst(engine.agentOfTask(0), 1000);
  store.rollback(mark);
  expect([...store.cells]).toEqual(before);
  expect(engine.opOf(0)?.text).toBe('i++');
});

/** What is said to a program with this body. */
const refused = (body: (b: AnyBuilder) => Node[]): string => {
  const variants = { known: new Set<string>(), active: new Set<string>() };
  try {
    new Program([toy('root', body)], variants);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

const none = (b: AnyBuilder): Node => b.burst(() => 0);
const open = "root: 'turn' has a burst, so each turn begins and ends with one operation";

test('a burst whose turns have no single beginning or end is refused', () => {
  const bodies: ((b: AnyBuilder) => Node[])[] = [
    (b) => [none(b), last(b), count(b)],
    (b) => [none(b), count(b), b.when('odd', () => true, [add(b)]), last(b)],
    (b) => [none(b), b.loop('inner', [count(b), last(b)]), add(b), last(b)],
  ];
  for (const body of bodies) {
    expect(refused((b) => [b.loop('turn', body(b))])).toContain(open);
  }
  expect(refused((b) => [b.loop('turn', [none(b), count(b), add(b), last(b)])])).toBe('');
});

test('a burst stands first in a loop, and none of its operations begins a statement', () => {
  const place = 'root: a burst stands first in its loop';
  expect(refused((b) => [none(b), count(b)])).toContain(place);
  expect(refused((b) => [b.loop('turn', [count(b), none(b), last(b)])])).toContain(place);
  expect(
    refused((b) => [
      b.loop('turn', [none(b), count(b), b.statement(undefined, [add(b)]), count(b), last(b)]),
    ]),
  ).toContain("root: 'turn' has a burst, so it has no statements");
});

test('repeated calls are of a routine of steps and conditions, with two ways through at most', () => {
  const repeated = (b: AnyBuilder): Node => b.repeated(() => 0);
  const only = 'root: what repeated calls come to is said of steps and conditions only';
  expect(refused((b) => [count(b), b.choose('which', ['a', 'b'], 'got'), repeated(b)])).toContain(
    only,
  );
  expect(refused((b) => [b.loop('turn', [count(b), last(b)]), repeated(b)])).toContain(only);
  expect(
    refused((b) => [
      b.when('one', () => true, [count(b)]),
      b.when('two', () => true, [count(b), count(b)]),
      repeated(b),
    ]),
  ).toContain('root: repeated calls go one of two ways');
  expect(refused((b) => [count(b), repeated(b), repeated(b)])).toContain(
    'root says once what repeated calls come to',
  );
  expect(refused((b) => [count(b), b.when('one', () => true, [count(b)]), repeated(b)])).toBe('');
});
