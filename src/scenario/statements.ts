// What threads do: each statement of the tree becomes a step, or problems that say what to do. What an
// operation may be given is one table (`shapes`); the rest is a function for each operation.

import { type Fix, inserted, removed, replaced, respelled } from '../base/fixes';
import { didYouMean } from '../base/suggest';
import type { Span } from '../base/text';
import { type PointName, SLOTS } from '../hardware/svga/bindings';
import { mipLevel, SVGA3D_BUFFER, subresourceOffset } from '../hardware/svga/shapes';
import { statementWords } from '../syntax/forms';
import type {
  Block,
  Clause,
  Expression,
  If,
  Let,
  Name,
  Operation,
  Path,
  Procedure,
  Repeat,
  Statement,
} from '../syntax/tree';
import { commandsMax } from '../user/limits';
import { resolveFailure, systemCall } from './calls';
import {
  declareVariable,
  errorName,
  newVariable,
  type Place,
  range,
  rangeAt,
  simpleName,
} from './declare';
import {
  asExtent,
  describe,
  isPath,
  isRamp,
  oneOf,
  resolvePath,
  resolveRamp,
  resolveTyped,
  resolveValue,
  type Thing,
} from './expressions';
import {
  type Command,
  deviceCommands,
  type Extent,
  type Failure,
  type Member,
  type Step,
  type SurfaceMeaning,
  type Value,
  type Variable,
} from './meaning';
import type { Report, Scope } from './names';
import {
  advices,
  bindWords,
  type CommandName,
  commands,
  type Entry,
  failureWords,
  grabWords,
  mapWords,
  type OperationName,
  operations,
  pinWords,
  protections,
  submitWords,
  type WaitWord,
  waitWords,
} from './vocabulary';

/** The steps of a block; names introduced in it end with it. */
export function resolveBlock(block: Block | undefined, scope: Scope, place: Place): Step[] {
  const inner = block === undefined ? scope : scope.inner(block);
  return resolveSteps(block?.statements ?? [], inner, place);
}

/** The steps of statements that follow each other. */
export function resolveSteps(statements: readonly Statement[], scope: Scope, place: Place): Step[] {
  return statements.flatMap((statement) => resolveStep(statement, scope, place));
}

/** A claim that is known beforehand to hold, or not to, says nothing of the run. */
export function checkConstant({ from, to }: Span, holds: boolean, report: Report): void {
  const always = holds ? 'always holds' : 'never holds';
  report(
    { from, to },
    `this ${always}, whatever the run does: compare with something that it changes`,
    'warning',
  );
}

/** The step of one statement: none when there are problems, then nothing is run. */
export function resolveStep(statement: Statement, scope: Scope, place: Place): Step[] {
  switch (statement.kind) {
    case 'let':
      return only(binding(statement, scope, place));
    case 'repeat':
      return only(repeat(statement, scope, place));
    case 'if':
      return only(conditional(statement, scope, place));
    case 'assert': {
      const { from, to } = statement;
      const condition = resolveTyped(
        statement.condition,
        'boolean',
        '`assert`',
        scope,
        place.report,
      );
      if (condition === undefined) return [];
      return [{ kind: 'assert', from, to, condition }];
    }
    case 'operation':
      return only(operation(statement, scope, place));
    default:
      place.report(headOf(statement), misplaced(statement, place));
      return [];
  }
}

function only(step: Step | undefined): Step[] {
  return step === undefined ? [] : [step];
}

/** The first word of a statement: where it is shown that the statement stands in the wrong place. */
export function headOf(statement: Statement): Span {
  const word = statement.kind === 'property' ? statement.when : statement.kind;
  if (statement.kind === 'operation') return statement.verb;
  return { from: statement.from, to: statement.from + word.length };
}

function misplaced(statement: Statement, place: Place): string {
  const word = statement.kind === 'property' ? statement.when : statement.kind;
  if (statement.kind === 'thread')
    return place.thread === undefined
      ? 'a thread stands directly in its process, not in another block'
      : `a thread cannot stand in another; close \`${place.thread}\` before it`;
  return `\`${word}\` belongs to the scenario; put it outside of the process \`${place.process}\``;
}

function binding(statement: Let, scope: Scope, place: Place): Step | undefined {
  const { name, value, from, to } = statement;
  let step: Step | undefined;
  if (value?.kind === 'operation') step = operation(value, scope, place, { name, from, to });
  else {
    const made = resolveValue(value, scope, place.report);
    if (name === undefined) return undefined;
    if (made !== undefined) {
      const into = declareVariable(name, made.type, scope, place, undefined);
      return { kind: 'let', from, to, into, value: made };
    }
  }
  if (step === undefined && name !== undefined && scope.find(name.text) === undefined)
    scope.declare({ kind: 'broken', name: name.text, declared: name }, place.report);
  return step;
}

function repeat(statement: Repeat, scope: Scope, place: Place): Step | undefined {
  const { from, to } = statement;
  const count = resolveTyped(statement.count, 'number', '`repeat`', scope, place.report);
  if (count?.kind === 'number' && count.value < 0)
    place.report(count, `a block cannot be repeated ${count.value} times`);
  const inner = scope.inner(statement);
  // A loop counts even when nobody asks for its number.
  const name = statement.counter ?? { from, to: from + 'repeat'.length, text: '' };
  const counter =
    statement.counter === undefined
      ? newVariable(name, 'number', place)
      : declareVariable(name, 'number', inner, place, undefined);
  const body = resolveBlock(statement.body, inner, place);
  return count && { kind: 'repeat', from, to, count, counter, body };
}

function conditional(statement: If, scope: Scope, place: Place): Step | undefined {
  const { from, to, then: first, otherwise: second } = statement;
  const condition = resolveTyped(statement.condition, 'boolean', '`if`', scope, place.report);
  const then = resolveBlock(first, scope, place);
  const otherwise =
    second !== undefined && 'kind' in second
      ? only(conditional(second, scope, place))
      : resolveBlock(second, scope, place);
  return condition && { kind: 'if', from, to, condition, then, otherwise };
}

// Procedures.

/** Calls followed in one scenario; procedures that call each other many times grow beyond what anybody means. */
const CALLS_MAX = 1000;

/** The parameters as they are written: `fill(range, value)`. */
export function procedureForm({ name, parameters }: Procedure): string {
  return `${name?.text ?? '…'}(${parameters.map(({ text }) => text).join(', ')})`;
}

/**
 * A call: the statements of the procedure, resolved for what they are given here. What is wrong with them for that
 * reason is reported at the call.
 */
function call(
  node: Operation,
  procedure: Procedure,
  home: Scope,
  scope: Scope,
  place: Place,
): Step | undefined {
  const { report } = place;
  const { from, to } = node;
  const name = node.verb.text;
  const form = procedureForm(procedure);
  scope.use(node.verb);
  if (node.parameters === undefined || node.target !== undefined || node.value !== undefined) {
    report(
      node.verb,
      `\`${name}\` is a procedure; what it is given stands in parentheses: \`${form}\``,
    );
    return undefined;
  }
  const things = node.parameters.map((parameter) => argument(parameter, scope, report));
  const count = procedure.parameters.length;
  if (things.length !== count) {
    const given = things.length === 1 ? 'this is 1' : `these are ${things.length}`;
    report(node, `\`${form}\` is given ${count === 1 ? '1 thing' : `${count} things`}; ${given}`);
    return undefined;
  }
  if (place.calls.includes(name)) {
    const circle = [...place.calls.slice(place.calls.indexOf(name)), name].join(' → ');
    report(node.verb, `a procedure cannot call itself (${circle}); repeat with \`repeat\``);
    return undefined;
  }
  if (things.some((thing) => thing === undefined)) return undefined;
  const frame = ++place.called.count;
  if (frame > CALLS_MAX) {
    if (frame === CALLS_MAX + 1)
      report(
        node.verb,
        `with this there are more than ${CALLS_MAX} calls of procedures in the scenario`,
      );
    return undefined;
  }
  const given: { into: Variable; value: Value }[] = [];
  const inner: Place = {
    ...place,
    frame,
    calls: [...place.calls, name],
    report: (span, message, severity) => {
      if (severity !== 'warning' && !place.said.has(`${span.from} ${message}`))
        report(node, `in \`${name}\`: ${message}`);
    },
  };
  const keep = (parameter: Name, part: string, value: Value): Value => {
    if (part !== '' && value.kind === 'number') return value;
    const name = { ...parameter, text: `${parameter.text}${part}` };
    const into = newVariable(name, value.type, inner);
    given.push({ into, value });
    return { kind: 'variable', from: value.from, to: value.to, type: value.type, variable: into };
  };
  const bodyScope = home.procedure(procedure);
  procedure.parameters.forEach((parameter, i) => {
    const thing = things[i];
    bodyScope.declare(
      {
        kind: 'parameter',
        name: parameter.text,
        declared: { from: parameter.from, to: parameter.to },
        thing: thing && kept(thing, (part, value) => keep(parameter, part, value)),
      },
      () => {},
    );
  });
  const body = resolveBlock(procedure.body, bodyScope, inner);
  return { kind: 'call', from, to, procedure: name, frame, given, body };
}

/** What a call gives: a value, or a thing as it is. */
function argument(expression: Expression, scope: Scope, report: Report): Thing | undefined {
  const thing = isPath(expression) ? resolvePath(expression, scope, report) : undefined;
  if (isPath(expression) && thing === undefined) return undefined;
  if (thing !== undefined && thing.kind !== 'value' && isGiven.has(thing.kind)) return thing;
  const value = resolveValue(expression, scope, report);
  return value && { kind: 'value', value };
}

/** What a procedure can be given besides values. */
const isGiven: ReadonlySet<Thing['kind']> = new Set([
  'place',
  'surface',
  'mapping',
  'fence',
  'event',
]);

/** The thing with its values as they were at the call. */
function kept(thing: Thing, keep: (part: string, value: Value) => Value): Thing {
  switch (thing.kind) {
    case 'value':
      return { kind: 'value', value: keep('', thing.value) };
    case 'place': {
      const { place } = thing;
      const start = keep('.start', place.start);
      const end = place.end && keep('.end', place.end);
      return { ...thing, place: { ...place, start, end } };
    }
    case 'fence':
    case 'event':
      return { ...thing, index: thing.index && keep('.index', thing.index) };
    default:
      return thing;
  }
}

// Operations.

interface Shape {
  readonly target: 'needed' | 'optional' | 'none';
  readonly value: boolean;
  readonly clauses: readonly string[];
  readonly words: Readonly<Record<string, Entry>>;
  /** Whether numbers may stand among the words. */
  readonly numbers: boolean;
  readonly result: boolean;
  /** Whether it can fail, so that `else error` may stand behind it. */
  readonly fails: boolean;
  readonly body: boolean;
}

const bare: Shape = {
  target: 'needed',
  value: false,
  clauses: [],
  words: {},
  numbers: false,
  result: false,
  fails: false,
  body: false,
};

/** What may follow each verb. */
const shapes: Readonly<Record<OperationName, Shape>> = {
  map: { ...bare, clauses: ['at'], words: mapWords, result: true, fails: true },
  unmap: { ...bare, fails: true },
  protect: { ...bare, words: protections, fails: true },
  advise: { ...bare, words: advices, fails: true },
  remap: { ...bare, clauses: ['at'], result: true, fails: true },
  fork: { ...bare, fails: true },
  exit: { ...bare, target: 'none' },
  sigaction: { ...bare, target: 'none' },
  clear_refs: { ...bare, target: 'optional', fails: true },
  evict: { ...bare, fails: true },
  swapout: { ...bare, fails: true },
  pin: { ...bare, words: pinWords, fails: true },
  unpin: { ...bare, words: pinWords, fails: true },
  create: { ...bare, fails: true },
  destroy: { ...bare, fails: true },
  purge: { ...bare, fails: true },
  cursor: { ...bare, result: true, fails: true },
  suspend: { ...bare, target: 'none', fails: true },
  resume: { ...bare, target: 'none', fails: true },
  fail: { ...bare, words: failureWords, numbers: true },
  write: { ...bare, value: true, fails: true },
  read: { ...bare, result: true, fails: true },
  copy: { ...bare, clauses: ['to'], fails: true },
  copy_to_user: { ...bare, value: true, result: true },
  copy_from_user: { ...bare, result: true },
  peek: { ...bare, result: true, fails: true },
  poke: { ...bare, value: true, fails: true },
  flush: bare,
  invalidate: bare,
  poll: { ...bare, result: true },
  submit: {
    ...bare,
    target: 'none',
    words: submitWords,
    result: true,
    fails: true,
    body: true,
  },
  wait: { ...bare, words: waitWords, fails: true },
  signal: bare,
  kill: bare,
  grab: { ...bare, words: grabWords, fails: true },
  release: { ...bare, fails: true },
  export: { ...bare, result: true, fails: true },
  attach: { ...bare, clauses: ['to'], fails: true },
};

const commandShapes: Readonly<Record<CommandName, Shape>> = {
  draw: { ...bare, target: 'optional', value: true, clauses: ['reads', 'writes'] },
  bind: { ...bare, words: bindWords, numbers: true },
  unbind: { ...bare, numbers: true },
  copy: { ...bare, clauses: ['to'] },
  clear: { ...bare, value: true },
  genmips: bare,
  present: bare,
  wait: bare,
  update: bare,
  readback: bare,
  invalidate: bare,
};

/** `fail …` outside of processes. */
export function failureOf(node: Operation, report: Report): Failure | undefined {
  return checkShape(node, shapes.fail, operations.fail.form, report)
    ? resolveFailure(node, report)
    : undefined;
}

/** Reports the first thing that does not fit the verb. */
function checkShape(node: Operation, shape: Shape, form: string, report: Report): boolean {
  const verb = node.verb.text;
  const written = `; it is written \`${form}\``;
  const fail = (span: Span, message: string, fix?: Fix): false => {
    report(span, `${message}${written}`, 'error', fix);
    return false;
  };
  if (node.parameters !== undefined)
    return fail(node.verb, `\`${verb}\` takes nothing in parentheses`);
  if (shape.target === 'needed' && node.target === undefined)
    return fail(node.verb, `\`${verb}\` needs to be told what`);
  if (shape.target === 'none' && node.target !== undefined)
    return fail(node.target, `\`${verb}\` takes nothing here`, removed(node.target, 'it'));
  if (node.value !== undefined && !shape.value)
    return fail(node.value, `\`${verb}\` takes no value`);
  const clause = node.clauses.find(({ word }) => !shape.clauses.includes(word.text));
  if (clause !== undefined)
    return fail(clause.word, `\`${verb}\` takes no \`${clause.word.text}\``);
  const word = node.words.find(
    ({ text }) => !Object.hasOwn(shape.words, text) && !(shape.numbers && /^[0-9]+$/.test(text)),
  );
  if (word !== undefined) {
    const guess = didYouMean(word.text, Object.keys(shape.words));
    return guess === ''
      ? fail(word, `\`${word.text}\` is not understood here`)
      : (report(
          word,
          `\`${word.text}\` is not understood here${guess}`,
          'error',
          respelled(word, Object.keys(shape.words)),
        ),
        false);
  }
  if (node.result !== undefined && !shape.result)
    return fail(node.result, `\`${verb}\` gives back nothing to be named`);
  if (node.failure !== undefined && !shape.fails)
    return fail(node.failure, `\`${verb}\` has no error to be named`);
  if (node.body !== undefined && !shape.body)
    return fail({ from: node.body.from, to: node.body.from + 1 }, `\`${verb}\` takes no block`);
  if (shape.body && node.body === undefined) return fail(node.verb, `\`${verb}\` needs a block`);
  return true;
}

/** `named`: from `let NAME = …`, the same as `as NAME`; its span is that of the whole statement. */
function operation(
  node: Operation,
  scope: Scope,
  place: Place,
  named?: Span & { readonly name: Name | undefined },
): Step | undefined {
  const { report } = place;
  const verb = node.verb.text;
  const entity = scope.find(verb);
  if (entity?.kind === 'procedure' && named === undefined)
    return call(node, entity.procedure, entity.home, scope, place);
  if (!Object.hasOwn(operations, verb)) {
    report(node.verb, unknownVerb(node, verb, scope, place), 'error', knownVerb(node, verb, scope));
    return undefined;
  }
  const name = verb as OperationName;
  if (!checkShape(node, shapes[name], operations[name].form, report)) return undefined;
  if (named?.name !== undefined && node.result !== undefined) {
    const fix = removed({ from: node.result.from - 3, to: node.result.to }, '`as`');
    report(node.result, 'named twice: leave `let` or `as` out', 'error', fix);
    return undefined;
  }
  if (named !== undefined && !shapes[name].result) {
    const fix = removed({ from: named.from, to: node.from }, '`let`');
    report(
      node.verb,
      `\`${verb}\` gives back nothing to be named; leave \`let\` out`,
      'error',
      fix,
    );
    return undefined;
  }
  const span = { from: named?.from ?? node.from, to: named?.to ?? node.to };
  const result = named?.name ?? simpleName(node.result);
  switch (name) {
    case 'map':
    case 'unmap':
    case 'protect':
    case 'advise':
    case 'remap':
    case 'fork':
    case 'exit':
    case 'fail':
    case 'clear_refs':
    case 'create':
    case 'evict':
    case 'swapout':
    case 'pin':
    case 'unpin':
    case 'destroy':
    case 'purge':
    case 'cursor':
    case 'suspend':
    case 'resume':
      return systemCall(name, { node, span, result, scope, place });
    case 'write': {
      const target = range(node, scope, report);
      const ramp = isRamp(node.value);
      const value = isRamp(node.value)
        ? resolveRamp(node.value, scope, report)
        : storedValue(node, scope, report);
      const error = errorName(node, scope, place);
      return target && { kind: 'write', ...span, target, value, ramp, error };
    }
    case 'read':
      return read(node, span, result, scope, place);
    case 'submit':
      return submit(node, span, named?.name, scope, place);
    case 'copy': {
      const source = range(node, scope, report);
      const to = node.clauses[0]?.target;
      const target = to && rangeAt(to, 'copy', scope, report);
      if (to === undefined) report(node.verb, `say where to: \`${operations.copy.form}\``);
      const error = errorName(node, scope, place);
      return source && target && { kind: 'copy', ...span, source, target, error };
    }
    case 'copy_to_user':
    case 'copy_from_user': {
      const target = range(node, scope, report);
      const stored = name === 'copy_to_user' ? storedValue(node, scope, report) : 'load';
      const left = result && declareVariable(result, 'number', scope, place, undefined);
      const { from, to } = span;
      return target && { kind: 'usercopy', from, to, target, value: stored, left };
    }
    case 'peek': {
      const target = range(node, scope, report);
      const into = result && declareVariable(result, 'number', scope, place, undefined);
      const error = errorName(node, scope, place);
      return target && { kind: 'peek', ...span, target, into, error };
    }
    case 'poke': {
      const target = range(node, scope, report);
      const value = storedValue(node, scope, report);
      const error = errorName(node, scope, place);
      return target && { kind: 'poke', ...span, target, value, error };
    }
    case 'sigaction':
      return { kind: name, from: span.from, to: span.to };
    case 'flush':
    case 'invalidate': {
      const target = range(node, scope, report);
      const { from, to } = span;
      return target && { kind: name, from, to, target };
    }
    case 'poll':
      return poll(node, span, result, scope, place);
    case 'wait':
      return wait(node, span, scope, place);
    case 'signal':
      return meet(node, name, span, scope, report);
    case 'kill':
      return kill(node, span, scope, place);
    case 'grab':
    case 'release': {
      const surface = surfaceAt(node.target, name, scope, report);
      const error = errorName(node, scope, place);
      if (surface === undefined) return undefined;
      if (name === 'release') return { kind: name, ...span, surface, error };
      const has = (word: keyof typeof grabWords) => node.words.some(({ text }) => text === word);
      return { kind: name, ...span, surface, shared: has('shared'), nowait: has('nowait'), error };
    }
    case 'export': {
      const surface = surfaceAt(node.target, name, scope, report);
      const fence = fenceNamed(node, named?.name, span, scope, place);
      if (fence === undefined && node.result === undefined && named === undefined)
        report(node.verb, `name the fence: \`${operations.export.form}\``);
      const error = errorName(node, scope, place);
      return surface && fence && { kind: 'export', ...span, surface, fence, error };
    }
    case 'attach': {
      const met = meet(node, 'wait', span, scope, report);
      const to = node.clauses[0]?.target;
      if (to === undefined) report(node.verb, `say to what: \`${operations.attach.form}\``);
      const surface = surfaceAt(to, name, scope, report);
      const error = errorName(node, scope, place);
      if (met?.kind !== 'wait' || surface === undefined) return undefined;
      if (met.for === 'event') {
        report(node.target ?? span, 'only a fence can guard memory, not an event');
        return undefined;
      }
      return { kind: 'attach', ...span, surface, member: met.member, error };
    }
  }
}

/** The surface that a path names. */
function surfaceAt(
  path: Path | undefined,
  verb: OperationName,
  scope: Scope,
  report: Report,
): SurfaceMeaning | undefined {
  const thing = path && resolvePath(path, scope, report);
  if (path === undefined || thing === undefined) return undefined;
  if (thing.kind === 'surface') return thing.surface;
  report(path, `\`${verb}\` needs a surface, not ${describe(thing)}: \`${operations[verb].form}\``);
  return undefined;
}

/** A signal for a thread of the process, which stands above. */
function kill(node: Operation, span: Span, scope: Scope, place: Place): Step | undefined {
  const { target } = node;
  if (target === undefined) return undefined;
  const name = target.kind === 'reference' ? target.name : '';
  const { from, to } = span;
  if (name !== '' && scope.find(name)?.kind === 'thread') {
    scope.use({ from: target.from, to: target.to, text: name });
    return { kind: 'kill', from, to, thread: name, process: place.process };
  }
  const guess = scope.suggestion(name, ['thread']);
  const fix = guess === undefined ? undefined : replaced(target, guess);
  const help =
    guess === undefined ? `: \`${operations.kill.form}\`` : `; did you mean \`${guess}\`?`;
  const needs = 'needs a thread of this process that stands above';
  place.report(target, `\`kill\` ${needs}${help}`, 'error', fix);
  return undefined;
}

/** Waits for a fence or an event; for a fence there are several ways. */
function wait(node: Operation, span: Span, scope: Scope, place: Place): Step | undefined {
  const met = meet(node, 'wait', span, scope, place.report);
  if (met?.kind !== 'wait') return undefined;
  const [word, second] = node.words;
  if (second !== undefined) {
    const fix = removed(second, `\`${second.text}\``);
    place.report(second, 'one waits in one way', 'error', fix);
    return undefined;
  }
  const odd = word ?? node.failure;
  if (met.for === 'event' && odd !== undefined) {
    place.report(odd, 'one just waits for an event of threads', 'error', removed(odd, 'this'));
    return undefined;
  }
  const error = errorName(node, scope, place);
  return { ...met, how: word?.text as WaitWord | undefined, error };
}

/** Everything that a statement of a thread can begin with. */
const verbs = [...Object.keys(operations), ...statementWords];

function knownVerb(node: Operation, verb: string, scope: Scope): Fix | undefined {
  if (Object.hasOwn(commands, verb)) return undefined;
  if (node.parameters !== undefined) return respelled(node.verb, procedures(scope));
  if (isAssignment(node)) return inserted(node.from, 'let ');
  return respelled(node.verb, verbs);
}

function isAssignment({ value, target, clauses }: Operation): boolean {
  return value !== undefined && target === undefined && clauses.length === 0;
}

function unknownVerb(node: Operation, verb: string, scope: Scope, place: Place): string {
  if (node.parameters !== undefined) return unknownProcedure(verb, scope);
  if (Object.hasOwn(commands, verb))
    return `\`${verb}\` is done by the GPU: \`submit { ${commands[verb as CommandName].form} }\``;
  if (isAssignment(node))
    return `\`${verb}\` is nothing that can be done; name a value with \`let ${verb} = …\`, store with \`write p[0] = …\``;
  const guess = didYouMean(verb, verbs);
  const list = Object.keys(operations)
    .map((name) => `\`${name}\``)
    .join(', ');
  const where = place.thread === undefined ? 'a process' : 'a thread';
  return `\`${verb}\` is nothing that ${where} can do${guess || `; it can ${list}`}`;
}

function unknownProcedure(name: string, scope: Scope): string {
  const help = didYouMean(name, procedures(scope)) || `; \`procedure ${name}(…) { … }\` makes one`;
  return `there is no procedure \`${name}\`${help}`;
}

function procedures(scope: Scope): string[] {
  return scope.entities().flatMap(({ kind, name }) => (kind === 'procedure' ? [name] : []));
}

/** The value of a store. Stores are of bytes. */
function storedValue(
  { value }: { readonly value: Operation['value'] },
  scope: Scope,
  report: Report,
): Value | undefined {
  const made = resolveTyped(value, 'number', 'a store', scope, report);
  if (made?.kind === 'number' && (made.value < 0 || made.value > 255)) {
    report(
      made,
      `${made.value} does not fit a byte; every byte of the range gets the value, 0 to 255`,
    );
    return undefined;
  }
  return made;
}

function read(
  node: Operation,
  span: Span,
  result: Name | undefined,
  scope: Scope,
  place: Place,
): Step | undefined {
  const target = range(node, scope, place.report);
  if (node.result !== undefined && result === undefined)
    place.report(node.result, 'a plain name is needed here: `read p[0] as x`');
  const into =
    result === undefined ? undefined : declareVariable(result, 'number', scope, place, undefined);
  const error = errorName(node, scope, place);
  return target && { kind: 'read', from: span.from, to: span.to, target, into, error };
}

/** The fence that gets a name: `local` behind `let`, or what stands behind `as`. */
function fenceNamed(
  node: Operation,
  local: Name | undefined,
  span: Span,
  scope: Scope,
  { report, newFence }: Place,
): Member | undefined {
  let thing: Thing | undefined;
  if (local !== undefined) {
    const entity = newFence(local);
    scope.declare(entity, report);
    thing = { kind: 'fence', family: entity.family, index: undefined, indexed: false };
  } else if (node.result !== undefined) thing = resolvePath(node.result, scope, report);
  if (thing !== undefined && thing.kind !== 'fence') {
    report(node.result ?? span, `${describe(thing)} cannot be the name of a fence; choose another`);
    return undefined;
  }
  return thing && oneOf(thing, node.result ?? span, report);
}

function submit(
  node: Operation,
  span: Span,
  local: Name | undefined,
  scope: Scope,
  place: Place,
): Step | undefined {
  const { report } = place;
  const [first, ...others] = node.body?.statements ?? [];
  const waits = first?.kind === 'operation' && first.verb.text === 'wait' ? first : undefined;
  const behind = waits && awaited(waits, scope, report);
  const listed = waits === undefined ? (node.body?.statements ?? []) : others;
  const made = listed.map((statement) => command(statement, scope, report));
  const fence = fenceNamed(node, local, span, scope, place);
  if (fence === undefined && node.result !== undefined) return undefined;
  if (node.body !== undefined && node.body.statements.length === 0)
    report(node.verb, 'nothing is submitted', 'warning');
  const exported = node.words.length > 0;
  const [word] = node.words;
  if (word !== undefined && fence === undefined)
    report(word, `name the fence that is exported: \`submit { … } as done ${word.text}\``);
  const error = errorName(node, scope, place);
  const list = made.filter((one) => one !== undefined);
  const count = deviceCommands(list);
  if (count > commandsMax)
    report(
      node.verb,
      `a submission has room for ${commandsMax} commands of the device; these are ${count}`,
    );
  return list.length === made.length
    ? {
        kind: 'submit',
        from: span.from,
        to: span.to,
        commands: list,
        fence,
        exported,
        behind,
        error,
      }
    : undefined;
}

/** The fence that a submission waits for. */
function awaited(node: Operation, scope: Scope, report: Report): Member | undefined {
  if (!checkShape(node, commandShapes.wait, commands.wait.form, report)) return undefined;
  const met = meet(node, 'wait', node, scope, report);
  if (met?.kind !== 'wait') return undefined;
  if (met.for === 'fence') return met.member;
  report(node.target ?? node, 'a submission waits for fences; wait for the event in front of it');
  return undefined;
}

function meet(
  node: Operation,
  verb: 'wait' | 'signal',
  span: Span,
  scope: Scope,
  report: Report,
): Step | undefined {
  const { target } = node;
  if (target === undefined) return undefined;
  const base = baseOf(target);
  if (base !== undefined && scope.find(base.text) === undefined) {
    const guess = scope.suggestion(base.text, ['fence', 'event']);
    const fix = guess === undefined ? undefined : replaced(base, guess);
    report(
      base,
      `no fence or event is named \`${base.text}\`${guess === undefined ? `; \`submit { … } as ${base.text}\` names a fence, \`signal ${base.text}\` an event` : `; did you mean \`${guess}\`?`}`,
      'error',
      fix,
    );
    return undefined;
  }
  const thing = resolvePath(target, scope, report);
  if (thing === undefined) return undefined;
  if (thing.kind !== 'event' && (thing.kind !== 'fence' || verb === 'signal')) {
    const what =
      verb === 'signal'
        ? 'only an event can be signaled by a thread'
        : 'one waits for a fence or an event';
    report(target, `${what}; this is ${describe(thing)}`);
    return undefined;
  }
  const member = oneOf(thing, target, report);
  if (member === undefined) return undefined;
  return verb === 'signal'
    ? { kind: 'signal', from: span.from, to: span.to, member }
    : {
        kind: 'wait',
        from: span.from,
        to: span.to,
        for: thing.kind,
        member,
        how: undefined,
        error: undefined,
      };
}

/** Asks a fence: the name behind `as` tells whether it has signaled. */
function poll(
  node: Operation,
  span: Span,
  result: Name | undefined,
  scope: Scope,
  place: Place,
): Step | undefined {
  const { report } = place;
  const met = meet(node, 'wait', span, scope, report);
  if (met?.kind !== 'wait') return undefined;
  if (met.for === 'event') {
    const name = met.member.family.name;
    report(node.target ?? span, `only a fence is polled; ask \`${name}.signaled\``);
    return undefined;
  }
  if (result === undefined) {
    report(node.verb, `name what it tells: \`${operations.poll.form}\``);
    return undefined;
  }
  const into = declareVariable(result, 'boolean', scope, place, undefined);
  return { kind: 'poll', from: span.from, to: span.to, member: met.member, into };
}

/** The name a path begins with. */
export function baseOf(path: Path): Name | undefined {
  switch (path.kind) {
    case 'reference':
      return { from: path.from, to: path.to, text: path.name };
    case 'index':
    case 'member':
      return baseOf(path.object);
    default:
      return undefined;
  }
}

// Commands of the GPU.

function command(statement: Statement, scope: Scope, report: Report): Command | undefined {
  if (statement.kind !== 'operation') {
    report(
      headOf(statement),
      'a submission holds commands only; put this in front of `submit` or behind it',
    );
    return undefined;
  }
  const { from, to } = statement;
  const verb = statement.verb.text;
  if (!Object.hasOwn(commands, verb)) {
    const list = Object.keys(commands)
      .map((name) => `\`${name}\``)
      .join(', ');
    const guess = didYouMean(verb, Object.keys(commands));
    const does = Object.hasOwn(operations, verb)
      ? '; it is done by a thread: put it in front of `submit` or behind it'
      : guess || `; there are ${list}`;
    const fix = Object.hasOwn(operations, verb)
      ? undefined
      : respelled(statement.verb, Object.keys(commands));
    report(statement.verb, `\`${verb}\` is no command of the GPU${does}`, 'error', fix);
    return undefined;
  }
  const name = verb as CommandName;
  if (!checkShape(statement, commandShapes[name], commands[name].form, report)) return undefined;
  if (name === 'draw') return draw(statement, scope, report);
  if (name === 'unbind') {
    const { target } = statement;
    const point = target?.kind === 'reference' ? pointNamed(target.name) : undefined;
    const slot = slotOf(statement, commands.unbind.form, report);
    const word = target && { ...target, text: target.kind === 'reference' ? target.name : '' };
    if (word !== undefined && point === undefined)
      report(
        word,
        `nothing can be bound as that${didYouMean(word.text, Object.keys(bindWords)) || `; there are ${pointList()}`}`,
        'error',
        respelled(word, Object.keys(bindWords)),
      );
    return point && slot !== undefined ? { verb: name, from, to, point, slot } : undefined;
  }
  if (name === 'wait') {
    report(
      statement.verb,
      'a submission waits for one fence, before anything else: put it in front',
    );
    return undefined;
  }
  const target = extentOf(statement.target, verb, scope, report);
  if (name === 'bind') {
    const point = pointNamed(statement.words[0]?.text ?? '');
    const slot = slotOf({ words: statement.words.slice(1) }, commands.bind.form, report);
    if (point === undefined)
      report(statement.verb, `say as what, one of ${pointList()}: \`${commands.bind.form}\``);
    return target && point && slot !== undefined
      ? { verb: name, from, to, point, slot, extent: target }
      : undefined;
  }
  if (name === 'clear') {
    const value = deviceValue(statement, scope, report);
    return target && { verb: name, from, to, target, value };
  }
  if (name === 'genmips' && target !== undefined && target.surface.shape.mips === 1)
    report(
      statement.verb,
      `\`${target.surface.name}\` has one level; give it more: \`texture rgba8 64 by 64 mips 7\``,
    );
  if (name === 'update' || name === 'readback' || name === 'invalidate') {
    if (target === undefined) return undefined;
    const image = imageOf(target);
    const buffer = target.surface.shape.format === SVGA3D_BUFFER;
    if (target.end !== undefined && image === undefined && !(buffer && name === 'update'))
      report(
        target,
        `\`${name}\` is of the whole surface, or of one level of it: ${levelForm(target)}`,
      );
    return { verb: name, from, to, target, image };
  }
  if (name !== 'copy') return target && { verb: name, from, to, target };
  const [clause] = statement.clauses;
  if (clause === undefined) {
    report(statement.verb, `say where to: \`${commands.copy.form}\``);
    return undefined;
  }
  const copied = extentOf(clause.target, 'to', scope, report);
  for (const extent of [target, copied])
    if (extent !== undefined)
      needsBuffer(extent, '`copy` is between buffers; a draw reads and writes textures', report);
  return target && copied && { verb: 'copy', from, to, source: target, target: copied };
}

/** The subresource whose bytes these are; undefined when they are other bytes, or all of the surface by its name. */
function imageOf({ surface: { shape }, start, end }: Extent): number | undefined {
  if (start.kind !== 'number' || end?.kind !== 'number') return undefined;
  for (let image = 0; image < shape.mips * shape.layers; image++) {
    const begin = subresourceOffset(shape, image);
    const { bytes } = mipLevel(shape, image % shape.mips);
    if (start.value === begin && end.value === begin + bytes) return image;
  }
  return undefined;
}

const levelForm = ({ surface: { name, shape } }: Extent): string =>
  `\`${name}\`, \`level(${name}, 0${shape.layers > 1 ? ', 0' : ''})\``;

const pointNamed = (word: string): PointName | undefined =>
  Object.hasOwn(bindWords, word) ? (word as PointName) : undefined;

const pointList = (): string =>
  Object.keys(bindWords)
    .map((word) => `\`${word}\``)
    .join(', ');

/** The number of a slot, when only that is said; 0 when nothing is. */
function slotOf(
  { words: [word, second] }: Pick<Operation, 'words'>,
  form: string,
  report: Report,
): number | undefined {
  const slot = word === undefined ? 0 : Number(word.text);
  const odd = slot >= 0 && slot < SLOTS ? second : word;
  if (odd === undefined) return slot;
  report(odd, `one slot may be said here, 0 to ${SLOTS - 1}: \`${form} 1\``);
  return undefined;
}

function needsBuffer({ from, to, surface }: Extent, message: string, report: Report): void {
  if (surface.shape.format !== SVGA3D_BUFFER) report({ from, to }, message);
}

function draw(node: Operation, scope: Scope, report: Report): Command | undefined {
  const { from, to, target } = node;
  if (target !== undefined || node.value !== undefined) {
    const value = deviceValue(node, scope, report);
    const bound = target?.kind === 'reference' && target.name === 'bound';
    const odd = bound ? node.clauses[0]?.word : (target ?? node.value);
    if (odd === undefined) return { verb: 'drawBound', from, to, value };
    const says = bound
      ? 'a draw with what is bound names no surfaces'
      : '`draw` names surfaces behind `reads` and `writes`, or draws with what is `bound`';
    report(odd, `${says}: \`draw bound = 5\``);
    return undefined;
  }
  const extents = node.clauses.map((clause: Clause) => ({
    clause,
    extent: extentOf(clause.target, clause.word.text, scope, report),
    value: deviceValue(clause, scope, report),
  }));
  const reads: Extent[] = [];
  const writes: { extent: Extent; value: Value | undefined }[] = [];
  let complete = true;
  for (const { clause, extent, value } of extents) {
    if (extent === undefined || (clause.value !== undefined && value === undefined))
      complete = false;
    else if (clause.word.text === 'writes') writes.push({ extent, value });
    else if (clause.value === undefined) reads.push(extent);
    else {
      report(clause.value, '`reads` takes no value; to give one, say `writes`');
      complete = false;
    }
  }
  return complete ? { verb: 'draw', from, to, reads, writes } : undefined;
}

function extentOf(
  path: Path | undefined,
  who: string,
  scope: Scope,
  report: Report,
): Extent | undefined {
  const thing = path && resolvePath(path, scope, report);
  if (path === undefined || thing === undefined) return undefined;
  const extent = asExtent(thing, path);
  if (extent === undefined) {
    const mapping = thing.kind === 'mapping' ? thing.mapping.mapping : undefined;
    const hint = mapping === undefined ? '' : `; the surface is \`${mapping.surface.name}\``;
    report(path, `the GPU works on surfaces, and \`${who}\` names ${describe(thing)}${hint}`);
  }
  return extent;
}

/** A value that the device stores. The command carries it, so it is known when the command is submitted. */
function deviceValue(
  node: { readonly value: Operation['value'] },
  scope: Scope,
  report: Report,
): Value | undefined {
  const value = storedValue(node, scope, report);
  if (value === undefined || !some(value, isLook)) return value;
  report(
    value,
    'what the device stores is known at submission; look before it, `let x = …`, and give the device `x`',
  );
  return undefined;
}

function isLook({ kind }: Value): boolean {
  return !['number', 'variable', 'binary', 'not', 'negative'].includes(kind);
}

/** Whether a part of the value, or itself, is such. */
export function some(value: Value, such: (part: Value) => boolean): boolean {
  return such(value) || partsOf(value).some((part) => some(part, such));
}

/** The values a value is made of. */
export function partsOf(value: Value): readonly Value[] {
  const bounds = (place: { readonly start: Value; readonly end: Value | undefined }): Value[] =>
    place.end === undefined ? [place.start] : [place.start, place.end];
  switch (value.kind) {
    case 'binary':
      return [value.left, value.right];
    case 'not':
    case 'negative':
      return [value.operand];
    case 'bytes':
      return bounds(value.place);
    case 'same':
      return [...bounds(value.left), ...bounds(value.right)];
    case 'ramps':
      return [...bounds(value.place), value.first];
    case 'behind':
    case 'address':
      return [value.offset];
    case 'tracker':
      return value.offset === undefined ? [] : [value.offset];
    case 'fence':
    case 'event':
      return [value.member.index];
    case 'history':
      return value.where === undefined ? [] : [value.where];
    default:
      return [];
  }
}
