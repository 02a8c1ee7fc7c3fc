// mm/huge_memory.c: entries of the PMD and PUD that map 2 MiB and 1 GiB of a file at once. Linux 5.1, 6.1 by variants, and
// what 5.7 brought for devices (VM_PFNMAP and VM_MIXEDMAP mappings). Left out: anonymous memory and all that belongs to
// pages of the kernel's own: no compound pages, no page tables laid by, no devmap bit, no madvise of huge pages.
import { PAGE_SIZE, PMD_SIZE, PUD_SIZE, pte_pfn } from '../../hardware/pte';
import { type AnyBuilder, type Node, routine, type VariantSet } from '../../routine/routine';
import { bool, int, isNull, long, pte, ref, type Structs, type U64 } from '../../state/layout';
import {
  pfn_pte,
  pmd_mkhuge,
  pmd_mkinvalid,
  pmd_modify,
  pmd_trans_huge,
  pte_mkdirty,
  pte_mkold,
  pte_mksoft_dirty,
  pte_mkyoung,
  pte_none,
  pte_present,
  pte_same,
  pte_wrprotect,
} from '../arch/x86/include/asm/pgtable';
import { flush_tlb_mm_range } from '../arch/x86/mm/tlb';
import { BUG_ON, WARN_OTHER_PMD, WARN_OTHER_PUD, warn } from '../include/asm-generic/bug';
import { EAGAIN } from '../include/linux/errno';
import {
  FAULT_FLAG_WRITE,
  is_cow_mapping,
  VM_FAULT_NOPAGE,
  VM_FAULT_SIGBUS,
  VM_HUGETLB,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_SPECIAL,
} from '../include/linux/mm';
import '../include/linux/mm_types';
import { maybe_mkwrite } from './memory';
import { tlb_remove_tlb_entry } from './mmu_gather';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from './mmu_notifier';
import { pte_needs_flush } from './mprotect';
import { entryOffset, pgd_offset, ptl } from './range';

const file = 'mm/huge_memory.c';

type Vma = Structs['vm_area_struct'];

/** The start of the huge page around an address. */
const startOf = (address: number, size: number): number => address - (address % size);

// Which mappings may have huge entries. Each question is part of a step of a caller that holds mmap_sem.

/** vma_is_dax(): the file is memory itself. */
const vma_is_dax = (vma: Vma): boolean => !isNull(vma.vm_file) && vma.vm_file.f_mapping.dax;

/** __transparent_hugepage_enabled() of 5.1 to 5.15, THP being set to `always`: any mapping whose driver offers them. */
export const mayHaveHuge = (vma: Vma): boolean =>
  !isNull(vma.vm_ops) && vma.vm_ops.huge_fault !== 0;

/** hugepage_vma_check() of 6.1 in a page fault: mappings of devices are refused, unless they are DAX. */
export const hugepage_vma_check = (vma: Vma): boolean =>
  mayHaveHuge(vma) && (vma_is_dax(vma) || (vma.vm_flags & (VM_SPECIAL | VM_HUGETLB)) === 0);

/** Which of the two __handle_mm_fault() asks, for those who look on: with `huge-faults` that of 5.7 to 5.15. */
export const may_have_huge = ({ active }: VariantSet): ((vma: Vma) => boolean) =>
  active.has('mm-6.1') && !active.has('huge-faults') ? hugepage_vma_check : mayHaveHuge;

// Insertion.

const insert_args = { vmf: ref('vm_fault'), pfn: int, pgprot: pte, write: bool };

/** Inserts an entry for the frames of a whole huge page from `pfn` on. VM_FAULT_NOPAGE, also when one is there. */
function vmf_insert_pfn_huge(name: 'pmd' | 'pud', size: number) {
  const insert = insert_pfn_huge(name);
  return routine(
    file,
    `vmf_insert_pfn_${name}_prot`,
    { args: insert_args, locals: { addr: long, inside: bool }, returns: int },
    ({ step, when, call, ret }) => [
      step(`addr = vmf->address & ${name.toUpperCase()}_MASK`, (f) => {
        const { vma } = f.vmf;
        const bare = vma.vm_flags & (VM_PFNMAP | VM_MIXEDMAP);
        BUG_ON(bare === 0, file, 'BUG_ON(!(vma->vm_flags & (VM_PFNMAP|VM_MIXEDMAP)))');
        const cow = bare === VM_PFNMAP && is_cow_mapping(vma.vm_flags);
        BUG_ON(cow, file, 'BUG_ON((vma->vm_flags & VM_PFNMAP) && is_cow_mapping(vma->vm_flags))');
        f.addr = startOf(f.vmf.address, size);
        f.inside = f.addr >= vma.vm_start && f.addr < vma.vm_end;
      }),
      when('outside of the vma', (f) => !f.inside, [ret('VM_FAULT_SIGBUS', () => VM_FAULT_SIGBUS)]),
      call(insert, (f) => ({
        vma: f.vmf.vma,
        addr: f.addr,
        entry: f.vmf[name],
        pfn: f.pfn,
        prot: f.pgprot,
        write: f.write,
      })),
      ret('VM_FAULT_NOPAGE', () => VM_FAULT_NOPAGE),
    ],
  );
}

/** Sets an absent entry. One that is there stays as it is, but a write makes it writable and dirty, if it is the same. */
function insert_pfn_huge(name: 'pmd' | 'pud') {
  const where = name === 'pmd' ? WARN_OTHER_PMD : WARN_OTHER_PUD;
  return routine(
    file,
    `insert_pfn_${name}`,
    {
      args: {
        vma: ref('vm_area_struct'),
        addr: long,
        entry: ref('pte_t'),
        pfn: int,
        prot: pte,
        write: bool,
      },
      locals: { old: pte, vm_flags: int },
    },
    ({ step, when, acquire, release, ret }) => [
      acquire(`ptl = ${name}_lock(mm, ${name})`, (f, k) => ptl(k, f.entry)),
      step(`${name}_none(*${name})`, (f) => {
        f.old = f.entry.val;
        f.vm_flags = f.vma.vm_flags;
      }),
      when(
        'none',
        (f) => pte_none(f.old),
        [
          step(
            `set_${name}_at(mm, addr, ${name}, ${name}_mkhuge(pfn_t_${name}(pfn, prot)))`,
            (f) => {
              const entry = pmd_mkhuge(pfn_pte(f.pfn, f.prot));
              f.entry.val = f.write ? written(entry, f.vm_flags) : entry;
            },
          ),
        ],
        [
          when('write', (f) => f.write, [
            when(
              `${name}_pfn(*${name}) == pfn`,
              (f) => pte_pfn(f.old) === f.pfn,
              [
                step(`${name}p_set_access_flags(vma, addr, ${name}, entry, 1)`, (f) => {
                  f.entry.val = written(f.old, f.vm_flags);
                }),
              ],
              [step('WARN_ON_ONCE', (_f, k) => k.emit(warn, { where }))],
            ),
          ]),
        ],
      ),
      release('spin_unlock(ptl)', (f, k) => ptl(k, f.entry)),
      ret(),
    ],
  );
}

const written = (entry: U64, vm_flags: number): U64 =>
  maybe_mkwrite(pte_mkdirty(pte_mkyoung(entry)), vm_flags);

export const vmf_insert_pfn_pmd_prot = vmf_insert_pfn_huge('pmd', PMD_SIZE);
export const vmf_insert_pfn_pud_prot = vmf_insert_pfn_huge('pud', PUD_SIZE);

// Faults on an entry that is there.

/** A fault that the entry allows: young, and dirty for a write, unless it has changed meanwhile. */
function huge_set_accessed(name: 'pmd' | 'pud') {
  const lock = (f: { vmf: Structs['vm_fault'] }) => f.vmf[name];
  return routine(
    file,
    `huge_${name}_set_accessed`,
    { args: { vmf: ref('vm_fault'), orig: pte }, locals: { entry: pte } },
    ({ step, when, acquire, release, ret }) => [
      acquire(`vmf->ptl = ${name}_lock(vma->vm_mm, vmf->${name})`, (f, k) => ptl(k, lock(f))),
      step(`${name}_same(*vmf->${name}, orig_${name})`, (f) => {
        f.entry = f.vmf[name].val;
      }),
      when('the same', (f) => pte_same(f.entry, f.orig), [
        step(`touch_${name}(vma, vmf->address, vmf->${name}, write)`, (f) => {
          const young = pte_mkyoung(f.entry);
          const write = (f.vmf.flags & FAULT_FLAG_WRITE) !== 0;
          f.vmf[name].val = write ? pte_mkdirty(young) : young;
        }),
      ]),
      release('spin_unlock(vmf->ptl)', (f, k) => ptl(k, lock(f))),
      ret(),
    ],
  );
}

export const huge_pmd_set_accessed = huge_set_accessed('pmd');
export const huge_pud_set_accessed = huge_set_accessed('pud');

// Splitting. An entry of a device's file is not split into smaller ones but taken out: the next access faults.

/** Takes a huge entry out, and flushes what it mapped; its dirty bit is lost. Its table's lock is held. */
function huge_clear_flush(name: 'pmd' | 'pud', size: number) {
  return routine(
    'mm/pgtable-generic.c',
    `${name}p_huge_clear_flush`,
    { args: { vma: ref('vm_area_struct'), address: long, entry: ref('pte_t') } },
    ({ atomic, call }) => [
      atomic(`${name}p_huge_get_and_clear(mm, address, ${name}p)`, (f) => {
        f.entry.val = { lo: 0, hi: 0 };
      }),
      call(flush_tlb_mm_range, (f) => flushed(f.vma, f.address, size)),
    ],
  );
}

const flushed = (vma: Vma, address: number, size: number) => ({
  mm: vma.vm_mm,
  start: address,
  end: address + size,
  freed_tables: false,
});

function split_huge(name: 'pmd' | 'pud', size: number) {
  const clear = huge_clear_flush(name, size);
  const cleared = (f: { vma: Vma; address: number }) => ({
    mm: f.vma.vm_mm,
    event: MMU_NOTIFY_CLEAR,
    start: startOf(f.address, size),
    end: startOf(f.address, size) + size,
  });
  return routine(
    file,
    `__split_huge_${name}`,
    {
      args: { vma: ref('vm_area_struct'), entry: ref('pte_t'), address: long },
      locals: { old: pte },
    },
    ({ step, when, call, acquire, release, ret }) => [
      call(mmu_notifier_invalidate_range_start, cleared),
      acquire(`ptl = ${name}_lock(vma->vm_mm, ${name})`, (f, k) => ptl(k, f.entry)),
      step(`${name}_trans_huge(*${name})`, (f) => {
        f.old = f.entry.val;
      }),
      when('still huge', (f) => pmd_trans_huge(f.old), [
        call(clear, (f) => ({
          vma: f.vma,
          address: startOf(f.address, size),
          entry: f.entry,
        })),
      ]),
      release('spin_unlock(ptl)', (f, k) => ptl(k, f.entry)),
      call(mmu_notifier_invalidate_range_end, cleared),
      ret(),
    ],
  );
}

export const __split_huge_pmd = split_huge('pmd', PMD_SIZE);
export const __split_huge_pud = split_huge('pud', PUD_SIZE);

/** Whether a mapping that is to end or begin at `address` has a huge page across it. */
export const split_needed = (vma: Vma, address: number): boolean =>
  mayHaveHuge(vma) &&
  address % PMD_SIZE !== 0 &&
  vma.vm_start <= startOf(address, PMD_SIZE) &&
  startOf(address, PMD_SIZE) + PMD_SIZE <= vma.vm_end;

/** Splits the huge entry of the PMD around an address, if there is one. */
export const split_huge_pmd_address = routine(
  file,
  'split_huge_pmd_address',
  {
    args: { vma: ref('vm_area_struct'), address: long },
    locals: { entry: ref('pte_t'), val: pte, level: int },
  },
  ({ step, when, loop, leave, call, ret }) => [
    step('pgd = pgd_offset(vma->vm_mm, address)', (f, k) => {
      f.entry = pgd_offset(k, f.vma.vm_mm, f.address);
    }),
    loop('down to the PMD', [
      when('the PMD', (f) => f.level === 2, [leave()]),
      step('*entry', (f) => {
        f.val = f.entry.val;
      }),
      // A huge PUD that a mapping is cut across is not seen for what it is: left as it is here.
      when('no table', (f) => pte_none(f.val) || pmd_trans_huge(f.val), [ret()]),
      step('the entry below', (f, k) => {
        f.level++;
        f.entry = entryOffset(k, f.val, f.address, f.level);
      }),
    ]),
    call(__split_huge_pmd, (f) => ({ vma: f.vma, entry: f.entry, address: f.address })),
    ret(),
  ],
);

// What the walks do with a huge entry. Each returns 1 when it is done with, 0 when it is no longer huge.

const walk_args = { vma: ref('vm_area_struct'), entry: ref('pte_t'), addr: long };

/** __pmd_trans_huge_lock(): takes the lock and reads `old`; returns 0 from the routine when `entry` is no longer huge. */
export function pmd_trans_huge_lock(
  { step, when, acquire, release, ret }: AnyBuilder,
  name: 'pmd' | 'pud',
): Node[] {
  return [
    acquire(`ptl = ${name}_lock(vma->vm_mm, ${name})`, (f, k) => ptl(k, f.entry)),
    step(`${name}_trans_huge(*${name})`, (f) => {
      f.old = f.entry.val;
    }),
    when('not any more', (f) => !pmd_trans_huge(f.old), [
      release('spin_unlock(ptl)', (f, k) => ptl(k, f.entry)),
      ret('0', () => 0),
    ]),
  ];
}

/** Clears the entry of a whole huge page. Its dirty bit is lost, as that of any bare frame. */
function zap_huge(name: 'pmd' | 'pud', size: number) {
  return routine(
    file,
    `zap_huge_${name}`,
    { args: { tlb: ref('mmu_gather'), ...walk_args }, locals: { old: pte }, returns: int },
    (b) => [
      ...pmd_trans_huge_lock(b, name),
      b.atomic(`${name}p_huge_get_and_clear_full(vma, addr, ${name}, tlb->fullmm)`, (f) => {
        f.entry.val = { lo: 0, hi: 0 };
        tlb_remove_tlb_entry(f.tlb, f.addr, size);
      }),
      b.release('spin_unlock(ptl)', (f, k) => ptl(k, f.entry)),
      b.ret('1', () => 1),
    ],
  );
}

export const zap_huge_pmd = zap_huge('pmd', PMD_SIZE);
export const zap_huge_pud = zap_huge('pud', PUD_SIZE);

/** Makes an entry invalid for the walker while it stays huge for the kernel, and flushes; returns what it was. */
export const pmdp_invalidate = routine(
  'mm/pgtable-generic.c',
  'pmdp_invalidate',
  { args: { vma: ref('vm_area_struct'), address: long, pmdp: ref('pte_t') }, locals: { old: pte } },
  ({ atomic, call, ret }) => [
    atomic('old = pmdp_establish(vma, address, pmdp, pmd_mkinvalid(*pmdp))', (f) => {
      f.old = f.pmdp.val;
      f.pmdp.val = pmd_mkinvalid(f.old);
    }),
    call(flush_tlb_mm_range, (f) => flushed(f.vma, f.address, PMD_SIZE)),
    ret('old', (f) => f.old),
  ],
);

/** Gives the entry of a whole huge page the protection; it is never made writable at once. */
export const change_huge_pmd = routine(
  file,
  'change_huge_pmd',
  {
    args: { tlb: ref('mmu_gather'), ...walk_args, newprot: pte },
    locals: { old: pte },
    returns: int,
  },
  (b) => [
    ...pmd_trans_huge_lock(b, 'pmd'),
    // 6.1 leaves the flush to the gather.
    b.variant(
      'mm-6.1',
      [
        b.atomic('oldpmd = pmdp_invalidate_ad(vma, addr, pmd)', (f) => {
          f.old = f.entry.val;
          f.entry.val = pmd_mkinvalid(f.old);
        }),
      ],
      [b.call(pmdp_invalidate, (f) => ({ vma: f.vma, address: f.addr, pmdp: f.entry }), 'old')],
    ),
    b.step('set_pmd_at(mm, addr, pmd, pmd_modify(oldpmd, newprot))', (f) => {
      const entry = pmd_modify(f.old, f.newprot);
      f.entry.val = entry;
      if (pte_needs_flush(f.old, entry)) tlb_remove_tlb_entry(f.tlb, f.addr, PMD_SIZE);
    }),
    b.release('spin_unlock(ptl)', (f, k) => ptl(k, f.entry)),
    b.ret('1', () => 1),
  ],
);

/** Copies a huge entry of the PUD for a child, write-protected on both sides. Returns 0, or -EAGAIN: no longer huge. */
export const copy_huge_pud = routine(
  file,
  'copy_huge_pud',
  {
    args: { dst_pud: ref('pte_t'), src_pud: ref('pte_t') },
    locals: { pud: pte, huge: bool },
    returns: int,
  },
  ({ step, atomic, when, acquire, release, ret }) => [
    acquire('dst_ptl = pud_lock(dst_mm, dst_pud)', (f, k) => ptl(k, f.dst_pud)),
    acquire('spin_lock_nested(src_ptl)', (f, k) => ptl(k, f.src_pud), { nested: true }),
    step('pud_trans_huge(*src_pud)', (f) => {
      f.huge = pmd_trans_huge(f.src_pud.val);
    }),
    when('still huge', (f) => f.huge, [
      atomic('pudp_set_wrprotect(src_mm, addr, src_pud)', (f) => {
        f.pud = pte_wrprotect(f.src_pud.val);
        f.src_pud.val = f.pud;
      }),
      step('set_pud_at(dst_mm, addr, dst_pud, pud_mkold(pud_wrprotect(pud)))', (f) => {
        f.dst_pud.val = pte_mkold(f.pud);
      }),
    ]),
    release('spin_unlock(src_ptl)', (f, k) => ptl(k, f.src_pud)),
    release('spin_unlock(dst_ptl)', (f, k) => ptl(k, f.dst_pud)),
    ret('err', (f) => (f.huge ? 0 : -EAGAIN)),
  ],
);

/** Moves a huge entry to an empty place of another PMD table. */
export const move_huge_pmd = routine(
  file,
  'move_huge_pmd',
  {
    args: {
      vma: ref('vm_area_struct'),
      old_addr: long,
      entry: ref('pte_t'), // old_pmd
      new_pmd: ref('pte_t'),
    },
    locals: { old: pte, same_table: bool },
    returns: int,
  },
  (b) => [
    ...pmd_trans_huge_lock(b, 'pmd'),
    b.step('new_ptl = pmd_lockptr(mm, new_pmd)', (f, k) => {
      f.same_table = ptl(k, f.entry).at === ptl(k, f.new_pmd).at;
    }),
    b.when('new_ptl != old_ptl', (f) => !f.same_table, [
      b.acquire('spin_lock_nested(new_ptl)', (f, k) => ptl(k, f.new_pmd), { nested: true }),
    ]),
    b.atomic('pmd = pmdp_huge_get_and_clear(mm, old_addr, old_pmd)', (f) => {
      f.old = f.entry.val;
      f.entry.val = { lo: 0, hi: 0 };
    }),
    b.step('set_pmd_at(mm, new_addr, new_pmd, move_soft_dirty_pmd(pmd))', (f) => {
      f.new_pmd.val = pte_mksoft_dirty(f.old);
    }),
    b.when('pmd_present(pmd)', (f) => pte_present(f.old), [
      b.call(flush_tlb_mm_range, (f) => flushed(f.vma, f.old_addr, PMD_SIZE)),
    ]),
    b.when('new_ptl != old_ptl', (f) => !f.same_table, [
      b.release('spin_unlock(new_ptl)', (f, k) => ptl(k, f.new_pmd)),
    ]),
    b.release('spin_unlock(old_ptl)', (f, k) => ptl(k, f.entry)),
    b.ret('1', () => 1),
  ],
);

/** Pages that a huge entry maps. */
export const HPAGE_PMD_NR = PMD_SIZE / PAGE_SIZE;
export const HPAGE_PUD_NR = PUD_SIZE / PAGE_SIZE;
