// lib/fault-inject.c (Linux 6.1): failures at named points, as many as were asked for. A point is a step of a routine that
// already has a way out; a machine has those that its scenario names, and no other knows of them. Left out: probability,
// stack traces, the files of debugfs.
import type { Engine } from '../../routine/engine';
import { tracepoint } from '../../state/events';
import { int } from '../../state/layout';
import type { StorePlan } from '../../state/store';

/** All points, with what comes of a failure there. */
export const failurePoints = {
  pte_alloc_one:
    'a page table of any level: a fault ends with VM_FAULT_OOM, fork() and mremap() with -ENOMEM',
  alloc_page_vma: 'the page of a private copy: VM_FAULT_OOM',
  vm_area_alloc: 'the vm_area_struct of a new mapping: mmap() returns -ENOMEM',
  vm_area_dup: 'the vm_area_struct of a part, a move or a child: -ENOMEM',
  ttm_tt_create: 'the page array of a buffer object: the surface cannot be created',
  ttm_tt_populate:
    'a page of a buffer object: a fault ends with VM_FAULT_OOM, a submission with -ENOMEM',
  vmw_bo_init: 'a buffer object: the surface cannot be created',
  vmw_surface_define: 'a surface: it cannot be created',
  vmw_surface_dirty_alloc: 'the dirty box of a surface: it cannot be created',
  vmw_bo_dirty_add: 'the tracker of a buffer object: the surface cannot be created',
  vmw_gmrid_man_get_node: 'an id of the device for a buffer object: the submission returns -ENOMEM',
  vmw_mob_pt_setup:
    'the page table of the device for a buffer object: the submission returns -ENOMEM',
  vmw_resource_create: 'an id of the device for a surface: the submission returns -ENOMEM',
  vmw_validation_add_resource: 'an entry of the list of surfaces of a submission: -ENOMEM',
  vmw_validation_add_bo: 'an entry of the list of buffer objects of a submission: -ENOMEM',
  vmw_context_define: 'a context: the thread has none, and what it binds is refused',
  vmw_view_add: 'a view of a surface: the submission that binds it returns -ENOMEM',
  vmw_view_create: 'room for the command that defines a view again: -ENOMEM',
  vmw_binding_rebind_all: 'room for the command that binds again what was bound: -ENOMEM',
  vmw_cmd_ctx_reserve: 'room in the command buffer for the commands of a submission: -ENOMEM',
  vmw_mob_bind: 'room for the command that makes a buffer object known to the device: -ENOMEM',
  vmw_gmr_bind:
    'the commands that make a buffer object a guest memory region: it stays where it is, -ENOMEM',
  vmw_gb_surface_create: 'room for the command that defines a surface: -ENOMEM',
  vmw_gb_surface_bind: 'room for the command that binds a surface: it is destroyed again, -ENOMEM',
  vmw_surface_dirty_sync:
    'room for update commands: the boxes stay for the next submission, -ENOMEM',
  vmw_surface_clean: 'room for a readback: the fault ends with SIGBUS',
  vmw_cmd_send_fence:
    'room in the command buffer for a fence: the kernel waits until the device is idle',
  vmw_fence_create:
    'a fence: the kernel waits for the device; a submission is done then, and returns -ENOMEM',
  vmw_user_fence_create: 'the handle of a fence: as when there is no fence',
  sync_file_create: 'the sync file of a fence: the kernel waits for the fence instead',
  get_unused_fd_flags: 'a descriptor for it: as when there is no sync file',
  dma_fence_array_create:
    'one fence for all that guard a buffer object: its export returns -ENOMEM',
  vmw_execbuf_copy_fence_user:
    'what a submission says of its fence cannot be written: the kernel waits for it, -EFAULT',
  vmw_event_fence_action_queue: 'the event of a fence: -ENOMEM',
  dma_resv_reserve_fences:
    'room for a fence of a buffer object (linux-6.1): the kernel waits for it instead',
  ttm_eu_reserve_buffers:
    'room for the fence of a buffer object of a submission (linux-6.1): -ENOMEM, and with `slots-kept`, as in Linux 6.1 itself, the object stays reserved',
  copy_from_user: "a command of the application's command buffer cannot be read: -EFAULT",
} as const;

export type FailurePoint = keyof typeof failurePoints;

/** A point has failed; `point` is its place in `failurePoints`. */
export const should_fail_event = tracepoint('should_fail', { point: int });

const names = Object.keys(failurePoints);

const region = 'fault injection';
const pointCells = 2; // how often it is to fail (-1: always), how often it goes well before that

/** What is asked of a point: to fail `times`, -1 for always, after it has gone well `space` times. */
export interface FaultAttr {
  readonly times: number;
  readonly space: number;
}

/** The points of a machine. */
export class FaultInjection {
  private readonly base: number;

  constructor(private readonly k: Engine) {
    this.base = k.store.region(region).base;
  }

  static reserve(plan: StorePlan): void {
    plan.region(region, 'state', names.length * pointCells);
  }

  /** For a Checker: a point is no memory of the kernel's. */
  static readonly rule = { region, shared: false, unit: 1 } as const;

  /** Asks a point to fail from now on. */
  arm(point: FailurePoint, { times, space }: FaultAttr): void {
    const at = this.at(point);
    this.k.store.write(at, times);
    this.k.store.write(at + 1, space);
  }

  /** Whether the point, which is come to now, is to fail. */
  should_fail(point: string): boolean {
    const { store } = this.k;
    const at = this.at(point);
    const times = store.read(at);
    if (times === 0) return false;
    const space = store.read(at + 1);
    if (space > 0) {
      store.write(at + 1, space - 1);
      return false;
    }
    if (times > 0) store.write(at, times - 1);
    this.k.emit(should_fail_event, { point: names.indexOf(point) });
    return true;
  }

  private at(point: string): number {
    return this.base + names.indexOf(point) * pointCells;
  }
}
