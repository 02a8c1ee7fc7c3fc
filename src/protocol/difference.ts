// What changed between two moments: one tree out of two, in which each node says what it was. A node that is gone is
// kept in its place for this stop; an event is neither marked nor kept. The panels mark changes with words and icons
// from here, never by colour alone.
import type { OutlineNode } from './outline';

export type Change = 'same' | 'changed' | 'added' | 'removed';

export interface MarkedNode extends Omit<OutlineNode, 'children'> {
  readonly change: Change;
  /** Of a changed node: the parts that it no longer says, and those that it says now. */
  readonly gone: readonly string[];
  readonly come: readonly string[];
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
    if (node.event) return mark(null, node, 'same');
    if (was === undefined) return mark(null, node, 'added');
    const [oldParts, parts] = [partsOf(was), partsOf(node)];
    const gone = oldParts.filter((part) => !parts.includes(part));
    const come = parts.filter((part) => !oldParts.includes(part));
    const change = gone.length + come.length === 0 ? 'same' : 'changed';
    return { ...mark(was, node, change), gone, come };
  });
  return withRemoved(
    before.filter(({ event }) => event === undefined),
    nodes,
  );
}

function mark(before: OutlineNode | null, now: OutlineNode, change: Change): MarkedNode {
  const children =
    change === 'removed' || change === 'added'
      ? now.children.map((child) => mark(null, child, change))
      : marked(before?.children ?? null, now.children);
  return {
    ...now,
    change,
    gone: [],
    come: [],
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

/** What a row shows beside its label: first `old → new` of what changed, then the rest. */
export function descriptionOf(node: MarkedNode): string {
  const { change, come, changesBeneath } = node;
  const parts = partsOf(node);
  if (change === 'added') return `new: ${parts.join(', ')}`;
  if (change === 'removed') return `gone: ${parts.join(', ')}`;
  if (change === 'changed') {
    return [changeText(node), ...parts.filter((part) => !come.includes(part))].join(', ');
  }
  const beneath = changesBeneath > 0 ? [`${changesBeneath} changed`] : [];
  return [...beneath, ...parts].join(', ');
}

/** `old → new` of a changed node, without what stayed. */
export const changeText = ({ gone, come }: MarkedNode): string =>
  `${gone.join(', ') || 'none'} → ${come.join(', ') || 'none'}`;

const partsOf = ({ value, detail }: Pick<OutlineNode, 'value' | 'detail'>): string[] =>
  [...value, detail].filter((part) => part !== '');
