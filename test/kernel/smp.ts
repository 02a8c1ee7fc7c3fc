// A few CPUs and threads of one or of two processes over one object of bare frames, for tests that choose the schedule.
import { driverStatics, KIND_PFN, METHOD_PAGETABLE, object } from '../../src/conform/driver';
import { load, store } from '../../src/hardware/cpu';
import { peekWalk } from '../../src/hardware/mmu';
import { _PAGE_DIRTY, _PAGE_RW, PAGE_SIZE } from '../../src/hardware/pte';
import { task_mmu_statics } from '../../src/kernel/fs/proc/task_mmu';
import {
  FMODE_READ,
  FMODE_WRITE,
  MAP_FIXED_NOREPLACE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from '../../src/kernel/include/linux/mm';
import { vm_mmap_pgoff } from '../../src/kernel/mm/mmap';
import { type Preset, variantSet } from '../../src/kernel/variants';
import { buildMachine, cpu_idle } from '../../src/machine/machine';
import { Checker } from '../../src/routine/check';
import type { Engine } from '../../src/routine/engine';
import { type AnyBuilder, type Node, type Routine, routine } from '../../src/routine/routine';
import type { Choice } from '../../src/routine/schedule';
import { int, isNull, long, type Structs } from '../../src/state/layout';

export const address = 0x10_0000_0000;
const base = 0x1_0000;

/** A thread of a test: what it does after its process has mapped the object at `address`. */
export interface Thread {
  readonly cpu: number;
  readonly process: number;
  readonly maps?: boolean;
  /** Where it maps it; `address` unless told otherwise. */
  readonly at?: number;
  readonly body: (b: AnyBuilder) => Node[];
}

export interface SmpOptions {
  readonly preset?: Preset;
  readonly with?: readonly string[];
  readonly pages?: number;
}

/** A machine of two CPUs or as many as are named; threads with `maps` have mapped the object when it is given out. */
export function smp(threads: readonly Thread[], options: SmpOptions = {}): Smp {
  const pages = options.pages ?? 8;
  const { engine, rules, mms } = buildMachine({
    variants: variantSet(options.preset ?? 'linux-6.1', { with: options.with }),
    cpus: Math.max(2, 1 + Math.max(...threads.map((t) => t.cpu))),
    processes: 1 + Math.max(...threads.map((t) => t.process)),
    tasks: threads.map((thread, i) => ({
      name: `t${i}`,
      cpu: thread.cpu,
      process: thread.process,
      root: root(thread, pages),
    })),
    limits: { frames: pages + 16, tables: 32, vmas: 16, files: 1 },
    parts: [{ statics: [...driverStatics(pages), ...task_mmu_statics] }],
    deviceInterrupt: cpu_idle as Routine,
  });
  const obj = object(engine);
  obj.kind = KIND_PFN;
  obj.method = METHOD_PAGETABLE;
  obj.pages = pages;
  obj.prefault = 1;
  obj.base = base;
  for (let i = 0; i < pages; i++) {
    const page = engine.alloc('page');
    page._refcount = 1;
    if (i === 0) obj.pfn = engine.parts.memory.pfnOfPage(page.at);
  }
  const file = engine.alloc('file');
  file.f_mapping = obj.mapping;
  file.f_op = engine.the('or_fops', 'file_operations');
  file.f_mode = FMODE_READ | FMODE_WRITE;
  engine.store.settle();
  const checker = new Checker(rules);
  engine.checker = checker;
  const made = new Smp(engine, checker, mms);
  threads.forEach(({ maps }, task) => {
    if (maps ?? false) made.until(task, 'ready');
  });
  return made;
}

function root({ body, maps = false, at = address }: Thread, pages: number): Routine {
  return routine(
    'test.c',
    'thread',
    { mode: 'user', locals: { ret: int, at: long, got: int } },
    (b) => [
      ...(maps
        ? [
            b.call(
              vm_mmap_pgoff,
              (_f, k) => ({
                file: k.view('file', [...k.objects.all('file')][0]!),
                addr: at,
                len: pages * PAGE_SIZE,
                prot: PROT_READ | PROT_WRITE,
                flags: MAP_SHARED | MAP_FIXED_NOREPLACE,
                pgoff: base,
              }),
              'at',
            ),
          ]
        : []),
      b.step('ready', () => {}),
      ...body(b),
    ],
  ) as Routine;
}

/** Writes a byte to a page from user mode. */
export const write = (b: AnyBuilder, page: number, value = 1, at = address): Node =>
  b.call(store, () => ({
    address: at + page * PAGE_SIZE,
    length: 1,
    user: true,
    unique: false,
    value,
  }));

/** Reads a byte of a page from user mode. */
export const read = (b: AnyBuilder, page: number): Node =>
  b.call(load, () => ({ address: address + page * PAGE_SIZE, length: 1, user: true }));

/** A place to stop at. */
export const mark = (b: AnyBuilder, text: string): Node => b.step(text, () => {});

/** The arguments of a helper for the whole object. */
export const whole = (k: Engine) => ({
  mapping: object(k).mapping,
  first_index: object(k).base,
  nr: object(k).pages,
});

const flushReasons = ['task switch', 'remote shootdown', '', 'local shootdown'];

export class Smp {
  readonly choices: Choice[] = [];

  constructor(
    readonly k: Engine,
    readonly checker: Checker,
    private readonly mms: readonly number[],
  ) {}

  /** One micro-step of a task, or of a CPU's interrupt; at a choice of the hardware, the branch it takes. */
  step(agent: number, branch = 0): void {
    this.k.step(agent, branch);
    this.choices.push({ agent, branch });
  }

  /** Lets the idle task of a CPU have it: its thread sleeps. */
  idle(cpu: number): void {
    this.step(this.k.agentOfTask(this.k.taskCount - this.k.cpus + cpu));
  }

  /** Lets a task run until it rests on the operation with this text. */
  until(task: number, text: string, stepsMax = 5000): void {
    const agent = this.k.agentOfTask(task);
    for (let i = 0; this.k.opOf(task)?.text !== text; i++) {
      if (i === stepsMax) throw new Error(`t${task} never comes to '${text}'`);
      if (!this.k.runnable(agent)) {
        throw new Error(`t${task} waits at '${this.k.opOf(task)?.text}'`);
      }
      this.step(agent);
    }
  }

  /** Lets everybody run to the end, lowest number first. */
  finish(): void {
    for (;;) {
      let agent = 0;
      while (agent < this.k.agents && !this.k.runnable(agent)) agent++;
      if (agent === this.k.agents) return;
      this.step(agent);
    }
  }

  /** Whether a task has come to its mark `text`, its last operation. */
  isPast(task: number, text: string): boolean {
    if (this.k.isFinished(task)) return true;
    return this.k.depth(task) === 1 && [text, 'return'].includes(this.k.opOf(task)?.text ?? '');
  }

  /** The TLB of a CPU: the page and the rights of each entry, as letters. */
  tlb(cpu: number): string[] {
    return this.k.parts.tlb.entries(cpu).map(({ page, flags }) => {
      const rights = `${(flags & _PAGE_RW) !== 0 ? 'w' : '-'}${(flags & _PAGE_DIRTY) !== 0 ? 'd' : '-'}`;
      return `${page - address / PAGE_SIZE} ${rights}`;
    });
  }

  mm(process: number): Structs['mm_struct'] {
    return this.k.view('mm_struct', this.mms[process]!);
  }

  canRun(task: number): boolean {
    return this.k.runnable(this.k.agentOfTask(task));
  }

  /** Delivers the pending interrupts of a CPU and runs their handlers. */
  interrupt(cpu: number): void {
    this.step(cpu);
    const task = this.k.currentOf(cpu);
    while (this.k.stack(task)[0]!.code.mode === 'interrupt') {
      this.step(this.k.agentOfTask(task));
    }
  }

  names(from = 0): string[] {
    return this.k.events.slice(from).map((event) => event.name);
  }

  /** The flushes of TLBs: which CPU, how many pages (-1: all), why. */
  flushes(from = 0): string[] {
    return this.k.events
      .slice(from)
      .filter(({ name }) => name === 'tlb_flush')
      .map(({ args }) => `cpu ${args.cpu}: ${args.pages}, ${flushReasons[Number(args.reason)]}`);
  }

  count(name: string, from = 0): number {
    return this.names(from).filter((n) => n === name).length;
  }

  /** The write and dirty bits of a page's entry, as letters. */
  entry(page: number, process = 0, at = address): string {
    const { pgd } = this.mm(process);
    const found = peekWalk(this.k, pgd, at + page * PAGE_SIZE);
    if (found === undefined || found.level < 3 || found.entry.lo === 0) return 'none';
    const { lo } = found.entry;
    return `${(lo & _PAGE_RW) !== 0 ? 'w' : '-'}${(lo & _PAGE_DIRTY) !== 0 ? 'd' : '-'}`;
  }

  /** Whether the object is mapped nowhere. */
  get isUnmapped(): boolean {
    return isNull(object(this.k).mapping.i_mmap);
  }
}
