// Expressions: names looked up, types checked, constants computed. What a path names (a surface, a mapping, a
// PTE, …) is a `Thing`; most things become values by looking at one of their fields.

import { inserted, removed, replaced, respelled } from '../base/fixes';
import { didYouMean } from '../base/suggest';
import type { Span } from '../base/text';
import { chainBytes, mipLevel, SVGA3D_BUFFER, subresourceOffset } from '../hardware/svga/shapes';
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
  BehindLook,
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
import { tracepoints } from './tracepoints';
import {
  type CounterName,
  counters,
  errors,
  eventFields,
  type FenceField,
  fenceFields,
  fieldsOf,
  looks,
  methods,
  numberFields,
  type OccurrenceName,
  occurrences,
  operations,
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
  | {
      readonly kind: 'behind';
      readonly look: BehindLook;
      readonly cpu: number;
      readonly mapping: Variable;
      readonly offset: Value;
    }
  | { readonly kind: 'box'; readonly surface: SurfaceMeaning; readonly image: number }
  | { readonly kind: 'history'; readonly value: Value & { kind: 'history' } }
  | { readonly kind: 'cpu'; readonly name: string }
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
  | { readonly kind: 'ramp'; readonly first: Value }
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
  if (arithmetic.includes(operator) && [left, right].some((side) => isMapping(side, report)))
    return undefined;
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

/** Whether it is a whole mapping, which stands for its bytes: who counts with it means its address, and is told so. */
function isMapping(value: Value, report: Report): boolean {
  if (value.kind !== 'bytes' || value.place.of !== 'mapping' || value.place.end !== undefined)
    return false;
  const { name } = value.place.mapping;
  const address = `address(${name}[0])`;
  const fix = replaced(value, address);
  const message = `\`${name}\` stands for the bytes of the mapping, which cannot be counted with; its address is \`${address}\``;
  report(value, message, 'error', fix);
  return true;
}

/** `ramp(3)`: bytes that count up. */
export const isRamp = (expression: Expression | undefined): expression is Call =>
  expression?.kind === 'call' &&
  expression.callee.kind === 'reference' &&
  expression.callee.name === 'ramp';

/** The byte that a ramp begins with. */
export function resolveRamp(ramp: Call, scope: Scope, report: Report): Value | undefined {
  const [first, ...more] = ramp.parameters;
  if (first !== undefined && more.length === 0)
    return resolveTyped(first, 'number', '`ramp`', scope, report);
  report(ramp, `\`ramp\` is given the first byte: \`${looks.ramp.form}\``);
  return undefined;
}

/** A range against bytes that count up. */
function countsUp(
  operator: string,
  ramp: Call,
  other: Expression | undefined,
  span: Span,
  scope: Scope,
  report: Report,
): Value | undefined {
  const first = resolveRamp(ramp, scope, report);
  const bytes = resolveValue(other, scope, report);
  if (first === undefined || bytes === undefined) return undefined;
  if (bytes.kind !== 'bytes') {
    report(span, `bytes are compared with a ramp: \`p[0 .. 4KiB] == ramp(3)\``);
    return undefined;
  }
  const of = { from: span.from, to: span.to, type: 'boolean' } as const;
  const ramps: Value = { kind: 'ramps', ...of, place: bytes.place, first };
  return operator === '==' ? ramps : { kind: 'not', ...of, operand: ramps };
}

/** `==` and `!=`: of one type on both sides; two ranges are compared byte for byte. */
function comparison(
  { operator, left: l, right: r }: Binary,
  span: Span,
  scope: Scope,
  report: Report,
): Value | undefined {
  if (isRamp(r)) return countsUp(operator, r, l, span, scope, report);
  if (isRamp(l)) return countsUp(operator, l, r, span, scope, report);
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
    case 'cpu':
      return { kind: 'cpu', name: entity.name };
    case 'argument': {
      const { from, to, text } = name;
      const { type } = entity;
      return { kind: 'value', value: { kind: 'argument', from, to, type, name: text } };
    }
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
    case 'behind':
    case 'box': {
      const look = object.kind === 'box' ? 'box' : object.look;
      if (!knownField(field, `\`${look}(…)\``, fieldsOf[look] ?? {}, report)) return undefined;
      if (object.kind === 'box' && !boxHas(object.surface, field, report)) return undefined;
      const type = numberFields.has(field.text) ? 'number' : 'boolean';
      const of = { from, to, type, field: field.text } as const;
      return { kind: 'value', value: { ...object, ...of } };
    }
    case 'history':
      return historyField(object.value, path, field, report);
    case 'tracker':
      return trackerField(object, path, field, report);
    case 'fence':
    case 'event': {
      const table = object.kind === 'fence' ? fenceFields : eventFields;
      if (
        !knownField(field, `a${object.kind === 'fence' ? '' : 'n'} ${object.kind}`, table, report)
      )
        return undefined;
      const member = oneOf(object, path.object, report);
      if (member === undefined) return undefined;
      const type = numberFields.has(field.text) ? 'number' : 'boolean';
      const of = { from, to, type, member } as const;
      return object.kind === 'event'
        ? { kind: 'value', value: { kind: 'event', ...of } }
        : { kind: 'value', value: { kind: 'fence', ...of, field: field.text as FenceField } };
    }
    default:
      report(field, `${describe(object)} has no fields`);
      return undefined;
  }
}

/** The box of a buffer is a range; that of a texture is in pixels. */
function boxHas({ name, shape }: SurfaceMeaning, field: Name, report: Report): boolean {
  const range = field.text === 'start' || field.text === 'end';
  if (!range || shape.format === SVGA3D_BUFFER) return true;
  report(
    field,
    `the box of a texture is in pixels: \`box(${name}).x\`, \`y\`, \`z\`, and \`w\`, \`h\`, \`d\``,
  );
  return false;
}

function trackerField(
  { surface, offset }: Thing & { kind: 'tracker' },
  { from, to }: Span,
  name: Span & { readonly text: string },
  report: Report,
): Thing | undefined {
  if (!knownField(name, 'a tracker', trackerFields, report)) return undefined;
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

/** Says which fields there are when this is none of them. */
function knownField(
  field: Name,
  owner: string,
  table: Readonly<Record<string, string>>,
  report: Report,
): boolean {
  if (Object.hasOwn(table, field.text)) return true;
  unknownField(field, owner, Object.keys(table), report);
  return false;
}

/** An argument of the first or last event. */
function historyField(
  value: Value & { kind: 'history' },
  { from, to }: Span,
  field: Name,
  report: Report,
): Thing | undefined {
  const { ask, tracepoint } = value;
  if (ask === 'events') {
    report(field, `\`events(…)\` is a number; ask \`last(${tracepoint}).${field.text}\``);
    return undefined;
  }
  const args = tracepoints[tracepoint]?.args ?? {};
  const type = Object.hasOwn(args, field.text) ? args[field.text] : undefined;
  if (type !== undefined)
    return { kind: 'value', value: { ...value, from, to, type, field: field.text } };
  const names = Object.keys(args);
  if (names.length > 0) unknownField(field, `\`${tracepoint}\``, names, report);
  else report(field, `\`${tracepoint}\` has no arguments`);
  return undefined;
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
    const list = Object.keys(looks).map((look) => `\`${look}\``);
    report(
      callee,
      `nothing can be asked as \`${name || '…'}(…)\`${guess || `; there are ${list.join(', ')}`}`,
      'error',
      respelled({ ...callee, text: name }, Object.keys(looks)),
    );
    return undefined;
  }
  const look = name as keyof typeof looks;
  if (look === 'events' || look === 'first' || look === 'last')
    return history(path, look, scope, report);
  if (look === 'level' || look === 'layer') return subresource(path, look, scope, report);
  if (look === 'box') return boxOf(path, scope, report);
  if (look === 'ramp') {
    const first = resolveRamp(path, scope, report);
    return first && { kind: 'ramp', first };
  }
  const parameters = [...path.parameters];
  const cpu = look === 'tlb' && parameters.length > 1 ? cpuOf(parameters, scope, report) : 0;
  const [parameter, ...more] = parameters;
  if (cpu === undefined) return undefined;
  if (parameter === undefined || more.length > 0 || !isPath(parameter) || isBareTlb(path, look)) {
    const things = look === 'tlb' ? 'a CPU and one byte of a mapping' : 'one thing';
    report(path, `\`${look}\` is asked about ${things}: \`${looks[look].form}\``);
    return undefined;
  }
  const thing = resolvePath(parameter, scope, report);
  if (thing === undefined) return undefined;
  const found = lookAt(look, cpu, thing, path);
  if (found === undefined)
    report(
      parameter,
      `\`${look}\` cannot be asked about ${describe(thing)}: \`${looks[look].form}\``,
    );
  return found;
}

const isBareTlb = ({ parameters }: Call, look: string): boolean =>
  look === 'tlb' && parameters.length < 2;

/** Takes the CPU off the parameters of `tlb(cpu0, p[0])`. */
function cpuOf(parameters: Expression[], scope: Scope, report: Report): number | undefined {
  const first = parameters.shift();
  const thing = first !== undefined && isPath(first) ? first : undefined;
  const entity = thing?.kind === 'reference' ? scope.find(thing.name) : undefined;
  if (entity?.kind === 'cpu') return entity.cpu;
  const cpus = scope.entities().filter(({ kind }) => kind === 'cpu').length;
  const there = cpus === 1 ? 'it has `cpu0` only' : `it has \`cpu0\` to \`cpu${cpus - 1}\``;
  if (first !== undefined) report(first, `\`tlb\` is asked about a CPU of the machine: ${there}`);
  return undefined;
}

/** The bytes of a level or a layer of a texture. */
function subresource(
  path: Call,
  look: 'level' | 'layer',
  scope: Scope,
  report: Report,
): Thing | undefined {
  const [of, ...numbers] = path.parameters;
  const thing = of !== undefined && isPath(of) ? resolvePath(of, scope, report) : undefined;
  const surface = thing?.kind === 'mapping' ? thing.mapping.mapping?.surface : surfaceOf(thing);
  if (thing === undefined || surface === undefined) {
    if (of === undefined || thing !== undefined)
      report(of ?? path, `\`${look}\` is asked of a texture: \`${looks[look].form}\``);
    return undefined;
  }
  const { mips, layers } = surface.shape;
  const most = look === 'level' ? [mips, layers] : [layers];
  const chosen = most.map((count, i) => {
    const value =
      i < numbers.length ? resolveOffset(numbers[i], scope, report) : numberValue(path, 0);
    if (value === undefined) return undefined;
    if (value.kind !== 'number') {
      report(value, 'which one must be known before the run');
      return undefined;
    }
    if (value.value >= 0 && value.value < count) return value.value;
    report(
      value,
      `\`${surface.name}\` has ${i === 0 && look === 'level' ? 'levels' : 'layers'} 0 to ${count - 1}`,
    );
    return undefined;
  });
  const [first, second] = chosen;
  if (first === undefined || (look === 'level' && second === undefined)) return undefined;
  const image = look === 'level' ? (second ?? 0) * mips + first : first * mips;
  const start = subresourceOffset(surface.shape, image);
  const length =
    look === 'level' ? mipLevel(surface.shape, first).bytes : chainBytes(surface.shape);
  const span = { from: path.from, to: path.to };
  const bounds = {
    ...span,
    start: numberValue(span, start),
    end: numberValue(span, start + length),
  };
  const whole = thing as Thing & { kind: 'mapping' | 'surface' | 'device' };
  return { kind: 'place', single: false, place: placeOf(whole, bounds) };
}

/** The dirty box of a surface, or of one of its subresources. */
function boxOf(path: Call, scope: Scope, report: Report): Thing | undefined {
  const [of, which, ...more] = path.parameters;
  if (of === undefined || !isPath(of) || more.length > 0) {
    report(path, `\`box\` is asked about one surface: \`${looks.box.form}\``);
    return undefined;
  }
  const thing = resolvePath(of, scope, report);
  if (thing === undefined) return undefined;
  if (thing.kind !== 'surface') {
    report(of, `\`box\` cannot be asked about ${describe(thing)}: \`${looks.box.form}\``);
    return undefined;
  }
  const { surface } = thing;
  const image = which === undefined ? numberValue(path, 0) : resolveOffset(which, scope, report);
  if (image === undefined) return undefined;
  const count = surface.shape.mips * surface.shape.layers;
  if (image.kind !== 'number') report(image, 'which one must be known before the run');
  else if (image.value >= 0 && image.value < count)
    return { kind: 'box', surface, image: image.value };
  else report(image, `\`${surface.name}\` has subresources 0 to ${count - 1}`);
  return undefined;
}

const surfaceOf = (thing: Thing | undefined): SurfaceMeaning | undefined =>
  thing?.kind === 'surface' || thing?.kind === 'device' ? thing.surface : undefined;

/** What has happened: the events of a tracepoint, with a condition on their arguments. */
function history(
  path: Call,
  ask: 'events' | 'first' | 'last',
  scope: Scope,
  report: Report,
): Thing | undefined {
  const { from, to } = path;
  const [which, condition, ...more] = path.parameters;
  if (which?.kind !== 'reference' || more.length > 0) {
    report(path, `\`${ask}\` is asked about an event: \`${looks[ask].form}\``);
    return undefined;
  }
  const tracepoint = which.name;
  const entry = Object.hasOwn(tracepoints, tracepoint) ? tracepoints[tracepoint] : undefined;
  if (entry === undefined) {
    const names = Object.keys(tracepoints);
    const guess = didYouMean(tracepoint, names);
    report(
      which,
      `there is no event \`${tracepoint}\`${guess || '; completion lists them'}`,
      'error',
      respelled({ ...which, text: tracepoint }, names),
    );
    return undefined;
  }
  let where: Value | undefined;
  if (condition !== undefined) {
    const inner = scope.inner(condition);
    const declared = { from: which.from, to: which.to };
    for (const [name, type] of Object.entries(entry.args))
      inner.override({ kind: 'argument', name, declared, type });
    where = resolveTyped(condition, 'boolean', `\`${ask}\``, inner, report);
    if (where === undefined) return undefined;
  }
  const of = { from, to, type: 'number', ask, tracepoint, where, field: undefined } as const;
  return { kind: 'history', value: { kind: 'history', ...of } };
}

function lookAt(
  look: Exclude<
    keyof typeof looks,
    'events' | 'first' | 'last' | 'level' | 'layer' | 'ramp' | 'box'
  >,
  cpu: number,
  thing: Thing,
  { from, to }: Span,
): Thing | undefined {
  const surface = thing.kind === 'surface' ? thing.surface : undefined;
  const part = thing.kind === 'place' && thing.place.of === 'memory' ? thing.place : undefined;
  switch (look) {
    case 'tracker':
      if (surface !== undefined) return { kind: 'tracker', surface, offset: undefined };
      return part && { kind: 'tracker', surface: part.surface, offset: part.start };
    case 'gpu':
      if (surface !== undefined) return { kind: 'device', surface };
      return part && { kind: 'place', single: false, place: { ...part, of: 'device' } };
    default: {
      if (thing.kind !== 'place' || thing.place.of !== 'mapping') return undefined;
      const { mapping, start: offset } = thing.place;
      if (look !== 'address') return { kind: 'behind', look, cpu, mapping, offset };
      const of = { from, to, type: 'number', mapping, offset } as const;
      return { kind: 'value', value: { kind: 'address', ...of } };
    }
  }
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
    case 'behind':
    case 'box': {
      const look = thing.kind === 'box' ? 'box' : thing.look;
      report(span, `say what to look at: ${fields(fieldsOf[look] ?? {}, `${look}(…)`)}`);
      return undefined;
    }
    case 'history':
      return thing.value;
    case 'ramp':
      report(span, 'a ramp is no value: store it, `write p = ramp(3)`, or compare bytes with it');
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
    case 'behind':
      return `\`${thing.look}(…)\``;
    case 'box':
      return 'a dirty box';
    case 'history':
      return 'a number';
    case 'cpu':
      return 'a CPU';
    case 'tracker':
      return 'a tracker';
    case 'fence':
    case 'event':
      return `the ${thing.kind} \`${thing.family.name}\``;
    case 'counters':
      return `\`${thing.prefix}\``;
    case 'ramp':
      return 'a ramp';
    case 'agent':
      return `\`${thing.name}\``;
  }
}
