// Values of spots as plain values, and the paths to them in an expression. Reading is looking: no observer hears it.
import { placeOf } from '../machine/spots';
import type { Engine } from '../routine/engine';
import type { U64 } from '../state/layout';
import type { Place, Spot, Value } from './debuggee';

export function isSpot(value: Value | Spot): value is Spot {
  return typeof value === 'object' && 'field' in value;
}

export function isPlace(value: Value | Spot): value is Place {
  return typeof value === 'object' && 'struct' in value;
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
