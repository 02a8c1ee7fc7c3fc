// arch/x86/include/asm/pgtable.h and pgtable_types.h: pure functions on page-table entries, and protections.
// Left out: what depends on protection keys, shadow stacks, encryption. PROT_NONE frames are stored as they are, not
// inverted (the L1TF mitigation), which only shows in an entry's raw value.
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_NX,
  _PAGE_PCD,
  _PAGE_PRESENT,
  _PAGE_PROTNONE,
  _PAGE_PSE,
  _PAGE_PWT,
  _PAGE_RW,
  _PAGE_SOFT_DIRTY,
  _PAGE_SPECIAL,
  _PAGE_UFFD_WP,
  _PAGE_USER,
} from '../../../../../hardware/pte';
import type { U64 } from '../../../../../state/layout';
import { VM_EXEC, VM_READ, VM_SHARED, VM_WRITE } from '../../../../include/linux/mm';

export { pfn_pte, pte_pfn } from '../../../../../hardware/pte';

const with_lo = (pte: U64, set: number, clear = 0): U64 => ({
  lo: (pte.lo | set) & ~clear,
  hi: pte.hi,
});

export const pte_none = (pte: U64): boolean =>
  (pte.lo & ~(_PAGE_ACCESSED | _PAGE_DIRTY)) === 0 && pte.hi === 0;
export const pte_present = (pte: U64): boolean => (pte.lo & (_PAGE_PRESENT | _PAGE_PROTNONE)) !== 0;
export const pte_write = (pte: U64): boolean => (pte.lo & _PAGE_RW) !== 0;
export const pte_dirty = (pte: U64): boolean => (pte.lo & _PAGE_DIRTY) !== 0;
export const pte_young = (pte: U64): boolean => (pte.lo & _PAGE_ACCESSED) !== 0;
export const pte_soft_dirty = (pte: U64): boolean => (pte.lo & _PAGE_SOFT_DIRTY) !== 0;
export const pte_special = (pte: U64): boolean => (pte.lo & _PAGE_SPECIAL) !== 0;
export const pte_protnone = (pte: U64): boolean =>
  (pte.lo & (_PAGE_PROTNONE | _PAGE_PRESENT)) === _PAGE_PROTNONE;
export const pte_same = (a: U64, b: U64): boolean => a.lo === b.lo && a.hi === b.hi;

export const pte_wrprotect = (pte: U64): U64 => with_lo(pte, 0, _PAGE_RW);
export const pte_mkwrite = (pte: U64): U64 => with_lo(pte, _PAGE_RW);
export const pte_mkclean = (pte: U64): U64 => with_lo(pte, 0, _PAGE_DIRTY);
export const pte_mkdirty = (pte: U64): U64 => with_lo(pte, _PAGE_DIRTY | _PAGE_SOFT_DIRTY);
export const pte_mkyoung = (pte: U64): U64 => with_lo(pte, _PAGE_ACCESSED);
export const pte_mkold = (pte: U64): U64 => with_lo(pte, 0, _PAGE_ACCESSED);
export const pte_mkspecial = (pte: U64): U64 => with_lo(pte, _PAGE_SPECIAL);
export const pte_mksoft_dirty = (pte: U64): U64 => with_lo(pte, _PAGE_SOFT_DIRTY);
export const pte_clear_soft_dirty = (pte: U64): U64 => with_lo(pte, 0, _PAGE_SOFT_DIRTY);

/** A protection with other bits of caching: none of them is write-back. Linux has no use for the PAT bit. */
export const pgprot_set_cachemode = (prot: U64, bits: number): U64 =>
  with_lo(with_lo(prot, 0, _PAGE_PWT | _PAGE_PCD), bits);
export const pgprot_writecombine = (prot: U64): U64 => pgprot_set_cachemode(prot, _PAGE_PWT);

/** Bits of an entry that mprotect keeps, beside the frame number. */
const _PAGE_CHG_LO =
  _PAGE_PCD |
  _PAGE_PWT |
  _PAGE_SPECIAL |
  _PAGE_ACCESSED |
  _PAGE_DIRTY |
  _PAGE_SOFT_DIRTY |
  _PAGE_UFFD_WP;

/** The entry with another protection: frame, A, D, soft-dirty and special are kept. */
export const pte_modify = (pte: U64, prot: U64): U64 => ({
  lo: (pte.lo & (_PAGE_CHG_LO | 0xffff_f000)) | (prot.lo & ~_PAGE_CHG_LO),
  hi: (pte.hi & 0x000f_ffff) | (prot.hi & ~0x000f_ffff),
});

/** pmd_trans_huge() and pud_trans_huge(): a leaf above the last level, though it may not be present. */
export const pmd_trans_huge = (pmd: U64): boolean => (pmd.lo & _PAGE_PSE) !== 0;
export const pmd_mkhuge = (pmd: U64): U64 => with_lo(pmd, _PAGE_PSE);
/** Not present for the walker, and still a huge entry for the kernel. */
export const pmd_mkinvalid = (pmd: U64): U64 => with_lo(pmd, 0, _PAGE_PRESENT | _PAGE_PROTNONE);
/** As pte_modify(), for a huge entry. */
export const pmd_modify = (pmd: U64, newprot: U64): U64 =>
  with_lo(pte_modify(pmd, newprot), pmd.lo & _PAGE_PSE);

const prot = (lo: number, nx: boolean): U64 => ({ lo, hi: nx ? _PAGE_NX : 0 });
const base = _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED; // accessed is part of the protection, dirty is not

export const PAGE_NONE = prot(_PAGE_PROTNONE | _PAGE_ACCESSED, false);
export const PAGE_SHARED = prot(base | _PAGE_RW, true);
export const PAGE_SHARED_EXEC = prot(base | _PAGE_RW, false);
export const PAGE_READONLY = prot(base, true);
export const PAGE_READONLY_EXEC = prot(base, false);

/** Protection of the entry of a table that points to a table: A and D are set from the start. */
export const _PAGE_TABLE = prot(base | _PAGE_RW | _PAGE_DIRTY, false);

/** protection_map[] of arch/x86/mm/pgprot.c, by VM_READ, VM_WRITE, VM_EXEC and VM_SHARED. */
export function vm_get_page_prot(vm_flags: number): U64 {
  const exec = (vm_flags & VM_EXEC) !== 0;
  if ((vm_flags & (VM_WRITE | VM_SHARED)) === (VM_WRITE | VM_SHARED)) {
    return exec ? PAGE_SHARED_EXEC : PAGE_SHARED;
  }
  if ((vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) === 0) return PAGE_NONE;
  return exec ? PAGE_READONLY_EXEC : PAGE_READONLY;
}
