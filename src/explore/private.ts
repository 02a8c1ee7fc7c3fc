// Which steps a search need not interleave: those that nobody else can notice. A step is private when it reads and
// writes only the stack of its own task, names no event, and opens no door less than before it: what could come in
// between before it (an interrupt, another task of the CPU) still can behind it. Such a step commutes with every step of
// others, those of an interrupt on top of it included, so that every order has one with the same end, the same events
// and the same problems in which the step comes at once behind its task's step before it.
import type { Engine } from '../routine/engine';
import { Code, type Op } from '../routine/program';
import type { Mode } from '../routine/routine';
import type { AccessObserver } from '../state/store';

/** What may come in on top of a frame: nothing; interrupts; other tasks of its CPU, too. */
const openness: Readonly<Record<Mode, number>> = {
  instruction: 0,
  interrupt: 0,
  device: 0,
  kernel: 1,
  user: 2,
};

/** More in a row are interleaved, so that a loop of private steps cannot hold up the search. */
const inRowMax = 1000;

export class PrivateSteps implements AccessObserver {
  private task = 0;
  private elsewhere = false;
  /** Operations that were found not to be private once; they are not tried again. */
  private readonly shared: Uint8Array;

  constructor(private readonly engine: Engine) {
    this.shared = new Uint8Array(engine.program.ops.length);
  }

  /** Makes the private steps that `task` stands before; `made` hears of each. */
  run(task: number, made: () => void): void {
    for (let i = 0; i < inRowMax && this.step(task); i++) made();
  }

  /** One step of the task if it is private; nothing has changed otherwise. */
  private step(task: number): boolean {
    const { engine } = this;
    const op = engine.opOf(task);
    const agent = engine.agentOfTask(task);
    if (op === undefined || !this.mayBe(op) || !engine.runnable(agent)) return false;
    const { store, events } = engine;
    const number = store.peek(engine.topFrame(task));
    if (this.shared[number] === 1) return false;
    const logged = events.length;
    const mark = store.mark();
    this.task = task;
    this.elsewhere = false;
    store.observer = this;
    engine.step(agent);
    store.observer = undefined;
    store.writtenSince(mark, (at) => this.look(at));
    const next = engine.opOf(task);
    const closes = next === undefined || openness[next.of.mode] < openness[op.of.mode];
    if (!this.elsewhere && !closes && events.length === logged) return true;
    this.shared[number] = 1;
    store.rollback(mark);
    return false;
  }

  read(at: number): void {
    this.look(at);
  }

  write(at: number): void {
    this.look(at);
  }

  private look(at: number): void {
    const { engine, task } = this;
    if (!engine.isOwn(at, task) && engine.store.kindOf(at) !== 'history') this.elsewhere = true;
  }

  /**
   * Locks, waits and choices are never private. Nor are steps of user mode, of instructions and of interrupts: a
   * scenario's expressions, a TLB that may drop what memory no longer says, and the handler of a shootdown look at the
   * machine unobserved.
   */
  private mayBe({ code, of }: Op): boolean {
    if (code === Code.call || code === Code.ret) return of.mode !== 'user' || code === Code.ret;
    return code === Code.step && (of.mode === 'kernel' || of.mode === 'device');
  }
}
