// Evaluates expressions. They only look: what they look at is behind the interface `Look`, which a machine
// implements with `peek`, so that no fault is taken, no TLB filled and no bit set.
import { unreachable } from '../base/assert';
import type { LoggedEvent } from '../state/events';
import type { BehindLook, Family, Place, SurfaceMeaning, Value, Variable } from './meaning';
import type { CounterName, FenceField, OccurrenceName, TrackerField } from './vocabulary';

/** Bytes with their bounds computed. `end` is behind the last byte. */
export type Bytes =
  | {
      readonly of: 'mapping';
      readonly mapping: Variable;
      readonly start: number;
      readonly end: number | undefined;
    }
  | {
      readonly of: 'memory' | 'device';
      readonly surface: SurfaceMeaning;
      readonly start: number;
      readonly end: number;
    };

/** What expressions can see of a machine. */
export interface Look {
  /** A variable's cell. */
  variable(variable: Variable): number;
  /** Which bytes of its surface a mapping has. */
  mapped(mapping: Variable): { readonly start: number; readonly bytes: number };
  counter(counter: CounterName): number;
  occurred(what: OccurrenceName): boolean;
  /** A field of what stands behind byte `offset` of the mapping; 0 where there is no such thing. */
  behind(look: BehindLook, cpu: number, mapping: Variable, offset: number, field: string): number;
  /** A field of the dirty box of a subresource. */
  box(surface: SurfaceMeaning, image: number, field: string): number;
  tracker(surface: SurfaceMeaning, field: TrackerField, offset: number | undefined): number;
  /** The byte that all of these hold, or -1 when they differ. */
  uniform(bytes: Bytes): number;
  same(left: Bytes, right: Bytes): boolean;
  /** Whether these bytes count up from `first`, modulo 256. */
  ramps(bytes: Bytes, first: number): boolean;
  fence(family: Family, index: number, field: FenceField): number;
  signaled(family: Family, index: number): boolean;
  /** The events of a tracepoint, oldest first. */
  history(tracepoint: string): readonly LoggedEvent[];
}

/** Arguments of the event that a condition is about. */
type Arguments = LoggedEvent['args'] | undefined;

/** The value of an expression, looked at now. Division by zero gives 0. */
export function evaluate(value: Value, look: Look, args?: Arguments): number {
  switch (value.kind) {
    case 'number':
      return value.value;
    case 'variable':
      return look.variable(value.variable);
    case 'binary':
      return binary(value, look, args);
    case 'not':
      return evaluate(value.operand, look, args) === 0 ? 1 : 0;
    case 'negative':
      return -evaluate(value.operand, look, args);
    case 'counter':
      return look.counter(value.counter);
    case 'occurred':
      return Number(look.occurred(value.what));
    case 'bytes':
      return look.uniform(bytesOf(value.place, look));
    case 'same':
      return Number(look.same(bytesOf(value.left, look), bytesOf(value.right, look)));
    case 'ramps':
      return Number(look.ramps(bytesOf(value.place, look), evaluate(value.first, look, args)));
    case 'behind': {
      const { cpu, mapping, field } = value;
      return look.behind(value.look, cpu, mapping, evaluate(value.offset, look, args), field);
    }
    case 'address':
      return look.variable(value.mapping) + evaluate(value.offset, look, args);
    case 'box':
      return look.box(value.surface, value.image, value.field);
    case 'tracker': {
      const offset = value.offset === undefined ? undefined : evaluate(value.offset, look);
      return look.tracker(value.surface, value.field, offset);
    }
    case 'fence': {
      const { member, field } = value;
      return look.fence(member.family, evaluate(member.index, look, args), field);
    }
    case 'event': {
      const { family, index } = value.member;
      return Number(look.signaled(family, evaluate(index, look, args)));
    }
    case 'history':
      return history(value, look);
    case 'argument':
      return Number(args?.[value.name] ?? 0);
    default:
      return unreachable(value);
  }
}

/** An event is numbered by its place in the log, from 1. */
function history(value: Value & { kind: 'history' }, look: Look): number {
  const { ask, where, field } = value;
  const such = ({ args }: LoggedEvent) => where === undefined || evaluate(where, look, args) !== 0;
  const events = look.history(value.tracepoint);
  if (ask === 'events') return where === undefined ? events.length : events.filter(such).length;
  const found = ask === 'first' ? events.find(such) : events.findLast(such);
  if (found === undefined) return 0;
  return field === undefined ? found.index + 1 : Number(found.args[field] ?? 0);
}

/** The bounds of a place, computed. */
export function bytesOf(place: Place, look: Look): Bytes {
  const start = evaluate(place.start, look);
  const end = place.end === undefined ? undefined : evaluate(place.end, look);
  if (place.of === 'mapping') return { of: 'mapping', mapping: place.mapping, start, end };
  return { of: place.of, surface: place.surface, start, end: end ?? place.surface.bytes };
}

function binary(value: Value & { kind: 'binary' }, look: Look, args: Arguments): number {
  const left = evaluate(value.left, look, args);
  // Both sides only look, so it does not matter that the right one is skipped.
  if (value.operator === 'and' && left === 0) return 0;
  if (value.operator === 'or' && left !== 0) return 1;
  if (value.operator === 'implies' && left === 0) return 1;
  return apply(value.operator, left, evaluate(value.right, look, args));
}

/** An operator on two numbers: whole-number division, booleans as 0 and 1. */
export function apply(
  operator: (Value & { kind: 'binary' })['operator'],
  left: number,
  right: number,
): number {
  switch (operator) {
    case '*':
      return left * right;
    case '/':
      return right === 0 ? 0 : Math.trunc(left / right);
    case '%':
      return right === 0 ? 0 : left % right;
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '==':
      return Number(left === right);
    case '!=':
      return Number(left !== right);
    case '<':
      return Number(left < right);
    case '<=':
      return Number(left <= right);
    case '>':
      return Number(left > right);
    case '>=':
      return Number(left >= right);
    case 'and':
      return Number(left !== 0 && right !== 0);
    case 'or':
      return Number(left !== 0 || right !== 0);
    case 'implies':
      return Number(left === 0 || right !== 0);
    default:
      return unreachable(operator);
  }
}
