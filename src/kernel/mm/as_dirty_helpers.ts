// mm/as_dirty_helpers.c as posted in the series of April 2019 (v2): write-protecting and cleaning the entries of all
// shared writable mappings of an address_space, on apply_to_pfn_range(). Merged later as mm/mapping_dirty_helpers.c,
// on a page walk. Left out: flush_cache_range(), which does nothing on x86.
import { _PAGE_DIRTY, _PAGE_RW, PAGE_SIZE } from '../../hardware/pte';
import { type AnyBuilder, type Node, routine } from '../../routine/routine';
import {
  embed,
  int,
  isNull,
  long,
  pte,
  ref,
  type Structs,
  struct,
  type U64,
  type View,
} from '../../state/layout';
import { pte_dirty, pte_mkclean, pte_write, pte_wrprotect } from '../arch/x86/include/asm/pgtable';
import { flush_tlb_mm_range } from '../arch/x86/mm/tlb';
import { WARN_AS_DIRTY_NOT_IO, warn } from '../include/asm-generic/bug';
import { isSharedWritable, VM_HUGETLB, VM_IO } from '../include/linux/mm';
import '../include/linux/mm_types';
import { takeBit } from './burst';
import { clip, vma_interval_tree_iter_first, vma_interval_tree_iter_next } from './interval_tree';
import { apply_to_pfn_range, linear_page_index } from './memory';
import {
  MMU_NOTIFY_PROTECTION_PAGE,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from './mmu_notifier';

const file = 'mm/as_dirty_helpers.c';

/** What a walk over the mappings has found: how many entries, and between which addresses of the present one. */
export const apply_as = struct('apply_as', {
  own: {
    base: embed('pfn_range_apply'),
    vma: ref('vm_area_struct'),
    total: int,
    start: long,
    end: long,
  },
});

/** With a bitmap that records what was dirty; bit 0 is page `bitmap_pgoff`. */
export const apply_as_clean_s = struct('apply_as_clean', {
  own: {
    base: embed('apply_as'),
    bitmap_pgoff: int,
    bitmap: ref('bitmap_t'),
    start: int,
    end: int,
  },
});

declare module '../../state/layout' {
  interface Structs {
    apply_as: View<typeof apply_as>;
    apply_as_clean: View<typeof apply_as_clean_s>;
  }
}

const pte_args = { pte: ref('pte_t'), addr: long, closure: ref('pfn_range_apply') };

/** Counts entries, `first` to `last` and others in between, and widens the range to flush by their pages. */
function widen(aas: Structs['apply_as'], first: number, last = first, count = 1): void {
  aas.total += count;
  aas.start = Math.min(aas.start, first);
  aas.end = Math.max(aas.end, last + PAGE_SIZE);
}

/** Notes pages, `first` to `last` and others in between, that were dirty; their bits are in the bitmap. */
function record(clean: Structs['apply_as_clean'], first: number, last = first): void {
  clean.start = Math.min(clean.start, first);
  clean.end = Math.max(clean.end, last + 1);
}

const bitOf = (clean: Structs['apply_as_clean'], addr: number): number =>
  linear_page_index(clean.base.vma, addr) - clean.bitmap_pgoff;

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
export const apply_pt_wrprotect = routine(
  file,
  'apply_pt_wrprotect',
  { args: pte_args, locals: { ptent: pte }, returns: int },
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
        widen(k.view('apply_as', f.closure.at), f.addr);
      }),
    ]),
    ret('0', () => 0),
    variant(
      'bz-32',
      [],
      [
        repeated(({ closure }, entries, k) => {
          const { first, last, count } = takeBit(k, entries, _PAGE_RW);
          if (count > 0) widen(k.view('apply_as', closure.at), first, last, count);
          return count;
        }),
      ],
    ),
  ],
);

/** Cleans an entry if it is dirty, and records its page. */
export const apply_pt_clean = routine(
  file,
  'apply_pt_clean',
  { args: pte_args, locals: { ptent: pte, pgoff: int }, returns: int },
  ({ step, atomic, when, ret, variant, repeated }) => [
    step('ptent = *pte', (f) => {
      f.ptent = f.pte.val;
    }),
    when('pte_dirty(ptent)', (f) => pte_dirty(f.ptent), [
      variant('bz-33', [], [takeOut(atomic)]),
      step('ptep_modify_prot_commit(vma, addr, pte, old_pte, pte_mkclean(old_pte))', (f, k) => {
        f.pte.val = pte_mkclean(f.ptent);
        widen(k.view('apply_as', f.closure.at), f.addr);
      }),
      step('pgoff = linear_page_index(vma, addr) - clean->bitmap_pgoff', (f, k) => {
        const clean = k.view('apply_as_clean', f.closure.at);
        f.pgoff = bitOf(clean, f.addr);
      }),
      step('__set_bit(pgoff, clean->bitmap)', (f, k) => {
        const clean = k.view('apply_as_clean', f.closure.at);
        clean.bitmap.map.set(f.pgoff);
        record(clean, f.pgoff);
      }),
    ]),
    ret('0', () => 0),
    repeated(({ closure }, entries, k) => {
      const clean = k.view('apply_as_clean', closure.at);
      const noted = { bitmap: clean.bitmap.map, origin: bitOf(clean, 0) };
      const { first, last, count } = takeBit(k, entries, _PAGE_DIRTY, noted);
      if (count > 0) {
        widen(clean.base, first, last, count);
        record(clean, bitOf(clean, first), bitOf(clean, last));
      }
      return count;
    }),
  ],
);

/** Records the page of a dirty entry, which stays so (bz-22). */
export const apply_pt_record = routine(
  file,
  'apply_pt_record',
  { args: pte_args, locals: { ptent: pte, pgoff: int }, returns: int },
  ({ step, when, ret }) => [
    step('ptent = *pte', (f) => {
      f.ptent = f.pte.val;
    }),
    when('pte_dirty(ptent)', (f) => pte_dirty(f.ptent), [
      step('pgoff = linear_page_index(vma, addr) - clean->bitmap_pgoff', (f, k) => {
        f.pgoff = bitOf(k.view('apply_as_clean', f.closure.at), f.addr);
      }),
      step('__set_bit(pgoff, clean->bitmap)', (f, k) => {
        const clean = k.view('apply_as_clean', f.closure.at);
        clean.bitmap.map.set(f.pgoff);
        record(clean, f.pgoff);
      }),
    ]),
    ret('0', () => 0),
  ],
);

/** Cleans an entry, whose page has been recorded before (bz-22). */
export const apply_pt_forget = routine(
  file,
  'apply_pt_forget',
  { args: pte_args, returns: int },
  ({ atomic, ret }) => [
    atomic('if (pte_dirty(*pte)) *pte = pte_mkclean(*pte)', (f, k) => {
      if (!pte_dirty(f.pte.val)) return;
      f.pte.val = pte_mkclean(f.pte.val);
      widen(k.view('apply_as', f.closure.at), f.addr);
    }),
    ret('0', () => 0),
  ],
);

/**
 * Applies the function of `aas` to pages [first_index, first_index + nr) in every shared writable mapping that is there,
 * and flushes what it changed, mapping by mapping. mmap_sem is not held, so flags of a mapping are advisory.
 */
export const apply_as_range = routine(
  file,
  'apply_as_range',
  {
    args: { mapping: ref('address_space'), aas: ref('apply_as'), first_index: int, nr: int },
    locals: { vma: ref('vm_area_struct'), vm_flags: int, start: long, end: long, err: int },
  },
  ({ step, atomic, unlocked, when, loop, leave, call, acquire, release, variant }) => [
    acquire('i_mmap_lock_read(mapping)', (f) => f.mapping.i_mmap_rwsem, { mode: 'read' }),
    step('vma = vma_interval_tree_iter_first(&mapping->i_mmap, first, last)', (f) => {
      const last = f.first_index + f.nr - 1;
      f.vma = vma_interval_tree_iter_first(f.mapping, f.first_index, last);
    }),
    loop('vma_interval_tree_foreach(vma)', [
      when('!vma', (f) => isNull(f.vma), [leave()]),
      unlocked('vm_flags = READ_ONCE(vma->vm_flags); clip to the vma', (f) => {
        f.vm_flags = f.vma.vm_flags;
        ({ start: f.start, end: f.end } = clip(f.vma, f.first_index, f.nr));
      }),
      when('the mapping is shared and writable', (f) => isSharedWritable(f.vm_flags), [
        when('WARN_ON((vm_flags & (VM_HUGETLB | VM_IO)) != VM_IO)', (f) => !isPlainIo(f.vm_flags), [
          step('warn', (_f, k) => k.emit(warn, { where: WARN_AS_DIRTY_NOT_IO })),
        ]),
        when('start < end', (f) => isPlainIo(f.vm_flags) && f.start < f.end, [
          step('aas->start = end; aas->end = start', (f) => {
            f.aas.base.mm = f.vma.vm_mm;
            f.aas.vma = f.vma;
            f.aas.start = f.end;
            f.aas.end = f.start;
          }),
          call(mmu_notifier_invalidate_range_start, notified),
          atomic('inc_tlb_flush_pending(mm)', (f) => {
            f.aas.base.mm.tlb_flush_pending++;
          }),
          call(
            apply_to_pfn_range,
            (f) => ({ closure: f.aas.base, addr: f.start, size: f.end - f.start }),
            'err',
          ),
          variant('no-clean-flush', [
            step('forget the range if it was cleaned', (f, k) => {
              if (f.aas.base.ptefn === k.fn(apply_pt_clean)) f.aas.end = f.aas.start;
            }),
          ]),
          variant(
            'hz-4',
            [],
            [
              step('mm_tlb_flush_nested(mm)', (f) => {
                if (f.aas.base.mm.tlb_flush_pending > 1) wholeRange(f);
              }),
            ],
          ),
          variant(
            'bz-35',
            [],
            [
              step('all of what was write-protected', (f, k) => {
                if (f.aas.base.ptefn === k.fn(apply_pt_wrprotect)) wholeRange(f);
              }),
            ],
          ),
          when('aas->end > aas->start', (f) => f.aas.end > f.aas.start, [
            call(flush_tlb_mm_range, (f) => ({
              mm: f.aas.base.mm,
              start: f.aas.start,
              end: f.aas.end,
              freed_tables: false,
            })),
          ]),
          call(mmu_notifier_invalidate_range_end, notified),
          atomic('dec_tlb_flush_pending(mm)', (f) => {
            f.aas.base.mm.tlb_flush_pending--;
          }),
        ]),
      ]),
      step('vma = vma_interval_tree_iter_next(vma, first, last)', (f) => {
        const last = f.first_index + f.nr - 1;
        f.vma = vma_interval_tree_iter_next(f.vma, f.first_index, last);
      }),
    ]),
    release('i_mmap_unlock_read(mapping)', (f) => f.mapping.i_mmap_rwsem),
  ],
);

/** Flushes all that was walked, whatever was changed. */
function wholeRange(f: { aas: Structs['apply_as']; start: number; end: number }): void {
  f.aas.start = f.start;
  f.aas.end = f.end;
}

const isPlainIo = (vm_flags: number): boolean => (vm_flags & (VM_HUGETLB | VM_IO)) === VM_IO;

const notified = (f: { vma: Structs['vm_area_struct']; start: number; end: number }) => ({
  mm: f.vma.vm_mm,
  event: MMU_NOTIFY_PROTECTION_PAGE,
  start: f.start,
  end: f.end,
});

const range_args = { mapping: ref('address_space'), first_index: int, nr: int };

/** Write-protects pages [first_index, first_index + nr) in all mappings; returns how many entries were writable. */
export const apply_as_wrprotect = routine(
  file,
  'apply_as_wrprotect',
  { args: range_args, locals: { aas: embed('apply_as') }, returns: int },
  ({ step, call, ret }) => [
    step('aas.base.ptefn = apply_pt_wrprotect', (f, k) => {
      f.aas.base.ptefn = k.fn(apply_pt_wrprotect);
    }),
    call(apply_as_range, (f) => ({
      mapping: f.mapping,
      aas: f.aas,
      first_index: f.first_index,
      nr: f.nr,
    })),
    ret('aas.total', (f) => f.aas.total),
  ],
);

/**
 * Cleans pages [first_index, first_index + nr) in all mappings and records in the bitmap, whose bit 0 is page
 * `bitmap_pgoff`, those that were dirty; [*start, *end) grows to hold them. Returns how many entries were dirty.
 */
export const apply_as_clean = routine(
  file,
  'apply_as_clean',
  {
    args: {
      ...range_args,
      bitmap_pgoff: int,
      bitmap: ref('bitmap_t'),
      start: ref('pgoff_t'),
      end: ref('pgoff_t'),
    },
    locals: { clean: embed('apply_as_clean') },
    returns: int,
  },
  ({ step, call, variant, ret }) => [
    step('none_set = *start >= *end', (f, k) => {
      const { clean } = f;
      const none_set = f.start.val >= f.end.val;
      clean.base.base.ptefn = k.fn(apply_pt_clean);
      clean.bitmap_pgoff = f.bitmap_pgoff;
      clean.bitmap = f.bitmap;
      clean.start = none_set ? f.nr : f.start.val;
      clean.end = none_set ? 0 : f.end.val;
    }),
    variant('bz-22', [
      step('clean.base.base.ptefn = apply_pt_record', (f, k) => {
        f.clean.base.base.ptefn = k.fn(apply_pt_record);
      }),
      call(apply_as_range, ofClean),
      step('clean.base.base.ptefn = apply_pt_forget', (f, k) => {
        f.clean.base.base.ptefn = k.fn(apply_pt_forget);
      }),
    ]),
    call(apply_as_range, ofClean),
    step('*start = clean.start; *end = clean.end', (f) => {
      f.start.val = f.clean.start;
      f.end.val = f.clean.end;
    }),
    ret('clean.base.total', (f) => f.clean.base.total),
  ],
);

interface Cleaned {
  readonly mapping: Structs['address_space'];
  readonly clean: Structs['apply_as_clean'];
  readonly first_index: number;
  readonly nr: number;
}

const ofClean = ({ mapping, clean, first_index, nr }: Cleaned) => ({
  mapping,
  aas: clean.base,
  first_index,
  nr,
});

/** What these files point to without calling it: roots of a program that has them. */
export const as_dirty_roots = [
  apply_pt_wrprotect,
  apply_pt_clean,
  apply_pt_record,
  apply_pt_forget,
];
