// All problems of a text, of the parser and of the checks, in the order of the text.
import { fileName } from '../base/paths';
import { lineAt, type Span } from '../base/text';
import { type Parsed, parse } from '../syntax/parser';
import type { ScenarioFile } from '../syntax/tree';
import type { Known } from './known';
import type { Diagnostic, Report } from './names';
import { type Resolved, resolve, type ThreadsBefore } from './resolve';
import { collect, type Files, type Sources } from './sources';
import type { JudgedThreads } from './threads';

export type { Diagnostic };

/** Nobody reads more; a text that is no scenario at all would give one a line. */
const DIAGNOSTICS_MAX = 1000;

/** What a check goes by beside the text. */
export interface CheckOptions {
  /** An earlier result: only what was edited since is parsed again. */
  readonly previous?: Checked | undefined;
  /** Where the text stands and how other files are read; without it nothing can be imported. */
  readonly files?: Files | undefined;
}

/** A checked text. The meanings can be run only when no diagnostic is an error. */
export interface Checked {
  readonly parsed: Parsed;
  /** The text with those of the files that it imports: offsets beyond the text are in them. */
  readonly sources: Sources;
  readonly files: Files | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** One for each scenario of the file, in order. */
  readonly scenarios: readonly Resolved[];
  /** What each scenario was found to be, for the next check. */
  readonly judgements: readonly Judgement[];
}

/** What the checks say of one scenario; as long as its text and what all scenarios share stay, it holds. */
interface Judgement {
  readonly known: Known;
  /** What stands before the first scenario, and all that is imported. */
  readonly shared: string;
  readonly from: number;
  readonly text: string;
  /** How long the whole text is: behind it are the imports. */
  readonly length: number;
  readonly found: readonly Diagnostic[];
  /** What was found of its threads; none where braces do not pair, and nobody knows where one ends. */
  readonly threads: JudgedThreads | undefined;
  readonly resolved: Resolved;
}

/** Parses and checks; with an earlier result only what was edited since. Never throws. */
export function check(text: string, known: Known, { previous, files }: CheckOptions = {}): Checked {
  const parsed = parse(text, previous?.parsed);
  const found: Diagnostic[] = parsed.problems.map((problem) => ({ ...problem, severity: 'error' }));
  const { file } = parsed;
  const reportTo =
    (list: Diagnostic[]): Report =>
    ({ from, to }, message, severity = 'error', fix = undefined) =>
      void list.push({ from, to, message, severity, fix });
  const report = reportTo(found);
  const { sources, statements } = collect(parsed, files, report);
  if (file.scenarios.length === 0 && parsed.problems.length === 0)
    report(
      { from: 0, to: Math.min(1, text.length) },
      'there is no scenario here; begin with `scenario "what it shows"`',
    );
  reportTwins(file, report);
  const earlier = new Map(previous?.judgements.map((judgement) => [judgement.text, judgement]));
  const before = new Map(previous?.judgements.map((judgement) => [headOf(judgement), judgement]));
  const shared = `${text.slice(0, file.scenarios[0]?.from)}\n${sources.text.slice(text.length)}`;
  const judgements = file.scenarios.map((scenario): Judgement => {
    const { from } = scenario;
    const own = text.slice(from, scenario.to);
    const meant = (to: Report, threads?: ThreadsBefore): Resolved =>
      resolve({ file, imported: statements, scenario, known, threads }, to);
    const holds = (one: Judgement | undefined): one is Judgement =>
      one?.shared === shared && one.known === known;
    const same = earlier.get(own);
    if (holds(same)) return moved(same, from, text.length, statements.length > 0, meant);
    const list: Diagnostic[] = [];
    const report = inImports(sources, reportTo(list));
    const last = before.get(own.slice(0, own.indexOf('\n')));
    const threads = holds(last) ? last.threads : undefined;
    let whole = meant(report, parsed.paired ? { text, earlier: threads } : undefined);
    if (whole.partial && whole.threads === undefined) {
      list.length = 0;
      whole = meant(report);
    }
    const resolved = whole.partial ? later(meant) : whole;
    return {
      known,
      shared,
      from,
      text: own,
      length: text.length,
      found: list,
      threads: whole.threads,
      resolved,
    };
  });
  for (const judgement of judgements) found.push(...judgement.found);
  const scenarios = judgements.map(({ resolved }) => resolved);
  return { parsed, sources, files, diagnostics: inOrder(found, parsed), scenarios, judgements };
}

/** Where a scenario was edited, its first line tells which one it was. */
const headOf = ({ text }: Judgement): string => text.slice(0, text.indexOf('\n'));

/** A scenario is chosen by its title. */
function reportTwins({ scenarios }: ScenarioFile, report: Report): void {
  const titles = new Set<string>();
  for (const { title } of scenarios) {
    if (title === undefined) continue;
    if (titles.has(title.text))
      report(title, `there is a scenario "${title.text}" already; choose another title`);
    titles.add(title.text);
  }
}

/** What is found in an imported file is reported where it is imported. */
function inImports(sources: Sources, report: Report): Report {
  return (span, message, severity, fix) => {
    const { path, by } = sources.partAt(span.from);
    if (path === undefined) return report(span, message, severity, fix);
    const { line } = sources.placeAt(span.from);
    report(by, `in "${fileName(path)}", line ${line + 1}: ${message}`, severity);
  };
}

/** What was found before, at its new place. Its meaning is made when somebody asks for it: most edits ask nothing. */
function moved(
  judgement: Judgement,
  from: number,
  length: number,
  imports: boolean,
  meant: (report: Report) => Resolved,
): Judgement {
  const by = from - judgement.from;
  if (by === 0 && (!imports || length === judgement.length)) return judgement;
  const move = <T extends Span>(span: T): T =>
    span.from < judgement.from ? span : { ...span, from: span.from + by, to: span.to + by };
  const found = judgement.found.map(
    (one): Diagnostic => ({
      ...move(one),
      fix: one.fix && { ...one.fix, edits: one.fix.edits.map(move) },
    }),
  );
  return { ...judgement, from, length, found, resolved: later(meant) };
}

/** A meaning that is made when somebody asks for it. */
function later(meant: (report: Report) => Resolved): Resolved {
  let made: Resolved | undefined;
  const again = (): Resolved => {
    made ??= meant(() => {});
    return made;
  };
  return {
    get meaning() {
      return again().meaning;
    },
    get notes() {
      return again().notes;
    },
    program: () => again().program(),
    threads: undefined,
    partial: false,
  };
}

/** Sorted, each once; where the parser found a mistake, its line is not judged any further. */
function inOrder(found: readonly Diagnostic[], parsed: Parsed): readonly Diagnostic[] {
  const wrong = parsed.problems.length === 0 ? undefined : new Set(linesOf(parsed));
  const seen = new Set<string>();
  return found
    .filter((diagnostic, i) => {
      if (wrong !== undefined && i >= parsed.problems.length) {
        if (!parsed.paired) return false;
        if (wrong.has(lineAt(parsed.lines, diagnostic.from))) return false;
      }
      const key = `${diagnostic.from}:${diagnostic.message}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    })
    .sort((a, b) => a.from - b.from || a.to - b.to)
    .slice(0, DIAGNOSTICS_MAX);
}

function linesOf(parsed: Parsed): number[] {
  return parsed.problems.map((problem) => lineAt(parsed.lines, problem.from));
}
