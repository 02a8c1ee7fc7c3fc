// drivers/gpu/drm/vmwgfx/vmwgfx_drv.c and vmwgfx_ttm_glue.c: the driver as a whole: its operation tables, what it
// keeps, and how it is set up when a machine is built.
import { bindings } from '../../../../../hardware/svga/bindings';
import { SVGA_CB_MAX_QUEUED_PER_CONTEXT } from '../../../../../hardware/svga/commandBuffers';
import { command } from '../../../../../hardware/svga/commands';
import { SVGA_IRQFLAG_ERROR } from '../../../../../hardware/svga/registers';
import type { Engine, TaskSpec } from '../../../../../routine/engine';
import { type Routine, routine } from '../../../../../routine/routine';
import { int, long, ref } from '../../../../../state/layout';
import type { PoolSize, StaticSize } from '../../../../../state/objects';
import type { StorePlan } from '../../../../../state/store';
import {
  TTM_PL_VRAM,
  ttm_bo_driver,
  ttm_mem_type_manager,
  ttm_range_manager,
  ttm_tt,
  VMW_PL_GMR,
  VMW_PL_MOB,
} from '../../../../include/drm/ttm/ttm_bo_api';
import { dma_fence_ops } from '../../../../include/linux/dma-fence';
import { dma_fence_array } from '../../../../include/linux/dma-fence-array';
import { FMODE_READ, FMODE_WRITE } from '../../../../include/linux/mm';
import {
  address_space,
  file,
  file_operations,
  vm_operations_struct,
} from '../../../../include/linux/mm_types';
import { fdtable, sync_file } from '../../../../include/linux/sync_file';
import { ww_class } from '../../../../include/linux/ww_mutex';
import { Shmem } from '../../../../mm/shmem';
import { dma_fence_default_wait, dma_fence_default_wait_cb } from '../../../dma-buf/dma-fence';
import {
  dma_fence_array_cb_func,
  dma_fence_array_enable_signaling,
  dma_fence_array_release,
  dma_fence_array_signaled,
  irq_dma_fence_array_work,
} from '../../../dma-buf/dma-fence-array';
import { fence_check_cb_func } from '../../../dma-buf/sync_file';
import { drm_get_unmapped_area } from '../drm_file';
import { ttm_bo_delayed_workqueue } from '../ttm/ttm_bo';
import { ttm_bo_man_get_node, ttm_bo_man_put_node } from '../ttm/ttm_bo_manager';
import { ttm_bo_mmap, ttm_bo_vm_access, ttm_bo_vm_close, ttm_bo_vm_open } from '../ttm/ttm_bo_vm';
import { vmw_ctx_binding_state, vmw_user_context, vmw_view } from './vmwgfx_binding.h';
import { vmw_bo_bo_free } from './vmwgfx_bo';
import { vmw_priv } from './vmwgfx_cmd';
import { vmw_cmdbuf_worker } from './vmwgfx_cmdbuf';
import {
  boxCells,
  drm_vmw_fence_rep,
  seqno_waiter_rm_context,
  user_command_buffer,
  vmw_bo_dirty,
  vmw_buffer_object,
  vmw_cmdbuf_header,
  vmw_cmdbuf_man,
  vmw_event_fence_action,
  vmw_fence_manager,
  vmw_fence_obj,
  vmw_fpriv,
  vmw_private,
  vmw_res_func,
  vmw_surface,
  vmw_surface_dirty,
  vmw_sw_context,
  vmw_validation_bo_node,
  vmw_validation_res_node,
  vmwgfx_gmrid_man,
} from './vmwgfx_drv.h';
import {
  seqno_waiter_rm_cb,
  vmw_fence_enable_signaling,
  vmw_fence_obj_destroy,
  vmw_fence_wait,
} from './vmwgfx_fence';
import { vmw_gmrid_man_get_node, vmw_gmrid_man_put_node } from './vmwgfx_gmrid_manager';
import { vmw_irq_handler } from './vmwgfx_irq';
import { vmw_bo_vm_fault, vmw_bo_vm_huge_fault, vmw_bo_vm_mkwrite } from './vmwgfx_page_dirty';
import {
  vmw_gb_surface_bind,
  vmw_gb_surface_create,
  vmw_gb_surface_destroy,
  vmw_gb_surface_unbind,
  vmw_surface_clean,
  vmw_surface_dirty_alloc,
  vmw_surface_dirty_free,
  vmw_surface_dirty_range_add,
  vmw_surface_dirty_sync,
} from './vmwgfx_surface';
import { vmw_evict_flags, vmw_move, vmw_swap_notify } from './vmwgfx_ttm_buffer';

/** The device's delayed work, `bdev->wq`. */
const ttm_delayed = routine('kernel/workqueue.c', 'process_one_work', {}, ({ call }) => [
  call(ttm_bo_delayed_workqueue, (_f, k) => ({ bdev: vmw_priv(k).bdev })),
]);

/** mmap of the device's file. */
export const vmw_mmap = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_ttm_glue.c',
  'vmw_mmap',
  {
    args: { file: ref('file'), vma: ref('vm_area_struct') },
    locals: { ret: int },
    returns: int,
  },
  ({ call, ret }) => [
    call(ttm_bo_mmap, (f, k) => ({ vma: f.vma, bdev: vmw_priv(k).bdev }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/** Where a mapping of the device's file goes: aligned for huge entries (5.7 to 5.15). */
export const vmw_get_unmapped_area = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_drv.c',
  'vmw_get_unmapped_area',
  {
    args: { file: ref('file'), len: long, pgoff: int },
    locals: { addr: long },
    returns: long,
  },
  ({ call, ret }) => [
    call(
      drm_get_unmapped_area,
      (f, k) => ({ len: f.len, pgoff: f.pgoff, bdev: vmw_priv(k).bdev }),
      'addr',
    ),
    ret('addr', (f) => f.addr),
  ],
);

/** Room that the driver needs. */
export interface DriverLimits {
  readonly surfaces: number; // handles of surfaces, and buffer objects behind them
  readonly surfacePages: number; // of the largest
  readonly subresources: number; // of the surface with the most
  readonly fences: number; // handles of fences that the application has not given back
  readonly submitters: number; // threads that may submit at a time
  readonly commands: number; // of one submission
  readonly userCommands: number; // of all command buffers of the application
  readonly mobPages?: number; // pages in MOB placement at a time; no limit when it is not given
  readonly vramPages?: number; // of the device's own memory; when it is not given, no object goes there or to a GMR
  readonly debugged?: boolean; // whether somebody reads or writes mappings by vm_ops->access
  readonly swap?: boolean; // whether objects can be swapped out
  readonly destroys?: boolean; // whether objects are destroyed while the GPU is busy: then there is a worker
  readonly syncFiles?: number; // descriptors of sync files at a time; none when it is not given
  readonly events?: number; // that are waited for at a time; as before
  readonly contexts?: number; // of the device; none when it is not given
  readonly commandBuffers?: number; // at a time; given when commands go in buffers (`submission-buffers`)
  readonly lastSeqno?: number; // the last sequence number given out before the machine begins; 0 when it is not given
}

/** What the driver adds to a machine. Call `boot` before the machine's first step. */
export function driverParts(limits: DriverLimits) {
  const { surfaces, surfacePages, fences, submitters, commands, userCommands } = limits;
  const nodes = surfaces * submitters;
  const swapPages = limits.swap === true ? surfacePages : 0;
  // Besides handles: the exclusive fence and the moving fence of each object, and one being made by each thread.
  const fenceObjects = fences + 3 * surfaces + 2 * submitters + 4;
  const { syncFiles = 0, events = 0, commandBuffers = 0, lastSeqno = 0 } = limits;
  const { contexts = 0, vramPages } = limits;
  const vram: StaticSize[] =
    vramPages === undefined
      ? []
      : [
          { name: 'gman_gmr', struct: vmwgfx_gmrid_man },
          {
            name: 'vram_mm',
            struct: ttm_range_manager,
            tail: vramPages,
            initial: { size: vramPages },
          },
          {
            name: 'ttm_bo_manager_func',
            struct: ttm_mem_type_manager,
            initial: { get_node: ttm_bo_man_get_node, put_node: ttm_bo_man_put_node },
          },
        ];
  const pools: PoolSize[] = [
    { struct: ttm_tt, count: surfaces, tail: surfacePages },
    { struct: vmw_buffer_object, count: surfaces },
    { struct: vmw_bo_dirty, count: surfaces, tail: Math.ceil(surfacePages / 32) },
    { struct: vmw_surface, count: surfaces },
    { struct: vmw_surface_dirty, count: surfaces, tail: boxCells * limits.subresources },
    { struct: vmw_fence_obj, count: fenceObjects },
    { struct: vmw_event_fence_action, count: events },
    { struct: seqno_waiter_rm_context, count: syncFiles },
    { struct: sync_file, count: syncFiles },
    { struct: dma_fence_array, count: syncFiles },
    { struct: vmw_cmdbuf_header, count: commandBuffers },
    { struct: vmw_validation_res_node, count: nodes },
    { struct: vmw_validation_bo_node, count: nodes },
    ...(contexts === 0
      ? []
      : [
          { struct: vmw_user_context, count: contexts },
          { struct: vmw_view, count: contexts * bindings + commands },
        ]),
  ];
  const statics: StaticSize[] = [
    {
      name: 'dev_priv',
      struct: vmw_private,
      initial: { marker_seq: lastSeqno },
      under: { 'submission-buffers': { irq_mask: SVGA_IRQFLAG_ERROR } },
    },
    {
      name: 'cman',
      struct: vmw_cmdbuf_man,
      initial: {
        max_hw_submitted: SVGA_CB_MAX_QUEUED_PER_CONTEXT - 1,
        max_buffers: commandBuffers,
      },
    },
    { name: 'fman', struct: vmw_fence_manager },
    {
      name: 'gman',
      struct: vmwgfx_gmrid_man,
      initial: { max_gmr_pages: limits.mobPages ?? 0 },
    },
    { name: 'reservation_ww_class', struct: ww_class },
    { name: 'dev_mapping', struct: address_space },
    { name: 'drm_file', struct: file },
    { name: 'surface_handles', struct: vmw_fpriv, tail: surfaces, initial: { size: surfaces } },
    { name: 'fence_handles', struct: vmw_fpriv, tail: fences, initial: { size: fences } },
    { name: 'sync_files', struct: fdtable, tail: syncFiles, initial: { size: syncFiles } },
    ...(contexts === 0
      ? []
      : [
          {
            name: 'context_handles',
            struct: vmw_fpriv,
            tail: contexts,
            initial: { size: contexts },
          },
          { name: 'binding_state', struct: vmw_ctx_binding_state },
        ]),
    { name: 'user_fence_reps', struct: drm_vmw_fence_rep, tail: submitters },
    { name: 'sw_context', struct: vmw_sw_context, tail: commands * command.cells },
    { name: 'user_commands', struct: user_command_buffer, tail: userCommands * command.cells },
    {
      name: 'vmw_vm_ops',
      struct: vm_operations_struct,
      initial: {
        open: ttm_bo_vm_open,
        close: ttm_bo_vm_close,
        fault: vmw_bo_vm_fault,
        page_mkwrite: vmw_bo_vm_mkwrite,
        pfn_mkwrite: vmw_bo_vm_mkwrite,
        ...(limits.debugged === true ? { access: ttm_bo_vm_access } : {}),
      },
      under: {
        'huge-faults': { huge_fault: vmw_bo_vm_huge_fault },
        'drm-6.1': { access: undefined }, // a table of its own, without it
      },
    },
    {
      name: 'vmwgfx_driver_fops',
      struct: file_operations,
      initial: { mmap: vmw_mmap },
      under: { 'huge-faults': { get_unmapped_area: vmw_get_unmapped_area } },
    },
    {
      name: 'vmw_gmrid_manager_func',
      struct: ttm_mem_type_manager,
      initial: { get_node: vmw_gmrid_man_get_node, put_node: vmw_gmrid_man_put_node },
    },
    ...vram,
    {
      name: 'vmw_bo_driver',
      struct: ttm_bo_driver,
      initial: {
        evict_flags: vmw_evict_flags,
        move: vmw_move,
        swap_notify: vmw_swap_notify,
        destroy: vmw_bo_bo_free,
      },
    },
    {
      name: 'vmw_fence_ops',
      struct: dma_fence_ops,
      initial: {
        enable_signaling: vmw_fence_enable_signaling,
        wait: vmw_fence_wait,
        release: vmw_fence_obj_destroy,
      },
    },
    {
      name: 'dma_fence_array_ops',
      struct: dma_fence_ops,
      initial: {
        enable_signaling: dma_fence_array_enable_signaling,
        signaled: dma_fence_array_signaled,
        wait: dma_fence_default_wait,
        release: dma_fence_array_release,
      },
    },
    {
      name: 'vmw_gb_surface_func',
      struct: vmw_res_func,
      initial: {
        create: vmw_gb_surface_create,
        destroy: vmw_gb_surface_destroy,
        bind: vmw_gb_surface_bind,
        unbind: vmw_gb_surface_unbind,
        dirty_alloc: vmw_surface_dirty_alloc,
        dirty_free: vmw_surface_dirty_free,
        dirty_sync: vmw_surface_dirty_sync,
        dirty_range_add: vmw_surface_dirty_range_add,
        clean: vmw_surface_clean,
        prio: 1,
        dirty_prio: 2,
      },
    },
  ];
  const worker: TaskSpec = {
    name: 'ttm_delayed',
    cpu: 0,
    root: ttm_delayed as Routine,
    daemon: true,
  };
  const errorWorker: TaskSpec = {
    name: 'cmdbuf_work',
    cpu: 0,
    root: vmw_cmdbuf_worker as Routine,
    daemon: true,
  };
  return {
    pools,
    statics,
    tasks: [
      ...(limits.destroys === true ? [worker] : []),
      ...(commandBuffers > 0 ? [errorWorker] : []),
    ],
    roots: [
      seqno_waiter_rm_cb,
      fence_check_cb_func,
      dma_fence_array_cb_func,
      irq_dma_fence_array_work,
      dma_fence_default_wait_cb,
    ] as unknown as readonly Routine[],
    regions: (plan: StorePlan): void => Shmem.reserve(plan, surfaces, swapPages),
    rules: [Shmem.rule],
    /** Handler of the device's interrupt, DEVICE_VECTOR. */
    irqHandler: vmw_irq_handler,
    /** vmw_driver_load(): the device's address space and tables. */
    boot: (k: Engine): void => {
      const { bdev } = vmw_priv(k);
      k.parts.shmem = new Shmem(k, swapPages);
      bdev.driver = k.the('vmw_bo_driver', 'ttm_bo_driver');
      const ids = k.the('vmw_gmrid_manager_func', 'ttm_mem_type_manager');
      bdev.man.set(VMW_PL_MOB, ids);
      if (vramPages !== undefined) {
        bdev.man.set(VMW_PL_GMR, ids);
        bdev.man.set(TTM_PL_VRAM, k.the('ttm_bo_manager_func', 'ttm_mem_type_manager'));
      }
      bdev.dev_mapping = k.the('dev_mapping', 'address_space');
      bdev.vm_ops = k.the('vmw_vm_ops', 'vm_operations_struct');
      const opened = k.the('drm_file', 'file');
      opened.f_mapping = k.the('dev_mapping', 'address_space');
      opened.f_op = k.the('vmwgfx_driver_fops', 'file_operations');
      opened.f_mode = FMODE_READ | FMODE_WRITE;
    },
  };
}
