// What changed between two moments: one tree out of two, in which each node says what it was. A node that is gone is
// kept in its place for this stop. The panels mark changes with words and icons from here, never by colour alone.
import type { OutlineNode } from './outline';

export type Change = 'same' | 'changed' | 'added' | 'removed';

export interface MarkedNode extends Omit<OutlineNode, 'children'> {
  readonly change: Change;
  readonly was: string | null; // what it was, of a changed node
  readonly changesBeneath: number;
  readonly children: readonly MarkedNode[];
}

/** The nodes of now, with those of before that are gone. Without a before nothing is marked. */
export function marked(
  before: readonly OutlineNode[] | null,
  now: readonly OutlineNode[],
): MarkedNode[] {
  if (before === null) return now.map((node) => mark(null, node, 'same'));
  const old = new Map(before.map((node) => [node.id, node]));
  const nodes = now.map((node) => {
    const was = old.get(node.id);
    if (was === undefined) return mark(null, node, 'added');
    const same = was.value === node.value && was.detail === node.detail;
    return mark(was, node, same ? 'same' : 'changed');
  });
  return withRemoved(before, nodes);
}

function mark(before: OutlineNode | null, now: OutlineNode, change: Change): MarkedNode {
  const children =
    change === 'removed' || change === 'added'
      ? now.children.map((child) => mark(null, child, change))
      : marked(before?.children ?? null, now.children);
  return {
    ...now,
    change,
    was: change === 'changed' && before !== null ? wasText(before, now) : null,
    children,
    changesBeneath: children.reduce(
      (sum, child) => sum + child.changesBeneath + (child.change === 'same' ? 0 : 1),
      0,
    ),
  };
}

/** Puts each node that is gone behind the one that it stood behind. */
function withRemoved(before: readonly OutlineNode[], nodes: MarkedNode[]): MarkedNode[] {
  const present = new Set(nodes.map(({ id }) => id));
  if (before.every(({ id }) => present.has(id))) return nodes;
  let place = 0;
  for (const node of before) {
    if (present.has(node.id)) place = nodes.findIndex(({ id }) => id === node.id) + 1;
    else nodes.splice(place++, 0, mark(null, node, 'removed'));
  }
  return nodes;
}

/** What a row shows beside its label: `old → new` where it changed. */
export function descriptionOf(node: MarkedNode): string {
  const text = [node.value, node.detail].filter((part) => part !== '').join(', ');
  if (node.change === 'changed') return `${node.was} → ${text}`;
  if (node.change === 'added') return `new: ${text}`;
  if (node.change === 'removed') return `gone: ${text}`;
  return node.changesBeneath > 0 ? `${text} (${node.changesBeneath} changed)` : text;
}

/** What it was, without the detail when that is the same now. */
const wasText = (before: OutlineNode, now: OutlineNode): string =>
  before.detail === now.detail ? before.value : `${before.value}, ${before.detail}`;
