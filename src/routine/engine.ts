// Executes routines: tasks with explicit frames over one store, one micro-step at a time, in whatever order a schedule
// says. Agents are who can go next: first the interrupt of each CPU, then the tasks.
import { assert, fail } from '../base/assert';
import { EventLog, type LoggedEvent, plainArguments, type Tracepoint } from '../state/events';
import {
  cursor,
  type Field,
  type Fields,
  type FieldsView,
  NullPointer,
  Oops,
  type Ref,
  type Structs,
  structNamed,
} from '../state/layout';
import { Objects, type PoolSize, type StaticSize } from '../state/objects';
import { type Region, type Store, StorePlan } from '../state/store';
import type { Checker } from './check';
import { type Acquire, Lockdep, type Taking } from './lockdep';
import {
  dequeue,
  drop,
  enqueue,
  type LockMode,
  type LockView,
  lockOwner,
  lockReaders,
  lockTicket,
  mayTake,
  mayTry,
  refuses,
  take,
  type Waiters,
} from './locks';
import {
  Code,
  type Frame,
  type Op,
  type Program,
  type RepeatedCalls,
  type RoutineCode,
} from './program';
import type { FnPtr, Routine } from './routine';

/** Things a machine hangs on its engine for routines to reach, such as physical memory; by declaration merging. */
export interface Parts {
  /** Whom steps that can be made to fail ask; there in machines that have such. */
  faults: { should_fail(point: string): boolean };
}

/** A task to be: its root routine runs on `cpu`, or on none (a device engine) when that is -1. */
export interface TaskSpec {
  readonly name: string;
  readonly cpu: number;
  readonly root: Routine;
  readonly args?: Readonly<Record<string, unknown>>;
  /** A daemon may wait for ever: it does not keep a run from ending. */
  readonly daemon?: boolean;
}

/** What an engine is made of. */
export interface EngineSpec {
  readonly program: Program;
  readonly cpus: number;
  readonly tasks: readonly TaskSpec[];
  readonly pools: readonly PoolSize[];
  readonly statics: readonly StaticSize[];
  /** Other regions, for parts that keep cells of their own. */
  readonly regions?: (plan: StorePlan) => void;
  /** The handler of each interrupt vector; the lowest number goes first. */
  readonly vectors: readonly Routine[];
  /** The root of each CPU's idle task. */
  readonly idle: Routine;
  /** Done in the step in which a CPU changes from one task to another: loading CR3. */
  readonly contextSwitch?: (k: Engine, cpu: number, from: number, to: number) => void;
  /** Cells of each task's stack. */
  readonly stackCells?: number;
  /** Locks that a task can hold at a time. */
  readonly heldMax?: number;
}

/** Why a task cannot go on, for the deadlock report and the debugger. */
export type Blocked =
  | { readonly by: 'lock'; readonly text: string; readonly at: number }
  | { readonly by: 'wait'; readonly text: string }
  | { readonly by: 'cpu'; readonly task: number };

/** A lock that a task holds. `inInterrupt`: a handler that runs on top of it has taken it. */
export interface Held {
  readonly at: number;
  readonly mode: LockMode;
  readonly inInterrupt: boolean;
}

/** One frame of a stack, innermost first. `at` is its address in the store. */
export interface FrameInfo {
  readonly at: number;
  readonly code: RoutineCode;
  readonly pc: number;
  readonly interrupt: boolean; // entered by an interrupt, not by a call
}

export const EINTR = -4;
const EDEADLK = -35;
const EALREADY = -114;

// Cells of a task.
const taskFrame = 0;
const taskCpu = 1;
const taskLock = 2; // address of the lock in whose queue it stands
const taskMode = 3; // how it wants that lock: 1 for reading
const taskNext = 4;
const taskSignal = 5;
const taskState = 6;
const taskOwner = 7; // what the kernel calls current: an address that only the kernel layer understands
const taskTicket = 8; // under which it wants that lock; 0: none
const taskHeld = 9; // the locks it holds, in the order of taking; 0 after the last

// A held lock: its address, and two bits that say how. A spinlock is not held for reading.
const heldShift = 2;
const heldHow = 3;
const heldForReading = 1;
const heldSpins = 2;
const heldInInterrupt = 3; // a spinlock, taken by the handler that runs on top

const live = 1;
const finished = 2;
const dead = 3; // killed by an oops, its frames left as they were

// Cells of a frame, before its fields: where it stands, and who called it (negative: whom it interrupted).
const frameCaller = 1;

// Cells of a CPU.
const cpuCurrent = 0; // task plus 1
const cpuPending = 1; // bits of interrupt vectors
const cpuMasked = 2; // interrupts disabled, nested
const cpuCells = 3;

/** The task of an event that no task caused. */
const nobody = -1;

// History cells of the engine.
const historyEvents = 0;
const historyGaveWay = 1;
const historyCurrent = 2; // the default schedule's agent, plus 1
const historyBegun = 3; // that agent has executed an operation in its turn
const historyCalls = 4;
const historyCells = 5;

export class Engine {
  readonly store: Store;
  readonly objects: Objects;
  readonly events: EventLog;
  /** Calls of the routines that are traced, and their returns (with `value`): what function_graph is to Linux. */
  readonly calls: EventLog;
  readonly program: Program;
  readonly cpus: number;
  readonly taskCount: number;
  readonly parts: Parts;
  /** Called for every event, in the step that emits it. */
  readonly listeners: ((event: LoggedEvent) => void)[] = [];
  /** Called after every micro-step: properties that must always hold are looked at here. */
  readonly afterStep: (() => void)[] = [];
  /**
   * Makes a change by hand that is written as `place=value`, or says what is wrong with it and changes nothing. Who names
   * the places of a machine sets it.
   */
  hand: (edit: string) => string | undefined = () => 'no value of this machine is changed by hand';
  /** When set, hears every access of every operation and refuses what the rules forbid. */
  checker: Checker | undefined;
  /** The task whose step is being executed. */
  task = 0;
  /** Within an operation of the emulated machine: guards and displays look, too. */
  private executing = false;
  /** Within a step that was made to fail: there is no memory. */
  private exhausted = false;

  private readonly tasksAt: number;
  private readonly cpusAt: number;
  private readonly historyAt: number;
  private readonly stackAt: number;
  private readonly stackCells: number;
  private readonly heldMax: number;
  private readonly taskCells: number;
  private readonly vectors: readonly RoutineCode[];
  private readonly names: readonly string[];
  private readonly daemons: ReadonlySet<number>;
  private readonly waiters: Waiters;
  private readonly lockdep: Lockdep;
  /** The locks at the addresses that were asked for, as fields: an address never changes its class. */
  private readonly lockFields = new Map<number, Field<unknown>>();

  constructor(private readonly spec: EngineSpec) {
    const { program, cpus } = spec;
    const tasks = [...spec.tasks];
    for (let cpu = 0; cpu < cpus; cpu++) {
      tasks.push({ name: `idle/${cpu}`, cpu, root: spec.idle, daemon: true });
    }
    this.program = program;
    this.cpus = cpus;
    this.taskCount = tasks.length;
    this.names = tasks.map((t) => t.name);
    this.daemons = new Set(tasks.flatMap((t, i) => (t.daemon === true ? [i] : [])));
    this.stackCells = spec.stackCells ?? 1024;
    this.heldMax = spec.heldMax ?? 16;
    this.taskCells = taskHeld + this.heldMax + 1;

    const plan = new StorePlan();
    plan.region('cpus', 'state', cpus * cpuCells);
    plan.region('tasks', 'state', tasks.length * this.taskCells);
    plan.region('stacks', 'state', tasks.length * this.stackCells);
    Objects.reserve(plan, spec.pools, spec.statics);
    spec.regions?.(plan);
    plan.region('engine', 'history', historyCells);
    const lockdep = Lockdep.reserve(plan, spec.pools, spec.statics);
    this.store = plan.build();
    this.objects = Objects.place(this.store, spec.pools, spec.statics);
    this.cpusAt = this.store.region('cpus').base;
    this.tasksAt = this.store.region('tasks').base;
    this.stackAt = this.store.region('stacks').base;
    this.historyAt = this.store.region('engine').base;
    this.lockdep = lockdep(this.store);
    this.events = new EventLog(this.store, this.historyAt + historyEvents);
    this.calls = new EventLog(this.store, this.historyAt + historyCalls);
    this.parts = {} as Parts;
    this.vectors = spec.vectors.map((v) => program.at(program.numberOf(v)));
    this.waiters = {
      next: (t) => this.store.peek(this.taskAt(t) + taskNext),
      setNext: (t, next) => this.store.put(this.taskAt(t) + taskNext, next),
      mode: (t) => (this.store.peek(this.taskAt(t) + taskMode) === 1 ? 'read' : 'write'),
      ticket: (t) => this.store.peek(this.taskAt(t) + taskTicket),
    };
    this.objects.namedElsewhere = (from, to) => this.namedByFrames(from, to);
    this.store.usedAfterFree = (field, at) => this.usedAfterFree(`uses ${field}`, at);
    for (const s of spec.statics) this.initialise(s);
    this.startTasks(tasks);
  }

  private initialise({ name, initial = {} }: StaticSize): void {
    const { struct, at } = this.objects.staticNamed(name);
    for (const [key, value] of Object.entries(initial)) {
      const { field, offset } = struct.slot(key);
      const isPointer = field.kind === 'fnptr';
      field.set(
        this.store,
        at + offset,
        isPointer ? this.program.numberOf(value as Routine) : value,
      );
    }
  }

  private startTasks(tasks: readonly TaskSpec[]): void {
    tasks.forEach((spec, task) => {
      const at = this.taskAt(task);
      this.store.put(at + taskCpu, spec.cpu);
      this.store.put(at + taskState, live);
      this.task = task;
      const code = this.program.at(this.program.numberOf(spec.root));
      this.push(task, code, 0, spec.args ?? {});
      if (spec.cpu >= 0 && spec.root === this.spec.idle) {
        this.store.put(this.cpuAt(spec.cpu) + cpuCurrent, task + 1);
      }
    });
  }

  // What steps use.

  /** Names an event; whoever listens hears it in this very step. */
  emit<A extends Fields>(tracepoint: Tracepoint<A>, args: FieldsView<A>): void {
    this.tell(this.events.append(tracepoint.name, this.steps, this.task, plainArguments(args)));
  }

  /** Who listens keeps cells of its own: what it does there is no access of the step. */
  private tell(event: LoggedEvent): void {
    this.store.unobserved(() => {
      for (const listener of this.listeners) listener(event);
    });
  }

  /** A new object, its fields zero, or NULL when the pool is full. Private to the step that allocates it. */
  alloc<N extends keyof Structs & string>(struct: N): Structs[N] {
    const at = this.exhausted ? 0 : this.objects.alloc(struct);
    if (at !== 0) this.checker?.allocated(struct, at);
    return this.objects.pool(struct).struct.view(this.store, at) as unknown as Structs[N];
  }

  /** `count` new objects side by side, aligned to their number: the first, or NULL when there is no such room. */
  allocRun<N extends keyof Structs & string>(struct: N, count: number): Structs[N] {
    const at = this.objects.allocRun(struct, count);
    const { stride, struct: of } = this.objects.pool(struct);
    if (at !== 0) for (let i = 0; i < count; i++) this.checker?.allocated(struct, at + i * stride);
    return of.view(this.store, at) as unknown as Structs[N];
  }

  /** Does what a step does, with or without memory to allocate from. */
  withMemory(there: boolean, run: () => void): void {
    this.exhausted = !there;
    try {
      run();
    } finally {
      this.exhausted = false;
    }
  }

  free(object: Ref): void {
    if (this.objects.isLive(object)) this.objects.free(object);
    else this.usedAfterFree('frees it again', object.at);
  }

  /** Reports what a step does to a freed object, once a step; then it goes on, as under KASAN. */
  private usedAfterFree(what: string, at: number): void {
    if (!this.executing) return; // somebody looks
    const { length } = this.events;
    const last = length > 0 ? this.events.at(length - 1) : undefined;
    if (last?.name === 'use_after_free' && last.step === this.steps) return;
    const struct = this.objects.describe(at)?.struct.name ?? '?';
    const { routine } = this.opAt(this.topFrame(this.task)).of;
    this.report('use_after_free', { struct, what: `${routine.name}() ${what}` });
  }

  /** The static variable called `name`. */
  the<N extends keyof Structs & string>(name: string, struct: N): Structs[N] {
    const { struct: of, view } = this.objects.staticNamed(name);
    if (of.name !== struct) fail(`${name} is a ${struct}`);
    return view as unknown as Structs[N];
  }

  /** A view of the struct called `name` at `at`. */
  view<N extends keyof Structs & string>(name: N, at: number): Structs[N] {
    return structNamed(name).view(this.store, at) as unknown as Structs[N];
  }

  /** The value of a function pointer to `routine`. */
  fn<A extends Fields>(routine: Routine<A>): FnPtr<A> {
    return this.program.numberOf(routine as Routine) as FnPtr<A>;
  }

  /** The CPU on which the running task runs, or -1. */
  get cpu(): number {
    return this.cpuOf(this.task);
  }

  /** Posts an interrupt to a CPU. */
  raise(cpu: number, vector: number): void {
    const at = this.cpuAt(cpu) + cpuPending;
    this.store.put(at, this.store.peek(at) | (1 << vector));
  }

  /** Disables interrupts on the running task's CPU; nests. */
  maskInterrupts(): void {
    const at = this.cpuAt(this.cpu) + cpuMasked;
    this.store.put(at, this.store.peek(at) + 1);
  }

  unmaskInterrupts(): void {
    const at = this.cpuAt(this.cpu) + cpuMasked;
    this.store.put(at, this.store.peek(at) - 1);
  }

  /** Tells the default schedule to let others go first. */
  giveWay(): void {
    this.store.put(this.historyAt + historyGaveWay, 1);
  }

  /** Marks a signal as pending for a task: interruptible waits end. */
  signal(task: number, pending: boolean): void {
    this.store.put(this.taskAt(task) + taskSignal, pending ? 1 : 0);
  }

  hasSignal(task: number): boolean {
    return this.store.read(this.taskAt(task) + taskSignal) !== 0;
  }

  /** What the kernel keeps as `current` of a task. */
  ownerOf(task: number): number {
    return this.store.peek(this.taskAt(task) + taskOwner);
  }

  setOwner(task: number, owner: number): void {
    this.store.put(this.taskAt(task) + taskOwner, owner);
  }

  // What bursts use beside that.

  /** What repeated calls of the routine that a pointer points to come to, if it says so. */
  repeated(pointer: FnPtr): RepeatedCalls | undefined {
    return this.program.routines[pointer - 1]?.repeated;
  }

  /** Whether the running task would get this lock without waiting, and lockdep has seen it taken so. */
  isFree(lock: LockView): boolean {
    const { task } = this;
    return (
      mayTake(this.store, lock.at, 'write', task, this.waiters) &&
      this.lockdep.knows(this.acquiring(task, lock, false))
    );
  }

  // Agents.

  /** Number of agents: an interrupt a CPU, then the tasks. */
  get agents(): number {
    return this.cpus + this.taskCount;
  }

  agentOfTask(task: number): number {
    return this.cpus + task;
  }

  /** The task of an agent, or -1 when it is an interrupt. */
  taskOfAgent(agent: number): number {
    return agent < this.cpus ? -1 : agent - this.cpus;
  }

  agentName(agent: number): string {
    return agent < this.cpus ? `interrupt/${agent}` : this.names[agent - this.cpus]!;
  }

  taskName(task: number): string {
    return this.names[task] ?? 'by hand';
  }

  isDaemon(task: number): boolean {
    return this.daemons.has(task);
  }

  isFinished(task: number): boolean {
    return this.store.peek(this.taskAt(task) + taskState) === finished;
  }

  /** Killed by an oops. */
  isDead(task: number): boolean {
    return this.store.peek(this.taskAt(task) + taskState) === dead;
  }

  cpuOf(task: number): number {
    return this.store.peek(this.taskAt(task) + taskCpu);
  }

  /** The task that a CPU is running. */
  currentOf(cpu: number): number {
    return this.store.peek(this.cpuAt(cpu) + cpuCurrent) - 1;
  }

  pendingOf(cpu: number): number {
    return this.store.peek(this.cpuAt(cpu) + cpuPending);
  }

  /** Whether an agent could make a micro-step now. */
  runnable(agent: number): boolean {
    if (agent < this.cpus) return this.interruptible(agent);
    const task = agent - this.cpus;
    if (this.store.peek(this.taskAt(task) + taskState) !== live) return false;
    const cpu = this.cpuOf(task);
    if (cpu >= 0) {
      const current = this.currentOf(cpu);
      if (current !== task && !this.givesUpCpu(current)) return false;
    }
    return this.canProceed(task) || this.mayIdle(task, cpu);
  }

  /** Whether a CPU may change to its idle task: nobody else there can go on. */
  private mayIdle(task: number, cpu: number): boolean {
    if (task < this.taskCount - this.cpus || this.currentOf(cpu) === task) return false;
    for (let t = 0; t < this.taskCount - this.cpus; t++) {
      if (this.cpuOf(t) !== cpu || this.store.peek(this.taskAt(t) + taskState) !== live) continue;
      if (this.canProceed(t)) return false;
    }
    return true;
  }

  /** Number of ways the agent's next micro-step can go: more than one at a `choose`. */
  branches(agent: number): number {
    if (agent < this.cpus) return 1;
    const task = agent - this.cpus;
    const cpu = this.cpuOf(task);
    if (cpu >= 0 && this.currentOf(cpu) !== task) return 1;
    const op = this.opOf(task);
    return op !== undefined && op.code === Code.choose ? op.options.length : 1;
  }

  /** Why a live task cannot go on, or undefined when it can. */
  blocked(task: number): Blocked | undefined {
    const op = this.opOf(task);
    if (op === undefined || this.runnable(this.agentOfTask(task))) return undefined;
    if (!this.canProceed(task)) {
      return op.code === Code.acquire
        ? { by: 'lock', text: op.text, at: this.lockOf(task, op).at }
        : { by: 'wait', text: op.text };
    }
    return { by: 'cpu', task: this.currentOf(this.cpuOf(task)) };
  }

  /** All tasks that matter have finished. */
  get done(): boolean {
    for (let t = 0; t < this.taskCount; t++) {
      if (!this.daemons.has(t) && !this.isFinished(t)) return false;
    }
    return true;
  }

  /** Micro-steps since the machine was built. */
  get steps(): number {
    return this.store.clock;
  }

  /** Makes one micro-step of a runnable agent; `branch` says which way a `choose` goes. */
  step(agent: number, branch = 0): void {
    this.microStep(agent, branch);
    const { afterStep } = this;
    for (let i = 0; i < afterStep.length; i++) afterStep[i]!();
  }

  /** A step of nobody: a value changed by hand, told as the event `edit`. What is wrong with it, if it cannot be made. */
  edit(text: string): string | undefined {
    const { store } = this;
    const problem = store.unobserved(() => this.hand(text));
    if (problem !== undefined) return problem;
    store.clock++;
    this.tell(this.events.append('edit', this.steps, nobody, { text }));
    for (const look of this.afterStep) look();
    return undefined;
  }

  /**
   * Micro-steps of a runnable agent with nobody else in between, as many as can be made at once, `room` at most; one
   * where none can. Every cell is then as if they had been made one by one. Returns how many there were.
   */
  burst(agent: number, room: number): number {
    const { clock } = this.store;
    if (!this.makeTurns(agent, room)) this.step(agent);
    return this.store.clock - clock;
  }

  /** Turns of the loop at whose beginning the agent's task is; none where somebody looks at single steps. */
  private makeTurns(agent: number, room: number): boolean {
    const { store } = this;
    if (this.afterStep.length > 0 || this.checker !== undefined || agent < this.cpus) return false;
    const task = agent - this.cpus;
    const cpu = this.cpuOf(task);
    if (cpu >= 0 && (this.currentOf(cpu) !== task || this.pendingOf(cpu) !== 0)) return false;
    const op = this.opOf(task);
    if (op?.burst === undefined || this.program.routines.some((r) => r.traced)) return false;
    const at = this.topFrame(task);
    this.task = task;
    const steps = op.burst.make(this.seen(op, at), this, room);
    if (steps === 0) return false;
    store.clock += steps;
    if (this.turn === agent) store.put(this.historyAt + historyBegun, 1);
    this.advance(at, op.burst.last.next);
    return true;
  }

  private microStep(agent: number, branch: number): void {
    const { store } = this;
    store.clock++;
    if (agent < this.cpus) {
      this.task = this.currentOf(agent);
      this.deliver(agent);
      return;
    }
    const task = agent - this.cpus;
    this.task = task;
    const cpu = this.cpuOf(task);
    if (cpu >= 0) {
      const current = this.currentOf(cpu);
      if (current !== task) {
        store.put(this.cpuAt(cpu) + cpuCurrent, task + 1);
        this.spec.contextSwitch?.(this, cpu, current, task);
        return;
      }
    }
    if (this.turn === agent) store.put(this.historyAt + historyBegun, 1);
    this.executing = true;
    try {
      this.execute(task, branch);
    } catch (error) {
      this.oops(task, this.oopsOf(error));
    } finally {
      this.executing = false;
    }
  }

  /**
   * What an error says when it is one of the emulated kernel, which is all of them where a fault of somebody's own leads
   * it to what does not exist. One of ours goes on.
   */
  private oopsOf(error: unknown): string {
    if (error instanceof Oops) return error.message;
    const { deviations = [] } = this.program.variants;
    if (deviations.length === 0) throw error;
    const expected = /^assertion failed: (.*)$/s.exec(String((error as Error).message))?.[1];
    return `it goes where nothing is${expected === undefined ? '' : `; expected is ${expected}`}`;
  }

  /** The emulated kernel's own end: the task stays where it was and never runs again, its locks held. */
  private oops(task: number, message: string): void {
    this.checker?.end();
    this.store.put(this.taskAt(task) + taskState, dead);
    this.report('oops', { message });
  }

  /** Names something that is wrong with the emulated kernel, beside what its own code says. */
  report(name: string, args: Readonly<Record<string, unknown>>): void {
    this.tell(this.events.append(name, this.steps, this.task, args));
  }

  // Stacks.

  /** The stack of a task, innermost frame first. */
  stack(task: number): FrameInfo[] {
    const frames: FrameInfo[] = [];
    let at = this.store.peek(this.taskAt(task) + taskFrame);
    while (at !== 0) {
      const caller = this.store.peek(at + frameCaller);
      const { of: code } = this.opAt(at);
      frames.push({ at, code, pc: this.store.peek(at) - code.first, interrupt: caller < 0 });
      at = Math.abs(caller);
    }
    return frames;
  }

  /** Address of the innermost frame of a task, 0 when it has finished. */
  topFrame(task: number): number {
    return this.store.peek(this.taskAt(task) + taskFrame);
  }

  /** Number of frames on a task's stack. */
  depth(task: number): number {
    let depth = 0;
    let at = this.topFrame(task);
    while (at !== 0) {
      depth++;
      at = Math.abs(this.store.peek(at + frameCaller));
    }
    return depth;
  }

  /** The operation a task rests on. */
  opOf(task: number): Op | undefined {
    const frame = this.topFrame(task);
    return frame === 0 ? undefined : this.opAt(frame);
  }

  /** Whether the agent whose turn it is has executed something and come to the beginning of its next turn. */
  turnIsOver(agent: number): boolean {
    if (this.store.peek(this.historyAt + historyBegun) === 0) return false;
    return this.opOf(agent - this.cpus)?.turn ?? true;
  }

  /** Whose turn of the default schedule it is; -1 at the start. */
  get turn(): number {
    return this.store.peek(this.historyAt + historyCurrent) - 1;
  }

  set turn(agent: number) {
    this.store.put(this.historyAt + historyCurrent, agent + 1);
    this.store.put(this.historyAt + historyBegun, 0);
  }

  /** What the default schedule decides by, beside the state. */
  get scheduleState(): number {
    const [begun, gave] = [historyBegun, historyGaveWay].map((c) =>
      this.store.peek(this.historyAt + c),
    );
    return (this.turn << 2) | (begun! << 1) | gave!;
  }

  /** Takes the wish of the last step to give way. */
  takeGaveWay(): boolean {
    const at = this.historyAt + historyGaveWay;
    const gave = this.store.peek(at) !== 0;
    if (gave) this.store.put(at, 0);
    return gave;
  }

  /** The locks a task holds, in the order of taking. */
  held(task: number): Held[] {
    const at = this.taskAt(task) + taskHeld;
    const held: Held[] = [];
    for (let i = 0, entry = this.store.peek(at); entry !== 0; entry = this.store.peek(at + ++i)) {
      const how = entry & heldHow;
      const mode = how === heldForReading ? 'read' : 'write';
      held.push({ at: entry >> heldShift, mode, inInterrupt: how === heldInInterrupt });
    }
    return held;
  }

  /** Whether the cell belongs to a stack, and whose. */
  stackOwner(at: number): number {
    const offset = at - this.stackAt;
    return offset >= 0 && offset < this.taskCount * this.stackCells
      ? Math.floor(offset / this.stackCells)
      : -1;
  }

  /** Whether nobody but this task looks at the cell: it is of its stack, or says where that ends. */
  isOwn(at: number, task: number): boolean {
    return this.stackOwner(at) === task || at === this.taskAt(task) + taskFrame;
  }

  /** The class of the lock at this address. */
  lockClass(at: number): string {
    return this.lockField(at)?.of ?? 'lock';
  }

  /** The class by which lockdep knows it. */
  private orderClass(at: number): string {
    return this.lockField(at)?.orderedAs ?? 'lock';
  }

  private lockField(at: number): Field<unknown> | undefined {
    let found = this.lockFields.get(at);
    if (found === undefined) {
      found = this.objects.describe(at)?.slot.field;
      if (found !== undefined) this.lockFields.set(at, found);
    }
    return found;
  }

  lockHolders(at: number): number[] {
    const owner = lockOwner(this.store, at);
    if (owner >= 0) return [owner];
    if (lockReaders(this.store, at) === 0) return [];
    const holders: number[] = [];
    for (let t = 0; t < this.taskCount; t++)
      if (this.held(t).some((h) => h.at === at)) holders.push(t);
    return holders;
  }

  /** The ticket under which the lock at this address is held; 0: none. */
  lockTicket(at: number): number {
    const field = this.lockField(at) as Field<LockView> | undefined;
    return field?.get(this.store, at).ticketed === true ? lockTicket(this.store, at) : 0;
  }

  /** The ticket under which a task waits for a lock; 0: none. */
  waitTicket(task: number): number {
    return this.waiters.ticket(task);
  }

  get regions(): readonly Region[] {
    return this.store.regions;
  }

  // Inside.

  private taskAt(task: number): number {
    return this.tasksAt + task * this.taskCells;
  }

  private cpuAt(cpu: number): number {
    return this.cpusAt + cpu * cpuCells;
  }

  /** The operation that the frame at `at` rests on. */
  private opAt(at: number): Op {
    return this.program.ops[this.store.peek(at)]!;
  }

  /** The frame at `at`, as the functions of its operation see it. */
  private seen(op: Op, at: number): Frame {
    cursor.store = this.store;
    cursor.at = at;
    return op.view;
  }

  private interruptible(cpu: number): boolean {
    const at = this.cpuAt(cpu);
    if (this.store.peek(at + cpuPending) === 0 || this.store.peek(at + cpuMasked) !== 0)
      return false;
    const frame = this.topFrame(this.currentOf(cpu));
    if (frame === 0) return true;
    const { mode } = this.opAt(frame).of;
    return mode === 'user' || mode === 'kernel';
  }

  private deliver(cpu: number): void {
    const at = this.cpuAt(cpu) + cpuPending;
    const pending = this.store.peek(at);
    const vector = 31 - Math.clz32(pending & -pending);
    this.store.put(at, pending & ~(1 << vector));
    const task = this.currentOf(cpu);
    this.push(task, this.vectors[vector]!, -this.topFrame(task), {});
  }

  private canProceed(task: number): boolean {
    const frame = this.topFrame(task);
    if (frame === 0) return false;
    const op = this.opAt(frame);
    if (op.code !== Code.acquire && op.code !== Code.wait) return true;
    const { store, at } = cursor;
    try {
      return this.mayProceed(task, op);
    } catch (error) {
      cursor.store = store;
      cursor.at = at;
      this.oopsOf(error);
      return true; // one that cannot even be asked goes on, to its oops
    }
  }

  /** As `canProceed`, at an operation that may have to wait. */
  private mayProceed(task: number, op: Op): boolean {
    const at = this.taskAt(task);
    if (op.code === Code.acquire) {
      const lock = this.lockOf(task, op);
      if (lock.sleeps && this.store.peek(at + taskLock) !== lock.at) return true; // it joins the queue
      if (mayTake(this.store, lock.at, op.mode, task, this.waiters)) return true;
      if (this.refused(task, lock, this.waiters.ticket(task)) !== 0) return true;
    } else if (this.guardOf(task, op)) return true;
    return op.interruptible && this.store.peek(at + taskSignal) !== 0;
  }

  /** The lock that the operation of a task is about. May be asked within a step of another. */
  private lockOf(task: number, op: Op): LockView {
    const { store, at } = cursor;
    const lock = op.lock!(this.seen(op, this.topFrame(task)), this);
    cursor.store = store;
    cursor.at = at;
    return lock;
  }

  /** Whether the guard of a task's wait holds. May be asked within a step of another. */
  private guardOf(task: number, op: Op): boolean {
    const { store, at } = cursor;
    const holds = op.guard!(this.seen(op, this.topFrame(task)), this);
    cursor.store = store;
    cursor.at = at;
    return holds;
  }

  /** A CPU changes tasks where the kernel would: at a sleep, in user mode, at the end; never under a spinlock. */
  private givesUpCpu(current: number): boolean {
    const frame = this.topFrame(current);
    if (frame === 0 || this.isDead(current)) return true;
    const { mode } = this.opAt(frame).of;
    if (mode === 'user') return true;
    if (mode !== 'kernel' || this.holdsSpinlock(current) || this.canProceed(current)) return false;
    const op = this.opOf(current)!;
    return op.code === Code.acquire ? this.lockOf(current, op).sleeps : !op.spins;
  }

  private holdsSpinlock(task: number): boolean {
    const at = this.taskAt(task) + taskHeld;
    for (let i = 0, entry = this.store.peek(at); entry !== 0; entry = this.store.peek(at + ++i)) {
      if ((entry & heldSpins) !== 0) return true;
    }
    return false;
  }

  private execute(task: number, branch: number): void {
    const { store } = this;
    const at = this.topFrame(task);
    const op = this.opAt(at);
    const code = op.of;
    const frame = this.seen(op, at);
    this.checker?.begin(this, task, code, op);
    switch (op.code) {
      case Code.step:
        op.run!(frame, this);
        break;
      case Code.acquire:
        if (!this.acquire(task, op, frame)) {
          this.checker?.end();
          return; // it stands in the queue now, still on this operation
        }
        break;
      case Code.trylock: {
        const lock = op.lock!(frame, this);
        const free = mayTry(store, lock.at, op.mode, task, this.waiters);
        if (free) this.hold(task, lock, op.mode, 0);
        this.assign(op, at, free ? 1 : 0);
        break;
      }
      case Code.release:
        this.release(task, op.lock!(frame, this));
        break;
      case Code.wait:
        this.assign(op, at, op.guard!(frame, this) ? 0 : EINTR);
        break;
      case Code.choose:
        if (branch >= op.options.length) {
          fail(`a branch below ${op.options.length} of ${op.text}`);
        }
        this.assign(op, at, branch);
        break;
      case Code.call: {
        const callee = op.callee ?? this.pointedTo(op, frame);
        const args = op.args!(frame, this);
        this.checker?.end();
        this.push(task, callee, at, args);
        return;
      }
      case Code.ret: {
        const value = op.value?.(frame);
        this.checker?.end();
        this.pop(task, at, code, value);
        return;
      }
    }
    this.checker?.end();
    this.advance(at, op.next);
  }

  private pointedTo(op: Op, frame: Frame): RoutineCode {
    const number = op.pointer!(frame, this);
    if (number === 0) throw new NullPointer(op.text);
    return this.program.at(number);
  }

  private assign(op: Op, at: number, value: unknown): void {
    if (op.into !== undefined) op.into.field.set(this.store, at + op.into.offset, value);
  }

  /** Moves the frame at `at` on to operation `next`, or where conditions lead from there. */
  private advance(at: number, next: number): void {
    const { ops } = this.program;
    let to = next;
    for (let op = ops[to]!; op.code === Code.branch; op = ops[to]!) {
      to = this.decide(op, at) ? op.next : op.otherwise;
    }
    this.store.put(at, to);
  }

  private decide(op: Op, at: number): boolean {
    const frame = this.seen(op, at);
    this.checker?.beginCondition(this, op.of, op);
    const holds = op.condition!(frame);
    this.checker?.end();
    return holds;
  }

  private push(
    task: number,
    code: RoutineCode,
    caller: number,
    args: Readonly<Record<string, unknown>>,
  ): void {
    const { store } = this;
    const stack = this.stackAt + task * this.stackCells;
    const below = Math.abs(caller);
    const base = below === 0 ? stack : below + this.opAt(below).of.frame.cells;
    if (base + code.frame.cells > stack + this.stackCells) {
      fail(`room on the stack of ${this.names[task]}`);
    }
    store.put(base, code.first);
    store.put(base + frameCaller, caller);
    const { slots } = code.frame;
    for (let i = 0; i < code.args.length; i++) {
      const slot = slots[i]!;
      slot.field.set(store, base + slot.offset, args[slot.name]);
    }
    store.put(this.taskAt(task) + taskFrame, base);
    if (code.traced) this.calls.append(code.routine.name, this.steps, task, {});
    this.advance(base, code.entry);
  }

  private pop(task: number, at: number, code: RoutineCode, value: unknown): void {
    const { store } = this;
    const caller = store.peek(at + frameCaller);
    if (code.traced) this.calls.append(code.routine.name, this.steps, task, { value });
    for (let i = code.frame.cells - 1; i >= 0; i--) store.put(at + i, 0);
    store.put(this.taskAt(task) + taskFrame, Math.abs(caller));
    if (caller === 0) this.finish(task);
    if (caller <= 0) return; // finished, or back in what the interrupt interrupted
    const call = this.opAt(caller);
    this.assign(call, caller, value);
    this.advance(caller, call.next);
  }

  private finish(task: number): void {
    this.store.put(this.taskAt(task) + taskState, finished);
    const cpu = this.cpuOf(task);
    if (cpu < 0) return;
    const idle = this.taskCount - this.cpus + cpu;
    this.store.put(this.cpuAt(cpu) + cpuCurrent, idle + 1);
    this.spec.contextSwitch?.(this, cpu, task, idle);
  }

  /** True when the operation is over: the lock taken, or the wait interrupted. */
  private acquire(task: number, op: Op, frame: Frame): boolean {
    const { store } = this;
    const lock = op.lock!(frame, this);
    const at = this.taskAt(task);
    const queued = store.peek(at + taskLock) === lock.at;
    const mayHave = mayTake(store, lock.at, op.mode, task, this.waiters);
    const ticket = op.ticket?.(frame, this) ?? 0;
    const signalled = op.interruptible && store.peek(at + taskSignal) !== 0;
    const why = mayHave ? 0 : this.refused(task, lock, ticket) || (signalled ? EINTR : 0);
    if (!queued && why === 0) this.noteOrder(task, lock, op);
    if (!mayHave && why === 0) {
      assert(lock.sleeps && !queued, 'a lock that may be taken');
      store.put(at + taskLock, lock.at);
      store.put(at + taskMode, op.mode === 'read' ? 1 : 0);
      store.put(at + taskTicket, ticket);
      enqueue(store, lock.at, task, this.waiters);
      return false;
    }
    if (queued) {
      dequeue(store, lock.at, task, this.waiters);
      store.put(at + taskLock, 0);
      store.put(at + taskMode, 0);
      store.put(at + taskTicket, 0);
    }
    if (why === 0) this.hold(task, lock, op.mode, ticket);
    this.assign(op, frame.at, why);
    return true;
  }

  /** Why a task does not wait for a lock, under a ticket; 0: it does. */
  private refused(task: number, lock: LockView, ticket: number): number {
    if (ticket === 0) return 0;
    const holds = this.held(task).some(
      ({ at }) => this.lockClass(at) === lock.class && lockTicket(this.store, at) === ticket,
    );
    const why = refuses(this.store, lock.at, task, ticket, holds, this.waiters);
    return why === undefined ? 0 : why === 'already' ? EALREADY : EDEADLK;
  }

  /** Tells lockdep that a task is about to take a lock. */
  private noteOrder(task: number, lock: LockView, { nested }: Op): void {
    const report = this.lockdep.note(this.acquiring(task, lock, nested));
    if (report !== undefined) this.report('lockdep', { ...report });
  }

  private acquiring(task: number, lock: LockView, nested: boolean): Acquire {
    const cpu = this.cpuOf(task);
    const masked = this.isMasked(cpu);
    const interrupt = masked && this.inInterrupt(task);
    const held = this.held(task).filter((h) => h.at !== lock.at && h.inInterrupt === interrupt);
    return {
      lock: { class: this.orderClass(lock.at), sleeps: lock.sleeps },
      nested,
      held: held.map((h) => this.orderClass(h.at)),
      context: interrupt ? 'interrupt' : masked || cpu < 0 ? 'irqs-off' : 'irqs-on',
      atomic: lock.sleeps && this.holdsSpinlock(task),
      taking: () => this.taking(task),
    };
  }

  private taking(task: number): Taking {
    const frames = this.stack(task);
    const spans = frames.map(({ code, pc }) => code.ops[pc]!.span);
    return {
      task,
      place: spans.find((span) => span !== undefined)?.from ?? -1,
      frames: frames.map(({ code }) => code.routine.name),
    };
  }

  /** Whether interrupts are disabled on a CPU. */
  private isMasked(cpu: number): boolean {
    return cpu >= 0 && this.store.peek(this.cpuAt(cpu) + cpuMasked) !== 0;
  }

  /** Whether the task runs an interrupt handler on top of what was interrupted. */
  private inInterrupt(task: number): boolean {
    let at = this.topFrame(task);
    for (; at > 0; at = this.store.peek(at + frameCaller));
    return at < 0;
  }

  private hold(task: number, lock: LockView, mode: LockMode, ticket: number): void {
    const { store } = this;
    take(store, lock, mode, task, ticket);
    const first = this.taskAt(task) + taskHeld;
    let at = first;
    while (store.peek(at) !== 0) at++;
    if (at === first + this.heldMax) fail(`room for a lock of ${this.names[task]}`);
    const inHandler = !lock.sleeps && this.isMasked(this.cpuOf(task)) && this.inInterrupt(task);
    const how = lock.sleeps
      ? mode === 'read'
        ? heldForReading
        : 0
      : inHandler
        ? heldInInterrupt
        : heldSpins;
    store.put(at, (lock.at << heldShift) | how);
  }

  private release(task: number, lock: LockView): void {
    const { store } = this;
    let at = this.taskAt(task) + taskHeld;
    while (store.peek(at) >> heldShift !== lock.at) {
      if (store.peek(at) === 0) throw new Oops(`the ${lock.class} that is released is not held`);
      at++;
    }
    drop(store, lock, (store.peek(at) & heldHow) === heldForReading ? 'read' : 'write');
    for (; store.peek(at) !== 0; at++) store.put(at, store.peek(at + 1));
  }

  private namedByFrames(from: number, to: number): boolean {
    const { store } = this;
    for (let task = 0; task < this.taskCount; task++) {
      for (let at = this.topFrame(task); at !== 0; at = Math.abs(store.peek(at + frameCaller))) {
        for (const { offset } of this.opAt(at).of.references) {
          const target = store.peek(at + offset);
          if (target >= from && target < to) return true;
        }
      }
    }
    return false;
  }
}
