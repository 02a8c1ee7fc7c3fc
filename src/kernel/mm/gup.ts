// mm/gup.c (Linux 6.1), as far as MADV_POPULATE needs it: faulting pages in on behalf of a process without an access. And
// access_remote_vm() of mm/memory.c, which begins with it: what a debugger reads and writes.
import { PAGE_SIZE } from '../../hardware/pte';
import { routine } from '../../routine/routine';
import { bool, int, isNull, long, NULL, pte, ref } from '../../state/layout';
import {
  pmd_trans_huge,
  pte_dirty,
  pte_present,
  pte_protnone,
  pte_write,
} from '../arch/x86/include/asm/pgtable';
import { EFAULT, EINVAL, ENOMEM } from '../include/linux/errno';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_KILLABLE,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_WRITE,
  PG_dirty,
  VM_FAULT_COMPLETED,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_IO,
  VM_PFNMAP,
  VM_READ,
  VM_WRITE,
} from '../include/linux/mm';
import '../include/linux/mm_types';
import { handle_mm_fault, vm_normal_page } from './memory';
import { find_vma } from './mmap';
import { readEntry } from './pagewalk';
import { set_page_dirty } from './swap';

const file = 'mm/gup.c';

/** MADV_POPULATE_READ and _WRITE: makes every page of a mapping's [start, end) accessible; mmap_sem is held for reading. */
export const madvise_populate = routine(
  'mm/madvise.c',
  'madvise_populate',
  {
    args: { mm: ref('mm_struct'), start: long, end: long, write: bool },
    locals: { vma: ref('vm_area_struct'), err: int },
    returns: int,
  },
  ({ step, when, loop, leave, call, ret }) => [
    loop('while (start < end)', [
      when('start >= end', (f) => f.start >= f.end, [leave()]),
      step('vma = vma_lookup(mm, start); check_vma_flags(vma, gup_flags)', (f) => {
        f.vma = find_vma(f.mm, f.start);
        if (isNull(f.vma) || f.vma.vm_start > f.start) f.err = -ENOMEM;
        else {
          const { vm_flags } = f.vma;
          const needed = f.write ? VM_WRITE : VM_READ;
          const bare = (vm_flags & (VM_IO | VM_PFNMAP)) !== 0;
          if (bare || (vm_flags & needed) === 0) f.err = -EINVAL;
        }
      }),
      when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
      call(
        faultin_page,
        (f) => ({ vma: f.vma, mm: f.mm, address: f.start, write: f.write }),
        'err',
      ),
      when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
      step('start += PAGE_SIZE', (f) => {
        f.start += PAGE_SIZE;
      }),
    ]),
    ret('0', () => 0),
  ],
);

/** Faults one page in until the entry allows what is wanted. mmap_sem is held for reading before and after. */
export const faultin_page = routine(
  file,
  'faultin_page',
  {
    args: { vma: ref('vm_area_struct'), mm: ref('mm_struct'), address: long, write: bool },
    locals: {
      entry: pte,
      page: ref('page'),
      page_flags: int,
      flags: int,
      ret: int,
      ignored: int,
    },
    returns: int,
  },
  ({ step, when, loop, leave, call, acquire, ret }) => [
    step('fault_flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE', (f) => {
      f.flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE | (f.write ? FAULT_FLAG_WRITE : 0);
    }),
    loop('retry:', [
      call(readEntry, (f) => ({ mm: f.mm, addr: f.address }), 'entry'),
      when('follow_page_pte() finds it', (f) => isFine(f), [leave()]),
      call(handle_mm_fault, (f) => ({ vma: f.vma, address: f.address, flags: f.flags }), 'ret'),
      when('ret & VM_FAULT_ERROR', (f) => (f.ret & VM_FAULT_ERROR) !== 0, [
        ret('-ENOMEM or -EFAULT', (f) => ((f.ret & VM_FAULT_OOM) !== 0 ? -ENOMEM : -EFAULT)),
      ]),
      when(
        'ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)',
        (f) => (f.ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)) !== 0,
        [
          acquire('down_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem, { mode: 'read' }),
          step('vma = vma_lookup(mm, address)', (f) => {
            f.vma = find_vma(f.mm, f.address);
            if ((f.ret & VM_FAULT_RETRY) !== 0) f.flags |= FAULT_FLAG_TRIED;
          }),
          when('!vma', (f) => isNull(f.vma), [ret('-ENOMEM', () => -ENOMEM)]),
        ],
      ),
    ]),
    // FOLL_TOUCH: what is pinned for writing counts as written.
    when('!pmd_trans_huge(*pmd)', (f) => !pmd_trans_huge(f.entry), [
      call(vm_normal_page, (f) => ({ vma: f.vma, addr: f.address, pte: f.entry }), 'page'),
    ]),
    when('page', (f) => !isNull(f.page) && f.write && !pte_dirty(f.entry), [
      step('PageDirty(page)', (f) => {
        f.page_flags = f.page.flags;
      }),
      when('!PageDirty(page)', (f) => (f.page_flags & PG_dirty) === 0, [
        call(set_page_dirty, (f) => ({ page: f.page }), 'ignored'),
      ]),
    ]),
    ret('0', () => 0),
  ],
);

const isFine = (f: { entry: { lo: number; hi: number }; write: boolean }): boolean =>
  pte_present(f.entry) && !pte_protnone(f.entry) && (!f.write || pte_write(f.entry));

/**
 * Reads or writes memory of an address space for somebody else (ptrace, /proc/PID/mem): how many bytes. What is not ordinary
 * memory cannot be got by its pages: the mapping is asked (`vm_ops->access`). Left out: pages, which no mapping here has
 * that is not a device's, and more than one mapping at a time.
 */
export const access_remote_vm = routine(
  'mm/memory.c',
  '__access_remote_vm',
  {
    args: {
      mm: ref('mm_struct'),
      addr: long,
      len: int,
      write: bool,
      unique: bool,
      value: int,
    },
    locals: { vma: ref('vm_area_struct'), ops: ref('vm_operations_struct'), asks: bool, ret: int },
    returns: int,
  },
  ({ step, when, callPointer, acquire, release, ret }) => [
    acquire('down_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem, { mode: 'read' }),
    step('get_user_pages_remote(mm, addr, 1): -EFAULT; vma = find_vma(mm, addr)', (f) => {
      f.vma = find_vma(f.mm, f.addr);
      if (!isNull(f.vma) && f.vma.vm_start > f.addr) f.vma = NULL;
      if (!isNull(f.vma)) f.ops = f.vma.vm_ops;
    }),
    step('vma->vm_ops && vma->vm_ops->access', (f) => {
      f.asks = !isNull(f.ops) && f.ops.access !== 0;
    }),
    when('the mapping can be asked', (f) => f.asks, [
      callPointer(
        'vma->vm_ops->access(vma, addr, buf, len, write)',
        (f) => f.ops.access,
        ({ vma, addr, len, write, unique, value }) => ({ vma, addr, len, write, unique, value }),
        'ret',
      ),
    ]),
    release('up_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    ret('bytes', (f) => Math.max(0, f.ret)),
  ],
);
