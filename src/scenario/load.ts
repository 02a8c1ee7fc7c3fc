// From a text and options to a run that stands before its first step, or to the reasons why there is none.
import { nearest } from '../base/suggest';
import { deviationHelp, deviationOf } from '../kernel/variants';
import { type Entry, parseSchedule } from '../routine/schedule';
import { NoRoom } from '../state/store';
import { composeRun, variantsOf } from './compose';
import { missedText } from './deviations';
import { type Checked, check } from './diagnostics';
import { layDown } from './directives';
import { known } from './known';
import type { Directive, ScenarioMeaning } from './meaning';
import type { Resolved } from './resolve';
import type { Run } from './run';
import type { Files } from './sources';

/** What a command line or a launch configuration says beside the text. */
export interface RunOptions {
  readonly scenario?: string | undefined;
  readonly kernel?: string | undefined;
  readonly with?: readonly string[] | undefined;
  readonly without?: readonly string[] | undefined;
  readonly schedule?: string | readonly Entry[] | undefined;
}

export interface Loaded {
  readonly checked: Checked;
  readonly resolved: Resolved;
  readonly meaning: ScenarioMeaning;
  readonly run: Run;
  /** Entries to follow before the default schedule takes over. */
  readonly schedule: readonly Entry[];
}

/** Why there is no run: sentences about the options, or diagnostics of the text in `checked`. */
export interface Refused {
  readonly checked: Checked;
  readonly problems: readonly string[];
}

/** Checks the text and builds the machine of one of its scenarios. Never throws for any text or options. */
export function loadScenario(
  text: string,
  options: RunOptions = {},
  files?: Files,
): Loaded | Refused {
  const checked = check(text, known, { files });
  if (checked.diagnostics.some((d) => d.severity === 'error')) return { checked, problems: [] };
  const problems: string[] = [];
  const resolved = chosen(checked, options.scenario, problems);
  const meaning = resolved?.meaning;
  const machine = meaning?.machine;
  const kernel = options.kernel ?? machine?.kernel ?? '';
  if (meaning !== undefined && !Object.hasOwn(known.presets, kernel)) {
    const presets = Object.keys(known.presets);
    problems.push(`there is no kernel \`${kernel}\`; there are ${presets.join(' and ')}`);
  }
  const ids = known.variants.map((v) => v.id);
  for (const id of [...(options.with ?? []), ...(options.without ?? [])]) {
    if (!ids.includes(id) && deviationOf(id) === undefined)
      problems.push(`there is no variant \`${id}\`${deviationHelp(id) || suggestion(id, ids)}`);
  }
  let schedule: readonly Entry[] = [];
  const wanted = options.schedule ?? meaning?.schedule;
  if (typeof wanted === 'string') {
    const parsed = parseSchedule(wanted);
    if (typeof parsed === 'string') problems.push(`schedule: ${parsed}`);
    else schedule = parsed;
  } else if (wanted !== undefined && !isWords(wanted)) schedule = wanted;
  if (problems.length > 0 || resolved === undefined || meaning === undefined)
    return { checked, problems };
  const variants = variantsOf(meaning, options);
  try {
    const run = composeRun(meaning, checked.sources, variants);
    const { program } = run.engine;
    if (program.missed.length > 0)
      return { checked, problems: program.missed.map((missed) => missedText(program, missed)) };
    if (wanted === undefined || typeof wanted === 'string' || !isWords(wanted))
      return { checked, resolved, meaning, run, schedule };
    const laid = layDown(run, wanted);
    if (!('message' in laid)) return { checked, resolved, meaning, run, schedule: laid };
    const { path, line } = checked.sources.placeAt(laid.at.from);
    const where = path === undefined ? `line ${line + 1}` : `${path}, line ${line + 1}`;
    return { checked, problems: [`the schedule does not fit, ${where}: ${laid.message}`] };
  } catch (error) {
    if (!(error instanceof NoRoom)) throw error;
    return { checked, problems: [noRoom] };
  }
}

const isWords = (
  schedule: readonly Entry[] | readonly Directive[],
): schedule is readonly Directive[] => schedule[0] !== undefined && 'kind' in schedule[0];

const noRoom =
  'the surfaces and mappings of this scenario need more room than a machine has: declare fewer or smaller ones, ' +
  'and map parts of them (each surface takes as much as the largest)';

function chosen(
  checked: Checked,
  wanted: string | undefined,
  problems: string[],
): Resolved | undefined {
  const { scenarios } = checked;
  if (wanted === undefined) return scenarios[0];
  const found = scenarios.find((s) => s.meaning.title === wanted);
  if (found === undefined) {
    const titles = scenarios.map((s) => s.meaning.title);
    problems.push(`there is no scenario "${wanted}"${suggestion(wanted, titles)}`);
  }
  return found;
}

function suggestion(word: string, words: readonly string[]): string {
  const near = nearest(word, words);
  return near === undefined ? `; there are ${words.join(', ')}` : `; did you mean \`${near}\`?`;
}
