// The usage warning of apply_to_pfn_range() in the series of April 2019, checked: whoever walks without the locks, outside
// of the notifications or over huge entries is told. Linux mm/memory.c of v2.
import { expect, test } from 'vitest';
import { store } from '../../src/hardware/cpu';
import { _PAGE_PSE, PAGE_SIZE } from '../../src/hardware/pte';
import { vm_get_page_prot } from '../../src/kernel/arch/x86/include/asm/pgtable';
import {
  WARN_APPLY_UNLOCKED,
  WARN_APPLY_UNNOTIFIED,
  WARN_BAD_PMD,
  warn,
} from '../../src/kernel/include/asm-generic/bug';
import {
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
  VM_FAULT_NOPAGE,
  VM_IO,
  VM_PFNMAP,
} from '../../src/kernel/include/linux/mm';
import {
  address_space,
  file_operations,
  vm_operations_struct,
} from '../../src/kernel/include/linux/mm_types';
import { current } from '../../src/kernel/include/linux/sched';
import { apply_as_wrprotect } from '../../src/kernel/mm/as_dirty_helpers';
import { apply_to_pfn_range, vmf_insert_pfn_prot } from '../../src/kernel/mm/memory';
import { vm_mmap_pgoff } from '../../src/kernel/mm/mmap';
import {
  MMU_NOTIFY_PROTECTION_PAGE,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from '../../src/kernel/mm/mmu_notifier';
import { entryOffset, pgd_offset } from '../../src/kernel/mm/range';
import { variantSet } from '../../src/kernel/variants';
import { buildMachine, cpu_idle } from '../../src/machine/machine';
import { Checker } from '../../src/routine/check';
import type { Engine } from '../../src/routine/engine';
import { type Routine, routine } from '../../src/routine/routine';
import { defaultAgent } from '../../src/routine/schedule';
import { embed, int, long, ref } from '../../src/state/layout';

const pages = 4;

const insert = routine(
  'test.c',
  'insert',
  { args: { vmf: ref('vm_fault') }, locals: { ret: int }, returns: int },
  ({ call, ret }) => [
    call(
      vmf_insert_pfn_prot,
      (f, k) => ({
        vma: f.vmf.vma,
        addr: f.vmf.address,
        pfn: k.parts.memory.pfnOfPage([...k.objects.all('page')][0]!),
        pgprot: vm_get_page_prot(f.vmf.vma.vm_flags),
      }),
      'ret',
    ),
    ret('ret', () => VM_FAULT_NOPAGE),
  ],
);

const plain_mmap = routine(
  'test.c',
  'plain_mmap',
  { args: { file: ref('file'), vma: ref('vm_area_struct') }, returns: int },
  ({ step, ret }) => [
    step('vma->vm_ops', (f, k) => {
      f.vma.vm_ops = k.the('plain_vm_ops', 'vm_operations_struct');
      f.vma.vm_flags |= VM_IO | VM_PFNMAP;
    }),
    ret('0', () => 0),
  ],
);

const look = routine(
  'test.c',
  'look',
  { args: { pte: ref('pte_t'), addr: long, closure: ref('pfn_range_apply') }, returns: int },
  ({ step, ret }) => [
    step('*pte', (f) => {
      f.pte.val;
    }),
    ret('0', () => 0),
  ],
);

/** How a caller goes about it. */
interface Use {
  readonly lock?: 'mmap_sem' | 'i_mmap_rwsem' | 'other';
  readonly notified?: number; // pages
  readonly huge?: boolean;
}

const lockOf = (lock: Use['lock']) => (_f: unknown, k: Engine) =>
  lock === 'mmap_sem'
    ? current(k).mm.mmap_sem
    : k.the(lock === 'other' ? 'other' : 'mapping', 'address_space').i_mmap_rwsem;

const locals = { at: long, ret: int };

/** Maps the file, touches its first page, and walks all of it as `use` says, or with the helper of the series. */
const main = (use: Use | 'helper') =>
  routine('test.c', 'main', { mode: 'user', locals }, (b) => [
    b.call(
      vm_mmap_pgoff,
      (_f, k) => ({
        file: k.view('file', [...k.objects.all('file')][0]!),
        addr: 0,
        len: pages * PAGE_SIZE,
        prot: PROT_READ | PROT_WRITE,
        flags: MAP_SHARED,
        pgoff: 0,
      }),
      'at',
    ),
    b.call(
      store,
      (f) => ({ address: f.at, length: 1, user: true, unique: false, value: 7 }),
      'ret',
    ),
    b.call(use === 'helper' ? helped : walk(use), (f) => ({ at: f.at })),
  ]);

const helped = routine(
  'test.c',
  'helped',
  { args: { at: long }, locals: { ret: int } },
  ({ call }) => [
    call(
      apply_as_wrprotect,
      (_f, k) => ({ mapping: k.the('mapping', 'address_space'), first_index: 0, nr: pages }),
      'ret',
    ),
  ],
);

function walk({ lock, notified = 0, huge = false }: Use): Routine<{ at: typeof long }> {
  const range = (f: { at: number }, k: Engine) => ({
    mm: current(k).mm,
    event: MMU_NOTIFY_PROTECTION_PAGE,
    start: f.at,
    end: f.at + notified * PAGE_SIZE,
  });
  return routine(
    'test.c',
    'walk',
    {
      args: { at: long },
      locals: { apply: embed('pfn_range_apply'), ret: int, pud: ref('pte_t'), pmd: ref('pte_t') },
    },
    (b) => [
      b.step('closure', (f, k) => {
        f.apply.mm = current(k).mm;
        f.apply.ptefn = k.fn(look);
      }),
      ...(huge
        ? [
            b.step('pud', (f, k) => {
              f.pud = entryOffset(k, pgd_offset(k, current(k).mm, f.at).val, f.at, 1);
            }),
            b.step('pmd', (f, k) => {
              f.pmd = entryOffset(k, f.pud.val, f.at, 2);
            }),
            b.atomic('*pmd is huge', (f) => {
              const { lo, hi } = f.pmd.val;
              f.pmd.val = { lo: lo | _PAGE_PSE, hi };
            }),
          ]
        : []),
      ...(lock === undefined ? [] : [b.acquire('lock', lockOf(lock))]),
      ...(notified > 0 ? [b.call(mmu_notifier_invalidate_range_start, range)] : []),
      b.call(
        apply_to_pfn_range,
        (f) => ({ closure: f.apply, addr: f.at, size: pages * PAGE_SIZE }),
        'ret',
      ),
      ...(notified > 0 ? [b.call(mmu_notifier_invalidate_range_end, range)] : []),
      ...(lock === undefined ? [] : [b.release('unlock', lockOf(lock))]),
    ],
  );
}

/** The warnings of one use. */
function warnings(use: Use | 'helper'): number[] {
  const { engine, rules } = buildMachine({
    variants: variantSet('series-v2'),
    cpus: 1,
    processes: 1,
    tasks: [{ name: 'main', cpu: 0, root: main(use) as Routine, process: 0 }],
    limits: { frames: 4, tables: 8, vmas: 4, files: 1 },
    parts: [
      {
        roots: [look as unknown as Routine],
        statics: [
          { name: 'mapping', struct: address_space },
          { name: 'other', struct: address_space },
          { name: 'plain_vm_ops', struct: vm_operations_struct, initial: { fault: insert } },
          { name: 'plain_fops', struct: file_operations, initial: { mmap: plain_mmap } },
        ],
      },
    ],
    deviceInterrupt: cpu_idle as Routine,
  });
  engine.alloc('page');
  const file = engine.alloc('file');
  file.f_mapping = engine.the('mapping', 'address_space');
  file.f_op = engine.the('plain_fops', 'file_operations');
  file.f_mode = 3;
  engine.checker = new Checker(rules);
  for (let agent = defaultAgent(engine); agent >= 0; agent = defaultAgent(engine)) {
    if (engine.steps > 10_000) throw new Error('it never ends');
    engine.step(agent);
  }
  expect(engine.done).toBe(true);
  expect(engine.checker.broken).toEqual([]);
  return engine.events
    .slice()
    .filter(({ name }) => name === warn.name)
    .map(({ args }) => Number(args.where));
}

test('a walk with the locks and the notifications that the warning demands says nothing', () => {
  expect(warnings({ lock: 'mmap_sem', notified: pages })).toEqual([]);
  expect(warnings({ lock: 'i_mmap_rwsem', notified: pages })).toEqual([]);
  expect(warnings('helper')).toEqual([]);
});

test('a walk without a lock, or with the lock of another file, is warned of', () => {
  expect(warnings({ notified: pages })).toEqual([WARN_APPLY_UNLOCKED]);
  expect(warnings({ lock: 'other', notified: pages })).toEqual([WARN_APPLY_UNLOCKED]);
});

test('a walk that nobody is notified of, or of a part only, is warned of', () => {
  expect(warnings({ lock: 'mmap_sem' })).toEqual([WARN_APPLY_UNNOTIFIED]);
  expect(warnings({ lock: 'i_mmap_rwsem', notified: 1 })).toEqual([WARN_APPLY_UNNOTIFIED]);
  expect(warnings({})).toEqual([WARN_APPLY_UNLOCKED, WARN_APPLY_UNNOTIFIED]);
});

test('a walk that meets a huge entry takes it for a bad one', () => {
  expect(warnings({ lock: 'mmap_sem', notified: pages, huge: true })).toEqual([WARN_BAD_PMD]);
});
