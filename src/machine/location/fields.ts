// Locations of fields: of objects, statics and frames, by paths of names.
import type { Engine } from '../../routine/engine';
import type { Field, Struct } from '../../state/layout';
import { elementOf, lengthOf, type Place, placeOf, type Spot } from '../spots';
import { putEntry } from './entries';
import {
  type Change,
  escaped,
  hex,
  type Location,
  maskedLocation,
  none,
  oneCell,
  plain,
} from './location';
import { entryFrom, number, pteBit, pteBits, quoted, u64From, u64Text, wordFrom } from './values';

export class Fields {
  constructor(private readonly k: Engine) {}

  /** The name of a field at an address, if it is part of an object, a static or a frame. */
  nameOf({ field, at }: Spot): string | undefined {
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

  /** A field of an object or static (`field`), or of a frame (`local`). */
  at(kind: string, text: string): Location | string | undefined {
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
    return maskedLocation(k, fieldName(kind, name, path), `${path} of ${name}`, mask, cellOf);
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
        return put(u64Text(wanted), () => putEntry(k, at, wanted));
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
}

/** The name of a field of an object or of a frame. */
const fieldName = (kind: string, name: string, path: string): string =>
  `${kind}:${kind === 'local' ? name : escaped(name)}.${escaped(path)}`;

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
