// drivers/gpu/drm/vmwgfx/vmwgfx_cmd.c and vmwgfx_cmdbuf.c: commands are written into the current command buffer and
// handed to the device when it is flushed, at the latest by the next fence. Linux 5.1 (vmwgfx_fifo.c there). How they
// get there: by default in short, as one stream that the device takes; with `submission buffers` as in vmwgfx_cmdbuf.ts,
// with `submission fifo` as in vmwgfx_fifo.ts.
import {
  SVGA_CMD_FENCE,
  type SvgaCommand,
  svgaCommand,
} from '../../../../../hardware/svga/commands';
import type { Engine } from '../../../../../routine/engine';
import { type Node, routine } from '../../../../../routine/routine';
import { type ArrayView, bool, int, type Structs } from '../../../../../state/layout';
import { ENOMEM } from '../../../../include/linux/errno';
import {
  __vmw_cmdbuf_cur_flush,
  vmw_cmdbuf_alloc_space,
  vmw_cmdbuf_device_startstop,
  vmw_cmdbuf_idle,
} from './vmwgfx_cmdbuf';
import { vmw_fifo_commit, vmw_fifo_enable, vmw_fifo_idle, vmw_fifo_reserve } from './vmwgfx_fifo';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_cmd.c';

/** The device's driver: there is one device. */
export const vmw_priv = (k: Engine): Structs['vmw_private'] => k.the('dev_priv', 'vmw_private');

/** The lowest free number of a table of ids, now in use; -ENOMEM when none is free. The table's lock is held. */
export function newId(table: ArrayView<number>): number {
  for (let id = 0; id < table.length; id++) {
    if (table.get(id) !== 0) continue;
    table.set(id, 1);
    return id;
  }
  return -ENOMEM;
}

/** Takes the current command buffer, with room for `count` commands; whoever has it writes and commits them. */
export const vmw_cmd_reserve = routine(
  file,
  'vmw_cmd_reserve',
  { args: { count: int }, locals: { room: int } },
  ({ step, atomic, call, acquire, wait, when, variant }) => {
    const lock = acquire('mutex_lock(&man->cur_mutex)', (_f, k: Engine) => vmw_priv(k).cur_mutex);
    const stream = [
      lock,
      step('room = what the device has taken', (f: { room: number }, k: Engine) => {
        const { queued } = k.the('svga', 'svga_regs');
        f.room = k.the('svga_ring', 'svga_ring').size - queued - vmw_priv(k).pending;
      }),
      when('room < count', (f) => f.room < f.count, [
        atomic('__vmw_cmdbuf_cur_flush(man)', (_f, k) => handOver(k)),
        wait('wait_event(man->alloc_queue, there is room)', (f, k) => {
          const { queued } = k.the('svga', 'svga_regs');
          return k.the('svga_ring', 'svga_ring').size - queued - vmw_priv(k).pending >= f.count;
        }),
      ]),
    ];
    const buffers = [lock, call(vmw_cmdbuf_alloc_space, (f) => ({ count: f.count }))];
    const fifo = [call(vmw_fifo_reserve, (f) => ({ count: f.count }))];
    return bySubmission(variant, { stream, buffers, fifo });
  },
);

/** What is done in each way that commands come to the device; by default in short, as one stream. */
const bySubmission = (
  variant: (id: string, on: Node[], off?: Node[]) => Node,
  ways: Readonly<Record<'stream' | 'buffers' | 'fifo', Node[]>>,
): Node[] => [
  variant('submission-buffers', ways.buffers, [variant('submission-fifo', ways.fifo, ways.stream)]),
];

/** Writes the next command into the reserved room; a step's only access. */
export function putCommand(k: Engine, fields: Partial<SvgaCommand>): void {
  const dev_priv = vmw_priv(k);
  const ring = k.the('svga_ring', 'svga_ring');
  ring.commands.set(dev_priv.next, svgaCommand(fields));
  dev_priv.next = (dev_priv.next + 1) % ring.size;
  dev_priv.pending++;
}

/** Lets go of the current command buffer; the device sees the commands at the next flush, those in a fifo at once. */
export const vmw_cmd_commit = routine(file, 'vmw_cmd_commit', {}, ({ call, release, variant }) => {
  const unlock = [
    release('mutex_unlock(&man->cur_mutex)', (_f, k: Engine) => vmw_priv(k).cur_mutex),
  ];
  const fifo = [call(vmw_fifo_commit, () => ({}))];
  return bySubmission(variant, { stream: unlock, buffers: unlock, fifo });
});

/** Lets go of the current command buffer and hands everything in it to the device. */
export const vmw_cmd_commit_flush = routine(
  file,
  'vmw_cmd_commit_flush',
  {},
  ({ atomic, call, release, variant }) => {
    const unlock = release(
      'mutex_unlock(&man->cur_mutex)',
      (_f, k: Engine) => vmw_priv(k).cur_mutex,
    );
    return bySubmission(variant, {
      stream: [atomic('__vmw_cmdbuf_cur_flush(man)', (_f, k) => handOver(k)), unlock],
      buffers: [call(__vmw_cmdbuf_cur_flush, () => ({})), unlock],
      fifo: [call(vmw_fifo_commit, () => ({}))],
    });
  },
);

function handOver(k: Engine): void {
  const dev_priv = vmw_priv(k);
  if (dev_priv.block_submission) return; // what is pending goes with the next that is handed over
  k.the('svga', 'svga_regs').queued += dev_priv.pending;
  dev_priv.pending = 0;
}

/**
 * Writes a fence command with the next sequence number, which it returns, and flushes. Without room: waits until the
 * device is idle, and returns the number of the last one, which has passed.
 */
export const vmw_cmd_send_fence = routine(
  file,
  'vmw_cmd_send_fence',
  { locals: { seqno: int, ret: int }, returns: int },
  (b) => [
    b.fallible('vmw_cmd_send_fence', [], (f) => {
      f.ret = -ENOMEM;
    }),
    b.when('!fm', (f) => f.ret !== 0, [
      b.call(vmw_cmd_reserve, () => ({ count: 0 })),
      b.call(vmw_cmd_commit_flush, () => ({})),
      ...bySubmission(b.variant, {
        stream: [
          b.wait('vmw_cmdbuf_idle(dev_priv->cman)', (_f, k) => {
            const { busy } = k.the('svga_engine', 'svga_engine');
            return k.the('svga', 'svga_regs').queued === 0 && !busy;
          }),
        ],
        buffers: [b.call(vmw_cmdbuf_idle, () => ({}))],
        fifo: [vmw_fifo_idle(b)],
      }),
      b.step('seqno = atomic_read(&dev_priv->marker_seq)', (f, k) => {
        f.seqno = vmw_priv(k).marker_seq | 0;
      }),
      b.ret('seqno', (f) => f.seqno),
    ]),
    b.call(vmw_cmd_reserve, () => ({ count: 1 })),
    b.loop('do', [
      b.atomic('seqno = atomic_add_return(1, &dev_priv->marker_seq)', (f, k) => {
        const dev_priv = vmw_priv(k);
        dev_priv.marker_seq++;
        f.seqno = dev_priv.marker_seq | 0;
      }),
      b.when('seqno != 0', (f) => f.seqno !== 0, [b.leave()]),
    ]),
    b.step('SVGA_CMD_FENCE{seqno}', (f, k) =>
      putCommand(k, { id: SVGA_CMD_FENCE, value: f.seqno }),
    ),
    b.call(vmw_cmd_commit_flush, () => ({})),
    b.ret('seqno', (f) => f.seqno),
  ],
);

/** vmw_cmdbuf_startstop(): from now on the device gets what is submitted, or it stays here. */
export const vmw_cmdbuf_startstop = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_cmdbuf.c',
  'vmw_cmdbuf_startstop',
  { args: { enable: bool } },
  ({ step, call, acquire, variant }) => {
    const lock = acquire('mutex_lock(&man->cur_mutex)', (_f, k: Engine) => vmw_priv(k).cur_mutex);
    const flush = call(vmw_cmd_commit_flush, () => ({}));
    return bySubmission(variant, {
      stream: [
        lock,
        step('ctx->block_submission = !enable', (f: { enable: boolean }, k: Engine) => {
          vmw_priv(k).block_submission = !f.enable;
        }),
        flush,
      ],
      buffers: [lock, call(vmw_cmdbuf_device_startstop, (f) => ({ enable: f.enable })), flush],
      fifo: [call(vmw_fifo_enable, (f) => ({ enable: f.enable }))],
    });
  },
);
