// drivers/dma-buf/dma-fence-array.c: several fences as one. Linux 6.1. Its members are asked for their signals only when
// somebody asks for its own; who just looks gets an answer from the members.
import type { Engine } from '../../../routine/engine';
import { routine } from '../../../routine/routine';
import { int, isNull, NULL, ref, type Structs } from '../../../state/layout';
import { DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT } from '../../include/linux/dma-fence';
import { dma_fence_array } from '../../include/linux/dma-fence-array';
import { irq_work_queue } from '../../kernel/irq_work';
import {
  dma_fence_add_callback,
  dma_fence_get,
  dma_fence_init,
  dma_fence_is_signaled,
  dma_fence_put,
  dma_fence_signal,
} from './dma-fence';

const file = 'drivers/dma-buf/dma-fence-array.c';
const args = { fence: ref('dma_fence') };
const locals = { i: int, ret: int };

/** A fence of an array's operations is first a dma_fence: same address. */
const arrayOf = (k: Engine, fence: Structs['dma_fence']) => k.view('dma_fence_array', fence.at);
const ended = (f: { i: number; array: Structs['dma_fence_array'] }) => f.i === f.array.num_fences;

/** An empty array with one reference, NULL without memory; members are added before anybody else knows it. */
export const dma_fence_array_create = routine(
  file,
  'dma_fence_array_create',
  { locals: { array: ref('dma_fence_array') }, returns: ref('dma_fence_array') },
  ({ step, fallible, ret }) => [
    fallible(
      'dma_fence_array_create',
      step('array = kzalloc(size_array); dma_fence_init(&array->base, ...)', (f, k) => {
        f.array = k.alloc('dma_fence_array');
        if (isNull(f.array)) return;
        const ops = k.the('dma_fence_array_ops', 'dma_fence_ops');
        const lock = k.view('fence_lock_t', f.array.lock.at);
        dma_fence_init(k, f.array.base, { ops, lock, context: 0, seqno: 1 });
        f.array.work.func = k.fn(irq_dma_fence_array_work);
      }),
    ),
    ret('array', (f) => f.array),
  ],
);

/** Adds a member, with a reference of its own, to an array that nobody else knows yet. */
export const addMember = routine(
  file,
  'addMember',
  { args: { ...args, array: ref('dma_fence_array') } },
  ({ step, call }) => [
    step('array->fences[num_fences++] = fence; num_pending++', (f) => {
      const { array, fence } = f;
      array.fences.set(array.num_fences, fence);
      array.num_fences++;
      array.num_pending = array.num_fences;
    }),
    call(dma_fence_get, (f) => ({ fence: f.fence })),
  ],
);

/** The array is signalled in an interrupt of its own: the lock of a member, under which the last one says so, is let go. */
export const irq_dma_fence_array_work = routine(
  file,
  'irq_dma_fence_array_work',
  { args: { work: ref('irq_work') }, locals: { array: ref('dma_fence_array'), ret: int } },
  ({ step, call }) => [
    step('array = container_of(work, typeof(*array), work)', (f, k) => {
      f.array = k.view('dma_fence_array', f.work.at - dma_fence_array.slot('work').offset);
    }),
    call(dma_fence_signal, (f) => ({ fence: f.array.base }), 'ret'),
    call(dma_fence_put, (f) => ({ fence: f.array.base })),
  ],
);

/** A member is signalled; the last one has the array signalled (array-signals-at-once: signals it). */
export const dma_fence_array_cb_func = routine(
  file,
  'dma_fence_array_cb_func',
  {
    args: { ...args, cb: ref('dma_fence_cb') },
    locals: { array: ref('dma_fence_array'), left: int, ret: int },
  },
  ({ atomic, call, when, variant }) => {
    const put = call(dma_fence_put, (f: { array: Structs['dma_fence_array'] }) => ({
      fence: f.array.base,
    }));
    return [
      atomic('left = atomic_dec_return(&array->num_pending)', (f, k) => {
        const member = k.view('dma_fence_array_cb', f.cb.at);
        f.array = member.array;
        member.array = NULL;
        f.array.num_pending--;
        f.left = f.array.num_pending;
      }),
      variant(
        'array-signals-at-once',
        [
          when('!left', (f) => f.left === 0, [
            call(dma_fence_signal, (f) => ({ fence: f.array.base }), 'ret'),
          ]),
          put,
        ],
        [
          when(
            '!left',
            (f) => f.left === 0,
            [call(irq_work_queue, (f) => ({ work: f.array.work }))],
            [put],
          ),
        ],
      ),
    ];
  },
);

/** `ops->enable_signaling`: 0 when all members are signalled already. */
export const dma_fence_array_enable_signaling = routine(
  file,
  'dma_fence_array_enable_signaling',
  { args, locals: { ...locals, array: ref('dma_fence_array'), left: int }, returns: int },
  ({ step, atomic, call, loop, leave, when, ret }) => [
    step('array = to_dma_fence_array(fence)', (f, k) => {
      f.array = arrayOf(k, f.fence);
    }),
    loop('for (i = 0; i < array->num_fences; ++i)', [
      when('i == array->num_fences', ended, [leave()]),
      step('cb[i].array = array', (f, k) => {
        const member = f.array.callbacks.get(f.i);
        member.array = f.array;
        member.cb.func = k.fn(dma_fence_array_cb_func);
      }),
      call(dma_fence_get, (f) => ({ fence: f.fence })),
      call(
        dma_fence_add_callback,
        (f) => ({ fence: f.array.fences.get(f.i), cb: f.array.callbacks.get(f.i).cb }),
        'ret',
      ),
      when('it is signalled already', (f) => f.ret !== 0, [
        call(dma_fence_put, (f) => ({ fence: f.fence })),
        atomic('left = atomic_dec_return(&array->num_pending)', (f) => {
          f.array.callbacks.get(f.i).array = NULL;
          f.array.num_pending--;
          f.left = f.array.num_pending;
        }),
        when('!left', (f) => f.left === 0, [ret('false', () => 0)]),
      ]),
      step('i++', (f) => {
        f.i++;
      }),
    ]),
    ret('true', () => 1),
  ],
);

/** `ops->signaled`: counts, once signals are asked for; before that each member is asked (bz-14: the count alone). */
export const dma_fence_array_signaled = routine(
  file,
  'dma_fence_array_signaled',
  {
    args,
    locals: { ...locals, array: ref('dma_fence_array'), pending: int, flags: int },
    returns: int,
  },
  ({ step, call, loop, leave, when, variant, ret }) => [
    step('pending = atomic_read(&array->num_pending)', (f, k) => {
      f.array = arrayOf(k, f.fence);
      f.pending = f.array.num_pending;
    }),
    variant(
      'bz-14',
      [],
      [
        step('flags = fence->flags', (f) => {
          f.flags = f.fence.flags;
        }),
        when(
          '!test_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence->flags)',
          (f) => (f.flags & DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT) === 0,
          [
            loop('for (i = 0; i < array->num_fences; ++i)', [
              when('i == array->num_fences', ended, [leave()]),
              call(dma_fence_is_signaled, (f) => ({ fence: f.array.fences.get(f.i) }), 'ret'),
              step('if (ret) --pending; i++', (f) => {
                if (f.ret !== 0) f.pending--;
                f.i++;
              }),
            ]),
          ],
        ),
      ],
    ),
    ret('pending <= 0', (f) => Number(f.pending <= 0)),
  ],
);

/** `ops->release`: the members go with it. */
export const dma_fence_array_release = routine(
  file,
  'dma_fence_array_release',
  { args, locals: { i: int, array: ref('dma_fence_array') } },
  ({ step, call, loop, leave, when }) => [
    step('array = to_dma_fence_array(fence)', (f, k) => {
      f.array = arrayOf(k, f.fence);
      f.fence = NULL;
    }),
    loop('for (i = 0; i < array->num_fences; ++i)', [
      when('i == array->num_fences', ended, [leave()]),
      call(dma_fence_put, (f) => ({ fence: f.array.fences.get(f.i) })),
      step('i++', (f) => {
        f.i++;
      }),
    ]),
    step('dma_fence_free(fence)', (f, k) => {
      const { array } = f;
      f.array = NULL;
      k.free(array);
    }),
  ],
);
