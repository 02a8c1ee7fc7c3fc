// Page-table entries and cached translations as the panels show them: letters, hexadecimal text, and how a TLB entry
// stands to memory.
import { peekWalk, type TlbEntry } from '../hardware/mmu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_GLOBAL,
  _PAGE_NX,
  _PAGE_PCD,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_PWT,
  _PAGE_RW,
  _PAGE_SOFT_DIRTY,
  _PAGE_SPECIAL,
  _PAGE_UFFD_WP,
  _PAGE_USER,
  levelShift,
  PAGE_SIZE,
  pte_pfn,
} from '../hardware/pte';
import { pte_protnone } from '../kernel/arch/x86/include/asm/pgtable';
import type { CachedEntry, Standing } from '../protocol/snapshot';
import type { Engine } from '../routine/engine';
import type { U64 } from '../state/layout';

/** The 64 bits of an entry in hexadecimal. */
export function rawText({ lo, hi }: U64): string {
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? low : (hi >>> 0).toString(16) + low.padStart(8, '0');
}

const letterBits = [
  ['P', _PAGE_PRESENT],
  ['W', _PAGE_RW],
  ['U', _PAGE_USER],
  ['A', _PAGE_ACCESSED],
  ['D', _PAGE_DIRTY],
  ['s', _PAGE_SOFT_DIRTY],
] as const;

/** The bits of an entry's low word that have letters, in their places. */
export const lettersOf = (lo: number): string =>
  letterBits.map(([letter, bit]) => ((lo & bit) === 0 ? '-' : letter)).join('');

const bitNames = [
  [_PAGE_PRESENT, 'P'],
  [_PAGE_RW, 'W'],
  [_PAGE_USER, 'U'],
  [_PAGE_PWT, 'PWT'],
  [_PAGE_PCD, 'PCD'],
  [_PAGE_ACCESSED, 'A'],
  [_PAGE_DIRTY, 'D'],
  [_PAGE_PSE, 'PSE'],
  [_PAGE_SPECIAL, 'special'],
  [_PAGE_UFFD_WP, 'uffd-wp'],
  [_PAGE_SOFT_DIRTY, 'soft-dirty'],
] as const;

/** Every bit of an entry by its name. */
export const bitsOf = (entry: U64): string[] => [
  ...bitNames.flatMap(([bit, name]) => ((entry.lo & bit) === 0 ? [] : [name])),
  ...((entry.lo & _PAGE_GLOBAL) === 0 ? [] : [pte_protnone(entry) ? 'PROT_NONE' : 'global']),
  ...((entry.hi & _PAGE_NX) === 0 ? [] : ['NX']),
];

/** A TLB entry of a CPU whose root table is in frame `pgd`. A cached translation is present and was accessed. */
export function cached(k: Engine, pgd: number, { page, pfn, flags }: TlbEntry): CachedEntry {
  const address = page * PAGE_SIZE;
  const standing = standingOf(k, pgd, address, pfn, flags);
  return { address, pfn, letters: lettersOf(flags | _PAGE_PRESENT | _PAGE_ACCESSED), standing };
}

/** How a cached translation stands to what a walk would find now. */
function standingOf(k: Engine, pgd: number, address: number, pfn: number, flags: number): Standing {
  const found = peekWalk(k, pgd, address);
  if (found === undefined || (found.entry.lo & _PAGE_PRESENT) === 0) return 'stale';
  const within = (address / PAGE_SIZE) % 2 ** (levelShift(found.level) - 12);
  if (pte_pfn(found.entry) + within !== pfn) return 'stale';
  const granted = found.entry.lo & (_PAGE_RW | _PAGE_USER | _PAGE_DIRTY);
  const kept = flags & (_PAGE_RW | _PAGE_USER | _PAGE_DIRTY);
  if ((kept & ~granted) !== 0) return 'stale';
  return kept === granted ? 'same' : 'behind';
}
