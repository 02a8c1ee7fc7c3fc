// Spots: fields at addresses, reached by a path of names (`vma->vm_flags`, `pages[3].lo`) from a struct. Reading is
// looking: no observer hears it.
import type { Engine } from '../routine/engine';
import { type Field, type Struct, structNamed } from '../state/layout';

/** A struct at an address. */
export interface Place {
  readonly struct: Struct;
  readonly at: number;
}

/** A field at an address; shown as its kind is shown. */
export interface Spot {
  readonly field: Field<unknown>;
  readonly at: number;
}

/**
 * The spot that a path names, from the fields of `root`; undefined when it is no path or names nothing. `through` is told
 * of the cells on the way that it depends on.
 */
export function spotAt(
  engine: Engine,
  root: Place,
  path: string,
  through: (cell: number) => void = () => {},
): Spot | undefined {
  const words =
    path.trim().match(/^\w+((\.|->)\w+|\[\d+\])*$/) && path.trim().match(/\w+|\[\d+\]/g);
  if (words === null || words === undefined) return undefined;
  let place: Place | undefined = root;
  let spot: Spot | undefined;
  for (const word of words) {
    if (spot?.field.kind === 'ref') through(spot.at);
    if (word.startsWith('[')) spot = spot && elementOf(engine, spot, Number(word.slice(1, -1)));
    else {
      const slot: Struct['slots'][number] | undefined = place?.struct.slots.find(
        (s) => s.name === word,
      );
      spot = slot && { field: slot.field, at: place!.at + slot.offset };
    }
    if (spot === undefined) return undefined;
    place = placeOf(engine, spot);
  }
  return spot;
}

/** The struct that a spot is or points to. */
export function placeOf(engine: Engine, { field, at }: Spot): Place | undefined {
  if (field.kind === 'embed') return { struct: structNamed(field.of!), at };
  if (field.kind !== 'ref') return undefined;
  const to = engine.store.peek(at);
  return to === 0 ? undefined : { struct: structNamed(field.of!), at: to };
}

/** How many elements an array has; a flexible one as many as its pool has room for. */
export function lengthOf(engine: Engine, { field, at }: Spot): number {
  const perCell = field.kind === 'bits' ? 32 : 1 / (field.element?.cells ?? 1);
  if (field.cells > 0) return field.cells * perCell;
  for (const pool of engine.objects.pools) {
    const offset = at - pool.region.base;
    if (offset >= 0 && offset < pool.region.cells) {
      return Math.floor((pool.stride - 1 - pool.struct.cells) * perCell);
    }
  }
  const region = engine.regions.find((r) => at >= r.base && at < r.base + r.cells);
  return region === undefined ? 0 : Math.floor((region.base + region.cells - at) * perCell);
}

export function elementOf(engine: Engine, spot: Spot, index: number): Spot | undefined {
  const { element } = spot.field;
  if (element === undefined || index >= lengthOf(engine, spot)) return undefined;
  return { field: element, at: spot.at + index * element.cells };
}
