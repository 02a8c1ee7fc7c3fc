// Replays a recorded program on an emulated machine with Linux 6.1's memory management and compares everything after
// each operation: values, faults, callbacks, the tracker, the mappings in the order of the interval tree, every entry.
import { assert } from '../base/assert';
import { cpu_load } from '../hardware/cpu';
import { peekWalk } from '../hardware/mmu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_NX,
  _PAGE_PRESENT,
  _PAGE_PROTNONE,
  _PAGE_RW,
  _PAGE_SOFT_DIRTY,
  _PAGE_SPECIAL,
  _PAGE_USER,
  PAGE_SIZE,
  pte_pfn,
} from '../hardware/pte';
import { pagemap_entry, task_mmu_statics } from '../kernel/fs/proc/task_mmu';
import {
  FMODE_READ,
  FMODE_WRITE,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  MAP_SHARED,
  PG_dirty,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../kernel/include/linux/mm';
import {
  MADV_COLD,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_KEEPONFORK,
  MADV_NORMAL,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
} from '../kernel/mm/madvise';
import { type Preset, variantSet } from '../kernel/variants';
import { buildMachine, cpu_idle, type Machine } from '../machine/machine';
import { Checker } from '../routine/check';
import type { Engine } from '../routine/engine';
import { defaultAgent } from '../routine/schedule';
import type { LoggedEvent } from '../state/events';
import { isNull, type Structs, type U64 } from '../state/layout';
import {
  callbackNames,
  driverStatics,
  KIND_MIXED,
  KIND_PAGE,
  KIND_PFN,
  METHOD_MKWRITE,
  METHOD_PAGETABLE,
  object,
  or_callback,
  or_taken,
} from './driver';
import {
  type Callback,
  type Dirty,
  type Mapping,
  type Operation,
  type Outcome,
  outcomeKeys,
  type RecordedProgram,
  type Run,
} from './format';
import { operation, operationNumber, or_operation, or_process } from './operations';

/** One thing that came out otherwise than recorded. */
export interface Difference {
  readonly key: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

/** What became of a program: operations that agreed, and the first that did not. */
export interface Replayed {
  readonly program: string;
  readonly total: number;
  readonly passed: number;
  readonly failed?: { readonly operation: Operation; readonly differences: readonly Difference[] };
  /** The operation is one that cannot be replayed. */
  readonly unsupported?: string;
  /** Rules of routines that were broken, when they were checked. */
  readonly broken: readonly string[];
}

const regionBase = 0x10_0000_0000;
const regionBytes = 64 * 1024 * 1024;
const kinds = { pfn: KIND_PFN, mixed: KIND_MIXED, page: KIND_PAGE } as const;
const regionOf = (address: number): number => Math.floor((address - regionBase) / regionBytes);
const regionStart = (m: number): number => regionBase + m * regionBytes;

/** Pages of one reading of pagemap, in the recorder. */
const pagemapMax = 64;

/** More micro-steps than any operation takes. */
const stepsMax = 2_000_000;

/** Changes for tests: other variants than those of the recorded kernel, and the checks of the rules of routines. */
export interface ReplayOptions {
  readonly preset?: Preset;
  readonly with?: readonly string[];
  readonly without?: readonly string[];
  readonly check?: boolean;
  /** Results that are not compared, because that kernel has them otherwise. */
  readonly except?: (difference: Difference) => boolean;
}

/** A program under way: its object, and what is remembered between operations. */
class Replay {
  private readonly machine: Machine;
  private readonly k: Engine;
  private readonly checker: Checker | undefined;
  private readonly files: { readonly rw: number; readonly ro: number };
  /** Where page 0 of the object would lie in each mapping, by process and region. */
  private readonly origins = new Map<string, number>();
  private callbacks: Callback[] = [];
  private taken: Run[] = [];
  private pagemap: string[] = [];
  private loaded = 0;

  constructor(
    private readonly program: RecordedProgram,
    { machine, checker }: Stage,
  ) {
    this.machine = machine;
    this.k = machine.engine;
    this.k.listeners.splice(0, this.k.listeners.length, (event) => this.hear(event));
    this.checker = checker;
    if (checker !== undefined) {
      checker.broken.length = 0;
      this.k.checker = checker;
    }
    this.files = this.makeObject();
  }

  get broken(): string[] {
    return this.checker?.broken.map((b) => `${b.rule}: ${b.message}`) ?? [];
  }

  /** Zeroed pages, two descriptors. */
  private makeObject(): { rw: number; ro: number } {
    const { k, program } = this;
    const obj = object(k);
    obj.kind = kinds[program.kind];
    obj.pages = program.pages;
    obj.prefault = program.prefault;
    obj.base = program.base;
    for (let i = 0; i < program.pages; i++) {
      const page = k.alloc('page');
      page._refcount = 1;
      page.mapping = obj.mapping;
      page.index = program.base + i;
      if (i === 0) obj.pfn = k.parts.memory.pfnOfPage(page.at);
    }
    const open = (f_mode: number): number => {
      const file = k.alloc('file');
      file.f_mapping = obj.mapping;
      file.f_op = k.the('or_fops', 'file_operations');
      file.f_mode = f_mode;
      return file.at;
    };
    return { rw: open(FMODE_READ | FMODE_WRITE), ro: open(FMODE_READ) };
  }

  private hear({ name, args }: LoggedEvent): void {
    if (name === or_callback.name) this.callbacks.push(callbackOf(args as unknown as CallbackArgs));
    else if (name === or_taken.name) this.taken.push([Number(args.from), Number(args.to)]);
    else if (name === pagemap_entry.name) this.pagemap.push(pagemapText(Number(args.flags)));
    else if (name === cpu_load.name) this.loaded = Number(args.value);
  }

  /** Does one operation; undefined when it is one that cannot be done. */
  perform(op: Operation): Outcome | undefined {
    const number = operationNumber[op.op];
    if (number === undefined) return undefined;
    const { k } = this;
    this.callbacks = [];
    this.taken = [];
    this.pagemap = [];
    const p = op.p ?? 0;
    const mm = k.view('mm_struct', this.machine.mms[p]!);
    const address = this.addressOf(op);
    if (address === undefined) return { err: 'NOMAP', ...this.state() };
    this.write(op, number, p, address);
    this.run();
    const { min_flt, maj_flt } = operation(k);
    const flt = [mm.min_flt - min_flt, mm.maj_flt - maj_flt] as const;
    const result = this.result(op, Number(operation(k).ret), flt);
    if (result.err === undefined) this.remember(op, p, address);
    k.parts.tlb.flushAll(0); // each operation was followed by a context switch
    return { ...result, ...this.state() };
  }

  /** Notes where mappings are from now on. */
  private remember(op: Operation, p: number, address: number): void {
    const page = op.page ?? 0;
    if (op.op === 'mmap') this.origins.set(`${p} ${op.m ?? 0}`, address - page * PAGE_SIZE);
    else if (op.op === 'mremap') {
      const to = regionStart(op.to ?? 0) + ((op.at ?? 0) - page) * PAGE_SIZE;
      this.origins.set(`${p} ${op.to ?? 0}`, to);
    } else if (op.op === 'fork') {
      for (const [key, origin] of [...this.origins]) {
        const [of, m] = key.split(' ');
        if (Number(of) === p) this.origins.set(`${op.child ?? 0} ${m}`, origin);
      }
    }
  }

  /** The address that an operation is about; undefined when that mapping never existed. */
  private addressOf(op: Operation): number | undefined {
    if (op.op === 'mmap') {
      return regionStart(op.m ?? 0) + (op.at ?? 0) * PAGE_SIZE;
    }
    if (!addressed.has(op.op)) return 0;
    const origin = this.origins.get(`${op.p ?? 0} ${op.m ?? 0}`);
    return origin === undefined ? undefined : origin + (op.page ?? 0) * PAGE_SIZE;
  }

  private write(op: Operation, number: number, p: number, address: number): void {
    const { k, program } = this;
    const o = operation(k);
    const page = op.page ?? 0;
    const wanted = op.n ?? program.pages - page;
    const n = op.op === 'pagemap' ? Math.min(wanted, pagemapMax) : wanted;
    o.address = address;
    o.len = n * PAGE_SIZE;
    o.page = page;
    o.n = n;
    o.prot = protOf(op.prot ?? 'rw');
    o.file = k.view('file', op.share === 'ro' ? this.files.ro : this.files.rw);
    o.flags = (op.share === 'private' ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED_NOREPLACE;
    o.val = valueOf(op);
    if (op.op === 'refs_touch') o.prot = touchOf(op.first);
    o.second = touchOf(op.then);
    if (op.op === 'mremap') o.to = regionStart(op.to ?? 0) + (op.at ?? 0) * PAGE_SIZE;
    if (op.op === 'fork') o.mm = k.view('mm_struct', this.machine.mms[op.child ?? 0]!);
    o.p = p;
    o.op = number;
    if (op.op === 'clean') {
      const scratch = k.the('or_scratch', 'or_scratch');
      scratch.start = op.start ?? n;
      scratch.end = op.end ?? 0;
      for (let bit = 0; bit < program.pages; bit++) scratch.bitmap.clear(bit);
    }
  }

  private run(): void {
    const { k } = this;
    for (let steps = 0; operation(k).op !== 0; steps++) {
      assert(steps < stepsMax, 'an operation that ends');
      const agent = defaultAgent(k);
      assert(agent >= 0, 'an operation that does not wait for ever');
      k.step(agent);
    }
  }

  private result(
    op: Operation,
    ret: number,
    flt: readonly [number, number],
  ): Omit<Outcome, 'cb' | 'dirty' | 'pgdirty' | 'vmas'> {
    const { k } = this;
    switch (op.op) {
      case 'read':
      case 'write':
        if (ret !== 0)
          return {
            ret: 0,
            sig: signals[ret & 255] ?? String(ret & 255),
            code: ret >> 8,
            flt: null,
          };
        return { ret, flt, value: op.op === 'read' ? this.loaded : (op.val ?? 0) };
      case 'kread':
      case 'kwrite':
        if (ret !== 0)
          return { err: errorName(ret), flt, value: op.op === 'kread' ? -1 : (op.val ?? 0) };
        return { ret: 1, flt, value: op.op === 'kread' ? this.loaded : (op.val ?? 0) };
      case 'mmap':
        return ret < 0 ? { err: errorName(-ret) } : { ret: 0 };
      case 'refs_touch':
        return { ret, flt, value: op.then === 'write' ? (op.val ?? 0) : this.loaded };
      case 'clean': {
        const { start, end, bitmap } = k.the('or_scratch', 'or_scratch');
        const got = runs(this.program.pages, (bit) => bitmap.test(bit));
        return { ret, rstart: start, rend: end, got };
      }
      case 'pagemap':
        return { ret, map: this.pagemap };
      case 'transfer':
        return ret === -2 ? { ret } : { ret, got: this.taken };
      default:
        return returnsErrors.has(op.op) && ret < 0 ? { err: errorName(-ret) } : { ret };
    }
  }

  /** Everything there is, as the recordings have it. */
  private state(): Pick<Outcome, 'cb' | 'dirty' | 'pgdirty' | 'vmas'> {
    const { k, program } = this;
    const obj = object(k);
    const vmas: Mapping[] = [];
    for (let vma = obj.mapping.i_mmap; !isNull(vma); vma = vma.i_mmap_next) {
      vmas.push(this.mapping(vma));
    }
    const pgdirty = runs(program.pages, (page) => {
      const at = k.parts.memory.pageOfPfn(obj.pfn + page);
      return (k.view('page', at).flags & PG_dirty) !== 0;
    });
    return { cb: this.callbacks, dirty: trackerOf(obj), pgdirty, vmas };
  }

  private mapping(vma: Structs['vm_area_struct']): Mapping {
    const { k, program } = this;
    const m = regionOf(vma.vm_start);
    const n = (vma.vm_end - vma.vm_start) / PAGE_SIZE;
    const page = vma.vm_pgoff - program.base;
    const pte: Record<string, string> = {};
    for (let i = 0; i < n; i++) {
      const found = peekWalk(k, vma.vm_mm.pgd, vma.vm_start + i * PAGE_SIZE);
      if (found === undefined || found.level < 3) continue;
      const { lo, hi } = found.entry;
      if (lo === 0 && hi === 0) continue;
      const isOwn = pte_pfn(found.entry) === object(k).pfn + page + i;
      pte[page + i] = `${entryText(found.entry)}${isOwn ? '' : '@cow'}`;
    }
    return {
      p: vma.vm_mm.pid - 1,
      m,
      page,
      n,
      va: (vma.vm_start - regionStart(m)) / PAGE_SIZE,
      fl: flagsText(vma.vm_flags),
      pp: entryText(vma.vm_page_prot),
      pte,
    };
  }
}

/** A machine before its first step, for programs of a certain size; each begins there by rolling back. */
interface Stage {
  readonly machine: Machine;
  readonly checker: Checker | undefined;
}

/** What programs need room for; rounded, so that programs of about a size share a machine. */
interface Size {
  readonly processes: number;
  readonly regions: number;
  readonly mappings: number; // made or moved
  readonly splits: number; // operations that may leave more mappings than there were
  readonly pages: number;
}

function sizeOf({ ops, pages }: RecordedProgram): Size {
  const most = (of: (operation: Operation) => number) =>
    1 + ops.reduce((m, o) => Math.max(m, of(o)), 0);
  const count = (...names: string[]) => ops.filter((o) => names.includes(o.op)).length;
  const rounded = (value: number, least: number) =>
    2 ** Math.ceil(Math.log2(Math.max(value, least)));
  return {
    processes: rounded(
      most((o) => Math.max(o.p ?? 0, o.child ?? 0)),
      2,
    ),
    regions: rounded(
      most((o) => Math.max(o.m ?? 0, o.to ?? 0)),
      8,
    ),
    mappings: rounded(count('mmap', 'mremap'), 16),
    splits: rounded(count('mmap', 'mremap', 'munmap', 'mprotect', 'madvise'), 16),
    pages: rounded(pages, 16),
  };
}

/** Regions that one table of the level above the lowest reaches. */
const regionsOfTable = 2 ** 30 / regionBytes;

function stageFor(
  { processes, regions, mappings, splits, pages }: Size,
  options: ReplayOptions,
): Stage {
  const machine = buildMachine({
    variants: variantSet(options.preset ?? 'linux-6.1', options.with, options.without),
    cpus: 1,
    processes,
    tasks: Array.from({ length: processes }, (_, p) => ({
      name: `process ${p}`,
      cpu: 0,
      root: or_process,
      args: { p },
      process: p,
      daemon: true,
    })),
    limits: {
      frames: pages * (2 + 3 * processes) + 64,
      tables:
        processes *
        (3 + Math.ceil(regions / regionsOfTable) + mappings * (2 + Math.floor(pages / 512))),
      vmas: processes * (16 + 3 * splits),
      files: 2,
    },
    parts: [
      {
        statics: [
          { name: 'or_operation', struct: or_operation },
          ...driverStatics(pages),
          ...task_mmu_statics,
        ],
      },
    ],
    deviceInterrupt: cpu_idle,
  });
  return { machine, checker: options.check === true ? new Checker(machine.rules) : undefined };
}

/** Replays programs one after the other, on machines that it keeps. */
export class Replayer {
  private readonly stages = new Map<string, Stage>();

  constructor(private readonly options: ReplayOptions = {}) {}

  /** Replays a program up to the first operation that does not come out as recorded. */
  replay(program: RecordedProgram): Replayed {
    const stage = this.stage(sizeOf(program));
    const { engine } = stage.machine;
    const start = engine.store.mark();
    const total = program.ops.length;
    const run = new Replay(program, stage);
    let passed = 0;
    let failed: Replayed['failed'];
    let unsupported: string | undefined;
    for (const operation of program.ops) {
      const outcome = attempt(run, operation);
      if (outcome === undefined) {
        unsupported = operation.op;
        failed = { operation, differences: [] };
        break;
      }
      const differences = Array.isArray(outcome) ? outcome : this.differences(operation, outcome);
      if (differences.length > 0) {
        failed = { operation, differences };
        break;
      }
      passed++;
    }
    engine.checker = undefined;
    engine.store.observer = undefined;
    engine.store.rollback(start);
    return {
      program: program.program,
      total,
      passed,
      ...(failed === undefined ? {} : { failed }),
      ...(unsupported === undefined ? {} : { unsupported }),
      broken: run.broken,
    };
  }

  /** Does a program's operations without comparing; `before` hears of each. Returns what each came to. */
  perform(
    program: RecordedProgram,
    before: (operation: Operation, k: Engine) => void,
  ): (Outcome | undefined)[] {
    const stage = this.stage(sizeOf(program));
    const { engine } = stage.machine;
    const start = engine.store.mark();
    const run = new Replay(program, stage);
    try {
      return program.ops.map((operation) => {
        before(operation, engine);
        return run.perform(operation);
      });
    } finally {
      engine.checker = undefined;
      engine.store.observer = undefined;
      engine.store.rollback(start);
    }
  }

  private differences(operation: Operation, outcome: Outcome): Difference[] {
    return compare(operation, outcome).filter((d) => this.options.except?.(d) !== true);
  }

  private stage(size: Size): Stage {
    const key = JSON.stringify(size);
    const known = this.stages.get(key);
    if (known !== undefined) return known;
    const made = stageFor(size, this.options);
    this.stages.set(key, made);
    return made;
  }
}

/** What an operation came to: an outcome, undefined when it cannot be done, or why the emulator stopped. */
function attempt(run: Replay, operation: Operation): Outcome | Difference[] | undefined {
  try {
    return run.perform(operation);
  } catch (error) {
    return [{ key: 'error', expected: undefined, actual: String(error) }];
  }
}

/** Replays one program on a machine of its own. */
export function replay(program: RecordedProgram, options: ReplayOptions = {}): Replayed {
  return new Replayer(options).replay(program);
}

/** All that differs between what was recorded and what came out. */
export function compare(recorded: Outcome, actual: Outcome): Difference[] {
  const differences: Difference[] = [];
  for (const key of outcomeKeys) {
    if (canonical(recorded[key]) === canonical(actual[key])) continue;
    differences.push({ key, expected: recorded[key], actual: actual[key] });
  }
  return differences;
}

/** JSON with the keys of objects in order. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, v: unknown) =>
      typeof v === 'object' && v !== null && !Array.isArray(v)
        ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
        : v,
    ) ?? ''
  );
}

const addressed = new Set([
  'read',
  'write',
  'kread',
  'kwrite',
  'munmap',
  'mprotect',
  'madvise',
  'mremap',
  'pagemap',
  'refs_touch',
]);
const returnsErrors = new Set(['munmap', 'mprotect', 'madvise', 'mremap', 'clear_refs']);
const signals: Readonly<Record<number, string>> = { 7: 'BUS', 11: 'SEGV' };
const errors: Readonly<Record<number, string>> = {
  12: 'ENOMEM',
  13: 'EACCES',
  14: 'EFAULT',
  17: 'EEXIST',
  22: 'EINVAL',
};
const errorName = (errno: number): string => errors[errno] ?? `errno ${errno}`;

const touchOf = (word: string | undefined): number => (word === 'write' ? 1 : 0);

function protOf(letters: string): number {
  const bit = (letter: string, value: number) => (letters.includes(letter) ? value : 0);
  if (letters === 'none') return 0;
  return bit('r', PROT_READ) | bit('w', PROT_WRITE) | bit('x', PROT_EXEC);
}

/** The one number that an operation takes beside its range. */
function valueOf(op: Operation): number {
  if (op.op === 'dirty_add') {
    return { pagetable: METHOD_PAGETABLE, mkwrite: METHOD_MKWRITE }[op.method ?? ''] ?? -1;
  }
  if (op.op === 'clean') return op.bit0 ?? 0;
  if (op.op === 'madvise') return adviceNumber[op.advice ?? ''] ?? -1;
  if (op.op === 'unmap') return op.cows ?? 0;
  return op.val ?? 0;
}

const adviceNumber: Readonly<Record<string, number>> = {
  normal: MADV_NORMAL,
  random: MADV_RANDOM,
  sequential: MADV_SEQUENTIAL,
  willneed: MADV_WILLNEED,
  dontneed: MADV_DONTNEED,
  free: MADV_FREE,
  dontfork: MADV_DONTFORK,
  dofork: MADV_DOFORK,
  dontdump: MADV_DONTDUMP,
  dodump: MADV_DODUMP,
  wipeonfork: MADV_WIPEONFORK,
  keeponfork: MADV_KEEPONFORK,
  cold: MADV_COLD,
  populate_read: MADV_POPULATE_READ,
  populate_write: MADV_POPULATE_WRITE,
};

interface CallbackArgs {
  readonly which: number;
  readonly pid: number;
  readonly address: number;
  readonly page: number;
  readonly flags: number;
  readonly ret: number;
  readonly inserted: number;
  readonly marked: number;
}

function callbackOf(args: CallbackArgs): Callback {
  const cb = callbackNames[args.which]!;
  return {
    cb,
    p: args.pid - 1,
    m: regionOf(args.address),
    page: args.page,
    fl: namesOf(args.flags, faultFlagNames, '|'),
    ret: namesOf(args.ret, faultNames, '|'),
    ...(cb === 'fault' ? { ins: args.inserted } : { mark: args.marked }),
  };
}

const pagemapText = (flags: number): string =>
  [...'pwfuxs'].map((letter, bit) => ((flags & (1 << bit)) !== 0 ? letter : '-')).join('');

function trackerOf(obj: Structs['or_object']): Dirty | null {
  if (obj.users === 0) return null;
  return {
    users: obj.users,
    method: obj.method === METHOD_MKWRITE ? 'mkwrite' : 'pagetable',
    cc: obj.change_count,
    start: obj.start,
    end: obj.end,
    bits: runs(obj.pages, (bit) => obj.bitmap.test(bit)),
  };
}

/** The numbers below `count` for which `holds`, as half-open runs. */
function runs(count: number, holds: (i: number) => boolean): Run[] {
  const found: Run[] = [];
  for (let i = 0; i < count; i++) {
    if (!holds(i)) continue;
    const first = i;
    while (i < count && holds(i)) i++;
    found.push([first, i]);
  }
  return found;
}

/** An entry, or a protection, as seven characters. */
function entryText({ lo, hi }: U64): string {
  const bit = (mask: number, letter: string) => ((lo & mask) !== 0 ? letter : '-');
  const none = (lo & _PAGE_PRESENT) === 0 && (lo & _PAGE_PROTNONE) !== 0;
  return [
    none ? 'none:' : '',
    bit(_PAGE_RW, 'w'),
    bit(_PAGE_USER, 'u'),
    bit(_PAGE_ACCESSED, 'a'),
    bit(_PAGE_DIRTY, 'd'),
    bit(_PAGE_SOFT_DIRTY, 's'),
    bit(_PAGE_SPECIAL, 'p'),
    (hi & _PAGE_NX) !== 0 ? 'n' : '-',
  ].join('');
}

const namesOf = (
  value: number,
  names: readonly (readonly [number, string])[],
  separator: string,
): string =>
  names
    .filter(([bit]) => (value & bit) !== 0)
    .map(([, name]) => name)
    .join(separator);

const flagsText = (vm_flags: number): string => namesOf(vm_flags, smapsNames, ' ');

/** Names of vm_flags in /proc/PID/smaps, in the order of their bits. */
const smapsNames: readonly (readonly [number, string])[] = [
  [0x1, 'rd'],
  [0x2, 'wr'],
  [0x4, 'ex'],
  [0x8, 'sh'],
  [0x10, 'mr'],
  [0x20, 'mw'],
  [0x40, 'me'],
  [0x80, 'ms'],
  [0x400, 'pf'],
  [0x4000, 'io'],
  [0x8000, 'sr'],
  [0x10000, 'rr'],
  [0x20000, 'dc'],
  [0x40000, 'de'],
  [0x100000, 'ac'],
  [0x4000000, 'dd'],
  [0x8000000, 'sd'],
  [0x10000000, 'mm'],
];

const faultFlagNames: readonly (readonly [number, string])[] = [
  [0x1, 'WRITE'],
  [0x2, 'MKWRITE'],
  [0x4, 'ALLOW_RETRY'],
  [0x8, 'RETRY_NOWAIT'],
  [0x10, 'KILLABLE'],
  [0x20, 'TRIED'],
  [0x40, 'USER'],
  [0x80, 'REMOTE'],
  [0x100, 'INSTRUCTION'],
  [0x200, 'INTERRUPTIBLE'],
  [0x400, 'UNSHARE'],
  [0x800, 'ORIG_PTE_VALID'],
];

const faultNames: readonly (readonly [number, string])[] = [
  [0x1, 'OOM'],
  [0x2, 'SIGBUS'],
  [0x100, 'NOPAGE'],
  [0x200, 'LOCKED'],
  [0x400, 'RETRY'],
];
