// x86-64 page-table entries: bit positions and what the walker makes of them. Intel SDM vol. 3, chapter "Paging";
// names after Linux arch/x86/include/asm/pgtable_types.h. Not modelled: protection keys, 5-level tables.
import type { U64 } from '../state/layout';

export const _PAGE_PRESENT = 1 << 0; // translation is valid
export const _PAGE_RW = 1 << 1; // writes allowed; clear = write-protected
export const _PAGE_USER = 1 << 2; // user mode may access
export const _PAGE_PWT = 1 << 3; // write-through
export const _PAGE_PCD = 1 << 4; // cache disabled
export const _PAGE_ACCESSED = 1 << 5; // set by the walker on any use
export const _PAGE_DIRTY = 1 << 6; // set by the walker on the first write, leaf only
export const _PAGE_PSE = 1 << 7; // a leaf at PMD or PUD level
export const _PAGE_GLOBAL = 1 << 8; // kept over CR3 loads; means PROT_NONE when not present
export const _PAGE_PROTNONE = _PAGE_GLOBAL;
export const _PAGE_SPECIAL = 1 << 9; // software: no struct page behind it
export const _PAGE_UFFD_WP = 1 << 10; // software: userfaultfd write protection
export const _PAGE_SOFT_DIRTY = 1 << 11; // software: written since clear_refs
export const _PAGE_NX = 1 << 31; // bit 63: in the high word

/** Error code of a page fault. Linux arch/x86/include/asm/trap_pf.h. */
export const X86_PF_PROT = 1 << 0; // 0: no translation, 1: protection
export const X86_PF_WRITE = 1 << 1;
export const X86_PF_USER = 1 << 2;

/** Levels of the tables, from the root down, as the kernel calls them. */
export const levels = ['PGD', 'PUD', 'PMD', 'PTE'] as const;

/** Shift of the index of level 0 (PGD) to 3 (PTE) within a virtual address. */
export const levelShift = (level: number): number => 39 - 9 * level;

const spans = [0, 1, 2, 3].map((level) => 2 ** levelShift(level));

/** Bytes that an entry of `level` maps. */
export const levelSpan = (level: number): number => spans[level]!;

/** Index into the table of `level` for a virtual address. Addresses pass 2^32, hence no shifts. */
export const levelIndex = (address: number, level: number): number =>
  (address / levelSpan(level)) & 511;

/** The page frame number of an entry: bits 12 to 51. */
export const pte_pfn = (pte: U64): number => (pte.hi & 0xfffff) * 0x10_0000 + (pte.lo >>> 12);

/** An entry from a page frame number and the bits of a protection. */
export const pfn_pte = (pfn: number, prot: U64): U64 => ({
  lo: (pfn << 12) | prot.lo,
  hi: Math.floor(pfn / 0x10_0000) | prot.hi,
});

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
export const PMD_SIZE = 2 ** levelShift(2); // what a huge entry of the PMD maps: 2 MiB
export const PUD_SIZE = 2 ** levelShift(1); // of the PUD: 1 GiB
