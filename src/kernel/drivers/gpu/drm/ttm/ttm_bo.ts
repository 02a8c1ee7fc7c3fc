// drivers/gpu/drm/ttm/ttm_bo.c and drm_vma_manager.c: buffer objects, their placement and their fake offsets. Linux
// 5.1, and 6.1 by variants. Left out: eviction, LRU lists, swap; a last reference dropped while the GPU is busy makes
// its dropper wait, where the kernel has a list of delayed destruction.
import { routine } from '../../../../../routine/routine';
import { int, isNull, NULL, ref, type Structs, same } from '../../../../../state/layout';
import { DRM_FILE_PAGE_OFFSET_START, TTM_PL_SYSTEM } from '../../../../include/drm/ttm/ttm_bo_api';
import { ENOMEM } from '../../../../include/linux/errno';
import { unmap_mapping_range } from '../../../../mm/memory';
import { dma_fence_put, dma_fence_wait } from '../../../dma-buf/dma-fence';
import { ttm_tt_destroy, ttm_tt_populate } from './ttm_tt';

const file = 'drivers/gpu/drm/ttm/ttm_bo.c';
const bo = { bo: ref('ttm_buffer_object') };

/** Takes a reference. */
export const ttm_bo_get = routine(file, 'ttm_bo_get', { args: bo }, ({ atomic }) => [
  atomic('kref_get(&bo->kref)', (f) => {
    f.bo.kref++;
  }),
]);

/** Drops a reference; the last one ends the object. Holds no reservation, or at most those of other objects. */
export const ttm_bo_put = routine(
  file,
  'ttm_bo_put',
  { args: bo, locals: { left: int } },
  ({ atomic, when, call }) => [
    atomic('left = --bo->kref', (f) => {
      f.bo.kref--;
      f.left = f.bo.kref;
    }),
    when('!left', (f) => f.left === 0, [call(ttm_bo_release, (f) => ({ bo: f.bo }))]),
  ],
);

const ttm_bo_release = routine(
  file,
  'ttm_bo_release',
  { args: bo, locals: { ret: int, fence: ref('dma_fence'), ttm: ref('ttm_tt') } },
  ({ step, call, callPointer, acquire, release, when }) => [
    acquire('write_lock(&bdev->vma_manager->vm_lock)', (f) => f.bo.bdev.vm_lock),
    step('drm_vma_offset_remove(bdev->vma_manager, &bo->vma_node)', (f) => {
      const { bo } = f;
      const { bdev } = bo;
      if (same(bdev.nodes, bo)) bdev.nodes = bo.vma_node_next;
      else {
        let before = bdev.nodes;
        while (!same(before.vma_node_next, bo)) before = before.vma_node_next;
        before.vma_node_next = bo.vma_node_next;
      }
      bo.vma_node_next = NULL;
    }),
    release('write_unlock(&bdev->vma_manager->vm_lock)', (f) => f.bo.bdev.vm_lock),
    acquire('dma_resv_lock(bo->resv, NULL)', (f) => f.bo.resv.lock),
    step('fence = bo->resv->fence_excl', (f) => {
      f.fence = f.bo.resv.fence_excl;
      f.bo.resv.fence_excl = NULL;
    }),
    when('fence', (f) => !isNull(f.fence), [
      call(dma_fence_wait, (f) => ({ fence: f.fence, intr: 0 })),
      call(dma_fence_put, (f) => ({ fence: f.fence })),
    ]),
    step('fence = bo->moving', (f) => {
      f.fence = f.bo.resv.fence_kernel;
      f.bo.resv.fence_kernel = NULL;
    }),
    when('fence', (f) => !isNull(f.fence), [
      call(dma_fence_wait, (f) => ({ fence: f.fence, intr: 0 })),
      call(dma_fence_put, (f) => ({ fence: f.fence })),
    ]),
    call(ttm_bo_handle_move_mem, (f) => ({ bo: f.bo, mem_type: TTM_PL_SYSTEM }), 'ret'),
    step('ttm = bo->ttm', (f) => {
      f.ttm = f.bo.ttm;
      f.bo.ttm = NULL;
    }),
    call(ttm_tt_destroy, (f) => ({ ttm: f.ttm })),
    release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock),
    callPointer(
      'bo->destroy(bo)',
      (f) => f.bo.bdev.driver.destroy,
      (f) => ({ bo: f.bo }),
    ),
  ],
);

/** The first free range of fake offsets that `pages` fit in; called with the offsets' lock held. */
function firstFit(
  bdev: Structs['ttm_bo_device'],
  pages: number,
): [Structs['ttm_buffer_object'], number] {
  let start = DRM_FILE_PAGE_OFFSET_START;
  let before: Structs['ttm_buffer_object'] = NULL;
  for (let node = bdev.nodes; !isNull(node); node = node.vma_node_next) {
    if (start + pages <= node.vma_node_start) break;
    start = node.vma_node_start + node.num_pages;
    before = node;
  }
  return [before, start];
}

/** Fills in a buffer object that nobody else knows yet: system placement, one reference, a fake offset. */
export const ttm_bo_init = routine(
  file,
  'ttm_bo_init',
  {
    args: { ...bo, bdev: ref('ttm_bo_device'), num_pages: int },
    locals: { ttm: ref('ttm_tt') },
    returns: int,
  },
  ({ step, fallible, acquire, release, when, ret }) => [
    step('bo->bdev = bdev; bo->num_pages = num_pages', (f) => {
      f.bo.bdev = f.bdev;
      f.bo.num_pages = f.num_pages;
    }),
    step('kref_init(&bo->kref)', (f) => {
      f.bo.kref = 1;
    }),
    fallible(
      'ttm_tt_create',
      step('ttm = ttm_tt_create(bo)', (f, k) => {
        f.ttm = k.alloc('ttm_tt');
        if (!isNull(f.ttm)) f.ttm.num_pages = f.num_pages;
      }),
    ),
    when('!ttm', (f) => isNull(f.ttm), [ret('-ENOMEM', () => -ENOMEM)]),
    acquire('dma_resv_lock(bo->resv, NULL)', (f) => f.bo.resv.lock),
    step('bo->ttm = ttm; bo->mem.mem_type = TTM_PL_SYSTEM', (f) => {
      f.bo.ttm = f.ttm;
      f.bo.mem_type = TTM_PL_SYSTEM;
    }),
    release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock),
    acquire('write_lock(&bdev->vma_manager->vm_lock)', (f) => f.bdev.vm_lock),
    step('drm_vma_offset_add(bdev->vma_manager, &bo->vma_node, num_pages)', (f) => {
      const { bo, bdev } = f;
      const [before, start] = firstFit(bdev, f.num_pages);
      bo.vma_node_start = start;
      bo.vma_node_next = isNull(before) ? bdev.nodes : before.vma_node_next;
      if (isNull(before)) bdev.nodes = bo;
      else before.vma_node_next = bo;
    }),
    release('write_unlock(&bdev->vma_manager->vm_lock)', (f) => f.bdev.vm_lock),
    ret('0', () => 0),
  ],
);

/** Removes every CPU mapping of the object. */
export const ttm_bo_unmap_virtual = routine(
  file,
  'ttm_bo_unmap_virtual',
  { args: bo },
  ({ call }) => [
    call(unmap_mapping_range, (f) => ({
      mapping: f.bo.bdev.dev_mapping,
      first_index: f.bo.vma_node_start,
      nr: f.bo.num_pages,
      even_cows: true,
    })),
  ],
);

/**
 * Moves a reserved object to another placement. The pages stay the same; in 2019 so do the PTEs, for neither side is
 * an aperture. Returns 0 or what the driver says.
 */
const ttm_bo_handle_move_mem = routine(
  file,
  'ttm_bo_handle_move_mem',
  {
    args: { ...bo, mem_type: int },
    locals: { cur: int, ttm: ref('ttm_tt'), ret: int },
    returns: int,
  },
  ({ step, call, callPointer, when, ret, variant }) => [
    step('cur = bo->mem.mem_type; ttm = bo->ttm', (f) => {
      f.cur = f.bo.mem_type;
      f.ttm = f.bo.ttm;
    }),
    when('already there', (f) => f.cur === f.mem_type, [ret('0', () => 0)]),
    variant('bz-53', [call(ttm_bo_unmap_virtual, (f) => ({ bo: f.bo }))]),
    when('mem->mem_type != TTM_PL_SYSTEM', (f) => f.mem_type !== TTM_PL_SYSTEM, [
      call(ttm_tt_populate, (f) => ({ ttm: f.ttm }), 'ret'),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    ]),
    callPointer(
      'bdev->driver->move(bo, mem)',
      (f) => f.bo.bdev.driver.move,
      (f) => ({ bo: f.bo, mem_type: f.mem_type }),
      'ret',
    ),
    when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    step('bo->mem = *mem', (f) => {
      f.bo.mem_type = f.mem_type;
    }),
    ret('0', () => 0),
  ],
);

/** Brings a reserved object into a placement; nothing happens when it is there. */
export const ttm_bo_validate = routine(
  file,
  'ttm_bo_validate',
  { args: { ...bo, mem_type: int }, locals: { ret: int }, returns: int },
  ({ call, ret }) => [
    call(ttm_bo_handle_move_mem, (f) => ({ bo: f.bo, mem_type: f.mem_type }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/** The object whose fake offsets hold page `pgoff` of the device's file, with a reference; NULL when there is none. */
export const ttm_bo_vm_lookup = routine(
  'drivers/gpu/drm/ttm/ttm_bo_vm.c',
  'ttm_bo_vm_lookup',
  {
    args: { bdev: ref('ttm_bo_device'), pgoff: int, pages: int },
    locals: { bo: ref('ttm_buffer_object') },
    returns: ref('ttm_buffer_object'),
  },
  ({ step, atomic, acquire, release, when, ret }) => [
    acquire('read_lock(&bdev->vma_manager->vm_lock)', (f) => f.bdev.vm_lock),
    step('node = drm_vma_offset_lookup_locked(bdev->vma_manager, offset, pages)', (f) => {
      f.bo = f.bdev.nodes;
      while (!isNull(f.bo) && f.bo.vma_node_start + f.bo.num_pages <= f.pgoff) {
        f.bo = f.bo.vma_node_next;
      }
      if (isNull(f.bo)) return;
      const { vma_node_start, num_pages } = f.bo;
      const inside = f.pgoff >= vma_node_start && f.pgoff + f.pages <= vma_node_start + num_pages;
      if (!inside) f.bo = NULL;
    }),
    when('node', (f) => !isNull(f.bo), [
      atomic('kref_get_unless_zero(&bo->kref)', (f) => {
        if (f.bo.kref === 0) f.bo = NULL;
        else f.bo.kref++;
      }),
    ]),
    release('read_unlock(&bdev->vma_manager->vm_lock)', (f) => f.bdev.vm_lock),
    ret('bo', (f) => f.bo),
  ],
);
