// Properties of the engine, for random routines under random schedules: what is done can be undone, cell for cell;
// a schedule determines a run; spans of net change do what rolling back does; the incremental hash is the hash.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashText, mixHi, mixLo } from '../../src/base/hash';
import type { Engine, TaskSpec } from '../../src/routine/engine';
import { type Builder, type Node, type Routine, routine } from '../../src/routine/routine';
import { type Choice, defaultAgent, parseSchedule, scheduleText } from '../../src/routine/schedule';
import { tracepoint } from '../../src/state/events';
import { type FieldsView, int, isNull, long, ref } from '../../src/state/layout';
import type { Store } from '../../src/state/store';
import { counter, runToEnd, toyEngine } from './toy';

// A random body, as data. `call` is of one of the routines that come after the one that calls.
type Body = readonly Operation[];
type Operation =
  | { readonly do: 'read' | 'write' | 'add' | 'sum' | 'new' | 'use' | 'free' | 'page' | 'event' }
  | { readonly do: 'interrupt' | 'signal' | 'giveWay' | 'wait' | 'try' }
  | { readonly do: 'call'; readonly which: number }
  | { readonly do: 'spin' | 'down' | 'share' | 'kill' | 'choose' | 'loop'; readonly body: Body }
  | { readonly do: 'when'; readonly body: Body; readonly otherwise: Body };

const { body: anyBody } = fc.letrec<{ body: Body; operation: Operation }>((tie) => ({
  body: fc.array(tie('operation'), { maxLength: 4, depthIdentifier: 'tree' }),
  operation: fc.oneof(
    { depthIdentifier: 'tree', maxDepth: 3 },
    fc.record({
      do: fc.constantFrom('read', 'write', 'add', 'sum', 'new', 'use', 'free', 'page', 'event'),
    }),
    fc.record({ do: fc.constantFrom('interrupt', 'signal', 'giveWay', 'wait', 'try') }),
    fc.record({ do: fc.constant('call'), which: fc.nat(2) }),
    fc.record({ do: fc.constantFrom('spin', 'choose', 'loop'), body: tie('body') }),
    {
      weight: 3, // so that queues form
      arbitrary: fc.record({ do: fc.constantFrom('down', 'share', 'kill'), body: tie('body') }),
    },
    fc.record({ do: fc.constant('when'), body: tie('body'), otherwise: tie('body') }),
  ) as fc.Arbitrary<Operation>,
}));

const args = { n: int };
const locals = {
  i: int,
  sum: long,
  got: int,
  mine: ref('toy_counter'),
  loop0: int,
  loop1: int,
  loop2: int,
  loop3: int,
};
type Locals = typeof locals;
type Frame = FieldsView<typeof args> & FieldsView<Locals>;
type Random = Builder<Frame, Locals>;

const noted = tracepoint('noted', { n: int, sum: long });
const spin = (_f: unknown, k: Engine) => counter(k).lock;
const sem = (_f: unknown, k: Engine) => counter(k).sem;
const page = (k: Engine) => k.store.region('page').base;

function nodes(b: Random, body: Body, callees: readonly Routine<typeof args>[], depth = 0): Node[] {
  return body.map((operation): Node => {
    const inside = (inner: Body) => nodes(b, inner, callees, depth + 1);
    switch (operation.do) {
      case 'read':
        return b.step('i = hits', (f, k) => {
          f.i = counter(k).hits;
        });
      case 'write':
        return b.step('total = i', (f, k) => {
          counter(k).total = f.i + f.n;
        });
      case 'add':
        return b.atomic('hits++', (_f, k) => {
          counter(k).hits += 1;
        });
      case 'sum':
        return b.step('sum += 2^31 + i', (f) => {
          f.sum += 2 ** 31 + f.i;
        });
      case 'new':
        return b.step('mine = kzalloc()', (f, k) => {
          if (isNull(f.mine)) f.mine = k.alloc('toy_counter');
        });
      case 'use':
        return b.step('mine->total = i', (f) => {
          if (!isNull(f.mine)) f.mine.total = f.i + 1;
        });
      case 'free':
        return b.step('kfree(mine)', (f, k) => {
          if (isNull(f.mine)) return;
          k.free(f.mine);
          f.mine = { at: 0 } as never;
        });
      case 'page':
        return b.step('memset(page)', (f, k) => {
          k.store.write(page(k) + (f.n & 3), k.store.blocks.filled(f.i & 15));
        });
      case 'event':
        return b.step('trace', (f, k) => k.emit(noted, { n: f.n, sum: f.sum }));
      case 'interrupt':
        return b.step('send an IPI', (f, k) => k.raise(f.n & 1, 0));
      case 'signal':
        return b.step('kill', (f, k) => k.signal(f.n % 3, (f.i & 1) === 0));
      case 'giveWay':
        return b.step('cond_resched()', (_f, k) => k.giveWay());
      case 'wait':
        return b.wait('hits', (_f, k) => counter(k).hits > 0, { interruptible: true, into: 'got' });
      case 'try':
        return [
          b.trylock('trylock', spin, { into: 'got' }),
          b.when('got', (f) => f.got === 1, [b.release('unlock', spin)]),
        ];
      case 'call':
        return callees.length === 0
          ? []
          : b.call(callees[operation.which % callees.length]!, (f) => ({ n: f.n + 1 }), 'got');
      case 'spin':
        return [b.acquire('spin_lock', spin), inside(operation.body), b.release('unlock', spin)];
      case 'down':
        return [b.acquire('down', sem), inside(operation.body), b.release('up', sem)];
      case 'share':
        return [
          b.acquire('down_read', sem, { mode: 'read' }),
          inside(operation.body),
          b.release('up_read', sem),
        ];
      case 'kill':
        return [
          b.acquire('down_killable', sem, { interruptible: true, into: 'got' }),
          b.when('got', (f) => f.got === 0, [inside(operation.body), b.release('up', sem)]),
        ];
      case 'choose':
        return [
          b.choose('either', ['this', 'that', 'neither'], 'got'),
          b.when('that', (f) => f.got === 1, inside(operation.body)),
        ];
      case 'loop': {
        const turn = `loop${depth as 0 | 1 | 2 | 3}` as const;
        return b.loop('twice', [
          b.step('turn', (f) => {
            f[turn] = (f[turn] + 1) % 3;
          }),
          b.when('over', (f) => f[turn] === 0, [b.leave()]),
          b.statement(undefined, inside(operation.body)),
        ]);
      }
      case 'when':
        return b.when('i', (f) => f.i > 1, inside(operation.body), inside(operation.otherwise));
      default:
        throw new Error(`no operation ${(operation satisfies never as Operation).do}`);
    }
  });
}

const shape = fc.record({
  threads: fc.array(anyBody, { minLength: 4, maxLength: 4 }),
  helpers: fc.array(anyBody, { minLength: 2, maxLength: 2 }),
  schedule: fc.array(fc.nat(1000), { minLength: 20, maxLength: 150 }),
});
type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

/** Two threads on each of two CPUs, all running random bodies that call random helpers. */
function randomEngine({ threads, helpers }: Shape): Engine {
  const routines: Routine<typeof args>[] = [];
  for (const [i, body] of helpers.entries()) {
    const callees = [...routines];
    routines.push(
      routine('toy.c', `helper${i}`, { args, locals, returns: int }, (b) => [
        ...nodes(b, body, callees),
        b.ret('i', (f) => f.i),
      ]),
    );
  }
  const tasks: TaskSpec[] = threads.map((body, i) => {
    const mode = i === 0 ? 'kernel' : 'user';
    const root = routine('toy.c', `thread${i}`, { args, locals, mode }, (b) =>
      nodes(b, body, routines),
    );
    return { name: `t${i}`, cpu: i >> 1, root: root as Routine, args: { n: i } };
  });
  return toyEngine(tasks, {
    stackCells: 512,
    regions: (plan) => plan.region('page', 'contents', 4),
    check: false,
  });
}

/** Lets random agents go; calls `before` ahead of every step. Ends when the numbers or the agents run out. */
function runRandomly(engine: Engine, numbers: readonly number[], before = () => {}): Choice[] {
  const choices: Choice[] = [];
  for (const number of numbers) {
    const able = Array.from({ length: engine.agents }, (_, a) => a).filter((a) =>
      engine.runnable(a),
    );
    if (able.length === 0) break;
    const agent = able[number % able.length]!;
    const choice = { agent, branch: number % engine.branches(agent) };
    before();
    engine.step(choice.agent, choice.branch);
    choices.push(choice);
  }
  return choices;
}

/** The cells that differ; comparing typed arrays with `toEqual` takes a hundred times as long. */
function differences(actual: Int32Array, wanted: Int32Array): string[] {
  const found: string[] = [];
  for (let at = 0; at < wanted.length; at++) {
    if (actual[at] !== wanted[at]) found.push(`${at}: ${actual[at]}, not ${wanted[at]}`);
  }
  return found;
}

/** The hash computed from the cells alone. */
function rehash(store: Store): string {
  let lo = 0;
  let hi = 0;
  store.cells.forEach((value, at) => {
    const kind = store.kindOf(at);
    if (kind === 'history') return;
    const { blocks } = store;
    lo ^= mixLo(at, kind === 'state' ? value : blocks.digestLo(value)) ^ mixLo(at, 0);
    hi ^= mixHi(at, kind === 'state' ? value : blocks.digestHi(value)) ^ mixHi(at, 0);
  });
  return hashText(hi, lo);
}

const runs = { numRuns: 200 };

test('rolling back to any step restores every cell and the hash of then', () => {
  fc.assert(
    fc.property(shape, fc.nat(1000), (random, where) => {
      const engine = randomEngine(random);
      const { store } = engine;
      const moments: { cells: Int32Array; hash: string }[] = [];
      const remember = () => {
        store.mark();
        moments.push({ cells: store.cells.slice(), hash: store.hash() });
      };
      const taken = runRandomly(engine, random.schedule, remember).length;
      if (taken === 0) return;
      for (const mark of [where % taken, 0]) {
        if (mark >= store.markTotal) continue;
        store.rollback(mark);
        expect(differences(store.cells, moments[mark]!.cells)).toEqual([]);
        expect(store.hash()).toBe(moments[mark]!.hash);
      }
    }),
    runs,
  );
});

test('the incremental hash is that of the cells, after every step', () => {
  fc.assert(
    fc.property(shape, (random) => {
      const engine = randomEngine(random);
      const check = () => expect(engine.store.hash()).toBe(rehash(engine.store));
      runRandomly(engine, random.schedule, check);
      check();
    }),
    runs,
  );
});

test('the recorded schedule, through its text, reproduces cells, hash and events on another machine', () => {
  fc.assert(
    fc.property(shape, (random) => {
      const engine = randomEngine(random);
      const recorded = parseSchedule(scheduleText(runRandomly(engine, random.schedule)));
      const other = randomEngine(random);
      for (const { agent, branch } of recorded as Choice[]) {
        expect(other.runnable(agent)).toBe(true);
        other.step(agent, branch);
      }
      expect(differences(other.store.cells, engine.store.cells)).toEqual([]);
      expect(other.store.hash()).toBe(engine.store.hash());
      expect(other.events.slice()).toEqual(engine.events.slice());
    }),
    runs,
  );
});

test('the default schedule is determined: rolled back, it makes the same choices and events again', () => {
  fc.assert(
    fc.property(shape, (random) => {
      const engine = randomEngine(random);
      const mark = engine.store.mark();
      const run = () => {
        const choices: number[] = [];
        for (let agent = defaultAgent(engine); agent >= 0; agent = defaultAgent(engine)) {
          if (choices.push(agent) === 300) break;
          engine.step(agent);
        }
        return { choices, hash: engine.store.hash(), events: engine.events.slice() };
      };
      const first = run();
      engine.store.rollback(mark);
      expect(run()).toEqual(first);
    }),
    runs,
  );
});

test('spans of net change lead back and forth through the same cells as rolling back', () => {
  fc.assert(
    fc.property(shape, fc.integer({ min: 1, max: 30 }), (random, length) => {
      const engine = randomEngine(random);
      const { store } = engine;
      const moments = [{ cells: store.cells.slice(), hash: store.hash() }];
      const spans = [];
      for (let i = 0; i < random.schedule.length; i += length) {
        const mark = store.mark();
        runRandomly(engine, random.schedule.slice(i, i + length));
        spans.push(store.seal(mark));
        moments.push({ cells: store.cells.slice(), hash: store.hash() });
      }
      const standsAt = (i: number) => {
        expect(differences(store.cells, moments[i]!.cells)).toEqual([]);
        expect(store.hash()).toBe(moments[i]!.hash);
      };
      for (let i = spans.length - 1; i >= 0; i--) {
        store.apply(spans[i]!, 'back');
        standsAt(i);
      }
      for (let i = 0; i < spans.length; i++) {
        store.apply(spans[i]!, 'forward');
        standsAt(i + 1);
      }
    }),
    runs,
  );
});

test('nothing but steps changes the state: asking who can go on, and why not, leaves no trace', () => {
  fc.assert(
    fc.property(shape, (random) => {
      const engine = randomEngine(random);
      runRandomly(engine, random.schedule, () => {
        const bytes = engine.store.journalBytes; // every change of a cell adds to it
        for (let agent = 0; agent < engine.agents; agent++) {
          engine.runnable(agent);
          engine.branches(agent);
        }
        for (let task = 0; task < engine.taskCount; task++) {
          engine.blocked(task);
          engine.stack(task);
          engine.held(task);
        }
        expect(engine.store.journalBytes).toBe(bytes);
      });
    }),
    { numRuns: 50 },
  );
});

test('a run that ends leaves CPUs, tasks, stacks and locks as if nothing had been done', () => {
  const idle = randomEngine({ threads: [[], [], [], []], helpers: [[], []], schedule: [] });
  runToEnd(idle);
  let ended = 0;
  fc.assert(
    fc.property(shape, (random) => {
      const engine = randomEngine(random);
      const { store } = engine;
      runRandomly(engine, random.schedule);
      runToEnd(engine);
      if (!engine.done) return; // a deadlock, or a wait for ever
      ended++;
      for (const task of random.threads.keys()) engine.signal(task, false);
      for (const name of ['cpus', 'tasks', 'stacks']) {
        const { base, cells } = store.region(name);
        const wanted = idle.store.cells.slice(base, base + cells);
        expect(differences(store.cells.slice(base, base + cells), wanted)).toEqual([]);
      }
      const { lock, sem: semaphore } = counter(engine);
      for (const { at } of [lock, semaphore]) {
        expect([...store.cells.slice(at, at + 4)]).toEqual([0, 0, 0, 0]);
      }
    }),
    runs,
  );
  expect(ended).toBeGreaterThan(20);
});
