// What the panels show of one moment of a run: plain data, made by peeking only (debug/snapshot.ts). Addresses and
// frame numbers fit a number; entries of page tables travel as hexadecimal text, for bit 63 does not.
// Left out: contents of pages; the order of queues.

import type { Fault } from './fault';

/** One moment. `time` counts micro-steps from the start of the run; messages of an older moment are dropped by it. */
export interface Snapshot {
  readonly time: number;
  readonly faults: readonly Fault[]; // the latest page fault of each task
  readonly spaces: readonly AddressSpace[];
  readonly cpus: readonly Cpu[];
  readonly objects: readonly BufferObject[];
  readonly absent: readonly string[]; // surfaces that are made in the middle of the run, and are not there
  readonly fences: readonly Fence[];
}

/** Bits of an entry in their places, `-` where a bit is clear: see `letterNames`. */
export type Letters = string;

export interface AddressSpace {
  readonly id: string;
  readonly name: string;
  readonly pid: number;
  readonly mappings: readonly Mapping[];
  readonly root: Table | null; // null: torn down
}

/** A VMA. `end` is exclusive. */
export interface Mapping {
  readonly id: string;
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly flags: string; // 'rw-s pfnmap', as in /proc/PID/maps and smaps
  readonly object: string | null; // id of the buffer object behind it
  readonly offset: number; // page of that object at `start`
}

export type Level = 'PGD' | 'PUD' | 'PMD' | 'PTE';

/** A page table in frame `pfn`; only entries that are not zero. */
export interface Table {
  readonly level: Level;
  readonly pfn: number;
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly index: number;
  readonly address: number; // the first that it translates
  readonly raw: string;
  readonly letters: Letters;
  readonly pfn: number;
  readonly table: Table | null; // null: a leaf, or not present
}

export interface Cpu {
  readonly cpu: number;
  readonly space: string | null; // id of the address space in CR3
  readonly tlb: readonly CachedEntry[];
}

/**
 * How a TLB entry stands to memory. `same`: grants what memory grants. `behind`: memory grants more, which costs a
 * walk. `stale`: grants what memory no longer does, or another frame; only a flush ends that.
 */
export type Standing = 'same' | 'behind' | 'stale';

export interface CachedEntry {
  readonly address: number;
  readonly pfn: number;
  readonly letters: Letters;
  readonly standing: Standing;
}

export interface BufferObject {
  readonly id: string;
  readonly name: string;
  readonly pages: number;
  readonly placement: string; // SYSTEM, MOB, …
  readonly start: number; // first page of its node in the device's file
  readonly tracker: Tracker | null;
  readonly resources: readonly Resource[];
  readonly mappings: readonly MappedObject[];
  readonly fences: readonly number[]; // sequence numbers of those on its reservation
  readonly reservedBy: string | null; // the task that holds the reservation
}

/** vmw_bo_dirty. Pages of the object; `end` is exclusive; the hull is empty when start >= end. */
export interface Tracker {
  readonly method: 'PAGETABLE' | 'MKWRITE';
  readonly start: number;
  readonly end: number;
  readonly changeCount: number;
  readonly users: number;
  readonly dirty: readonly Run[]; // set bits of the bitmap
}

/** Pages [from, to). */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/** A resource whose guest copy lies in the object. Offset and size are bytes. */
export interface Resource {
  readonly id: string;
  readonly name: string;
  readonly sid: number; // -1: not on the device
  readonly offset: number;
  readonly size: number;
  readonly attached: boolean;
  readonly coherent: boolean;
  readonly resDirty: boolean; // the device's copy has data that the guest's lacks
  readonly backupDirty: boolean; // the guest's has data that the device's lacks
  readonly boxes: readonly Box[]; // recorded, not yet sent as update commands
  readonly pending: readonly Run[]; // pages of the object that those boxes cover
}

/** A dirty box of one subresource, in its texels (bytes of a buffer). */
export interface Box {
  readonly subresource: number;
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly w: number;
  readonly h: number;
  readonly d: number;
}

/** One mapping of the object with the entries of its pages; pages whose entry is zero are left out. */
export interface MappedObject {
  readonly space: string; // id
  readonly mapping: string; // id
  readonly name: string; // 'app p'
  readonly first: number; // page of the object at the mapping's start
  readonly count: number; // pages mapped
  readonly start: number; // address
  readonly ptes: readonly PageEntry[];
}

export interface PageEntry {
  readonly page: number; // of the object
  readonly level: Level; // of the entry that maps the page: above PTE, it maps others too
  readonly raw: string; // '0' when only a TLB still has a translation
  readonly letters: Letters;
  readonly pfn: number;
  readonly tlb: readonly (CachedEntry & { readonly cpu: number })[];
}

export interface Fence {
  readonly id: string;
  readonly seqno: number;
  readonly context: number;
  /** `passed`: the device has written its number, the kernel has not yet signaled it. */
  readonly state: 'emitted' | 'passed' | 'signaled';
  readonly waiters: readonly string[];
}

/** What the letters stand for, in their order. */
export const letterNames = {
  P: 'present',
  W: 'writable',
  U: 'user',
  A: 'accessed',
  D: 'dirty',
  s: 'soft-dirty',
} as const;

/** The letters of an entry of which no bit is set. */
export const noLetters: Letters = '------';

/** Letters as words: `present, user, accessed`; `none` when no bit is set. */
export function inWords(letters: Letters): string {
  const words = Object.entries(letterNames).flatMap(([letter, word]) =>
    letters.includes(letter) ? [word] : [],
  );
  return words.length === 0 ? 'none' : words.join(', ');
}

/** A number as people read addresses and frames. */
export const hex = (value: number): string => `0x${value.toString(16)}`;

/** `0-7, 9`; `none` for no pages. */
export function runsText(runs: readonly Run[]): string {
  if (runs.length === 0) return 'none';
  return runs.map(({ from, to }) => pagesText(from, to)).join(', ');
}

/** Pages [from, to) as `3` or `3-7`. */
export const pagesText = (from: number, to: number): string =>
  to - from === 1 ? `${from}` : `${from}-${to - 1}`;

/** How many pages the runs hold. */
export const runPages = (runs: readonly Run[]): number =>
  runs.reduce((sum, { from, to }) => sum + to - from, 0);

/** A box as the driver's update command has it; of a buffer only x and w say something. */
export function boxText({ subresource, x, y, z, w, h, d }: Box): string {
  return h === 1 && d === 1 && y === 0 && z === 0 && subresource === 0
    ? `bytes ${x}-${x + w - 1}`
    : `${subresource}: ${x},${y},${z} ${w}x${h}x${d}`;
}
