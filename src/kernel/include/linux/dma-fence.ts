// include/linux/dma-fence.h: fences. The lock that a fence is signalled under belongs to its context, as in the kernel;
// here it is a struct of its own, for fences to point to. Left out: timestamps, deadlines, names and chains.
import { spinlock } from '../../../routine/locks';
import { fnptr } from '../../../routine/routine';
import { flags, int, ref, refcount, struct, u32, type View } from '../../../state/layout';

export const DMA_FENCE_FLAG_SIGNALED_BIT = 1 << 0;
export const DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT = 1 << 2;

/** What `fence->lock` points to. */
export const fence_lock_t = struct('fence_lock_t', { own: { lock: spinlock('fence_lock') } });

export const dma_fence_cb = struct('dma_fence_cb', {
  fixed: { func: fnptr({ fence: ref('dma_fence'), cb: ref('dma_fence_cb') }) },
  under: { fence_lock: { next: ref('dma_fence_cb') } },
});

export const dma_fence_ops = struct('dma_fence_ops', {
  fixed: {
    enable_signaling: fnptr({ fence: ref('dma_fence') }, int),
    signaled: fnptr({ fence: ref('dma_fence') }, int), // may be absent: then the flag alone tells
    wait: fnptr({ fence: ref('dma_fence'), intr: int, timeout: int }, int),
    release: fnptr({ fence: ref('dma_fence') }),
  },
});

export const dma_fence = struct('dma_fence', {
  fixed: { ops: ref('dma_fence_ops'), lock: ref('fence_lock_t'), context: int, seqno: u32 },
  shared: {
    flags: flags({
      SIGNALED: DMA_FENCE_FLAG_SIGNALED_BIT,
      ENABLE_SIGNAL: DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT,
    }),
    refcount,
  },
  under: { fence_lock: { cb_list: ref('dma_fence_cb') } },
});

declare module '../../../state/layout' {
  interface Structs {
    fence_lock_t: View<typeof fence_lock_t>;
    dma_fence_cb: View<typeof dma_fence_cb>;
    dma_fence_ops: View<typeof dma_fence_ops>;
    dma_fence: View<typeof dma_fence>;
  }
}
