// include/linux/sched.h: the process that is running.
import type { Engine } from '../../../routine/engine';
import type { Structs } from '../../../state/layout';
import './mm_types';

/** The running task's process, or NULL for a task without one. */
export function current(k: Engine): Structs['task_struct'] {
  return k.view('task_struct', k.ownerOf(k.task));
}
