// What TLBs make possible between two CPUs, and what a flush makes impossible: each interleaving by its schedule.
// Intel SDM vol. 3, "Caching translation information"; Linux 6.1 arch/x86/mm/tlb.c.
import { expect, test } from 'vitest';
import { object, or_clean } from '../../src/conform/driver';
import { peekWalk } from '../../src/hardware/mmu';
import { _PAGE_RW, PAGE_SIZE } from '../../src/hardware/pte';
import { cpu_tlbstate } from '../../src/kernel/arch/x86/include/asm/tlbflush';
import { apply_as_clean, apply_as_wrprotect } from '../../src/kernel/mm/as_dirty_helpers';
import { wp_shared_mapping_range } from '../../src/kernel/mm/mapping_dirty_helpers';
import { unmap_mapping_range } from '../../src/kernel/mm/memory';
import { __vm_munmap } from '../../src/kernel/mm/mmap';
import type { Engine } from '../../src/routine/engine';
import type { AnyBuilder, Node } from '../../src/routine/routine';
import type { LoggedEvent } from '../../src/state/events';
import { fieldRef } from '../../src/state/layout';
import { searchAll } from './search';
import { address, mark, read, type Smp, type SmpOptions, smp, whole, write } from './smp';

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
    for (const { agent, branch } of choices) run.k.step(agent, branch);
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

// The interleavings of a writer (CPU B) with a helper, as discussed for the series in June 2019.

const commitProtect = 'ptep_modify_prot_commit(vma, addr, pte, old_pte, pte_wrprotect(old_pte))';
const commitClean = 'ptep_modify_prot_commit(vma, addr, pte, old_pte, pte_mkclean(old_pte))';
const recorded = (run: Smp, page = 0): boolean =>
  run.k.the('or_scratch', 'or_scratch').bitmap.nextSet(page, page + 1) === page;

/** A writer of page 0 on CPU 0, a helper in another process on CPU 1, and nothing else. */
const pair = (body: (b: AnyBuilder) => Node[], helper: (b: AnyBuilder) => Node, o: SmpOptions) =>
  smp(
    [
      { cpu: 0, process: 0, maps: true, body },
      { cpu: 1, process: 1, body: (b) => [helper(b), mark(b, 'done')] },
    ],
    { pages: 1, ...o },
  );

for (const preset of ['series-v2', 'linux-6.1'] as const) {
  test(`${preset}: a store before the entry is read is recorded`, () => {
    const run = pair((b) => [write(b, 0), mark(b, 'written')], cleanAll, { preset });
    run.until(0, 'written');
    run.until(1, commitClean);
    expect(run.entry(0)).toBe('none'); // taken out with its D
    run.until(1, 'csd_lock_wait()');
    expect([run.entry(0), recorded(run)]).toEqual(['w-', true]);
  });

  test(`${preset}: a store through a dirty entry between cleaning and flush leaves D clear; its page is recorded`, () => {
    const run = pair(
      (b) => [write(b, 0, 1), mark(b, 'first'), write(b, 0, 2), mark(b, 'second')],
      cleanAll,
      { preset },
    );
    run.until(0, 'first');
    run.until(1, 'csd_lock_wait()');
    const before = run.k.events.length;
    run.until(0, 'second');
    expect(run.names(before)).toEqual(['tlb_stale', 'cpu_store']);
    expect([run.entry(0), recorded(run)]).toEqual(['w-', true]);
  });

  test(`${preset}: a store after a clean entry was looked at sets D, which the next cleaning finds`, () => {
    const run = pair(
      (b) => [read(b, 0), mark(b, 'first'), write(b, 0), mark(b, 'second')],
      cleanAll,
      { preset },
    );
    run.until(0, 'first');
    expect(run.entry(0)).toBe('w-');
    run.until(1, 'done'); // nothing changed, so nothing was flushed
    run.until(0, 'second');
    expect([run.entry(0), recorded(run)]).toEqual(['wd', false]);
    expect(run.count('tlb_stale')).toBe(0); // D is set by a walk, whatever was cached
  });

  test(`${preset}: within the none-window an access without an entry of its own faults, and goes on when it is over`, () => {
    const run = pair(
      (b) => [read(b, 0), mark(b, 'first'), write(b, 0), mark(b, 'second')],
      protect,
      { preset },
    );
    run.until(0, 'first');
    run.until(1, commitProtect);
    expect([run.entry(0), run.tlb(0)]).toEqual(['none', ['0 w-']]);
    const before = run.k.events.length;
    run.until(0, 'down_read(&mm->mmap_sem)'); // D is not cached, so memory is asked, and has nothing
    expect(run.k.events.slice(before).map(({ args }) => args.error_code)).toEqual([6]);
    expect(run.tlb(0)).toEqual([]); // the fault dropped it
    run.until(1, 'csd_lock_wait()');
    run.interrupt(0);
    run.finish();
    expect(run.entry(0)).toBe('wd');
  });

  test(`${preset}: an entry that the hardware dropped makes the access fault that its neighbour did not`, () => {
    const run = pair(
      (b) => [write(b, 0, 1), mark(b, 'first'), write(b, 0, 2), mark(b, 'second')],
      protect,
      { preset },
    );
    run.until(0, 'first');
    run.until(1, 'csd_lock_wait()');
    const agent = run.k.agentOfTask(0);
    run.until(0, 'the cached translation');
    expect(run.k.branches(agent)).toBe(2);
    const before = run.k.events.length;
    run.step(agent, 1); // not there any more, though nobody has flushed yet
    run.until(0, 'down_read(&mm->mmap_sem)');
    expect(run.names(before)).toEqual(['page_fault']);
    run.interrupt(0);
    run.finish();
    expect([run.entry(0), run.count('tlb_stale')]).toEqual(['wd', 0]);
  });

  test(`${preset}: where memory and TLB agree the hardware has nothing to choose`, () => {
    const run = pair((b) => [write(b, 0, 1), write(b, 0, 2)], cleanAll, { preset });
    let choices = 0;
    const agent = run.k.agentOfTask(0);
    while (run.canRun(0)) {
      if (run.k.branches(agent) > 1) choices++;
      run.step(agent);
    }
    expect(choices).toBe(0);
  });

  test(`${preset}: a read-only entry may still deny after memory was made writable: a fault that changes nothing`, () => {
    const run = smp(
      [
        {
          cpu: 0,
          process: 0,
          maps: true,
          body: (b) => [
            write(b, 0),
            protect(b),
            read(b, 0),
            mark(b, 'read'),
            write(b, 0),
            mark(b, 'written'),
          ],
        },
        { cpu: 1, process: 0, body: (b) => [write(b, 0), mark(b, 'done')] },
      ],
      { preset, pages: 1 },
    );
    run.until(0, 'read');
    expect(run.tlb(0)).toEqual(['0 -d']);
    run.until(1, 'done');
    expect([run.entry(0), run.tlb(0)]).toEqual(['wd', ['0 -d']]); // granting more needs no flush
    run.until(0, 'the cached translation');
    const before = run.k.events.length;
    run.step(run.k.agentOfTask(0), 1);
    run.until(0, 'written');
    expect([run.count('page_fault', before), run.names(before).at(-1)]).toEqual([1, 'cpu_store']);
    expect(run.k.events.at(before).args.error_code).toBe(7);
    expect(run.entry(0)).toBe('wd');
  });

  test(`${preset}: in no schedule is a store lost to cleaning: flushed, D is set again or the page is recorded`, () => {
    const run = pair((b) => [write(b, 0, 1), write(b, 0, 2)], cleanAll, { preset });
    let stale = 0;
    const { ends, wrong } = searchAll(run.k, {
      step: (emitted) => {
        if (emitted.some((e) => e.name === 'tlb_stale')) stale++;
        return lostD(run, emitted);
      },
      end: () => (run.entry(0).includes('d') || recorded(run) ? '' : 'written, but neither'),
    });
    expect([...wrong]).toEqual([]);
    expect(ends).toBeGreaterThan(1);
    expect(stale).toBeGreaterThan(0); // it does go through stale entries, before the call returns
  });

  test(`${preset}: without the flush a schedule is found that loses one`, () => {
    const run = pair((b) => [write(b, 0, 1), write(b, 0, 2)], cleanAll, {
      preset,
      with: ['no-clean-flush'],
    });
    const { wrong } = searchAll(run.k, { step: (emitted) => lostD(run, emitted) });
    expect([...wrong.keys()]).toEqual(['the call has returned, and a store leaves D clear']);
  });

  test(`${preset}: in no schedule does a store go through a stale entry once wrprotect has returned`, () => {
    const run = pair((b) => [write(b, 0, 1), write(b, 0, 2)], protect, { preset });
    let before = 0;
    const { wrong } = searchAll(run.k, {
      step: (emitted) => {
        const stale = emitted.some((e) => e.name === 'tlb_stale' && e.args.write === true);
        if (stale && !run.isPast(1, 'done')) before++;
        return stale && run.isPast(1, 'done') ? 'a stale store' : '';
      },
    });
    expect([...wrong]).toEqual([]);
    expect(before).toBeGreaterThan(0);
  });

  test(`${preset}: write-protected without a flush, a schedule is found with such a store`, () => {
    const clear = (b: AnyBuilder) =>
      b.atomic('pte_wrprotect without a flush', (_f, k) => {
        const found = peekWalk(
          k,
          k.view('mm_struct', [...k.objects.all('mm_struct')][0]!).pgd,
          address,
        );
        if (found?.level === 3) k.store.write(found.at, found.entry.lo & ~_PAGE_RW);
      });
    const run = pair((b) => [write(b, 0, 1), write(b, 0, 2)], clear, { preset });
    const { wrong } = searchAll(run.k, {
      step: (emitted) =>
        emitted.some((e) => e.name === 'tlb_stale') && run.isPast(1, 'done') ? 'a stale store' : '',
    });
    expect([...wrong.keys()]).toEqual(['a stale store']);
  });

  test(`${preset}: in no schedule does an access reach the frame once unmap_mapping_range has returned`, () => {
    const run = pair(
      (b) => [write(b, 0, 1), write(b, 0, 2)],
      (b) => b.call(unmap_mapping_range, (_f, k) => ({ ...whole(k), even_cows: true })),
      { preset },
    );
    const { wrong } = searchAll(run.k, {
      step: (emitted) =>
        emitted.some((e) => e.name === 'tlb_stale') && run.isPast(1, 'done')
          ? 'a stale access'
          : '',
    });
    expect([...wrong]).toEqual([]);
  });
}

/** What a store after the call has returned must not do. */
function lostD(run: Smp, emitted: readonly LoggedEvent[]): string {
  const stored = emitted.some((e) => e.name === 'cpu_store');
  return stored && run.isPast(1, 'done') && run.entry(0) === 'w-'
    ? 'the call has returned, and a store leaves D clear'
    : '';
}

// Address spaces of a CPU: switched without PCIDs, kept lazily, caught up with by generation.

/** A thread of process 0 on CPU 1 that sleeps until the thread on CPU 0 has ended. */
const sleeper = (b: AnyBuilder) => [
  write(b, 0, 1),
  b.wait('sleep', (_f, k) => k.isFinished(0)),
  write(b, 0, 2),
  mark(b, 'second'),
];

for (const preset of ['series-v2', 'linux-6.1'] as const) {
  test(`${preset}: a CPU that idles keeps its TLB and is not interrupted; it is flushed when it comes back`, () => {
    const run = smp(
      [
        { cpu: 0, process: 0, maps: true, body: (b) => [protect(b), mark(b, 'done')] },
        { cpu: 1, process: 0, body: sleeper },
      ],
      { preset, pages: 1 },
    );
    run.until(1, 'sleep');
    run.idle(1);
    expect(cpu_tlbstate(run.k, 1).is_lazy).toBe(true);
    run.until(0, 'done'); // without waiting for anybody
    expect([run.k.pendingOf(1), run.tlb(1)]).toEqual([0, ['0 wd']]);
    run.step(run.k.agentOfTask(0));
    run.step(run.k.agentOfTask(0));
    const before = run.k.events.length;
    run.step(run.k.agentOfTask(1)); // the CPU changes back to the thread
    expect(run.flushes(before)).toEqual(['cpu 1: -1, task switch']);
    expect(run.tlb(1)).toEqual([]);
    run.until(1, 'second');
    expect(run.names(before)).toContain('page_fault');
    run.finish();
    expect(run.checker.broken).toEqual([]);
  });

  test(`${preset}: a CPU that idled while nothing was flushed goes on with the TLB it had`, () => {
    const run = smp(
      [
        { cpu: 0, process: 0, maps: true, body: () => [] },
        { cpu: 1, process: 0, body: sleeper },
      ],
      { preset, pages: 1 },
    );
    run.until(1, 'sleep');
    run.idle(1);
    run.step(run.k.agentOfTask(0));
    run.step(run.k.agentOfTask(0));
    const before = run.k.events.length;
    run.until(1, 'second');
    expect(run.names(before)).toEqual(['cpu_store']);
  });

  test(`${preset}: when page tables go, an idle CPU is interrupted too, and lets go of the address space`, () => {
    const run = smp(
      [
        {
          cpu: 0,
          process: 0,
          maps: true,
          body: (b) => [
            b.call(__vm_munmap, () => ({ start: address, len: PAGE_SIZE })),
            mark(b, 'done'),
          ],
        },
        { cpu: 1, process: 0, body: sleeper },
      ],
      { preset, pages: 1 },
    );
    run.until(1, 'sleep');
    run.idle(1);
    run.until(0, 'csd_lock_wait()');
    expect([run.k.parts.tlb.cr3(1) !== 0, run.mm(0).cpu_bitmap]).toEqual([true, 0b11]);
    run.interrupt(1);
    expect([run.k.parts.tlb.cr3(1), run.tlb(1), run.mm(0).cpu_bitmap]).toEqual([0, [], 0b01]);
    run.until(0, 'done');
    run.finish();
    expect(run.checker.broken).toEqual([]);
  });

  test(`${preset}: a thread that wakes on a lazy CPU while others shoot down never goes through a stale entry after it`, () => {
    const lock = (_f: unknown, k: Engine) => object(k).lock;
    const run = smp(
      [
        {
          cpu: 0,
          process: 0,
          maps: true,
          body: (b) => [
            b.acquire('lock', lock),
            b.release('unlock', lock),
            protect(b),
            mark(b, 'done'),
          ],
        },
        {
          cpu: 1,
          process: 0,
          body: (b) => [
            write(b, 0, 1),
            b.acquire('lock', lock),
            b.release('unlock', lock),
            write(b, 0, 2),
          ],
        },
      ],
      { preset, pages: 1 },
    );
    let lazily = 0;
    const { wrong } = searchAll(run.k, {
      step: (emitted) => {
        if (cpu_tlbstate(run.k, 1).is_lazy && run.isPast(0, 'done')) lazily++;
        const stale = emitted.some((e) => e.name === 'tlb_stale');
        return stale && run.isPast(0, 'done') ? 'a stale store' : '';
      },
    });
    expect([...wrong]).toEqual([]);
    expect(lazily).toBeGreaterThan(0);
  });

  test(`${preset}: of two requests that meet, the first flushes all and catches up with both`, () => {
    const one = (page: number) => (b: AnyBuilder) =>
      b.variant(
        'mm-6.1',
        [b.call(wp_shared_mapping_range, (_f, k) => part(k, page), 'got')],
        [b.call(apply_as_wrprotect, (_f, k) => part(k, page), 'got')],
      );
    const part = (k: Engine, page: number) => ({
      ...whole(k),
      first_index: object(k).base + page,
      nr: 1,
    });
    const run = smp(
      [
        { cpu: 0, process: 1, body: (b) => [one(0)(b), mark(b, 'done')] },
        {
          cpu: 1,
          process: 0,
          maps: true,
          body: (b) => [write(b, 0), write(b, 1), write(b, 2), mark(b, 'written')],
        },
        { cpu: 2, process: 1, body: (b) => [one(1)(b), mark(b, 'done')] },
      ],
      { preset },
    );
    run.until(1, 'written');
    run.until(0, 'csd_lock_wait()');
    run.until(2, 'csd_lock_wait()');
    expect(run.tlb(1)).toEqual(['0 wd', '1 wd', '2 wd']);
    const before = run.k.events.length;
    run.interrupt(1);
    // 5.1 looks at the mm again and says that nothing was to be done; 6.1 knows it from the request.
    const second = preset === 'series-v2' ? ['cpu 1: 0, remote shootdown'] : [];
    expect(run.flushes(before)).toEqual(['cpu 1: -1, remote shootdown', ...second]);
    expect([run.tlb(1), cpu_tlbstate(run.k, 1).tlb_gen]).toEqual([[], 2]);
    run.until(0, 'done');
    run.until(2, 'done');
  });

  test(`${preset}: 5.1 flushes here before it asks the others, 6.1 while they are on their way`, () => {
    const run = smp(
      [
        {
          cpu: 0,
          process: 0,
          maps: true,
          body: (b) => [write(b, 0), mark(b, 'written'), protect(b), mark(b, 'done')],
        },
        { cpu: 1, process: 0, body: (b) => [write(b, 0), mark(b, 'written')] },
      ],
      { preset, pages: 1 },
    );
    run.until(0, 'written');
    run.until(1, 'written');
    while (run.k.pendingOf(1) === 0) run.step(run.k.agentOfTask(0));
    expect(run.tlb(0)).toEqual(preset === 'series-v2' ? [] : ['0 wd']);
  });
}

test('a CPU that changes between processes forgets its TLB, and shootdowns follow the one it has loaded', () => {
  const body = (b: AnyBuilder) => [write(b, 0), mark(b, 'written'), mark(b, 'over')];
  const run = smp(
    [
      { cpu: 0, process: 0, maps: true, body },
      { cpu: 0, process: 1, maps: true, body },
      { cpu: 1, process: 2, body: (b) => [protect(b), mark(b, 'done')] },
    ],
    { pages: 1 },
  );
  run.until(0, 'written');
  expect([run.tlb(0), run.mm(0).cpu_bitmap, run.mm(1).cpu_bitmap]).toEqual([['0 wd'], 1, 0]);
  const before = run.k.events.length;
  run.step(run.k.agentOfTask(1));
  expect(run.flushes(before)).toEqual(['cpu 0: -1, task switch']);
  expect([run.tlb(0), run.mm(0).cpu_bitmap, run.mm(1).cpu_bitmap]).toEqual([[], 0, 1]);
  run.until(1, 'written');
  run.until(2, 'csd_lock_wait()');
  expect([run.entry(0, 0), run.entry(0, 1)]).toEqual(['-d', '-d']);
  const shot = run.k.events.length;
  run.interrupt(0); // once, for the process that is loaded
  run.until(2, 'done');
  expect(run.flushes(shot)).toEqual(['cpu 0: 1, remote shootdown']);
  run.finish();
  expect(run.checker.broken).toEqual([]);
});

test('threads of one process share the TLB of their CPU', () => {
  const body = (b: AnyBuilder) => [write(b, 0), mark(b, 'written'), mark(b, 'over')];
  const run = smp(
    [
      { cpu: 0, process: 0, maps: true, body },
      { cpu: 0, process: 0, body },
    ],
    { pages: 1 },
  );
  run.until(0, 'written');
  const before = run.k.events.length;
  run.until(1, 'written');
  expect(run.names(before)).toEqual(['cpu_store']); // no flush, no fault, no walk
});

for (const preset of ['series-v2', 'linux-6.1'] as const) {
  test(`${preset}: an object of 1100 pages at three alignments, in one address space and in two: each has its own entries, all are cleaned and flushed`, () => {
    const pages = 1100;
    const shifted = address + 0x4000_0000 - 3 * PAGE_SIZE; // its 512th page is not the first of a table
    const other = address + 509 * PAGE_SIZE;
    const borders = [0, 511, 512, 1023, 1024, 1099];
    const body = (at: number) => (b: AnyBuilder) => [
      ...borders.map((page) => write(b, page, 1, at)),
      mark(b, 'written'),
      mark(b, 'over'),
    ];
    const run = smp(
      [
        { cpu: 0, process: 0, maps: true, body: body(address) },
        { cpu: 0, process: 0, maps: true, at: shifted, body: body(shifted) },
        { cpu: 1, process: 1, maps: true, at: other, body: body(other) },
        { cpu: 2, process: 2, body: (b) => [cleanAll(b), mark(b, 'done')] },
      ],
      { preset, pages },
    );
    for (const task of [0, 1, 2]) run.until(task, 'written', 100_000);
    const at = [
      [0, address],
      [0, shifted],
      [1, other],
    ] as const;
    const entries = () =>
      at.map(([process, base]) => borders.map((page) => run.entry(page, process, base)).join(' '));
    expect(entries()).toEqual(Array(3).fill('wd wd wd wd wd wd'));
    const before = run.k.events.length;
    for (let mapping = 0; mapping < at.length; mapping++) {
      run.until(3, 'csd_lock_wait()', 100_000);
      run.interrupt(run.k.pendingOf(0) === 0 ? 1 : 0);
      run.step(run.k.agentOfTask(3)); // answered: on to the next mapping
    }
    run.until(3, 'done', 100_000);
    expect(entries()).toEqual(Array(3).fill('w- w- w- w- w- w-'));
    expect(run.flushes(before).sort()).toEqual([
      'cpu 0: -1, remote shootdown', // more than 33 pages from the first to the last, so all
      'cpu 0: -1, remote shootdown',
      'cpu 1: -1, remote shootdown',
      'cpu 2: -1, task switch', // to the process that cleans
    ]);
    expect(borders.every((page) => recorded(run, page))).toBe(true);
    expect([...run.tlb(0), ...run.tlb(1)]).toEqual([]);
    run.finish();
    expect(run.checker.broken).toEqual([]);
  });
}
