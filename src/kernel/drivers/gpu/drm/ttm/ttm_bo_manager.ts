// drivers/gpu/drm/ttm/ttm_bo_manager.c (ttm_range_manager.c later): room in device memory behind a BAR, the lowest that
// fits. Linux 5.1. Left out: ranges that are asked for, alignment, allocation from the top.
import { routine } from '../../../../../routine/routine';
import { int, ref } from '../../../../../state/layout';
import { ENOSPC } from '../../../../include/linux/errno';

const file = 'drivers/gpu/drm/ttm/ttm_bo_manager.c';
const args = { bo: ref('ttm_buffer_object'), mem_type: int };

/** `func->get_node`: the first page of room for an object, in pages of the aperture. -ENOSPC: others have to go first. */
export const ttm_bo_man_get_node = routine(
  file,
  'ttm_bo_man_get_node',
  { args, locals: { start: int }, returns: int },
  ({ step, acquire, release, ret }) => [
    acquire('spin_lock(&rman->lock)', (_f, k) => k.the('vram_mm', 'ttm_range_manager').lock),
    step('drm_mm_insert_node_in_range(&rman->mm, node, num_pages)', (f, k) => {
      const { size, used } = k.the('vram_mm', 'ttm_range_manager');
      const { num_pages } = f.bo;
      f.start = -ENOSPC;
      for (let page = 0, free = 0; page < size && f.start < 0; page++) {
        free = used.get(page) === 0 ? free + 1 : 0;
        if (free === num_pages) f.start = page + 1 - num_pages;
      }
      for (let i = 0; f.start >= 0 && i < num_pages; i++) used.set(f.start + i, 1);
    }),
    release('spin_unlock(&rman->lock)', (_f, k) => k.the('vram_mm', 'ttm_range_manager').lock),
    ret('start', (f) => f.start),
  ],
);

/** `func->put_node`: the object's room is free again. */
export const ttm_bo_man_put_node = routine(
  file,
  'ttm_bo_man_put_node',
  { args: { ...args, start: int } },
  ({ step, acquire, release }) => [
    acquire('spin_lock(&rman->lock)', (_f, k) => k.the('vram_mm', 'ttm_range_manager').lock),
    step('drm_mm_remove_node(node)', (f, k) => {
      const { used } = k.the('vram_mm', 'ttm_range_manager');
      for (let i = 0; i < f.bo.num_pages; i++) used.set(f.start + i, 0);
    }),
    release('spin_unlock(&rman->lock)', (_f, k) => k.the('vram_mm', 'ttm_range_manager').lock),
  ],
);
