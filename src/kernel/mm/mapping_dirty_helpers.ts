// mm/mapping_dirty_helpers.c (Linux 5.5 to 6.1): write-protecting and cleaning the entries of all shared mappings of an
// address_space, as callbacks of a page walk. What became of mm/as_dirty_helpers.c when it was merged.
import { _PAGE_DIRTY, _PAGE_RW, PAGE_SIZE } from '../../hardware/pte';
import { type AnyBuilder, type Node, routine } from '../../routine/routine';
import {
  bool,
  embed,
  int,
  long,
  pte,
  ref,
  type Structs,
  struct,
  type U64,
  type View,
} from '../../state/layout';
import type { StaticSize } from '../../state/objects';
import {
  pmd_trans_huge,
  pte_dirty,
  pte_mkclean,
  pte_none,
  pte_write,
  pte_wrprotect,
} from '../arch/x86/include/asm/pgtable';
import { flush_tlb_mm_range } from '../arch/x86/mm/tlb';
import { WARN_HUGE_PUD_WRITABLE, WARN_HUGE_WRITABLE, warn } from '../include/asm-generic/bug';
import { VM_HUGETLB, VM_MAYWRITE, VM_SHARED } from '../include/linux/mm';
import '../include/linux/mm_types';
import { takeBit } from './burst';
import { linear_page_index } from './memory';
import {
  MMU_NOTIFY_PROTECTION_PAGE,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from './mmu_notifier';
import {
  ACTION_AGAIN,
  ACTION_CONTINUE,
  ACTION_SUBTREE,
  mm_walk_ops,
  walk_page_mapping,
} from './pagewalk';
import { ptl } from './range';

const file = 'mm/mapping_dirty_helpers.c';

/** What a walk has found: how many entries, and between which addresses of the present mapping. */
export const wp_walk = struct('wp_walk', {
  own: { start: long, end: long, tlbflush_start: long, tlbflush_end: long, total: int },
});

/** With a bitmap that records what was dirty; bit 0 is page `bitmap_pgoff`. */
export const clean_walk = struct('clean_walk', {
  own: {
    base: embed('wp_walk'),
    bitmap_pgoff: int,
    bitmap: ref('bitmap_t'),
    start: int,
    end: int,
  },
});

declare module '../../state/layout' {
  interface Structs {
    wp_walk: View<typeof wp_walk>;
    clean_walk: View<typeof clean_walk>;
  }
}

const entry_args = { pte: ref('pte_t'), addr: long, next: long, walk: ref('mm_walk') };
const vma_args = { start: long, end: long, walk: ref('mm_walk') };

/** Counts entries, `first` to `last` and others in between, and widens the range to flush by their pages. */
function widen(wpwalk: Structs['wp_walk'], first: number, last = first, count = 1): void {
  wpwalk.total += count;
  wpwalk.tlbflush_start = Math.min(wpwalk.tlbflush_start, first);
  wpwalk.tlbflush_end = Math.max(wpwalk.tlbflush_end, last + PAGE_SIZE);
}

/** Notes pages, `first` to `last` and others in between, that were dirty; their bits are in the bitmap. */
function record(cwalk: Structs['clean_walk'], first: number, last = first): void {
  cwalk.start = Math.min(cwalk.start, first);
  cwalk.end = Math.max(cwalk.end, last + 1);
}

const bitOf = (cwalk: Structs['clean_walk'], vma: Structs['vm_area_struct'], addr: number) =>
  linear_page_index(vma, addr) - cwalk.bitmap_pgoff;

/** Takes the entry out and reads it in one, so that no dirty bit that a CPU sets meanwhile is overwritten. */
const takeOut = (atomic: AnyBuilder['atomic']): Node =>
  atomic(
    'old_pte = ptep_modify_prot_start(vma, addr, pte)',
    (f: { readonly pte: Structs['pte_t']; ptent: U64 }) => {
      f.ptent = f.pte.val;
      f.pte.val = { lo: 0, hi: 0 };
    },
  );

/** Write-protects an entry if it is writable. Between start and commit the entry is none. */
export const wp_pte = routine(
  file,
  'wp_pte',
  { args: entry_args, locals: { ptent: pte }, returns: int },
  ({ step, atomic, when, ret, variant, repeated }) => [
    step('ptent = *pte', (f) => {
      f.ptent = f.pte.val;
    }),
    when('pte_write(ptent)', (f) => pte_write(f.ptent), [
      variant('bz-33', [], [takeOut(atomic)]),
      variant('bz-32', [
        step('old_pte = pte_mkclean(old_pte)', (f) => {
          f.ptent = pte_mkclean(f.ptent);
        }),
      ]),
      step('ptep_modify_prot_commit(vma, addr, pte, old_pte, pte_wrprotect(old_pte))', (f, k) => {
        f.pte.val = pte_wrprotect(f.ptent);
        widen(k.view('wp_walk', f.walk.private), f.addr);
      }),
    ]),
    ret('0', () => 0),
    variant(
      'bz-32',
      [],
      [
        repeated(({ walk }, entries, k) => {
          const { first, last, count } = takeBit(k, entries, _PAGE_RW);
          if (count > 0) widen(k.view('wp_walk', walk.private), first, last, count);
          return count;
        }),
      ],
    ),
  ],
);

/** Cleans an entry if it is dirty, and records its page. */
export const clean_record_pte = routine(
  file,
  'clean_record_pte',
  { args: entry_args, locals: { ptent: pte, pgoff: int }, returns: int },
  ({ step, atomic, when, ret, variant, repeated }) => [
    step('ptent = *pte', (f) => {
      f.ptent = f.pte.val;
    }),
    when('pte_dirty(ptent)', (f) => pte_dirty(f.ptent), [
      variant('bz-33', [], [takeOut(atomic)]),
      step('ptep_modify_prot_commit(vma, addr, pte, old_pte, pte_mkclean(old_pte))', (f, k) => {
        f.pte.val = pte_mkclean(f.ptent);
        widen(k.view('wp_walk', f.walk.private), f.addr);
      }),
      step('pgoff = linear_page_index(vma, addr) - cwalk->bitmap_pgoff', (f, k) => {
        const cwalk = k.view('clean_walk', f.walk.private);
        f.pgoff = bitOf(cwalk, f.walk.vma, f.addr);
      }),
      step('__set_bit(pgoff, cwalk->bitmap)', (f, k) => {
        const cwalk = k.view('clean_walk', f.walk.private);
        cwalk.bitmap.map.set(f.pgoff);
        record(cwalk, f.pgoff);
      }),
    ]),
    ret('0', () => 0),
    repeated(({ walk }, entries, k) => {
      const cwalk = k.view('clean_walk', walk.private);
      const noted = { bitmap: cwalk.bitmap.map, origin: bitOf(cwalk, walk.vma, 0) };
      const { first, last, count } = takeBit(k, entries, _PAGE_DIRTY, noted);
      if (count > 0) {
        widen(cwalk.base, first, last, count);
        record(cwalk, bitOf(cwalk, walk.vma, first), bitOf(cwalk, walk.vma, last));
      }
      return count;
    }),
  ],
);

/** Records the page of a dirty entry, which stays so (bz-22). */
export const record_pte = routine(
  file,
  'record_pte',
  { args: entry_args, locals: { ptent: pte, pgoff: int }, returns: int },
  ({ step, when, ret }) => [
    step('ptent = *pte', (f) => {
      f.ptent = f.pte.val;
    }),
    when('pte_dirty(ptent)', (f) => pte_dirty(f.ptent), [
      step('pgoff = linear_page_index(vma, addr) - cwalk->bitmap_pgoff', (f, k) => {
        f.pgoff = bitOf(k.view('clean_walk', f.walk.private), f.walk.vma, f.addr);
      }),
      step('__set_bit(pgoff, cwalk->bitmap)', (f, k) => {
        const cwalk = k.view('clean_walk', f.walk.private);
        cwalk.bitmap.map.set(f.pgoff);
        record(cwalk, f.pgoff);
      }),
    ]),
    ret('0', () => 0),
  ],
);

/** Cleans an entry, whose page has been recorded before (bz-22). */
export const forget_pte = routine(
  file,
  'forget_pte',
  { args: entry_args, returns: int },
  ({ atomic, ret }) => [
    atomic('if (pte_dirty(*pte)) *pte = pte_mkclean(*pte)', (f, k) => {
      if (!pte_dirty(f.pte.val)) return;
      f.pte.val = pte_mkclean(f.pte.val);
      widen(k.view('wp_walk', f.walk.private), f.addr);
    }),
    ret('0', () => 0),
  ],
);

/**
 * A huge entry is never split, for that would lose its dirty bit: it is passed over, with a warning if it matters. One
 * that has become none since the walk read it is looked at again. The cure, without `huge-skipped`: who cleans takes it
 * out, its pages noted.
 */
function hugeEntry(name: 'pmd' | 'pud', where: number) {
  return routine(
    file,
    `wp_clean_${name}_entry`,
    { args: entry_args, locals: { entry: pte, cleans: bool }, returns: int },
    ({ step, atomic, when, acquire, release, ret, variant, repeated }) => {
      const matters = ({ lo }: U64): boolean => (lo & (_PAGE_RW | _PAGE_DIRTY)) !== 0;
      const skip = step('walk->action = ACTION_CONTINUE', (f, k) => {
        f.walk.action = ACTION_CONTINUE;
        if (matters(f.entry)) k.emit(warn, { where });
      });
      const warned = step('WARN_ON(write || dirty)', (f, k) => {
        if (matters(f.entry)) k.emit(warn, { where });
      });
      const collect = [
        acquire(`ptl = ${name}_lock(walk->mm, ${name})`, (f, k) => ptl(k, f.pte)),
        atomic(
          `if (${name}_trans_huge(*${name})) ${name}p_huge_get_and_clear(mm, addr, ${name})`,
          (f, k) => {
            f.entry = f.pte.val;
            f.cleans = pmd_trans_huge(f.entry);
            f.walk.action = f.cleans ? ACTION_CONTINUE : ACTION_AGAIN;
            if (!f.cleans) return;
            f.pte.val = { lo: 0, hi: 0 };
            widen(k.view('wp_walk', f.walk.private), f.addr, f.next - PAGE_SIZE);
          },
        ),
        step('its pages are noted if it was dirty', (f, k) => {
          if (!f.cleans || !pte_dirty(f.entry)) return;
          const cwalk = k.view('clean_walk', f.walk.private);
          const first = bitOf(cwalk, f.walk.vma, f.addr);
          const last = bitOf(cwalk, f.walk.vma, f.next - PAGE_SIZE);
          for (let bit = first; bit <= last; bit++) cwalk.bitmap.map.set(bit);
          record(cwalk, first, last);
        }),
        release('spin_unlock(ptl)', (f, k) => ptl(k, f.pte)),
      ];
      const maySkip = variant(
        'huge-skipped',
        [skip],
        [when('it is to be cleaned', (f) => f.cleans, collect, [skip])],
      );
      const passed = repeated(({ walk }) => {
        walk.action = ACTION_SUBTREE; // bursts end at huge entries
        return 0;
      });
      return [
        step('*entry', (f, k) => {
          f.entry = f.pte.val;
          f.walk.action = pte_none(f.entry) ? ACTION_AGAIN : ACTION_SUBTREE;
          const cleans = f.walk.ops.at === k.the('clean_walk_ops', 'mm_walk_ops').at;
          f.cleans = cleans && matters(f.entry);
        }),
        when('a huge entry', (f) => pmd_trans_huge(f.entry), [
          variant('bz-21', [warned], [variant('huge-faults', [maySkip], [skip])]),
        ]),
        ret('0', () => 0),
        variant('huge-faults', [variant('huge-skipped', [passed])], [passed]),
      ];
    },
  );
}

export const wp_clean_pud_entry = hugeEntry('pud', WARN_HUGE_PUD_WRITABLE);
export const wp_clean_pmd_entry = hugeEntry('pmd', WARN_HUGE_WRITABLE);

/** Only shared mappings that may be written count; mmap_sem is not held, so the flags are advisory. */
export const wp_clean_test_walk = routine(
  file,
  'wp_clean_test_walk',
  { args: vma_args, locals: { vm_flags: int }, returns: int },
  ({ unlocked, ret }) => [
    unlocked('vm_flags = READ_ONCE(walk->vma->vm_flags)', (f) => {
      f.vm_flags = f.walk.vma.vm_flags;
    }),
    ret('whether the mapping is not shared or never writable', (f) =>
      (f.vm_flags & (VM_SHARED | VM_MAYWRITE | VM_HUGETLB)) !== (VM_SHARED | VM_MAYWRITE) ? 1 : 0,
    ),
  ],
);

export const wp_clean_pre_vma = routine(
  file,
  'wp_clean_pre_vma',
  { args: vma_args, returns: int },
  ({ step, atomic, call, ret }) => [
    step('wpwalk->tlbflush_start = end; wpwalk->tlbflush_end = start', (f, k) => {
      const wpwalk = k.view('wp_walk', f.walk.private);
      wpwalk.start = f.start;
      wpwalk.end = f.end;
      wpwalk.tlbflush_start = f.end;
      wpwalk.tlbflush_end = f.start;
    }),
    call(mmu_notifier_invalidate_range_start, (f) => ({
      mm: f.walk.mm,
      event: MMU_NOTIFY_PROTECTION_PAGE,
      start: f.start,
      end: f.end,
    })),
    atomic('inc_tlb_flush_pending(walk->mm)', (f) => {
      f.walk.mm.tlb_flush_pending++;
    }),
    ret('0', () => 0),
  ],
);

/** Flushes what was changed; all of the range if somebody else's flush is still to come, for that may be of ours. */
export const wp_clean_post_vma = routine(
  file,
  'wp_clean_post_vma',
  {
    args: { walk: ref('mm_walk') },
    locals: { start: long, end: long, from: long, to: long },
  },
  ({ step, atomic, when, call, variant }) => [
    step('the range to flush', (f, k) => {
      const wpwalk = k.view('wp_walk', f.walk.private);
      f.start = wpwalk.start;
      f.end = wpwalk.end;
      f.from = wpwalk.tlbflush_start;
      f.to = wpwalk.tlbflush_end;
    }),
    variant(
      'hz-4',
      [],
      [
        step('mm_tlb_flush_nested(walk->mm)', (f) => {
          if (f.walk.mm.tlb_flush_pending > 1) wholeRange(f);
        }),
      ],
    ),
    variant(
      'bz-35',
      [],
      [
        step('all of what was write-protected', (f, k) => {
          if (f.walk.ops.at === k.the('wp_walk_ops', 'mm_walk_ops').at) wholeRange(f);
        }),
      ],
    ),
    variant('no-clean-flush', [
      step('forget the range if it was cleaned', (f, k) => {
        if (f.walk.ops.at === k.the('clean_walk_ops', 'mm_walk_ops').at) f.to = f.from;
      }),
    ]),
    when('wpwalk->tlbflush_end > wpwalk->tlbflush_start', (f) => f.to > f.from, [
      call(flush_tlb_mm_range, (f) => ({
        mm: f.walk.mm,
        start: f.from,
        end: f.to,
        freed_tables: false,
      })),
    ]),
    call(mmu_notifier_invalidate_range_end, (f) => ({
      mm: f.walk.mm,
      event: MMU_NOTIFY_PROTECTION_PAGE,
      start: f.start,
      end: f.end,
    })),
    atomic('dec_tlb_flush_pending(walk->mm)', (f) => {
      f.walk.mm.tlb_flush_pending--;
    }),
  ],
);

/** Flushes all that was walked, whatever was changed. */
function wholeRange(f: { start: number; end: number; from: number; to: number }): void {
  f.from = f.start;
  f.to = f.end;
}

const range_args = { mapping: ref('address_space'), first_index: int, nr: int };

/** Write-protects pages [first_index, first_index + nr) in all mappings; returns how many entries were writable. */
export const wp_shared_mapping_range = routine(
  file,
  'wp_shared_mapping_range',
  {
    args: range_args,
    locals: { wpwalk: embed('wp_walk'), walk: embed('mm_walk'), err: int },
    returns: int,
  },
  ({ step, call, acquire, release, ret }) => [
    acquire('i_mmap_lock_read(mapping)', (f) => f.mapping.i_mmap_rwsem, { mode: 'read' }),
    step('walk.ops = &wp_walk_ops', (f, k) => {
      f.walk.ops = k.the('wp_walk_ops', 'mm_walk_ops');
      f.walk.private = f.wpwalk.at;
    }),
    call(
      walk_page_mapping,
      (f) => ({ mapping: f.mapping, first_index: f.first_index, nr: f.nr, walk: f.walk }),
      'err',
    ),
    release('i_mmap_unlock_read(mapping)', (f) => f.mapping.i_mmap_rwsem),
    ret('wpwalk.total', (f) => f.wpwalk.total),
  ],
);

/**
 * Cleans pages [first_index, first_index + nr) in all mappings and records in the bitmap, whose bit 0 is page
 * `bitmap_pgoff`, those that were dirty; [*start, *end) grows to hold them. Returns how many entries were dirty.
 */
export const clean_record_shared_mapping_range = routine(
  file,
  'clean_record_shared_mapping_range',
  {
    args: {
      ...range_args,
      bitmap_pgoff: int,
      bitmap: ref('bitmap_t'),
      start: ref('pgoff_t'),
      end: ref('pgoff_t'),
    },
    locals: { cwalk: embed('clean_walk'), walk: embed('mm_walk'), err: int },
    returns: int,
  },
  ({ step, call, acquire, release, variant, ret }) => [
    step('none_set = *start >= *end', (f, k) => {
      const { cwalk } = f;
      const none_set = f.start.val >= f.end.val;
      cwalk.bitmap_pgoff = f.bitmap_pgoff;
      cwalk.bitmap = f.bitmap;
      cwalk.start = none_set ? f.nr : f.start.val;
      cwalk.end = none_set ? 0 : f.end.val;
      f.walk.ops = k.the('clean_walk_ops', 'mm_walk_ops');
      f.walk.private = cwalk.at;
    }),
    acquire('i_mmap_lock_read(mapping)', (f) => f.mapping.i_mmap_rwsem, { mode: 'read' }),
    variant('bz-22', [
      step('walk.ops = &record_walk_ops', (f, k) => {
        f.walk.ops = k.the('record_walk_ops', 'mm_walk_ops');
      }),
      call(walk_page_mapping, ofWalk, 'err'),
      step('walk.ops = &forget_walk_ops', (f, k) => {
        f.walk.ops = k.the('forget_walk_ops', 'mm_walk_ops');
      }),
    ]),
    call(walk_page_mapping, ofWalk, 'err'),
    release('i_mmap_unlock_read(mapping)', (f) => f.mapping.i_mmap_rwsem),
    step('*start = cwalk.start; *end = cwalk.end', (f) => {
      f.start.val = f.cwalk.start;
      f.end.val = f.cwalk.end;
    }),
    ret('cwalk.base.total', (f) => f.cwalk.base.total),
  ],
);

interface Walked {
  readonly mapping: Structs['address_space'];
  readonly first_index: number;
  readonly nr: number;
  readonly walk: Structs['mm_walk'];
}

const ofWalk = ({ mapping, first_index, nr, walk }: Walked) => ({ mapping, first_index, nr, walk });

const walk_ops = {
  test_walk: wp_clean_test_walk,
  pud_entry: wp_clean_pud_entry,
  pmd_entry: wp_clean_pmd_entry,
  pre_vma: wp_clean_pre_vma,
  post_vma: wp_clean_post_vma,
};

/** The tables of callbacks: statics of a machine that has these helpers. */
export const mapping_dirty_statics: readonly StaticSize[] = [
  { name: 'wp_walk_ops', struct: mm_walk_ops, initial: { ...walk_ops, pte_entry: wp_pte } },
  {
    name: 'clean_walk_ops',
    struct: mm_walk_ops,
    initial: { ...walk_ops, pte_entry: clean_record_pte },
  },
  {
    name: 'record_walk_ops',
    struct: mm_walk_ops,
    initial: { ...walk_ops, pte_entry: record_pte },
  },
  {
    name: 'forget_walk_ops',
    struct: mm_walk_ops,
    initial: { ...walk_ops, pte_entry: forget_pte },
  },
];
