// Code that cannot run reads like code that does: every operation of memory management can be reached.
import { expect, test } from 'vitest';
import { driverStatics } from '../../src/conform/driver';
import { or_operation, or_process } from '../../src/conform/operations';
import { exc_page_fault } from '../../src/kernel/arch/x86/mm/fault';
import { task_mmu_statics } from '../../src/kernel/fs/proc/task_mmu';
import { as_dirty_roots } from '../../src/kernel/mm/as_dirty_helpers';
import { mapping_dirty_statics } from '../../src/kernel/mm/mapping_dirty_helpers';
import { type Preset, variantSet } from '../../src/kernel/variants';
import { Code, Program, type RoutineCode } from '../../src/routine/program';
import type { Routine } from '../../src/routine/routine';

/** Operations that no path from the first one comes to; jumps of loops and the final return do not count. */
function unreachable({ routine, ops }: RoutineCode): string[] {
  const seen = new Set<number>();
  const pending = [0];
  for (let pc = pending.pop(); pc !== undefined; pc = pending.pop()) {
    const op = ops[pc];
    if (op === undefined || seen.has(pc)) continue;
    seen.add(pc);
    if (op.code === Code.branch || op.code === Code.jump) pending.push(op.to);
    if (op.code !== Code.ret && op.code !== Code.jump) pending.push(pc + 1);
  }
  return ops.flatMap((op, pc) =>
    seen.has(pc) || op.code === Code.jump || pc === ops.length - 1
      ? []
      : [`${routine.name}: ${op.text}`],
  );
}

test.each<Preset>(['series-v2', 'linux-6.1'])('%s: every operation can be reached', (preset) => {
  const statics = [
    ...driverStatics(4),
    ...task_mmu_statics,
    ...mapping_dirty_statics,
    { name: 'or_operation', struct: or_operation },
  ];
  const roots = [or_process, exc_page_fault, ...as_dirty_roots] as unknown as Routine[];
  const { routines } = new Program(roots, variantSet(preset), statics);
  expect(routines.length).toBeGreaterThan(100);
  expect(routines.flatMap(unreachable)).toEqual([]);
});
