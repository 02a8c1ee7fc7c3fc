// Numbers kept for every byte of the surfaces, as contents cells: equal runs of bytes share interned blocks, so a range
// costs one cell a 256-byte block and plane, and untouched surfaces cost nothing. They go back in time with the rest.
import { Contents } from '../hardware/memory';
import type { Engine } from '../routine/engine';
import { blockBytes } from '../state/blocks';
import type { StorePlan } from '../state/store';

/** Planes of one byte each: numbers below 2^24, more submissions than a run has steps for. */
const planes = [0, 1, 2] as const;

/** One number a byte. */
export class Numbers {
  private readonly planes: readonly Contents[];

  constructor(
    private readonly k: Engine,
    name: string,
    bytes: number,
  ) {
    const base = (plane: number) => k.store.region(`${name} ${plane}`).base;
    this.planes = planes.map((plane) => new Contents(k.store, base(plane), bytes));
  }

  static reserve(plan: StorePlan, name: string, bytes: number): void {
    const blocks = Math.ceil(bytes / blockBytes);
    for (const plane of planes) plan.region(`${name} ${plane}`, 'contents', blocks);
  }

  fill(at: number, length: number, value: number): void {
    this.planes.forEach((contents, plane) => {
      contents.fill(at, length, { unique: false, value: (value >> (8 * plane)) & 255 });
    });
  }

  at(at: number): number {
    return this.planes.reduce(
      (sum, contents, plane) => sum | (contents.peek(at) << (8 * plane)),
      0,
    );
  }

  /** First byte of [at, at + length) whose number is greater than `limit`, or -1. */
  firstAbove(at: number, length: number, limit: number): number {
    for (let byte = at; byte < at + length; ) {
      const block = Math.floor(byte / blockBytes);
      const end = Math.min(at + length, (block + 1) * blockBytes);
      if (this.bound(block) > limit) {
        for (let i = byte; i < end; i++) if (this.at(i) > limit) return i;
      }
      byte = end;
    }
    return -1;
  }

  /** The greatest bytes of all planes together: no number of the block is greater, and few reach it. */
  private bound(block: number): number {
    const { store } = this.k;
    return this.planes.reduce(
      (sum, { base }, plane) =>
        sum | (store.blocks.maximum(store.peek(base + block)) << (8 * plane)),
      0,
    );
  }
}
