// `outcomes (…) { … }`: what is looked at when a run has ended, and which tuples of values are meant to come out.
import { respelled } from '../base/fixes';
import { didYouMean } from '../base/suggest';
import type { Span } from '../base/text';
import type { Expression, Name, Operation, Outcomes, Statement } from '../syntax/tree';
import { resolveValue } from './expressions';
import type { OutcomeRow, OutcomesMeaning, ProcessMeaning, Value, Variable } from './meaning';
import type { Notes, Report, Scope } from './names';
import { headOf } from './statements';
import { methods, type OutcomeWord, outcomeWords } from './vocabulary';

/** How an outcome is meant; `unlisted`: no line names it, and some say what may come out. */
export type OutcomeStatus = OutcomeWord | 'unlisted';

/** The line that names these values. */
export function rowOf(
  { rows }: OutcomesMeaning,
  values: readonly number[],
): OutcomeRow | undefined {
  return rows.find((row) => row.values.every((value, i) => value === values[i]));
}

/** Where lines say what may come out, nothing else may; where all only forbid, everything else may. */
export function statusOf(outcomes: OutcomesMeaning, values: readonly number[]): OutcomeStatus {
  const row = rowOf(outcomes, values);
  if (row !== undefined) return row.word;
  return outcomes.rows.every(({ word }) => word === 'forbidden') ? 'allowed' : 'unlisted';
}

/** The values as the author writes them: `(0, true)`. */
export function outcomeText({ observed }: OutcomesMeaning, values: readonly number[]): string {
  const shown = values.map((value, i) => {
    const type = observed[i]?.type;
    if (type === 'boolean') return String(value !== 0);
    if (type !== 'method') return String(value);
    return Object.entries(methods).find(([, n]) => n === value)?.[0] ?? String(value);
  });
  return `(${shown.join(', ')})`;
}

interface Surroundings {
  readonly scope: Scope;
  readonly notes: Notes;
  readonly variables: readonly Variable[];
  readonly processes: readonly ProcessMeaning[];
  readonly report: Report;
}

/** The outcomes of a scenario, if it names some. */
export function resolveOutcomes(
  body: readonly Statement[],
  around: Surroundings,
): OutcomesMeaning | undefined {
  const { report } = around;
  const isOutcomes = (statement: Statement): statement is Outcomes => statement.kind === 'outcomes';
  const [outcomes, second] = body.filter(isOutcomes);
  if (second !== undefined)
    report(headOf(second), 'there are `outcomes` already; a scenario has them once');
  if (outcomes?.observed === undefined) return undefined;
  const { from, to } = outcomes;
  if (outcomes.observed.length === 0) report(headOf(outcomes), 'say what is looked at in the end');
  const found = outcomes.observed.map((expression) => observation(expression, around));
  const observed = found.filter((value) => value !== undefined);
  if (observed.length < found.length) return undefined;
  const rows: OutcomeRow[] = [];
  for (const statement of outcomes.body?.statements ?? []) {
    const made = row(statement, observed, around);
    if (made === undefined) continue;
    if (rows.some(({ values }) => values.every((value, i) => value === made.values[i])))
      report(made, 'this outcome has a line already');
    else rows.push(made);
  }
  return { from, to, observed, rows };
}

/** A value of the whole scenario, or `reader.x`: what a thread's `x` was last; `app.reader.x` where several are called so. */
function observation(
  expression: Expression,
  { scope, notes, variables, processes, report }: Surroundings,
): Value | undefined {
  const [first, ...inner] = namesOf(expression);
  const member = inner.at(-1);
  const path = [first, ...inner.slice(0, -1)].map((name) => name?.text);
  const [home, other] = homesOf(processes).filter((h) => h.path.join('.') === path.join('.'));
  if (home === undefined || member === undefined) return resolveValue(expression, scope, report);
  const name = path.join('.');
  if (other !== undefined) {
    report(
      expression,
      `several are called \`${name}\`; say of which process: \`${home.process}.${name}.${member.text}\``,
    );
    return undefined;
  }
  const own = observable(variables, home);
  const variable = own.find((v) => v.name === member.text);
  if (variable === undefined) {
    const names = own.map((v) => v.name);
    const list = names.length === 0 ? '' : `; it has ${names.map((n) => `\`${n}\``).join(', ')}`;
    const message = `\`${name}\` has no value \`${member.text}\`${didYouMean(member.text, names) || list}`;
    report(member, message, 'error', respelled(member, names));
    return undefined;
  }
  if (variable.thread !== undefined) keep(variable);
  const declared = { from: variable.from, to: variable.to };
  notes.uses.push({
    from: member.from,
    to: member.to,
    entity: { kind: 'variable', name: variable.name, declared, variable },
  });
  const { from, to } = expression;
  return { kind: 'variable', from, to, type: variable.type as Value['type'], variable };
}

interface Home {
  readonly process: string;
  readonly thread: string | undefined;
  /** How it is written: `reader`, or `app.reader`. */
  readonly path: readonly string[];
}

/** Whose values can be looked at in the end. */
export function homesOf(processes: readonly ProcessMeaning[]): readonly Home[] {
  return processes.flatMap(({ name: process, threads }) => [
    { process, thread: undefined, path: [process] },
    ...threads.flatMap(({ name: thread }) => [
      { process, thread, path: [thread] },
      { process, thread, path: [process, thread] },
    ]),
  ]);
}

/** What of a thread or a process can be looked at. */
export function observable(
  variables: readonly Variable[],
  { process, thread }: Home,
): readonly Variable[] {
  return variables.filter(
    (v) =>
      v.frame === 0 &&
      v.type !== 'mapping' &&
      v.name !== '' &&
      v.process === process &&
      v.thread === thread,
  );
}

/** The names of a path that is made of nothing else: `app.reader.x`. */
function namesOf(expression: Expression): Name[] {
  if (expression.kind === 'reference') return [{ ...expression, text: expression.name }];
  if (expression.kind !== 'member') return [];
  const before = namesOf(expression.object);
  return before.length === 0 || expression.member === undefined
    ? []
    : [...before, expression.member];
}

/** The frame of a thread ends with it; what is looked at afterwards stays in the scenario's state. */
function keep(variable: { -readonly [K in keyof Variable]: Variable[K] }): void {
  variable.kept = true;
}

function row(
  statement: Statement,
  observed: readonly Value[],
  { scope, report }: Surroundings,
): OutcomeRow | undefined {
  const words = Object.keys(outcomeWords);
  const list = words.map((word) => `\`${word}\``).join(', ');
  if (statement.kind !== 'operation' || !isWord(statement)) {
    const name = statement.kind === 'operation' ? statement.verb.text : '';
    const help = didYouMean(name, words) || `; there are ${list}`;
    const fix = statement.kind === 'operation' ? respelled(statement.verb, words) : undefined;
    report(headOf(statement), `this says nothing of an outcome${help}`, 'error', fix);
    return undefined;
  }
  const word = statement.verb.text as OutcomeWord;
  const given = statement.parameters;
  if (given === undefined) {
    report(statement, `say in parentheses which values: \`${outcomeWords[word].form}\``);
    return undefined;
  }
  if (given.length !== observed.length) {
    const many = (n: number): string => (n === 1 ? '1 value' : `${n} values`);
    report(
      statement,
      `${many(observed.length)} ${observed.length === 1 ? 'is' : 'are'} looked at; this line has ${many(given.length)}`,
    );
    return undefined;
  }
  const values = given.map((expression, i) => known(expression, observed[i]!, scope, report));
  const all = values.filter((value) => value !== undefined);
  const { from, to } = statement;
  return all.length < values.length ? undefined : { from, to, word, values: all };
}

const isWord = ({ verb }: Operation): boolean => Object.hasOwn(outcomeWords, verb.text);

function known(
  expression: Expression,
  { type }: Value,
  scope: Scope,
  report: Report,
): number | undefined {
  const value = resolveValue(expression, scope, report);
  if (value === undefined) return undefined;
  const say = (at: Span, message: string): undefined => report(at, message) as undefined;
  if (value.kind !== 'number')
    return say(value, 'an outcome is made of values known before the run');
  if (value.type !== type) return say(value, 'this is no value of the kind that is looked at here');
  return value.value;
}
