// The outline of a file and what of it can be folded.
import { lineAt, type Span } from '../base/text';
import type { Checked } from '../scenario/diagnostics';
import { showBytes } from '../syntax/numbers';
import type { Block, If, Statement } from '../syntax/tree';

export interface DocumentSymbol extends Span {
  readonly name: string;
  readonly kind: 'scenario' | 'surface' | 'process' | 'thread' | 'constant' | 'procedure';
  readonly detail: string;
  /** The name in the text. */
  readonly selection: Span;
  readonly children: readonly DocumentSymbol[];
}

/** Scenarios with their surfaces, processes and threads. */
export function outline({ parsed: { file }, scenarios }: Checked): readonly DocumentSymbol[] {
  return [
    ...symbols(file.shared, undefined),
    ...file.scenarios.map((scenario, i): DocumentSymbol => {
      const title = scenario.title?.text ?? '';
      return {
        name: title === '' ? 'scenario' : title,
        kind: 'scenario',
        detail: '',
        from: scenario.from,
        to: scenario.to,
        selection: scenario.heading,
        children: symbols(scenario.body, scenarios[i]),
      };
    }),
  ];
}

function symbols(
  statements: readonly Statement[],
  resolved: Checked['scenarios'][number] | undefined,
): readonly DocumentSymbol[] {
  return statements.flatMap((statement): readonly DocumentSymbol[] => {
    if (!('name' in statement) || statement.name === undefined) return [];
    if (statement.kind === 'let' && resolved === undefined && statement.value?.kind === 'operation')
      return [];
    const { kind, name, from, to } = statement;
    const bytes = resolved?.meaning.surfaces.find((surface) => surface.name === name.text)?.bytes;
    const detail =
      kind === 'surface' && bytes !== undefined
        ? showBytes(bytes)
        : kind === 'thread' || kind === 'process'
          ? (statement.cpu?.text ?? '')
          : '';
    return [
      {
        name: name.text,
        kind: kind === 'let' || kind === 'const' ? 'constant' : kind,
        detail,
        from,
        to,
        selection: name,
        children:
          kind === 'process'
            ? symbols(
                (statement.body?.statements ?? []).filter(({ kind: inner }) => inner === 'thread'),
                resolved,
              )
            : [],
      },
    ];
  });
}

/** The symbols of a file whose names hold the letters asked for, in their order; those in others name them. */
export function findSymbols(
  symbols: readonly DocumentSymbol[],
  query: string,
  container = '',
): readonly (DocumentSymbol & { readonly container: string })[] {
  return symbols.flatMap((symbol) => [
    ...(holds(symbol.name.toLowerCase(), query.toLowerCase()) ? [{ ...symbol, container }] : []),
    ...findSymbols(symbol.children, query, symbol.name),
  ]);
}

function holds(name: string, letters: string): boolean {
  let at = 0;
  for (const letter of letters) {
    at = name.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

export interface Fold {
  readonly fromLine: number;
  readonly toLine: number;
  readonly comment: boolean;
}

/** Blocks, and comments of several lines. Lines from 0. */
export function folds({ parsed: { file, lines, text } }: Checked): readonly Fold[] {
  const found: Fold[] = [];
  const add = ({ from, to }: Span, comment: boolean): void => {
    const fromLine = lineAt(lines, from);
    const toLine = lineAt(lines, to) - (comment ? 0 : 1);
    if (toLine > fromLine) found.push({ fromLine, toLine, comment });
  };
  const visit = (statements: readonly Statement[]): void => {
    for (const statement of statements)
      for (const block of blocksOf(statement)) {
        add(block, false);
        visit(block.statements);
      }
  };
  visit(file.shared);
  for (const scenario of file.scenarios) visit(scenario.body);
  let run: Span | undefined;
  for (const comment of file.comments) {
    const start = lines[lineAt(lines, comment.from)] ?? 0;
    if (text.slice(start, comment.from).trim() !== '') continue;
    const follows = run !== undefined && lineAt(lines, comment.from) === lineAt(lines, run.to) + 1;
    if (run !== undefined && follows) run = { from: run.from, to: comment.to };
    else {
      if (run !== undefined) add(run, true);
      run = comment;
    }
  }
  if (run !== undefined) add(run, true);
  return found;
}

/** The blocks of a statement. */
export function blocksOf(statement: Statement | If): readonly Block[] {
  switch (statement.kind) {
    case 'if': {
      const { then, otherwise } = statement;
      const first = then === undefined ? [] : [then];
      if (otherwise === undefined) return first;
      return 'kind' in otherwise ? [...first, ...blocksOf(otherwise)] : [...first, otherwise];
    }
    case 'let':
      return statement.value?.kind === 'operation' ? blocksOf(statement.value) : [];
    default:
      return 'body' in statement && statement.body !== undefined ? [statement.body] : [];
  }
}
