// A toy machine for the tests of the engine: counters under locks, an interrupt, threads, agents without a CPU.
import { Checker } from '../../src/routine/check';
import { Engine, type EngineSpec, type TaskSpec } from '../../src/routine/engine';
import { sleepingLock, spinlock } from '../../src/routine/locks';
import { Program } from '../../src/routine/program';
import { type AnyBuilder, type Mode, type Routine, routine } from '../../src/routine/routine';
import { type Choice, defaultAgent } from '../../src/routine/schedule';
import { int, ref, struct, type View } from '../../src/state/layout';

export const toy_counter = struct('toy_counter', {
  shared: { hits: int, total: int },
  under: { toy_lock: { value: int, next: ref('toy_counter') }, toy_sem: { readings: int } },
  own: { lock: spinlock('toy_lock'), sem: sleepingLock('toy_sem') },
});

declare module '../../src/state/layout' {
  interface Structs {
    toy_counter: View<typeof toy_counter>;
  }
}

/** The static counter of the toy. */
export const counter = (k: Engine) => k.the('counter', 'toy_counter');

export const cpu_idle = routine('toy.c', 'cpu_idle', {}, ({ wait }) => [wait('hlt', () => false)]);

export const toy_interrupt = routine('toy.c', 'toy_interrupt', { mode: 'interrupt' }, (b) => [
  b.atomic('hits += 100', (_f, k) => {
    counter(k).hits += 100;
  }),
]);

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

/** A routine with locals `i`, `got` and `ret`, as most tests need no others. */
export function toy(
  name: string,
  body: (b: ToyBuilder) => unknown,
  mode: Mode = 'kernel',
): Routine<Record<never, never>> {
  return routine('toy.c', name, { mode, locals: toyLocals }, body);
}

const toyLocals = { i: int, got: int, ret: int };
type ToyBuilder = Parameters<
  Parameters<typeof routine<Record<never, never>, typeof toyLocals>>[3]
>[0];

/** A step that does nothing but be seen. */
export const at = (b: AnyBuilder, text: string) => b.step(text, () => {});

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

/** Who goes next and what it does, as one line of a transcript. */
function nextText(engine: Engine, agent: number): string {
  const name = engine.agentName(agent);
  const task = engine.taskOfAgent(agent);
  if (task < 0) return `${name}: delivered`;
  const cpu = engine.cpuOf(task);
  if (cpu >= 0 && engine.currentOf(cpu) !== task) return `${name}: switched to`;
  return `${name}: ${engine.opOf(task)!.text}`;
}

/** The transcript of a run under the default schedule, one line a micro-step; returns are left out. */
export function transcript(engine: Engine, stepsMax = 200): string[] {
  const lines: string[] = [];
  for (let agent = defaultAgent(engine); agent >= 0; agent = defaultAgent(engine)) {
    if (lines.length === stepsMax) throw new Error(`no end after ${stepsMax} steps`);
    const line = nextText(engine, agent);
    if (!/: return\b/.test(line)) lines.push(line);
    engine.step(agent);
  }
  return lines;
}

/** The number of the agent called `name`. */
export function agentNamed(engine: Engine, name: string): number {
  for (let agent = 0; agent < engine.agents; agent++) {
    if (engine.agentName(agent) === name) return agent;
  }
  throw new Error(`no agent called ${name}`);
}

/** Lets the named agents go, one micro-step each; throws when one of them cannot. */
export function go(engine: Engine, names: string): void {
  for (const name of names.split(' ')) {
    const agent = agentNamed(engine, name);
    if (!engine.runnable(agent)) throw new Error(`${name} cannot go on`);
    engine.step(agent);
  }
}

/** The agents that could go next, by name. */
export function whoCan(engine: Engine): string {
  const names: string[] = [];
  for (let agent = 0; agent < engine.agents; agent++) {
    if (engine.runnable(agent)) names.push(engine.agentName(agent));
  }
  return names.join(' ');
}

/** What the checker found in a run of these tasks under the default schedule. */
export function brokenRules(tasks: readonly TaskSpec[], options: ToyOptions = {}): string[] {
  const engine = toyEngine(tasks, options);
  runToEnd(engine);
  return engine.checker!.broken.map((b) => `${b.rule}: ${b.message}`);
}
