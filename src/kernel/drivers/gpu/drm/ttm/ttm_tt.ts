// drivers/gpu/drm/ttm/ttm_tt.c and its page pool: the system pages behind a buffer object, allocated when first
// needed, zeroed. Linux 5.1. Left out: swap, caching changes, DMA mappings, accounting.
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref } from '../../../../../state/layout';
import { ENOMEM } from '../../../../include/linux/errno';

/** Allocates the pages that are still missing. Needs the reservation. -ENOMEM leaves what there is. */
export const ttm_tt_populate = routine(
  'drivers/gpu/drm/ttm/ttm_tt.c',
  'ttm_tt_populate',
  { args: { ttm: ref('ttm_tt') }, locals: { i: int, failed: bool }, returns: int },
  ({ step, when, loop, leave, ret }) => [
    step('i = ttm->populated', (f) => {
      f.i = f.ttm.populated;
    }),
    loop('for (; i < ttm->num_pages; ++i)', [
      when('i == ttm->num_pages', (f) => f.i === f.ttm.num_pages, [leave()]),
      step('ttm->pages[i] = alloc_page(gfp_flags | __GFP_ZERO)', (f, k) => {
        const page = k.alloc('page');
        f.failed = isNull(page);
        if (f.failed) return;
        page._refcount = 1;
        k.parts.memory.frame(k.parts.memory.pfnOfPage(page.at)).clear();
        f.ttm.pages.set(f.i, page.at);
        f.i++;
        f.ttm.populated = f.i;
      }),
      when('no page', (f) => f.failed, [ret('-ENOMEM', () => -ENOMEM)]),
    ]),
    ret('0', () => 0),
  ],
);

/** Frees the pages and the table. The buffer object is gone: nobody else knows it. */
export const ttm_tt_destroy = routine(
  'drivers/gpu/drm/ttm/ttm_tt.c',
  'ttm_tt_destroy',
  { args: { ttm: ref('ttm_tt') }, locals: { i: int } },
  ({ step, when, loop, leave }) => [
    step('i = ttm->populated', (f) => {
      f.i = f.ttm.populated;
    }),
    loop('while (i--)', [
      when('!i', (f) => f.i === 0, [leave()]),
      step('__free_page(ttm->pages[i])', (f, k) => {
        f.i--;
        const page = k.view('page', f.ttm.pages.get(f.i));
        f.ttm.pages.set(f.i, 0);
        k.free(page);
      }),
    ]),
    step('kfree(ttm)', (f, k) => {
      const { ttm } = f;
      f.ttm = NULL;
      k.free(ttm);
    }),
  ],
);
