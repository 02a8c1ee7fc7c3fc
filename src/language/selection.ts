// What "expand selection" goes through: the word, the expression, the statement, the block, the scenario, the file.
import type { Span } from '../base/text';
import type { Checked } from '../scenario/diagnostics';

/** The spans around an offset, from the innermost out; each is larger than the one before. */
export function selections({ parsed }: Checked, offset: number): readonly Span[] {
  const { text, syntax, file } = parsed;
  const found: Span[] = [];
  const add = ({ from, to }: Span): void => {
    const last = found.at(-1);
    if (from >= to || (last !== undefined && to - from <= last.to - last.from)) return;
    if (last === undefined || (from <= last.from && last.to <= to)) found.push({ from, to });
  };
  let from = offset;
  let to = offset;
  while (from > 0 && /\w/.test(text[from - 1] ?? '')) from--;
  while (to < text.length && /\w/.test(text[to] ?? '')) to++;
  add({ from, to });
  const side = from < offset ? -1 : 1;
  for (let node = syntax.resolveInner(offset, side); ; ) {
    // Between the braces first, then with them.
    if (node.name === 'Block' || node.name === 'Settings')
      add({ from: node.from + 1, to: node.to - (text[node.to - 1] === '}' ? 1 : 0) });
    const { parent } = node;
    // The library has no node for a scenario: it holds all that follows it.
    if (parent === null) break;
    add(node);
    node = parent;
  }
  const scenario = file.scenarios.find((one) => one.from <= offset && offset <= one.to);
  if (scenario !== undefined) add(scenario);
  add({ from: 0, to: text.length });
  return found;
}
