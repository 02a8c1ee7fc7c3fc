// drivers/gpu/drm/vmwgfx/vmwgfx_fifo.c: commands for devices without command buffers. Linux 5.1. In machines with
// `submission fifo`. Left out: the bounce buffer (commands wrap around by themselves), SVGA_FIFO_RESERVED, devices
// without an interrupt mask.
import { fifo, isBusy } from '../../../../../hardware/svga/fifo';
import { SVGA_IRQFLAG_FIFO_PROGRESS } from '../../../../../hardware/svga/registers';
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { bool, int } from '../../../../../state/layout';
import { vmw_priv } from './vmwgfx_cmd';
import { vmw_generic_waiter_add, vmw_generic_waiter_remove } from './vmwgfx_irq';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_fifo.c';

/** Tells the device that there is something to do, unless it knows. */
export const vmw_fifo_ping_host = routine(
  file,
  'vmw_fifo_ping_host',
  { locals: { busy: bool } },
  ({ step, atomic, when }) => [
    atomic('busy = cmpxchg(SVGA_FIFO_BUSY, 0, 1)', (f, k) => {
      f.busy = fifo(k).busy;
      fifo(k).busy = true;
    }),
    when('!busy', (f) => !f.busy, [
      step('vmw_write(dev_priv, SVGA_REG_SYNC, reason)', (_f, k) => {
        fifo(k).sync = true;
      }),
    ]),
  ],
);

/** Looks whether there is room for `count` commands; one place stays free, so that full and empty differ. */
const vmw_fifo_is_full = ({ step }: AnyBuilder): Node =>
  step(
    'full = vmw_fifo_is_full(dev_priv, bytes)',
    (f: { count: number; full: boolean }, k: Engine) => {
      const { size } = k.the('svga_ring', 'svga_ring');
      const used = (vmw_priv(k).next - fifo(k).stop + size) % size;
      f.full = size - used <= f.count;
    },
  );

/** Sleeps until the device has made room: it interrupts at every command that it takes. */
const vmw_fifo_wait = routine(
  file,
  'vmw_fifo_wait',
  { args: { count: int }, locals: { full: bool } },
  (b) => [
    b.call(vmw_fifo_ping_host, () => ({})),
    b.call(vmw_generic_waiter_add, () => ({ flag: SVGA_IRQFLAG_FIFO_PROGRESS })),
    b.loop('wait_event(dev_priv->fifo_queue, !vmw_fifo_is_full(dev_priv, bytes))', [
      b.step('prepare_to_wait(&dev_priv->fifo_queue)', (_f, k) => {
        vmw_priv(k).fifo_woken = false;
      }),
      vmw_fifo_is_full(b),
      b.when('there is room', (f) => !f.full, [b.leave()]),
      b.wait('schedule()', (_f, k) => vmw_priv(k).fifo_woken),
    ]),
    b.call(vmw_generic_waiter_remove, () => ({ flag: SVGA_IRQFLAG_FIFO_PROGRESS })),
  ],
);

/** Takes the fifo, with room for `count` commands. */
export const vmw_fifo_reserve = routine(
  file,
  'vmw_fifo_reserve',
  { args: { count: int }, locals: { full: bool } },
  (b) => [
    b.acquire('mutex_lock(&fifo_state->fifo_mutex)', (_f, k) => vmw_priv(k).cur_mutex),
    vmw_fifo_is_full(b),
    b.when('full', (f) => f.full, [b.call(vmw_fifo_wait, (f) => ({ count: f.count }))]),
  ],
);

/** The device may take what was written. */
export const vmw_fifo_commit = routine(file, 'vmw_fifo_commit', {}, ({ step, call, release }) => [
  step('iowrite32(next_cmd, SVGA_FIFO_NEXT_CMD)', (_f, k) => {
    const dev_priv = vmw_priv(k);
    fifo(k).next_cmd = dev_priv.next;
    dev_priv.pending = 0;
  }),
  call(vmw_fifo_ping_host, () => ({})),
  release('mutex_unlock(&fifo_state->fifo_mutex)', (_f, k) => vmw_priv(k).cur_mutex),
]);

/** vmw_fifo_idle(): the device has nothing to do. */
export const vmw_fifo_idle = ({ wait }: AnyBuilder): Node =>
  wait(
    'vmw_fallback_wait(): !vmw_read(dev_priv, SVGA_REG_BUSY)',
    (_f: unknown, k: Engine) => !isBusy(k),
  );

/** What vmw_fifo_init() and vmw_fifo_release() do last and first: the device reads the fifo, or does not. */
export const vmw_fifo_enable = routine(
  file,
  'vmw_fifo_enable',
  { args: { enable: bool } },
  ({ step, call, acquire }) => [
    acquire('mutex_lock(&fifo_state->fifo_mutex)', (_f, k) => vmw_priv(k).cur_mutex),
    step('vmw_write(dev_priv, SVGA_REG_CONFIG_DONE, enable)', (f, k) => {
      fifo(k).config_done = f.enable;
    }),
    call(vmw_fifo_commit, () => ({})),
  ],
);
