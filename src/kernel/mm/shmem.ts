// mm/shmem.c as far as TTM uses it: a file for each buffer object whose pages are swapped out. Left out: that these
// pages are themselves memory until they go to a disk.
import { Contents } from '../../hardware/memory';
import { PAGE_SIZE } from '../../hardware/pte';
import type { Engine } from '../../routine/engine';
import { blockBytes } from '../../state/blocks';
import type { StorePlan } from '../../state/store';

const region = 'swap';
const blocksPerPage = PAGE_SIZE / blockBytes;

/** The files, found by the place of the ttm_tt they belong to. */
export class Shmem {
  constructor(
    private readonly k: Engine,
    /** How large a file can be; 0: the machine swaps nothing. */
    readonly pages: number,
  ) {}

  static reserve(plan: StorePlan, files: number, pages: number): void {
    plan.region(region, 'contents', files * pages * blocksPerPage);
  }

  /** For a Checker: whoever has the object reserved has its file. */
  static readonly rule = { region, shared: false, unit: 1 } as const;

  /** Page `i` of the file of the ttm_tt at `ttm`. */
  page(ttm: number, i: number): Contents {
    const { store, objects } = this.k;
    const page = objects.indexOf(ttm) * this.pages + i;
    return new Contents(store, store.region(region).base + page * blocksPerPage, PAGE_SIZE);
  }
}

declare module '../../routine/engine' {
  interface Parts {
    shmem: Shmem;
  }
}
