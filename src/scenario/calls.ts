// System calls on mappings and processes: from `map`, `protect`, `fork` and the like to steps. What each does in the
// kernel is said in vocabulary.ts.
import { replaced, respelled } from '../base/fixes';
import { didYouMean } from '../base/suggest';
import type { Span } from '../base/text';
import { type FailurePoint, failurePoints } from '../kernel/lib/fault-inject';
import type { Name, Operation } from '../syntax/tree';
import { declareVariable, errorName, type Place, range } from './declare';
import { asExtent, describe, numberValue, resolvePath, resolveTyped } from './expressions';
import type {
  Failure,
  Range,
  Step,
  SurfaceCall,
  SurfaceMeaning,
  SystemState,
  Value,
} from './meaning';
import type { Report, Scope } from './names';
import {
  type AdviceName,
  advices,
  operations,
  type PinPlace,
  type ProtectionName,
  pinWords,
  protections,
} from './vocabulary';

/** An operation with what was found out about it: the name behind `let` or `as`, and the span of the statement. */
interface Given {
  readonly node: Operation;
  readonly span: Span;
  readonly result: Name | undefined;
  readonly scope: Scope;
  readonly place: Place;
}

export type SystemCall =
  | 'map'
  | 'unmap'
  | 'protect'
  | 'advise'
  | 'remap'
  | 'fork'
  | 'exit'
  | 'fail'
  | 'clear_refs'
  | SurfaceCall
  | 'cursor'
  | SystemState;

/** The step of a system call. */
export function systemCall(call: SystemCall, given: Given): Step | undefined {
  const { node, scope, place } = given;
  const { from, to } = given.span;
  switch (call) {
    case 'map':
      return map(given);
    case 'remap':
      return remap(given);
    case 'exit':
      return exit(given);
    case 'fail': {
      const failure = resolveFailure(node, place.report);
      return failure && { kind: 'fail', from, to, ...failure };
    }
    case 'fork': {
      const child = processOf(node, call, given);
      const error = errorName(node, scope, place);
      return child === undefined ? undefined : { kind: 'fork', from, to, child, error };
    }
    case 'clear_refs': {
      const of = node.target === undefined ? place.process : processOf(node, call, given);
      const error = errorName(node, scope, place);
      return of === undefined ? undefined : { kind: 'clear_refs', from, to, process: of, error };
    }
    case 'create':
    case 'evict':
    case 'swapout':
    case 'pin':
    case 'unpin':
    case 'destroy':
    case 'purge': {
      const surface = surfaceOf(call, given);
      const where = pinPlace(given);
      const error = errorName(node, scope, place);
      return surface && { kind: call, from, to, surface, where, error };
    }
    case 'cursor': {
      const surface = surfaceOf(call, given);
      const { result } = given;
      const into = result && declareVariable(result, 'number', scope, place, undefined);
      const error = errorName(node, scope, place);
      return surface && { kind: call, from, to, surface, into, error };
    }
    case 'suspend':
    case 'resume':
      return { kind: call, from, to, error: errorName(node, scope, place) };
    case 'protect': {
      const mapping = range(node, scope, place.report);
      const access = oneWord<ProtectionName>(given, 'protect', protections);
      const error = errorName(node, scope, place);
      return mapping && access && { kind: 'protect', from, to, mapping, access, error };
    }
    case 'advise': {
      const mapping = range(node, scope, place.report);
      const advice = oneWord<AdviceName>(given, 'advise', advices);
      const error = errorName(node, scope, place);
      return mapping && advice && { kind: 'advise', from, to, mapping, advice, error };
    }
    case 'unmap': {
      const mapping = range(node, scope, place.report);
      const error = errorName(node, scope, place);
      return mapping && { kind: 'unmap', from, to, mapping, error };
    }
  }
}

/** The one word that such an operation needs. */
function oneWord<W extends string>(
  { node, place }: Given,
  verb: 'protect' | 'advise',
  words: Readonly<Record<W, unknown>>,
): W | undefined {
  const [word, second] = node.words;
  if (word !== undefined && second === undefined) return word.text as W;
  const list = Object.keys(words).map((name) => `\`${name}\``);
  place.report(
    second ?? node.verb,
    `\`${verb}\` needs one of ${list.join(', ')}: \`${operations[verb].form}\``,
  );
  return undefined;
}

/** The surface, all of it, that an operation names. */
function surfaceOf(
  call: SurfaceCall | 'cursor',
  { node, scope, place }: Given,
): SurfaceMeaning | undefined {
  const thing = node.target && resolvePath(node.target, scope, place.report);
  if (thing === undefined || node.target === undefined) return undefined;
  if (thing.kind === 'surface') return thing.surface;
  const { form } = operations[call];
  place.report(node.target, `\`${call}\` needs a surface, not ${describe(thing)}: \`${form}\``);
  return undefined;
}

/** Where a buffer object is to be pinned: what stands behind `in`. */
function pinPlace({ node, place }: Given): PinPlace | undefined {
  const [word, name, more] = node.words;
  if (word === undefined) return undefined;
  if (word.text === 'in' && name !== undefined && name.text !== 'in' && more === undefined)
    return name.text as PinPlace;
  const places = Object.keys(pinWords).filter((key) => key !== 'in');
  const list = places.map((key) => `\`in ${key}\``).join(' or ');
  place.report(more ?? word, `say where its memory is to be: ${list}, or nothing`);
  return undefined;
}

/** The process that an operation names. */
function processOf(node: Operation, verb: 'fork' | 'clear_refs', { scope, place }: Given) {
  const { target } = node;
  if (target === undefined) return undefined;
  const name = target.kind === 'reference' ? target.name : '';
  const entity = name === '' ? undefined : scope.find(name);
  if (entity?.kind === 'process') {
    scope.use({ from: target.from, to: target.to, text: name });
    return name;
  }
  if (entity?.kind === 'broken') return undefined;
  const guess = scope.suggestion(name, ['process']);
  const fix = guess === undefined ? undefined : replaced(target, guess);
  const help =
    guess === undefined ? `: \`${operations[verb].form}\`` : `; did you mean \`${guess}\`?`;
  place.report(target, `\`${verb}\` needs the name of a process${help}`, 'error', fix);
  return undefined;
}

function map({ node, span, result, scope, place }: Given): Step | undefined {
  const { report } = place;
  const thing = node.target && resolvePath(node.target, scope, report);
  const extent = thing && asExtent(thing, node.target ?? span);
  if (thing !== undefined && (extent === undefined || (thing.kind === 'place' && thing.single)))
    report(
      node.target ?? span,
      `a surface, or a range of one, can be mapped, not ${describe(thing)}: \`${operations.map.form}\``,
    );
  const at = address(node, scope, place);
  if (result === undefined) {
    report(node.verb, `name the mapping, or nobody can use it: \`${operations.map.form}\``);
    return undefined;
  }
  const isPrivate = node.words.some(({ text }) => text === 'private');
  const readonly = node.words.some(({ text }) => text === 'readonly');
  if (extent === undefined || (thing?.kind === 'place' && thing.single)) {
    if (scope.find(result.text) === undefined)
      scope.declare({ kind: 'broken', name: result.text, declared: result }, report);
    return undefined;
  }
  const { surface } = extent;
  const mapping = { surface, private: isPrivate, readonly };
  const into = declareVariable(result, 'mapping', scope, place, mapping);
  const end = extent.end ?? numberValue(extent, surface.bytes);
  return {
    kind: 'map',
    from: span.from,
    to: span.to,
    into,
    surface,
    start: extent.start,
    end,
    private: isPrivate,
    readonly,
    at,
    error: errorName(node, scope, place),
  };
}

/** The address behind `at`. */
function address(node: Operation, scope: Scope, { report }: Place): Value | undefined {
  const clause = node.clauses.find(({ word }) => word.text === 'at');
  if (clause === undefined) return undefined;
  if (clause.value === undefined) report(clause, 'say which address: `at 0x10000000`');
  return resolveTyped(clause.value, 'number', '`at`', scope, report);
}

function exit({ node, span: { from, to }, place }: Given): Step | undefined {
  if (place.frame !== 0) {
    place.report(node.verb, '`exit` ends a thread: put it there, behind the call of the procedure');
    return undefined;
  }
  return { kind: 'exit', from, to };
}

/** The name of the mapping follows it; a part that is moved gets a name of its own. */
function remap({ node, span, result, scope, place }: Given): Step | undefined {
  const { from, to } = span;
  const { report } = place;
  const mapping = range(node, scope, report);
  const at = address(node, scope, place);
  if (node.clauses.length === 0) report(node.verb, `say where to: \`${operations.remap.form}\``);
  if (mapping === undefined) return undefined;
  const whole = mapping.end === undefined && isZero(mapping);
  if (result === undefined && !whole) {
    report(
      node.verb,
      `a part that moves needs a name of its own: \`let q = remap ${mapping.mapping.name}[…] at …\``,
    );
    return undefined;
  }
  if (result === undefined && mapping.mapping.frame !== place.frame) {
    report(
      node.verb,
      `\`${mapping.mapping.name}\` is named outside of the procedure; name it here, \`let q = remap … at …\``,
    );
    return undefined;
  }
  const into =
    result === undefined
      ? mapping.mapping
      : declareVariable(result, 'mapping', scope, place, mapping.mapping.mapping);
  const error = errorName(node, scope, place);
  return at && { kind: 'remap', from, to, mapping, at, into, error };
}

const isZero = ({ start }: Range): boolean => start.kind === 'number' && start.value === 0;

/** Which point is to fail, how often and when. */
export function resolveFailure(node: Operation, report: Report): Failure | undefined {
  const { target } = node;
  if (target === undefined) return undefined;
  const name = target.kind === 'reference' ? target.name : '';
  if (!Object.hasOwn(failurePoints, name)) {
    const points = Object.keys(failurePoints);
    const guess = didYouMean(name, points);
    const fix = respelled({ from: target.from, to: target.to, text: name }, points);
    report(
      target,
      `nothing named \`${name}\` can fail${guess || '; completion lists what can'}`,
      'error',
      fix,
    );
    return undefined;
  }
  const often = /^(?:(once)|(always)|(never)|([0-9]+) times)(?: after ([0-9]+))?$/.exec(
    node.words.map(({ text }) => text).join(' '),
  );
  const [, once, always, never, times, space = '0'] = often ?? [];
  const count =
    once !== undefined ? 1 : always !== undefined ? -1 : never !== undefined ? 0 : Number(times);
  if (often === null || count > COUNT_MAX || Number(space) > COUNT_MAX) {
    const words = '`once`, `3 times`, `always` or `never`, and `after 2` behind it';
    report(node.verb, `say how often it fails: ${words}: \`${operations.fail.form}\``);
    return undefined;
  }
  return { point: name as FailurePoint, times: count, space: Number(space) };
}

/** Nobody counts further. */
const COUNT_MAX = 1_000_000;
