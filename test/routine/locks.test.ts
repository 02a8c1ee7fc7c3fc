// Locks: who may take one, who waits, in which order, and how a wait ends.
import { expect, test } from 'vitest';
import type { Engine } from '../../src/routine/engine';
import { type LockMode, wwMutex } from '../../src/routine/locks';
import { struct, type View } from '../../src/state/layout';
import { agentNamed, at, counter, go, runToEnd, toy, toy_counter, toyEngine, whoCan } from './toy';

const spin = (_f: unknown, k: Engine) => counter(k).lock;
const sem = (_f: unknown, k: Engine) => counter(k).sem;

/** Takes the semaphore, does one step with it, gives it back. */
const holder = (mode: LockMode) =>
  toy(`hold for ${mode === 'read' ? 'reading' : 'writing'}`, (b) => [
    b.acquire(mode === 'read' ? 'down_read' : 'down_write', sem, { mode }),
    at(b, 'inside'),
    b.release('up', sem),
  ]);

/** One task for each letter, on no CPU, so that locks alone decide: `r` reads, `w` writes, `s` spins. */
function contenders(kinds: string): Engine {
  const spinner = toy('spinner', (b) => [
    b.acquire('spin_lock', spin),
    at(b, 'inside'),
    b.release('spin_unlock', spin),
  ]);
  const roots = { r: holder('read'), w: holder('write'), s: spinner };
  const names = [...kinds].map((kind, i) => ({ kind: kind as keyof typeof roots, i }));
  return toyEngine(
    names.map(({ kind, i }) => ({ name: `${kind}${i}`, cpu: -1, root: roots[kind] })),
  );
}

test('a mutex is had by one; the others queue and get it in the order in which they came', () => {
  const engine = contenders('www');
  go(engine, 'w0 w2 w1'); // w0 takes it, w2 queues before w1
  expect(whoCan(engine)).toBe('w0');
  go(engine, 'w0 w0'); // inside, up
  expect(whoCan(engine)).toBe('w0 w2');
  go(engine, 'w2 w2 w2');
  expect(whoCan(engine)).toBe('w0 w1 w2');
});

test('a sleeper queues in a step of its own and then waits', () => {
  const engine = contenders('ww');
  go(engine, 'w0 w1');
  expect(engine.opOf(1)!.text).toBe('down_write');
  expect(engine.blocked(1)).toEqual({ by: 'lock', text: 'down_write', at: counter(engine).sem.at });
  expect(() => go(engine, 'w1')).toThrow('w1 cannot go on');
});

test('readers share; a writer waits for all of them', () => {
  const engine = contenders('rrw');
  go(engine, 'r0 r1 w2');
  expect(whoCan(engine)).toBe('r0 r1');
  expect(engine.lockHolders(counter(engine).sem.at)).toEqual([0, 1]);
  go(engine, 'r0 r0');
  expect(whoCan(engine)).toBe('r0 r1');
  go(engine, 'r1 r1');
  expect(whoCan(engine)).toBe('r0 r1 w2');
});

test('a waiting writer stops new readers, who then go in together', () => {
  const engine = contenders('rwrr');
  go(engine, 'r0 w1 r2 r3');
  expect(whoCan(engine)).toBe('r0'); // though r2 and r3 could share with it
  go(engine, 'r0 r0 w1 w1 w1');
  expect(whoCan(engine)).toBe('r0 w1 r2 r3');
  go(engine, 'r2 r3');
  expect(engine.lockHolders(counter(engine).sem.at)).toEqual([2, 3]);
});

test('a spinlock has no queue: whoever comes first after the release gets it', () => {
  const engine = contenders('sss');
  go(engine, 's0');
  expect(whoCan(engine)).toBe('s0');
  expect(engine.blocked(2)).toMatchObject({ by: 'lock', text: 'spin_lock' });
  go(engine, 's0 s0 s2');
  expect(whoCan(engine)).toBe('s0 s2');
});

test('what a task holds is listed in the order of taking, and given back in any order', () => {
  const root = toy('both', (b) => [
    b.acquire('down_read', sem, { mode: 'read' }),
    b.acquire('spin_lock', spin),
    b.release('up_read', sem),
    b.release('spin_unlock', spin),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: 0, root }]);
  const held = () =>
    engine
      .held(0)
      .map((h) => `${engine.lockClass(h.at)} for ${h.mode === 'read' ? 'reading' : 'writing'}`);
  go(engine, 'a a a');
  expect(held()).toEqual(['toy_sem for reading', 'toy_lock for writing']);
  go(engine, 'a');
  expect(held()).toEqual(['toy_lock for writing']);
  go(engine, 'a');
  expect(held()).toEqual([]);
});

test('releasing a lock that the task does not hold is an oops', () => {
  const root = toy('root', (b) => [b.release('spin_unlock', spin)]);
  const engine = toyEngine([{ name: 'a', cpu: -1, root }]);
  go(engine, 'a');
  expect(engine.events.slice().map((e) => e.args.message)).toEqual([
    'the toy_lock that is released is not held',
  ]);
  expect(engine.isDead(0)).toBe(true);
});

test('trylock says whether it got the lock and never waits', () => {
  const taker = toy('taker', (b) => [
    b.trylock('got = mutex_trylock()', sem, { into: 'got' }),
    b.when('got', (f) => f.got === 1, [b.release('up', sem)], [at(b, 'busy')]),
  ]);
  const engine = toyEngine([
    { name: 'w', cpu: -1, root: holder('write') },
    { name: 't', cpu: -1, root: taker },
    { name: 'u', cpu: -1, root: taker },
  ]);
  go(engine, 'w t');
  expect(engine.opOf(1)!.text).toBe('busy');
  go(engine, 'w w u');
  expect(engine.opOf(2)!.text).toBe('up');
});

test('trying for a free mutex succeeds whoever waits for it', () => {
  const taker = toy('taker', (b) => [
    b.trylock('got = mutex_trylock()', sem, { into: 'got' }),
    b.when('got', (f) => f.got === 1, [at(b, 'inside'), b.release('up', sem)]),
  ]);
  const engine = toyEngine([
    { name: 'w', cpu: -1, root: holder('write') },
    { name: 'v', cpu: -1, root: holder('write') },
    { name: 't', cpu: -1, root: taker },
  ]);
  go(engine, 'w v w w w'); // v has queued; nobody holds it now
  expect(whoCan(engine)).toBe('v t');
  go(engine, 't');
  expect(engine.lockHolders(counter(engine).sem.at)).toEqual([2]);
  expect(whoCan(engine)).toBe('t');
  go(engine, 't t v');
  expect(engine.lockHolders(counter(engine).sem.at)).toEqual([1]);
});

test('a reader may try for a lock that is read', () => {
  const taker = toy('taker', (b) => [
    b.trylock('got = down_read_trylock()', sem, { mode: 'read', into: 'got' }),
    b.when('got', (f) => f.got === 1, [b.release('up', sem)]),
  ]);
  const engine = toyEngine([
    { name: 'r', cpu: -1, root: holder('read') },
    { name: 't', cpu: -1, root: taker },
  ]);
  go(engine, 'r t');
  expect(engine.lockHolders(counter(engine).sem.at)).toEqual([0, 1]);
});

const interruptible = toy('interruptible', (b) => [
  b.acquire('ret = down_write_killable()', sem, { interruptible: true, into: 'ret' }),
  b.when('ret', (f) => f.ret !== 0, [at(b, 'interrupted'), b.ret()]),
  b.release('up', sem),
]);

test('a signal ends an interruptible wait for a lock with -EINTR and takes the task out of the queue', () => {
  const engine = toyEngine([
    { name: 'w0', cpu: -1, root: holder('write') },
    { name: 'i', cpu: -1, root: interruptible },
    { name: 'w2', cpu: -1, root: holder('write') },
  ]);
  go(engine, 'w0 i w2');
  expect(whoCan(engine)).toBe('w0');
  engine.signal(1, true);
  expect(whoCan(engine)).toBe('w0 i');
  go(engine, 'i');
  expect(engine.opOf(1)!.text).toBe('interrupted');
  expect(
    engine
      .stack(1)[0]!
      .code.frame.slot('ret')
      .field.get(engine.store, slotOf(engine, 1, 'ret')),
  ).toBe(-4);
  go(engine, 'w0 w0 w2');
  expect(engine.lockHolders(counter(engine).sem.at)).toEqual([2]);
});

function slotOf(engine: Engine, task: number, name: string): number {
  const [{ at: frame, code }] = engine.stack(task) as [ReturnType<Engine['stack']>[0]];
  return frame + code.frame.slot(name).offset;
}

test('a lock that is free is taken in spite of a signal', () => {
  const engine = toyEngine([{ name: 'i', cpu: -1, root: interruptible }]);
  engine.signal(0, true);
  go(engine, 'i');
  expect(engine.opOf(0)!.text).toBe('up');
});

test('a wait that cannot be interrupted takes no notice of signals', () => {
  const engine = contenders('ww');
  go(engine, 'w0 w1');
  engine.signal(1, true);
  expect(whoCan(engine)).toBe('w0');
});

test('a wait ends when its guard holds, with 0, or by a signal, with -EINTR', () => {
  const waiter = toy('waiter', (b) => [
    b.wait('hits != 0', (_f, k) => counter(k).hits !== 0, { interruptible: true, into: 'ret' }),
    b.when('ret', (f) => f.ret === 0, [at(b, 'woken')], [at(b, 'interrupted')]),
  ]);
  const engine = toyEngine([{ name: 'a', cpu: -1, root: waiter }]);
  expect(engine.blocked(0)).toEqual({ by: 'wait', text: 'hits != 0' });
  const mark = engine.store.mark();
  counter(engine).hits = 1;
  go(engine, 'a');
  expect(engine.opOf(0)!.text).toBe('woken');
  engine.store.rollback(mark);
  engine.signal(0, true);
  go(engine, 'a');
  expect(engine.opOf(0)!.text).toBe('interrupted');
});

test('two tasks that take two locks in opposite order deadlock: nobody can go on, and each says why', () => {
  const order = (name: string, first: typeof spin, second: typeof spin) =>
    toy(name, (b) => [b.acquire('first lock', first), b.acquire('second lock', second)]);
  const engine = toyEngine([
    { name: 'a', cpu: 0, root: order('a', spin, sem) },
    { name: 'b', cpu: 1, root: order('b', sem, spin) },
  ]);
  go(engine, 'a a b b a');
  expect(whoCan(engine)).toBe('');
  expect(engine.done).toBe(false);
  const { lock, sem: semaphore } = counter(engine);
  expect(engine.blocked(0)).toEqual({ by: 'lock', text: 'second lock', at: semaphore.at });
  expect(engine.blocked(1)).toEqual({ by: 'lock', text: 'second lock', at: lock.at });
  expect(engine.lockHolders(lock.at)).toEqual([0]);
  expect(engine.lockHolders(semaphore.at)).toEqual([1]);
});

test('a task that takes a lock twice deadlocks with itself', () => {
  const root = toy('twice', (b) => [b.acquire('spin_lock', spin), b.acquire('spin_lock', spin)]);
  const engine = toyEngine([{ name: 'a', cpu: 0, root }]);
  runToEnd(engine);
  expect(engine.done).toBe(false);
  expect(engine.lockHolders(counter(engine).lock.at)).toEqual([0]);
});

test('an interrupt on top of a sleeper may lock and unlock; the sleeper keeps its place in the queue', () => {
  const handler = toy(
    'handler',
    (b) => [b.acquire('spin_lock', spin), b.release('spin_unlock', spin)],
    'interrupt',
  );
  const engine = toyEngine(
    [
      { name: 'w', cpu: 1, root: holder('write') },
      { name: 'a', cpu: 0, root: holder('write') },
    ],
    { vectors: [handler], roots: [handler] },
  );
  go(engine, 'w w a a'); // a is switched to, then queues
  engine.raise(0, 0);
  go(engine, 'interrupt/0 a a a'); // delivered, spin_lock, spin_unlock, return
  expect(engine.opOf(1)!.text).toBe('down_write');
  expect(whoCan(engine)).toBe('w idle/0'); // its CPU may go idle
  go(engine, 'w w a');
  expect(engine.opOf(1)!.text).toBe('inside');
  expect(engine.lockHolders(counter(engine).sem.at)).toEqual([1]);
  expect(agentNamed(engine, 'a')).toBe(3);
});

const toy_objects = struct('toy_objects', {
  own: { x: wwMutex('toy_object'), y: wwMutex('toy_object') },
});

declare module '../../src/state/layout' {
  interface Structs {
    toy_objects: View<typeof toy_objects>;
  }
}

/** Tasks that take objects one after the other, each under its ticket; `3: x y` is one with ticket 3, 0 is without. */
function ticketed(...tasks: string[]): Engine {
  const roots = tasks.map((text) => {
    const [ticket, order = ''] = text.split(': ');
    const under = ticket === '0' ? {} : { ticket: () => Number(ticket) };
    return toy(text, (b) => [
      ...order
        .split(' ')
        .map((name) => [
          b.acquire(
            name,
            (_f: unknown, k: Engine) => k.the('objects', 'toy_objects')[name as 'x' | 'y'],
            { ...under, nested: true, interruptible: true, into: 'ret' },
          ),
          b.when('ret', (f) => f.ret !== 0, [
            b.when('EDEADLK', (f) => f.ret === -35, [at(b, 'give up')]),
            b.when('EALREADY', (f) => f.ret === -114, [at(b, 'has it')]),
            b.when('EINTR', (f) => f.ret === -4, [at(b, 'signal')]),
          ]),
        ]),
      at(b, 'has all'),
    ]);
  });
  const statics = [
    { name: 'counter', struct: toy_counter },
    { name: 'objects', struct: toy_objects },
  ];
  const names = [...'abc'];
  return toyEngine(
    roots.map((root, i) => ({ name: names[i]!, cpu: -1, root })),
    { statics },
  );
}

const restsOn = (engine: Engine): string =>
  Array.from({ length: engine.taskCount - engine.cpus }, (_, task) => engine.opOf(task)!.text).join(
    ', ',
  );

test('of two that have what the other wants the younger is refused, and the older waits', () => {
  const engine = ticketed('1: x y', '2: y x');
  go(engine, 'a b a'); // each has one; a queues for y
  expect(whoCan(engine)).toBe('b');
  go(engine, 'b');
  expect(restsOn(engine)).toBe('y, give up');
  const { x, y } = engine.the('objects', 'toy_objects');
  expect([engine.lockTicket(x.at), engine.lockTicket(y.at), engine.waitTicket(0)]).toEqual([
    1, 2, 1,
  ]);
});

test('who holds nothing waits for an older one too, and a signal cuts that short', () => {
  const engine = ticketed('1: x', '2: x');
  go(engine, 'a b');
  expect(restsOn(engine)).toBe('has all, x');
  expect(whoCan(engine)).toBe('a');
  engine.signal(1, true);
  go(engine, 'b');
  expect(restsOn(engine)).toBe('has all, signal');
});

test('who waits for a younger one is refused when an older one comes to wait before it', () => {
  const engine = ticketed('3: x', '2: y x', '1: x');
  go(engine, 'a b b'); // b has y and waits for x
  expect(whoCan(engine)).toBe('a c');
  go(engine, 'c');
  expect(whoCan(engine)).toBe('a b');
  go(engine, 'b');
  expect(restsOn(engine)).toBe('has all, give up, x');
});

test('a lock that is held under the same ticket is not taken twice', () => {
  const engine = ticketed('1: x x');
  go(engine, 'a a');
  expect(restsOn(engine)).toBe('has it');
});

test('who came without a ticket is waited for, and waits itself', () => {
  const engine = ticketed('0: x y', '1: y x');
  go(engine, 'a b a b');
  expect(whoCan(engine)).toBe(''); // nobody gives way
});
