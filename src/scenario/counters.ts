// The counters of a run, read off its events as they happen. They are history: they go back in time with the run.

import { TLB_FLUSH_ON_TASK_SWITCH } from '../hardware/mmu';
import { X86_PF_PROT, X86_PF_WRITE } from '../hardware/pte';
import type { Engine } from '../routine/engine';
import type { LoggedEvent } from '../state/events';
import type { StorePlan } from '../state/store';
import { type CounterName, counters } from './vocabulary';

const names = Object.keys(counters) as CounterName[];

/** Two uploads of a large surface pass 2^31 bytes. */
const cellsEach = 2; // low, high

export class Counters {
  private readonly at: number;

  constructor(private readonly k: Engine) {
    this.at = k.store.region('counters').base;
    k.listeners.push((event) => this.hear(event));
  }

  static reserve(plan: StorePlan): void {
    plan.region('counters', 'history', cellsEach * names.length);
  }

  get(counter: CounterName): number {
    const at = this.cell(counter);
    return this.k.store.peek(at + 1) * 0x1_0000_0000 + (this.k.store.peek(at) >>> 0);
  }

  /** The names of all counters. */
  get names(): readonly CounterName[] {
    return names;
  }

  /** The cells of the counter of this name, low word first. */
  cellsOf(name: string): readonly (readonly [from: number, to: number])[] | undefined {
    const index = names.indexOf(name as CounterName);
    return index < 0
      ? undefined
      : [[this.at + cellsEach * index, this.at + cellsEach * (index + 1)]];
  }

  private cell(counter: CounterName): number {
    return this.at + cellsEach * names.indexOf(counter);
  }

  private add(counter: CounterName, amount = 1): void {
    const at = this.cell(counter);
    const sum = this.get(counter) + amount;
    this.k.store.put(at, sum | 0);
    this.k.store.put(at + 1, Math.floor(sum / 0x1_0000_0000));
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
        this.add('flushedBytes', a.bytes!);
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
