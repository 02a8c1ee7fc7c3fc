// Inline values: what the debugger shows at the ends of lines while it stands in a scenario. Here is only where and of
// what; the debugger computes them, by the same expressions that a watch takes.
import { lineAt, type Span } from '../base/text';
import type { Checked } from '../scenario/diagnostics';
import type { Entity } from '../scenario/names';

/** An expression to be evaluated, and the place in the text that it belongs to. */
export interface InlineValue extends Span {
  readonly expression: string;
}

/**
 * The values to show in a part of the text when the run stands at `stopped`: variables and fences of each line that is
 * behind or here, and on the line of the stop the PTE of each place of a mapping that it names.
 */
export function inlineValues(
  { parsed, scenarios }: Checked,
  { from, to }: Span,
  stopped: number,
): readonly InlineValue[] {
  const { lines, text } = parsed;
  const line = lineAt(lines, stopped);
  const until = Math.min(to, lines[line + 1] ?? text.length);
  const found = new Map<string, InlineValue>();
  for (const { notes } of scenarios) {
    for (const use of notes.uses) {
      if (use.to > until || use.from < from) continue;
      const expression = valueOf(use.entity, text.slice(use.to, use.to + 200));
      if (expression === undefined) continue;
      found.set(`${lineAt(lines, use.from)}:${expression}`, { ...spanOf(use), expression });
    }
    for (const place of notes.places) {
      if (lineAt(lines, place.from) !== line || place.to > until || place.from < from) continue;
      const start = text.slice(place.first.from, place.first.to);
      const expression = `pte(${place.name}[${start}])`;
      found.set(`${line}:${expression}`, { ...spanOf(place), expression });
    }
  }
  return [...found.values()].sort((a, b) => a.from - b.from || a.to - b.to);
}

const spanOf = ({ from, to }: Span): Span => ({ from, to });

/** What a watch is asked for a name; undefined where there is nothing to show. */
function valueOf(entity: Entity, behind: string): string | undefined {
  if (entity.kind === 'variable') {
    // The number of a mapping is its address; its pages say more.
    return entity.variable.type === 'mapping' ? `pte(${entity.name}[0])` : entity.name;
  }
  if (entity.kind !== 'fence') return undefined;
  const index = /^\s*(\[[^[\]\n]*\])/.exec(behind)?.[1];
  if (entity.indexed && index === undefined) return undefined;
  return `${entity.name}${index ?? ''}.signaled`;
}
