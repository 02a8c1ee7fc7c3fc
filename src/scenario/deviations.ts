// What is said of a deviation that no operation answers to.
import { type Fix, replaced } from '../base/fixes';
import { didYouMean, nearest } from '../base/suggest';
import type { Span } from '../base/text';
import { deviationForms, deviationId, deviationNames } from '../kernel/variants';
import { type Points, pointsOf, wordsIn } from '../routine/deviate';
import type { Program } from '../routine/program';
import type { Deviation } from '../routine/routine';

const list = (words: Iterable<string>): string =>
  [...words].map((word) => `\`${word}\``).join(', ') || 'nothing';

/** Why nothing comes of it: there is no such function, or nothing in it answers to the names. */
export function missedText(program: Program, deviation: Deviation): string {
  const { of } = deviation;
  const id = deviationId(deviation);
  if (deviation.kind === 'set') return missedEntry(program, deviation, id);
  const points = pointsIn(program, of);
  return points === undefined
    ? `${id}: this machine has no function \`${of}\`${didYouMean(of, program.names())}`
    : `${id}: ${reason(deviation, points)}`;
}

/** What can be changed of a function; undefined: there is no such function. */
function pointsIn(program: Program, of: string): Points | undefined {
  const code = program.named(of);
  return code && pointsOf(code, (name) => program.called(name));
}

function reason(deviation: Deviation, points: Points): string {
  const { kind, of, names, place } = deviation;
  const { deeds, conditions, values, args } = points;
  const [name = '', argument = ''] = names;
  const change = names.at(-1)!;
  const tooFew = `\`${of}\` has no ${place} places that it could be`;
  const unfit = (what: string) =>
    `${change} is no change of \`${what}\` in \`${of}\`: \`is_0\` or \`is_NAME\` of a reference, \`not\` and \`is_…\` of what is true or false, of numbers \`plus_…\` and \`minus_…\` too; a name is that of a variable of \`${of}\` or of a field of what one points to`;
  switch (kind) {
    case 'omit':
    case 'swap': {
      const absent = names.find((one) => !deeds.includes(one));
      if (absent !== undefined)
        return `\`${of}\` neither calls nor sets \`${absent}\`, but ${list(deeds)}`;
      return kind === 'omit'
        ? tooFew
        : `in \`${of}\` the two do not stand beside each other, so they cannot change places`;
    }
    case 'always':
    case 'never':
    case 'negate':
      return conditions.some((text) => wordsIn(text).includes(name))
        ? tooFew
        : `\`${of}\` decides on nothing with \`${name}\` in it, but on ${list(conditions)}`;
    case 'value':
      if (!values.includes(name)) return `\`${of}\` does not set \`${name}\`, but ${list(values)}`;
      return place === undefined ? unfit(name) : tooFew;
    default: {
      const there = args.get(name);
      if (there === undefined)
        return `\`${of}\` does not call \`${name}\` with arguments, but ${list(args.keys())}`;
      if (!there.includes(argument))
        return `\`${name}\` has no argument \`${argument}\`, but ${list(there)}`;
      return place === undefined ? unfit(argument) : tooFew;
    }
  }
}

/** Why a table has no such entry: no such table, no such row, or another set of entries. */
function missedEntry({ tables }: Program, { of, names }: Deviation, id: string): string {
  const [row = '', entry = ''] = names;
  const rows = tables.get(of);
  if (rows === undefined)
    return `${id}: the kernel has no table \`${of}\` whose entries can be chosen, but ${tables.size > 0 ? list(tables.keys()) : 'nothing is submitted here'}`;
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

/** What can be changed of a function, by kinds of deviations, as lines; undefined: there is no such function. */
export function pointLines(program: Program, of: string): string[] | undefined {
  const points = pointsIn(program, of);
  if (points === undefined) return undefined;
  const { deeds, conditions, values, args } = points;
  const calls = [...args].map(([name, there]) => `${name} (${there.join(', ')})`);
  return [
    `${of}, ${program.named(of)!.routine.file}`,
    `  omit, swap: ${list(deeds)}`,
    `  always, never, negate, by a word of it: ${list(conditions)}`,
    `  value: ${list(values)}`,
    `  arg: ${list(calls)}`,
  ];
}

/** How a deviation that is typed as far as its last point may go on: ids, or beginnings of ids that end with a point. */
export function continuations(program: Program | undefined, typed: string): string[] {
  const [kind = '', of, ...names] = typed.split('.').slice(0, -1);
  if (program === undefined || !deviationForms.some(({ id }) => id.startsWith(`${kind}.`)))
    return [];
  const nexts = of === undefined ? firsts(program, kind) : nextNames(program, kind, of, names);
  const beginning = typed.slice(0, typed.lastIndexOf('.') + 1);
  const last = of !== undefined && names.length + 1 === deviationNames[kind as Deviation['kind']];
  return nexts.map((next) => `${beginning}${next}${last ? '' : '.'}`);
}

const firsts = (program: Program, kind: string): string[] =>
  kind === 'set' ? [...program.tables.keys()] : program.routines.map(({ routine }) => routine.name);

function nextNames(
  program: Program,
  kind: string,
  of: string,
  names: readonly string[],
): readonly string[] {
  const [name] = names;
  if (kind === 'set') {
    const rows = program.tables.get(of);
    return name === undefined ? [...(rows?.keys() ?? [])] : (rows?.get(name) ?? []);
  }
  const points = pointsIn(program, of);
  if (points === undefined) return [];
  const { deeds, conditions, values, args } = points;
  if (kind === 'omit' || kind === 'swap') return deeds;
  if (kind === 'value') return name === undefined ? values : changes;
  if (kind === 'arg')
    return name === undefined
      ? [...args.keys()]
      : names.length === 1
        ? (args.get(name) ?? [])
        : changes;
  return [...new Set(conditions.flatMap(wordsIn))];
}

const changes = ['plus_1', 'minus_1', 'is_0', 'not'];
