// All schedules of a small machine, for tests that show that something cannot happen: depth first, the choices of the
// hardware included, every step out of every state once. Equal hashes are taken for equal states.
import type { Engine } from '../../src/routine/engine';
import { type Choice, scheduleText } from '../../src/routine/schedule';
import type { LoggedEvent } from '../../src/state/events';

/** What is wrong with a step, given the events it emitted, or with the state in which nobody can go on; '': nothing. */
export interface Judge {
  readonly step?: (emitted: readonly LoggedEvent[]) => string;
  readonly end?: () => string;
}

export interface Searched {
  readonly states: number;
  readonly ends: number;
  /** What was found wrong, with one schedule from where the search began that leads to it. */
  readonly wrong: ReadonlyMap<string, string>;
}

/** Goes through every schedule; the machine is left as it was. */
export function searchAll(k: Engine, judge: Judge): Searched {
  const { store } = k;
  const seen = new Map<number, Set<number>>();
  const path: Choice[] = [];
  const wrong = new Map<string, string>();
  let states = 0;
  let ends = 0;

  const isNew = (): boolean => {
    const { hashHigh, hashLow } = store;
    const lows = seen.get(hashHigh) ?? new Set();
    seen.set(hashHigh, lows);
    if (lows.has(hashLow)) return false;
    lows.add(hashLow);
    states++;
    return true;
  };
  const note = (said: string): void => {
    if (said !== '' && !wrong.has(said)) wrong.set(said, scheduleText(path));
  };

  const visit = (): void => {
    if (!isNew()) return;
    let isEnd = true;
    for (let agent = 0; agent < k.agents; agent++) {
      if (!k.runnable(agent)) continue;
      isEnd = false;
      const branches = k.branches(agent);
      for (let branch = 0; branch < branches; branch++) {
        const mark = store.mark();
        const before = k.events.length;
        k.step(agent, branch);
        path.push({ agent, branch });
        if (judge.step !== undefined) note(judge.step(k.events.slice(before)));
        visit();
        path.pop();
        store.rollback(mark);
      }
    }
    if (!isEnd) return;
    ends++;
    note(k.done ? (judge.end?.() ?? '') : 'nobody can go on');
  };

  visit();
  return { states, ends, wrong };
}
