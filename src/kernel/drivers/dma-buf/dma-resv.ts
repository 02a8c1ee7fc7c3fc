// drivers/dma-buf/dma-resv.c: the fences of a reserved buffer. Locking is that of the `lock` field; every caller here
// holds it.
import { routine } from '../../../routine/routine';
import { bool, int, isNull, ref } from '../../../state/layout';
import { dma_fence_get, dma_fence_is_signaled, dma_fence_put } from './dma-fence';

/** Puts a fence, or none, in place of the one of its usage, with a reference of its own. */
export const dma_resv_add_fence = routine(
  'drivers/dma-buf/dma-resv.c',
  'dma_resv_add_fence',
  {
    args: { resv: ref('dma_resv'), fence: ref('dma_fence'), kernel: bool },
    locals: { old: ref('dma_fence') },
  },
  ({ step, call, when }) => [
    when('fence', (f) => !isNull(f.fence), [call(dma_fence_get, (f) => ({ fence: f.fence }))]),
    step('replace the fence of this usage', (f) => {
      const { resv } = f;
      f.old = f.kernel ? resv.fence_kernel : resv.fence_excl;
      if (f.kernel) resv.fence_kernel = f.fence;
      else resv.fence_excl = f.fence;
    }),
    call(dma_fence_put, (f) => ({ fence: f.old })),
  ],
);

/** Whether all fences of a reserved buffer have signaled, without waiting: 1 or 0. */
export const dma_resv_test_signaled = routine(
  'drivers/dma-buf/dma-resv.c',
  'dma_resv_test_signaled',
  {
    args: { resv: ref('dma_resv') },
    locals: { fence: ref('dma_fence'), signaled: int },
    returns: int,
  },
  ({ step, call, when, ret }) => [
    ...(['fence_excl', 'fence_kernel'] as const).flatMap((which) => [
      step(`fence = resv->${which}`, (f) => {
        f.fence = f.resv[which];
      }),
      when('fence', (f) => !isNull(f.fence), [
        call(dma_fence_is_signaled, (f) => ({ fence: f.fence }), 'signaled'),
        when('!signaled', (f) => f.signaled === 0, [ret('false', () => 0)]),
      ]),
    ]),
    ret('true', () => 1),
  ],
);
