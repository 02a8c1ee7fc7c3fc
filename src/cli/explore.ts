// `coherence explore FILE`: searches the orders in which one scenario can run, says what was searched and what was not,
// and prints for each violation a schedule that `coherence run --schedule` and the debugger follow to it.
import { type Command, InvalidArgumentError } from 'commander';
import { foundLines, outcomeLines, searched, searchObject } from '../explore/report';
import { Search } from '../explore/search';
import type { Loaded } from '../scenario/load';
import type { Verdict } from '../scenario/run';
import { ScheduleMismatch } from '../timeline/timeline';
import { addRunOptions, type Options, withScenario } from './run';

interface ExploreOptions extends Options {
  readonly bound?: number;
  readonly maxStates?: number;
}

export function addExplore(program: Command): void {
  const command = program
    .command('explore')
    .description('search the orders in which one scenario can run');
  addRunOptions(command)
    .option('--bound <n>', 'at most so many switches away from who could go on', count)
    .option('--max-states <n>', 'give up after so many states', count)
    .option('--workers <n>', 'not yet: the search has one worker', refuseWorkers)
    .action((file: string, options: ExploreOptions) => {
      process.exitCode = withScenario(file, options, explore);
    });
}

function count(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a whole number, such as 3.');
}

function refuseWorkers(): never {
  throw new InvalidArgumentError('The search has one worker for now; leave the option out.');
}

/** Searches and prints; a sentence when the given schedule does not fit. */
function explore(path: string, loaded: Loaded, options: ExploreOptions): Verdict | string {
  const { run, meaning, schedule } = loaded;
  let search: Search;
  try {
    search = new Search(run, {
      bound: options.bound ?? meaning.explore.bound,
      states: options.maxStates ?? meaning.explore.states,
      schedule,
    });
  } catch (error) {
    if (error instanceof ScheduleMismatch) return error.message;
    throw error;
  }
  while (search.state === 'running') search.go(1_000_000);
  const { verdict } = search;
  if (options.json === true) console.log(JSON.stringify(searchObject(search, run)));
  else {
    const lines = [
      meaning.title,
      ...searched(search).map((line) => `  ${line}`),
      ...outcomeLines(search, run).map((line) => `  ${line}`),
      ...foundLines(search, (p) => `${p.path ?? path}:${p.line}:${p.column}`),
      verdict,
    ];
    console.log(lines.join('\n'));
  }
  return verdict;
}
