// Command buffers as the device sees them: a header in memory for each, handed over by writing its address into a
// register, and a queue of those that wait. svga_reg.h of Linux drivers/gpu/drm/vmwgfx/device_include
// (SVGA_CAP_COMMAND_BUFFERS). One context; lengths and offsets count commands, where the real ones count bytes.
import type { Engine } from '../../routine/engine';
import { routine } from '../../routine/routine';
import { tracepoint } from '../../state/events';
import { array, bool, int, oneOf, ref, struct, type View } from '../../state/layout';
import { type SvgaCommand, svgaCommand } from './commands';
import { raiseInterrupt, SVGA_IRQFLAG_COMMAND_BUFFER, SVGA_IRQFLAG_ERROR } from './registers';

/** Buffers that the queue of a context has room for. */
export const SVGA_CB_MAX_QUEUED_PER_CONTEXT = 32;

export const SVGA_CB_STATUS_NONE = 0; // the device has it
export const SVGA_CB_STATUS_COMPLETED = 1;
export const SVGA_CB_STATUS_QUEUE_FULL = 2; // at once, without an interrupt
export const SVGA_CB_STATUS_COMMAND_ERROR = 3; // errorOffset says where; the context stands still
export const SVGA_CB_STATUS_CB_HEADER_ERROR = 4;
export const SVGA_CB_STATUS_PREEMPTED = 5;

/** What guest and device tell each other of a buffer. All but the status is whose the buffer is. */
export const SVGACBHeader = struct('SVGACBHeader', {
  shared: {
    status: oneOf({
      NONE: SVGA_CB_STATUS_NONE,
      COMPLETED: SVGA_CB_STATUS_COMPLETED,
      QUEUE_FULL: SVGA_CB_STATUS_QUEUE_FULL,
      COMMAND_ERROR: SVGA_CB_STATUS_COMMAND_ERROR,
      CB_HEADER_ERROR: SVGA_CB_STATUS_CB_HEADER_ERROR,
      PREEMPTED: SVGA_CB_STATUS_PREEMPTED,
    }),
  },
  own: { ptr: int, length: int, offset: int, errorOffset: int }, // ptr: place of the first command in `svga_ring`
});

/** The device's queue of buffers, and whether it goes on with them. */
export const svga_cb_context = struct('svga_cb_context', {
  own: { count: int, stopped: bool, buffers: array(int, SVGA_CB_MAX_QUEUED_PER_CONTEXT) },
});

declare module '../../state/layout' {
  interface Structs {
    SVGACBHeader: View<typeof SVGACBHeader>;
    svga_cb_context: View<typeof svga_cb_context>;
  }
}

/** The device gives a buffer back. */
export const svga_cb = tracepoint('svga_cb', { status: int });

const context = (k: Engine) => k.the('svga_cb_context', 'svga_cb_context');

/** SVGA_REG_COMMAND_LOW is written: the device queues the buffer, or says at once that it cannot. */
export function submitBuffer(k: Engine, header: View<typeof SVGACBHeader>): void {
  const { buffers, count } = context(k);
  header.status = count === buffers.length ? SVGA_CB_STATUS_QUEUE_FULL : SVGA_CB_STATUS_NONE;
  if (count === buffers.length) return;
  buffers.set(count, header.at);
  context(k).count = count + 1;
}

/** SVGA_DC_CMD_PREEMPT, for one buffer: the last that waits goes back. Returns whether there was one. */
export function preemptBuffer(k: Engine): boolean {
  const { buffers, count } = context(k);
  if (count === 0) return false;
  context(k).count = count - 1;
  k.view('SVGACBHeader', buffers.get(count - 1)).status = SVGA_CB_STATUS_PREEMPTED;
  k.emit(svga_cb, { status: SVGA_CB_STATUS_PREEMPTED });
  buffers.set(count - 1, 0);
  return true;
}

/** SVGA_DC_CMD_START_STOP_CONTEXT. */
export function startStop(k: Engine, enable: boolean): void {
  context(k).stopped = !enable;
}

/** Whether there is a command for the device to take. */
export const hasCommand = (k: Engine): boolean => context(k).count > 0 && !context(k).stopped;

/** The next command of the first buffer; undefined when its header cannot be. */
export function nextCommand(k: Engine, cb: View<typeof SVGACBHeader>): SvgaCommand | undefined {
  const ring = k.the('svga_ring', 'svga_ring');
  const { ptr, offset, length } = cb;
  if (length <= 0 || length > ring.size || ptr < 0 || ptr >= ring.size) return undefined;
  const taken = ring.commands.get((ptr + offset) % ring.size);
  cb.offset = offset + 1;
  return svgaCommand(taken);
}

/** The first buffer of the queue. */
export const firstBuffer = (k: Engine) => k.view('SVGACBHeader', context(k).buffers.get(0));

/** The device is done with the first buffer of its queue. */
export const end_buffer = routine(
  'svga/commandBuffers',
  'end_buffer',
  { mode: 'device', args: { cb: ref('SVGACBHeader'), status: int }, locals: { flags: int } },
  ({ step, atomic, when }) => [
    step('take it off the queue; after an error stand still', (f, k) => {
      const { buffers, count } = context(k);
      for (let i = 0; i < count; i++) buffers.set(i, i + 1 < count ? buffers.get(i + 1) : 0);
      context(k).count = count - 1;
      if (f.status === SVGA_CB_STATUS_COMMAND_ERROR) context(k).stopped = true;
    }),
    step('cb->status = status', (f, k) => {
      f.cb.status = f.status;
      k.emit(svga_cb, { status: f.status });
    }),
    step('mask = SVGA_REG_IRQMASK', (f, k) => {
      const error = f.status === SVGA_CB_STATUS_COMPLETED ? 0 : SVGA_IRQFLAG_ERROR;
      f.flags = k.the('svga', 'svga_regs').irq_mask & (SVGA_IRQFLAG_COMMAND_BUFFER | error);
    }),
    when('flags', (f) => f.flags !== 0, [
      atomic('IRQ_STATUS |= flags; raise the line', (f, k) => raiseInterrupt(k, f.flags)),
    ]),
  ],
);
