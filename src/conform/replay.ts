// Replays recorded programs on an emulated machine with Linux 6.1's memory management and compares everything after each
// operation.
import { assert } from '../base/assert';
import { type Preset, variantSet } from '../kernel/variants';
import type { Machine } from '../machine/machine';
import { Checker } from '../routine/check';
import type { Engine } from '../routine/engine';
import { defaultAgent } from '../routine/schedule';
import { compare, type Difference } from './differences';
import { object } from './driver';
import type { Operation, Outcome, RecordedProgram } from './format';
import { operation, or_process } from './operations';
import { machineFor, type Size, sizeOf } from './stage';
import { Underway, unknownOf } from './underway';

/** What became of a program: operations that agreed, and the first that did not. */
export interface Replayed {
  readonly program: string;
  readonly total: number;
  readonly passed: number;
  readonly failed?: { readonly operation: Operation; readonly differences: readonly Difference[] };
  /** What cannot be replayed: an operation, or its advice. */
  readonly unsupported?: string;
  /** Rules of routines that were broken, when they were checked. */
  readonly broken: readonly string[];
}

/** More micro-steps than any operation on an object of some pages takes. */
const stepsMax = (pages: number): number => 100_000 + 10_000 * pages;

/** Changes for tests: other variants than those of the recorded kernel, and the checks of the rules of routines. */
export interface ReplayOptions {
  readonly preset?: Preset;
  readonly with?: readonly string[];
  readonly without?: readonly string[];
  readonly check?: boolean;
  /** Loops at once where that can be; without, every operation of theirs is a step of its own. */
  readonly bursts?: boolean;
  /** Results that are not compared, because that kernel has them otherwise. */
  readonly except?: (difference: Difference) => boolean;
}

/** A machine before its first step, for programs of a certain size; each begins there by rolling back. */
interface Stage {
  readonly machine: Machine;
  readonly checker: Checker | undefined;
}

function stageFor(size: Size, options: ReplayOptions): Stage {
  const tasks = Array.from({ length: size.processes }, (_, p) => ({
    name: `process ${p}`,
    cpu: 0,
    root: or_process,
    args: { p },
    process: p,
    daemon: true,
  }));
  const variants = variantSet(options.preset ?? 'linux-6.1', options);
  const machine = machineFor(size, tasks, variants);
  return { machine, checker: options.check === true ? new Checker(machine.rules) : undefined };
}

/** A program at its beginning; with the checks of the rules on, if the stage has them. */
function begun(program: RecordedProgram, { machine, checker }: Stage, { regions }: Size): Underway {
  if (checker !== undefined) {
    checker.broken.length = 0;
    machine.engine.checker = checker;
  }
  return new Underway(program, machine, regions);
}

/** Does one operation to its end; undefined when it is one that cannot be done. */
function perform(run: Underway, k: Engine, op: Operation, bursts: boolean): Outcome | undefined {
  if (unknownOf(op) !== undefined) return undefined;
  const begun = run.begin(op);
  const end = k.steps + stepsMax(object(k).pages);
  while (operation(k).op !== 0) {
    assert(k.steps < end, 'an operation that ends');
    const agent = defaultAgent(k);
    assert(agent >= 0, 'an operation that does not wait for ever');
    if (bursts) k.burst(agent, end - k.steps);
    else k.step(agent);
  }
  return run.end(op, begun);
}

/** Replays programs one after the other, on machines that it keeps. */
export class Replayer {
  private readonly stages = new Map<string, Stage>();

  constructor(private readonly options: ReplayOptions = {}) {}

  private get bursts(): boolean {
    return this.options.bursts ?? false;
  }

  /** Replays a program up to the first operation that does not come out as recorded. */
  replay(program: RecordedProgram): Replayed {
    const size = sizeOf(program);
    const stage = this.stage(size);
    const { engine } = stage.machine;
    const start = engine.store.mark();
    const total = program.ops.length;
    const run = begun(program, stage, size);
    let passed = 0;
    let failed: Replayed['failed'];
    let unsupported: string | undefined;
    for (const operation of program.ops) {
      const outcome = attempt(run, engine, operation, this.bursts);
      if (outcome === undefined) {
        unsupported = unknownOf(operation);
        failed = { operation, differences: [] };
        break;
      }
      const differences = Array.isArray(outcome) ? outcome : this.differences(operation, outcome);
      if (differences.length > 0) {
        failed = { operation, differences };
        break;
      }
      passed++;
    }
    engine.checker = undefined;
    engine.store.observer = undefined;
    engine.store.rollback(start);
    return {
      program: program.program,
      total,
      passed,
      ...(failed === undefined ? {} : { failed }),
      ...(unsupported === undefined ? {} : { unsupported }),
      broken: stage.checker?.broken.map((b) => `${b.rule}: ${b.message}`) ?? [],
    };
  }

  /** Does a program's operations without comparing; `before` hears of each. Returns what each came to. */
  perform(
    program: RecordedProgram,
    before: (operation: Operation, k: Engine) => void,
  ): (Outcome | undefined)[] {
    const size = sizeOf(program);
    const stage = this.stage(size);
    const { engine } = stage.machine;
    const start = engine.store.mark();
    const run = begun(program, stage, size);
    try {
      return program.ops.map((operation) => {
        before(operation, engine);
        return perform(run, engine, operation, this.bursts);
      });
    } finally {
      engine.checker = undefined;
      engine.store.observer = undefined;
      engine.store.rollback(start);
    }
  }

  private differences(operation: Operation, outcome: Outcome): Difference[] {
    return compare(operation, outcome).filter((d) => this.options.except?.(d) !== true);
  }

  private stage(size: Size): Stage {
    const key = JSON.stringify(size);
    const known = this.stages.get(key);
    if (known !== undefined) return known;
    const made = stageFor(size, this.options);
    this.stages.set(key, made);
    return made;
  }
}

/** What an operation came to: an outcome, undefined when it cannot be done, or why the emulator stopped. */
function attempt(
  run: Underway,
  k: Engine,
  operation: Operation,
  bursts: boolean,
): Outcome | Difference[] | undefined {
  try {
    return perform(run, k, operation, bursts);
  } catch (error) {
    return [{ key: 'error', expected: undefined, actual: String(error) }];
  }
}

/** Replays one program on a machine of its own. */
export function replay(program: RecordedProgram, options: ReplayOptions = {}): Replayed {
  return new Replayer(options).replay(program);
}
