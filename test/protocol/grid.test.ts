// The PTE grid without a screen: its text form, and what it marks from one stop to the next.
import { expect, test } from 'vitest';
import { gridOf, gridText } from '../../src/protocol/grid';
import { later, ring } from './samples';

test('the text form lists pages that say the same as one line', () => {
  expect(gridText(gridOf(ring(24), null), 'at step 10: entry')).toBe(`\
ring, at step 10: entry
pages: 24
placement: MOB
tracker: PAGETABLE
dirty pages: 2
start..end: 0-1
change_count: 0
GPU-dirty: no
fences: 1
reserved: no

pages  dirty  resource  app p   TLB  app q   TLB
0      1      ring      PWUADs
1      1      ring      PWUAD-
2      0      ring      P-UA--       ------
3      0      ring      ------       ------
4-23   0      ring      ------
`);
});

test('what changed since the stop before stands as old → new, a stale TLB entry as a word', () => {
  expect(gridText(gridOf(later(24), ring(24)), 'at step 20: step')).toBe(`\
ring, at step 20: step
pages: 24
placement: MOB
tracker: PAGETABLE
dirty pages: 2 → 3
start..end: 0-1 → 0-3
change_count: 0
GPU-dirty: no
fences: 1 → none
reserved: no

pages  dirty  resource               app p            TLB                       app q   TLB
0      1      ring → ring to update  PWUADs → PWUA-s
1      1      ring → ring to update  PWUAD- → PWUA--  none → cpu0 PWUAD- stale
2      0      ring                   P-UA--                                     ------
3      0 → 1  ring                   ------ → PWUADs  none → cpu0 =             ------
4-23   0      ring                   ------
`);
});

test('the rows that changed are known without drawing them', () => {
  expect(gridOf(later(2048), ring(2048)).changedRows).toEqual([0, 1, 3]);
  expect(gridOf(later(2048), null).changedRows).toEqual([]);
});

test('a mapping that was not there before is not marked as changed', () => {
  const before = ring(4, { mappings: [] });
  expect(gridOf(ring(4), before).changedRows).toEqual([]);
});

test('a cell says in words what its letters mean', () => {
  const grid = gridOf(later(24), null);
  const [pteColumn, tlbColumn] = [3, 4];
  expect(grid.cell(1, pteColumn).detail).toBe(
    'app p at 0x7f0000001000: present, writable, user, accessed; frame 0x10001; entry 0x8000000010001027',
  );
  expect(grid.cell(1, tlbColumn).detail).toBe(
    'TLB of cpu 0: present, writable, user, accessed, dirty, frame 0x10001, ' +
      'stale: grants what memory does not, until it is flushed',
  );
});
