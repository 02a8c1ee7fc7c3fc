// Variables from layouts: any struct, frame, array or bitmap of a store as names and texts, unfolded on demand.
// Flags and enums by their names, page-table entries by their letters, references followed.

import { peekWalk } from '../hardware/mmu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_NX,
  _PAGE_PRESENT,
  _PAGE_RW,
  _PAGE_SOFT_DIRTY,
  _PAGE_SPECIAL,
  _PAGE_USER,
  PAGE_SIZE,
  pte_pfn,
} from '../hardware/pte';
import { pteId } from '../machine/location/entries';
import { pteBits } from '../machine/location/values';
import { elementOf, lengthOf, placeOf } from '../machine/spots';
import type { Engine, FrameInfo } from '../routine/engine';
import { underTicket } from '../scenario/waits';
import type { LoggedEvent } from '../state/events';
import { pte, type Slot, structNamed, type U64 } from '../state/layout';
import type { Debuggee, Place, Spot, Value } from './debuggee';
import { typeName } from './listings';
import { bitRanges, isPlace, isSpot, plainValue } from './values';

/** One variable as it is shown. */
export interface Shown {
  readonly name: string;
  readonly value: string;
  readonly type?: string;
  /** Present when it can be unfolded. */
  readonly children?: Children;
  /** The field that it is, or the name of the location where it is less than one. */
  readonly spot?: Spot;
  readonly part?: string;
}

/** What a variable unfolds to: either named members, or so many indexed ones, given by ranges. */
export interface Children {
  readonly indexed: number;
  readonly list: (start: number, count: number) => readonly Shown[];
}

/** Members that are known at once. */
export function members(list: () => readonly Shown[]): Children {
  return { indexed: 0, list: (start, count) => list().slice(start, start + count) };
}

export class Variables {
  private readonly engine: Engine;

  constructor(private readonly debuggee: Debuggee) {
    this.engine = debuggee.engine;
  }

  /** The arguments and locals of a frame; what a statement needs beside them has a name in brackets, and stays out. */
  frame({ at, code }: FrameInfo): Children {
    const named = code.frame.slots.filter(({ name }) => !name.startsWith('('));
    return members(() => named.map((slot) => this.slot(slot, at)));
  }

  /** The locks that a task holds. */
  locks(task: number): Children {
    return members(() =>
      this.engine.held(task).map(({ at, mode }) => {
        const place = this.engine.objects.describe(at);
        const name =
          place === undefined
            ? 'lock'
            : `${this.nameOf(place.struct.name, place.object)}.${place.slot.name}`;
        return {
          name,
          value: `${mode === 'read' ? 'held for reading' : 'held'}${underTicket(this.engine.lockTicket(at))}`,
          type: this.engine.lockClass(at),
        };
      }),
    );
  }

  /** Locations by their names, with what they hold. */
  located(names: readonly string[], idOf: (name: string) => string): Children {
    const { locations } = this.debuggee;
    return {
      indexed: 0,
      list: (start, count) =>
        names.slice(start, start + count).map((name) => {
          const id = idOf(name);
          const location = locations.at(id);
          const value = typeof location === 'string' ? location : location.text();
          return { name, value, part: id };
        }),
    };
  }

  /** What the TLB of a CPU holds. */
  tlb(cpu: number): Children {
    return members(() =>
      this.engine.parts.tlb.entries(cpu).flatMap(({ page }) => {
        const address = `0x${(page * PAGE_SIZE).toString(16)}`;
        return this.located([address], () => `tlb:${cpu}:${address}`).list(0, 1);
      }),
    );
  }

  /** The mappings of an address space, by address. */
  addressSpace(mm: number): Children {
    const vma = (at: number) => this.engine.view('vm_area_struct', at);
    return members(() =>
      [...this.engine.objects.all('vm_area_struct')]
        .filter((at) => vma(at).vm_mm.at === mm && vma(at).vm_start < vma(at).vm_end)
        .sort((a, b) => vma(a).vm_start - vma(b).vm_start)
        .map((at) => {
          const { vm_start, vm_end } = vma(at);
          const name = this.nameOf('vm_area_struct', at);
          const range = `0x${vm_start.toString(16)}-0x${vm_end.toString(16)}`;
          const place = { struct: structNamed('vm_area_struct'), at };
          const children = members(() => [
            this.entries(mm, vm_start, vm_end),
            ...place.struct.slots.map((slot) => this.slot(slot, at)),
          ]);
          return { name, value: range, type: 'mapping', children };
        }),
    );
  }

  /** The entries of the last level behind a range of an address space, by page. */
  private entries(mm: number, start: number, end: number): Shown {
    const pages = (end - start) / PAGE_SIZE;
    const space = this.debuggee.nameOf('mm_struct', mm) ?? '';
    const { pgd } = this.engine.view('mm_struct', mm);
    const children: Children = {
      indexed: pages,
      list: (first, count) =>
        range(first, count, pages).map((i) => {
          const address = start + i * PAGE_SIZE;
          const found = peekWalk(this.engine, pgd, address);
          const part = pteId(space, address);
          if (found?.level !== 3) return { name: `[${i}]`, value: 'none', type: 'pte', part };
          const spot = { field: pte, at: found.at };
          return {
            name: `[${i}]`,
            value: pteText(found.entry),
            type: 'pte',
            part,
            children: this.entryBits(spot, part),
          };
        }),
    };
    return { name: 'PTEs', value: `${pages} pages`, type: 'pte[]', children };
  }

  /** Every static and every live object, by struct. */
  objects(): Children {
    const { objects } = this.engine;
    return members(() => [
      ...objects.allStatics.map((s) => this.place(s.name, s)),
      ...objects.pools.map(({ struct }) => {
        const live = [...objects.all(struct.name)];
        const children: Children = {
          indexed: live.length,
          list: (start, count) =>
            live
              .slice(start, start + count)
              .map((at) => this.place(this.nameOf(struct.name, at), { struct, at })),
        };
        return {
          name: struct.name,
          value: `${live.length} live`,
          ...(live.length > 0 && { children }),
        };
      }),
    ]);
  }

  /** What an event says. */
  event(event: LoggedEvent): Children {
    return members(() =>
      Object.entries(event.args).map(([name, value]) => ({
        name,
        value: argumentText(name, value),
      })),
    );
  }

  /** A value under a name. */
  shown(name: string, value: Value | Spot): Shown {
    if (isSpot(value)) return this.spot(name, value);
    if (isPlace(value)) return this.place(name, value);
    return {
      name,
      value: this.text(value),
      type: typeof value === 'object' ? 'u64' : typeof value,
    };
  }

  /** A value as text. */
  text(value: Value | Spot): string {
    if (isSpot(value)) return this.spot('', value).value;
    if (isPlace(value)) return value.at === 0 ? 'NULL' : this.nameOf(value.struct.name, value.at);
    if (typeof value === 'object') return hex64(value);
    return typeof value === 'number' ? numberText(value) : String(value);
  }

  /** The object at an address, as the scenario calls it or by its place in its pool. */
  nameOf(struct: string, at: number): string {
    if (at === 0) return 'NULL';
    const known = this.debuggee.nameOf(struct, at);
    if (known !== undefined) return known;
    const { objects } = this.engine;
    const owner = objects.describe(at);
    if (owner === undefined) return this.onStack(at) ?? `${struct} at ${at}`;
    const fixed = objects.allStatics.find((s) => s.at === owner.object);
    const outer = fixed?.name ?? `${owner.struct.name}#${owner.index}`;
    return owner.object === at && owner.struct.name === struct
      ? outer
      : `${outer}.${owner.slot.name}`;
  }

  /** A local of some frame: `vmf of __handle_mm_fault`. */
  private onStack(at: number): string | undefined {
    const task = this.engine.stackOwner(at);
    const frames = task < 0 ? [] : this.engine.stack(task);
    const frame = frames.find((f) => at >= f.at && at < f.at + f.code.frame.cells);
    const slot = frame?.code.frame.slots.find(
      ({ offset, field }) => at - frame.at >= offset && at - frame.at < offset + field.cells,
    );
    return frame && slot && `${slot.name} of ${frame.code.routine.name}`;
  }

  private place(name: string, place: Place): Shown {
    const { struct, at } = place;
    if (at === 0) return { name, value: 'NULL', type: `struct ${struct.name} *` };
    const own = this.nameOf(struct.name, at);
    const value = own === name ? summary(this, place) : own;
    return { name, value, type: `struct ${struct.name}`, children: this.members(place) };
  }

  private members({ struct, at }: Place): Children {
    return members(() => struct.slots.map((slot) => this.slot(slot, at)));
  }

  private slot({ name, field, offset }: Slot, base: number): Shown {
    return this.spot(name, { field, at: base + offset });
  }

  private spot(name: string, spot: Spot): Shown {
    return { ...this.fieldShown(name, spot), spot };
  }

  private fieldShown(name: string, spot: Spot): Shown {
    const { engine } = this;
    const { field, at } = spot;
    const type = typeName(field);
    const word = () => engine.store.peek(at);
    switch (field.kind) {
      case 'ref': {
        const place = placeOf(engine, spot);
        if (place === undefined) return { name, value: 'NULL', type };
        return {
          name,
          value: this.nameOf(field.of!, place.at),
          type,
          children: this.members(place),
        };
      }
      case 'embed':
        return {
          name,
          value: '{…}',
          type,
          children: this.members({ struct: structNamed(field.of!), at }),
        };
      case 'pte':
        return {
          name,
          value: pteText(field.get(engine.store, at) as U64),
          type,
          children: this.entryBits(spot, undefined),
        };
      case 'u64':
        return { name, value: hex64(field.get(engine.store, at) as U64), type };
      case 'flags':
        return { name, value: flagsText(word(), field.names ?? {}), type };
      case 'enum': {
        const named = Object.entries(field.names ?? {}).find(([, value]) => value === word());
        return { name, value: named?.[0] ?? `${word()}`, type };
      }
      case 'fnptr':
        return {
          name,
          value: word() === 0 ? 'NULL' : engine.program.at(word()).routine.name,
          type,
        };
      case 'lock': {
        const holders = engine.lockHolders(at).map((task) => this.threadName(task));
        return {
          name,
          value:
            holders.length === 0
              ? 'free'
              : `held by ${holders.join(', ')}${underTicket(engine.lockTicket(at))}`,
          type,
        };
      }
      case 'bits': {
        const length = lengthOf(engine, spot);
        const set = bitRanges(engine, at, length);
        return {
          name,
          value: set === '' ? 'none set' : `set: ${set}`,
          type,
          children: this.bits(spot, length),
        };
      }
      case 'array': {
        const length = lengthOf(engine, spot);
        const children: Children = {
          indexed: length,
          list: (start, count) =>
            range(start, count, length).map((i) =>
              this.spot(`[${i}]`, elementOf(engine, spot, i)!),
            ),
        };
        return { name, value: `${length} elements`, type, ...(length > 0 && { children }) };
      }
      default:
        return { name, value: this.text(plainValue(engine, spot) ?? ''), type };
    }
  }

  private bits(spot: Spot, length: number): Children {
    const { at } = spot;
    const bit = (i: number) => (this.engine.store.peek(at + (i >> 5)) >>> (i & 31)) & 1;
    return {
      indexed: length,
      list: (start, count) =>
        range(start, count, length).map((i) => {
          const name = `[${i}]`;
          return { name, value: `${bit(i)}`, ...this.partOf(spot, name) };
        }),
    };
  }

  /** The bits of an entry of a page table, by name; `id` names the entry where it goes by its address. */
  private entryBits(spot: Spot, id: string | undefined): Children {
    return members(() =>
      Object.entries(pteBits).map(([name, { lo, hi }]) => {
        const { store } = this.engine;
        const set = (store.peek(spot.at) & lo) !== 0 || (store.peek(spot.at + 1) & hi) !== 0;
        const part = id === undefined ? this.partOf(spot, `.${name}`) : { part: `${id}:${name}` };
        return { name, value: set ? '1' : '0', type: 'bit', ...part };
      }),
    );
  }

  private partOf(spot: Spot, part: string): { part?: string } {
    const id = this.debuggee.locations.fieldId(spot);
    return id === undefined ? {} : { part: id + part };
  }

  /** The name of the location that a variable is, if it is one. */
  locationOf({ spot, part }: Shown): string | undefined {
    return part ?? (spot && this.debuggee.locations.fieldId(spot));
  }

  private threadName(task: number): string {
    return this.debuggee.threads.find((t) => t.task === task)?.name ?? this.engine.taskName(task);
  }
}

/** A page-table entry by its letters: `P W U A D SD pfn 0x103`. */
export function pteText(entry: U64): string {
  if (entry.lo === 0 && entry.hi === 0) return 'none';
  const letters: string[] = pteLetters
    .filter(([bit]) => (entry.lo & bit) !== 0)
    .map(([, letter]) => letter);
  if ((entry.hi & _PAGE_NX) !== 0) letters.push('NX');
  return [...letters, `pfn 0x${pte_pfn(entry).toString(16)}`].join(' ');
}

const pteLetters = [
  [_PAGE_PRESENT, 'P'],
  [_PAGE_RW, 'W'],
  [_PAGE_USER, 'U'],
  [_PAGE_ACCESSED, 'A'],
  [_PAGE_DIRTY, 'D'],
  [_PAGE_SPECIAL, 'S'],
  [_PAGE_SOFT_DIRTY, 'SD'],
] as const;

function flagsText(word: number, names: Readonly<Record<string, number>>): string {
  const set = Object.entries(names).filter(([, bit]) => bit !== 0 && (word & bit) === bit);
  const rest = set.reduce((left, [, bit]) => left & ~bit, word);
  const words = set.map(([name]) => name);
  if (rest !== 0 || words.length === 0)
    words.push(rest === 0 ? '0' : `0x${(rest >>> 0).toString(16)}`);
  return words.join(' | ');
}

const hex64 = ({ lo, hi }: U64): string => {
  const high = (hi >>> 0).toString(16);
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? `0x${low}` : `0x${high}${low.padStart(8, '0')}`;
};

/** Addresses read better in hexadecimal, counts in decimal. */
const numberText = (value: number): string =>
  value >= 0x1000_0000 ? `0x${value.toString(16)}` : `${value}`;

const argumentText = (name: string, value: unknown): string =>
  name === 'address'
    ? `0x${Number(value).toString(16)}`
    : typeof value === 'object'
      ? hex64(value as U64)
      : `${value}`;

const range = (start: number, count: number, length: number): number[] =>
  Array.from({ length: Math.max(0, Math.min(count, length - start)) }, (_, i) => start + i);

/** The first plain fields of a struct, for a line that unfolds to all of them. */
function summary(variables: Variables, { struct, at }: Place): string {
  const plain = struct.slots.filter(({ field }) =>
    ['int', 'u32', 'bool', 'long', 'enum', 'pte'].includes(field.kind),
  );
  const parts = plain
    .slice(0, 3)
    .map(({ name, field, offset }) => `${name} ${variables.text({ field, at: at + offset })}`);
  return parts.length === 0
    ? `struct ${struct.name}`
    : `{ ${parts.join(', ')}${plain.length > 3 ? ', …' : ''} }`;
}
