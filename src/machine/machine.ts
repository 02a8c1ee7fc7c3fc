// Composition of a machine: one store with CPUs, memory, kernel, driver, device and tasks. This is the boundary of the
// emulator: what is above drives an engine and knows processes by number; what is below knows nothing of being driven.
import { assert } from '../base/assert';
import { CALL_FUNCTION_VECTOR, DEVICE_VECTOR, IRQ_WORK_VECTOR } from '../hardware/cpu';
import { Memory } from '../hardware/memory';
import { Tlb } from '../hardware/mmu';
import { Registers } from '../hardware/registers';
import { tlb_state } from '../kernel/arch/x86/include/asm/tlbflush';
import { exc_page_fault } from '../kernel/arch/x86/mm/fault';
import { context_switch, flush_tlb_info, sysvec_call_function } from '../kernel/arch/x86/mm/tlb';
import { raised_list } from '../kernel/include/linux/irq_work';
import {
  file,
  mm_struct,
  page,
  page_table,
  task_struct,
  vm_area_struct,
} from '../kernel/include/linux/mm_types';
import { mm_alloc } from '../kernel/kernel/fork';
import { sysvec_irq_work } from '../kernel/kernel/irq_work';
import { as_dirty_roots } from '../kernel/mm/as_dirty_helpers';
import { FaultCounts } from '../kernel/mm/faultCounts';
import { mapping_dirty_statics } from '../kernel/mm/mapping_dirty_helpers';
import type { RegionRule } from '../routine/check';
import { Engine, type TaskSpec } from '../routine/engine';
import { Program } from '../routine/program';
import { type Routine, routine, type VariantSet } from '../routine/routine';
import type { PoolSize, StaticSize } from '../state/objects';
import type { StorePlan } from '../state/store';

/** What a subsystem brings into a machine. */
export interface Part {
  readonly pools?: readonly PoolSize[];
  readonly statics?: readonly StaticSize[];
  readonly tasks?: readonly TaskSpec[];
  readonly roots?: readonly Routine[];
  readonly rules?: readonly RegionRule[];
  readonly regions?: (plan: StorePlan) => void;
  /** Plain writes before the first step, as a kernel initialises at boot. */
  readonly boot?: (k: Engine) => void;
}

/** Room for memory management. Numbers are objects at a time. */
export interface Limits {
  readonly frames: number; // pages of data
  readonly tables: number; // page tables
  readonly vmas: number;
  readonly files: number;
  readonly vram?: number; // pages of the device's own memory; none when it is not given
  readonly heldLocks?: number; // by one task at a time
}

/** A task of a process; processes count from 0. */
export interface ProcessTask extends TaskSpec {
  readonly process: number;
}

export interface MachineSpec {
  readonly variants: VariantSet;
  readonly cpus: number;
  readonly processes: number;
  readonly tasks: readonly ProcessTask[];
  readonly limits: Limits;
  readonly parts: readonly Part[];
  /** The handler of the device's interrupt. */
  readonly deviceInterrupt: Routine;
}

export interface Machine {
  readonly engine: Engine;
  /** Address of the mm_struct of each process. */
  readonly mms: readonly number[];
  /** What a Checker needs to know of the regions outside of structs. */
  readonly rules: readonly RegionRule[];
}

/** What a CPU does when it has nothing to do. */
export const cpu_idle = routine('kernel/sched/idle.c', 'cpu_idle', {}, ({ wait }) => [
  wait('hlt', () => false),
]);

/** What a machine is made of, before there is one. */
function piecesOf(spec: MachineSpec) {
  const parts = [memoryManagement(spec), ...spec.parts];
  const statics = parts.flatMap((p) => p.statics ?? []).map((s) => initialFor(s, spec.variants));
  const tasks = [...spec.tasks, ...parts.flatMap((p) => p.tasks ?? [])];
  const vectors: Routine[] = [];
  vectors[CALL_FUNCTION_VECTOR] = sysvec_call_function as Routine;
  vectors[DEVICE_VECTOR] = spec.deviceInterrupt;
  vectors[IRQ_WORK_VECTOR] = sysvec_irq_work as Routine;
  const roots = [
    ...tasks.map((t) => t.root),
    ...parts.flatMap((p) => p.roots ?? []),
    ...vectors,
    exc_page_fault as Routine,
    cpu_idle as Routine,
  ];
  const program = new Program(roots, spec.variants, statics);
  return { parts, statics, tasks, vectors, program };
}

/** The routines of a machine, without the machine. */
export function programOf(spec: MachineSpec): Program {
  return piecesOf(spec).program;
}

/** How many agents a machine has: an interrupt and an idle task for each CPU, and the tasks. */
export function agentsOf(spec: MachineSpec): number {
  const own = spec.parts.flatMap((p) => p.tasks ?? []);
  return 2 * spec.cpus + spec.tasks.length + own.length;
}

/** Builds a machine that stands before its first step. */
export function buildMachine(spec: MachineSpec): Machine {
  const { limits, cpus, processes } = spec;
  const { parts, statics, tasks, vectors, program } = piecesOf(spec);
  const engine = new Engine({
    program,
    cpus,
    tasks,
    pools: parts.flatMap((p) => p.pools ?? []),
    statics,
    regions: (plan) => {
      for (const part of parts) part.regions?.(plan);
    },
    vectors,
    idle: cpu_idle as Routine,
    contextSwitch: context_switch,
    ...(limits.heldLocks === undefined ? {} : { heldMax: limits.heldLocks }),
  });
  engine.parts.memory = new Memory(engine, limits.frames, limits.vram);
  engine.parts.registers = new Registers(engine);
  engine.parts.faultCounts = new FaultCounts(engine);
  engine.parts.tlb = new Tlb(engine);
  engine.parts.vectors = { page_fault: engine.fn(exc_page_fault) };
  for (let cpu = 0; cpu < cpus; cpu++) engine.alloc('tlb_state');
  for (const part of parts) part.boot?.(engine);
  const mms = Array.from({ length: processes }, (_, i) => mm_alloc(engine, i + 1).at);
  spec.tasks.forEach((task, number) => {
    const mm = mms[task.process];
    assert(mm !== undefined, `a process with number ${task.process}`);
    const current = engine.alloc('task_struct');
    current.pid = number + 1;
    current.tgid = task.process + 1;
    current.mm = engine.view('mm_struct', mm);
    engine.setOwner(number, current.at);
  });
  engine.store.settle();
  const rules = parts.flatMap((p) => p.rules ?? []);
  return { engine, mms, rules };
}

/** A static with what it holds under the variants that are on; `undefined` takes a field out. */
function initialFor(size: StaticSize, { known, active }: VariantSet): StaticSize {
  const initial = { ...size.initial };
  for (const [id, fields] of Object.entries(size.under ?? {})) {
    assert(known.has(id), `a variant called ${id}`);
    if (active.has(id)) Object.assign(initial, fields);
  }
  const there = Object.entries(initial).filter(([, value]) => value !== undefined);
  return { ...size, initial: Object.fromEntries(there) };
}

/** Pools and regions of memory management itself. */
function memoryManagement({ limits, cpus, processes, tasks }: MachineSpec): Part {
  return {
    pools: [
      { struct: mm_struct, count: processes },
      { struct: task_struct, count: tasks.length },
      { struct: vm_area_struct, count: limits.vmas },
      { struct: page_table, count: limits.tables, tail: 1024 },
      { struct: page, count: limits.frames },
      { struct: file, count: limits.files },
      { struct: tlb_state, count: cpus },
      { struct: flush_tlb_info, count: Math.max(cpus, tasks.length) },
    ],
    statics: [...mapping_dirty_statics, { name: 'raised_list', struct: raised_list, tail: cpus }],
    roots: as_dirty_roots as unknown as readonly Routine[],
    regions: (plan) => {
      Memory.reserve(plan, limits.frames, limits.vram);
      Registers.reserve(plan, tasks.length);
      FaultCounts.reserve(plan, processes);
      Tlb.reserve(plan, cpus);
    },
    rules: [
      { region: 'memory', shared: true, unit: 16 }, // a frame
      ...((limits.vram ?? 0) > 0 ? [{ region: 'vram', shared: true, unit: 16 }] : []),
      Registers.rule,
      { region: 'tlb', shared: false, unit: 1 },
    ],
  };
}
