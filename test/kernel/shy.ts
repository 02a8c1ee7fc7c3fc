import { store } from '../../src/hardware/cpu';
import { PAGE_SIZE } from '../../src/hardware/pte';
import { vm_get_page_prot } from '../../src/kernel/arch/x86/include/asm/pgtable';
import {
  FAULT_FLAG_ALLOW_RETRY,
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
import { vmf_insert_pfn_prot } from '../../src/kernel/mm/memory';
import { __vm_munmap, vm_mmap_pgoff } from '../../src/kernel/mm/mmap';
import { type Preset, variantSet } from '../../src/kernel/variants';
import { buildMachine, cpu_idle } from '../../src/machine/machine';
import { Checker } from '../../src/routine/check';
import { type Routine, routine } from '../../src/routine/routine';
import { bool, int, long, ref, struct, type View } from '../../src/state/layout';

/** Where it is mapped; how many faults and mkwrites are still to be put off, at last what the store was told. */
const shy_driver = struct('shy_driver', {
  own: { address: long, faults: int, mkwrites: int, sigbus: bool },
});

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
    step('tell the address', (f, k) => {
      k.the('shy', 'shy_driver').address = f.at;
    }),
    call(store, (f) => ({ address: f.at, length: 1, user: true, unique: false, value: 7 }), 'ret'),
    step('remember', (f, k) => {
      k.the('shy', 'shy_driver').faults = f.ret;
    }),
  ],
);

/** Another thread of the process, which unmaps. */
const beside = routine('test.c', 'beside', { mode: 'user', locals: { ret: int } }, ({ call }) => [
  call(
    __vm_munmap,
    (_f, k) => ({ start: k.the('shy', 'shy_driver').address, len: PAGE_SIZE }),
    'ret',
  ),
]);

/**
 * A machine that stands before its first step, whose driver puts off that many faults and mkwrites. Its thread maps and
 * stores; if `unmaps`, another one beside it, on a CPU of its own, unmaps.
 */
export function shyMachine(
  preset: Preset,
  faults: number,
  mkwrites: number,
  { sigbus = false, unmaps = false } = {},
) {
  const tasks = [
    { name: 'main', cpu: 0, root: main as Routine, process: 0 },
    { name: 'beside', cpu: 1, root: beside as Routine, process: 0 },
  ].slice(0, unmaps ? 2 : 1);
  const machine = buildMachine({
    variants: variantSet(preset),
    cpus: tasks.length,
    processes: 1,
    tasks,
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
  const { engine } = machine;
  engine.alloc('page');
  const file = engine.alloc('file');
  file.f_mapping = engine.the('mapping', 'address_space');
  file.f_op = engine.the('shy_fops', 'file_operations');
  file.f_mode = 3;
  engine.checker = new Checker(machine.rules);
  return machine;
}
