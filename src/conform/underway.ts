// A recorded program under way on a machine: lays down each operation, and reads off what it came to as a recording has
// it: values, faults, callbacks, the tracker, the mappings in the order of the interval tree, every entry.
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
import { pagemap_entry } from '../kernel/fs/proc/task_mmu';
import { errnoName } from '../kernel/include/linux/errno';
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
import type { Machine } from '../machine/machine';
import type { Engine } from '../routine/engine';
import type { LoggedEvent } from '../state/events';
import { isNull, type Structs, type U64 } from '../state/layout';
import {
  callbackNames,
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
  operationKeys,
  type RecordedProgram,
  type Run,
} from './format';
import { operation, operationNumbers } from './operations';

const regionBase = 0x10_0000_0000;
export const regionBytes = 64 * 1024 * 1024;
const kinds = { pfn: KIND_PFN, mixed: KIND_MIXED, page: KIND_PAGE } as const;
export const regionOf = (address: number): number =>
  Math.floor((address - regionBase) / regionBytes);
export const regionStart = (m: number): number => regionBase + m * regionBytes;

/** Pages of one reading of pagemap, in the recorder. */
const pagemapMax = 64;

/** A program under way on a machine. What is remembered between operations is in the store, so it goes back with it. */
export class Underway {
  private readonly k: Engine;
  private readonly files: { readonly rw: number; readonly ro: number };

  constructor(
    private readonly program: RecordedProgram,
    private readonly machine: Machine,
    private readonly regions: number,
  ) {
    this.k = machine.engine;
    this.files = this.makeObject();
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

  /** Lays an operation down; false when the mapping that it is about never existed, so that there is nothing to do. */
  begin(op: Operation): boolean {
    const { k } = this;
    const number = operationNumbers.get(op.op);
    assert(number !== undefined, 'an operation that can be done');
    operation(k).events = k.events.length;
    const address = this.addressOf(op);
    if (address === undefined) return false;
    this.write(op, number, op.p ?? 0, address);
    return true;
  }

  /** What the operation came to that was begun last. */
  end(op: Operation, begun: boolean): Outcome {
    if (!begun) return { err: 'NOMAP', ...this.state([]) };
    const { k } = this;
    const p = op.p ?? 0;
    const { ret, min_flt, maj_flt, address, events } = operation(k);
    const mm = k.view('mm_struct', this.machine.mms[p]!);
    const [min, maj] = k.parts.faultCounts.of(mm);
    const flt = [min - min_flt, maj - maj_flt] as const;
    const said = k.events.slice(events);
    const result = this.result(op, Number(ret), flt, said);
    if (result.err === undefined) this.remember(op, p, address);
    k.parts.tlb.flushAll(0); // each operation was followed by a context switch
    return { ...result, ...this.state(said) };
  }

  /** Where page 0 of the object would lie in a mapping of a process; 0 when it never was anywhere. */
  private origin(p: number, m: number): number {
    return origins(this.k).get(p * this.regions + m);
  }

  /** Notes where mappings are from now on. */
  private remember(op: Operation, p: number, address: number): void {
    const { k, regions } = this;
    const page = op.page ?? 0;
    if (op.op === 'mmap') origins(k).set(p * regions + (op.m ?? 0), address - page * PAGE_SIZE);
    else if (op.op === 'mremap') {
      const to = regionStart(op.to ?? 0) + ((op.at ?? 0) - page) * PAGE_SIZE;
      origins(k).set(p * regions + (op.to ?? 0), to);
    } else if (op.op === 'fork') {
      for (let m = 0; m < regions; m++)
        origins(k).set((op.child ?? 0) * regions + m, this.origin(p, m));
    }
  }

  /** The address that an operation is about; undefined when that mapping never existed. */
  private addressOf(op: Operation): number | undefined {
    if (op.op === 'mmap') {
      return regionStart(op.m ?? 0) + (op.at ?? 0) * PAGE_SIZE;
    }
    if (!addressed.has(op.op)) return 0;
    const origin = this.origin(op.p ?? 0, op.m ?? 0);
    return origin === 0 ? undefined : origin + (op.page ?? 0) * PAGE_SIZE;
  }

  /** The entry of a page in a mapping; undefined when there is none, or no table for it. */
  entryOf(p: number, m: number, page: number): number | undefined {
    const address = this.pageAddress(p, m, page);
    const mm = this.machine.mms[p];
    if (address === undefined || mm === undefined) return undefined;
    const { k } = this;
    const found = peekWalk(k, k.view('mm_struct', mm).pgd, address);
    return found?.level === 3 ? found.at : undefined;
  }

  /** Where a page of a mapping is; undefined when there is no such mapping. */
  pageAddress(p: number, m: number, page: number): number | undefined {
    const origin = m < this.regions ? this.origin(p, m) : 0;
    return origin === 0 ? undefined : origin + page * PAGE_SIZE;
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

  private result(
    op: Operation,
    ret: number,
    flt: readonly [number, number],
    said: readonly LoggedEvent[],
  ): Omit<Outcome, 'cb' | 'dirty' | 'pgdirty' | 'vmas'> {
    const { k } = this;
    const loaded = () =>
      Number(said.findLast(({ name }) => name === cpu_load.name)?.args.value ?? 0);
    switch (op.op) {
      case 'read':
      case 'write':
      case 'refs_touch': {
        if (ret !== 0)
          return {
            ret: 0,
            sig: signals[ret & 255] ?? String(ret & 255),
            code: ret >> 8,
            flt: null,
          };
        const kind = op.op === 'refs_touch' ? op.then : op.op;
        return { ret, flt, value: kind === 'write' ? (op.val ?? 0) : loaded() };
      }
      case 'kread':
      case 'kwrite':
        if (ret !== 0)
          return { err: errorName(ret), flt, value: op.op === 'kread' ? -1 : (op.val ?? 0) };
        return { ret: 1, flt, value: op.op === 'kread' ? loaded() : (op.val ?? 0) };
      case 'mmap':
        return ret < 0 ? { err: errorName(-ret) } : { ret: 0 };
      case 'clean': {
        const { start, end, bitmap } = k.the('or_scratch', 'or_scratch');
        const got = runs(this.program.pages, (bit) => bitmap.test(bit));
        return { ret, rstart: start, rend: end, got };
      }
      case 'pagemap':
        return {
          ret,
          map: argsOf<{ flags: number }>(said, pagemap_entry).map(({ flags }) =>
            pagemapText(flags),
          ),
        };
      case 'transfer':
        return ret === -2
          ? { ret }
          : {
              ret,
              got: argsOf<{ from: number; to: number }>(said, or_taken).map(
                ({ from, to }) => [from, to] as const,
              ),
            };
      default:
        return returnsErrors.has(op.op) && ret < 0 ? { err: errorName(-ret) } : { ret };
    }
  }

  /** Everything there is, as the recordings have it. */
  private state(said: readonly LoggedEvent[]): Pick<Outcome, 'cb' | 'dirty' | 'pgdirty' | 'vmas'> {
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
    return {
      cb: argsOf<CallbackArgs>(said, or_callback).map(callbackOf),
      dirty: trackerOf(obj),
      pgdirty,
      vmas,
    };
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

/** The arguments of the events of one kind. */
const argsOf = <A>(said: readonly LoggedEvent[], { name }: { readonly name: string }): A[] =>
  said.filter((event) => event.name === name).map(({ args }) => args as unknown as A);

/** Where the mappings are, in the store. */
const origins = (k: Engine) => k.the('or_origins', 'or_origins').origins;

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
/** `EINVAL` of 22. */
const errorName = (errno: number): string => errnoName(-errno).slice(1);

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
  if (op.op === 'madvise') return adviceNumbers.get(op.advice ?? '') ?? -1;
  if (op.op === 'unmap') return op.cows ?? 0;
  return op.val ?? 0;
}

const adviceNumbers: ReadonlyMap<string, number> = new Map([
  ['normal', MADV_NORMAL],
  ['random', MADV_RANDOM],
  ['sequential', MADV_SEQUENTIAL],
  ['willneed', MADV_WILLNEED],
  ['dontneed', MADV_DONTNEED],
  ['free', MADV_FREE],
  ['dontfork', MADV_DONTFORK],
  ['dofork', MADV_DOFORK],
  ['dontdump', MADV_DONTDUMP],
  ['dodump', MADV_DODUMP],
  ['wipeonfork', MADV_WIPEONFORK],
  ['keeponfork', MADV_KEEPONFORK],
  ['cold', MADV_COLD],
  ['populate_read', MADV_POPULATE_READ],
  ['populate_write', MADV_POPULATE_WRITE],
]);

/** What of an operation cannot be done or compared: itself, its advice, or more than is known of operations. */
export function unknownOf(operation: Operation): string | undefined {
  const { op, advice = '' } = operation;
  if (!operationNumbers.has(op)) return op;
  if (op === 'madvise' && !adviceNumbers.has(advice)) return `madvise ${advice}`;
  const more = Object.keys(operation).find((key) => !operationKeys.has(key));
  return more === undefined ? undefined : `${op} with "${more}"`;
}

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
