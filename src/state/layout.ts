// Struct layouts: each struct is a list of named, typed fields over cells. From the one table come the accessors,
// the debugger's variables, the checks of locking, and differences between states. It plays the role of BTF.
import { assert, fail } from '../base/assert';
import type { Store } from './store';

/** A 64-bit value in two cells, low word first: a page-table entry, a physical address. Words are signed. */
export interface U64 {
  readonly lo: number;
  readonly hi: number;
}

/** How a field's cells are read and written. `T` is what an accessor yields. */
export interface Field<T> {
  readonly kind: string;
  readonly cells: number;
  readonly type?: T; // only for the type checker
  /** Names of bits or values, for display. */
  readonly names?: Readonly<Record<string, number>>;
  /** The struct that a `ref` or an `embed` is of, or the class of a lock. */
  readonly of?: string;
  /** The class by which lockdep knows a lock. */
  readonly orderedAs?: string;
  /**
   * What it has to do with references that are counted: it is the count of those to its object, it holds one, or it is
   * how many its object holds to itself.
   */
  readonly counts?: 'references' | 'one' | 'own';
  /** The field of an array's elements. */
  readonly element?: Field<unknown>;
  get(store: Store, at: number): T;
  set(store: Store, at: number, value: T): void;
}

/** A field that is a struct, in place or by address; resolved by name, so that structs may refer in a circle. */
export interface StructField<N extends string> extends Omit<Field<never>, 'get' | 'set'> {
  readonly struct: N;
  readonly names?: never;
}

/** Every struct of the emulator by name. Files that declare a struct add it here by declaration merging. */
export interface Structs {}

// biome-ignore lint/suspicious/noExplicitAny: fields of any type; each keeps its own where it is declared
export type Fields = Readonly<Record<string, Field<any> | StructField<string>>>;

/** The place of a struct: its address in the store. Lives for one step; `at` is 0 for NULL. */
export interface Ref {
  readonly store: Store;
  readonly at: number;
}

type ValueOf<F> =
  F extends StructField<infer N>
    ? N extends keyof Structs
      ? Structs[N]
      : never
    : F extends Field<infer T>
      ? T
      : never;

export type FieldsView<F> = { -readonly [K in keyof F]: ValueOf<F[K]> };
type Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void
  ? I
  : never;
type GroupsView<G> = [keyof G] extends [never]
  ? unknown
  : Intersection<{ [K in keyof G]: FieldsView<G[K]> }[keyof G]>;

/** What reading a struct yields: an object with one property a field. */
export type View<S> =
  S extends Struct<infer Fixed, infer Shared, infer Under, infer Own>
    ? Ref & FieldsView<Fixed> & FieldsView<Shared> & GroupsView<Under> & FieldsView<Own>
    : never;

/** One field in its place, with what protects it. */
export interface Slot {
  readonly name: string;
  readonly offset: number;
  readonly field: Field<unknown>;
  /**
   * `fixed`: set at creation. `shared`: anyone, any time, one access a step. `private`: the owner's alone.
   * Any other word is the class of the lock that protects the field.
   */
  readonly group: string;
}

export interface Struct<
  Fixed extends Fields = Fields,
  Shared extends Fields = Fields,
  Under extends Readonly<Record<string, Fields>> = Readonly<Record<string, Fields>>,
  Own extends Fields = Fields,
> {
  readonly name: string;
  /** Of those that were declared, from 1; 0 of what was put together otherwise, such as frames. */
  readonly number: number;
  readonly slots: readonly Slot[];
  /** Cells without the flexible array. */
  readonly cells: number;
  readonly slot: (name: string) => Slot;
  /** A view of the struct at `at`. */
  readonly view: (store: Store, at: number) => Ref;
  readonly groups?: { fixed: Fixed; shared: Shared; under: Under; own: Own };
}

const byName = new Map<string, Struct>();

/** Whether a struct has a field of that name. */
export const isField = (name: string): boolean =>
  [...byName.values()].some(({ slots }) => slots.some((slot) => slot.name === name));

/**
 * Declares a struct. Groups say what protects a field: `fixed` at creation, `shared` by nobody, `under` the lock
 * of that class, `own` only ever touched by the task that owns the struct. There is at most one
 * flexible field; it is laid out last.
 */
export function struct<
  Fixed extends Fields = Record<never, never>,
  Shared extends Fields = Record<never, never>,
  Under extends Readonly<Record<string, Fields>> = Record<never, never>,
  Own extends Fields = Record<never, never>,
>(
  name: string,
  groups: { fixed?: Fixed; shared?: Shared; under?: Under; own?: Own },
): Struct<Fixed, Shared, Under, Own> {
  const slots: Slot[] = [];
  const flexible: Slot[] = []; // laid out last, in whatever group it stands
  let offset = 0;
  const add = (group: string, fields: Fields) => {
    for (const [field, declared] of Object.entries(fields)) {
      assert(!slots.some((s) => s.name === field), `${name} has one field ${field}`);
      const slot = { name: field, offset, field: declared as unknown as Field<unknown>, group };
      (declared.cells === 0 ? flexible : slots).push(slot);
      offset += declared.cells;
    }
  };
  add('fixed', groups.fixed ?? {});
  add('shared', groups.shared ?? {});
  add('private', groups.own ?? {});
  for (const [lock, fields] of Object.entries(groups.under ?? {})) add(lock, fields);
  assert(flexible.length <= 1, `${name} has at most one flexible field`);
  for (const slot of flexible) slots.push({ ...slot, offset });
  const made = structOf(name, slots, offset, byName.size + 1);
  assert(!byName.has(name), `one struct called ${name}`);
  byName.set(name, made);
  return made as Struct<Fixed, Shared, Under, Own>;
}

/** The struct called `name`. */
export function structNamed(name: string): Struct {
  return (
    byName.get(name) ?? fail(`a struct called ${name} (is the file that declares it imported?)`)
  );
}

/** A struct from slots already laid out; frames of routines are made so. */
export function structOf(name: string, slots: readonly Slot[], cells: number, number = 0): Struct {
  const index = new Map(slots.map((s) => [s.name, s]));
  class StructView implements Ref {
    constructor(
      readonly store: Store,
      readonly at: number,
    ) {}
  }
  for (const { name: property, offset, field } of slots) {
    Object.defineProperty(StructView.prototype, property, {
      enumerable: true,
      get(this: Ref) {
        return field.get(this.store, address(this, number, name, property) + offset);
      },
      set(this: Ref, value: unknown) {
        field.set(this.store, address(this, number, name, property) + offset, value);
      },
    });
  }
  return {
    name,
    number,
    slots,
    cells,
    slot: (wanted) => {
      return index.get(wanted) ?? fail(`${name} has a field ${wanted}`);
    },
    view: (store, at) => new StructView(store, at),
  };
}

/**
 * Where the moving views stand: at one place in one store, whichever engine is making a step. That it is one object
 * for all lets compiled code read a frame's fields without asking what the frame is of.
 */
export const cursor: { store: Store; at: number } = { store: undefined as never, at: 0 };

/** A view of a struct that stands where the cursor does. Frames are seen through these, one for each routine. */
export function movingView({ slots }: Struct): Ref {
  class MovingView implements Ref {
    get store() {
      return cursor.store;
    }
    get at() {
      return cursor.at;
    }
  }
  for (const { name, offset, field } of slots) {
    Object.defineProperty(MovingView.prototype, name, {
      enumerable: true,
      get: () => field.get(cursor.store, cursor.at + offset),
      set: (value: unknown) => field.set(cursor.store, cursor.at + offset, value),
    });
  }
  return new MovingView();
}

/** The emulated kernel cannot go on: an oops of that kernel, not a defect of ours. */
export class Oops extends Error {}

/** It followed a null pointer. */
export class NullPointer extends Oops {
  constructor(what: string) {
    super(`kernel NULL pointer dereference: ${what}`);
  }
}

/** Where a view's object is, for an access to it. */
function address({ store, at }: Ref, number: number, struct: string, field: string): number {
  if (at === 0) throw new NullPointer(`${struct}.${field}`);
  if (store.guarded[number] === 1 && store.peek(at - 1) === 0) {
    store.usedAfterFree?.(`${struct}.${field}`, at);
  }
  return at;
}

/** NULL for any `ref` field. */
export const NULL = { at: 0 } as never;

/** True when a reference names nothing. */
export function isNull(ref: Ref): boolean {
  return ref.at === 0;
}

/** True when two references name the same place. */
export function same(a: Ref, b: Ref): boolean {
  return a.at === b.at;
}

/**
 * The address of a field, as C takes it with `&object->field`: a view of `target` lying over the field's cells.
 * Whatever protects the field of `struct` protects it here too.
 */
export function fieldRef<N extends keyof Structs & string>(
  struct: string,
  object: Ref,
  field: string,
  target: N,
): Structs[N] {
  const { offset } = structNamed(struct).slot(field);
  return structNamed(target).view(object.store, object.at + offset) as unknown as Structs[N];
}

// Kinds of fields.

/** A signed 32-bit number. */
export const int: Field<number> = {
  kind: 'int',
  cells: 1,
  get: (store, at) => store.read(at),
  set: (store, at, value) => store.write(at, value),
};

/** How many references there are to the object that it is a field of: what those that hold one come to. */
export const refcount: Field<number> = { ...int, counts: 'references' };

/** How often somebody who is not in memory, such as a display, holds the object that it is a field of. */
export const pins: Field<number> = { ...int, counts: 'own' };

/** A field that holds a reference which is counted while it names an object: a `ref`, or an `int` with an address. */
export const holding = <F extends Field<number> | StructField<string>>(field: F): F => ({
  ...field,
  counts: 'one',
});

/** An unsigned 32-bit number, as sequence numbers are. */
export const u32: Field<number> = {
  kind: 'u32',
  cells: 1,
  get: (store, at) => store.read(at) >>> 0,
  set: (store, at, value) => store.write(at, value),
};

export const bool: Field<boolean> = {
  kind: 'bool',
  cells: 1,
  get: (store, at) => store.read(at) !== 0,
  set: (store, at, value) => store.write(at, value ? 1 : 0),
};

/** A whole number below 2^53 in two cells: a virtual address, a byte offset. */
export const long: Field<number> = {
  kind: 'long',
  cells: 2,
  get: (store, at) => store.read(at + 1) * 0x1_0000_0000 + (store.read(at) >>> 0),
  set: (store, at, value) => {
    store.write(at, value | 0);
    store.write(at + 1, Math.floor(value / 0x1_0000_0000));
  },
};

/** A 64-bit value in two cells, low word first. */
export const u64: Field<U64> = {
  kind: 'u64',
  cells: 2,
  get: (store, at) => ({ lo: store.read(at), hi: store.read(at + 1) }),
  set: (store, at, value) => {
    store.write(at, value.lo);
    store.write(at + 1, value.hi);
  },
};

/** As `u64`; shown as a page-table entry. */
export const pte: Field<U64> = { ...u64, kind: 'pte' };

/** A plain object of signed 32-bit numbers, a cell each, in the order in which `none` has them. */
export function record<T extends { readonly [K in keyof T]: number }>(
  kind: string,
  none: T,
): Field<T> {
  const order = Object.keys(none) as (keyof T)[];
  return {
    kind,
    cells: order.length,
    get: (store, at) => {
      const read = { ...none };
      for (let i = 0; i < order.length; i++) read[order[i]!] = store.read(at + i) as T[keyof T];
      return read;
    },
    set: (store, at, value) => {
      for (let i = 0; i < order.length; i++) store.write(at + i, value[order[i]!]!);
    },
  };
}

/** A word of named bits. */
export function flags(names: Readonly<Record<string, number>>): Field<number> {
  return { ...int, kind: 'flags', names };
}

/** A word that is one of several named values. */
export function oneOf(names: Readonly<Record<string, number>>): Field<number> {
  return { ...int, kind: 'enum', names };
}

/** The address of a struct; NULL is a view whose `at` is 0. */
export function ref<N extends keyof Structs & string>(name: N): StructField<N> {
  let layout: Struct | undefined; // looked up late: structs refer to each other in a circle
  return {
    kind: 'ref',
    cells: 1,
    of: name,
    struct: name,
    get: (store: Store, at: number) => {
      layout ??= structNamed(name);
      return layout.view(store, store.read(at));
    },
    set: (store: Store, at: number, value: Ref) => store.write(at, value.at),
  } as unknown as StructField<N>;
}

/** A struct in place. The struct must be declared before. */
export function embed<N extends keyof Structs & string>(name: N): StructField<N> {
  return {
    kind: 'embed',
    cells: structNamed(name).cells,
    of: name,
    struct: name,
    get: (store: Store, at: number) => structNamed(name).view(store, at),
    set: () => fail(`an embedded ${name} is not assigned`),
  } as unknown as StructField<N>;
}

/** Elements of one field, one after the other; `get` and `set` take an index. */
export interface ArrayView<T> extends Ref {
  readonly length: number;
  get(index: number): T;
  set(index: number, value: T): void;
}

/** A fixed number of elements. */
export function array<F extends Fields[string]>(
  element: F,
  length: number,
): Field<ArrayView<ValueOf<F>>> {
  return arrayField(element as Field<ValueOf<F>>, length, element.cells * length);
}

/** A flexible array, hence the last field of its struct; the pool says how many elements there is room for. */
export function tail<F extends Fields[string]>(element: F): Field<ArrayView<ValueOf<F>>> {
  return arrayField(element as Field<ValueOf<F>>, Number.POSITIVE_INFINITY, 0);
}

function arrayField<T>(element: Field<T>, length: number, cells: number): Field<ArrayView<T>> {
  return {
    kind: 'array',
    cells,
    element: element as Field<unknown>,
    get: (store, at) => new Elements(store, at, element, length),
    set: () => fail('an array is not assigned as a whole'),
  };
}

class Elements<T> implements ArrayView<T> {
  constructor(
    readonly store: Store,
    readonly at: number,
    private readonly element: Field<T>,
    readonly length: number,
  ) {}

  get(index: number): T {
    return this.element.get(this.store, this.at + index * this.element.cells);
  }

  set(index: number, value: T): void {
    this.element.set(this.store, this.at + index * this.element.cells, value);
  }
}

/** A bitmap, 32 bits a cell. Ranges are half open. */
export class BitsView implements Ref {
  constructor(
    readonly store: Store,
    readonly at: number,
  ) {}

  test(bit: number): boolean {
    return ((this.store.read(this.at + (bit >> 5)) >>> (bit & 31)) & 1) !== 0;
  }

  set(bit: number): void {
    const cell = this.at + (bit >> 5);
    this.store.write(cell, this.store.read(cell) | (1 << (bit & 31)));
  }

  clear(bit: number): void {
    const cell = this.at + (bit >> 5);
    this.store.write(cell, this.store.read(cell) & ~(1 << (bit & 31)));
  }

  /** Sets those of the 32 bits from `bit` on that are set in `word`. */
  setMany(bit: number, word: number): void {
    this.setWord(bit >> 5, word << (bit & 31));
    if ((bit & 31) !== 0) this.setWord((bit >> 5) + 1, word >>> (32 - (bit & 31)));
  }

  private setWord(index: number, bits: number): void {
    if (bits === 0) return;
    const cell = this.at + index;
    this.store.write(cell, this.store.read(cell) | bits);
  }

  /** First set bit in [from, to), or `to`. */
  nextSet(from: number, to: number): number {
    return this.next(from, to, 0);
  }

  /** First clear bit in [from, to), or `to`. */
  nextClear(from: number, to: number): number {
    return this.next(from, to, -1);
  }

  private next(from: number, to: number, flip: number): number {
    let bit = from;
    while (bit < to) {
      const word = (this.store.read(this.at + (bit >> 5)) ^ flip) >>> (bit & 31);
      if (word !== 0) return Math.min(to, bit + (31 - Math.clz32(word & -word)));
      bit = (bit | 31) + 1;
    }
    return to;
  }
}

/** A flexible bitmap, hence the last field of its struct. */
export const bits: Field<BitsView> = {
  kind: 'bits',
  cells: 0,
  get: (store, at) => new BitsView(store, at),
  set: () => fail('a bitmap is not assigned as a whole'),
};
