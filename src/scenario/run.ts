// A run of a scenario: its machine, the contract and the counters beside it, the properties that are looked at, and
// the verdict. Scenario, options and schedule fix every byte of it.

import type { Contract, Told } from '../contract/observer';
import { contextDeed } from '../hardware/svga/bindings';
import { svgaCommandNames } from '../hardware/svga/commands';
import { warningTexts } from '../kernel/include/asm-generic/bug';
import { Locations } from '../machine/locations';
import type { Engine } from '../routine/engine';
import type { LockReport } from '../routine/lockdep';
import type { LoggedEvent } from '../state/events';
import { leaks, type Remains, stuck } from './atEnd';
import type { Counters } from './counters';
import { evaluate, type Look } from './evaluate';
import { namesOf } from './located';
import type { Whereabouts } from './look';
import type { OutcomeRow, PropertyMeaning, ScenarioMeaning, Value } from './meaning';
import { outcomeText, rowOf, statusOf } from './outcomes';
import type { Sources } from './sources';
import type { ScenarioState } from './state';
import type { OccurrenceName } from './vocabulary';

/** Events whose statement is remembered. */
const placed = new Set(['cpu_load', 'cpu_store', 'warn', 'lockdep', 'use_after_free', 'livelock']);

/** Something that makes a run not hold. `at` is where in the scenario's text, lines and columns from 1. */
export interface Problem {
  readonly kind: string;
  readonly message: string;
  /** The imported file it is in; undefined: the scenario's own. */
  readonly path: string | undefined;
  readonly line: number;
  readonly column: number;
  readonly step: number;
  readonly cause: readonly string[];
}

export type Verdict = 'holds' | 'violated' | 'incomplete';

/** Micro-steps after which a run without a verdict is given up. */
export const stepsMax = 50_000_000;

/** A task of the scenario, or of the machine beside it. */
export interface RunTask {
  readonly task: number;
  /** The process it belongs to; undefined for the device. */
  readonly process: string | undefined;
}

/** What a run is made of. */
export interface RunParts {
  readonly meaning: ScenarioMeaning;
  readonly sources: Sources;
  readonly engine: Engine;
  readonly contract: Contract;
  readonly counters: Counters;
  readonly state: ScenarioState;
  readonly look: Look;
  readonly where: Whereabouts;
  readonly tasks: readonly RunTask[];
}

export class Run {
  readonly meaning: ScenarioMeaning;
  readonly sources: Sources;
  readonly engine: Engine;
  readonly contract: Contract;
  readonly counters: Counters;
  readonly state: ScenarioState;
  readonly look: Look;
  readonly where: Whereabouts;
  /** What can be watched and changed of its machine. */
  readonly locations: Locations;
  private readonly tasks: readonly RunTask[];
  private readonly places = new Map<number, number>(); // of accesses and warnings, by event
  private readonly submitted = new Map<number, number>(); // of submissions
  private readonly broken = new Map<PropertyMeaning, number>(); // by which event it was noted last

  constructor(parts: RunParts) {
    const { meaning, sources, engine } = parts;
    this.meaning = meaning;
    this.sources = sources;
    this.engine = engine;
    this.contract = parts.contract;
    this.counters = parts.counters;
    this.state = parts.state;
    this.look = parts.look;
    this.where = parts.where;
    this.tasks = parts.tasks;
    this.locations = new Locations(engine, namesOf(this));
    engine.listeners.push((event) => this.note(event));
    const looked = meaning.properties.filter((p) => p.when !== 'finally' && !isOccurrence(p));
    if (looked.length > 0) {
      this.lookAt(looked);
      engine.afterStep.push(() => this.lookAt(looked));
    }
  }

  /** The tasks to show, in order of declaration: threads of the scenario, then the device's engines. */
  get threads(): readonly number[] {
    return this.tasks.map(({ task }) => task);
  }

  /** The process that a task belongs to. */
  processOf(task: number): string | undefined {
    return this.tasks.find((t) => t.task === task)?.process;
  }

  /** The scenario's own name of a struct, such as `ring`; `surface` and a number name the surface itself. */
  nameOf(struct: string, at: number): string | undefined {
    const { meaning, where, look, engine } = this;
    if (struct === 'surface') return meaning.surfaces[at]?.name;
    if (struct === 'vmw_buffer_object' || struct === 'ttm_buffer_object') {
      return meaning.surfaces.find((s) => where.object(s).at === at)?.name;
    }
    if (struct === 'mm_struct') {
      return meaning.processes.find((p) => where.mm(p.name) === at)?.name;
    }
    if (struct === 'vm_area_struct') {
      const vma = engine.view('vm_area_struct', at);
      const mapping = meaning.variables.find(
        (v) =>
          v.mapping !== undefined &&
          where.mm(v.process) === vma.vm_mm.at &&
          look.variable(v) === vma.vm_start,
      );
      return mapping?.name;
    }
    return undefined;
  }

  /** The statement that a task is at, as an offset in the text, or -1. */
  placeOf(task: number): number {
    for (const { code, pc } of this.engine.stack(task)) {
      const { span } = code.ops[pc]!;
      if (span !== undefined) return span.from;
    }
    return -1;
  }

  /** Nobody can go on. */
  get isOver(): boolean {
    const { engine } = this;
    for (let agent = 0; agent < engine.agents; agent++) if (engine.runnable(agent)) return false;
    return true;
  }

  evaluate(value: Value): number {
    return evaluate(value, this.look);
  }

  /** The problem that an event is, by its name; those of the contract are told by it. */
  private readonly problemOf: Readonly<Record<string, (e: LoggedEvent) => Problem>> = {
    assertion: (e) => {
      const { kind, message, place } = e.args;
      return this.problem(String(kind), String(message), Number(place), e.step);
    },
    oops: (e) => {
      const message = String(e.args['message']);
      return this.problem('oops', message, this.placeOf(e.task), e.step, this.stacks());
    },
    warn: (e) => {
      const message = warningTexts[Number(e.args['where'])]!;
      return this.problem('warn', message, this.placeOfEvent(e.index), e.step);
    },
    lockdep: (e) => {
      const { kind, message, takings } = e.args as unknown as LockReport;
      const cause = takings.map(({ what, task, place, frames }) => {
        const who = `${this.engine.taskName(task)}${this.statementAt(place)}`;
        return `${who} ${what}; in ${frames.join(' < ')}`;
      });
      return this.problem(kind, message, this.placeOfEvent(e.index), e.step, cause);
    },
    use_after_free: (e) => {
      const message = `${e.args.what}: this ${e.args.struct} was freed`;
      return this.problem('use-after-free', message, this.placeOfEvent(e.index), e.step);
    },
    livelock: (e) => {
      const { message, cause } = this.livelock(Number(e.args.steps), [e.task]);
      return this.problem('livelock', message, this.placeOfEvent(e.index), e.step, cause);
    },
    svga_error: (e) => {
      const id = Number(e.args['id']);
      const why =
        contextDeed(id) === undefined
          ? 'its ranges lie outside or overlap, no memory is bound, or it knows no such command'
          : 'it names a view that is not there, or it knows no such command';
      const message = `the device refused ${svgaCommandNames[id] ?? 'a command'}: ${why}`;
      return this.problem('device', message, this.placeOfEvent(e.index), e.step);
    },
  };

  /** Everything that is wrong up to now; at the end of a run also what `finally` and deadlock say. */
  problems(ended: boolean): Problem[] {
    const found = this.expectsViolation ? [] : this.violations();
    if (this.forbidsRaces) found.push(...this.races());
    const { events } = this.engine;
    for (const e of events.slice()) {
      const problem = Object.hasOwn(this.problemOf, e.name)
        ? this.problemOf[e.name]!(e)
        : undefined;
      if (problem !== undefined) found.push(problem);
    }
    if (!ended) return found;
    if (this.eventsNamed('oops').length === 0) found.push(...this.remains());
    const unexpected = this.unexpectedOutcome();
    if (unexpected !== undefined) found.push(unexpected);
    for (const p of this.meaning.properties.filter((p) => p.when === 'finally')) {
      if (evaluate(p.condition, this.look) !== 0) continue;
      found.push(this.problem('finally', this.brokenText(p), p.from, this.engine.steps));
    }
    return found;
  }

  /** Everything is as it was so many steps ago, and goes on so; `tasks` went. Told of the state as it is now. */
  livelock(steps: number, tasks: readonly number[]): Problem {
    const { engine } = this;
    const names = tasks.map((task) => engine.taskName(task)).join(', ');
    const message = `everything is as it was ${steps} micro-steps ago, and so it goes on for ever: ${names} comes no further`;
    return this.problem('livelock', message, this.placeOf(tasks[0]!), engine.steps, this.stacks());
  }

  /** What the state says in which nobody can go on. */
  private remains(): Problem[] {
    const { engine, done } = this;
    const { steps } = engine;
    const found = done
      ? leaks(engine)
      : stuck(engine, this.born, (struct, at) => this.nameOf(struct, at));
    return found.map(({ kind, message, task }: Remains) => {
      const place = task < 0 ? this.meaning.from : this.placeOf(task);
      return this.problem(kind, message, place, steps, done ? [] : this.stacks());
    });
  }

  /** Whether something that makes the run not hold was logged from event `from` on. */
  hasProblem(from: number): boolean {
    const { events } = this.engine;
    for (let i = from; i < events.length; i++) {
      const { name } = events.at(i);
      if (name === 'violation' && !this.expectsViolation) return true;
      if (name === 'race' && this.forbidsRaces) return true;
      if (Object.hasOwn(this.problemOf, name)) return true;
    }
    return false;
  }

  /** All tasks have ended, but for those of processes that nobody has forked. */
  get done(): boolean {
    const { engine } = this;
    return this.born.every((t) => engine.isDaemon(t) || engine.isFinished(t));
  }

  /** The tasks to show without those of processes that nobody has forked. */
  private get born(): readonly number[] {
    const { meaning, state } = this;
    return this.threads.filter((task) => {
      const name = this.processOf(task);
      const forks = meaning.processes.find((p) => p.name === name)?.forks;
      return forks === undefined || state.get(`forked ${name}`) !== 0;
    });
  }

  /** What `outcomes` looks at, as it is now. */
  observed(): readonly number[] {
    const { observed = [] } = this.meaning.outcomes ?? {};
    return observed.map((value) => evaluate(value, this.look));
  }

  /** What is wrong with the way the run has ended, if its outcome is not one that is meant to be. */
  private unexpectedOutcome(): Problem | undefined {
    const { outcomes } = this.meaning;
    if (outcomes === undefined || !this.engine.done) return undefined;
    const values = this.observed();
    const says = statusOf(outcomes, values);
    if (says === 'allowed' || says === 'required') return undefined;
    const text = outcomeText(outcomes, values);
    const message =
      says === 'forbidden'
        ? `${text} is forbidden`
        : `${text} is none of the outcomes that are listed`;
    const at = rowOf(outcomes, values) ?? outcomes;
    return this.problem('outcome', message, at.from, this.engine.steps);
  }

  /** A required outcome that no order ends with. */
  missingOutcome(row: OutcomeRow): Problem {
    const { outcomes } = this.meaning;
    const message = `${outcomeText(outcomes!, row.values)} is required, and no order ends so`;
    return this.problem('outcome', message, row.from, this.engine.steps);
  }

  /** What broke the contract, whether or not it is expected. */
  violations(): Problem[] {
    return this.contract.violations().map((f) => this.ofContract(f));
  }

  /** What broke the contract and is no problem, for the scenario is there to show it. */
  expected(): Problem[] {
    return this.expectsViolation ? this.violations() : [];
  }

  /** The races of the application, listed whether or not they count. */
  races(): Problem[] {
    return this.contract.races().map((f) => this.ofContract(f));
  }

  private ofContract(f: Told): Problem {
    return this.problem(f.kind, f.message, this.placeOfEvent(f.event), f.step, f.cause);
  }

  /** `place` is an offset in the text; what has none stands at its beginning. */
  private problem(
    kind: string,
    message: string,
    place: number,
    step: number,
    cause: readonly string[] = [],
  ): Problem {
    const { path, line, column } = this.sources.placeAt(Math.max(0, place));
    return { kind, message, path, line: line + 1, column: column + 1, step, cause };
  }

  private eventsNamed(name: string): LoggedEvent[] {
    return this.engine.events.slice().filter((e) => e.name === name);
  }

  verdict(completed: boolean, problems = this.problems(completed)): Verdict {
    if (problems.length > 0) return 'violated';
    return completed ? 'holds' : 'incomplete';
  }

  /** Notes a failed statement or a broken property in the log, where it goes back in time with the rest. */
  fail(kind: string, message: string, place: number): void {
    this.engine.events.append('assertion', this.engine.steps, this.engine.task, {
      holds: false,
      kind,
      message,
      place,
    });
  }

  private lookAt(properties: readonly PropertyMeaning[]): void {
    for (const p of properties) {
      const value = evaluate(p.condition, this.look) !== 0;
      if (value === (p.when === 'always')) continue;
      if (this.isNoted(p)) continue;
      this.broken.set(p, this.engine.events.length);
      this.fail(p.when, this.brokenText(p), p.from);
    }
  }

  /** Whether the log says already that a property is broken; a log that went back may not any more. */
  private isNoted(property: PropertyMeaning): boolean {
    const { events } = this.engine;
    const index = this.broken.get(property) ?? events.length;
    return index < events.length && events.at(index).args.place === property.from;
  }

  private get forbidsRaces(): boolean {
    return this.says('never', 'race');
  }

  /** `finally violation`: the scenario shows a fault. */
  private get expectsViolation(): boolean {
    return this.says('finally', 'violation') && !this.says('never', 'violation');
  }

  private says(when: PropertyMeaning['when'], what: OccurrenceName): boolean {
    return this.meaning.properties.some(
      (p) => p.when === when && p.condition.kind === 'occurred' && p.condition.what === what,
    );
  }

  /** The statement behind an access: the application's own, or the submission that the device works on. */
  private placeOfEvent(index: number): number {
    const { submission } = this.engine.events.at(index).args as { submission?: number };
    return (
      (submission === undefined ? this.places.get(index) : this.submitted.get(submission)) ?? -1
    );
  }

  private note(event: LoggedEvent): void {
    if (placed.has(event.name)) {
      this.places.set(event.index, this.placeOf(event.task));
    } else if (event.name === 'submit') {
      this.submitted.set(Number(event.args.submission), this.placeOf(event.task));
    }
  }

  /** The stack of every task that has not finished, for the deadlock report. */
  private stacks(): string[] {
    const { engine } = this;
    const lines: string[] = [];
    for (let task = 0; task < engine.taskCount; task++) {
      const idles = engine.isDaemon(task) && engine.cpuOf(task) >= 0 && engine.depth(task) === 1;
      if (engine.isFinished(task) || idles) continue;
      const blocked = engine.blocked(task);
      const why =
        blocked === undefined
          ? ''
          : blocked.by === 'cpu'
            ? ' (its CPU is busy)'
            : `: ${blocked.text}`;
      const frames = engine.stack(task).map((f) => f.code.routine.name);
      lines.push(`${engine.taskName(task)}${this.at(task)}${why}; in ${frames.join(' < ')}`);
    }
    return lines;
  }

  /** The statement that a task is at, with its line, for a list of stacks. */
  private at(task: number): string {
    return this.statementAt(this.placeOf(task));
  }

  private statementAt(place: number): string {
    if (place < 0) return '';
    const { line } = this.sources.placeAt(place);
    const [text = ''] = this.sources.text.slice(place).split(/[\r\n]/, 1);
    return ` at line ${line + 1}, ${text.trim()}`;
  }

  textOf(span: { from: number; to: number }): string {
    return this.sources.text.slice(span.from, span.to).trim();
  }

  private brokenText(p: PropertyMeaning): string {
    return `${p.when} ${this.textOf(p.condition)} does not hold: ${this.sides(p)}`;
  }

  /** What the two sides of a comparison are, for the message. */
  private sides(p: PropertyMeaning): string {
    const c = p.condition;
    if (c.kind !== 'binary') return `it is ${evaluate(c, this.look) !== 0}`;
    return `${this.textOf(c.left)} is ${evaluate(c.left, this.look)}, ${this.textOf(c.right)} is ${evaluate(c.right, this.look)}`;
  }
}

/** `never violation` and `never race` are the contract's own and need no look after each step. */
function isOccurrence(p: PropertyMeaning): boolean {
  return p.when === 'never' && p.condition.kind === 'occurred';
}
