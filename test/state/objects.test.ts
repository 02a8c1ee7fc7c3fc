// Pools and statics: who gets which place, and when a freed one is given out again.
import { expect, test } from 'vitest';
import {
  array,
  embed,
  int,
  ref,
  type Struct,
  struct,
  tail,
  type View,
} from '../../src/state/layout';
import { Objects, referencesOf } from '../../src/state/objects';
import { StorePlan } from '../../src/state/store';

const node_toy = struct('node_toy', { shared: { next: ref('node_toy') } });
const item_toy = struct('item_toy', { fixed: { id: int }, shared: { node: embed('node_toy') } });
const holder_toy = struct('holder_toy', {
  shared: { first: ref('item_toy'), pair: array(ref('item_toy'), 2), count: int },
  own: { more: tail(ref('item_toy')) },
});

declare module '../../src/state/layout' {
  interface Structs {
    node_toy: View<typeof node_toy>;
    item_toy: View<typeof item_toy>;
    holder_toy: View<typeof holder_toy>;
  }
}

/** Room for three items and a node of its own, and a static holder with a tail of two. */
function threeItems() {
  const pools = [
    { struct: item_toy, count: 3 },
    { struct: node_toy, count: 1 },
  ];
  const statics = [
    { name: 'holder', struct: holder_toy, tail: 2 },
    { name: 'spare', struct: item_toy },
  ];
  const plan = new StorePlan();
  Objects.reserve(plan, pools, statics);
  const store = plan.build();
  const objects = Objects.place(store, pools, statics);
  const alloc = () =>
    item_toy.view(store, objects.alloc('item_toy')) as unknown as View<typeof item_toy>;
  const holder = holder_toy.view(store, objects.staticNamed('holder').at) as unknown as View<
    typeof holder_toy
  >;
  return { store, objects, alloc, holder };
}

test('allocation takes the lowest free place, and a full pool gives NULL', () => {
  const { objects, alloc } = threeItems();
  const items = [alloc(), alloc(), alloc()];
  expect(items.map((item) => objects.indexOf(item.at))).toEqual([0, 1, 2]);
  expect(alloc().at).toBe(0);
  objects.free(items[1]!);
  expect(objects.indexOf(alloc().at)).toBe(1);
});

test('freeing zeroes the object, so that the state is as if it had never been', () => {
  const { store, objects, alloc } = threeItems();
  const hash = store.hash();
  const item = alloc();
  item.id = 5;
  expect(objects.isLive(item)).toBe(true);
  objects.free(item);
  expect(objects.isLive(item)).toBe(false);
  expect(store.hash()).toBe(hash);
  const left = store.cells.filter((cell, at) => cell !== 0 && store.kindOf(at) === 'state');
  expect([...left]).toEqual([]);
});

test.each([
  ['a field', 'first'],
  ['an array', 'pair'],
  ['a flexible array', 'more'],
] as const)('a freed place that %s still names is not given out', (_where, field) => {
  const { objects, alloc, holder } = threeItems();
  const item = alloc();
  const name = (value: unknown) => {
    if (field === 'first') holder.first = value as typeof holder.first;
    else holder[field].set(1, value as never);
  };
  name(item);
  objects.free(item);
  const other = alloc();
  expect(objects.indexOf(other.at)).toBe(1);
  name(other); // nothing names place 0 any more
  expect(objects.indexOf(alloc().at)).toBe(0);
});

test('a place is named by a pointer into its middle too, such as that of a list', () => {
  const { objects, alloc } = threeItems();
  const [a, b] = [alloc(), alloc()];
  b.node.next = a.node; // a list_head points to a list_head
  objects.free(a);
  expect(objects.indexOf(alloc().at)).toBe(2);
});

test('what a freed object named is free to go', () => {
  const { objects, alloc } = threeItems();
  const [a, b] = [alloc(), alloc()];
  b.node.next = a.node;
  objects.free(b);
  objects.free(a);
  expect(objects.indexOf(alloc().at)).toBe(0);
});

test('freeing twice, or only a part, is our mistake', () => {
  const { objects, alloc } = threeItems();
  const item = alloc();
  expect(() => objects.free(item.node)).toThrow('free of a whole item_toy');
  objects.free(item);
  expect(() => objects.free(item)).toThrow('free of a live item_toy');
});

test('the live objects of a pool are listed by address', () => {
  const { objects, alloc } = threeItems();
  const items = [alloc(), alloc(), alloc()];
  objects.free(items[1]!);
  expect([...objects.all('item_toy')]).toEqual([items[0]!.at, items[2]!.at]);
});

test('every cell knows its struct, object and field, embedded ones by their path', () => {
  const { store, objects, alloc, holder } = threeItems();
  alloc();
  const item = alloc();
  const describe = (at: number) => {
    const place = objects.describe(at);
    if (place === undefined) return 'none';
    const { struct: of, index, slot, live } = place;
    return `${of.name} ${index} ${slot.name}${live ? '' : ' (free)'}`;
  };
  expect(describe(item.at)).toBe('item_toy 1 id');
  expect(describe(item.at + 1)).toBe('item_toy 1 node.next');
  expect(describe(item.at - 1)).toBe('none'); // the header
  expect(describe(item.at + 3)).toBe('item_toy 2 id (free)');
  expect(describe(holder.at + 1)).toBe('holder_toy 0 pair');
  expect(describe(holder.at + 5)).toBe('holder_toy 0 more');
  expect(describe(objects.staticNamed('spare').at)).toBe('item_toy 0 id');
  expect(describe(store.cells.length)).toBe('none');
});

test('references are found in fields, embedded structs, arrays and the flexible end', () => {
  const found = (of: Struct, cells: number) =>
    referencesOf(of, cells).map(({ offset, of: target }) => `${offset} ${target}`);
  expect(found(item_toy, item_toy.cells)).toEqual(['1 node_toy']);
  expect(found(holder_toy, holder_toy.cells + 2)).toEqual(
    [0, 1, 2, 4, 5].map((offset) => `${offset} item_toy`),
  );
});

test('a pool or a static that the machine does not have is told by name', () => {
  const { objects } = threeItems();
  expect(() => objects.alloc('holder_toy')).toThrow('a pool of holder_toy');
  expect(() => objects.staticNamed('nobody')).toThrow('a static called nobody');
});
