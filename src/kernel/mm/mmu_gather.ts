// mm/mmu_gather.c and include/asm-generic/tlb.h (Linux 6.1): what an unmapping gathers, so that the TLB is flushed once
// and pages are freed only after. Left out: batches larger than a handful of pages.

import { PAGE_SIZE } from '../../hardware/pte';
import { routine } from '../../routine/routine';
import {
  array,
  bool,
  type Field,
  int,
  isNull,
  long,
  NULL,
  type Ref,
  ref,
  type Structs,
  struct,
  type View,
} from '../../state/layout';
import { TLB_FLUSH_ALL } from '../arch/x86/include/asm/tlbflush';
import { flush_tlb_mm_range } from '../arch/x86/mm/tlb';
import '../include/linux/mm_types';
import { VM_PFNMAP } from '../include/linux/mm';
import { put_page } from './swap';

/** Pages and page tables that wait for the flush; a full batch forces it. */
const batchPages = 8;
const batchTables = 8;

/** What is gathered; lives on the stack of whoever unmaps. */
export const mmu_gather = struct('mmu_gather', {
  own: {
    mm: ref('mm_struct'),
    start: long,
    end: long,
    fullmm: bool,
    freed_tables: bool, // page tables are among what is gathered
    vma_pfn: bool, // what is unmapped is VM_PFNMAP: nothing but the flush keeps others from the frames
    nr: int,
    pages: array(ref('page') as unknown as Field<Ref>, batchPages),
    nr_tables: int,
    tables: array(ref('page_table') as unknown as Field<Ref>, batchTables),
  },
});

declare module '../../state/layout' {
  interface Structs {
    mmu_gather: View<typeof mmu_gather>;
  }
}

type Gather = Structs['mmu_gather'];

/** Nothing gathered: an empty range. */
export function __tlb_reset_range(tlb: Gather): void {
  tlb.start = tlb.fullmm ? 0 : Number.MAX_SAFE_INTEGER;
  tlb.end = tlb.fullmm ? Number.MAX_SAFE_INTEGER : 0;
  tlb.freed_tables = false;
}

/** Notes that the entry of `address` has been cleared. */
export function tlb_remove_tlb_entry(tlb: Gather, address: number, size: number): void {
  tlb.start = Math.min(tlb.start, address);
  tlb.end = Math.max(tlb.end, address + size);
}

/** Keeps a page until the TLB is flushed; true when the batch is full. */
export function __tlb_remove_page(tlb: Gather, page: Ref): boolean {
  tlb.pages.set(tlb.nr, page);
  tlb.nr++;
  return tlb.nr === batchPages;
}

/** Keeps a page table until no CPU can be walking it; true when the batch is full. */
export function tlb_remove_table(tlb: Gather, table: Ref, address: number): boolean {
  tlb_remove_tlb_entry(tlb, address, PAGE_SIZE);
  tlb.freed_tables = true;
  tlb.tables.set(tlb.nr_tables, table);
  tlb.nr_tables++;
  return tlb.nr_tables === batchTables;
}

const of_tlb = { args: { tlb: ref('mmu_gather') } };

export const tlb_gather_mmu = routine(
  'mm/mmu_gather.c',
  'tlb_gather_mmu',
  { args: { tlb: ref('mmu_gather'), mm: ref('mm_struct'), fullmm: bool } },
  ({ step, atomic }) => [
    step('__tlb_reset_range(tlb)', (f) => {
      f.tlb.mm = f.mm;
      f.tlb.fullmm = f.fullmm;
      __tlb_reset_range(f.tlb);
    }),
    atomic('inc_tlb_flush_pending(mm)', (f) => {
      f.mm.tlb_flush_pending++;
    }),
  ],
);

/** Flushes the gathered range, without freeing pages. */
export const tlb_flush_mmu_tlbonly = routine(
  'include/asm-generic/tlb.h',
  'tlb_flush_mmu_tlbonly',
  { ...of_tlb, locals: { start: long, end: long } },
  ({ step, when, call, ret }) => [
    step('tlb->end', (f) => {
      f.start = f.tlb.fullmm ? 0 : f.tlb.start;
      f.end = f.tlb.fullmm ? TLB_FLUSH_ALL : f.tlb.end;
    }),
    when('nothing gathered', (f) => f.end === 0, [ret()]),
    call(flush_tlb_mm_range, (f) => ({
      mm: f.tlb.mm,
      start: f.start,
      end: f.end,
      freed_tables: f.tlb.freed_tables,
    })),
    step('__tlb_reset_range(tlb)', (f) => __tlb_reset_range(f.tlb)),
    ret(),
  ],
);

/** Flushes, then frees the gathered pages. */
export const tlb_flush_mmu = routine(
  'mm/mmu_gather.c',
  'tlb_flush_mmu',
  { ...of_tlb, locals: { page: ref('page'), table: ref('page_table') } },
  ({ step, when, call, loop, leave }) => [
    call(tlb_flush_mmu_tlbonly, (f) => ({ tlb: f.tlb })),
    loop('tlb_batch_pages_flush(tlb)', [
      step('the last page of the batch', (f) => {
        const { tlb } = f;
        f.page = NULL;
        if (tlb.nr === 0) return;
        tlb.nr--;
        f.page = tlb.pages.get(tlb.nr) as Structs['page'];
        tlb.pages.set(tlb.nr, NULL);
      }),
      when('none', (f) => isNull(f.page), [leave()]),
      call(put_page, (f) => ({ page: f.page })),
    ]),
    loop('tlb_table_flush(tlb)', [
      step('the last table of the batch', (f) => {
        const { tlb } = f;
        f.table = NULL;
        if (tlb.nr_tables === 0) return;
        tlb.nr_tables--;
        f.table = tlb.tables.get(tlb.nr_tables) as Structs['page_table'];
        tlb.tables.set(tlb.nr_tables, NULL);
      }),
      when('none', (f) => isNull(f.table), [leave()]),
      step('free_page(table)', (f, k) => {
        const { table } = f;
        f.table = NULL;
        k.free(table);
      }),
    ]),
  ],
);

/** At the end of each VMA: ranges of bare frames are flushed before anybody may reuse what was behind them. */
export const tlb_end_vma = routine(
  'include/asm-generic/tlb.h',
  'tlb_end_vma',
  of_tlb,
  ({ when, call, variant, ret }) => [
    variant('mm-6.1', [
      when('tlb->vma_pfn', (f) => f.tlb.vma_pfn, [
        call(tlb_flush_mmu_tlbonly, (f) => ({ tlb: f.tlb })),
      ]),
    ]),
    ret(),
  ],
);

/** Flushes what is left; all of the mm if another flush was under way, for its owner may have been too early. */
export const tlb_finish_mmu = routine(
  'mm/mmu_gather.c',
  'tlb_finish_mmu',
  { ...of_tlb, locals: { pending: int } },
  ({ step, atomic, when, call }) => [
    step('mm_tlb_flush_nested(tlb->mm)', (f) => {
      f.pending = f.tlb.mm.tlb_flush_pending;
    }),
    when('nested', (f) => f.pending > 1, [
      step('tlb->fullmm = 1', (f) => {
        f.tlb.fullmm = true;
        __tlb_reset_range(f.tlb);
        f.tlb.freed_tables = true; // the other one may have freed some
      }),
    ]),
    call(tlb_flush_mmu, (f) => ({ tlb: f.tlb })),
    atomic('dec_tlb_flush_pending(tlb->mm)', (f) => {
      f.tlb.mm.tlb_flush_pending--;
    }),
  ],
);

/** Whether a VMA's pages are bare frames. */
export const isVmaPfn = (vm_flags: number): boolean => (vm_flags & VM_PFNMAP) !== 0;
