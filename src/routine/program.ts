// From routines to tables: every routine that the roots can reach is built for the machine's variants and flattened
// into operations. Numbers depend on the roots alone. What the rules of routines forbid is refused here.
import { assert, fail } from '../base/assert';
import { movingView, type Ref, type Slot, type Struct, structOf } from '../state/layout';
import { type Reference, referencesOf, type StaticSize } from '../state/objects';
import { Deviations, flat, isOperation, type OneNode } from './deviate';
import type { Engine } from './engine';
import type { LockMode, LockView } from './locks';
import {
  type Burst,
  builderFor,
  type Deviation,
  type EntryListener,
  type FnPtrField,
  type LoopNode,
  type Mode,
  type Node,
  type Repeated,
  type Routine,
  type SourceSpan,
  signatureText,
  type VariantSet,
} from './routine';

/** Operation codes. Branch and jump are private control flow: a frame never rests on one. */
export const Code = {
  step: 0,
  acquire: 1,
  trylock: 2,
  release: 3,
  wait: 4,
  choose: 5,
  call: 6,
  ret: 7,
  branch: 8,
  jump: 9,
} as const;
export type Code = (typeof Code)[keyof typeof Code];

/** The frame as operations see it; which routine's it is, the table knows. */
// biome-ignore lint/suspicious/noExplicitAny: one table holds the operations of one frame type
export type Frame = any;

/** One operation. Every field is there in every operation, so that the interpreter sees one shape. */
export interface Op {
  code: Code;
  /** The routine it is of. */
  of: RoutineCode;
  /** Through which its functions see the frame. */
  view: Frame;
  /** As the listing prints it. */
  text: string;
  /** Nesting in the listing. */
  depth: number;
  manner: 'plain' | 'atomic' | 'unlocked';
  run: ((f: Frame, k: Engine) => void) | undefined;
  lock: ((f: Frame, k: Engine) => LockView) | undefined;
  mode: LockMode;
  interruptible: boolean;
  /** An acquire that may come while another lock of the class is held. */
  nested: boolean;
  /** Under which ticket an acquire takes its wound/wait mutex; 0: none. */
  ticket: ((f: Frame, k: Engine) => number) | undefined;
  spins: boolean;
  guard: ((f: Frame, k: Engine) => boolean) | undefined;
  condition: ((f: Frame) => boolean) | undefined;
  options: readonly string[];
  into: Slot | undefined;
  callee: RoutineCode | undefined;
  pointer: ((f: Frame, k: Engine) => number) | undefined;
  args: ((f: Frame, k: Engine) => Readonly<Record<string, unknown>>) | undefined;
  value: ((f: Frame) => unknown) | undefined;
  /** Where control goes: of a branch when the condition is false, of a jump always. */
  to: number;
  /** Which operation of the program comes next, jumps followed; of a branch, when the condition holds. */
  next: number;
  /** Of a branch: which comes next when the condition does not hold. */
  otherwise: number;
  /** The operation begins a turn of the default schedule and, in a scenario, a statement. */
  turn: boolean;
  span: SourceSpan | undefined;
  /** Of the operation that a turn of a loop begins with: how turns are made at once, and with which operation they end. */
  burst: { readonly make: Burst<Frame>; readonly last: Op } | undefined;
}

/** A routine whose repeated calls can be made at once, with the micro-steps of its two ways, call and return included. */
export interface RepeatedCalls {
  readonly run: Repeated<Readonly<Record<string, unknown>>>;
  readonly short: number;
  readonly long: number;
}

/** A routine in its table. */
export interface RoutineCode {
  readonly number: number;
  readonly routine: Routine;
  readonly mode: Mode;
  /** Number of its first operation among those of the program. */
  first: number;
  /** Number of the operation that a call begins with, jumps followed. */
  entry: number;
  readonly frame: Struct;
  /** Through which its operations see its frames. */
  readonly view: Ref;
  /** The references in a frame. */
  readonly references: readonly Reference[];
  /** Names of the arguments, in order. */
  readonly args: readonly string[];
  readonly ops: readonly Op[];
  /** Lines of the listing: structure as the author wrote it, each with the operation it stands for, if any. */
  readonly lines: readonly ListingLine[];
  /** Its calls and returns are logged in `Engine.calls`. */
  traced: boolean;
  repeated: RepeatedCalls | undefined;
}

export interface ListingLine {
  readonly text: string;
  readonly depth: number;
  readonly op: number | undefined;
}

/** Cells of a frame before its fields: the number of its next operation, and the caller's frame. */
export const frameHeader = 2;

/** All routines of a machine, numbered from 1. */
export class Program {
  readonly routines: RoutineCode[] = [];
  /** The operations of all routines, numbered from 1: a frame names the one it rests on. */
  readonly ops: (Op | undefined)[] = [undefined];
  private readonly byRoutine = new Map<Routine, RoutineCode>();
  private readonly byPointer = new Map<string, Set<RoutineCode>>();
  /** Deviations that no operation answers to. */
  readonly missed: readonly Deviation[];
  /** The rows of the kernel's tables that routines ask for, with the entries there are. */
  readonly tables = new Map<string, Map<string, readonly string[]>>();

  /** Builds `roots`, the routines that `statics` point to, and all they call. */
  constructor(
    roots: readonly Routine[],
    readonly variants: VariantSet,
    statics: readonly StaticSize[] = [],
  ) {
    const pending: Routine[] = [];
    const want = (routine: Routine) => {
      if (this.byRoutine.has(routine)) return this.byRoutine.get(routine)!;
      const made = this.declare(routine);
      pending.push(routine);
      return made;
    };
    for (const root of roots) want(root);
    for (const { of, name, routine, field } of pointers(statics)) {
      refuseSignature(`${of}.${name}`, routine, field);
      const known = this.byPointer.get(name) ?? new Set();
      this.byPointer.set(name, known.add(want(routine)));
    }
    const met = new Set<Deviation>();
    const heard: EntryListener = (table, row, values, taken) => {
      const rows = this.tables.get(table) ?? new Map();
      this.tables.set(table, rows.set(row, values));
      if (taken !== undefined) met.add(taken);
    };
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      const code = this.byRoutine.get(next)!;
      flatten(code, this.variants, want, met, (name) => this.called(name), heard);
      code.first = this.ops.length;
      for (const op of code.ops) this.ops.push(op);
      link(code);
    }
    this.missed = (variants.deviations ?? []).filter((deviation) => !met.has(deviation));
  }

  /** The number that a function pointer to `routine` holds. */
  numberOf(routine: Routine): number {
    const code = this.byRoutine.get(routine);
    return code?.number ?? fail(`${routine.name} among the routines of this machine`);
  }

  /** The routine with this number. */
  at(number: number): RoutineCode {
    return this.routines[number - 1] ?? fail(`a routine with number ${number}`);
  }

  /** The routine called `name`, if this machine has it. */
  named(name: string): RoutineCode | undefined {
    return this.routines.find((r) => r.routine.name === name);
  }

  /** What is called by that name: a routine, or what function pointers of that name hold from the start. */
  called(name: string): readonly RoutineCode[] {
    const own = this.named(name);
    return own === undefined ? [...(this.byPointer.get(name) ?? [])] : [own];
  }

  /** All names by which something can be called. */
  names(): readonly string[] {
    return [...this.routines.map(({ routine }) => routine.name), ...this.byPointer.keys()];
  }

  private declare(routine: Routine): RoutineCode {
    const code: RoutineCode = {
      number: this.routines.length + 1,
      routine,
      mode: routine.mode,
      first: 0, // until it is flattened
      entry: 0,
      ...frameOf(routine),
      args: Object.keys(routine.args),
      ops: [],
      lines: [],
      traced: false,
      repeated: undefined,
    };
    this.routines.push(code);
    this.byRoutine.set(routine, code);
    return code;
  }
}

type FrameLayout = Pick<RoutineCode, 'frame' | 'view' | 'references'>;

/** Laid out once a routine, not once a machine: compiled code knows objects by their class. */
const frameLayouts = new WeakMap<Routine, FrameLayout>();

function frameOf(routine: Routine): FrameLayout {
  const known = frameLayouts.get(routine);
  if (known !== undefined) return known;
  const slots: Slot[] = [];
  let offset: number = frameHeader;
  for (const [name, field] of [
    ...Object.entries(routine.args),
    ...Object.entries(routine.locals),
  ]) {
    assert(!slots.some((s) => s.name === name), `${routine.name} has one field ${name}`);
    slots.push({ name, offset, field: field as Slot['field'], group: 'private' });
    offset += field.cells;
  }
  const frame = structOf(routine.name, slots, offset);
  const references = referencesOf(frame, offset);
  const layout = { frame, view: movingView(frame), references };
  frameLayouts.set(routine, layout);
  return layout;
}

/** The function pointers that have a value from the start, such as those of an ops table. */
function* pointers(
  statics: readonly StaticSize[],
): Generator<{ of: string; name: string; routine: Routine; field: FnPtrField }> {
  for (const { name, struct, initial = {} } of statics) {
    for (const [key, value] of Object.entries(initial)) {
      const { field } = struct.slot(key);
      if (field.kind !== 'fnptr') continue;
      yield { of: name, name: key, routine: value as Routine, field: field as FnPtrField };
    }
  }
}

/** A routine is pointed to by what takes the same arguments, in the same order, and returns the same kind. */
function refuseSignature(name: string, routine: Routine, field: FnPtrField): void {
  const wanted = signatureText(field.signature, field.returns);
  const given = signatureText(routine.args, routine.returns);
  assert(wanted === given, `${name} is ${wanted}, but ${routine.name} is ${given}`);
}

/** Fills the table of `code`; deviations that operations of it answer to go to `met`. */
function flatten(
  code: RoutineCode,
  variants: VariantSet,
  want: (routine: Routine) => RoutineCode,
  met: Set<Deviation>,
  called: (name: string) => readonly RoutineCode[],
  heard: EntryListener,
): void {
  const ops = code.ops as Op[];
  const lines = code.lines as ListingLine[];
  const name = code.routine.name;
  const { deviations = [] } = variants;
  const deviating = new Deviations(code, deviations, met, called);

  const emit = (op: Partial<Op> & Pick<Op, 'code' | 'text'>, depth: number): Op => {
    const full: Op = {
      of: code,
      view: code.view,
      manner: 'plain',
      run: undefined,
      lock: undefined,
      mode: 'write',
      interruptible: false,
      nested: false,
      ticket: undefined,
      spins: false,
      guard: undefined,
      condition: undefined,
      options: [],
      into: undefined,
      callee: undefined,
      pointer: undefined,
      args: undefined,
      value: undefined,
      to: -1,
      next: -1,
      otherwise: -1,
      turn: false,
      span: undefined,
      burst: undefined,
      ...op,
      depth,
    };
    ops.push(full);
    return full;
  };
  const line = (text: string, depth: number, op?: number) => lines.push({ text, depth, op });
  const into = (local: string | undefined) =>
    local === undefined ? undefined : deviating.into(code.frame.slot(local));

  interface Loop {
    readonly start: number;
    readonly leaves: Op[];
    burst?: Burst<Frame>;
  }
  let repeated: RepeatedCalls['run'] | undefined;

  const walk = (
    node: Node,
    depth: number,
    loop: Loop | undefined,
    span: SourceSpan | undefined,
  ): void => {
    if (Array.isArray(node)) {
      for (const n of deviating.order(node)) walk(n, depth, loop, span);
      return;
    }
    assert(
      node !== undefined && typeof node === 'object',
      `${name}: the body is a list of operations`,
    );
    const n = deviating.node(node as OneNode);
    switch (n.kind) {
      case 'step':
        line(`${n.text};`, depth, ops.length);
        emit({ code: Code.step, text: n.text, manner: n.manner, run: n.run, span }, depth);
        break;
      case 'acquire':
      case 'trylock':
      case 'release': {
        line(`${n.text};`, depth, ops.length);
        const { text, lock, mode, interruptible, nested, ticket } = n;
        const how = { lock, mode, interruptible, nested, ticket };
        emit({ code: Code[n.kind], text, ...how, into: into(n.into), span }, depth);
        break;
      }
      case 'wait': {
        line(`${n.text};`, depth, ops.length);
        const { text, guard, interruptible, spins } = n;
        emit(
          { code: Code.wait, text, guard, interruptible, spins, into: into(n.into), span },
          depth,
        );
        break;
      }
      case 'choose':
        line(`${n.text};  /* ${n.options.join(' or ')} */`, depth, ops.length);
        emit(
          { code: Code.choose, text: n.text, options: n.options, into: into(n.into), span },
          depth,
        );
        break;
      case 'call': {
        line(`${n.text};`, depth, ops.length);
        const callee = n.routine === undefined ? undefined : want(n.routine);
        emit(
          {
            code: Code.call,
            text: n.text,
            callee,
            pointer: n.pointer,
            args: n.args,
            into: into(n.into),
            span,
          },
          depth,
        );
        break;
      }
      case 'ret':
        line(`${n.text};`, depth, ops.length);
        emit({ code: Code.ret, text: n.text, value: n.value, span }, depth);
        break;
      case 'when': {
        line(`if (${n.text}) {`, depth);
        const branch = emit(
          { code: Code.branch, text: n.text, condition: n.condition, span },
          depth,
        );
        walk(n.then, depth + 1, loop, span);
        if (n.otherwise !== undefined && n.otherwise.length > 0) {
          const skip = emit({ code: Code.jump, text: '', span }, depth);
          branch.to = ops.length;
          line('} else {', depth);
          walk(n.otherwise, depth + 1, loop, span);
          skip.to = ops.length;
        } else branch.to = ops.length;
        line('}', depth);
        break;
      }
      case 'loop': {
        line(`${n.text} {`, depth);
        const inner: Loop = { start: ops.length, leaves: [] };
        walk(n.body, depth + 1, inner, span);
        if (inner.burst !== undefined) {
          const turn = ops.slice(inner.start);
          refuseOpenTurns(name, n, turn);
          const last = turn.findLast((op) => !isControl(op))!;
          turn[0]!.burst = { make: inner.burst, last };
        }
        emit({ code: Code.jump, text: '', to: inner.start, span }, depth);
        for (const leave of inner.leaves) leave.to = ops.length;
        line('}', depth);
        break;
      }
      case 'leave':
      case 'again': {
        assert(loop !== undefined, `${name}: ${n.text} inside a loop`);
        line(`${n.text};`, depth);
        const jump = emit({ code: Code.jump, text: n.text, to: loop.start, span }, depth);
        if (n.kind === 'leave') loop.leaves.push(jump);
        break;
      }
      case 'burst':
        if (deviations.length > 0) break; // a burst does what the whole table does
        assert(
          loop !== undefined && loop.start === ops.length,
          `${name}: a burst stands first in its loop`,
        );
        loop.burst = n.make;
        break;
      case 'repeated':
        assert(repeated === undefined, `${name} says once what repeated calls come to`);
        if (deviations.length === 0) repeated = n.calls;
        break;
      case 'statement': {
        const first = ops.length;
        walk(n.body, depth, loop, n.span ?? span);
        // The turn begins where a frame can rest: at the first operation that is not control flow.
        const begin = ops
          .slice(first)
          .find((op) => op.code !== Code.branch && op.code !== Code.jump);
        if (begin !== undefined) begin.turn = true;
        break;
      }
    }
  };

  walk(code.routine.body(builderFor(variants, heard)) as Node, 1, undefined, undefined);
  const last = ops.at(-1);
  if (last === undefined || last.code !== Code.ret || ops.some((op) => op.to === ops.length)) {
    emit({ code: Code.ret, text: 'return' }, 1);
  }
  refuseEmptyLoops(code);
  if (repeated !== undefined) code.repeated = { run: repeated, ...waysThrough(code) };
}

const isControl = (op: Op): boolean => op.code === Code.branch || op.code === Code.jump;

/** A burst makes turns up to their last operation: there must be one that they begin and one that they end with. */
function refuseOpenTurns(name: string, { text, body }: LoopNode, turn: readonly Op[]): void {
  const own = flat(body).filter((n) => n.kind !== 'burst');
  const last = own.findLast((n) => n.kind !== 'when' || !n.then.every(isLeave));
  assert(
    isOperation(own[0]) && isOperation(last),
    `${name}: '${text}' has a burst, so each turn begins and ends with one operation`,
  );
  assert(!turn.some((op) => op.turn), `${name}: '${text}' has a burst, so it has no statements`);
}

const isLeave = (node: Node): boolean => (node as OneNode).kind === 'leave';

/** The micro-steps of the shorter and the longer way through a routine of steps and conditions, its call included. */
function waysThrough({ ops, routine: { name } }: RoutineCode): { short: number; long: number } {
  const from = (pc: number): number[] => {
    const op = ops[pc]!;
    if (op.code === Code.branch) return [...from(pc + 1), ...from(op.to)];
    if (op.code === Code.ret) return [1];
    assert(
      op.code === Code.step || (op.code === Code.jump && op.to > pc),
      `${name}: what repeated calls come to is said of steps and conditions only`,
    );
    return op.code === Code.jump ? from(op.to) : from(pc + 1).map((n) => n + 1);
  };
  const ways = [...new Set(from(0))].sort((a, b) => a - b);
  assert(ways.length <= 2, `${name}: repeated calls go one of two ways`);
  return { short: 1 + ways[0]!, long: 1 + ways.at(-1)! };
}

/** Settles where control goes from each operation, so that nothing is left to follow at run time but conditions. */
function link(code: RoutineCode): void {
  const { ops, first } = code;
  const landing = (pc: number): number => {
    const op = ops[pc];
    return op?.code === Code.jump ? landing(op.to) : first + pc;
  };
  ops.forEach((op, pc) => {
    op.next = landing(pc + 1);
    if (op.code === Code.branch) op.otherwise = landing(op.to);
  });
  code.entry = landing(0);
}

/** A loop that can turn without an operation would never end: private control flow must. */
function refuseEmptyLoops(code: RoutineCode): void {
  const { ops } = code;
  const state = new Int8Array(ops.length); // 1 on the path, 2 done
  const visit = (pc: number): void => {
    const op = ops[pc]!;
    if (op.code !== Code.branch && op.code !== Code.jump) return;
    if (state[pc] === 2) return;
    assert(state[pc] !== 1, `${code.routine.name}: every loop contains a step`);
    state[pc] = 1;
    visit(op.to);
    if (op.code === Code.branch) visit(pc + 1);
    state[pc] = 2;
  };
  for (let pc = 0; pc < ops.length; pc++) visit(pc);
}
