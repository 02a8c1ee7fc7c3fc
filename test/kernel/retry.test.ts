// What the fault path does when a handler gives up mmap_sem: once at most in 5.1 with the series of April 2019, as often
// as it takes in 6.1. Linux arch/x86/mm/fault.c, do_user_addr_fault().
import { expect, test } from 'vitest';
import { store } from '../../src/hardware/cpu';
import { PAGE_SIZE } from '../../src/hardware/pte';
import { vm_get_page_prot } from '../../src/kernel/arch/x86/include/asm/pgtable';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_TRIED,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
  VM_FAULT_NOPAGE,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_IO,
  VM_PFNMAP,
  VM_SHARED,
} from '../../src/kernel/include/linux/mm';
import {
  address_space,
  file_operations,
  vm_operations_struct,
} from '../../src/kernel/include/linux/mm_types';
import { mm_fault, vmf_insert_pfn_prot } from '../../src/kernel/mm/memory';
import { vm_mmap_pgoff } from '../../src/kernel/mm/mmap';
import { type Preset, variantSet } from '../../src/kernel/variants';
import { buildMachine, cpu_idle } from '../../src/machine/machine';
import { Checker } from '../../src/routine/check';
import { type Routine, routine } from '../../src/routine/routine';
import { defaultAgent } from '../../src/routine/schedule';
import { bool, int, long, ref, struct, type View } from '../../src/state/layout';

/** How many faults and mkwrites are still to be put off, whatever they allow; and what the last one was told. */
const shy_driver = struct('shy_driver', { own: { faults: int, mkwrites: int, sigbus: bool } });

declare module '../../src/state/layout' {
  interface Structs {
    shy_driver: View<typeof shy_driver>;
  }
}

/** Gives up mmap_sem and asks for another try as long as `count` says so and the fault allows it. */
function handler(name: string, count: 'faults' | 'mkwrites', done: Routine) {
  return routine(
    'test.c',
    name,
    {
      args: { vmf: ref('vm_fault') },
      locals: { retry: bool, sigbus: bool, ret: int },
      returns: int,
    },
    ({ step, release, when, call, ret }) => [
      step('whether to ask for another try', (f, k) => {
        const driver = k.the('shy', 'shy_driver');
        f.sigbus = driver.sigbus;
        f.retry = driver[count] > 0 && (f.vmf.flags & FAULT_FLAG_ALLOW_RETRY) !== 0;
        if (f.retry) driver[count]--;
      }),
      when('sigbus', (f) => f.sigbus, [ret('VM_FAULT_SIGBUS', () => VM_FAULT_SIGBUS)]),
      when('retry', (f) => f.retry, [
        release('up_read(&mm->mmap_sem)', (f) => f.vmf.vma.vm_mm.mmap_sem),
        ret('VM_FAULT_RETRY', () => VM_FAULT_RETRY),
      ]),
      call(done, (f) => ({ vmf: f.vmf }) as never, 'ret'),
      ret('ret', (f) => f.ret),
    ],
  );
}

const insert = routine(
  'test.c',
  'insert',
  { args: { vmf: ref('vm_fault') }, locals: { ret: int, prot: int }, returns: int },
  ({ call, ret }) => [
    call(
      vmf_insert_pfn_prot,
      (f, k) => ({
        vma: f.vmf.vma,
        addr: f.vmf.address,
        pfn: k.parts.memory.pfnOfPage([...k.objects.all('page')][0]!),
        pgprot: vm_get_page_prot(f.vmf.vma.vm_flags & ~VM_SHARED),
      }),
      'ret',
    ),
    ret('ret', () => VM_FAULT_NOPAGE),
  ],
);
const grant = routine('test.c', 'grant', { args: { vmf: ref('vm_fault') }, returns: int }, (b) => [
  b.ret('0', () => 0),
]);

const shy_fault = handler('shy_fault', 'faults', insert as Routine);
const shy_pfn_mkwrite = handler('shy_pfn_mkwrite', 'mkwrites', grant as Routine);
const shy_mmap = routine(
  'test.c',
  'shy_mmap',
  { args: { file: ref('file'), vma: ref('vm_area_struct') }, returns: int },
  ({ step, ret }) => [
    step('vma->vm_ops', (f, k) => {
      f.vma.vm_ops = k.the('shy_vm_ops', 'vm_operations_struct');
      f.vma.vm_flags |= VM_IO | VM_PFNMAP;
    }),
    ret('0', () => 0),
  ],
);

const main = routine(
  'test.c',
  'main',
  { mode: 'user', locals: { at: long, ret: int } },
  ({ call, step }) => [
    call(
      vm_mmap_pgoff,
      (_f, k) => ({
        file: k.view('file', [...k.objects.all('file')][0]!),
        addr: 0,
        len: PAGE_SIZE,
        prot: PROT_READ | PROT_WRITE,
        flags: MAP_SHARED,
        pgoff: 0,
      }),
      'at',
    ),
    call(store, (f) => ({ address: f.at, length: 1, user: true, unique: false, value: 7 }), 'ret'),
    step('remember', (f, k) => {
      k.the('shy', 'shy_driver').faults = f.ret;
    }),
  ],
);

/** Runs one store with a driver that puts off that many faults and mkwrites. */
function run(preset: Preset, faults: number, mkwrites: number, sigbus = false) {
  const { engine, rules, mms } = buildMachine({
    variants: variantSet(preset),
    cpus: 1,
    processes: 1,
    tasks: [{ name: 'main', cpu: 0, root: main as Routine, process: 0 }],
    limits: { frames: 4, tables: 8, vmas: 4, files: 1 },
    parts: [
      {
        statics: [
          { name: 'shy', struct: shy_driver, initial: { faults, mkwrites, sigbus } },
          { name: 'mapping', struct: address_space },
          {
            name: 'shy_vm_ops',
            struct: vm_operations_struct,
            initial: { fault: shy_fault, pfn_mkwrite: shy_pfn_mkwrite },
          },
          { name: 'shy_fops', struct: file_operations, initial: { mmap: shy_mmap } },
        ],
      },
    ],
    deviceInterrupt: cpu_idle as Routine,
  });
  engine.alloc('page');
  const file = engine.alloc('file');
  file.f_mapping = engine.the('mapping', 'address_space');
  file.f_op = engine.the('shy_fops', 'file_operations');
  file.f_mode = 3;
  engine.checker = new Checker(rules);
  for (let agent = defaultAgent(engine); agent >= 0; agent = defaultAgent(engine)) {
    if (engine.steps > 10_000) throw new Error('it never ends');
    engine.step(agent);
  }
  const mm = engine.view('mm_struct', mms[0]!);
  const tries = engine.events
    .slice()
    .filter(({ name }) => name === mm_fault.name)
    .map(({ args }) => {
      const flags = Number(args.flags);
      const allowed = (flags & FAULT_FLAG_ALLOW_RETRY) !== 0 ? 'may retry' : 'may not';
      const tried = (flags & FAULT_FLAG_TRIED) !== 0 ? ', tried' : '';
      return `${allowed}${tried}${Number(args.ret) === VM_FAULT_RETRY ? ': RETRY' : ''}`;
    });
  return {
    tries,
    counts: [mm.min_flt, mm.maj_flt],
    signal: engine.the('shy', 'shy_driver').faults,
    broken: engine.checker.broken,
    held: engine.held(0),
  };
}

test('5.1: a fault is retried once, without another permission, and counts as one minor fault', () => {
  const { tries, counts, broken, held } = run('series-v2', 5, 0);
  expect(tries).toEqual(['may retry: RETRY', 'may not, tried', 'may retry']);
  expect(counts).toEqual([2, 0]);
  expect(broken).toEqual([]);
  expect(held).toEqual([]);
});

test('6.1: a fault is retried as often as it takes, and then counts as major', () => {
  const { tries, counts, broken } = run('linux-6.1', 3, 0);
  expect(tries).toEqual([
    'may retry: RETRY',
    'may retry, tried: RETRY',
    'may retry, tried: RETRY',
    'may retry, tried',
    'may retry',
  ]);
  expect(counts).toEqual([1, 1]);
  expect(broken).toEqual([]);
});

test('v2: pfn_mkwrite may give up mmap_sem; the fault is retried, and the entry is made writable then', () => {
  const { tries, counts, signal, broken, held } = run('series-v2', 0, 3);
  expect(tries).toEqual(['may retry', 'may retry: RETRY', 'may not, tried']);
  expect(counts).toEqual([2, 0]);
  expect(signal).toBe(0);
  expect(broken).toEqual([]);
  expect(held).toEqual([]);
});

test('6.1: RETRY of pfn_mkwrite is not looked at, so mmap_sem would be released twice', () => {
  expect(() => run('linux-6.1', 0, 1)).toThrow('holds the mmap_sem that it releases');
});

test('a handler that fails ends the access with SIGBUS, and no fault is counted', () => {
  const { counts, signal } = run('linux-6.1', 0, 0, true);
  expect(signal).toBe(7 | (2 << 8));
  expect(counts).toEqual([0, 0]);
});
