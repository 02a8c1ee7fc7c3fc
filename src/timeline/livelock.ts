// Livelock of a run: the default schedule decides by the store alone, so when everything that it and the machine look at
// is what it was before, the run goes round for ever. Now and then a moment is remembered, and for a while each state is
// compared with it (as R. P. Brent finds cycles): a run that has not come far pays nothing. What it found is an event of
// the run, at the same position whoever comes there again. A livelock that counts something up on the way, such as a
// sequence number for each turn, is none to it.
import type { Engine } from '../routine/engine';

/** The first position that is remembered; each further one is twice the one before. */
const first = 1 << 16;
/** So many states are compared with a remembered one: cycles that are longer are not found. */
const window = 1 << 14;

interface Remembered {
  readonly lo: number;
  readonly hi: number;
  readonly schedule: number;
  /** Where it was found again. */
  again: number | undefined;
}

export class Livelocks {
  private readonly moments = new Map<number, Remembered>();
  /** The position remembered last before the one that was asked about last, or at it, and the next one. */
  private since = 0;
  private next = first;

  constructor(private readonly engine: Engine) {}

  /** Steps from `position` on within which nothing is looked at: behind them a burst must end. */
  room(position: number): number {
    this.settle(position);
    const { since, next } = this;
    return position < first || position - since >= window ? next - position : 1;
  }

  /**
   * Looks at the state at `position`, which the run has come to by the default schedule since `free`; how many steps a
   * turn has when it is one that was there before.
   */
  look(position: number, free: number): number | undefined {
    if (position < first) return undefined;
    this.settle(position);
    const { since } = this;
    if (position - since > window) return undefined;
    const { store, scheduleState: schedule } = this.engine;
    const moment = this.moments.get(since);
    const [lo, hi] = [store.hashLow, store.hashHigh];
    const same = moment?.schedule === schedule && moment.lo === lo && moment.hi === hi;
    if (position === since) {
      if (!same) this.moments.set(since, { lo, hi, schedule, again: undefined });
      return undefined;
    }
    if (moment === undefined || !same) return undefined;
    if (moment.again === undefined && since >= free) moment.again = position;
    return moment.again === position ? position - since : undefined;
  }

  private settle(position: number): void {
    if (position >= this.since && position < this.next) return;
    this.since = position < first ? 0 : 2 ** Math.floor(Math.log2(position));
    this.next = Math.max(first, 2 * this.since);
  }
}
