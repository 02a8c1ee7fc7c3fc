// include/linux/ww_mutex.h: tickets for mutexes of which somebody takes several, in whatever order (Linux 5.1 and 6.1).
// reservation_ww_class is wait-die (DEFINE_WD_CLASS in drivers/dma-buf, since 4.19): who meets an older ticket gives up all
// it has and waits for that mutex alone; who meets a younger one waits. How one waits: `routine/locks.ts`. Left out: the
// count of what is held under a ticket, which is read off the locks that are held; what CONFIG_DEBUG_MUTEXES checks.
import type { Engine } from '../../../routine/engine';
import { int, type Structs, struct, type View } from '../../../state/layout';

export const ww_class = struct('ww_class', { shared: { stamp: int } }); // of the last ticket

/** A ticket: the lower the stamp, the older; 0: none. */
export const ww_acquire_ctx = struct('ww_acquire_ctx', { own: { stamp: int } });

/** ww_acquire_init(ctx, &reservation_ww_class): a ticket younger than all before it. An atomic access. */
export function ww_acquire_init(ctx: Structs['ww_acquire_ctx'], k: Engine): void {
  const reservation_ww_class = k.the('reservation_ww_class', 'ww_class');
  reservation_ww_class.stamp++;
  ctx.stamp = reservation_ww_class.stamp;
}

declare module '../../../state/layout' {
  interface Structs {
    ww_class: View<typeof ww_class>;
    ww_acquire_ctx: View<typeof ww_acquire_ctx>;
  }
}
