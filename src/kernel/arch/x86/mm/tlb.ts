// arch/x86/mm/tlb.c (Linux 5.1, and 6.1 under `tlb-6.1`): flushing the TLBs of all CPUs that run in an address space, and
// switching address spaces. Left out: PCIDs (a CPU keeps nothing over a CR3 load); kernel addresses; strides of large
// pages; the merging of several requests into one IPI, each is one entry of the queue.

import { CALL_FUNCTION_VECTOR } from '../../../../hardware/cpu';
import {
  TLB_FLUSH_ON_TASK_SWITCH,
  TLB_LOCAL_MM_SHOOTDOWN,
  TLB_REMOTE_SHOOTDOWN,
  tlb_flush,
} from '../../../../hardware/mmu';
import { PAGE_SHIFT, PAGE_SIZE } from '../../../../hardware/pte';
import type { Engine } from '../../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../../routine/routine';
import {
  bool,
  int,
  isNull,
  long,
  NULL,
  ref,
  type Structs,
  struct,
  type View,
} from '../../../../state/layout';
import '../../../include/linux/mm_types';
import { cpu_tlbstate, TLB_FLUSH_ALL } from '../include/asm/tlbflush';

/** A range of more pages than this is flushed by flushing the whole TLB. */
export const tlb_single_page_flush_ceiling = 33;

/** A request to flush, as the CPUs asked see it. */
export const flush_tlb_info = struct('flush_tlb_info', {
  fixed: {
    mm: ref('mm_struct'),
    start: long,
    end: long,
    new_tlb_gen: int, // the generation of the mm that this flush makes
    freed_tables: bool, // page tables go too: even a CPU that is lazy must not walk them any more
    initiating_cpu: int,
  },
  shared: { unanswered: int }, // CPUs that have not flushed yet, one bit each
});

declare module '../../../../state/layout' {
  interface Structs {
    flush_tlb_info: View<typeof flush_tlb_info>;
  }
}

const hasOthers = (cpus: number, cpu: number): boolean => (cpus & ~(1 << cpu)) !== 0;

/** Flushes [start, end) of `mm`, or everything, on all CPUs that run in it; returns when none uses old entries. */
export const flush_tlb_mm_range = routine(
  'arch/x86/mm/tlb.c',
  'flush_tlb_mm_range',
  {
    args: { mm: ref('mm_struct'), start: long, end: long, freed_tables: bool },
    locals: {
      info: ref('flush_tlb_info'),
      new_tlb_gen: int,
      cpu: int,
      here: bool,
      others: bool,
      cpus: int,
    },
  },
  ({ step, atomic, call, when, variant, ret }) => [
    // Before the CPUs are looked for: who comes to run in mm later sees the new generation.
    atomic('new_tlb_gen = inc_mm_tlb_gen(mm)', (f) => {
      f.mm.tlb_gen++;
      f.new_tlb_gen = f.mm.tlb_gen;
    }),
    step('info = get_flush_tlb_info(mm, start, end, freed_tables, new_tlb_gen)', (f, k) => {
      const info = k.alloc('flush_tlb_info');
      const pages = (f.end - f.start) / PAGE_SIZE;
      const all = f.end === TLB_FLUSH_ALL || pages > tlb_single_page_flush_ceiling;
      info.mm = f.mm;
      info.start = all ? 0 : f.start;
      info.end = all ? TLB_FLUSH_ALL : f.end;
      info.new_tlb_gen = f.new_tlb_gen;
      info.freed_tables = f.freed_tables;
      info.initiating_cpu = k.cpu;
      f.info = info;
      f.cpu = k.cpu;
      f.here = cpu_tlbstate(k, k.cpu).loaded_mm.at === f.mm.at;
    }),
    variant(
      'tlb-6.1',
      [],
      [
        when('mm == this_cpu_read(cpu_tlbstate.loaded_mm)', (f) => f.here, [
          call(flush_tlb_func_common, (f) => ({ info: f.info })),
        ]),
      ],
    ),
    step('mm_cpumask(mm)', (f) => {
      f.cpus = f.mm.cpu_bitmap;
      f.others = hasOthers(f.cpus, f.cpu);
    }),
    variant(
      'tlb-6.1',
      [
        when(
          'cpumask_any_but(mm_cpumask(mm), cpu) < nr_cpu_ids',
          (f) => f.others,
          [call(flush_tlb_multi, (f) => ({ info: f.info, cpus: f.cpus }))],
          [
            when('mm == this_cpu_read(cpu_tlbstate.loaded_mm)', (f) => f.here, [
              call(flush_tlb_func, (f) => ({ info: f.info })),
            ]),
          ],
        ),
      ],
      [
        when('cpumask_any_but(mm_cpumask(mm), cpu) < nr_cpu_ids', (f) => f.others, [
          call(flush_tlb_others, (f) => ({ info: f.info, cpus: f.cpus })),
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

const ofCpus = {
  args: { info: ref('flush_tlb_info'), cpus: int },
  locals: { cpu: int, self: int, lazy: bool, asked: int },
};

/** Takes CPUs that are lazy off those to be asked, unless tables go, and asks the others. */
const smp_call_function_many = ({ step, atomic, loop, when, leave }: AnyBuilder): Node[] => [
  step('cpu = cpumask_first(mask)', (f, k) => {
    f.self = k.cpu;
    f.cpu = nextCpu(f.cpus & ~(1 << k.cpu), 0);
  }),
  loop('for_each_cpu(cpu, mask)', [
    when('cpu >= nr_cpu_ids', (f) => f.cpu < 0, [leave()]),
    step('info->freed_tables || tlb_is_not_lazy(cpu)', (f, k) => {
      const skipped = !f.info.freed_tables && cpu_tlbstate(k, f.cpu).is_lazy;
      if (!skipped) f.asked |= 1 << f.cpu;
      f.cpu = nextCpu(f.cpus & ~(1 << f.self), f.cpu + 1);
    }),
  ]),
  when('a CPU is left', (f) => f.asked !== 0, [
    atomic('queue the request and send the IPIs', (f, k) => {
      f.info.unanswered = f.asked;
      for (let cpu = 0; cpu < k.cpus; cpu++) {
        if ((f.asked & (1 << cpu)) !== 0) k.raise(cpu, CALL_FUNCTION_VECTOR);
      }
    }),
  ]),
];

/** The first CPU of a mask from `from` on, or -1. */
function nextCpu(cpus: number, from: number): number {
  const left = (cpus >> from) << from;
  return left === 0 ? -1 : 31 - Math.clz32(left & -left);
}

const allAnswered = (f: { info: Structs['flush_tlb_info'] }): boolean => f.info.unanswered === 0;

/** Interrupts the other CPUs of `cpus` and spins until all have answered (5.1; this CPU has flushed already). */
export const flush_tlb_others = routine('arch/x86/mm/tlb.c', 'flush_tlb_others', ofCpus, (b) => [
  ...smp_call_function_many(b as AnyBuilder),
  b.when('asked', (f) => f.asked !== 0, [b.wait('csd_lock_wait()', allAnswered, { spins: true })]),
]);

/** The same (6.1), flushing here while the others are on their way. */
export const flush_tlb_multi = routine('arch/x86/mm/tlb.c', 'flush_tlb_multi', ofCpus, (b) => [
  ...smp_call_function_many(b as AnyBuilder),
  b.step('info->freed_tables || tlb_is_not_lazy(this_cpu)', (f, k) => {
    f.lazy = !f.info.freed_tables && cpu_tlbstate(k, k.cpu).is_lazy;
  }),
  b.when('this CPU is in the mask', (f) => (f.cpus & (1 << f.self)) !== 0 && !f.lazy, [
    b.call(flush_tlb_func, (f) => ({ info: f.info })),
  ]),
  b.when('asked', (f) => f.asked !== 0, [b.wait('csd_lock_wait()', allAnswered, { spins: true })]),
]);

/**
 * The flush on one CPU, interrupts disabled. Nothing when it has left `mm` or has caught up already; by page only when
 * this request is the one generation it lacks and the last one there is; else all, which catches up with all of them.
 */
const flushFunc = (name: string) =>
  routine(
    'arch/x86/mm/tlb.c',
    name,
    {
      mode: 'interrupt',
      args: { info: ref('flush_tlb_info') },
      locals: { ours: bool, lazy: bool, behind: bool, mm_tlb_gen: int, local_tlb_gen: int },
    },
    ({ step, unlocked, when, call, variant, ret }) => [
      step('loaded_mm, is_lazy', (f, k) => {
        const state = cpu_tlbstate(k, k.cpu);
        f.ours = state.loaded_mm.at === f.info.mm.at;
        f.lazy = state.is_lazy;
        f.local_tlb_gen = state.tlb_gen;
        f.behind = f.info.new_tlb_gen > f.local_tlb_gen;
      }),
      when('f->mm != loaded_mm', (f) => !f.ours, [ret()]),
      when('is_lazy', (f) => f.lazy, [call(leave_loaded_mm, () => ({})), ret()]),
      variant('tlb-6.1', [when('f->new_tlb_gen <= local_tlb_gen', (f) => !f.behind, [ret()])]),
      unlocked('mm_tlb_gen = atomic64_read(&loaded_mm->context.tlb_gen)', (f) => {
        f.mm_tlb_gen = f.info.mm.tlb_gen;
      }),
      step('flush_tlb_one_user() or flush_tlb_local()', (f, k) => {
        const { cpu } = k;
        const { info } = f;
        const local = info.initiating_cpu === cpu;
        const pages = flush(k, info, f.local_tlb_gen, f.mm_tlb_gen);
        cpu_tlbstate(k, cpu).tlb_gen = f.mm_tlb_gen;
        const reason = local ? TLB_LOCAL_MM_SHOOTDOWN : TLB_REMOTE_SHOOTDOWN;
        k.emit(tlb_flush, { cpu, pages, reason });
      }),
    ],
  );

/** The function of 5.1, which flush_tlb_func_local() and flush_tlb_func_remote() come to. */
export const flush_tlb_func_common = flushFunc('flush_tlb_func_common');

/** The function of 6.1. */
export const flush_tlb_func = flushFunc('flush_tlb_func');

/** Brings this CPU's TLB from generation `local` of the request's mm to `latest`; how many pages that took, -1: all. */
function flush(k: Engine, info: Structs['flush_tlb_info'], local: number, latest: number): number {
  const { tlb } = k.parts;
  const { start, end, new_tlb_gen } = info;
  if (local === latest) return 0;
  if (end !== TLB_FLUSH_ALL && new_tlb_gen === local + 1 && new_tlb_gen === latest) {
    for (let at = start; at < end; at += PAGE_SIZE) tlb.flushPage(k.cpu, at);
    return (end - start) / 2 ** PAGE_SHIFT;
  }
  tlb.flushAll(k.cpu);
  return -1;
}

/** The interrupt by which another CPU asks for a function to be called: every request is for a TLB flush. */
export const sysvec_call_function = routine(
  'arch/x86/kernel/smp.c',
  'sysvec_call_function',
  { mode: 'interrupt', locals: { info: ref('flush_tlb_info') } },
  ({ step, atomic, loop, when, leave, call, variant }) => [
    loop("for each request in this CPU's queue", [
      step('csd = llist_next(call_single_queue)', (f, k) => {
        f.info = k.view('flush_tlb_info', requestTo(k, k.cpu));
      }),
      when('none left', (f) => isNull(f.info), [leave()]),
      variant(
        'tlb-6.1',
        [call(flush_tlb_func, (f) => ({ info: f.info }))],
        [call(flush_tlb_func_common, (f) => ({ info: f.info }))],
      ),
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

/** What a lazy CPU does when it is asked to flush: it lets go of the address space that it only keeps. */
export const leave_loaded_mm = routine(
  'arch/x86/mm/tlb.c',
  'switch_mm_irqs_off',
  { mode: 'interrupt', locals: { mm: ref('mm_struct') } },
  ({ step, atomic }) => [
    step('this_cpu_write(cpu_tlbstate.is_lazy, false)', (f, k) => {
      const state = cpu_tlbstate(k, k.cpu);
      f.mm = state.loaded_mm;
      state.is_lazy = false;
    }),
    atomic('cpumask_clear_cpu(cpu, mm_cpumask(real_prev))', (f, k) => {
      f.mm.cpu_bitmap &= ~(1 << k.cpu);
    }),
    step('load_new_mm_cr3(init_mm.pgd)', (_f, k) => load_new_mm_cr3(k, k.cpu, NULL)),
  ],
);

/**
 * kernel/sched/core.c, what context_switch() does to the address space. It happens within the one step in which the CPU
 * changes tasks: with interrupts off nobody asks this CPU for a flush in between, and who makes a new generation then
 * finds the CPU either in mm_cpumask() or going to see that generation.
 */
export function context_switch(k: Engine, cpu: number, _from: number, to: number): void {
  const owner = k.ownerOf(to);
  const mm = owner === 0 ? NULL : k.view('task_struct', owner).mm;
  if (isNull(mm)) enter_lazy_tlb(k, cpu);
  else switch_mm_irqs_off(k, cpu, mm);
}

/** The CPU goes on without an address space of its own: it keeps the last one, and its TLB. */
export function enter_lazy_tlb(k: Engine, cpu: number): void {
  const state = cpu_tlbstate(k, cpu);
  if (!isNull(state.loaded_mm)) state.is_lazy = true;
}

/** Makes `next` the address space of a CPU. One that was kept lazily is flushed if a flush has passed it by. */
function switch_mm_irqs_off(k: Engine, cpu: number, next: Structs['mm_struct']): void {
  const state = cpu_tlbstate(k, cpu);
  const real_prev = state.loaded_mm;
  const was_lazy = state.is_lazy;
  state.is_lazy = false;
  if (real_prev.at === next.at) {
    if (!was_lazy || state.tlb_gen === next.tlb_gen) return;
  } else {
    if (!isNull(real_prev)) real_prev.cpu_bitmap &= ~(1 << cpu);
    next.cpu_bitmap |= 1 << cpu;
  }
  load_new_mm_cr3(k, cpu, next);
}

/** Loads CR3, which empties the TLB. */
function load_new_mm_cr3(k: Engine, cpu: number, next: Structs['mm_struct']): void {
  const state = cpu_tlbstate(k, cpu);
  const none = isNull(next);
  state.loaded_mm = next;
  state.tlb_gen = none ? 0 : next.tlb_gen;
  k.parts.tlb.loadCr3(cpu, none ? 0 : next.pgd);
  k.emit(tlb_flush, { cpu, pages: TLB_FLUSH_ALL, reason: TLB_FLUSH_ON_TASK_SWITCH });
}
