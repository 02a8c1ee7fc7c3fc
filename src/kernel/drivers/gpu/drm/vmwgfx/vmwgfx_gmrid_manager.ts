// drivers/gpu/drm/vmwgfx/vmwgfx_gmrid_manager.c: room in MOB placement: an id for each object, and no more pages in all
// than the device allows. Linux 5.1. Left out: GMRs; that 6.1 raises the limit while there is memory.
import { routine } from '../../../../../routine/routine';
import { int, ref } from '../../../../../state/layout';
import { ENOMEM, ENOSPC } from '../../../../include/linux/errno';
import { newId } from './vmwgfx_cmd';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_gmrid_manager.c';
const args = { bo: ref('ttm_buffer_object') };

/** `func->get_node`: the id of a MOB for an object. -ENOSPC: others have to go first. */
export const vmw_gmrid_man_get_node = routine(
  file,
  'vmw_gmrid_man_get_node',
  { args, locals: { id: int }, returns: int },
  ({ step, fallible, acquire, release, ret }) => [
    acquire('spin_lock(&gman->lock)', (_f, k) => k.the('gman', 'vmwgfx_gmrid_man').lock),
    fallible(
      'vmw_gmrid_man_get_node',
      step('used_gmr_pages += num_pages, if so many may be; id = ida_alloc(&gmr_ida)', (f, k) => {
        const gman = k.the('gman', 'vmwgfx_gmrid_man');
        const { num_pages } = f.bo;
        const used = gman.used_gmr_pages + num_pages;
        const full = gman.max_gmr_pages > 0 && used > gman.max_gmr_pages;
        f.id = full ? -ENOSPC : newId(gman.gmr_ids);
        if (f.id === -ENOMEM) f.id = -ENOSPC;
        if (f.id >= 0) gman.used_gmr_pages = used;
      }),
      (f) => {
        f.id = -ENOMEM;
      },
    ),
    release('spin_unlock(&gman->lock)', (_f, k) => k.the('gman', 'vmwgfx_gmrid_man').lock),
    ret('id', (f) => f.id),
  ],
);

/** `func->put_node`: the object is no MOB any more. */
export const vmw_gmrid_man_put_node = routine(
  file,
  'vmw_gmrid_man_put_node',
  { args: { ...args, start: int } },
  ({ step, acquire, release }) => [
    acquire('spin_lock(&gman->lock)', (_f, k) => k.the('gman', 'vmwgfx_gmrid_man').lock),
    step('used_gmr_pages -= num_pages; ida_free(&gmr_ida, id)', (f, k) => {
      const gman = k.the('gman', 'vmwgfx_gmrid_man');
      gman.used_gmr_pages -= f.bo.num_pages;
      gman.gmr_ids.set(f.start, 0);
    }),
    release('spin_unlock(&gman->lock)', (_f, k) => k.the('gman', 'vmwgfx_gmrid_man').lock),
  ],
);
