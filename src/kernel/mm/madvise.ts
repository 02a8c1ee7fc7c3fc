// mm/madvise.c (Linux 6.1): advice about mappings of files. Left out: advice about memory that can be reclaimed, merged
// or is huge, but for MADV_COLD, holes in files, and error injection. MADV_COLD passes huge entries of the PMD over, for
// it finds no page of the kernel's behind those of a device, and splits those of the PUD.
import { PAGE_SIZE } from '../../hardware/pte';
import { routine } from '../../routine/routine';
import { bool, embed, type FieldsView, int, isNull, long, pte, ref } from '../../state/layout';
import { pte_mkold, pte_present, pte_young } from '../arch/x86/include/asm/pgtable';
import { EINVAL, ENOMEM } from '../include/linux/errno';
import {
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_SEQ_READ,
  VM_SPECIAL,
} from '../include/linux/mm';
import '../include/linux/mm_types';
import { current } from '../include/linux/sched';
import { madvise_populate } from './gup';
import { __split_huge_pud } from './huge_memory';
import { vm_normal_page, zap_page_range_single } from './memory';
import { __split_vma, find_vma, vma_merge } from './mmap';
import { tlb_finish_mmu, tlb_gather_mmu, tlb_remove_tlb_entry } from './mmu_gather';
import {
  eachEntry,
  nextEntry,
  pgd_offset,
  ptl,
  rangeArgs,
  rangeLocals,
  rangeRoutine,
} from './range';

const file = 'mm/madvise.c';

export const MADV_NORMAL = 0;
export const MADV_RANDOM = 1;
export const MADV_SEQUENTIAL = 2;
export const MADV_WILLNEED = 3;
export const MADV_DONTNEED = 4;
export const MADV_FREE = 8;
export const MADV_DONTFORK = 10;
export const MADV_DOFORK = 11;
export const MADV_DONTDUMP = 16;
export const MADV_DODUMP = 17;
export const MADV_WIPEONFORK = 18;
export const MADV_KEEPONFORK = 19;
export const MADV_COLD = 20;
export const MADV_POPULATE_READ = 22;
export const MADV_POPULATE_WRITE = 23;

const known = new Set([
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_DONTFORK,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DODUMP,
  MADV_WIPEONFORK,
  MADV_KEEPONFORK,
  MADV_COLD,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
]);
const isPopulate = (behavior: number): boolean =>
  behavior === MADV_POPULATE_READ || behavior === MADV_POPULATE_WRITE;
/** Advice that is kept in the flags of the mapping. */
const changesFlags = (behavior: number): boolean =>
  behavior <= MADV_SEQUENTIAL ||
  [MADV_DONTFORK, MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP, MADV_KEEPONFORK].includes(behavior);

const range_args = { start: long, len: long, behavior: int };

/** madvise(). Holes are passed over, and -ENOMEM in the end. Returns 0 or an error. */
export const do_madvise = routine(
  file,
  'do_madvise',
  { args: range_args, locals: { mm: ref('mm_struct'), end: long, err: int }, returns: int },
  ({ step, when, call, acquire, release, ret }) => [
    step('madvise_behavior_valid(behavior)', (f, k) => {
      f.mm = current(k).mm;
      f.end = f.start + Math.ceil(f.len / PAGE_SIZE) * PAGE_SIZE;
      if (!known.has(f.behavior) || f.start % PAGE_SIZE !== 0) f.err = -EINVAL;
    }),
    when('not valid', (f) => f.err !== 0, [ret('-EINVAL', (f) => f.err)]),
    when('nothing', (f) => f.start === f.end, [ret('0', () => 0)]),
    when(
      'madvise_need_mmap_write(behavior)',
      (f) => changesFlags(f.behavior),
      [acquire('down_write_killable(&mm->mmap_sem)', (f) => f.mm.mmap_sem)],
      [acquire('down_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem, { mode: 'read' })],
    ),
    call(
      madvise_walk_vmas,
      (f) => ({ mm: f.mm, start: f.start, end: f.end, behavior: f.behavior }),
      'err',
    ),
    release('up_write or up_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    ret('err', (f) => f.err),
  ],
);

/** Advises every mapping of [start, end). */
export const madvise_walk_vmas = routine(
  file,
  'madvise_walk_vmas',
  {
    args: { mm: ref('mm_struct'), start: long, end: long, behavior: int },
    locals: { vma: ref('vm_area_struct'), tmp: long, unmapped_error: int, err: int, over: bool },
    returns: int,
  },
  ({ step, when, loop, leave, call, ret }) => [
    loop('for (;;)', [
      step('vma = find_vma(mm, start)', (f) => {
        f.vma = find_vma(f.mm, f.start);
        if (isNull(f.vma) || f.vma.vm_start > f.start) f.unmapped_error = -ENOMEM;
        f.over = isNull(f.vma);
        if (f.over) return;
        f.start = Math.max(f.start, f.vma.vm_start);
        f.tmp = Math.min(f.end, f.vma.vm_end);
        f.over = f.start >= f.end;
      }),
      when('none left', (f) => f.over, [leave()]),
      call(
        madvise_vma_behavior,
        (f) => ({ vma: f.vma, start: f.start, end: f.tmp, behavior: f.behavior }),
        'err',
      ),
      when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
      step('start = tmp', (f) => {
        f.start = f.tmp;
      }),
      when('start >= end', (f) => f.start >= f.end, [leave()]),
    ]),
    ret('unmapped_error', (f) => f.unmapped_error),
  ],
);

/** What an advice makes of flags; -EINVAL where it may not be given. */
function advised(vm_flags: number, behavior: number): number {
  switch (behavior) {
    case MADV_NORMAL:
      return vm_flags & ~(VM_RAND_READ | VM_SEQ_READ);
    case MADV_RANDOM:
      return (vm_flags & ~VM_SEQ_READ) | VM_RAND_READ;
    case MADV_SEQUENTIAL:
      return (vm_flags & ~VM_RAND_READ) | VM_SEQ_READ;
    case MADV_DONTFORK:
      return vm_flags | VM_DONTCOPY;
    case MADV_DOFORK:
      return vm_flags & ~VM_DONTCOPY;
    case MADV_DONTDUMP:
      return vm_flags | VM_DONTDUMP;
    case MADV_DODUMP:
      return vm_flags & ~VM_DONTDUMP;
    default:
      return vm_flags; // MADV_KEEPONFORK: no mapping of a file is wiped
  }
}

/** Whether an advice is refused for a mapping with these flags. */
function isRefused(vm_flags: number, behavior: number): boolean {
  if (behavior === MADV_DOFORK) return (vm_flags & VM_IO) !== 0;
  if (behavior === MADV_DODUMP) return (vm_flags & VM_SPECIAL) !== 0;
  // Anonymous mappings only, and there are none here.
  if (behavior === MADV_FREE || behavior === MADV_WIPEONFORK) return true;
  if (behavior === MADV_DONTNEED) return (vm_flags & (VM_PFNMAP | VM_LOCKED)) !== 0;
  if (behavior === MADV_COLD) return (vm_flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB)) !== 0;
  return false;
}

export const madvise_vma_behavior = routine(
  file,
  'madvise_vma_behavior',
  {
    args: { vma: ref('vm_area_struct'), start: long, end: long, behavior: int },
    locals: { vm_flags: int, err: int },
    returns: int,
  },
  ({ step, when, call, ret }) => [
    step('vma->vm_flags', (f) => {
      f.vm_flags = f.vma.vm_flags;
    }),
    when('not for such a mapping', (f) => isRefused(f.vm_flags, f.behavior), [
      ret('-EINVAL', () => -EINVAL),
    ]),
    when('MADV_DONTNEED', (f) => f.behavior === MADV_DONTNEED, [
      call(zap_page_range_single, (f) => ({
        vma: f.vma,
        address: f.start,
        end: f.end,
        even_cows: true,
      })),
    ]),
    when('MADV_COLD', (f) => f.behavior === MADV_COLD, [
      call(madvise_cold_page_range, (f) => ({ vma: f.vma, addr: f.start, end: f.end })),
    ]),
    when('MADV_POPULATE_READ, MADV_POPULATE_WRITE', (f) => isPopulate(f.behavior), [
      call(
        madvise_populate,
        (f) => ({
          mm: f.vma.vm_mm,
          start: f.start,
          end: f.end,
          write: f.behavior === MADV_POPULATE_WRITE,
        }),
        'err',
      ),
    ]),
    when('MADV_NORMAL and others that change flags', (f) => changesFlags(f.behavior), [
      call(
        madvise_update_vma,
        (f) => ({
          vma: f.vma,
          start: f.start,
          end: f.end,
          new_flags: advised(f.vm_flags, f.behavior),
        }),
        'err',
      ),
    ]),
    ret('err', (f) => f.err),
  ],
);

const cold_args = { tlb: ref('mmu_gather'), vma: ref('vm_area_struct') };
const coldDown = (f: FieldsView<typeof cold_args>) => ({ tlb: f.tlb, vma: f.vma });

/** Makes entries old whose pages nobody else maps. */
export const madvise_cold_page_range = routine(
  file,
  'madvise_cold_page_range',
  {
    args: { vma: ref('vm_area_struct'), addr: long, end: long },
    locals: { tlb: embed('mmu_gather'), first: ref('pte_t'), ...rangeLocals },
  },
  (b) => [
    b.call(tlb_gather_mmu, (f) => ({ tlb: f.tlb, mm: f.vma.vm_mm, fullmm: false })),
    b.step('pgd = pgd_offset(vma->vm_mm, addr)', (f, k) => {
      f.first = pgd_offset(k, f.vma.vm_mm, f.addr);
    }),
    ...eachEntry(b, 0, { below: madvise_cold_pud_range, args: coldDown }),
    b.call(tlb_finish_mmu, (f) => ({ tlb: f.tlb })),
    b.ret(),
  ],
);

const madvise_cold_pud_range = rangeRoutine(file, 'madvise_cold_pud_range', 1, cold_args, () => ({
  below: madvise_cold_pmd_range,
  args: coldDown,
  huge: (b, reread) => [
    b.call(__split_huge_pud, (f) => ({ vma: f.vma, entry: f.first, address: f.addr })),
    reread,
  ],
}));

const madvise_cold_pmd_range = rangeRoutine(file, 'madvise_cold_pmd_range', 2, cold_args, () => ({
  below: madvise_cold_pte_range,
  args: coldDown,
  huge: () => [],
}));

const madvise_cold_pte_range = routine(
  file,
  'madvise_cold_pte_range',
  {
    args: { ...cold_args, ...rangeArgs },
    locals: { table: ref('pte_t'), ptent: pte, page: ref('page'), mapcount: int },
  },
  ({ step, atomic, when, loop, leave, call, acquire, release }) => [
    step('orig_pte = pte_offset_map(pmd, addr)', (f) => {
      f.table = f.first;
    }),
    acquire('spin_lock(ptl)', (f, k) => ptl(k, f.table)),
    loop('for ( ; addr < end; pte++, addr += PAGE_SIZE)', [
      step('ptent = *pte', (f) => {
        f.ptent = f.first.val;
      }),
      when('pte_present(ptent)', (f) => pte_present(f.ptent), [
        call(vm_normal_page, (f) => ({ vma: f.vma, addr: f.addr, pte: f.ptent }), 'page'),
        when('page', (f) => !isNull(f.page), [
          step('page_mapcount(page)', (f) => {
            f.mapcount = f.page._mapcount;
          }),
          when('mapped once, and young', (f) => f.mapcount === 1 && pte_young(f.ptent), [
            atomic('ptent = ptep_get_and_clear_full(mm, addr, pte, tlb->fullmm)', (f) => {
              f.ptent = f.first.val;
              f.first.val = { lo: 0, hi: 0 };
            }),
            step('set_pte_at(mm, addr, pte, pte_mkold(ptent))', (f) => {
              f.first.val = pte_mkold(f.ptent);
              tlb_remove_tlb_entry(f.tlb, f.addr, PAGE_SIZE);
            }),
          ]),
        ]),
      ]),
      step('pte++, addr += PAGE_SIZE', (f, k) => {
        f.first = nextEntry(k, f.first);
        f.addr += PAGE_SIZE;
      }),
      when('addr == end', (f) => f.addr === f.end, [leave()]),
    ]),
    release('pte_unmap_unlock(orig_pte, ptl)', (f, k) => ptl(k, f.table)),
  ],
);

/** Gives [start, end) of a mapping other flags, which may split or join it. */
export const madvise_update_vma = routine(
  file,
  'madvise_update_vma',
  {
    args: { vma: ref('vm_area_struct'), start: long, end: long, new_flags: int },
    locals: { merged: ref('vm_area_struct'), old_flags: int, split: bool, pgoff: int, err: int },
    returns: int,
  },
  ({ step, when, call, ret }) => [
    step('new_flags == vma->vm_flags', (f) => {
      f.old_flags = f.vma.vm_flags;
      f.pgoff = f.vma.vm_pgoff + (f.start - f.vma.vm_start) / PAGE_SIZE;
    }),
    when('the same', (f) => f.old_flags === f.new_flags, [ret('0', () => 0)]),
    call(
      vma_merge,
      (f) => ({
        mm: f.vma.vm_mm,
        addr: f.start,
        end: f.end,
        vm_flags: f.new_flags,
        anon_vma: f.vma.anon_vma,
        file: f.vma.vm_file,
        pgoff: f.pgoff,
      }),
      'merged',
    ),
    when(
      'merged',
      (f) => !isNull(f.merged),
      [
        step('vma = merged', (f) => {
          f.vma = f.merged;
        }),
      ],
      [
        step('start != vma->vm_start', (f) => {
          f.split = f.start !== f.vma.vm_start;
        }),
        when('it begins before', (f) => f.split, [
          call(__split_vma, (f) => ({ vma: f.vma, addr: f.start, new_below: true }), 'err'),
          when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
        ]),
        step('end != vma->vm_end', (f) => {
          f.split = f.end !== f.vma.vm_end;
        }),
        when('it ends behind', (f) => f.split, [
          call(__split_vma, (f) => ({ vma: f.vma, addr: f.end, new_below: false }), 'err'),
          when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
        ]),
      ],
    ),
    step('vma->vm_flags = new_flags', (f) => {
      f.vma.vm_flags = f.new_flags;
    }),
    ret('0', () => 0),
  ],
);
