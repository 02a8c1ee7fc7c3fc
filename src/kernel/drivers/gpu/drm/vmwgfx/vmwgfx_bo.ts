// drivers/gpu/drm/vmwgfx/vmwgfx_bo.c: the driver's buffer objects. Linux 5.1. Left out: kernel maps, synccpu, pins.
import { PAGE_SIZE } from '../../../../../hardware/pte';
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref } from '../../../../../state/layout';
import { WARN_BO_RESOURCES, WARN_BO_TRACKED, warn } from '../../../../include/asm-generic/bug';
import { ttm_bo_init } from '../ttm/ttm_bo';
import { vmw_priv } from './vmwgfx_cmd';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_bo.c';

/** A buffer object of `size` bytes in system placement, with one reference; NULL without memory. */
export const vmw_bo_init = routine(
  file,
  'vmw_bo_init',
  {
    args: { size: int },
    locals: { vbo: ref('vmw_buffer_object'), ret: int },
    returns: ref('vmw_buffer_object'),
  },
  ({ step, fallible, call, when, ret }) => [
    fallible(
      'vmw_bo_init',
      step('vbo = kzalloc(sizeof(*vbo), GFP_KERNEL)', (f, k) => {
        f.vbo = k.alloc('vmw_buffer_object');
      }),
    ),
    when('!vbo', (f) => isNull(f.vbo), [ret('NULL', (f) => f.vbo)]),
    call(
      ttm_bo_init,
      (f, k) => ({
        bo: f.vbo.base,
        bdev: vmw_priv(k).bdev,
        num_pages: Math.ceil(f.size / PAGE_SIZE),
      }),
      'ret',
    ),
    when('ret', (f) => f.ret !== 0, [
      step('kfree(vbo)', (f, k) => {
        const { vbo } = f;
        f.vbo = NULL;
        k.free(vbo);
      }),
    ]),
    ret('vbo', (f) => f.vbo),
  ],
);

/** `bo->destroy`: nobody refers to the object any more. */
export const vmw_bo_bo_free = routine(
  file,
  'vmw_bo_bo_free',
  {
    args: { bo: ref('ttm_buffer_object') },
    locals: { vbo: ref('vmw_buffer_object'), tracked: bool, attached: bool },
  },
  ({ step, unlocked, when }) => [
    unlocked('WARN_ON(vmw_bo->dirty)', (f, k) => {
      f.vbo = k.view('vmw_buffer_object', f.bo.at);
      f.tracked = !isNull(f.vbo.dirty);
    }),
    unlocked('WARN_ON(!RB_EMPTY_ROOT(&vmw_bo->res_tree))', (f) => {
      f.attached = !isNull(f.vbo.res_tree);
    }),
    when('tracked', (f) => f.tracked, [
      step('WARN', (_f, k) => k.emit(warn, { where: WARN_BO_TRACKED })),
    ]),
    when('attached', (f) => f.attached, [
      step('WARN', (_f, k) => k.emit(warn, { where: WARN_BO_RESOURCES })),
    ]),
    step('kfree(vmw_bo)', (f, k) => {
      const { vbo } = f;
      f.vbo = NULL;
      f.bo = NULL;
      k.free(vbo);
    }),
  ],
);
