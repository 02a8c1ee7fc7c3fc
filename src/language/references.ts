// Where a name is introduced and where it is used, and giving it another one: what resolving noted.
import { fileName } from '../base/paths';
import { applyEdits, type Edit, type Span } from '../base/text';
import { type Checked, check } from '../scenario/diagnostics';
import type { Known } from '../scenario/known';
import type { Use } from '../scenario/names';
import { reserved } from '../syntax/forms';

/** The use of a name at the offset. */
export function useAt(checked: Checked, offset: number): Use | undefined {
  for (const { notes } of checked.scenarios) {
    const found = notes.uses.find(({ from, to }) => from <= offset && offset <= to);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where the name at the offset is introduced. */
export function definition(checked: Checked, offset: number): Span | undefined {
  return useAt(checked, offset)?.entity.declared;
}

/** A place of a name; `introduces` where it gets its meaning. */
export interface Reference extends Span {
  readonly introduces: boolean;
}

/** All places of the name at the offset, its introduction among them, in order. */
export function references(checked: Checked, offset: number): readonly Reference[] {
  const use = useAt(checked, offset);
  if (use === undefined) return [];
  const { declared } = use.entity;
  const places = new Map<number, Reference>();
  for (const { notes } of checked.scenarios)
    for (const { from, to, entity } of notes.uses)
      if (entity.declared.from === declared.from)
        places.set(from, { from, to, introduces: from === declared.from });
  return [...places.values()].sort((a, b) => a.from - b.from);
}

/** Why a name cannot be changed, in a sentence. */
export interface Refusal {
  readonly refused: string;
}

/** The name at the offset that could be given another one. */
export function renamable(checked: Checked, offset: number): Span | Refusal {
  const use = useAt(checked, offset);
  if (use !== undefined) return { from: use.from, to: use.to };
  const word = wordAt(checked.parsed.text, offset);
  return {
    refused: word === '' ? 'there is no name here' : `\`${word}\` is no name of this file`,
  };
}

function textAt({ sources }: Checked, span: Span | undefined): string {
  return span === undefined ? '' : sources.text.slice(span.from, span.to);
}

function wordAt(text: string, offset: number): string {
  const before = /\w*$/.exec(text.slice(Math.max(0, offset - 80), offset))?.[0] ?? '';
  return before + (/^\w*/.exec(text.slice(offset, offset + 80))?.[0] ?? '');
}

/** The edits that give the name at the offset another one; refused where the result would have a new mistake. */
export function rename(
  checked: Checked,
  offset: number,
  name: string,
  known: Known,
): readonly Edit[] | Refusal {
  if (!/^[A-Za-z_]\w*$/.test(name))
    return { refused: 'a name is made of letters, digits and `_`, and begins with no digit' };
  if (reserved.has(name)) return { refused: `\`${name}\` is a word of the language` };
  const there = renamable(checked, offset);
  if ('refused' in there) return there;
  const { sources, files } = checked;
  const declared = useAt(checked, offset)?.entity.declared;
  const home = declared && sources.partAt(declared.from).path;
  if (home !== undefined)
    return {
      refused: `\`${textAt(checked, declared)}\` stands in ${fileName(home)}; rename it there`,
    };
  const edits = references(checked, offset).map(({ from, to }) => ({ from, to, text: name }));
  const before = new Set(checked.diagnostics.map(({ message }) => message));
  const after = check(applyEdits(checked.parsed.text, edits), known, { files }).diagnostics;
  const fresh = after.find(({ severity, message }) => severity === 'error' && !before.has(message));
  // What was wrong before may say so with the new name in it: then there are no more mistakes than before.
  const more = after.length > checked.diagnostics.length;
  return fresh !== undefined && more ? { refused: fresh.message } : edits;
}
