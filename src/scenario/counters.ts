// The counters of a run, read off its events as they happen. They are history: they go back in time with the run.

import { TLB_FLUSH_ON_TASK_SWITCH } from '../hardware/mmu';
import { X86_PF_PROT, X86_PF_WRITE } from '../hardware/pte';
import type { Engine } from '../routine/engine';
import type { LoggedEvent } from '../state/events';
import type { StorePlan } from '../state/store';
import { type CounterName, counters } from './vocabulary';

const names = Object.keys(counters) as CounterName[];

export class Counters {
  private readonly at: number;

  constructor(private readonly k: Engine) {
    this.at = k.store.region('counters').base;
    k.listeners.push((event) => this.hear(event));
  }

  static reserve(plan: StorePlan): void {
    plan.region('counters', 'history', names.length);
  }

  get(counter: CounterName): number {
    return this.k.store.peek(this.at + names.indexOf(counter));
  }

  private add(counter: CounterName, amount = 1): void {
    const at = this.at + names.indexOf(counter);
    this.k.store.put(at, this.k.store.peek(at) + amount);
  }

  private hear(event: LoggedEvent): void {
    const a = event.args as Record<string, number>;
    switch (event.name) {
      case 'page_fault':
        this.add(faultKind(a.error_code!));
        break;
      case 'vmw_bo_dirty_scan':
        this.add('scans');
        this.add('scannedPtes', Math.max(0, a.count!));
        break;
      case 'vmw_dirty_sync':
        this.add('updates');
        this.add('flushedBytes', a.w!);
        break;
      case 'tlb_flush':
        if (a.reason !== TLB_FLUSH_ON_TASK_SWITCH && a.pages !== 0) this.add('tlbFlushes');
        break;
      case 'vmw_readback':
        this.add('readbacks');
        break;
      case 'dma_fence_emit':
        this.add('fences');
        break;
    }
  }
}

/** Which counter a page fault belongs to, by its error code. */
export function faultKind(error_code: number): CounterName {
  if ((error_code & X86_PF_WRITE) === 0) return 'faults.read';
  return (error_code & X86_PF_PROT) === 0 ? 'faults.write' : 'faults.writeProtect';
}
