// `coherence run FILE`: one scenario under the default schedule, or a given one; what happened, and the verdict.
import type { Command } from 'commander';
import { Faults } from '../debug/faults';
import { debuggeeOf } from '../debug/scenario';
import { type Fault, faultText } from '../protocol/fault';
import { type Loaded, loadScenario, type RunOptions } from '../scenario/load';
import { type Problem, stepsMax, type Verdict } from '../scenario/run';
import type { CounterName } from '../scenario/vocabulary';
import { ScheduleMismatch, Timeline } from '../timeline/timeline';
import {
  type Comparison,
  compare,
  compareForm,
  compareJson,
  compareText,
  loadOther,
} from './compare';
import {
  BAD_INPUT,
  filesOf,
  HOLDS,
  INCOMPLETE,
  readScenario,
  showDiagnostic,
  VIOLATED,
} from './files';

export interface Options {
  readonly scenario?: string;
  readonly kernel?: string;
  readonly with?: string[];
  readonly without?: string[];
  readonly schedule?: string;
  readonly json?: boolean;
}

interface RunOnlyOptions extends Options {
  readonly compare?: string;
  readonly faults?: boolean;
}

const collect = (id: string, ids: string[] = []): string[] => [...ids, id];

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('run one scenario and print what happened and the verdict');
  const explained = 'explain every page fault: why it came, which way it went, what came of it';
  addRunOptions(command)
    .option('--faults', explained)
    .option('--compare <how>', `run it once more, changed, and compare: ${compareForm}`)
    .action((file: string, options: RunOnlyOptions) => {
      process.exitCode = withScenario(file, options, runScenario);
    });
}

/** The file and the options that say what is to be run. */
export function addRunOptions(command: Command): Command {
  return command
    .argument('<file>', 'a scenario file (.coh)')
    .option('--scenario <name>', "the scenario's title; else the first of the file")
    .option('--kernel <preset>', 'the preset of variants')
    .option('--with <id>', 'add a variant (may be repeated)', collect)
    .option('--without <id>', 'take a variant out (may be repeated)', collect)
    .option('--schedule <text>', 'who goes first, as a run printed it')
    .option('--json', 'print one JSON object');
}

/** Does something with the scenario of a file, or says why it cannot be run; returns the exit code. */
export function withScenario<O extends Options>(
  path: string,
  options: O,
  act: (path: string, loaded: Loaded, options: O) => Verdict | string,
): number {
  const refuse = (messages: readonly string[]): number => {
    if (options.json === true) {
      console.log(
        JSON.stringify({ verdict: 'error', scenario: options.scenario ?? null, messages }),
      );
    } else for (const message of messages) console.error(message);
    return BAD_INPUT;
  };
  const read = readScenario(path);
  if ('problem' in read) return refuse([read.problem]);
  const loaded = loadScenario(read.text, options satisfies RunOptions, filesOf(path));
  if (!('run' in loaded)) {
    const { checked } = loaded;
    const problems = loaded.problems.map((p) => `${path}: ${p}`);
    return refuse([
      ...checked.diagnostics.map((d) => showDiagnostic(path, checked, d)),
      ...problems,
    ]);
  }
  const verdict = act(path, loaded, options);
  if (verdict in exitCodes) return exitCodes[verdict as Verdict];
  return refuse([`${path}: ${verdict}`]);
}

const exitCodes: Readonly<Record<Verdict, number>> = {
  holds: HOLDS,
  violated: VIOLATED,
  incomplete: INCOMPLETE,
};

/** Runs one scenario and prints it; a sentence when its schedule does not fit. */
function runScenario(path: string, loaded: Loaded, options: RunOnlyOptions): Verdict | string {
  const outcome = execute(path, loaded, options.faults === true);
  if (typeof outcome === 'string') return outcome;
  const compared =
    options.compare === undefined ? undefined : other(path, loaded, outcome, options);
  if (typeof compared === 'string') return compared;
  if (options.json === true) console.log(JSON.stringify(json(loaded, outcome, compared)));
  else {
    console.log(report(path, loaded, outcome));
    if (compared !== undefined) console.log(compareText(compared));
  }
  return outcome.verdict;
}

/** The same scenario on the machine to compare with; a sentence when there is none. */
function other(
  path: string,
  loaded: Loaded,
  { verdict }: Outcome,
  options: RunOnlyOptions,
): Comparison | string {
  const how = options.compare!;
  const changed = loadOther(path, loaded, options, how);
  if (typeof changed === 'string') return changed;
  const outcome = execute(path, changed, false);
  if (typeof outcome === 'string') return outcome;
  return compare(how, { loaded, verdict }, { loaded: changed, verdict: outcome.verdict });
}

interface Outcome {
  readonly verdict: Verdict;
  readonly problems: readonly Problem[];
  readonly schedule: string;
  /** In their order; undefined when they were not asked for. */
  readonly faults: readonly Fault[] | undefined;
}

/** Runs to the end; a sentence when the schedule does not fit. */
function execute(path: string, loaded: Loaded, explained: boolean): Outcome | string {
  const { run, schedule } = loaded;
  const timeline = new Timeline(run.engine, schedule);
  const faults = explained
    ? new Faults(debuggeeOf(path, loaded.checked.parsed.text, loaded), timeline)
    : undefined;
  try {
    const completed = timeline.runThrough(stepsMax) === 'end';
    const problems = run.problems(completed);
    const verdict = run.verdict(completed, problems);
    return { verdict, problems, schedule: timeline.schedule(), faults: faults?.all() };
  } catch (error) {
    if (error instanceof ScheduleMismatch) return error.message;
    throw error;
  }
}

const shown: readonly [CounterName, string][] = [
  ['faults.read', 'read faults'],
  ['faults.write', 'write faults'],
  ['faults.writeProtect', 'write-protect faults'],
  ['scans', 'scans'],
  ['scannedPtes', 'PTEs scanned'],
  ['updates', 'updates'],
  ['flushedBytes', 'bytes uploaded'],
  ['tlbFlushes', 'TLB flushes'],
  ['readbacks', 'readbacks'],
  ['fences', 'fences'],
];

function report(path: string, { run, meaning }: Loaded, outcome: Outcome): string {
  const { verdict, problems, faults = [] } = outcome;
  const lines = [`${meaning.title}`];
  const counts = shown.map(([name, text]) => `${run.counters.get(name)} ${text}`);
  lines.push(`  ${counts.join(', ')}; ${run.engine.steps} micro-steps`);
  for (const fault of faults) lines.push(...faultText(fault));
  const told = (p: Problem, kind: string): void => {
    lines.push(`${p.path ?? path}:${p.line}:${p.column}: ${kind}: ${p.message}`);
    for (const c of p.cause) lines.push(`    ${c}`);
  };
  for (const p of problems) told(p, p.kind);
  for (const p of run.expected()) told(p, `expected, ${p.kind}`);
  for (const r of run.races()) {
    if (!problems.some(({ kind, step }) => kind === r.kind && step === r.step)) told(r, r.kind);
  }
  lines.push(
    verdict === 'incomplete' ? `incomplete: no end within ${stepsMax} micro-steps` : verdict,
  );
  return lines.join('\n');
}

/** Where a problem is; `file` only where that is an imported one. */
const placeOf = ({ path, line, column, step }: Problem) => ({
  ...(path && { file: path }),
  line,
  column,
  step,
});

/** The object of `--json`. */
function json(
  { run, meaning }: Loaded,
  { verdict, problems, schedule, faults }: Outcome,
  compared: Comparison | undefined,
) {
  const count = (name: CounterName) => run.counters.get(name);
  const violation = (p: Problem) => ({
    kind: p.kind,
    message: p.message,
    at: placeOf(p),
    schedule,
    cause: p.cause,
  });
  const expected = run.expected().map(violation);
  return {
    verdict,
    scenario: meaning.title,
    violations: problems.map(violation),
    ...(expected.length > 0 && { expected }),
    races: run.races().map((r) => ({ kind: r.kind, message: r.message, at: placeOf(r) })),
    counters: {
      faults: {
        read: count('faults.read'),
        write: count('faults.write'),
        writeProtect: count('faults.writeProtect'),
      },
      scans: count('scans'),
      scannedPtes: count('scannedPtes'),
      updates: count('updates'),
      flushedBytes: count('flushedBytes'),
      tlbFlushes: count('tlbFlushes'),
      readbacks: count('readbacks'),
      fences: count('fences'),
      steps: run.engine.steps,
    },
    ...(faults !== undefined && { faults }),
    ...(compared !== undefined && { compare: compareJson(compared) }),
  };
}
