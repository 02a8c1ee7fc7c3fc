// Expressions that are not part of a scenario's text: watches, hovers, conditions of breakpoints. They are parsed and
// resolved as if they stood at a place of the text, and only look.

import { parse } from '../syntax/parser';
import type { Expression } from '../syntax/tree';
import { type Bytes, evaluate, type Look } from './evaluate';
import { isPath, resolvePath, resolveValue, type Thing } from './expressions';
import type { Value } from './meaning';
import { type Entity, emptyNotes, type Notes, Scope } from './names';
import { methods } from './vocabulary';

const heading = 'scenario "watch"\nfinally ';

/** What a watch yields: a value, a thing that has no value of its own, or what is wrong. */
export type Watched =
  | { readonly value: number | boolean | string }
  | { readonly thing: Thing }
  | { readonly error: string };

/** What is wrong with an expression's form, or undefined. */
export function formProblem(expression: string): string | undefined {
  const parsed = parseExpression(expression);
  return 'error' in parsed ? parsed.error : undefined;
}

/** What an expression is before it is looked at. */
export type Resolvable = { readonly thing: Thing } | { readonly value: Value };

/** What an expression at `place` is of, with names as in `watch`. */
export function resolveWatch(
  expression: string,
  notes: Notes,
  place: number,
  lookup: (name: string) => number | undefined,
): Resolvable | { readonly error: string } {
  const parsed = parseExpression(expression);
  if ('error' in parsed) return parsed;
  const scope = new Scope(scopeAt(notes, place), emptyNotes(), { from: place, to: place });
  const problems: string[] = [];
  for (const name of namesIn(parsed.tree)) {
    const value = lookup(name);
    if (value === undefined) continue;
    const entity: Entity = {
      kind: 'constant',
      name,
      declared: { from: 0, to: 0 },
      value,
      type: 'number',
    };
    scope.override(entity);
  }
  const report = (_span: unknown, message: string) => problems.push(message);
  if (isPath(parsed.tree)) {
    const thing = resolvePath(parsed.tree, scope, report);
    if (thing === undefined || problems.length > 0)
      return { error: problems[0] ?? 'no such thing' };
    if (!['value', 'place', 'history'].includes(thing.kind)) return { thing };
  }
  const value = resolveValue(parsed.tree, scope, report);
  if (value === undefined || problems.length > 0) return { error: problems[0] ?? 'no value' };
  return { value };
}

/**
 * The value of an expression at `place` of the scenario's text. `lookup` gives names that come before all others,
 * such as the arguments of an event.
 */
export function watch(
  expression: string,
  notes: Notes,
  place: number,
  look: Look,
  lookup: (name: string) => number | undefined,
): Watched {
  const resolved = resolveWatch(expression, notes, place, lookup);
  if (!('value' in resolved)) return resolved;
  const { value } = resolved;
  const problems: string[] = [];
  const number = evaluate(value, bounded(look, problems));
  if (problems[0] !== undefined) return { error: problems[0] };
  if (value.type === 'boolean') return { value: number !== 0 };
  if (value.type !== 'method') return { value: number };
  return { value: Object.entries(methods).find(([, n]) => n === number)?.[0] ?? String(number) };
}

/** As `look`, but what lies outside of a mapping or a surface is a problem; in a scenario's text it is a diagnostic. */
function bounded(look: Look, problems: string[]): Look {
  const check = (name: string, size: number, from: number, to: number) => {
    if (from >= 0 && to <= size) return;
    problems.push(
      size === 0 ? `\`${name}\` is not there yet` : `\`${name}\` has bytes 0 to ${size - 1}`,
    );
  };
  const checkBytes = (bytes: Bytes) => {
    if (bytes.of !== 'mapping') {
      check(bytes.surface.name, bytes.surface.bytes, bytes.start, bytes.end);
      return;
    }
    const { mapping, start, end = start + 1 } = bytes;
    check(mapping.name, look.mapped(mapping).bytes, start, end);
  };
  return {
    variable: (variable) => look.variable(variable),
    mapped: (mapping) => look.mapped(mapping),
    counter: (counter) => look.counter(counter),
    occurred: (what) => look.occurred(what),
    tracker: (surface, field, offset) => {
      if (offset !== undefined) check(surface.name, surface.bytes, offset, offset + 1);
      return problems.length > 0 ? 0 : look.tracker(surface, field, offset);
    },
    signaled: (family, index) => look.signaled(family, index),
    fence: (family, index, field) => look.fence(family, index, field),
    box: (surface, image, field) => look.box(surface, image, field),
    history: (tracepoint) => look.history(tracepoint),
    behind: (of, cpu, mapping, offset, field) => {
      check(mapping.name, look.mapped(mapping).bytes, offset, offset + 1);
      return problems.length > 0 ? 0 : look.behind(of, cpu, mapping, offset, field);
    },
    uniform: (bytes) => {
      checkBytes(bytes);
      return problems.length > 0 ? 0 : look.uniform(bytes);
    },
    same: (left, right) => {
      checkBytes(left);
      checkBytes(right);
      return problems.length === 0 && look.same(left, right);
    },
    ramps: (bytes, first) => {
      checkBytes(bytes);
      return problems.length === 0 && look.ramps(bytes, first);
    },
  };
}

function parseExpression(expression: string): { tree: Expression } | { error: string } {
  const { file, problems } = parse(heading + expression);
  const needed = 'one expression is needed, such as `pte(p[0]).dirty` or `faults.write`';
  const [problem] = problems;
  if (problem !== undefined) {
    // What is said of the statement around it is about nothing that the author wrote.
    return { error: problem.message.includes('`finally ') ? needed : problem.message };
  }
  const statement = file.scenarios[0]?.body[0];
  if (statement?.kind !== 'property' || statement.condition === undefined) return { error: needed };
  if ((file.scenarios[0]?.body.length ?? 0) > 1) return { error: needed };
  return { tree: statement.condition };
}

/** The innermost scope that covers a place of the text. */
function scopeAt(notes: Notes, place: number): Scope | undefined {
  let best: Notes['scopes'][number] | undefined;
  for (const candidate of notes.scopes) {
    const { from, to } = candidate.span;
    if (best !== undefined && (place < from || place > to)) continue;
    if (best === undefined || to - from <= best.span.to - best.span.from) best = candidate;
  }
  return best?.scope;
}

/** All words of an expression that stand alone. */
function namesIn(tree: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof tree !== 'object' || tree === null) return found;
  if ('kind' in tree && tree.kind === 'reference' && 'name' in tree) found.add(String(tree.name));
  for (const part of Object.values(tree)) namesIn(part, found);
  return found;
}
