// Schedules: the list of choices that, with a scenario and its options, determines a run. An entry is the agent that
// went and, at a `choose`, the branch it took. The default schedule is a policy over the store alone.
import type { Engine } from './engine';

/** One choice: the agent and the branch (0 but for a `choose`). */
export interface Choice {
  readonly agent: number;
  readonly branch: number;
}

/**
 * The default schedule: pending interrupts first, then round robin in order of declaration, each for one turn (a
 * statement of a thread, a command of an engine, an item of a worker). Who blocks or gives way hands over.
 * Returns the agent to go next, or -1 when none can.
 */
export function defaultAgent(engine: Engine): number {
  for (let cpu = 0; cpu < engine.cpus; cpu++) if (engine.runnable(cpu)) return cpu;
  const { agents, cpus, turn } = engine;
  const gaveWay = engine.takeGaveWay();
  if (turn >= cpus && !gaveWay && engine.runnable(turn) && !engine.turnIsOver(turn)) return turn;
  for (let i = 1; i <= agents; i++) {
    const agent = (Math.max(turn, 0) + i) % agents;
    if (agent < cpus || !engine.runnable(agent)) continue;
    engine.turn = agent;
    return agent;
  }
  return -1;
}

/** A schedule as text: runs of one agent as `agent` or `agentxN`, a branch as `agent/branch`. */
export function scheduleText(choices: readonly Choice[]): string {
  const words: string[] = [];
  for (let i = 0; i < choices.length; ) {
    const { agent, branch } = choices[i]!;
    let n = 1;
    while (branch === 0 && choices[i + n]?.agent === agent && choices[i + n]?.branch === 0) n++;
    words.push(branch !== 0 ? `${agent}/${branch}` : n === 1 ? `${agent}` : `${agent}x${n}`);
    i += n;
  }
  return words.join(' ');
}

/** Reads a schedule's text; a string says what is wrong with it. */
export function parseSchedule(text: string): Choice[] | string {
  const words = readSchedule(text);
  if (typeof words === 'string') return words;
  return words.flatMap(({ agent, branch, count }) => Array(count).fill({ agent, branch }));
}

/** The words of a schedule's text, each a choice and how often it is made; a string says what is wrong with it. */
export function readSchedule(text: string): (Choice & { readonly count: number })[] | string {
  const words: (Choice & { readonly count: number })[] = [];
  let steps = 0;
  for (const word of text.split(/\s+/).filter((w) => w !== '')) {
    const match = /^(\d{1,6})(?:\/(\d{1,4})|x(\d{1,9}))?$/.exec(word);
    if (match === null) return `'${word}' is not agent, agentxN or agent/branch`;
    const [, agent, branch = 0, count = 1] = match;
    steps += Number(count);
    if (steps > 50_000_000) return 'the schedule has more than 50 million steps';
    words.push({ agent: Number(agent), branch: Number(branch), count: Number(count) });
  }
  return words;
}
