// The FIFO of devices without command buffers: commands in memory between two marks, one that the guest moves on and one
// that the device moves on, and a register by which the guest wakes the device. svga_reg.h of Linux
// drivers/gpu/drm/vmwgfx/device_include. Places count commands, where the real marks count bytes; the commands are in
// `svga_ring`, which is all there is between SVGA_FIFO_MIN and SVGA_FIFO_MAX.
import type { Engine } from '../../routine/engine';
import { bool, int, struct, type View } from '../../state/layout';

export const svga_fifo = struct('svga_fifo', {
  shared: {
    next_cmd: int, // SVGA_FIFO_NEXT_CMD: where the guest writes next
    stop: int, // SVGA_FIFO_STOP: where the device reads next; nothing is left when they are equal
    busy: bool, // SVGA_FIFO_BUSY: the device need not be woken
  },
  // What a written register changes in the device at once.
  own: {
    sync: bool, // SVGA_REG_SYNC was written
    config_done: bool, // SVGA_REG_CONFIG_DONE: the device may read
    awake: bool,
  },
});

declare module '../../state/layout' {
  interface Structs {
    svga_fifo: View<typeof svga_fifo>;
  }
}

export const fifo = (k: Engine) => k.the('svga_fifo', 'svga_fifo');

/** Whether the device has something to do; or to find out that it has not. */
export const isAwake = (k: Engine): boolean => {
  const { config_done, awake, sync } = fifo(k);
  return config_done && (awake || sync);
};

/** SVGA_REG_BUSY: the device is at work, or has been told to be. */
export const isBusy = (k: Engine): boolean => {
  const { awake, sync } = fifo(k);
  return awake || sync;
};
