// drivers/gpu/drm/vmwgfx/vmwgfx_kms.c: the image of a cursor, which the kernel itself reads from a buffer object through a
// map of its own, which stays from one update to the next. Linux 6.1. Left out: all other of displays, so each object has
// a plane of its own and is shown for good; sizes: an image is what lies in the first page.
import { assert } from '../../../../../base/assert';
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { bool, int, Oops, ref, type Structs } from '../../../../../state/layout';
import { ENOMEM } from '../../../../include/linux/errno';
import { ttm_bo_unreserve } from '../ttm/ttm_bo';
import { vmw_bo_map_and_cache, vmw_bo_unmap } from './vmwgfx_bo';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_kms.c';
const args = { vbo: ref('vmw_buffer_object') };

type Bo = Structs['vmw_buffer_object'];

/** Reads the first byte of the image through the kernel's map: `into` receives it. */
const readImage = ({ step }: AnyBuilder, text: string, into: 'seen' | 'image'): Node =>
  step(text, (f: { vbo: Bo } & Record<'seen' | 'image', number>, k: Engine) => {
    const pfn = f.vbo.map_pfn;
    if (pfn === 0)
      throw new Oops('unable to handle page fault: the kernel map of the object is gone');
    const { memory } = k.parts;
    // Through its `struct page`, so that one that was freed meanwhile is told of.
    if (memory.isData(pfn)) assert(k.view('page', memory.pageOfPfn(pfn)).index >= 0, 'a page');
    f[into] = memory.frame(pfn).byte(0);
  });

/** Whether the image is another than `shown`: 1, or 0. The object is reserved. -ENOMEM. */
const vmw_du_cursor_plane_has_changed = routine(
  file,
  'vmw_du_cursor_plane_has_changed',
  { args: { ...args, shown: int }, locals: { seen: int, image: int, ret: int }, returns: int },
  (b) => [
    b.call(vmw_bo_map_and_cache, (f) => ({ vbo: f.vbo }), 'ret'),
    b.when('!new_image', (f) => f.ret !== 0, [b.ret('-ENOMEM', () => -ENOMEM)]),
    readImage(b as AnyBuilder, 'memcmp(old_image, new_image, size)', 'seen'),
    b.call(vmw_bo_unmap, (f) => ({ vbo: f.vbo })),
    b.ret('changed', (f) => Number(f.seen !== f.shown)),
  ],
);

/** Shows an object as the cursor, whose image was `shown` before: the first byte of the new one, or a negative errno. */
export const vmw_du_cursor_plane_atomic_update = routine(
  file,
  'vmw_du_cursor_plane_atomic_update',
  {
    args: { ...args, shown: int },
    locals: { mapped: bool, changed: int, seen: int, image: int, ret: int },
    returns: int,
  },
  (b) => [
    b.acquire('ttm_bo_reserve(bo, false, false, NULL)', (f) => f.vbo.base.resv.lock),
    b.step('mapped = vps->surf_mapped', (f) => {
      f.mapped = f.vbo.map_pfn !== 0;
    }),
    b.when('!mapped', (f) => !f.mapped, [
      b.call(vmw_bo_map_and_cache, (f) => ({ vbo: f.vbo }), 'ret'),
    ]),
    b.when('image', (f) => f.ret === 0, [
      b.call(vmw_du_cursor_plane_has_changed, (f) => ({ vbo: f.vbo, shown: f.shown }), 'changed'),
      b.when('changed', (f) => f.changed !== 0, [
        readImage(b as AnyBuilder, 'vmw_cursor_update_image(dev_priv, image)', 'image'),
      ]),
    ]),
    b.call(ttm_bo_unreserve, (f) => ({ bo: f.vbo.base })),
    b.when('!image', (f) => f.ret !== 0, [b.ret('-ENOMEM', () => -ENOMEM)]),
    b.when('changed', (f) => f.changed !== 0, [b.ret('image', (f) => f.image)]),
    b.ret('shown', (f) => f.shown),
  ],
);
