// Locations of entries: of the four levels of page tables, whole or a bit of one, and of TLBs.
import { _PAGE_PRESENT, _PAGE_PSE, levelIndex, PAGE_SIZE, pte_pfn } from '../../hardware/pte';
import type { Engine } from '../../routine/engine';
import type { U64 } from '../../state/layout';
import {
  type Cells,
  escaped,
  hex,
  type Location,
  maskedLocation,
  none,
  oneCell,
  type Things,
} from './location';
import { entryFrom, flagsFrom, pteBit, pteBits, tlbText, u64Text } from './values';

/** The levels by the words of names, from the root down. */
export const levels = ['pgd', 'pud', 'pmd', 'pte'] as const;

/** The name of an entry of the last level. */
export const pteId = (process: string, address: number): string =>
  `pte:${escaped(process)}:${hex(address)}`;

export class Entries {
  constructor(private readonly things: Things) {}

  /** The entry of a level for an address; a bit of it by its name. */
  at(
    kind: (typeof levels)[number],
    process: string,
    address: number,
    bitWord: string | undefined,
  ): Location | string {
    const level = levels.indexOf(kind);
    const mm = this.things.space(process);
    if (typeof mm === 'string') return mm;
    const bit = bitWord === undefined ? undefined : pteBit(bitWord);
    if (bitWord !== undefined && bit === undefined)
      return `an entry has no bit ${bitWord}; it has ${Object.keys(pteBits).join(', ')}`;
    const { k } = this.things;
    const { memory } = k.parts;
    const find = (): ReturnType<Location['find']> => {
      const on: Cells[number][] = [];
      const space = this.things.space(process);
      if (typeof space === 'string') return { at: none, on: none };
      let table = k.view('mm_struct', space).pgd;
      for (let above = 0; table !== 0; above++) {
        const cell = memory.entryAt(table, levelIndex(address, above));
        const high = bit !== undefined && pteBits[bit]!.hi !== 0;
        if (above === level)
          return { at: [bit === undefined ? [cell, cell + 2] : oneCell(cell + Number(high))], on };
        on.push([cell, cell + 2]);
        const lo = k.store.peek(cell);
        const leads = (lo & _PAGE_PRESENT) !== 0 && (lo & _PAGE_PSE) === 0;
        table = leads ? pte_pfn({ lo, hi: k.store.peek(cell + 1) }) : 0;
      }
      return { at: none, on };
    };
    const cellOf = () => find().at[0]?.[0];
    const peek = (): U64 | undefined => {
      const cell = cellOf();
      return cell === undefined
        ? undefined
        : { lo: k.store.peek(cell), hi: k.store.peek(cell + 1) };
    };
    const absent = 'there is no page table for this page yet, so nothing can be set in it';
    const page = `${kind.toUpperCase()} of ${hex(address)} in ${process}`;
    const id = `${kind}:${escaped(process)}:${hex(address)}`;
    if (bit === undefined) {
      return {
        id,
        what: page,
        find,
        text: () => {
          const entry = peek();
          return entry === undefined || (entry.lo | entry.hi) === 0 ? 'none' : u64Text(entry);
        },
        change: (value) => {
          const entry = peek();
          if (entry === undefined) return absent;
          const wanted = entryFrom(value, entry);
          if (typeof wanted === 'string') return wanted;
          const cell = cellOf()!;
          return { text: u64Text(wanted), apply: () => putEntry(k, cell, wanted) };
        },
      };
    }
    const { lo, hi } = pteBits[bit]!;
    const masked = maskedLocation(k, `${id}:${bit}`, `${bit} of the ${page}`, lo | hi, cellOf);
    const change = (value: string) => (cellOf() === undefined ? absent : masked.change(value));
    return { ...masked, find, change };
  }
}

/** What a TLB holds for an address. */
export function tlbLocation(k: Engine, cpu: number, address: number): Location | string {
  const { tlb } = k.parts;
  if (tlb === undefined) return 'this machine has no TLBs';
  if (cpu >= k.cpus) return `there is no cpu${cpu}; the last is cpu${k.cpus - 1}`;
  const page = Math.floor(address / PAGE_SIZE) * PAGE_SIZE;
  return {
    id: `tlb:${cpu}:${hex(page)}`,
    shares: true,
    what: `TLB entry of cpu${cpu} for ${hex(page)}`,
    find: () => ({ at: [tlb.cellsOf(cpu, page)], on: none }),
    text: () => tlbText(tlb.lookup(cpu, page)),
    change: (value) => {
      const entry = tlb.lookup(cpu, page);
      if (value.trim() === 'none') return { text: 'none', apply: () => tlb.flushPage(cpu, page) };
      if (entry === undefined)
        return `cpu${cpu} has nothing cached for ${hex(page)}; only an access fills a TLB`;
      const flags = flagsFrom(value, entry.flags);
      if (typeof flags === 'string') return flags;
      const text = tlbText({ ...entry, flags }).replace(/^pfn \S+ ?/, '');
      return {
        text: text === '' ? '-RW -US -D' : text,
        apply: () => tlb.fill(cpu, page, entry.pfn, flags),
      };
    },
  };
}

export function putEntry(k: Engine, at: number, { lo, hi }: U64): void {
  k.store.write(at, lo);
  k.store.write(at + 1, hi);
}
