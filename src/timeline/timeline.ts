// Time travel over an engine: positions are micro-steps from the start of the run. The undo log of the store holds
// the span of steps we stand in; spans left behind keep their net change and the choices made, so that any point of
// a long run is reached by whole spans and then by replaying the recorded choices within one. A choice other than the
// recorded one begins a branch; what was recorded stays, as the branch that it is of.
import { assert } from '../base/assert';
import type { Engine } from '../routine/engine';
import { type Choice, defaultAgent, type Entry, isEdit, scheduleText } from '../routine/schedule';
import type { AccessObserver, Span } from '../state/store';
import { type Branch, Courses } from './courses';
import { Livelocks } from './livelock';

/** Steps of a span. A jump replays at most so many. */
export const spanSteps = 128;
/** A jump goes as far as it can by long spans: so many make a longer one, so many of those one of the longest. */
const spansOfOne = 16;
/** Of what its parts have, the most that a longer span comes to. */
const worthwhile = 3 / 4;
const levels = [spanSteps, spanSteps * spansOfOne, spanSteps * spansOfOne ** 2];

/** What ended a run: a reason to stop, the budget of steps, or nobody left to go (backwards: the start). */
export type Outcome<R> = { readonly stop: R } | 'budget' | 'end';

/** A given schedule names an agent that cannot go, or a branch that is not there. */
export class ScheduleMismatch extends Error {
  constructor(
    readonly position: number,
    message: string,
  ) {
    super(`the schedule does not fit this run: at step ${position} ${message}`);
  }
}

const branchBits = 12;
const branchMask = (1 << branchBits) - 1;
const none = -1; // no entry is laid down; below it are the edits
const editBelow = -2;

/** One run of an engine, forwards and backwards. Owns the journal of the engine's store from here on. */
export class Timeline {
  /** The entries made or laid down: `agent << branchBits | branch`, or an edit by its number. */
  private choices = new Int32Array(1024);
  private readonly edits: string[] = [];
  private recorded = 0;
  private here = 0;
  /** Where the span we stand in begins: the journal reaches back to it. */
  private base = 0;
  /**
   * Of each level by their number, the shortest first. Those before `floor` are dropped, those of a course not gone yet
   * are to come; a longer one is missing where it would save nothing.
   */
  private readonly spans: (Span | undefined)[][] = levels.map(() => []);
  private spanBytes = 0;
  private floor = 0;
  private readonly courses = new Courses();
  /** The position at which each mark of the journal was taken: that of a burst is followed by no other within it. */
  private readonly marked = new Int32Array(spanSteps + 1);
  private readonly livelocks: Livelocks;
  /** From here on who goes was never chosen against the default schedule. */
  private free: number;
  /** The last step came back to a state that was there before. */
  private goesRound = false;
  /** Bytes of spans and left branches that are kept, of these at most half; beyond them the oldest are dropped. */
  budget = Number.POSITIVE_INFINITY;

  /** `script`: entries to follow before the default schedule takes over. */
  constructor(
    readonly engine: Engine,
    script: readonly Entry[] = [],
  ) {
    engine.store.settle();
    if (script.length > 0) this.choices = Int32Array.from(script, (entry) => this.packed(entry));
    this.recorded = script.length;
    this.free = script.length;
    this.livelocks = new Livelocks(engine);
  }

  /** Micro-steps from the start of the run. */
  get position(): number {
    return this.here;
  }

  /** How far the recorded run reaches, and what is laid down for it. */
  get end(): number {
    return this.recorded;
  }

  /** Up to here the run has gone: what is laid down beyond is gone step by step. */
  get gone(): number {
    return Math.max(this.here, this.spans[0]!.length * spanSteps);
  }

  /** The earliest position that can be gone to: 0 until history is dropped. */
  get start(): number {
    return this.floor;
  }

  /** The choice that the micro-step from `at` to `at + 1` made; undefined where it was an edit. */
  choiceAt(at: number): Choice | undefined {
    const entry = this.entryAt(at);
    return entry === undefined || isEdit(entry) ? undefined : entry;
  }

  /** The agent of the last micro-step; -1 at the start, and where it was an edit. */
  get lastAgent(): number {
    const packed = this.here === 0 ? none : this.choices[this.here - 1]!;
    return packed < 0 ? none : packed >> branchBits;
  }

  /** The entry of the step from `at` to `at + 1`. */
  entryAt(at: number): Entry | undefined {
    if (at < 0 || at >= this.recorded) return undefined;
    const packed = this.choices[at]!;
    if (packed <= editBelow) return { edit: this.edits[editBelow - packed]! };
    return { agent: packed >> branchBits, branch: packed & branchMask };
  }

  /** The agent that goes next unless another is chosen, or -1. */
  get nextAgent(): number {
    const wanted = this.planned();
    if (wanted >= 0) return wanted >> branchBits;
    if (wanted <= editBelow) return this.afterEdits();
    const { store } = this.engine;
    const mark = store.mark();
    const agent = defaultAgent(this.engine);
    store.rollback(mark);
    return agent;
  }

  /**
   * One micro-step: the entry given, else the recorded one, else the default schedule's choice. One that differs from
   * the recorded one begins a branch. False when nobody can go.
   */
  stepForward(entry?: Entry): boolean {
    return this.forward(entry === undefined ? this.planned() : this.packed(entry), 1);
  }

  /** As `stepForward`, or by a burst of at most `room` steps; `observer` hears what the step reads and writes. */
  private forward(wanted: number, room: number, observer?: AccessObserver): boolean {
    const { engine } = this;
    const { store } = engine;
    if (this.here - this.base === spanSteps) {
      if (wanted === none && this.nextAgent < 0) return false;
      this.leaveSpan();
    }
    const mark = store.mark();
    this.marked[mark] = this.here;
    try {
      const next = this.settle(wanted);
      if (next === none) {
        store.rollback(mark);
        return false;
      }
      let made = 1;
      if (next <= editBelow) this.change(this.edits[editBelow - next]!);
      else if (room > 1) {
        const left = Math.min(
          room,
          this.base + spanSteps - this.here,
          this.livelocks.room(this.here),
        );
        made = engine.burst(next >> branchBits, left);
      } else {
        if (observer !== undefined) store.observer = observer;
        engine.step(next >> branchBits, next & branchMask);
        if (observer !== undefined) store.observer = undefined;
      }
      for (let i = 0; i < made; i++) this.record(next);
      this.lookForLivelock();
    } catch (error) {
      store.observer = undefined; // a check may have been listening when the step failed
      store.rollback(mark);
      if (mark === 0) this.seek(this.here); // the span behind was left already: take it up again
      throw error;
    }
    return true;
  }

  /** One micro-step back. False at the start of the run, or of what is kept of it. */
  back(): boolean {
    if (this.here === this.floor) return false;
    this.seek(this.here - 1);
    return true;
  }

  /** Goes to a position of the recorded run, or of what is laid down for it. */
  seek(to: number): void {
    const { floor, recorded } = this;
    assert(to >= floor && to <= recorded, `a position from ${floor} to ${recorded}, not ${to}`);
    const { store } = this.engine;
    // The journal holds the last step of every position but the first, so that `wrote` can tell what it did.
    const base = Math.max(floor / spanSteps, Math.ceil(to / spanSteps) - 1) * spanSteps;
    const gone = to <= this.here || this.spans[0]![this.base / spanSteps] !== undefined;
    if (base === this.base) {
      if (to < this.here) this.rollback(to);
    } else if (gone) {
      if (this.here > this.base) store.rollback(0);
      while (this.base > base && this.leap(base, 'back'));
      while (this.base < base && this.leap(base, 'forward'));
      this.here = this.base;
    }
    while (this.here < to && this.stepForward());
  }

  /** From one boundary of spans towards another by the longest span that is kept; false when there is none. */
  private leap(to: number, direction: 'back' | 'forward'): boolean {
    const { base } = this;
    const sign = direction === 'back' ? -1 : 1;
    for (let level = levels.length - 1; level >= 0; level--) {
      const steps = levels[level]!;
      if (base % steps !== 0 || Math.abs(to - base) < steps) continue;
      const span = this.spans[level]![(direction === 'back' ? base - steps : base) / steps];
      if (span === undefined) continue;
      this.engine.store.apply(span, direction);
      this.base += sign * steps;
      return true;
    }
    return false;
  }

  /** Within the span we stand in: to the last mark at or before `to`. */
  private rollback(to: number): void {
    const { store } = this.engine;
    let mark = store.markTotal - 1;
    while (this.marked[mark]! > to) mark--;
    store.rollback(mark);
    this.here = this.marked[mark]!;
  }

  /**
   * Runs for at most `budget` steps without stopping on the way, in bursts where there are any. Every position within one
   * can be gone to: it is made again, step by step. It ends where the run begins to go round for ever.
   */
  runThrough(budget: number): 'budget' | 'end' | 'livelock' {
    const outcome = this.runInBursts(() => this.goesRound || undefined, budget);
    return typeof outcome === 'object' ? 'livelock' : outcome;
  }

  /** As `run`, for an `until` that no moment within a burst answers: one task goes, in one routine, without events. */
  runInBursts<R>(until: () => R | undefined, budget: number): Outcome<R> {
    return this.runBy(until, budget, true);
  }

  private lookForLivelock(): void {
    const steps = this.livelocks.look(this.here, this.free);
    this.goesRound = steps !== undefined;
    if (steps !== undefined) this.engine.report('livelock', { steps });
  }

  /** Runs until `until` gives a reason to stop, for at most `budget` steps; asked after every step. */
  run<R>(until: () => R | undefined, budget: number): Outcome<R> {
    return this.runBy(until, budget, false);
  }

  private runBy<R>(until: () => R | undefined, budget: number, bursts: boolean): Outcome<R> {
    const end = this.here + budget;
    while (this.here < end) {
      const wanted = this.planned();
      if (!this.forward(wanted, bursts && wanted < 0 ? end - this.here : 1)) return 'end';
      const stop = until();
      if (stop !== undefined) return { stop };
    }
    return 'budget';
  }

  /** As `run`, backwards; asked at every position that is reached, the start included. */
  runBack<R>(until: () => R | undefined, budget: number): Outcome<R> {
    for (let i = 0; i < budget; i++) {
      if (!this.back()) return 'end';
      const stop = until();
      if (stop !== undefined) return { stop };
    }
    return 'budget';
  }

  /** Makes the last micro-step again, heard by `observer`. Nothing at the start. */
  again(observer: AccessObserver): void {
    if (!this.back()) return;
    this.forward(this.planned(), 1, observer);
  }

  /** What `look` sees where the last micro-step began; undefined at the start. */
  before<T>(look: () => T): T | undefined {
    if (!this.back()) return undefined;
    const seen = look();
    this.stepForward();
    return seen;
  }

  /** The cells that the last micro-step wrote, with what stood there before; none at the start. */
  wrote(visit: (cell: number, before: number) => void): void {
    const { here } = this;
    if (here === this.floor) return;
    const { store } = this.engine;
    if (this.marked[store.markTotal - 1] !== here - 1) this.seek(here - 1); // the last step was one of a burst
    this.seek(here);
    store.writtenSince(store.markTotal - 1, visit);
  }

  /** The entries from the start to `to` as a schedule's text. */
  schedule(to: number = this.here): string {
    return scheduleText(Array.from({ length: to }, (_, at) => this.entryAt(at)!));
  }

  /** Bytes that the history holds: journal, sealed spans, entries of all branches. */
  get bytes(): number {
    const { journalBytes } = this.engine.store;
    return journalBytes + this.spanBytes + this.choices.byteLength + this.courses.bytes;
  }

  // Branches.

  /** Every course that the run took and that is kept, in the order in which they began. */
  get branches(): readonly Branch[] {
    return this.courses.branches(this.recorded);
  }

  /** The branch that the run is on. */
  get branch(): number {
    return this.courses.branch;
  }

  /** Branches that were left and are kept no longer. */
  get dropped(): readonly number[] {
    return this.courses.dropped;
  }

  /** Changes to another branch; stands then where the two part, if it stood beyond. False when there is no such one. */
  changeTo(id: number): boolean {
    if (id === this.branch) return true;
    const entries = this.courses.change(this.choices.subarray(0, this.recorded), id);
    if (entries === undefined) return false;
    let common = 0;
    const most = Math.min(entries.length, this.recorded);
    while (common < most && entries[common] === this.choices[common]) common++;
    if (this.here > common) this.seek(common);
    this.dropSpans(common);
    this.choices = entries;
    this.recorded = entries.length;
    this.free = this.recorded;
    this.courses.bound(this.budget / 2);
    return true;
  }

  /** What is recorded from here on is left for another course. */
  private departs(): void {
    this.courses.depart(this.choices.subarray(0, this.recorded), this.here);
    this.courses.bound(this.budget / 2);
    this.recorded = this.here;
    this.free = Math.min(this.free, this.here);
    this.dropSpans(this.base);
  }

  /** Forgets the spans that end behind position `from`: the run goes another way. */
  private dropSpans(from: number): void {
    for (const [level, spans] of this.spans.entries()) {
      const kept = Math.floor(from / levels[level]!);
      for (const span of spans.slice(kept)) this.spanBytes -= sizeOf(span);
      spans.length = Math.min(spans.length, kept);
    }
  }

  // Inside.

  /** The entry that is laid down for this position, or none. */
  private planned(): number {
    return this.here < this.recorded ? this.choices[this.here]! : none;
  }

  /** Who goes after the edits that are laid down for this position; for them, anybody may be taken. */
  private afterEdits(): number {
    let at = this.here;
    while (at < this.recorded && this.choices[at]! <= editBelow) at++;
    return at < this.recorded ? this.choices[at]! >> branchBits : 0;
  }

  private packed(entry: Entry): number {
    if (isEdit(entry)) {
      const known = this.edits.indexOf(entry.edit);
      return editBelow - (known < 0 ? this.edits.push(entry.edit) - 1 : known);
    }
    const { agent, branch } = entry;
    assert(branch <= branchMask && agent < 1 << (31 - branchBits), 'an agent and branch that fit');
    return (agent << branchBits) | branch;
  }

  /** A value is changed by hand. */
  private change(edit: string): void {
    const problem = this.engine.edit(edit);
    if (problem !== undefined) throw this.mismatch(`${edit}: ${problem}`);
  }

  /**
   * Settles who goes. The default schedule is asked every time, because it keeps its turn in the store: only so is
   * each position the same however it was reached. Who was chosen against it has the turn from then on.
   */
  private settle(wanted: number): number {
    const { engine } = this;
    if (wanted <= editBelow) {
      this.free = Math.max(this.free, this.here + 1);
      return wanted; // nobody's turn
    }
    const preferred = defaultAgent(engine);
    if (wanted === none) return preferred < 0 ? none : preferred << branchBits;
    const agent = wanted >> branchBits;
    if (agent >= engine.agents) throw this.mismatch(`there is no agent ${agent}`);
    if (agent !== preferred || (wanted & branchMask) !== 0)
      this.free = Math.max(this.free, this.here + 1);
    if (agent !== preferred) {
      if (!engine.runnable(agent)) throw this.mismatch(`${engine.agentName(agent)} cannot go`);
      if (agent >= engine.cpus) engine.turn = agent;
    }
    const branch = wanted & branchMask;
    if (branch >= engine.branches(agent)) {
      throw this.mismatch(`${engine.agentName(agent)} has no branch ${branch}`);
    }
    return wanted;
  }

  private mismatch(message: string): ScheduleMismatch {
    return new ScheduleMismatch(this.here, message);
  }

  /** Keeps the net change of the full span we stand at the end of, and begins the next one. */
  private leaveSpan(): void {
    const { store } = this.engine;
    if (this.base / spanSteps < this.spans[0]!.length) store.settle();
    else this.keep(store.seal(0), 0);
    this.base += spanSteps;
    const { floor } = this;
    while (this.spanBytes + this.courses.bytes > this.budget && this.floor < this.base) {
      for (const [level, spans] of this.spans.entries()) {
        const oldest = Math.floor(this.floor / levels[level]!);
        if (oldest >= spans.length) continue; // not taken together yet
        this.spanBytes -= sizeOf(spans[oldest]);
        spans[oldest] = undefined;
      }
      this.floor += spanSteps;
    }
    if (this.floor > floor) this.courses.forget(this.floor);
  }

  /** Keeps the next span of a level, and when they make one of the level above, that too. */
  private keep(span: Span | undefined, level: number): void {
    const spans = this.spans[level]!;
    spans.push(span);
    this.spanBytes += sizeOf(span);
    if (level + 1 === levels.length || spans.length % spansOfOne !== 0) return;
    const parts = this.partsOf(level + 1, spans.length / spansOfOne - 1);
    this.keep(this.together(parts), level + 1);
  }

  /** Spans as one; undefined when some are dropped, or when it would save little. */
  private together(parts: readonly (Span | undefined)[]): Span | undefined {
    const there = parts.filter((span) => span !== undefined);
    if (there.length < parts.length) return undefined;
    const whole = this.engine.store.fold(there);
    const bytes = there.reduce((sum, span) => sum + sizeOf(span), 0);
    return sizeOf(whole) > bytes * worthwhile ? undefined : whole;
  }

  /** The spans that a longer one is made of; what the parts of a missing one are, where that is one of several. */
  private partsOf(level: number, index: number): readonly (Span | undefined)[] {
    if (level === 0) return [undefined];
    const first = index * spansOfOne;
    const parts = this.spans[level - 1]!.slice(first, first + spansOfOne);
    return parts.flatMap((span, i) => span ?? this.partsOf(level - 1, first + i));
  }

  private record(choice: number): void {
    if (this.here < this.recorded && this.choices[this.here] !== choice) this.departs();
    if (this.here === this.recorded) {
      if (this.here === this.choices.length) {
        const larger = new Int32Array(Math.max(1024, this.choices.length * 2));
        larger.set(this.choices);
        this.choices = larger;
      }
      this.choices[this.here] = choice;
      this.recorded++;
    }
    this.here++;
  }
}

const sizeOf = (span: Span | undefined): number => span?.cells.byteLength ?? 0;
