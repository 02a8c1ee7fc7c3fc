// `coherence run FILE --compare HOW`: the same scenario once more on a changed machine, what each way has cost side by
// side, an estimate of the time, and the first event that differs.

import { costNames, costs, costsOf, estimate, type Sheet, timeOf } from '../scenario/costs';
import { known } from '../scenario/known';
import { type Loaded, loadScenario, type RunOptions } from '../scenario/load';
import type { Verdict } from '../scenario/run';
import { tracepoints } from '../scenario/tracepoints';
import type { LoggedEvent } from '../state/events';
import { filesOf } from './files';

/** A run that has ended. */
export interface Ended {
  readonly loaded: Loaded;
  readonly verdict: Verdict;
}

export const compareForm = '`explicit`, a preset, `+VARIANT` or `-VARIANT`';

/** The options of the other run; a sentence when they cannot be. */
export function otherOptions(options: RunOptions, how: string): RunOptions | string {
  const { with: added = [], without = [] } = options;
  if (how === 'explicit') return { ...options, with: [...added, 'memory-explicit'] };
  if (Object.hasOwn(known.presets, how)) return { ...options, kernel: how };
  const [sign, id] = [how.slice(0, 1), how.slice(1)];
  const exists = known.variants.some((v) => v.id === id);
  if (sign === '+' && exists)
    return { ...options, with: [...added, id], without: without.filter((o) => o !== id) };
  if (sign === '-' && exists) return { ...options, without: [...without, id] };
  return `there is nothing to compare with called \`${how}\`; it is ${compareForm}`;
}

/** The other run, before its first step; a sentence when there is none. */
export function loadOther(
  path: string,
  { checked, meaning }: Loaded,
  options: RunOptions,
  how: string,
): Loaded | string {
  const other = otherOptions(options, how);
  if (typeof other === 'string') return other;
  // What is compared are two machines: a schedule of step numbers fits only one of them.
  const wanted = { ...other, scenario: meaning.title, schedule: undefined };
  const loaded = loadScenario(checked.parsed.text, wanted, filesOf(path));
  return 'run' in loaded ? loaded : `with \`${how}\`: ${loaded.problems.join('; ')}`;
}

/** The first event of either run that the other has not at this place. */
export interface Difference {
  /** Its place among all events, from 1. */
  readonly event: number;
  readonly as: string;
  readonly compared: string;
}

export interface Comparison {
  readonly how: string;
  readonly verdict: Verdict;
  readonly contractHolds: boolean;
  readonly as: Sheet;
  readonly compared: Sheet;
  readonly difference: Difference | undefined;
}

export function compare(how: string, one: Ended, other: Ended): Comparison {
  const [events, others] = [one, other].map(({ loaded }) => loaded.run.engine.events.slice()) as [
    LoggedEvent[],
    LoggedEvent[],
  ];
  return {
    how,
    verdict: other.verdict,
    contractHolds: other.loaded.run.violations().length === 0,
    as: costsOf(events),
    compared: costsOf(others),
    difference: firstDifference(events, others),
  };
}

/** An event in words. Addresses of the emulator's own objects are no part of it: two machines lie differently. */
function eventText({ name, args }: LoggedEvent): string {
  const own = Object.hasOwn(tracepoints, name) ? tracepoints[name] : undefined;
  const values = args as Readonly<Record<string, unknown>>;
  const said = Object.keys(own?.args ?? {}).map((key) => `${key} ${values[key]}`);
  return [name, ...said].join(' ');
}

function firstDifference(
  one: readonly LoggedEvent[],
  other: readonly LoggedEvent[],
): Difference | undefined {
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    const [as, compared] = [one[i], other[i]].map((e) =>
      e === undefined ? 'the end of the run' : eventText(e),
    ) as [string, string];
    if (as !== compared) return { event: i + 1, as, compared };
  }
  return undefined;
}

const microseconds = (nanoseconds: number): string => `${(nanoseconds / 1000).toFixed(1)} µs`;

/** The comparison as a table of text. */
export function compareText(c: Comparison): string {
  const { as, compared, how, difference } = c;
  const [one, other] = [estimate(as), estimate(compared)];
  const rows: [string, string, string][] = [
    ['', 'as it is', how],
    ...costNames.map((name): [string, string, string] => [
      costs[name].text,
      String(as[name]),
      String(compared[name]),
    ]),
    ['estimated time', microseconds(one.all), microseconds(other.all)],
    ['of it for coherence', microseconds(one.coherence), microseconds(other.coherence)],
  ];
  const [first, second, third] = [0, 1, 2].map((i) => Math.max(...rows.map((r) => r[i]!.length)));
  const table = rows.map(([a, b, d]) =>
    `  ${a.padEnd(first!)}  ${b.padStart(second!)}  ${d.padStart(third!)}`.trimEnd(),
  );
  const verdict = c.contractHolds ? 'the contract holds' : 'the contract is broken';
  return [
    `compared with ${how}: ${verdict}${c.verdict === 'violated' && c.contractHolds ? ', what the text expects of the kernel does not' : ''}`,
    ...table,
    `  ${landing(c)}`,
    ...(difference === undefined
      ? ['  no event differs']
      : [
          `  the first event that differs is number ${difference.event}:`,
          `    as it is: ${difference.as}`,
          `    ${how}: ${difference.compared}`,
        ]),
  ].join('\n');
}

/** Where the estimate lands, and why. */
function landing({ as, compared, how }: Comparison): string {
  const [one, other] = [estimate(as).all, estimate(compared).all];
  const gain = one - other;
  if (Math.round(Math.abs(gain) / 100) === 0 || other === 0)
    return 'the estimate is the same both ways';
  const parts = costNames
    .map((name) => ({ name, more: timeOf(as, name) - timeOf(compared, name) }))
    .filter(({ more }) => Math.abs(more) >= 50)
    .sort((a, b) => Math.abs(b.more) - Math.abs(a.more))
    .slice(0, 3)
    .map(
      ({ name, more }) =>
        `${costs[name].text} ${more > 0 ? '+' : '-'}${microseconds(Math.abs(more))}`,
    );
  const percent = Math.round((100 * Math.abs(gain)) / other);
  const typical =
    how === 'explicit'
      ? ' The series reports a typical loss of 5 % for whole applications; a scenario does little else than touch memory.'
      : '';
  const direction = gain > 0 ? 'longer' : 'less';
  return `as it is, it takes ${percent} % ${direction} than ${how}: ${parts.join(', ')}.${typical}`;
}

/** The comparison in the object of `--json`. */
export function compareJson(c: Comparison) {
  const { how, verdict, contractHolds, as, compared, difference } = c;
  const side = (sheet: Sheet) => ({ counts: sheet, estimate: estimate(sheet) });
  return {
    with: how,
    verdict,
    contractHolds,
    as: side(as),
    compared: side(compared),
    table: costs,
    difference: difference ?? null,
  };
}
