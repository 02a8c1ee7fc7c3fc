// Where in a scenario an offset is: in which kind of block, behind what on its line, which names are known there.
// Completion and hover ask this. It works on half-typed text, so it looks at lines and tokens, not only at the tree.
import type { Span } from '../base/text';
import { lineAt } from '../base/text';
import type { Checked } from '../scenario/diagnostics';
import type { Scope } from '../scenario/names';
import type { Block, If, Statement } from '../syntax/tree';

export type BlockKind =
  | 'file'
  | 'process'
  | 'thread'
  | 'procedure'
  | 'submit'
  | 'machine'
  | 'explore'
  | 'outcomes'
  | 'schedule';

export interface Place {
  readonly block: BlockKind;
  /** What stands before the offset on its line, without indentation, from the last `{`, `}` or separating comma on. */
  readonly before: string;
  /** The letters in front of the offset that belong to the word at it. */
  readonly word: Span;
  readonly scope: Scope | undefined;
}

/** The place of an offset; undefined inside of a comment or a text. */
export function placeAt(checked: Checked, offset: number): Place | undefined {
  const { text, lines, file } = checked.parsed;
  const start = lines[lineAt(lines, offset)] ?? 0;
  const line = text.slice(start, offset);
  if (/\/\//.test(line.replace(/"[^"]*"/g, '')) || oddQuotes(line)) return undefined;
  const scenario = file.scenarios.find(({ from, to }) => from <= offset && offset <= to);
  const block = blockIn(scenario?.body ?? file.shared, offset, 'file');
  const setting = block === 'machine' || block === 'explore';
  const word = (setting ? /[\w.-]*$/ : /\w*$/).exec(line)?.[0] ?? '';
  return {
    block,
    before: statementBefore(line.slice(0, line.length - word.length)),
    word: { from: offset - word.length, to: offset },
    scope: scopeAt(checked, offset),
  };
}

function oddQuotes(line: string): boolean {
  return (line.split('"').length - 1) % 2 === 1;
}

/** The part of the line that belongs to the statement being typed. */
function statementBefore(line: string): string {
  let start = 0;
  let depth = 0;
  for (let i = 0; i < line.length; i++) {
    const sign = line[i];
    if (sign === '(' || sign === '[') depth++;
    else if (sign === ')' || sign === ']') depth = Math.max(0, depth - 1);
    else if (sign === '{' || sign === '}' || (sign === ',' && depth === 0)) {
      start = i + 1;
      depth = 0;
    }
  }
  return line.slice(start).trimStart();
}

/** `around`: what the statements are in; loops and conditions do not change it. */
function blockIn(statements: readonly Statement[], offset: number, around: BlockKind): BlockKind {
  const inside = statements.find(({ from, to }) => from < offset && offset <= to);
  switch (inside?.kind) {
    case 'machine':
    case 'explore':
      return inside.kind;
    case 'process':
    case 'thread':
    case 'procedure':
    case 'outcomes':
    case 'schedule':
      return inBody(inside.body, offset, inside.kind, around);
    case 'repeat':
      return inBody(inside.body, offset, around, around);
    case 'if':
      return inConditional(inside, offset, around);
    case 'operation':
    case 'let': {
      const operation = inside.kind === 'let' ? inside.value : inside;
      if (operation?.kind !== 'operation' || operation.verb.text !== 'submit') return around;
      return inBody(operation.body, offset, 'submit', around);
    }
    default:
      return around;
  }
}

/** In a block of this kind, or still outside of it. */
function inBody(
  block: Block | undefined,
  offset: number,
  kind: BlockKind,
  around: BlockKind,
): BlockKind {
  if (block === undefined || offset <= block.from || (block.closed && offset >= block.to))
    return around;
  return kind === 'submit' ? kind : blockIn(block.statements, offset, kind);
}

function inConditional({ then, otherwise }: If, offset: number, around: BlockKind): BlockKind {
  if (then !== undefined && offset <= then.to) return inBody(then, offset, around, around);
  if (otherwise === undefined) return around;
  return 'kind' in otherwise
    ? inConditional(otherwise, offset, around)
    : inBody(otherwise, offset, around, around);
}

/** The innermost scope around an offset. */
export function scopeAt(checked: Checked, offset: number): Scope | undefined {
  let best: { readonly span: Span; readonly scope: Scope } | undefined;
  for (const { notes } of checked.scenarios)
    for (const candidate of notes.scopes) {
      const { from, to } = candidate.span;
      if (from > offset || offset > to) continue;
      if (best === undefined || to - from <= best.span.to - best.span.from) best = candidate;
    }
  return best?.scope;
}

/** What stands in front of the dot at `dot`: `pte(p[0])` gives `pte`, `faults` gives `faults`. */
export function ownerBefore(before: string): string | undefined {
  let end = before.trimEnd().length;
  while (end > 0 && (before[end - 1] === ')' || before[end - 1] === ']')) {
    let depth = 0;
    do {
      end--;
      const sign = before[end];
      if (sign === ')' || sign === ']') depth++;
      else if (sign === '(' || sign === '[') depth--;
    } while (depth > 0 && end > 0);
  }
  return /(\w+)$/.exec(before.slice(0, end))?.[1];
}
