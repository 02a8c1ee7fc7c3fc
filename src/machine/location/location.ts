// What a location is, and what those of every kind are made from: the names of a scenario, and where the structs of a
// machine stand that they name.
import type { BytesFrom } from '../../hardware/memory';
import { PAGE_SIZE } from '../../hardware/pte';
import type { Engine } from '../../routine/engine';
import { bitFrom } from './values';

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

export const none: Cells = [];
export const oneCell = (cell: number): [number, number] => [cell, cell + 1];
export const hex = (n: number): string => `0x${n.toString(16)}`;

/** A name as a part of a location's name, and back. */
export const escaped = (name: string): string =>
  name.replace(/[\s%=:]/g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
export const plain = (name: string): string =>
  name.replace(/%([0-9a-f]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));

/** The things of a machine that locations go by, as they stand. */
export class Things {
  constructor(
    readonly k: Engine,
    readonly names: Names,
  ) {}

  /** The mm_struct of a process. */
  space(process: string): number | string {
    const all = this.live('mm_struct');
    const found = all.find((at) => this.names.nameOf('mm_struct', at) === process);
    if (found !== undefined) return found;
    const known = all.flatMap((at) => this.names.nameOf('mm_struct', at) ?? []);
    const there = known.length === 0 ? 'there are none' : `there is ${known.join(', ')}`;
    return `there is no process ${process}; ${there}`;
  }

  /** The processes that have names, with the frames of their root tables. */
  spaces(): { readonly name: string; readonly pgd: number }[] {
    return this.live('mm_struct').flatMap((at) => {
      const name = this.names.nameOf('mm_struct', at);
      return name === undefined ? [] : [{ name, pgd: this.k.view('mm_struct', at).pgd }];
    });
  }

  live(struct: string): number[] {
    const { objects } = this.k;
    const known = objects.pools.some((pool) => pool.struct.name === struct);
    return known ? [...objects.all(struct)] : [];
  }

  /** A surface by its name, or an object by that of its pages. */
  surface(name: string): SurfacePlace | string {
    const own = this.names.surface?.(name);
    if (own !== undefined) return own;
    const all = this.live('vmw_buffer_object');
    const at = all.find((bo) => this.names.nameOf('vmw_buffer_object', bo) === name);
    if (at === undefined) return `there is no surface or object ${name}`;
    const { base } = this.k.view('vmw_buffer_object', at);
    return { index: -1, object: at, offset: 0, bytes: base.num_pages * PAGE_SIZE, on: none };
  }
}

/** Some bits of a cell that is found when it is asked for. */
export function maskedLocation(
  k: Engine,
  id: string,
  what: string,
  mask: number,
  cellOf: () => number | undefined,
): Location {
  const { store } = k;
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
