// A toy machine for the tests of the engine: counters under a lock, an agent without a CPU, an interrupt.
import { int, type Ref, ref, struct, type View } from '../../src/state/layout';
import { Checker } from '../../src/routine/check';
import { Engine, type EngineSpec, type TaskSpec } from '../../src/routine/engine';
import { spinlock, sleepingLock } from '../../src/routine/locks';
import { Program } from '../../src/routine/program';
import { routine, type Routine } from '../../src/routine/routine';

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

export const toy_interrupt = routine('toy.c', 'toy_interrupt', { mode: 'interrupt' }, ({ atomic }) => [
  atomic('hits += 100', (_f, k) => {
    const c = k.the('counter', 'toy_counter');
    c.hits += 100;
  }),
]);

/** An engine over the toy structs; checks on. */
export function toyEngine(
  tasks: readonly TaskSpec[],
  options: Partial<EngineSpec> & { roots?: readonly Routine[]; check?: boolean } = {},
): Engine {
  const roots = [cpu_idle, toy_interrupt, ...tasks.map((t) => t.root), ...(options.roots ?? [])];
  const engine = new Engine({
    program: new Program(roots, { known: new Set(['toy-bug']), active: new Set() }),
    cpus: 2,
    tasks,
    pools: [{ struct: toy_counter as never, count: 4 }],
    statics: [{ name: 'counter', struct: toy_counter as never }],
    vectors: [toy_interrupt],
    idle: cpu_idle,
    stackCells: 256,
    ...options,
  });
  engine.store.settle();
  if (options.check ?? true) engine.checker = new Checker();
  return engine;
}

export type { Ref };
