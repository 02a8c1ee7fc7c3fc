// A moment of a run as the panels show it, read out of an engine by peeking only: page tables, mappings and TLBs here,
// buffer objects and fences in objects.ts. The structs of the kernel are known by name through their layouts.

import { _PAGE_PRESENT, _PAGE_PSE, levelShift, levels, pte_pfn } from '../hardware/pte';
import {
  VM_EXEC,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../kernel/include/linux/mm';
import type { Fault } from '../protocol/fault';
import type { AddressSpace, Cpu, Entry, Mapping, Snapshot, Table } from '../protocol/snapshot';
import { hex } from '../protocol/snapshot';
import type { Engine } from '../routine/engine';
import type { U64 } from '../state/layout';
import { cached, lettersOf, rawText } from './entries';
import { fencesOf, idOf, live, type NameOf, objectsOf, pageInObject } from './objects';

/** Everything the panels show of where the engine stands, with the faults that are worth showing and surfaces that are missing. */
export function takeSnapshot(
  k: Engine,
  nameOf: NameOf,
  faults: readonly Fault[] = [],
  absent: readonly string[] = [],
): Snapshot {
  return k.store.unobserved(() => {
    const spaces = live(k, 'mm_struct').map((at) => space(k, at, nameOf));
    const cpus = Array.from({ length: k.cpus }, (_, cpu) => cpuState(k, cpu));
    const objects = objectsOf(k, spaces, nameOf);
    return { time: k.steps, faults, spaces, cpus, objects, absent, fences: fencesOf(k) };
  });
}

function space(k: Engine, at: number, nameOf: NameOf): AddressSpace {
  const mm = k.view('mm_struct', at);
  return {
    id: idOf(k, 'mm_struct', at),
    name: nameOf('mm_struct', at) ?? `process ${mm.pid}`,
    pid: mm.pid,
    mappings: mappingsOf(k, at).map((vma) => mapping(k, vma, nameOf)),
    root: mm.pgd === 0 ? null : table(k, mm.pgd, 0, 0),
  };
}

/** The VMAs of an address space by address; those not yet or no longer part of it have no extent. */
function mappingsOf(k: Engine, mm: number): number[] {
  const start = (at: number) => k.view('vm_area_struct', at).vm_start;
  return live(k, 'vm_area_struct')
    .filter((at) => {
      const vma = k.view('vm_area_struct', at);
      return vma.vm_mm.at === mm && vma.vm_start < vma.vm_end;
    })
    .sort((a, b) => start(a) - start(b));
}

function mapping(k: Engine, at: number, nameOf: NameOf): Mapping {
  const vma = k.view('vm_area_struct', at);
  return {
    id: idOf(k, 'vm_area_struct', at),
    name: nameOf('vm_area_struct', at) ?? hex(vma.vm_start),
    start: vma.vm_start,
    end: vma.vm_end,
    flags: mapsFlags(vma.vm_flags),
    ...pageInObject(k, vma.vm_private_data, vma.vm_pgoff),
  };
}

/** As /proc/PID/maps has them, then what smaps would add. */
export function mapsFlags(flags: number): string {
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

function cpuState(k: Engine, cpu: number): Cpu {
  const pgd = k.parts.tlb.cr3(cpu);
  const owner = live(k, 'mm_struct').find((at) => k.view('mm_struct', at).pgd === pgd);
  return {
    cpu,
    space: pgd === 0 || owner === undefined ? null : idOf(k, 'mm_struct', owner),
    tlb: k.parts.tlb.entries(cpu).map((entry) => cached(k, pgd, entry)),
  };
}
