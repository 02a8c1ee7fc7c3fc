// From a text and options to a run that stands before its first step, or to the reasons why there is none.
import { nearest } from '../base/suggest';
import { variantSet } from '../kernel/variants';
import { type Choice, parseSchedule } from '../routine/schedule';
import { check, type Checked } from './diagnostics';
import { composeRun } from './compose';
import { known } from './known';
import type { ScenarioMeaning } from './meaning';
import type { Run } from './run';

/** What a command line or a launch configuration says beside the text. */
export interface RunOptions {
  readonly scenario?: string | undefined;
  readonly kernel?: string | undefined;
  readonly with?: readonly string[] | undefined;
  readonly without?: readonly string[] | undefined;
  readonly schedule?: string | undefined;
}

export interface Loaded {
  readonly checked: Checked;
  readonly meaning: ScenarioMeaning;
  readonly run: Run;
  /** Choices to follow before the default schedule takes over. */
  readonly schedule: readonly Choice[];
}

/** Why there is no run: sentences about the options, or diagnostics of the text in `checked`. */
export interface Refused {
  readonly checked: Checked;
  readonly problems: readonly string[];
}

/** Checks the text and builds the machine of one of its scenarios. Never throws for any text or options. */
export function loadScenario(text: string, options: RunOptions = {}): Loaded | Refused {
  const checked = check(text, known);
  if (checked.diagnostics.some((d) => d.severity === 'error')) return { checked, problems: [] };
  const problems: string[] = [];
  const meaning = chosen(checked, options.scenario, problems);
  const machine = meaning?.machine;
  const kernel = options.kernel ?? machine?.kernel ?? '';
  if (meaning !== undefined && !known.presets.includes(kernel)) {
    problems.push(`there is no kernel \`${kernel}\`; there are ${known.presets.join(' and ')}`);
  }
  const ids = known.variants.map((v) => v.id);
  for (const id of [...(options.with ?? []), ...(options.without ?? [])]) {
    if (!ids.includes(id)) problems.push(`there is no variant \`${id}\`${suggestion(id, ids)}`);
  }
  let schedule: readonly Choice[] = [];
  const scheduleText = options.schedule ?? meaning?.schedule;
  if (scheduleText !== undefined) {
    const parsed = parseSchedule(scheduleText);
    if (typeof parsed === 'string') problems.push(`schedule: ${parsed}`);
    else schedule = parsed;
  }
  if (problems.length > 0 || meaning === undefined) return { checked, problems };
  const variants = variantSet(
    kernel as never,
    [...meaning.machine.with, ...(options.with ?? [])],
    [...meaning.machine.without, ...(options.without ?? [])],
  );
  return { checked, meaning, run: composeRun(meaning, text, variants), schedule };
}

function chosen(
  checked: Checked,
  wanted: string | undefined,
  problems: string[],
): ScenarioMeaning | undefined {
  const meanings = checked.scenarios.map((s) => s.meaning);
  if (wanted === undefined) return meanings[0];
  const found = meanings.find((m) => m.title === wanted);
  if (found === undefined) {
    const titles = meanings.map((m) => m.title);
    problems.push(`there is no scenario "${wanted}"${suggestion(wanted, titles)}`);
  }
  return found;
}

function suggestion(word: string, words: readonly string[]): string {
  const near = nearest(word, words);
  return near === undefined ? `; there are ${words.join(', ')}` : `; did you mean \`${near}\`?`;
}
