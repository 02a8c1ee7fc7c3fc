// drivers/gpu/drm/ttm/ttm_tt.c and its page pool: the system pages behind a buffer object, allocated when first
// needed, zeroed or swapped in. Linux 5.1. Left out: DMA mappings, accounting; and that the pool takes 2 MiB at
// once for large objects, but where `huge-faults` makes use of it.
import { PAGE_SIZE } from '../../../../../hardware/pte';
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref, type Structs } from '../../../../../state/layout';
import { ENOMEM } from '../../../../include/linux/errno';
import { HPAGE_PMD_NR } from '../../../../mm/huge_memory';
import { alloc_page } from '../../../../mm/memory';
import type {} from '../../../../mm/shmem';

/** Allocates the pages that are still missing, with what was swapped out in them. Needs the reservation. -ENOMEM leaves what there is. */
export const ttm_tt_populate = routine(
  'drivers/gpu/drm/ttm/ttm_tt.c',
  'ttm_tt_populate',
  {
    args: { ttm: ref('ttm_tt') },
    locals: { i: int, run: int, failed: bool, swapped: bool },
    returns: int,
  },
  ({ step, fallible, call, when, loop, leave, variant, ret }) => [
    step('i = ttm->populated; swapped = ttm->page_flags & TTM_PAGE_FLAG_SWAPPED', (f) => {
      f.i = f.ttm.populated;
      f.swapped = f.ttm.swapped;
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
    when('swapped', (f) => f.swapped, [call(ttm_tt_swapin, (f) => ({ ttm: f.ttm }))]),
    ret('0', () => 0),
  ],
);

/** Fills in a new page array: no page is there yet. */
export function ttm_tt_init(ttm: Structs['ttm_tt'], num_pages: number, caching: number): void {
  ttm.num_pages = num_pages;
  ttm.caching = caching;
}

const tt = { args: { ttm: ref('ttm_tt') }, locals: { i: int } };

/** Fills the pages, all of which are there again, with what was swapped out. */
const ttm_tt_swapin = routine(
  'drivers/gpu/drm/ttm/ttm_tt.c',
  'ttm_tt_swapin',
  tt,
  ({ step, when, loop, leave }) => [
    loop('for (i = 0; i < ttm->num_pages; ++i)', [
      when('i == ttm->num_pages', (f) => f.i === f.ttm.num_pages, [leave()]),
      step('copy_highpage(to_page, from_page)', (f, k) => {
        const { memory, shmem } = k.parts;
        const frame = memory.frame(memory.pfnOfPage(f.ttm.pages.get(f.i)));
        frame.copy(0, shmem.page(f.ttm.at, f.i), 0, PAGE_SIZE);
        f.i++;
      }),
    ]),
    step('ttm->page_flags &= ~TTM_PAGE_FLAG_SWAPPED', (f) => {
      f.ttm.swapped = false;
    }),
  ],
);

/** Copies the pages, which nobody maps or uses, to swap storage and frees them. -ENOMEM without room there. */
export const ttm_tt_swapout = routine(
  'drivers/gpu/drm/ttm/ttm_tt.c',
  'ttm_tt_swapout',
  { ...tt, locals: { i: int, room: bool }, returns: int },
  ({ step, call, when, loop, leave, ret }) => [
    step('swap_storage = shmem_file_setup("ttm swap", size)', (f, k) => {
      f.room = k.parts.shmem.pages >= f.ttm.num_pages;
    }),
    when('!swap_storage', (f) => !f.room, [ret('-ENOMEM', () => -ENOMEM)]),
    loop('for (i = 0; i < ttm->num_pages; ++i)', [
      when('i == ttm->num_pages', (f) => f.i === f.ttm.num_pages, [leave()]),
      step('copy_highpage(to_page, from_page)', (f, k) => {
        const { memory, shmem } = k.parts;
        const frame = memory.frame(memory.pfnOfPage(f.ttm.pages.get(f.i)));
        shmem.page(f.ttm.at, f.i).copy(0, frame, 0, PAGE_SIZE);
        f.i++;
      }),
    ]),
    call(ttm_tt_unpopulate, (f) => ({ ttm: f.ttm })),
    step('ttm->page_flags |= TTM_PAGE_FLAG_SWAPPED', (f) => {
      f.ttm.swapped = true;
    }),
    ret('0', () => 0),
  ],
);

/** Frees the pages. */
const ttm_tt_unpopulate = routine(
  'drivers/gpu/drm/ttm/ttm_tt.c',
  'ttm_tt_unpopulate',
  tt,
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
        f.ttm.populated = f.i;
        k.free(page);
      }),
    ]),
  ],
);

/** Whether the next pages are as many as a huge page has, from the start of one on. */
const beginsHuge = ({ ttm, i }: { ttm: { num_pages: number }; i: number }): boolean =>
  i % HPAGE_PMD_NR === 0 && ttm.num_pages - i >= HPAGE_PMD_NR;

/** Frees the pages and the table. The buffer object is gone: nobody else knows it. */
export const ttm_tt_destroy = routine(
  'drivers/gpu/drm/ttm/ttm_tt.c',
  'ttm_tt_destroy',
  { args: { ttm: ref('ttm_tt') } },
  ({ step, call }) => [
    call(ttm_tt_unpopulate, (f) => ({ ttm: f.ttm })),
    step('kfree(ttm)', (f, k) => {
      const { ttm } = f;
      f.ttm = NULL;
      k.free(ttm);
    }),
  ],
);
