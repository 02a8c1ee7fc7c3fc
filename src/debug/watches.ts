// Data breakpoints in force. Which cells a location has is looked up when it is set, and again when a cell changed that
// says so; a step then costs a look at the cells it wrote. What only reads is heard by making the step again.
import type { Cells, Location } from '../machine/location/location';
import { blockBytes } from '../state/blocks';
import type { Timeline } from '../timeline/timeline';
import type { Breakpoint } from './breakpoints';

export type Access = 'read' | 'write' | 'readWrite';

/** A breakpoint on a location. */
export interface Watch {
  readonly breakpoint: Breakpoint;
  readonly location: Location;
  readonly access: Access;
}

/** A watch that holds at a position. */
export interface WatchHit {
  readonly watch: Watch;
  readonly read: boolean;
}

/** A range of cells of a watch, or one that says where it is. */
interface Range {
  readonly watched: Watched;
  readonly cells: Cells[number];
  readonly isOn: boolean;
  readonly part: number;
}

interface Watched {
  readonly watch: Watch;
  /** The buckets of each of its parts. */
  readonly keys: Set<number>[];
}

const bucketShift = 4; // a page of contents is one or two buckets

/** The keys of a range: of a few cells each cell, below 0; of more the buckets that they are in. */
function keysOf([from, to]: Cells[number]): number[] {
  const few = to - from <= 2;
  const [first, last] = few ? [from, to - 1] : [from >> bucketShift, (to - 1) >> bucketShift];
  return Array.from({ length: last - first + 1 }, (_, i) => (few ? ~(first + i) : first + i));
}

export class Watches {
  private watched: Watched[] = [];
  private readonly buckets = new Map<number, Range[]>();
  /** The position for which the ranges hold. */
  private known = Number.NaN;
  private hears = false;

  set(watches: readonly Watch[]): void {
    this.watched = watches.map((watch) => ({ watch, keys: [] }));
    this.hears = watches.some(({ access }) => access !== 'write');
    this.known = Number.NaN;
  }

  get any(): boolean {
    return this.watched.length > 0;
  }

  /** Those that hold where the timeline stands: its last micro-step changed what they watch, or read it. */
  at(timeline: Timeline): WatchHit[] {
    const { position } = timeline;
    if (Math.abs(position - this.known) !== 1) this.placeAll();
    this.known = position;
    const changed = this.changed(timeline);
    const heard = this.hears ? this.heard(timeline) : [];
    if (changed.length + heard.length === 0) return [];
    const found = new Map<Watch, WatchHit>();
    for (const hit of [...heard, ...changed]) found.set(hit.watch, hit);
    return this.watched.flatMap(({ watch }) => found.get(watch) ?? []);
  }

  private changed(timeline: Timeline): WatchHit[] {
    const before = new Map<number, number>();
    timeline.wrote((cell, was) => {
      if (this.isNear(cell) && !before.has(cell)) before.set(cell, was);
    });
    if (before.size === 0) return [];
    const { store } = timeline.engine;
    const changed = new Set<Watched>();
    const moved = new Map<Watched, Set<number>>();
    const unsure = new Set<Watched>();
    for (const [cell, was] of before) {
      const now = store.peek(cell);
      if (now === was) continue;
      for (const { watched, cells, isOn, part } of this.rangesAt(cell)) {
        const { location } = watched.watch;
        if (isOn) moved.set(watched, (moved.get(watched) ?? new Set()).add(part));
        if (location.shares || (isOn && !location.isBytes)) unsure.add(watched);
        if (isOn || location.shares) continue;
        const differs =
          cells[2] === undefined
            ? ((now ^ was) & (location.mask ?? -1)) !== 0
            : bytesDiffer(timeline, cell, was, cells);
        if (differs) changed.add(watched);
      }
    }
    for (const [watched, parts] of moved) for (const part of parts) this.place(watched, part);
    const asked = [...unsure].filter((watched) => !changed.has(watched));
    const texts = asked.map(({ watch }) => watch.location.text());
    const were =
      asked.length === 0
        ? []
        : timeline.before(() => asked.map(({ watch }) => watch.location.text()));
    asked.forEach((watched, i) => {
      if (were !== undefined && were[i] !== texts[i]) changed.add(watched);
    });
    return [...changed].flatMap(({ watch }) =>
      watch.access === 'read' ? [] : [{ watch, read: false }],
    );
  }

  private heard(timeline: Timeline): WatchHit[] {
    const hits = new Map<Watch, WatchHit>();
    const hear = (read: boolean) => (cell: number) => {
      if (!this.isNear(cell)) return;
      for (const { watched, isOn } of this.rangesAt(cell)) {
        const { watch } = watched;
        if (isOn || watch.access === 'write' || (!read && watch.access === 'read')) continue;
        hits.set(watch, { watch, read });
      }
    };
    timeline.again({ read: hear(true), write: hear(false) });
    return [...hits.values()];
  }

  private isNear(cell: number): boolean {
    return this.buckets.has(~cell) || this.buckets.has(cell >> bucketShift);
  }

  private rangesAt(cell: number): readonly Range[] {
    const exact = this.buckets.get(~cell) ?? [];
    const near = this.buckets.get(cell >> bucketShift);
    if (near === undefined) return exact;
    return [...exact, ...near.filter(({ cells: [from, to] }) => cell >= from && cell < to)];
  }

  private placeAll(): void {
    this.buckets.clear();
    for (const watched of this.watched) {
      watched.keys.length = 0;
      const { count } = watched.watch.location.parts ?? { count: 1 };
      for (let part = 0; part < count; part++) this.place(watched, part);
    }
  }

  /** Looks up the cells of one part of a watch anew. */
  private place(watched: Watched, part: number): void {
    for (const key of watched.keys[part] ?? []) {
      const known = this.buckets.get(key) ?? [];
      const rest = known.filter((range) => range.watched !== watched || range.part !== part);
      if (rest.length === 0) this.buckets.delete(key);
      else this.buckets.set(key, rest);
    }
    watched.keys[part] = new Set();
    const { location } = watched.watch;
    const { at, on } = location.parts === undefined ? location.find() : location.parts.find(part);
    for (const cells of at) this.add({ watched, cells, isOn: false, part });
    for (const cells of on) this.add({ watched, cells, isOn: true, part });
  }

  private add(range: Range): void {
    for (const key of keysOf(range.cells)) {
      const known = this.buckets.get(key);
      if (known === undefined) this.buckets.set(key, [range]);
      else known.push(range);
      range.watched.keys[range.part]!.add(key);
    }
  }
}

/** Whether the watched bytes of a contents cell differ from those of the block that stood there. */
function bytesDiffer(
  { engine }: Timeline,
  cell: number,
  was: number,
  [from, to, head = 0, tail = blockBytes]: Cells[number],
): boolean {
  const { store } = engine;
  const now = store.peek(cell);
  const first = cell === from ? head : 0;
  const end = cell === to - 1 ? tail : blockBytes;
  for (let i = first; i < end; i++)
    if (store.blocks.byte(now, i) !== store.blocks.byte(was, i)) return true;
  return false;
}
