// A toy machine for the tests of the engine: counters under a lock, an agent without a CPU, an interrupt.

import { Checker } from '../../src/routine/check';
import { Engine, type EngineSpec, type TaskSpec } from '../../src/routine/engine';
import { sleepingLock, spinlock } from '../../src/routine/locks';
import { Program } from '../../src/routine/program';
import { type Routine, routine } from '../../src/routine/routine';
import { type Choice, defaultAgent } from '../../src/routine/schedule';
import { int, ref, struct, type View } from '../../src/state/layout';

export const toy_counter = struct('toy_counter', {
  shared: { hits: int, total: int },
  under: { toy_lock: { value: int, next: ref('toy_counter') } },
  own: { lock: spinlock('toy_lock'), sem: sleepingLock('toy_sem') },
});

declare module '../../src/state/layout' {
  interface Structs {
    toy_counter: View<typeof toy_counter>;
  }
}

export const cpu_idle = routine('toy.c', 'cpu_idle', {}, ({ wait }) => [wait('hlt', () => false)]);

export const toy_interrupt = routine(
  'toy.c',
  'toy_interrupt',
  { mode: 'interrupt' },
  ({ atomic }) => [
    atomic('hits += 100', (_f, k) => {
      const c = k.the('counter', 'toy_counter');
      c.hits += 100;
    }),
  ],
);

/** Changes to the toy: other parts of its machine, more routines, variants, no checks. */
export interface ToyOptions extends Partial<EngineSpec> {
  readonly roots?: readonly Routine[];
  readonly variants?: readonly string[];
  readonly check?: boolean;
}

/** An engine over the toy structs; checks on. */
export function toyEngine(tasks: readonly TaskSpec[], options: ToyOptions = {}): Engine {
  const roots = [cpu_idle, toy_interrupt, ...tasks.map((t) => t.root), ...(options.roots ?? [])];
  const statics = options.statics ?? [{ name: 'counter', struct: toy_counter }];
  const variants = { known: new Set(['toy-bug']), active: new Set(options.variants ?? []) };
  const engine = new Engine({
    program: new Program(roots, variants, statics),
    cpus: 2,
    tasks,
    pools: [{ struct: toy_counter, count: 4 }],
    statics,
    vectors: [toy_interrupt],
    idle: cpu_idle,
    stackCells: 256,
    ...options,
  });
  engine.store.settle();
  if (options.check ?? true) engine.checker = new Checker();
  return engine;
}

/** Runs under the default schedule until nobody can go on; the choices that were made. */
export function runToEnd(engine: Engine, stepsMax = 100_000): Choice[] {
  const choices: Choice[] = [];
  for (let agent = defaultAgent(engine); agent >= 0; agent = defaultAgent(engine)) {
    if (choices.length === stepsMax) throw new Error(`no end after ${stepsMax} steps`);
    engine.step(agent);
    choices.push({ agent, branch: 0 });
  }
  return choices;
}
