// include/linux/dma-fence-array.h: a fence that stands for several, signalled when all of them are. Left out: arrays that
// one member signals, errors of members.
import { array, embed, holding, int, ref, struct, type View } from '../../../state/layout';
import './dma-fence';

/** Members there can be: one for each usage of a reservation. */
export const DMA_FENCE_ARRAY_MAX = 3;

export const dma_fence_array_cb = struct('dma_fence_array_cb', {
  fixed: { cb: embed('dma_fence_cb'), array: ref('dma_fence_array') }, // cb first: the addresses are equal
});

export const dma_fence_array = struct('dma_fence_array', {
  fixed: {
    base: embed('dma_fence'), // first: the addresses are equal
    lock: embed('fence_lock_t'),
    num_fences: int,
    fences: array(holding(ref('dma_fence')), DMA_FENCE_ARRAY_MAX),
    callbacks: array(embed('dma_fence_array_cb'), DMA_FENCE_ARRAY_MAX),
  },
  shared: { num_pending: int },
});

declare module '../../../state/layout' {
  interface Structs {
    dma_fence_array_cb: View<typeof dma_fence_array_cb>;
    dma_fence_array: View<typeof dma_fence_array>;
  }
}
