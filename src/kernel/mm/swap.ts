// mm/swap.c, mm/filemap.c, mm/page-writeback.c (Linux 6.1), as far as pages mapped one by one need them: references,
// the page lock, the dirty flag. Left out: the LRU lists, reclaim, writeback.
import { routine } from '../../routine/routine';
import { int, NULL, ref } from '../../state/layout';
import { PG_dirty } from '../include/linux/mm';
import '../include/linux/mm_types';

const of_page = { args: { page: ref('page') } };

/** Gives up a reference; the last one frees the page. */
export const put_page = routine(
  'mm/swap.c',
  'put_page',
  { ...of_page, locals: { count: int } },
  ({ step, atomic, when, ret }) => [
    atomic('put_page_testzero(page)', (f) => {
      f.page._refcount--;
      f.count = f.page._refcount;
    }),
    when('that was the last', (f) => f.count === 0, [
      step('__put_page(page)', (f, k) => {
        const { page } = f;
        f.page = NULL;
        k.free(page);
      }),
    ]),
    ret(),
  ],
);

/** Marks the page dirty; returns 1 when it was not. */
export const set_page_dirty = routine(
  'mm/page-writeback.c',
  'set_page_dirty',
  { ...of_page, locals: { newly: int }, returns: int },
  ({ atomic, ret }) => [
    atomic('TestSetPageDirty(page)', (f) => {
      const { flags } = f.page;
      f.newly = (flags & PG_dirty) === 0 ? 1 : 0;
      f.page.flags = flags | PG_dirty;
    }),
    ret('whether it was clean', (f) => f.newly),
  ],
);
