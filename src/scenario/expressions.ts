// Expressions: names looked up, types checked, constants computed. What a path names (a surface, a mapping, a
// PTE, …) is a `Thing`; most things become values by looking at one of their fields.
import { inserted, removed, replaced, respelled } from '../base/fixes';
import { didYouMean } from '../base/suggest';
import type { Span } from '../base/text';
import { PAGE_SIZE } from '../syntax/numbers';
import type {
  Binary,
  Call,
  Expression,
  Index,
  Member as MemberPath,
  Name,
  Path,
} from '../syntax/tree';
import { apply } from './evaluate';
import type {
  Extent,
  Family,
  Member,
  Place,
  Range,
  SurfaceMeaning,
  Type,
  Value,
  Variable,
} from './meaning';
import { builtins, type Report, type Scope } from './names';
import {
  type CounterName,
  counters,
  errors,
  fenceFields,
  looks,
  methods,
  type OccurrenceName,
  occurrences,
  operations,
  type PteField,
  pteFields,
  type TrackerField,
  trackerFields,
} from './vocabulary';

/** What a path can name. */
export type Thing =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'place'; readonly place: Place; readonly single: boolean }
  | { readonly kind: 'surface'; readonly surface: SurfaceMeaning }
  | { readonly kind: 'device'; readonly surface: SurfaceMeaning }
  | { readonly kind: 'mapping'; readonly mapping: Variable }
  | { readonly kind: 'pte'; readonly mapping: Variable; readonly offset: Value }
  | {
      readonly kind: 'tracker';
      readonly surface: SurfaceMeaning;
      readonly offset: Value | undefined;
    }
  | {
      readonly kind: 'fence' | 'event';
      readonly family: Family;
      readonly index: Value | undefined;
      readonly indexed: boolean;
    }
  | { readonly kind: 'counters'; readonly prefix: string }
  | { readonly kind: 'agent'; readonly name: string };

export function numberValue(span: Span, value: number, type: Type = 'number'): Value {
  return { kind: 'number', from: span.from, to: span.to, type, value };
}

/** The value of an expression, or undefined when a problem was reported. */
export function resolveValue(
  expression: Expression | undefined,
  scope: Scope,
  report: Report,
): Value | undefined {
  if (expression === undefined) return undefined;
  const span = { from: expression.from, to: expression.to };
  switch (expression.kind) {
    case 'number':
      return numberValue(span, expression.value);
    case 'boolean':
      return numberValue(span, Number(expression.value), 'boolean');
    case 'text':
      report(span, 'a text cannot be a value here; only a scenario has a title');
      return undefined;
    case 'parenthesized': {
      const inner = resolveValue(expression.inner, scope, report);
      return inner && { ...inner, from: span.from, to: span.to };
    }
    case 'pages':
      return pageCount(expression.count, span, scope, report);
    case 'unary': {
      const type = expression.operator === 'not' ? 'boolean' : 'number';
      const operand = resolveTyped(
        expression.operand,
        type,
        `\`${expression.operator}\``,
        scope,
        report,
      );
      if (operand === undefined) return undefined;
      if (operand.kind === 'number')
        return numberValue(span, type === 'number' ? -operand.value : 1 - operand.value, type);
      return {
        kind: type === 'number' ? 'negative' : 'not',
        from: span.from,
        to: span.to,
        type,
        operand,
      };
    }
    case 'binary':
      return binary(expression, span, scope, report);
    default: {
      const thing = resolvePath(expression, scope, report);
      return thing && asValue(thing, expression, report);
    }
  }
}

/** A value of the type that the surroundings ask for. */
export function resolveTyped(
  expression: Expression | undefined,
  type: Type,
  who: string,
  scope: Scope,
  report: Report,
): Value | undefined {
  const value = resolveValue(expression, scope, report);
  if (value === undefined || value.type === type) return value;
  const advice = type === 'boolean' ? ': compare it, as in `… == 0`' : '';
  report(value, `${who} needs a ${wordFor(type)}; this is a ${wordFor(value.type)}${advice}`);
  return undefined;
}

function wordFor(type: Type): string {
  return { number: 'number', boolean: 'condition', method: 'tracking method' }[type];
}

function pageCount(
  count: Expression | undefined,
  span: Span,
  scope: Scope,
  report: Report,
): Value | undefined {
  if (count?.kind === 'number' && count.unit === 'bytes') {
    const fix = removed({ from: count.to, to: span.to }, '`pages`');
    report(span, 'this is a number of bytes already; leave `pages` out', 'error', fix);
    return undefined;
  }
  const value = resolveTyped(count, 'number', '`pages`', scope, report);
  if (value === undefined) return undefined;
  const size = numberValue(span, PAGE_SIZE);
  return fold({
    kind: 'binary',
    from: span.from,
    to: span.to,
    type: 'number',
    operator: '*',
    left: value,
    right: size,
  });
}

const logical: readonly string[] = ['and', 'or', 'implies'];
const equality: readonly string[] = ['==', '!='];
const arithmetic: readonly string[] = ['*', '/', '%', '+', '-'];

function binary(expression: Binary, span: Span, scope: Scope, report: Report): Value | undefined {
  const { operator } = expression;
  if (equality.includes(operator)) return comparison(expression, span, scope, report);
  const type = logical.includes(operator) ? 'boolean' : 'number';
  const left = resolveTyped(expression.left, type, `\`${operator}\``, scope, report);
  const right = resolveTyped(expression.right, type, `\`${operator}\``, scope, report);
  if (left === undefined || right === undefined) return undefined;
  if (right.kind === 'number' && right.value === 0 && (operator === '/' || operator === '%')) {
    report(right, `\`${operator}\` by zero`);
    return undefined;
  }
  const result = arithmetic.includes(operator) ? 'number' : 'boolean';
  return fold({
    kind: 'binary',
    from: span.from,
    to: span.to,
    type: result,
    operator,
    left,
    right,
  });
}

/** `==` and `!=`: of one type on both sides; two ranges are compared byte for byte. */
function comparison(
  { operator, left: l, right: r }: Binary,
  span: Span,
  scope: Scope,
  report: Report,
): Value | undefined {
  const left = resolveValue(l, scope, report);
  const right = resolveValue(r, scope, report);
  if (left === undefined || right === undefined) return undefined;
  if (left.kind === 'bytes' && right.kind === 'bytes') {
    const same: Value = {
      kind: 'same',
      from: span.from,
      to: span.to,
      type: 'boolean',
      left: left.place,
      right: right.place,
    };
    return operator === '=='
      ? same
      : { kind: 'not', from: span.from, to: span.to, type: 'boolean', operand: same };
  }
  if (left.type !== right.type) {
    report(
      span,
      `a ${wordFor(left.type)} and a ${wordFor(right.type)} cannot be compared${methodAdvice(left, right)}`,
    );
    return undefined;
  }
  return fold({
    kind: 'binary',
    from: span.from,
    to: span.to,
    type: 'boolean',
    operator,
    left,
    right,
  });
}

function methodAdvice(left: Value, right: Value): string {
  if (left.type !== 'method' && right.type !== 'method') return '';
  return `: a method is ${Object.keys(methods)
    .map((method) => `\`${method}\``)
    .join(', ')}`;
}

/** Computes what can be computed now. */
function fold(value: Value & { kind: 'binary' }): Value {
  const { left, right } = value;
  if (left.kind !== 'number' || right.kind !== 'number') return value;
  return numberValue(value, apply(value.operator, left.value, right.value), value.type);
}

// Paths.

/** What a path names, or undefined when a problem was reported. */
export function resolvePath(path: Path, scope: Scope, report: Report): Thing | undefined {
  switch (path.kind) {
    case 'reference':
      return reference({ from: path.from, to: path.to, text: path.name }, scope, report);
    case 'member':
      return member(path, scope, report);
    case 'index':
      return index(path, scope, report);
    case 'call':
      return call(path, scope, report);
  }
}

function reference(
  name: Span & { readonly text: string },
  scope: Scope,
  report: Report,
): Thing | undefined {
  const entity = scope.use(name);
  if (entity === undefined) return builtin(name, scope, report);
  switch (entity.kind) {
    case 'constant':
      return { kind: 'value', value: numberValue(name, entity.value, entity.type) };
    case 'surface':
      return { kind: 'surface', surface: entity.surface };
    case 'variable': {
      const { variable } = entity;
      if (variable.type === 'mapping') return { kind: 'mapping', mapping: variable };
      const { from, to } = name;
      return {
        kind: 'value',
        value: { kind: 'variable', from, to, type: variable.type, variable },
      };
    }
    case 'fence':
    case 'event':
      return {
        kind: entity.kind,
        family: entity.family,
        index: undefined,
        indexed: entity.indexed,
      };
    case 'broken':
      return undefined;
    case 'parameter':
      return entity.thing && spelled(entity.thing, name);
    default:
      return { kind: 'agent', name: entity.name };
  }
}

/** What a parameter stands for, as it is written in the procedure. */
function spelled(thing: Thing, { from, to }: Span): Thing {
  if (thing.kind === 'value') return { ...thing, value: { ...thing.value, from, to } };
  if (thing.kind === 'place') return { ...thing, place: { ...thing.place, from, to } };
  return thing;
}

function builtin(
  name: Span & { readonly text: string },
  scope: Scope,
  report: Report,
): Thing | undefined {
  const { from, to, text } = name;
  if (Object.hasOwn(counters, text)) {
    const counter = text as CounterName;
    return { kind: 'value', value: { kind: 'counter', from, to, type: 'number', counter } };
  }
  if (Object.hasOwn(occurrences, text)) {
    const what = text as OccurrenceName;
    return { kind: 'value', value: { kind: 'occurred', from, to, type: 'boolean', what } };
  }
  if (Object.hasOwn(methods, text))
    return {
      kind: 'value',
      value: numberValue(name, methods[text as keyof typeof methods], 'method'),
    };
  if (Object.hasOwn(errors, text))
    return { kind: 'value', value: numberValue(name, errors[text as keyof typeof errors].value) };
  if (Object.keys(counters).some((counter) => counter.startsWith(`${text}.`)))
    return { kind: 'counters', prefix: text };
  if (Object.hasOwn(operations, text))
    report(
      name,
      `\`${text}\` is something that is done: \`${operations[text as keyof typeof operations].form}\``,
    );
  else if (Object.hasOwn(looks, text))
    report(
      name,
      `\`${text}\` is asked with parentheses: \`${looks[text as keyof typeof looks].form}\``,
    );
  else
    report(
      name,
      `nothing is named \`${text}\`${didYouMean(text, [...scope.values(), ...builtins])}`,
      'error',
      respelled(name, [...scope.values(), ...builtins]),
    );
  return undefined;
}

function member(path: MemberPath, scope: Scope, report: Report): Thing | undefined {
  const object = resolvePath(path.object, scope, report);
  const field = path.member;
  if (object === undefined || field === undefined) return undefined;
  const { from, to } = path;
  switch (object.kind) {
    case 'counters': {
      const name = `${object.prefix}.${field.text}`;
      if (!Object.hasOwn(counters, name)) {
        const known = Object.keys(counters).filter((c) => c.startsWith(`${object.prefix}.`));
        unknownField(
          field,
          object.prefix,
          known.map((c) => c.slice(object.prefix.length + 1)),
          report,
        );
        return undefined;
      }
      const counter = name as CounterName;
      return { kind: 'value', value: { kind: 'counter', from, to, type: 'number', counter } };
    }
    case 'pte': {
      if (!Object.hasOwn(pteFields, field.text)) {
        unknownField(field, 'a PTE', Object.keys(pteFields), report);
        return undefined;
      }
      const type = field.text === 'frame' ? 'number' : 'boolean';
      const { mapping, offset } = object;
      const pteField = field.text as PteField;
      return {
        kind: 'value',
        value: { kind: 'pte', from, to, type, mapping, offset, field: pteField },
      };
    }
    case 'tracker':
      return trackerField(object, path, field, report);
    case 'fence': {
      if (!Object.hasOwn(fenceFields, field.text)) {
        unknownField(field, 'a fence', Object.keys(fenceFields), report);
        return undefined;
      }
      const fence = oneOf(object, path.object, report);
      if (fence === undefined) return undefined;
      return { kind: 'value', value: { kind: 'signaled', from, to, type: 'boolean', fence } };
    }
    default:
      report(field, `${describe(object)} has no fields`);
      return undefined;
  }
}

function trackerField(
  { surface, offset }: Thing & { kind: 'tracker' },
  { from, to }: Span,
  name: Span & { readonly text: string },
  report: Report,
): Thing | undefined {
  if (!Object.hasOwn(trackerFields, name.text)) {
    unknownField(name, 'a tracker', Object.keys(trackerFields), report);
    return undefined;
  }
  const field = name.text as TrackerField;
  if (field === 'dirty' && offset === undefined) {
    report(
      name,
      `say of which page: \`tracker(${surface.name}[0]).dirty\`, or ask for \`dirtyPages\``,
      'error',
      replaced(name, 'dirtyPages'),
    );
    return undefined;
  }
  const type = field === 'dirty' ? 'boolean' : field === 'method' ? 'method' : 'number';
  return { kind: 'value', value: { kind: 'tracker', from, to, type, surface, offset, field } };
}

function unknownField(field: Name, owner: string, known: readonly string[], report: Report): void {
  const list = known.map((name) => `\`${name}\``).join(', ');
  const guess = didYouMean(field.text, known);
  report(
    field,
    `${owner} has no \`${field.text}\`${guess === '' ? `; it has ${list}` : guess}`,
    'error',
    respelled(field, known),
  );
}

function index(path: Index, scope: Scope, report: Report): Thing | undefined {
  const object = resolvePath(path.object, scope, report);
  const start = resolveOffset(path.start, scope, report);
  const end = resolveOffset(path.end, scope, report);
  if (object === undefined) return undefined;
  const span = { from: path.from, to: path.to };
  switch (object.kind) {
    case 'fence':
    case 'event':
      if (path.range || start === undefined || object.index !== undefined) {
        if (path.range)
          report(span, `name one ${object.kind} at a time: \`${object.family.name}[0]\``);
        return undefined;
      }
      return { ...object, index: start };
    case 'mapping':
    case 'surface':
    case 'device': {
      if (path.start !== undefined && start === undefined) return undefined;
      if (path.end !== undefined && end === undefined) return undefined;
      const first = start ?? numberValue(span, 0);
      const last = end ?? (object.kind === 'mapping' ? undefined : sizeOf(object.surface, span));
      if (path.range && last !== undefined)
        scope.notes.ranges.push({ ...span, start: first, end: last });
      const bounds = {
        from: span.from,
        to: span.to,
        start: first,
        end: path.range ? end : behind(first),
      };
      if (object.kind === 'mapping' && path.start !== undefined)
        scope.notes.places.push({ ...span, name: object.mapping.name, first: path.start });
      return { kind: 'place', single: !path.range, place: placeOf(object, bounds) };
    }
    case 'place':
      report(span, `${describe(object)} is a range already; choose from the whole`);
      return undefined;
    default:
      report(span, `${describe(object)} has no bytes to choose from`);
      return undefined;
  }
}

const sizeOf = ({ bytes }: SurfaceMeaning, span: Span): Value => numberValue(span, bytes);

function resolveOffset(
  expression: Expression | undefined,
  scope: Scope,
  report: Report,
): Value | undefined {
  return resolveTyped(expression, 'number', 'a place', scope, report);
}

/** The offset behind one byte. */
function behind(start: Value): Value {
  const { from, to } = start;
  const right = numberValue(start, 1);
  return fold({ kind: 'binary', from, to, type: 'number', operator: '+', left: start, right });
}

function placeOf(
  object: Thing & { kind: 'mapping' | 'surface' | 'device' },
  bounds: Span & { readonly start: Value; readonly end: Value | undefined },
): Place {
  if (object.kind === 'mapping') return { of: 'mapping', mapping: object.mapping, ...bounds };
  const of = object.kind === 'surface' ? 'memory' : 'device';
  return { of, surface: object.surface, ...bounds };
}

function call(path: Call, scope: Scope, report: Report): Thing | undefined {
  const { callee } = path;
  const name = callee.kind === 'reference' ? callee.name : '';
  if (!Object.hasOwn(looks, name)) {
    const guess = didYouMean(name, Object.keys(looks));
    report(
      callee,
      `nothing can be asked as \`${name || '…'}(…)\`${guess || '; there are `pte`, `tracker` and `gpu`'}`,
      'error',
      respelled({ ...callee, text: name }, Object.keys(looks)),
    );
    return undefined;
  }
  const look = name as keyof typeof looks;
  const [parameter, ...more] = path.parameters;
  if (parameter === undefined || more.length > 0 || !isPath(parameter)) {
    report(path, `\`${look}\` is asked about one thing: \`${looks[look].form}\``);
    return undefined;
  }
  const thing = resolvePath(parameter, scope, report);
  if (thing === undefined) return undefined;
  const found = lookAt(look, thing);
  if (found === undefined)
    report(
      parameter,
      `\`${look}\` cannot be asked about ${describe(thing)}: \`${looks[look].form}\``,
    );
  return found;
}

function lookAt(look: keyof typeof looks, thing: Thing): Thing | undefined {
  if (look === 'pte') {
    if (thing.kind !== 'place' || thing.place.of !== 'mapping') return undefined;
    return { kind: 'pte', mapping: thing.place.mapping, offset: thing.place.start };
  }
  const surface = thing.kind === 'surface' ? thing.surface : undefined;
  const part = thing.kind === 'place' && thing.place.of === 'memory' ? thing.place : undefined;
  if (look === 'tracker') {
    if (surface !== undefined) return { kind: 'tracker', surface, offset: undefined };
    return part && { kind: 'tracker', surface: part.surface, offset: part.start };
  }
  if (surface !== undefined) return { kind: 'device', surface };
  return part && { kind: 'place', single: false, place: { ...part, of: 'device' } };
}

export function isPath(expression: Expression): expression is Path {
  return ['reference', 'member', 'index', 'call'].includes(expression.kind);
}

// Things as something else.

function asValue(thing: Thing, span: Span, report: Report): Value | undefined {
  const { from, to } = span;
  switch (thing.kind) {
    case 'value':
      return thing.value;
    case 'place':
      return { kind: 'bytes', from, to, type: 'number', place: thing.place };
    case 'surface':
    case 'device':
    case 'mapping': {
      const bounds = { from, to, start: numberValue(span, 0), end: undefined };
      return { kind: 'bytes', from, to, type: 'number', place: placeOf(thing, bounds) };
    }
    case 'pte':
      report(span, `say what to look at: ${fields(pteFields, 'pte(…)')}`);
      return undefined;
    case 'tracker':
      report(span, `say what to look at: ${fields(trackerFields, 'tracker(…)')}`);
      return undefined;
    case 'fence':
      report(
        span,
        `a fence is no value; ask \`${thing.family.name}${thing.indexed ? '[…]' : ''}.signaled\``,
        'error',
        inserted(to, '.signaled'),
      );
      return undefined;
    case 'counters':
      report(
        span,
        `say which: ${Object.keys(counters)
          .filter((counter) => counter.startsWith(`${thing.prefix}.`))
          .map((counter) => `\`${counter}\``)
          .join(', ')}`,
      );
      return undefined;
    default:
      report(span, `${describe(thing)} is no value`);
      return undefined;
  }
}

function fields(table: Readonly<Record<string, string>>, owner: string): string {
  return Object.keys(table)
    .map((field) => `\`${owner}.${field}\``)
    .join(', ');
}

/** One fence or event; says so when the name stands for several. */
export function oneOf(
  thing: Thing & { kind: 'fence' | 'event' },
  span: Span,
  report: Report,
): Member | undefined {
  const { family, indexed, index } = thing;
  if (indexed && index === undefined) {
    report(
      span,
      `\`${family.name}\` stands for several; say which: \`${family.name}[0]\``,
      'error',
      inserted(span.to, '[0]'),
    );
    return undefined;
  }
  if (!indexed && index !== undefined) {
    const fix = removed({ from: span.from + family.name.length, to: span.to }, 'the brackets');
    report(span, `there is only one \`${family.name}\`; leave the brackets out`, 'error', fix);
    return undefined;
  }
  return { family, index: index ?? numberValue(span, 0) };
}

/** A mapping or a range of it. */
export function asRange(thing: Thing, { from, to }: Span): Range | undefined {
  if (thing.kind === 'mapping')
    return {
      from,
      to,
      mapping: thing.mapping,
      start: numberValue({ from, to }, 0),
      end: undefined,
    };
  if (thing.kind !== 'place' || thing.place.of !== 'mapping') return undefined;
  const { mapping, start, end } = thing.place;
  return { from, to, mapping, start, end };
}

/** A surface or a range of it. */
export function asExtent(thing: Thing, { from, to }: Span): Extent | undefined {
  if (thing.kind === 'surface')
    return {
      from,
      to,
      surface: thing.surface,
      start: numberValue({ from, to }, 0),
      end: undefined,
    };
  if (thing.kind !== 'place' || thing.place.of !== 'memory') return undefined;
  const { surface, start, end } = thing.place;
  return { from, to, surface, start, end };
}

/** "the surface `ring`": a thing as messages name it. */
export function describe(thing: Thing): string {
  switch (thing.kind) {
    case 'value':
      return `a ${wordFor(thing.value.type)}`;
    case 'place':
      return thing.place.of === 'mapping'
        ? `a range of the mapping \`${thing.place.mapping.name}\``
        : `a range of the surface \`${thing.place.surface.name}\``;
    case 'surface':
      return `the surface \`${thing.surface.name}\``;
    case 'device':
      return `the device's copy of \`${thing.surface.name}\``;
    case 'mapping':
      return `the mapping \`${thing.mapping.name}\``;
    case 'pte':
      return 'a PTE';
    case 'tracker':
      return 'a tracker';
    case 'fence':
    case 'event':
      return `the ${thing.kind} \`${thing.family.name}\``;
    case 'counters':
      return `\`${thing.prefix}\``;
    case 'agent':
      return `\`${thing.name}\``;
  }
}
