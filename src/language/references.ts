// Where a name is introduced and where it is used: what resolving noted.
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

/** Where the name at the offset is introduced. */
export function definition(checked: Checked, offset: number): Span | undefined {
  return useAt(checked, offset)?.entity.declared;
}

/** All places of the name at the offset, its introduction among them, in order. */
export function references(checked: Checked, offset: number): readonly Span[] {
  const use = useAt(checked, offset);
  if (use === undefined) return [];
  const { declared } = use.entity;
  const places = new Map<number, Span>();
  for (const { notes } of checked.scenarios)
    for (const { from, to, entity } of notes.uses)
      if (entity.declared.from === declared.from) places.set(from, { from, to });
  return [...places.values()].sort((a, b) => a.from - b.from);
}
