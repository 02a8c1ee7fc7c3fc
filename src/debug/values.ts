// Values of cells: from a path of names (`vma->vm_flags`, `pages[3].lo`) to a place in the store, and from there to
// a plain value. Reading is looking: no observer hears it.
import type { Engine } from '../routine/engine';
import { structNamed, type U64 } from '../state/layout';
import type { Place, Spot, Value } from './debuggee';

export function isSpot(value: Value | Spot): value is Spot {
  return typeof value === 'object' && 'field' in value;
}

export function isPlace(value: Value | Spot): value is Place {
  return typeof value === 'object' && 'struct' in value;
}

/** The spot that a path names, from the fields of `root`; undefined when it is no path or names nothing. */
export function spotAt(engine: Engine, root: Place, path: string): Spot | undefined {
  const words =
    path.trim().match(/^\w+((\.|->)\w+|\[\d+\])*$/) && path.trim().match(/\w+|\[\d+\]/g);
  if (words === null || words === undefined) return undefined;
  let place: Place | undefined = root;
  let spot: Spot | undefined;
  for (const word of words) {
    if (word.startsWith('[')) spot = spot && elementOf(engine, spot, Number(word.slice(1, -1)));
    else {
      const slot: Place['struct']['slots'][number] | undefined = place?.struct.slots.find(
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

/** Paths of fields in an expression: `vmf->address`, `pages[3].lo`. */
const paths = /[A-Za-z_]\w*(?:(?:\.|->)[A-Za-z_]\w*|\[\d+\])+/g;

/** An expression with some paths replaced by names; `name` says which, and by what. */
export const withNames = (expression: string, name: (path: string) => string | undefined): string =>
  expression.replace(paths, (path) => name(path) ?? path);

/** What a spot holds as a number: an address where it refers to something. */
export function numberAt(engine: Engine, spot: Spot): number | boolean | undefined {
  const value = plainValue(engine, spot);
  if (typeof value !== 'object') return typeof value === 'string' ? undefined : value;
  return 'at' in value ? value.at : (value.hi >>> 0) * 2 ** 32 + (value.lo >>> 0);
}

/** What a spot holds as a plain value; undefined for what has none, such as an array. */
export function plainValue(engine: Engine, spot: Spot): Value | undefined {
  const { field, at } = spot;
  switch (field.kind) {
    case 'ref':
      return placeOf(engine, spot) ?? 0;
    case 'embed':
      return placeOf(engine, spot);
    case 'array':
    case 'bits':
    case 'lock':
      return undefined;
    default:
      return field.get(engine.store, at) as number | boolean | U64;
  }
}

/** Whether a condition of this value holds. */
export function truth(engine: Engine, value: Value | Spot): boolean {
  if (isSpot(value)) {
    const plain = plainValue(engine, value);
    return plain !== undefined && truth(engine, plain);
  }
  if (typeof value === 'object')
    return 'lo' in value ? value.lo !== 0 || value.hi !== 0 : value.at !== 0;
  return typeof value === 'string' ? value !== '' && value !== 'false' : Boolean(value);
}

/** Bits [0, length) of a bitmap that are set, as ranges: `0-3, 7`. */
export function bitRanges(engine: Engine, at: number, length: number): string {
  const test = (bit: number) => ((engine.store.peek(at + (bit >> 5)) >>> (bit & 31)) & 1) !== 0;
  const ranges: string[] = [];
  for (let from = 0; from < length; from++) {
    if (!test(from)) continue;
    let to = from;
    while (to + 1 < length && test(to + 1)) to++;
    ranges.push(from === to ? `${from}` : `${from}-${to}`);
    from = to;
    if (ranges.length === 8) return `${ranges.join(', ')}, …`;
  }
  return ranges.join(', ');
}
