// kernel/fork.c (Linux 6.1), the part that makes and ends address spaces. Left out: everything else of a new process.
import type { Engine } from '../../routine/engine';
import { routine } from '../../routine/routine';
import { bool, int, isNull, ref, type Structs } from '../../state/layout';
import { enter_lazy_tlb, flush_tlb_mm_range } from '../arch/x86/mm/tlb';
import { ENOMEM } from '../include/linux/errno';
import { VM_DONTCOPY } from '../include/linux/mm';
import '../include/linux/mm_types';
import { vma_interval_tree_insert_after } from '../mm/interval_tree';
import { copy_page_range, wholeMm } from '../mm/memory';
import { __vma_link_list, exit_mmap, vm_area_dup } from '../mm/mmap';
import { anon_vma_fork } from '../mm/rmap';

/** An empty address space with its root table, for the step that makes it. */
export function mm_alloc(k: Engine, pid: number): Structs['mm_struct'] {
  const mm = k.alloc('mm_struct');
  const pgd = k.alloc('page_table');
  pgd.level = 0;
  mm.pgd = k.parts.memory.pfnOfTable(pgd.at);
  mm.pid = pid;
  return mm;
}

/** Fills the address space of a child with copies of the parent's mappings. Returns 0 or -ENOMEM. */
export const dup_mmap = routine(
  'kernel/fork.c',
  'dup_mmap',
  {
    args: { mm: ref('mm_struct'), oldmm: ref('mm_struct') },
    locals: {
      mpnt: ref('vm_area_struct'),
      tmp: ref('vm_area_struct'),
      mapping: ref('address_space'),
      copied: bool,
      open: int,
      err: int,
    },
    returns: int,
  },
  ({
    step,
    fallible,
    atomic,
    when,
    loop,
    leave,
    again,
    call,
    callPointer,
    acquire,
    release,
    ret,
  }) => [
    acquire('down_write_killable(&oldmm->mmap_sem)', (f) => f.oldmm.mmap_sem),
    acquire('down_write_nested(&mm->mmap_sem)', (f) => f.mm.mmap_sem, { nested: true }),
    step('mpnt = oldmm->mmap', (f) => {
      f.mpnt = f.oldmm.mmap;
    }),
    loop('for ( ; mpnt; mpnt = mpnt->vm_next)', [
      when('!mpnt', (f) => isNull(f.mpnt), [leave()]),
      step('mpnt->vm_flags & VM_DONTCOPY', (f) => {
        f.copied = (f.mpnt.vm_flags & VM_DONTCOPY) === 0;
        f.mapping = f.mpnt.vm_file.f_mapping;
        f.open = isNull(f.mpnt.vm_ops) ? 0 : f.mpnt.vm_ops.open;
      }),
      when('not for the child', (f) => !f.copied, [step('mpnt = mpnt->vm_next', next), again()]),
      fallible(
        'vm_area_dup',
        step('tmp = vm_area_dup(mpnt); tmp->vm_mm = mm', (f, k) => {
          const tmp = vm_area_dup(k, f.mpnt);
          f.tmp = tmp;
          if (isNull(tmp)) return;
          tmp.vm_mm = f.mm;
        }),
      ),
      when('!tmp', (f) => isNull(f.tmp), [
        step('err = -ENOMEM', (f) => {
          f.err = -ENOMEM;
        }),
        leave(),
      ]),
      atomic('anon_vma_fork(tmp, mpnt)', (f) => anon_vma_fork(f.tmp)),
      acquire('i_mmap_lock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
      step('vma_interval_tree_insert_after(tmp, mpnt, &mapping->i_mmap)', (f) => {
        vma_interval_tree_insert_after(f.tmp, f.mpnt, f.mapping);
        __vma_link_list(f.mm, f.tmp);
      }),
      release('i_mmap_unlock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
      call(copy_page_range, (f) => ({ dst_vma: f.tmp, src_vma: f.mpnt }), 'err'),
      when('tmp->vm_ops->open', (f) => f.open !== 0, [
        callPointer(
          'tmp->vm_ops->open(tmp)',
          (f) => f.tmp.vm_ops.open,
          (f) => ({ vma: f.tmp }),
        ),
      ]),
      when('err', (f) => f.err !== 0, [leave()]),
      step('mpnt = mpnt->vm_next', next),
    ]),
    release('up_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    call(flush_tlb_mm_range, (f) => wholeMm(f.oldmm)),
    release('up_write(&oldmm->mmap_sem)', (f) => f.oldmm.mmap_sem),
    ret('err', (f) => f.err),
  ],
);

function next(f: { mpnt: Structs['vm_area_struct'] }): void {
  f.mpnt = f.mpnt.vm_next;
}

/** The end of a process's address space; its CPU keeps it lazily until the flush of all that it was. */
export const exit_mm = routine(
  'kernel/exit.c',
  'exit_mm',
  { args: { mm: ref('mm_struct') } },
  ({ step, call }) => [
    step('enter_lazy_tlb(mm, current)', (_f, k) => enter_lazy_tlb(k, k.cpu)),
    call(exit_mmap, (f) => ({ mm: f.mm })),
  ],
);
