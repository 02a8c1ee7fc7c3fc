// Routines: kernel, device and user paths as structured tables of operations. Written with `step`, `acquire`,
// `release`, `wait`, `choose`, `when`, `loop`, `call`, `ret`; flattened by program.ts; executed by engine.ts.
import { assert } from '../base/assert';
import {
  type Field,
  type Fields,
  type FieldsView,
  int,
  type Ref,
  type StructField,
} from '../state/layout';
import type { Engine } from './engine';
import type { LockMode, LockView } from './locks';

/**
 * What a frame on top of the stack means for its CPU. `user`: interrupts and other tasks may come in between steps.
 * `instruction`: one instruction of the CPU, neither may. `kernel`: interrupts may; other tasks where it blocks.
 * `interrupt`: neither. `device`: runs on no CPU.
 */
export type Mode = 'user' | 'instruction' | 'kernel' | 'interrupt' | 'device';

/** A place in a scenario's text: offsets, half open. */
export interface SourceSpan {
  readonly from: number;
  readonly to: number;
}

/** The number of a routine in a cell; 0 is NULL. `A` is what it is called with. */
export type FnPtr<A extends Fields = Fields> = number & { readonly signature?: A };

export interface Routine<A extends Fields = Fields, R = unknown> {
  readonly file: string;
  readonly name: string;
  readonly mode: Mode;
  readonly args: Fields;
  readonly locals: Fields;
  readonly returns: Field<unknown> | undefined;
  readonly takes?: A; // only for the type checker
  readonly gives?: R;
  /** Run when a machine is built, for its variants. */
  readonly body: (builder: AnyBuilder) => unknown;
}

/** A field that points to a routine, with what that routine takes and returns. */
export interface FnPtrField<A extends Fields = Fields> extends Field<FnPtr<A>> {
  readonly kind: 'fnptr';
  readonly signature: A;
  readonly returns: Field<unknown> | undefined;
}

/** A field that points to a routine: `vm_ops->fault`. Signatures are compared when a machine is built. */
export function fnptr<A extends Fields>(
  signature: A,
  returns?: Field<never> | Field<number>,
): FnPtrField<A> {
  const { get, set, cells } = int as unknown as Field<FnPtr<A>>;
  return {
    kind: 'fnptr',
    cells,
    signature,
    returns: returns as Field<unknown> | undefined,
    get,
    set,
  };
}

/** What a routine or a function pointer takes and returns, as a reader would declare it. */
export function signatureText(args: Fields, returns: Field<unknown> | undefined): string {
  const kind = ({ kind, of }: Fields[string] | Field<unknown>) =>
    of === undefined ? kind : `${kind} ${of}`;
  const parameters = Object.entries(args).map(([name, field]) => `${name}: ${kind(field)}`);
  return `(${parameters.join(', ')}) -> ${returns === undefined ? 'nothing' : kind(returns)}`;
}

// The tree of a body, before it is flattened.

interface Common {
  readonly text: string;
}

export interface StepNode<F> extends Common {
  readonly kind: 'step';
  readonly run: (f: F, k: Engine) => void;
  /** `atomic`: one instruction that reads and writes; `unlocked`: READ_ONCE of what a lock protects. */
  readonly manner: 'plain' | 'atomic' | 'unlocked';
}

export interface LockNode<F> extends Common {
  readonly kind: 'acquire' | 'trylock' | 'release';
  readonly lock: (f: F, k: Engine) => LockView;
  readonly mode: LockMode;
  readonly interruptible: boolean;
  /** Another lock of the class may be held meanwhile. */
  readonly nested: boolean;
  readonly ticket: ((f: F, k: Engine) => number) | undefined;
  readonly into: string | undefined;
}

export interface WaitNode<F> extends Common {
  readonly kind: 'wait';
  readonly guard: (f: F, k: Engine) => boolean;
  readonly interruptible: boolean;
  readonly spins: boolean;
  readonly into: string | undefined;
}

export interface ChooseNode extends Common {
  readonly kind: 'choose';
  readonly options: readonly string[];
  readonly into: string;
}

export interface WhenNode<F> extends Common {
  readonly kind: 'when';
  readonly condition: (f: F) => boolean;
  readonly then: readonly Node[];
  readonly otherwise: readonly Node[] | undefined;
}

export interface LoopNode extends Common {
  readonly kind: 'loop';
  readonly body: readonly Node[];
}

/** Stands for no operation: how turns of the loop that it stands in are made at once. */
export interface BurstNode<F> {
  readonly kind: 'burst';
  readonly make: Burst<F>;
}

/**
 * Makes whole turns of a loop at once, up to the last operation of a turn; it leaves the cells that the micro-steps would
 * leave. Returns how many micro-steps that was, at most `room`; 0 when it did nothing.
 */
export type Burst<F> = (f: F, k: Engine, room: number) => number;

/** Stands for no operation: what calls of the routine for many entries come to, for bursts. */
export interface RepeatedNode<C> {
  readonly kind: 'repeated';
  readonly calls: Repeated<C>;
}

/** Entries that lie behind each other: `n` of them from cell `at` on, the first one for address `addr`. */
export interface Stretch {
  readonly at: number;
  readonly addr: number;
  readonly n: number;
}

/**
 * Does at once what a call for each entry of the stretches does, which all return 0. `call` has those arguments that all
 * calls share. Returns how many of them went the longer of the routine's two ways.
 */
export type Repeated<C> = (call: C, stretches: readonly Stretch[], k: Engine) => number;

export interface JumpNode extends Common {
  readonly kind: 'leave' | 'again';
}

export interface CallNode<F> extends Common {
  readonly kind: 'call';
  readonly routine: Routine | undefined;
  readonly pointer: ((f: F, k: Engine) => number) | undefined;
  readonly args: (f: F, k: Engine) => Readonly<Record<string, unknown>>;
  readonly into: string | undefined;
}

export interface RetNode<F> extends Common {
  readonly kind: 'ret';
  readonly value: ((f: F) => unknown) | undefined;
}

/** Operations that stand for a place in a scenario; the first one starts a turn of the default schedule. */
export interface StatementNode {
  readonly kind: 'statement';
  readonly span: SourceSpan | undefined;
  readonly body: readonly Node[];
}

// biome-ignore lint/suspicious/noExplicitAny: a body's nodes are of its own frame; the tree holds all of them
type AnyF = any;
export type Node =
  | StepNode<AnyF>
  | LockNode<AnyF>
  | WaitNode<AnyF>
  | ChooseNode
  | WhenNode<AnyF>
  | LoopNode
  | JumpNode
  | CallNode<AnyF>
  | RetNode<AnyF>
  | StatementNode
  | BurstNode<AnyF>
  | RepeatedNode<AnyF>
  | readonly Node[];

type Key<L> = keyof L & string;

/** What a routine's body is written with. `F` is the frame, `L` its locals. */
export interface Builder<F, L> {
  /** One micro-step: at most one access to shared state, the rest private arithmetic on the frame. */
  step(text: string, run: (f: F, k: Engine) => void): Node;
  /** A step whose one access is an atomic instruction (`cmpxchg`, `test_and_set_bit`, a refcount). */
  atomic(text: string, run: (f: F, k: Engine) => void): Node;
  /** A step that reads, without its lock, what a lock protects: `READ_ONCE`. */
  unlocked(text: string, run: (f: F, k: Engine) => void): Node;
  /**
   * Takes a lock, waiting as its kind does. `into` receives 0, or -EINTR (-4) when a signal cut the wait short. `nested`:
   * other locks of its class may be held, in whatever order the caller keeps (`spin_lock_nested`). `ticket`: a wound/wait
   * mutex is taken under this ticket (0: without), and so may others of its class; `into` may then also receive -EALREADY
   * (-114), held under this ticket already, and -EDEADLK (-35), somebody older goes first. The two only look.
   */
  acquire(
    text: string,
    lock: (f: F, k: Engine) => LockView,
    options?: {
      mode?: LockMode;
      interruptible?: boolean;
      nested?: boolean;
      ticket?: (f: F, k: Engine) => number;
      into?: Key<L>;
    },
  ): Node;
  /** Takes the lock if that needs no waiting; `into` receives 1 or 0. */
  trylock(
    text: string,
    lock: (f: F, k: Engine) => LockView,
    options: { mode?: LockMode; into: Key<L> },
  ): Node;
  release(text: string, lock: (f: F, k: Engine) => LockView): Node;
  /** Waits until the guard holds; the guard only peeks. `spins`: stays on its CPU, interrupts enabled. */
  wait(
    text: string,
    guard: (f: F, k: Engine) => boolean,
    options?: { interruptible?: boolean; spins?: boolean; into?: Key<L> },
  ): Node;
  /** One of several things may happen; the first is the uneventful one. `into` receives its number. */
  choose(text: string, options: readonly string[], into: Key<L>): Node;
  /** Looks only at the frame. */
  when(text: string, condition: (f: F) => boolean, then: Node[], otherwise?: Node[]): Node;
  loop(text: string, body: Node[]): Node;
  /** How turns of this loop are made at once; each must begin and end with an operation that no turn leaves out. */
  burst(make: Burst<F>): Node;
  /** What repeated calls of this routine come to, which has steps and conditions only. */
  repeated(calls: Repeated<Omit<F, keyof L | keyof Ref>>): Node;
  /** Out of the innermost loop. */
  leave(): Node;
  /** Back to the start of the innermost loop. */
  again(): Node;
  call<A extends Fields>(
    target: Routine<A>,
    args: (f: F, k: Engine) => FieldsView<A>,
    into?: Key<L>,
  ): Node;
  /** A call through a function pointer; `text` is how the kernel writes it. */
  callPointer<A extends Fields>(
    text: string,
    target: (f: F, k: Engine) => FnPtr<A>,
    args: (f: F, k: Engine) => FieldsView<A>,
    into?: Key<L>,
  ): Node;
  ret(text?: string, value?: (f: F) => unknown): Node;
  /**
   * A step that can be made to fail where a machine has the point: then `instead` is done in its place; without it the
   * step is done, and what it allocates there is none of. No step (`[]`): one that only fails.
   */
  fallible(point: string, step: Node, instead?: (f: F, k: Engine) => void): Node;
  /** Operations that only a machine with this point of failure has, or one that uses this. */
  having(what: string, nodes: Node[]): Node;
  /** The active one of two branches: with the variant, without it. */
  variant(id: string, on: Node[], off?: Node[]): Node;
  /** The entry of a table of the kernel's in a row, one of `values`; another of them with a variant, or a deviation. */
  entry<V extends string>(
    table: string,
    row: string,
    value: V,
    values: Readonly<Record<V, number>>,
    under?: Readonly<Record<string, V>>,
  ): number;
  /** Operations of one statement of a scenario, or of one command or item: a turn of the default schedule. */
  statement(span: SourceSpan | undefined, body: Node[]): Node;
}

// biome-ignore lint/suspicious/noExplicitAny: see Node
export type AnyBuilder = Builder<any, any>;

/**
 * Declares a routine. `file` is the kernel's file, `name` the kernel's function. Arguments and locals are fields of
 * its frame, zero at entry; `returns` is the field its value is stored as.
 */
export function routine<
  A extends Fields = Record<never, never>,
  L extends Fields = Record<never, never>,
>(
  file: string,
  name: string,
  spec: {
    args?: A;
    locals?: L;
    returns?: Field<never> | Field<number> | StructField<string>;
    mode?: Mode;
  },
  // biome-ignore lint/suspicious/noExplicitAny: a body's type must not depend on the routines it calls, which may call back
  body: (builder: Builder<FieldsView<A> & FieldsView<L> & Ref, L>) => any,
): Routine<A> {
  return {
    file,
    name,
    mode: spec.mode ?? 'kernel',
    args: spec.args ?? {},
    locals: spec.locals ?? {},
    returns: spec.returns as Field<unknown> | undefined,
    body,
  };
}

/** Variant ids that exist and those that are on. */
export interface VariantSet {
  readonly known: ReadonlySet<string>;
  readonly active: ReadonlySet<string>;
  /** Points that can be made to fail. */
  readonly points?: ReadonlySet<string>;
  readonly deviations?: readonly Deviation[];
  /** What is used of that for which most machines need no operations: `signals`, `sync files`. */
  readonly uses?: ReadonlySet<string>;
}

/**
 * A change to the table of the routine `of`, by what its operations call or set and what it decides on. `omit`: those that
 * do so with the one name do nothing. `swap`: in the innermost list of operations that has both, what does so with the one
 * and what does so with the other change places. `always`, `never`, `negate`: conditions with that word hold, do not, or
 * the other way round. `value`: what is set to, or given back as, the first name comes to something else, as the second
 * says. `arg`: so does an argument, the second, of what is called, the first. `set`: not of a routine, but of the kernel's
 * table `of`: the row has another entry.
 */
export interface Deviation {
  readonly kind: 'omit' | 'swap' | 'always' | 'never' | 'negate' | 'value' | 'arg' | 'set';
  readonly of: string;
  readonly names: readonly string[];
  /** Only the one of several places that is so many from the first, 1; else all. */
  readonly place?: number;
}

/** Who hears of the rows of tables that a routine asks for, with the entries there are and the deviation that was taken. */
export type EntryListener = (
  table: string,
  row: string,
  values: readonly string[],
  taken: Deviation | undefined,
) => void;

/** The same step at a point that may fail. */
function failing(
  point: string,
  node: Node,
  instead: ((f: never, k: Engine) => void) | undefined,
): Node {
  const step = Array.isArray(node) ? undefined : (node as StepNode<AnyF>);
  assert(step === undefined || step.kind === 'step', `a step at the point ${point}`);
  const run = (f: AnyF, k: Engine): void => {
    const fails = k.parts.faults.should_fail(point);
    if (fails && instead !== undefined) instead(f as never, k);
    else k.withMemory(!fails, () => step?.run(f, k));
  };
  const text = step?.text ?? `should_fail(${point})`;
  return { kind: 'step', text, manner: step?.manner ?? 'plain', run };
}

/** The builder for one set of variants. */
export function builderFor(variants: VariantSet, heard: EntryListener = () => {}): AnyBuilder {
  const isActive = (id: string): boolean => {
    assert(variants.known.has(id), `a variant called ${id}`);
    return variants.active.has(id);
  };
  return {
    step: (text, run) => ({ kind: 'step', text, run, manner: 'plain' }),
    atomic: (text, run) => ({ kind: 'step', text, run, manner: 'atomic' }),
    unlocked: (text, run) => ({ kind: 'step', text, run, manner: 'unlocked' }),
    acquire: (text, lock, o = {}) => ({
      kind: 'acquire',
      text,
      lock,
      mode: o.mode ?? 'write',
      interruptible: o.interruptible ?? false,
      nested: o.nested ?? o.ticket !== undefined,
      ticket: o.ticket,
      into: o.into,
    }),
    trylock: (text, lock, o) => ({
      kind: 'trylock',
      text,
      lock,
      mode: o.mode ?? 'write',
      interruptible: false,
      nested: false,
      ticket: undefined,
      into: o.into,
    }),
    release: (text, lock) => ({
      kind: 'release',
      text,
      lock,
      mode: 'write',
      interruptible: false,
      nested: false,
      ticket: undefined,
      into: undefined,
    }),
    wait: (text, guard, o = {}) => ({
      kind: 'wait',
      text,
      guard,
      interruptible: o.interruptible ?? false,
      spins: o.spins ?? false,
      into: o.into,
    }),
    choose: (text, options, into) => ({ kind: 'choose', text, options, into }),
    when: (text, condition, then, otherwise) => ({
      kind: 'when',
      text,
      condition,
      then,
      otherwise,
    }),
    loop: (text, body) => ({ kind: 'loop', text, body }),
    burst: (make) => ({ kind: 'burst', make }),
    repeated: (calls) => ({ kind: 'repeated', calls }),
    leave: () => ({ kind: 'leave', text: 'break' }),
    again: () => ({ kind: 'again', text: 'continue' }),
    call: (target, args, into) => ({
      kind: 'call',
      text: `${target.name}(${Object.keys(target.args).join(', ')})`,
      routine: target as Routine,
      pointer: undefined,
      args,
      into,
    }),
    callPointer: (text, pointer, args, into) => ({
      kind: 'call',
      text,
      routine: undefined,
      pointer,
      args,
      into,
    }),
    ret: (text = '', value) => ({ kind: 'ret', text: `return ${text}`.trim(), value }),
    fallible: (point, node, instead) =>
      variants.points?.has(point) === true ? failing(point, node, instead) : node,
    having: (what, nodes) =>
      variants.points?.has(what) === true || variants.uses?.has(what) === true ? nodes : [],
    variant: (id, on, off = []) => (isActive(id) ? on : off),
    entry: (table, row, value, values, under = {}) => {
      const other = Object.keys(under).find((id) => isActive(id));
      const taken = variants.deviations?.find(
        ({ kind, of, names: [name, other = ''] }) =>
          kind === 'set' && of === table && name === row && Object.hasOwn(values, other),
      );
      heard(table, row, Object.keys(values), taken);
      return values[(taken?.names[1] ?? under[other ?? ''] ?? value) as typeof value];
    },
    statement: (span, body) => ({ kind: 'statement', span, body }),
  };
}
