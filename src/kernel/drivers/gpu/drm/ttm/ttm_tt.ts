// drivers/gpu/drm/ttm/ttm_tt.c and its page pool: the system pages behind a buffer object, allocated when first
// needed, zeroed. Linux 5.1. Left out: swap, caching changes, DMA mappings, accounting; and that the pool takes 2 MiB at
// once for large objects, but where `huge-faults` makes use of it.
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref } from '../../../../../state/layout';
import { ENOMEM } from '../../../../include/linux/errno';
import { HPAGE_PMD_NR } from '../../../../mm/huge_memory';
import { alloc_page } from '../../../../mm/memory';

/** Allocates the pages that are still missing. Needs the reservation. -ENOMEM leaves what there is. */
export const ttm_tt_populate = routine(
  'drivers/gpu/drm/ttm/ttm_tt.c',
  'ttm_tt_populate',
  { args: { ttm: ref('ttm_tt') }, locals: { i: int, run: int, failed: bool }, returns: int },
  ({ step, fallible, when, loop, leave, variant, ret }) => [
    step('i = ttm->populated', (f) => {
      f.i = f.ttm.populated;
    }),
    loop('for (; i < ttm->num_pages; ++i)', [
      when('i == ttm->num_pages', (f) => f.i === f.ttm.num_pages, [leave()]),
      variant('huge-faults', [
        when('npages >= HPAGE_PMD_NR', (f) => beginsHuge(f), [
          step('p = alloc_pages(huge_flags, HPAGE_PMD_ORDER)', (f, k) => {
            const { memory } = k.parts;
            const first = k.allocRun('page', HPAGE_PMD_NR);
            if (isNull(first)) return; // single pages will do
            f.run = memory.pfnOfPage(first.at);
            for (let i = 0; i < HPAGE_PMD_NR; i++) {
              k.view('page', memory.pageOfPfn(f.run + i))._refcount = 1;
            }
          }),
        ]),
      ]),
      fallible(
        'ttm_tt_populate',
        step('ttm->pages[i] = alloc_page(gfp_flags | __GFP_ZERO)', (f, k) => {
          const { memory } = k.parts;
          const within = f.i % HPAGE_PMD_NR;
          const page =
            f.run === 0 ? alloc_page(k) : k.view('page', memory.pageOfPfn(f.run + within));
          if (within === HPAGE_PMD_NR - 1) f.run = 0;
          f.failed = isNull(page);
          if (f.failed) return;
          memory.frame(memory.pfnOfPage(page.at)).clear();
          f.ttm.pages.set(f.i, page.at);
          f.i++;
          f.ttm.populated = f.i;
        }),
        (f) => {
          f.failed = true;
        },
      ),
      when('no page', (f) => f.failed, [ret('-ENOMEM', () => -ENOMEM)]),
    ]),
    ret('0', () => 0),
  ],
);

/** Whether the next pages are as many as a huge page has, from the start of one on. */
const beginsHuge = ({ ttm, i }: { ttm: { num_pages: number }; i: number }): boolean =>
  i % HPAGE_PMD_NR === 0 && ttm.num_pages - i >= HPAGE_PMD_NR;

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
