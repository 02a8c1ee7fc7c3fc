// Registers of the device, as the guest sees them, and its interrupt. svga_reg.h of Linux
// drivers/gpu/drm/vmwgfx/device_include.
import type { Engine } from '../../routine/engine';
import { tracepoint } from '../../state/events';
import { int, struct, u32, type View } from '../../state/layout';
import { DEVICE_VECTOR } from '../cpu';

export const SVGA_IRQFLAG_ANY_FENCE = 1 << 0;
export const SVGA_IRQFLAG_FIFO_PROGRESS = 1 << 1; // a command was taken out of the fifo
export const SVGA_IRQFLAG_FENCE_GOAL = 1 << 2;
export const SVGA_IRQFLAG_COMMAND_BUFFER = 1 << 3; // a command buffer is done
export const SVGA_IRQFLAG_ERROR = 1 << 4;
/** Sequence numbers are compared modulo 2^32: one that is fewer than so many ahead has been reached. */
export const SVGA_FENCE_WRAP = 2 ** 31;

export const svga_regs = struct('svga_regs', {
  shared: {
    queued: int, // commands handed over and not yet taken
    fence: u32, // last sequence number completed
    fence_goal: u32, // the guest wants an interrupt when this one is
    irq_status: int,
    irq_mask: int,
  },
});

declare module '../../state/layout' {
  interface Structs {
    svga_regs: View<typeof svga_regs>;
  }
}

export const svga_irq = tracepoint('svga_irq', {});

/** The device has something to say: one atomic access, and the line. */
export function raiseInterrupt(k: Engine, flags: number): void {
  k.the('svga', 'svga_regs').irq_status |= flags;
  k.emit(svga_irq, {});
  k.raise(0, DEVICE_VECTOR);
}
