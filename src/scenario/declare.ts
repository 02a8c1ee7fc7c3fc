// What the statements of a thread have in common when they are resolved: where they stand, the names that they
// introduce, the ranges of mappings that they work on.
import type { Name, Operation, Path } from '../syntax/tree';
import { asRange, describe, resolvePath } from './expressions';
import type { MappingMeaning, Range, Variable } from './meaning';
import type { Entity, Report, Scope } from './names';

/** Where the statements stand and what resolving them adds to. */
export interface Place {
  readonly process: string;
  /** Undefined: outside of the threads of the process. */
  readonly thread: string | undefined;
  readonly report: Report;
  readonly variables: Variable[];
  /** The call whose statements these are, 0 outside of procedures. */
  readonly frame: number;
  /** The procedures that are being called here, outermost first. */
  readonly calls: readonly string[];
  /** How many calls there are in the scenario, each followed into its procedure. */
  readonly called: { count: number };
  /** What was said of the statements of procedures where they stand: not said again at their calls. */
  readonly said: Set<string>;
  /** A fence that only its own block knows: `let f = submit { … }`. */
  readonly newFence: (name: Name) => Entity & { kind: 'fence' };
}

/** Introduces a name for what a statement gives: a value, or a mapping. */
export function declareVariable(
  name: Name,
  type: Variable['type'],
  scope: Scope,
  place: Place,
  mapping: MappingMeaning | undefined,
): Variable {
  const { from, to, text } = name;
  const variable = newVariable(name, type, place, mapping);
  scope.declare({ kind: 'variable', name: text, declared: { from, to }, variable }, place.report);
  return variable;
}

/** Room for a value, under no name that a scope knows. */
export function newVariable(
  { from, to, text: name }: Name,
  type: Variable['type'],
  { process, thread, frame, variables }: Place,
  mapping?: MappingMeaning,
): Variable {
  const slot = variables.length;
  const variable: Variable = {
    from,
    to,
    slot,
    name,
    type,
    process,
    thread,
    frame,
    kept: false,
    mapping,
  };
  variables.push(variable);
  return variable;
}

/** What an operation works on, when that is a mapping or a range of one. */
export function range(node: Operation, scope: Scope, report: Report): Range | undefined {
  return node.target && rangeAt(node.target, node.verb.text, scope, report);
}

/** A mapping or a range of one, where the operation `verb` needs that. */
export function rangeAt(path: Path, verb: string, scope: Scope, report: Report): Range | undefined {
  const thing = resolvePath(path, scope, report);
  if (thing === undefined) return undefined;
  const found = asRange(thing, path);
  if (found === undefined) {
    const hint =
      thing.kind === 'surface' || (thing.kind === 'place' && thing.place.of === 'memory')
        ? ': map it first, `let p = map …`'
        : '';
    report(path, `\`${verb}\` needs a mapping, not ${describe(thing)}${hint}`);
  }
  return found;
}

/** A path that is a plain name. */
export function simpleName(path: Path | undefined): Name | undefined {
  return path?.kind === 'reference' ? { ...path, text: path.name } : undefined;
}

/** The name behind `else`: it receives what the call returned when it failed, 0 when it did not. */
export function errorName(node: Operation, scope: Scope, place: Place): Variable | undefined {
  if (node.failure === undefined) return undefined;
  const name = simpleName(node.failure);
  if (name !== undefined) return declareVariable(name, 'number', scope, place, undefined);
  place.report(node.failure, 'a plain name is needed here: `… else error`');
  return undefined;
}
