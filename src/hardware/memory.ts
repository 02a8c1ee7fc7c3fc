// Physical memory: frames of page tables, frames of data, and those of the memory of a device, which CPUs reach through a
// BAR. Tables are state, two cells an entry; all others are contents, 16 cells a frame, each naming a 256-byte block.
// Devices and CPUs reach the same frames; caches are not modelled.
import { assert } from '../base/assert';
import type { Engine } from '../routine/engine';
import { blockBytes } from '../state/blocks';
import type { Store, StorePlan } from '../state/store';
import { PAGE_SIZE } from './pte';

const blocksPerFrame = PAGE_SIZE / blockBytes;

/** First frame number of data, and of page tables unless there are more data; a number tells what it is. */
export const dataPfn = 0x1_0000;
const tablePfn = 0x8_0000;

/** First frame number of the device's memory: a BAR above all RAM, at 256 GiB. */
export const vramPfn = 0x400_0000;

/** What a store puts into memory: one byte everywhere, or a 32-bit word of its own repeated, low byte first. */
export interface StoreValue {
  readonly unique: boolean;
  readonly value: number;
}

/** The byte that a store of `value` puts at `address`. */
export function byteOf({ unique, value }: StoreValue, address: number): number {
  return unique ? (value >>> (8 * (address % 4))) & 255 : value & 255;
}

/** Byte `i` of bytes that count up from `first`, modulo 256. */
export const rampByte = (first: number, i: number): number => (((first + i) % 256) + 256) % 256;

/** Bytes in contents cells: frames of RAM, copies of surfaces on a device. Offsets and lengths are bytes. */
export class Contents {
  constructor(
    private readonly store: Store,
    readonly base: number, // first contents cell
    readonly bytes: number,
  ) {}

  byte(at: number): number {
    assert(at >= 0 && at < this.bytes, 'a byte of this memory');
    return this.store.blocks.byte(
      this.store.read(this.base + Math.floor(at / blockBytes)),
      at % blockBytes,
    );
  }

  /** As `byte`, for display and for observers. */
  peek(at: number): number {
    return this.store.blocks.byte(
      this.store.peek(this.base + Math.floor(at / blockBytes)),
      at % blockBytes,
    );
  }

  /** The number of the block that the byte is in. */
  peekBlock(at: number): number {
    return this.store.peek(this.base + Math.floor(at / blockBytes));
  }

  /** Stores `value` into [at, at + length). */
  fill(at: number, length: number, value: StoreValue): void {
    const { blocks } = this.store;
    const byteAt = (i: number) => byteOf(value, i);
    let block: number | undefined;
    this.replace(at, length, byteAt, () => {
      block ??= value.unique ? blocks.with(0, 0, blockBytes, byteAt) : blocks.filled(value.value);
      return block;
    });
  }

  /** As `copy`, by looking only at the source: for observers. */
  mirror(at: number, { contents, at: from }: BytesFrom, length: number): void {
    const byteAt = (i: number) => contents?.peek(from + (i - at)) ?? 0;
    const aligned = contents !== undefined && (from - at) % blockBytes === 0;
    const blockAt = aligned ? (i: number) => contents.peekBlock(from + (i - at)) : undefined;
    this.replace(at, length, byteAt, blockAt);
  }

  /** All zeroes: clear_page(). */
  clear(): void {
    for (let i = 0; i < this.bytes / blockBytes; i++) this.store.write(this.base + i, 0);
  }

  /** Stores bytes given by their place. `blockAt`: the block to take where a whole one is replaced, if known. */
  replace(
    at: number,
    length: number,
    byteAt: (at: number) => number,
    blockAt?: (at: number) => number,
  ): void {
    assert(at >= 0 && at + length <= this.bytes, 'a range of this memory');
    const { store } = this;
    for (let from = at; from < at + length; ) {
      const block = Math.floor(from / blockBytes);
      const start = block * blockBytes;
      const to = Math.min(at + length, start + blockBytes);
      const cell = this.base + block;
      const byte = (offset: number) => byteAt(start + offset);
      const value =
        blockAt !== undefined && to - from === blockBytes
          ? blockAt(from)
          : store.blocks.with(store.peek(cell), from - start, to - start, byte);
      store.write(cell, value);
      from = to;
    }
  }

  /** Fills a frame that nobody else can reach yet with the bytes of another: an access to that other one only. */
  copyFresh(source: Contents): void {
    const { store } = this;
    for (let i = 0; i < this.bytes / blockBytes; i++) {
      store.put(this.base + i, store.read(source.base + i));
    }
  }

  /** Copies [from, from + length) of `source` to `at`; by whole blocks where both are aligned. */
  copy(at: number, source: Contents, from: number, length: number): void {
    const { store } = this;
    if (at % blockBytes === 0 && from % blockBytes === 0 && length % blockBytes === 0) {
      for (let i = 0; i < length / blockBytes; i++) {
        const value = store.read(source.base + from / blockBytes + i);
        store.write(this.base + at / blockBytes + i, value);
      }
    } else this.replace(at, length, (i) => source.byte(from + (i - at)));
  }
}

/** Bytes from a place in some memory on; without a memory they read as zeroes. */
export interface BytesFrom {
  readonly contents: Contents | undefined;
  readonly at: number;
}

/** How many bytes from the start are the same in both, at most `length`. For display and for observers. */
export function equalBytes(one: BytesFrom, other: BytesFrom, length: number): number {
  for (let i = 0; i < length; ) {
    const a = (one.at + i) % blockBytes;
    const b = (other.at + i) % blockBytes;
    const end = Math.min(length, i + blockBytes - Math.max(a, b));
    const same = blockOf(one, i) === blockOf(other, i);
    // Equal numbers are equal blocks.
    if (same && a === b) i = end;
    else for (; i < end; i++) if (peekFrom(one, i) !== peekFrom(other, i)) return i;
  }
  return length;
}

const blockOf = ({ contents, at }: BytesFrom, i: number): number =>
  contents?.peekBlock(at + i) ?? 0;
const peekFrom = ({ contents, at }: BytesFrom, i: number): number => contents?.peek(at + i) ?? 0;

/** The frames of a machine. */
export class Memory {
  /** First frame number of page tables. */
  private readonly tablePfn: number;
  private readonly framesAt: number;
  private readonly tableStride: number;
  private readonly tablesAt: number;
  private readonly entriesOffset: number;
  private readonly vramAt: number;

  constructor(
    private readonly k: Engine,
    readonly frames: number,
    readonly vramFrames = 0,
  ) {
    this.vramAt = vramFrames === 0 ? 0 : k.store.region('vram').base;
    this.tablePfn = Math.max(tablePfn, dataPfn + frames);
    this.framesAt = k.store.region('memory').base;
    const tables = k.objects.pool('page_table');
    this.tablesAt = tables.region.base + 1;
    this.tableStride = tables.stride;
    this.entriesOffset = tables.struct.slot('entries').offset;
  }

  /** Reserves the contents cells of `frames` data frames, and of those of a device. */
  static reserve(plan: StorePlan, frames: number, vramFrames = 0): void {
    plan.region('memory', 'contents', frames * blocksPerFrame);
    if (vramFrames > 0) plan.region('vram', 'contents', vramFrames * blocksPerFrame);
  }

  /** The bytes of one data frame, or of one of the device's memory. */
  frame(pfn: number): Contents {
    if (this.isIo(pfn)) {
      const at = this.vramAt + (pfn - vramPfn) * blocksPerFrame;
      return new Contents(this.k.store, at, PAGE_SIZE);
    }
    const index = pfn - dataPfn;
    assert(index >= 0 && index < this.frames, `a data frame, not ${pfn}`);
    return new Contents(this.k.store, this.framesAt + index * blocksPerFrame, PAGE_SIZE);
  }

  isData(pfn: number): boolean {
    return pfn >= dataPfn && pfn < dataPfn + this.frames;
  }

  /** Whether there are bytes in such a frame. */
  has(pfn: number): boolean {
    return this.isData(pfn) || this.isIo(pfn);
  }

  /** Whether the frame is behind the BAR of a device: io memory, without a `struct page`. */
  isIo(pfn: number): boolean {
    return pfn >= vramPfn && pfn < vramPfn + this.vramFrames;
  }

  /** Frame number of the data page whose `struct page` is at `page`, and back. */
  pfnOfPage(page: number): number {
    return dataPfn + this.k.objects.indexOf(page);
  }

  pageOfPfn(pfn: number): number {
    const pool = this.k.objects.pool('page');
    return pool.region.base + 1 + (pfn - dataPfn) * pool.stride;
  }

  /** Frame number of the page table at `table`, and back. */
  pfnOfTable(table: number): number {
    return this.tablePfn + (table - this.tablesAt) / this.tableStride;
  }

  tableOfPfn(pfn: number): number {
    return this.tablesAt + (pfn - this.tablePfn) * this.tableStride;
  }

  /** Address in the store of entry `index` of the table in frame `pfn`. */
  entryAt(pfn: number, index: number): number {
    return this.tableOfPfn(pfn) + this.entriesOffset + 2 * index;
  }

  /** Address of the page table (its struct) that the entry at `entry` lies in. */
  tableOfEntry(entry: number): number {
    return (
      this.tablesAt + Math.floor((entry - this.tablesAt) / this.tableStride) * this.tableStride
    );
  }
}

declare module '../routine/engine' {
  interface Parts {
    memory: Memory;
  }
}
