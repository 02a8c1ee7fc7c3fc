// The operations of a recording as routines: one task a process waits for its next operation and does it through the
// CPU's loads and stores and the kernel's calls. Which one, and with what, the replay writes into a static.
import { load, store } from '../hardware/cpu';
import { clear_refs_write, pagemap_read } from '../kernel/fs/proc/task_mmu';
import { current } from '../kernel/include/linux/sched';
import { dup_mmap, exit_mm } from '../kernel/kernel/fork';
import { do_madvise } from '../kernel/mm/madvise';
import { unmap_mapping_range } from '../kernel/mm/memory';
import { __vm_munmap, vm_mmap_pgoff } from '../kernel/mm/mmap';
import { do_mprotect_pkey } from '../kernel/mm/mprotect';
import { mremap_to } from '../kernel/mm/mremap';
import type { Engine } from '../routine/engine';
import { type AnyBuilder, type Node, routine } from '../routine/routine';
import { bool, int, long, ref, type Structs, struct, tail, type View } from '../state/layout';
import {
  object,
  or_clean,
  or_clear_res,
  or_dirty_add,
  or_dirty_release,
  or_dirty_scan,
  or_dirty_unmap,
  or_transfer,
  wrprotect,
} from './driver';

const file = 'conform/operations.c';

/** The operation to do. What the arguments mean depends on it; `op` is 0 when there is none. */
export const or_operation = struct('or_operation', {
  own: {
    op: int,
    p: int,
    address: long,
    len: long,
    file: ref('file'),
    prot: int,
    flags: int,
    page: int,
    n: int,
    val: int,
    to: long,
    mm: ref('mm_struct'), // the child's
    second: int, // the kind of the second touch of refs_touch: 0 read, 1 write; `prot` is that of the first
    min_flt: int, // counts of faults before what is counted
    maj_flt: int,
    ret: long,
    events: int, // of the log, when it began
  },
});

/** Where page 0 of the object would lie in each region of each process, 0 where it never was mapped. */
export const or_origins = struct('or_origins', { own: { origins: tail(long) } });

/** Which operation of a program is the next, where each is a statement. */
export const or_order = struct('or_order', { shared: { next: int } });

declare module '../state/layout' {
  interface Structs {
    or_order: View<typeof or_order>;
    or_operation: View<typeof or_operation>;
    or_origins: View<typeof or_origins>;
  }
}

export const operation = (k: Engine): Structs['or_operation'] =>
  k.the('or_operation', 'or_operation');

interface Frame {
  ret: number;
}

/** What each operation does; `f.ret` receives its value. */
const bodies: Readonly<Record<string, (b: AnyBuilder) => Node[]>> = {
  mmap: (b) => [
    b.call(
      vm_mmap_pgoff,
      (_f, k) => {
        const { file, address, len, prot, flags, page } = operation(k);
        return { file, addr: address, len, prot, flags, pgoff: object(k).base + page };
      },
      'ret',
    ),
  ],
  munmap: (b) => [
    b.call(__vm_munmap, (_f, k) => ({ start: operation(k).address, len: operation(k).len }), 'ret'),
  ],
  read: (b) => [b.call(load, (_f, k) => ({ ...access(k), user: true }), 'ret')],
  kread: (b) => [b.call(load, (_f, k) => ({ ...access(k), user: false }), 'ret')],
  write: (b) => [b.call(store, (_f, k) => ({ ...access(k), ...written(k), user: true }), 'ret')],
  kwrite: (b) => [b.call(store, (_f, k) => ({ ...access(k), ...written(k), user: false }), 'ret')],
  mprotect: (b) => [
    b.call(
      do_mprotect_pkey,
      (_f, k) => ({ start: operation(k).address, len: operation(k).len, prot: operation(k).prot }),
      'ret',
    ),
  ],
  madvise: (b) => [
    b.call(
      do_madvise,
      (_f, k) => ({
        start: operation(k).address,
        len: operation(k).len,
        behavior: operation(k).val,
      }),
      'ret',
    ),
  ],
  mremap: (b) => [
    b.call(
      mremap_to,
      (_f, k) => ({
        addr: operation(k).address,
        len: operation(k).len,
        new_addr: operation(k).to,
      }),
      'ret',
    ),
  ],
  fork: (b) => [
    b.call(dup_mmap, (_f, k) => ({ mm: operation(k).mm, oldmm: current(k).mm }), 'ret'),
  ],
  exit: (b) => [b.call(exit_mm, (_f, k) => ({ mm: current(k).mm }))],
  clear_refs: (b) => [b.call(clear_refs_write, clearRefs, 'ret')],
  pagemap: (b) => [
    b.call(
      pagemap_read,
      (_f, k) => ({ start: operation(k).address, count: operation(k).n }),
      'ret',
    ),
  ],
  refs_touch: (b) => [
    ...touch(b, 'first', (k) => operation(k).prot),
    b.call(clear_refs_write, clearRefs, 'ret'),
    ...countFaults(b),
    ...touch(b, 'then', (k) => operation(k).second),
  ],
  wrprotect: (b) => [wrprotect(b, (_f: Frame, k: Engine) => pages(k), 'ret')],
  clean: (b) => [
    b.call(
      or_clean,
      (_f, k) => ({ first: operation(k).page, nr: operation(k).n, bit0: operation(k).val }),
      'ret',
    ),
  ],
  unmap: (b) => [
    b.call(unmap_mapping_range, (_f, k) => ({ ...pages(k), even_cows: operation(k).val !== 0 })),
  ],
  devread: (b) => [
    b.step('read past the page tables', (f: Frame, k) => {
      f.ret = k.parts.memory.frame(object(k).pfn + operation(k).page).byte(0);
    }),
  ],
  devwrite: (b) => [
    b.step('write past the page tables', (f: Frame, k) => {
      const { page, val } = operation(k);
      k.parts.memory.frame(object(k).pfn + page).fill(0, 1, { unique: false, value: val });
      f.ret = val;
    }),
  ],
  dirty_add: (b) => [b.call(or_dirty_add, (_f, k) => ({ method: operation(k).val }), 'ret')],
  dirty_release: (b) => [b.call(or_dirty_release, () => ({}), 'ret')],
  scan: (b) => [b.call(or_dirty_scan, () => ({}), 'ret')],
  dirty_unmap: (b) => [b.call(or_dirty_unmap, (_f, k) => range(k))],
  transfer: (b) => [b.call(or_transfer, (_f, k) => range(k), 'ret')],
  clear_res: (b) => [b.call(or_clear_res, (_f, k) => range(k), 'ret')],
};

/** One access by user mode, a write when `kind` is 1. */
const touch = (b: AnyBuilder, text: string, kind: (k: Engine) => number): Node[] => [
  b.step(text, (f: { writes: boolean }, k) => {
    f.writes = kind(k) === 1;
  }),
  b.when('write', (f: { writes: boolean }) => f.writes, bodies.write!(b), bodies.read!(b)),
];

/** Notes the faults so far: those from here on are the operation's. */
const countFaults = (b: AnyBuilder): Node[] => [
  b.step('operation.min_flt = mm->min_flt', (_f, k) => {
    [operation(k).min_flt] = k.parts.faultCounts.of(current(k).mm);
  }),
  b.step('operation.maj_flt = mm->maj_flt', (_f, k) => {
    [, operation(k).maj_flt] = k.parts.faultCounts.of(current(k).mm);
  }),
];

const clearRefs = (_f: unknown, k: Engine) => ({ mm: current(k).mm, type: operation(k).val });
const access = (k: Engine) => ({ address: operation(k).address, length: 1 });
const written = (k: Engine) => ({ unique: false, value: operation(k).val });
const range = (k: Engine) => ({ first: operation(k).page, nr: operation(k).n });
const pages = (k: Engine) => ({
  mapping: object(k).mapping,
  first_index: object(k).base + operation(k).page,
  nr: operation(k).n,
});

/** Numbers of the operations that can be done, from 1. */
export const operationNumbers: ReadonlyMap<string, number> = new Map(
  Object.keys(bodies).map((name, i) => [name, i + 1]),
);

/** Does an operation that has been laid down: its faults are counted from here on, its value goes into `ret`. */
export const operationNodes = (b: AnyBuilder, name: string): Node[] => [
  ...countFaults(b),
  ...(bodies[name]?.(b) ?? []),
  finished(b),
];

const finished = (b: AnyBuilder): Node =>
  b.step('operation.ret = ret', (f: Frame, k) => {
    operation(k).ret = f.ret;
    operation(k).op = 0;
  });

/** The main of process `p`: does each operation that is for it, one after the other. */
export const or_process = routine(
  file,
  'or_process',
  { mode: 'user', args: { p: int }, locals: { op: int, ret: long, writes: bool } },
  (b) => [
    b.loop('for (;;)', [
      b.wait('the next operation', (f, k) => {
        const next = operation(k);
        return next.op !== 0 && next.p === f.p;
      }),
      b.step('op = operation.op', (f, k) => {
        f.op = operation(k).op;
        f.ret = 0;
      }),
      ...countFaults(b),
      ...Object.entries(bodies).map(([name, body], i) =>
        b.when(name, (f) => f.op === i + 1, body(b)),
      ),
      finished(b),
    ]),
  ],
);
