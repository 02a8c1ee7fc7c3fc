// drivers/gpu/drm/vmwgfx/vmwgfx_drv.h, vmwgfx_resource_priv.h, vmwgfx_validation.h: the driver's structs, with what
// protects each field. Names of 2019: a backup is a guest memory object later. Contexts and what is bound:
// vmwgfx_binding.h.ts. Left out: shaders, cotables, what only those need, and the LRU of resources (no resource is
// evicted).

import { command } from '../../../../../hardware/svga/commands';
import { type SVGA3dBox, shapeField } from '../../../../../hardware/svga/shapes';
import { sleepingLock, spinlock } from '../../../../../routine/locks';
import { fnptr } from '../../../../../routine/routine';
import {
  array,
  bits,
  bool,
  embed,
  type Field,
  flags,
  holding,
  int,
  oneOf,
  pins,
  record,
  ref,
  refcount,
  struct,
  tail,
  u32,
  type View,
} from '../../../../../state/layout';
import { TTM_MAX_BO_PRIORITY } from '../../../../include/drm/ttm/ttm_bo_api';
import '../../../../include/linux/dma-fence';
import '../../../../include/linux/ww_mutex';

export const VMW_BO_DIRTY_PAGETABLE = 0;
export const VMW_BO_DIRTY_MKWRITE = 1;
export const VMW_BO_DIRTY_METHODS = { VMW_BO_DIRTY_PAGETABLE, VMW_BO_DIRTY_MKWRITE } as const;

export const VMW_RES_DIRTY_NONE = 0;
export const VMW_RES_DIRTY_SET = 1 << 0;
export const VMW_RES_DIRTY_CLEAR = 1 << 1;

/** What GPU work does to a resource, by the names that a table's entry has. */
export const VMW_RES_DIRTY = {
  none: VMW_RES_DIRTY_NONE,
  set: VMW_RES_DIRTY_SET,
  clear: VMW_RES_DIRTY_CLEAR,
} as const;

/** Dirty tracking of one buffer object. */
export const vmw_bo_dirty = struct('vmw_bo_dirty', {
  fixed: { bitmap_size: int },
  under: {
    dma_resv: {
      start: int, // half-open range of pages that holds all set bits; empty when start >= end
      end: int,
      method: oneOf(VMW_BO_DIRTY_METHODS),
      change_count: int, // scans in a row that voted for the other method
      ref_count: int, // coherent resources that use the object
      bitmap: bits, // pages written by CPUs and not yet handed to a resource
    },
  },
});

export const vmw_buffer_object = struct('vmw_buffer_object', {
  fixed: { base: embed('ttm_buffer_object') }, // first: the addresses are equal
  shared: { cpu_writers: int, map_count: int }, // map_count: users of the kernel's map
  under: {
    dma_resv: {
      dirty: ref('vmw_bo_dirty'), // NULL: not tracked
      map_pfn: int, // the first frame of the kernel's own map of the object; 0: there is none
      res_tree: ref('vmw_resource'), // attached resources by offset
      res_prios: array(int, TTM_MAX_BO_PRIORITY), // how many of them ask for each priority
    },
  },
});

const res = { res: ref('vmw_resource') };

/** What a type of resource can do. */
export const vmw_res_func = struct('vmw_res_func', {
  fixed: {
    create: fnptr(res, int),
    destroy: fnptr(res, int),
    bind: fnptr(res, int),
    unbind: fnptr({ ...res, readback: bool }, int),
    dirty_alloc: fnptr(res, int),
    dirty_free: fnptr(res),
    dirty_sync: fnptr(res, int),
    dirty_range_add: fnptr({ ...res, start: int, end: int }),
    clean: fnptr(res, int),
    prio: int, // of a buffer that such a resource is attached to, in the LRU lists
    dirty_prio: int, // and when the GPU has written it
  },
});

/** Something of the device that lives in guest memory. */
export const vmw_resource = struct('vmw_resource', {
  fixed: { func: ref('vmw_res_func'), coherent: bool, number: int }, // number: the application's, for display
  shared: { kref: refcount },
  under: {
    'cmdbuf_mutex|dma_resv': { backup: holding(ref('vmw_buffer_object')) },
    cmdbuf_mutex: { pin_count: pins },
    dma_resv: {
      id: int, // the device's; -1: does not exist there
      backup_offset: int,
      backup_size: int,
      res_dirty: bool, // the device has data that the backup lacks
      backup_dirty: bool, // the backup has data that the device lacks, all over
      dirty: ref('vmw_surface_dirty'), // exists when tracking is needed
      mob_attached: bool, // in the tree of its backup
      used_prio: int, // the priority it asked for then
      mob_next: ref('vmw_resource'),
    },
  },
});

const boxField: Field<SVGA3dBox> = record('box', { x: 0, y: 0, z: 0, w: 0, h: 0, d: 0 });

/** Cells of a box. */
export const boxCells = boxField.cells;

export const vmw_surface_dirty = struct('vmw_surface_dirty', {
  fixed: { num_subres: int, stride_samples: int }, // of the layout, which is computed from these and the shape
  under: { dma_resv: { boxes: tail(boxField) } },
});

export const vmw_surface = struct('vmw_surface', {
  fixed: { res: embed('vmw_resource'), shape: shapeField }, // res first: the addresses are equal
});

/** An event that an application gets when a fence has passed; the action of a fence as well. */
export const vmw_event_fence_action = struct('vmw_event_fence_action', {
  fixed: { fence: holding(ref('dma_fence')) }, // kept alive by it
  shared: { delivered: bool },
  under: { fence_lock: { next: ref('vmw_event_fence_action') } },
});

export const vmw_fence_obj = struct('vmw_fence_obj', {
  fixed: { base: embed('dma_fence') }, // first: the addresses are equal
  under: {
    fence_lock: { next: ref('vmw_fence_obj'), seq_passed_actions: ref('vmw_event_fence_action') },
  },
});

export const vmw_fence_manager = struct('vmw_fence_manager', {
  own: { lock: embed('fence_lock_t'), goal_irq_mutex: sleepingLock('goal_irq_mutex') },
  under: {
    fence_lock: {
      fence_list: ref('vmw_fence_obj'), // in order of submission
      seqno_valid: bool, // the device has a goal
    },
    goal_irq_mutex: { goal_irq_on: bool },
  },
});

/** Who waits for a sync file with the interrupt on, until its fence is signalled. */
export const seqno_waiter_rm_context = struct('seqno_waiter_rm_context', {
  fixed: { base: embed('dma_fence_cb') }, // first: the addresses are equal
});

const ids = 256; // resources and MOBs at a time

/** Who gives out room in MOB placement. */
export const vmwgfx_gmrid_man = struct('vmwgfx_gmrid_man', {
  own: { lock: spinlock('gman_lock') },
  fixed: { max_gmr_pages: int }, // 0: no limit
  under: { gman_lock: { used_gmr_pages: int, gmr_ids: array(int, ids) } }, // 1: in use
});

export const vmw_private = struct('vmw_private', {
  own: {
    bdev: embed('ttm_bo_device'),
    cmdbuf_mutex: sleepingLock('cmdbuf_mutex'),
    cur_mutex: sleepingLock('cur_mutex'), // the command buffer being filled; where there is a fifo its fifo_mutex
    waiter_lock: spinlock('waiter_lock'),
    resource_lock: spinlock('resource_lock'),
  },
  shared: { marker_seq: u32, fifo_woken: bool },
  under: {
    cur_mutex: { next: int, reserved: int, pending: int, block_submission: bool }, // place in the ring; commands written, not handed over
    waiter_lock: {
      fence_queue_waiters: int,
      goal_queue_waiters: int,
      cmdbuf_waiters: int,
      fifo_queue_waiters: int,
      irq_mask: flags({
        ANY_FENCE: 1,
        FIFO_PROGRESS: 2,
        FENCE_GOAL: 4,
        COMMAND_BUFFER: 8,
        ERROR: 16,
      }),
    },
    resource_lock: { res_ids: array(int, ids) }, // 1: in use
  },
});

/** A command buffer. */
export const vmw_cmdbuf_header = struct('vmw_cmdbuf_header', {
  own: { cb_header: embed('SVGACBHeader'), size: int }, // first: the addresses are equal; size: its commands at first
  under: { man_lock: { next: ref('vmw_cmdbuf_header') } },
});

/** Command buffers on their way; one context of the device. The one that is filled is in `vmw_private`. */
export const vmw_cmdbuf_man = struct('vmw_cmdbuf_man', {
  own: { lock: spinlock('man_lock') },
  fixed: { max_hw_submitted: int, max_buffers: int },
  shared: { space: int, work_pending: bool }, // space: that buffers on their way take, in commands
  under: {
    man_lock: {
      submitted: ref('vmw_cmdbuf_header'), // the device has not got them yet
      hw_submitted: ref('vmw_cmdbuf_header'),
      preempted: ref('vmw_cmdbuf_header'),
      error: ref('vmw_cmdbuf_header'),
      num_hw_submitted: int,
      block_submission: bool,
      irq_on: bool,
    },
  },
});

/** Handles of one open file: addresses of surfaces and of fences; handle h is element h - 1. `used`: those before the
 * lowest free one. */
export const vmw_fpriv = struct('vmw_fpriv', {
  own: { lock: spinlock('tfile_lock') },
  fixed: { size: int },
  under: { tfile_lock: { used: int, objects: tail(holding(int)) } },
});

/** A resource of a submission. */
export const vmw_validation_res_node = struct('vmw_validation_res_node', {
  own: {
    next: ref('vmw_validation_res_node'),
    hash_next: ref('vmw_validation_res_node'), // bz-09: in the table of those that are on a list
    res: holding(ref('vmw_resource')),
    key: int, // of that table: the address of the resource
    dirty_set: bool,
    dirty: bool,
    reserved: bool,
  },
});

/** A buffer object of a submission. */
export const vmw_validation_bo_node = struct('vmw_validation_bo_node', {
  own: { base: embed('ttm_validate_buffer'), as_mob: bool, coherent_count: int }, // base first
});

/** What a submission has to validate; lives on the stack of who submits. */
export const vmw_validation_context = struct('vmw_validation_context', {
  own: {
    resource_list: ref('vmw_validation_res_node'),
    bo_list: embed('ttm_validate_list'),
    duplicates: embed('ttm_validate_list'), // reserve-outside-mutex
    ticket: embed('ww_acquire_ctx'),
  },
});

/** The kernel's copy of the commands of the submission at hand; `sid` is the address of the resource meanwhile. */
export const vmw_sw_context = struct('vmw_sw_context', {
  under: {
    cmdbuf_mutex: {
      res_ht: ref('vmw_validation_res_node'), // bz-09: one bucket
      commands: tail(command),
    },
  },
});

/** What submissions say of their fences beside the handle: a sync file for each task, 0 when it has none. */
export const drm_vmw_fence_rep = struct('drm_vmw_fence_rep', { own: { fd: tail(int) } });

/** A command buffer of user space, commands one after the other; `sid` is a handle there. */
export const user_command_buffer = struct('user_command_buffer', {
  shared: { commands: tail(command) },
});

declare module '../../../../../state/layout' {
  interface Structs {
    vmw_bo_dirty: View<typeof vmw_bo_dirty>;
    vmw_buffer_object: View<typeof vmw_buffer_object>;
    vmw_res_func: View<typeof vmw_res_func>;
    vmw_resource: View<typeof vmw_resource>;
    vmw_surface_dirty: View<typeof vmw_surface_dirty>;
    vmw_surface: View<typeof vmw_surface>;
    vmw_fence_obj: View<typeof vmw_fence_obj>;
    vmw_fence_manager: View<typeof vmw_fence_manager>;
    vmw_event_fence_action: View<typeof vmw_event_fence_action>;
    seqno_waiter_rm_context: View<typeof seqno_waiter_rm_context>;
    drm_vmw_fence_rep: View<typeof drm_vmw_fence_rep>;
    vmwgfx_gmrid_man: View<typeof vmwgfx_gmrid_man>;
    vmw_private: View<typeof vmw_private>;
    vmw_cmdbuf_header: View<typeof vmw_cmdbuf_header>;
    vmw_cmdbuf_man: View<typeof vmw_cmdbuf_man>;
    vmw_fpriv: View<typeof vmw_fpriv>;
    vmw_validation_res_node: View<typeof vmw_validation_res_node>;
    vmw_validation_bo_node: View<typeof vmw_validation_bo_node>;
    vmw_validation_context: View<typeof vmw_validation_context>;
    vmw_sw_context: View<typeof vmw_sw_context>;
    user_command_buffer: View<typeof user_command_buffer>;
  }
}
