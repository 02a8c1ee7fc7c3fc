// include/linux/mm_types.h: the structs of memory management, with what protects each field. mmap_sem is the name of
// 2019; later kernels call it mmap_lock. Left out: what no emulated path reads.

import { sleepingLock, spinlock } from '../../../routine/locks';
import { fnptr } from '../../../routine/routine';
import {
  bits,
  bool,
  flags,
  holding,
  int,
  long,
  pte,
  ref,
  struct,
  tail,
  type View,
} from '../../../state/layout';
import { PAGE_FLAGS, VM_FLAGS } from './mm';

/** One page-table entry in memory. Always shared: the walker sets A and D whatever lock is held. */
export const pte_t = struct('pte_t', { shared: { val: pte } });

/** Where a `pgoff_t *` or an `unsigned long *bitmap` points; what protects the field pointed at protects it. */
export const pgoff_t = struct('pgoff_t', { own: { val: int } });
export const bitmap_t = struct('bitmap_t', { own: { map: bits } });

/** A page of 512 entries, with its `struct page`: the table is frame `ptPfn + index` of physical memory. */
export const page_table = struct('page_table', {
  own: { ptl: spinlock('ptl') },
  fixed: { level: int }, // 0 PGD, 1 PUD, 2 PMD, 3 PTE
  shared: { entries: tail(pte) },
});

/** A frame of ordinary memory: frame `dataPfn + index`. */
export const page = struct('page', {
  own: { lock: sleepingLock('page_lock') }, // PG_locked with its queue
  shared: { _refcount: int, _mapcount: int, flags: flags(PAGE_FLAGS) },
  fixed: { mapping: ref('address_space'), index: int },
});

export const address_space = struct('address_space', {
  fixed: { dax: bool }, // IS_DAX() of its inode: memory is the file, as huge entries if it can be
  own: { i_mmap_rwsem: sleepingLock('i_mmap_rwsem') },
  under: { i_mmap_rwsem: { i_mmap: ref('vm_area_struct') } }, // the interval tree, in its order
});

export const file_operations = struct('file_operations', {
  fixed: {
    mmap: fnptr({ file: ref('file'), vma: ref('vm_area_struct') }, int),
    // May be absent: where a mapping of `len` bytes from page `pgoff` on is best placed.
    get_unmapped_area: fnptr({ file: ref('file'), len: long, pgoff: int }, long),
  },
});

export const file = struct('file', {
  fixed: {
    f_mapping: ref('address_space'),
    f_op: ref('file_operations'),
    f_mode: int,
    private_data: int,
  },
});

export const vm_operations_struct = struct('vm_operations_struct', {
  fixed: {
    open: fnptr({ vma: ref('vm_area_struct') }),
    close: fnptr({ vma: ref('vm_area_struct') }),
    fault: fnptr({ vmf: ref('vm_fault') }, int),
    huge_fault: fnptr({ vmf: ref('vm_fault'), pe_size: int }, int),
    page_mkwrite: fnptr({ vmf: ref('vm_fault') }, int),
    pfn_mkwrite: fnptr({ vmf: ref('vm_fault') }, int),
    access: fnptr(
      {
        vma: ref('vm_area_struct'),
        addr: long,
        len: int,
        write: bool,
        unique: bool, // what is written, as a store says it
        value: int,
      },
      int,
    ),
  },
});

export const vm_area_struct = struct('vm_area_struct', {
  fixed: { vm_mm: ref('mm_struct'), vm_file: ref('file') },
  // Private copies: the group they belong to (a number; neither the object nor its lock is modelled), and the number of
  // groups on the mapping's chain.
  own: { anon_vma: int, anon_vma_chain: int },
  under: {
    mmap_sem: {
      vm_next: ref('vm_area_struct'), // of the address space, by address
      vm_flags: flags(VM_FLAGS),
      vm_page_prot: pte,
      vm_ops: ref('vm_operations_struct'),
      vm_private_data: holding(int), // the driver's: the address of a buffer object
    },
    'mmap_sem|i_mmap_rwsem': { vm_start: long, vm_end: long, vm_pgoff: int },
    i_mmap_rwsem: { i_mmap_next: ref('vm_area_struct') }, // next in the interval tree's order
  },
});

export const mm_struct = struct('mm_struct', {
  own: { mmap_sem: sleepingLock('mmap_sem'), page_table_lock: spinlock('page_table_lock') },
  fixed: { pgd: int, pid: int }, // frame of the root table; the process it belongs to
  under: { mmap_sem: { mmap: ref('vm_area_struct'), map_count: int } },
  shared: {
    cpu_bitmap: int, // CPUs that have this address space loaded, lazily or not: mm_cpumask()
    tlb_gen: int, // how many flushes were asked for: context.tlb_gen
    tlb_flush_pending: int,
    anon_vmas: int, // groups of private copies made so far: the next one's number
  },
});

/** What the kernel calls `current`: the process side of a task. */
export const task_struct = struct('task_struct', {
  fixed: { pid: int, tgid: int, mm: ref('mm_struct') },
  own: {
    pagefault_disabled: int, // faults fail at once: mmap_sem may be held already
    notified_mm: ref('mm_struct'), // between the two notifications of a range: which, as lockdep keeps it
    notified_start: long,
    notified_end: long,
  },
});

/** A fault being handled; lives on the handler's stack. */
export const vm_fault = struct('vm_fault', {
  own: {
    vma: ref('vm_area_struct'),
    flags: int,
    pgoff: int,
    address: long,
    orig_pte: pte,
    pud: ref('pte_t'),
    pmd: ref('pte_t'),
    pte: ref('pte_t'), // NULL when there is no page table yet
    page: ref('page'),
    cow_page: ref('page'),
  },
});

declare module '../../../state/layout' {
  interface Structs {
    pte_t: View<typeof pte_t>;
    pgoff_t: View<typeof pgoff_t>;
    bitmap_t: View<typeof bitmap_t>;
    page_table: View<typeof page_table>;
    page: View<typeof page>;
    address_space: View<typeof address_space>;
    file_operations: View<typeof file_operations>;
    file: View<typeof file>;
    vm_operations_struct: View<typeof vm_operations_struct>;
    vm_area_struct: View<typeof vm_area_struct>;
    mm_struct: View<typeof mm_struct>;
    task_struct: View<typeof task_struct>;
    vm_fault: View<typeof vm_fault>;
  }
}
