// Where a name is introduced and where it is used, in one text with its imports: what resolving noted.
import type { Span } from '../base/text';
import type { Checked } from '../scenario/diagnostics';
import type { Use } from '../scenario/names';

/** The use of a name at the offset. */
export function useAt(checked: Checked, offset: number): Use | undefined {
  for (const { notes } of checked.scenarios) {
    const found = notes.uses.find(({ from, to }) => from <= offset && offset <= to);
    if (found !== undefined) return found;
  }
  return undefined;
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
