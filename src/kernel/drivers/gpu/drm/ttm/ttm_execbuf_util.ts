// drivers/gpu/drm/ttm/ttm_execbuf_util.c: reserves, fences and lets go of the buffer objects of a submission. Under a
// ticket, so that two who reserve the same objects in different orders both come through: who meets an older one gives up
// all that it has and begins again with the object that it could not get. Linux 5.1 and 6.1. Simplified: in 5.1 a
// ticket is drawn only with `reserve-outside-mutex`; under vmwgfx's cmdbuf_mutex nobody would ask for it.
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { tracepoint } from '../../../../../state/events';
import { bool, int, isNull, ref, type Structs, same } from '../../../../../state/layout';
import { EALREADY, EDEADLK, EINTR, ENOMEM, ERESTARTSYS } from '../../../../include/linux/errno';
import { ww_acquire_init } from '../../../../include/linux/ww_mutex';
import { dma_resv_add_fence } from '../../../dma-buf/dma-resv';
import { ttm_bo_unreserve } from './ttm_bo';

/** Somebody has given up all it had reserved, for an object that somebody with an older ticket has. */
export const ttm_eu_backoff = tracepoint('ttm_eu_backoff', { bo: ref('ttm_buffer_object') });

const file = 'drivers/gpu/drm/ttm/ttm_execbuf_util.c';
const list = { list: ref('ttm_validate_list') };
const entry = { entry: ref('ttm_validate_buffer') };

interface Reserving {
  readonly ticket: Structs['ww_acquire_ctx'];
  readonly list: Structs['ttm_validate_list'];
  readonly dups: Structs['ttm_validate_list'];
  readonly intr: boolean;
  entry: Structs['ttm_validate_buffer'];
  undo: Structs['ttm_validate_buffer'];
  ret: number;
}

/** list_del(): an entry is on the list no more. */
function unlink({ list, entry }: Reserving): void {
  if (same(list.first, entry)) list.first = entry.next;
  else {
    let before = list.first;
    while (!same(before.next, entry)) before = before.next;
    before.next = entry.next;
  }
}

/** Takes the object at hand. `slow`: after a back-off, with nothing held. */
function reserve({ when, acquire, variant }: AnyBuilder, slow: '' | '_slow'): Node {
  const lock = (f: Reserving) => f.entry.bo.resv.lock;
  const take = (interruptible: boolean): Node => {
    const how = { interruptible, into: 'ret' };
    const text = `ret = dma_resv_lock${slow}${interruptible ? '_interruptible' : ''}(bo->resv, ticket)`;
    return variant(
      'no-tickets',
      [acquire(text, lock, how)],
      [acquire(text, lock, { ...how, ticket: (f: Reserving) => f.ticket.stamp })],
    );
  };
  return when('intr', (f: Reserving) => f.intr, [take(true)], [take(false)]);
}

/** Room for the fence that will be added. In 2019 a writer's fence, the only one vmwgfx adds, needs none. */
const reserveFences = ({ when, fallible, variant }: AnyBuilder): Node =>
  variant('drm-6.1', [
    when('!ret', (f: Reserving) => f.ret === 0, [
      fallible('ttm_eu_reserve_buffers', [], (f: Reserving) => {
        f.ret = -ENOMEM;
      }),
    ]),
  ]);

/** Lets go of the object whose fences have no room. */
const unlockEntry = ({ when, release, variant, having }: AnyBuilder): Node =>
  having('ttm_eu_reserve_buffers', [
    variant(
      'slots-kept',
      [],
      [
        when('ret == -ENOMEM', (f: Reserving) => f.ret === -ENOMEM, [
          release('dma_resv_unlock(bo->resv)', (f: Reserving) => f.entry.bo.resv.lock),
        ]),
      ],
    ),
  ]);

/** Lets go of all objects before the one at hand. */
const backOff = ({ step, release, loop, leave, when, variant }: AnyBuilder): Node =>
  variant(
    'backoff-keeps',
    [],
    [
      step('undo = first of list', (f: Reserving) => {
        f.undo = f.list.first;
      }),
      loop('ttm_eu_backoff_reservation_reverse(list, entry)', [
        when('undo == entry', (f: Reserving) => same(f.undo, f.entry), [leave()]),
        release('dma_resv_unlock(undo->bo->resv)', (f: Reserving) => f.undo.bo.resv.lock),
        step('undo = next', (f: Reserving) => {
          f.undo = f.undo.next;
        }),
      ]),
    ],
  );

/**
 * Reserves every object, under a ticket that `ttm_eu_fence_buffer_objects` or `ttm_eu_backoff_reservation` give back. What
 * is on the list twice goes to `dups`, if there is one. -ERESTARTSYS, -ENOMEM, -EALREADY: then none is reserved.
 */
export const ttm_eu_reserve_buffers = routine(
  file,
  'ttm_eu_reserve_buffers',
  {
    args: {
      ticket: ref('ww_acquire_ctx'),
      ...list,
      intr: bool,
      dups: ref('ttm_validate_list'),
    },
    locals: { ...entry, undo: ref('ttm_validate_buffer'), ret: int },
    returns: int,
  },
  (b) => {
    const any = b as AnyBuilder;
    const { step, atomic, loop, leave, again, when, ret, variant } = b;
    const isTwice = (f: Reserving): boolean => f.ret === -EALREADY && !isNull(f.dups);
    const first = [
      step('entry = first of list', (f) => {
        f.entry = f.list.first;
      }),
    ];
    const drawn = [
      atomic('ww_acquire_init(ticket, &reservation_ww_class); entry = first of list', (f, k) => {
        ww_acquire_init(f.ticket, k);
        f.entry = f.list.first;
      }),
    ];
    return [
      variant('no-tickets', first, [
        variant('drm-6.1', drawn, [variant('reserve-outside-mutex', drawn, first)]),
      ]),
      loop('list_for_each_entry(entry, list)', [
        when('end of list', (f) => isNull(f.entry), [leave()]),
        reserve(any, ''),
        when('ret == -EALREADY && dups', isTwice, [
          step('list_del(&entry->head); list_add(&entry->head, dups); entry = next', (f) => {
            const { entry, dups } = f;
            const { next } = entry;
            unlink(f);
            entry.next = dups.first;
            dups.first = entry;
            f.entry = next;
          }),
          again(),
        ]),
        reserveFences(any),
        when('ret', (f) => f.ret !== 0, [
          unlockEntry(any),
          backOff(any),
          when('ret == -EDEADLK', (f) => f.ret === -EDEADLK, [
            step('everything is given up, for this object', (f, k) => {
              k.emit(ttm_eu_backoff, { bo: f.entry.bo });
            }),
            reserve(any, '_slow'),
            reserveFences(any),
            unlockEntry(any),
          ]),
          when('ret', (f) => f.ret !== 0, [
            ret('ret == -EINTR ? -ERESTARTSYS : ret', (f) =>
              f.ret === -EINTR ? -ERESTARTSYS : f.ret,
            ),
          ]),
          step('list_del(&entry->head); list_add(&entry->head, list)', (f) => {
            const { entry, list } = f;
            unlink(f);
            entry.next = list.first;
            list.first = entry;
          }),
        ]),
        step('entry = next', (f) => {
          f.entry = f.entry.next;
        }),
      ]),
      ret('0', () => 0),
    ];
  },
);

/** Lets go of every object, without a fence. */
export const ttm_eu_backoff_reservation = routine(
  file,
  'ttm_eu_backoff_reservation',
  { args: list, locals: entry },
  ({ step, call, loop, leave, when }) => [
    step('entry = first of list', (f) => {
      f.entry = f.list.first;
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
      f.entry = f.list.first;
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
