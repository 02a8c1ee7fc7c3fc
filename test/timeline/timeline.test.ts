import fc from 'fast-check';
import { expect, test } from 'vitest';
import { routine } from '../../src/routine/routine';
import { defaultAgent, parseSchedule } from '../../src/routine/schedule';
import { int } from '../../src/state/layout';
import { ScheduleMismatch, spanSteps, Timeline } from '../../src/timeline/timeline';
import { toyEngine } from '../routine/toy';

const add = routine('toy.c', 'add', { args: { n: int }, locals: { old: int, way: int } }, (b) => [
  b.choose('which way', ['plain', 'loud'], 'way'),
  b.acquire('down(&counter->lock)', (_f, k) => k.the('counter', 'toy_counter').lock),
  b.step('old = counter->value', (f, k) => {
    f.old = k.the('counter', 'toy_counter').value;
  }),
  b.step('counter->value = old + n', (f, k) => {
    k.the('counter', 'toy_counter').value = f.old + f.n;
  }),
  b.release('up(&counter->lock)', (_f, k) => k.the('counter', 'toy_counter').lock),
  b.when('way == loud', (f) => f.way === 1, [
    b.step('raise(0)', (_f, k) => {
      k.raise(0, 0);
    }),
  ]),
]);

const thread = routine(
  'toy.c',
  'thread',
  { mode: 'user', args: { turns: int }, locals: { i: int } },
  (b) => [
    b.loop('while (i < turns)', [
      b.when('i == turns', (f) => f.i === f.turns, [b.leave()]),
      b.statement(undefined, [b.call(add, (f) => ({ n: f.i + 1 }))]),
      b.step('i++', (f) => {
        f.i++;
      }),
    ]),
  ],
);

const made = (turns: number, check = false) =>
  toyEngine(
    [
      { name: 'a', cpu: 0, root: thread, args: { turns } },
      { name: 'b', cpu: 1, root: thread, args: { turns } },
      { name: 'c', cpu: 1, root: thread, args: { turns } },
    ],
    { check },
  );

const runToEnd = (t: Timeline) => t.run(() => undefined, 1_000_000);

test('any position of a run of several spans is reached with every cell as it was', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(), { maxLength: 30 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 }),
      (choices, jumps) => {
        const t = new Timeline(made(700));
        const states = new Map<number, { cells: Int32Array; hash: string; events: number }>();
        const { engine } = t;
        const note = () => {
          if (t.position % 500 > 0) return;
          const { cells } = engine.store;
          const events = engine.events.length;
          states.set(t.position, { cells: cells.slice(), hash: engine.store.hash(), events });
        };
        note();
        for (let i = 0; ; i++) {
          const wish = choices.length === 0 ? 0 : choices[i % choices.length]!;
          const agents = Array.from({ length: engine.agents }, (_, a) => a).filter((a) =>
            engine.runnable(a),
          );
          if (agents.length === 0) break;
          const agent = agents[wish % agents.length]!;
          // Every other choice is the default schedule's, and in the end each: a list of choices need not be fair.
          t.stepForward(
            wish % 2 === 0 || t.position > 4 * spanSteps
              ? undefined
              : { agent, branch: wish % engine.branches(agent) },
          );
          note();
        }
        expect(t.position).toBeGreaterThan(3 * spanSteps);
        for (const jump of jumps) {
          const to = [...states.keys()][Math.floor(jump * (states.size - 1))]!;
          t.seek(to);
          expect(t.position).toBe(to);
          expect(engine.store.hash()).toBe(states.get(to)!.hash);
          expect(engine.store.cells).toEqual(states.get(to)!.cells);
          expect(engine.events.length).toBe(states.get(to)!.events);
        }
        // One run more or less by hand over the boundary of a span.
        t.seek(2 * spanSteps + 3);
        while (t.position > 2 * spanSteps - 192) t.back();
        while (t.position % 500 > 0) t.back();
        expect(engine.store.cells).toEqual(states.get(t.position)!.cells);
      },
    ),
    { numRuns: 8 },
  );
});

test('the schedule of a run, followed from the start, gives the same hash', () => {
  const t = new Timeline(made(5, true));
  t.stepForward();
  for (let i = 0; i < 9; i++) {
    const agent = 2 + (i % 2);
    t.stepForward(t.engine.runnable(agent) ? { agent, branch: 0 } : undefined);
  }
  runToEnd(t);
  const again = new Timeline(made(5), parseSchedule(t.schedule()) as never);
  runToEnd(again);
  expect(again.engine.store.cells).toEqual(t.engine.store.cells);
  expect(again.schedule()).toBe(t.schedule());
  expect(t.engine.checker?.broken).toEqual([]);
});

test('another choice cuts off the recorded future, the same choice does not', () => {
  const t = new Timeline(made(3));
  runToEnd(t);
  const { end } = t;
  t.seek(4);
  t.stepForward(t.choiceAt(4));
  expect(t.end).toBe(end);
  t.stepForward({ agent: 3, branch: 0 });
  expect([t.position, t.end]).toEqual([6, 6]);
  expect(t.engine.turn).toBe(3);
});

test('a run stops at its reason, its budget or its end, and backwards at the start', () => {
  const t = new Timeline(made(2));
  expect(t.run(() => (t.position === 7 ? 'seven' : undefined), 100)).toEqual({ stop: 'seven' });
  expect(t.run(() => undefined, 3)).toBe('budget');
  expect(t.position).toBe(10);
  expect(runToEnd(t)).toBe('end');
  expect(t.engine.done).toBe(true);
  expect(t.runBack(() => (t.position === 7 ? 'seven' : undefined), 1000)).toEqual({
    stop: 'seven',
  });
  expect(t.runBack(() => undefined, 1000)).toBe('end');
  expect(t.position).toBe(0);
});

test('a schedule that does not fit is refused where it departs, and nothing moves', () => {
  const t = new Timeline(made(2), [
    { agent: 2, branch: 0 },
    { agent: 3, branch: 0 },
    { agent: 3, branch: 7 },
  ]);
  t.stepForward();
  t.stepForward();
  const hash = t.engine.store.hash();
  expect(() => t.stepForward()).toThrow(ScheduleMismatch);
  expect(() => t.stepForward()).toThrow(
    'the schedule does not fit this run: at step 2 b has no branch 7',
  );
  expect([t.position, t.engine.store.hash()]).toEqual([2, hash]);
  expect(() => t.stepForward({ agent: 99, branch: 0 })).toThrow('there is no agent 99');
});

test('a position tells what its last step wrote, at the boundary of a span too', () => {
  const t = new Timeline(made(700));
  runToEnd(t);
  const wrote = (at: number) => {
    t.seek(at);
    const cells: number[] = [];
    t.wrote((cell) => cells.push(cell));
    return cells;
  };
  expect(wrote(0)).toEqual([]);
  for (const at of [1, spanSteps - 1, spanSteps, spanSteps + 1, 2 * spanSteps]) {
    const cells = wrote(at);
    const after = t.engine.store.cells.slice();
    t.back();
    const changed = [...after.keys()].filter((cell) => after[cell] !== t.engine.store.cells[cell]);
    expect([...new Set(cells)].filter((cell) => changed.includes(cell)).sort()).toEqual(
      changed.sort(),
    );
  }
});

test('a run by the timeline is the run of the default schedule', () => {
  const t = new Timeline(made(4));
  runToEnd(t);
  const engine = made(4);
  for (let agent = defaultAgent(engine); agent >= 0; agent = defaultAgent(engine))
    engine.step(agent);
  expect(t.engine.store.cells).toEqual(engine.store.cells);
});

test('every course that a run took is kept as a branch, and comes to the same cells when it is taken up again', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat({ max: 60 })), { minLength: 1, maxLength: 8 }),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 8 }),
      (departures, returns) => {
        const t = new Timeline(made(20));
        const { engine } = t;
        engine.hand = (edit) => {
          engine.the('counter', 'toy_counter').value = Number(edit.split('=')[1]);
          return undefined;
        };
        t.run(() => undefined, 100);
        const ends = new Map<number, [number, Int32Array]>();
        const note = () => ends.set(t.branch, [t.end, engine.store.cells.slice()]);
        note();
        for (const [branch, at, steps] of departures) {
          const { id } = t.branches[branch % t.branches.length]!;
          expect(t.changeTo(id)).toBe(true);
          t.seek(at % (t.end + 1));
          const before = t.branch;
          t.stepForward({ edit: `field:counter.value=${at}` });
          if (t.branch !== before) expect(t.end).toBe(t.position);
          t.run(() => undefined, steps);
          t.seek(t.end);
          note();
        }
        for (const [branch, at] of returns) {
          t.changeTo(t.branches[branch % t.branches.length]!.id);
          t.seek(at % (t.end + 1));
        }
        for (const [id, [end, cells]] of ends) {
          t.changeTo(id);
          expect(t.end).toBe(end);
          t.seek(end);
          expect(engine.store.cells).toEqual(cells);
        }
        // The text of a course, followed from the start, is that course.
        const again = new Timeline(made(20), parseSchedule(t.schedule()) as never);
        again.engine.hand = (edit) => {
          again.engine.the('counter', 'toy_counter').value = Number(edit.split('=')[1]);
          return undefined;
        };
        again.seek(again.end);
        expect(again.engine.store.hash()).toBe(engine.store.hash());
      },
    ),
    { numRuns: 40 },
  );
});

test('branches beyond half of the budget are dropped, the oldest first; those that are kept are as they were', () => {
  const t = new Timeline(made(40));
  const { engine } = t;
  t.budget = 4000; // bytes: two or three courses of some hundred entries
  engine.hand = (edit) => {
    engine.the('counter', 'toy_counter').value = Number(edit.split('=')[1]);
    return undefined;
  };
  t.run(() => undefined, 300);
  const ends = new Map<number, [number, Int32Array]>();
  const note = () => ends.set(t.branch, [t.end, engine.store.cells.slice()]);
  note();
  for (let i = 0; i < 12; i++) {
    // From the latest course, or from the oldest that is kept.
    if (i % 3 === 2) t.changeTo(t.branches[0]!.id);
    t.seek(20 + 3 * i);
    t.stepForward({ edit: `field:counter.value=${i}` });
    t.run(() => undefined, 300);
    note();
    const left = t.branches.filter(({ id }) => id !== t.branch);
    expect(left.length).toBeGreaterThan(0);
    const entries = left.reduce((sum, { from, end }) => sum + end - from, 0);
    expect(4 * entries).toBeLessThanOrEqual(t.budget / 2);
  }
  const kept = t.branches.map(({ id }) => id);
  expect([...t.dropped, ...kept].sort((a, b) => a - b)).toEqual([...ends.keys()]);
  expect(t.dropped.length).toBeGreaterThan(4);
  expect(t.changeTo(t.dropped[0]!)).toBe(false);
  for (const id of kept) {
    t.changeTo(id);
    const [end, cells] = ends.get(id)!;
    expect(t.end).toBe(end);
    t.seek(end);
    expect(engine.store.cells).toEqual(cells);
  }
});

test('a branch that parts from the run before what is kept of it is dropped', () => {
  const t = new Timeline(made(1500));
  t.run(() => undefined, 100);
  t.seek(10);
  t.engine.hand = () => undefined;
  t.stepForward({ edit: 'nothing=0' });
  expect(t.branches.map(({ id }) => id)).toEqual([1, 2]);
  t.budget = 500;
  runToEnd(t);
  expect(t.start).toBeGreaterThan(10);
  expect([t.branches.map(({ id }) => id), t.dropped]).toEqual([[2], [1]]);
});

test('history beyond the budget is dropped from its beginning; what is kept is as it was', () => {
  const whole = new Timeline(made(1500));
  runToEnd(whole);
  const t = new Timeline(made(1500));
  t.budget = 500;
  runToEnd(t);
  expect(t.start % spanSteps).toBe(0);
  expect(t.start).toBeGreaterThan(0);
  expect(t.start).toBeLessThan(t.end - spanSteps);
  expect(() => t.seek(t.start - 1)).toThrow(`a position from ${t.start} to ${t.end}`);
  for (const at of [t.start, t.start + 1, t.start + spanSteps, t.end]) {
    t.seek(at);
    whole.seek(at);
    expect(t.engine.store.cells).toEqual(whole.engine.store.cells);
  }
  t.seek(t.start + 2);
  expect(t.runBack(() => undefined, 10)).toBe('end');
  expect(t.position).toBe(t.start);
  expect(t.schedule(t.end)).toBe(whole.schedule(t.end));
});
