// Struct layouts: how each kind of field lies in cells and what its accessor yields.
import { expect, test } from 'vitest';
import {
  array,
  bits,
  bool,
  embed,
  flags,
  int,
  isNull,
  long,
  NULL,
  NullPointer,
  oneOf,
  pte,
  ref,
  type Struct,
  same,
  struct,
  structNamed,
  tail,
  u32,
  u64,
  type View,
} from '../../src/state/layout';
import { type Store, StorePlan } from '../../src/state/store';

const list_toy = struct('list_toy', { shared: { next: ref('list_toy'), weight: int } });

const kinds_toy = struct('kinds_toy', {
  fixed: { size: u32 },
  shared: {
    error: int,
    seqno: u32,
    present: bool,
    offset: long,
    entry: pte,
    address: u64,
    vm_flags: flags({ VM_READ: 1, VM_WRITE: 2 }),
    method: oneOf({ PAGETABLE: 0, MKWRITE: 1 }),
  },
  under: {
    some_lock: { links: embed('list_toy'), boxes: array(long, 2) },
    other_lock: { bitmap: bits },
  },
  own: { cookie: int },
});

const tailed_toy = struct('tailed_toy', { shared: { count: int, items: tail(u64) } });

declare module '../../src/state/layout' {
  interface Structs {
    list_toy: View<typeof list_toy>;
    kinds_toy: View<typeof kinds_toy>;
    tailed_toy: View<typeof tailed_toy>;
  }
}

function viewIn<S extends Struct>(layout: S): { toy: View<S>; store: Store } {
  const plan = new StorePlan();
  plan.region('toy', 'state', layout.cells + 8);
  const store = plan.build();
  return { toy: layout.view(store, store.region('toy').base) as View<S>, store };
}

test('fields lie in the order of their groups: fixed, shared, own, under locks', () => {
  const slots = kinds_toy.slots.map((s) => `${s.offset} ${s.name} (${s.group})`);
  expect(slots).toEqual([
    '0 size (fixed)',
    '1 error (shared)',
    '2 seqno (shared)',
    '3 present (shared)',
    '4 offset (shared)',
    '6 entry (shared)',
    '8 address (shared)',
    '10 vm_flags (shared)',
    '11 method (shared)',
    '12 cookie (private)',
    '13 links (some_lock)',
    '15 boxes (some_lock)',
    '19 bitmap (other_lock)',
  ]);
  expect(kinds_toy.cells).toBe(19);
});

test('an int is signed and a u32 is not', () => {
  const { toy } = viewIn(kinds_toy);
  toy.error = -14;
  toy.seqno = 0xffff_fff0;
  expect([toy.error, toy.seqno]).toEqual([-14, 0xffff_fff0]);
});

test('a bool, a word of flags and one of several values', () => {
  const { toy } = viewIn(kinds_toy);
  toy.present = true;
  toy.vm_flags |= 2;
  toy.method = 1;
  expect([toy.present, toy.vm_flags, toy.method]).toEqual([true, 2, 1]);
  expect(kinds_toy.slot('vm_flags').field.names).toEqual({ VM_READ: 1, VM_WRITE: 2 });
});

test.each([0, 1, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, 0x7fff_f7ff_f000, 2 ** 53 - 1, -1])(
  'a long holds %d',
  (value) => {
    const { toy } = viewIn(kinds_toy);
    toy.offset = value;
    expect(toy.offset).toBe(value);
  },
);

test('a 64-bit value keeps all its bits, NX included, in two signed words', () => {
  const { toy } = viewIn(kinds_toy);
  toy.entry = { lo: 0x8000_0067, hi: 1 << 31 };
  expect(toy.entry).toEqual({ lo: 0x8000_0067 | 0, hi: -0x8000_0000 });
  expect(toy.entry.hi & (1 << 31)).toBe(toy.entry.hi);
});

test('a reference yields a view of what it names, which ends at NULL', () => {
  const { toy } = viewIn(list_toy);
  expect(isNull(toy.next)).toBe(true);
  toy.next = toy;
  expect(same(toy.next, toy)).toBe(true);
  toy.next.next.weight = 5;
  expect(toy.weight).toBe(5);
  toy.next = NULL;
  expect(isNull(toy.next)).toBe(true);
});

test('following NULL is an oops that names the struct and the field', () => {
  const { toy } = viewIn(list_toy);
  expect(() => toy.next.weight).toThrow(NullPointer);
  expect(() => toy.next.weight).toThrow('kernel NULL pointer dereference: list_toy.weight');
  expect(() => {
    toy.next.weight = 1;
  }).toThrow('kernel NULL pointer dereference: list_toy.weight');
});

test('an embedded struct is in place, and only its fields are assigned', () => {
  const { toy, store } = viewIn(kinds_toy);
  toy.links.weight = 77;
  expect(store.peek(toy.at + 14)).toBe(77);
  expect(() => {
    toy.links = toy.links;
  }).toThrow('an embedded list_toy is not assigned');
});

test('an array has elements of several cells, read and written by index', () => {
  const { toy } = viewIn(kinds_toy);
  toy.boxes.set(0, 3);
  toy.boxes.set(1, 2 ** 40);
  expect([toy.boxes.length, toy.boxes.get(0), toy.boxes.get(1)]).toEqual([2, 3, 2 ** 40]);
});

test('a flexible array takes what room its pool gives', () => {
  const { toy, store } = viewIn(tailed_toy);
  toy.items.set(2, { lo: 1, hi: 2 });
  expect(toy.items.get(2)).toEqual({ lo: 1, hi: 2 });
  expect(tailed_toy.cells).toBe(1);
  expect(store.peek(toy.at + 1 + 4)).toBe(1);
});

test('a bitmap finds set and clear bits across words', () => {
  const { toy } = viewIn(kinds_toy);
  for (const bit of [3, 31, 32, 63]) toy.bitmap.set(bit);
  expect([2, 3, 31, 32, 33].map((bit) => toy.bitmap.test(bit))).toEqual([
    false,
    true,
    true,
    true,
    false,
  ]);
  expect(toy.bitmap.nextSet(0, 64)).toBe(3);
  expect(toy.bitmap.nextSet(4, 64)).toBe(31);
  expect(toy.bitmap.nextSet(33, 63)).toBe(63); // none before the end of the range
  expect(toy.bitmap.nextSet(33, 64)).toBe(63);
  expect(toy.bitmap.nextClear(31, 64)).toBe(33);
  toy.bitmap.clear(31);
  expect(toy.bitmap.nextClear(31, 64)).toBe(31);
  expect(toy.bitmap.nextSet(0, 0)).toBe(0);
});

test('a struct is found by its name, a missing one is told', () => {
  expect(structNamed('kinds_toy')).toBe(kinds_toy);
  expect(() => structNamed('nothing')).toThrow('a struct called nothing');
  expect(() => kinds_toy.slot('colour')).toThrow('kinds_toy has a field colour');
});

test('two structs of one name, two fields of one name and two flexible fields are refused', () => {
  expect(() => struct('list_toy', { shared: { a: int } })).toThrow('one struct called list_toy');
  expect(() => struct('twice', { fixed: { a: int }, shared: { a: int } })).toThrow(
    'twice has one field a',
  );
  expect(() => struct('early', { fixed: { map: bits, a: int }, own: { more: bits } })).toThrow(
    'early has at most one flexible field',
  );
});
