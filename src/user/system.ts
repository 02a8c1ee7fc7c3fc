// What the rest of the system asks of the driver, for one surface where the kernel would have chosen by itself: memory
// pressure, a display that shows it, and sleep. Routines on a thread of the application's, as the shrinker runs on
// whoever allocates:
//
//   evict_surface {handle}                  -> 0, -EBUSY (in use or pinned), or a negative errno
//   swap_surface {handle}                   -> as before; -EBUSY also when it has no pages
//   pin_surface, unpin_surface {handle}     -> 0, or a negative errno
//   pin_in_vram, pin_in_vram_or_gmr, unpin_buffer {handle}   -> as before, of the object behind the surface
//   purge_surface {handle, surface}         -> as evict_surface; what it holds is gone
//   cursor_surface {handle, shown}          -> the first byte of the image, or a negative errno
//   suspend, resume {}                      -> 0, or a negative errno
//   peek {address, length}, poke {address, length, unique, value} -> 0, or -EIO
import {
  ttm_bo_evict,
  ttm_bo_evict_swapout_allowable,
  ttm_bo_swapout,
  ttm_bo_unreserve,
} from '../kernel/drivers/gpu/drm/ttm/ttm_bo';
import { ttm_bo_pipeline_gutting } from '../kernel/drivers/gpu/drm/ttm/ttm_bo_util';
import {
  vmw_bo_pin_in_vram,
  vmw_bo_pin_in_vram_or_gmr,
  vmw_bo_unpin,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_bo';
import { vmw_du_cursor_plane_atomic_update } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_kms';
import { vmw_pm_freeze, vmw_pm_restore } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_pm';
import {
  vmw_resource_pin,
  vmw_resource_unpin,
  vmw_resource_unreference,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_resource';
import { vmw_user_surface_lookup_handle } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_surface';
import { EBUSY, EINVAL, EIO } from '../kernel/include/linux/errno';
import { current } from '../kernel/include/linux/sched';
import { access_remote_vm } from '../kernel/mm/gup';
import { type AnyBuilder, type Node, routine } from '../routine/routine';
import { bool, type FieldsView, int, isNull, long, ref } from '../state/layout';
import { memory_abandoned } from './edges';

const file = 'user/system';
const onSurface = {
  mode: 'user',
  args: { handle: int },
  locals: { res: ref('vmw_resource'), vbo: ref('vmw_buffer_object'), locked: int, ret: int },
  returns: int,
} as const;

type OnSurface = { readonly handle: number } & FieldsView<typeof onSurface.locals>;

/** Looks up a surface and the object behind it; what is done with them ends with `vmw_resource_unreference`. -EINVAL. */
const lookUp = ({ unlocked, call, when, ret }: AnyBuilder): Node => [
  call(vmw_user_surface_lookup_handle, (f: OnSurface) => ({ handle: f.handle }), 'res'),
  when('!res', (f: OnSurface) => isNull(f.res), [ret('-EINVAL', () => -EINVAL)]),
  unlocked('vbo = res->backup', (f: OnSurface) => {
    f.vbo = f.res.backup;
  }),
];

/** Takes hold of the object of a surface as who needs room does, and does something with it; -EBUSY when it cannot. */
const underPressure = (b: AnyBuilder, swapout: boolean, act: Node): Node => {
  const object = (f: OnSurface) => ({ bo: f.vbo.base });
  return [
    lookUp(b),
    b.call(ttm_bo_evict_swapout_allowable, (f: OnSurface) => ({ ...object(f), swapout }), 'locked'),
    b.when(
      'locked',
      (f: OnSurface) => f.locked === 1,
      [act, b.call(ttm_bo_unreserve, object)],
      [
        b.unlocked('ret = -EBUSY', (f: OnSurface) => {
          f.ret = -EBUSY;
        }),
      ],
    ),
    b.call(vmw_resource_unreference, (f: OnSurface) => ({ res: f.res })),
    b.ret('ret', (f: OnSurface) => f.ret),
  ];
};

/** Tries to take the object of a surface away as `how` does. */
const pressure = (name: string, swapout: boolean, how: typeof ttm_bo_evict) =>
  routine(file, name, onSurface, (b) =>
    underPressure(
      b,
      swapout,
      b.call(how, (f) => ({ bo: f.vbo.base }), 'ret'),
    ),
  );

/** Evicts the object of a surface from MOB placement. */
export const evict_surface = pressure('evict_surface', false, ttm_bo_evict);

/** Swaps the pages of a surface out. */
export const swap_surface = pressure('swap_surface', true, ttm_bo_swapout);

/** The object of a surface is emptied where it is, in system placement after an eviction: nobody needs what it holds. */
export const purge_surface = routine(
  file,
  'purge_surface',
  { ...onSurface, args: { handle: int, surface: int, bytes: int } },
  (b) => [
    b.step('what it holds is given up', (f, k) => {
      const { surface, bytes } = f;
      k.emit(memory_abandoned, { surface, offset: 0, length: bytes, submission: 0 });
    }),
    underPressure(b, false, [
      b.call(ttm_bo_evict, (f) => ({ bo: f.vbo.base }), 'ret'),
      b.when('!ret', (f) => f.ret === 0, [
        b.call(ttm_bo_pipeline_gutting, (f) => ({ bo: f.vbo.base })),
      ]),
    ]),
  ],
);

/** A display shows what lies in a surface's memory as its cursor. */
export const cursor_surface = routine(
  file,
  'cursor_surface',
  { ...onSurface, args: { handle: int, shown: int } },
  (b) => [
    lookUp(b),
    b.call(vmw_du_cursor_plane_atomic_update, (f) => ({ vbo: f.vbo, shown: f.shown }), 'ret'),
    b.call(vmw_resource_unreference, (f) => ({ res: f.res })),
    b.ret('ret', (f) => f.ret),
  ],
);

const inProcess = { mode: 'user', locals: { bytes: int }, returns: int } as const;

/** Reads memory of the process as a debugger does, or the process itself by /proc/self/mem. */
export const peek = routine(
  file,
  'peek',
  { ...inProcess, args: { address: long, length: int } },
  ({ call, when, ret }) => [
    call(
      access_remote_vm,
      ({ address, length }, k) => ({
        mm: current(k).mm,
        addr: address,
        len: length,
        write: false,
        unique: false,
        value: 0,
      }),
      'bytes',
    ),
    when('bytes < length', (f) => f.bytes < f.length, [ret('-EIO', () => -EIO)]),
    ret('0', () => 0),
  ],
);

/** And writes it. */
export const poke = routine(
  file,
  'poke',
  { ...inProcess, args: { address: long, length: int, unique: bool, value: int } },
  ({ call, when, ret }) => [
    call(
      access_remote_vm,
      ({ address, length, unique, value }, k) => ({
        mm: current(k).mm,
        addr: address,
        len: length,
        write: true,
        unique,
        value,
      }),
      'bytes',
    ),
    when('bytes < length', (f) => f.bytes < f.length, [ret('-EIO', () => -EIO)]),
    ret('0', () => 0),
  ],
);

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

/** Pins the object behind a surface in a place that displays can reach, or takes that back. */
const buffer = (name: string, how: typeof vmw_bo_unpin, keeps: boolean) =>
  routine(file, name, onSurface, (b) => [
    lookUp(b),
    b.call(how, (f) => ({ vbo: f.vbo }), 'ret'),
    // A display keeps what it shows alive until it is unpinned.
    b.when('ret, or unpinned', (f) => f.ret !== 0 || !keeps, [
      b.when('unpinned', (f) => f.ret === 0, [
        b.call(vmw_resource_unreference, (f) => ({ res: f.res })),
      ]),
      b.call(vmw_resource_unreference, (f) => ({ res: f.res })),
    ]),
    b.ret('ret', (f) => f.ret),
  ]);

export const pin_in_vram = buffer('pin_in_vram', vmw_bo_pin_in_vram, true);
export const pin_in_vram_or_gmr = buffer('pin_in_vram_or_gmr', vmw_bo_pin_in_vram_or_gmr, true);
export const unpin_buffer = buffer('unpin_buffer', vmw_bo_unpin, false);

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
