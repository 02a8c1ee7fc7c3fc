// What differs between what was recorded of an operation and what came out, as values and as lines to read.
import { type Outcome, outcomeKeys } from './format';

/** One thing that came out otherwise than recorded. */
export interface Difference {
  readonly key: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

/** All that differs between what was recorded and what came out. */
export function compare(recorded: Outcome, actual: Outcome): Difference[] {
  const differences: Difference[] = [];
  for (const key of outcomeKeys) {
    if (isSame(recorded[key], actual[key])) continue;
    differences.push({ key, expected: recorded[key], actual: actual[key] });
  }
  return differences;
}

/** Whether two values are the same but for the order of keys; mostly they have that in common, too. */
const isSame = (a: unknown, b: unknown): boolean =>
  JSON.stringify(a) === JSON.stringify(b) || canonical(a) === canonical(b);

/** JSON with the keys of objects in order. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, v: unknown) =>
      typeof v === 'object' && v !== null && !Array.isArray(v)
        ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
        : v,
    ) ?? ''
  );
}

/** Lines of a list that are shown; a mapping of many pages may differ in all of them. */
const linesMax = 12;
/** Characters of a value that are shown. */
const textMax = 200;

/** The differences field by field, each down to where the two sides part: `vmas[0].pte.3: recorded A, emulated B`. */
export function differenceLines(differences: readonly Difference[]): string[] {
  const lines = differences.flatMap(({ key, expected, actual }) => parting(key, expected, actual));
  const more = lines.length - linesMax;
  return more <= 0 ? lines : [...lines.slice(0, linesMax), `and ${more} more`];
}

function parting(path: string, recorded: unknown, emulated: unknown): string[] {
  if (isSame(recorded, emulated)) return [];
  if (
    isObject(recorded) &&
    isObject(emulated) &&
    Array.isArray(recorded) === Array.isArray(emulated)
  ) {
    const keys = [...new Set([...Object.keys(recorded), ...Object.keys(emulated)])];
    return keys.flatMap((key) =>
      parting(
        Array.isArray(recorded) ? `${path}[${key}]` : `${path}.${key}`,
        recorded[key],
        emulated[key],
      ),
    );
  }
  return [`${path}: recorded ${short(recorded)}, emulated ${short(emulated)}`];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

function short(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > textMax ? `${text.slice(0, textMax)}…` : text;
}
