// mm/mprotect.c: changing the protection of mappings and of the entries they have. Linux 6.1; under `series-v2` what 5.1
// does otherwise: which dirty entries become writable again, and a flush of the whole range. Left out: protection keys,
// NUMA hinting, userfaultfd. A huge entry of the PUD is a bad one to it, in 5.1 and in 6.1.
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_GLOBAL,
  _PAGE_PCD,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_PWT,
  _PAGE_RW,
  _PAGE_USER,
  PAGE_SIZE,
} from '../../hardware/pte';
import { routine } from '../../routine/routine';
import {
  bool,
  embed,
  type FieldsView,
  int,
  isNull,
  long,
  pte,
  ref,
  type Structs,
  type U64,
} from '../../state/layout';
import {
  pte_dirty,
  pte_mkwrite,
  pte_modify,
  pte_none,
  pte_present,
  pte_protnone,
  pte_soft_dirty,
  pte_write,
} from '../arch/x86/include/asm/pgtable';
import { flush_tlb_mm_range } from '../arch/x86/mm/tlb';
import { EACCES, EINVAL, ENOMEM } from '../include/linux/errno';
import {
  PG_anon,
  PG_anon_exclusive,
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_SHARED,
  VM_WRITE,
} from '../include/linux/mm';
import '../include/linux/mm_types';
import { current } from '../include/linux/sched';
import { __split_huge_pmd, change_huge_pmd } from './huge_memory';
import { vm_normal_page } from './memory';
import {
  __split_vma,
  calc_vm_prot_bits,
  find_vma,
  vma_merge,
  vma_set_page_prot,
  vma_soft_dirty_enabled,
  vma_wants_writenotify,
} from './mmap';
import {
  isVmaPfn,
  tlb_end_vma,
  tlb_finish_mmu,
  tlb_flush_mmu,
  tlb_gather_mmu,
  tlb_remove_tlb_entry,
} from './mmu_gather';
import {
  MMU_NOTIFY_PROTECTION_VMA,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from './mmu_notifier';
import {
  eachEntry,
  nextEntry,
  pgd_offset,
  ptl,
  rangeArgs,
  rangeLocals,
  rangeRoutine,
  wholeHuge,
} from './range';

const file = 'mm/mprotect.c';

/** mprotect(). What lies before a hole is changed, then it is -ENOMEM. Returns 0 or an error. */
export const do_mprotect_pkey = routine(
  file,
  'do_mprotect_pkey',
  {
    args: { start: long, len: long, prot: int },
    locals: {
      mm: ref('mm_struct'),
      tlb: embed('mmu_gather'),
      vma: ref('vm_area_struct'),
      end: long,
      tmp: long,
      newflags: int,
      err: int,
    },
    returns: int,
  },
  ({ step, atomic, variant, when, loop, leave, call, acquire, release, ret }) => [
    step('end = start + len', (f, k) => {
      f.mm = current(k).mm;
      f.end = f.start + Math.ceil(f.len / PAGE_SIZE) * PAGE_SIZE;
      if (f.start % PAGE_SIZE !== 0) f.err = -EINVAL;
    }),
    when('not a range', (f) => f.err !== 0, [ret('-EINVAL', (f) => f.err)]),
    when('!len', (f) => f.end === f.start, [ret('0', () => 0)]),
    acquire('down_write_killable(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    step('vma = find_vma(mm, start)', (f) => {
      f.vma = find_vma(f.mm, f.start);
      if (isNull(f.vma) || f.vma.vm_start > f.start) f.err = -ENOMEM;
    }),
    when('nothing is mapped there', (f) => f.err !== 0, [
      release('up_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
      ret('-ENOMEM', (f) => f.err),
    ]),
    call(tlb_gather_mmu, (f) => ({ tlb: f.tlb, mm: f.mm, fullmm: false })),
    loop('for each mapping', [
      step('newflags = calc_vm_prot_bits(prot) | what else the mapping has', (f) => {
        f.newflags = calc_vm_prot_bits(f.prot) | (f.vma.vm_flags & ~VM_ACCESS_FLAGS);
        f.tmp = Math.min(f.vma.vm_end, f.end);
        if ((f.newflags & ~(f.newflags >> 4) & VM_ACCESS_FLAGS) !== 0) f.err = -EACCES;
      }),
      when('the mapping may never have it', (f) => f.err !== 0, [leave()]),
      call(
        mprotect_fixup,
        (f) => ({ tlb: f.tlb, vma: f.vma, start: f.start, end: f.tmp, newflags: f.newflags }),
        'err',
      ),
      when('err', (f) => f.err !== 0, [leave()]),
      step('vma = find_vma(mm, nstart)', (f) => {
        const at = find_vma(f.mm, f.start);
        f.start = Math.max(f.tmp, at.vm_end);
        if (f.start >= f.end) return;
        f.vma = find_vma(f.mm, f.start);
        if (isNull(f.vma) || f.vma.vm_start !== f.start) f.err = -ENOMEM;
      }),
      when('the end, or a hole', (f) => f.start >= f.end || f.err !== 0, [leave()]),
    ]),
    variant(
      'bz-26',
      [
        call(tlb_flush_mmu, (f) => ({ tlb: f.tlb })),
        atomic('dec_tlb_flush_pending(tlb->mm)', (f) => {
          f.mm.tlb_flush_pending--;
        }),
      ],
      [call(tlb_finish_mmu, (f) => ({ tlb: f.tlb }))],
    ),
    release('up_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    ret('err', (f) => f.err),
  ],
);

/** Gives [start, end) of one mapping other flags, which may split or join it, and changes its entries. */
export const mprotect_fixup = routine(
  file,
  'mprotect_fixup',
  {
    args: {
      tlb: ref('mmu_gather'),
      vma: ref('vm_area_struct'),
      start: long,
      end: long,
      newflags: int,
    },
    locals: {
      merged: ref('vm_area_struct'),
      oldflags: int,
      split: bool,
      try_change_writable: bool,
      prot: pte,
      pgoff: int,
      err: int,
    },
    returns: int,
  },
  ({ step, when, call, ret }) => [
    step('oldflags = vma->vm_flags', (f) => {
      f.oldflags = f.vma.vm_flags;
      f.pgoff = f.vma.vm_pgoff + (f.start - f.vma.vm_start) / PAGE_SIZE;
    }),
    when('newflags == oldflags', (f) => f.newflags === f.oldflags, [ret('0', () => 0)]),
    step('a private mapping that becomes writable is accounted for', (f) => {
      const counted = (f.oldflags & (VM_ACCOUNT | VM_WRITE | VM_SHARED)) !== 0;
      if ((f.newflags & VM_WRITE) !== 0 && !counted) f.newflags |= VM_ACCOUNT;
    }),
    call(
      vma_merge,
      (f) => ({
        mm: f.vma.vm_mm,
        addr: f.start,
        end: f.end,
        vm_flags: f.newflags,
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
    step('vma->vm_flags = newflags; vma_set_page_prot(vma)', (f) => {
      const { vma } = f;
      vma.vm_flags = f.newflags;
      f.try_change_writable =
        (f.newflags & VM_SHARED) !== 0
          ? vma_wants_writenotify(vma, vma.vm_page_prot)
          : (f.newflags & VM_WRITE) !== 0;
      vma_set_page_prot(vma);
      f.prot = vma.vm_page_prot;
    }),
    call(change_protection, (f) => ({
      tlb: f.tlb,
      vma: f.vma,
      start: f.start,
      end: f.end,
      newprot: f.prot,
      try_change_writable: f.try_change_writable,
    })),
    ret('0', () => 0),
  ],
);

const change_args = {
  tlb: ref('mmu_gather'),
  vma: ref('vm_area_struct'),
  newprot: pte,
  try_change_writable: bool,
};
const changeDown = (f: FieldsView<typeof change_args>) => ({
  tlb: f.tlb,
  vma: f.vma,
  newprot: f.newprot,
  try_change_writable: f.try_change_writable,
});
const notified = (f: { vma: Structs['vm_area_struct']; start: number; end: number }) => ({
  mm: f.vma.vm_mm,
  event: MMU_NOTIFY_PROTECTION_VMA,
  start: f.start,
  end: f.end,
});

/** Changes the entries of [start, end) and flushes those that others may still hold. */
export const change_protection = routine(
  file,
  'change_protection',
  { args: { ...change_args, start: long, end: long } },
  ({ call, variant, when, ret }) => [
    call(mmu_notifier_invalidate_range_start, notified),
    call(change_protection_range, (f) => ({ ...changeDown(f), addr: f.start, end: f.end })),
    call(mmu_notifier_invalidate_range_end, notified),
    variant(
      'mm-6.1',
      [call(tlb_end_vma, (f) => ({ tlb: f.tlb }))],
      [
        when('pages', (f) => f.tlb.end > f.start, [
          call(flush_tlb_mm_range, (f) => ({
            mm: f.vma.vm_mm,
            start: f.start,
            end: f.end,
            freed_tables: false,
          })),
        ]),
      ],
    ),
    ret(),
  ],
);

export const change_protection_range = routine(
  file,
  'change_protection_range',
  {
    args: { ...change_args, addr: long, end: long },
    locals: { first: ref('pte_t'), ...rangeLocals },
  },
  (b) => [
    b.step('tlb_start_vma(tlb, vma); pgd = pgd_offset(vma->vm_mm, addr)', (f, k) => {
      f.tlb.vma_pfn = isVmaPfn(f.vma.vm_flags);
      f.first = pgd_offset(k, f.vma.vm_mm, f.addr);
    }),
    ...eachEntry(b, 0, { below: change_pud_range, args: changeDown }),
  ],
);

export const change_pud_range = rangeRoutine(file, 'change_pud_range', 1, change_args, () => ({
  below: change_pmd_range,
  args: changeDown,
}));

export const change_pmd_range = rangeRoutine(file, 'change_pmd_range', 2, change_args, () => ({
  below: change_pte_range,
  args: changeDown,
  huge: (b, reread) => [
    b.when(
      'next - addr == HPAGE_PMD_SIZE',
      wholeHuge(2),
      [
        b.call(
          change_huge_pmd,
          (f) => ({ tlb: f.tlb, vma: f.vma, entry: f.first, addr: f.addr, newprot: f.newprot }),
          'err',
        ),
        b.when('it was split meanwhile', (f) => f.err === 0, [reread]),
      ],
      [b.call(__split_huge_pmd, (f) => ({ vma: f.vma, entry: f.first, address: f.addr })), reread],
    ),
  ],
}));

/** The present entries of one table get the protection; some may keep or regain the write bit. */
export const change_pte_range = routine(
  file,
  'change_pte_range',
  {
    args: { ...change_args, ...rangeArgs },
    locals: { table: ref('pte_t'), oldpte: pte, ptent: pte, writable: int },
  },
  ({ step, atomic, when, loop, leave, call, acquire, release, ret }) => [
    step('pte = pte_offset_map(pmd, addr)', (f) => {
      f.table = f.first;
    }),
    acquire('spin_lock(ptl)', (f, k) => ptl(k, f.table)),
    loop('do', [
      step('oldpte = *pte', (f) => {
        f.oldpte = f.first.val;
      }),
      when('pte_present(oldpte)', (f) => pte_present(f.oldpte), [
        atomic('oldpte = ptep_modify_prot_start(vma, addr, pte)', (f) => {
          f.oldpte = f.first.val;
          f.first.val = { lo: 0, hi: 0 };
        }),
        step('ptent = pte_modify(oldpte, newprot)', (f) => {
          f.ptent = pte_modify(f.oldpte, f.newprot);
        }),
        when(
          'MM_CP_TRY_CHANGE_WRITABLE && !pte_write(ptent)',
          (f) => f.try_change_writable && !pte_write(f.ptent),
          [
            call(
              can_change_pte_writable,
              (f) => ({ vma: f.vma, addr: f.addr, pte: f.ptent }),
              'writable',
            ),
            when('writable', (f) => f.writable !== 0, [
              step('ptent = pte_mkwrite(ptent)', (f) => {
                f.ptent = pte_mkwrite(f.ptent);
              }),
            ]),
          ],
        ),
        step('ptep_modify_prot_commit(vma, addr, pte, oldpte, ptent)', (f) => {
          f.first.val = f.ptent;
          if (pte_needs_flush(f.oldpte, f.ptent)) tlb_remove_tlb_entry(f.tlb, f.addr, PAGE_SIZE);
        }),
      ]),
      step('pte++, addr += PAGE_SIZE', (f, k) => {
        f.first = nextEntry(k, f.first);
        f.addr += PAGE_SIZE;
      }),
      when('addr == end', (f) => f.addr === f.end, [leave()]),
    ]),
    release('pte_unmap_unlock(pte - 1, ptl)', (f, k) => ptl(k, f.table)),
    ret(),
  ],
);

/**
 * Whether an entry may be writable at once, without a fault that would tell about the write. A dirty entry of a shared
 * mapping is, although its driver wants to hear of the next write as of the first.
 */
export const can_change_pte_writable = routine(
  file,
  'can_change_pte_writable',
  {
    args: { vma: ref('vm_area_struct'), addr: long, pte },
    locals: { vm_flags: int, page: ref('page'), page_flags: int },
    returns: int,
  },
  ({ step, when, call, variant, ret }) => [
    step('vm_flags = vma->vm_flags', (f) => {
      f.vm_flags = f.vma.vm_flags;
    }),
    variant(
      'mprotect-escape',
      [],
      [
        when('vma->vm_flags & VM_SHARED', (f) => (f.vm_flags & VM_SHARED) !== 0, [
          ret('false', () => 0),
        ]),
      ],
    ),
    variant(
      'mm-6.1',
      [
        when(
          'pte_protnone(pte) || !pte_dirty(pte)',
          (f) => pte_protnone(f.pte) || !pte_dirty(f.pte),
          [ret('false', () => 0)],
        ),
        variant(
          'bz-29',
          [
            when(
              '(vma->vm_flags & VM_SOFTDIRTY) && !pte_soft_dirty(pte)',
              (f) => !vma_soft_dirty_enabled(f.vm_flags) && !pte_soft_dirty(f.pte),
              [ret('false', () => 0)],
            ),
          ],
          [
            when(
              'vma_soft_dirty_enabled(vma) && !pte_soft_dirty(pte)',
              (f) => vma_soft_dirty_enabled(f.vm_flags) && !pte_soft_dirty(f.pte),
              [ret('false', () => 0)],
            ),
          ],
        ),
        when('!(vma->vm_flags & VM_SHARED)', (f) => (f.vm_flags & VM_SHARED) === 0, [
          call(vm_normal_page, (f) => ({ vma: f.vma, addr: f.addr, pte: f.pte }), 'page'),
          when('!page', (f) => isNull(f.page), [ret('false', () => 0)]),
          step('PageAnon(page) && PageAnonExclusive(page)', (f) => {
            f.page_flags = f.page.flags;
          }),
          when('not ours alone', (f) => !isOurs(f.page_flags), [ret('false', () => 0)]),
        ]),
        ret('true', () => 1),
      ],
      [
        // 5.1: only for what the mapping wants to be told of, and not where soft-dirty waits for the first write: of
        // that its condition said the opposite.
        variant(
          'bz-29',
          [
            ret(
              'pte_dirty(pte) && (pte_soft_dirty(pte) || !(vma->vm_flags & VM_SOFTDIRTY))',
              (f) =>
                isKnownDirty(f) && (pte_soft_dirty(f.pte) || vma_soft_dirty_enabled(f.vm_flags))
                  ? 1
                  : 0,
            ),
          ],
          [
            ret('pte_dirty(pte) && (pte_soft_dirty(pte) || vma->vm_flags & VM_SOFTDIRTY)', (f) =>
              isKnownDirty(f) && (pte_soft_dirty(f.pte) || !vma_soft_dirty_enabled(f.vm_flags))
                ? 1
                : 0,
            ),
          ],
        ),
      ],
    ),
  ],
);

const isKnownDirty = (f: { vm_flags: number; pte: U64 }): boolean =>
  (f.vm_flags & VM_SHARED) !== 0 && pte_dirty(f.pte);

const isOurs = (flags: number): boolean =>
  (flags & (PG_anon | PG_anon_exclusive)) === (PG_anon | PG_anon_exclusive);

/** Whether a CPU could still do with the old entry what the new one forbids. */
export function pte_needs_flush(oldpte: U64, newpte: U64): boolean {
  if ((oldpte.lo & _PAGE_PRESENT) === 0) return false;
  const changed = (oldpte.lo ^ newpte.lo) & ~_PAGE_ACCESSED;
  if ((changed & oldpte.lo & (_PAGE_DIRTY | _PAGE_PRESENT)) !== 0) return true;
  const matters = _PAGE_RW | _PAGE_USER | _PAGE_PWT | _PAGE_PCD | _PAGE_PSE | _PAGE_GLOBAL;
  return (changed & matters) !== 0 || oldpte.hi !== newpte.hi || pte_none(newpte);
}
