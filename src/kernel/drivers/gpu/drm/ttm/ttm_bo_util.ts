// drivers/gpu/drm/ttm/ttm_bo_util.c: moves that copy, and what CPUs reach of an object that is not in system pages. Linux
// 5.1. Left out: moves by the device (vmwgfx has none), reservations of apertures that drivers map piecewise.

import { vramPfn } from '../../../../../hardware/memory';
import type { Engine } from '../../../../../routine/engine';
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, ref, type Structs } from '../../../../../state/layout';
import { TTM_PL_VRAM } from '../../../../include/drm/ttm/ttm_bo_api';
import { ENOMEM } from '../../../../include/linux/errno';
import { dropTt, ttm_bo_unmap_virtual, ttm_bo_wait } from './ttm_bo';
import { ttm_tt_populate } from './ttm_tt';

const file = 'drivers/gpu/drm/ttm/ttm_bo_util.c';
const args = { bo: ref('ttm_buffer_object') };

/** The frame that page `page` of an object is in: a system page, or one of the aperture; undefined where none is yet. */
export function frameOf(
  k: Engine,
  bo: Structs['ttm_buffer_object'],
  page: number,
): number | undefined {
  if (bo.mem_type === TTM_PL_VRAM) return vramPfn + bo.mem_start + page;
  const { ttm } = bo;
  const at = isNull(ttm) ? 0 : ttm.pages.get(page);
  return at === 0 ? undefined : k.parts.memory.pfnOfPage(at);
}

/**
 * Moves the bytes of a reserved object between its system pages and page `start` of the aperture, by the CPU, when the GPU
 * has done with them; nobody else can reach where they go. Pages that were never there are zeroes. 0, or -ENOMEM.
 */
export const ttm_bo_move_memcpy = routine(
  file,
  'ttm_bo_move_memcpy',
  {
    args: { bo: ref('ttm_buffer_object'), out: bool, start: int },
    locals: { ttm: ref('ttm_tt'), page: int, clear: bool, ret: int },
    returns: int,
  },
  ({ step, call, when, loop, leave, ret }) => [
    call(ttm_bo_wait, (f) => ({ bo: f.bo })),
    step('ttm->state == tt_unpopulated && !(ttm->page_flags & TTM_PAGE_FLAG_SWAPPED)', (f) => {
      f.ttm = f.bo.ttm;
      f.clear = f.ttm.populated === 0 && !f.ttm.swapped;
    }),
    when('there is something to be copied', (f) => !f.clear || f.out, [
      call(ttm_tt_populate, (f) => ({ ttm: f.ttm }), 'ret'),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    ]),
    loop('for (i = 0; i < new_mem->num_pages; ++i)', [
      when('i == num_pages', (f) => f.page === f.bo.num_pages, [leave()]),
      when(
        'old_iomap',
        (f) => f.out,
        [
          step('ttm_copy_io_ttm_page(ttm, old_iomap, page)', (f, k) => {
            const { memory } = k.parts;
            const to = memory.frame(memory.pfnOfPage(f.ttm.pages.get(f.page)));
            to.copyFresh(memory.frame(vramPfn + f.start + f.page));
            f.page++;
          }),
        ],
        [
          when(
            'nothing to be copied',
            (f) => f.clear,
            [
              step('memset_io(new_iomap + page, 0, PAGE_SIZE)', (f, k) => {
                k.parts.memory.frame(vramPfn + f.start + f.page).clear();
                f.page++;
              }),
            ],
            [
              step('ttm_copy_ttm_io_page(ttm, new_iomap, page)', (f, k) => {
                const { memory } = k.parts;
                const from = memory.frame(memory.pfnOfPage(f.ttm.pages.get(f.page)));
                memory.frame(vramPfn + f.start + f.page).copyFresh(from);
                f.page++;
              }),
            ],
          ),
        ],
      ),
    ]),
    ret('0', () => 0),
  ],
);

/** Makes the pages of a reserved object accessible to the kernel: `frameOf` says where they are. 0, or a negative errno. */
export const ttm_bo_kmap = routine(
  file,
  'ttm_bo_kmap',
  { args, locals: { ttm: ref('ttm_tt'), is_iomem: bool, ret: int }, returns: int },
  ({ step, call, when, ret }) => [
    step('ttm_mem_io_reserve(bo->bdev, &bo->mem)', (f) => {
      f.ttm = f.bo.ttm;
      f.is_iomem = f.bo.mem_type === TTM_PL_VRAM;
    }),
    when('bo->mem.bus.is_iomem', (f) => f.is_iomem, [ret('0', () => 0)]),
    when('!bo->ttm', (f) => isNull(f.ttm), [ret('-ENOMEM', () => -ENOMEM)]),
    call(ttm_tt_populate, (f) => ({ ttm: f.ttm }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/**
 * Takes a reserved object in system placement, which its driver wants nowhere, what it holds: it is left without pages. The
 * driver of vmwgfx has a place for all of its objects, so here only a scenario asks for it.
 */
export const ttm_bo_pipeline_gutting = routine(
  file,
  'ttm_bo_pipeline_gutting',
  { args, locals: { ttm: ref('ttm_tt') } },
  (b) => [
    b.call(ttm_bo_wait, (f) => ({ bo: f.bo })),
    b.call(ttm_bo_unmap_virtual, (f) => ({ bo: f.bo })),
    dropTt(b),
  ],
);
