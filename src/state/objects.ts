// Where structs live in a store: pools with room for a number of objects, and single statics. A pool's object has a
// header cell before it that says whether it is live. Allocation takes the lowest free place, freeing zeroes it, so
// equal situations are equal cells; a freed place that something still names is not given out again.
import { assert } from '../base/assert';
import { type Ref, type Slot, type Struct, structNamed } from './layout';
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
}

/** Pools and statics of a machine. */
export class Objects {
  readonly pools: Pool[] = [];
  private readonly byStruct = new Map<string, Pool>();
  private readonly statics = new Map<string, Static>();
  /** Other places that hold references: the frames of tasks. Set by the engine. */
  extraReferences: (visit: (struct: string, to: number) => void) => void = () => {};

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
    for (const { name, struct, tail = 0 } of statics) {
      plan.region(`static ${name}`, 'state', struct.cells + tail);
    }
  }

  static place(store: Store, sizes: readonly PoolSize[], statics: readonly StaticSize[]): Objects {
    const objects = new Objects(store);
    for (const { struct, count, tail = 0 } of sizes) {
      const region = store.region(`pool ${struct.name}`);
      const pool = { struct, region, stride: struct.cells + tail + 1, count };
      objects.pools.push(pool);
      objects.byStruct.set(struct.name, pool);
    }
    for (const { name, struct } of statics) {
      objects.statics.set(name, { name, struct, at: store.region(`static ${name}`).base });
    }
    return objects;
  }

  pool(struct: string): Pool {
    const pool = this.byStruct.get(struct);
    assert(pool !== undefined, `a pool of ${struct}`);
    return pool;
  }

  /** The static called `name`. */
  staticNamed(name: string): Static {
    const found = this.statics.get(name);
    assert(found !== undefined, `a static called ${name}`);
    return found;
  }

  get allStatics(): readonly Static[] {
    return [...this.statics.values()];
  }

  /** Takes the lowest free place of the struct's pool; its address, or 0 when the pool is full. */
  alloc(struct: string): number {
    const pool = this.pool(struct);
    const { store } = this;
    let named: Set<number> | undefined;
    for (let i = 0; i < pool.count; i++) {
      const header = pool.region.base + i * pool.stride;
      const state = store.peek(header);
      if (state === live) continue;
      if (state === freed) {
        named ??= this.namedPlaces(struct);
        if (named.has(header + 1)) continue;
      }
      store.put(header, live);
      return header + 1;
    }
    return 0;
  }

  /** Gives a place back, zeroed. */
  free(object: Ref): void {
    const { pool, header } = this.header(object.at);
    assert(this.store.peek(header) === live, `free of a live ${pool.struct.name}`);
    for (let i = 1; i < pool.stride; i++) this.store.put(header + i, 0);
    // A place that nothing names is as if never used; one that is named keeps a mark, so that its use is seen.
    this.store.put(header, this.namedPlaces(pool.struct.name).has(object.at) ? freed : 0);
  }

  /** True while the object is allocated. */
  isLive(object: Ref): boolean {
    const { header } = this.header(object.at);
    return this.store.peek(header) === live;
  }

  /** Every live object of a struct, by address. */
  *all(struct: string): Generator<number> {
    const pool = this.pool(struct);
    for (let i = 0; i < pool.count; i++) {
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
    for (const { struct, at: base } of this.statics.values()) {
      const slot = slotAt(struct, at - base);
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

  /** The places of `struct` that some live object, static or frame refers to. */
  private namedPlaces(struct: string): Set<number> {
    const named = new Set<number>();
    const note = (of: string, to: number) => {
      if (of === struct && to !== 0) named.add(to);
    };
    for (const pool of this.pools) {
      if (!holds(pool.struct, struct)) continue;
      for (const at of this.all(pool.struct.name)) references(this.store, pool.struct, at, note);
    }
    for (const s of this.statics.values()) {
      if (holds(s.struct, struct)) references(this.store, s.struct, s.at, note);
    }
    this.extraReferences(note);
    return named;
  }
}

const live = 1;
const freed = 2; // and still named by somebody

/** Wanted room for a static. */
export interface StaticSize {
  readonly name: string;
  readonly struct: Struct;
  readonly tail?: number;
  /** What its fields hold when the machine starts; a function pointer is given as its routine. */
  readonly initial?: Readonly<Record<string, unknown>>;
}

/** Calls `visit` for each reference field of the struct at `at`, embedded ones included. */
export function references(
  store: Store,
  struct: Struct,
  at: number,
  visit: (struct: string, to: number) => void,
): void {
  for (const { field, offset } of struct.slots) {
    if (field.kind === 'ref') visit(field.of!, store.peek(at + offset));
    else if (field.kind === 'embed') {
      references(store, structNamed(field.of!), at + offset, visit);
    } else if (field.element?.kind === 'ref') {
      for (let i = 0; i < field.cells; i++) visit(field.element.of!, store.peek(at + offset + i));
    }
  }
}

function holds(struct: Struct, target: string): boolean {
  return struct.slots.some(
    ({ field }) =>
      (field.kind === 'ref' && field.of === target) ||
      (field.kind === 'embed' && holds(structNamed(field.of!), target)) ||
      field.element?.of === target,
  );
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
