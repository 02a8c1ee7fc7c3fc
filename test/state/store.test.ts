// The journalled store: cells of three kinds, a hash that follows them, marks, spans of net change.
import { expect, test } from 'vitest';
import { type Store, StorePlan } from '../../src/state/store';

/** Two state cells, two contents cells, two history cells; a cell is named by its region and number. */
function smallStore(): { store: Store; at: (name: string, index?: number) => number } {
  const plan = new StorePlan();
  plan.region('steps', 'history', 2);
  plan.region('page', 'contents', 2);
  plan.region('counter', 'state', 2);
  const store = plan.build();
  return { store, at: (name, index = 0) => store.region(name).base + index };
}

test('state comes first, then contents, then history, whatever the order of asking', () => {
  const { store } = smallStore();
  expect(store.regions.map((r) => `${r.base} ${r.kind} ${r.name}`)).toEqual([
    '1 state counter',
    '3 contents page',
    '5 history steps',
  ]);
  expect([1, 3, 5].map((cell) => store.kindOf(cell))).toEqual(['state', 'contents', 'history']);
});

test('cell 0 is in no region: it is NULL', () => {
  const { store } = smallStore();
  expect(store.regions.some((r) => r.base === 0)).toBe(false);
  expect(() => store.region('nobody')).toThrow('a region called nobody');
});

test('two regions of one name are refused', () => {
  const plan = new StorePlan();
  plan.region('page', 'state', 1);
  expect(() => plan.region('page', 'contents', 1)).toThrow('one region called page');
});

test('cells are signed: what is read compares equal to what a bit operation yields', () => {
  const { store, at } = smallStore();
  store.write(at('counter'), 0x8000_0001);
  expect(store.read(at('counter'))).toBe(0x8000_0001 | 0);
});

test('the hash depends on where values stand, not on the order in which they came', () => {
  const one = smallStore();
  one.store.write(one.at('counter', 0), 7);
  one.store.write(one.at('counter', 1), 8);
  const other = smallStore();
  other.store.write(other.at('counter', 1), 8);
  other.store.write(other.at('counter', 0), 99);
  other.store.write(other.at('counter', 0), 7);
  expect(other.store.hash()).toBe(one.store.hash());

  other.store.write(other.at('counter', 0), 8);
  other.store.write(other.at('counter', 1), 7);
  expect(other.store.hash()).not.toBe(one.store.hash());
});

test('an untouched store hashes to zero, and so does one that was put back by hand', () => {
  const { store, at } = smallStore();
  expect(store.hash()).toBe('0000000000000000');
  store.write(at('counter'), 5);
  expect(store.hash()).not.toBe('0000000000000000');
  store.write(at('counter'), 0);
  expect(store.hash()).toBe('0000000000000000');
});

test('contents count by their bytes: the numbers that blocks happen to have do not matter', () => {
  const one = smallStore();
  const other = smallStore();
  other.store.blocks.filled(200); // takes the number that 7 has in the first store
  one.store.write(one.at('page'), one.store.blocks.filled(7));
  other.store.write(other.at('page'), other.store.blocks.filled(7));
  expect(other.store.peek(other.at('page'))).not.toBe(one.store.peek(one.at('page')));
  expect(other.store.hash()).toBe(one.store.hash());
});

test('history is not hashed, but it goes back with the rest', () => {
  const { store, at } = smallStore();
  const mark = store.mark();
  store.put(at('steps'), 12);
  expect(store.hash()).toBe('0000000000000000');
  store.rollback(mark);
  expect(store.peek(at('steps'))).toBe(0);
});

test('rolling back to a mark restores every cell and the hash, and drops later marks', () => {
  const { store, at } = smallStore();
  store.write(at('counter'), 1);
  const hash = store.hash();
  const first = store.mark();
  store.write(at('counter'), 2);
  store.mark();
  store.write(at('counter'), 3);
  store.write(at('page'), store.blocks.filled(9));
  store.rollback(first);
  expect(store.peek(at('counter'))).toBe(1);
  expect(store.peek(at('page'))).toBe(0);
  expect(store.hash()).toBe(hash);
  expect(store.markTotal).toBe(0);
});

test('a mark that was rolled back cannot be used again', () => {
  const { store } = smallStore();
  const mark = store.mark();
  store.rollback(mark);
  expect(() => store.rollback(mark)).toThrow('a mark below 0, not 0');
});

test('writing the value that a cell already has costs nothing in the journal', () => {
  const { store, at } = smallStore();
  store.write(at('counter'), 4);
  const bytes = store.journalBytes;
  store.write(at('counter'), 4);
  expect(store.journalBytes).toBe(bytes);
});

test('what was written since a mark is told oldest first, with the values before', () => {
  const { store, at } = smallStore();
  store.write(at('counter'), 1);
  const mark = store.mark();
  store.write(at('counter'), 2);
  store.write(at('counter', 1), 5);
  store.write(at('counter'), 3);
  const seen: string[] = [];
  store.writtenSince(mark, (cell, before) => seen.push(`${cell - at('counter')} was ${before}`));
  expect(seen).toEqual(['0 was 1', '1 was 0', '0 was 2']);
});

test('a sealed span keeps only its net change', () => {
  const { store, at } = smallStore();
  const mark = store.mark();
  store.write(at('counter'), 5);
  store.write(at('counter', 1), 6);
  store.write(at('counter', 1), 0); // and back: no change
  store.write(at('counter'), 7);
  const span = store.seal(mark);
  expect([...span.cells]).toEqual([at('counter'), 0, 7]);
  expect(store.journalBytes).toBe(0);
});

test('a span is applied in both directions, hash included', () => {
  const { store, at } = smallStore();
  const start = store.hash();
  const mark = store.mark();
  store.write(at('counter'), 5);
  store.write(at('page'), store.blocks.filled(3));
  store.put(at('steps'), 2);
  const end = store.hash();
  const span = store.seal(mark);
  store.apply(span, 'back');
  expect([...store.cells]).toEqual([0, 0, 0, 0, 0, 0, 0]);
  expect(store.hash()).toBe(start);
  store.apply(span, 'forward');
  expect(store.peek(at('counter'))).toBe(5);
  expect(store.peek(at('steps'))).toBe(2);
  expect(store.hash()).toBe(end);
});

test('spans lie before everything in the journal: sealing or applying above it is refused', () => {
  const { store, at } = smallStore();
  const mark = store.mark();
  store.write(at('counter'), 5);
  const span = store.seal(mark);
  store.mark();
  store.write(at('counter'), 6);
  expect(() => store.apply(span, 'back')).toThrow('spans are applied below the journal');
  expect(() => store.seal(store.mark())).toThrow('nothing in the journal before the span');
});

test('what was done before the store settled cannot be rolled back', () => {
  const { store, at } = smallStore();
  store.write(at('counter'), 5);
  store.settle();
  expect(store.journalBytes).toBe(0);
  store.rollback(store.mark());
  expect(store.peek(at('counter'))).toBe(5);
});

test('an observer hears reads and writes of the emulated world, not those of the engine', () => {
  const { store, at } = smallStore();
  const heard: string[] = [];
  store.observer = {
    read: (cell) => heard.push(`read ${cell}`),
    write: (cell) => heard.push(`write ${cell}`),
  };
  store.write(at('counter'), 1);
  store.read(at('counter'));
  store.peek(at('counter'));
  store.put(at('counter'), 2);
  expect(heard).toEqual(['write 1', 'read 1']);
});
