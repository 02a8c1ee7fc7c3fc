// Formatting as one edit: from the first difference to the last.
import type { Span } from '../base/text';
import type { Checked } from '../scenario/diagnostics';
import { print } from '../syntax/printer';

export interface Edit extends Span {
  readonly text: string;
}

/** The edit that brings the document into canonical form: none when it is. */
export function format({ parsed }: Checked): readonly Edit[] {
  const before = parsed.text;
  const after = print(parsed);
  if (before === after) return [];
  let from = 0;
  while (from < before.length && before[from] === after[from]) from++;
  let same = 0;
  const most = Math.min(before.length, after.length) - from;
  while (same < most && before[before.length - 1 - same] === after[after.length - 1 - same]) same++;
  return [{ from, to: before.length - same, text: after.slice(from, after.length - same) }];
}
