// The trees of the side bar without VS Code: what they list, and what they mark from one stop to the next.
import { expect, test } from 'vitest';
import { descriptionOf, type MarkedNode, marked } from '../../src/protocol/difference';
import { bufferObjects, fences, type OutlineNode, pageTables } from '../../src/protocol/outline';
import { boxText, inWords, runsText } from '../../src/protocol/snapshot';
import { later, moment, pte, ring } from './samples';

/** One line a node, as the tree shows it. */
function checkTree(before: OutlineNode[] | null, now: OutlineNode[], expected: string): void {
  const lines = (nodes: readonly MarkedNode[], indent: string): string[] =>
    nodes.flatMap((node) => [
      `${indent}${node.label}: ${descriptionOf(node)}`,
      ...lines(node.children, `${indent}  `),
    ]);
  expect(`\n${lines(marked(before, now), '').join('\n')}\n`).toBe(expected);
}

test('page tables are listed by process, with mappings before tables', () => {
  checkTree(
    null,
    pageTables(moment(1, [ring(4)])),
    `
app: pid 1, 1 mapping
  p: rw-s pfnmap, 0x7f0000000000-0x7f0000004000
  PTE: 3 entries, frame 0x80000
    PTE[0]: PWUADs, frame 0x10000, p page 0
    PTE[1]: PWUAD-, frame 0x10001, p page 1
    PTE[2]: P-UA--, frame 0x10002, p page 2
TLB of cpu0: app, 0 entries
`,
  );
});

test('changes are marked old → new, and counted where they are folded away', () => {
  const gone = ring(4, {
    mappings: [{ ...ring(4).mappings[0]!, ptes: [pte(0, 'PWUAD-'), pte(3, 'P-UA--')] }],
  });
  checkTree(
    pageTables(moment(1, [ring(4)])),
    pageTables(moment(2, [gone])),
    `
app: 5 changed, pid 1, 1 mapping
  p: rw-s pfnmap, 0x7f0000000000-0x7f0000004000
  PTE: 3 entries → 2 entries, frame 0x80000
    PTE[0]: PWUADs → PWUAD-, frame 0x10000, p page 0
    PTE[1]: gone: PWUAD-, frame 0x10001, p page 1
    PTE[2]: gone: P-UA--, frame 0x10002, p page 2
    PTE[3]: new: P-UA--, frame 0x10003, p page 3
TLB of cpu0: app, 0 entries
`,
  );
});

test('a buffer object shows its tracker, resources, mappings and fences', () => {
  checkTree(
    bufferObjects(moment(1, [ring(24)])),
    bufferObjects(moment(2, [later(24)])),
    `
ring: 2 dirty → 3 dirty, 24 pages, MOB
  tracker: dirty 0-1 → dirty 0-1, 3, PAGETABLE
    method: PAGETABLE: dirty bits of the PTEs
    bitmap: 0-1 of 24 → 0-1, 3 of 24
    start..end: 0-1 → 0-3
    change_count: 0
    users: 1
  resource ring: none → to update: bytes 0-8191, sid 1, attached
    bytes: 0-98303
    coherent: yes
    res_dirty: no
    backup_dirty: no
    boxes: none → bytes 0-8191
  mapping app p: P 3, W 2, D 2 → P 4, W 3, D 1, TLB stale 1, pages 0-23
  mapping app q: P 0, W 0, D 0, pages 2-3
  reservation: fence 1 → none, free
`,
  );
});

test('fences show their state and who waits', () => {
  checkTree(null, fences(moment(1, [])), '\nfence 1: emitted, awaited by render\n');
});

test('a full table is folded into groups of neighbours', () => {
  const all = Array.from({ length: 512 }, (_, page) => pte(page, 'P-UA--'));
  const full = ring(512, { mappings: [{ ...ring(512).mappings[0]!, ptes: all }] });
  const [space] = pageTables(moment(1, [full]));
  const groups = space!.children.at(-1)!.children;
  expect(groups.map(({ label }) => label).slice(0, 2)).toEqual(['entries 0-31', 'entries 32-63']);
  expect(groups).toHaveLength(16);
  expect(groups.every(({ open, children }) => !open && children.length === 32)).toBe(true);
});

test('without a moment before nothing is marked', () => {
  const nodes = marked(null, bufferObjects(moment(1, [ring(4)])));
  expect(
    nodes.every(({ change, changesBeneath }) => change === 'same' && changesBeneath === 0),
  ).toBe(true);
});

test('letters, runs and boxes are said in words', () => {
  expect(inWords('P-UA-s')).toBe('present, user, accessed, soft-dirty');
  expect(inWords('------')).toBe('none');
  expect(
    runsText([
      { from: 0, to: 8 },
      { from: 9, to: 10 },
    ]),
  ).toBe('0-7, 9');
  expect(boxText({ subresource: 2, x: 0, y: 1, z: 0, w: 64, h: 32, d: 1 })).toBe(
    '2: 0,1,0 64x32x1',
  );
});

test('an event is neither marked as new at one stop nor kept as gone at the next', () => {
  const node = (id: string, label: string, value: string): OutlineNode => ({
    id,
    label,
    value: [value],
    detail: '',
    spoken: label,
    icon: 'fault',
    open: true,
    event: true,
    children: [],
  });
  checkTree(
    [node('fault 1', 'Read fault', 'tried again')],
    [node('fault 2', 'Write fault', 'not over yet')],
    `
Write fault: not over yet
`,
  );
  checkTree(
    [node('fault 2', 'Write fault', 'not over yet')],
    [node('fault 2', 'Write fault', 'tried again')],
    `
Write fault: tried again
`,
  );
});
