// include/linux/dma-resv.h: a buffer's reservation, a lock with the fences that guard the buffer. Holding the lock is
// "the buffer is reserved". Fences by usage as in 6.1; in 2019 `fence_kernel` is the object's own `moving` and
// `fence_excl` the exclusive fence. vmwgfx itself adds no shared fence; user space may. Left out: more than one fence a
// usage (all are of one context, so a later fence stands for the earlier ones).
import { wwMutex } from '../../../routine/locks';
import { holding, ref, struct, type View } from '../../../state/layout';

export const dma_resv = struct('dma_resv', {
  own: { lock: wwMutex('dma_resv') },
  under: {
    dma_resv: {
      fence_excl: holding(ref('dma_fence')), // DMA_RESV_USAGE_WRITE
      fence_kernel: holding(ref('dma_fence')), // DMA_RESV_USAGE_KERNEL
      fence_shared: holding(ref('dma_fence')), // DMA_RESV_USAGE_READ
    },
  },
});

declare module '../../../state/layout' {
  interface Structs {
    dma_resv: View<typeof dma_resv>;
  }
}
