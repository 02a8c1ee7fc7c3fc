// What the rest of the system asks of the driver, for one surface where the kernel would have chosen by itself: memory
// pressure, a display that shows it, and sleep. Routines on a thread of the application's, as the shrinker runs on
// whoever allocates:
//
//   evict_surface {handle}                  -> 0, -EBUSY (in use or pinned), or a negative errno
//   swap_surface {handle}                   -> as before; -EBUSY also when it has no pages
//   pin_surface, unpin_surface {handle}     -> 0, or a negative errno
//   suspend, resume {}                      -> 0, or a negative errno
import {
  ttm_bo_evict,
  ttm_bo_evict_swapout_allowable,
  ttm_bo_swapout,
  ttm_bo_unreserve,
} from '../kernel/drivers/gpu/drm/ttm/ttm_bo';
import { vmw_pm_freeze, vmw_pm_restore } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_pm';
import {
  vmw_resource_pin,
  vmw_resource_unpin,
  vmw_resource_unreference,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_resource';
import { vmw_user_surface_lookup_handle } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_surface';
import { EBUSY, EINVAL } from '../kernel/include/linux/errno';
import { routine } from '../routine/routine';
import { int, isNull, ref } from '../state/layout';

const file = 'user/system';
const onSurface = {
  mode: 'user',
  args: { handle: int },
  locals: { res: ref('vmw_resource'), vbo: ref('vmw_buffer_object'), locked: int, ret: int },
  returns: int,
} as const;

/** Tries to take the object of a surface away as `how` does. */
const pressure = (name: string, swapout: boolean, how: typeof ttm_bo_evict) =>
  routine(file, name, onSurface, ({ unlocked, call, when, ret }) => [
    call(vmw_user_surface_lookup_handle, (f) => ({ handle: f.handle }), 'res'),
    when('!res', (f) => isNull(f.res), [ret('-EINVAL', () => -EINVAL)]),
    unlocked('vbo = res->backup', (f) => {
      f.vbo = f.res.backup;
    }),
    call(ttm_bo_evict_swapout_allowable, (f) => ({ bo: f.vbo.base, swapout }), 'locked'),
    when(
      'locked',
      (f) => f.locked === 1,
      [
        call(how, (f) => ({ bo: f.vbo.base }), 'ret'),
        call(ttm_bo_unreserve, (f) => ({ bo: f.vbo.base })),
      ],
      [
        unlocked('ret = -EBUSY', (f) => {
          f.ret = -EBUSY;
        }),
      ],
    ),
    call(vmw_resource_unreference, (f) => ({ res: f.res })),
    ret('ret', (f) => f.ret),
  ]);

/** Evicts the object of a surface from MOB placement. */
export const evict_surface = pressure('evict_surface', false, ttm_bo_evict);

/** Swaps the pages of a surface out. */
export const swap_surface = pressure('swap_surface', true, ttm_bo_swapout);

/** Pins a surface; what shows it keeps it alive. */
export const pin_surface = routine(file, 'pin_surface', onSurface, ({ call, when, ret }) => [
  call(vmw_user_surface_lookup_handle, (f) => ({ handle: f.handle }), 'res'),
  when('!res', (f) => isNull(f.res), [ret('-EINVAL', () => -EINVAL)]),
  call(vmw_resource_pin, (f) => ({ res: f.res }), 'ret'),
  when('ret', (f) => f.ret !== 0, [call(vmw_resource_unreference, (f) => ({ res: f.res }))]),
  ret('ret', (f) => f.ret),
]);

/** Undoes one pin_surface. */
export const unpin_surface = routine(file, 'unpin_surface', onSurface, ({ call, when, ret }) => [
  call(vmw_user_surface_lookup_handle, (f) => ({ handle: f.handle }), 'res'),
  when('!res', (f) => isNull(f.res), [ret('-EINVAL', () => -EINVAL)]),
  call(vmw_resource_unpin, (f) => ({ res: f.res }), 'ret'),
  when('!ret', (f) => f.ret === 0, [call(vmw_resource_unreference, (f) => ({ res: f.res }))]),
  call(vmw_resource_unreference, (f) => ({ res: f.res })),
  ret('ret', (f) => f.ret),
]);

const onMachine = { mode: 'user', locals: { ret: int }, returns: int } as const;

/** The machine goes to sleep. */
export const suspend = routine(file, 'suspend', onMachine, ({ call, ret }) => [
  call(vmw_pm_freeze, () => ({}), 'ret'),
  ret('ret', (f) => f.ret),
]);

/** And wakes up. */
export const resume = routine(file, 'resume', onMachine, ({ call, ret }) => [
  call(vmw_pm_restore, () => ({}), 'ret'),
  ret('ret', (f) => f.ret),
]);
