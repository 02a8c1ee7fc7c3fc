// drivers/dma-buf/dma-fence.c: a fence is signalled once, its callbacks run once, and who waits is let go. Linux 5.1
// and 6.1. The callers of `dma_fence_signal_locked` hold the fence's lock with interrupts disabled.
import type { Engine } from '../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../routine/routine';
import { tracepoint } from '../../../state/events';
import { embed, int, isNull, NULL, ref, type Structs, same, u32 } from '../../../state/layout';
import { refcount_dec, refcount_inc } from '../../include/asm-generic/bug';
import {
  DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT,
  DMA_FENCE_FLAG_SIGNALED_BIT,
} from '../../include/linux/dma-fence';
import { EINVAL, ENOENT, ERESTARTSYS } from '../../include/linux/errno';

type Fence = Structs['dma_fence'];
const file = 'drivers/dma-buf/dma-fence.c';

const fenceArgs = { fence: ref('dma_fence'), seqno: u32 };
/** A fence for commands on their way to the device; counts fences. */
export const dma_fence_emit = tracepoint('dma_fence_emit', fenceArgs);
export const dma_fence_signaled = tracepoint('dma_fence_signaled', fenceArgs);
export const dma_fence_wait_start = tracepoint('dma_fence_wait_start', { ...fenceArgs, task: int });
export const dma_fence_wait_end = tracepoint('dma_fence_wait_end', { ...fenceArgs, task: int });

/** spin_lock_irqsave(lock): no interrupt comes in on this CPU while the lock is held. */
export function spin_lock_irqsave<F>(
  b: AnyBuilder,
  text: string,
  lock: (f: F, k: Engine) => Structs['fence_lock_t'],
): Node[] {
  return [
    b.step('local_irq_save(flags)', (_f, k) => k.maskInterrupts()),
    b.acquire(`spin_lock(${text})`, (f, k) => lock(f, k).lock),
  ];
}

/** spin_unlock_irqrestore(lock). */
export function spin_unlock_irqrestore<F>(
  b: AnyBuilder,
  text: string,
  lock: (f: F, k: Engine) => Structs['fence_lock_t'],
): Node[] {
  return [
    b.release(`spin_unlock(${text})`, (f, k) => lock(f, k).lock),
    b.step('local_irq_restore(flags)', (_f, k) => k.unmaskInterrupts()),
  ];
}

/** Fills in a fence that nobody else knows yet, with one reference; part of the step that allocates it. */
export function dma_fence_init(
  k: Engine,
  fence: Fence,
  fields: { ops: Fence['ops']; lock: Fence['lock']; context: number; seqno: number },
): void {
  Object.assign(fence, fields);
  fence.refcount = 1;
  k.emit(dma_fence_emit, { fence, seqno: fields.seqno });
}

const args = { fence: ref('dma_fence') };

/** Takes a reference. */
export const dma_fence_get = routine(file, 'dma_fence_get', { args }, ({ atomic }) => [
  atomic('kref_get(&fence->refcount)', (f, k) => {
    f.fence.refcount = refcount_inc(k, f.fence.refcount);
  }),
]);

/** Drops a reference; NULL is fine. The last one releases the fence. */
export const dma_fence_put = routine(
  file,
  'dma_fence_put',
  { args, locals: { left: int } },
  ({ atomic, when, callPointer, ret }) => [
    when('!fence', (f) => isNull(f.fence), [ret()]),
    atomic('left = --fence->refcount', (f, k) => {
      f.left = refcount_dec(k, f.fence.refcount);
      f.fence.refcount = f.left;
    }),
    when('!left', (f) => f.left === 0, [
      callPointer(
        'fence->ops->release(fence)',
        (f) => f.fence.ops.release,
        (f) => ({ fence: f.fence }),
      ),
    ]),
  ],
);

/**
 * Whether the fence is signalled: 0, or not. Without `ops->signaled` the bit alone tells, and a fence that the device
 * has passed may still lack it.
 */
export const dma_fence_is_signaled = routine(
  file,
  'dma_fence_is_signaled',
  { args, locals: { flags: int, passed: int }, returns: int },
  ({ step, call, callPointer, when, ret }) => [
    step('flags = fence->flags', (f) => {
      f.flags = f.fence.flags;
    }),
    when('flags & SIGNALED', (f) => (f.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0, [
      ret('true', () => 1),
    ]),
    when('fence->ops->signaled', (f) => f.fence.ops.signaled !== 0, [
      callPointer(
        'fence->ops->signaled(fence)',
        (f) => f.fence.ops.signaled,
        (f) => ({ fence: f.fence }),
        'passed',
      ),
      when('it has', (f) => f.passed !== 0, [
        call(dma_fence_signal, (f) => ({ fence: f.fence }), 'flags'),
        ret('true', () => 1),
      ]),
    ]),
    ret('false', () => 0),
  ],
);

/** Sets the signaled bit, once, and runs the callbacks. -EINVAL when it was set before. */
export const dma_fence_signal_locked = routine(
  file,
  'dma_fence_signal_locked',
  { args, locals: { old: int, cb: ref('dma_fence_cb') }, returns: int },
  ({ step, atomic, when, loop, leave, callPointer, ret }) => [
    atomic('test_and_set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags)', (f, k) => {
      f.old = f.fence.flags & DMA_FENCE_FLAG_SIGNALED_BIT;
      f.fence.flags |= DMA_FENCE_FLAG_SIGNALED_BIT;
      if (f.old === 0) k.emit(dma_fence_signaled, { fence: f.fence, seqno: f.fence.seqno });
    }),
    when('it was set', (f) => f.old !== 0, [ret('-EINVAL', () => -EINVAL)]),
    loop('list_for_each_entry_safe(cb, &fence->cb_list)', [
      step('list_del(&cb->node)', (f) => {
        f.cb = f.fence.cb_list;
        if (isNull(f.cb)) return;
        f.fence.cb_list = f.cb.next;
        f.cb.next = NULL;
      }),
      when('no more', (f) => isNull(f.cb), [leave()]),
      callPointer(
        'cb->func(fence, cb)',
        (f) => f.cb.func,
        (f) => ({ fence: f.fence, cb: f.cb }),
      ),
    ]),
    ret('0', () => 0),
  ],
);

/** As `dma_fence_signal_locked`, taking the lock. */
export const dma_fence_signal = routine(
  file,
  'dma_fence_signal',
  { args, locals: { ret: int }, returns: int },
  (b) => [
    spin_lock_irqsave<{ fence: Fence }>(b, 'fence->lock', (f) => f.fence.lock),
    b.call(dma_fence_signal_locked, (f) => ({ fence: f.fence }), 'ret'),
    spin_unlock_irqrestore<{ fence: Fence }>(b, 'fence->lock', (f) => f.fence.lock),
    b.ret('ret', (f) => f.ret),
  ],
);

/** Has the driver see to it that the fence is signalled; one that the device has passed is signalled now. */
export const dma_fence_enable_sw_signaling = routine(
  file,
  'dma_fence_enable_sw_signaling',
  { args, locals: { flags: int, ret: int } },
  (b) => [
    spin_lock_irqsave<{ fence: Fence }>(b, 'fence->lock', (f) => f.fence.lock),
    b.atomic('flags = fence->flags; set ENABLE_SIGNAL', (f) => {
      f.flags = f.fence.flags;
      f.fence.flags |= DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT;
    }),
    b.when('!(flags & (SIGNALED | ENABLE_SIGNAL))', (f) => f.flags === 0, [
      b.callPointer(
        'fence->ops->enable_signaling(fence)',
        (f) => f.fence.ops.enable_signaling,
        (f) => ({ fence: f.fence }),
        'ret',
      ),
      b.when('it has passed', (f) => f.ret === 0, [
        b.call(dma_fence_signal_locked, (f) => ({ fence: f.fence }), 'ret'),
      ]),
    ]),
    spin_unlock_irqrestore<{ fence: Fence }>(b, 'fence->lock', (f) => f.fence.lock),
  ],
);

/** Adds a callback to run when the fence is signalled; -ENOENT when it is already. */
export const dma_fence_add_callback = routine(
  file,
  'dma_fence_add_callback',
  { args: { ...args, cb: ref('dma_fence_cb') }, locals: { flags: int, ret: int }, returns: int },
  (b) => [
    spin_lock_irqsave<{ fence: Fence }>(b, 'fence->lock', (f) => f.fence.lock),
    b.atomic('flags = fence->flags; set ENABLE_SIGNAL', (f) => {
      f.flags = f.fence.flags;
      f.fence.flags |= DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT;
      f.ret = (f.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0 ? -ENOENT : 0;
    }),
    b.when('!(flags & (SIGNALED | ENABLE_SIGNAL))', (f) => f.flags === 0, [
      b.callPointer(
        'fence->ops->enable_signaling(fence)',
        (f) => f.fence.ops.enable_signaling,
        (f) => ({ fence: f.fence }),
        'flags',
      ),
      b.when('it has passed', (f) => f.flags === 0, [
        b.call(dma_fence_signal_locked, (f) => ({ fence: f.fence }), 'ret'),
        b.step('ret = -ENOENT', (f) => {
          f.ret = -ENOENT;
        }),
      ]),
    ]),
    b.when('!ret', (f) => f.ret === 0, [
      b.step('list_add_tail(&cb->node, &fence->cb_list)', (f) => {
        let last = f.fence.cb_list;
        if (isNull(last)) f.fence.cb_list = f.cb;
        else {
          while (!isNull(last.next)) last = last.next;
          last.next = f.cb;
        }
      }),
    ]),
    spin_unlock_irqrestore<{ fence: Fence }>(b, 'fence->lock', (f) => f.fence.lock),
    b.ret('ret', (f) => f.ret),
  ],
);

/** Takes a callback back: 1, or 0 when it has run, or is running. */
export const dma_fence_remove_callback = routine(
  file,
  'dma_fence_remove_callback',
  { args: { ...args, cb: ref('dma_fence_cb') }, locals: { found: int }, returns: int },
  (b) => [
    spin_lock_irqsave<{ fence: Fence }>(b, 'fence->lock', (f) => f.fence.lock),
    b.step('list_del_init(&cb->node)', (f) => {
      let before = f.fence.cb_list;
      f.found = isNull(before) ? 0 : 1;
      if (same(before, f.cb)) f.fence.cb_list = f.cb.next;
      else {
        while (!isNull(before) && !same(before.next, f.cb)) before = before.next;
        if (isNull(before)) f.found = 0;
        else before.next = f.cb.next;
      }
      f.cb.next = NULL;
    }),
    spin_unlock_irqrestore<{ fence: Fence }>(b, 'fence->lock', (f) => f.fence.lock),
    b.ret('found', (f) => f.found),
  ],
);

/** No end to a wait. There is no clock: any other time but none may run out, or not, which is a choice. */
export const MAX_SCHEDULE_TIMEOUT = 0x7fffffff;

interface Waiting {
  readonly fence: Fence;
  readonly intr: number;
  readonly timeout?: number;
}

/** A wait between its two tracepoints; what it gave goes to `ret`. */
const tracedWait = ({ step, callPointer }: AnyBuilder): Node[] => [
  step('trace_dma_fence_wait_start(fence)', ({ fence }: Waiting, k: Engine) => {
    k.emit(dma_fence_wait_start, { fence, seqno: fence.seqno, task: k.task });
  }),
  callPointer(
    'fence->ops->wait(fence, intr, timeout)',
    (f: Waiting) => f.fence.ops.wait,
    ({ fence, intr, timeout = MAX_SCHEDULE_TIMEOUT }: Waiting) => ({ fence, intr, timeout }),
    'ret',
  ),
  step('trace_dma_fence_wait_end(fence)', ({ fence }: Waiting, k: Engine) => {
    k.emit(dma_fence_wait_end, { fence, seqno: fence.seqno, task: k.task });
  }),
];

/** Sleeps until the fence is signalled: 0, or -ERESTARTSYS when a signal cut an interruptible wait short. */
export const dma_fence_wait = routine(
  file,
  'dma_fence_wait',
  { args: { ...args, intr: int }, locals: { ret: int }, returns: int },
  (b) => [tracedWait(b), b.ret('ret < 0 ? ret : 0', (f) => Math.min(f.ret, 0))],
);

/** As `dma_fence_wait`, until a time runs out: what is left of it, 0 when it has, or -ERESTARTSYS. */
export const dma_fence_wait_timeout = routine(
  file,
  'dma_fence_wait_timeout',
  { args: { ...args, intr: int, timeout: int }, locals: { ret: int }, returns: int },
  (b) => [tracedWait(b), b.ret('ret', (f) => f.ret)],
);

/** Sleeps until the fence is signalled, or the time has run out: in the default way of a choice, it has not. */
export function sleepOnFence(
  b: AnyBuilder,
  { timedOut, interrupted }: { timedOut: string; interrupted: string },
): Node[] {
  const signaled = ({ fence }: Waiting) => (fence.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0;
  return [
    b.when('timeout', (f: Waiting) => f.timeout !== MAX_SCHEDULE_TIMEOUT, [
      b.choose('the time', ['is enough', 'runs out'], timedOut),
    ]),
    b.when('it is enough', (f: Record<string, number>) => f[timedOut] === 0, [
      b.when(
        'intr',
        (f: Waiting) => f.intr !== 0,
        [
          b.wait('schedule_timeout(timeout)', signaled, {
            interruptible: true,
            into: interrupted,
          }),
        ],
        [b.wait('schedule_timeout(timeout)', signaled)],
      ),
    ]),
  ];
}

/** Wakes the sleeper. */
export const dma_fence_default_wait_cb = routine(
  file,
  'dma_fence_default_wait_cb',
  { args: { ...args, cb: ref('dma_fence_cb') } },
  ({ step }) => [step('wake_up_state(wait->task, TASK_NORMAL)', () => undefined)],
);

/** `ops->wait` of fences that have none of their own: asks for the signal and sleeps. */
export const dma_fence_default_wait = routine(
  file,
  'dma_fence_default_wait',
  {
    args: { ...args, intr: int, timeout: int },
    locals: { cb: embed('dma_fence_cb'), ret: int, timedOut: int, interrupted: int },
    returns: int,
  },
  (b) => [
    b.step('cb.base.func = dma_fence_default_wait_cb', (f, k) => {
      f.cb.func = k.fn(dma_fence_default_wait_cb);
    }),
    b.call(dma_fence_add_callback, (f) => ({ fence: f.fence, cb: f.cb }), 'ret'),
    b.when('ret', (f) => f.ret !== 0, [b.ret('timeout ?: 1', (f) => f.timeout || 1)]),
    b.when(
      '!timeout',
      (f) => f.timeout === 0,
      [],
      sleepOnFence(b, { timedOut: 'timedOut', interrupted: 'interrupted' }),
    ),
    b.call(dma_fence_remove_callback, (f) => ({ fence: f.fence, cb: f.cb }), 'ret'),
    b.when('interrupted', (f) => f.interrupted !== 0, [b.ret('-ERESTARTSYS', () => -ERESTARTSYS)]),
    b.when('it was still there', (f) => f.ret !== 0, [b.ret('0', () => 0)]),
    b.ret('what is left of the timeout', (f) => f.timeout || 1),
  ],
);
