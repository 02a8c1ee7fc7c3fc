// Breakpoints of a session: on operations, on the entry of routines, on events, on data. A breakpoint holds or not at a
// position of the timeline, whichever direction it was reached from; hit counts count up forwards and down backwards.
import type { Op, RoutineCode } from '../routine/program';
import type { LoggedEvent } from '../state/events';
import { isScenario } from './listings';
import type { Filter } from './stops';
import { type Watch, Watches } from './watches';

export type HitTest = (count: number) => boolean;

/** One breakpoint as the client set it. */
export interface Breakpoint {
  readonly id: number;
  readonly kind: 'line' | 'function' | 'filter' | 'data' | 'instruction';
  /** What the client called it, for the stop's text. */
  readonly what: string;
  readonly condition: string | undefined;
  readonly hitTest: HitTest | undefined;
  /** Text to print instead of stopping; `{expression}` is filled in. */
  readonly log: string | undefined;
  hits: number;
}

/** The breakpoints in force, by what they are looked up with at each step. */
export class Breakpoints {
  /** A run without debugging knows its breakpoints and heeds none. */
  enabled = true;
  /** Sources, functions and filters are set apart and replaced as a whole: each under its own key. */
  private readonly sets = new Map<string, readonly Placed[]>();
  private readonly byOp = new Map<Op, Breakpoint[]>();
  private readonly byEntry = new Map<RoutineCode, Breakpoint[]>();
  private inKernel = false;
  private readonly byEvent: { filter: Filter; breakpoint: Breakpoint }[] = [];
  readonly watches = new Watches();

  /** Replaces all breakpoints of one set. */
  replace(set: string, placed: readonly Placed[]): void {
    const before = new Map<string, Breakpoint>();
    for (const { breakpoint } of this.sets.get(set) ?? [])
      before.set(wishOf(breakpoint), breakpoint);
    for (const { breakpoint } of placed)
      breakpoint.hits = before.get(wishOf(breakpoint))?.hits ?? 0;
    this.sets.set(set, placed);
    this.byOp.clear();
    this.byEntry.clear();
    this.byEvent.length = 0;
    this.inKernel = false;
    this.watches.set(this.enabled ? this.watched() : []);
    if (!this.enabled) return;
    for (const p of [...this.sets.values()].flat()) {
      for (const key of p.ops ?? []) add(this.byOp, key, p.breakpoint);
      for (const key of p.entries ?? []) add(this.byEntry, key, p.breakpoint);
      if (p.filter !== undefined) this.byEvent.push({ filter: p.filter, breakpoint: p.breakpoint });
    }
    const codes = [...[...this.byOp.keys()].map(({ of }) => of), ...this.byEntry.keys()];
    this.inKernel = codes.some((code) => !isScenario(code));
  }

  /** Whether there is anything to be looked up at a step. */
  get any(): boolean {
    return this.anyCode || this.byEvent.length > 0 || this.watches.any;
  }

  /** Whether each micro-step has to be looked at, those of kernel code that can be made at once too. */
  get single(): boolean {
    return this.inKernel || this.watches.any;
  }

  /** Whether there are some on operations or on the entry of routines. */
  get anyCode(): boolean {
    return this.byOp.size + this.byEntry.size > 0;
  }

  private watched(): Watch[] {
    return [...this.sets.values()].flat().flatMap(({ watch }) => watch ?? []);
  }

  atOp(op: Op): readonly Breakpoint[] {
    return this.byOp.get(op) ?? none;
  }

  atEntry(routine: RoutineCode): readonly Breakpoint[] {
    return this.byEntry.get(routine) ?? none;
  }

  /** Filters that catch an event, in the order of the client's list. */
  on(event: LoggedEvent): readonly { filter: Filter; breakpoint: Breakpoint }[] {
    return this.byEvent.filter(({ filter }) => filter.catches(event));
  }
}

/** A breakpoint with the places it is at. */
export interface Placed {
  readonly breakpoint: Breakpoint;
  readonly ops?: readonly Op[];
  readonly entries?: readonly RoutineCode[];
  readonly filter?: Filter;
  readonly watch?: Watch;
}

const none: readonly Breakpoint[] = [];

/** A client sends all breakpoints of a source again when one changes: the others keep their counts. */
const wishOf = ({ what, condition, log }: Breakpoint): string =>
  JSON.stringify([what, condition, log]);

function add<K>(map: Map<K, Breakpoint[]>, key: K, breakpoint: Breakpoint): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [breakpoint]);
  else known.push(breakpoint);
}

/** Reads a hit condition: `5`, `== 5`, `>= 5`, `> 5`, `< 5`, `<= 5`, `% 5`; undefined when it is none of these. */
export function parseHitCondition(text: string): HitTest | undefined {
  const match = /^\s*(==|=|>=|>|<=|<|%)?\s*(\d{1,9})\s*$/.exec(text);
  if (match === null) return undefined;
  const n = Number(match[2]);
  switch (match[1]) {
    case '>=':
      return (count) => count >= n;
    case '>':
      return (count) => count > n;
    case '<=':
      return (count) => count <= n;
    case '<':
      return (count) => count < n;
    case '%':
      return n === 0 ? undefined : (count) => count % n === 0;
    default:
      return (count) => count === n;
  }
}

/** A pattern of function names: `vmw_*`, `*fault`, or the name itself. */
export function functionPattern(text: string): RegExp {
  const escaped = text.trim().replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\*/g, '.*').replace(/\?/g, '.')}$`);
}
