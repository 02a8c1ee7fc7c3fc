// Where structs live in a store: pools with room for a number of objects, and single statics. A pool's object has a
// header cell before it that says whether it is live. Allocation takes the lowest free place, freeing zeroes it, so
// equal situations are equal cells; a freed place that something still names is not given out again.
import { assert, fail } from '../base/assert';
import { type Field, type Ref, type Slot, type Struct, structNamed } from './layout';
import type { Region, Store, StorePlan } from './store';

/** Wanted room for objects of one struct. `tail`: cells for the flexible array of each. */
export interface PoolSize {
  readonly struct: Struct;
  readonly count: number;
  readonly tail?: number;
}

/** A pool in its place. */
export interface Pool {
  readonly struct: Struct;
  readonly region: Region;
  readonly stride: number; // cells from one object to the next, header included
  readonly count: number;
  /** The cells that say how many places were ever in use, and below which all are live. They are history: they save
   * work and decide nothing. */
  readonly used: number;
  readonly full: number;
  readonly references: readonly Reference[];
}

/** Where an object holds a reference, and to which struct. */
export interface Reference {
  readonly offset: number;
  readonly of: string;
}

/** What a cell is: the object it belongs to and the field it is part of. */
export interface Place {
  readonly struct: Struct;
  readonly object: number;
  readonly index: number;
  readonly slot: Slot;
  readonly live: boolean;
}

/** A static in its place. */
export interface Static {
  readonly name: string;
  readonly struct: Struct;
  readonly at: number;
  readonly view: Ref;
  readonly cells: number;
  readonly references: readonly Reference[];
}

/** Pools and statics of a machine. */
export class Objects {
  readonly pools: Pool[] = [];
  private readonly byStruct = new Map<string, Pool>();
  private readonly statics = new Map<string, Static>();
  private readonly namers = new Map<Pool, readonly Namers[]>();
  /** Whether references elsewhere, in the frames of tasks, point into a range. Set by the engine. */
  namedElsewhere: (from: number, to: number) => boolean = () => false;

  private constructor(readonly store: Store) {}

  /** Reserves the regions; call `place` when the store is built. */
  static reserve(
    plan: StorePlan,
    sizes: readonly PoolSize[],
    statics: readonly StaticSize[],
  ): void {
    for (const { struct, count, tail = 0 } of sizes) {
      plan.region(`pool ${struct.name}`, 'state', count * (struct.cells + tail + 1));
    }
    plan.region('places used', 'history', 2 * sizes.length);
    for (const { name, struct, tail = 0 } of statics) {
      plan.region(`static ${name}`, 'state', struct.cells + tail);
    }
  }

  static place(store: Store, sizes: readonly PoolSize[], statics: readonly StaticSize[]): Objects {
    const objects = new Objects(store);
    const used = store.region('places used').base;
    for (const [i, { struct, count, tail = 0 }] of sizes.entries()) {
      const region = store.region(`pool ${struct.name}`);
      const cells = struct.cells + tail;
      const references = referencesOf(struct, cells);
      const [usedAt, fullAt] = [used + 2 * i, used + 2 * i + 1];
      const pool = {
        struct,
        region,
        stride: cells + 1,
        count,
        used: usedAt,
        full: fullAt,
        references,
      };
      objects.pools.push(pool);
      objects.byStruct.set(struct.name, pool);
    }
    for (const { name, struct } of statics) {
      const { base: at, cells } = store.region(`static ${name}`);
      const references = referencesOf(struct, cells);
      const view = struct.view(store, at);
      objects.statics.set(name, { name, struct, at, view, cells, references });
    }
    objects.guard();
    return objects;
  }

  /** Tells the store of which structs every object lies in a pool, with the pool's header before it. */
  private guard(): void {
    const { guarded } = this.store;
    const elsewhere = new Set<number>();
    const mark = (struct: Struct, behindHeader: boolean): void => {
      if (behindHeader) guarded[struct.number] = 1;
      else elsewhere.add(struct.number);
      for (const { field, offset } of struct.slots) {
        const inner = field.element?.kind === 'embed' ? field.element : field;
        if (inner.kind === 'embed')
          mark(structNamed(inner.of!), behindHeader && offset === 0 && inner === field);
      }
    };
    for (const { struct } of this.pools) mark(struct, true);
    for (const { struct } of this.statics.values()) mark(struct, false);
    for (const number of elsewhere) guarded[number] = 0;
    guarded[0] = 0;
  }

  pool(struct: string): Pool {
    return this.byStruct.get(struct) ?? fail(`a pool of ${struct}`);
  }

  /** The static called `name`. */
  staticNamed(name: string): Static {
    return this.statics.get(name) ?? fail(`a static called ${name}`);
  }

  get allStatics(): readonly Static[] {
    return [...this.statics.values()];
  }

  /** Takes the lowest free place that nothing names; its address, or 0 when the pool is full. */
  alloc(struct: string): number {
    const pool = this.pool(struct);
    const { store } = this;
    const used = store.peek(pool.used);
    let full = -1; // the first place that is not live and stays so
    for (let i = store.peek(pool.full); i < pool.count; i++) {
      const header = pool.region.base + i * pool.stride;
      if (store.peek(header) === live) continue;
      if (i < used && this.isNamed(pool, header + 1)) {
        if (full < 0) full = i; // what was never in use is not named
        continue;
      }
      store.put(header, live);
      if (i === used) store.put(pool.used, i + 1);
      store.put(pool.full, full < 0 ? i + 1 : full);
      return header + 1;
    }
    return 0;
  }

  /** As `alloc`, for `count` places side by side, the number of the first a multiple of `count`. */
  allocRun(struct: string, count: number): number {
    const pool = this.pool(struct);
    const { store } = this;
    const headerOf = (i: number) => pool.region.base + i * pool.stride;
    const used = store.peek(pool.used);
    const isFree = (i: number) =>
      store.peek(headerOf(i)) !== live && (i >= used || !this.isNamed(pool, headerOf(i) + 1));
    for (let first = 0; first + count <= pool.count; first += count) {
      let free = 0;
      while (free < count && isFree(first + free)) free++;
      if (free < count) continue;
      for (let i = first; i < first + count; i++) store.put(headerOf(i), live);
      store.put(pool.used, Math.max(used, first + count));
      return headerOf(first) + 1;
    }
    return 0;
  }

  /** Gives a place back, zeroed. */
  free(object: Ref): void {
    const { pool, header } = this.header(object.at);
    assert(object.at === header + 1, `free of a whole ${pool.struct.name}`);
    assert(this.store.peek(header) === live, `free of a live ${pool.struct.name}`);
    for (let i = 0; i < pool.stride; i++) this.store.put(header + i, 0);
    const index = (header - pool.region.base) / pool.stride;
    if (index < this.store.peek(pool.full)) this.store.put(pool.full, index);
  }

  /** True while the object is allocated. */
  isLive(object: Ref): boolean {
    const { header } = this.header(object.at);
    return this.store.peek(header) === live;
  }

  /** Every live object of a struct, by address. */
  *all(struct: string): Generator<number> {
    const pool = this.pool(struct);
    for (let i = 0; i < this.store.peek(pool.used); i++) {
      const header = pool.region.base + i * pool.stride;
      if (this.store.peek(header) === live) yield header + 1;
    }
  }

  /** Number of an object within its pool. */
  indexOf(at: number): number {
    const { pool, header } = this.header(at);
    return (header - pool.region.base) / pool.stride;
  }

  /** What the cell at `at` is part of, or undefined when it is in no pool and no static. */
  describe(at: number): Place | undefined {
    for (const pool of this.pools) {
      const offset = at - pool.region.base;
      if (offset < 0 || offset >= pool.region.cells) continue;
      const index = Math.floor(offset / pool.stride);
      const object = pool.region.base + index * pool.stride + 1;
      const slot = slotAt(pool.struct, at - object);
      if (slot === undefined) return undefined; // the header
      const isLive = this.store.peek(object - 1) === live;
      return { struct: pool.struct, object, index, slot, live: isLive };
    }
    for (const { struct, at: base, cells } of this.statics.values()) {
      const slot = at < base + cells ? slotAt(struct, at - base) : undefined;
      if (slot !== undefined) return { struct, object: base, index: 0, slot, live: true };
    }
    return undefined;
  }

  private header(at: number): { pool: Pool; header: number } {
    const pool = this.pools.find((p) => at > p.region.base && at < p.region.base + p.region.cells);
    assert(pool !== undefined, 'an object of a pool');
    const header =
      pool.region.base + Math.floor((at - pool.region.base) / pool.stride) * pool.stride;
    return { pool, header };
  }

  /** Whether a reference in a live object, a static or a frame points to the object at `at`, or into it. */
  isReferred(at: number): boolean {
    const { pool, header } = this.header(at);
    return this.isNamed(pool, header + 1);
  }

  /** As `isReferred`, for the place of `pool` at `from`. */
  private isNamed(pool: Pool, from: number): boolean {
    const { store } = this;
    const to = from + pool.stride - 1;
    for (const { base, stride, used, offsets } of this.namersOf(pool)) {
      const count = used < 0 ? 1 : store.peek(used);
      for (let i = 0, at = base; i < count; i++, at += stride) {
        if (stride > 0 && store.peek(at - 1) !== live) continue;
        for (const offset of offsets) {
          const target = store.peek(at + offset);
          if (target >= from && target < to) return true;
        }
      }
    }
    return this.namedElsewhere(from, to);
  }

  /** Whether pools or statics have places for structs called `name`. */
  private isSomewhere(name: string): boolean {
    return [...this.pools, ...this.statics.values()].some(({ struct }) => holds(struct, name));
  }

  /** Pools and statics whose references may point into objects of `pool`. */
  private namersOf(pool: Pool): readonly Namers[] {
    const known = this.namers.get(pool);
    if (known !== undefined) return known;
    // A reference points to where a struct of its kind is, by itself or embedded; one to a struct that is nowhere, such as
    // a word that is seen through one, may point anywhere.
    const offsets = (references: readonly Reference[]) =>
      references
        .filter(({ of }) => holds(pool.struct, of) || !this.isSomewhere(of))
        .map(({ offset }) => offset);
    const found: Namers[] = [];
    for (const { region, stride, used, references } of this.pools) {
      found.push({ base: region.base + 1, stride, used, offsets: offsets(references) });
    }
    for (const { at, references } of this.statics.values()) {
      found.push({ base: at, stride: 0, used: -1, offsets: offsets(references) });
    }
    const namers = found.filter((n) => n.offsets.length > 0);
    this.namers.set(pool, namers);
    return namers;
  }
}

/** Whether `struct` is called `name`, or has one of that name embedded in it. */
const holds = (struct: Struct, name: string): boolean => struct.name === name || has(struct, name);

/** Objects side by side with references at some offsets, and the cell with their number; none of a static, which is one
 * and has no header. */
interface Namers {
  readonly base: number;
  readonly stride: number;
  readonly used: number;
  readonly offsets: readonly number[];
}

/** Whether `struct` has one of `name` embedded in it. */
function has(struct: Struct, name: string): boolean {
  const within = (field: Field<unknown>): boolean =>
    (field.kind === 'embed' && (field.of === name || has(structNamed(field.of!), name))) ||
    (field.element !== undefined && within(field.element));
  return struct.slots.some(({ field }) => within(field));
}

const live = 1; // what the header of an object in use holds

/** Wanted room for a static. */
export interface StaticSize {
  readonly name: string;
  readonly struct: Struct;
  readonly tail?: number;
  /** What its fields hold when the machine starts; a function pointer is given as its routine. */
  readonly initial?: Readonly<Record<string, unknown>>;
  /** What they hold besides under a variant, by its id. */
  readonly under?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The references in a struct of `cells` cells: in its fields, embedded structs and arrays. */
export function referencesOf(struct: Struct, cells: number): readonly Reference[] {
  return struct.slots.flatMap(({ field, offset }) => {
    const end = field.cells === 0 ? cells : offset + field.cells; // the flexible array takes the rest
    return referencesIn(field, end - offset).map((r) => ({ ...r, offset: offset + r.offset }));
  });
}

function referencesIn(field: Field<unknown>, cells: number): readonly Reference[] {
  if (field.kind === 'ref') return [{ offset: 0, of: field.of! }];
  if (field.kind === 'embed') return referencesOf(structNamed(field.of!), field.cells);
  const { element } = field;
  if (element === undefined) return [];
  const inner = referencesIn(element, element.cells);
  if (inner.length === 0) return [];
  const found: Reference[] = [];
  for (let at = 0; at + element.cells <= cells; at += element.cells) {
    for (const { offset, of } of inner) found.push({ offset: at + offset, of });
  }
  return found;
}

function slotAt(struct: Struct, offset: number): Slot | undefined {
  if (offset < 0) return undefined;
  for (const slot of struct.slots) {
    if (offset < slot.offset) return undefined;
    if (offset < slot.offset + slot.field.cells) {
      return slot.field.kind === 'embed'
        ? embedded(slot, slotAt(structNamed(slot.field.of!), offset - slot.offset))
        : slot;
    }
  }
  const last = struct.slots.at(-1);
  return last !== undefined && last.field.cells === 0 ? last : undefined; // the flexible array
}

/** A slot of an embedded struct; what protects it there holds, unless nothing does but the outer group. */
function embedded(outer: Slot, inner: Slot | undefined): Slot {
  if (inner === undefined) return outer;
  const name = `${outer.name}.${inner.name}`;
  return { ...inner, name, offset: outer.offset + inner.offset };
}
