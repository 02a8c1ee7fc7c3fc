// drivers/gpu/drm/vmwgfx/vmwgfx_gmrid_manager.c: room in GMR and in MOB placement: an id for each object, and no more pages
// in all than the device allows. Linux 5.1. Left out: that 6.1 raises the limit while there is memory.
import type { Engine } from '../../../../../routine/engine';
import { routine } from '../../../../../routine/routine';
import { int, ref, type Structs } from '../../../../../state/layout';
import { VMW_PL_MOB } from '../../../../include/drm/ttm/ttm_bo_api';
import { ENOMEM, ENOSPC } from '../../../../include/linux/errno';
import { newId } from './vmwgfx_cmd';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_gmrid_manager.c';
const args = { bo: ref('ttm_buffer_object'), mem_type: int };

/** Who gives out room in a memory type. */
const gman = (k: Engine, { mem_type }: { mem_type: number }): Structs['vmwgfx_gmrid_man'] =>
  k.the(mem_type === VMW_PL_MOB ? 'gman' : 'gman_gmr', 'vmwgfx_gmrid_man');

/** `func->get_node`: the id of a GMR or MOB for an object. -ENOSPC: others have to go first. */
export const vmw_gmrid_man_get_node = routine(
  file,
  'vmw_gmrid_man_get_node',
  { args, locals: { id: int }, returns: int },
  ({ step, fallible, acquire, release, ret }) => [
    acquire('spin_lock(&gman->lock)', (f, k) => gman(k, f).lock),
    fallible(
      'vmw_gmrid_man_get_node',
      step('used_gmr_pages += num_pages, if so many may be; id = ida_alloc(&gmr_ida)', (f, k) => {
        const man = gman(k, f);
        const { num_pages } = f.bo;
        const used = man.used_gmr_pages + num_pages;
        const full = man.max_gmr_pages > 0 && used > man.max_gmr_pages;
        f.id = full ? -ENOSPC : newId(man.gmr_ids);
        if (f.id === -ENOMEM) f.id = -ENOSPC;
        if (f.id >= 0) man.used_gmr_pages = used;
      }),
      (f) => {
        f.id = -ENOMEM;
      },
    ),
    release('spin_unlock(&gman->lock)', (f, k) => gman(k, f).lock),
    ret('id', (f) => f.id),
  ],
);

/** `func->put_node`: the object is none any more. */
export const vmw_gmrid_man_put_node = routine(
  file,
  'vmw_gmrid_man_put_node',
  { args: { ...args, start: int } },
  ({ step, acquire, release }) => [
    acquire('spin_lock(&gman->lock)', (f, k) => gman(k, f).lock),
    step('used_gmr_pages -= num_pages; ida_free(&gmr_ida, id)', (f, k) => {
      const man = gman(k, f);
      man.used_gmr_pages -= f.bo.num_pages;
      man.gmr_ids.set(f.start, 0);
    }),
    release('spin_unlock(&gman->lock)', (f, k) => gman(k, f).lock),
  ],
);
