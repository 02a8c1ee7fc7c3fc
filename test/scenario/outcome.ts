// Runs a scenario's text to its end, for tests: the verdict, what was found, and the events asked for.
import { type Loaded, loadScenario, type RunOptions } from '../../src/scenario/load';
import { stepsMax, type Verdict } from '../../src/scenario/run';
import { Timeline } from '../../src/timeline/timeline';

export interface Outcome {
  readonly verdict: Verdict;
  readonly problems: readonly string[];
  /** Events as lines: `name key=value ...`, with the arguments asked for. */
  readonly events: (wanted: Readonly<Record<string, string>>) => string[];
}

/** A run that stands before its first step; fails on a text that is refused. */
export function load(text: string, options: RunOptions = {}): Loaded {
  const loaded = loadScenario(text, options);
  if ('run' in loaded) return loaded;
  throw new Error(JSON.stringify([loaded.problems, loaded.checked.diagnostics]));
}

/** The end of a run on the default schedule. */
export function outcome(text: string, options: RunOptions = {}): Outcome {
  const { run, schedule } = load(text, options);
  const completed = new Timeline(run.engine, schedule).runThrough(stepsMax) === 'end';
  const problems = run.problems(completed);
  return {
    verdict: run.verdict(completed, problems),
    problems: problems.map(({ kind, message }) => `${kind}: ${message}`),
    events: (wanted) =>
      run.engine.events
        .slice()
        .filter(({ name }) => name in wanted)
        .map(({ name, args }) => {
          const keys = wanted[name]!.split(' ').filter((key) => key !== '');
          return [name, ...keys.map((key) => `${key}=${args[key]}`)].join(' ');
        }),
  };
}
