// include/linux/sync_file.h: a fence as an open file, to be passed around and polled. A table of descriptors stands for
// those of all processes. Left out: names, merging.
import { spinlock } from '../../../routine/locks';
import {
  embed,
  flags,
  holding,
  int,
  ref,
  refcount,
  struct,
  tail,
  type View,
} from '../../../state/layout';
import './dma-fence';

export const POLL_ENABLED = 1 << 0;

export const sync_file = struct('sync_file', {
  fixed: { fence: holding(ref('dma_fence')), cb: embed('dma_fence_cb') },
  shared: { f_count: refcount, flags: flags({ POLL_ENABLED }) }, // f_count: of the file that it is
});

/** Descriptors of sync files: descriptor n is element n - 1. */
export const fdtable = struct('fdtable', {
  own: { lock: spinlock('file_lock') },
  fixed: { size: int },
  under: { file_lock: { fd: tail(holding(ref('sync_file'))) } },
});

declare module '../../../state/layout' {
  interface Structs {
    sync_file: View<typeof sync_file>;
    fdtable: View<typeof fdtable>;
  }
}
