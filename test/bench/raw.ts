// The toy of toy.ts by hand: the same operations, one micro-step each, as numbered tables over one Int32Array.
// It keeps the same state as the engine: frames on stacks, zeroed when popped, and the locks that each task holds.
// No journal, no hash, no names, no checks: what the engine's comfort is measured against.
import { dirty, present, writable } from './toy';

const room = 448;
const ptes = 1;
const tlbs = ptes + room; // of CPU 0, then of CPU 1
const data = tlbs + 2 * room;
const marked = data + room;
const mmapReaders = marked + room;
const ptl = mmapReaders + 1; // owner plus 1
const resv = ptl + 1;
const tops = resv + 1; // innermost frame of each task
const held = tops + 4; // locks of each task in the order of taking, 0 after the last
const heldCells = 4;
const stacks = held + 4 * heldCells;
const stackCells = 256;
export const rawCells = stacks + 4 * stackCells;

// A frame: routine, program counter, caller, then arguments and locals in these places.
const header = 3;
const sizes = [5, 4, 1, 1, 2, 3, 1, 5, 6].map((fields) => fields + header);
const [
  thread,
  store,
  excPageFault,
  handleMmFault,
  handlePteFault,
  wpPfnShared,
  mkwrite,
  cleaner,
  gpu,
] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;

type Op = (m: Int32Array, f: number, task: number) => void;
type Guard = (m: Int32Array) => boolean;

const go = (m: Int32Array, f: number, pc: number) => {
  m[f + 1] = pc;
};

function push(m: Int32Array, f: number, task: number, routine: number): number {
  const base = f + sizes[m[f]!]!;
  m[base] = routine;
  m[base + 2] = f;
  m[tops + task] = base;
  return base + header;
}

function pop(m: Int32Array, f: number, task: number): number {
  const caller = m[f + 2]!;
  for (let at = f + sizes[m[f]!]! - 1; at >= f; at--) m[at] = 0;
  m[tops + task] = caller;
  return caller;
}

/** A return to where the only caller goes on. */
const ret =
  (pc: number): Op =>
  (m, f, task) => {
    go(m, pop(m, f, task), pc);
  };

const finish: Op = (m, f, task) => {
  pop(m, f, task);
};

function hold(m: Int32Array, task: number, where: number): void {
  let at = held + task * heldCells;
  while (m[at] !== 0) at++;
  m[at] = where;
}

function letGo(m: Int32Array, task: number, where: number): void {
  let at = held + task * heldCells;
  while (m[at] !== where) at++;
  for (; m[at] !== 0; at++) m[at] = m[at + 1]!;
}

const lock =
  (where: number, pc: number): Op =>
  (m, f, task) => {
    m[where] = task + 1;
    hold(m, task, where);
    go(m, f, pc);
  };
const unlock =
  (where: number, pc: number): Op =>
  (m, f, task) => {
    m[where] = 0;
    letGo(m, task, where);
    go(m, f, pc);
  };

const a0 = header;
const a1 = header + 1;
const a2 = header + 2;
const a3 = header + 3;
const a4 = header + 4;
const a5 = header + 5;

/** The end of a root's turn; `page` says where its page stands, its turn is next to it. */
const next =
  (page: number, pages: number, turns: number, last: number): Op =>
  (m, f) => {
    m[f + page] = m[f + page]! + 1 === m[f + pages]! ? 0 : m[f + page]! + 1;
    m[f + page + 1] = m[f + page + 1]! + 1;
    go(m, f, m[f + page + 1] === m[f + turns] ? last : 0);
  };

const ops: readonly (readonly Op[])[] = [
  // thread: cpu, pages, turns, page, turn
  [
    (m, f, task) => {
      const args = push(m, f, task, store);
      m[args] = m[f + a0]!;
      m[args + 1] = m[f + a3]!;
      m[args + 2] = (m[f + a4]! & 127) + 1;
    },
    next(a3, a1, a2, 2),
    finish,
  ],
  // store: cpu, page, value, entry
  [
    (m, f) => {
      const entry = m[tlbs + m[f + a0]! * room + m[f + a1]!]!;
      m[f + a3] = entry;
      go(m, f, entry & writable ? 1 : 2);
    },
    (m, f) => {
      m[data + m[f + a1]!] = m[f + a2]!;
      go(m, f, 5);
    },
    (m, f) => {
      const entry = m[ptes + m[f + a1]!]!;
      m[f + a3] = entry;
      go(m, f, entry & writable ? 3 : 4);
    },
    (m, f) => {
      m[tlbs + m[f + a0]! * room + m[f + a1]!] = m[f + a3]!;
      go(m, f, 0);
    },
    (m, f, task) => {
      m[push(m, f, task, excPageFault)] = m[f + a1]!;
    },
    ret(1),
  ],
  // exc_page_fault: page
  [
    (m, f, task) => {
      m[push(m, f, task, handleMmFault)] = m[f + a0]!;
    },
    ret(0),
  ],
  // handle_mm_fault: page
  [
    (m, f, task) => {
      m[mmapReaders] = m[mmapReaders]! + 1;
      hold(m, task, mmapReaders);
      go(m, f, 1);
    },
    (m, f, task) => {
      m[push(m, f, task, handlePteFault)] = m[f + a0]!;
    },
    (m, f, task) => {
      m[mmapReaders] = m[mmapReaders]! - 1;
      letGo(m, task, mmapReaders);
      go(m, f, 3);
    },
    ret(1),
  ],
  // handle_pte_fault: page, orig_pte
  [
    (m, f) => {
      const entry = m[ptes + m[f + a0]!]!;
      m[f + a1] = entry;
      go(m, f, entry & present ? 4 : 1);
    },
    lock(ptl, 2),
    (m, f) => {
      m[ptes + m[f + a0]!] = present;
      go(m, f, 3);
    },
    unlock(ptl, 5),
    (m, f, task) => {
      const args = push(m, f, task, wpPfnShared);
      m[args] = m[f + a0]!;
      m[args + 1] = m[f + a1]!;
    },
    ret(2),
  ],
  // wp_pfn_shared: page, orig_pte, ret
  [
    (m, f, task) => {
      m[push(m, f, task, mkwrite)] = m[f + a0]!;
    },
    lock(ptl, 2),
    (m, f) => {
      m[ptes + m[f + a0]!] = m[f + a1]! | writable | dirty;
      go(m, f, 3);
    },
    unlock(ptl, 4),
    ret(5),
  ],
  // vmw_bo_vm_mkwrite: page
  [
    lock(resv, 1),
    (m, f) => {
      m[marked + m[f + a0]!] = 1;
      go(m, f, 2);
    },
    unlock(resv, 3),
    (m, f, task) => {
      const caller = pop(m, f, task);
      m[caller + a2] = 0; // what it returns
      go(m, caller, 1);
    },
  ],
  // cleaner: pages, turns, page, turn, pte
  [
    lock(ptl, 1),
    (m, f) => {
      const entry = m[ptes + m[f + a2]!]!;
      m[f + a4] = entry;
      go(m, f, entry & writable ? 2 : 3);
    },
    (m, f) => {
      m[ptes + m[f + a2]!] = m[f + a4]! & ~writable;
      go(m, f, 3);
    },
    (m, f, task) => {
      m[ptl] = 0;
      letGo(m, task, ptl);
      go(m, f, m[f + a4]! & writable ? 4 : 6);
    },
    (m, f) => {
      m[tlbs + m[f + a2]!] = 0;
      go(m, f, 5);
    },
    (m, f) => {
      m[tlbs + room + m[f + a2]!] = 0;
      go(m, f, 6);
    },
    next(a2, a0, a1, 7),
    finish,
  ],
  // gpu: pages, turns, page, turn, marked, seen
  [
    lock(resv, 1),
    (m, f) => {
      const mark = m[marked + m[f + a2]!]!;
      m[f + a4] = mark;
      go(m, f, mark !== 0 ? 2 : 3);
    },
    (m, f) => {
      m[marked + m[f + a2]!] = 0;
      go(m, f, 3);
    },
    unlock(resv, 4),
    (m, f) => {
      m[f + a5] = m[data + m[f + a2]!]!;
      go(m, f, 5);
    },
    next(a2, a0, a1, 6),
    finish,
  ],
];

const free =
  (where: number): Guard =>
  (m) =>
    m[where] === 0;
const always: Guard = () => true;

/** When an operation may go: those that take a lock wait for it. */
const guards: readonly (readonly Guard[])[] = ops.map((table, routine) =>
  table.map((_, pc) => {
    const takesPtl =
      (routine === handlePteFault && pc === 1) ||
      (routine === wpPfnShared && pc === 1) ||
      (routine === cleaner && pc === 0);
    const takesResv = (routine === mkwrite || routine === gpu) && pc === 0;
    return takesPtl ? free(ptl) : takesResv ? free(resv) : always;
  }),
);

export class RawToy {
  readonly cells = new Int32Array(rawCells);

  constructor(
    readonly pages: number,
    turns: number,
  ) {
    const roots = [thread, thread, cleaner, gpu] as const;
    roots.forEach((routine, task) => {
      const base = stacks + task * stackCells;
      const args = routine === thread ? [task, pages, turns] : [pages, turns];
      this.cells[base] = routine;
      this.cells.set(args, base + header);
      this.cells[tops + task] = base;
    });
  }

  runnable(task: number): boolean {
    const m = this.cells;
    const f = m[tops + task]!;
    return f !== 0 && guards[m[f]!]![m[f + 1]!]!(m);
  }

  step(task: number): void {
    const m = this.cells;
    const f = m[tops + task]!;
    ops[m[f]!]![m[f + 1]!]!(m, f, task);
  }

  /** As `pagesOf` of the engine's toy. */
  columns(): number[][] {
    return [ptes, tlbs, tlbs + room, data, marked].map((at) => [
      ...this.cells.slice(at, at + this.pages),
    ]);
  }
}
