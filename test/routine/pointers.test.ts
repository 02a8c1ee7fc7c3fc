// Function pointers: cells with a routine's number, checked against their signature when the machine is built.
import { expect, test } from 'vitest';
import { Program } from '../../src/routine/program';
import { fnptr, routine } from '../../src/routine/routine';
import { int, ref, struct, u32, type View } from '../../src/state/layout';
import { runToEnd, toy_counter, toyEngine } from './toy';

const toy_ops = struct('toy_ops', {
  fixed: { scale: int, fault: fnptr({ counter: ref('toy_counter'), page: int }, int) },
});

declare module '../../src/state/layout' {
  interface Structs {
    toy_ops: View<typeof toy_ops>;
  }
}

const args = { counter: ref('toy_counter'), page: int };

const toy_fault = routine('toy.c', 'toy_fault', { args, returns: int }, (b) => [
  b.step('counter->total = page', (f) => {
    f.counter.total = f.page;
  }),
  b.ret('page * 2', (f) => f.page * 2),
]);

const caller = routine('toy.c', 'caller', { locals: { ret: int } }, (b) => [
  b.callPointer(
    'ops->fault(counter, 21)',
    (_f, k) => k.the('ops', 'toy_ops').fault,
    (_f, k) => ({ counter: k.the('counter', 'toy_counter'), page: 21 }),
    'ret',
  ),
  b.step('hits = ret', (f, k) => {
    k.the('counter', 'toy_counter').hits = f.ret;
  }),
]);

const counter = { name: 'counter', struct: toy_counter };
const task = { name: 'a', cpu: 0, root: caller };

test('a static ops table names its routines, which the program then includes without being told', () => {
  const ops = { name: 'ops', struct: toy_ops, initial: { scale: 3, fault: toy_fault } };
  const engine = toyEngine([task], { statics: [counter, ops] });
  expect(engine.the('ops', 'toy_ops').scale).toBe(3);
  runToEnd(engine);
  expect(engine.the('counter', 'toy_counter').total).toBe(21);
  expect(engine.the('counter', 'toy_counter').hits).toBe(42);
});

test('a call through a NULL function pointer is an oops that names the call', () => {
  const engine = toyEngine([task], { statics: [counter, { name: 'ops', struct: toy_ops }] });
  runToEnd(engine);
  expect(engine.events.slice().map((e) => e.args.message)).toEqual([
    'kernel NULL pointer dereference: ops->fault(counter, 21)',
  ]);
  expect(engine.isDead(0)).toBe(true);
});

function refusal(fault: unknown): string {
  const ops = { name: 'toy_fops', struct: toy_ops, initial: { fault } };
  try {
    new Program([], { known: new Set(), active: new Set() }, [ops]);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
}

test('a routine with other arguments than its function pointer is refused when the machine is built', () => {
  const wrong = routine('toy.c', 'wrong', { args: { page: int }, returns: int }, (b) => [b.ret()]);
  expect(refusal(wrong)).toBe(
    'assertion failed: toy_fops.fault is (counter: ref toy_counter, page: int) -> int, ' +
      'but wrong is (page: int) -> int',
  );
});

test('so is one whose argument has another kind, and one that returns something else', () => {
  const kind = { args: { ...args, page: u32 }, returns: int };
  expect(refusal(routine('toy.c', 'other', kind, (b) => [b.ret()]))).toMatch(
    'but other is (counter: ref toy_counter, page: u32) -> int',
  );
  expect(refusal(routine('toy.c', 'silent', { args }, (b) => [b.ret()]))).toMatch(
    'but silent is (counter: ref toy_counter, page: int) -> nothing',
  );
  expect(refusal(toy_fault)).toBe('accepted');
});
