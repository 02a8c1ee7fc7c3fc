// Schedules: the list of choices that, with a scenario and its options, determines a run. An entry is the agent that
// went and, at a `choose`, the branch it took; or a value that somebody changed by hand. The default schedule is a policy
// over the store alone.
import type { Engine } from './engine';

/** One choice: the agent and the branch (0 but for a `choose`). */
export interface Choice {
  readonly agent: number;
  readonly branch: number;
}

/** A value changed by hand, as `place=value` without blanks; what it means is known to the machine (`Engine.hand`). */
export interface Edit {
  readonly edit: string;
}

/** An entry of a schedule. */
export type Entry = Choice | Edit;

export const isEdit = (entry: Entry): entry is Edit => 'edit' in entry;

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

/** A schedule as text: runs of one agent as `agent` or `agentxN`, a branch as `agent/branch`, an edit as it is. */
export function scheduleText(entries: readonly Entry[]): string {
  const words: string[] = [];
  for (let i = 0; i < entries.length; ) {
    const entry = entries[i++]!;
    if (isEdit(entry)) words.push(entry.edit);
    else if (entry.branch !== 0) words.push(`${entry.agent}/${entry.branch}`);
    else {
      let n = 1;
      while (i < entries.length && isStepOf(entries[i]!, entry.agent)) [i, n] = [i + 1, n + 1];
      words.push(n === 1 ? `${entry.agent}` : `${entry.agent}x${n}`);
    }
  }
  return words.join(' ');
}

const isStepOf = (entry: Entry, agent: number): boolean =>
  !isEdit(entry) && entry.agent === agent && entry.branch === 0;

/** Reads a schedule's text; a string says what is wrong with it. */
export function parseSchedule(text: string): Entry[] | string {
  const words = readSchedule(text);
  if (typeof words === 'string') return words;
  return words.flatMap(({ entry, count }) => Array<Entry>(count).fill(entry));
}

/** A word of a schedule's text: an entry and how often it comes. */
export interface Word {
  readonly entry: Entry;
  readonly count: number;
}

/** The words of a schedule's text; a string says what is wrong with it. */
export function readSchedule(text: string): Word[] | string {
  const words: Word[] = [];
  let steps = 0;
  for (const word of text.split(/\s+/).filter((w) => w !== '')) {
    if (/^[a-z]+:[^=]+=./.test(word)) {
      steps++;
      words.push({ entry: { edit: word }, count: 1 });
      continue;
    }
    const match = /^(\d{1,6})(?:\/(\d{1,4})|x(\d{1,9}))?$/.exec(word);
    if (match === null) return `'${word}' is not agent, agentxN, agent/branch or place=value`;
    const [, agent, branch = 0, count = 1] = match;
    steps += Number(count);
    if (steps > 50_000_000) return 'the schedule has more than 50 million steps';
    words.push({ entry: { agent: Number(agent), branch: Number(branch) }, count: Number(count) });
  }
  return words;
}
