// fs/proc/task_mmu.c (Linux 6.1): clear_refs and pagemap. Left out: swap, frame numbers of pagemap, and that reading
// pagemap splits a huge entry of the PUD.
import { PAGE_SIZE } from '../../../hardware/pte';
import { routine } from '../../../routine/routine';
import { tracepoint } from '../../../state/events';
import {
  bool,
  embed,
  int,
  isNull,
  long,
  NULL,
  pte,
  ref,
  struct,
  type View,
} from '../../../state/layout';
import type { StaticSize } from '../../../state/objects';
import {
  pmd_trans_huge,
  pte_clear_soft_dirty,
  pte_mkold,
  pte_present,
  pte_soft_dirty,
  pte_wrprotect,
} from '../../arch/x86/include/asm/pgtable';
import { flush_tlb_mm_range } from '../../arch/x86/mm/tlb';
import { EINVAL } from '../../include/linux/errno';
import {
  PG_anon,
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_WRITE,
} from '../../include/linux/mm';
import '../../include/linux/mm_types';
import { current } from '../../include/linux/sched';
import { pmdp_invalidate } from '../../mm/huge_memory';
import { vm_normal_page, wholeMm } from '../../mm/memory';
import { find_vma, vma_set_page_prot } from '../../mm/mmap';
import {
  MMU_NOTIFY_SOFT_DIRTY,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from '../../mm/mmu_notifier';
import { mm_walk_ops, readEntry, walk_page_range } from '../../mm/pagewalk';
import { entryOffset, nextEntry, ptl } from '../../mm/range';

const file = 'fs/proc/task_mmu.c';

/** What is written to clear_refs. */
export const CLEAR_REFS_ALL = 1;
export const CLEAR_REFS_ANON = 2;
export const CLEAR_REFS_MAPPED = 3;
export const CLEAR_REFS_SOFT_DIRTY = 4;
const CLEAR_REFS_MM_HIWATER_RSS = 5;

export const clear_refs_private = struct('clear_refs_private', { own: { type: int } });

declare module '../../../state/layout' {
  interface Structs {
    clear_refs_private: View<typeof clear_refs_private>;
  }
}

const TASK_SIZE = 2 ** 47;
const of_mm = (f: { mm: { at: number } }) => ({
  mm: f.mm as never,
  event: MMU_NOTIFY_SOFT_DIRTY,
  start: 0,
  end: TASK_SIZE,
});

/** /proc/PID/clear_refs of the process with this address space. Returns 0 or -EINVAL. */
export const clear_refs_write = routine(
  file,
  'clear_refs_write',
  {
    args: { mm: ref('mm_struct'), type: int },
    locals: {
      cp: embed('clear_refs_private'),
      walk: embed('mm_walk'),
      err: int,
    },
    returns: int,
  },
  ({ step, atomic, when, call, acquire, release, variant, ret }) => [
    when('type < CLEAR_REFS_ALL || type >= CLEAR_REFS_LAST', (f) => isUnknown(f.type), [
      ret('-EINVAL', () => -EINVAL),
    ]),
    acquire('down_write_killable(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    when('type == CLEAR_REFS_MM_HIWATER_RSS', (f) => f.type === CLEAR_REFS_MM_HIWATER_RSS, [
      release('up_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
      ret('0', () => 0),
    ]),
    when('type == CLEAR_REFS_SOFT_DIRTY', (f) => f.type === CLEAR_REFS_SOFT_DIRTY, [
      step('vma->vm_flags &= ~VM_SOFTDIRTY; vma_set_page_prot(vma) for every mapping', (f) => {
        for (let vma = f.mm.mmap; !isNull(vma); vma = vma.vm_next) {
          if ((vma.vm_flags & VM_SOFTDIRTY) === 0) continue;
          vma.vm_flags &= ~VM_SOFTDIRTY;
          vma_set_page_prot(vma);
        }
      }),
      atomic('inc_tlb_flush_pending(mm)', (f) => {
        f.mm.tlb_flush_pending++;
      }),
      variant('bz-30', [], [call(mmu_notifier_invalidate_range_start, of_mm)]),
    ]),
    step('cp.type = type', (f, k) => {
      f.cp.type = f.type;
      f.walk.ops = k.the('clear_refs_walk_ops', 'mm_walk_ops');
      f.walk.private = f.cp.at;
    }),
    call(walk_page_range, (f) => ({ mm: f.mm, start: 0, end: TASK_SIZE, walk: f.walk }), 'err'),
    when('type == CLEAR_REFS_SOFT_DIRTY', (f) => f.type === CLEAR_REFS_SOFT_DIRTY, [
      variant('bz-30', [], [call(mmu_notifier_invalidate_range_end, of_mm)]),
      variant('bz-27', [], [call(flush_tlb_mm_range, (f) => wholeMm(f.mm))]),
      atomic('dec_tlb_flush_pending(mm)', (f) => {
        f.mm.tlb_flush_pending--;
      }),
    ]),
    release('up_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    ret('0', () => 0),
  ],
);

const isUnknown = (type: number): boolean =>
  type < CLEAR_REFS_ALL || type > CLEAR_REFS_MM_HIWATER_RSS;

/** Mappings of bare frames are passed over, and those that the type does not mean. */
export const clear_refs_test_walk = routine(
  file,
  'clear_refs_test_walk',
  {
    args: { start: long, end: long, walk: ref('mm_walk') },
    locals: { skip: bool },
    returns: int,
  },
  ({ step, ret }) => [
    step('vma->vm_flags & VM_PFNMAP', (f, k) => {
      const { type } = k.view('clear_refs_private', f.walk.private);
      const { vm_flags, vm_file } = f.walk.vma;
      f.skip =
        (vm_flags & VM_PFNMAP) !== 0 ||
        (type === CLEAR_REFS_ANON && !isNull(vm_file)) ||
        (type === CLEAR_REFS_MAPPED && isNull(vm_file));
    }),
    ret('whether to pass it over', (f) => (f.skip ? 1 : 0)),
  ],
);

/** The entries of one table: soft-dirty and write bits for type 4, else accessed bits of entries with a page. */
export const clear_refs_pte_range = routine(
  file,
  'clear_refs_pte_range',
  {
    args: { pte: ref('pte_t'), addr: long, next: long, walk: ref('mm_walk') },
    locals: {
      pmd: pte,
      ptep: ref('pte_t'),
      table: ref('pte_t'),
      type: int,
      entry: pte,
      page: ref('page'),
    },
    returns: int,
  },
  ({ step, atomic, when, loop, leave, call, acquire, release, ret }) => [
    step('*pmd', (f, k) => {
      f.type = k.view('clear_refs_private', f.walk.private).type;
      f.pmd = f.pte.val;
      if (!pmd_trans_huge(f.pmd)) f.ptep = entryOffset(k, f.pmd, f.addr, 3);
      f.table = f.ptep;
    }),
    when('pmd_trans_huge_lock(pmd, vma)', (f) => pmd_trans_huge(f.pmd), [
      acquire('ptl = pmd_lock(vma->vm_mm, pmd)', (f, k) => ptl(k, f.pte)),
      step('pmd_trans_huge(*pmd)', (f) => {
        f.pmd = f.pte.val;
      }),
      when('still huge, and present', (f) => pmd_trans_huge(f.pmd) && pte_present(f.pmd), [
        when(
          'cp->type == CLEAR_REFS_SOFT_DIRTY',
          (f) => f.type === CLEAR_REFS_SOFT_DIRTY,
          [
            call(
              pmdp_invalidate,
              (f) => ({ vma: f.walk.vma, address: f.addr, pmdp: f.pte }),
              'pmd',
            ),
            step('set_pmd_at(mm, addr, pmdp, pmd_clear_soft_dirty(pmd_wrprotect(pmd)))', (f) => {
              f.pte.val = pte_clear_soft_dirty(pte_wrprotect(f.pmd));
            }),
          ],
          [
            atomic('pmdp_test_and_clear_young(vma, addr, pmd)', (f) => {
              f.pte.val = pte_mkold(f.pte.val);
            }),
          ],
        ),
      ]),
      release('spin_unlock(ptl)', (f, k) => ptl(k, f.pte)),
      ret('0', () => 0),
    ]),
    acquire('pte = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl)', (f, k) => ptl(k, f.table)),
    loop('for ( ; addr != end; pte++, addr += PAGE_SIZE)', [
      step('ptent = *pte', (f) => {
        f.entry = f.ptep.val;
      }),
      when('pte_present(ptent)', (f) => pte_present(f.entry), [
        when(
          'cp->type == CLEAR_REFS_SOFT_DIRTY',
          (f) => f.type === CLEAR_REFS_SOFT_DIRTY,
          [
            atomic('old_pte = ptep_modify_prot_start(vma, addr, pte)', (f) => {
              f.entry = f.ptep.val;
              f.ptep.val = { lo: 0, hi: 0 };
            }),
            step('ptep_modify_prot_commit(pte_clear_soft_dirty(pte_wrprotect(old_pte)))', (f) => {
              f.ptep.val = pte_clear_soft_dirty(pte_wrprotect(f.entry));
            }),
          ],
          [
            call(vm_normal_page, (f) => ({ vma: f.walk.vma, addr: f.addr, pte: f.entry }), 'page'),
            when('page', (f) => !isNull(f.page), [
              atomic('ptep_test_and_clear_young(vma, addr, pte)', (f) => {
                f.ptep.val = pte_mkold(f.ptep.val);
              }),
            ]),
          ],
        ),
      ]),
      step('pte++, addr += PAGE_SIZE', (f, k) => {
        f.ptep = nextEntry(k, f.ptep);
        f.addr += PAGE_SIZE;
      }),
      when('addr == end', (f) => f.addr === f.next, [leave()]),
    ]),
    release('pte_unmap_unlock(pte - 1, ptl)', (f, k) => ptl(k, f.table)),
    ret('0', () => 0),
  ],
);

/** The callbacks of clear_refs: statics of a machine that has it. */
export const task_mmu_statics: readonly StaticSize[] = [
  {
    name: 'clear_refs_walk_ops',
    struct: mm_walk_ops,
    initial: { pmd_entry: clear_refs_pte_range, test_walk: clear_refs_test_walk },
  },
];

export const PM_PRESENT = 1;
export const PM_SWAP = 2;
export const PM_FILE = 4;
export const PM_UFFD_WP = 8;
export const PM_MMAP_EXCLUSIVE = 16;
export const PM_SOFT_DIRTY = 32;

/** One entry of pagemap as user space reads it. */
export const pagemap_entry = tracepoint('pagemap_entry', { address: long, flags: int });

/** /proc/self/pagemap for `count` pages from `start` on. Mappings of bare frames show as holes. */
export const pagemap_read = routine(
  file,
  'pagemap_read',
  {
    args: { start: long, count: int },
    locals: {
      mm: ref('mm_struct'),
      vma: ref('vm_area_struct'),
      addr: long,
      hole: bool,
      entry: pte,
      flags: int,
      page: ref('page'),
      page_flags: int,
      mapcount: int,
      done: int,
    },
    returns: int,
  },
  ({ step, when, loop, leave, call, acquire, release, ret }) => [
    step('mm = current->mm', (f, k) => {
      f.mm = current(k).mm;
      f.addr = f.start;
    }),
    acquire('down_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem, { mode: 'read' }),
    loop('for each page', [
      when('done == count', (f) => f.done === f.count, [leave()]),
      step('vma = find_vma(mm, addr)', (f) => {
        const vma = find_vma(f.mm, f.addr);
        const inside = !isNull(vma) && vma.vm_start <= f.addr;
        f.vma = vma;
        f.flags = inside && (vma.vm_flags & VM_SOFTDIRTY) !== 0 ? PM_SOFT_DIRTY : 0;
        f.hole = !inside || (vma.vm_flags & VM_PFNMAP) !== 0;
      }),
      when('not a hole', (f) => !f.hole, [
        call(readEntry, (f) => ({ mm: f.mm, addr: f.addr }), 'entry'),
        when('pte_present(pte)', (f) => pte_present(f.entry), [
          step('flags |= PM_PRESENT', (f) => {
            f.flags |= PM_PRESENT | (pte_soft_dirty(f.entry) ? PM_SOFT_DIRTY : 0);
            f.page = NULL;
          }),
          when('!pmd_trans_huge(*pmd)', (f) => !pmd_trans_huge(f.entry), [
            call(vm_normal_page, (f) => ({ vma: f.vma, addr: f.addr, pte: f.entry }), 'page'),
          ]),
          when('page', (f) => !isNull(f.page), [
            step('PageAnon(page)', (f) => {
              f.page_flags = f.page.flags;
            }),
            step('page_mapcount(page)', (f) => {
              f.mapcount = f.page._mapcount;
            }),
            step('flags |= PM_FILE, PM_MMAP_EXCLUSIVE', (f) => {
              if ((f.page_flags & PG_anon) === 0) f.flags |= PM_FILE;
              if (f.mapcount === 1) f.flags |= PM_MMAP_EXCLUSIVE;
            }),
          ]),
        ]),
      ]),
      step('add_to_pagemap(addr, flags)', (f, k) => {
        k.emit(pagemap_entry, { address: f.addr, flags: f.flags });
        f.addr += PAGE_SIZE;
        f.done++;
      }),
    ]),
    release('up_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    ret('count', (f) => f.count),
  ],
);

/** Two letters a flag, in the order of their bits. */
const mnemonics: readonly (readonly [flag: number, letters: string])[] = [
  [VM_READ, 'rd'],
  [VM_WRITE, 'wr'],
  [VM_EXEC, 'ex'],
  [VM_SHARED, 'sh'],
  [VM_MAYREAD, 'mr'],
  [VM_MAYWRITE, 'mw'],
  [VM_MAYEXEC, 'me'],
  [VM_MAYSHARE, 'ms'],
  [VM_PFNMAP, 'pf'],
  [VM_LOCKED, 'lo'],
  [VM_IO, 'io'],
  [VM_SEQ_READ, 'sr'],
  [VM_RAND_READ, 'rr'],
  [VM_DONTCOPY, 'dc'],
  [VM_DONTEXPAND, 'de'],
  [VM_ACCOUNT, 'ac'],
  [VM_HUGETLB, 'ht'],
  [VM_DONTDUMP, 'dd'],
  [VM_SOFTDIRTY, 'sd'],
  [VM_MIXEDMAP, 'mm'],
];

/** The line VmFlags of /proc/PID/smaps. */
export const show_smap_vma_flags = (vm_flags: number): string =>
  mnemonics.flatMap(([flag, letters]) => ((vm_flags & flag) === 0 ? [] : [letters])).join(' ');
