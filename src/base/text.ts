// Places in a text. Offsets count UTF-16 units, as JavaScript and LSP do; lines and columns count from 0
// inside and are turned into what people read (from 1) by whoever prints them.

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A change of a text: what stands in the span becomes `text`. */
export interface Edit extends Span {
  readonly text: string;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The offset at which each line begins. A line ends with \n, \r\n or \r. */
export function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10 || (code === 13 && text.charCodeAt(i + 1) !== 10)) starts.push(i + 1);
  }
  return starts;
}

/** The line that holds `offset`: the last one that begins at or before it. */
export function lineAt(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Line and column of an offset, both from 0. */
export function positionAt(starts: readonly number[], offset: number): Position {
  const line = lineAt(starts, offset);
  return { line, column: offset - (starts[line] ?? 0) };
}

/** The offset of a position; one outside of the text is moved to its nearest end. */
export function offsetAt(starts: readonly number[], position: Position, length: number): number {
  if (position.line < 0) return 0;
  const start = starts[position.line];
  if (start === undefined) return length;
  const end = starts[position.line + 1] ?? length + 1;
  return Math.max(start, Math.min(start + position.column, end - 1));
}

/** The text with changes made that do not overlap; of those at one place the first comes first. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let made = '';
  let done = 0;
  for (const { from, to, text: put } of [...edits].sort((a, b) => a.from - b.from)) {
    made += text.slice(done, from) + put;
    done = to;
  }
  return made + text.slice(done);
}
