// The rules that keep routines honest: each one is broken here on purpose, and the checker says so. Next to each
// stands what is allowed, so that the checker is not merely always complaining.
import { expect, test } from 'vitest';
import { Checker } from '../../src/routine/check';
import type { Engine, TaskSpec } from '../../src/routine/engine';
import { type Routine, routine } from '../../src/routine/routine';
import { isNull, ref } from '../../src/state/layout';
import { at, brokenRules, counter, go, runToEnd, toy, toy_counter, toyEngine } from './toy';

const spin = (_f: unknown, k: Engine) => counter(k).lock;
const sem = (_f: unknown, k: Engine) => counter(k).sem;

function broken(body: Parameters<typeof toy>[1]): string[] {
  return brokenRules([{ name: 'a', cpu: 0, root: toy('root', body) }]);
}

test('two accesses to shared state in one step hide a race: refused', () => {
  expect(
    broken((b) => [
      b.step('total = hits', (_f, k) => {
        counter(k).total = counter(k).hits;
      }),
    ]),
  ).toEqual([
    'one-access: root: total = hits: accesses reads toy_counter.hits and writes toy_counter.total in one step',
  ]);
});

test('so are a read and a write of the same field, unless the step is one atomic instruction', () => {
  const add = (_f: unknown, k: Engine) => {
    counter(k).hits += 1;
  };
  expect(broken((b) => [b.step('hits++', add)])).toEqual([
    'one-access: root: hits++: accesses reads toy_counter.hits and writes toy_counter.hits in one step',
  ]);
  expect(broken((b) => [b.atomic('atomic_inc(&hits)', add)])).toEqual([]);
});

test('an atomic instruction is of one place: two are refused', () => {
  expect(
    broken((b) => [
      b.atomic('xchg two', (_f, k) => {
        counter(k).hits = 1;
        counter(k).total = 1;
      }),
    ]),
  ).toEqual([
    'one-access: root: xchg two: accesses writes toy_counter.hits and writes toy_counter.total in one step',
  ]);
});

test('one access a step is allowed, and arithmetic on the frame is free', () => {
  expect(
    broken((b) => [
      b.step('i = hits', (f, k) => {
        f.i = counter(k).hits;
        f.got = f.i + 1;
        f.ret = f.got * 2;
      }),
    ]),
  ).toEqual([]);
});

test('the arguments of a call, its pointer and the value of a return count as the access of their step', () => {
  const callee = routine('toy.c', 'callee', { args: { n: ref('toy_counter') } }, (b) => [b.ret()]);
  expect(
    broken((b) => [
      b.call(callee, (_f, k) => ({
        n: counter(k).hits > counter(k).total ? counter(k) : counter(k),
      })),
    ]),
  ).toEqual([
    'one-access: root: callee(n): accesses reads toy_counter.hits and reads toy_counter.total in one step',
  ]);
});

test('a protected field is refused without its lock, and free with it, as often as wanted', () => {
  const add = (_f: unknown, k: Engine) => {
    counter(k).value += counter(k).value + 1;
  };
  expect(broken((b) => [b.step('value++', add)])).toEqual([
    'no-lock: root: value++: touches toy_counter.value without toy_lock',
  ]);
  expect(
    broken((b) => [b.acquire('lock', spin), b.step('value++', add), b.release('unlock', spin)]),
  ).toEqual([]);
});

test('another lock does not help, and neither does the lock after its release', () => {
  const add = (_f: unknown, k: Engine) => {
    counter(k).value = 1;
  };
  expect(
    broken((b) => [b.acquire('down', sem), b.step('value = 1', add), b.release('up', sem)]),
  ).toEqual(['no-lock: root: value = 1: touches toy_counter.value without toy_lock']);
  expect(
    broken((b) => [b.acquire('lock', spin), b.release('unlock', spin), b.step('late', add)]),
  ).toEqual(['no-lock: root: late: touches toy_counter.value without toy_lock']);
});

test('READ_ONCE of a protected field is allowed when the step says so; a write is not', () => {
  expect(
    broken((b) => [
      b.unlocked('READ_ONCE(value)', (f, k) => {
        f.i = counter(k).value;
      }),
    ]),
  ).toEqual([]);
  expect(
    broken((b) => [
      b.unlocked('WRITE_ONCE(value)', (_f, k) => {
        counter(k).value = 1;
      }),
    ]),
  ).toEqual(['no-lock: root: WRITE_ONCE(value): touches toy_counter.value without toy_lock']);
});

test('a lock held for reading allows reading, not writing', () => {
  const locked = (run: (f: { i: number }, k: Engine) => void) =>
    broken((b) => [
      b.acquire('down_read', sem, { mode: 'read' }),
      b.step('inside', run),
      b.release('up_read', sem),
    ]);
  expect(
    locked((f, k) => {
      f.i = counter(k).readings;
    }),
  ).toEqual([]);
  expect(
    locked((_f, k) => {
      counter(k).readings = 1;
    }),
  ).toEqual(['read-lock: root: inside: writes toy_counter.readings with toy_sem held for reading']);
});

test('a decision on shared state is refused: read it in a step first', () => {
  // A condition sees the frame; through a reference in it, it could still reach what is shared.
  const decides = routine('toy.c', 'decides', { args: { c: ref('toy_counter') } }, (b) => [
    b.when('c->hits', (f) => f.c.hits !== 0, [at(b, 'yes')]),
  ]);
  const root = toy('root', (b) => [b.call(decides, (_f, k) => ({ c: counter(k) }))]);
  expect(brokenRules([{ name: 'a', cpu: 0, root }])).toEqual([
    'frame-only: decides: c->hits: decides on toy_counter.hits; read it in a step first',
  ]);
});

test('a decision on the frame is allowed, and so is asking whether a reference is NULL', () => {
  const decides = routine('toy.c', 'decides', { args: { c: ref('toy_counter') } }, (b) => [
    b.when('c', (f) => !isNull(f.c), [at(b, 'yes')]),
  ]);
  const root = toy('root', (b) => [b.call(decides, (_f, k) => ({ c: counter(k) }))]);
  expect(brokenRules([{ name: 'a', cpu: 0, root }])).toEqual([]);
});

test('a condition only looks: one that changes the frame is refused', () => {
  expect(
    broken((b) => [
      at(b, 'one'),
      b.when(
        'i++ == 0',
        (f) => {
          f.i++;
          return f.i === 1;
        },
        [at(b, 'yes')],
      ),
    ]),
  ).toEqual(['look-only: root: i++ == 0: changes something in a condition']);
});

test('so does the guard of a wait', () => {
  expect(
    broken((b) => [
      b.wait('hits = 1', (_f, k) => {
        counter(k).hits = 1;
        return true;
      }),
    ]),
  ).toEqual(['look-only: root: hits = 1: writes toy_counter.hits outside of a step']);
});

// Frees an object that a local still names, then uses it.
const useAfterFree: Routine = routine(
  'toy.c',
  'use_after_free',
  { locals: { c: ref('toy_counter') } },
  (b) => [
    b.step('c = kzalloc()', (f, k) => {
      f.c = k.alloc('toy_counter');
    }),
    b.step('kfree(c)', (f, k) => k.free(f.c)),
    b.step('c->hits = 1', (f) => {
      f.c.hits = 1;
    }),
  ],
);

test('the use of a freed object is seen, as KASAN would', () => {
  expect(brokenRules([{ name: 'a', cpu: 0, root: useAfterFree }])).toEqual([
    'use-after-free: use_after_free: c->hits = 1: uses toy_counter.hits of a freed object',
  ]);
});

test('the freed place is not given out while a frame names it, so the use is seen even then', () => {
  const other = routine('toy.c', 'other', { locals: { c: ref('toy_counter') } }, (b) => [
    b.step('c = kzalloc()', (f, k) => {
      f.c = k.alloc('toy_counter');
    }),
    at(b, 'allocated'),
  ]);
  const tasks: TaskSpec[] = [
    { name: 'a', cpu: -1, root: useAfterFree },
    { name: 'b', cpu: -1, root: other },
  ];
  const engine = toyEngine(tasks);
  go(engine, 'a a b a');
  expect(engine.checker!.broken.map((b) => b.rule)).toEqual(['use-after-free']);
  expect([...engine.objects.all('toy_counter')].map((c) => engine.objects.indexOf(c))).toEqual([1]);
  runToEnd(engine);
});

test('a new object is private to the step that allocates it, its lock included', () => {
  const root = routine('toy.c', 'root', { locals: { c: ref('toy_counter') } }, (b) => [
    b.step('c = new counter', (f, k) => {
      f.c = k.alloc('toy_counter');
      f.c.hits = 1;
      f.c.total = 2;
      f.c.value = 3;
    }),
    b.step('c->total = c->hits', (f) => {
      f.c.total = f.c.hits;
    }),
  ]);
  expect(brokenRules([{ name: 'a', cpu: 0, root }])).toEqual([
    'one-access: root: c->total = c->hits: accesses reads toy_counter.hits and writes toy_counter.total in one step',
  ]);
});

test('a pool that is full gives NULL, and following it is an oops that names the field', () => {
  const root = routine('toy.c', 'root', { locals: { c: ref('toy_counter') } }, (b) => [
    b.step('c = kzalloc()', (f, k) => {
      f.c = k.alloc('toy_counter');
    }),
    b.step('c->hits = 1', (f) => {
      f.c.hits = 1;
    }),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: 0, root }], {
    pools: [{ struct: toy_counter, count: 0 }],
  });
  go(engine, 'a a');
  go(engine, 'a');
  expect(engine.events.slice().map((e) => e.args.message)).toEqual([
    'kernel NULL pointer dereference: toy_counter.hits',
  ]);
});

test('cells outside of structs are shared in the units that their part names', () => {
  const cells = (touch: readonly number[]) => {
    const root = toy('root', (b) => [
      b.step('touch', (_f, k) => {
        for (const cell of touch) k.store.write(k.store.region('frames').base + cell, 1);
      }),
    ]);
    const engine = toyEngine([{ name: 'a', cpu: 0, root }], {
      regions: (plan) => plan.region('frames', 'state', 8),
    });
    engine.checker = new Checker([{ region: 'frames', shared: true, unit: 2 }]);
    runToEnd(engine);
    return engine.checker.broken.map((b) => b.message);
  };
  expect(cells([2, 3])).toEqual([]); // both halves of one entry
  expect(cells([1, 2])).toEqual([
    'root: touch: accesses writes frames 0 and writes frames 1 in one step',
  ]);
});

test('each breach is reported once, however often it happens', () => {
  expect(
    broken((b) => [
      b.loop('for (;;)', [
        b.step('value = i++', (f, k) => {
          counter(k).value = f.i;
          f.i++;
        }),
        b.when('i == 3', (f) => f.i === 3, [b.leave()]),
      ]),
    ]),
  ).toHaveLength(1);
});

test('without a checker the same steps run unhindered', () => {
  const root = toy('root', (b) => [
    b.step('value = 1', (_f, k) => {
      counter(k).value = 1;
    }),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: 0, root }], { check: false });
  runToEnd(engine);
  expect(counter(engine).value).toBe(1);
});
