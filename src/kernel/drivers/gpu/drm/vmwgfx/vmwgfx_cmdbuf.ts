// drivers/gpu/drm/vmwgfx/vmwgfx_cmdbuf.c: command buffers on their way: those that wait, those that the device has,
// those that come back with an error. Linux 5.1 and 6.1, which agree here but for the message. In machines with
// `submission buffers`. Left out: more than one context of the device, buffers in a MOB, the user's commands in a
// buffer of their own (they go into the current one), error_mutex (there is one worker).
import {
  preemptBuffer,
  SVGA_CB_STATUS_COMMAND_ERROR,
  SVGA_CB_STATUS_COMPLETED,
  SVGA_CB_STATUS_NONE,
  SVGA_CB_STATUS_PREEMPTED,
  SVGA_CB_STATUS_QUEUE_FULL,
  startStop,
  submitBuffer,
} from '../../../../../hardware/svga/commandBuffers';
import { svgaCommandNames } from '../../../../../hardware/svga/commands';
import { SVGA_IRQFLAG_COMMAND_BUFFER } from '../../../../../hardware/svga/registers';
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { tracepoint } from '../../../../../state/events';
import { bool, int, isNull, NULL, ref, type Structs } from '../../../../../state/layout';
import {
  WARN_CMDBUF_COMMAND,
  WARN_CMDBUF_HEADER,
  WARN_CMDBUF_QUEUE,
  warn,
} from '../../../../include/asm-generic/bug';
import { vmw_cmd_send_fence, vmw_priv } from './vmwgfx_cmd';
import { vmw_generic_waiter_add, vmw_generic_waiter_remove } from './vmwgfx_irq';

type Header = Structs['vmw_cmdbuf_header'];

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_cmdbuf.c';
const man = (k: Engine) => k.the('cman', 'vmw_cmdbuf_man');

/** A command made the device stop: its id, its place in its buffer. */
export const vmw_cmdbuf_error = tracepoint('vmw_cmdbuf_error', { id: int, offset: int });

/** The interrupt handler takes the lock too. */
const lock = ({ step, acquire }: AnyBuilder): Node[] => [
  step('interrupts off', (_f: unknown, k: Engine) => k.maskInterrupts()),
  acquire('spin_lock(&man->lock)', (_f: unknown, k: Engine) => man(k).lock),
];
const unlock = ({ step, release }: AnyBuilder): Node[] => [
  release('spin_unlock(&man->lock)', (_f: unknown, k: Engine) => man(k).lock),
  step('interrupts on', (_f: unknown, k: Engine) => k.unmaskInterrupts()),
];

const flag = () => ({ flag: SVGA_IRQFLAG_COMMAND_BUFFER });

type Lists = 'submitted' | 'hw_submitted' | 'preempted' | 'error';

function listAddTail(k: Engine, list: Lists, header: Header): void {
  let last = man(k)[list];
  if (isNull(last)) man(k)[list] = header;
  else {
    while (!isNull(last.next)) last = last.next;
    last.next = header;
  }
}

function popFirst(k: Engine, list: Lists): Header {
  const first = man(k)[list];
  if (isNull(first)) return NULL;
  man(k)[list] = first.next;
  first.next = NULL;
  return first;
}

/** Puts `before`, a list, in front of what has been submitted. */
function spliceInFront(k: Engine, before: Header): void {
  if (isNull(before)) return;
  let last = before;
  while (!isNull(last.next)) last = last.next;
  last.next = man(k).submitted;
  man(k).submitted = before;
}

/** Room that a buffer of so many commands takes: there are as many pieces of it as there may be buffers. */
const spaceOf = (k: Engine, count: number): number =>
  Math.max(count, Math.floor(k.the('svga_ring', 'svga_ring').size / man(k).max_buffers));

const entry = { entry: ref('vmw_cmdbuf_header') };

/** Frees a buffer; whoever waits for room goes on. */
const __vmw_cmdbuf_header_free = routine(
  file,
  '__vmw_cmdbuf_header_free',
  { args: entry, locals: { size: int } },
  ({ step, atomic }) => [
    step('kfree(header)', (f, k) => {
      const { entry } = f;
      f.size = entry.size;
      f.entry = NULL;
      k.free(entry);
    }),
    atomic('wake_up_all(&man->alloc_queue)', (f, k) => {
      man(k).space -= f.size;
    }),
  ],
);

/** Hands buffers over until the device has as many as it may have. */
const vmw_cmdbuf_ctx_submit = routine(
  file,
  'vmw_cmdbuf_ctx_submit',
  { locals: { ...entry, status: int } },
  ({ step, atomic, when, loop, leave }) => [
    loop('while (ctx->num_hw_submitted < man->max_hw_submitted && !ctx->block_submission)', [
      step('entry = list_first_entry(&ctx->submitted)', (f, k) => {
        const { num_hw_submitted, max_hw_submitted, block_submission, submitted } = man(k);
        const more = num_hw_submitted < max_hw_submitted && !block_submission;
        f.entry = more ? submitted : NULL;
      }),
      when('none', (f) => isNull(f.entry), [leave()]),
      atomic('status = vmw_cmdbuf_header_submit(entry)', (f, k) => {
        submitBuffer(k, f.entry.cb_header);
        f.status = f.entry.cb_header.status;
      }),
      when(
        'WARN_ON_ONCE(status == SVGA_CB_STATUS_QUEUE_FULL)',
        (f) => f.status === SVGA_CB_STATUS_QUEUE_FULL,
        [
          step('entry->cb_header->status = SVGA_CB_STATUS_NONE', (f, k) => {
            f.entry.cb_header.status = SVGA_CB_STATUS_NONE;
            k.emit(warn, { where: WARN_CMDBUF_QUEUE });
          }),
          leave(),
        ],
      ),
      step('list_move_tail(&entry->list, &ctx->hw_submitted); ctx->num_hw_submitted++', (_f, k) => {
        listAddTail(k, 'hw_submitted', popFirst(k, 'submitted'));
        man(k).num_hw_submitted++;
      }),
    ]),
  ],
);

/** Sees what the device is done with, and gives it the next ones. Returns whether some still wait for it. */
const vmw_cmdbuf_ctx_process = routine(
  file,
  'vmw_cmdbuf_ctx_process',
  { locals: { ...entry, status: int, notempty: int }, returns: int },
  ({ step, call, when, loop, leave, variant, ret }) => {
    const back = (list: Lists) =>
      step(`list_add_tail(&entry->list, ${list})`, (f, k) => {
        const { entry } = f;
        f.entry = NULL;
        listAddTail(k, list, entry);
      });
    const none = step('entry->cb_header->status = SVGA_CB_STATUS_NONE', (f) => {
      f.entry.cb_header.status = SVGA_CB_STATUS_NONE;
    });
    const free = call(__vmw_cmdbuf_header_free, (f) => ({ entry: f.entry }));
    const is = (status: number) => (f: { status: number }) => f.status === status;
    return [
      call(vmw_cmdbuf_ctx_submit, () => ({})),
      loop('list_for_each_entry_safe(entry, &ctx->hw_submitted)', [
        step('entry = next', (f, k) => {
          f.entry = man(k).hw_submitted;
        }),
        when('none', (f) => isNull(f.entry), [leave()]),
        step('status = entry->cb_header->status', (f) => {
          f.status = f.entry.cb_header.status;
        }),
        when('status == SVGA_CB_STATUS_NONE', is(SVGA_CB_STATUS_NONE), [leave()]),
        step('list_del(&entry->list); ctx->num_hw_submitted--', (_f, k) => {
          popFirst(k, 'hw_submitted');
          man(k).num_hw_submitted--;
        }),
        when(
          'SVGA_CB_STATUS_COMPLETED',
          is(SVGA_CB_STATUS_COMPLETED),
          [free],
          [
            when(
              'SVGA_CB_STATUS_COMMAND_ERROR',
              is(SVGA_CB_STATUS_COMMAND_ERROR),
              [
                variant('drm-6.1', [
                  step('WARN_ONCE("Command buffer error.")', (_f, k) =>
                    k.emit(warn, { where: WARN_CMDBUF_COMMAND }),
                  ),
                ]),
                none,
                back('error'),
                step('schedule_work(&man->work)', (_f, k) => {
                  man(k).work_pending = true;
                }),
              ],
              [
                when(
                  'SVGA_CB_STATUS_PREEMPTED',
                  is(SVGA_CB_STATUS_PREEMPTED),
                  [none, back('preempted')],
                  [
                    step('WARN_ONCE("Command buffer header error.")', (_f, k) =>
                      k.emit(warn, { where: WARN_CMDBUF_HEADER }),
                    ),
                    free,
                  ],
                ),
              ],
            ),
          ],
        ),
      ]),
      call(vmw_cmdbuf_ctx_submit, () => ({})),
      step('notempty = !list_empty(&ctx->submitted)', (f, k) => {
        f.notempty = Number(!isNull(man(k).submitted));
      }),
      ret('notempty', (f) => f.notempty),
    ];
  },
);

/** As above; while buffers wait for the device, the device tells when it is done with one. The lock is held. */
const vmw_cmdbuf_man_process = routine(
  file,
  'vmw_cmdbuf_man_process',
  { locals: { notempty: int, irq_on: int } },
  ({ step, call, when, loop, leave, again }) => [
    loop('retry:', [
      call(vmw_cmdbuf_ctx_process, () => ({}), 'notempty'),
      step('irq_on = man->irq_on', (f, k) => {
        f.irq_on = Number(man(k).irq_on);
      }),
      when('man->irq_on == notempty', (f) => f.irq_on === f.notempty, [leave()]),
      step('man->irq_on = notempty', (f, k) => {
        man(k).irq_on = f.notempty !== 0;
      }),
      when('!notempty', (f) => f.notempty === 0, [call(vmw_generic_waiter_remove, flag), leave()]),
      call(vmw_generic_waiter_add, flag),
      again(), // one may have been done before the interrupt was on
    ]),
  ],
);

/** The part of the interrupt handler that is about command buffers. */
export const vmw_cmdbuf_irqthread = routine(
  file,
  'vmw_cmdbuf_irqthread',
  {},
  ({ call, acquire, release }) => [
    acquire('spin_lock(&man->lock)', (_f, k) => man(k).lock),
    call(vmw_cmdbuf_man_process, () => ({})),
    release('spin_unlock(&man->lock)', (_f, k) => man(k).lock),
  ],
);

/** Submits the commands that were committed, as a buffer. `cur_mutex` is held. */
export const __vmw_cmdbuf_cur_flush = routine(
  file,
  '__vmw_cmdbuf_cur_flush',
  { locals: { ...entry, count: int } },
  (b) => [
    b.step('count = man->cur_pos', (f, k) => {
      f.count = vmw_priv(k).pending;
    }),
    b.when('count == 0', (f) => f.count === 0, [b.ret()]),
    b.step('header = kzalloc(sizeof(*header)); header->cb_header->length = count', (f, k) => {
      const { next } = vmw_priv(k);
      const { size } = k.the('svga_ring', 'svga_ring');
      f.entry = k.alloc('vmw_cmdbuf_header');
      f.entry.size = spaceOf(k, f.count);
      f.entry.cb_header.ptr = (next - f.count + size) % size;
      f.entry.cb_header.length = f.count;
    }),
    b.atomic('drm_mm_insert_node(&man->mm, &header->node)', (f, k) => {
      man(k).space += spaceOf(k, f.count);
    }),
    b.step('man->cur = NULL; man->cur_pos = 0', (_f, k) => {
      vmw_priv(k).pending = 0;
    }),
    lock(b),
    b.step('list_add_tail(&header->list, &ctx->submitted)', (f, k) => {
      const { entry } = f;
      f.entry = NULL;
      listAddTail(k, 'submitted', entry);
    }),
    b.call(vmw_cmdbuf_man_process, () => ({})),
    unlock(b),
  ],
);

/** Waits for room for `count` commands in a buffer; what was committed goes first. `cur_mutex` is held. */
export const vmw_cmdbuf_alloc_space = routine(
  file,
  'vmw_cmdbuf_alloc_space',
  { args: { count: int }, locals: { room: bool } },
  (b) => {
    const hasRoom = ({ count }: { count: number }, k: Engine) =>
      man(k).space + spaceOf(k, count) <= k.the('svga_ring', 'svga_ring').size;
    const look = b.atomic('vmw_cmdbuf_try_alloc(man, &info)', (f, k) => {
      f.room = hasRoom({ count: f.count + vmw_priv(k).pending }, k);
    });
    return [
      look,
      b.when('there is', (f) => f.room, [b.ret()]),
      b.call(__vmw_cmdbuf_cur_flush, () => ({})),
      b.call(vmw_generic_waiter_add, flag),
      lock(b),
      b.call(vmw_cmdbuf_man_process, () => ({})),
      unlock(b),
      b.wait('wait_event(man->alloc_queue, vmw_cmdbuf_try_alloc(man, &info))', hasRoom),
      b.call(vmw_generic_waiter_remove, flag),
    ];
  },
);

/** Waits until no buffer is on its way. */
export const vmw_cmdbuf_idle = routine(file, 'vmw_cmdbuf_idle', {}, (b) => [
  b.call(vmw_generic_waiter_add, flag),
  lock(b),
  b.call(vmw_cmdbuf_man_process, () => ({})),
  unlock(b),
  b.wait('wait_event(man->idle_queue, vmw_cmdbuf_man_idle(man))', (_f, k) => man(k).space === 0),
  b.call(vmw_generic_waiter_remove, flag),
]);

/** Has the device go on with the context, or stop, by a command of the device context, which is done at once. */
export const vmw_cmdbuf_device_startstop = routine(
  file,
  'vmw_cmdbuf_startstop',
  { args: { enable: bool } },
  ({ atomic }) => [
    atomic('SVGA_DC_CMD_START_STOP_CONTEXT{enable}', (f, k) => startStop(k, f.enable)),
  ],
);

/**
 * The worker: after an error the device stands still. The command is skipped, what was behind it in its buffer is
 * submitted again, with the buffers behind that one after it, and the device is started.
 */
export const vmw_cmdbuf_work_func = routine(
  file,
  'vmw_cmdbuf_work_func',
  {
    locals: {
      ...entry,
      restart: ref('vmw_cmdbuf_header'),
      block: bool,
      stopped: bool,
      send_fence: bool,
      more: bool,
      notempty: int,
      id: int,
      ignored: int,
    },
  },
  (b) => [
    lock(b),
    b.loop('list_for_each_entry_safe(entry, &man->error)', [
      b.step('entry = next; list_del_init(&entry->list)', (f, k) => {
        f.entry = popFirst(k, 'error');
        if (!isNull(f.entry)) f.stopped = true;
      }),
      b.when('none', (f) => isNull(f.entry), [b.leave()]),
      b.step('vmw_cmd_describe(entry->cmd + errorOffset, &size, &name)', (f, k) => {
        const { ptr, errorOffset } = f.entry.cb_header;
        const ring = k.the('svga_ring', 'svga_ring');
        f.id = ring.commands.get((ptr + errorOffset) % ring.size).id;
        k.emit(vmw_cmdbuf_error, { id: f.id, offset: errorOffset });
      }),
      b.variant(
        'drm-6.1',
        [],
        [
          b.step('DRM_ERROR("Command %s causing device error.")', (_f, k) =>
            k.emit(warn, { where: WARN_CMDBUF_COMMAND }),
          ),
        ],
      ),
      b.step('new_start_offset = errorOffset + size', (f) => {
        const { errorOffset, length } = f.entry.cb_header;
        f.more = svgaCommandNames[f.id] !== undefined && errorOffset + 1 < length;
      }),
      b.when(
        'nothing is behind it',
        (f) => !f.more,
        [
          b.call(__vmw_cmdbuf_header_free, (f) => ({ entry: f.entry })),
          b.step('send_fence = true', (f) => {
            f.entry = NULL;
            f.send_fence = true;
          }),
        ],
        [
          b.step('ptr += new_start_offset; length -= new_start_offset', (f, k) => {
            const { cb_header } = f.entry;
            const { size } = k.the('svga_ring', 'svga_ring');
            const start = cb_header.errorOffset + 1;
            cb_header.ptr = (cb_header.ptr + start) % size;
            cb_header.length -= start;
            cb_header.errorOffset = 0;
            cb_header.offset = 0;
          }),
          b.step('list_add_tail(&entry->list, &restart_head); block_submission = true', (f, k) => {
            f.restart = f.entry; // one context stops at one buffer
            f.entry = NULL;
            f.block = true;
            man(k).block_submission = true;
          }),
        ],
      ),
    ]),
    unlock(b),
    b.when('ctx->block_submission', (f) => f.block, [
      b.loop('vmw_cmdbuf_preempt(man, 0)', [
        b.atomic('SVGA_DC_CMD_PREEMPT', (f, k) => {
          f.more = preemptBuffer(k);
        }),
        b.when('no buffer is left', (f) => !f.more, [b.leave()]),
      ]),
      lock(b),
      b.call(vmw_cmdbuf_ctx_process, () => ({}), 'notempty'),
      b.step('list_splice_init(&ctx->preempted, restart_head.prev)', (f, k) => {
        f.restart.next = man(k).preempted;
        man(k).preempted = NULL;
      }),
      b.step(
        'list_splice_init(&restart_head, &ctx->submitted); block_submission = false',
        (f, k) => {
          const { restart } = f;
          f.restart = NULL;
          f.block = false;
          spliceInFront(k, restart);
          man(k).block_submission = false;
        },
      ),
      b.call(vmw_cmdbuf_man_process, () => ({})),
      unlock(b),
    ]),
    b.when('restart[0]', (f) => f.stopped, [
      b.step('restart[0] = false', (f) => {
        f.stopped = false;
      }),
      b.call(vmw_cmdbuf_device_startstop, () => ({ enable: true })),
    ]),
    b.when('send_fence', (f) => f.send_fence, [
      b.step('send_fence = false', (f) => {
        f.send_fence = false;
      }),
      b.call(vmw_cmd_send_fence, () => ({}), 'ignored'),
    ]),
  ],
);

/** The kernel's thread for the work. */
export const vmw_cmdbuf_worker = routine(
  'kernel/workqueue.c',
  'process_one_work',
  {},
  ({ atomic, wait, call, loop, statement }) => [
    loop('for (;;)', [
      statement(undefined, [
        wait('wait for work', (_f, k) => man(k).work_pending),
        atomic('work = next', (_f, k) => {
          man(k).work_pending = false;
        }),
        call(vmw_cmdbuf_work_func, () => ({})),
      ]),
    ]),
  ],
);
