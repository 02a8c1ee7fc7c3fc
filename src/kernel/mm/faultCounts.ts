// How many faults each process had: min_flt and maj_flt of its tasks. Nothing is decided by them, so they are history,
// and a fault that is taken again and again leads back to the same state.
import type { Engine } from '../../routine/engine';
import type { Ref } from '../../state/layout';
import type { StorePlan } from '../../state/store';

const cellsEach = 2;

export class FaultCounts {
  static reserve(plan: StorePlan, processes: number): void {
    plan.region('fault counts', 'history', cellsEach * processes);
  }

  constructor(private readonly k: Engine) {}

  /** Counts one more fault of an address space. */
  count(mm: Ref, major: boolean): void {
    const at = this.at(mm) + (major ? 1 : 0);
    this.k.store.put(at, this.k.store.peek(at) + 1);
  }

  /** Minor and major faults so far. */
  of(mm: Ref): readonly [min_flt: number, maj_flt: number] {
    const at = this.at(mm);
    return [this.k.store.peek(at), this.k.store.peek(at + 1)];
  }

  private at(mm: Ref): number {
    return this.k.store.region('fault counts').base + cellsEach * this.k.objects.indexOf(mm.at);
  }
}

declare module '../../routine/engine' {
  interface Parts {
    faultCounts: FaultCounts;
  }
}
