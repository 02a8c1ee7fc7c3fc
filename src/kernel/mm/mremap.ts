// mm/mremap.c (Linux 6.1): moving a mapping with its entries. Left out: growing and shrinking, moving whole 1 GiB tables,
// leaving the old mapping behind (MREMAP_DONTUNMAP).
import { PAGE_SIZE, PMD_SIZE } from '../../hardware/pte';
import { routine } from '../../routine/routine';
import { bool, int, isNull, long, NULL, pte, ref, type Structs } from '../../state/layout';
import {
  pmd_trans_huge,
  pte_mkclean,
  pte_mksoft_dirty,
  pte_none,
  pte_present,
} from '../arch/x86/include/asm/pgtable';
import { flush_tlb_mm_range } from '../arch/x86/mm/tlb';
import { EFAULT, EINVAL, ENOMEM } from '../include/linux/errno';
import { VM_ACCOUNT } from '../include/linux/mm';
import '../include/linux/mm_types';
import { current } from '../include/linux/sched';
import { __split_huge_pmd, move_huge_pmd } from './huge_memory';
import { vma_interval_tree_insert } from './interval_tree';
import { __pte_alloc, walk_to_pmd } from './memory';
import { __vma_link_list, do_munmap, find_vma, vm_area_dup, vma_merge } from './mmap';
import {
  MMU_NOTIFY_UNMAP,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from './mmu_notifier';
import { clearBad, entryOffset, nextEntry, pgd_offset, ptl } from './range';

const file = 'mm/mremap.c';

/** mremap() with MREMAP_MAYMOVE | MREMAP_FIXED and the length unchanged. Returns 0 or an error. */
export const mremap_to = routine(
  file,
  'mremap_to',
  {
    args: { addr: long, len: long, new_addr: long },
    locals: { mm: ref('mm_struct'), vma: ref('vm_area_struct'), err: int },
    returns: int,
  },
  ({ step, when, call, acquire, release, ret }) => [
    step('mm = current->mm', (f, k) => {
      f.mm = current(k).mm;
      f.len = Math.ceil(f.len / PAGE_SIZE) * PAGE_SIZE;
      if (f.addr % PAGE_SIZE !== 0 || f.len === 0) f.err = -EINVAL;
    }),
    when('not a range', (f) => f.err !== 0, [ret('-EINVAL', (f) => f.err)]),
    acquire('down_write_killable(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    step('vma = vma_lookup(mm, addr)', (f) => {
      const vma = find_vma(f.mm, f.addr);
      if (isNull(vma) || vma.vm_start > f.addr) f.err = -EFAULT;
    }),
    when('!err', (f) => f.err === 0, [
      step('ensure the old and new locations do not overlap', (f) => {
        const overlap = f.addr + f.len > f.new_addr && f.new_addr + f.len > f.addr;
        if (overlap || f.new_addr % PAGE_SIZE !== 0) f.err = -EINVAL;
      }),
    ]),
    when('!err', (f) => f.err === 0, [
      call(do_munmap, (f) => ({ mm: f.mm, start: f.new_addr, len: f.len }), 'err'),
      step('vma = vma_to_resize(addr, old_len, new_len)', (f) => {
        f.vma = find_vma(f.mm, f.addr);
        if (isNull(f.vma) || f.vma.vm_start > f.addr) f.err = -EFAULT;
        else if (f.len > f.vma.vm_end - f.addr) f.err = -EFAULT;
      }),
    ]),
    when('!err', (f) => f.err === 0, [
      call(
        move_vma,
        (f) => ({ vma: f.vma, old_addr: f.addr, len: f.len, new_addr: f.new_addr }),
        'err',
      ),
    ]),
    release('up_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    ret('err', (f) => f.err),
  ],
);

/** A mapping at the new place, the entries moved to it, the old one unmapped. */
export const move_vma = routine(
  file,
  'move_vma',
  {
    args: { vma: ref('vm_area_struct'), old_addr: long, len: long, new_addr: long },
    locals: {
      mm: ref('mm_struct'),
      new_vma: ref('vm_area_struct'),
      excess: bool,
      split: bool,
      err: int,
    },
    returns: int,
  },
  ({ step, when, call, ret }) => [
    step('mm = vma->vm_mm', (f) => {
      f.mm = f.vma.vm_mm;
    }),
    call(
      copy_vma,
      (f) => ({ vma: f.vma, from: f.old_addr, addr: f.new_addr, len: f.len }),
      'new_vma',
    ),
    when('!new_vma', (f) => isNull(f.new_vma), [ret('-ENOMEM', () => -ENOMEM)]),
    call(
      move_page_tables,
      (f) => ({
        vma: f.vma,
        old_addr: f.old_addr,
        new_vma: f.new_vma,
        new_addr: f.new_addr,
        len: f.len,
      }),
      'err',
    ),
    when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
    // What is accounted for moves along, so the old mapping must not seem to give it back.
    step('conceal VM_ACCOUNT of the old mapping', (f) => {
      const { vma } = f;
      const conceal = (vma.vm_flags & VM_ACCOUNT) !== 0;
      vma.vm_flags &= ~VM_ACCOUNT;
      f.excess = conceal && vma.vm_end - vma.vm_start > f.len;
      f.split = f.old_addr > vma.vm_start && f.old_addr + f.len < vma.vm_end;
      if (!f.excess) f.vma = NULL; // it may be gone in a moment
    }),
    call(do_munmap, (f) => ({ mm: f.mm, start: f.old_addr, len: f.len }), 'err'),
    when('excess', (f) => f.excess, [
      step('restore VM_ACCOUNT of what is left', (f) => {
        f.vma.vm_flags |= VM_ACCOUNT;
        if (f.split) find_vma(f.mm, f.vma.vm_end).vm_flags |= VM_ACCOUNT;
      }),
    ]),
    ret('err', (f) => f.err),
  ],
);

/** A mapping of the same pages at another address, or a neighbour there that takes them in. */
export const copy_vma = routine(
  'mm/mmap.c',
  'copy_vma',
  {
    args: { vma: ref('vm_area_struct'), from: long, addr: long, len: long },
    locals: {
      new_vma: ref('vm_area_struct'),
      mapping: ref('address_space'),
      pgoff: int,
      open: int,
    },
  },
  ({ step, fallible, when, call, callPointer, acquire, release, ret }) => [
    step('pgoff = linear_page_index(vma, old_addr)', (f) => {
      f.pgoff = f.vma.vm_pgoff + (f.from - f.vma.vm_start) / PAGE_SIZE;
      f.mapping = f.vma.vm_file.f_mapping;
      f.open = isNull(f.vma.vm_ops) ? 0 : f.vma.vm_ops.open;
    }),
    call(
      vma_merge,
      (f) => ({
        mm: f.vma.vm_mm,
        addr: f.addr,
        end: f.addr + f.len,
        vm_flags: f.vma.vm_flags,
        anon_vma: f.vma.anon_vma,
        file: f.vma.vm_file,
        pgoff: f.pgoff,
      }),
      'new_vma',
    ),
    when('merged', (f) => !isNull(f.new_vma), [ret('new_vma', (f) => f.new_vma)]),
    fallible(
      'vm_area_dup',
      step('new_vma = vm_area_dup(vma)', (f, k) => {
        f.new_vma = vm_area_dup(k, f.vma);
        if (isNull(f.new_vma)) return;
        f.new_vma.vm_start = f.addr;
        f.new_vma.vm_end = f.addr + f.len;
        f.new_vma.vm_pgoff = f.pgoff;
      }),
    ),
    when('!new_vma', (f) => isNull(f.new_vma), [ret('NULL', () => NULL)]),
    when('new_vma->vm_ops->open', (f) => f.open !== 0, [
      callPointer(
        'new_vma->vm_ops->open(new_vma)',
        (f) => f.new_vma.vm_ops.open,
        (f) => ({ vma: f.new_vma }),
      ),
    ]),
    acquire('i_mmap_lock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
    step('vma_link(mm, new_vma)', (f) => {
      __vma_link_list(f.vma.vm_mm, f.new_vma);
      vma_interval_tree_insert(f.new_vma, f.mapping);
    }),
    release('i_mmap_unlock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
    ret('new_vma', (f) => f.new_vma),
  ],
);

/** How far one goes until a table ends at the old or at the new place. */
function get_extent(old_addr: number, old_end: number, new_addr: number): number {
  const left = (address: number) => PMD_SIZE - (address % PMD_SIZE);
  return Math.min(old_end - old_addr, left(old_addr), left(new_addr));
}

/** Moves the entries of [old_addr, old_addr + len): whole tables where both places are aligned to them. */
export const move_page_tables = routine(
  file,
  'move_page_tables',
  {
    args: {
      vma: ref('vm_area_struct'),
      old_addr: long,
      new_vma: ref('vm_area_struct'),
      new_addr: long,
      len: long,
    },
    locals: {
      start: long,
      old_end: long,
      extent: long,
      old_pmd: ref('pte_t'),
      new_pmd: ref('pte_t'),
      entry: pte,
      new_entry: pte,
      moved: int,
      err: int,
    },
    returns: int,
  },
  ({ step, when, loop, leave, again, call, variant, ret }) => [
    step('old_end = old_addr + len', (f) => {
      f.start = f.old_addr;
      f.old_end = f.old_addr + f.len;
    }),
    call(mmu_notifier_invalidate_range_start, moved),
    loop('for ( ; old_addr < old_end; old_addr += extent, new_addr += extent)', [
      when('old_addr >= old_end', (f) => f.old_addr >= f.old_end, [leave()]),
      step('extent = get_extent(NORMAL_PMD, old_addr, old_end, new_addr)', (f) => {
        f.extent = get_extent(f.old_addr, f.old_end, f.new_addr);
      }),
      call(get_old_pmd, (f) => ({ mm: f.vma.vm_mm, addr: f.old_addr }), 'old_pmd'),
      when('!old_pmd', (f) => isNull(f.old_pmd), [
        step('old_addr += extent, new_addr += extent', advance),
        again(),
      ]),
      call(walk_to_pmd, (f) => ({ mm: f.vma.vm_mm, addr: f.new_addr }), 'new_pmd'),
      when('!new_pmd', (f) => isNull(f.new_pmd), [ret('-ENOMEM', () => -ENOMEM)]),
      step('*old_pmd', (f) => {
        f.entry = f.old_pmd.val;
      }),
      step('*new_pmd', (f) => {
        f.new_entry = f.new_pmd.val;
      }),
      when('pmd_trans_huge(*old_pmd)', (f) => pmd_trans_huge(f.entry), [
        step('moved = false', (f) => {
          f.moved = 0;
        }),
        when(
          'extent == HPAGE_PMD_SIZE && pmd_none(*new_pmd)',
          (f) => f.extent === PMD_SIZE && pte_none(f.new_entry),
          [
            call(
              move_huge_pmd,
              (f) => ({ vma: f.vma, old_addr: f.old_addr, entry: f.old_pmd, new_pmd: f.new_pmd }),
              'moved',
            ),
          ],
        ),
        // What is split is gone: the accesses at the new place fault.
        when('!moved', (f) => f.moved === 0, [
          call(__split_huge_pmd, (f) => ({ vma: f.vma, entry: f.old_pmd, address: f.old_addr })),
        ]),
        step('old_addr += extent, new_addr += extent', advance),
        again(),
      ]),
      when(
        'extent == PMD_SIZE && pmd_none(*new_pmd)',
        (f) => f.extent === PMD_SIZE && pte_none(f.new_entry),
        [
          call(move_normal_pmd, (f) => ({
            vma: f.vma,
            old_addr: f.old_addr,
            old_pmd: f.old_pmd,
            new_pmd: f.new_pmd,
          })),
          step('old_addr += extent, new_addr += extent', advance),
          again(),
        ],
      ),
      when('pmd_none(*new_pmd)', (f) => pte_none(f.new_entry), [
        call(__pte_alloc, (f) => ({ mm: f.vma.vm_mm, upper: f.new_pmd }), 'err'),
        when('no memory', (f) => f.err !== 0, [ret('-ENOMEM', () => -ENOMEM)]),
        step('*new_pmd', (f) => {
          f.new_entry = f.new_pmd.val;
        }),
      ]),
      call(move_ptes, (f, k) => ({
        vma: f.vma,
        old_pte: entryOffset(k, f.entry, f.old_addr, 3),
        new_pte: entryOffset(k, f.new_entry, f.new_addr, 3),
        old_addr: f.old_addr,
        old_end: f.old_addr + f.extent,
      })),
      step('old_addr += extent, new_addr += extent', advance),
    ]),
    variant('bz-25', [
      call(flush_tlb_mm_range, (f) => ({
        mm: f.vma.vm_mm,
        start: f.start,
        end: f.old_end,
        freed_tables: false,
      })),
    ]),
    call(mmu_notifier_invalidate_range_end, moved),
    ret('0', () => 0),
  ],
);

const moved = (f: { vma: Structs['vm_area_struct']; start: number; old_end: number }) => ({
  mm: f.vma.vm_mm,
  event: MMU_NOTIFY_UNMAP,
  start: f.start,
  end: f.old_end,
});

function advance(f: { old_addr: number; new_addr: number; extent: number }): void {
  f.old_addr += f.extent;
  f.new_addr += f.extent;
}

/** The PMD entry of an address, or NULL when it is none. A huge entry of the PUD is a bad one to this walk. */
export const get_old_pmd = routine(
  file,
  'get_old_pmd',
  {
    args: { mm: ref('mm_struct'), addr: long },
    locals: { first: ref('pte_t'), entry: pte, level: int },
  },
  (b) => [
    b.step('pgd = pgd_offset(mm, addr)', (f, k) => {
      f.first = pgd_offset(k, f.mm, f.addr);
    }),
    b.loop('down to the PMD', [
      b.step('none_or_clear_bad(entry)', (f) => {
        f.entry = f.first.val;
      }),
      b.when('none', (f) => pte_none(f.entry), [b.ret('NULL', () => NULL)]),
      b.when('the PMD', (f) => f.level === 2, [b.leave()]),
      b.when('pud_bad(*pud)', (f) => pmd_trans_huge(f.entry), [
        clearBad(b, 1),
        b.ret('NULL', () => NULL),
      ]),
      b.step('the entry below', (f, k) => {
        f.level++;
        f.first = entryOffset(k, f.entry, f.addr, f.level);
      }),
    ]),
    b.ret('pmd', (f) => f.first),
  ],
);

/** Moves a whole table from one place to the other. */
export const move_normal_pmd = routine(
  file,
  'move_normal_pmd',
  {
    args: {
      vma: ref('vm_area_struct'),
      old_addr: long,
      old_pmd: ref('pte_t'),
      new_pmd: ref('pte_t'),
    },
    locals: { entry: pte },
  },
  ({ step, atomic, call, acquire, release }) => [
    acquire('pmd_lock(vma->vm_mm, old_pmd)', (f, k) => ptl(k, f.old_pmd)),
    atomic('pmd = *old_pmd; pmd_clear(old_pmd)', (f) => {
      f.entry = f.old_pmd.val;
      f.old_pmd.val = { lo: 0, hi: 0 };
    }),
    step('pmd_populate(mm, new_pmd, pmd_pgtable(pmd))', (f) => {
      f.new_pmd.val = f.entry;
    }),
    call(flush_tlb_mm_range, (f) => ({
      mm: f.vma.vm_mm,
      start: f.old_addr,
      end: f.old_addr + PMD_SIZE,
      freed_tables: false,
    })),
    release('spin_unlock(old_ptl)', (f, k) => ptl(k, f.old_pmd)),
  ],
);

/** Moves entries one by one; each gets soft-dirty, for its address has changed. Flushed before the locks go. */
export const move_ptes = routine(
  file,
  'move_ptes',
  {
    args: {
      vma: ref('vm_area_struct'),
      old_pte: ref('pte_t'),
      new_pte: ref('pte_t'),
      old_addr: long,
      old_end: long,
    },
    locals: {
      old_table: ref('pte_t'),
      new_table: ref('pte_t'),
      start: long,
      entry: pte,
      force_flush: bool,
      same_table: bool,
    },
  },
  ({ step, atomic, when, loop, leave, call, acquire, release, variant }) => [
    step('old_ptl, new_ptl', (f, k) => {
      f.old_table = f.old_pte;
      f.new_table = f.new_pte;
      f.start = f.old_addr;
      f.same_table = ptl(k, f.old_pte).at === ptl(k, f.new_pte).at;
    }),
    acquire('old_pte = pte_offset_map_lock(mm, old_pmd, old_addr, &old_ptl)', (f, k) =>
      ptl(k, f.old_table),
    ),
    when('new_ptl != old_ptl', (f) => !f.same_table, [
      acquire('spin_lock_nested(new_ptl)', (f, k) => ptl(k, f.new_table), { nested: true }),
    ]),
    loop('for ( ; old_addr < old_end; old_pte++, new_pte++)', [
      step('*old_pte', (f) => {
        f.entry = f.old_pte.val;
      }),
      when('!pte_none(*old_pte)', (f) => !pte_none(f.entry), [
        atomic('pte = ptep_get_and_clear(mm, old_addr, old_pte)', (f) => {
          f.entry = f.old_pte.val;
          f.old_pte.val = { lo: 0, hi: 0 };
          f.force_flush ||= pte_present(f.entry);
        }),
        variant('bz-31', [
          step('pte = pte_mkclean(pte)', (f) => {
            f.entry = pte_mkclean(f.entry);
          }),
        ]),
        step('set_pte_at(mm, new_addr, new_pte, move_soft_dirty_pte(pte))', (f) => {
          f.new_pte.val = pte_mksoft_dirty(f.entry);
        }),
      ]),
      step('old_pte++, new_pte++, old_addr += PAGE_SIZE', (f, k) => {
        f.old_pte = nextEntry(k, f.old_pte);
        f.new_pte = nextEntry(k, f.new_pte);
        f.old_addr += PAGE_SIZE;
      }),
      when('old_addr == old_end', (f) => f.old_addr === f.old_end, [leave()]),
    ]),
    variant(
      'bz-25',
      [],
      [
        when('force_flush', (f) => f.force_flush, [
          call(flush_tlb_mm_range, (f) => ({
            mm: f.vma.vm_mm,
            start: f.start,
            end: f.old_end,
            freed_tables: false,
          })),
        ]),
      ],
    ),
    when('new_ptl != old_ptl', (f) => !f.same_table, [
      release('spin_unlock(new_ptl)', (f, k) => ptl(k, f.new_table)),
    ]),
    release('pte_unmap_unlock(old_pte - 1, old_ptl)', (f, k) => ptl(k, f.old_table)),
  ],
);
