// What a search says of itself: what it found, what it has looked at, and what it has not. Sentences for the command
// line and the editor, and one object for programs.

import { outcomeText, statusOf } from '../scenario/outcomes';
import type { Problem, Run } from '../scenario/run';
import type { Found, Search } from './search';

/** What was searched, and what was not. */
export function searched(search: Search): string[] {
  const { states, transitions, ends } = search;
  const lines = [
    `searched ${plural(states, 'state')} in ${plural(transitions, 'micro-step')}, ${plural(ends, 'end')}`,
  ];
  if (search.state === 'limit') {
    lines.push(`stopped at the limit of ${states} states, among ${orders(search.bound)}`);
    lines.push('not searched: the orders behind that limit');
  } else if (search.state === 'running') {
    lines.push(`stopped before the end, among ${orders(search.bound)}`);
  } else if (search.found.length > 0 && !search.isExhaustive) {
    lines.push(`stopped at the first violation, among ${orders(search.bound)}`);
  } else {
    lines.push(`looked at ${search.cut ? orders(search.bound) : 'every order'}`);
    if (search.cut) lines.push('not searched: orders with more switches');
  }
  return lines;
}

/** How long the way to a violation is. */
export function wayTo({ steps, switches }: Found, search: Search): string {
  const least = Number.isFinite(search.bound) ? 'no order with fewer switches is violated' : '';
  const found = `after ${plural(steps, 'micro-step')}, with ${plural(switches, 'switch')} away from who could go on`;
  return `${found}; ${least || 'the first that was found, not the shortest there is'}`;
}

function orders(bound: number): string {
  return Number.isFinite(bound)
    ? `the orders with at most ${plural(bound, 'switch')} away from who could go on`
    : 'all orders';
}

function plural(n: number, word: string): string {
  return `${n} ${n === 1 ? word : word === 'switch' ? 'switches' : `${word}s`}`;
}

/** The outcomes that were reached, a line each, with what the scenario says of them. */
export function outcomeLines(search: Search, { meaning: { outcomes } }: Run): string[] {
  if (outcomes === undefined) return [];
  return search.reached.map(({ values, schedule }) => {
    const status = statusOf(outcomes, values);
    const way = status === 'allowed' || status === 'required' ? '' : `; schedule: ${schedule}`;
    return `outcome ${outcomeText(outcomes, values)}: ${status}${way}`;
  });
}

/** The violations of a search, a few lines each; `at` names a place of the file. */
export function foundLines(search: Search, at: (problem: Problem) => string): string[] {
  const missing = search.missing.map((p) => `${at(p)}: ${p.kind}: ${p.message}`);
  const lines = search.found.flatMap((found) => {
    const { problem: p, schedule } = found;
    return [
      `${at(p)}: ${p.kind}: ${p.message}`,
      ...p.cause.map((c) => `    ${c}`),
      `  ${wayTo(found, search)}`,
      `  schedule: ${schedule}`,
    ];
  });
  return [...lines, ...missing];
}

/** The object of `--json`. */
export function searchObject(search: Search, run: Run) {
  return {
    verdict: search.verdict,
    scenario: run.meaning.title,
    violations: search.found.map(({ problem: p, schedule, steps, switches }) => ({
      kind: p.kind,
      message: p.message,
      at: { ...(p.path && { file: p.path }), line: p.line, column: p.column, step: p.step },
      schedule,
      steps,
      switches,
      cause: p.cause,
    })),
    missing: search.missing.map(({ message, line, column }) => ({ message, at: { line, column } })),
    outcomes: search.reached.map(({ values, schedule }) => ({
      values,
      status: statusOf(run.meaning.outcomes!, values),
      schedule,
    })),
    searched: searched(search),
    counters: { states: search.states, transitions: search.transitions, ends: search.ends },
  };
}
