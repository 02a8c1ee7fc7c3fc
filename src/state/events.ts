// The event log: tracepoints that steps name with their arguments. It is history: its length is a history cell, so it
// goes back with the rest, and what stood beyond is written again when the run goes forward again.
import type { Fields, FieldsView } from './layout';
import type { Store } from './store';

/** A kind of event, named as the kernel's tracepoint where there is one. */
export interface Tracepoint<A extends Fields = Fields> {
  readonly name: string;
  readonly fields: A;
  readonly arguments?: FieldsView<A>;
}

/** Declares a tracepoint with its arguments. */
export function tracepoint<A extends Fields>(name: string, fields: A): Tracepoint<A> {
  return { name, fields };
}

/** One entry of the log. `step` counts micro-steps of the run, `task` is the number of the task that ran. */
export interface LoggedEvent {
  readonly index: number;
  readonly name: string;
  readonly step: number;
  readonly task: number;
  readonly args: Readonly<Record<string, unknown>>;
}

/** Growing log of events of one store. Arguments are kept as they were given: numbers, U64s, addresses of structs. */
export class EventLog {
  private readonly entries: LoggedEvent[] = [];

  constructor(
    private readonly store: Store,
    private readonly lengthCell: number, // a history cell
  ) {}

  get length(): number {
    return this.store.peek(this.lengthCell);
  }

  append(
    name: string,
    step: number,
    task: number,
    args: Readonly<Record<string, unknown>>,
  ): LoggedEvent {
    const index = this.length;
    const event = { index, name, step, task, args };
    this.entries[index] = event;
    this.store.put(this.lengthCell, index + 1);
    return event;
  }

  at(index: number): LoggedEvent {
    return this.entries[index]!;
  }

  /** Events [from, to), oldest first. */
  slice(from = 0, to = this.length): readonly LoggedEvent[] {
    return this.entries.slice(from, Math.min(to, this.length));
  }
}

/** Arguments with addresses in the place of references, so that the log holds plain values only. */
export function plainArguments(
  args: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  let plain: Record<string, unknown> | undefined;
  for (const name in args) {
    const value = args[name];
    if (typeof value !== 'object' || value === null || !('store' in value && 'at' in value))
      continue;
    plain ??= { ...args };
    plain[name] = value.at;
  }
  return plain ?? args;
}
