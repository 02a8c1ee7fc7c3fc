// A schedule in words: `schedule { render until vmw_mkwrite, gpu until idle }`. Each line says who goes and how far, by
// what happens instead of by steps, so that it holds for another model of the kernel as well. Before a run the words are
// followed once, which gives the choices that everything else goes by; where they do not fit, it is said with the line.
import { respelled } from '../base/fixes';
import { didYouMean } from '../base/suggest';
import type { Span } from '../base/text';
import type { Choice } from '../routine/schedule';
import type { Block, Name, Operation } from '../syntax/tree';
import type { Directive, ScenarioMeaning } from './meaning';
import type { Entity, Notes, Report } from './names';
import type { Run } from './run';
import { headOf } from './statements';
import { tracepoints } from './tracepoints';
import { scheduleForms } from './vocabulary';

/** Steps of one line, after which what it waits for is thought not to come. */
const stepsMax = 1_000_000;

interface Surroundings {
  readonly notes: Notes;
  /** The names of the machine's functions; none while that is not known. */
  readonly functions: () => readonly string[];
  readonly report: Report;
}

/** Who a schedule can speak of: the threads and processes of the scenario; the device has no line of its own. */
function agentsOf({ processes }: ScenarioMeaning): readonly Entity[] {
  return processes.flatMap((process): Entity[] => [
    ...process.threads.map((thread) => entity('thread', thread)),
    entity('process', process),
  ]);
}

function entity(
  kind: 'thread' | 'process',
  { name, from, to }: Span & { readonly name: string },
): Entity {
  return { kind, name, declared: { from, to } };
}

/** The names that a line of a schedule can begin with. */
export function agentNames(meaning: ScenarioMeaning): readonly string[] {
  return [...agentsOf(meaning).map(({ name }) => name), 'gpu'];
}

/** The lines of a schedule; what is wrong with one is reported. */
export function resolveDirectives(
  { statements }: Block,
  meaning: ScenarioMeaning,
  around: Surroundings,
): Directive[] {
  const { report } = around;
  return statements.flatMap((statement): Directive[] => {
    if (statement.kind !== 'operation' || statement.body !== undefined) {
      report(
        headOf(statement),
        `a schedule says who goes, and how far: \`${scheduleForms.until.form}\``,
      );
      return [];
    }
    const made = directive(statement, meaning, around);
    return made === undefined ? [] : [made];
  });
}

function directive(
  statement: Operation,
  meaning: ScenarioMeaning,
  { notes, functions, report }: Surroundings,
): Directive | undefined {
  const agents = agentNames(meaning);
  const { verb, target, words, from, to } = statement;
  const word = target?.kind === 'reference' ? target.name : undefined;
  const texts = words.map(({ text }) => text);
  if (verb.text === 'interrupt') {
    const cpu = word === undefined ? -1 : Number(/^cpu(\d+)$/.exec(word)?.[1] ?? -1);
    if (cpu >= 0 && cpu < meaning.machine.cpus) return { from, to, kind: 'interrupt', cpu };
    report(target ?? verb, `say on which CPU: \`${scheduleForms.interrupt.form}\``);
    return undefined;
  }
  if (!agents.includes(verb.text)) {
    const list = agents.map((name) => `\`${name}\``).join(', ');
    report(
      verb,
      `nobody is called \`${verb.text}\`${didYouMean(verb.text, agents) || `; there are ${list}`}`,
      'error',
      respelled(verb, agents),
    );
    return undefined;
  }
  if (agents.filter((name) => name === verb.text).length > 1) {
    report(verb, `several are called \`${verb.text}\`; give them names of their own`);
    return undefined;
  }
  const agent = agentsOf(meaning).find(({ name }) => name === verb.text);
  if (agent !== undefined) notes.uses.push({ from: verb.from, to: verb.to, entity: agent });
  const found = howFar(word, texts);
  if (found !== undefined) {
    nameKnown(found, words[0], functions, report);
    return { from, to, agent: verb.text, ...found };
  }
  const forms = Object.values(scheduleForms).map(({ form }) => `\`${form}\``);
  report(statement, `this does not say how far \`${verb.text}\` goes; write ${forms.join(', ')}`);
  return undefined;
}

type HowFar = {
  [K in Directive['kind']]: Omit<Extract<Directive, { kind: K }>, keyof Span | 'agent'>;
}['idle' | 'event' | 'routine' | 'count' | 'choice'];

/** A function that this machine has not may be one of another kernel, with which the scenario is run. */
function nameKnown(
  found: HowFar,
  name: Name | undefined,
  functions: () => readonly string[],
  report: Report,
): void {
  if (name === undefined) return;
  if (found.kind === 'event' && !Object.hasOwn(tracepoints, found.tracepoint)) {
    const names = Object.keys(tracepoints);
    const help = didYouMean(found.tracepoint, names) || '; behind `events(` completion knows all';
    const message = `there is no event \`${found.tracepoint}\`${help}`;
    report(name, message, 'error', respelled(name, names));
  } else if (found.kind === 'routine') {
    const names = functions();
    if (names.length === 0 || names.includes(found.routine)) return;
    report(name, noFunction(found.routine, names), 'warning', respelled(name, names));
  }
}

function noFunction(name: string, names: readonly string[]): string {
  return `there is no function \`${name}\` in this machine${didYouMean(name, names)}`;
}

/** What stands behind the agent: `until idle`, `until NAME`, `until NAME returns`, `for 3 steps`, `chooses "…"`. */
function howFar(word: string | undefined, texts: readonly string[]): HowFar | undefined {
  const [first = '', ...rest] = texts;
  if (word === 'chooses' && rest.length === 0 && first !== '')
    return { kind: 'choice', option: first };
  if (word === 'for' && /^\d{1,7}$/.test(first) && /^(statements?|steps?)$/.test(rest.join(' ')))
    return {
      kind: 'count',
      count: Number(first),
      of: rest[0]!.startsWith('st') && rest[0]![2] === 'a' ? 'statements' : 'steps',
    };
  if (word !== 'until' || first === '') return undefined;
  if (rest.length === 0)
    return first === 'idle' ? { kind: 'idle' } : { kind: 'event', tracepoint: first };
  const tail = rest.join(' ');
  if (tail === 'returns') return { kind: 'routine', routine: first, when: 'returns' };
  if (tail === 'is called') return { kind: 'routine', routine: first, when: 'called' };
  return undefined;
}

/** Why the words do not fit the run, with the line of the file. */
export interface Misfit {
  readonly message: string;
  readonly at: Span;
}

/** The choices that the words come to; the run is where it was before. */
export function layDown(run: Run, directives: readonly Directive[]): Choice[] | Misfit {
  const { engine } = run;
  const choices: Choice[] = [];
  const mark = engine.store.mark();
  const misfit = follow();
  engine.store.rollback(mark);
  return misfit ?? choices;

  function follow(): Misfit | undefined {
    for (const one of directives) {
      const wrong = one.kind === 'interrupt' ? interrupt(one.cpu) : goOn(one);
      if (wrong !== undefined) return { message: `${wrong}; ${whoCould()}`, at: one };
    }
    return undefined;
  }

  function make(agent: number, branch = 0): void {
    engine.step(agent, branch);
    choices.push({ agent, branch });
  }

  function interrupt(cpu: number): string | undefined {
    if (!engine.runnable(cpu))
      return `no interrupt can come on cpu${cpu} at step ${choices.length}`;
    const task = engine.currentOf(cpu);
    const agent = engine.agentOfTask(task);
    const depth = engine.depth(task);
    make(cpu);
    while (engine.depth(task) > depth) {
      if (!engine.runnable(agent)) return `the handler cannot go on: ${why(task)}`;
      make(agent);
    }
    return undefined;
  }

  function goOn(one: Exclude<Directive, { kind: 'interrupt' }>): string | undefined {
    const task = Array.from({ length: engine.taskCount }, (_, t) => t).find(
      (t) => engine.taskName(t) === one.agent,
    );
    if (task === undefined) return `${one.agent} has nothing to do in this scenario`;
    const agent = engine.agentOfTask(task);
    const { program } = engine;
    if (one.kind === 'routine' && program.called(one.routine).length === 0)
      return noFunction(one.routine, program.names());
    const over = reached(one, task);
    for (let steps = 0; !(one.kind === 'idle' && !engine.runnable(agent)); steps++) {
      if (steps > stepsMax) return `${one.agent} does not come so far in ${stepsMax} steps`;
      while (!engine.runnable(agent)) {
        if (!help()) return `${one.agent} cannot go at step ${choices.length}: ${why(task)}`;
      }
      if (one.kind === 'choice' && engine.branches(agent) > 1) {
        const options = engine.opOf(task)!.options;
        const branch = options.indexOf(one.option);
        if (branch >= 0) {
          make(agent, branch);
          return undefined;
        }
        return `${one.agent} can choose ${options.map((o) => `"${o}"`).join(' or ')} at step ${choices.length}`;
      }
      if (over(() => make(agent))) return undefined;
    }
    return undefined;
  }

  /** Who waits is waiting for others: interrupts come, and the device goes on, but no other thread. */
  function help(): boolean {
    for (let cpu = 0; cpu < engine.cpus; cpu++) {
      if (engine.runnable(cpu)) return interrupt(cpu) === undefined;
    }
    const device = Array.from({ length: engine.taskCount }, (_, t) => t).find(
      (t) => engine.taskName(t) === 'gpu',
    );
    if (device === undefined || !engine.runnable(engine.agentOfTask(device))) return false;
    make(engine.agentOfTask(device));
    return true;
  }

  /** Makes a step with the function given, and says whether the line is over by it. */
  function reached(one: Directive, task: number): (step: () => void) => boolean {
    let left = one.kind === 'count' ? one.count : 0;
    const awaited = one.kind === 'routine' ? engine.program.called(one.routine) : [];
    return (step) => {
      const { events } = engine;
      const [before] = engine.stack(task);
      const depth = engine.depth(task);
      const logged = events.length;
      step();
      const [now] = engine.stack(task);
      switch (one.kind) {
        case 'event':
          return events.slice(logged).some((e) => e.name === one.tracepoint && e.task === task);
        case 'routine':
          return one.when === 'called'
            ? engine.depth(task) > depth && awaited.some((code) => code === now?.code)
            : engine.depth(task) < depth && awaited.some((code) => code === before?.code);
        case 'count': {
          const moved = now?.at !== before?.at || now?.pc !== before?.pc;
          const ended = now === undefined || (moved && now.code.ops[now.pc]!.turn);
          if (one.of === 'steps' || ended) left--;
          return left <= 0;
        }
        default:
          return false;
      }
    };
  }

  function why(task: number): string {
    if (engine.isFinished(task)) return 'it has ended';
    const blocked = engine.blocked(task);
    if (blocked === undefined) return 'it is dead';
    return blocked.by === 'cpu'
      ? `its CPU runs ${engine.taskName(blocked.task)}`
      : `it waits: ${blocked.text}`;
  }

  function whoCould(): string {
    const names: string[] = [];
    for (let agent = 0; agent < engine.agents; agent++) {
      const isIdle = agent >= engine.agents - engine.cpus; // the tasks of CPUs without one
      if (isIdle || !engine.runnable(agent)) continue;
      names.push(agent < engine.cpus ? `interrupt cpu${agent}` : engine.agentName(agent));
    }
    return names.length === 0 ? 'nobody could go' : `who could go: ${names.join(', ')}`;
  }
}
