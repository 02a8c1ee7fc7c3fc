// A process that maps a device's memory hugely, and does one thing after the other; for tests of what becomes of the
// entries. The device's driver answers huge faults at one level and small faults with one entry.

import { lettersOf } from '../../src/debug/entries';
import { load, store } from '../../src/hardware/cpu';
import { dataPfn } from '../../src/hardware/memory';
import {
  _PAGE_PRESENT,
  _PAGE_PSE,
  levelShift,
  levels,
  PAGE_SIZE,
  PUD_SIZE,
  pte_pfn,
} from '../../src/hardware/pte';
import { vm_get_page_prot } from '../../src/kernel/arch/x86/include/asm/pgtable';
import { task_mmu_statics } from '../../src/kernel/fs/proc/task_mmu';
import { warningTexts } from '../../src/kernel/include/asm-generic/bug';
import {
  FAULT_FLAG_WRITE,
  MAP_FIXED_NOREPLACE,
  MAP_SHARED,
  PE_SIZE_PMD,
  PE_SIZE_PUD,
  PROT_READ,
  PROT_WRITE,
  VM_FAULT_FALLBACK,
  VM_FAULT_NOPAGE,
  VM_IO,
  VM_MIXEDMAP,
  VM_SHARED,
} from '../../src/kernel/include/linux/mm';
import {
  address_space,
  file_operations,
  vm_operations_struct,
} from '../../src/kernel/include/linux/mm_types';
import {
  __split_huge_pmd,
  HPAGE_PMD_NR,
  HPAGE_PUD_NR,
  vmf_insert_pfn_pmd_prot,
  vmf_insert_pfn_pud_prot,
} from '../../src/kernel/mm/huge_memory';
import { vmf_insert_mixed_prot } from '../../src/kernel/mm/memory';
import { vm_mmap_pgoff } from '../../src/kernel/mm/mmap';
import { type Preset, variantSet } from '../../src/kernel/variants';
import { buildMachine, cpu_idle } from '../../src/machine/machine';
import { Checker } from '../../src/routine/check';
import type { Engine } from '../../src/routine/engine';
import { type AnyBuilder, type Node, type Routine, routine } from '../../src/routine/routine';
import { defaultAgent } from '../../src/routine/schedule';
import { bits, bool, embed, int, long, ref, struct, type View } from '../../src/state/layout';

/** Where the mapping begins: a place that pages of every size may begin at. */
export const start = 2 * PUD_SIZE;

export interface Device {
  readonly kernel: Preset;
  readonly with?: readonly string[];
  /** The level that huge faults are answered at. */
  readonly level?: 'pmd' | 'pud';
  /** Writes get writable entries; else huge ones are read-only and writes fall back. */
  readonly writes?: boolean;
  /** The driver gives the frame of the page that faults, where that of the first page is asked for. */
  readonly slips?: boolean;
  /** The driver splits a huge entry itself when it falls back, as those of 5.1 do. */
  readonly splits?: boolean;
  /** The memory is a file's (DAX); a device that is not has huge entries in 5.1, and in 6.1 none. */
  readonly dax?: boolean;
  readonly pages?: number;
}

/** Arguments and results of a clean. */
export const scratch = struct('huge_scratch', {
  own: { start: embed('pgoff_t'), end: embed('pgoff_t'), map: bits },
});
declare module '../../src/state/layout' {
  interface Structs {
    huge_scratch: View<typeof scratch>;
  }
}

/** A frame of the test's root routine. */
export const locals = { ret: int, addr: long, entry: ref('pte_t') };
export type Deed = (b: AnyBuilder) => Node[];

/** Loads a byte of a page, or stores one. */
export const reads =
  (page: number): Deed =>
  (b) => [
    b.call(load, () => ({ address: start + page * PAGE_SIZE, length: 1, user: true }), 'ret'),
  ];
export const writes =
  (page: number, value = 7): Deed =>
  (b) => [
    b.call(
      store,
      () => ({ address: start + page * PAGE_SIZE, length: 1, user: true, unique: false, value }),
      'ret',
    ),
  ];

function deviceRoutines({ level = 'pmd', writes = false, slips = false, splits = false }: Device) {
  const pages = level === 'pmd' ? HPAGE_PMD_NR : HPAGE_PUD_NR;
  const huge_fault = routine(
    'test.c',
    'huge_fault',
    {
      args: { vmf: ref('vm_fault'), pe_size: int },
      locals: { write: bool, wanted: bool, ret: int },
      returns: int,
    },
    ({ step, when, call, ret }) => [
      step('what is asked for', (f) => {
        f.write = (f.vmf.flags & FAULT_FLAG_WRITE) !== 0;
        const pe_size = level === 'pmd' ? PE_SIZE_PMD : PE_SIZE_PUD;
        const { address, pgoff, vma } = f.vmf;
        const first = address - (pgoff % pages) * PAGE_SIZE;
        const fits = first % (pages * PAGE_SIZE) === 0 && first >= vma.vm_start;
        f.wanted = f.pe_size === pe_size && fits && first + pages * PAGE_SIZE <= vma.vm_end;
      }),
      when('not at this level', (f) => !f.wanted, [
        ret('VM_FAULT_FALLBACK', () => VM_FAULT_FALLBACK),
      ]),
      when('a write, which is to be noted page by page', (f) => f.write && !writes, [
        ...(splits
          ? [
              call(__split_huge_pmd, ({ vmf }) => ({
                vma: vmf.vma,
                entry: vmf.pmd,
                address: vmf.address,
              })),
            ]
          : []),
        ret('VM_FAULT_FALLBACK', () => VM_FAULT_FALLBACK),
      ]),
      call(
        level === 'pmd' ? vmf_insert_pfn_pmd_prot : vmf_insert_pfn_pud_prot,
        ({ vmf, write }) => ({
          vmf,
          pfn: dataPfn + vmf.pgoff - (slips ? 0 : vmf.pgoff % pages),
          pgprot: vm_get_page_prot(writes ? vmf.vma.vm_flags : vmf.vma.vm_flags & ~VM_SHARED),
          write,
        }),
        'ret',
      ),
      ret('ret', (f) => f.ret),
    ],
  );
  const fault = routine(
    'test.c',
    'fault',
    { args: { vmf: ref('vm_fault') }, locals: { ret: int }, returns: int },
    ({ call, ret }) => [
      call(
        vmf_insert_mixed_prot,
        ({ vmf }) => ({
          vma: vmf.vma,
          addr: vmf.address,
          pfn: dataPfn + vmf.pgoff,
          pgprot: vm_get_page_prot(vmf.vma.vm_flags),
        }),
        'ret',
      ),
      ret('ret', () => VM_FAULT_NOPAGE),
    ],
  );
  const mmap = routine(
    'test.c',
    'mmap',
    { args: { file: ref('file'), vma: ref('vm_area_struct') }, returns: int },
    ({ step, ret }) => [
      step('vma->vm_ops', ({ vma }, k) => {
        vma.vm_ops = k.the('device_vm_ops', 'vm_operations_struct');
        vma.vm_flags |= VM_IO | VM_MIXEDMAP;
      }),
      ret('0', () => 0),
    ],
  );
  const mkwrite = routine(
    'test.c',
    'pfn_mkwrite',
    { args: { vmf: ref('vm_fault') }, returns: int },
    ({ ret }) => [ret('0', () => 0)],
  );
  return { huge_fault, fault, mmap, mkwrite };
}

/** Maps the memory, does what is asked, and returns the machine as it stands then. */
export function after(device: Device, ...deeds: readonly Deed[]): HugeMachine {
  return prepared(device, [deeds]).run();
}

/** A machine whose threads, on CPUs of their own, do this; the first one maps the memory before the others begin. */
export function prepared(device: Device, threads: readonly (readonly Deed[])[]): HugeMachine {
  const { huge_fault, fault, mmap, mkwrite } = deviceRoutines(device);
  const pages = device.pages ?? (device.level === 'pud' ? HPAGE_PUD_NR : 2 * HPAGE_PMD_NR);
  const frames = 2 * HPAGE_PMD_NR;
  const mapped: Deed = (b) => [
    b.call(
      vm_mmap_pgoff,
      (_f, k) => ({
        file: k.view('file', [...k.objects.all('file')][0]!),
        addr: start,
        len: pages * PAGE_SIZE,
        prot: PROT_READ | PROT_WRITE,
        flags: MAP_SHARED | MAP_FIXED_NOREPLACE,
        pgoff: 0,
      }),
      'addr',
    ),
  ];
  const { engine, rules, mms } = buildMachine({
    variants: variantSet(device.kernel, { with: device.with }),
    cpus: threads.length,
    processes: 2,
    tasks: threads.map((deeds, i) => ({
      name: `t${i}`,
      cpu: i,
      process: 0,
      root: routine('test.c', `t${i}`, { mode: 'user', locals }, (b) =>
        [...(i === 0 ? [mapped] : []), ...deeds].map((deed) => b.statement(undefined, deed(b))),
      ) as Routine,
    })),
    limits: { frames, tables: 24, vmas: 12, files: 1 },
    parts: [
      {
        statics: [
          ...task_mmu_statics,
          { name: 'mapping', struct: address_space, initial: { dax: device.dax ?? false } },
          {
            name: 'device_vm_ops',
            struct: vm_operations_struct,
            initial: { fault, huge_fault, pfn_mkwrite: mkwrite },
          },
          { name: 'device_fops', struct: file_operations, initial: { mmap } },
          { name: 'scratch', struct: scratch, tail: frames / 32 },
        ],
      },
    ],
    deviceInterrupt: cpu_idle as Routine,
  });
  for (let i = 0; i < frames; i++) engine.alloc('page');
  const file = engine.alloc('file');
  file.f_mapping = engine.the('mapping', 'address_space');
  file.f_op = engine.the('device_fops', 'file_operations');
  file.f_mode = 3;
  engine.store.settle();
  const checker = new Checker(rules);
  engine.checker = checker;
  return new HugeMachine(engine, mms);
}

/** A machine, and what can be seen of it. */
export class HugeMachine {
  constructor(
    readonly k: Engine,
    private readonly mms: readonly number[],
  ) {}

  /** To the end, or to where nobody goes on. */
  run(): this {
    for (let agent = defaultAgent(this.k); agent >= 0; agent = defaultAgent(this.k)) {
      if (this.k.steps > 200_000) throw new Error('it never ends');
      this.k.step(agent);
    }
    const broken = this.k.checker?.broken ?? [];
    if (broken.length > 0) throw new Error(broken.map((x) => x.message).join('\n'));
    return this;
  }

  /** Lets one task go on alone, CPUs answering its interrupts, until it stands in a routine or the condition holds. */
  until(task: number, where: string | (() => boolean)): this {
    const { k } = this;
    const there = () => (typeof where === 'string' ? this.stackOf(task)[0] === where : where());
    while (!there()) {
      const interrupts = Array.from({ length: k.cpus }, (_, cpu) => cpu);
      const others = Array.from({ length: k.taskCount }, (_, t) => k.agentOfTask(t));
      const own = k.agentOfTask(task);
      const inInterrupt = others.filter((_, t) => this.stackOf(t).includes('sysvec_call_function'));
      const next = [own, ...interrupts, ...inInterrupt].find((agent) => k.runnable(agent));
      if (next === undefined) throw new Error(`task ${task} cannot go on: ${this.stackOf(task)}`);
      k.step(next);
    }
    return this;
  }

  /** The leaves of a process: level, page from the start of the mapping on, letters, frame. */
  entries(process = 0): string[] {
    const { k } = this;
    const found: string[] = [];
    const walk = (pfn: number, level: number, address: number): void => {
      for (let index = 0; index < 512; index++) {
        const at = k.parts.memory.entryAt(pfn, index);
        const entry = { lo: k.store.peek(at), hi: k.store.peek(at + 1) };
        if (entry.lo === 0 && entry.hi === 0) continue;
        const first = address + index * 2 ** levelShift(level);
        const leaf = level === 3 || (entry.lo & _PAGE_PSE) !== 0;
        if (!leaf && (entry.lo & _PAGE_PRESENT) !== 0) walk(pte_pfn(entry), level + 1, first);
        else {
          const page = (first - start) / PAGE_SIZE;
          const frame = pte_pfn(entry) - dataPfn;
          found.push(`${levels[level]} of page ${page}: ${lettersOf(entry.lo)} frame ${frame}`);
        }
      }
    };
    const mm = k.view('mm_struct', this.mms[process]!);
    k.store.unobserved(() => walk(mm.pgd, 0, 0));
    return found;
  }

  /** Faults, warnings, oopses and flushes, in order. */
  get events(): string[] {
    return this.k.events.slice().flatMap(({ name, args }): string[] => {
      if (name === 'page_fault') {
        const page = (Number(args.address) - start) / PAGE_SIZE;
        return [`fault at page ${Math.floor(page)}, error ${args.error_code}`];
      }
      if (name === 'warn') return [`warning: ${warningTexts[Number(args.where)]!.split(':')[0]}`];
      if (name === 'oops') return [String(args.message)];
      if (name === 'pagemap_entry') return [`pagemap flags ${args.flags}`];
      return [];
    });
  }

  /** The routines that a task stands in, innermost first. */
  stackOf(task: number): string[] {
    return this.k.stack(task).map(({ code }) => code.routine.name);
  }

  /** Process `n`'s mm_struct. */
  mm(n: number) {
    return this.k.view('mm_struct', this.mms[n]!);
  }
}
