// A moment of a run as the panels show it, read out of an engine by peeking only: page tables, mappings and TLBs here,
// buffer objects and fences in objects.ts. The structs of the kernel are known by name through their layouts.

import { peekWalk, type TlbEntry } from '../hardware/mmu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_RW,
  _PAGE_SOFT_DIRTY,
  _PAGE_USER,
  levelShift,
  levels,
  PAGE_SIZE,
  pte_pfn,
} from '../hardware/pte';
import {
  VM_EXEC,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../kernel/include/linux/mm';
import type {
  AddressSpace,
  CachedEntry,
  Cpu,
  Entry,
  Mapping,
  Snapshot,
  Standing,
  Table,
} from '../protocol/snapshot';
import type { Engine } from '../routine/engine';
import type { U64 } from '../state/layout';

/** The scenario's own name of a struct, such as `ring`. */
export type NameOf = (struct: string, at: number) => string | undefined;

/** Everything the panels show of where the engine stands. */
export function takeSnapshot(k: Engine, nameOf: NameOf): Snapshot {
  return unheard(k, () => {
    const spaces = [...k.objects.all('mm_struct')].map((at) => space(k, at, nameOf));
    const cpus = Array.from({ length: k.cpus }, (_, cpu) => cpuState(k, cpu));
    return { time: k.steps, spaces, cpus, objects: [], fences: [] };
  });
}

/** Reads through layouts without an observer taking that for an access. */
function unheard<T>(k: Engine, read: () => T): T {
  const { store } = k;
  const { observer } = store;
  store.observer = undefined;
  try {
    return read();
  } finally {
    store.observer = observer;
  }
}

function space(k: Engine, at: number, nameOf: NameOf): AddressSpace {
  const mm = k.view('mm_struct', at);
  return {
    id: `mm ${k.objects.indexOf(at)}`,
    name: nameOf('mm_struct', at) ?? `process ${mm.pid}`,
    pid: mm.pid,
    mappings: mappingsOf(k, at).map((vma) => mapping(k, vma, nameOf)),
    root: mm.pgd === 0 ? null : table(k, mm.pgd, 0, 0),
  };
}

/** The VMAs of an address space by address; those not yet or no longer part of it have no extent. */
function mappingsOf(k: Engine, mm: number): number[] {
  const start = (at: number) => k.view('vm_area_struct', at).vm_start;
  return [...k.objects.all('vm_area_struct')]
    .filter((at) => {
      const vma = k.view('vm_area_struct', at);
      return vma.vm_mm.at === mm && vma.vm_start < vma.vm_end;
    })
    .sort((a, b) => start(a) - start(b));
}

function mapping(k: Engine, at: number, nameOf: NameOf): Mapping {
  const vma = k.view('vm_area_struct', at);
  return {
    id: `vma ${k.objects.indexOf(at)}`,
    name: nameOf('vm_area_struct', at) ?? `mapping ${k.objects.indexOf(at)}`,
    start: vma.vm_start,
    end: vma.vm_end,
    flags: flagsText(vma.vm_flags),
    object: null,
    offset: vma.vm_pgoff,
  };
}

/** As /proc/PID/maps has them, then what smaps would add. */
function flagsText(flags: number): string {
  const has = (flag: number, letter: string) => ((flags & flag) === 0 ? '-' : letter);
  const access = has(VM_READ, 'r') + has(VM_WRITE, 'w') + has(VM_EXEC, 'x');
  const more = [
    ...((flags & VM_PFNMAP) === 0 ? [] : ['pfnmap']),
    ...((flags & VM_MIXEDMAP) === 0 ? [] : ['mixedmap']),
    ...((flags & VM_RAND_READ) === 0 ? [] : ['random']),
  ];
  return [access + ((flags & VM_SHARED) === 0 ? 'p' : 's'), ...more].join(' ');
}

function table(k: Engine, pfn: number, level: number, address: number): Table {
  const entries: Entry[] = [];
  for (let index = 0; index < 512; index++) {
    const entry = entryAt(k, pfn, index);
    if (entry.lo === 0 && entry.hi === 0) continue;
    const first = address + index * 2 ** levelShift(level);
    const leads = level < 3 && (entry.lo & _PAGE_PRESENT) !== 0 && (entry.lo & _PAGE_PSE) === 0;
    const frame = pte_pfn(entry);
    entries.push({
      index,
      address: first,
      raw: rawText(entry),
      letters: lettersOf(entry.lo),
      pfn: frame,
      table: leads ? table(k, frame, level + 1, first) : null,
    });
  }
  return { level: levels[level]!, pfn, entries };
}

function entryAt(k: Engine, pfn: number, index: number): U64 {
  const at = k.parts.memory.entryAt(pfn, index);
  return { lo: k.store.peek(at), hi: k.store.peek(at + 1) };
}

function rawText({ lo, hi }: U64): string {
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

const lettersOf = (lo: number): string =>
  letterBits.map(([letter, bit]) => ((lo & bit) === 0 ? '-' : letter)).join('');

function cpuState(k: Engine, cpu: number): Cpu {
  const pgd = k.parts.tlb.cr3(cpu);
  const owner = [...k.objects.all('mm_struct')].find((at) => k.view('mm_struct', at).pgd === pgd);
  return {
    cpu,
    space: pgd === 0 || owner === undefined ? null : `mm ${k.objects.indexOf(owner)}`,
    tlb: k.parts.tlb.entries(cpu).map((entry) => cached(k, pgd, entry)),
  };
}

function cached(k: Engine, pgd: number, { page, pfn, flags }: TlbEntry): CachedEntry {
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
