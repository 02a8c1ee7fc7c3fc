// What the panels are told of a machine with the driver: moments of a ring buffer's life, as the text that a person
// would read, and that looking changes nothing.
import { expect, test } from 'vitest';
import { takeSnapshot } from '../../src/debug/snapshot';
import { GPU_CMD_READ } from '../../src/hardware/svga/commands';
import type { Machine } from '../../src/machine/machine';
import { descriptionOf, type MarkedNode, marked } from '../../src/protocol/difference';
import { gridOf, gridText } from '../../src/protocol/grid';
import { bufferObjects, fences, pageTables } from '../../src/protocol/outline';
import type { Snapshot } from '../../src/protocol/snapshot';
import type { AnyBuilder } from '../../src/routine/routine';
import { defaultAgent } from '../../src/routine/schedule';
import { create, driverMachine, map, read, submit, wait, write } from '../kernel/driver';

const page = 4096;
const pages = 8;
const draws = (b: AnyBuilder, submission: number) =>
  submit(b, submission, [{ id: GPU_CMD_READ, offset: 0, length: pages * page }]);

/** Eight pages: two are written and drawn, then a third is written. */
const life = (b: AnyBuilder) => [
  create(b, pages * page),
  map(b, pages * page),
  write(b, 0, 2 * page, 1),
  draws(b, 1),
  wait(b, 1),
  write(b, 2 * page, page, 2),
  draws(b, 2),
  wait(b, 2),
];

const names = (struct: string): string | undefined =>
  ({ mm_struct: 'app', vm_area_struct: 'p', surface: 'ring' })[struct];

/** Runs until an event of that name has been logged `times` times; what the panels show then. */
function until({ engine }: Machine, event: string, times = 1): Snapshot {
  const seen = () => engine.events.slice().filter(({ name }) => name === event).length;
  while (seen() < times) {
    const agent = defaultAgent(engine);
    expect(agent, `no ${event} ${times}`).toBeGreaterThanOrEqual(0);
    engine.step(agent);
  }
  return takeSnapshot(engine, names);
}

const grid = (now: Snapshot, before: Snapshot | null = null): string => {
  const text = gridText(gridOf(now.objects[0]!, before?.objects[0] ?? null), 'here');
  return `\n${text.slice(text.indexOf('\n\n') + 2)}`;
};
const tree = (nodes: readonly MarkedNode[], indent = '\n'): string =>
  nodes
    .map(
      (node) =>
        `${indent}${node.label}: ${descriptionOf(node)}${tree(node.children, `${indent}  `)}`,
    )
    .join('');

test('a page that was written has a dirty entry, and the TLB holds it', () => {
  const machine = driverMachine([life]);
  until(machine, 'cpu_store', 1);
  expect(grid(until(machine, 'cpu_store', 2))).toMatchInlineSnapshot(`
    "
    pages  dirty  resource  app p   TLB
    0-1    0      ring      PWUAD-  cpu0 =
    2-7    0      ring      ------
    "
  `);
});

test('the scan moves dirty bits from the entries to the bitmap', () => {
  const machine = driverMachine([life]);
  const before = until(machine, 'cpu_store', 2);
  const after = until(machine, 'vmw_bo_dirty_scan');
  expect(grid(after, before)).toMatchInlineSnapshot(`
    "
    pages  dirty  resource  app p            TLB
    0-1    0 → 1  ring      PWUAD- → PWUA--  cpu0 = → none
    2-7    0      ring      ------
    "
  `);
  expect(tree(marked(bufferObjects(before), bufferObjects(after)))).toMatchInlineSnapshot(`
    "
    ring: SYSTEM, 0 dirty → MOB, 2 dirty, 8 pages
      tracker: dirty none → dirty 0-1, PAGETABLE
        method: PAGETABLE: dirty bits of the PTEs
        bitmap: none of 8 → 0-1 of 8
        start..end: empty → 0-1
        change_count: 0
        users: 1
      resource ring: not on the device, not attached
        bytes: 0-32767
        coherent: yes
        res_dirty: no
        backup_dirty: no
        boxes: none
      mapping app p: D 2 → D 0, P 2, W 2, pages 0-7
      reservation: free → held by thread 0"
  `);
});

test('between transfer and update the resource has a box, and its pages wait for the update', () => {
  const machine = driverMachine([life]);
  let now = until(machine, 'vmw_bo_dirty_transfer');
  for (let i = 0; i < 20 && now.objects[0]?.resources[0]?.boxes.length === 0; i++) {
    machine.engine.step(defaultAgent(machine.engine));
    now = takeSnapshot(machine.engine, names);
  }
  expect(grid(now)).toMatchInlineSnapshot(`
    "
    pages  dirty  resource        app p   TLB
    0-1    0      ring to update  PWUA--
    2-7    0      ring            ------
    "
  `);
});

test('without the flush after cleaning a TLB stays behind, and is called stale', () => {
  const machine = driverMachine([life], { with: ['no-clean-flush'] });
  const now = until(machine, 'vmw_bo_dirty_scan');
  expect(grid(now)).toMatchInlineSnapshot(`
    "
    pages  dirty  resource  app p   TLB
    0-1    1      ring      PWUA--  cpu0 PWUAD- stale
    2-7    0      ring      ------
    "
  `);
  expect(tree(marked(null, pageTables(now)).slice(1))).toMatchInlineSnapshot(`
    "
    TLB of cpu0: app, 2 entries, 2 stale
      p page 0: PWUAD-, stale, frame 0x10000
      p page 1: PWUAD-, stale, frame 0x10001"
  `);
});

test('tables are walked from the root, with what each entry leads to', () => {
  const machine = driverMachine([life]);
  expect(tree(marked(null, pageTables(until(machine, 'cpu_store', 2))))).toMatchInlineSnapshot(`
    "
    app: pid 1, 1 mapping
      p: rw-s mixedmap, 0x7ffff7ff7000-0x7ffff7fff000
      PGD: 1 entry, frame 0x80000
        PGD[255]: PWUAD-, frame 0x80001, PUD table
          PUD[511]: PWUAD-, frame 0x80002, PMD table
            PMD[447]: PWUAD-, frame 0x80003, PTE table
              PTE[503]: PWUAD-, frame 0x10000, p page 0
              PTE[504]: PWUAD-, frame 0x10001, p page 1
    TLB of cpu0: app, 2 entries
      p page 0: PWUAD-, frame 0x10000
      p page 1: PWUAD-, frame 0x10001"
  `);
});

test('a fence is emitted, awaited, passed, and then signaled', () => {
  const machine = driverMachine([life]);
  const states = ['dma_fence_emit', 'dma_fence_wait_start', 'svga_fence', 'dma_fence_signaled'].map(
    (event) => tree(marked(null, fences(until(machine, event)))),
  );
  expect(states.join('')).toMatchInlineSnapshot(`
    "
    fence 1: emitted
    fence 1: emitted, awaited by thread 0
    fence 1: passed, awaited by thread 0
    fence 1: signaled, awaited by thread 0"
  `);
});

test("looking changes nothing and is nobody's access", () => {
  const machine = driverMachine([life]);
  const { engine } = machine;
  until(machine, 'vmw_bo_dirty_scan');
  const [hash, marks] = [engine.store.hash(), engine.store.journalBytes];
  takeSnapshot(engine, names);
  expect([engine.store.hash(), engine.store.journalBytes]).toEqual([hash, marks]);
  expect(engine.checker?.broken).toEqual([]);
});

test('every moment of a run can be looked at', () => {
  const { engine } = driverMachine([life]);
  for (let agent = defaultAgent(engine); agent >= 0; agent = defaultAgent(engine)) {
    engine.step(agent);
    const { objects } = takeSnapshot(engine, names);
    for (const object of objects) gridOf(object, null);
  }
  expect(engine.done).toBe(true);
});

test('a huge entry is shown at its level, once among the tables and at each of its pages', () => {
  const body = (b: AnyBuilder) => [
    create(b, 513 * page),
    map(b, 513 * page),
    read(b, 3 * page, page),
    read(b, 512 * page, page),
  ];
  const machine = driverMachine([body], { pages: 513, frames: 2048, with: ['huge-faults'] });
  const now = until(machine, 'cpu_load', 2);
  expect(grid(now)).toMatchInlineSnapshot(`
    "
    pages  dirty  resource  app p       TLB
    0-2    0      ring      P-UA-- PMD
    3      0      ring      P-UA-- PMD  cpu0 =
    4-511  0      ring      P-UA-- PMD
    512    0      ring      P-UA--      cpu0 =
    "
  `);
  expect(tree(marked(null, pageTables(now)).slice(0, 1))).toMatchInlineSnapshot(`
    "
    app: pid 1, 1 mapping
      p: rw-s mixedmap, 0x7ffff7c00000-0x7ffff7e01000
      PGD: 1 entry, frame 0x80000
        PGD[255]: PWUAD-, frame 0x80001, PUD table
          PUD[511]: PWUAD-, frame 0x80002, PMD table
            PMD[446]: P-UA--, frame 0x10000, huge page of 2 MiB, p page 0
            PMD[447]: PWUAD-, frame 0x80003, PTE table
              PTE[0]: P-UA--, frame 0x10200, p page 512"
  `);
});
