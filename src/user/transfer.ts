// What user space does for memory that the kernel does not keep coherent: Mesa's svga driver (svga_resource_buffer.c,
// svga_resource_texture.c) without SVGA_SURFACE_USAGE_COHERENT. It keeps the ranges that a CPU has written, puts updates
// for them in front of the next submission that uses the surface, and reads back what the GPU has written, with a wait,
// before a CPU touches it. Vulkan's vkFlushMappedMemoryRanges and vkInvalidateMappedMemoryRanges are its parts.
//
//   transfer_begin {surface, held}                    the surface is new, and its buffer holds that much already
//   transfer_map {surface, handle, shape}             -> 0, or a negative errno: the memory has what the GPU wrote
//   transfer_flush {surface, start, end}              the bytes are sent with the next submission
//   queue_updates {surface, handle, shape, first, end, submission} -> the new `first`, or a negative errno
//   transfer_sent {surface, writes}                   the submission was made
//
// All are called with `transfer_lock` held. Differences from Mesa: one list of ranges for all processes, where Mesa has
// one a context and flushes when a surface changes hands; a CPU's write reads back as its read does (Mesa: of textures),
// since ranges may be joined over bytes of the GPU.
import {
  byFace,
  bySubresource,
  ofBox,
  SVGA_3D_CMD_READBACK_GB_SURFACE,
  type SvgaCommand,
  svgaCommand,
} from '../hardware/svga/commands';
import { boxRuns, type SurfaceShape, shapeBytes, shapeField } from '../hardware/svga/shapes';
import { MAX_SCHEDULE_TIMEOUT } from '../kernel/drivers/dma-buf/dma-fence';
import { vmw_execbuf_process } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_execbuf';
import {
  vmw_fence_obj_unref_ioctl,
  vmw_fence_obj_wait_ioctl,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_fence';
import type { Engine } from '../routine/engine';
import { sleepingLock } from '../routine/locks';
import { type AnyBuilder, type Node, routine } from '../routine/routine';
import { tracepoint } from '../state/events';
import { array, bool, int, struct, type View } from '../state/layout';
import type { PoolSize, StaticSize } from '../state/objects';
import { boxesOf, type ImageBox } from './boxes';
import { queueCommand } from './commandBuffer';
import { bufferCommands } from './limits';

const file = 'user/transfer';

/** SVGA_BUFFER_MAX_RANGES: ranges that are kept apart; one more is joined to the nearest. */
export const rangesMax = 32;

/** What user space keeps of a surface's memory; the number of a surface is its place in the pool. */
export const svga_transfer = struct('svga_transfer', {
  under: {
    transfer_lock: {
      num_ranges: int,
      starts: array(int, rangesMax),
      ends: array(int, rangesMax),
      gpu_dirty: bool, // the device has data that the memory lacks
    },
  },
});

export const svga_screen = struct('svga_screen', {
  own: { transfer_lock: sleepingLock('transfer_lock') },
});

/** User space puts an update of written bytes in front of a submission. */
export const user_update = tracepoint('user_update', {
  surface: int,
  shape: shapeField,
  image: int,
  x: int,
  y: int,
  z: int,
  w: int,
  h: int,
  d: int,
  bytes: int,
});

/** User space has what the GPU wrote read back, and waits for it. */
export const user_readback = tracepoint('user_readback', { surface: int, bytes: int });

/** Room for the library, and its records before the first step. */
export function transferParts(surfaces: number) {
  const pools: PoolSize[] = [{ struct: svga_transfer, count: surfaces }];
  const statics: StaticSize[] = [{ name: 'svga_screen', struct: svga_screen }];
  const boot = (k: Engine): void => {
    for (let surface = 0; surface < surfaces; surface++) k.alloc('svga_transfer');
  };
  return { pools, statics, boot };
}

/** The lock of the library. */
export const transferLock = (k: Engine) => k.the('svga_screen', 'svga_screen').transfer_lock;

/** The record of a surface: records are never freed, so they lie in the order of surfaces. */
function transferOf(k: Engine, surface: number): View<typeof svga_transfer> {
  let i = 0;
  for (const at of k.objects.all('svga_transfer'))
    if (i++ === surface) return k.view('svga_transfer', at);
  throw new Error(`no record of surface ${surface}`);
}

/** Whether the device has data of a surface that the memory lacks. The lock is held. */
export const isGpuDirty = (k: Engine, surface: number): boolean => transferOf(k, surface).gpu_dirty;

/** The bytes [start, end) join what is to be sent. svga_buffer_add_range(). */
function addRange(t: View<typeof svga_transfer>, start: number, end: number): void {
  const { num_ranges, starts, ends } = t;
  let nearest = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < num_ranges; i++) {
    const distance = Math.max(start - ends.get(i), starts.get(i) - end);
    if (distance < least) [nearest, least] = [i, distance];
  }
  if (nearest < 0 || (least > 0 && num_ranges < rangesMax)) {
    starts.set(num_ranges, start);
    ends.set(num_ranges, end);
    t.num_ranges = num_ranges + 1;
    return;
  }
  starts.set(nearest, Math.min(start, starts.get(nearest)));
  ends.set(nearest, Math.max(end, ends.get(nearest)));
}

/** A surface is made: the first `held` bytes, of a buffer that is in use, are to be sent. */
export const transfer_begin = routine(
  file,
  'transfer_begin',
  { mode: 'user', args: { surface: int, held: int } },
  ({ step }) => [
    step('num_ranges = 0; dirty = 0; svga_buffer_add_range(0, held)', (f, k) => {
      const t = transferOf(k, f.surface);
      t.num_ranges = 0;
      t.gpu_dirty = false;
      if (f.held > 0) addRange(t, 0, f.held);
    }),
  ],
);

/** Bytes of a surface are sent with the next submission that uses it. */
export const transfer_flush = routine(
  file,
  'transfer_flush',
  { mode: 'user', args: { surface: int, start: int, end: int } },
  ({ step }) => [
    step('svga_buffer_add_range(start, end)', (f, k) => {
      if (f.start < f.end) addRange(transferOf(k, f.surface), f.start, f.end);
    }),
  ],
);

const boxBytes = (shape: SurfaceShape, { image, box }: ImageBox): number => {
  const runs = boxRuns(shape, image, box);
  return runs === undefined ? 0 : runs.length * runs.count;
};

interface Queueing {
  readonly surface: number;
  readonly handle: number;
  readonly shape: SurfaceShape;
  readonly submission: number;
  first: number;
  range: number;
  box: number;
}

/** Queues the update of the next box, as a command for its subresource. */
const update = (
  { step }: AnyBuilder,
  text: string,
  command: (image: number, shape: SurfaceShape) => Partial<SvgaCommand>,
): Node =>
  step(`SVGA_3D_CMD_${text}`, (f: Queueing, k: Engine) => {
    const { starts, ends } = transferOf(k, f.surface);
    const { surface, shape, handle: sid, submission } = f;
    const boxes = boxesOf(shape, starts.get(f.range), ends.get(f.range));
    const next = boxes[f.box]!;
    const { image, box } = next;
    f.first--;
    const fields = { ...command(image, shape), sid, ...ofBox(box), submission };
    queueCommand(k, f.first, svgaCommand(fields));
    k.emit(user_update, { surface, shape, image, ...box, bytes: boxBytes(shape, next) });
    f.box++;
    if (f.box < boxes.length) return;
    f.box = 0;
    f.range++;
  });

/**
 * Queues an update command for each box of what is to be sent, in front of place `first` of the task's command buffer. A
 * buffer that is full goes to the kernel: then places begin again below `end`. Returns the place of the first command.
 */
export const queue_updates = routine(
  file,
  'queue_updates',
  {
    mode: 'user',
    args: {
      surface: int,
      handle: int,
      shape: shapeField,
      first: int,
      end: int,
      submission: int,
    },
    locals: { range: int, box: int, more: bool, ret: int },
    returns: int,
  },
  (b) => [
    b.loop('for each box of each range', [
      b.step('the next box', (f, k) => {
        const { num_ranges } = transferOf(k, f.surface);
        f.more = f.range < num_ranges;
      }),
      b.when('none is left', (f) => !f.more, [b.leave()]),
      b.when('the command buffer is full', (f) => f.first === 0, [
        b.call(
          vmw_execbuf_process,
          (f, k) => ({
            commands: k.task * bufferCommands,
            count: f.end,
            submission: f.submission,
            flags: 0,
            dx_context_handle: 0,
          }),
          'ret',
        ),
        b.when('ret < 0', (f) => f.ret < 0, [b.ret('ret', (f) => f.ret)]),
        b.call(vmw_fence_obj_unref_ioctl, (f) => ({ handle: f.ret }), 'ret'),
        b.step('it is empty', (f) => {
          f.first = f.end;
        }),
      ]),
      b.variant(
        'device-gb',
        [
          update(b, 'UPDATE_GB_IMAGE{sid, face, mipmap, box}', (image, { mips }) =>
            byFace('update', image, mips),
          ),
        ],
        [
          update(b, 'DX_UPDATE_SUBRESOURCE{sid, subresource, box}', (image) =>
            bySubresource('update', image),
          ),
        ],
      ),
    ]),
    b.ret('first', (f) => f.first),
  ],
);

/** The submission was made: nothing is left to send, and what it `writes` is the device's. */
export const transfer_sent = routine(
  file,
  'transfer_sent',
  { mode: 'user', args: { surface: int, writes: bool } },
  ({ step }) => [
    step('num_ranges = 0; dirty |= written by the GPU', (f, k) => {
      const t = transferOf(k, f.surface);
      t.num_ranges = 0;
      if (f.writes) t.gpu_dirty = true;
    }),
  ],
);

/** Reads back what the device has of a surface, behind updates of what is to be sent, and waits for it. */
export const transfer_readback = routine(
  file,
  'transfer_readback',
  {
    mode: 'user',
    args: { surface: int, handle: int, shape: shapeField },
    locals: { first: int, fence: int, ret: int },
    returns: int,
  },
  ({ step, call, when, ret }) => [
    step('SVGA_3D_CMD_READBACK_GB_SURFACE{sid}', (f, k) => {
      const { surface, handle: sid } = f;
      f.first = bufferCommands - 1;
      queueCommand(k, f.first, svgaCommand({ id: SVGA_3D_CMD_READBACK_GB_SURFACE, sid }));
      k.emit(user_readback, { surface, bytes: shapeBytes(f.shape) });
    }),
    call(
      queue_updates,
      ({ surface, handle, shape, first }) => ({
        surface,
        handle,
        shape,
        first,
        end: bufferCommands - 1,
        submission: 0,
      }),
      'first',
    ),
    when('first < 0', (f) => f.first < 0, [ret('first', (f) => f.first)]),
    call(
      vmw_execbuf_process,
      (f, k) => ({
        commands: k.task * bufferCommands + f.first,
        count: bufferCommands - f.first,
        submission: 0,
        flags: 0,
        dx_context_handle: 0,
      }),
      'fence',
    ),
    when('fence < 0', (f) => f.fence < 0, [ret('fence', (f) => f.fence)]),
    call(
      vmw_fence_obj_wait_ioctl,
      (f) => ({ handle: f.fence, timeout: MAX_SCHEDULE_TIMEOUT }),
      'ret',
    ),
    call(vmw_fence_obj_unref_ioctl, (f) => ({ handle: f.fence }), 'ret'),
    step('the memory has it', (f, k) => {
      const t = transferOf(k, f.surface);
      t.num_ranges = 0;
      t.gpu_dirty = false;
    }),
    ret('0', () => 0),
  ],
);

/** Before a CPU touches the memory: what the GPU wrote is read back. svga_buffer_transfer_map(). */
export const transfer_map = routine(
  file,
  'transfer_map',
  {
    mode: 'user',
    args: { surface: int, handle: int, shape: shapeField },
    locals: { gpu_dirty: bool, ret: int },
    returns: int,
  },
  ({ step, call, when, ret }) => [
    step('dirty', (f, k) => {
      f.gpu_dirty = transferOf(k, f.surface).gpu_dirty;
    }),
    when('the GPU has written it', (f) => f.gpu_dirty, [
      call(transfer_readback, ({ surface, handle, shape }) => ({ surface, handle, shape }), 'ret'),
    ]),
    ret('ret', (f) => f.ret),
  ],
);

declare module '../state/layout' {
  interface Structs {
    svga_transfer: View<typeof svga_transfer>;
    svga_screen: View<typeof svga_screen>;
  }
}
