// arch/x86/mm/tlb.c (Linux 5.1 and 6.1, which agree here): flushing the TLBs of all CPUs that run in an address space,
// and switching address spaces. Left out: PCIDs and with them generations of the TLB (a CPU keeps nothing over a CR3
// load, so a generation never decides anything), and the batching of IPIs: each request is one entry of the queue.

import { CALL_FUNCTION_VECTOR } from '../../../../hardware/cpu';
import {
  TLB_FLUSH_ON_TASK_SWITCH,
  TLB_LOCAL_SHOOTDOWN,
  TLB_REMOTE_SHOOTDOWN,
  tlb_flush,
} from '../../../../hardware/mmu';
import { PAGE_SHIFT, PAGE_SIZE } from '../../../../hardware/pte';
import type { Engine } from '../../../../routine/engine';
import { routine } from '../../../../routine/routine';
import { int, isNull, long, NULL, ref, struct, type View } from '../../../../state/layout';
import '../../../include/linux/mm_types';

/** As an end of a range: everything. */
export const TLB_FLUSH_ALL = -1;

/** A range of more pages than this is flushed by flushing the whole TLB. */
export const tlb_single_page_flush_ceiling = 33;

/** A request to flush, as the CPUs asked see it. */
export const flush_tlb_info = struct('flush_tlb_info', {
  fixed: { mm: ref('mm_struct'), start: long, end: long, initiating_cpu: int },
  shared: { unanswered: int }, // CPUs that have not flushed yet, one bit each
});

declare module '../../../../state/layout' {
  interface Structs {
    flush_tlb_info: View<typeof flush_tlb_info>;
  }
}

/** Flushes [start, end) of `mm`, or everything, on all CPUs that run in it; returns when all have done so. */
export const flush_tlb_mm_range = routine(
  'arch/x86/mm/tlb.c',
  'flush_tlb_mm_range',
  {
    args: { mm: ref('mm_struct'), start: long, end: long },
    locals: { info: ref('flush_tlb_info'), here: int, others: int },
  },
  ({ step, call, when, ret }) => [
    step('info = get_flush_tlb_info(mm, start, end)', (f, k) => {
      const info = k.alloc('flush_tlb_info');
      const pages = (f.end - f.start) / PAGE_SIZE;
      const all = f.end === TLB_FLUSH_ALL || pages > tlb_single_page_flush_ceiling;
      info.mm = f.mm;
      info.start = all ? 0 : f.start;
      info.end = all ? TLB_FLUSH_ALL : f.end;
      info.initiating_cpu = k.cpu;
      f.info = info;
    }),
    step('mm_cpumask(mm)', (f, k) => {
      const cpus = f.mm.cpu_bitmap;
      const self = k.cpu < 0 ? 0 : 1 << k.cpu;
      f.here = cpus & self;
      f.others = cpus & ~self;
    }),
    when(
      'other CPUs run in mm',
      (f) => f.others !== 0,
      [call(flush_tlb_multi, (f) => ({ info: f.info, cpus: f.others, here: f.here }))],
      [
        when('this CPU does', (f) => f.here !== 0, [
          call(flush_tlb_func, (f) => ({ info: f.info })),
        ]),
      ],
    ),
    step('put_flush_tlb_info()', (f, k) => {
      const { info } = f;
      f.info = NULL;
      k.free(info);
    }),
    ret(),
  ],
);

/** Interrupts `cpus`, flushes here if need be, and spins until all have answered. */
export const flush_tlb_multi = routine(
  'arch/x86/mm/tlb.c',
  'flush_tlb_multi',
  { args: { info: ref('flush_tlb_info'), cpus: int, here: int } },
  ({ step, call, when, wait }) => [
    step('queue the request and send the IPIs', (f, k) => {
      f.info.unanswered = f.cpus;
      for (let cpu = 0; cpu < k.cpus; cpu++) {
        if ((f.cpus & (1 << cpu)) !== 0) k.raise(cpu, CALL_FUNCTION_VECTOR);
      }
    }),
    when('this CPU runs in mm', (f) => f.here !== 0, [
      call(flush_tlb_func, (f) => ({ info: f.info })),
    ]),
    wait('csd_lock_wait()', (f) => f.info.unanswered === 0, { spins: true }),
  ],
);

/** The flush on one CPU, interrupts disabled: page by page, or all. Nothing when the CPU has left `mm`. */
export const flush_tlb_func = routine(
  'arch/x86/mm/tlb.c',
  'flush_tlb_func',
  { mode: 'interrupt', args: { info: ref('flush_tlb_info') } },
  ({ step }) => [
    step('flush_tlb_one_user() or flush_tlb_local()', ({ info }, k) => {
      const { cpu } = k;
      const { tlb } = k.parts;
      if (tlb.cr3(cpu) !== info.mm.pgd) return;
      const reason = info.initiating_cpu === cpu ? TLB_LOCAL_SHOOTDOWN : TLB_REMOTE_SHOOTDOWN;
      const { start, end } = info;
      if (end === TLB_FLUSH_ALL) tlb.flushAll(cpu);
      else for (let at = start; at < end; at += PAGE_SIZE) tlb.flushPage(cpu, at);
      const pages = end === TLB_FLUSH_ALL ? -1 : (end - start) / 2 ** PAGE_SHIFT;
      k.emit(tlb_flush, { cpu, pages, reason });
    }),
  ],
);

/** The interrupt by which another CPU asks for a function to be called: every request is for a TLB flush. */
export const sysvec_call_function = routine(
  'arch/x86/kernel/smp.c',
  'sysvec_call_function',
  { mode: 'interrupt', locals: { info: ref('flush_tlb_info') } },
  ({ step, atomic, loop, when, leave, call }) => [
    loop("for each request in this CPU's queue", [
      step('csd = llist_next(call_single_queue)', (f, k) => {
        f.info = k.view('flush_tlb_info', requestTo(k, k.cpu));
      }),
      when('none left', (f) => isNull(f.info), [leave()]),
      call(flush_tlb_func, (f) => ({ info: f.info })),
      atomic('csd_unlock(csd)', (f, k) => {
        f.info.unanswered &= ~(1 << k.cpu);
      }),
    ]),
  ],
);

/** The first request that waits for the answer of `cpu`, or 0. */
function requestTo(k: Engine, cpu: number): number {
  const { offset } = flush_tlb_info.slot('unanswered');
  for (const at of k.objects.all('flush_tlb_info')) {
    if ((k.store.peek(at + offset) & (1 << cpu)) !== 0) return at;
  }
  return 0;
}

/**
 * Changes the address space of a CPU to that of the task it goes on with. A task without one (a kernel thread, the idle
 * task) borrows the last one: its TLB entries stay, and shootdowns still reach this CPU.
 */
export function switch_mm_irqs_off(k: Engine, cpu: number, _from: number, to: number): void {
  const owner = k.ownerOf(to);
  if (owner === 0) return;
  const { mm } = k.view('task_struct', owner);
  if (!isNull(mm)) load_new_mm_cr3(k, cpu, mm.at);
}

/** Makes `mm` (its address, 0 for none) the address space of a CPU, unless it is so already. */
export function load_new_mm_cr3(k: Engine, cpu: number, mm: number): void {
  const { tlb } = k.parts;
  const pgd = mm === 0 ? 0 : k.view('mm_struct', mm).pgd;
  const loaded = tlb.cr3(cpu);
  if (loaded === pgd) return;
  for (const at of k.objects.all('mm_struct')) {
    const other = k.view('mm_struct', at);
    if (other.pgd === loaded) other.cpu_bitmap &= ~(1 << cpu);
  }
  if (mm !== 0) k.view('mm_struct', mm).cpu_bitmap |= 1 << cpu;
  tlb.loadCr3(cpu, pgd);
  k.emit(tlb_flush, { cpu, pages: -1, reason: TLB_FLUSH_ON_TASK_SWITCH });
}
