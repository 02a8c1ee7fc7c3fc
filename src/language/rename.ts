// A name in all the files that know it, and giving it another one. A file that is only imported has no scenario of its
// own, so what its names mean is known by the texts that import it: all that are open are asked.
import { applyEdits, type Edit, type Span } from '../base/text';
import { type Checked, check } from '../scenario/diagnostics';
import type { Known } from '../scenario/known';
import type { Files, Part } from '../scenario/sources';
import { reserved } from '../syntax/forms';
import { useAt } from './references';

/** A place of a name: in which file, where in that, and whether it gets its meaning there. */
export interface Spot extends Span {
  readonly path: string;
  readonly introduces: boolean;
}

/** The path of a text that stands in no file is empty. */
const pathOf = ({ files }: Checked, { path }: Part): string => path ?? files?.path ?? '';

/** The name at a place of a file, by the first of the open texts that knows it. */
export function nameAt(open: readonly Checked[], path: string, offset: number): Spot | undefined {
  return useIn(open, path, offset)?.use;
}

/** Where that name is introduced. */
export function homeOf(open: readonly Checked[], path: string, offset: number): Spot | undefined {
  return useIn(open, path, offset)?.home;
}

/** All places of that name, by file. */
export function spotsOf(open: readonly Checked[], path: string, offset: number): readonly Spot[] {
  const home = homeOf(open, path, offset);
  if (home === undefined) return [];
  const found = new Map<string, Spot>();
  for (const checked of open)
    for (const { notes } of checked.scenarios)
      for (const { from, to, entity } of notes.uses) {
        const declared = spot(checked, entity.declared, true);
        if (declared.path !== home.path || declared.from !== home.from) continue;
        const use = spot(checked, { from, to }, from === entity.declared.from);
        found.set(`${use.path}:${use.from}`, use);
      }
  return [...found.values()].sort((a, b) => a.path.localeCompare(b.path) || a.from - b.from);
}

function useIn(
  open: readonly Checked[],
  path: string,
  offset: number,
): { readonly use: Spot; readonly home: Spot } | undefined {
  for (const checked of open)
    for (const part of checked.sources.parts) {
      if (pathOf(checked, part) !== path || offset > part.text.length) continue;
      const use = useAt(checked, part.from + offset);
      if (use === undefined) continue;
      const { declared } = use.entity;
      const introduces = use.from === declared.from;
      return { use: spot(checked, use, introduces), home: spot(checked, declared, true) };
    }
  return undefined;
}

function spot(checked: Checked, { from, to }: Span, introduces: boolean): Spot {
  const part = checked.sources.partAt(from);
  return { path: pathOf(checked, part), from: from - part.from, to: to - part.from, introduces };
}

/** Why a name cannot be changed, in a sentence. */
export interface Refusal {
  readonly refused: string;
}

/** The name at a place that could be given another one. `open[0]` is the text that the place is in. */
export function renamable(open: readonly Checked[], path: string, offset: number): Span | Refusal {
  const name = nameAt(open, path, offset);
  if (name !== undefined) return name;
  const word = wordAt(open[0]?.parsed.text ?? '', offset);
  return {
    refused: word === '' ? 'there is no name here' : `\`${word}\` is no name of this file`,
  };
}

function wordAt(text: string, offset: number): string {
  const before = /\w*$/.exec(text.slice(Math.max(0, offset - 80), offset))?.[0] ?? '';
  return before + (/^\w*/.exec(text.slice(offset, offset + 80))?.[0] ?? '');
}

/** The edits, by file, that give the name at a place another one; refused where a text would have a new mistake. */
export function rename(
  open: readonly Checked[],
  path: string,
  offset: number,
  name: string,
  known: Known,
): ReadonlyMap<string, readonly Edit[]> | Refusal {
  if (!/^[A-Za-z_]\w*$/.test(name))
    return { refused: 'a name is made of letters, digits and `_`, and begins with no digit' };
  if (reserved.has(name)) return { refused: `\`${name}\` is a word of the language` };
  const there = renamable(open, path, offset);
  if ('refused' in there) return there;
  const edits = new Map<string, Edit[]>();
  for (const { path: file, from, to } of spotsOf(open, path, offset))
    edits.set(file, [...(edits.get(file) ?? []), { from, to, text: name }]);
  for (const checked of open) {
    const mistake = mistakeOf(checked, edits, known);
    if (mistake !== undefined) return { refused: mistake };
  }
  return edits;
}

/** The mistake that the edits bring to a text and what it imports. */
function mistakeOf(
  checked: Checked,
  edits: ReadonlyMap<string, readonly Edit[]>,
  known: Known,
): string | undefined {
  const { sources, diagnostics } = checked;
  const changed = sources.parts.filter((part) => edits.has(pathOf(checked, part)));
  if (changed.length === 0) return undefined;
  const edited = (part: Part): string =>
    applyEdits(part.text, edits.get(pathOf(checked, part)) ?? []);
  const files: Files | undefined = checked.files && {
    path: checked.files.path,
    read: (file) => {
      const part = sources.parts.find(({ path }) => path === file);
      return part === undefined ? { problem: 'it is not read' } : edited(part);
    },
  };
  const [own] = sources.parts;
  const after = check(own === undefined ? '' : edited(own), known, { files }).diagnostics;
  const before = new Set(diagnostics.map(({ message }) => message));
  const fresh = after.find(({ severity, message }) => severity === 'error' && !before.has(message));
  // What was wrong before may say so with the new name in it: then there are no more mistakes than before.
  return after.length > diagnostics.length ? fresh?.message : undefined;
}
