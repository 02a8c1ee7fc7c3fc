// The walker and the TLB against tables laid by hand: what Intel SDM vol. 3 says of A, D and cached translations.
import { expect, test } from 'vitest';
import '../../src/kernel/include/linux/mm_types';
import { load, store } from '../../src/hardware/cpu';
import { dataPfn, Memory } from '../../src/hardware/memory';
import { Tlb } from '../../src/hardware/mmu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_PRESENT,
  _PAGE_RW,
  _PAGE_USER,
  levelIndex,
  PAGE_SIZE,
  pfn_pte,
} from '../../src/hardware/pte';
import { Checker } from '../../src/routine/check';
import { Engine } from '../../src/routine/engine';
import { Program } from '../../src/routine/program';
import { type AnyBuilder, type Routine, routine } from '../../src/routine/routine';
import { int, long, structNamed } from '../../src/state/layout';

const address = 0x7f12_3456_7000;
const idle = routine('t.c', 'cpu_idle', {}, ({ wait }) => [wait('hlt', () => false)]);
const noVector = routine('t.c', 'no_interrupt', { mode: 'interrupt' }, ({ ret }) => [ret()]);

/** Grants the write and makes the entry present, as a fault handler would; counts in `faults`. */
const faults: string[] = [];
const page_fault = routine(
  't.c',
  'page_fault',
  { args: { address: long, error_code: int }, returns: int },
  ({ step, ret }) => [
    step('the entry allows the access', (f, k) => {
      faults.push(`#PF ${f.error_code} at ${f.address.toString(16)}`);
      const at = leaf(k);
      k.store.write(at, k.store.peek(at) | _PAGE_PRESENT | _PAGE_RW);
    }),
    ret('0', () => 0),
  ],
);

const leaf = (k: Engine): number => {
  let table = k.parts.tlb.cr3(0);
  for (let level = 0; level < 3; level++) {
    table = k.store.peek(k.parts.memory.entryAt(table, levelIndex(address, level))) >>> 12;
  }
  return k.parts.memory.entryAt(table, levelIndex(address, 3));
};

function machine(
  body: (b: Parameters<Parameters<typeof routine>[3]>[0]) => unknown,
  lo: number,
): Engine {
  const root = routine(
    't.c',
    'thread',
    { mode: 'user', locals: { signal: int } },
    body as never,
  ) as Routine;
  const engine = new Engine({
    program: new Program([root, idle, noVector, page_fault as Routine], {
      known: new Set(),
      active: new Set(),
    }),
    cpus: 1,
    tasks: [{ name: 'thread', cpu: 0, root }],
    pools: [
      { struct: structNamed('page_table'), count: 8, tail: 1024 },
      { struct: structNamed('page'), count: 4 },
    ],
    statics: [],
    regions: (plan) => {
      Memory.reserve(plan, 4);
      Tlb.reserve(plan, 1);
    },
    vectors: [noVector],
    idle,
  });
  engine.parts.memory = new Memory(engine, 4);
  engine.parts.tlb = new Tlb(engine);
  engine.parts.vectors = { page_fault: engine.fn(page_fault) };
  const { memory } = engine.parts;
  let table = memory.pfnOfTable(engine.alloc('page_table').at);
  engine.parts.tlb.loadCr3(0, table);
  const all = { lo: _PAGE_PRESENT | _PAGE_RW | _PAGE_USER, hi: 0 };
  for (let level = 0; level < 4; level++) {
    const at = memory.entryAt(table, levelIndex(address, level));
    const next = level === 3 ? dataPfn + 2 : memory.pfnOfTable(engine.alloc('page_table').at);
    const entry = pfn_pte(next, level === 3 ? { lo, hi: 0 } : all);
    engine.store.write(at, entry.lo);
    engine.store.write(at + 1, entry.hi);
    table = next;
  }
  engine.checker = new Checker([
    { region: 'memory', shared: true, unit: 16 },
    { region: 'tlb', shared: false, unit: 1 },
  ]);
  faults.length = 0;
  return engine;
}

const run = (engine: Engine): void => {
  const agent = engine.agentOfTask(0);
  while (engine.runnable(agent)) engine.step(agent);
  expect(engine.checker?.broken).toEqual([]);
};
const bits = (engine: Engine, mask: number): number => engine.store.peek(leaf(engine)) & mask;
const storeOne = { address, length: 1, user: true, unique: false, value: 7 };

test('a load sets A and not D; a store sets D in memory and in the TLB', () => {
  const lo = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER;
  const read = machine(
    (b) => [b.call(load, () => ({ address, length: 1, user: true }), 'signal' as never)],
    lo,
  );
  run(read);
  expect(bits(read, _PAGE_ACCESSED | _PAGE_DIRTY)).toBe(_PAGE_ACCESSED);
  const write = machine((b) => [b.call(store, () => storeOne)], lo);
  run(write);
  expect(bits(write, _PAGE_ACCESSED | _PAGE_DIRTY)).toBe(_PAGE_ACCESSED | _PAGE_DIRTY);
  expect(write.parts.memory.frame(dataPfn + 2).peek(0)).toBe(7);
  expect(faults).toEqual([]);
});

test('a store to an absent page faults with W|U, to a read-only one with P|W|U', () => {
  run(machine((b) => [b.call(store, () => storeOne)], _PAGE_USER));
  expect(faults).toEqual([`#PF 6 at ${address.toString(16)}`]);
  run(machine((b) => [b.call(store, () => storeOne)], _PAGE_USER | _PAGE_PRESENT));
  expect(faults).toEqual([`#PF 7 at ${address.toString(16)}`]);
});

test('after D is cleared without a flush the next store leaves D clear, and is noted as stale', () => {
  const clean = (flush: boolean) =>
    machine(
      (b) => [
        b.call(store, () => storeOne),
        b.atomic('clear D', (_f, k) => {
          const at = leaf(k);
          k.store.write(at, k.store.peek(at) & ~_PAGE_DIRTY);
          if (flush) k.parts.tlb.flushPage(0, address);
        }),
        b.call(store, () => ({ ...storeOne, value: 8 })),
      ],
      _PAGE_PRESENT | _PAGE_RW | _PAGE_USER,
    );
  const unflushed = clean(false);
  run(unflushed);
  expect(bits(unflushed, _PAGE_DIRTY)).toBe(0);
  expect(unflushed.events.slice().map((e) => e.name)).toEqual([
    'cpu_store',
    'tlb_stale',
    'cpu_store',
  ]);
  const flushed = clean(true);
  run(flushed);
  expect(bits(flushed, _PAGE_DIRTY)).toBe(_PAGE_DIRTY);
  expect(flushed.events.slice().map((e) => e.name)).toEqual(['cpu_store', 'cpu_store']);
});

test('a page fault drops what the TLB has of its address, and nothing else', () => {
  const engine = machine(
    (b) => [
      b.call(load, () => ({ address, length: 1, user: true })),
      b.step('another page is cached too', (_f, k) => {
        k.parts.tlb.fill(0, address + PAGE_SIZE, dataPfn + 1, _PAGE_RW | _PAGE_USER);
      }),
      b.call(store, () => storeOne),
    ],
    _PAGE_PRESENT | _PAGE_USER,
  );
  const agent = engine.agentOfTask(0);
  const pages = () => engine.parts.tlb.entries(0).map(({ page }) => page - address / PAGE_SIZE);
  while (engine.opOf(0)?.text !== 'raise #PF(error_code), CR2 = address') {
    engine.step(agent);
  }
  expect(pages()).toEqual([1]);
  run(engine);
  expect(pages()).toEqual([0, 1]);
});

/** Loads or stores after memory has been changed behind the TLB's back; `branch` is what the hardware chooses. */
function chosen(change: (lo: number) => number, access: 'load' | 'store', branch: number): Engine {
  const again =
    access === 'load'
      ? (b: AnyBuilder) => b.call(load, () => ({ address, length: 1, user: true }))
      : (b: AnyBuilder) => b.call(store, () => ({ ...storeOne, value: 8 }));
  const engine = machine(
    (b) => [
      b.call(store, () => storeOne),
      b.atomic('change the entry', (_f, k) => {
        k.store.write(leaf(k), change(k.store.peek(leaf(k))));
      }),
      again(b as AnyBuilder),
    ],
    _PAGE_PRESENT | _PAGE_RW | _PAGE_USER,
  );
  const agent = engine.agentOfTask(0);
  while (engine.runnable(agent)) engine.step(agent, engine.branches(agent) > 1 ? branch : 0);
  expect(engine.checker?.broken).toEqual([]);
  return engine;
}

test('D cleared without a flush: kept, the store leaves it clear; dropped, it is set again', () => {
  const clear = (lo: number) => lo & ~_PAGE_DIRTY;
  expect(bits(chosen(clear, 'store', 0), _PAGE_DIRTY)).toBe(0);
  expect(bits(chosen(clear, 'store', 1), _PAGE_DIRTY)).toBe(_PAGE_DIRTY);
});

test('made read-only without a flush: kept, the store goes on; dropped, it faults', () => {
  const protect = (lo: number) => lo & ~_PAGE_RW;
  chosen(protect, 'store', 0);
  expect(faults).toEqual([]);
  chosen(protect, 'store', 1);
  expect(faults).toEqual([`#PF 7 at ${address.toString(16)}`]);
});

test('A cleared without a flush: kept, a load leaves it clear; dropped, it is set again', () => {
  const age = (lo: number) => lo & ~_PAGE_ACCESSED;
  expect(bits(chosen(age, 'load', 0), _PAGE_ACCESSED)).toBe(0);
  expect(bits(chosen(age, 'load', 1), _PAGE_ACCESSED)).toBe(_PAGE_ACCESSED);
});
