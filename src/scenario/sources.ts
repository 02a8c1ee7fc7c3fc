// The files that a scenario is made of: its own, and what that imports. They stand one behind the other in one text, so
// that an offset names a place in any of them; who shows a place asks here which file it is in. No file is read here:
// a reader is handed in.
import { beside, fileName } from '../base/paths';
import { lineStarts, type Position, positionAt, type Span } from '../base/text';
import { type Parsed, parse } from '../syntax/parser';
import type { Import, Statement } from '../syntax/tree';
import type { Report } from './names';

/** The text of a file, or in a few words why there is none. */
export type ReadFile = (path: string) => string | { readonly problem: string };

/** Where a text stands, and how the files that it imports are read. */
export interface Files {
  readonly path: string;
  readonly read: ReadFile;
}

/** One file in the whole text. */
export interface Part {
  /** Undefined for the scenario's own file. */
  readonly path: string | undefined;
  readonly from: number;
  readonly text: string;
  /** The import, in the scenario's own file, that brought it. */
  readonly by: Span;
}

const FILES_MAX = 100;

export class Sources {
  /** All files, one behind the other. */
  readonly text: string;
  private readonly lines = new Map<Part, readonly number[]>();

  constructor(readonly parts: readonly Part[]) {
    this.text = parts.map(({ text }) => text).join('\n');
  }

  /** A text that imports nothing. */
  static of(text: string): Sources {
    return new Sources([ownPart(text)]);
  }

  /** The file that an offset is in. */
  partAt(offset: number): Part {
    return this.parts.findLast(({ from }) => from <= offset) ?? this.parts[0]!;
  }

  /** The place of an offset: its file, undefined for the scenario's own, and line and column from 0. */
  placeAt(offset: number): Position & { readonly path: string | undefined } {
    const part = this.partAt(offset);
    let starts = this.lines.get(part);
    if (starts === undefined) {
      starts = lineStarts(part.text);
      this.lines.set(part, starts);
    }
    return { path: part.path, ...positionAt(starts, offset - part.from) };
  }
}

const ownPart = (text: string): Part => ({
  path: undefined,
  from: 0,
  text,
  by: { from: 0, to: 0 },
});

/** What a text imports, and all files together. */
export interface Collected {
  readonly sources: Sources;
  /** What stands before the first scenario of the imported files, in the order of the imports. */
  readonly statements: readonly Statement[];
}

/** Reads what a file imports, and what that imports; each file is taken once. */
export function collect(parsed: Parsed, files: Files | undefined, report: Report): Collected {
  const parts: Part[] = [ownPart(parsed.text)];
  const statements: Statement[] = [];
  let end = parsed.text.length + 1;

  function follow(of: readonly Statement[], chain: readonly string[], by: Span | undefined): void {
    for (const statement of of) {
      if (statement.kind !== 'import' || statement.file === undefined) continue;
      take(statement, chain, by ?? statement.file);
    }
  }

  function take({ file }: Import, chain: readonly string[], by: Span): void {
    const name = file?.text ?? '';
    const from = chain.at(-1);
    const say = (message: string) =>
      report(by, chain.length > 1 ? `in "${fileName(from ?? '')}": ${message}` : message);
    if (files === undefined || from === undefined) {
      say(`"${name}" cannot be read: this text stands in no file`);
      return;
    }
    if (name.trim() === '' || /^([\\/]|[a-z]+:)/i.test(name)) {
      say('name a file by its way from this one: `import "rings.coh"`, `import "../rings.coh"`');
      return;
    }
    const path = beside(from, name);
    if (chain.includes(path)) {
      const circle = [...chain.slice(chain.indexOf(path)), path].map(fileName).join(' → ');
      report(by, `imports go in a circle: ${circle}; leave one of them out`);
      return;
    }
    if (parts.some((part) => part.path === path)) return;
    if (parts.length > FILES_MAX) {
      say(`more than ${FILES_MAX} files are imported`);
      return;
    }
    const text = files.read(path);
    if (typeof text !== 'string') {
      say(`"${name}" cannot be read: ${text.problem}`);
      return;
    }
    const imported = parse(text);
    const base = end;
    parts.push({ path, from: base, text, by });
    end += text.length + 1;
    const [first] = imported.problems;
    if (first !== undefined) {
      const { line } = positionAt(imported.lines, first.from);
      report(by, `"${name}" has problems, the first in line ${line + 1}: ${first.message}`);
      return;
    }
    const shared = imported.file.shared.map((statement) => shifted(statement, base));
    follow(shared, [...chain, path], by);
    statements.push(...shared.filter(({ kind }) => kind !== 'import'));
  }

  follow(parsed.file.shared, files === undefined ? [] : [files.path], undefined);
  return { sources: new Sources(parts), statements };
}

/** A tree moved to another place of the text: every span in it. */
function shifted<T>(tree: T, by: number): T {
  if (typeof tree !== 'object' || tree === null) return tree;
  if (Array.isArray(tree)) return tree.map((part) => shifted(part, by)) as T;
  const moved = Object.entries(tree).map(([key, value]) => [
    key,
    (key === 'from' || key === 'to') && typeof value === 'number' ? value + by : shifted(value, by),
  ]);
  return Object.fromEntries(moved) as T;
}

/** Reads beforehand what a text imports, for readers that take their time; the result reads at once. */
export async function readAhead(
  path: string,
  text: string,
  read: (path: string) => Promise<string>,
): Promise<ReadFile> {
  const known = new Map<string, ReturnType<ReadFile>>();
  const follow = async (from: string, content: string): Promise<void> => {
    for (const statement of parse(content).file.shared) {
      if (statement.kind !== 'import' || statement.file === undefined) continue;
      const wanted = beside(from, statement.file.text);
      if (known.has(wanted) || wanted === path || known.size > FILES_MAX) continue;
      try {
        const found = await read(wanted);
        known.set(wanted, found);
        await follow(wanted, found);
      } catch (error) {
        known.set(wanted, { problem: error instanceof Error ? error.message : 'it is not there' });
      }
    }
  };
  await follow(path, text);
  return (wanted) => known.get(wanted) ?? { problem: 'there is no such file' };
}
