// drivers/gpu/drm/ttm/ttm_execbuf_util.c: reserves, fences and lets go of the buffer objects of a submission. Left out:
// wound/wait. Objects are locked in the order of the list; submissions are serialised by the driver, and a fault, which
// holds no other reservation, only tries.
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, ref, same } from '../../../../../state/layout';
import { dma_resv_add_fence } from '../../../dma-buf/dma-resv';
import { ttm_bo_unreserve } from './ttm_bo';

const file = 'drivers/gpu/drm/ttm/ttm_execbuf_util.c';
const list = { list: ref('ttm_validate_buffer') };
const entry = { entry: ref('ttm_validate_buffer') };

/** Reserves every object. -EINTR when interrupted: then none is reserved. */
export const ttm_eu_reserve_buffers = routine(
  file,
  'ttm_eu_reserve_buffers',
  {
    args: { ...list, intr: bool },
    locals: { ...entry, undo: ref('ttm_validate_buffer'), ret: int },
    returns: int,
  },
  ({ step, acquire, release, loop, leave, when, ret }) => [
    step('entry = first of list', (f) => {
      f.entry = f.list;
    }),
    loop('list_for_each_entry(entry, list)', [
      when('end of list', (f) => isNull(f.entry), [leave()]),
      when(
        'intr',
        (f) => f.intr,
        [
          acquire(
            'ret = dma_resv_lock_interruptible(bo->resv, ticket)',
            (f) => f.entry.bo.resv.lock,
            {
              interruptible: true,
              nested: true,
              into: 'ret',
            },
          ),
        ],
        [acquire('dma_resv_lock(bo->resv, ticket)', (f) => f.entry.bo.resv.lock, { nested: true })],
      ),
      when('ret', (f) => f.ret !== 0, [
        step('undo = first of list', (f) => {
          f.undo = f.list;
        }),
        loop('ttm_eu_backoff_reservation_reverse(list, entry)', [
          when('undo == entry', (f) => same(f.undo, f.entry), [leave()]),
          release('dma_resv_unlock(undo->bo->resv)', (f) => f.undo.bo.resv.lock),
          step('undo = next', (f) => {
            f.undo = f.undo.next;
          }),
        ]),
        ret('ret', (f) => f.ret),
      ]),
      step('entry = next', (f) => {
        f.entry = f.entry.next;
      }),
    ]),
    ret('0', () => 0),
  ],
);

/** Lets go of every object, without a fence. */
export const ttm_eu_backoff_reservation = routine(
  file,
  'ttm_eu_backoff_reservation',
  { args: list, locals: entry },
  ({ step, call, loop, leave, when }) => [
    step('entry = first of list', (f) => {
      f.entry = f.list;
    }),
    loop('list_for_each_entry(entry, list)', [
      when('end of list', (f) => isNull(f.entry), [leave()]),
      call(ttm_bo_unreserve, (f) => ({ bo: f.entry.bo })),
      step('entry = next', (f) => {
        f.entry = f.entry.next;
      }),
    ]),
  ],
);

/** Puts the fence on every object and lets go of it. A NULL fence (none could be made) leaves the old one. */
export const ttm_eu_fence_buffer_objects = routine(
  file,
  'ttm_eu_fence_buffer_objects',
  { args: { ...list, fence: ref('dma_fence') }, locals: entry },
  ({ step, call, loop, leave, when }) => [
    step('entry = first of list', (f) => {
      f.entry = f.list;
    }),
    loop('list_for_each_entry(entry, list)', [
      when('end of list', (f) => isNull(f.entry), [leave()]),
      when('fence', (f) => !isNull(f.fence), [
        call(dma_resv_add_fence, (f) => ({ resv: f.entry.bo.resv, fence: f.fence, kernel: false })),
      ]),
      call(ttm_bo_unreserve, (f) => ({ bo: f.entry.bo })),
      step('entry = next', (f) => {
        f.entry = f.entry.next;
      }),
    ]),
  ],
);
