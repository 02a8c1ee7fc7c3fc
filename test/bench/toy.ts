// The toy that the engine is measured with: two CPUs that store to pages and fault on them, a cleaner that
// write-protects them again, a GPU that reads what is dirty. Nine routines, calls six deep, about 4096 cells.
import { Engine } from '../../src/routine/engine';
import { sleepingLock, spinlock } from '../../src/routine/locks';
import { Program } from '../../src/routine/program';
import { type Routine, routine } from '../../src/routine/routine';
import { array, int, ref, type Structs, struct, type View } from '../../src/state/layout';

export const present = 1;
export const writable = 2;
export const dirty = 64;
const room = 448; // pages there is room for; how many are used is an argument

const bench_mm = struct('bench_mm', {
  shared: {
    ptes: array(int, room),
    tlb0: array(int, room),
    tlb1: array(int, room),
    data: array(int, room),
  },
  under: { bench_resv: { marked: array(int, room) } },
  own: {
    mmap_lock: sleepingLock('bench_mmap_lock'),
    ptl: spinlock('bench_ptl'),
    resv: spinlock('bench_resv'),
  },
});

declare module '../../src/state/layout' {
  interface Structs {
    bench_mm: View<typeof bench_mm>;
  }
}

// Routines get what they work on as an argument, as the kernel's do.
const mm = ref('bench_mm');
interface OnMm {
  readonly mm: Structs['bench_mm'];
}
const mmapLock = (f: OnMm) => f.mm.mmap_lock;
const ptl = (f: OnMm) => f.mm.ptl;
const resv = (f: OnMm) => f.mm.resv;

const vmw_bo_vm_mkwrite = routine(
  'vmwgfx_page_dirty.c',
  'vmw_bo_vm_mkwrite',
  { args: { mm, page: int }, returns: int },
  (b) => [
    b.acquire('ttm_bo_reserve()', resv),
    b.step('__set_bit(page, bitmap)', (f) => {
      f.mm.marked.set(f.page, 1);
    }),
    b.release('ttm_bo_unreserve()', resv),
    b.ret('0', () => 0),
  ],
);

const wp_pfn_shared = routine(
  'memory.c',
  'wp_pfn_shared',
  { args: { mm, page: int, orig_pte: int }, locals: { ret: int } },
  (b) => [
    b.call(vmw_bo_vm_mkwrite, (f) => ({ mm: f.mm, page: f.page }), 'ret'),
    b.acquire('pte_offset_map_lock', ptl),
    b.step('ptep_set_access_flags', (f) => {
      f.mm.ptes.set(f.page, f.orig_pte | writable | dirty);
    }),
    b.release('pte_unmap_unlock', ptl),
  ],
);

const handle_pte_fault = routine(
  'memory.c',
  'handle_pte_fault',
  { args: { mm, page: int }, locals: { orig_pte: int } },
  (b) => [
    b.step('orig_pte = *ptep', (f) => {
      f.orig_pte = f.mm.ptes.get(f.page);
    }),
    b.when(
      'pte_none(orig_pte)',
      (f) => (f.orig_pte & present) === 0,
      [
        b.acquire('pte_offset_map_lock', ptl),
        b.step('set_pte_at', (f) => {
          f.mm.ptes.set(f.page, present);
        }),
        b.release('pte_unmap_unlock', ptl),
      ],
      [b.call(wp_pfn_shared, (f) => ({ mm: f.mm, page: f.page, orig_pte: f.orig_pte }))],
    ),
  ],
);

const handle_mm_fault = routine('memory.c', 'handle_mm_fault', { args: { mm, page: int } }, (b) => [
  b.acquire('mmap_read_lock', mmapLock, { mode: 'read' }),
  b.call(handle_pte_fault, (f) => ({ mm: f.mm, page: f.page })),
  b.release('mmap_read_unlock', mmapLock),
]);

const exc_page_fault = routine('fault.c', 'exc_page_fault', { args: { mm, page: int } }, (b) => [
  b.call(handle_mm_fault, (f) => ({ mm: f.mm, page: f.page })),
]);

const store = routine(
  'cpu',
  'store',
  { args: { mm, cpu: int, page: int, value: int }, locals: { entry: int }, mode: 'instruction' },
  (b) => [
    b.loop('until the store is done', [
      b.step('look up the TLB', (f) => {
        f.entry = (f.cpu === 0 ? f.mm.tlb0 : f.mm.tlb1).get(f.page);
      }),
      b.when('the TLB allows it', (f) => (f.entry & writable) !== 0, [
        b.step('store', (f) => {
          f.mm.data.set(f.page, f.value);
        }),
        b.leave(),
      ]),
      b.step('walk', (f) => {
        f.entry = f.mm.ptes.get(f.page);
      }),
      b.when('the PTE allows it', (f) => (f.entry & writable) !== 0, [
        b.step('fill the TLB', (f) => {
          (f.cpu === 0 ? f.mm.tlb0 : f.mm.tlb1).set(f.page, f.entry);
        }),
        b.again(),
      ]),
      b.call(exc_page_fault, (f) => ({ mm: f.mm, page: f.page })),
    ]),
  ],
);

const next = (f: { page: number; pages: number; turn: number }) => {
  f.page = f.page + 1 === f.pages ? 0 : f.page + 1;
  f.turn++;
};
const over = (f: { turn: number; turns: number }) => f.turn === f.turns;

const thread = routine(
  'app',
  'thread',
  {
    args: { cpu: int, pages: int, turns: int },
    locals: { mm, page: int, turn: int },
    mode: 'user',
  },
  (b) => [
    b.step('mm = &the_mm', (f, k) => {
      f.mm = k.the('mm', 'bench_mm');
    }),
    b.loop('while (turn < turns)', [
      b.call(store, (f) => ({ mm: f.mm, cpu: f.cpu, page: f.page, value: (f.turn & 127) + 1 })),
      b.step('next page', next),
      b.when('turn == turns', over, [b.leave()]),
    ]),
  ],
);

const cleaner = routine(
  'as_dirty_helpers.c',
  'cleaner',
  { args: { pages: int, turns: int }, locals: { mm, page: int, turn: int, pte: int } },
  (b) => [
    b.step('mm = &the_mm', (f, k) => {
      f.mm = k.the('mm', 'bench_mm');
    }),
    b.loop('while (turn < turns)', [
      b.acquire('pte_offset_map_lock', ptl),
      b.step('pte = *ptep', (f) => {
        f.pte = f.mm.ptes.get(f.page);
      }),
      b.when('pte_write(pte)', (f) => (f.pte & writable) !== 0, [
        b.step('ptep_modify_prot_commit', (f) => {
          f.mm.ptes.set(f.page, f.pte & ~writable);
        }),
      ]),
      b.release('pte_unmap_unlock', ptl),
      b.when('pte_write(pte)', (f) => (f.pte & writable) !== 0, [
        b.step('flush the TLB of CPU 0', (f) => {
          f.mm.tlb0.set(f.page, 0);
        }),
        b.step('flush the TLB of CPU 1', (f) => {
          f.mm.tlb1.set(f.page, 0);
        }),
      ]),
      b.step('next page', next),
      b.when('turn == turns', over, [b.leave()]),
    ]),
  ],
);

const gpu = routine(
  'svga',
  'gpu',
  {
    args: { pages: int, turns: int },
    locals: { mm, page: int, turn: int, marked: int, seen: int },
  },
  (b) => [
    b.step('mm = &the_mm', (f, k) => {
      f.mm = k.the('mm', 'bench_mm');
    }),
    b.loop('while (turn < turns)', [
      b.acquire('ttm_bo_reserve()', resv),
      b.step('marked = test_bit(page, bitmap)', (f) => {
        f.marked = f.mm.marked.get(f.page);
      }),
      b.when('marked', (f) => f.marked !== 0, [
        b.step('clear_bit(page, bitmap)', (f) => {
          f.mm.marked.set(f.page, 0);
        }),
      ]),
      b.release('ttm_bo_unreserve()', resv),
      b.step('read the page', (f) => {
        f.seen = f.mm.data.get(f.page);
      }),
      b.step('next page', next),
      b.when('turn == turns', over, [b.leave()]),
    ]),
  ],
);

const cpu_idle = routine('idle.c', 'cpu_idle', {}, (b) => [b.wait('hlt', () => false)]);

/** The toy, its tasks about to begin: `pages` pages, each thread and worker going round `turns` times; -1 is for ever. */
export function toyOnEngine(pages: number, turns: number): Engine {
  const root = (of: unknown) => of as Routine;
  const tasks = [
    { name: 'cpu0', cpu: 0, root: root(thread), args: { cpu: 0, pages, turns } },
    { name: 'cpu1', cpu: 1, root: root(thread), args: { cpu: 1, pages, turns } },
    { name: 'cleaner', cpu: -1, root: root(cleaner), args: { pages, turns } },
    { name: 'gpu', cpu: -1, root: root(gpu), args: { pages, turns } },
  ];
  const engine = new Engine({
    program: new Program([...tasks.map((t) => t.root), cpu_idle], {
      known: new Set(),
      active: new Set(),
    }),
    cpus: 2,
    tasks,
    pools: [],
    statics: [{ name: 'mm', struct: bench_mm }],
    regions: (plan) => {
      plan.region('page as blocks', 'contents', 2 * 16);
      plan.region('page as cells', 'state', 2 * 1024);
    },
    vectors: [],
    idle: cpu_idle,
    stackCells: 256,
  });
  for (const task of [0, 1]) engine.step(engine.agentOfTask(task)); // onto their CPUs
  for (const task of tasks.keys()) engine.step(engine.agentOfTask(task)); // mm = &the_mm
  engine.store.settle();
  return engine;
}

/** The cells of the pages' state, for comparison: PTEs, both TLBs, data, marks. */
export function pagesOf(engine: Engine, pages: number): number[][] {
  const view = engine.the('mm', 'bench_mm');
  return [view.ptes, view.tlb0, view.tlb1, view.data, view.marked].map((column) =>
    Array.from({ length: pages }, (_, page) => column.get(page)),
  );
}
