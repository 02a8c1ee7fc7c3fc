// The memory management unit of a CPU: the TLB, and the walk through four levels of tables. Intel SDM vol. 3, chapters
// "Paging" and "Caching translation information". A TLB entry caches the permissions and the dirty bit and is not
// coherent with memory until flushed; it may go at any time, and does when its address faults. Left out: PCIDs,
// paging-structure caches, global entries over CR3 loads, fills without an access (speculation).
import type { Engine } from '../routine/engine';
import { routine } from '../routine/routine';
import { tracepoint } from '../state/events';
import { bool, int, long, pte, type U64 } from '../state/layout';
import type { StorePlan } from '../state/store';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_RW,
  _PAGE_USER,
  levelIndex,
  levelShift,
  PAGE_SIZE,
  pte_pfn,
  X86_PF_PROT,
  X86_PF_USER,
  X86_PF_WRITE,
} from './pte';

/** Why a TLB was flushed; include/linux/mm_types.h, enum tlb_flush_reason, as far as it occurs. */
export const TLB_FLUSH_ON_TASK_SWITCH = 0;
export const TLB_REMOTE_SHOOTDOWN = 1;
export const TLB_LOCAL_MM_SHOOTDOWN = 3;

/** tlb:tlb_flush; `pages` is -1 for the whole TLB, 0 when nothing was left to do. */
export const tlb_flush = tracepoint('tlb_flush', { cpu: int, pages: int, reason: int });

const sets = 1024; // entries a CPU; direct mapped by page number
const entryCells = 3; // page number low; page number high and flags; frame number
const cpuCells = 1 + sets * entryCells; // CR3 (frame of the root table), then the entries

const valid = 1 << 8; // in the flags, beside the bits of a PTE below 256
const highShift = 16;

/** A cached translation. `flags` are _PAGE_RW, _PAGE_USER and _PAGE_DIRTY as they were when it was cached. */
export interface TlbEntry {
  readonly page: number; // virtual page number
  readonly pfn: number;
  readonly flags: number;
}

/** The TLBs and CR3 of all CPUs. Each is touched by its own CPU only. */
export class Tlb {
  private readonly base: number;

  constructor(private readonly k: Engine) {
    this.base = k.store.region('tlb').base;
  }

  static reserve(plan: StorePlan, cpus: number): void {
    plan.region('tlb', 'state', cpus * cpuCells);
  }

  /** Frame of the root table, 0 when the CPU runs without user space. */
  cr3(cpu: number): number {
    return this.k.store.peek(this.base + cpu * cpuCells);
  }

  /** Loads CR3, which empties the TLB. */
  loadCr3(cpu: number, pgd: number): void {
    this.k.store.write(this.base + cpu * cpuCells, pgd);
    this.flushAll(cpu);
  }

  flushAll(cpu: number): void {
    const { store } = this.k;
    const first = this.base + cpu * cpuCells + 1;
    for (let at = first; at < first + sets * entryCells; at += entryCells) {
      if (store.peek(at + 1) === 0) continue;
      store.write(at, 0);
      store.write(at + 1, 0);
      store.write(at + 2, 0);
    }
  }

  /** INVLPG. */
  flushPage(cpu: number, address: number): void {
    const page = Math.floor(address / PAGE_SIZE);
    const at = this.entryAt(cpu, page);
    if (this.entry(at)?.page !== page) return;
    for (let i = 0; i < entryCells; i++) this.k.store.write(at + i, 0);
  }

  lookup(cpu: number, address: number): TlbEntry | undefined {
    const page = Math.floor(address / PAGE_SIZE);
    const entry = this.entry(this.entryAt(cpu, page));
    return entry?.page === page ? entry : undefined;
  }

  fill(cpu: number, address: number, pfn: number, flags: number): void {
    const page = Math.floor(address / PAGE_SIZE);
    const at = this.entryAt(cpu, page);
    const high = Math.floor(page / 0x1_0000_0000);
    this.k.store.write(at, page | 0);
    this.k.store.write(at + 1, (high << highShift) | valid | (flags & 255));
    this.k.store.write(at + 2, pfn);
  }

  /** All cached translations of a CPU, for display. */
  entries(cpu: number): TlbEntry[] {
    const first = this.base + cpu * cpuCells + 1;
    const found: TlbEntry[] = [];
    for (let i = 0; i < sets; i++) {
      const entry = this.entry(first + i * entryCells);
      if (entry !== undefined) found.push(entry);
    }
    return found.sort((a, b) => a.page - b.page);
  }

  /** The cells in which a translation of `address` is kept, if it is. */
  cellsOf(cpu: number, address: number): readonly [from: number, to: number] {
    const at = this.entryAt(cpu, Math.floor(address / PAGE_SIZE));
    return [at, at + entryCells];
  }

  private entryAt(cpu: number, page: number): number {
    return this.base + cpu * cpuCells + 1 + (page % sets) * entryCells;
  }

  private entry(at: number): TlbEntry | undefined {
    const { store } = this.k;
    const word = store.peek(at + 1);
    if ((word & valid) === 0) return undefined;
    const page = (word >>> highShift) * 0x1_0000_0000 + (store.peek(at) >>> 0);
    return { page, pfn: store.peek(at + 2), flags: word & 255 };
  }
}

/** Whether a cached translation serves an access without another walk. The first write needs the dirty bit set. */
export function tlb_allows(entry: TlbEntry, write: boolean, user: boolean): boolean {
  const needed = (write ? _PAGE_RW | _PAGE_DIRTY : 0) | (user ? _PAGE_USER : 0);
  return (entry.flags & needed) === needed;
}

/** Whether it is for its rights that a cached translation does not serve an access. */
export function tlb_denies(entry: TlbEntry, write: boolean, user: boolean): boolean {
  const needed = (write ? _PAGE_RW : 0) | (user ? _PAGE_USER : 0);
  return (entry.flags & needed) !== needed;
}

/**
 * Whether a walk would now leave anything else than this entry: cache another one, set a bit, or fault. Where it would
 * not, nobody can tell a kept entry from one that was dropped and filled again. The leaf is read as the walk would read
 * it: what an access does with an entry in doubt depends on it.
 */
export function isInDoubt(k: Engine, entry: TlbEntry, address: number): boolean {
  const { store } = k;
  const used = _PAGE_PRESENT | _PAGE_ACCESSED;
  let table = k.parts.tlb.cr3(k.cpu);
  let rights = _PAGE_RW | _PAGE_USER;
  for (let level = 0; ; level++) {
    const at = k.parts.memory.entryAt(table, levelIndex(address, level));
    const leaf = level === 3 || (store.peek(at) & _PAGE_PSE) !== 0;
    const lo = leaf ? store.read(at) : store.peek(at);
    if ((lo & used) !== used) return true;
    rights &= lo;
    const pfn = pte_pfn({ lo, hi: store.peek(at + 1) });
    if (leaf) {
      const flags = rights | (lo & _PAGE_DIRTY);
      return flags !== entry.flags || pfn + frameWithin(address, level) !== entry.pfn;
    }
    table = pfn;
  }
}

/** Which frame of a leaf of this level an address is in; a large page has many. */
const frameWithin = (address: number, level: number): number =>
  Math.floor(address / PAGE_SIZE) % 2 ** (levelShift(level) - 12);

/** What a walk of the tables for `address` would find, looking only: the leaf entry, its level and its address. */
export function peekWalk(
  k: Engine,
  pgd: number,
  address: number,
): { entry: U64; level: number; at: number } | undefined {
  if (pgd === 0) return undefined;
  let table = pgd;
  for (let level = 0; level < 4; level++) {
    const at = k.parts.memory.entryAt(table, levelIndex(address, level));
    const entry = { lo: k.store.peek(at), hi: k.store.peek(at + 1) };
    const leaf = level === 3 || (entry.lo & _PAGE_PSE) !== 0;
    if (leaf || (entry.lo & _PAGE_PRESENT) === 0) return { entry, level, at };
    table = pte_pfn(entry);
  }
  return undefined;
}

/** The entry that maps `address`, present or not, at whatever level, and the frame it gives the page; looking only. */
export function peekLeaf(
  k: Engine,
  pgd: number,
  address: number,
): { entry: U64; level: number; pfn: number } | undefined {
  const found = peekWalk(k, pgd, address);
  if (found === undefined || (found.level < 3 && (found.entry.lo & _PAGE_PSE) === 0))
    return undefined;
  const { entry, level } = found;
  return { entry, level, pfn: pte_pfn(entry) + frameWithin(address, level) };
}

/** The entry of `level` (0: the root's) for an address, looking only; undefined where there is no such table. */
export function peekEntry(
  k: Engine,
  pgd: number,
  address: number,
  level: number,
): { entry: U64; at: number } | undefined {
  for (let table = pgd, above = 0; table !== 0; above++) {
    const at = k.parts.memory.entryAt(table, levelIndex(address, above));
    const entry = { lo: k.store.peek(at), hi: k.store.peek(at + 1) };
    if (above === level) return { entry, at };
    const leads = (entry.lo & _PAGE_PRESENT) !== 0 && (entry.lo & _PAGE_PSE) === 0;
    table = leads ? pte_pfn(entry) : 0;
  }
  return undefined;
}

/**
 * The hardware's walk: sets A in every entry it uses and D in the leaf on a write, and fills the TLB. Returns -1, or
 * the error code of the page fault.
 */
export const page_walk = routine(
  'arch/x86/cpu',
  'page_walk',
  {
    mode: 'instruction',
    args: { address: long, write: bool, user: bool },
    locals: { level: int, table: int, rights: int, entry: pte, error: int, leaf: bool },
    returns: int,
  },
  ({ step, atomic, loop, when, leave, ret }) => [
    step('table = CR3', (f, k) => {
      f.table = k.parts.tlb.cr3(k.cpu);
      f.rights = _PAGE_RW | _PAGE_USER;
      f.error = -1;
    }),
    when('no user space is loaded', (f) => f.table === 0, [ret('#PF', (f) => faultCode(f, false))]),
    loop('for each level', [
      // One locked read-modify-write an entry, as the SDM demands for A and D.
      atomic('entry = table[index]; set A, and D in the leaf on a write', (f, k) => {
        const at = k.parts.memory.entryAt(f.table, levelIndex(f.address, f.level));
        const lo = k.store.read(at);
        const hi = k.store.read(at + 1);
        f.entry = { lo, hi };
        f.leaf = f.level === 3 || (lo & _PAGE_PSE) !== 0;
        f.error = entryFault(f);
        if (f.error >= 0) {
          k.parts.tlb.flushPage(k.cpu, f.address); // a page fault drops what is cached of its address
          return;
        }
        f.rights &= lo;
        const set = _PAGE_ACCESSED | (f.leaf && f.write ? _PAGE_DIRTY : 0);
        if ((lo & set) !== set) k.store.write(at, lo | set);
        if (f.leaf) fillTlb(f, k, lo | set);
      }),
      when('entry faults or is the leaf', (f) => f.error >= 0 || f.leaf, [leave()]),
      step('table = entry', (f) => {
        f.table = pte_pfn(f.entry);
        f.level++;
      }),
    ]),
    ret('error', (f) => f.error),
  ],
);

interface Asked {
  readonly write: boolean;
  readonly user: boolean;
}

interface Walk extends Asked {
  readonly address: number;
  readonly level: number;
  readonly rights: number;
  readonly entry: U64;
  readonly leaf: boolean;
}

/** The error code of a page fault; `present`: it is the rights that forbid the access. */
export function faultCode(f: Asked, present: boolean): number {
  return (present ? X86_PF_PROT : 0) | (f.write ? X86_PF_WRITE : 0) | (f.user ? X86_PF_USER : 0);
}

/** The error code that this entry causes, or -1. Rights are the AND over all levels; CR0.WP is set. */
export function entryFault(f: Asked & Pick<Walk, 'rights' | 'entry' | 'leaf'>): number {
  if ((f.entry.lo & _PAGE_PRESENT) === 0) return faultCode(f, false);
  if (!f.leaf) return -1;
  const rights = f.rights & f.entry.lo;
  if (f.write && (rights & _PAGE_RW) === 0) return faultCode(f, true);
  if (f.user && (rights & _PAGE_USER) === 0) return faultCode(f, true);
  return -1;
}

function fillTlb(f: Walk, k: Engine, lo: number): void {
  const pfn = pte_pfn(f.entry) + frameWithin(f.address, f.level);
  k.parts.tlb.fill(k.cpu, f.address, pfn, f.rights | (lo & _PAGE_DIRTY));
}

/** True when an access through a cached translation is one that memory no longer grants. */
export function isStale(
  k: Engine,
  cpu: number,
  address: number,
  pfn: number,
  write: boolean,
): boolean {
  const found = peekWalk(k, k.parts.tlb.cr3(cpu), address);
  if (found === undefined) return true;
  const needed = _PAGE_PRESENT | (write ? _PAGE_RW | _PAGE_DIRTY : 0);
  const granted = pte_pfn(found.entry) + frameWithin(address, found.level);
  return (found.entry.lo & needed) !== needed || granted !== pfn;
}

declare module '../routine/engine' {
  interface Parts {
    tlb: Tlb;
  }
}
