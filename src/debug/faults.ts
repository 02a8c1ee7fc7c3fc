// Page faults of a run, explained: what stood in memory and TLBs when one was raised is read where the run was at that
// moment, by going back there once; what came of it, off the logs.
import { entryFault, peekWalk } from '../hardware/mmu';
import {
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_RW,
  _PAGE_USER,
  levelIndex,
  levels,
  PAGE_SIZE,
  pte_pfn,
  X86_PF_PROT,
  X86_PF_USER,
  X86_PF_WRITE,
} from '../hardware/pte';
import { pte_protnone } from '../kernel/arch/x86/include/asm/pgtable';
import { show_smap_vma_flags } from '../kernel/fs/proc/task_mmu';
import { VM_FAULT_FLAGS } from '../kernel/include/linux/mm';
import { find_vma, find_vma_prev } from '../kernel/mm/mmap';
import type {
  CodeBit,
  Fault,
  FaultAccess,
  FaultAttempt,
  FaultBranch,
  FaultMapping,
  WalkLevel,
} from '../protocol/fault';
import { hex } from '../protocol/snapshot';
import type { Engine } from '../routine/engine';
import type { SourceSpan } from '../routine/routine';
import type { EventLog, LoggedEvent } from '../state/events';
import { isNull, type Structs, type U64 } from '../state/layout';
import type { Timeline } from '../timeline/timeline';
import type { Debuggee } from './debuggee';
import { bitsOf, cached, rawText } from './entries';
import { attempt, branchOf, exception, resultText, tracedRoutines } from './faultBranch';
import { isScenario } from './listings';
import { pageInObject } from './objects';
import { firstLine } from './placing';
import { mapsFlags } from './snapshot';

/** What names and places are taken from. */
type Named = Pick<Debuggee, 'engine' | 'path' | 'files' | 'placeAt' | 'describe' | 'nameOf'>;

/** A fault as it was raised, and the entry that it was about. */
interface Raised {
  readonly fault: Omit<Fault, 'course'>;
  readonly entry: string;
}

/** What was read of a fault by going to its moments; `call` is the return that ended it. */
interface Read {
  readonly raised: Raised;
  readonly call: LoggedEvent | undefined;
  readonly after: string;
}

/** The faults of one run. To be made before its first step: from then on the fault path is traced. */
export class Faults {
  private readonly engine: Engine;
  private readonly start: number; // micro-steps made before the timeline began
  /** By the entry of the log: who comes by here on another way logs another one. */
  private readonly known = new WeakMap<LoggedEvent, Read>();

  constructor(
    private readonly debuggee: Named,
    private readonly timeline: Timeline,
  ) {
    this.engine = debuggee.engine;
    this.start = this.engine.steps - timeline.position;
    for (const code of tracedRoutines(this.engine)) code.traced = true;
  }

  /** The explanation of a `page_fault` event; undefined for a machine that has no such path as the kernel's. */
  of(event: LoggedEvent): Fault | undefined {
    return this.explained([event])[0];
  }

  /** Every fault up to here. */
  all(): Fault[] {
    return this.explained(this.events());
  }

  /** The latest fault of each task, in the order of the tasks. */
  latest(): Fault[] {
    const byTask = new Map(this.events().map((event) => [event.task, event]));
    return this.explained([...byTask.values()].sort((a, b) => a.task - b.task));
  }

  /** The latest fault of a task. */
  latestOf(task: number): Fault | undefined {
    return this.explained(
      this.events()
        .filter((e) => e.task === task)
        .slice(-1),
    )[0];
  }

  private events(): LoggedEvent[] {
    const from = this.timeline.start + this.start; // what lies before it cannot be gone to any more
    const { events } = this.engine;
    return events.slice().filter(({ name, step }) => name === 'page_fault' && step > from);
  }

  /** What came of them is read first, from here; then the moments not yet known are visited, and this one again. */
  private explained(events: readonly LoggedEvent[]): Fault[] {
    const { engine, timeline, known } = this;
    if (engine.program.named(attempt) === undefined) return [];
    const here = timeline.position;
    const seen = events.map((event) => ({ event, course: courseOf(engine, event) }));
    const read = seen.map(({ event, course: { end } }) => {
      const found = known.get(event);
      return found !== undefined && found.call === end?.call ? found : this.read(event, end?.call);
    });
    timeline.seek(here);
    return seen.map(({ event, course: { attempts, end } }, i) => {
      const { raised, after } = read[i]!;
      const { fault, entry } = raised;
      // Going there may have logged both anew.
      const call = end && engine.calls.at(end.call.index);
      known.set(engine.events.at(event.index), { raised, call, after });
      if (end === undefined) return { ...fault, course: { attempts, end: null } };
      const { result, counted } = end;
      const asPredicted = agrees(fault.branch, attempts, result);
      const told = { step: end.call.step, result, counted, before: entry, after, asPredicted };
      return { ...fault, course: { attempts, end: told } };
    });
  }

  private read(event: LoggedEvent, call: LoggedEvent | undefined): Read {
    const { engine, debuggee } = this;
    this.goTo(event.step);
    const raised = engine.store.unobserved(() => raisedNow(debuggee, event));
    if (call === undefined) return { raised, call, after: '' };
    this.goTo(call.step);
    return {
      raised,
      call,
      after: entryText(engine, rootOf(engine, event.task), raised.fault.address),
    };
  }

  private goTo(step: number): void {
    this.timeline.seek(step - this.start);
  }
}

// What came of a fault.

interface Seen {
  readonly attempts: FaultAttempt[];
  readonly end:
    | { call: LoggedEvent; result: string; counted: 'minor' | 'major' | null }
    | undefined;
}

/** The calls of a task from its exception to the return of that, those of exceptions within left out. */
export function courseOf(k: Engine, { index, step, task }: LoggedEvent): Seen {
  const { calls } = k;
  const attempts: { path: string[]; returned: string | null }[] = [];
  let nested = 0;
  for (let i = firstAfter(calls, step); i < calls.length; i++) {
    const call = calls.at(i);
    if (call.task !== task) continue;
    const returned = 'value' in call.args;
    const { value } = call.args;
    if (call.name === exception) {
      if (!returned) nested++;
      else if (nested > 0) nested--;
      else {
        const counted = countedBetween(k.events, index, call.step, task);
        return { attempts, end: { call, result: resultText(Number(value)), counted } };
      }
    } else if (nested > 0) continue;
    else if (call.name === attempt && returned) attempts.at(-1)!.returned = faultCodes(value);
    else if (call.name === attempt) attempts.push({ path: [attempt], returned: null });
    else if (!returned) attempts.at(-1)?.path.push(call.name);
  }
  return { attempts, end: undefined };
}

/** Index of the first entry of a log behind a step. */
function firstAfter(log: EventLog, step: number): number {
  let low = 0;
  for (let high = log.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (log.at(middle).step > step) high = middle;
    else low = middle + 1;
  }
  return low;
}

function countedBetween(
  events: EventLog,
  from: number,
  last: number,
  task: number,
): 'minor' | 'major' | null {
  for (let i = from + 1; i < events.length && events.at(i).step <= last; i++) {
    const { name, task: of, args } = events.at(i);
    if (name === 'perf_page_fault' && of === task) return args.major === true ? 'major' : 'minor';
  }
  return null;
}

/** VM_FAULT_ codes by name; 0 as it is. */
function faultCodes(value: unknown): string {
  const names = Object.entries(VM_FAULT_FLAGS).filter(([, bit]) => (Number(value) & bit) !== 0);
  return names.length === 0 ? '0' : names.map(([name]) => name).join(' | ');
}

/** Whether a fault went the way that was predicted, as far as that goes. */
export function agrees(
  branch: FaultBranch,
  attempts: readonly FaultAttempt[],
  result: string,
): boolean {
  const [, ...predicted] = branch.path; // without do_user_addr_fault()
  const went = attempts[0]?.path ?? [];
  const isRefused = predicted[0] !== attempt;
  if (isRefused) return went.length === 0 && result === branch.result;
  const whole = branch.result === null || went.length === predicted.length;
  return whole && predicted.every((name, i) => went[i] === name);
}

// The moment at which a fault is raised.

function raisedNow(debuggee: Named, event: LoggedEvent): Raised {
  const { engine: k } = debuggee;
  const { task, index, step } = event;
  const [address, code, cpu] = [event.args.address, event.args.error_code, event.args.cpu].map(
    Number,
  ) as [number, number, number];
  const write = (code & X86_PF_WRITE) !== 0;
  const user = (code & X86_PF_USER) !== 0;
  const protection = (code & X86_PF_PROT) !== 0;
  const root = rootOf(k, task);
  const fault = {
    id: `fault ${index}`,
    step,
    thread: k.taskName(task),
    kind: write ? (protection ? 'Write-protect' : 'Write') : 'Read',
    access: accessOf(debuggee, task, cpu, write, user),
    address,
    place: debuggee.describe(address, task) ?? null,
    ...mappingOf(debuggee, task, address),
    walk: walkOf(k, root, address, write, user),
    tlb: tlbOf(k, root, address),
    byTlb: isByTlb(k, task),
    code,
    bits: codeBits(code),
    branch: branchOf(k, task, address, code),
  } as const;
  return { fault, entry: entryText(k, root, address) };
}

/** Frame of the root table of a task's address space, 0 when it has none. */
export function rootOf(k: Engine, task: number): number {
  const mm = spaceOfTask(k, task);
  return mm === 0 ? 0 : k.view('mm_struct', mm).pgd;
}

/** The mm_struct of a task, 0 when it has none. */
export function spaceOfTask(k: Engine, task: number): number {
  const owner = k.ownerOf(task);
  return owner === 0 ? 0 : k.view('task_struct', owner).mm.at;
}

/** The access that faults: its instruction is in the frames below the exception's. */
function accessOf(
  debuggee: Named,
  task: number,
  cpu: number,
  write: boolean,
  user: boolean,
): FaultAccess {
  const { engine: k } = debuggee;
  const stack = k.stack(task);
  const below = stack.findIndex(({ code }, i) => i > 0 && code.mode !== 'instruction');
  const instruction = stack[below - 1];
  const length = instruction?.code.frame.slots.find(({ name }) => name === 'length');
  const bytes =
    instruction === undefined || length === undefined
      ? null
      : Number(length.field.get(k.store, instruction.at + length.offset));
  const scenario = stack.find(({ code }) => isScenario(code));
  const span = scenario?.code.ops[scenario.pc]?.span;
  return {
    kind: write ? 'store' : 'load',
    bytes,
    cpu,
    by: user ? null : (stack[below]?.code.routine.name ?? 'the kernel'),
    statement: span === undefined ? null : statementOf(debuggee, span),
  };
}

function statementOf(debuggee: Named, span: SourceSpan): FaultAccess['statement'] {
  const { path, line, text } = firstLine(debuggee, span);
  return { file: path === debuggee.path ? null : path, line: line + 1, text };
}

/** Whether the access was refused by what the TLB held; translate_address() remembers that it believed it. */
function isByTlb(k: Engine, task: number): boolean {
  const frame = k.stack(task).find(({ code }) => code.routine.name === 'translate_address');
  if (frame === undefined) return false;
  const local = (name: string) => {
    const { field, offset } = frame.code.frame.slot(name);
    return Number(field.get(k.store, frame.at + offset));
  };
  return local('serves') === 0 && local('other') !== 0;
}

function mappingOf(
  debuggee: Named,
  task: number,
  address: number,
): { mapping: FaultMapping | null; around: string } {
  const { engine: k } = debuggee;
  const process = k.view('task_struct', k.ownerOf(task));
  if (isNull(process) || isNull(process.mm)) {
    return { mapping: null, around: 'the task has no address space' };
  }
  const { mm } = process;
  const vma = find_vma(mm, address);
  if (isNull(vma) || vma.vm_start > address) {
    const below = find_vma_prev(mm, address);
    const name = (of: Structs['vm_area_struct']) =>
      debuggee.nameOf('vm_area_struct', of.at) ?? 'a mapping';
    const ends = isNull(below) ? [] : [`${name(below)} ends at ${hex(below.vm_end)}`];
    const begins = isNull(vma) ? [] : [`${name(vma)} begins at ${hex(vma.vm_start)}`];
    const around = [...ends, ...begins].join(', ');
    return { mapping: null, around: around === '' ? 'nothing is mapped' : around };
  }
  const { vm_start, vm_end, vm_flags, vm_pgoff } = vma;
  const mapping = {
    start: vm_start,
    end: vm_end,
    flags: mapsFlags(vm_flags),
    smaps: show_smap_vma_flags(vm_flags),
    offset: vm_pgoff,
    backing: backingOf(debuggee, vma, vm_pgoff + Math.floor((address - vm_start) / PAGE_SIZE)),
  };
  return { mapping, around: '' };
}

/** What lies behind a page of a mapped file: a page of a buffer object, where the file is the device's. */
function backingOf(debuggee: Named, vma: Structs['vm_area_struct'], pgoff: number): string {
  const { engine: k } = debuggee;
  const object = vma.vm_private_data;
  const { object: id, offset: page } = pageInObject(k, object, pgoff);
  if (id === null) return `page ${pgoff} of the file`;
  const { num_pages: pages } = k.view('vmw_buffer_object', object).base;
  const name = debuggee.nameOf('vmw_buffer_object', object) ?? id;
  const has = `${name}, which has ${pages} ${pages === 1 ? 'page' : 'pages'}`;
  return page < pages ? `page ${page} of ${has}` : `page ${page}, beyond the end of ${has}`;
}

/** A walk as the MMU makes it, looking only: each entry that it reads, and the one that decides. */
function walkOf(
  k: Engine,
  root: number,
  address: number,
  write: boolean,
  user: boolean,
): WalkLevel[] {
  const walk: WalkLevel[] = [];
  let rights = _PAGE_RW | _PAGE_USER;
  for (let table = root, level = 0; root !== 0 && level < levels.length; level++) {
    const index = levelIndex(address, level);
    const at = k.parts.memory.entryAt(table, index);
    const entry = { lo: k.store.peek(at), hi: k.store.peek(at + 1) };
    const leaf = level === 3 || (entry.lo & _PAGE_PSE) !== 0;
    const stops = entryFault({ write, user, rights, entry, leaf }) >= 0;
    const reason = stops
      ? stopReason(entry, rights, write)
      : leaf
        ? 'the access is allowed'
        : `to the ${levels[level + 1]}`;
    walk.push({
      level: levels[level]!,
      index,
      raw: rawText(entry),
      bits: bitsOf(entry),
      pfn: pte_pfn(entry),
      verdict: stops ? 'stops' : leaf ? 'grants' : 'on',
      reason,
    });
    if (stops || leaf) break;
    rights &= entry.lo;
    table = pte_pfn(entry);
  }
  return walk;
}

/** Which bit it is that an access fails by. */
function stopReason(entry: U64, rights: number, write: boolean): string {
  if ((entry.lo & _PAGE_PRESENT) === 0) {
    if (pte_protnone(entry)) return 'P is clear, for PROT_NONE';
    return entry.lo === 0 && entry.hi === 0 ? 'nothing is there' : 'P is clear';
  }
  const clear = (bit: number, name: string) =>
    (entry.lo & bit) === 0 ? `${name} is clear` : `${name} is clear in an entry above`;
  return write && (rights & entry.lo & _PAGE_RW) === 0
    ? `${clear(_PAGE_RW, 'W')}, and this is a store`
    : `${clear(_PAGE_USER, 'U')}, and this is user mode`;
}

/** What the CPUs in this address space have cached of a page. */
function tlbOf(k: Engine, root: number, address: number): Fault['tlb'] {
  const cpus = Array.from({ length: k.cpus }, (_, cpu) => cpu);
  return cpus.flatMap((cpu) => {
    if (root === 0 || k.parts.tlb.cr3(cpu) !== root) return [];
    const entry = k.parts.tlb.lookup(cpu, address);
    return entry === undefined ? [] : [{ cpu, ...cached(k, root, entry) }];
  });
}

/** What the bits of an error code say, set and clear. Intel SDM vol. 3, chapter "Interrupt and exception handling". */
const codes: readonly (readonly [bit: number, name: string, set: string, clear: string])[] = [
  [
    X86_PF_PROT,
    'P',
    'there was a translation, and it did not allow the access',
    'there was no translation: an entry of the walk was not present',
  ],
  [X86_PF_WRITE, 'W', 'the access was a store', 'the access was a load'],
  [X86_PF_USER, 'U', 'it was made in user mode', 'it was made by the kernel'],
];

const codeBits = (code: number): CodeBit[] =>
  codes.map(([bit, name, set, clear]) => {
    const isSet = (code & bit) !== 0;
    return { name, set: isSet, meaning: isSet ? set : clear };
  });

/** The entry at which a walk ends, in one line. */
function entryText(k: Engine, root: number, address: number): string {
  const found = peekWalk(k, root, address);
  if (found === undefined) return 'no tables';
  const { entry, level } = found;
  if (entry.lo === 0 && entry.hi === 0) return level === 3 ? 'none' : `no ${levels[level + 1]}`;
  return `${bitsOf(entry).join(' ')}, frame ${hex(pte_pfn(entry))}`;
}
