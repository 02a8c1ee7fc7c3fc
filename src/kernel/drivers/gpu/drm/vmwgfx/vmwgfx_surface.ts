// drivers/gpu/drm/vmwgfx/vmwgfx_surface.c: guest-backed surfaces: buffers (SVGA3D_BUFFER: one subresource, its box in
// bytes) and textures. The series of April 2019 with the fixes its author meant. Left out: legacy surfaces, sharing by
// name, planar formats, stream output.

import { PAGE_SIZE } from '../../../../../hardware/pte';
import {
  byFace,
  bySubresource,
  defineSurface,
  ofBox,
  SVGA_3D_CMD_BIND_GB_SURFACE,
  SVGA_3D_CMD_DEFINE_GB_SURFACE,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V2,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V3,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V4,
  SVGA_3D_CMD_DESTROY_GB_SURFACE,
  SVGA_3D_CMD_INVALIDATE_GB_SURFACE,
  SVGA_3D_CMD_READBACK_GB_SURFACE,
  SVGA_3D_CMD_UPDATE_GB_SURFACE,
  SVGA3D_INVALID_ID,
  type SvgaCommand,
} from '../../../../../hardware/svga/commands';
import {
  boxRuns,
  isValidShape,
  type SurfaceShape,
  SVGA3D_BUFFER,
  type SVGA3dBox,
  shapeBytes,
  shapeField,
} from '../../../../../hardware/svga/shapes';
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { tracepoint } from '../../../../../state/events';
import { bool, int, isNull, NULL, ref, type Structs } from '../../../../../state/layout';
import { BUG_ON, WARN_RES_RANGE, warn } from '../../../../include/asm-generic/bug';
import { VMW_PL_MOB } from '../../../../include/drm/ttm/ttm_bo_api';
import { EINVAL, ENOMEM } from '../../../../include/linux/errno';
import { dma_fence_put } from '../../../dma-buf/dma-fence';
import { ttm_bo_get, ttm_bo_put } from '../ttm/ttm_bo';
import {
  vmw_surface_get_loc,
  vmw_surface_inc_loc,
  vmw_surface_max_loc,
  vmw_surface_min_loc,
  vmw_surface_setup_cache,
} from './vmw_surface_cache';
import { binding_state, vmw_binding_res_list_scrub } from './vmwgfx_binding';
import { vmw_bo_init } from './vmwgfx_bo';
import { newId, putCommand, vmw_cmd_commit, vmw_cmd_reserve, vmw_priv } from './vmwgfx_cmd';
import {
  freeHandle,
  newHandle,
  ofHandle,
  vmw_bo_fence_single,
  vmw_execbuf_fence_commands,
} from './vmwgfx_fence';
import { vmw_bo_dirty_add, vmw_bo_dirty_clear_res } from './vmwgfx_page_dirty';
import { vmw_resource_unreference } from './vmwgfx_resource';
import { vmw_view_surface_list_destroy } from './vmwgfx_so';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_surface.c';
const args = { res: ref('vmw_resource') };

/** An update command for a box of `bytes` bytes of a subresource: a dirty range leaves the tracker. */
export const vmw_dirty_sync = tracepoint('vmw_dirty_sync', {
  res: ref('vmw_resource'),
  surface: int,
  sid: int,
  shape: shapeField,
  image: int,
  x: int,
  y: int,
  z: int,
  w: int,
  h: int,
  d: int,
  bytes: int,
});
export const vmw_readback = tracepoint('vmw_readback', {
  res: ref('vmw_resource'),
  surface: int,
  sid: int,
});

type Created = { res: Structs['vmw_resource']; id: number };

const define = ({ step }: AnyBuilder, form: string, id: number): Node =>
  step(`SVGA_3D_CMD_${form}`, (f: Created, k: Engine) =>
    putCommand(k, defineSurface(id, f.id, shapeOf(f.res, k), f.res.number)),
  );

/**
 * The newest form that device and driver know. Mesa gives a number of layers (array_size) to every surface of a device
 * with shader models, and to none of another device.
 */
const defineByModel = (b: AnyBuilder): Node => {
  const form = (version: string, id: number) =>
    define(b, `DEFINE_GB_SURFACE_${version}{sid, format, mips, layers, size}`, id);
  const v3 = form('V3', SVGA_3D_CMD_DEFINE_GB_SURFACE_V3);
  const sm5 = b.variant('surface-v4', [form('V4', SVGA_3D_CMD_DEFINE_GB_SURFACE_V4)], [v3]);
  const sm4_1 = b.variant('device-sm4_1', [v3], [sm5]);
  const sm4 = b.variant('device-sm4', [form('V2', SVGA_3D_CMD_DEFINE_GB_SURFACE_V2)], [sm4_1]);
  const gb = define(b, 'DEFINE_GB_SURFACE{sid, format, mips, size}', SVGA_3D_CMD_DEFINE_GB_SURFACE);
  return b.variant('device-gb', [gb], [sm4]);
};

/** `func->create`: the device gets to know the surface, under a new id. */
export const vmw_gb_surface_create = routine(
  file,
  'vmw_gb_surface_create',
  { args, locals: { id: int, ret: int }, returns: int },
  (b) => [
    b.acquire('spin_lock(&dev_priv->resource_lock)', (_f, k) => vmw_priv(k).resource_lock),
    b.fallible(
      'vmw_resource_create',
      b.step('id = idr_alloc(&dev_priv->res_idr)', (f, k) => {
        f.id = newId(vmw_priv(k).res_ids);
      }),
      (f) => {
        f.id = -ENOMEM;
      },
    ),
    b.release('spin_unlock(&dev_priv->resource_lock)', (_f, k) => vmw_priv(k).resource_lock),
    b.when('id < 0', (f) => f.id < 0, [b.ret('-ENOMEM', () => -ENOMEM)]),
    b.step('res->id = id', (f) => {
      f.res.id = f.id;
    }),
    b.fallible('vmw_gb_surface_create', [], (f) => {
      f.ret = -ENOMEM;
    }),
    b.when('!cmd', (f) => f.ret !== 0, [
      b.acquire('spin_lock(&dev_priv->resource_lock)', (_f, k) => vmw_priv(k).resource_lock),
      b.step('vmw_resource_release_id(res)', (f, k) => {
        vmw_priv(k).res_ids.set(f.id, 0);
        f.res.id = -1;
      }),
      b.release('spin_unlock(&dev_priv->resource_lock)', (_f, k) => vmw_priv(k).resource_lock),
      b.ret('-ENOMEM', () => -ENOMEM),
    ]),
    b.call(vmw_cmd_reserve, () => ({ count: 1 })),
    defineByModel(b),
    b.call(vmw_cmd_commit, () => ({})),
    b.ret('0', () => 0),
  ],
);

/** `func->destroy`: the device forgets the surface. */
export const vmw_gb_surface_destroy = routine(
  file,
  'vmw_gb_surface_destroy',
  { args, locals: { id: int }, returns: int },
  ({ step, call, acquire, release, when, having, ret }) => [
    step('id = res->id; res->id = -1', (f) => {
      f.id = f.res.id;
      f.res.id = -1;
    }),
    when('id == -1', (f) => f.id === -1, [ret('0', () => 0)]),
    having('contexts', [
      acquire('mutex_lock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
      call(vmw_view_surface_list_destroy, (f) => ({ res: f.res })),
      call(vmw_binding_res_list_scrub, (f) => ({ res: f.res, view: NULL, kill: false })),
    ]),
    call(vmw_cmd_reserve, () => ({ count: 1 })),
    step('SVGA_3D_CMD_DESTROY_GB_SURFACE{sid}', (f, k) =>
      putCommand(k, { id: SVGA_3D_CMD_DESTROY_GB_SURFACE, sid: f.id }),
    ),
    call(vmw_cmd_commit, () => ({})),
    having('contexts', [
      release('mutex_unlock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
    ]),
    acquire('spin_lock(&dev_priv->resource_lock)', (_f, k) => vmw_priv(k).resource_lock),
    step('idr_remove(&dev_priv->res_idr, id)', (f, k) => {
      vmw_priv(k).res_ids.set(f.id, 0);
    }),
    release('spin_unlock(&dev_priv->resource_lock)', (_f, k) => vmw_priv(k).resource_lock),
    ret('0', () => 0),
  ],
);

/** `func->bind`: the surface finds its data in its backup, which is a MOB and reserved. */
export const vmw_gb_surface_bind = routine(
  file,
  'vmw_gb_surface_bind',
  { args, locals: { backup_dirty: bool, tracked: bool, ret: int }, returns: int },
  ({ step, fallible, call, when, ret }) => [
    step('backup_dirty = res->backup_dirty', (f) => {
      const { mem_type } = f.res.backup.base;
      BUG_ON(mem_type !== VMW_PL_MOB, file, 'bo->mem.mem_type != VMW_PL_MOB');
      f.backup_dirty = f.res.backup_dirty;
      f.tracked = !isNull(f.res.backup.dirty);
    }),
    fallible('vmw_gb_surface_bind', [], (f) => {
      f.ret = -ENOMEM;
    }),
    when('!cmd', (f) => f.ret !== 0, [ret('-ENOMEM', () => -ENOMEM)]),
    call(vmw_cmd_reserve, (f) => ({ count: f.backup_dirty ? 2 : 1 })),
    step('SVGA_3D_CMD_BIND_GB_SURFACE{sid, mobid}', (f, k) =>
      putCommand(k, {
        id: SVGA_3D_CMD_BIND_GB_SURFACE,
        sid: f.res.id,
        arg: f.res.backup.base.mem_start,
        offset: f.res.backup_offset,
      }),
    ),
    when('res->backup_dirty', (f) => f.backup_dirty, [
      step('SVGA_3D_CMD_UPDATE_GB_SURFACE{sid}', (f, k) =>
        putCommand(k, { id: SVGA_3D_CMD_UPDATE_GB_SURFACE, sid: f.res.id }),
      ),
    ]),
    call(vmw_cmd_commit, () => ({})),
    when('res->backup->dirty && res->backup_dirty', (f) => f.tracked && f.backup_dirty, [
      call(vmw_bo_dirty_clear_res, (f) => ({ res: f.res })),
    ]),
    step('res->backup_dirty = false', (f) => {
      f.res.backup_dirty = false;
    }),
    ret('0', () => 0),
  ],
);

const putReadback = ({ step }: AnyBuilder): Node[] => [
  step('SVGA_3D_CMD_READBACK_GB_SURFACE{sid}', (f: { res: Structs['vmw_resource'] }, k: Engine) => {
    const { res } = f;
    putCommand(k, { id: SVGA_3D_CMD_READBACK_GB_SURFACE, sid: res.id });
    k.emit(vmw_readback, { res, surface: res.number, sid: res.id });
  }),
];

const putInvalidate = ({ step }: AnyBuilder): Node[] => [
  step('SVGA_3D_CMD_INVALIDATE_GB_SURFACE{sid}', (f: { res: Structs['vmw_resource'] }, k: Engine) =>
    putCommand(k, { id: SVGA_3D_CMD_INVALIDATE_GB_SURFACE, sid: f.res.id }),
  ),
];

/** `func->unbind`: the data goes back to the backup or is given up; the backup gets a fence. */
export const vmw_gb_surface_unbind = routine(
  file,
  'vmw_gb_surface_unbind',
  { args: { ...args, readback: bool }, locals: { fence: ref('dma_fence') }, returns: int },
  (b) => [
    b.call(vmw_cmd_reserve, () => ({ count: 2 })),
    b.variant('invalidate-for-readback', putInvalidate(b), [
      b.when('readback', (f) => f.readback, putReadback(b), putInvalidate(b)),
    ]),
    b.step('SVGA_3D_CMD_BIND_GB_SURFACE{sid, SVGA3D_INVALID_ID}', (f, k) =>
      putCommand(k, { id: SVGA_3D_CMD_BIND_GB_SURFACE, sid: f.res.id, arg: SVGA3D_INVALID_ID }),
    ),
    b.call(vmw_cmd_commit, () => ({})),
    b.call(vmw_execbuf_fence_commands, () => ({}), 'fence'),
    b.call(vmw_bo_fence_single, (f) => ({ bo: f.res.backup.base, fence: f.fence })),
    b.call(dma_fence_put, (f) => ({ fence: f.fence })),
    b.ret('0', () => 0),
  ],
);

/** `func->clean`: has the device write its data back to memory; who needs it waits for a fence. */
export const vmw_surface_clean = routine(
  file,
  'vmw_surface_clean',
  { args, locals: { ret: int }, returns: int },
  (b) => [
    b.fallible('vmw_surface_clean', [], (f) => {
      f.ret = -ENOMEM;
    }),
    b.when('!cmd', (f) => f.ret !== 0, [b.ret('-ENOMEM', () => -ENOMEM)]),
    b.call(vmw_cmd_reserve, () => ({ count: 1 })),
    putReadback(b),
    b.call(vmw_cmd_commit, () => ({})),
    b.ret('0', () => 0),
  ],
);

/** `func->dirty_alloc`: boxes for the subresources, all empty. */
export const vmw_surface_dirty_alloc = routine(
  file,
  'vmw_surface_dirty_alloc',
  { args, locals: { dirty: ref('vmw_surface_dirty') }, returns: int },
  ({ step, fallible, when, variant, ret }) => [
    fallible(
      'vmw_surface_dirty_alloc',
      step('dirty = kvzalloc(size); dirty->num_subres = num_layers * num_mip', (f, k) => {
        f.dirty = k.alloc('vmw_surface_dirty');
        const { mips, layers } = shapeOf(f.res, k);
        if (!isNull(f.dirty)) f.dirty.num_subres = mips * layers;
      }),
    ),
    when('!dirty', (f) => isNull(f.dirty), [ret('-ENOMEM', () => -ENOMEM)]),
    variant(
      'multisample-stride',
      [
        step(
          'vmw_surface_setup_cache(size, format, mips, layers, samples, &dirty->cache)',
          (f, k) => {
            f.dirty.stride_samples = shapeOf(f.res, k).samples;
          },
        ),
      ],
      [
        step('vmw_surface_setup_cache(size, format, mips, layers, &dirty->cache)', (f) => {
          f.dirty.stride_samples = 1;
        }),
      ],
    ),
    step('res->dirty = dirty', (f) => {
      f.res.dirty = f.dirty;
    }),
    ret('0', () => 0),
  ],
);

/** `func->dirty_free`. */
export const vmw_surface_dirty_free = routine(
  file,
  'vmw_surface_dirty_free',
  { args, locals: { dirty: ref('vmw_surface_dirty') } },
  ({ step, when }) => [
    step('dirty = res->dirty; res->dirty = NULL', (f) => {
      f.dirty = f.res.dirty;
      f.res.dirty = NULL;
    }),
    when('dirty', (f) => !isNull(f.dirty), [
      step('kvfree(dirty)', (f, k) => {
        const { dirty } = f;
        f.dirty = NULL;
        k.free(dirty);
      }),
    ]),
  ],
);

const emptyBox: SVGA3dBox = { x: 0, y: 0, z: 0, w: 0, h: 0, d: 0 };

/** `func->dirty_range_add`: bytes [start, end) of the backup were written. */
export const vmw_surface_dirty_range_add = routine(
  file,
  'vmw_surface_dirty_range_add',
  { args: { ...args, start: int, end: int }, locals: { outside: bool, buffer: bool } },
  ({ step, call, when, ret }) => [
    step('start, end relative to res->backup_offset', (f, k) => {
      const { backup_offset, backup_size } = f.res;
      f.outside = f.end <= backup_offset || backup_offset + backup_size <= f.start;
      f.buffer = shapeOf(f.res, k).format === SVGA3D_BUFFER;
    }),
    when('WARN_ON(range outside the resource)', (f) => f.outside, [
      step('WARN', (_f, k) => k.emit(warn, { where: WARN_RES_RANGE })),
      ret(),
    ]),
    when(
      'srf->metadata.format == SVGA3D_BUFFER',
      (f) => f.buffer,
      [call(vmw_surface_buf_dirty_range_add, (f) => ({ res: f.res, start: f.start, end: f.end }))],
      [call(vmw_surface_tex_dirty_range_add, (f) => ({ res: f.res, start: f.start, end: f.end }))],
    ),
  ],
);

/** The surface that a resource is. */
const shapeOf = (res: Structs['vmw_resource'], k: Engine): SurfaceShape =>
  k.view('vmw_surface', res.at).shape;

/** The range in bytes of the surface. */
function relative(f: { res: Structs['vmw_resource']; start: number; end: number }) {
  const { backup_offset, backup_size } = f.res;
  const from = Math.max(f.start - backup_offset, 0);
  return { from, to: Math.min(f.end - backup_offset, backup_size) };
}

/** [start, start + size) and [a, b) on one axis. */
type Union = (start: number, size: number, a: number, b: number) => [start: number, size: number];

const union: Union = (start, size, a, b) => {
  const from = size === 0 ? a : Math.min(start, a);
  return [from, Math.max(start + size, b) - from];
};

/** The size is computed anew only beyond the old end: what a lowered start leaves of it is too short (BZ-02). */
const forgetfulUnion: Union = (start, size, a, b) => {
  const from = size === 0 || start > a ? a : start;
  return [from, start + size < b ? b - from : size];
};

const vmw_surface_buf_dirty_range_add = routine(
  file,
  'vmw_surface_buf_dirty_range_add',
  { args: { ...args, start: int, end: int } },
  ({ step, variant }) => {
    const add = (text: string, unite: Union) =>
      step(text, (f) => {
        const { boxes } = f.res.dirty;
        const box = boxes.get(0);
        const { from, to } = relative(f);
        const [x, w] = unite(box.x, box.w, from, to);
        boxes.set(0, { ...box, x, w, h: 1, d: 1 });
      });
    return [
      variant(
        'bz-02',
        [add('box->x = min(box->x, start); box->w grows only beyond the new end', forgetfulUnion)],
        [add('box = union of box and [start, end)', union)],
      ),
    ];
  },
);

/** A range in the backup as places of its first byte and, as the end of a box, of its last. */
function locations(f: { res: Structs['vmw_resource']; start: number; end: number }, k: Engine) {
  const cache = vmw_surface_setup_cache(shapeOf(f.res, k), f.res.dirty.stride_samples);
  const { from, to } = relative(f);
  const loc1 = vmw_surface_get_loc(cache, from);
  const loc2 = vmw_surface_inc_loc(cache, vmw_surface_get_loc(cache, to - 1));
  return { cache, loc1, loc2 };
}

/** A range of a texture: in one subresource a box around it, in more all of those between. */
const vmw_surface_tex_dirty_range_add = routine(
  file,
  'vmw_surface_tex_dirty_range_add',
  {
    args: { ...args, start: int, end: int },
    locals: { sub_res: int, last: int, sheets: bool },
  },
  ({ step, when, loop, leave, call, variant }) => [
    step(
      'vmw_surface_get_loc(cache, &loc1, start); vmw_surface_get_loc(cache, &loc2, end - 1)',
      (f, k) => {
        const { loc1, loc2 } = locations(f, k);
        f.sub_res = loc1.sub_resource;
        f.last = loc2.sub_resource - 1;
        f.sheets = loc1.sheet !== loc2.sheet;
      },
    ),
    variant(
      'sheets-folded',
      [],
      [
        when('loc1.sheet != loc2.sheet', (f) => f.sheets, [
          step('every subresource, all of it', (f) => {
            f.sub_res = 0;
            f.last = f.res.dirty.num_subres - 1;
          }),
        ]),
      ],
    ),
    loop('for each subresource of the range', [
      when('sub_res > last', (f) => f.sub_res > f.last, [leave()]),
      call(vmw_subres_dirty_add, ({ res, start, end, sub_res, sheets }) => ({
        res,
        start,
        end,
        sub_res,
        sheets,
      })),
      step('sub_res++', (f) => {
        f.sub_res++;
      }),
    ]),
  ],
);

/** What of a range lies in one subresource joins its box: in one row exactly, else whole rows, or whole slices. */
const vmw_subres_dirty_add = routine(
  file,
  'vmw_subres_dirty_add',
  { args: { ...args, start: int, end: int, sub_res: int, sheets: bool } },
  ({ step, variant }) => {
    const add = (text: string, folded: boolean, unite: Union) =>
      step(text, (f, k) => {
        const { cache, loc1, loc2 } = locations(f, k);
        const { sub_res } = f;
        const all = f.sheets && !folded;
        const from = all || sub_res > loc1.sub_resource ? vmw_surface_min_loc(sub_res) : loc1;
        const to =
          all || sub_res + 1 < loc2.sub_resource ? vmw_surface_max_loc(cache, sub_res) : loc2;
        const { size } = cache.mip[sub_res % cache.shape.mips]!;
        const { boxes } = f.res.dirty;
        const box = boxes.get(sub_res);
        const [z, d] = unite(box.z, box.d, from.z, to.z);
        let { x, w, y, h } = box;
        if (from.z + 1 === to.z) {
          [y, h] = unite(box.y, box.h, from.y, to.y);
          if (from.y + 1 === to.y) [x, w] = unite(box.x, box.w, from.x, to.x);
          else [x, w] = [0, size.width];
        } else {
          [y, h] = [0, size.height];
          [x, w] = [0, size.width];
        }
        boxes.set(sub_res, { x, y, z, w, h, d });
      });
    const both = (text: string, unite: Union) => [
      variant('sheets-folded', [add(text, true, unite)], [add(text, false, unite)]),
    ];
    return [
      variant(
        'bz-02',
        both(
          'box = the new start with the old size, where the new end is not beyond the old',
          forgetfulUnion,
        ),
        both('box = union of box and [loc_start, loc_end)', union),
      ),
    ];
  },
);

/** `func->dirty_sync`: an update command for each box that is not empty. */
export const vmw_surface_dirty_sync = routine(
  file,
  'vmw_surface_dirty_sync',
  {
    args,
    locals: { num_dirty: int, i: int, num_subres: int, dirty: bool, ret: int },
    returns: int,
  },
  ({ step, fallible, call, when, loop, leave, ret, variant }) => {
    const put = (text: string, command: (image: number, mips: number) => Partial<SvgaCommand>) =>
      step(text, (f, k) => {
        const { res } = f;
        const shape = shapeOf(res, k);
        const box = res.dirty.boxes.get(f.i);
        putCommand(k, { ...ofBox(box), ...command(f.i, shape.mips), sid: res.id });
        const runs = boxRuns(shape, f.i, box);
        const bytes = runs === undefined ? 0 : runs.count * runs.length;
        k.emit(vmw_dirty_sync, {
          res,
          surface: res.number,
          sid: res.id,
          shape,
          image: f.i,
          ...box,
          bytes,
        });
        res.dirty.boxes.set(f.i, emptyBox);
      });
    const images = put('SVGA_3D_CMD_UPDATE_GB_IMAGE{sid, i / mips, i % mips, box}', (i, mips) =>
      byFace('update', i, mips),
    );
    const subresources = put('SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE{sid, i, box}', (i) =>
      bySubresource('update', i),
    );
    return [
      step('num_dirty = boxes that are not empty', (f) => {
        const { dirty } = f.res;
        f.num_subres = dirty.num_subres;
        for (let i = 0; i < f.num_subres; i++) if (dirty.boxes.get(i).d !== 0) f.num_dirty++;
      }),
      when('num_dirty == 0', (f) => f.num_dirty === 0, [ret('0', () => 0)]),
      fallible('vmw_surface_dirty_sync', [], (f) => {
        f.ret = -ENOMEM;
      }),
      when('!cmd', (f) => f.ret !== 0, [ret('-ENOMEM', () => -ENOMEM)]),
      call(vmw_cmd_reserve, (f) => ({ count: f.num_dirty })),
      loop('for (i = 0; i < dirty->num_subres; ++i)', [
        when('i == dirty->num_subres', (f) => f.i === f.num_subres, [leave()]),
        step('box = dirty->boxes[i]', (f) => {
          f.dirty = f.res.dirty.boxes.get(f.i).d !== 0;
        }),
        when('box->d', (f) => f.dirty, [
          variant('device-gb', [images], [variant('bz-04', [images], [subresources])]),
        ]),
        step('i++', (f) => {
          f.i++;
        }),
      ]),
      call(vmw_cmd_commit, () => ({})),
      ret('0', () => 0),
    ];
  },
);

const handles = (k: Engine) => k.the('surface_handles', 'vmw_fpriv');

/** The buffer object behind a surface, with a reference; NULL when the handle names none. */
const vmw_user_bo_lookup = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_bo.c',
  'vmw_user_bo_lookup',
  {
    args: { handle: int },
    locals: { res: ref('vmw_resource'), vbo: ref('vmw_buffer_object') },
    returns: ref('vmw_buffer_object'),
  },
  ({ unlocked, call, when, ret }) => [
    call(vmw_user_surface_lookup_handle, (f) => ({ handle: f.handle }), 'res'),
    when('!res', (f) => isNull(f.res), [ret('NULL', (f) => f.vbo)]),
    unlocked('vbo = res->backup', (f) => {
      f.vbo = f.res.backup;
    }),
    call(ttm_bo_get, (f) => ({ bo: f.vbo.base })),
    call(vmw_resource_unreference, (f) => ({ res: f.res })),
    ret('vbo', (f) => f.vbo),
  ],
);

/**
 * GB_SURFACE_CREATE: a surface with a backup to map: a new one of `room` bytes at least, or, from byte `offset` on,
 * that of the surface `buffer` (the real ioctl names an object made before, and places surfaces at 0
 * only). The device learns of the surface when it is first used. Returns its handle, or -ENOMEM, -EINVAL. `number` is
 * for display.
 */
export const vmw_gb_surface_define_ioctl = routine(
  file,
  'vmw_gb_surface_define_ioctl',
  {
    args: {
      number: int,
      shape: shapeField,
      coherent: bool,
      room: int,
      buffer: int,
      offset: int,
    },
    locals: { size: int, vbo: ref('vmw_buffer_object'), srf: ref('vmw_surface'), ret: int },
    returns: int,
  },
  ({ step, fallible, call, callPointer, acquire, release, when, ret, variant }) => [
    step('size = vmw_surface_get_serialized_size_extended(...)', (f) => {
      f.size = isValidShape(f.shape) ? shapeBytes(f.shape) : 0;
    }),
    when('not a surface that can be', (f) => f.size <= 0, [ret('-EINVAL', () => -EINVAL)]),
    variant('device-gb', [
      when('an array', (f) => f.shape.layers > 1 && !f.shape.cube, [ret('-EINVAL', () => -EINVAL)]),
    ]),
    when(
      'buffer_handle',
      (f) => f.buffer !== 0,
      [
        call(vmw_user_bo_lookup, (f) => ({ handle: f.buffer }), 'vbo'),
        when('!vbo', (f) => isNull(f.vbo), [ret('-EINVAL', () => -EINVAL)]),
        when(
          'the object is too small',
          (f) => f.offset < 0 || f.offset + f.size > f.vbo.base.num_pages * PAGE_SIZE,
          [call(ttm_bo_put, (f) => ({ bo: f.vbo.base })), ret('-EINVAL', () => -EINVAL)],
        ),
      ],
      [
        call(vmw_bo_init, (f) => ({ size: Math.max(f.size, f.room) }), 'vbo'),
        when('!vbo', (f) => isNull(f.vbo), [ret('-ENOMEM', () => -ENOMEM)]),
      ],
    ),
    fallible(
      'vmw_surface_define',
      step('srf = kzalloc(sizeof(*srf)); vmw_resource_init(&srf->res)', (f, k) => {
        f.srf = k.alloc('vmw_surface');
        if (isNull(f.srf)) return;
        f.srf.shape = f.shape;
        const { res } = f.srf;
        res.func = k.the('vmw_gb_surface_func', 'vmw_res_func');
        res.number = f.number;
        res.kref = 1;
        res.id = -1;
        res.backup_size = f.size;
        res.backup = f.vbo;
        res.backup_offset = f.offset;
      }),
    ),
    when('!srf', (f) => isNull(f.srf), [
      call(ttm_bo_put, (f) => ({ bo: f.vbo.base })),
      ret('-ENOMEM', () => -ENOMEM),
    ]),
    variant(
      'first-bind-empty',
      [],
      [
        step('res->backup_dirty = true if the buffer was given', (f) => {
          f.srf.res.backup_dirty = f.buffer !== 0;
        }),
      ],
    ),
    when('coherent', (f) => f.coherent, [
      variant(
        'tracking-off',
        [],
        [
          acquire('dma_resv_lock(backup->resv)', (f) => f.vbo.base.resv.lock),
          call(vmw_bo_dirty_add, (f) => ({ vbo: f.vbo }), 'ret'),
          when('!ret', (f) => f.ret === 0, [
            step('res->coherent = true', (f) => {
              f.srf.res.coherent = true;
            }),
            callPointer(
              'res->func->dirty_alloc(res)',
              (f) => f.srf.res.func.dirty_alloc,
              (f) => ({ res: f.srf.res }),
              'ret',
            ),
          ]),
          release('dma_resv_unlock(backup->resv)', (f) => f.vbo.base.resv.lock),
        ],
      ),
    ]),
    when('!ret', (f) => f.ret === 0, [
      acquire('spin_lock(&tfile->lock)', (_f, k) => handles(k).lock),
      step('handle = idr_alloc(&tfile->idr)', (f, k) => {
        f.ret = newHandle(handles(k), f.srf.at);
      }),
      release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
      variant('bz-06', [
        when('buffer_handle', (f) => f.buffer !== 0, [
          call(ttm_bo_put, (f) => ({ bo: f.vbo.base })),
        ]),
      ]),
    ]),
    when('no handle, or an error', (f) => f.ret < 0, [
      call(vmw_resource_unreference, (f) => ({ res: f.srf.res })),
    ]),
    ret('handle', (f) => f.ret),
  ],
);

/** SURFACE_UNREF: the handle goes, and the surface with its last user. */
export const vmw_surface_destroy_ioctl = routine(
  file,
  'vmw_surface_destroy_ioctl',
  { args: { handle: int }, locals: { res: ref('vmw_resource') }, returns: int },
  ({ step, call, acquire, release, when, ret }) => [
    acquire('spin_lock(&tfile->lock)', (_f, k) => handles(k).lock),
    step('res = idr_remove(&tfile->idr, handle)', (f, k) => {
      f.res = k.view('vmw_resource', ofHandle(handles(k), f.handle));
      if (!isNull(f.res)) freeHandle(handles(k), f.handle);
    }),
    release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
    when('!res', (f) => isNull(f.res), [ret('-EINVAL', () => -EINVAL)]),
    call(vmw_resource_unreference, (f) => ({ res: f.res })),
    ret('0', () => 0),
  ],
);

/** Looks up a surface by its handle, with a reference; NULL when there is none. */
export const vmw_user_surface_lookup_handle = routine(
  file,
  'vmw_user_surface_lookup_handle',
  {
    args: { handle: int },
    locals: { res: ref('vmw_resource') },
    returns: ref('vmw_resource'),
  },
  ({ step, atomic, acquire, release, when, ret }) => [
    acquire('spin_lock(&tfile->lock)', (_f, k) => handles(k).lock),
    step('res = idr_find(&tfile->idr, handle)', (f, k) => {
      f.res = k.view('vmw_resource', ofHandle(handles(k), f.handle));
    }),
    when('res', (f) => !isNull(f.res), [
      atomic('kref_get(&res->kref)', (f) => {
        f.res.kref++;
      }),
    ]),
    release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
    ret('res', (f) => f.res),
  ],
);

/** As above, without a reference: what it names may be going (bz-09). */
export const vmw_user_resource_noref_lookup_handle = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_resource.c',
  'vmw_user_resource_noref_lookup_handle',
  {
    args: { handle: int },
    locals: { res: ref('vmw_resource') },
    returns: ref('vmw_resource'),
  },
  ({ step, acquire, release, ret }) => [
    acquire('spin_lock(&tfile->lock)', (_f, k) => handles(k).lock),
    step('res = idr_find(&tfile->idr, handle)', (f, k) => {
      f.res = k.view('vmw_resource', ofHandle(handles(k), f.handle));
    }),
    release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
    ret('res', (f) => f.res),
  ],
);
