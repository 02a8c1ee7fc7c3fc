// drivers/dma-buf/dma-resv.c: the fences of a buffer. Who adds one holds the reservation, which is the `lock` field. Linux
// 5.1 and 6.1. Simplified: who only asks takes the lock for each look, where the kernel reads under RCU and tries again.
import { type AnyBuilder, type Node, routine } from '../../../routine/routine';
import { bool, int, isNull, NULL, ref, type Structs } from '../../../state/layout';
import {
  dma_fence_get,
  dma_fence_is_signaled,
  dma_fence_put,
  dma_fence_wait_timeout,
} from './dma-fence';

const file = 'drivers/dma-buf/dma-resv.c';
const resv = { resv: ref('dma_resv') };

/** The fences by what they guard against: what the kernel moves, writers, readers. */
const usages = ['fence_kernel', 'fence_excl', 'fence_shared'] as const;

/**
 * Puts a fence, or none, in place of the one of its usage, with a reference of its own. One of writers takes the place of
 * that of the readers before it as well.
 */
export const dma_resv_add_fence = routine(
  file,
  'dma_resv_add_fence',
  {
    args: { ...resv, fence: ref('dma_fence'), kernel: bool },
    locals: { old: ref('dma_fence'), readers: ref('dma_fence') },
  },
  ({ step, call, when }) => [
    when('fence', (f) => !isNull(f.fence), [call(dma_fence_get, (f) => ({ fence: f.fence }))]),
    step('replace the fence of this usage', (f) => {
      const { resv } = f;
      f.old = f.kernel ? resv.fence_kernel : resv.fence_excl;
      if (f.kernel) resv.fence_kernel = f.fence;
      else {
        resv.fence_excl = f.fence;
        f.readers = resv.fence_shared;
        resv.fence_shared = NULL;
      }
    }),
    call(dma_fence_put, (f) => ({ fence: f.old })),
    when('shared fences', (f) => !isNull(f.readers), [
      call(dma_fence_put, (f) => ({ fence: f.readers })),
    ]),
  ],
);

/** As `dma_resv_add_fence`, for readers. */
export const dma_resv_add_shared_fence = routine(
  file,
  'dma_resv_add_shared_fence',
  { args: { ...resv, fence: ref('dma_fence') }, locals: { old: ref('dma_fence') } },
  ({ step, call }) => [
    call(dma_fence_get, (f) => ({ fence: f.fence })),
    step('replace the shared fence', (f) => {
      f.old = f.resv.fence_shared;
      f.resv.fence_shared = f.fence;
    }),
    call(dma_fence_put, (f) => ({ fence: f.old })),
  ],
);

interface Asking {
  readonly resv: Structs['dma_resv'];
  fence: Structs['dma_fence'];
  usage: number;
}

/** For each fence, with a reference that `body` gives back; over the fields `asking`. */
export const eachFence = (
  { step, call, acquire, release, loop, leave, when }: AnyBuilder,
  body: Node[],
): Node[] => [
  loop('dma_resv_for_each_fence(&cursor, resv, usage, fence)', [
    when('end', (f: Asking) => f.usage === usages.length, [leave()]),
    acquire('rcu_read_lock()', (f: Asking) => f.resv.lock),
    step('fence = next', (f: Asking) => {
      f.fence = f.resv[usages[f.usage] ?? 'fence_shared'];
      f.usage++;
    }),
    when('fence', (f: Asking) => !isNull(f.fence), [
      call(dma_fence_get, (f: Asking) => ({ fence: f.fence })),
    ]),
    release('rcu_read_unlock()', (f: Asking) => f.resv.lock),
    when('fence', (f: Asking) => !isNull(f.fence), body),
  ]),
];

export const asking = { fence: ref('dma_fence'), usage: int, ret: int };

/** Whether all fences of a reserved buffer are signalled: 1, or 0. (bz-13: with shared ones, only these are asked.) */
export const dma_resv_test_signaled = routine(
  file,
  'dma_resv_test_signaled',
  {
    args: resv,
    locals: {
      excl: ref('dma_fence'),
      shared: ref('dma_fence'),
      kernel: ref('dma_fence'),
      ret: int,
    },
    returns: int,
  },
  ({ step, call, when, variant, ret }) => {
    const ask = (name: 'excl' | 'shared' | 'kernel') =>
      when(name, (f) => !isNull(f[name]), [
        call(dma_fence_is_signaled, (f) => ({ fence: f[name] }), 'ret'),
        when('!ret', (f) => f.ret === 0, [ret('false', () => 0)]),
      ]);
    return [
      step('the fences', (f) => {
        f.excl = f.resv.fence_excl;
        f.shared = f.resv.fence_shared;
        f.kernel = f.resv.fence_kernel;
      }),
      ask('shared'),
      variant(
        'bz-13',
        [when('!shared_count', (f) => isNull(f.shared), [ask('excl')])],
        [ask('excl')],
      ),
      ask('kernel'),
      ret('true', () => 1),
    ];
  },
);

/** Waits until all fences are signalled: what is left of the time, 0 when it is over, -ERESTARTSYS. */
export const dma_resv_wait_timeout = routine(
  file,
  'dma_resv_wait_timeout',
  { args: { ...resv, intr: int, timeout: int }, locals: { ...asking, left: int }, returns: int },
  (b) => [
    b.variant(
      'bz-15',
      [
        b.step('left = timeout ? timeout : 1', (f) => {
          f.left = f.timeout || 1;
        }),
      ],
      [
        b.step('left = timeout', (f) => {
          f.left = f.timeout;
        }),
      ],
    ),
    eachFence(b, [
      b.call(
        dma_fence_wait_timeout,
        (f) => ({ fence: f.fence, intr: f.intr, timeout: f.left }),
        'ret',
      ),
      b.call(dma_fence_put, (f) => ({ fence: f.fence })),
      b.when('ret <= 0', (f) => f.ret <= 0, [b.ret('ret', (f) => f.ret)]),
    ]),
    b.ret('what is left', (f) => f.left || 1),
  ],
);
