// What TLBs make possible between two CPUs, and what a flush makes impossible: each interleaving by its schedule.
// Intel SDM vol. 3, "Caching translation information"; Linux 6.1 arch/x86/mm/tlb.c.
import { expect, test } from 'vitest';
import { or_clean } from '../../src/conform/driver';
import { apply_as_clean, apply_as_wrprotect } from '../../src/kernel/mm/as_dirty_helpers';
import { wp_shared_mapping_range } from '../../src/kernel/mm/mapping_dirty_helpers';
import { unmap_mapping_range } from '../../src/kernel/mm/memory';
import type { AnyBuilder } from '../../src/routine/routine';
import { fieldRef } from '../../src/state/layout';
import { mark, type SmpOptions, smp, whole, write } from './smp';

const protect = (b: AnyBuilder) =>
  b.variant(
    'mm-6.1',
    [b.call(wp_shared_mapping_range, (_f, k) => whole(k), 'got')],
    [b.call(apply_as_wrprotect, (_f, k) => whole(k), 'got')],
  );
const cleanAll = (b: AnyBuilder) =>
  b.variant(
    'mm-6.1',
    [b.call(or_clean, (_f, k) => ({ first: 0, nr: whole(k).nr, bit0: 0 }), 'got')],
    [
      b.call(
        apply_as_clean,
        (_f, k) => {
          const scratch = k.the('or_scratch', 'or_scratch');
          return {
            ...whole(k),
            bitmap_pgoff: whole(k).first_index,
            bitmap: fieldRef('or_scratch', scratch, 'bitmap', 'bitmap_t'),
            start: fieldRef('or_scratch', scratch, 'start', 'pgoff_t'),
            end: fieldRef('or_scratch', scratch, 'end', 'pgoff_t'),
          };
        },
        'got',
      ),
    ],
  );

/** A writer on CPU 0 with marks between its stores, a helper on CPU 1; threads of two processes. */
const writerAnd = (helper: (b: AnyBuilder) => unknown, options: SmpOptions) =>
  smp(
    [
      {
        cpu: 0,
        process: 0,
        maps: true,
        body: (b) => [
          write(b, 3, 1),
          mark(b, 'first'),
          write(b, 3, 2),
          mark(b, 'second'),
          write(b, 3, 3),
          mark(b, 'third'),
        ],
      },
      { cpu: 1, process: 1, body: (b) => [helper(b) as never, mark(b, 'done')] },
    ],
    options,
  );

for (const preset of ['series-v2', 'linux-6.1'] as const) {
  test(`${preset}: a store goes on through a stale entry until the flush of wrprotect, and faults after it`, () => {
    const run = writerAnd(protect, { preset });
    run.until(0, 'first');
    run.until(1, 'csd_lock_wait()');
    expect(run.entry(3)).toBe('-d');
    const before = run.k.events.length;
    run.until(0, 'second');
    expect(run.names(before)).toEqual(['tlb_stale', 'cpu_store']);
    expect(run.canRun(1)).toBe(false); // it spins: CPU 0 has not answered
    run.interrupt(0);
    run.until(1, 'done');
    const after = run.k.events.length;
    run.until(0, 'third');
    expect(run.names(after)).toContain('page_fault');
    expect(run.entry(3)).toBe('wd');
    run.finish();
    expect(run.checker.broken).toEqual([]);
  });

  test(`${preset}: cleaned and flushed, the next store sets the dirty bit again`, () => {
    const run = writerAnd(cleanAll, { preset });
    run.until(0, 'first');
    run.until(1, 'csd_lock_wait()');
    run.interrupt(0);
    run.until(1, 'done');
    expect(run.entry(3)).toBe('w-');
    run.until(0, 'second');
    expect(run.entry(3)).toBe('wd');
    run.finish();
    expect(run.checker.broken).toEqual([]);
  });

  test(`${preset}: cleaned without a flush, the next store leaves no dirty bit: it is lost`, () => {
    const run = writerAnd(cleanAll, { preset, with: ['no-clean-flush'] });
    run.until(0, 'first');
    run.until(1, 'done');
    const before = run.k.events.length;
    run.until(0, 'second');
    expect(run.names(before)).toEqual(['tlb_stale', 'cpu_store']);
    expect(run.entry(3)).toBe('w-');
  });

  test(`${preset}: unmapped, no CPU reaches the frame any more when the call returns`, () => {
    const run = writerAnd(
      (b) => b.call(unmap_mapping_range, (_f, k) => ({ ...whole(k), even_cows: true })),
      { preset },
    );
    run.until(0, 'first');
    run.until(1, 'csd_lock_wait()');
    expect(run.entry(3)).toBe('none');
    // 6.1 flushes mappings of bare frames as soon as their entries are gone, 5.1 at the end of it all.
    const frames = run.k.stack(1).map(({ code }) => code.routine.name);
    expect(frames.includes('tlb_end_vma')).toBe(preset === 'linux-6.1');
    run.interrupt(0);
    run.until(1, 'done');
    const before = run.k.events.length;
    run.until(0, 'second');
    expect(run.names(before)).toContain('page_fault');
    run.finish();
    expect(run.checker.broken).toEqual([]);
  });

  test(`${preset}: to and back, a run with a shootdown restores every cell and replays to the same hash`, () => {
    const run = writerAnd(protect, { preset });
    const { store } = run.k;
    const before = store.cells.slice();
    const schedule = run.choices.length;
    const mark = store.mark();
    run.finish();
    const hash = store.hash();
    const choices = run.choices.slice(schedule);
    store.rollback(mark);
    expect(store.cells).toEqual(before);
    for (const agent of choices) run.k.step(agent);
    expect(store.hash()).toBe(hash);
  });
}

const flushes = (pages: number, written: readonly number[]) => {
  const run = smp(
    [
      {
        cpu: 0,
        process: 0,
        maps: true,
        body: (b) => [...written.map((page) => write(b, page)), protect(b), mark(b, 'done')],
      },
    ],
    { pages },
  );
  const before = run.k.events.length;
  run.until(0, 'done', 100_000);
  return run.k.events
    .slice(before)
    .filter(({ name }) => name === 'tlb_flush')
    .map(({ args }) => args.pages);
};

test('only the range between the first and the last changed entry is flushed', () => {
  expect(flushes(64, [10])).toEqual([1]);
  expect(flushes(64, [10, 30])).toEqual([21]);
  expect(flushes(64, [])).toEqual([]);
});

test('33 pages are flushed one by one, 34 by emptying the whole TLB', () => {
  expect(flushes(64, [0, 32])).toEqual([33]);
  expect(flushes(64, [0, 33])).toEqual([-1]);
});
