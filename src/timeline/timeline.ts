// Time travel over an engine: positions are micro-steps from the start of the run. The undo log of the store holds
// the span of steps we stand in; spans left behind keep their net change and the choices made, so that any point of
// a long run is reached by whole spans and then by replaying the recorded choices within one.
import { assert } from '../base/assert';
import type { Engine } from '../routine/engine';
import { type Choice, defaultAgent, scheduleText } from '../routine/schedule';
import type { Span } from '../state/store';
import { Livelocks } from './livelock';

/** Steps of a span. A jump replays at most so many. */
export const spanSteps = 4096;

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

/** One run of an engine, forwards and backwards. Owns the journal of the engine's store from here on. */
export class Timeline {
  /** The choices made, `agent << branchBits | branch`. */
  private choices = new Int32Array(1024);
  private recorded = 0;
  private here = 0;
  /** Where the span we stand in begins: the journal reaches back to it. */
  private base = 0;
  private readonly spans: Span[] = [];
  /** The position at which each mark of the journal was taken: that of a burst is followed by no other within it. */
  private readonly marked = new Int32Array(spanSteps + 1);
  private readonly script: Int32Array;
  private readonly livelocks: Livelocks;
  /** From here on who goes was never chosen against the default schedule. */
  private free: number;
  /** The last step came back to a state that was there before. */
  private goesRound = false;

  /** `script`: choices to follow before the default schedule takes over. */
  constructor(
    readonly engine: Engine,
    script: readonly Choice[] = [],
  ) {
    engine.store.settle();
    this.script = Int32Array.from(script, packed);
    this.free = script.length;
    this.livelocks = new Livelocks(engine);
  }

  /** Micro-steps from the start of the run. */
  get position(): number {
    return this.here;
  }

  /** How far the recorded run reaches. */
  get end(): number {
    return this.recorded;
  }

  /** The choice that the micro-step from `at` to `at + 1` made. */
  choiceAt(at: number): Choice | undefined {
    if (at < 0 || at >= this.recorded) return undefined;
    const choice = this.choices[at]!;
    return { agent: choice >> branchBits, branch: choice & branchMask };
  }

  /** The agent that goes next unless another is chosen, or -1. */
  get nextAgent(): number {
    const wanted = this.planned();
    if (wanted >= 0) return wanted >> branchBits;
    const { store } = this.engine;
    const mark = store.mark();
    const agent = defaultAgent(this.engine);
    store.rollback(mark);
    return agent;
  }

  /**
   * One micro-step: the choice given, else the recorded one, else the default schedule's. A choice that differs from
   * the recorded one cuts off the recorded future. False when nobody can go.
   */
  stepForward(choice?: Choice): boolean {
    return this.forward(choice === undefined ? this.planned() : packed(choice), 1);
  }

  /** As `stepForward`, or by a burst of at most `room` steps. */
  private forward(wanted: number, room: number): boolean {
    const { engine } = this;
    const { store } = engine;
    if (this.here - this.base === spanSteps) {
      if (wanted < 0 && this.nextAgent < 0) return false;
      this.leaveSpan();
    }
    const mark = store.mark();
    this.marked[mark] = this.here;
    try {
      const next = this.settle(wanted);
      if (next < 0) {
        store.rollback(mark);
        return false;
      }
      let made = 1;
      if (room > 1) {
        const left = Math.min(
          room,
          this.base + spanSteps - this.here,
          this.livelocks.room(this.here),
        );
        made = engine.burst(next >> branchBits, left);
      } else engine.step(next >> branchBits, next & branchMask);
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

  /** One micro-step back. False at the start of the run. */
  back(): boolean {
    if (this.here === 0) return false;
    this.seek(this.here - 1);
    return true;
  }

  /** Goes to a position of the recorded run. */
  seek(to: number): void {
    assert(to >= 0 && to <= this.recorded, `a position from 0 to ${this.recorded}, not ${to}`);
    const { store } = this.engine;
    // The journal holds the last step of every position but 0, so that `wrote` can tell what it did.
    const base = Math.max(0, Math.ceil(to / spanSteps) - 1) * spanSteps;
    if (base === this.base) {
      if (to < this.here) this.rollback(to);
    } else {
      if (this.here > this.base) store.rollback(0);
      while (this.base > base) {
        this.base -= spanSteps;
        store.apply(this.spans[this.base / spanSteps]!, 'back');
      }
      while (this.base < base) {
        store.apply(this.spans[this.base / spanSteps]!, 'forward');
        this.base += spanSteps;
      }
      this.here = base;
    }
    while (this.here < to) this.stepForward();
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
    const end = this.here + budget;
    while (this.here < end) {
      const wanted = this.planned();
      if (!this.forward(wanted, wanted < 0 ? end - this.here : 1)) return 'end';
      if (this.goesRound) return 'livelock';
    }
    return 'budget';
  }

  private lookForLivelock(): void {
    const steps = this.livelocks.look(this.here, this.free);
    this.goesRound = steps !== undefined;
    if (steps !== undefined) this.engine.report('livelock', { steps });
  }

  /** Runs until `until` gives a reason to stop, for at most `budget` steps; asked after every step. */
  run<R>(until: () => R | undefined, budget: number): Outcome<R> {
    for (let i = 0; i < budget; i++) {
      if (!this.stepForward()) return 'end';
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

  /** The cells that the last micro-step wrote, with what stood there before; none at the start. */
  wrote(visit: (cell: number, before: number) => void): void {
    const { here } = this;
    if (here === 0) return;
    const { store } = this.engine;
    if (this.marked[store.markTotal - 1] !== here - 1) this.seek(here - 1); // the last step was one of a burst
    this.seek(here);
    store.writtenSince(store.markTotal - 1, visit);
  }

  /** The choices from the start to `to` as a schedule's text. */
  schedule(to: number = this.here): string {
    return scheduleText(Array.from({ length: to }, (_, at) => this.choiceAt(at)!));
  }

  /** Bytes that the history holds: journal, sealed spans, choices. */
  get bytes(): number {
    const sealed = this.spans.reduce((sum, span) => sum + span.cells.byteLength, 0);
    return this.engine.store.journalBytes + sealed + this.choices.byteLength;
  }

  /** The choice that is laid down for this position, or -1. */
  private planned(): number {
    if (this.here < this.recorded) return this.choices[this.here]!;
    return this.here < this.script.length ? this.script[this.here]! : -1;
  }

  /**
   * Settles who goes. The default schedule is asked every time, because it keeps its turn in the store: only so is
   * each position the same however it was reached. Who was chosen against it has the turn from then on.
   */
  private settle(wanted: number): number {
    const { engine } = this;
    const preferred = defaultAgent(engine);
    if (wanted < 0) return preferred < 0 ? -1 : preferred << branchBits;
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
    const index = this.base / spanSteps;
    if (index < this.spans.length) store.settle();
    else this.spans.push(store.seal(0));
    this.base += spanSteps;
  }

  private record(choice: number): void {
    if (this.here < this.recorded && this.choices[this.here] !== choice) {
      this.recorded = this.here;
      this.free = Math.max(this.script.length, Math.min(this.free, this.here));
      this.spans.length = this.base / spanSteps;
    }
    if (this.here === this.recorded) {
      if (this.here === this.choices.length) {
        const larger = new Int32Array(this.choices.length * 2);
        larger.set(this.choices);
        this.choices = larger;
      }
      this.choices[this.here] = choice;
      this.recorded++;
    }
    this.here++;
  }
}

function packed({ agent, branch }: Choice): number {
  assert(branch <= branchMask && agent < 1 << (31 - branchBits), 'an agent and a branch that fit');
  return (agent << branchBits) | branch;
}
