// Locations: everything of a machine that can be watched, changed by hand and read as memory, by names that hold in
// every run of the same scenario: `pte:app:0x7ffff7fe7000:RW`, `gpu:ring:0:256`, `field:vmw_bo_dirty#0.start`. A name
// has no cell numbers in it; where it stands is looked up when it is asked for, by peeking.
import { type BytesFrom, type Contents, dataPfn } from '../hardware/memory';
import { peekLeaf, type TlbEntry } from '../hardware/mmu';
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
  levelIndex,
  PAGE_SIZE,
  pte_pfn,
} from '../hardware/pte';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../kernel/include/linux/dma-fence';
import type { Engine } from '../routine/engine';
import { blockBytes } from '../state/blocks';
import { type Field, type Struct, structNamed, type U64 } from '../state/layout';
import { elementOf, lengthOf, type Place, placeOf, type Spot, spotAt } from './spots';

/** Half-open ranges of cells; of contents the first byte of the first block, and the end within the last. */
export type Cells = readonly (readonly [from: number, to: number, head?: number, tail?: number])[];

/** A value that has been read and may be put in place; `text` is its canonical spelling. */
export interface Change {
  readonly text: string;
  readonly apply: () => void;
}

/** Where a location is. */
export interface Found {
  readonly at: Cells;
  readonly on: Cells;
}

/** One location. */
export interface Location {
  /** Its canonical name. */
  readonly id: string;
  /** The same in words. */
  readonly what: string;
  /** The bits of `at` that it is; all of them unless given. */
  readonly mask?: number;
  /** Its cells may hold something else instead: whether it changed, only its text tells. */
  readonly shares?: true;
  /** It is bytes, which are compared one by one; being somewhere else is no change of them. */
  readonly isBytes?: true;
  /** The cells that hold it now, and those that say which these are. */
  readonly find: () => Found;
  /** Of what has many parts, such as pages: how many, and where one of them is. */
  readonly parts?: { readonly count: number; readonly find: (part: number) => Found };
  /** What it holds, as text. */
  readonly text: () => string;
  /** A new value for it; a string says why it cannot be that. */
  readonly change: (value: string) => Change | string;
}

/** A contiguous piece of memory, byte for byte. */
export interface MemoryRange {
  /** Its name up to the offset, and the words after. */
  readonly name: (offset: number) => string;
  /** Where the reference points to within it, and its length. */
  readonly offset: number;
  readonly size: number;
  /** The number of its first byte, as an address. */
  readonly base: number;
  /** How far its first byte is behind the beginning of a page. */
  readonly phase: number;
  /** Where a byte is, and the others of its page behind it; undefined where there is nothing. */
  readonly find: (at: number) => BytesFrom | undefined;
  /** The cells that say where the byte is. */
  readonly on: (at: number) => Cells;
}

/** What a scenario's names stand for. */
export interface Names {
  nameOf(struct: string, at: number): string | undefined;
  /** The cells of a counter. */
  counter?(name: string): Cells | undefined;
  /** The fence of a name such as `done[0]`: its struct, 0 when there is none, and the cells that say so. */
  fence?(name: string): { readonly at: number; readonly on: Cells } | undefined;
  surface?(name: string): SurfacePlace | undefined;
  /** The names there are of a kind. */
  known?(kind: 'counter' | 'fence' | 'surface'): readonly string[];
}

/** A surface: its number on the device, its object (0 before it is made), and its bytes within that. */
export interface SurfacePlace {
  readonly index: number;
  readonly object: number;
  readonly offset: number;
  readonly bytes: number;
  /** The cells that say which object it is. */
  readonly on: Cells;
}

/** Bits of an entry by name, in its low or its high word. */
export const pteBits: Readonly<Record<string, { readonly lo: number; readonly hi: number }>> = {
  P: { lo: _PAGE_PRESENT, hi: 0 },
  RW: { lo: _PAGE_RW, hi: 0 },
  US: { lo: _PAGE_USER, hi: 0 },
  PWT: { lo: _PAGE_PWT, hi: 0 },
  PCD: { lo: _PAGE_PCD, hi: 0 },
  A: { lo: _PAGE_ACCESSED, hi: 0 },
  D: { lo: _PAGE_DIRTY, hi: 0 },
  PSE: { lo: _PAGE_PSE, hi: 0 },
  G: { lo: _PAGE_GLOBAL, hi: 0 },
  S: { lo: _PAGE_SPECIAL, hi: 0 },
  UFFD: { lo: _PAGE_UFFD_WP, hi: 0 },
  SD: { lo: _PAGE_SOFT_DIRTY, hi: 0 },
  NX: { lo: 0, hi: _PAGE_NX },
};

/** Other words for them: the letters of the views and the fields of the scenario language. */
const bitWords: Readonly<Record<string, string>> = {
  W: 'RW',
  U: 'US',
  present: 'P',
  write: 'RW',
  user: 'US',
  writeThrough: 'PWT',
  cacheDisabled: 'PCD',
  accessed: 'A',
  dirty: 'D',
  special: 'S',
  softDirty: 'SD',
  uffdWp: 'UFFD',
  noExecute: 'NX',
};

/** The canonical name of a bit of an entry. */
export const pteBit = (word: string): string | undefined => {
  const name = Object.hasOwn(bitWords, word) ? bitWords[word]! : word;
  return Object.hasOwn(pteBits, name) ? name : undefined;
};

const levels = ['pgd', 'pud', 'pmd', 'pte'] as const;
const none: Cells = [];
const hex = (n: number): string => `0x${n.toString(16)}`;
const escaped = (name: string): string =>
  name.replace(/[\s%=:]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
const plain = (name: string): string =>
  name.replace(/%([0-9a-f]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));

/** The kinds of names, with their form. */
export const locationForms: Readonly<Record<string, string>> = {
  pte: 'pte:PROCESS:0xADDRESS[:BIT]',
  pmd: 'pmd:PROCESS:0xADDRESS[:BIT]',
  pud: 'pud:PROCESS:0xADDRESS[:BIT]',
  pgd: 'pgd:PROCESS:0xADDRESS[:BIT]',
  tlb: 'tlb:CPU:0xADDRESS',
  bytes: 'bytes:PROCESS:0xADDRESS[:LENGTH]',
  phys: 'phys:0xADDRESS[:LENGTH]',
  object: 'object:NAME:OFFSET[:LENGTH]',
  gpu: 'gpu:NAME:OFFSET[:LENGTH]',
  dirty: 'dirty:NAME[:PAGE[-PAGE]]',
  range: 'range:NAME',
  fence: 'fence:NAME',
  counter: 'counter:NAME',
  field: 'field:STRUCT#NUMBER.PATH',
  local: 'local:TASK:DEPTH.PATH',
};

/** Whether a text has the form of a location's name. */
export const isLocationName = (text: string): boolean => {
  const kind = /^([a-z]+):\S+$/.exec(text)?.[1];
  return kind !== undefined && Object.hasOwn(locationForms, kind);
};

const memoryKinds = ['bytes', 'phys', 'object', 'gpu'];

export class Locations {
  constructor(
    private readonly k: Engine,
    private readonly names: Names,
  ) {
    k.hand = (edit) => this.edit(edit);
  }

  /** The location of a name, or what is wrong with it. */
  at(id: string): Location | string {
    const [kind = '', ...rest] = id.trim().split(':');
    const form = Object.hasOwn(locationForms, kind) ? locationForms[kind] : undefined;
    if (form === undefined)
      return `'${id}' names no location; one is ${Object.values(locationForms).join(', ')}`;
    const found = this.parsed(kind, rest);
    return found ?? `'${id}' is not of the form ${form}`;
  }

  /** Changes a location by an entry of a schedule, `id=value`; a string says why not. */
  private edit(text: string): string | undefined {
    const cut = text.indexOf('=');
    const location = this.at(text.slice(0, cut));
    if (typeof location === 'string') return location;
    const change = location.change(plain(text.slice(cut + 1)));
    if (typeof change === 'string') return change;
    change.apply();
    return undefined;
  }

  /** The entry of a schedule that makes a change. */
  entry(location: Location, value: string): { readonly edit: string } | string {
    const change = location.change(value);
    return typeof change === 'string' ? change : { edit: `${location.id}=${escaped(change.text)}` };
  }

  /** The name of a field at an address, if it is part of an object, a static or a frame. */
  fieldId({ field, at }: Spot): string | undefined {
    const { objects } = this.k;
    const owner = objects.describe(at);
    if (owner === undefined) return this.localId(at);
    const { object, struct, index } = owner;
    const fixed = objects.allStatics.find((s) => s.at === object);
    const path = pathTo(this.k, struct, object, at, field);
    const name = fixed?.name ?? `${struct.name}#${index}`;
    return path === undefined ? undefined : `field:${escaped(name)}.${escaped(path)}`;
  }

  private localId(at: number): string | undefined {
    const { k } = this;
    const task = k.stackOwner(at);
    if (task < 0) return undefined;
    const stack = k.stack(task);
    const i = stack.findIndex((f) => at >= f.at && at < f.at + f.code.frame.cells);
    const frame = stack[i];
    if (frame === undefined) return undefined;
    const path = pathTo(k, frame.code.frame, frame.at, at, undefined);
    return path && `local:${task}:${stack.length - 1 - i}.${escaped(path)}`;
  }

  // Names.

  private parsed(kind: string, rest: readonly string[]): Location | string | undefined {
    const level = levels.indexOf(kind as 'pte');
    if (level >= 0) {
      const [process, address, bit] = rest;
      const at = number(address);
      if (process === undefined || at === undefined || rest.length > 3) return undefined;
      return this.entryLocation(kind, level, plain(process), at, bit);
    }
    if (memoryKinds.includes(kind)) return this.bytesLocation(kind, rest);
    switch (kind) {
      case 'tlb': {
        const [cpu, address] = rest.map(number);
        if (cpu === undefined || address === undefined || rest.length > 2) return undefined;
        return this.tlbLocation(cpu, address);
      }
      case 'dirty':
      case 'range':
        return this.trackerLocation(kind, rest);
      case 'fence':
        return rest.length === 1 ? this.fenceLocation(plain(rest[0]!)) : undefined;
      case 'counter':
        return rest.length === 1 ? this.counterLocation(rest[0]!) : undefined;
      default:
        return this.fieldLocation(kind, rest.join(':'));
    }
  }

  /** The mm_struct of a process. */
  private space(process: string): number | string {
    const all = this.live('mm_struct');
    const found = all.find((at) => this.names.nameOf('mm_struct', at) === process);
    if (found !== undefined) return found;
    const known = all.flatMap((at) => this.names.nameOf('mm_struct', at) ?? []);
    const there = known.length === 0 ? 'there are none' : `there is ${known.join(', ')}`;
    return `there is no process ${process}; ${there}`;
  }

  /** The names of a kind that can be asked for. */
  known(kind: 'counter' | 'fence' | 'surface'): readonly string[] {
    return this.names.known?.(kind) ?? [];
  }

  /** The processes that have names, with the frames of their root tables. */
  spaces(): { readonly name: string; readonly pgd: number }[] {
    return this.live('mm_struct').flatMap((at) => {
      const name = this.names.nameOf('mm_struct', at);
      return name === undefined ? [] : [{ name, pgd: this.k.view('mm_struct', at).pgd }];
    });
  }

  private live(struct: string): number[] {
    const { objects } = this.k;
    const known = objects.pools.some((pool) => pool.struct.name === struct);
    return known ? [...objects.all(struct)] : [];
  }

  // Entries of page tables and TLBs.

  private entryLocation(
    kind: string,
    level: number,
    process: string,
    address: number,
    bitWord: string | undefined,
  ): Location | string {
    const mm = this.space(process);
    if (typeof mm === 'string') return mm;
    const bit = bitWord === undefined ? undefined : pteBit(bitWord);
    if (bitWord !== undefined && bit === undefined)
      return `an entry has no bit ${bitWord}; it has ${Object.keys(pteBits).join(', ')}`;
    const { k } = this;
    const { memory } = k.parts;
    const find = (): ReturnType<Location['find']> => {
      const on: Cells[number][] = [];
      const space = this.space(process);
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
          return { text: u64Text(wanted), apply: () => this.put(cell, wanted) };
        },
      };
    }
    const { lo, hi } = pteBits[bit]!;
    const masked = this.maskedLocation(`${id}:${bit}`, `${bit} of the ${page}`, lo | hi, cellOf);
    const change = (value: string) => (cellOf() === undefined ? absent : masked.change(value));
    return { ...masked, find, change };
  }

  private tlbLocation(cpu: number, address: number): Location | string {
    const { k } = this;
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

  // Bytes.

  /** The memory that a name refers to, from its offset on; what is wrong with it. */
  memory(reference: string): MemoryRange | string {
    const [kind = '', ...rest] = reference.trim().split(':');
    const found = memoryKinds.includes(kind) ? this.memoryOf(kind, rest)?.range : undefined;
    return found ?? `'${reference}' names no memory; one is ${memoryForms}`;
  }

  private memoryOf(
    kind: string,
    rest: readonly string[],
  ): { readonly range: MemoryRange | string; readonly length: number | undefined } | undefined {
    const named = kind !== 'phys';
    const owner = named ? rest[0] : '';
    const offset = number(rest[named ? 1 : 0] ?? (kind === 'bytes' ? undefined : '0'));
    const given = rest[named ? 2 : 1];
    const length = given === undefined ? undefined : number(given);
    const tooMany = rest.length > (named ? 3 : 2);
    if (owner === undefined || offset === undefined || tooMany) return undefined;
    if (given !== undefined && (length === undefined || length === 0)) return undefined;
    const range = this.rangeOf(kind, plain(owner), offset);
    return { range, length };
  }

  private rangeOf(kind: string, owner: string, offset: number): MemoryRange | string {
    const { memory, svga } = this.k.parts;
    if (memory === undefined) return 'this machine has no memory';
    if (kind === 'phys') {
      const base = dataPfn * PAGE_SIZE;
      return {
        name: (at) => `phys:${hex(base + at)}`,
        offset: offset - base,
        size: memory.frames * PAGE_SIZE,
        base,
        phase: 0,
        find: (at) => ({
          contents: memory.frame(dataPfn + Math.floor(at / PAGE_SIZE)),
          at: at % PAGE_SIZE,
        }),
        on: () => none,
      };
    }
    if (kind === 'bytes') return this.mapped(owner, offset);
    const place = this.surface(owner);
    if (typeof place === 'string') return place;
    const { index, bytes } = place;
    if (kind === 'gpu') {
      return {
        name: (at) => `gpu:${escaped(owner)}:${at}`,
        offset,
        size: bytes,
        base: 0,
        phase: 0,
        find: (at) => {
          const contents = svga.copyNamed(index);
          return contents && { contents, at };
        },
        on: () => {
          const { region, stride, count, struct } = this.k.objects.pool('svga_surface');
          const name = 1 + struct.slot('name').offset; // behind the header that says whether it is there
          return Array.from({ length: count }, (_, i) => region.base + i * stride).flatMap(
            (header) => [oneCell(header), oneCell(header + name)],
          );
        },
      };
    }
    return {
      name: (at) => `object:${escaped(owner)}:${at}`,
      offset,
      size: bytes,
      base: 0,
      phase: place.offset % PAGE_SIZE,
      find: (at) => {
        const { object, offset: first } = this.surface(owner) as SurfacePlace;
        return this.pageOf(object, first + at);
      },
      on: (at) => this.pageCells(owner, at),
    };
  }

  /** A surface by its name, or an object by that of its pages. */
  private surface(name: string): SurfacePlace | string {
    const own = this.names.surface?.(name);
    if (own !== undefined) return own;
    const all = this.live('vmw_buffer_object');
    const at = all.find((bo) => this.names.nameOf('vmw_buffer_object', bo) === name);
    if (at === undefined) return `there is no surface or object ${name}`;
    const { base } = this.k.view('vmw_buffer_object', at);
    return { index: -1, object: at, offset: 0, bytes: base.num_pages * PAGE_SIZE, on: none };
  }

  private pageOf(object: number, at: number): BytesFrom | undefined {
    const { k } = this;
    if (object === 0) return undefined;
    const { ttm } = k.view('vmw_buffer_object', object).base;
    const page = ttm.at === 0 ? 0 : ttm.pages.get(Math.floor(at / PAGE_SIZE));
    if (page === 0) return undefined;
    const { memory } = k.parts;
    return { contents: memory.frame(memory.pfnOfPage(page)), at: at % PAGE_SIZE };
  }

  /** The cells that say which frame a byte of an object is in. */
  private pageCells(owner: string, at: number): Cells {
    const { k } = this;
    const place = this.surface(owner);
    if (typeof place === 'string') return none;
    if (place.object === 0) return place.on;
    const { base } = k.view('vmw_buffer_object', place.object);
    const spot = spotAt(k, { struct: structNamed('ttm_buffer_object'), at: base.at }, 'ttm');
    const cells: Cells[number][] = [...place.on];
    if (spot !== undefined) cells.push(oneCell(spot.at));
    const { ttm } = base;
    if (ttm.at !== 0)
      cells.push(oneCell(ttm.pages.at + Math.floor((place.offset + at) / PAGE_SIZE)));
    return cells;
  }

  /** The mapping that an address is in; what is not faulted in yet reads as the object behind it. */
  private mapped(process: string, address: number): MemoryRange | string {
    const mm = this.space(process);
    if (typeof mm === 'string') return mm;
    const vma = this.vma(mm, address);
    if (vma === undefined) return `nothing is mapped at ${hex(address)} in ${process}`;
    const { vm_start, vm_end } = vma;
    const range = this.virtual(process, vm_start, vm_end - vm_start) as MemoryRange;
    return { ...range, offset: address - vm_start };
  }

  /** A piece of an address space; there are bytes where something is mapped. */
  private virtual(process: string, start: number, size: number): MemoryRange | string {
    const mm = this.space(process);
    if (typeof mm === 'string') return mm;
    const { k } = this;
    return {
      name: (at) => `bytes:${escaped(process)}:${hex(start + at)}`,
      offset: 0,
      size,
      base: start,
      phase: start % PAGE_SIZE,
      find: (at) => this.behind(mm, start + at),
      on: (at) => {
        const entry = this.at(`pte:${escaped(process)}:${hex(start + at)}`);
        if (typeof entry === 'string' || k.parts.memory === undefined) return none;
        const found = entry.find();
        return [...found.at, ...found.on];
      },
    };
  }

  /** The VMA that an address is in. */
  private vma(mm: number, address: number) {
    return this.live('vm_area_struct')
      .map((at) => this.k.view('vm_area_struct', at))
      .find((v) => v.vm_mm.at === mm && v.vm_start <= address && address < v.vm_end);
  }

  /** As a load would see it: in the frame that is mapped, else in the object behind the mapping. */
  private behind(mm: number, address: number): BytesFrom | undefined {
    const { k } = this;
    const vma = this.vma(mm, address);
    if (vma === undefined) return undefined;
    const leaf = peekLeaf(k, k.view('mm_struct', mm).pgd, address);
    const { memory } = k.parts;
    if (leaf !== undefined && (leaf.entry.lo & _PAGE_PRESENT) !== 0 && memory.isData(leaf.pfn))
      return { contents: memory.frame(leaf.pfn), at: address % PAGE_SIZE };
    const { vm_start, vm_pgoff, vm_private_data } = vma;
    if (!this.live('vmw_buffer_object').includes(vm_private_data)) return undefined;
    const { base } = k.view('vmw_buffer_object', vm_private_data);
    const first = (vm_pgoff - base.vma_node_start) * PAGE_SIZE;
    return this.pageOf(vm_private_data, first + address - vm_start);
  }

  private bytesLocation(kind: string, rest: readonly string[]): Location | string | undefined {
    const parsed = this.memoryOf(kind, rest);
    if (parsed === undefined) return undefined;
    const { length = 1 } = parsed;
    // What is not mapped yet can be watched already.
    const range =
      kind === 'bytes' ? this.virtual(plain(rest[0]!), number(rest[1])!, length) : parsed.range;
    if (typeof range === 'string') return range;
    const { offset, size } = range;
    if (offset < 0 || offset + length > size)
      return `${range.name(offset)} has ${Math.max(0, size - offset)} bytes behind it, not ${length}`;
    const all = [...pieces(range, offset, length)];
    const findPart = (part: number): Found => {
      const { from, to } = all[part]!;
      const on = range.on(from);
      const found = range.find(from);
      if (found?.contents === undefined) return { at: none, on };
      const first = found.contents.base + Math.floor(found.at / blockBytes);
      const last = found.contents.base + Math.floor((found.at + to - from - 1) / blockBytes);
      const tail = ((found.at + to - from - 1) % blockBytes) + 1;
      return { at: [[first, last + 1, found.at % blockBytes, tail]], on };
    };
    const find = (): Found => {
      const parts = all.map((_, part) => findPart(part));
      return { at: parts.flatMap(({ at }) => at), on: parts.flatMap(({ on }) => on) };
    };
    return {
      isBytes: true,
      parts: { count: all.length, find: findPart },
      id: `${range.name(offset)}:${length}`,
      what: `${length === 1 ? 'byte' : `${length} bytes`} at ${range.name(offset)}`,
      find,
      text: () => {
        const some = readBytes(range, offset, Math.min(length, shownBytes));
        const more = length > shownBytes ? '…' : '';
        return some.length === 0 ? 'none' : `0x${some.map(byteText).join('')}${more}`;
      },
      change: (value) => {
        const bytes = bytesFrom(value, length);
        if (typeof bytes === 'string') return bytes;
        const hole = bytes.findIndex((_, i) => range.find(offset + i)?.contents === undefined);
        if (hole >= 0) return `there is no memory at ${range.name(offset + hole)} yet`;
        return {
          text: `0x${bytes.map(byteText).join('')}`,
          apply: () => writeBytes(range, offset, bytes),
        };
      },
    };
  }

  // The driver's tracker, fences, counters.

  private trackerLocation(kind: string, rest: readonly string[]): Location | string | undefined {
    const [name, pages] = rest;
    if (name === undefined || rest.length > (kind === 'dirty' ? 2 : 1)) return undefined;
    const place = this.surface(plain(name));
    if (typeof place === 'string') return place;
    const [from, to] = /^(\d+)(?:-(\d+))?$/.exec(pages ?? '0-9007199254740991')?.slice(1) ?? [];
    if (from === undefined) return undefined;
    const { k } = this;
    const tracker = () => {
      const now = this.surface(plain(name));
      return typeof now === 'string' || now.object === 0
        ? undefined
        : k.view('vmw_buffer_object', now.object);
    };
    const dirtyCell = () => {
      const bo = tracker();
      return bo && spotAt(k, { struct: structNamed('vmw_buffer_object'), at: bo.at }, 'dirty');
    };
    const spot = (path: string): Spot | undefined => {
      const bo = tracker();
      if (bo === undefined || bo.dirty.at === 0) return undefined;
      return spotAt(k, { struct: structNamed('vmw_bo_dirty'), at: bo.dirty.at }, path);
    };
    const on = (): Cells => {
      const now = this.surface(plain(name));
      const pointer = dirtyCell();
      const own = typeof now === 'string' ? none : now.on;
      return pointer === undefined ? own : [...own, oneCell(pointer.at)];
    };
    if (kind === 'range') {
      const read = () => ['start', 'end'].map((path) => spot(path));
      return {
        id: `range:${name}`,
        what: `dirty range of ${plain(name)}`,
        find: () => ({
          at: read().flatMap((s) => (s === undefined ? [] : [oneCell(s.at)])),
          on: on(),
        }),
        text: () => {
          const [start, end] = read().map((s) => s && k.store.peek(s.at));
          if (start === undefined || end === undefined) return 'not tracked';
          return start < end ? `${start}-${end - 1}` : 'empty';
        },
        change: () => `the range is two values: change field start or end of the tracker instead`,
      };
    }
    const first = Number(from);
    const last = () => {
      const bitmap = spot('bitmap');
      const size =
        bitmap === undefined ? 0 : k.view('vmw_bo_dirty', tracker()!.dirty.at).bitmap_size;
      return Math.min(Number(to ?? from), size - 1);
    };
    const bits = () => {
      const bitmap = spot('bitmap');
      return bitmap === undefined || last() < first ? undefined : bitmap.at;
    };
    const single = pages !== undefined && to === undefined;
    return {
      id: pages === undefined ? `dirty:${name}` : `dirty:${name}:${pages}`,
      what: `dirty ${single ? `bit of page ${from}` : pages === undefined ? 'bitmap' : `bits of pages ${pages}`} of ${plain(name)}`,
      ...(single && { mask: 1 << (first & 31) }),
      find: () => {
        const base = bits();
        if (base === undefined) return { at: none, on: on() };
        return { at: [[base + (first >> 5), base + (last() >> 5) + 1]], on: on() };
      },
      text: () => {
        const base = bits();
        if (base === undefined) return 'not tracked';
        const set: number[] = [];
        for (let page = first; page <= last(); page++)
          if (((k.store.peek(base + (page >> 5)) >>> (page & 31)) & 1) !== 0) set.push(page);
        if (single) return `${set.length}`;
        return set.length === 0 ? 'none' : rangesText(set);
      },
      change: (value) => {
        const base = bits();
        const wanted = bitFrom(value);
        if (typeof wanted === 'string') return wanted;
        if (base === undefined) return `${plain(name)} is not tracked`;
        return {
          text: `${wanted}`,
          apply: () => {
            for (let page = first; page <= last(); page++) {
              const cell = base + (page >> 5);
              const bit = 1 << (page & 31);
              const before = k.store.peek(cell);
              k.store.write(cell, wanted === 1 ? before | bit : before & ~bit);
            }
          },
        };
      },
    };
  }

  private fenceLocation(name: string): Location | string {
    const known = this.names.fence?.(name);
    if (known === undefined) return `there is no fence ${name}`;
    const { k } = this;
    const flagsAt = () => {
      const { at } = this.names.fence!(name)!;
      if (at === 0) return undefined;
      return spotAt(k, { struct: structNamed('dma_fence'), at }, 'flags')?.at;
    };
    return {
      id: `fence:${escaped(name)}`,
      what: `fence ${name}`,
      mask: DMA_FENCE_FLAG_SIGNALED_BIT,
      find: () => {
        const cell = flagsAt();
        return { at: cell === undefined ? none : [oneCell(cell)], on: this.names.fence!(name)!.on };
      },
      text: () => {
        const cell = flagsAt();
        if (cell === undefined) return 'not there';
        const signaled = (k.store.peek(cell) & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0;
        return signaled ? 'signaled' : 'not signaled';
      },
      change: (value) => {
        const cell = flagsAt();
        if (cell === undefined) return `fence ${name} is not there: it was not emitted, or is over`;
        const wanted = value.trim() === 'signaled' ? 1 : bitFrom(value);
        if (wanted !== 1) return 'a fence can be set to signaled, and never back';
        return {
          text: 'signaled',
          apply: () => k.store.write(cell, k.store.peek(cell) | DMA_FENCE_FLAG_SIGNALED_BIT),
        };
      },
    };
  }

  private counterLocation(name: string): Location | string {
    const cells = this.names.counter?.(name);
    if (cells === undefined) return `there is no counter ${name}`;
    const { store } = this.k;
    const at = cells[0]![0];
    return {
      id: `counter:${name}`,
      what: `counter ${name}`,
      find: () => ({ at: cells, on: none }),
      text: () => `${store.peek(at + 1) * 0x1_0000_0000 + (store.peek(at) >>> 0)}`,
      change: () => 'a counter says what has happened; it is not set by hand',
    };
  }

  // Fields of structs and locals of frames.

  private fieldLocation(kind: string, text: string): Location | string | undefined {
    const cut = text.indexOf('.');
    if (cut < 0) return undefined;
    const [name, path] = [plain(text.slice(0, cut)), plain(text.slice(cut + 1))];
    const { k } = this;
    const owner = () => (kind === 'local' ? this.frame(name) : this.object(name));
    const first = owner();
    if (typeof first === 'string') return first;
    const resolve = () => {
      const on: [number, number][] = [];
      const place = owner();
      const spot =
        typeof place === 'string' ? undefined : slotAt(k, place, path, (c) => on.push(oneCell(c)));
      return { spot, on };
    };
    const { spot: now } = resolve();
    if (now === undefined) return this.bitLocation(kind, name, path, owner);
    const cells = (spot: Spot): number =>
      spot.field.kind === 'bits' ? Math.ceil(lengthOf(k, spot) / 32) : spot.field.cells;
    return {
      id: fieldName(kind, name, path),
      what: `${path} of ${kind === 'local' ? first.struct.name : name}`,
      find: () => {
        const { spot, on } = resolve();
        return { at: spot === undefined ? none : [[spot.at, spot.at + cells(spot)]], on };
      },
      text: () => {
        const { spot } = resolve();
        return spot === undefined ? 'none' : fieldText(k, spot);
      },
      change: (value) => {
        const { spot } = resolve();
        if (spot === undefined) return `${path} is not there now`;
        return this.inUse(spot.at) ? this.fieldChange(spot, value) : `${name} is not in use`;
      },
    };
  }

  /** One bit of a bitmap or an entry: `bitmap[3]`, `entries[511].RW`. */
  private bitLocation(
    kind: string,
    name: string,
    path: string,
    owner: () => Place | string,
  ): Location | string {
    const { k } = this;
    const [, outer = '', index, word = ''] = /^(.*?)(?:\[(\d+)\]|\.(\w+))$/.exec(path) ?? [];
    const bit = pteBits[pteBit(word) ?? ''];
    const spot = () => {
      const place = owner();
      return typeof place === 'string' ? undefined : slotAt(k, place, outer, () => {});
    };
    const cellOf = () => {
      const found = spot();
      if (found?.field.kind === 'pte' && bit !== undefined) return found.at + Number(bit.hi !== 0);
      const fits = found?.field.kind === 'bits' && Number(index) < lengthOf(k, found);
      return fits ? found.at + (Number(index) >> 5) : undefined;
    };
    if (cellOf() === undefined) return `there is no ${path} in ${name}`;
    const mask = bit === undefined ? 1 << (Number(index) & 31) : bit.lo | bit.hi;
    return this.maskedLocation(fieldName(kind, name, path), `${path} of ${name}`, mask, cellOf);
  }

  /** Some bits of a cell that is found when it is asked for. */
  private maskedLocation(
    id: string,
    what: string,
    mask: number,
    cellOf: () => number | undefined,
  ): Location {
    const { store } = this.k;
    return {
      id,
      what,
      mask,
      find: () => {
        const cell = cellOf();
        return { at: cell === undefined ? none : [oneCell(cell)], on: none };
      },
      text: () => {
        const cell = cellOf();
        return cell !== undefined && (store.peek(cell) & mask) !== 0 ? '1' : '0';
      },
      change: (value) => {
        const wanted = bitFrom(value);
        const cell = cellOf();
        if (typeof wanted === 'string') return wanted;
        if (cell === undefined) return `${what} is not there now`;
        const before = store.peek(cell);
        const after = wanted === 1 ? before | mask : before & ~mask;
        return { text: `${wanted}`, apply: () => store.write(cell, after) };
      },
    };
  }

  private object(name: string): { struct: Struct; at: number } | string {
    const { objects } = this.k;
    const fixed = objects.allStatics.find((s) => s.name === name);
    if (fixed !== undefined) return fixed;
    const [struct, number] = /^(\w+)#(\d+)$/.exec(name)?.slice(1) ?? [];
    const pool = objects.pools.find((p) => p.struct.name === struct);
    if (pool === undefined) return `there is no object ${name}`;
    const index = Number(number);
    const at = pool.region.base + index * pool.stride + 1;
    if (index >= pool.count) return `there is no object ${name}; there is room for ${pool.count}`;
    return { struct: pool.struct, at };
  }

  private inUse(at: number): boolean {
    return this.k.objects.describe(at)?.live !== false;
  }

  private frame(name: string): { struct: Struct; at: number } | string {
    const [task, depth] = name.split(':').map(Number);
    const stack = task! < this.k.taskCount ? this.k.stack(task!) : [];
    const frame = stack[stack.length - 1 - depth!];
    if (frame === undefined) return `task ${task} has no frame ${depth}`;
    return { struct: frame.code.frame, at: frame.at };
  }

  private fieldChange({ field, at }: Spot, value: string): Change | string {
    const { k } = this;
    const put = (text: string, apply: () => void): Change => ({ text, apply });
    switch (field.kind) {
      case 'pte':
      case 'u64': {
        const before = { lo: k.store.peek(at), hi: k.store.peek(at + 1) };
        const wanted = field.kind === 'pte' ? entryFrom(value, before) : u64From(value);
        if (typeof wanted === 'string') return wanted;
        return put(u64Text(wanted), () => this.put(at, wanted));
      }
      case 'long': {
        const wanted = number(value);
        if (wanted === undefined) return `${quoted(value)} is no whole number from 0 to 2^53 - 1`;
        return put(hex(wanted), () => field.set(k.store, at, wanted));
      }
      case 'int':
      case 'u32':
      case 'bool':
      case 'flags':
      case 'enum': {
        const wanted = wordFrom(field.kind, field.names ?? {}, value);
        if (typeof wanted === 'string') return wanted;
        return put(`${wanted}`, () => k.store.write(at, wanted));
      }
      case 'ref': {
        if (/^(NULL|0)$/i.test(value.trim())) return put('NULL', () => k.store.write(at, 0));
        const to = this.object(value.trim());
        if (typeof to === 'string') return `${to}; write NULL, or ${field.of}#0`;
        if (to.struct.name !== field.of)
          return `it refers to a ${field.of}, not a ${to.struct.name}`;
        return put(value.trim(), () => k.store.write(at, to.at));
      }
      case 'fnptr': {
        const code = k.program.named(value.trim());
        if (/^NULL$/i.test(value.trim())) return put('NULL', () => k.store.write(at, 0));
        if (code === undefined) return `no emulated function is called ${value.trim()}`;
        const number = k.program.numberOf(code.routine);
        return put(value.trim(), () => k.store.write(at, number));
      }
      case 'lock':
        return 'a lock is taken and released by tasks; it is not set by hand';
      default:
        return 'it has parts: change one of them';
    }
  }

  private put(at: number, { lo, hi }: U64): void {
    this.k.store.write(at, lo);
    this.k.store.write(at + 1, hi);
  }
}

/** The name of a field of an object or of a frame. */
const fieldName = (kind: string, name: string, path: string): string =>
  `${kind}:${kind === 'local' ? name : escaped(name)}.${escaped(path)}`;

// Bytes of a range.

/** So many bytes are shown as text. */
const shownBytes = 256;

const memoryForms = memoryKinds.map((kind) => locationForms[kind]).join(', ');
const byteText = (byte: number): string => byte.toString(16).padStart(2, '0');

/** The pieces of [from, from + length) that lie in one page each. */
function* pieces(
  { phase }: MemoryRange,
  from: number,
  length: number,
): Generator<{ from: number; to: number }> {
  for (let at = from; at < from + length; ) {
    const page = Math.floor((at + phase) / PAGE_SIZE) + 1;
    const to = Math.min(from + length, page * PAGE_SIZE - phase);
    yield { from: at, to };
    at = to;
  }
}

/** Bytes of a range up to the first that is not there. */
export function readBytes(range: MemoryRange, from: number, length: number): number[] {
  const bytes: number[] = [];
  for (const piece of pieces(range, from, length)) {
    const found = range.find(piece.from);
    if (found?.contents === undefined) break;
    const { contents, at } = found;
    for (let i = 0; i < piece.to - piece.from; i++) bytes.push(contents.peek(at + i));
  }
  return bytes;
}

function writeBytes(range: MemoryRange, from: number, bytes: readonly number[]): void {
  for (const piece of pieces(range, from, bytes.length)) {
    const { contents, at } = range.find(piece.from) as { contents: Contents; at: number };
    const base = piece.from - from - at;
    contents.replace(at, piece.to - piece.from, (i) => bytes[base + i]!);
  }
}

// Values as they are typed.

const quoted = (value: string): string => `'${value.trim()}'`;
const oneCell = (cell: number): [number, number] => [cell, cell + 1];

function number(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*(0x[\da-f]+|\d+)\s*$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

function bitFrom(value: string): 0 | 1 | string {
  const text = value.trim().toLowerCase();
  if (['1', 'true', 'set'].includes(text)) return 1;
  if (['0', 'false', 'clear'].includes(text)) return 0;
  return `${quoted(value)} is no bit: write 0 or 1`;
}

export function u64Text({ lo, hi }: U64): string {
  const high = (hi >>> 0).toString(16);
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? `0x${low}` : `0x${high}${low.padStart(8, '0')}`;
}

function u64From(value: string): U64 | string {
  const text = value.trim();
  if (!/^(0x[\da-f]{1,16}|\d{1,20})$/i.test(text)) return `${quoted(value)} is no 64-bit number`;
  const whole = BigInt(text);
  if (whole >= 2n ** 64n) return `${quoted(value)} is no 64-bit number`;
  return { lo: Number(whole & 0xffffffffn) | 0, hi: Number(whole >> 32n) | 0 };
}

const entryHint =
  'write a number such as 0x8000000010000225, all its letters such as P W U A pfn 0x10000, or changes such as +W -D';

/** An entry as a number, as all of its letters, or as changes of single bits. */
function entryFrom(value: string, before: U64): U64 | string {
  const words = value.trim().split(/\s+/);
  if (words.length === 1 && /^(0x)?\d/.test(words[0]!)) return u64From(value);
  if (words[0] === 'none') return { lo: 0, hi: 0 };
  const changes = words.every((word) => /^[+-]/.test(word));
  let { lo, hi } = changes ? before : { lo: 0, hi: 0 };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === 'pfn') {
      const pfn = number(words[++i]);
      if (pfn === undefined) return entryHint;
      lo |= pfn << 12;
      hi |= Math.floor(pfn / 0x10_0000);
      continue;
    }
    const bit = pteBit(word.replace(/^[+-]/, ''));
    if (bit === undefined) return entryHint;
    const { lo: low, hi: high } = pteBits[bit]!;
    const off = word.startsWith('-');
    lo = off ? lo & ~low : lo | low;
    hi = off ? hi & ~high : hi | high;
  }
  return { lo, hi };
}

const tlbBits = ['RW', 'US', 'D'];

function tlbText(entry: TlbEntry | undefined): string {
  if (entry === undefined) return 'none';
  const set = tlbBits.filter((bit) => (entry.flags & pteBits[bit]!.lo) !== 0);
  return [`pfn ${hex(entry.pfn)}`, ...set].join(' ');
}

/** Rights of a cached translation: all of them, or changes. */
function flagsFrom(value: string, before: number): number | string {
  const words = value.trim().split(/\s+/);
  let flags = words.every((word) => /^[+-]/.test(word)) ? before : 0;
  for (const word of words) {
    const bit = pteBit(word.replace(/^[+-]/, ''));
    if (bit === undefined || !tlbBits.includes(bit))
      return 'write none, or which of RW US D the entry has, or changes such as -RW +D';
    const { lo } = pteBits[bit]!;
    flags = word.startsWith('-') ? flags & ~lo : flags | lo;
  }
  return flags;
}

function wordFrom(
  kind: string,
  names: Readonly<Record<string, number>>,
  value: string,
): number | string {
  const text = value.trim();
  if (/^-?(0x[\da-f]+|\d+)$/i.test(text)) {
    const wanted = text.startsWith('-') ? -Number(text.slice(1)) : Number(text);
    if (wanted < -(2 ** 31) || wanted >= 2 ** 32) return `${quoted(value)} does not fit 32 bits`;
    return kind === 'bool' ? Number(wanted !== 0) : wanted | 0;
  }
  if (kind === 'bool' && /^(true|false)$/.test(text)) return Number(text === 'true');
  let word = 0;
  for (const part of text.split(/\s*\|\s*/)) {
    if (!Object.hasOwn(names, part)) {
      const known = Object.keys(names);
      const hint = known.length === 0 ? '' : `, and none of ${known.join(', ')}`;
      return `${quoted(value)} is no ${kind === 'bool' ? 'truth value' : 'number'}${hint}`;
    }
    word |= names[part]!;
  }
  return word;
}

/** Bytes in hexadecimal, or one value for all of them. */
function bytesFrom(value: string, length: number): number[] | string {
  const text = value.trim();
  const digits = /^0x((?:[\da-f]{2})+)$/i.exec(text)?.[1];
  if (digits !== undefined && digits.length === 2 * length)
    return Array.from({ length }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  const one = number(text);
  if (one !== undefined && one < 256 && length > PAGE_SIZE)
    return `${length} bytes are more than one value is meant for: take a range, such as [0 .. 4096]`;
  if (one !== undefined && one < 256) return new Array<number>(length).fill(one);
  const all = length === 1 ? '' : `, or 0x and ${2 * length} hexadecimal digits`;
  return `${quoted(value)} is no value for ${length === 1 ? 'a byte' : `${length} bytes`}: write a number below 256${all}`;
}

function fieldText(k: Engine, spot: Spot): string {
  const { field, at } = spot;
  if (field.kind === 'pte' || field.kind === 'u64')
    return u64Text({ lo: k.store.peek(at), hi: k.store.peek(at + 1) });
  if (field.kind === 'long')
    return hex(k.store.peek(at + 1) * 0x1_0000_0000 + (k.store.peek(at) >>> 0));
  const cells =
    field.kind === 'bits' ? Math.ceil(lengthOf(k, spot) / 32) : Math.min(field.cells, 64);
  return Array.from({ length: cells }, (_, i) => k.store.peek(at + i)).join(' ');
}

/** Numbers in order as ranges: `0-3, 7`. */
function rangesText(numbers: readonly number[]): string {
  const ranges: string[] = [];
  for (let i = 0; i < numbers.length; i++) {
    const from = numbers[i]!;
    while (numbers[i + 1] === numbers[i]! + 1) i++;
    ranges.push(from === numbers[i] ? `${from}` : `${from}-${numbers[i]}`);
  }
  return ranges.join(', ');
}

/** The path of the field at an address, from a struct at `base`; `field` where it is one with parts. */
function pathTo(
  k: Engine,
  struct: Struct,
  base: number,
  at: number,
  field: Field<unknown> | undefined,
): string | undefined {
  const within = at - base;
  const slot = struct.slots.findLast((s) => s.offset <= within);
  if (slot === undefined || slot.name.startsWith('(')) return undefined;
  const start = base + slot.offset;
  if (start === at && (field === slot.field || !hasParts(slot.field))) return slot.name;
  const rest = partTo(k, { field: slot.field, at: start }, at, field);
  return rest === undefined ? undefined : slot.name + rest;
}

const hasParts = ({ kind }: Field<unknown>): boolean => kind === 'embed' || kind === 'array';

function partTo(
  k: Engine,
  spot: Spot,
  at: number,
  field: Field<unknown> | undefined,
): string | undefined {
  if (at === spot.at && (field === spot.field || !hasParts(spot.field))) return '';
  const { element } = spot.field;
  if (element !== undefined) {
    const index = Math.floor((at - spot.at) / element.cells);
    const part = elementOf(k, spot, index);
    const rest = part && partTo(k, part, at, field);
    return rest === undefined ? undefined : `[${index}]${rest}`;
  }
  const place = spot.field.kind === 'embed' ? placeOf(k, spot) : undefined;
  const path = place && pathTo(k, place.struct, place.at, at, field);
  return path === undefined ? undefined : `.${path}`;
}

/** As `spotAt`, where a field may have any name, as those of a scenario's own state have. */
function slotAt(
  k: Engine,
  { struct, at }: Place,
  path: string,
  through: (cell: number) => void,
): Spot | undefined {
  const fits = (name: string) =>
    path.startsWith(name) && /^(\.|->|\[|$)/.test(path.slice(name.length));
  const slots = struct.slots.filter(({ name }) => fits(name));
  const slot = slots.sort((a, b) => b.name.length - a.name.length)[0];
  return (
    slot &&
    partAt(k, { field: slot.field, at: at + slot.offset }, path.slice(slot.name.length), through)
  );
}

function partAt(
  k: Engine,
  spot: Spot,
  rest: string,
  through: (cell: number) => void,
): Spot | undefined {
  if (rest === '') return spot;
  const [index, number] = /^\[(\d+)\]/.exec(rest) ?? [];
  if (index !== undefined) {
    const part = elementOf(k, spot, Number(number));
    return part && partAt(k, part, rest.slice(index.length), through);
  }
  if (spot.field.kind === 'ref') through(spot.at);
  const place = placeOf(k, spot);
  return place && slotAt(k, place, rest.replace(/^(\.|->)/, ''), through);
}
