// Locations: everything of a machine that can be watched, changed by hand and read as memory, by names that hold in
// every run of the same scenario: `pte:app:0x7ffff7fe7000:RW`, `gpu:ring:0:256`, `field:vmw_bo_dirty#0.start`. A name
// has no cell numbers in it; where it stands is looked up when it is asked for, by peeking. Each kind has its file in
// `location/`.
import type { Engine } from '../routine/engine';
import { Bytes, memoryKinds } from './location/bytes';
import { Entries, levels, tlbLocation } from './location/entries';
import { Fields } from './location/fields';
import {
  escaped,
  type Location,
  type MemoryRange,
  type Names,
  plain,
  Things,
} from './location/location';
import { Noted } from './location/noted';
import { number } from './location/values';
import type { Spot } from './spots';

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

export class Locations {
  private readonly things: Things;
  private readonly entries: Entries;
  private readonly bytes: Bytes;
  private readonly noted: Noted;
  private readonly fields: Fields;

  constructor(
    private readonly k: Engine,
    private readonly names: Names,
  ) {
    this.things = new Things(k, names);
    this.entries = new Entries(this.things);
    const forms = memoryKinds.map((kind) => locationForms[kind]).join(', ');
    this.bytes = new Bytes(this.things, this.entries, forms);
    this.noted = new Noted(this.things);
    this.fields = new Fields(k);
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
  fieldId(spot: Spot): string | undefined {
    return this.fields.nameOf(spot);
  }

  /** The names of a kind that can be asked for. */
  known(kind: 'counter' | 'fence' | 'surface'): readonly string[] {
    return this.names.known?.(kind) ?? [];
  }

  /** The processes that have names, with the frames of their root tables. */
  spaces(): { readonly name: string; readonly pgd: number }[] {
    return this.things.spaces();
  }

  /** The memory that a name refers to, from its offset on; what is wrong with it. */
  memory(reference: string): MemoryRange | string {
    return this.bytes.memory(reference);
  }

  private parsed(kind: string, rest: readonly string[]): Location | string | undefined {
    const level = levels.find((word) => word === kind);
    if (level !== undefined) {
      const [process, address, bit] = rest;
      const at = number(address);
      if (process === undefined || at === undefined || rest.length > 3) return undefined;
      return this.entries.at(level, plain(process), at, bit);
    }
    if (memoryKinds.includes(kind)) return this.bytes.at(kind, rest);
    switch (kind) {
      case 'tlb': {
        const [cpu, address] = rest.map(number);
        if (cpu === undefined || address === undefined || rest.length > 2) return undefined;
        return tlbLocation(this.k, cpu, address);
      }
      case 'dirty':
      case 'range':
        return this.noted.tracker(kind, rest);
      case 'fence':
        return rest.length === 1 ? this.noted.fence(plain(rest[0]!)) : undefined;
      case 'counter':
        return rest.length === 1 ? this.noted.counter(rest[0]!) : undefined;
      default:
        return this.fields.at(kind, rest.join(':'));
    }
  }
}
