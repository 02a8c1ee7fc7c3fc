// Numbers kept for every byte of the surfaces, as contents cells: equal runs of bytes share interned blocks, so a range
// costs one cell a 256-byte block and untouched surfaces cost nothing. They go back in time like everything else.
import { Contents } from '../hardware/memory';
import type { Engine } from '../routine/engine';
import { blockBytes } from '../state/blocks';
import type { StorePlan } from '../state/store';

/** One number below 65536 a byte, in two planes. */
export class Numbers {
  private readonly low: Contents;
  private readonly high: Contents;

  constructor(
    private readonly k: Engine,
    name: string,
    bytes: number,
  ) {
    this.low = new Contents(k.store, k.store.region(`${name} low`).base, bytes);
    this.high = new Contents(k.store, k.store.region(`${name} high`).base, bytes);
  }

  static reserve(plan: StorePlan, name: string, bytes: number): void {
    plan.region(`${name} low`, 'contents', Math.ceil(bytes / blockBytes));
    plan.region(`${name} high`, 'contents', Math.ceil(bytes / blockBytes));
  }

  fill(at: number, length: number, value: number): void {
    this.low.fill(at, length, { unique: false, value: value & 255 });
    this.high.fill(at, length, { unique: false, value: value >> 8 });
  }

  at(at: number): number {
    return this.low.peek(at) | (this.high.peek(at) << 8);
  }

  /** First byte of [at, at + length) whose number is greater than `limit`, or -1. */
  firstAbove(at: number, length: number, limit: number): number {
    const { store } = this.k;
    const { blocks } = store;
    for (let byte = at; byte < at + length; ) {
      const block = Math.floor(byte / blockBytes);
      const end = Math.min(at + length, (block + 1) * blockBytes);
      const low = store.peek(this.low.base + block);
      const high = store.peek(this.high.base + block);
      // The greatest bytes of both planes make a bound, seldom reached by one number.
      if ((blocks.maximum(low) | (blocks.maximum(high) << 8)) > limit) {
        for (let i = byte; i < end; i++) {
          const offset = i % blockBytes;
          const value = blocks.byte(low, offset) | (blocks.byte(high, offset) << 8);
          if (value > limit) return i;
        }
      }
      byte = end;
    }
    return -1;
  }
}
