// include/linux/dma-fence-array.h: a fence that stands for several, signalled when all of them are. Left out: arrays that
// one member signals, errors of members.
import { spinlock } from '../../../routine/locks';
import { array, embed, holding, int, ref, struct, type View } from '../../../state/layout';
import './dma-fence';
import './irq_work';

/** Members there can be: one for each usage of a reservation. */
export const DMA_FENCE_ARRAY_MAX = 3;

/** A fence_lock_t with a class of its own for lockdep: it is taken in front of the locks of the members. */
export const fence_array_lock_t = struct('fence_array_lock_t', {
  own: { lock: spinlock('fence_lock', 'fence_array_lock') },
});

export const dma_fence_array_cb = struct('dma_fence_array_cb', {
  fixed: {
    cb: embed('dma_fence_cb'), // first: the addresses are equal
    array: holding(ref('dma_fence_array')), // until it is called
  },
});

export const dma_fence_array = struct('dma_fence_array', {
  fixed: {
    base: embed('dma_fence'), // first: the addresses are equal
    lock: embed('fence_array_lock_t'),
    num_fences: int,
    fences: array(holding(ref('dma_fence')), DMA_FENCE_ARRAY_MAX),
    callbacks: array(embed('dma_fence_array_cb'), DMA_FENCE_ARRAY_MAX),
    work: embed('irq_work'),
  },
  shared: { num_pending: int },
});

declare module '../../../state/layout' {
  interface Structs {
    fence_array_lock_t: View<typeof fence_array_lock_t>;
    dma_fence_array_cb: View<typeof dma_fence_array_cb>;
    dma_fence_array: View<typeof dma_fence_array>;
  }
}
