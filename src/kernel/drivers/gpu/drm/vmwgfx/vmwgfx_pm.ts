// vmw_pm_freeze() and vmw_pm_restore() of drivers/gpu/drm/vmwgfx/vmwgfx_drv.c: the driver before and after the machine
// sleeps. Linux 5.1. Left out: the display, and that processes are frozen meanwhile: what they submit waits
// until the device runs again. Surfaces are found by their handles, where the kernel lists them by use.
import { routine } from '../../../../../routine/routine';
import { int, isNull, ref } from '../../../../../state/layout';
import { TTM_PL_VRAM } from '../../../../include/drm/ttm/ttm_bo_api';
import { EBUSY } from '../../../../include/linux/errno';
import { dma_fence_put, dma_fence_wait } from '../../../dma-buf/dma-fence';
import { ttm_bo_evict_mm, ttm_bo_swapout_all } from '../ttm/ttm_bo';
import { vmw_cmdbuf_startstop, vmw_priv } from './vmwgfx_cmd';
import { vmw_execbuf_fence_commands } from './vmwgfx_fence';
import { vmw_resource_do_evict, vmw_resource_unreference } from './vmwgfx_resource';
import { vmw_user_surface_lookup_handle } from './vmwgfx_surface';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_drv.c';

/** Takes every surface off the device that is not pinned. */
const vmw_resource_evict_all = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_resource.c',
  'vmw_resource_evict_all',
  { locals: { handle: int, last: int, res: ref('vmw_resource') } },
  ({ step, call, acquire, release, loop, leave, when }) => [
    acquire('mutex_lock(&dev_priv->cmdbuf_mutex)', (_f, k) => vmw_priv(k).cmdbuf_mutex),
    loop('for each resource', [
      step('next', (f, k) => {
        f.handle++;
        f.last = k.the('surface_handles', 'vmw_fpriv').size;
      }),
      when('no more', (f) => f.handle > f.last, [leave()]),
      call(vmw_user_surface_lookup_handle, (f) => ({ handle: f.handle }), 'res'),
      when('res', (f) => !isNull(f.res), [
        call(vmw_resource_do_evict, (f) => ({ res: f.res })),
        call(vmw_resource_unreference, (f) => ({ res: f.res })),
      ]),
    ]),
    release('mutex_unlock(&dev_priv->cmdbuf_mutex)', (_f, k) => vmw_priv(k).cmdbuf_mutex),
  ],
);

/** Puts the device to sleep: nothing of the guest is on it any more. -EBUSY when a pinned surface stays there. */
export const vmw_pm_freeze = routine(
  file,
  'vmw_pm_freeze',
  { locals: { left: int, fence: ref('dma_fence'), ret: int }, returns: int },
  ({ step, call, acquire, release, when, ret, having }) => [
    call(vmw_resource_evict_all, () => ({})),
    call(ttm_bo_swapout_all, (_f, k) => ({ bdev: vmw_priv(k).bdev }), 'ret'),
    when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    having('vram', [
      call(ttm_bo_evict_mm, (_f, k) => ({ bdev: vmw_priv(k).bdev, mem_type: TTM_PL_VRAM }), 'ret'),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    ]),
    acquire('spin_lock(&dev_priv->resource_lock)', (_f, k) => vmw_priv(k).resource_lock),
    step('left = dev_priv->num_fifo_resources', (f, k) => {
      const { res_ids } = vmw_priv(k);
      for (let i = 0; i < res_ids.length; i++) f.left += res_ids.get(i);
    }),
    release('spin_unlock(&dev_priv->resource_lock)', (_f, k) => vmw_priv(k).resource_lock),
    when('left', (f) => f.left > 0, [ret('-EBUSY', () => -EBUSY)]),
    call(vmw_execbuf_fence_commands, () => ({}), 'fence'),
    when('vmw_fence_fifo_down(dev_priv->fman)', (f) => !isNull(f.fence), [
      call(dma_fence_wait, (f) => ({ fence: f.fence, intr: 0 })),
      call(dma_fence_put, (f) => ({ fence: f.fence })),
    ]),
    call(vmw_cmdbuf_startstop, () => ({ enable: false })),
    ret('0', () => 0),
  ],
);

/** The device takes commands again; surfaces come back to it as they are used. */
export const vmw_pm_restore = routine(file, 'vmw_pm_restore', { returns: int }, ({ call, ret }) => [
  call(vmw_cmdbuf_startstop, () => ({ enable: true })),
  ret('0', () => 0),
]);
