// The event log: history that goes back with the store.
import { expect, test } from 'vitest';
import { EventLog, plainArguments } from '../../src/state/events';
import { StorePlan } from '../../src/state/store';

function emptyLog() {
  const plan = new StorePlan();
  plan.region('log', 'history', 1);
  const store = plan.build();
  return { store, log: new EventLog(store, store.region('log').base) };
}

test('events are numbered in order and go back with the store', () => {
  const { store, log } = emptyLog();
  log.append('page_fault', 1, 0, { address: 4096 });
  const mark = store.mark();
  log.append('tlb_flush', 2, 0, {});
  expect(log.slice().map((e) => `${e.index} ${e.name}`)).toEqual(['0 page_fault', '1 tlb_flush']);
  store.rollback(mark);
  expect(log.slice().map((e) => e.name)).toEqual(['page_fault']);
  log.append('dma_fence_emit', 2, 1, { seqno: 1 });
  expect(log.at(1)).toEqual({
    index: 1,
    name: 'dma_fence_emit',
    step: 2,
    task: 1,
    args: { seqno: 1 },
  });
});

test('the log does not change the hash: the same state after other events is the same state', () => {
  const { store, log } = emptyLog();
  const hash = store.hash();
  log.append('page_fault', 1, 0, {});
  expect(store.hash()).toBe(hash);
});

test('structs among the arguments are kept as their addresses', () => {
  const { store } = emptyLog();
  const plain = plainArguments({ vma: { store, at: 40 }, page: 3, pte: { lo: 1, hi: 2 } });
  expect(plain).toEqual({ vma: 40, page: 3, pte: { lo: 1, hi: 2 } });
});
