// kernel/fork.c (Linux 6.1), the part that makes and ends address spaces. Left out: everything else of a new process.
import type { Engine } from '../../routine/engine';
import { isNull, type Structs } from '../../state/layout';
import { load_new_mm_cr3 } from '../arch/x86/mm/tlb';
import '../include/linux/mm_types';

/** An empty address space with its root table, for the step that makes it. */
export function mm_alloc(k: Engine, pid: number): Structs['mm_struct'] {
  const mm = k.alloc('mm_struct');
  const pgd = k.alloc('page_table');
  pgd.level = 0;
  mm.pgd = k.parts.memory.pfnOfTable(pgd.at);
  mm.pid = pid;
  return mm;
}

/** A process with an address space of its own, for a machine's construction. */
export function new_process(k: Engine, pid: number): Structs['task_struct'] {
  const process = k.alloc('task_struct');
  process.pid = pid;
  process.tgid = pid;
  process.mm = mm_alloc(k, pid);
  return process;
}

/** Gives a CPU the address space of a process, as the end of exec does. */
export function activate_mm(k: Engine, cpu: number, process: Structs['task_struct']): void {
  load_new_mm_cr3(k, cpu, isNull(process) ? 0 : process.mm.at);
}
