// All problems of a text, of the parser and of the checks, in the order of the text.
import type { Fix } from '../base/fixes';
import { fileName } from '../base/paths';
import { lineAt, type Span } from '../base/text';
import { type Parsed, parse } from '../syntax/parser';
import type { Known } from './known';
import type { Report, Severity } from './names';
import { type Resolved, resolve } from './resolve';
import { collect, type Files, type Sources } from './sources';

export interface Diagnostic extends Span {
  readonly severity: Severity;
  readonly message: string;
  readonly fix: Fix | undefined;
}

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
}

/** Parses and checks. Never throws. */
export function check(text: string, known: Known, { previous, files }: CheckOptions = {}): Checked {
  const parsed = parse(text, previous?.parsed);
  const found: Diagnostic[] = parsed.problems.map((problem) => ({ ...problem, severity: 'error' }));
  const { file } = parsed;
  const report: Report = (span, message, severity = 'error', fix = undefined) => {
    const { from, to } = span;
    found.push({ from, to, message, severity, fix });
  };
  const { sources, statements } = collect(parsed, files, report);
  const reportHere: Report = (span, message, severity, fix) => {
    if (span.from <= text.length) report(span, message, severity, fix);
    else {
      const { path = '', line } = sources.placeAt(span.from);
      const { by } = sources.partAt(span.from);
      report(by, `in "${fileName(path)}", line ${line + 1}: ${message}`, severity);
    }
  };
  if (file.scenarios.length === 0 && parsed.problems.length === 0)
    report(
      { from: 0, to: Math.min(1, text.length) },
      'there is no scenario here; begin with `scenario "what it shows"`',
    );
  const scenarios = file.scenarios.map((scenario) =>
    resolve(file, statements, scenario, known, reportHere),
  );
  return { parsed, sources, files, diagnostics: inOrder(found, parsed), scenarios };
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
