// What a task holds of bytes between the instruction that loads them and the one that stores them: as much as a page, as
// a copy in wide registers would in many turns. They belong to the task: a context switch keeps them.
import type { Engine } from '../routine/engine';
import { blockBytes } from '../state/blocks';
import type { StorePlan } from '../state/store';
import { Contents } from './memory';
import { PAGE_SIZE } from './pte';

const blocks = PAGE_SIZE / blockBytes;
const region = 'registers';

/** The bytes that tasks hold. */
export class Registers {
  private readonly base: number;

  constructor(private readonly k: Engine) {
    this.base = k.store.region(region).base;
  }

  static reserve(plan: StorePlan, tasks: number): void {
    plan.region(region, 'contents', tasks * blocks);
  }

  static readonly rule = { region, shared: false, unit: 1 };

  /** Those of a task; each lies where it would in the page that it goes to. */
  of(task: number): Contents {
    return new Contents(this.k.store, this.base + task * blocks, PAGE_SIZE);
  }
}

declare module '../routine/engine' {
  interface Parts {
    registers: Registers;
  }
}
