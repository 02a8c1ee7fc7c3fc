// Inlay hints: in pages, what the text says in bytes. Behind a size how many pages it has, behind a range of bytes
// which pages it touches, where both ends are known before a run.
import type { Span } from '../base/text';
import type { Checked } from '../scenario/diagnostics';
import { PAGE_SIZE } from '../syntax/numbers';

export interface Inlay {
  readonly at: number;
  readonly text: string;
}

/** The hints in a part of the text, in order. */
export function inlays({ parsed, scenarios }: Checked, { from, to }: Span): readonly Inlay[] {
  const found = new Map<number, Inlay>();
  const add = (at: number, text: string): void => {
    if (from <= at && at <= to) found.set(at, { at, text });
  };
  for (const { notes } of scenarios) {
    for (const size of notes.sizes)
      if (size.bytes > 0 && !/page/.test(parsed.text.slice(size.from, size.to)))
        add(size.to, pages(size.bytes));
    for (const { start, end, to: at } of notes.ranges) {
      if (start.kind !== 'number' || end.kind !== 'number' || start.value >= end.value) continue;
      const first = Math.floor(start.value / PAGE_SIZE);
      const last = Math.floor((end.value - 1) / PAGE_SIZE);
      if (first >= 0) add(at, first === last ? `page ${first}` : `pages ${first} to ${last}`);
    }
  }
  return [...found.values()].sort((a, b) => a.at - b.at);
}

function pages(bytes: number): string {
  const count = Math.ceil(bytes / PAGE_SIZE);
  return `${count} page${count === 1 ? '' : 's'}`;
}
