// Evaluates expressions. They only look: what they look at is behind the interface `Look`, which a machine
// implements with `peek`, so that no fault is taken, no TLB filled and no bit set.
import { unreachable } from '../base/assert';
import type { Family, Place, SurfaceMeaning, Value, Variable } from './meaning';
import type { CounterName, OccurrenceName, PteField, TrackerField } from './vocabulary';

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
  /** One field of the PTE that maps `offset` of the mapping; 0 where there is no page table. */
  pte(mapping: Variable, offset: number, field: PteField): number;
  tracker(surface: SurfaceMeaning, field: TrackerField, offset: number | undefined): number;
  /** The byte that all of these hold, or -1 when they differ. */
  uniform(bytes: Bytes): number;
  same(left: Bytes, right: Bytes): boolean;
  signaled(family: Family, index: number): boolean;
}

/** The value of an expression, looked at now. Division by zero gives 0. */
export function evaluate(value: Value, look: Look): number {
  switch (value.kind) {
    case 'number':
      return value.value;
    case 'variable':
      return look.variable(value.variable);
    case 'binary':
      return binary(value, look);
    case 'not':
      return evaluate(value.operand, look) === 0 ? 1 : 0;
    case 'negative':
      return -evaluate(value.operand, look);
    case 'counter':
      return look.counter(value.counter);
    case 'occurred':
      return Number(look.occurred(value.what));
    case 'bytes':
      return look.uniform(bytesOf(value.place, look));
    case 'same':
      return Number(look.same(bytesOf(value.left, look), bytesOf(value.right, look)));
    case 'pte':
      return look.pte(value.mapping, evaluate(value.offset, look), value.field);
    case 'tracker': {
      const offset = value.offset === undefined ? undefined : evaluate(value.offset, look);
      return look.tracker(value.surface, value.field, offset);
    }
    case 'signaled':
      return Number(look.signaled(value.fence.family, evaluate(value.fence.index, look)));
    default:
      return unreachable(value);
  }
}

/** The bounds of a place, computed. */
export function bytesOf(place: Place, look: Look): Bytes {
  const start = evaluate(place.start, look);
  const end = place.end === undefined ? undefined : evaluate(place.end, look);
  if (place.of === 'mapping') return { of: 'mapping', mapping: place.mapping, start, end };
  return { of: place.of, surface: place.surface, start, end: end ?? place.surface.bytes };
}

function binary(value: Value & { kind: 'binary' }, look: Look): number {
  const left = evaluate(value.left, look);
  // Both sides only look, so it does not matter that the right one is skipped.
  if (value.operator === 'and' && left === 0) return 0;
  if (value.operator === 'or' && left !== 0) return 1;
  if (value.operator === 'implies' && left === 0) return 1;
  return apply(value.operator, left, evaluate(value.right, look));
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
