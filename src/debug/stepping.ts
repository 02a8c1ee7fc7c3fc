// Stepping: each command is a motion, a direction and a test of when the task it is about has come far enough.
// A statement of the scenario is a step over in its frames, a line of the listing in the kernel's; `instruction`
// is one micro-step. Backwards is the exact inverse: it ends where the same command forwards began.
import type { Engine, FrameInfo } from '../routine/engine';
import type { Choice } from '../routine/schedule';
import type { Timeline } from '../timeline/timeline';
import type { Target } from './debuggee';
import { isScenario } from './listings';
import type { Stop } from './session';

export type Granularity = 'statement' | 'instruction';

/** A run in one direction for one reason. */
export interface Motion {
  readonly backward: boolean;
  /** The task it is about; where it stops for another reason, that reason's task counts. */
  readonly task: number;
  /** The choice of the first step, where the user made one. */
  readonly first: Choice | undefined;
  /** Whether it has come far enough; asked at each position reached. */
  readonly done: () => boolean;
  /** Every micro-step counts to it; else only what comes between those that can be made at once (`Engine.burst`). */
  readonly single?: boolean;
  /** Where it goes without stopping on the way. */
  readonly towards?: Target;
  /** Of a journey: it is stopped by nothing on the way, and says where it has come to. */
  readonly arrive?: () => Stop;
  /** What is said when it comes to an end of the run instead. */
  readonly failing?: string;
}

/** Whether the last micro-step moved the task: changed a cell of its stack. A queue or a CPU entered is no move. */
export function moved(timeline: Timeline, task: number): boolean {
  if (!wentLast(timeline, task)) return false;
  const { engine } = timeline;
  let found = false;
  timeline.wrote((cell) => {
    found ||= engine.stackOwner(cell) === task;
  });
  return found;
}

/** Whether the last micro-step was the task's, even if it only came into a queue. */
function wentLast({ engine, lastAgent }: Timeline, task: number): boolean {
  return lastAgent >= 0 && taskOf(engine, lastAgent) === task;
}

/** The task that an agent's step was of: an interrupt goes to what its CPU runs. */
export function taskOf(engine: Engine, agent: number): number {
  return agent < engine.cpus ? engine.currentOf(agent) : agent - engine.cpus;
}

/** A task stands at the beginning of a statement of the scenario. */
function atStatement(engine: Engine, task: number): boolean {
  const op = engine.opOf(task);
  return op?.turn === true && op.span !== undefined;
}

/** The innermost frame of a task is the scenario's, or was when it ended. */
function inScenario(top: FrameInfo | undefined): boolean {
  return top === undefined || isScenario(top.code);
}

/** Runs on until something else ends it. */
export function endless(task: number, backward: boolean): Motion {
  return { backward, task, first: undefined, done: () => false };
}

/** Step over, into or out of, forwards. A task that ends has come far enough. */
export function forward(
  timeline: Timeline,
  task: number,
  how: 'over' | 'into' | 'out',
  granularity: Granularity,
  first?: Choice,
): Motion {
  const { engine } = timeline;
  const depth = engine.depth(task);
  const statements = granularity === 'statement' && inScenario(engine.stack(task)[0]);
  const far = (): boolean => {
    if (how === 'out') return engine.depth(task) < depth;
    const rests = !statements || atStatement(engine, task);
    return how === 'into'
      ? rests || engine.depth(task) > depth
      : rests && engine.depth(task) <= depth;
  };
  // Asked at every step: what costs least comes first.
  const done = () =>
    wentLast(timeline, task) && (engine.isFinished(task) || far()) && moved(timeline, task);
  const single = how !== 'out' && !(how === 'over' && statements);
  return { backward: false, task, first, done, single };
}

/**
 * Step back over (to where a step over would have come from), into (one micro-step of the task) or out (to the call
 * that the frame was entered by). The beginning of the run ends it too.
 */
export function backward(
  timeline: Timeline,
  task: number,
  how: 'over' | 'into' | 'out',
  granularity: Granularity,
): Motion {
  const { engine } = timeline;
  const depth = Math.max(1, engine.depth(task));
  const statements = granularity === 'statement' && inScenario(engine.stack(task)[0]);
  const far = (): boolean => {
    if (how === 'into') return true;
    if (how === 'out') return engine.depth(task) < depth;
    return (!statements || atStatement(engine, task)) && engine.depth(task) <= depth;
  };
  // A place is come to by a move, so the moves of the task tell the places: one must have been taken back.
  let undone = moved(timeline, task);
  const done = (): boolean => {
    const begun = undone;
    undone ||= moved(timeline, task);
    return begun && far() && (timeline.position === timeline.start || moved(timeline, task));
  };
  return { backward: true, task, first: undefined, done };
}
