// drivers/gpu/drm/vmwgfx/vmwgfx_ttm_buffer.c and vmwgfx_mob.c: what a move to or from MOB placement means: the pages
// are registered with the device under an id, or no longer. Their contents stay. Linux 5.1. Left out: GMRs, VRAM.

import { PAGE_SIZE } from '../../../../../hardware/pte';
import {
  SVGA_3D_CMD_DEFINE_GB_MOB64,
  SVGA_3D_CMD_DESTROY_GB_MOB,
} from '../../../../../hardware/svga/commands';
import { routine } from '../../../../../routine/routine';
import { int, isNull, NULL, ref } from '../../../../../state/layout';
import { TTM_PL_SYSTEM, VMW_PL_MOB } from '../../../../include/drm/ttm/ttm_bo_api';
import { ENOMEM } from '../../../../include/linux/errno';
import { ttm_bo_wait } from '../ttm/ttm_bo';
import { putCommand, vmw_cmd_commit, vmw_cmd_reserve } from './vmwgfx_cmd';
import { vmw_resource_unbind_list } from './vmwgfx_resource';

const args = { bo: ref('ttm_buffer_object') };

/** `driver->evict_flags`: evicted objects go to system placement, whatever they are. */
export const vmw_evict_flags = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_ttm_buffer.c',
  'vmw_evict_flags',
  { args, returns: int },
  ({ ret }) => [ret('vmw_sys_placement', () => TTM_PL_SYSTEM)],
);

/** Registers the pages of a reserved object with the device, under the id `mob_id`. */
const vmw_mob_bind = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_mob.c',
  'vmw_mob_bind',
  { args: { ...args, mob_id: int }, locals: { pt: ref('svga_mob_pt'), ret: int }, returns: int },
  ({ step, fallible, call, when, ret }) => [
    fallible(
      'vmw_mob_pt_setup',
      step('vmw_mob_pt_setup(mob, data_addr, num_data_pages)', (f, k) => {
        f.pt = k.alloc('svga_mob_pt');
        if (isNull(f.pt)) return;
        const { ttm, num_pages } = f.bo;
        for (let i = 0; i < num_pages; i++) {
          f.pt.entries.set(i, k.parts.memory.pfnOfPage(ttm.pages.get(i)));
        }
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

/** `driver->move`: into MOB placement or back to SYSTEM. Resources are unbound before their object leaves. */
export const vmw_move = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_ttm_buffer.c',
  'vmw_move',
  { args: { ...args, mem_type: int, start: int }, locals: { ret: int }, returns: int },
  ({ call, when, ret, variant }) => [
    when(
      'new->mem_type == VMW_PL_MOB',
      (f) => f.mem_type === VMW_PL_MOB,
      [call(vmw_mob_bind, (f) => ({ bo: f.bo, mob_id: f.start }), 'ret'), ret('ret', (f) => f.ret)],
      [
        variant(
          'bz-05',
          [],
          [
            call(vmw_resource_unbind_list, (f, k) => ({
              vbo: k.view('vmw_buffer_object', f.bo.at),
            })),
          ],
        ),
        call(ttm_bo_wait, (f) => ({ bo: f.bo })),
        call(vmw_mob_unbind, (f) => ({ bo: f.bo })),
        ret('0', () => 0),
      ],
    ),
  ],
);
