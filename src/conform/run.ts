// A recorded program as a run to look into: each process is a task whose statements are its operations, in the order of
// the recording, and after each the outcome is compared in a step of its own. The same bodies as in a replay.

import type { Machine } from '../machine/machine';
import type { Engine } from '../routine/engine';
import type { VariantSet } from '../routine/routine';
import {
  type AnyBuilder,
  type Node,
  type Routine,
  routine,
  type SourceSpan,
} from '../routine/routine';
import { tracepoint } from '../state/events';
import { bool, int, long } from '../state/layout';
import { compare, type Difference } from './differences';
import type { Operation, RecordedProgram } from './format';
import { type Listing, listingOf } from './listing';
import { operationNodes } from './operations';
import { machineFor, sizeOf } from './stage';
import { Underway, unknownOf } from './underway';

/** An operation came out otherwise than recorded: its number in the program. */
export const or_difference = tracepoint('or_difference', { operation: int });

/** A program that stands before its first operation. */
export class RecordedRun {
  private readonly found = new Map<number, readonly Difference[]>();
  readonly listing: Listing;
  /** The process of each task. */
  readonly processes: readonly number[];
  readonly machine: Machine;
  readonly underway: Underway;

  constructor(
    readonly program: RecordedProgram,
    variants: VariantSet,
  ) {
    this.listing = listingOf(program);
    const size = sizeOf(program);
    const numbers = program.ops.flatMap(({ p = 0, child = 0 }) => [p, child]);
    this.processes = [...new Set([0, ...numbers])].sort((a, b) => a - b);
    const tasks = this.processes.map((process) => ({
      name: `process ${process}`,
      cpu: 0,
      root: this.process(process),
      process,
    }));
    const own = { ...size, processes: this.processes.at(-1)! + 1 };
    this.machine = machineFor(own, tasks, variants);
    this.underway = new Underway(program, this.machine, size.regions);
    this.engine.store.settle();
  }

  get engine(): Engine {
    return this.machine.engine;
  }

  /** How many operations are over; the next one has this number. */
  get over(): number {
    const { store } = this.engine;
    return store.unobserved(() => order(this.engine).next);
  }

  /** Every operation so far that came out otherwise, with how. */
  get different(): readonly number[] {
    return this.engine.events
      .slice()
      .filter(({ name }) => name === or_difference.name)
      .map(({ args }) => Number(args.operation));
  }

  /** How an operation that is over came out otherwise. The last time it was looked at says it for every other time. */
  differences(operation: number): readonly Difference[] {
    return this.found.get(operation) ?? [];
  }

  /** The main of a process: its operations, one statement each. */
  private process(p: number): Routine {
    const own = this.program.ops.flatMap((op, number) =>
      (op.p ?? 0) === p ? [{ op, number, span: this.listing.spans[number]! }] : [],
    );
    return routine(
      'recording',
      `process_${p}`,
      { mode: 'user', locals: { ret: long, writes: bool, begun: bool } },
      (b) => [own.map(({ op, number, span }) => this.statement(b, op, number, span)), b.ret()],
    ) as Routine;
  }

  private statement(b: AnyBuilder, op: Operation, number: number, span: SourceSpan): Node {
    if (unknownOf(op) !== undefined) return this.unknown(b, op, number, span);
    return b.statement(span, [
      b.wait('the operations before it', (_f, k) => order(k).next === number),
      b.step('its arguments', (f) => {
        f.ret = 0;
        f.begun = this.underway.begin(op);
      }),
      b.when('what it is about was mapped once', (f) => f.begun, operationNodes(b, op.op)),
      b.step('compare with the recording', (f, k) => {
        this.conclude(k, number, compare(op, this.underway.end(op, f.begun)));
      }),
    ]);
  }

  /** An operation that the emulation does not know is a difference. */
  private unknown(b: AnyBuilder, op: Operation, number: number, span: SourceSpan): Node {
    const difference = { key: 'op', expected: unknownOf(op), actual: undefined };
    return b.statement(span, [
      b.wait('the operations before it', (_f, k) => order(k).next === number),
      b.step('it cannot be replayed', (_f, k) => this.conclude(k, number, [difference])),
    ]);
  }

  private conclude(k: Engine, number: number, differences: readonly Difference[]): void {
    this.found.set(number, differences);
    order(k).next = number + 1;
    if (differences.length > 0) k.emit(or_difference, { operation: number });
  }
}

const order = (k: Engine) => k.the('or_order', 'or_order');
