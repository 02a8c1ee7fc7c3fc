// drivers/gpu/drm/vmwgfx/vmwgfx_ttm_buffer.c, vmwgfx_mob.c and vmwgfx_gmr.c: what a move to another placement means. To GMR
// or MOB placement: the pages are registered with the device under an id, and their contents stay. To VRAM: the bytes are
// copied. Linux 5.1, in the order of 6.1.
import { PAGE_SIZE } from '../../../../../hardware/pte';
import {
  SVGA_3D_CMD_DEFINE_GB_MOB64,
  SVGA_3D_CMD_DESTROY_GB_MOB,
  SVGA_CMD_DEFINE_GMR2,
  SVGA_CMD_REMAP_GMR2,
} from '../../../../../hardware/svga/commands';
import type { Engine } from '../../../../../routine/engine';
import { routine } from '../../../../../routine/routine';
import { int, isNull, NULL, ref, type Structs } from '../../../../../state/layout';
import {
  TTM_PL_SYSTEM,
  TTM_PL_VRAM,
  type TtmPlacement,
  VMW_PL_GMR,
  VMW_PL_MOB,
} from '../../../../include/drm/ttm/ttm_bo_api';
import { ENOMEM } from '../../../../include/linux/errno';
import { ttm_bo_wait } from '../ttm/ttm_bo';
import { ttm_bo_move_memcpy } from '../ttm/ttm_bo_util';
import { vmw_bo_unmap } from './vmwgfx_bo';
import { putCommand, vmw_cmd_commit, vmw_cmd_reserve } from './vmwgfx_cmd';
import { vmw_resource_unbind_list } from './vmwgfx_resource';

const args = { bo: ref('ttm_buffer_object') };

/** The one memory type that an object may be in, and has to be, at the cost of others. */
const only = (mem_type: number): TtmPlacement => ({
  placement: 1 << mem_type,
  busy_placement: 1 << mem_type,
});

export const vmw_mob_placement = only(VMW_PL_MOB);
export const vmw_vram_placement = only(TTM_PL_VRAM);
/** VRAM while there is room, else a GMR. */
export const vmw_vram_gmr_placement: TtmPlacement = {
  placement: (1 << TTM_PL_VRAM) | (1 << VMW_PL_GMR),
  busy_placement: 1 << VMW_PL_GMR,
};

/** `driver->evict_flags`: evicted objects go to system placement, whatever they are. */
export const vmw_evict_flags = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_ttm_buffer.c',
  'vmw_evict_flags',
  { args, returns: int },
  ({ ret }) => [ret('vmw_sys_placement', () => TTM_PL_SYSTEM)],
);

/** The table of an object's pages that the device gets; NULL without memory. */
function pagesFor(k: Engine, { ttm, num_pages }: Structs['ttm_buffer_object']) {
  const pt = k.alloc('svga_mob_pt');
  for (let i = 0; !isNull(pt) && i < num_pages; i++) {
    pt.entries.set(i, k.parts.memory.pfnOfPage(ttm.pages.get(i)));
  }
  return pt;
}

/** Registers the pages of a reserved object with the device, under the id `mob_id`. */
const vmw_mob_bind = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_mob.c',
  'vmw_mob_bind',
  { args: { ...args, mob_id: int }, locals: { pt: ref('svga_mob_pt'), ret: int }, returns: int },
  ({ step, fallible, call, when, ret }) => [
    fallible(
      'vmw_mob_pt_setup',
      step('vmw_mob_pt_setup(mob, data_addr, num_data_pages)', (f, k) => {
        f.pt = pagesFor(k, f.bo);
      }),
    ),
    when('!pt', (f) => isNull(f.pt), [ret('-ENOMEM', () => -ENOMEM)]),
    fallible('vmw_mob_bind', [], (f) => {
      f.ret = -ENOMEM;
    }),
    when('!cmd', (f) => f.ret !== 0, [
      step('free the page table', (f, k) => {
        const { pt } = f;
        f.pt = NULL;
        k.free(pt);
      }),
      ret('-ENOMEM', () => -ENOMEM),
    ]),
    call(vmw_cmd_reserve, () => ({ count: 1 })),
    step('SVGA_3D_CMD_DEFINE_GB_MOB64{id, pt, size}', (f, k) =>
      putCommand(k, {
        id: SVGA_3D_CMD_DEFINE_GB_MOB64,
        arg: f.mob_id,
        value: f.pt.at,
        length: f.bo.num_pages * PAGE_SIZE,
      }),
    ),
    call(vmw_cmd_commit, () => ({})),
    step('mob->pt = pt', (f) => {
      f.bo.mem_pt = f.pt;
    }),
    ret('0', () => 0),
  ],
);

/** The device forgets the pages. */
const vmw_mob_unbind = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_mob.c',
  'vmw_mob_unbind',
  { args, locals: { id: int, pt: ref('svga_mob_pt') } },
  ({ step, call }) => [
    step('id = bo->mem.start; pt = mob->pt', (f) => {
      f.id = f.bo.mem_start;
      f.pt = f.bo.mem_pt;
      f.bo.mem_pt = NULL;
    }),
    call(vmw_cmd_reserve, () => ({ count: 1 })),
    step('SVGA_3D_CMD_DESTROY_GB_MOB{id}', (f, k) =>
      putCommand(k, { id: SVGA_3D_CMD_DESTROY_GB_MOB, arg: f.id }),
    ),
    call(vmw_cmd_commit, () => ({})),
    step('free the page table', (f, k) => k.free(f.pt)),
  ],
);

/** Registers the pages with the device as a guest memory region, under the id `gmr_id`. */
const vmw_gmr_bind = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_gmr.c',
  'vmw_gmr_bind',
  { args: { ...args, gmr_id: int }, locals: { pt: ref('svga_mob_pt') }, returns: int },
  ({ step, fallible, call, when, ret }) => [
    fallible(
      'vmw_gmr_bind',
      step('cmd = pages of the object', (f, k) => {
        f.pt = pagesFor(k, f.bo);
      }),
    ),
    when('!cmd', (f) => isNull(f.pt), [ret('-ENOMEM', () => -ENOMEM)]),
    call(vmw_cmd_reserve, () => ({ count: 2 })),
    step('SVGA_CMD_DEFINE_GMR2{id, num_pages}', (f, k) =>
      putCommand(k, { id: SVGA_CMD_DEFINE_GMR2, arg: f.gmr_id, length: f.bo.num_pages }),
    ),
    step('SVGA_CMD_REMAP_GMR2{id, 0, num_pages, pages}', (f, k) =>
      putCommand(k, {
        id: SVGA_CMD_REMAP_GMR2,
        arg: f.gmr_id,
        value: f.pt.at,
        length: f.bo.num_pages,
      }),
    ),
    call(vmw_cmd_commit, () => ({})),
    step('(the pages go along in the command)', (f) => {
      f.bo.gmr_pt = f.pt;
    }),
    ret('0', () => 0),
  ],
);

/** The device forgets the region: one of no pages. */
const vmw_gmr_unbind = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_gmr.c',
  'vmw_gmr_unbind',
  { args, locals: { id: int, pt: ref('svga_mob_pt') } },
  ({ step, call }) => [
    step('id = bo->mem.start', (f) => {
      f.id = f.bo.mem_start;
      f.pt = f.bo.gmr_pt;
      f.bo.gmr_pt = NULL;
    }),
    call(vmw_cmd_reserve, () => ({ count: 1 })),
    step('SVGA_CMD_DEFINE_GMR2{id, 0}', (f, k) =>
      putCommand(k, { id: SVGA_CMD_DEFINE_GMR2, arg: f.id }),
    ),
    call(vmw_cmd_commit, () => ({})),
    step('free(cmd)', (f, k) => k.free(f.pt)),
  ],
);

/** `driver->swap_notify`: the pages of an object are about to go, and with them the kernel's own map. */
export const vmw_swap_notify = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_ttm_buffer.c',
  'vmw_swap_notify',
  { args },
  ({ call, variant }) => [
    variant(
      'map-outlives-pages',
      [],
      [call(vmw_bo_unmap, (f, k) => ({ vbo: k.view('vmw_buffer_object', f.bo.at) }))],
    ),
  ],
);

/** `driver->move`: to another placement. Resources are unbound before their object leaves MOB placement. */
export const vmw_move = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_ttm_buffer.c',
  'vmw_move',
  { args: { ...args, old: int, mem_type: int, start: int }, locals: { ret: int }, returns: int },
  ({ call, when, ret, variant, having }) => {
    const leave = [
      when('old is VMW_PL_MOB', (f: { old: number }) => f.old === VMW_PL_MOB, [
        call(vmw_mob_unbind, (f) => ({ bo: f.bo })),
      ]),
      having('vram', [
        when('old is VMW_PL_GMR', (f: { old: number }) => f.old === VMW_PL_GMR, [
          call(vmw_gmr_unbind, (f) => ({ bo: f.bo })),
        ]),
      ]),
      ret('0', () => 0),
    ];
    return [
      when('new->mem_type == VMW_PL_MOB', (f) => f.mem_type === VMW_PL_MOB, [
        call(vmw_mob_bind, (f) => ({ bo: f.bo, mob_id: f.start }), 'ret'),
      ]),
      having('vram', [
        when('new->mem_type == VMW_PL_GMR', (f) => f.mem_type === VMW_PL_GMR, [
          call(vmw_gmr_bind, (f) => ({ bo: f.bo, gmr_id: f.start }), 'ret'),
        ]),
      ]),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
      variant(
        'bz-05',
        [],
        [
          when('old is VMW_PL_MOB', (f) => f.old === VMW_PL_MOB, [
            call(vmw_resource_unbind_list, (f, k) => ({
              vbo: k.view('vmw_buffer_object', f.bo.at),
            })),
          ]),
        ],
      ),
      having('kernel maps', [
        variant(
          'map-outlives-pages',
          [],
          [
            when(
              'vmw_bo_move_notify(): one of them is VRAM',
              (f) => f.old === TTM_PL_VRAM || f.mem_type === TTM_PL_VRAM,
              [call(vmw_bo_unmap, (f, k) => ({ vbo: k.view('vmw_buffer_object', f.bo.at) }))],
            ),
          ],
        ),
      ]),
      having('vram', [
        when('one of them is VRAM', (f) => f.old === TTM_PL_VRAM || f.mem_type === TTM_PL_VRAM, [
          call(
            ttm_bo_move_memcpy,
            (f) => {
              const out = f.old === TTM_PL_VRAM;
              return { bo: f.bo, out, start: out ? f.bo.mem_start : f.start };
            },
            'ret',
          ),
          when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
          ...leave,
        ]),
      ]),
      when('old is TTM_PL_SYSTEM', (f) => f.old === TTM_PL_SYSTEM, [
        ret('0', () => 0), // ttm_bo_move_null()
      ]),
      call(ttm_bo_wait, (f) => ({ bo: f.bo })),
      ...leave,
    ];
  },
);
