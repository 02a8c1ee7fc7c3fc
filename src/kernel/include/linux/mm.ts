// include/linux/mm.h and mm_types.h: flags of mappings, of faults and of what a fault handler returns.
// Values of Linux 6.1; the 2019 kernel has the same where both have the flag.

export const VM_READ = 0x1;
export const VM_WRITE = 0x2;
export const VM_EXEC = 0x4;
export const VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_MAYSHARE = 0x80;
export const VM_PFNMAP = 0x400;
export const VM_LOCKED = 0x2000;
export const VM_IO = 0x4000;
export const VM_SEQ_READ = 0x8000;
export const VM_RAND_READ = 0x10000;
export const VM_DONTCOPY = 0x20000;
export const VM_DONTEXPAND = 0x40000;
export const VM_ACCOUNT = 0x100000;
export const VM_HUGETLB = 0x400000;
export const VM_DONTDUMP = 0x4000000;
export const VM_SOFTDIRTY = 0x8000000;
export const VM_MIXEDMAP = 0x10000000;

export const VM_FLAGS = {
  VM_READ,
  VM_WRITE,
  VM_EXEC,
  VM_SHARED,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_MAYEXEC,
  VM_MAYSHARE,
  VM_PFNMAP,
  VM_LOCKED,
  VM_IO,
  VM_SEQ_READ,
  VM_RAND_READ,
  VM_DONTCOPY,
  VM_DONTEXPAND,
  VM_ACCOUNT,
  VM_HUGETLB,
  VM_DONTDUMP,
  VM_SOFTDIRTY,
  VM_MIXEDMAP,
} as const;

/** Flags that a merge of mappings or a mlock must not touch: include/linux/mm.h. */
export const VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;
export const VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC;

/** A private mapping that may become writable: its pages are copied on write. */
export const is_cow_mapping = (flags: number): boolean =>
  (flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;

/** Both flags that make a mapping shared and writable now. */
export const isSharedWritable = (flags: number): boolean =>
  (flags & (VM_WRITE | VM_SHARED)) === (VM_WRITE | VM_SHARED);

// include/linux/page-flags.h, as far as pages are told apart by them.
export const PG_dirty = 0x10;
export const PG_anon = 0x20; // PageAnon(): the low bit of page->mapping in the kernel
export const PG_anon_exclusive = 0x40;
export const PAGE_FLAGS = { PG_dirty, PG_anon, PG_anon_exclusive } as const;

export const PROT_READ = 0x1;
export const PROT_WRITE = 0x2;
export const PROT_EXEC = 0x4;
export const MAP_SHARED = 0x1;
export const MAP_PRIVATE = 0x2;
export const MAP_FIXED = 0x10;
export const MAP_FIXED_NOREPLACE = 0x100000;
export const FMODE_READ = 0x1;
export const FMODE_WRITE = 0x2;

export const FAULT_FLAG_WRITE = 0x1;
export const FAULT_FLAG_MKWRITE = 0x2;
export const FAULT_FLAG_ALLOW_RETRY = 0x4;
export const FAULT_FLAG_RETRY_NOWAIT = 0x8;
export const FAULT_FLAG_KILLABLE = 0x10;
export const FAULT_FLAG_TRIED = 0x20;
export const FAULT_FLAG_USER = 0x40;
export const FAULT_FLAG_REMOTE = 0x80;
export const FAULT_FLAG_INSTRUCTION = 0x100;
export const FAULT_FLAG_INTERRUPTIBLE = 0x200;
export const FAULT_FLAG_ORIG_PTE_VALID = 0x800;

/** enum page_entry_size: how much a huge fault asks for. */
export const PE_SIZE_PMD = 1;
export const PE_SIZE_PUD = 2;

export const VM_FAULT_OOM = 0x1;
export const VM_FAULT_SIGBUS = 0x2;
export const VM_FAULT_MAJOR = 0x4;
export const VM_FAULT_WRITE = 0x8;
export const VM_FAULT_HWPOISON = 0x10;
export const VM_FAULT_SIGSEGV = 0x40;
export const VM_FAULT_NOPAGE = 0x100;
export const VM_FAULT_LOCKED = 0x200;
export const VM_FAULT_RETRY = 0x400;
export const VM_FAULT_FALLBACK = 0x800;
export const VM_FAULT_DONE_COW = 0x1000;
export const VM_FAULT_COMPLETED = 0x4000; // 6.0 and later: done, and mmap_sem is released
export const VM_FAULT_ERROR =
  VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV | VM_FAULT_HWPOISON | VM_FAULT_FALLBACK;

export const VM_FAULT_FLAGS = {
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_FAULT_MAJOR,
  VM_FAULT_WRITE,
  VM_FAULT_SIGSEGV,
  VM_FAULT_NOPAGE,
  VM_FAULT_LOCKED,
  VM_FAULT_RETRY,
  VM_FAULT_FALLBACK,
  VM_FAULT_DONE_COW,
  VM_FAULT_COMPLETED,
} as const;

/** Signals and their codes as an access reports them: the signal in the low byte, si_code above. */
export const SIGBUS = 7;
export const SIGKILL = 9;
export const SIGSEGV = 11;
export const SEGV_MAPERR = 1;
export const SEGV_ACCERR = 2;
export const BUS_ADRERR = 2;
