// What is said of a deviation that no operation answers to.
import { type Fix, replaced } from '../base/fixes';
import { didYouMean, nearest } from '../base/suggest';
import type { Span } from '../base/text';
import { deviationId } from '../kernel/variants';
import { deedsIn, type Program } from '../routine/program';
import type { Deviation } from '../routine/routine';

/** Why nothing comes of it: there is no such function, it does nothing with that name, or not both beside each other. */
export function missedText(program: Program, deviation: Deviation): string {
  const { of, names } = deviation;
  const id = deviationId(deviation);
  if (deviation.kind === 'set') return missedEntry(program, deviation, id);
  const code = program.named(of);
  if (code === undefined)
    return `${id}: this machine has no function \`${of}\`${didYouMean(of, program.names())}`;
  const deeds = [...new Set(code.ops.flatMap(({ text }) => deedsIn(text)))];
  const absent = names.find((name) => !deeds.includes(name));
  if (absent === undefined)
    return `${id}: in \`${of}\` the two do not stand beside each other, so they cannot change places`;
  const list = deeds.map((name) => `\`${name}\``).join(', ');
  return `${id}: \`${of}\` neither calls nor sets \`${absent}\`, but ${list || 'nothing'}`;
}

/** Why a table has no such entry: no such table, no such row, or another set of entries. */
function missedEntry({ tables }: Program, { of, names }: Deviation, id: string): string {
  const [row = '', entry = ''] = names;
  const list = (words: Iterable<string>) => [...words].map((word) => `\`${word}\``).join(', ');
  const rows = tables.get(of);
  if (rows === undefined)
    return `${id}: the kernel has no table \`${of}\` whose entries can be chosen, but ${list(tables.keys()) || 'nothing is submitted here'}`;
  const entries = rows.get(row);
  return entries === undefined
    ? `${id}: \`${of}\` has no row \`${row}\`, but ${list(rows.keys())}`
    : `${id}: \`${entry}\` is no entry of \`${of}\`; there are ${list(entries)}`;
}

/** The fix of a function that is misspelt, where its word stands at `at`. */
export function missedFix(program: Program, deviation: Deviation, at: Span): Fix | undefined {
  const names = deviation.kind === 'set' ? [...program.tables.keys()] : program.names();
  if (names.includes(deviation.of)) return undefined;
  const of = nearest(deviation.of, names);
  return of === undefined ? undefined : replaced(at, deviationId({ ...deviation, of }));
}
