// Machines for recorded programs: sized by what a program does, with the test driver, one object and its processes.
import { task_mmu_statics } from '../kernel/fs/proc/task_mmu';
import { buildMachine, cpu_idle, type Machine, type ProcessTask } from '../machine/machine';
import type { VariantSet } from '../routine/routine';
import { long } from '../state/layout';
import { driverStatics } from './driver';
import type { Operation, RecordedProgram } from './format';
import { or_operation, or_order, or_origins } from './operations';
import { regionBytes } from './underway';

/** What programs need room for; rounded, so that programs of about a size share a machine. */
export interface Size {
  readonly processes: number;
  readonly regions: number;
  readonly mappings: number; // made or moved
  readonly privates: number; // mappings made that each process may have copies of pages of
  readonly splits: number; // operations that may leave more mappings than there were
  readonly pages: number;
}

export function sizeOf({ ops, pages }: RecordedProgram): Size {
  const most = (of: (operation: Operation) => number) =>
    1 + ops.reduce((m, o) => Math.max(m, of(o)), 0);
  const count = (...names: string[]) => ops.filter((o) => names.includes(o.op)).length;
  const rounded = (value: number, least: number) =>
    2 ** Math.ceil(Math.log2(Math.max(value, least)));
  return {
    processes: rounded(
      most((o) => Math.max(o.p ?? 0, o.child ?? 0)),
      2,
    ),
    regions: rounded(
      most((o) => Math.max(o.m ?? 0, o.to ?? 0)),
      8,
    ),
    mappings: rounded(count('mmap', 'mremap'), 16),
    privates: rounded(ops.filter(({ share }) => share === 'private').length, 4),
    splits: rounded(count('mmap', 'mremap', 'munmap', 'mprotect', 'madvise'), 16),
    pages: rounded(pages, 16),
  };
}

/** Regions that one table of the level above the lowest reaches. */
const regionsOfTable = 2 ** 30 / regionBytes;

/** A machine for programs of a size, before its first step. */
export function machineFor(
  { processes, regions, mappings, privates, splits, pages }: Size,
  tasks: readonly ProcessTask[],
  variants: VariantSet,
): Machine {
  return buildMachine({
    variants,
    cpus: 1,
    processes,
    tasks,
    limits: {
      frames: pages * (1 + processes * privates) + 64,
      tables:
        processes *
        (3 + Math.ceil(regions / regionsOfTable) + mappings * (2 + Math.floor(pages / 512))),
      vmas: processes * (16 + 3 * splits),
      files: 2,
    },
    parts: [
      {
        statics: [
          { name: 'or_operation', struct: or_operation },
          { name: 'or_order', struct: or_order },
          { name: 'or_origins', struct: or_origins, tail: processes * regions * long.cells },
          ...driverStatics(pages),
          ...task_mmu_statics,
        ],
      },
    ],
    deviceInterrupt: cpu_idle,
  });
}
