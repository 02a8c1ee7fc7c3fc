// `coherence test PATH…`: every scenario of the files and folders is run, or searched where it has limits for a search or
// outcomes, and passes when it holds. With --update, expected counters and reached outcomes are written into the files.
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { applyEdits, type Edit } from '../base/text';
import { searched } from '../explore/report';
import { Search } from '../explore/search';
import { check } from '../scenario/diagnostics';
import { known } from '../scenario/known';
import { type Loaded, loadScenario } from '../scenario/load';
import { outcomeText, statusOf } from '../scenario/outcomes';
import { type Problem, stepsMax, type Verdict } from '../scenario/run';
import { ScheduleMismatch, Timeline } from '../timeline/timeline';
import {
  BAD_INPUT,
  filesOf,
  HOLDS,
  INCOMPLETE,
  readScenario,
  showDiagnostic,
  VIOLATED,
  writeScenario,
} from './files';

interface Options {
  readonly reporter: keyof typeof reporters;
  readonly shard?: { readonly part: number; readonly of: number };
  readonly update?: boolean;
}

/** What became of one scenario; `error` when it could not be run. */
interface Result {
  readonly file: string;
  readonly scenario: string;
  readonly verdict: Verdict | 'error';
  readonly messages: readonly string[];
  readonly edits: readonly Edit[];
}

export function addTest(program: Command): void {
  program
    .command('test')
    .description('run every scenario of files and folders and compare with its own expectations')
    .argument('<path...>', 'scenario files (.coh), or folders of them')
    .addOption(
      new Option('--reporter <name>', 'how to print')
        .choices(Object.keys(reporters))
        .default('spec'),
    )
    .option('--shard <i/n>', 'only the i-th of n parts of the scenarios', shardOf)
    .option(
      '--update',
      'write counters as they are, and outcomes that were reached, into the files',
    )
    .action((paths: readonly string[], options: Options) => {
      process.exitCode = testAll(paths, options);
    });
}

function shardOf(text: string): Options['shard'] {
  const [, part, of] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  if (part !== undefined && of !== undefined && Number(part) >= 1 && Number(part) <= Number(of))
    return { part: Number(part), of: Number(of) };
  throw new InvalidArgumentError('It is a part and how many there are, such as 1/4.');
}

function testAll(paths: readonly string[], options: Options): number {
  const files: string[] = [];
  for (const one of paths) {
    const found = scenarioFiles(one);
    if (typeof found === 'string') {
      console.error(found);
      return BAD_INPUT;
    }
    files.push(...found);
  }
  if (files.length === 0) {
    console.error(`no scenario file (.coh) in ${paths.join(', ')}`);
    return BAD_INPUT;
  }
  let count = 0;
  const isMine = (): boolean => {
    const { part = 1, of = 1 } = options.shard ?? {};
    return count++ % of === part - 1;
  };
  const results = files.flatMap((file) => testFile(file, isMine, options.update === true));
  const failed = results.filter(({ verdict }) => verdict !== 'holds');
  console.log(reporters[options.reporter](results));
  const last = `${results.length - failed.length} passed, ${failed.length} failed`;
  // Where programs read the output, the sum is not part of it.
  if (options.reporter === 'spec') console.log(last);
  else console.error(last);
  if (failed.some(({ verdict }) => verdict === 'error')) return BAD_INPUT;
  if (failed.some(({ verdict }) => verdict === 'violated')) return VIOLATED;
  return failed.length > 0 ? INCOMPLETE : HOLDS;
}

/** The scenario files that a path means, in order of their names; or why there are none. */
function scenarioFiles(from: string): string[] | string {
  try {
    if (!statSync(from).isDirectory()) return [from];
    return readdirSync(from, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.coh'))
      .sort()
      .map((name) => path.join(from, name));
  } catch {
    return `${from}: there is no such file or folder`;
  }
}

/** All scenarios of a file; one without any holds what others import. */
function testFile(file: string, isMine: () => boolean, update: boolean): Result[] {
  const read = readScenario(file);
  if ('problem' in read) return [failure(file, '', [read.problem])];
  const checked = check(read.text, known, { files: filesOf(file) });
  if (checked.scenarios.length === 0 && checked.parsed.file.shared.length > 0) return [];
  const errors = checked.diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0)
    return [
      failure(
        file,
        '',
        errors.map((one) => showDiagnostic(file, checked, one)),
      ),
    ];
  const titles = checked.scenarios.map(({ meaning }) => meaning.title).filter(isMine);
  const results = titles.map((title) => testScenario(file, read.text, title));
  const edits = results.flatMap((result) => result.edits);
  if (!update || edits.length === 0) return results;
  const text = applyEdits(read.text, edits);
  const problem = writeScenario(file, text);
  if (problem !== undefined) return [failure(file, '', [problem])];
  return titles.map((title) => testScenario(file, text, title));
}

function failure(file: string, scenario: string, messages: readonly string[]): Result {
  return { file, scenario, verdict: 'error', messages, edits: [] };
}

function testScenario(file: string, text: string, title: string): Result {
  const loaded = loadScenario(text, { scenario: title }, filesOf(file));
  if (!('run' in loaded)) return failure(file, title, loaded.problems);
  try {
    const { explore, outcomes } = loaded.meaning;
    const limited = explore.bound !== undefined || explore.states !== undefined;
    return limited || outcomes !== undefined ? explored(file, loaded) : once(file, loaded);
  } catch (error) {
    if (error instanceof ScheduleMismatch) return failure(file, title, [error.message]);
    throw error;
  }
}

const shown = (file: string, p: Problem): string =>
  `${p.path ?? file}:${p.line}:${p.column}: ${p.kind}: ${p.message}`;

/** One run; what `finally` compares with a number can be updated. */
function once(file: string, { run, meaning, schedule, checked }: Loaded): Result {
  const completed = new Timeline(run.engine, schedule).runThrough(stepsMax) === 'end';
  const problems = run.problems(completed);
  const own = checked.parsed.text.length;
  const edits = meaning.properties.flatMap(({ when, condition: c }): Edit[] => {
    if (!completed || when !== 'finally' || c.kind !== 'binary' || c.operator !== '==') return [];
    const { left, right } = c;
    const value = run.evaluate(left);
    if (right.kind !== 'number' || right.to > own || run.evaluate(right) === value) return [];
    return [{ from: right.from, to: right.to, text: String(value) }];
  });
  const verdict = run.verdict(completed, problems);
  const messages = problems.map((p) => shown(file, p));
  return { file, scenario: meaning.title, verdict, messages, edits };
}

/** A search; outcomes that were reached and have no line can be added. */
function explored(file: string, { run, meaning, schedule, checked }: Loaded): Result {
  const search = new Search(run, { ...meaning.explore, schedule });
  while (search.state === 'running') search.go(1_000_000);
  const { verdict, found, missing, reached } = search;
  const messages = [...found.map(({ problem }) => problem), ...missing].map((p) => shown(file, p));
  if (verdict === 'incomplete') messages.push(...searched(search));
  const { outcomes } = meaning;
  const edits: Edit[] = [];
  if (outcomes !== undefined && outcomes.to <= checked.parsed.text.length) {
    const fresh = reached.filter(({ values }) => statusOf(outcomes, values) === 'unlisted');
    const lines = fresh.map(({ values }) => `  allowed ${outcomeText(outcomes, values)}\n`).sort();
    const from = outcomes.to - 1; // the closing brace
    const before = /\n[ \t]*$/.test(checked.parsed.text.slice(0, from)) ? '' : '\n';
    if (lines.length > 0) edits.push({ from, to: from, text: `${before}${lines.join('')}` });
  }
  return { file, scenario: meaning.title, verdict, messages, edits };
}

const named = ({ file, scenario }: Result): string =>
  scenario === '' ? file : `${file}: ${scenario}`;

/** How results are printed. */
const reporters = {
  spec: (results: readonly Result[]): string =>
    results
      .flatMap((r) => [
        `${r.verdict === 'holds' ? 'ok  ' : 'FAIL'} ${named(r)}`,
        ...r.messages.map((message) => `       ${message}`),
      ])
      .join('\n'),
  tap: (results: readonly Result[]): string =>
    [
      'TAP version 13',
      `1..${results.length}`,
      ...results.flatMap((r, i) => [
        `${r.verdict === 'holds' ? 'ok' : 'not ok'} ${i + 1} - ${named(r).replaceAll('#', '\\#')}`,
        ...r.messages.map((message) => `# ${message}`),
      ]),
    ].join('\n'),
  junit: (results: readonly Result[]): string => {
    const failures = results.filter(({ verdict }) => verdict !== 'holds').length;
    const cases = results.map((r) => {
      const head = `  <testcase classname="${xml(r.file)}" name="${xml(r.scenario)}"`;
      if (r.verdict === 'holds') return `${head}/>`;
      const [first = ''] = r.messages;
      const body = r.messages.map(xml).join('\n');
      return `${head}><failure message="${xml(first)}">${body}</failure></testcase>`;
    });
    return [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuite name="coherence" tests="${results.length}" failures="${failures}">`,
      ...cases,
      '</testsuite>',
    ].join('\n');
  },
  json: (results: readonly Result[]): string =>
    JSON.stringify({
      passed: results.filter(({ verdict }) => verdict === 'holds').length,
      failed: results.filter(({ verdict }) => verdict !== 'holds').length,
      results: results.map(({ file, scenario, verdict, messages }) => ({
        file,
        scenario,
        verdict,
        messages,
      })),
    }),
} as const;

function xml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (sign) => entities[sign]!);
}
