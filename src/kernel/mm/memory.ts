// mm/memory.c: page faults, entries of single frames, unmapping by page offset, walking with a function. Linux 5.1 with
// the coherent-memory series of April 2019 (v2), and Linux 6.1 under the variant `mm-6.1`. Left out: swap, NUMA
// balancing, userfaultfd; the p4d level is folded into the PGD as with four levels it is.
import { load } from '../../hardware/cpu';
import { PAGE_SIZE, pte_pfn } from '../../hardware/pte';
import type { Engine } from '../../routine/engine';
import type { LockView } from '../../routine/locks';
import { type AnyBuilder, fnptr, type Node, type Routine, routine } from '../../routine/routine';
import { tracepoint } from '../../state/events';
import {
  bool,
  embed,
  type Fields,
  type FieldsView,
  int,
  isNull,
  long,
  NULL,
  pte,
  ref,
  type Structs,
  same,
  struct,
  type U64,
  type View,
} from '../../state/layout';
import {
  _PAGE_TABLE,
  pfn_pte,
  pgprot_set_cachemode,
  pmd_trans_huge,
  pte_dirty,
  pte_mkclean,
  pte_mkdirty,
  pte_mkold,
  pte_mkspecial,
  pte_mkwrite,
  pte_mkyoung,
  pte_none,
  pte_same,
  pte_special,
  pte_write,
  pte_wrprotect,
} from '../arch/x86/include/asm/pgtable';
import { TLB_FLUSH_ALL } from '../arch/x86/include/asm/tlbflush';
import { AS_ASKED, track_pfn_insert } from '../arch/x86/mm/pat';
import { flush_tlb_mm_range } from '../arch/x86/mm/tlb';
import {
  BUG_ON,
  WARN_APPLY_UNLOCKED,
  WARN_APPLY_UNNOTIFIED,
  warn,
} from '../include/asm-generic/bug';
import { EINVAL, ENOMEM } from '../include/linux/errno';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_MKWRITE,
  FAULT_FLAG_ORIG_PTE_VALID,
  FAULT_FLAG_RETRY_NOWAIT,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_WRITE,
  is_cow_mapping,
  isSharedWritable,
  PE_SIZE_PMD,
  PE_SIZE_PUD,
  PG_anon,
  PG_anon_exclusive,
  VM_FAULT_COMPLETED,
  VM_FAULT_DONE_COW,
  VM_FAULT_ERROR,
  VM_FAULT_FALLBACK,
  VM_FAULT_LOCKED,
  VM_FAULT_MAJOR,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_FAULT_WRITE,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_SHARED,
  VM_WRITE,
} from '../include/linux/mm';
import { address_space } from '../include/linux/mm_types';
import { current } from '../include/linux/sched';
import { type EntryCall, entriesAtOnce, tablesAtOnce } from './burst';
import {
  __split_huge_pmd,
  __split_huge_pud,
  copy_huge_pud,
  huge_pmd_set_accessed,
  huge_pud_set_accessed,
  hugepage_vma_check,
  mayHaveHuge,
  zap_huge_pmd,
  zap_huge_pud,
} from './huge_memory';
import { clip, vma_interval_tree_iter_first, vma_interval_tree_iter_next } from './interval_tree';
import {
  __tlb_remove_page,
  isVmaPfn,
  tlb_end_vma,
  tlb_finish_mmu,
  tlb_flush_mmu,
  tlb_flush_mmu_tlbonly,
  tlb_gather_mmu,
  tlb_remove_tlb_entry,
} from './mmu_gather';
import {
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_PROTECTION_PAGE,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from './mmu_notifier';
import {
  addrEnd,
  clearBad,
  type Descent,
  eachEntry,
  entryOffset,
  nextEntry,
  pgd_offset,
  ptl,
  rangeArgs,
  rangeLocals,
  rangeRoutine,
  wholeHuge,
} from './range';
import { anon_vma_prepare } from './rmap';
import { put_page, set_page_dirty } from './swap';

type PteRef = Structs['pte_t'];

/** After handle_mm_fault(): what it was asked and what came out. */
export const mm_fault = tracepoint('mm_fault', { address: long, flags: int, ret: int });

/** perf_sw_event(PERF_COUNT_SW_PAGE_FAULTS_MAJ or _MIN): a fault that came to its end is counted. */
export const perf_page_fault = tracepoint('perf_page_fault', { address: long, major: bool });

// Addresses of entries.

const levelNames = ['pgd', 'pud', 'pmd', 'pte'] as const;
type Upper = 'pgd' | 'pud' | 'pmd';

/**
 * pud_alloc(), pmd_alloc() and pte_alloc(): the entry one level below `upper`, whose table is allocated when there is
 * none. For frames with `entry`, `err` and the entries by name; `fail` is done when there is no memory. `huge`: what is
 * to be done before, when `upper` is none or huge; otherwise whoever comes here has made sure that it is not huge.
 */
function allocBelow(
  b: AnyBuilder,
  upper: Upper,
  where: WhereOf,
  fail: Node[],
  huge?: (reread: Node) => Node[],
): Node[] {
  const level = levelNames.indexOf(upper) + 1;
  const lower = levelNames[level]!;
  const read = (f: Walk, k: Engine) => {
    f.entry = f[upper].val;
    if (pmd_trans_huge(f.entry)) {
      BUG_ON(huge === undefined, 'mm/memory.c', `VM_BUG_ON(${upper}_trans_huge(*${upper}))`);
    } else if (!pte_none(f.entry)) {
      f[lower] = entryOffset(k, f.entry, where(f).address, level);
    }
  };
  const alloc = { pgd: __pud_alloc, pud: __pmd_alloc, pmd: __pte_alloc }[upper];
  const first = b.step(`${lower} = ${lower}_alloc(mm, ${upper}, address)`, read);
  return [
    first,
    ...(huge?.(first) ?? []),
    b.when(`${upper}_none(*${upper})`, (f) => pte_none(f.entry), [
      b.call(alloc, (f) => ({ mm: where(f).mm, upper: f[upper] }), 'err'),
      b.when('no memory', (f) => f.err !== 0, fail),
      b.step(`${lower} = ${lower}_offset(${upper}, address)`, read),
    ]),
    // 6.1: retry_pud. Whoever put a huge entry there meanwhile has served the access.
    ...(huge === undefined
      ? []
      : [
          b.when(`${upper}_trans_unstable(${upper})`, (f) => pmd_trans_huge(f.entry), [
            b.ret('0', () => 0),
          ]),
        ]),
  ];
}

interface Walk extends Record<(typeof levelNames)[number], PteRef> {
  entry: U64;
}
// biome-ignore lint/suspicious/noExplicitAny: the frame of whichever routine walks
type WhereOf = (f: any) => { mm: Structs['mm_struct']; address: number };

const walkLocals = {
  pgd: ref('pte_t'),
  pud: ref('pte_t'),
  pmd: ref('pte_t'),
  pte: ref('pte_t'),
  entry: pte,
  err: int,
};

const alloc_args = { mm: ref('mm_struct'), upper: ref('pte_t') };
const alloc_locals = { new: ref('page_table'), entry: pte };

/** A table of `level` for the entry `upper`, unless somebody else was faster. Returns 0 or -ENOMEM. */
function tableAlloc(
  name: string,
  level: number,
  lower: string,
  upper: string,
  lockText: string,
  lock: (f: { mm: Structs['mm_struct']; upper: PteRef }, k: Engine) => LockView,
) {
  return routine(
    'mm/memory.c',
    name,
    { args: alloc_args, locals: alloc_locals, returns: int },
    ({ step, fallible, acquire, release, when, ret }) => [
      fallible(
        'pte_alloc_one',
        step(`new = ${lower}_alloc_one(mm, address)`, (f, k) => {
          f.new = k.alloc('page_table');
          if (!isNull(f.new)) f.new.level = level;
        }),
      ),
      when('!new', (f) => isNull(f.new), [ret('-ENOMEM', () => -ENOMEM)]),
      acquire(`spin_lock(${lockText})`, lock),
      step(`${upper}_present(*${upper})`, (f) => {
        f.entry = f.upper.val;
      }),
      when(
        'none yet',
        (f) => pte_none(f.entry),
        [
          step(`${upper}_populate(mm, ${upper}, new)`, (f, k) => {
            f.upper.val = pfn_pte(k.parts.memory.pfnOfTable(f.new.at), _PAGE_TABLE);
          }),
        ],
        [
          step(`${lower}_free(mm, new)`, (f, k) => {
            const table = f.new;
            f.new = NULL;
            k.free(table);
          }),
        ],
      ),
      release(`spin_unlock(${lockText})`, lock),
      ret('0', () => 0),
    ],
  );
}

const underMm = (f: { mm: Structs['mm_struct'] }) => f.mm.page_table_lock;
export const __pud_alloc = tableAlloc(
  '__pud_alloc',
  1,
  'pud',
  'p4d',
  '&mm->page_table_lock',
  underMm,
);
export const __pmd_alloc = tableAlloc(
  '__pmd_alloc',
  2,
  'pmd',
  'pud',
  '&mm->page_table_lock',
  underMm,
);
export const __pte_alloc = tableAlloc(
  '__pte_alloc',
  3,
  'pte',
  'pmd',
  'pmd_lockptr(mm, pmd)',
  (f, k) => ptl(k, f.upper),
);

// The fault path.

/**
 * Handles a fault of the running task in `vma`, with mmap_sem held for reading. Returns VM_FAULT_ flags; with
 * VM_FAULT_RETRY or VM_FAULT_COMPLETED mmap_sem has been released.
 */
export const handle_mm_fault = routine(
  'mm/memory.c',
  'handle_mm_fault',
  {
    args: { vma: ref('vm_area_struct'), address: long, flags: int },
    locals: { mm: ref('mm_struct'), ret: int },
    returns: int,
  },
  ({ step, call, variant, ret }) => [
    step('mm = vma->vm_mm', (f) => {
      f.mm = f.vma.vm_mm;
    }),
    call(
      __handle_mm_fault,
      (f) => ({ mm: f.mm, vma: f.vma, address: f.address, flags: f.flags }),
      'ret',
    ),
    variant('mm-6.1', [
      call(mm_account_fault, (f) => ({
        mm: f.mm,
        address: f.address,
        flags: f.flags,
        ret: f.ret,
      })),
    ]),
    step('trace', (f, k) => {
      k.emit(mm_fault, { address: f.address, flags: f.flags, ret: f.ret });
    }),
    ret('ret', (f) => f.ret),
  ],
);

/** Counts a fault that came to its end; one that was retried on the way counts as major (6.1). */
export const mm_account_fault = routine(
  'mm/memory.c',
  'mm_account_fault',
  { args: { mm: ref('mm_struct'), address: long, flags: int, ret: int } },
  ({ atomic, when, ret }) => [
    when(
      'ret & (VM_FAULT_ERROR | VM_FAULT_RETRY)',
      (f) => (f.ret & (VM_FAULT_ERROR | VM_FAULT_RETRY)) !== 0,
      [ret()],
    ),
    when(
      'ret & VM_FAULT_MAJOR || flags & FAULT_FLAG_TRIED',
      (f) => (f.ret & VM_FAULT_MAJOR) !== 0 || (f.flags & FAULT_FLAG_TRIED) !== 0,
      [
        atomic('current->maj_flt++', (f, k) => {
          k.parts.faultCounts.count(f.mm, true);
          k.emit(perf_page_fault, { address: f.address, major: true });
        }),
      ],
      [
        atomic('current->min_flt++', (f, k) => {
          k.parts.faultCounts.count(f.mm, false);
          k.emit(perf_page_fault, { address: f.address, major: false });
        }),
      ],
    ),
    ret(),
  ],
);

/** Finds or makes the tables on the way to the entry. */
export const __handle_mm_fault = routine(
  'mm/memory.c',
  '__handle_mm_fault',
  {
    args: { mm: ref('mm_struct'), vma: ref('vm_area_struct'), address: long, flags: int },
    locals: { vmf: embed('vm_fault'), ...walkLocals, huge: bool, ret: int },
    returns: int,
  },
  (b) => [
    b.variant(
      'huge-faults',
      [beginFault(b, mayHaveHuge)],
      [b.variant('mm-6.1', [beginFault(b, hugepage_vma_check)], [beginFault(b, mayHaveHuge)])],
    ),
    ...allocBelow(b, 'pgd', (f) => f, [b.ret('VM_FAULT_OOM', () => VM_FAULT_OOM)]),
    ...allocBelow(
      b,
      'pud',
      (f) => f,
      [b.ret('VM_FAULT_OOM', () => VM_FAULT_OOM)],
      (reread) => hugeFault(b, 'pud', reread),
    ),
    b.step('vmf.pmd = pmd; orig_pmd = *pmd', (f) => {
      f.vmf.pmd = f.pmd;
      f.entry = f.pmd.val;
    }),
    ...hugeFault(b, 'pmd'),
    b.call(handle_pte_fault, (f) => ({ vmf: f.vmf }), 'ret'),
    b.ret('ret', (f) => f.ret),
  ],
);

/** The fault as its handlers see it; `huge` asks whether the mapping may have huge entries. */
function beginFault({ step }: AnyBuilder, huge: (vma: Structs['vm_area_struct']) => boolean): Node {
  return step('vmf = { vma, address, flags, pgoff }', (f: FaultBegun, k) => {
    const { vmf, vma } = f;
    vmf.vma = vma;
    vmf.address = f.address - (f.address % PAGE_SIZE);
    vmf.flags = f.flags;
    vmf.pgoff = linear_page_index(vma, f.address);
    f.huge = huge(vma);
    f.pgd = pgd_offset(k, f.mm, f.address);
  });
}

interface FaultBegun {
  readonly mm: Structs['mm_struct'];
  readonly vma: Structs['vm_area_struct'];
  readonly vmf: Structs['vm_fault'];
  readonly address: number;
  readonly flags: number;
  huge: boolean;
  pgd: PteRef;
}

/**
 * What __handle_mm_fault() does when the entry of the PUD or PMD, just read, is none or huge: the driver may serve the
 * fault with a huge entry; a write to a read-only one is the driver's too; any other fault on one has come too late.
 * When smaller entries are to serve it, it goes on, with the entry read again.
 */
function hugeFault(b: AnyBuilder, name: 'pud' | 'pmd', reread?: Node): Node[] {
  const { create, wp, accessed } = {
    pud: { create: create_huge_pud, wp: wp_huge_pud, accessed: huge_pud_set_accessed },
    pmd: { create: create_huge_pmd, wp: wp_huge_pmd, accessed: huge_pmd_set_accessed },
  }[name];
  const unlessFallback = [
    b.when('!(ret & VM_FAULT_FALLBACK)', (f) => !has(f.ret, VM_FAULT_FALLBACK), [
      b.ret('ret', (f) => f.ret),
    ]),
    ...(reread === undefined ? [] : [reread]),
  ];
  const args = (f: { vmf: Structs['vm_fault'] }) => ({ vmf: f.vmf });
  const orig = (f: { vmf: Structs['vm_fault']; entry: U64 }) => ({ vmf: f.vmf, orig: f.entry });
  const known =
    name === 'pmd'
      ? []
      : b.step('vmf.pud = pud', (f) => {
          f.vmf.pud = f.pud;
        });
  return [
    b.when(
      `${name}_none(*vmf.${name}) && hugepage_vma_check(vma)`,
      (f) => f.huge && pte_none(f.entry),
      [known, b.call(create, args, 'ret'), ...unlessFallback],
      [
        b.when(`${name}_trans_huge(orig_${name})`, (f) => pmd_trans_huge(f.entry), [
          known,
          b.when(
            `dirty && !${name}_write(orig_${name})`,
            (f) => is_write(f.vmf) && !pte_write(f.entry),
            [b.call(wp, args, 'ret'), ...unlessFallback],
            [b.call(accessed, orig), b.ret('0', () => 0)],
          ),
        ]),
      ],
    ),
  ];
}

/** The page of the file that `address` maps. */
export function linear_page_index(vma: Structs['vm_area_struct'], address: number): number {
  return Math.floor((address - vma.vm_start) / PAGE_SIZE) + vma.vm_pgoff;
}

const of_vmf = { args: { vmf: ref('vm_fault') } };

/** No entry yet: asks the driver for a huge one. VM_FAULT_FALLBACK: smaller ones will do. */
function create_huge(name: 'pmd' | 'pud', pe_size: number) {
  return routine(
    'mm/memory.c',
    `create_huge_${name}`,
    { ...of_vmf, locals: { ret: int }, returns: int },
    ({ callPointer, ret }) => [
      callPointer(
        `ret = vma->vm_ops->huge_fault(vmf, PE_SIZE_${name.toUpperCase()})`,
        (f) => f.vmf.vma.vm_ops.huge_fault,
        (f) => ({ vmf: f.vmf, pe_size }),
        'ret',
      ),
      ret('ret', (f) => f.ret),
    ],
  );
}

/** A write to a read-only huge entry: the driver's; if it falls back the entry is split, since 5.7. */
function wp_huge(name: 'pmd' | 'pud', pe_size: number) {
  return routine(
    'mm/memory.c',
    `wp_huge_${name}`,
    { ...of_vmf, locals: { ret: int }, returns: int },
    ({ callPointer, call, when, variant, ret }) => {
      const split = name === 'pmd' ? __split_huge_pmd : __split_huge_pud;
      const splits = [
        when('!(ret & VM_FAULT_FALLBACK)', (f) => !has(f.ret, VM_FAULT_FALLBACK), [
          ret('ret', (f) => f.ret),
        ]),
        call(split, ({ vmf }) => ({ vma: vmf.vma, entry: vmf[name], address: vmf.address })),
      ];
      return [
        callPointer(
          `ret = vma->vm_ops->huge_fault(vmf, PE_SIZE_${name.toUpperCase()})`,
          (f) => f.vmf.vma.vm_ops.huge_fault,
          (f) => ({ vmf: f.vmf, pe_size }),
          'ret',
        ),
        // 5.1 leaves the splitting to the driver.
        variant('mm-6.1', splits, [variant('huge-faults', splits)]),
        ret('ret', (f) => f.ret),
      ];
    },
  );
}

export const create_huge_pmd = create_huge('pmd', PE_SIZE_PMD);
export const create_huge_pud = create_huge('pud', PE_SIZE_PUD);
export const wp_huge_pmd = wp_huge('pmd', PE_SIZE_PMD);
export const wp_huge_pud = wp_huge('pud', PE_SIZE_PUD);

const fault_locals = { ret: int, tmp: int, entry: pte, yes: bool };

/** Decides by the entry itself, never by the error code: absent, write-protected, or already as wanted. */
export const handle_pte_fault = routine(
  'mm/memory.c',
  'handle_pte_fault',
  { ...of_vmf, locals: { ...fault_locals, pmd: pte }, returns: int },
  ({ step, when, call, acquire, release, variant, ret }) => [
    step('pmd_none(*vmf->pmd)', (f) => {
      f.pmd = f.vmf.pmd.val;
    }),
    when('pmd_devmap_trans_unstable(vmf->pmd)', (f) => pmd_trans_huge(f.pmd), [ret('0', () => 0)]),
    when(
      'none',
      (f) => pte_none(f.pmd),
      [
        step('vmf->pte = NULL', ({ vmf }) => {
          vmf.pte = NULL;
          vmf.flags &= ~FAULT_FLAG_ORIG_PTE_VALID;
        }),
      ],
      [
        step('vmf->orig_pte = *pte_offset_map(vmf->pmd, vmf->address)', ({ vmf, pmd }, k) => {
          const entry = entryOffset(k, pmd, vmf.address, 3);
          vmf.orig_pte = entry.val;
          vmf.pte = pte_none(vmf.orig_pte) ? NULL : entry;
        }),
        variant('mm-6.1', [
          step('vmf->flags |= FAULT_FLAG_ORIG_PTE_VALID', ({ vmf }) => {
            vmf.flags |= FAULT_FLAG_ORIG_PTE_VALID;
          }),
        ]),
      ],
    ),
    when('!vmf->pte', (f) => isNull(f.vmf.pte), [
      call(do_fault, (f) => ({ vmf: f.vmf }), 'ret'),
      ret('ret', (f) => f.ret),
    ]),
    acquire('vmf->ptl = pte_lockptr(mm, vmf->pmd); spin_lock(vmf->ptl)', (f, k) =>
      ptl(k, f.vmf.pte),
    ),
    step('pte_same(*vmf->pte, entry)', (f) => {
      f.entry = f.vmf.pte.val;
    }),
    when('changed meanwhile', (f) => !pte_same(f.entry, f.vmf.orig_pte), [
      release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.vmf.pte)),
      ret('0', () => 0),
    ]),
    when('vmf->flags & FAULT_FLAG_WRITE', (f) => is_write(f.vmf), [
      when('!pte_write(entry)', (f) => !pte_write(f.entry), [
        call(do_wp_page, (f) => ({ vmf: f.vmf }), 'ret'),
        ret('ret', (f) => f.ret),
      ]),
      step('entry = pte_mkyoung(pte_mkdirty(entry))', (f) => {
        f.entry = pte_mkyoung(pte_mkdirty(f.entry));
      }),
      when('the entry differs', (f) => !pte_same(f.entry, f.vmf.orig_pte), [
        step('ptep_set_access_flags(vma, vmf->address, vmf->pte, entry, 1)', (f) => {
          f.vmf.pte.val = f.entry;
        }),
      ]),
    ]),
    release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.vmf.pte)),
    ret('0', () => 0),
  ],
);

const is_write = (vmf: { flags: number }): boolean => (vmf.flags & FAULT_FLAG_WRITE) !== 0;

/** No entry: the driver's fault handler, and what is to be done with what it returns. */
export const do_fault = routine(
  'mm/memory.c',
  'do_fault',
  { ...of_vmf, locals: { vm_flags: int, handler: int, ret: int }, returns: int },
  ({ step, when, call, ret }) => [
    step('vma->vm_ops->fault', (f) => {
      f.handler = f.vmf.vma.vm_ops.fault;
      f.vm_flags = f.vmf.vma.vm_flags;
    }),
    when('!vma->vm_ops->fault', (f) => f.handler === 0, [
      ret('VM_FAULT_SIGBUS', () => VM_FAULT_SIGBUS),
    ]),
    when(
      '!(vmf->flags & FAULT_FLAG_WRITE)',
      (f) => !is_write(f.vmf),
      [call(do_read_fault, (f) => ({ vmf: f.vmf }), 'ret')],
      [
        when(
          '!(vma->vm_flags & VM_SHARED)',
          (f) => (f.vm_flags & VM_SHARED) === 0,
          [call(do_cow_fault, (f) => ({ vmf: f.vmf }), 'ret')],
          [call(do_shared_fault, (f) => ({ vmf: f.vmf }), 'ret')],
        ),
      ],
    ),
    ret('ret', (f) => f.ret),
  ],
);

const has = (value: number, mask: number): boolean => (value & mask) !== 0;
const ENOPAGE_OR_RETRY = VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY;

/** Calls the fault handler. A page it returns is locked. */
export const __do_fault = routine(
  'mm/memory.c',
  '__do_fault',
  { ...of_vmf, locals: { ret: int }, returns: int },
  ({ when, callPointer, acquire, ret }) => [
    callPointer(
      'ret = vma->vm_ops->fault(vmf)',
      (f) => f.vmf.vma.vm_ops.fault,
      (f) => ({ vmf: f.vmf }),
      'ret',
    ),
    when(
      'ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY | VM_FAULT_DONE_COW)',
      (f) => has(f.ret, ENOPAGE_OR_RETRY | VM_FAULT_DONE_COW),
      [ret('ret', (f) => f.ret)],
    ),
    when('!(ret & VM_FAULT_LOCKED)', (f) => !has(f.ret, VM_FAULT_LOCKED), [
      acquire('lock_page(vmf->page)', (f) => f.vmf.page.lock),
    ]),
    ret('ret', (f) => f.ret),
  ],
);

export const do_read_fault = routine(
  'mm/memory.c',
  'do_read_fault',
  { ...of_vmf, locals: { ret: int, tmp: int }, returns: int },
  ({ step, when, call, release, ret }) => [
    call(__do_fault, (f) => ({ vmf: f.vmf }), 'ret'),
    when(
      'ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)',
      (f) => has(f.ret, ENOPAGE_OR_RETRY),
      [ret('ret', (f) => f.ret)],
    ),
    call(finish_fault, (f) => ({ vmf: f.vmf }), 'tmp'),
    step('ret |= finish_fault(vmf)', (f) => {
      f.ret |= f.tmp;
    }),
    release('unlock_page(vmf->page)', (f) => f.vmf.page.lock),
    when('not mapped', (f) => has(f.ret, ENOPAGE_OR_RETRY), [
      call(put_page, (f) => ({ page: f.vmf.page })),
    ]),
    ret('ret', (f) => f.ret),
  ],
);

/** A write to an absent entry of a shared mapping. A driver that inserts the entry itself returns NOPAGE. */
export const do_shared_fault = routine(
  'mm/memory.c',
  'do_shared_fault',
  { ...of_vmf, locals: { ret: int, tmp: int, mkwrite: int }, returns: int },
  (b) => {
    const { step, when, call, release, ret } = b;
    return [
      call(__do_fault, (f) => ({ vmf: f.vmf }), 'ret'),
      when(
        'ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)',
        (f) => has(f.ret, ENOPAGE_OR_RETRY),
        [ret('ret', (f) => f.ret)],
      ),
      step('vma->vm_ops->page_mkwrite', (f) => {
        f.mkwrite = f.vmf.vma.vm_ops.page_mkwrite;
      }),
      when('page_mkwrite', (f) => f.mkwrite !== 0, [
        release('unlock_page(vmf->page)', (f) => f.vmf.page.lock),
        call(do_page_mkwrite, (f) => ({ vmf: f.vmf }), 'tmp'),
        returnUnlessMkwrite(b),
      ]),
      call(finish_fault, (f) => ({ vmf: f.vmf }), 'tmp'),
      step('ret |= finish_fault(vmf)', (f) => {
        f.ret |= f.tmp;
      }),
      when(
        'ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)',
        (f) => has(f.ret, ENOPAGE_OR_RETRY),
        [
          release('unlock_page(vmf->page)', (f) => f.vmf.page.lock),
          call(put_page, (f) => ({ page: f.vmf.page })),
          ret('ret', (f) => f.ret),
        ],
      ),
      call(fault_dirty_shared_page, (f) => ({ vmf: f.vmf }), 'tmp'),
      ret('ret | fault_dirty_shared_page(vmf)', (f) => f.ret | f.tmp),
    ];
  },
);

interface MkwriteAsked {
  readonly vmf: Structs['vm_fault'];
  readonly tmp: number;
}

/** Behind do_page_mkwrite(): goes no further when that, in `tmp`, says so. Patch 1 of the series adds RETRY to this. */
function returnUnlessMkwrite({ when, call, variant, ret }: AnyBuilder): Node {
  const stop = (text: string, mask: number): Node =>
    when(`!tmp || tmp & (${text})`, ({ tmp }: MkwriteAsked) => tmp === 0 || has(tmp, mask), [
      call(put_page, ({ vmf }: MkwriteAsked) => ({ page: vmf.page })),
      ret('tmp', ({ tmp }: MkwriteAsked) => tmp),
    ]);
  return variant(
    'mm-6.1',
    [stop('VM_FAULT_ERROR | VM_FAULT_NOPAGE', ENOPAGE)],
    [stop('VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY', ENOPAGE_OR_RETRY)],
  );
}

/** A write to an absent entry of a private mapping: a copy of the page. */
export const do_cow_fault = routine(
  'mm/memory.c',
  'do_cow_fault',
  { ...of_vmf, locals: { ret: int, tmp: int }, returns: int },
  ({ step, fallible, atomic, when, call, release, ret }) => [
    atomic('anon_vma_prepare(vma)', (f) => {
      anon_vma_prepare(f.vmf.vma);
    }),
    fallible(
      'alloc_page_vma',
      step('vmf->cow_page = alloc_page_vma(vma, vmf->address)', (f, k) => {
        f.vmf.cow_page = alloc_page(k);
      }),
    ),
    when('!vmf->cow_page', (f) => isNull(f.vmf.cow_page), [
      ret('VM_FAULT_OOM', () => VM_FAULT_OOM),
    ]),
    call(__do_fault, (f) => ({ vmf: f.vmf }), 'ret'),
    when(
      'ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)',
      (f) => has(f.ret, ENOPAGE_OR_RETRY),
      [call(put_page, (f) => ({ page: f.vmf.cow_page })), ret('ret', (f) => f.ret)],
    ),
    when('ret & VM_FAULT_DONE_COW', (f) => has(f.ret, VM_FAULT_DONE_COW), [
      ret('ret', (f) => f.ret),
    ]),
    step('copy_user_highpage(vmf->cow_page, vmf->page)', ({ vmf }, k) => {
      copyFrame(k, vmf.cow_page, k.parts.memory.pfnOfPage(vmf.page.at));
    }),
    call(finish_fault, (f) => ({ vmf: f.vmf }), 'tmp'),
    step('ret |= finish_fault(vmf)', (f) => {
      f.ret |= f.tmp;
    }),
    release('unlock_page(vmf->page)', (f) => f.vmf.page.lock),
    call(put_page, (f) => ({ page: f.vmf.page })),
    when(
      'ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)',
      (f) => has(f.ret, ENOPAGE_OR_RETRY),
      [call(put_page, (f) => ({ page: f.vmf.cow_page }))],
    ),
    ret('ret', (f) => f.ret),
  ],
);

/** A page with one reference, or NULL. */
export function alloc_page(k: Engine): Structs['page'] {
  const page = k.alloc('page');
  if (!isNull(page)) page._refcount = 1;
  return page;
}

/** The bytes of a frame into a page that nobody else has yet. */
function copyFrame(k: Engine, to: Structs['page'], from: number): void {
  const { memory } = k.parts;
  memory.frame(memory.pfnOfPage(to.at)).copyFresh(memory.frame(from));
}

/** Maps the page that the handler returned, or its copy. */
export const finish_fault = routine(
  'mm/memory.c',
  'finish_fault',
  { ...of_vmf, locals: { ...walkLocals, page: ref('page') }, returns: int },
  (b) => [
    b.step('page = vmf->page, or vmf->cow_page for a private write', (f) => {
      const { vmf } = f;
      const isCopy = is_write(vmf) && (vmf.vma.vm_flags & VM_SHARED) === 0;
      f.page = isCopy ? vmf.cow_page : vmf.page;
      f.pmd = vmf.pmd;
    }),
    ...allocBelow(b, 'pmd', (f) => ({ mm: f.vmf.vma.vm_mm, address: f.vmf.address }), [
      b.ret('VM_FAULT_OOM', () => VM_FAULT_OOM),
    ]),
    b.acquire('vmf->pte = pte_offset_map_lock(mm, vmf->pmd, vmf->address, &vmf->ptl)', (f, k) =>
      ptl(k, f.pte),
    ),
    b.step('vmf_pte_changed(vmf)', (f) => {
      f.vmf.pte = f.pte;
      f.entry = f.pte.val;
    }),
    b.when('somebody was faster', (f) => !pte_none(f.entry), [
      b.release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.pte)),
      b.ret('VM_FAULT_NOPAGE', () => VM_FAULT_NOPAGE),
    ]),
    b.call(do_set_pte, (f) => ({ vmf: f.vmf, page: f.page })),
    b.release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.pte)),
    b.ret('0', () => 0),
  ],
);

/** Sets the entry of a page; one made for a write is dirty by software and, if the mapping allows, writable. */
export const do_set_pte = routine(
  'mm/memory.c',
  'do_set_pte',
  { args: { vmf: ref('vm_fault'), page: ref('page') }, locals: { entry: pte, vm_flags: int } },
  ({ step, atomic, when }) => [
    step('entry = mk_pte(page, vma->vm_page_prot)', (f, k) => {
      const { vmf } = f;
      f.vm_flags = vmf.vma.vm_flags;
      const entry = pfn_pte(k.parts.memory.pfnOfPage(f.page.at), vmf.vma.vm_page_prot);
      f.entry = is_write(vmf) ? maybe_mkwrite(pte_mkdirty(entry), f.vm_flags) : entry;
    }),
    when('a private copy', (f) => is_write(f.vmf) && (f.vm_flags & VM_SHARED) === 0, [
      atomic('page_add_new_anon_rmap(page, vma, addr)', (f) => {
        f.page.flags = PG_anon | PG_anon_exclusive;
      }),
    ]),
    atomic('page_add_file_rmap(page, vma)', (f) => {
      f.page._mapcount++;
    }),
    step('set_pte_at(vma->vm_mm, addr, vmf->pte, entry)', (f) => {
      f.vmf.pte.val = f.entry;
    }),
  ],
);

/** Writable, if the mapping is. */
export const maybe_mkwrite = (entry: U64, vm_flags: number): U64 =>
  (vm_flags & VM_WRITE) !== 0 ? pte_mkwrite(entry) : entry;

/** The page that an entry maps as one of the kernel's own, or NULL: special entries have none. */
export const vm_normal_page = routine(
  'mm/memory.c',
  'vm_normal_page',
  { args: { vma: ref('vm_area_struct'), addr: long, pte }, locals: { page: ref('page') } },
  ({ when, step, ret }) => [
    when('!pte_special(pte)', (f) => !pte_special(f.pte), [
      step('pfn_to_page(pte_pfn(pte))', (f, k) => {
        f.page = pfn_to_page(k, pte_pfn(f.pte));
      }),
    ]),
    ret('page', (f) => f.page),
  ],
);

/** pfn_to_page(). */
export function pfn_to_page(k: Engine, pfn: number): Structs['page'] {
  const { struct } = k.objects.pool('page');
  return struct.view(k.store, k.parts.memory.pageOfPfn(pfn)) as Structs['page'];
}

/** A write to a present, write-protected entry, whose table's lock is held; the lock is released on return. */
export const do_wp_page = routine(
  'mm/memory.c',
  'do_wp_page',
  {
    ...of_vmf,
    locals: { page: ref('page'), vm_flags: int, page_flags: int, count: int, ret: int },
    returns: int,
  },
  ({ step, atomic, when, call, release, ret }) => [
    call(
      vm_normal_page,
      (f) => ({ vma: f.vmf.vma, addr: f.vmf.address, pte: f.vmf.orig_pte }),
      'page',
    ),
    step('vmf->page = vm_normal_page(vma, vmf->address, vmf->orig_pte)', (f) => {
      f.vmf.page = f.page;
      f.vm_flags = f.vmf.vma.vm_flags;
    }),
    when('!vmf->page', (f) => isNull(f.page), [
      when('the mapping is shared and writable', (f) => isSharedWritable(f.vm_flags), [
        call(wp_pfn_shared, (f) => ({ vmf: f.vmf }), 'ret'),
        ret('ret', (f) => f.ret),
      ]),
      release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.vmf.pte)),
      call(wp_page_copy, (f) => ({ vmf: f.vmf }), 'ret'),
      ret('ret', (f) => f.ret),
    ]),
    step('PageAnon(vmf->page)', (f) => {
      f.page_flags = f.page.flags;
    }),
    when(
      'an anonymous page',
      (f) => has(f.page_flags, PG_anon),
      [
        step('folio_ref_count(folio)', (f) => {
          f.count = f.page._refcount;
        }),
        when('exclusive, or nobody else has it', (f) => isReusable(f), [
          atomic('page_move_anon_rmap(vmf->page, vma)', (f) => {
            f.page.flags |= PG_anon_exclusive;
          }),
          call(wp_page_reuse, (f) => ({ vmf: f.vmf })),
          ret('VM_FAULT_WRITE', () => VM_FAULT_WRITE),
        ]),
      ],
      [
        when('the mapping is shared and writable', (f) => isSharedWritable(f.vm_flags), [
          call(wp_page_shared, (f) => ({ vmf: f.vmf }), 'ret'),
          ret('ret', (f) => f.ret),
        ]),
      ],
    ),
    atomic('get_page(vmf->page)', (f) => {
      f.page._refcount++;
    }),
    release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.vmf.pte)),
    call(wp_page_copy, (f) => ({ vmf: f.vmf }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/** Whether a write may keep an anonymous page: it is exclusive, or has no other reference. */
export const isReusable = (f: { page_flags: number; count: number }): boolean =>
  has(f.page_flags, PG_anon_exclusive) || f.count === 1;

/** A shared mapping of a bare frame: asks the driver, then makes the entry writable and dirty. */
export const wp_pfn_shared = routine(
  'mm/memory.c',
  'wp_pfn_shared',
  { ...of_vmf, locals: { handler: int, ret: int }, returns: int },
  ({ step, when, call, callPointer, release, variant, ret }) => [
    step('vma->vm_ops->pfn_mkwrite', (f) => {
      f.handler = f.vmf.vma.vm_ops.pfn_mkwrite;
    }),
    when('pfn_mkwrite', (f) => f.handler !== 0, [
      release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.vmf.pte)),
      step('vmf->flags |= FAULT_FLAG_MKWRITE', (f) => {
        f.vmf.flags |= FAULT_FLAG_MKWRITE;
      }),
      callPointer(
        'ret = vma->vm_ops->pfn_mkwrite(vmf)',
        (f) => f.vmf.vma.vm_ops.pfn_mkwrite,
        (f) => ({ vmf: f.vmf }),
        'ret',
      ),
      variant(
        'mm-6.1',
        [
          when('ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)', (f) => has(f.ret, ENOPAGE), [
            ret('ret', (f) => f.ret),
          ]),
        ],
        [
          variant(
            'hz-5',
            [
              when('ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)', (f) => has(f.ret, ENOPAGE), [
                ret('ret', (f) => f.ret),
              ]),
            ],
            [
              when(
                'ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)',
                (f) => has(f.ret, ENOPAGE_OR_RETRY),
                [ret('ret', (f) => f.ret)],
              ),
            ],
          ),
        ],
      ),
      call(finish_mkwrite_fault, (f) => ({ vmf: f.vmf }), 'ret'),
      ret('ret', (f) => f.ret),
    ]),
    call(wp_page_reuse, (f) => ({ vmf: f.vmf })),
    ret('VM_FAULT_WRITE', () => VM_FAULT_WRITE),
  ],
);

const ENOPAGE = VM_FAULT_ERROR | VM_FAULT_NOPAGE;

/** A shared mapping of a page: asks the file system or driver, then makes the entry writable and the page dirty. */
export const wp_page_shared = routine(
  'mm/memory.c',
  'wp_page_shared',
  { ...of_vmf, locals: { handler: int, tmp: int }, returns: int },
  (b) => {
    const { step, atomic, when, call, acquire, release, ret } = b;
    return [
      atomic('get_page(vmf->page)', (f) => {
        f.vmf.page._refcount++;
      }),
      step('vma->vm_ops->page_mkwrite', (f) => {
        f.handler = f.vmf.vma.vm_ops.page_mkwrite;
      }),
      when(
        'page_mkwrite',
        (f) => f.handler !== 0,
        [
          release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.vmf.pte)),
          call(do_page_mkwrite, (f) => ({ vmf: f.vmf }), 'tmp'),
          returnUnlessMkwrite(b),
          call(finish_mkwrite_fault, (f) => ({ vmf: f.vmf }), 'tmp'),
          when('tmp & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)', (f) => has(f.tmp, ENOPAGE), [
            release('unlock_page(vmf->page)', (f) => f.vmf.page.lock),
            call(put_page, (f) => ({ page: f.vmf.page })),
            ret('tmp', (f) => f.tmp),
          ]),
        ],
        [
          call(wp_page_reuse, (f) => ({ vmf: f.vmf })),
          acquire('lock_page(vmf->page)', (f) => f.vmf.page.lock),
        ],
      ),
      call(fault_dirty_shared_page, (f) => ({ vmf: f.vmf }), 'tmp'),
      call(put_page, (f) => ({ page: f.vmf.page })),
      ret('VM_FAULT_WRITE | fault_dirty_shared_page(vmf)', (f) => VM_FAULT_WRITE | f.tmp),
    ];
  },
);

/** Asks whether a page may become writable; it may not drop mmap_sem, as its flags tell it. The page comes back locked. */
export const do_page_mkwrite = routine(
  'mm/memory.c',
  'do_page_mkwrite',
  { ...of_vmf, locals: { old_flags: int, ret: int, gone: bool }, returns: int },
  ({ step, when, callPointer, acquire, release, variant, ret }) => [
    step('vmf->flags = FAULT_FLAG_WRITE | FAULT_FLAG_MKWRITE', (f) => {
      f.old_flags = f.vmf.flags;
      f.vmf.flags = FAULT_FLAG_WRITE | FAULT_FLAG_MKWRITE;
    }),
    callPointer(
      'ret = vmf->vma->vm_ops->page_mkwrite(vmf)',
      (f) => f.vmf.vma.vm_ops.page_mkwrite,
      (f) => ({ vmf: f.vmf }),
      'ret',
    ),
    step('vmf->flags = old_flags', (f) => {
      f.vmf.flags = f.old_flags;
    }),
    variant(
      'mm-6.1',
      [
        when('ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)', (f) => has(f.ret, ENOPAGE), [
          ret('ret', (f) => f.ret),
        ]),
      ],
      [
        when(
          'ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)',
          (f) => has(f.ret, ENOPAGE_OR_RETRY),
          [ret('ret', (f) => f.ret)],
        ),
      ],
    ),
    when('!(ret & VM_FAULT_LOCKED)', (f) => !has(f.ret, VM_FAULT_LOCKED), [
      acquire('lock_page(page)', (f) => f.vmf.page.lock),
      step('page->mapping', (f) => {
        f.gone = isNull(f.vmf.page.mapping);
      }),
      when('truncated meanwhile', (f) => f.gone, [
        release('unlock_page(page)', (f) => f.vmf.page.lock),
        ret('0', () => 0),
      ]),
    ]),
    ret('ret | VM_FAULT_LOCKED', (f) => f.ret | VM_FAULT_LOCKED),
  ],
);

/** After mkwrite: makes the entry writable, unless it is no longer the one that faulted. */
export const finish_mkwrite_fault = routine(
  'mm/memory.c',
  'finish_mkwrite_fault',
  { ...of_vmf, locals: { pmd: pte, entry: pte }, returns: int },
  ({ step, when, call, acquire, release, ret }) => [
    step('pte = pte_offset_map(vmf->pmd, vmf->address)', (f) => {
      f.pmd = f.vmf.pmd.val;
    }),
    acquire('vmf->pte = pte_offset_map_lock(mm, vmf->pmd, vmf->address, &vmf->ptl)', (f, k) =>
      ptl(k, f.vmf.pte),
    ),
    step('pte_same(*vmf->pte, vmf->orig_pte)', (f) => {
      f.entry = f.vmf.pte.val;
    }),
    when('changed meanwhile', (f) => !pte_same(f.entry, f.vmf.orig_pte), [
      release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.vmf.pte)),
      ret('VM_FAULT_NOPAGE', () => VM_FAULT_NOPAGE),
    ]),
    call(wp_page_reuse, (f) => ({ vmf: f.vmf })),
    ret('0', () => 0),
  ],
);

/** Makes the entry that faulted writable, young and dirty, and releases its lock. */
export const wp_page_reuse = routine(
  'mm/memory.c',
  'wp_page_reuse',
  { ...of_vmf, locals: { entry: pte } },
  ({ step, release }) => [
    step('entry = maybe_mkwrite(pte_mkdirty(pte_mkyoung(vmf->orig_pte)), vma)', (f) => {
      const { orig_pte, vma } = f.vmf;
      f.entry = maybe_mkwrite(pte_mkdirty(pte_mkyoung(orig_pte)), vma.vm_flags);
    }),
    step('ptep_set_access_flags(vma, vmf->address, vmf->pte, entry, 1)', (f) => {
      f.vmf.pte.val = f.entry;
    }),
    release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.vmf.pte)),
  ],
);

/**
 * The page of a shared write is dirty now; unlocks it. In 6.1 the throttling of dirty pages may give up mmap_sem:
 * returns VM_FAULT_COMPLETED then.
 */
export const fault_dirty_shared_page = routine(
  'mm/memory.c',
  'fault_dirty_shared_page',
  { ...of_vmf, locals: { dirtied: int, handler: int, mm: ref('mm_struct') }, returns: int },
  ({ step, when, call, release, variant, ret }) => [
    step('page_mkwrite = vma->vm_ops->page_mkwrite', (f) => {
      f.handler = f.vmf.vma.vm_ops.page_mkwrite;
      f.mm = f.vmf.vma.vm_mm;
    }),
    call(set_page_dirty, (f) => ({ page: f.vmf.page }), 'dirtied'),
    release('unlock_page(page)', (f) => f.vmf.page.lock),
    variant('mm-6.1', [
      when(
        '(dirtied || page_mkwrite) && fault_flag_allow_retry_first(vmf->flags)',
        (f) => (f.dirtied !== 0 || f.handler !== 0) && fault_flag_allow_retry_first(f.vmf.flags),
        [
          release('maybe_unlock_mmap_for_io(vmf): up_read(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
          ret('VM_FAULT_COMPLETED', () => VM_FAULT_COMPLETED),
        ],
      ),
    ]),
    ret('0', () => 0),
  ],
);

/** Whether a fault may still give up mmap_sem: it is the first try, and waiting is wanted. */
export const fault_flag_allow_retry_first = (flags: number): boolean =>
  has(flags, FAULT_FLAG_ALLOW_RETRY) && !has(flags, FAULT_FLAG_TRIED | FAULT_FLAG_RETRY_NOWAIT);

/** Copy on write: a page of its own for the writer. Entered without the table's lock, with a reference to the page. */
export const wp_page_copy = routine(
  'mm/memory.c',
  'wp_page_copy',
  {
    ...of_vmf,
    locals: {
      old_page: ref('page'),
      new_page: ref('page'),
      entry: pte,
      ret: int,
      old_flags: int,
      copied: bool,
    },
    returns: int,
  },
  ({ step, fallible, atomic, when, call, acquire, release, ret }) => [
    atomic('anon_vma_prepare(vma)', (f) => {
      anon_vma_prepare(f.vmf.vma);
      f.old_page = f.vmf.page;
    }),
    fallible(
      'alloc_page_vma',
      step('new_page = alloc_page_vma(vma, vmf->address)', (f, k) => {
        f.new_page = alloc_page(k);
      }),
    ),
    when('!new_page', (f) => isNull(f.new_page), [
      when('old_page', (f) => !isNull(f.old_page), [call(put_page, (f) => ({ page: f.old_page }))]),
      ret('VM_FAULT_OOM', () => VM_FAULT_OOM),
    ]),
    when(
      'a page of the kernel',
      (f) => !isNull(f.old_page),
      [
        step('copy_user_highpage(new_page, old_page, vmf->address, vma)', (f, k) => {
          copyFrame(k, f.new_page, k.parts.memory.pfnOfPage(f.old_page.at));
        }),
      ],
      [
        // A bare frame is read at the user's address, so the walk sets the accessed bit as for any other load. If that
        // fails the entry has changed meanwhile: the write faults again.
        step('pagefault_disable()', (_f, k) => {
          current(k).pagefault_disabled++;
        }),
        call(load, (f) => ({ address: f.vmf.address, length: PAGE_SIZE, user: false }), 'ret'),
        step('pagefault_enable()', (_f, k) => {
          current(k).pagefault_disabled--;
        }),
        when('the copy failed', (f) => f.ret !== 0, [
          call(put_page, (f) => ({ page: f.new_page })),
          ret('0', () => 0),
        ]),
        step('__copy_from_user_inatomic(kaddr, uaddr, PAGE_SIZE)', (f, k) => {
          copyFrame(k, f.new_page, pte_pfn(f.vmf.orig_pte));
        }),
      ],
    ),
    acquire('vmf->pte = pte_offset_map_lock(mm, vmf->pmd, vmf->address, &vmf->ptl)', (f, k) =>
      ptl(k, f.vmf.pte),
    ),
    step('pte_same(*vmf->pte, vmf->orig_pte)', (f) => {
      f.entry = f.vmf.pte.val;
    }),
    when('still the entry that faulted', (f) => pte_same(f.entry, f.vmf.orig_pte), [
      step(
        'entry = maybe_mkwrite(pte_mkdirty(mk_pte(new_page, vma->vm_page_prot)), vma)',
        (f, k) => {
          const { vma } = f.vmf;
          const entry = pfn_pte(k.parts.memory.pfnOfPage(f.new_page.at), vma.vm_page_prot);
          f.entry = maybe_mkwrite(pte_mkdirty(entry), vma.vm_flags);
        },
      ),
      call(ptep_clear_flush, (f) => ({ vma: f.vmf.vma, address: f.vmf.address, ptep: f.vmf.pte })),
      atomic('page_add_new_anon_rmap(new_page, vma, vmf->address)', (f) => {
        f.new_page.flags = PG_anon | PG_anon_exclusive;
      }),
      atomic('page_set_mapcount(new_page)', (f) => {
        f.new_page._mapcount = 1;
      }),
      step('set_pte_at_notify(mm, vmf->address, vmf->pte, entry)', (f) => {
        f.vmf.pte.val = f.entry;
      }),
      when('old_page', (f) => !isNull(f.old_page), [
        atomic('page_remove_rmap(old_page, vma)', (f) => {
          f.old_page._mapcount--;
        }),
      ]),
      step('page_copied = 1', (f) => {
        f.copied = true;
      }),
    ]),
    release('pte_unmap_unlock(vmf->pte, vmf->ptl)', (f, k) => ptl(k, f.vmf.pte)),
    when('!page_copied', (f) => !f.copied, [call(put_page, (f) => ({ page: f.new_page }))]),
    when('old_page', (f) => !isNull(f.old_page), [
      call(put_page, (f) => ({ page: f.old_page })),
      when('page_copied', (f) => f.copied, [call(put_page, (f) => ({ page: f.old_page }))]),
    ]),
    ret('page_copied ? VM_FAULT_WRITE : 0', (f) => (f.copied ? VM_FAULT_WRITE : 0)),
  ],
);

/** Clears an entry and flushes it from the TLBs. */
export const ptep_clear_flush = routine(
  'mm/pgtable-generic.c',
  'ptep_clear_flush',
  { args: { vma: ref('vm_area_struct'), address: long, ptep: ref('pte_t') } },
  ({ atomic, call }) => [
    atomic('ptep_get_and_clear(mm, address, ptep)', (f) => {
      f.ptep.val = { lo: 0, hi: 0 };
    }),
    call(flush_tlb_mm_range, (f) => ({
      mm: f.vma.vm_mm,
      start: f.address,
      end: f.address + PAGE_SIZE,
      freed_tables: false,
    })),
  ],
);

// Entries of single frames.

const insert_args = { vma: ref('vm_area_struct'), addr: long, pfn: int, pgprot: pte };

/** Inserts a special entry for a frame of a VM_PFNMAP mapping. VM_FAULT_NOPAGE, also when one is there already. */
export const vmf_insert_pfn_prot = insertion('vmf_insert_pfn_prot');

/** The same for a VM_MIXEDMAP mapping; its frames here are devices', so these entries are special too. */
export const vmf_insert_mixed_prot = routine(
  'mm/memory.c',
  'vmf_insert_mixed_prot',
  { args: insert_args, locals: { ret: int }, returns: int },
  ({ call, ret }) => [
    call(
      __vm_insert_mixed,
      (f) => ({ vma: f.vma, addr: f.addr, pfn: f.pfn, pgprot: f.pgprot }),
      'ret',
    ),
    ret('ret', (f) => f.ret),
  ],
);

export const __vm_insert_mixed = insertion('__vm_insert_mixed');

/** Checks that the address is in the mapping, then inserts. */
function insertion(name: string) {
  return routine(
    'mm/memory.c',
    name,
    { args: insert_args, locals: { inside: bool, pcm: int, ret: int }, returns: int },
    ({ step, when, call, ret, having }) => [
      step('addr < vma->vm_start || addr >= vma->vm_end', (f) => {
        const { vm_flags, vm_start, vm_end } = f.vma;
        const cow = (vm_flags & VM_PFNMAP) !== 0 && is_cow_mapping(vm_flags);
        BUG_ON(cow, 'mm/memory.c', '(vma->vm_flags & VM_PFNMAP) && is_cow_mapping(vma->vm_flags)');
        f.inside = f.addr >= vm_start && f.addr < vm_end;
      }),
      when('outside', (f) => !f.inside, [ret('VM_FAULT_SIGBUS', () => VM_FAULT_SIGBUS)]),
      having('vram', [
        call(track_pfn_insert, (f) => ({ pfn: f.pfn }), 'pcm'),
        when('another memory type', (f) => f.pcm !== AS_ASKED, [
          step('pgprot_set_cachemode(&pgprot, pcm)', (f) => {
            f.pgprot = pgprot_set_cachemode(f.pgprot, f.pcm);
          }),
        ]),
      ]),
      call(
        insert_pfn,
        (f) => ({ vma: f.vma, addr: f.addr, pfn: f.pfn, prot: f.pgprot, mkwrite: false }),
        'ret',
      ),
      ret('ret', (f) => f.ret),
    ],
  );
}

/** As vmf_insert_mixed_prot(), with the protection of the mapping. */
export const vmf_insert_mixed = routine(
  'mm/memory.c',
  'vmf_insert_mixed',
  {
    args: { vma: ref('vm_area_struct'), addr: long, pfn: int },
    locals: { ret: int },
    returns: int,
  },
  ({ call, ret }) => [
    call(
      vmf_insert_mixed_prot,
      (f) => ({ vma: f.vma, addr: f.addr, pfn: f.pfn, pgprot: f.vma.vm_page_prot }),
      'ret',
    ),
    ret('ret', (f) => f.ret),
  ],
);

/** Sets an absent entry. One that is there stays as it is, but for `mkwrite`, which makes it writable and dirty. */
export const insert_pfn = routine(
  'mm/memory.c',
  'insert_pfn',
  {
    args: { vma: ref('vm_area_struct'), addr: long, pfn: int, prot: pte, mkwrite: bool },
    locals: { pte: ref('pte_t'), entry: pte, vm_flags: int },
    returns: int,
  },
  ({ step, when, call, release, ret }) => [
    call(__get_locked_pte, (f) => ({ mm: f.vma.vm_mm, addr: f.addr }), 'pte'),
    when('!pte', (f) => isNull(f.pte), [ret('VM_FAULT_OOM', () => VM_FAULT_OOM)]),
    step('pte_none(*pte)', (f) => {
      f.entry = f.pte.val;
      f.vm_flags = f.vma.vm_flags;
    }),
    when(
      'none',
      (f) => pte_none(f.entry),
      [
        step(
          'entry = pte_mkspecial(pfn_t_pte(pfn, prot)); set_pte_at(mm, addr, pte, entry)',
          (f) => {
            f.entry = pte_mkspecial(pfn_pte(f.pfn, f.prot));
            if (f.mkwrite) f.entry = maybe_mkwrite(pte_mkdirty(pte_mkyoung(f.entry)), f.vm_flags);
            f.pte.val = f.entry;
          },
        ),
      ],
      [
        when('mkwrite, and it is this frame', (f) => f.mkwrite && pte_pfn(f.entry) === f.pfn, [
          step('ptep_set_access_flags(vma, addr, pte, entry, 1)', (f) => {
            f.pte.val = maybe_mkwrite(pte_mkdirty(pte_mkyoung(f.entry)), f.vm_flags);
          }),
        ]),
      ],
    ),
    release('pte_unmap_unlock(pte, ptl)', (f, k) => ptl(k, f.pte)),
    ret('VM_FAULT_NOPAGE', () => VM_FAULT_NOPAGE),
  ],
);

/** The entry for an address, its table's lock held; NULL when there is no memory for tables. */
export const __get_locked_pte = routine(
  'mm/memory.c',
  '__get_locked_pte',
  { args: { mm: ref('mm_struct'), addr: long }, locals: walkLocals },
  (b) => [
    b.call(walk_to_pmd, (f) => ({ mm: f.mm, addr: f.addr }), 'pmd'),
    b.when('!pmd', (f) => isNull(f.pmd), [b.ret('NULL', () => NULL)]),
    ...allocBelow(b, 'pmd', (f) => ({ mm: f.mm, address: f.addr }), [b.ret('NULL', () => NULL)]),
    b.acquire('spin_lock(ptl)', (f, k) => ptl(k, f.pte)),
    b.ret('pte', (f) => f.pte),
  ],
);

export const walk_to_pmd = routine(
  'mm/memory.c',
  'walk_to_pmd',
  { args: { mm: ref('mm_struct'), addr: long }, locals: walkLocals },
  (b) => [
    b.step('pgd = pgd_offset(mm, addr)', (f, k) => {
      f.pgd = pgd_offset(k, f.mm, f.addr);
    }),
    ...allocBelow(b, 'pgd', (f) => ({ mm: f.mm, address: f.addr }), [b.ret('NULL', () => NULL)]),
    ...allocBelow(b, 'pud', (f) => ({ mm: f.mm, address: f.addr }), [b.ret('NULL', () => NULL)]),
    b.ret('pmd', (f) => f.pmd),
  ],
);

// Unmapping.

/** Beyond every page of a file. */
const LAST_PAGE = 2 ** 31 - 1;

/**
 * Takes pages [first_index, first_index + nr) of the file out of every mapping, the TLBs flushed on return; `nr` 0 means
 * all from `first_index` on. Dirty bits of special entries are lost. Private copies stay unless `even_cows`.
 */
export const unmap_mapping_range = routine(
  'mm/memory.c',
  'unmap_mapping_range',
  {
    args: { mapping: ref('address_space'), first_index: int, nr: int, even_cows: bool },
    locals: { vma: ref('vm_area_struct'), start: long, end: long },
  },
  ({ step, when, loop, leave, call, acquire, release }) => [
    step(
      'last_index = first_index + nr - 1; if (last_index < first_index) last_index = ULONG_MAX',
      (f) => {
        if (f.nr === 0) f.nr = LAST_PAGE - f.first_index;
      },
    ),
    acquire('i_mmap_lock_read(mapping)', (f) => f.mapping.i_mmap_rwsem, { mode: 'read' }),
    step('vma = vma_interval_tree_iter_first(&mapping->i_mmap, first_index, last_index)', (f) => {
      const last = f.first_index + f.nr - 1;
      f.vma = vma_interval_tree_iter_first(f.mapping, f.first_index, last);
    }),
    loop('vma_interval_tree_foreach(vma)', [
      when('!vma', (f) => isNull(f.vma), [leave()]),
      step('clip to the vma', (f) => {
        ({ start: f.start, end: f.end } = clip(f.vma, f.first_index, f.nr));
      }),
      call(zap_page_range_single, (f) => ({
        vma: f.vma,
        address: f.start,
        end: f.end,
        even_cows: f.even_cows,
      })),
      step('vma = vma_interval_tree_iter_next(vma, first_index, last_index)', (f) => {
        const last = f.first_index + f.nr - 1;
        f.vma = vma_interval_tree_iter_next(f.vma, f.first_index, last);
      }),
    ]),
    release('i_mmap_unlock_read(mapping)', (f) => f.mapping.i_mmap_rwsem),
  ],
);

const range_of_vma = { vma: ref('vm_area_struct'), address: long, end: long, even_cows: bool };

/** Unmaps [address, end) of one mapping. */
export const zap_page_range_single = routine(
  'mm/memory.c',
  'zap_page_range_single',
  { args: range_of_vma, locals: { tlb: embed('mmu_gather') } },
  ({ call }) => [
    call(tlb_gather_mmu, (f) => ({ tlb: f.tlb, mm: f.vma.vm_mm, fullmm: false })),
    call(mmu_notifier_invalidate_range_start, (f) => ({
      mm: f.vma.vm_mm,
      event: MMU_NOTIFY_CLEAR,
      start: f.address,
      end: f.end,
    })),
    call(unmap_single_vma, (f) => ({
      tlb: f.tlb,
      vma: f.vma,
      address: f.address,
      end: f.end,
      even_cows: f.even_cows,
    })),
    call(mmu_notifier_invalidate_range_end, (f) => ({
      mm: f.vma.vm_mm,
      event: MMU_NOTIFY_CLEAR,
      start: f.address,
      end: f.end,
    })),
    call(tlb_finish_mmu, (f) => ({ tlb: f.tlb })),
  ],
);

/** Unmaps every mapping of the list from `vma` on that lies in [start, end). */
export const unmap_vmas = routine(
  'mm/memory.c',
  'unmap_vmas',
  {
    args: { tlb: ref('mmu_gather'), vma: ref('vm_area_struct'), start_addr: long, end_addr: long },
    locals: { inside: bool, from: long, to: long },
  },
  ({ step, when, loop, leave, call }) => [
    loop('for ( ; vma && vma->vm_start < end_addr; vma = vma->vm_next)', [
      step('clip to the vma', (f) => {
        f.inside = !isNull(f.vma) && f.vma.vm_start < f.end_addr;
        if (!f.inside) return;
        f.from = Math.max(f.vma.vm_start, f.start_addr);
        f.to = Math.min(f.vma.vm_end, f.end_addr);
      }),
      when('none left', (f) => !f.inside, [leave()]),
      call(unmap_single_vma, (f) => ({
        tlb: f.tlb,
        vma: f.vma,
        address: f.from,
        end: f.to,
        even_cows: true,
      })),
      step('vma = vma->vm_next', (f) => {
        f.vma = f.vma.vm_next;
      }),
    ]),
  ],
);

export const unmap_single_vma = routine(
  'mm/memory.c',
  'unmap_single_vma',
  { args: { tlb: ref('mmu_gather'), ...range_of_vma } },
  ({ when, call }) => [
    when('start != end', (f) => f.address < f.end, [
      call(unmap_page_range, (f) => ({
        tlb: f.tlb,
        vma: f.vma,
        addr: f.address,
        end: f.end,
        even_cows: f.even_cows,
      })),
    ]),
  ],
);

const zap_args = { tlb: ref('mmu_gather'), vma: ref('vm_area_struct'), even_cows: bool };
const zapDown = (f: FieldsView<typeof zap_args>) => ({
  tlb: f.tlb,
  vma: f.vma,
  even_cows: f.even_cows,
});

export const unmap_page_range = routine(
  'mm/memory.c',
  'unmap_page_range',
  {
    args: { ...zap_args, addr: long, end: long },
    locals: { first: ref('pte_t'), ...rangeLocals },
  },
  (b) => [
    b.unlocked('tlb_start_vma(tlb, vma); pgd = pgd_offset(vma->vm_mm, addr)', (f, k) => {
      if (isVmaPfn(f.vma.vm_flags)) f.tlb.vma_pfn = true;
      f.first = pgd_offset(k, f.vma.vm_mm, f.addr);
    }),
    ...eachEntry(b, 0, { below: zap_pud_range, args: zapDown }),
    b.call(tlb_end_vma, (f) => ({ tlb: f.tlb })),
    b.ret(),
  ],
);

export const zap_pud_range = rangeRoutine('mm/memory.c', 'zap_pud_range', 1, zap_args, () => ({
  below: zap_pmd_range,
  args: zapDown,
  huge: (b, reread) => zapHuge(b, reread, 1),
}));

export const zap_pmd_range = rangeRoutine('mm/memory.c', 'zap_pmd_range', 2, zap_args, () => ({
  below: zap_pte_range,
  args: zapDown,
  huge: (b, reread) => zapHuge(b, reread, 2),
}));

/** A huge entry of which all is to go goes as it is; otherwise it is split. */
function zapHuge(b: AnyBuilder, reread: Node, level: 1 | 2): Node[] {
  const [zap, split] =
    level === 1 ? [zap_huge_pud, __split_huge_pud] : [zap_huge_pmd, __split_huge_pmd];
  return [
    b.when(
      `next - addr == HPAGE_${level === 1 ? 'PUD' : 'PMD'}_SIZE`,
      wholeHuge(level),
      [
        b.call(zap, (f) => ({ tlb: f.tlb, vma: f.vma, entry: f.first, addr: f.addr }), 'err'),
        b.when('it was split meanwhile', (f) => f.err === 0, [reread]),
      ],
      [b.call(split, (f) => ({ vma: f.vma, entry: f.first, address: f.addr })), reread],
    ),
  ];
}

/** Clears the entries of one table. A dirty entry of a page makes the page dirty; of a bare frame it is lost. */
export const zap_pte_range = routine(
  'mm/memory.c',
  'zap_pte_range',
  {
    args: { ...zap_args, ...rangeArgs },
    locals: {
      table: ref('pte_t'),
      entry: pte,
      page: ref('page'),
      page_flags: int,
      force_flush: bool,
      full: bool,
      ignored: int,
    },
  },
  ({ step, atomic, when, loop, leave, again, call, acquire, release, variant, ret }) => [
    loop('again:', [
      step('start_pte = pte_offset_map(pmd, addr)', (f) => {
        f.table = f.first;
        f.force_flush = false;
        f.full = false;
      }),
      acquire('spin_lock(ptl)', (f, k) => ptl(k, f.table)),
      loop('for ( ; addr != end; pte++, addr += PAGE_SIZE)', [
        when('addr == end || full', (f) => f.addr === f.end || f.full, [leave()]),
        step('ptent = *pte', (f) => {
          f.entry = f.first.val;
        }),
        when('pte_none(ptent)', (f) => pte_none(f.entry), [
          step('pte++, addr += PAGE_SIZE', (f, k) => {
            f.first = nextEntry(k, f.first);
            f.addr += PAGE_SIZE;
          }),
          again(),
        ]),
        call(vm_normal_page, (f) => ({ vma: f.vma, addr: f.addr, pte: f.entry }), 'page'),
        when('page', (f) => !isNull(f.page), [
          step('PageAnon(page)', (f) => {
            f.page_flags = f.page.flags;
          }),
        ]),
        when('!should_zap_page(details, page)', (f) => isKept(f), [
          step('pte++, addr += PAGE_SIZE', (f, k) => {
            f.first = nextEntry(k, f.first);
            f.addr += PAGE_SIZE;
          }),
          again(),
        ]),
        atomic('ptent = ptep_get_and_clear_full(mm, addr, pte, tlb->fullmm)', (f) => {
          f.entry = f.first.val;
          f.first.val = { lo: 0, hi: 0 };
          tlb_remove_tlb_entry(f.tlb, f.addr, PAGE_SIZE);
        }),
        when('page', (f) => !isNull(f.page), [
          when(
            '!PageAnon(page) && pte_dirty(ptent)',
            (f) => !has(f.page_flags, PG_anon) && pte_dirty(f.entry),
            [
              step('force_flush = 1', (f) => {
                f.force_flush = true;
              }),
              call(set_page_dirty, (f) => ({ page: f.page }), 'ignored'),
            ],
          ),
          atomic('page_remove_rmap(page, vma)', (f) => {
            f.page._mapcount--;
          }),
          step('__tlb_remove_page(tlb, page)', (f) => {
            f.full = __tlb_remove_page(f.tlb, f.page);
            f.force_flush ||= f.full;
          }),
        ]),
        step('pte++, addr += PAGE_SIZE', (f, k) => {
          f.first = nextEntry(k, f.first);
          f.addr += PAGE_SIZE;
        }),
      ]),
      variant(
        'bz-24',
        [
          when('force_flush', (f) => f.force_flush, [
            call(tlb_flush_mmu_tlbonly, (f) => ({ tlb: f.tlb })),
          ]),
        ],
        [call(tlb_flush_mmu_tlbonly, (f) => ({ tlb: f.tlb }))],
      ),
      release('pte_unmap_unlock(start_pte, ptl)', (f, k) => ptl(k, f.table)),
      when('force_flush', (f) => f.force_flush, [call(tlb_flush_mmu, (f) => ({ tlb: f.tlb }))]),
      when('addr == end', (f) => f.addr === f.end, [leave()]),
    ]),
    ret(),
  ],
);

/** A private copy stays where only the pages of the file are to go. */
const isKept = (f: { even_cows: boolean; page: Structs['page']; page_flags: number }): boolean =>
  !f.even_cows && !isNull(f.page) && has(f.page_flags, PG_anon);

// Walking with a function (patch 2 of the series).

/** A function for every entry of a range, with whatever its caller put around it. */
export const pfn_range_apply = struct('pfn_range_apply', {
  own: {
    mm: ref('mm_struct'),
    ptefn: fnptr({ pte: ref('pte_t'), addr: long, closure: ref('pfn_range_apply') }, int),
    alloc: bool, // make tables where there are none
  },
});

declare module '../../state/layout' {
  interface Structs {
    pfn_range_apply: View<typeof pfn_range_apply>;
  }
}

/**
 * Calls closure->ptefn for every entry of [addr, addr + size), absent ones too, with the lock of its table held.
 * Without `alloc`, spans without a table are passed over, and a huge entry is cleared as a bad one; with it, a huge entry
 * is a BUG. Returns the first value other than 0, or -EINVAL, -ENOMEM.
 * Its usage warning is checked: mmap_sem or the file's i_mmap_rwsem held, the range notified.
 */
export const apply_to_pfn_range = routine(
  'mm/memory.c',
  'apply_to_pfn_range',
  {
    args: { closure: ref('pfn_range_apply'), addr: long, size: long },
    locals: { first: ref('pte_t'), end: long, ...rangeLocals },
    returns: int,
  },
  (b) => [
    b.when('addr >= end', (f) => f.size <= 0, [b.ret('-EINVAL', () => -EINVAL)]),
    b.step('the usage warning; pgd = pgd_offset(mm, addr)', (f, k) => {
      f.end = f.addr + f.size;
      if (!isHeldStill(k, f.closure.mm, f.addr, f.end))
        k.emit(warn, { where: WARN_APPLY_UNLOCKED });
      if (!isNotified(k, f.closure.mm, f.addr, f.end))
        k.emit(warn, { where: WARN_APPLY_UNNOTIFIED });
      f.first = pgd_offset(k, f.closure.mm, f.addr);
    }),
    ...eachEntry(
      b,
      0,
      applyDown(() => apply_to_pud_range, __pud_alloc),
    ),
    b.ret('0', () => 0),
  ],
);

/** Whether the running task's locks keep the mappings and tables of a range: mmap_sem, or the lock of a file there. */
function isHeldStill(k: Engine, mm: Structs['mm_struct'], start: number, end: number): boolean {
  return k.held(k.task).some(({ at }) => {
    if (at === mm.mmap_sem.at) return true;
    if (k.lockClass(at) !== 'i_mmap_rwsem') return false;
    const mapping = k.view('address_space', at - address_space.slot('i_mmap_rwsem').offset);
    let vma = mapping.i_mmap;
    while (!isNull(vma) && !(same(vma.vm_mm, mm) && vma.vm_start <= start && end <= vma.vm_end)) {
      vma = vma.i_mmap_next;
    }
    return !isNull(vma);
  });
}

/** Whether the running task is between the notifications of a range that holds [start, end). */
function isNotified(k: Engine, mm: Structs['mm_struct'], start: number, end: number): boolean {
  const { notified_mm, notified_start, notified_end } = current(k);
  return same(notified_mm, mm) && notified_start <= start && end <= notified_end;
}

const apply_args = { closure: ref('pfn_range_apply') };

const ptefn: EntryCall = {
  pointer: (f) => f.closure.ptefn,
  args: (f, pte, addr) => ({ pte, addr, closure: f.closure }),
};

/** `level`: of the entries that are gone through; those of the PGD are never huge. */
function applyDown(
  below: () => Routine<Fields>,
  alloc: Routine<typeof alloc_args>,
  level: 0 | 1 | 2 = 0,
): Descent {
  return {
    get below() {
      return below();
    },
    args: (f) => ({ closure: f.closure }),
    stops: true,
    ...(level === 0
      ? {}
      : {
          huge: (b: AnyBuilder) => [
            b.when(
              'closure->alloc',
              (f) => f.closure.alloc,
              [
                b.step(`BUG_ON(${levelNames[level]}_huge(*${levelNames[level]}))`, () => {
                  BUG_ON(
                    true,
                    'mm/memory.c',
                    `BUG_ON(${levelNames[level]}_huge(*${levelNames[level]}))`,
                  );
                }),
              ],
              [clearBad(b, level)],
            ),
          ],
        }),
    absent: (b) => [
      b.when('closure->alloc', (f) => f.closure.alloc, [
        b.call(alloc, (f) => ({ mm: f.closure.mm, upper: f.first }), 'err'),
        b.when('no memory', (f) => f.err !== 0, [b.ret('-ENOMEM', () => -ENOMEM)]),
      ]),
    ],
  };
}

export const apply_to_pud_range = rangeRoutine(
  'mm/memory.c',
  'apply_to_pud_range',
  1,
  apply_args,
  () => applyDown(() => apply_to_pmd_range, __pmd_alloc, 1),
);

export const apply_to_pmd_range = rangeRoutine(
  'mm/memory.c',
  'apply_to_pmd_range',
  2,
  apply_args,
  () => ({
    ...applyDown(() => apply_to_pte_range, __pte_alloc, 2),
    burst: tablesAtOnce({
      call: ptefn,
      around: () => 7, // the entry read; in apply_to_pte_range the call, 4 operations; the next entry
      absent: (f) => (f.closure.alloc ? 0 : 3), // the entry read, and read again; the next entry
    }),
  }),
);

export const apply_to_pte_range = routine(
  'mm/memory.c',
  'apply_to_pte_range',
  {
    args: { ...apply_args, ...rangeArgs },
    locals: { table: ref('pte_t'), err: int },
    returns: int,
  },
  ({ step, when, loop, burst, leave, callPointer, acquire, release, ret }) => [
    step('pte = pte_offset_map(pmd, addr)', (f) => {
      f.table = f.first;
    }),
    acquire('spin_lock(ptl)', (f, k) => ptl(k, f.table)),
    loop('do', [
      burst(entriesAtOnce(ptefn)),
      callPointer(
        'err = closure->ptefn(pte, addr, closure)',
        ptefn.pointer,
        (f) => ptefn.args(f, f.first, f.addr),
        'err',
      ),
      when('err', (f) => f.err !== 0, [leave()]),
      step('pte++, addr += PAGE_SIZE', (f, k) => {
        f.first = nextEntry(k, f.first);
        f.addr += PAGE_SIZE;
      }),
      when('addr == end', (f) => f.addr === f.end, [leave()]),
    ]),
    release('pte_unmap_unlock(pte - 1, ptl)', (f, k) => ptl(k, f.table)),
    ret('err', (f) => f.err),
  ],
);

// Fork.

/**
 * Copies the entries of a mapping for a child, both address spaces locked. Mappings of ordinary pages without private
 * copies are left to the child's faults.
 */
export const copy_page_range = routine(
  'mm/memory.c',
  'copy_page_range',
  {
    args: { dst_vma: ref('vm_area_struct'), src_vma: ref('vm_area_struct') },
    locals: {
      first: ref('pte_t'),
      addr: long,
      end: long,
      needed: bool,
      is_cow: bool,
      ...rangeLocals,
    },
    returns: int,
  },
  (b) => [
    b.step('vma_needs_copy(dst_vma, src_vma)', (f, k) => {
      const { src_vma } = f;
      f.needed = (src_vma.vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) !== 0 || src_vma.anon_vma !== 0;
      f.is_cow = is_cow_mapping(src_vma.vm_flags);
      f.addr = src_vma.vm_start;
      f.end = src_vma.vm_end;
      f.first = pgd_offset(k, src_vma.vm_mm, f.addr);
    }),
    b.when('no', (f) => !f.needed, [b.ret('0', () => 0)]),
    b.when('is_cow', (f) => f.is_cow, [b.call(mmu_notifier_invalidate_range_start, copied)]),
    b.loop('for each PGD entry', [
      b.step('next = pgd_addr_end(addr, end); pgd_none_or_clear_bad(src_pgd)', (f) => {
        f.next = addrEnd(f.addr, f.end, 0);
        f.entry = f.first.val;
      }),
      b.when('!pgd_none(*src_pgd)', (f) => !pte_none(f.entry), [
        b.call(
          copy_pud_range,
          (f, k) => ({
            dst_vma: f.dst_vma,
            src_vma: f.src_vma,
            first: entryOffset(k, f.entry, f.addr, 1),
            addr: f.addr,
            end: f.next,
          }),
          'err',
        ),
        b.when('err', (f) => f.err !== 0, [b.leave()]),
      ]),
      b.step('src_pgd++, addr = next', (f, k) => {
        f.first = nextEntry(k, f.first);
        f.addr = f.next;
      }),
      b.when('addr == end', (f) => f.addr === f.end, [b.leave()]),
    ]),
    b.when('is_cow', (f) => f.is_cow, [b.call(mmu_notifier_invalidate_range_end, copied)]),
    b.ret('err', (f) => f.err),
  ],
);

const copied = (f: { src_vma: Structs['vm_area_struct'] }) => ({
  mm: f.src_vma.vm_mm,
  event: MMU_NOTIFY_PROTECTION_PAGE,
  start: f.src_vma.vm_start,
  end: f.src_vma.vm_end,
});

const copy_args = { dst_vma: ref('vm_area_struct'), src_vma: ref('vm_area_struct') };
const copyDown = (f: FieldsView<typeof copy_args>) => ({
  dst_vma: f.dst_vma,
  src_vma: f.src_vma,
});

export const copy_pud_range = rangeRoutine(
  'mm/memory.c',
  'copy_pud_range',
  1,
  copy_args,
  () => ({
    below: copy_pmd_range,
    args: copyDown,
    stops: true,
    huge: (b, reread) => [
      b.call(dst_pud_alloc, (f) => ({ mm: f.dst_vma.vm_mm, addr: f.addr }), 'dst_pud'),
      b.when('no memory', (f) => isNull(f.dst_pud), [b.ret('-ENOMEM', () => -ENOMEM)]),
      b.call(copy_huge_pud, (f) => ({ dst_pud: f.dst_pud, src_pud: f.first }), 'err'),
      b.when('it was split meanwhile', (f) => f.err !== 0, [reread]),
    ],
  }),
  { dst_pud: ref('pte_t') },
);

/** The PUD entry of a child for an address, or NULL. */
const dst_pud_alloc = routine(
  'mm/memory.c',
  'pud_alloc',
  { args: { mm: ref('mm_struct'), addr: long }, locals: walkLocals },
  (b) => [
    b.step('pgd = pgd_offset(mm, addr)', (f, k) => {
      f.pgd = pgd_offset(k, f.mm, f.addr);
    }),
    ...allocBelow(b, 'pgd', (f) => ({ mm: f.mm, address: f.addr }), [b.ret('NULL', () => NULL)]),
    b.ret('pud', (f) => f.pud),
  ],
);

export const copy_pmd_range = rangeRoutine('mm/memory.c', 'copy_pmd_range', 2, copy_args, () => ({
  below: copy_pte_range,
  args: copyDown,
  stops: true,
  huge: () => [], // copy_huge_pmd(): the child's faults fill in what is of a file
}));

/** The entries of one table, into the child's, whose tables are made on the way. Returns 0 or -ENOMEM. */
export const copy_pte_range = routine(
  'mm/memory.c',
  'copy_pte_range',
  {
    args: { ...copy_args, ...rangeArgs },
    locals: { ...walkLocals, src: ref('pte_t'), dst: ref('pte_t') },
    returns: int,
  },
  (b) => [
    b.step('dst_pgd = pgd_offset(dst_mm, addr)', (f, k) => {
      f.pgd = pgd_offset(k, f.dst_vma.vm_mm, f.addr);
    }),
    ...(['pgd', 'pud', 'pmd'] as const).flatMap((upper) =>
      allocBelow(b, upper, (f) => ({ mm: f.dst_vma.vm_mm, address: f.addr }), [
        b.ret('-ENOMEM', () => -ENOMEM),
      ]),
    ),
    b.step('src_pte = pte_offset_map(src_pmd, addr)', (f) => {
      f.src = f.first;
      f.dst = f.pte;
    }),
    b.acquire('spin_lock(dst_ptl)', (f, k) => ptl(k, f.dst)),
    b.acquire('spin_lock_nested(src_ptl)', (f, k) => ptl(k, f.src), { nested: true }),
    b.loop('do', [
      b.step('*src_pte', (f) => {
        f.entry = f.first.val;
      }),
      b.when('!pte_none(*src_pte)', (f) => !pte_none(f.entry), [
        b.call(copy_present_pte, (f) => ({
          ...copyDown(f),
          dst_pte: f.pte,
          src_pte: f.first,
          addr: f.addr,
          pte: f.entry,
        })),
      ]),
      b.step('dst_pte++, src_pte++, addr += PAGE_SIZE', (f, k) => {
        f.first = nextEntry(k, f.first);
        f.pte = nextEntry(k, f.pte);
        f.addr += PAGE_SIZE;
      }),
      b.when('addr == end', (f) => f.addr === f.end, [b.leave()]),
    ]),
    b.release('spin_unlock(src_ptl)', (f, k) => ptl(k, f.src)),
    b.release('pte_unmap_unlock(dst_pte, dst_ptl)', (f, k) => ptl(k, f.dst)),
    b.ret('0', () => 0),
  ],
);

/** One entry: write-protected on both sides where pages are copied on write; clean and old in the child otherwise. */
export const copy_present_pte = routine(
  'mm/memory.c',
  'copy_present_pte',
  {
    args: { ...copy_args, dst_pte: ref('pte_t'), src_pte: ref('pte_t'), addr: long, pte },
    locals: { page: ref('page'), page_flags: int, vm_flags: int },
  },
  ({ step, atomic, when, call, ret }) => [
    step('vm_flags = src_vma->vm_flags', (f) => {
      f.vm_flags = f.src_vma.vm_flags;
    }),
    call(vm_normal_page, (f) => ({ vma: f.src_vma, addr: f.addr, pte: f.pte }), 'page'),
    when('page', (f) => !isNull(f.page), [
      atomic('get_page(page)', (f) => {
        f.page._refcount++;
      }),
      atomic('page_dup_rmap(page)', (f) => {
        f.page._mapcount++;
      }),
      atomic('ClearPageAnonExclusive(page)', (f) => {
        f.page.flags &= ~PG_anon_exclusive;
      }),
    ]),
    when(
      'is_cow_mapping(vm_flags) && pte_write(pte)',
      (f) => is_cow_mapping(f.vm_flags) && pte_write(f.pte),
      [
        atomic('ptep_set_wrprotect(src_mm, addr, src_pte)', (f) => {
          f.pte = pte_wrprotect(f.src_pte.val);
          f.src_pte.val = f.pte;
        }),
      ],
    ),
    step('set_pte_at(dst_vma->vm_mm, addr, dst_pte, pte)', (f) => {
      const shared = (f.vm_flags & VM_SHARED) !== 0;
      f.dst_pte.val = pte_mkold(shared ? pte_mkclean(f.pte) : f.pte);
    }),
    ret(),
  ],
);

/** Flushes all of an address space: flush_tlb_mm(). */
export const wholeMm = (mm: Structs['mm_struct']) => ({
  mm,
  start: 0,
  end: TLB_FLUSH_ALL,
  freed_tables: true,
});
