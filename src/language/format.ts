// Formatting: the canonical text differs from the typed one only in the gaps between tokens, so each gap is an edit of
// its own. A range, or what a key asks for, is a choice of these edits; all of them together give the canonical form.
import { type Edit, lineAt, type Span } from '../base/text';
import type { Checked } from '../scenario/diagnostics';
import { print } from '../syntax/printer';

/** The edits that bring the document into canonical form: none when it is. */
export function format({ parsed }: Checked): readonly Edit[] {
  const before = parsed.text;
  const after = print(parsed);
  const edits: Edit[] = [];
  let from = 0;
  let start = 0;
  while (from < before.length || start < after.length) {
    let to = blanksFrom(before, from);
    const end = blanksFrom(after, start);
    // A comma between statements of lines of their own is the one sign that is left out.
    while (before[to] === ',' && after[end] !== ',') to = blanksFrom(before, to + 1);
    // Where blanks of other alphabets are dropped, the gaps are not the only difference.
    if (before[to] !== after[end]) return [onlyEdit(before, after)];
    if (before.slice(from, to) !== after.slice(start, end))
      edits.push({ from, to, text: after.slice(start, end) });
    from = to + 1;
    start = end + 1;
  }
  return edits;
}

/** From the first difference to the last. */
function onlyEdit(before: string, after: string): Edit {
  let from = 0;
  while (from < before.length && before[from] === after[from]) from++;
  let same = 0;
  const most = Math.min(before.length, after.length) - from;
  while (same < most && before[before.length - 1 - same] === after[after.length - 1 - same]) same++;
  return { from, to: before.length - same, text: after.slice(from, after.length - same) };
}

function blanksFrom(text: string, at: number): number {
  const blanks = /[ \t\n\r\ufeff]*/y;
  blanks.lastIndex = at;
  blanks.test(text);
  return blanks.lastIndex;
}

/** The edits that lie within the lines that the span touches. */
export function formatRange(checked: Checked, { from, to }: Span): readonly Edit[] {
  const { lines, text } = checked.parsed;
  const start = lines[lineAt(lines, from)] ?? 0;
  const end = lines[lineAt(lines, to) + 1] ?? text.length;
  return format(checked).filter((edit) => {
    // The gap before the first line begins behind the line above; only its blanks are of this range.
    return edit.to >= start && edit.to <= end && edit.from >= start - 2;
  });
}

/** What a typed `}` or line break asks for: the block that was closed, the line that was left. */
export function formatTyped(checked: Checked, offset: number, sign: string): readonly Edit[] {
  const { lines, text, syntax } = checked.parsed;
  const here = lineAt(lines, offset);
  if (sign === '}') {
    const block = syntax.resolveInner(offset, -1).parent;
    if (block === null) return [];
    return formatRange(checked, { from: block.from, to: offset });
  }
  const start = lines[here - 1];
  if (start === undefined) return [];
  const end = (lines[here] ?? text.length) - 1;
  // The gap that the cursor stands in is the author's.
  return formatRange(checked, { from: start, to: end }).filter((edit) => edit.to < end);
}
