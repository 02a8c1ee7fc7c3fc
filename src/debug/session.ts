// One debugged run: where it stands, why it stopped, how it goes on. Knows engines and time, not DAP: the adapter
// asks it to begin a motion and lets it advance in chunks, so that a pause is heard in between.

import { PAGE_SIZE, pte_pfn } from '../hardware/pte';
import type { Location } from '../machine/location/location';
import { isLocationName } from '../machine/locations';
import { spotAt } from '../machine/spots';
import type { Fault } from '../protocol/fault';
import type { Choice } from '../routine/schedule';
import { lockName, underTicket } from '../scenario/waits';
import type { LoggedEvent } from '../state/events';
import type { U64 } from '../state/layout';
import { Livelocks } from '../timeline/livelock';
import { type Outcome, ScheduleMismatch, Timeline } from '../timeline/timeline';
import { type Breakpoint, Breakpoints } from './breakpoints';
import type { Debuggee, DebugThread, Evaluated, Spot, Target, Value, Where } from './debuggee';
import { Faults, rootOf } from './faults';
import { Instructions } from './instructions';
import { isScenario, Listings } from './listings';
import { firstLine } from './placing';
import {
  backward,
  endless,
  forward,
  type Granularity,
  type Motion,
  moved,
  taskOf,
} from './stepping';
import { differenceFilter, type Explanation, eventNames, explain } from './stops';
import { toPosition } from './travel';
import { numberAt, truth, withNames } from './values';
import { Variables } from './variables';
import type { WatchHit } from './watches';

export type StopReason =
  | 'entry'
  | 'step'
  | 'breakpoint'
  | 'function breakpoint'
  | 'data breakpoint'
  | 'instruction breakpoint'
  | 'goto'
  | 'exception'
  | 'pause'
  | 'end';

/** Why the run stands where it stands. `title` is for the call stack, `text` tells more. */
export interface Stop {
  readonly reason: StopReason;
  readonly task: number;
  readonly title: string;
  readonly text: string;
  readonly causes: readonly string[];
  /** The page fault that it stopped at. */
  readonly fault?: Fault;
  /** The filter of an exception, and the breakpoints hit. */
  readonly filter?: string;
  /** Nobody can go on from here. */
  readonly final?: boolean;
  readonly hits: readonly number[];
}

interface Hit {
  readonly breakpoint: Breakpoint;
  readonly task: number;
  readonly event: LoggedEvent | undefined;
  readonly filter: string | undefined;
  readonly data?: WatchHit;
  /** A condition that cannot be evaluated stops, and says so. */
  readonly error: string | undefined;
}

export class Session {
  readonly timeline: Timeline;
  readonly listings: Listings;
  readonly variables: Variables;
  readonly faults: Faults;
  readonly instructions: Instructions;
  readonly breakpoints = new Breakpoints();
  /** Positions with names. */
  readonly bookmarks = new Map<string, number>();
  /** Agents that do not go unless they are chosen. */
  held: ReadonlySet<number> = new Set();
  /** Of a run without them: its steps, and what finds that it goes round. */
  private round = { steps: 0, livelocks: undefined as Livelocks | undefined };
  /** Hears what log points print. */
  output: (text: string) => void = () => {};
  private motion: Motion | undefined;
  private stop: Stop | undefined;
  /** Breakpoints that hold where we stand, to be counted down when it is left backwards. */
  private leaving: readonly Hit[] = [];

  constructor(readonly debuggee: Debuggee) {
    this.timeline = new Timeline(debuggee.engine, debuggee.schedule);
    this.listings = new Listings(debuggee.engine.program);
    this.variables = new Variables(debuggee);
    this.instructions = new Instructions(debuggee.engine.program);
    this.faults = new Faults(debuggee, this.timeline);
  }

  get engine() {
    return this.debuggee.engine;
  }

  get running(): boolean {
    return this.motion !== undefined;
  }

  /** Why it stopped last; undefined while it runs. */
  get stopped(): Stop | undefined {
    return this.running ? undefined : this.stop;
  }

  /** Nobody can go on from here. */
  get atEnd(): boolean {
    return this.timeline.nextAgent < 0;
  }

  /** The threads, and the idle task of a CPU while an interrupt is handled on it. */
  get threads(): DebugThread[] {
    const { engine } = this;
    const idle: DebugThread[] = [];
    for (let task = engine.taskCount - engine.cpus; task < engine.taskCount; task++) {
      if (engine.depth(task) > 1) idle.push({ task, name: engine.taskName(task) });
    }
    return [...this.debuggee.threads, ...idle];
  }

  /** Stops at the first moment; `stay` says whether the breakpoints there are not asked. */
  start(stay: boolean): Stop | undefined {
    if (stay) return this.halt(this.quietStop('entry', this.next(), 'Stopped on entry'));
    const hits = this.debuggee.threads.flatMap(({ task }) => this.opHits(task));
    this.stop = undefined;
    const stop = this.stopFor(this.count(hits, 1));
    return stop && this.halt(stop);
  }

  /** The task that goes next, else the one that went last. */
  next(): number {
    const { engine, timeline } = this;
    const agent = timeline.nextAgent;
    if (agent >= 0) return taskOf(engine, agent);
    const { lastAgent } = timeline;
    return lastAgent < 0 ? 0 : taskOf(engine, lastAgent);
  }

  /** Step over, into or out. Another thread than the one that stopped is a choice of who goes. */
  step(task: number, how: 'over' | 'into' | 'out', granularity: Granularity): void {
    const { engine, timeline } = this;
    const over = engine.isFinished(task) || engine.isDead(task);
    const subject = over ? this.next() : task;
    const agent = engine.agentOfTask(subject);
    const chosen =
      task !== this.stop?.task && timeline.nextAgent !== agent && engine.runnable(agent);
    const first = chosen ? { agent, branch: 0 } : undefined;
    this.begin(forward(timeline, subject, how, granularity, first));
  }

  stepBack(task: number, how: 'over' | 'into' | 'out', granularity: Granularity): void {
    this.begin(backward(this.timeline, task, how, granularity));
  }

  /** Goes to where the run is first looked at, when that is not its beginning. */
  goToTarget(target: Target): void {
    this.begin({ ...endless(target.task, false), towards: target });
  }

  continue(task: number): void {
    this.begin(endless(task, false));
  }

  reverseContinue(task: number): void {
    this.begin(endless(task, true));
  }

  /** Goes to a position of the recorded run; to one that lies far ahead of all that was gone yet it sets out. */
  goto(position: number): Stop | undefined {
    const { start, end, gone } = this.timeline;
    const to = Math.max(start, Math.min(position, end));
    if (to - gone > atOnce) {
      this.begin(toPosition(this, to));
      return undefined;
    }
    this.timeline.seek(to);
    return this.halt(this.quietStop('step', this.next(), `At step ${this.timeline.position}`));
  }

  /** Why a branch cannot be changed to, or undefined. */
  branchProblem(id: number): string | undefined {
    const { branches, dropped } = this.timeline;
    if (branches.some((branch) => branch.id === id)) return undefined;
    if (dropped.includes(id)) return `branch ${id} is kept no longer: ${this.boundText}`;
    return `there is no branch ${id}; the last is ${branches.at(-1)!.id}`;
  }

  /** How much of the past is kept. */
  get boundText(): string {
    const mib = Math.round(this.timeline.budget / 2 ** 20);
    return `history is kept up to ${mib} MiB, half of it for branches. Launch with a larger "history" to keep more`;
  }

  /** Changes to another branch that there is; stands where the two part. */
  changeBranch(id: number): Stop {
    const { timeline } = this;
    timeline.changeTo(id);
    const { position, end } = timeline;
    const title = `On branch ${id}, at step ${position} of ${end}`;
    return this.halt(this.quietStop('step', this.next(), title));
  }

  /** Stops a run where it is. */
  pause(task: number | undefined): Stop {
    return this.halt(this.quietStop('pause', task ?? this.lastTask(), 'Paused'));
  }

  /** Sets out on a journey to a moment that is told by what happens there. */
  travel(motion: Motion): void {
    this.begin(motion);
  }

  /** One micro-step of the agent chosen, by the branch chosen. */
  choose(choice: Choice): Stop {
    const { engine, timeline } = this;
    const task = taskOf(engine, choice.agent);
    timeline.stepForward(choice);
    const hits = this.count(this.hitsHere(), 1);
    return this.halt(this.stopFor(hits) ?? this.quietStop('step', task, this.whereText(task)));
  }

  /** The agent of a number or a name, as `agents` lists them. */
  agentOf(who: string): number | undefined {
    const { engine } = this;
    if (/^\d+$/.test(who)) return Number(who) < engine.agents ? Number(who) : undefined;
    for (let agent = 0; agent < engine.agents; agent++) {
      const task = engine.taskOfAgent(agent);
      const names = [engine.agentName(agent), ...(task < 0 ? [] : [this.threadName(task)])];
      if (names.includes(who)) return agent;
    }
    return undefined;
  }

  /** Why a choice cannot be made, or undefined. */
  choiceProblem({ agent, branch }: Choice): string | undefined {
    const { engine } = this;
    if (agent < 0 || agent >= engine.agents)
      return `there is no agent ${agent}; the last is ${engine.agents - 1}`;
    const task = engine.taskOfAgent(agent);
    const name = this.agentName(agent);
    if (!engine.runnable(agent)) {
      if (task >= 0 && engine.isFinished(task)) return `${name} has finished`;
      const why = task < 0 ? 'no interrupt can come now' : this.blockedText(task);
      return `${name} cannot go on: ${why ?? 'it is stopped for good'}`;
    }
    const count = engine.branches(agent);
    return branch < count ? undefined : `${name} has ${count} branches here, counted from 0`;
  }

  /** The position of a step's number or a bookmark. */
  momentOf(text: string): number | undefined {
    return /^\d{1,15}$/.test(text) ? Number(text) : this.bookmarks.get(text);
  }

  /** The bits of an entry of a page table. */
  rawEntry(value: Value | Spot): U64 | undefined {
    if (typeof value !== 'object' || !('field' in value) || value.field.kind !== 'pte')
      return undefined;
    const { store } = this.engine;
    return { lo: store.peek(value.at), hi: store.peek(value.at + 1) };
  }

  /** Runs on for at most `budget` micro-steps; the stop, when there is one. */
  advance(budget: number): Stop | undefined {
    const { motion, timeline } = this;
    if (motion === undefined) return this.stop;
    try {
      if (motion.towards !== undefined) return this.approach(motion.towards, budget);
      return motion.backward
        ? this.advanceBack(motion, budget)
        : this.advanceForward(motion, budget);
    } catch (error) {
      const failed = (title: string, text: string) =>
        this.halt({ ...this.quietStop('exception', this.next(), title), text, filter: 'warn' });
      if (error instanceof ScheduleMismatch)
        return failed('The schedule does not fit', error.message);
      const message = error instanceof Error ? error.message : String(error);
      return failed(
        'The emulator failed',
        `${message} (${this.debuggee.name}, schedule ${timeline.schedule()}). This is a defect of the debugger.`,
      );
    }
  }

  /** Changes a location, as a step of nobody; what is wrong, if it cannot be. The run stands where it stood. */
  change(location: Location, value: string): string | undefined {
    const entry = this.debuggee.locations.entry(location, value);
    if (typeof entry === 'string') return entry;
    this.timeline.stepForward(entry);
    return undefined;
  }

  /** The location that an expression is of, for a task and in one of its frames; or why there is none. */
  locate(expression: string, task: number, frame?: number): Location | string {
    const { locations } = this.debuggee;
    const text = expression.trim();
    if (isLocationName(text)) return locations.at(text);
    const scope = this.scopeOf(task, frame);
    const spot = scope.spot(text);
    const found = spot === undefined ? undefined : locations.fieldId(spot);
    if (found !== undefined) return locations.at(found);
    const { lookup } = this.naming(scope);
    const located = this.debuggee.locate(text, { task, frame: scope.frame, lookup });
    return 'error' in located ? located.error : locations.at(located.id);
  }

  /** The memory that the value of an expression is, or that it refers to. */
  memoryOf(
    expression: string,
    value: Value | Spot,
    task: number,
    frame: number | undefined,
  ): string | undefined {
    if (typeof value === 'object' && 'field' in value) return this.frameOf(value);
    const location = this.locate(expression, task, frame);
    if (typeof location === 'string' || !location.isBytes) return undefined;
    return location.id.replace(/:\d+$/, '');
  }

  /** The frame of memory that an entry of a page table maps. */
  frameOf({ field, at }: Spot): string | undefined {
    if (field.kind !== 'pte') return undefined;
    const entry = { lo: this.engine.store.peek(at), hi: this.engine.store.peek(at + 1) };
    const pfn = pte_pfn(entry);
    const { memory } = this.engine.parts;
    return memory?.isData(pfn) ? `phys:0x${(pfn * PAGE_SIZE).toString(16)}` : undefined;
  }

  /** The process that a task runs in, by its name; the first there is, for a task without one. */
  spaceOf(task: number): string | undefined {
    const { engine, debuggee } = this;
    const spaces = debuggee.locations.spaces();
    const pgd = spaces.length < 2 ? 0 : rootOf(engine, task);
    return (spaces.find((space) => space.pgd === pgd) ?? spaces[0])?.name;
  }

  /** Evaluates an expression for a task, in one of its frames or its innermost. */
  evaluate(expression: string, task: number, frame?: number, names?: Where['lookup']): Evaluated {
    const { debuggee } = this;
    if (isLocationName(expression.trim())) {
      const location = debuggee.locations.at(expression.trim());
      return typeof location === 'string' ? { error: location } : { value: location.text() };
    }
    const scope = this.scopeOf(task, frame);
    const direct = names?.(expression) ?? scope.spot(expression);
    if (direct !== undefined) return { value: direct };
    // Paths of the kernel's fields are no words of the scenario's language: names stand in for them.
    const { standIns, lookup } = this.naming(scope, names);
    const missing: string[] = [];
    const worded = withNames(expression, (path) => {
      const found = scope.spot(path);
      if (found === undefined && path.includes('->')) missing.push(path);
      if (found === undefined) return undefined;
      const name = `path${standIns.size}`;
      standIns.set(name, found);
      return name;
    });
    if (missing[0] !== undefined) return { error: `there is no ${missing[0]} here` };
    return debuggee.evaluate(worded, { task, frame: scope.frame, lookup });
  }

  /** The names of a frame's own fields. */
  private scopeOf(task: number, frame: number | undefined) {
    const { engine } = this;
    const stack = engine.stack(task);
    const info = frame === undefined ? stack[0] : stack.find((f) => f.at === frame);
    // Of the scenario's own frames, those of procedures have values of their own: a text stands for many calls.
    const isRoot = info !== undefined && isScenario(info.code) && info.at === stack.at(-1)?.at;
    const named = isRoot ? undefined : info;
    const isMapping = (path: string) =>
      named?.code.frame.slots.some(({ name }) => name === `(start of ${path})`) === true;
    const spot = (path: string) =>
      named && !isMapping(path)
        ? spotAt(engine, { struct: named.code.frame, at: named.at }, path)
        : undefined;
    return { frame: info?.at ?? 0, spot };
  }

  /** The names in reach of an expression, and those that stand in for something. */
  private naming(scope: { spot(path: string): Spot | undefined }, names?: Where['lookup']) {
    const standIns = new Map<string, Spot>();
    const lookup = (name: string): Value | undefined => {
      const local = standIns.get(name) ?? scope.spot(name);
      return names?.(name) ?? (local && numberAt(this.engine, local));
    };
    return { standIns, lookup };
  }

  /** The events that the last micro-step logged. */
  lastEvents(): readonly LoggedEvent[] {
    const { events, steps } = this.engine;
    if (this.timeline.position === 0) return [];
    const { length } = events;
    let from = length;
    while (from > 0 && events.at(from - 1).step === steps) from--;
    return from === length ? noEvents : events.slice(from);
  }

  // Inside.

  /** An event in words. */
  explained(event: LoggedEvent): Explanation {
    const fault = event.name === 'page_fault' ? this.faults.of(event) : undefined;
    return explain(event, this.debuggee, fault);
  }

  private begin(motion: Motion): void {
    this.motion = motion;
    this.stop = undefined;
    this.round = {
      steps: 0,
      livelocks: this.held.size > 0 ? new Livelocks(this.engine) : undefined,
    };
    if (motion.backward) this.leaving = this.hitsHere().filter((hit) => this.holds(hit));
  }

  private halt(stop: Stop): Stop {
    this.motion = undefined;
    this.stop = stop;
    this.markCauses(stop);
    return stop;
  }

  /** The moments of a chain of causes get names: `lost` is where the data were lost, `cause1` and on are all of them. */
  private markCauses({ causes }: Stop): void {
    const offset = this.engine.steps - this.timeline.position;
    if (causes.length > 0) this.bookmarks.delete('lost');
    causes.forEach((cause, i) => {
      const step = /\bstep (\d+)/.exec(cause)?.[1];
      if (step === undefined) return;
      this.bookmarks.set(`cause${i + 1}`, Number(step) - offset);
      if (i === 0 || /\blost\b/.test(cause)) this.bookmarks.set('lost', Number(step) - offset);
    });
  }

  /** Follows what is laid down, to the first violation or to its end, heeding nothing on the way. */
  follow(): void {
    const { timeline } = this;
    const { end } = timeline;
    const found = () => this.lastEvents().findLast((e) => e.name === 'violation');
    const arrive = (): Stop => {
      const event = found();
      if (event === undefined)
        return this.quietStop('goto', this.lastTask(), 'At the end of the recorded run');
      const said = this.explained(event);
      return { reason: 'exception', task: event.task, ...said, filter: 'violation', hits: [] };
    };
    const done = () => found() !== undefined || timeline.position >= end;
    const journey = { backward: false, task: this.next(), first: undefined, done, arrive };
    this.begin({ ...journey, failing: 'the recorded run is over' });
  }

  /** Runs on to where the run is first looked at; nothing stops it before. */
  private approach(target: Target, budget: number): Stop | undefined {
    const reached = (): boolean | undefined => target.reached() || undefined;
    const outcome = reached() ? undefined : this.timeline.run(reached, budget);
    if (outcome === 'budget') return undefined;
    const { task, title, text, wrong } = target;
    if (!wrong) return this.halt(this.quietStop('entry', task, title));
    const stop = this.quietStop('exception', task, title);
    return this.halt({ ...stop, text, filter: differenceFilter });
  }

  private advanceForward(motion: Motion, budget: number): Stop | undefined {
    const { timeline } = this;
    if (motion.first !== undefined) {
      timeline.stepForward(motion.first);
      this.motion = { ...motion, first: undefined };
      const stop = this.check(motion, 1);
      if (stop !== undefined) return this.halt(stop);
    }
    const outcome = this.held.size > 0 ? this.runWithout(motion, budget) : this.run(motion, budget);
    if (outcome === 'budget') return undefined;
    if (outcome === 'end' && motion.failing) return this.halt(this.failedStop(motion));
    if (outcome === 'held') return this.halt(this.heldStop(motion));
    if (outcome === 'round') return this.halt(this.roundStop(motion));
    return this.halt(outcome === 'end' ? this.endStop(motion) : outcome.stop);
  }

  /** In bursts, where nobody asks for what is within one. */
  private run(motion: Motion, budget: number): Outcome<Stop> {
    const { timeline, breakpoints } = this;
    const look = () => this.check(motion, 1);
    const single = motion.single || motion.arrive !== undefined || breakpoints.single;
    return single ? timeline.run(look, budget) : timeline.runInBursts(look, budget);
  }

  /**
   * As `Timeline.run`, without the agents that are held: who goes instead is chosen, by the state alone, so that a state
   * which comes again comes for ever.
   */
  private runWithout(motion: Motion, budget: number): Outcome<Stop> | 'held' | 'round' {
    const { timeline, engine, held } = this;
    for (let i = 0; i < budget; i++) {
      const { nextAgent } = timeline;
      if (nextAgent < 0) return 'end';
      let agent = nextAgent;
      for (let n = 0; n < engine.agents && (held.has(agent) || !engine.runnable(agent)); n++)
        agent = (agent + 1) % engine.agents;
      if (held.has(agent) || !engine.runnable(agent)) return 'held';
      if (agent === nextAgent) timeline.stepForward();
      else timeline.stepForward({ agent, branch: 0 });
      const stop = this.check(motion, 1);
      if (stop !== undefined) return { stop };
      this.round.steps++;
      if (this.round.livelocks?.look(this.round.steps, 0) !== undefined) return 'round';
    }
    return 'budget';
  }

  private roundStop({ task }: Motion): Stop {
    const stop = this.quietStop('pause', task, 'The run goes round while agents are held');
    const text = `Everything is again as it was before, so it would go on like this for ever. Held: ${this.heldNames}. Step one of them, or let them run again.`;
    return { ...stop, text };
  }

  private get heldNames(): string {
    return [...this.held].map((agent) => this.agentName(agent)).join(', ');
  }

  private agentName(agent: number): string {
    const task = this.engine.taskOfAgent(agent);
    return task < 0 ? this.engine.agentName(agent) : this.threadName(task);
  }

  private heldStop({ task }: Motion): Stop {
    const stop = this.quietStop('pause', task, 'Only who is held could go on');
    return { ...stop, text: `Held: ${this.heldNames}. Step one of them, or let them run again.` };
  }

  private failedStop({ task, failing = '' }: Motion): Stop {
    const title = `${failing[0]!.toUpperCase()}${failing.slice(1)}`;
    return this.quietStop('goto', this.engine.isFinished(task) ? this.next() : task, title);
  }

  private advanceBack(motion: Motion, budget: number): Stop | undefined {
    const { timeline } = this;
    const outcome = timeline.runBack(() => this.check(motion, -1), budget);
    const { position, start, budget: kept } = timeline;
    if (outcome === 'budget' && position > start) return undefined;
    if (typeof outcome !== 'object' && motion.failing) return this.halt(this.failedStop(motion));
    if (position === 0) {
      if (motion.arrive !== undefined && !motion.failing) return this.halt(motion.arrive());
      return this.halt(this.quietStop('entry', motion.task, 'At the beginning of the run'));
    }
    if (position === start) {
      const stop = this.quietStop('entry', this.next(), 'At the beginning of what is kept');
      const mib = Math.round(kept / 2 ** 20);
      const text = `The history before step ${start} was dropped: it is kept up to ${mib} MiB. Launch with a larger "history" to go further back, or restart to run again from the beginning.`;
      return this.halt({ ...stop, text });
    }
    return typeof outcome === 'object' ? this.halt(outcome.stop) : undefined;
  }

  /** Whether to stop at the position just reached. */
  private check(motion: Motion, direction: 1 | -1): Stop | undefined {
    if (motion.arrive !== undefined) return motion.done() ? motion.arrive() : undefined;
    if (direction < 0) for (const { breakpoint } of this.leaving) breakpoint.hits--;
    const hits = this.hitsHere();
    const counted = direction > 0 ? this.count(hits, 1) : this.countBack(hits);
    const far = motion.done(); // keeps account of moves, so it is asked at every position
    return this.stopFor(counted) ?? (far ? this.stepStop(motion) : undefined);
  }

  /** Breakpoints at this position, conditions not yet asked. */
  private hitsHere(): readonly Hit[] {
    if (!this.breakpoints.any) return noHits;
    const task = this.lastTask();
    const hits = this.breakpoints.anyCode ? this.opHits(task) : [];
    for (const event of this.lastEvents()) {
      for (const { filter, breakpoint } of this.breakpoints.on(event)) {
        hits.push({ breakpoint, task: event.task, event, filter: filter.id, error: undefined });
      }
    }
    const { watches } = this.breakpoints;
    for (const data of watches.any ? watches.at(this.timeline) : []) {
      const { breakpoint } = data.watch;
      hits.push({ breakpoint, task, event: undefined, filter: undefined, data, error: undefined });
    }
    return hits;
  }

  private opHits(task: number): Hit[] {
    const { engine, breakpoints, timeline } = this;
    const at = engine.topFrame(task);
    if (at === 0) return [];
    const op = engine.opOf(task)!;
    const found = [...breakpoints.atOp(op)];
    const entries = breakpoints.atEntry(op.of);
    if (found.length + entries.length === 0) return [];
    if (timeline.position > 0 && !moved(timeline, task)) return [];
    if (entries.length > 0 && this.entered(at)) found.push(...entries);
    return found.map((breakpoint) => ({
      breakpoint,
      task,
      event: undefined,
      filter: undefined,
      error: undefined,
    }));
  }

  /** Whether the frame at `at` was pushed by the last micro-step. */
  private entered(at: number): boolean {
    if (this.timeline.position === 0) return true;
    let pushed = false;
    this.timeline.wrote((cell, before) => {
      pushed ||= cell === at && before === 0;
    });
    return pushed;
  }

  /** Counts the hits whose condition holds; those that stop. */
  private count(hits: readonly Hit[], by: 1 | 0): readonly Hit[] {
    if (hits.length === 0) return hits;
    const stopping: Hit[] = [];
    for (const hit of hits) {
      const { breakpoint } = hit;
      const held = this.condition(hit);
      if (held === false) continue;
      breakpoint.hits += by;
      if (breakpoint.hitTest !== undefined && !breakpoint.hitTest(breakpoint.hits)) continue;
      if (breakpoint.log !== undefined) this.output(this.filled(breakpoint.log, hit));
      else stopping.push(typeof held === 'string' ? { ...hit, error: held } : hit);
    }
    return stopping;
  }

  private countBack(hits: readonly Hit[]): readonly Hit[] {
    this.leaving = hits.filter((hit) => this.holds(hit));
    return this.count(this.leaving, 0);
  }

  private holds(hit: Hit): boolean {
    return this.condition(hit) !== false;
  }

  /** Whether a hit's condition holds; a string when it cannot be evaluated. */
  private condition(hit: Hit): boolean | string {
    const { breakpoint, task } = hit;
    if (breakpoint.condition === undefined) return true;
    const result = this.evaluate(breakpoint.condition, task, undefined, this.namesOf(hit));
    return 'error' in result ? result.error : truth(this.engine, result.value);
  }

  /** The names that a hit brings: the arguments of its event; `old` and `new` of what was changed. */
  private namesOf({ event, data }: Hit): Where['lookup'] | undefined {
    if (event !== undefined) return eventNames(event);
    if (data === undefined) return undefined;
    const { location } = data.watch;
    return (name) => {
      if (name === 'new') return numberIn(location.text());
      return name === 'old' ? numberIn(this.timeline.before(() => location.text())) : undefined;
    };
  }

  private filled(log: string, hit: Hit): string {
    const names = this.namesOf(hit);
    return log.replace(/\{([^{}]*)\}/g, (_whole, expression: string) => {
      const result = this.evaluate(expression, hit.task, undefined, names);
      return 'error' in result ? `{${result.error}}` : this.variables.text(result.value);
    });
  }

  /** The stop of several hits at one position: an event says more than a line; the last filter of the list most. */
  private stopFor(hits: readonly Hit[]): Stop | undefined {
    const first = hits[0];
    if (first === undefined) return undefined;
    const ids = [...new Set(hits.map((h) => h.breakpoint.id))];
    const failed = hits.find((h) => h.error !== undefined);
    const because =
      failed &&
      ` The condition '${failed.breakpoint.condition}' could not be evaluated: ${sentence(failed.error!)}`;
    const telling = hits.findLast((h) => h.event !== undefined);
    if (telling?.event !== undefined) {
      const said = this.explained(telling.event);
      const text = said.text + (because ?? '');
      return {
        reason: 'exception',
        task: telling.task,
        ...said,
        text,
        filter: telling.filter!,
        hits: ids,
      };
    }
    const watched = hits.find((h) => h.data !== undefined);
    if (watched?.data !== undefined) {
      const { title, text } = this.watchText(watched.data);
      const stop = this.quietStop('data breakpoint', watched.task, title);
      return { ...stop, text: text + (because ?? ''), hits: ids };
    }
    const hit = hits.find((h) => h.breakpoint.kind === 'line') ?? first;
    const reason = reasons[hit.breakpoint.kind as keyof typeof reasons];
    const { what } = hit.breakpoint;
    const routine = this.engine.opOf(hit.task)?.of.routine.name;
    const isOneOf = hit.breakpoint.kind === 'function' && what !== routine;
    const title = `Breakpoint at ${isOneOf ? `${routine} (${what})` : what}`;
    return { ...this.quietStop(reason, hit.task, title), text: (because ?? '').trim(), hits: ids };
  }

  /** What happened to what is watched, and who did it where. */
  watchText({ watch: { location }, read }: WatchHit): { title: string; text: string } {
    const { timeline } = this;
    const now = shortened(location.text());
    const task = this.lastTask();
    const doing = timeline.before(() => ({
      old: shortened(location.text()),
      at: this.operationText(task),
    }));
    const byHand = timeline.choiceAt(timeline.position - 1) === undefined;
    const who = byHand
      ? 'It was changed by hand'
      : `${this.threadName(task)} ${read ? 'read' : 'wrote'} it`;
    const text = `${who}${byHand || doing?.at === undefined ? '' : ` in ${doing.at}`}.`;
    const { what } = location;
    const title = read ? `Read of ${what}: ${now}` : `${what}: ${doing?.old} → ${now}`;
    return { title: `${title[0]!.toUpperCase()}${title.slice(1)}`, text };
  }

  /** The operation that a task is at. */
  operationText(task: number): string | undefined {
    const op = this.engine.opOf(task);
    return op && `${op.of.routine.name}: ${op.text}`;
  }

  private stepStop(motion: Motion): Stop {
    const { engine } = this;
    if (!engine.isFinished(motion.task))
      return this.quietStop('step', motion.task, this.whereText(motion.task));
    const name = this.threadName(motion.task);
    return this.quietStop('step', this.next(), `${name} has finished`);
  }

  /** Nobody can go on: the run is over, or it is stuck. */
  private endStop(motion: Motion): Stop {
    const { engine } = this;
    if (this.debuggee.done)
      return { ...this.quietStop('end', motion.task, 'The run is over'), final: true };
    const stuck = this.debuggee.threads.flatMap(({ task, name }) => {
      if (engine.isDaemon(task) || engine.isFinished(task)) return [];
      return [`${name}: ${this.blockedText(task) ?? 'cannot go on'}`];
    });
    const last = this.lastTask();
    const text = `No thread can go on: a deadlock. ${stuck.join('; ')}.`;
    return {
      reason: 'exception',
      task: last,
      title: 'Deadlock',
      text,
      causes: stuck,
      filter: 'violation',
      final: true,
      hits: [],
    };
  }

  /** Why a task cannot go on, in words. */
  blockedText(task: number): string | undefined {
    const { engine } = this;
    const blocked = engine.blocked(task);
    if (blocked === undefined) return undefined;
    if (blocked.by === 'cpu')
      return `waits for its CPU, which runs ${this.threadName(blocked.task)}`;
    if (blocked.by === 'wait') return `waits: ${blocked.text}`;
    const holders = engine.lockHolders(blocked.at).map((t) => this.threadName(t));
    const { at, text } = blocked;
    const held = holders.length === 0 ? '' : `, held by ${holders.join(' and ')}`;
    const name = lockName(engine, at, (struct, object) => this.debuggee.nameOf(struct, object));
    const under = underTicket(engine.waitTicket(task));
    return `waits for ${name} (${text})${under}${held}${underTicket(engine.lockTicket(at))}`;
  }

  threadName(task: number): string {
    return this.debuggee.threads.find((t) => t.task === task)?.name ?? this.engine.taskName(task);
  }

  private whereText(task: number): string {
    const op = this.engine.opOf(task);
    const [top] = this.engine.stack(task);
    if (top === undefined || op === undefined) return 'Stopped';
    if (!isScenario(top.code)) return `${top.code.routine.name}: ${op.text}`;
    const line = op.span === undefined ? '' : firstLine(this.debuggee, op.span).text;
    return line === '' ? 'Stopped' : `Stopped before: ${shortened(line)}`;
  }

  quietStop(reason: StopReason, task: number, title: string): Stop {
    return { reason, task, title, text: '', causes: [], hits: [] };
  }

  lastTask(): number {
    const { engine, timeline } = this;
    const { lastAgent } = timeline;
    return lastAgent < 0 ? this.next() : taskOf(engine, lastAgent);
  }
}

/** So many steps that were not gone yet are gone at once. */
const atOnce = 1 << 14;

const noEvents: readonly LoggedEvent[] = [];
const noHits: readonly Hit[] = [];

/** What a location's text says as a number. */
const numberIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^(0x[\da-f]+|\d+)$/i.test(text) ? Number(text) : undefined;

/** Why a run stops at a breakpoint on code. */
const reasons = {
  line: 'breakpoint',
  function: 'function breakpoint',
  instruction: 'instruction breakpoint',
} as const;

/** Ends in a mark of its own, or gets one. */
const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`);

/** A statement as far as there is room for it beside a thread's name. */
const shortened = (line: string): string => (line.length > 32 ? `${line.slice(0, 31)}…` : line);
