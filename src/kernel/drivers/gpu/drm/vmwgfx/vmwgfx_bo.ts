// drivers/gpu/drm/vmwgfx/vmwgfx_bo.c: the driver's buffer objects. Linux 5.1. Left out: pins at the start of
// VRAM, reservation_sem.
import { PAGE_SIZE } from '../../../../../hardware/pte';
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref, type Structs } from '../../../../../state/layout';
import { WARN_BO_RESOURCES, WARN_BO_TRACKED, warn } from '../../../../include/asm-generic/bug';
import type { TtmPlacement } from '../../../../include/drm/ttm/ttm_bo_api';
import { EBUSY, EINVAL, ERESTARTSYS } from '../../../../include/linux/errno';
import { dma_fence_wait, MAX_SCHEDULE_TIMEOUT } from '../../../dma-buf/dma-fence';
import { dma_resv_test_signaled, dma_resv_wait_timeout } from '../../../dma-buf/dma-resv';
import { ttm_bo_init, ttm_bo_unreserve, ttm_bo_validate } from '../ttm/ttm_bo';
import { frameOf, ttm_bo_kmap } from '../ttm/ttm_bo_util';
import { vmw_priv } from './vmwgfx_cmd';
import { vmw_vram_gmr_placement, vmw_vram_placement } from './vmwgfx_ttm_buffer';

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
  ({ step, unlocked, when, call, having }) => [
    having('kernel maps', [
      call(vmw_bo_unmap, (f, k) => ({ vbo: k.view('vmw_buffer_object', f.bo.at) })),
    ]),
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

const pinArgs = { vbo: ref('vmw_buffer_object') };

/**
 * Brings an object into one of two placements, the second where the first has no room, and keeps it there until as many
 * vmw_bo_unpin(): 0; -EINVAL when it is pinned elsewhere; -ENOMEM; -ERESTARTSYS.
 */
const pinning = (name: string, first: TtmPlacement, second?: TtmPlacement) =>
  routine(
    file,
    name,
    { args: pinArgs, locals: { pinned: bool, fits: bool, ret: int }, returns: int },
    ({ step, acquire, call, when, ret }) => [
      acquire('ret = ttm_bo_reserve(bo, interruptible)', (f) => f.vbo.base.resv.lock, {
        interruptible: true,
        into: 'ret',
      }),
      when('ret', (f) => f.ret !== 0, [ret('-ERESTARTSYS', () => -ERESTARTSYS)]),
      step('buf->pin_count > 0, ttm_bo_mem_compat(placement, &bo->mem)', (f) => {
        const { pin_count, mem_type } = f.vbo.base;
        f.pinned = pin_count > 0;
        f.fits = ((first.placement >> mem_type) & 1) !== 0;
        f.ret = f.pinned && !f.fits ? -EINVAL : 0;
      }),
      when('!buf->pin_count', (f) => !f.pinned, [
        call(ttm_bo_validate, (f) => ({ bo: f.vbo.base, ...first }), 'ret'),
        second === undefined
          ? []
          : when('ret', (f) => f.ret !== 0, [
              call(ttm_bo_validate, (f) => ({ bo: f.vbo.base, ...second }), 'ret'),
            ]),
      ]),
      when('!ret', (f) => f.ret === 0, [
        step('vmw_bo_pin_reserved(buf, true)', (f) => {
          f.vbo.base.pin_count++;
        }),
      ]),
      call(ttm_bo_unreserve, (f) => ({ bo: f.vbo.base })),
      ret('ret', (f) => f.ret),
    ],
  );

/** What an old display scans out of: device memory. */
export const vmw_bo_pin_in_vram = pinning('vmw_bo_pin_in_vram', vmw_vram_placement);

/** What a screen object is blitted from: device memory while there is room, else pages that the device knows. */
export const vmw_bo_pin_in_vram_or_gmr = pinning(
  'vmw_bo_pin_in_vram_or_gmr',
  vmw_vram_gmr_placement,
  vmw_vram_placement,
);

/** Takes one pin back; the object stays where it is until somebody needs its room or it is needed elsewhere. */
export const vmw_bo_unpin = routine(
  file,
  'vmw_bo_unpin',
  { args: pinArgs, locals: { ret: int }, returns: int },
  ({ step, acquire, call, when, ret }) => [
    acquire('ret = ttm_bo_reserve(bo, interruptible)', (f) => f.vbo.base.resv.lock, {
      interruptible: true,
      into: 'ret',
    }),
    when('ret', (f) => f.ret !== 0, [ret('-ERESTARTSYS', () => -ERESTARTSYS)]),
    step('vmw_bo_pin_reserved(buf, false)', (f) => {
      if (f.vbo.base.pin_count === 0) f.ret = -EINVAL;
      else f.vbo.base.pin_count--;
    }),
    call(ttm_bo_unreserve, (f) => ({ bo: f.vbo.base })),
    ret('ret', (f) => f.ret),
  ],
);

/** The kernel's own map of a reserved object: made, or used by one more. 0, or -ENOMEM. */
export const vmw_bo_map_and_cache = routine(
  file,
  'vmw_bo_map_and_cache',
  { args: pinArgs, locals: { mapped: bool, ret: int }, returns: int },
  ({ step, atomic, call, when, ret, variant }) => [
    variant(
      'bz-10',
      [],
      [
        atomic('atomic_inc(&vbo->map_count)', (f) => {
          f.vbo.map_count++;
        }),
      ],
    ),
    step('virtual = ttm_kmap_obj_virtual(&vbo->map, &not_used)', (f) => {
      f.mapped = f.vbo.map_pfn !== 0;
    }),
    when('virtual', (f) => f.mapped, [ret('0', () => 0)]),
    call(ttm_bo_kmap, (f) => ({ bo: f.vbo.base }), 'ret'),
    when(
      'ret',
      (f) => f.ret !== 0,
      [
        variant(
          'bz-10',
          [],
          [
            atomic('atomic_dec(&vbo->map_count)', (f) => {
              f.vbo.map_count--;
            }),
          ],
        ),
      ],
      [
        step('vbo->map = the pages', (f, k) => {
          f.vbo.map_pfn = frameOf(k, f.vbo.base, 0) ?? 0;
        }),
      ],
    ),
    ret('ret', (f) => f.ret),
  ],
);

/** One user less of the kernel's map; the last one takes it away. Without a map nothing. */
export const vmw_bo_unmap = routine(
  file,
  'vmw_bo_unmap',
  { args: pinArgs, locals: { mapped: bool, left: int } },
  ({ step, atomic, when, ret, variant }) => [
    step('mapped = vbo->map.bo', (f) => {
      f.mapped = f.vbo.map_pfn !== 0;
    }),
    when('!mapped', (f) => !f.mapped, [ret()]),
    variant(
      'bz-10',
      [],
      [
        atomic('left = atomic_dec_return(&vbo->map_count)', (f) => {
          f.vbo.map_count--;
          f.left = f.vbo.map_count;
        }),
      ],
    ),
    when('!left', (f) => f.left === 0, [
      step('ttm_bo_kunmap(&vbo->map)', (f) => {
        f.vbo.map_pfn = 0;
      }),
    ]),
  ],
);

/**
 * SYNCCPU grab: waits until the GPU has done with an object, and keeps submissions from it (-EBUSY) until as many
 * releases; with `allow_cs` it only waits. 0, -ERESTARTSYS, or -EBUSY where it would wait and is not to (`dontblock`).
 */
export const vmw_user_bo_synccpu_grab = routine(
  file,
  'vmw_user_bo_synccpu_grab',
  {
    args: { vbo: ref('vmw_buffer_object'), allow_cs: bool, dontblock: bool },
    locals: { fence: ref('dma_fence'), got: int, ret: int },
    returns: int,
  },
  ({ step, atomic, call, acquire, trylock, when, ret }) => {
    const idle = (slot: 'fence_excl' | 'fence_kernel' | 'fence_shared') => [
      step(
        `fence = bo->resv->${slot}`,
        (f: { vbo: Structs['vmw_buffer_object']; fence: Structs['dma_fence']; ret: number }) => {
          f.fence = f.ret === 0 ? f.vbo.base.resv[slot] : NULL;
        },
      ),
      when('fence', (f) => !isNull(f.fence), [
        call(dma_fence_wait, (f) => ({ fence: f.fence, intr: 1 }), 'ret'),
      ]),
    ];
    return [
      when('flags & drm_vmw_synccpu_allow_cs', (f) => f.allow_cs, [
        call(
          dma_resv_wait_timeout,
          (f) => ({
            resv: f.vbo.base.resv,
            intr: 1,
            timeout: f.dontblock ? 0 : MAX_SCHEDULE_TIMEOUT,
          }),
          'ret',
        ),
        when('!ret', (f) => f.ret === 0, [ret('-EBUSY', () => -EBUSY)]),
        ret('ret < 0 ? ret : 0', (f) => Math.min(f.ret, 0)),
      ]),
      when(
        'ttm_bo_reserve(bo, true, dontblock, NULL)',
        (f) => f.dontblock,
        [
          trylock('got = dma_resv_trylock(bo->resv)', (f) => f.vbo.base.resv.lock, { into: 'got' }),
          when('!got', (f) => f.got === 0, [ret('-EBUSY', () => -EBUSY)]),
          call(dma_resv_test_signaled, (f) => ({ resv: f.vbo.base.resv }), 'got'),
          when('!got', (f) => f.got === 0, [
            step('ret = -EBUSY', (f) => {
              f.ret = -EBUSY;
            }),
          ]),
        ],
        [
          acquire(
            'ret = dma_resv_lock_interruptible(bo->resv, NULL)',
            (f) => f.vbo.base.resv.lock,
            { interruptible: true, into: 'ret' },
          ),
          when('ret', (f) => f.ret !== 0, [ret('-ERESTARTSYS', () => -ERESTARTSYS)]),
          ...idle('fence_excl'),
          ...idle('fence_shared'),
          ...idle('fence_kernel'),
        ],
      ),
      when('!ret', (f) => f.ret === 0, [
        atomic('atomic_inc(&vbo->cpu_writers)', (f) => {
          f.vbo.cpu_writers++;
        }),
      ]),
      call(ttm_bo_unreserve, (f) => ({ bo: f.vbo.base })),
      ret('ret', (f) => f.ret),
    ];
  },
);

/** SYNCCPU release: 0, or -EINVAL when it was not grabbed. */
export const vmw_user_bo_synccpu_release = routine(
  file,
  'vmw_user_bo_synccpu_release',
  { args: { vbo: ref('vmw_buffer_object') }, locals: { left: int }, returns: int },
  ({ atomic, when, ret }) => [
    atomic('left = atomic_dec_return(&vbo->cpu_writers)', (f) => {
      f.left = f.vbo.cpu_writers - 1;
      if (f.left >= 0) f.vbo.cpu_writers = f.left;
    }),
    when('left < 0', (f) => f.left < 0, [ret('-EINVAL', () => -EINVAL)]),
    ret('0', () => 0),
  ],
);
