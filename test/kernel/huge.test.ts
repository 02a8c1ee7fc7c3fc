// Huge entries: what faults, walks and the dirty-tracking helpers make of them. Linux 5.1 with the series of April 2019,
// and 6.1: mm/memory.c, mm/huge_memory.c, mm/pagewalk.c, mm/mapping_dirty_helpers.c; fallbacks that split by themselves
// since 5.7 (327e9fd48972). Each test is tables, what happens to them, and the tables then.
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/hardware/pte';
import { clear_refs_write, pagemap_read } from '../../src/kernel/fs/proc/task_mmu';
import { PROT_READ, PROT_WRITE } from '../../src/kernel/include/linux/mm';
import { current } from '../../src/kernel/include/linux/sched';
import { dup_mmap } from '../../src/kernel/kernel/fork';
import { apply_as_clean, apply_as_wrprotect } from '../../src/kernel/mm/as_dirty_helpers';
import { do_madvise, MADV_COLD } from '../../src/kernel/mm/madvise';
import {
  clean_record_shared_mapping_range,
  wp_shared_mapping_range,
} from '../../src/kernel/mm/mapping_dirty_helpers';
import { apply_to_pfn_range, unmap_mapping_range } from '../../src/kernel/mm/memory';
import { __vm_munmap } from '../../src/kernel/mm/mmap';
import {
  MMU_NOTIFY_PROTECTION_PAGE,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from '../../src/kernel/mm/mmu_notifier';
import { do_mprotect_pkey } from '../../src/kernel/mm/mprotect';
import { mremap_to } from '../../src/kernel/mm/mremap';
import type { Preset } from '../../src/kernel/variants';
import type { Engine } from '../../src/routine/engine';
import { routine } from '../../src/routine/routine';
import { embed, fieldRef, int } from '../../src/state/layout';
import { after, type Deed, type Device, prepared, reads, start, writes } from './hugeMachine';

const at = (page: number): number => start + page * PAGE_SIZE;

/** In 5.1 a driver that falls back splits by itself; in 6.1 only DAX has huge faults. */
const device = (kernel: Preset, more: Partial<Device> = {}): Device => ({
  kernel,
  dax: kernel === 'linux-6.1',
  splits: kernel === 'series-v2',
  ...more,
});

/** Calls of the process, by pages from the start of the mapping on. */
const munmap =
  (page: number, count: number): Deed =>
  (b) => [b.call(__vm_munmap, () => ({ start: at(page), len: count * PAGE_SIZE }), 'ret')];
const mprotect =
  (page: number, count: number, prot: number): Deed =>
  (b) => [
    b.call(do_mprotect_pkey, () => ({ start: at(page), len: count * PAGE_SIZE, prot }), 'ret'),
  ];
const mremap =
  (page: number, count: number, to: number): Deed =>
  (b) => [
    b.call(mremap_to, () => ({ addr: at(page), len: count * PAGE_SIZE, new_addr: at(to) }), 'ret'),
  ];
const fork =
  (machine: () => { mm(n: number): { at: number } }): Deed =>
  (b) => [
    b.call(
      dup_mmap,
      (_f, k) => ({ mm: k.view('mm_struct', machine().mm(1).at), oldmm: current(k).mm }),
      'ret',
    ),
  ];
const clearRefs =
  (type: number): Deed =>
  (b) => [b.call(clear_refs_write, (_f, k) => ({ mm: current(k).mm, type }), 'ret')];
const pagemap =
  (page: number, count: number): Deed =>
  (b) => [b.call(pagemap_read, () => ({ start: at(page), count }), 'ret')];
const cold =
  (page: number, count: number): Deed =>
  (b) => [
    b.call(
      do_madvise,
      () => ({ start: at(page), len: count * PAGE_SIZE, behavior: MADV_COLD }),
      'ret',
    ),
  ];
const unmapFile =
  (page: number, nr: number): Deed =>
  (b) => [
    b.call(unmap_mapping_range, (_f, k) => ({
      mapping: k.the('mapping', 'address_space'),
      first_index: page,
      nr,
      even_cows: true,
    })),
  ];

/** The two helpers of each kernel, over pages [0, nr). */
const wrprotect =
  (kernel: Preset, nr = 1024): Deed =>
  (b) => [
    b.call(
      kernel === 'series-v2' ? apply_as_wrprotect : wp_shared_mapping_range,
      (_f, k) => ({ mapping: k.the('mapping', 'address_space'), first_index: 0, nr }),
      'ret',
    ),
  ];
const clean =
  (kernel: Preset, nr = 1024): Deed =>
  (b) => [
    b.call(
      kernel === 'series-v2' ? apply_as_clean : clean_record_shared_mapping_range,
      (_f, k) => {
        const noted = k.the('scratch', 'huge_scratch');
        return {
          mapping: k.the('mapping', 'address_space'),
          first_index: 0,
          nr,
          bitmap_pgoff: 0,
          bitmap: fieldRef('huge_scratch', noted, 'map', 'bitmap_t'),
          start: fieldRef('huge_scratch', noted, 'start', 'pgoff_t'),
          end: fieldRef('huge_scratch', noted, 'end', 'pgoff_t'),
        };
      },
      'ret',
    ),
  ];

/** A walk of the series that makes tables where there are none. */
const walkAllocating = routine(
  'test.c',
  'walk',
  { locals: { apply: embed('pfn_range_apply'), ret: int } },
  ({ step, call, acquire, release }) => [
    step('closure', (f, k) => {
      f.apply.mm = current(k).mm;
      f.apply.alloc = true;
    }),
    acquire('mmap_sem', (_f, k) => current(k).mm.mmap_sem),
    call(mmu_notifier_invalidate_range_start, walked),
    call(apply_to_pfn_range, (f) => ({ closure: f.apply, addr: start, size: PAGE_SIZE }), 'ret'),
    call(mmu_notifier_invalidate_range_end, walked),
    release('mmap_sem', (_f, k) => current(k).mm.mmap_sem),
  ],
);
const walked = (_f: unknown, k: Engine) => ({
  mm: current(k).mm,
  event: MMU_NOTIFY_PROTECTION_PAGE,
  start,
  end: start + PAGE_SIZE,
});
const allocating: Deed = (b) => [b.call(walkAllocating, () => ({}))];

/** The tables after these deeds, and what was told on the way. */
const told = (of: Device, ...deeds: Deed[]) => {
  const machine = after(of, ...deeds);
  return [...machine.entries(), ...machine.events];
};

describe.each<Preset>(['series-v2', 'linux-6.1'])('%s', (kernel) => {
  const readOnly = device(kernel);
  const writable = device(kernel, { writes: true });
  const gigabyte = device(kernel, { writes: true, level: 'pud' });

  describe('faults', () => {
    test('one read fault maps 512 pages, and no other page of them faults', () => {
      expect(told(readOnly, reads(3), reads(500))).toEqual([
        'PMD of page 0: P-UA-- frame 0',
        'fault at page 3, error 4',
      ]);
    });

    test('one write fault maps them writable, dirty and soft-dirty from the start', () => {
      expect(told(writable, writes(3), writes(4))).toEqual([
        'PMD of page 0: PWUADs frame 0',
        'fault at page 3, error 6',
      ]);
    });

    test('mapped by a read, the walker sets the one dirty bit of all 512', () => {
      expect(told(writable, reads(3), writes(4))).toEqual([
        'PMD of page 0: PWUAD- frame 0',
        'fault at page 3, error 4',
      ]);
    });

    test('the PUD is asked before the PMD: one entry for 1 GiB', () => {
      expect(told({ ...readOnly, level: 'pud' }, reads(3), reads(700))).toEqual([
        'PUD of page 0: P-UA-- frame 0',
        'fault at page 3, error 4',
      ]);
    });

    test('a write that the driver leaves to small entries gets one', () => {
      expect(told(readOnly, writes(4))).toEqual([
        'PTE of page 4: PWUAD- frame 4',
        'fault at page 4, error 6',
      ]);
    });

    test('a write to a read-only huge entry takes it out, and the pages fault one by one', () => {
      expect(told(readOnly, reads(3), writes(4), reads(3))).toEqual([
        'PTE of page 3: PWUA-- frame 3',
        'PTE of page 4: PWUAD- frame 4',
        'fault at page 3, error 4',
        'fault at page 4, error 7',
        'fault at page 3, error 4',
      ]);
    });

    test('who faults while another makes the entry finds it done', () => {
      const machine = prepared(writable, [[writes(3)], [writes(4)]]);
      machine.until(0, 'exc_page_fault').until(1, 'exc_page_fault');
      machine.until(0, () => machine.k.isFinished(0)).until(1, 'huge_pmd_set_accessed');
      machine.run();
      expect([...machine.entries(), ...machine.events]).toEqual([
        'PMD of page 0: PWUADs frame 0',
        'fault at page 3, error 6',
        'fault at page 4, error 6',
      ]);
    });

    test.each(['pmd', 'pud'] as const)(
      'a %s of other frames that came meanwhile stays, with a warning',
      (level) => {
        const slipping = device(kernel, { writes: true, level, slips: true });
        const machine = prepared(slipping, [[writes(3)], [writes(4)]]);
        machine
          .until(0, 'exc_page_fault')
          .until(1, `vmf_insert_pfn_${level}_prot`)
          .until(0, () => machine.k.isFinished(0))
          .run();
        expect([...machine.entries(), ...machine.events]).toEqual([
          `${level.toUpperCase()} of page 0: PWUADs frame 3`,
          'fault at page 4, error 6',
          'fault at page 3, error 6',
          `warning: insert_pfn_${level}() was to make a huge entry writable that maps other frames than those it was given`,
        ]);
      },
    );

    test('a small entry inserted below one that has become huge is a BUG', () => {
      const machine = prepared(readOnly, [[writes(3)], [reads(4)]]);
      machine
        .until(0, 'vmf_insert_mixed_prot')
        .until(1, () => machine.k.isFinished(1))
        .run();
      expect([...machine.entries(), ...machine.events]).toEqual([
        'PMD of page 0: P-UA-- frame 0',
        'fault at page 3, error 6',
        'fault at page 4, error 4',
        'kernel BUG at mm/memory.c: VM_BUG_ON(pmd_trans_huge(*pmd))',
      ]);
    });
  });

  describe('unmapping', () => {
    test('takes out a huge entry of which all goes', () => {
      expect(told(readOnly, reads(3), reads(600), munmap(0, 512))).toEqual([
        'PMD of page 512: P-UA-- frame 512',
        'fault at page 3, error 4',
        'fault at page 600, error 4',
      ]);
      expect(after(gigabyte, writes(3), munmap(0, 2 ** 18)).entries()).toEqual([]);
    });

    test('splits those that its ends cut, so that nothing of them is mapped', () => {
      const deeds = [reads(3), reads(600)];
      expect(after(readOnly, ...deeds, munmap(500, 24)).entries()).toEqual([]);
      expect(after(readOnly, ...deeds, unmapFile(500, 24)).entries()).toEqual([]);
      expect(after(readOnly, ...deeds, munmap(500, 4)).entries()).toEqual([
        'PMD of page 512: P-UA-- frame 512',
      ]);
      expect(after(gigabyte, writes(3), unmapFile(500, 24)).entries()).toEqual([]);
    });

    test('leaves no translation behind: what is read next is what is there then', () => {
      const reread = [reads(3), unmapFile(0, 512), reads(3)];
      expect(told(readOnly, ...reread)).toEqual([
        'PMD of page 0: P-UA-- frame 0',
        'fault at page 3, error 4',
        'fault at page 3, error 4',
      ]);
    });
  });

  describe('mprotect', () => {
    const rw = PROT_READ | PROT_WRITE;

    test('changes a whole huge entry, which keeps A, D and soft-dirty', () => {
      expect(told(writable, writes(3), writes(600), mprotect(0, 512, PROT_READ))).toEqual([
        'PMD of page 0: P-UADs frame 0',
        'PMD of page 512: PWUADs frame 512',
        'fault at page 3, error 6',
        'fault at page 600, error 6',
      ]);
    });

    test('never makes one writable again, dirty as it may be: the next store faults, and it is', () => {
      const back = [mprotect(0, 512, PROT_READ), mprotect(0, 512, rw)];
      expect(after(writable, writes(3), ...back).entries()).toEqual([
        'PMD of page 0: P-UADs frame 0',
      ]);
      expect(told(writable, writes(3), ...back, writes(4))).toEqual([
        'PMD of page 0: PWUADs frame 0',
        'fault at page 3, error 6',
        'fault at page 4, error 7',
      ]);
    });

    test('splits one of which it changes a part', () => {
      expect(after(writable, writes(3), mprotect(0, 5, PROT_READ)).entries()).toEqual([]);
    });

    test('PROT_NONE leaves it huge and not present', () => {
      expect(after(writable, writes(3), mprotect(0, 1024, 0)).entries()).toEqual([
        'PMD of page 0: ---ADs frame 0',
      ]);
    });

    test('takes one of the PUD for a bad one, and clears it', () => {
      expect(told(gigabyte, writes(3), mprotect(0, 2 ** 18, PROT_READ))).toEqual([
        'fault at page 3, error 6',
        'warning: bad pud',
      ]);
    });
  });

  describe('mremap', () => {
    test('moves a huge entry as it is where both places are aligned, and marks it soft-dirty', () => {
      expect(told(writable, reads(3), writes(3), mremap(0, 512, 4096))).toEqual([
        'PMD of page 4096: PWUADs frame 0',
        'fault at page 3, error 4',
      ]);
    });

    test('splits it elsewhere: the new place faults', () => {
      expect(told(writable, writes(3), mremap(0, 512, 4097), reads(4100))).toEqual([
        'PTE of page 4100: PWUA-- frame 3',
        'fault at page 3, error 6',
        'fault at page 4100, error 4',
      ]);
    });

    test('takes one of the PUD for a bad one, and clears it', () => {
      expect(told(gigabyte, writes(3), mremap(0, 512, 2 ** 18))).toEqual([
        'fault at page 3, error 6',
        'warning: bad pud',
      ]);
    });
  });

  describe('fork', () => {
    const forked = (of: Device) => {
      const machine = prepared(of, [[writes(3), fork(() => machine)]]);
      machine.run();
      return [machine.entries(0), machine.entries(1)];
    };

    test('leaves a huge entry of the PMD to the faults of the child', () => {
      expect(forked(writable)).toEqual([['PMD of page 0: PWUADs frame 0'], []]);
    });

    test('copies one of the PUD, old in the child and write-protected in both', () => {
      expect(forked(gigabyte)).toEqual([
        ['PUD of page 0: P-UADs frame 0'],
        ['PUD of page 0: P-U-Ds frame 0'],
      ]);
    });
  });

  describe('clear_refs, pagemap and MADV_COLD', () => {
    test('clear_refs 4 write-protects a huge entry and clears soft-dirty of all its pages at once', () => {
      expect(after(writable, writes(3), clearRefs(4)).entries()).toEqual([
        'PMD of page 0: P-UAD- frame 0',
      ]);
      expect(told(writable, writes(3), clearRefs(4), writes(4))).toEqual([
        'PMD of page 0: PWUADs frame 0',
        'fault at page 3, error 6',
        'fault at page 4, error 7',
      ]);
    });

    test('clear_refs 1 makes it old; one of the PUD is split by the walk', () => {
      expect(after(writable, writes(3), clearRefs(1)).entries()).toEqual([
        'PMD of page 0: PWU-Ds frame 0',
      ]);
      expect(after(gigabyte, writes(3), clearRefs(4)).entries()).toEqual([]);
    });

    test('pagemap shows each of its pages present, with the soft-dirty bit of all', () => {
      expect(
        told(writable, writes(3), clearRefs(4), pagemap(0, 2), writes(4), pagemap(9, 1)),
      ).toEqual([
        'PMD of page 0: PWUADs frame 0',
        'fault at page 3, error 6',
        'pagemap flags 1',
        'pagemap flags 1',
        'fault at page 4, error 7',
        'pagemap flags 33',
      ]);
    });

    test('MADV_COLD passes it over, for no page of the kernel is behind it', () => {
      expect(after(writable, writes(3), cold(0, 512)).entries()).toEqual([
        'PMD of page 0: PWUADs frame 0',
      ]);
      expect(after(gigabyte, writes(3), cold(0, 512)).entries()).toEqual([]);
    });
  });
});

describe('the helpers of the series take a huge entry for a bad one', () => {
  const kernel = 'series-v2';

  test('it is cleared with a message, read-only as it may be', () => {
    const of = device(kernel);
    for (const helper of [wrprotect(kernel), clean(kernel)]) {
      expect(told(of, reads(3), helper)).toEqual(['fault at page 3, error 4', 'warning: bad pmd']);
    }
    expect(told({ ...of, level: 'pud' }, reads(3), wrprotect(kernel))).toEqual([
      'fault at page 3, error 4',
      'warning: bad pud',
    ]);
  });

  test('nothing is noted and nothing flushed: the CPU writes on through its TLB, and nobody is told', () => {
    const machine = after(device(kernel, { writes: true }), writes(3), clean(kernel), writes(3, 8));
    expect([...machine.entries(), ...machine.events]).toEqual([
      'fault at page 3, error 6',
      'warning: bad pmd',
    ]);
    expect(machine.k.the('scratch', 'huge_scratch').map.test(3)).toBe(false);
    expect(machine.k.events.slice().map(({ name }) => name)).toContain('tlb_stale');
  });

  test('where tables are to be made it is a BUG: the task stops for good, its locks held', () => {
    for (const [level, where] of [
      ['pmd', 'apply_to_pmd_range'],
      ['pud', 'apply_to_pud_range'],
    ] as const) {
      const machine = prepared(device(kernel, { writes: true, level }), [
        [writes(3), allocating, writes(4)],
      ]);
      const dead = () => machine.events.some((e) => e.startsWith('kernel BUG'));
      machine.until(0, dead).run();
      expect(machine.events).toEqual([
        'fault at page 3, error 6',
        `kernel BUG at mm/memory.c: BUG_ON(${level}_huge(*${level}))`,
      ]);
      expect(machine.stackOf(0)[0]).toBe(where);
      expect(machine.k.held(0).map(({ at: lock }) => machine.k.lockClass(lock))).toEqual([
        'mmap_sem',
      ]);
    }
  });
});

describe('the helpers of 6.1 pass a huge entry over', () => {
  const kernel = 'linux-6.1';

  test('a clean read-only one in silence', () => {
    for (const helper of [wrprotect(kernel), clean(kernel)]) {
      expect(told(device(kernel), reads(3), helper)).toEqual([
        'PMD of page 0: P-UA-- frame 0',
        'fault at page 3, error 4',
      ]);
    }
  });

  test('a writable or dirty one with a warning, at either level', () => {
    const of = device(kernel, { writes: true });
    for (const helper of [wrprotect(kernel), clean(kernel)]) {
      expect(told(of, reads(3), helper)).toEqual([
        'PMD of page 0: PWUA-- frame 0',
        'fault at page 3, error 4',
        'warning: wp_clean_pmd_entry() met a huge entry that is writable or dirty',
      ]);
      expect(told({ ...of, level: 'pud' }, writes(3), helper)).toEqual([
        'PUD of page 0: PWUADs frame 0',
        'fault at page 3, error 6',
        'warning: wp_clean_pud_entry() met a huge entry that is writable or dirty',
      ]);
    }
  });

  test('one that is gone when they look is looked at again, and the table that came in its place walked', () => {
    const machine = prepared(device(kernel), [[reads(3), writes(4)], [wrprotect(kernel)]]);
    const split = () => machine.events.length === 2 && machine.entries().length === 0;
    const walker = new Set<string>();
    machine.k.afterStep.push(() => {
      for (const name of machine.stackOf(1)) walker.add(name);
    });
    machine.until(0, () => machine.events.length === 2).until(1, 'wp_clean_pmd_entry');
    machine.until(0, split).until(1, 'walk_pmd_range');
    machine.until(0, () => machine.k.isFinished(0)).run();
    expect([...machine.entries(), ...machine.events]).toEqual([
      'PTE of page 4: P-UAD- frame 4',
      'fault at page 3, error 4',
      'fault at page 4, error 7',
    ]);
    expect(walker).toContain('walk_pte_range');
    expect(walker).not.toContain('__split_huge_pmd');
  });
});

describe('which mappings may have huge entries', () => {
  test('in 5.1 all whose driver makes them, in 6.1 none of a device but those of DAX', () => {
    const small = ['PTE of page 3: PWUA-- frame 3'];
    const huge = ['PMD of page 0: P-UA-- frame 0'];
    const entries = (of: Device) => after(of, reads(3)).entries();
    expect(entries({ kernel: 'series-v2' })).toEqual(huge);
    expect(entries({ kernel: 'linux-6.1' })).toEqual(small);
    expect(entries({ kernel: 'linux-6.1', dax: true })).toEqual(huge);
    expect(entries({ kernel: 'linux-6.1', with: ['huge-faults'] })).toEqual(huge);
  });

  test('a driver that falls back without splitting leaves a store of 5.1 faulting for ever', () => {
    const machine = prepared({ kernel: 'series-v2' }, [[reads(3), writes(4)]]);
    machine.until(0, () => machine.events.length === 20);
    expect(new Set(machine.events.slice(1))).toEqual(new Set(['fault at page 4, error 7']));
    const since57 = { kernel: 'series-v2', with: ['huge-faults'] } as const;
    expect(after(since57, reads(3), writes(4)).entries()).toEqual([
      'PTE of page 4: PWUAD- frame 4',
    ]);
  });
});
