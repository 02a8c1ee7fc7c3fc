// drivers/gpu/drm/vmwgfx/vmwgfx_fence.c: the driver's fences, one context in order of submission. A fence that the
// device has passed is signalled when somebody looks: the interrupt, which comes only while somebody waits, a wait, or a
// query. Where something is to be done as soon as a fence passes, the device interrupts at that fence, its goal. Linux 5.1.
// Left out: other actions than events; what the worker cleans up behind them is done by who reads the event.
import { SVGA_FENCE_WRAP } from '../../../../../hardware/svga/registers';
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref, type Structs, same } from '../../../../../state/layout';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../../../../include/linux/dma-fence';
import { EBUSY, EINVAL, ENOMEM, ERESTARTSYS } from '../../../../include/linux/errno';
import {
  dma_fence_add_callback,
  dma_fence_get,
  dma_fence_init,
  dma_fence_is_signaled,
  dma_fence_put,
  dma_fence_signal,
  dma_fence_signal_locked,
  dma_fence_wait,
  dma_fence_wait_timeout,
  MAX_SCHEDULE_TIMEOUT,
  sleepOnFence,
  spin_lock_irqsave,
  spin_unlock_irqrestore,
} from '../../../dma-buf/dma-fence';
import { dma_resv_add_fence } from '../../../dma-buf/dma-resv';
import { sync_file_create, sync_file_install } from '../../../dma-buf/sync_file';
import { vmw_cmd_send_fence } from './vmwgfx_cmd';
import {
  vmw_goal_waiter_add,
  vmw_goal_waiter_remove,
  vmw_seqno_waiter_add,
  vmw_seqno_waiter_remove,
} from './vmwgfx_irq';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_fence.c';
export const VMW_FENCE_WRAP = SVGA_FENCE_WRAP;

const fman = (k: Engine) => k.the('fman', 'vmw_fence_manager');
const held = (_f: unknown, k: Engine) => fman(k).lock.lock;
const lock = (b: AnyBuilder): Node[] =>
  spin_lock_irqsave(b, '&fman->lock', (_f, k) => fman(k).lock);
const unlock = (b: AnyBuilder): Node[] =>
  spin_unlock_irqrestore(b, '&fman->lock', (_f, k) => fman(k).lock);

/** A fence of the driver's is first a dma_fence: same address. */
const vmw_fence_of = (k: Engine, fence: Structs['dma_fence']) => k.view('vmw_fence_obj', fence.at);

/** Takes a fence out of the list if it is in it; the lock is held. */
function list_del(k: Engine, fence: Structs['vmw_fence_obj']): void {
  const manager = fman(k);
  if (same(manager.fence_list, fence)) manager.fence_list = fence.next;
  else {
    let before = manager.fence_list;
    while (!isNull(before) && !same(before.next, fence)) before = before.next;
    if (!isNull(before)) before.next = fence.next;
  }
  fence.next = NULL;
}

/** Makes the fence object of a sequence number, with one reference; NULL without memory. */
export const vmw_fence_create = routine(
  file,
  'vmw_fence_create',
  { args: { seqno: int }, locals: { fence: ref('vmw_fence_obj') }, returns: ref('vmw_fence_obj') },
  (b) => [
    b.fallible(
      'vmw_fence_create',
      b.step('fence = kzalloc(sizeof(*fence)); dma_fence_init(&fence->base, ...)', (f, k) => {
        f.fence = k.alloc('vmw_fence_obj');
        if (isNull(f.fence)) return;
        const ops = k.the('vmw_fence_ops', 'dma_fence_ops');
        dma_fence_init(k, f.fence.base, { ops, lock: fman(k).lock, context: 1, seqno: f.seqno });
      }),
    ),
    b.when('!fence', (f) => isNull(f.fence), [b.ret('NULL', (f) => f.fence)]),
    lock(b),
    b.step('list_add_tail(&fence->head, &fman->fence_list)', (f, k) => {
      const manager = fman(k);
      let last = manager.fence_list;
      if (isNull(last)) manager.fence_list = f.fence;
      else {
        while (!isNull(last.next)) last = last.next;
        last.next = f.fence;
      }
    }),
    unlock(b),
    b.ret('fence', (f) => f.fence),
  ],
);

/** Whether the device, at `passed`, has come to a sequence number: they wrap. */
const isPassed = (passed: number, seqno: number): boolean =>
  (passed - seqno) >>> 0 < VMW_FENCE_WRAP;

/** Signals, in order, every fence that the device has passed, and has their events delivered. */
export const vmw_fences_update = routine(
  file,
  'vmw_fences_update',
  {
    locals: {
      seqno: int,
      fence: ref('vmw_fence_obj'),
      actions: bool,
      action: ref('vmw_event_fence_action'),
      goals: bool,
      goal: int,
      moved: bool,
      ret: int,
    },
  },
  (b) => [
    b.variant('fence-irqs-on', [b.acquire('spin_lock(&fman->lock)', held)], lock(b)),
    b.loop('rerun:', [
      b.step('seqno = vmw_fence_read(dev_priv)', (f, k) => {
        f.seqno = k.the('svga', 'svga_regs').fence | 0;
      }),
      b.loop('list_for_each_entry_safe(fence, &fman->fence_list)', [
        b.step('fence = first, if it has passed; list_del_init(&fence->head)', (f, k) => {
          f.fence = fman(k).fence_list;
          f.goals = fman(k).seqno_valid;
          if (isNull(f.fence)) return;
          f.actions = !isNull(f.fence.seq_passed_actions);
          if (isPassed(f.seqno, f.fence.base.seqno)) list_del(k, f.fence);
          else f.fence = NULL;
        }),
        b.when('none', (f) => isNull(f.fence), [b.leave()]),
        b.variant(
          'signal-relocks',
          [b.call(dma_fence_signal, (f) => ({ fence: f.fence.base }), 'ret')],
          [b.call(dma_fence_signal_locked, (f) => ({ fence: f.fence.base }), 'ret')],
        ),
        b.when('!list_empty(&fence->seq_passed_actions)', (f) => f.actions, [
          b.loop('vmw_fences_perform_actions(fman, &action_list)', [
            b.step('action = first; list_del_init(&action->head)', (f) => {
              f.action = f.fence.seq_passed_actions;
              if (isNull(f.action)) return;
              f.fence.seq_passed_actions = f.action.next;
              f.action.next = NULL;
            }),
            b.when('none', (f) => isNull(f.action), [b.leave()]),
            deliver(b),
          ]),
        ]),
      ]),
      b.when('!fman->seqno_valid', (f) => !f.goals, [b.leave()]),
      b.step('goal_seqno = vmw_fence_goal_read(dev_priv)', (f, k) => {
        f.goal = k.the('svga', 'svga_regs').fence_goal | 0;
        f.moved = isPassed(f.seqno, f.goal);
      }),
      b.when('it has not passed', (f) => !f.moved, [b.leave()]),
      b.step('vmw_fence_goal_write(dev_priv, the first fence with an action)', (_f, k) => {
        let fence = fman(k).fence_list;
        while (!isNull(fence) && isNull(fence.seq_passed_actions)) fence = fence.next;
        fman(k).seqno_valid = !isNull(fence);
        if (!isNull(fence)) k.the('svga', 'svga_regs').fence_goal = fence.base.seqno;
      }),
      // The device may have passed the new goal before it was written: then no interrupt comes for it.
    ]),
    b.variant('fence-irqs-on', [b.release('spin_unlock(&fman->lock)', held)], unlock(b)),
  ],
);

/** vmw_event_fence_action_seq_passed(): who reads the device's file finds the event. */
const deliver = ({ step }: AnyBuilder): Node =>
  step('drm_send_event_locked(dev, event)', (f: { action: Structs['vmw_event_fence_action'] }) => {
    f.action.delivered = true;
  });

/** `ops->enable_signaling`: 0 when the fence has passed already. The fence's lock is held. */
export const vmw_fence_enable_signaling = routine(
  file,
  'vmw_fence_enable_signaling',
  { args: { fence: ref('dma_fence') }, locals: { seqno: int }, returns: int },
  ({ step, ret }) => [
    step('seqno = vmw_fence_read(dev_priv)', (f, k) => {
      f.seqno = k.the('svga', 'svga_regs').fence | 0;
    }),
    ret('has not passed', (f) => Number(!isPassed(f.seqno, f.fence.seqno))),
  ],
);

/** `ops->wait`: looks itself, then sleeps until the interrupt signals the fence. What is left of the time, 0, or -ERESTARTSYS. */
export const vmw_fence_wait = routine(
  file,
  'vmw_fence_wait',
  {
    args: { fence: ref('dma_fence'), intr: int, timeout: int },
    locals: { signaled: int, timedOut: int, interrupted: int },
    returns: int,
  },
  (b) => [
    b.call(dma_fence_is_signaled, (f) => ({ fence: f.fence }), 'signaled'),
    b.when('signaled', (f) => f.signaled !== 0, [b.ret('timeout ?: 1', (f) => f.timeout || 1)]),
    b.call(vmw_seqno_waiter_add, () => ({})),
    b.loop('for (;;)', [
      b.call(vmw_fences_update, () => ({})),
      b.call(dma_fence_is_signaled, (f) => ({ fence: f.fence }), 'signaled'),
      b.when('signaled', (f) => f.signaled !== 0, [b.leave()]),
      b.when('!timeout', (f) => f.timeout === 0, [b.leave()]),
      sleepOnFence(b, { timedOut: 'timedOut', interrupted: 'interrupted' }),
      b.when('signal_pending(current)', (f) => f.interrupted !== 0, [b.leave()]),
      b.when('the time is over', (f) => f.timedOut !== 0, [b.leave()]),
    ]),
    b.call(vmw_seqno_waiter_remove, () => ({})),
    b.when('signal_pending(current)', (f) => f.interrupted !== 0, [
      b.ret('-ERESTARTSYS', () => -ERESTARTSYS),
    ]),
    b.when('signaled', (f) => f.signaled !== 0, [b.ret('what is left', (f) => f.timeout || 1)]),
    b.ret('0', () => 0),
  ],
);

/** `ops->release`: the last reference is gone. */
export const vmw_fence_obj_destroy = routine(
  file,
  'vmw_fence_obj_destroy',
  { args: { fence: ref('dma_fence') } },
  (b) => [
    lock(b),
    b.step('list_del_init(&fence->head)', (f, k) => list_del(k, vmw_fence_of(k, f.fence))),
    unlock(b),
    b.step('kfree(fence)', (f, k) => {
      const fence = vmw_fence_of(k, f.fence);
      f.fence = NULL;
      k.free(fence);
    }),
  ],
);

/** Whether the fence is signalled, after looking at the device. */
export const vmw_fence_obj_signaled = routine(
  file,
  'vmw_fence_obj_signaled',
  { args: { fence: ref('dma_fence') }, locals: { signaled: int }, returns: int },
  ({ call, when, ret }) => [
    call(dma_fence_is_signaled, (f) => ({ fence: f.fence }), 'signaled'),
    when('signaled', (f) => f.signaled !== 0, [ret('1', () => 1)]),
    call(vmw_fences_update, () => ({})),
    call(dma_fence_is_signaled, (f) => ({ fence: f.fence }), 'signaled'),
    ret('signaled', (f) => (f.signaled !== 0 ? 1 : 0)),
  ],
);

/** Waits without a fence object, looking at the register, until the device has passed a sequence number. */
const vmw_fallback_wait = ({ wait }: AnyBuilder): Node =>
  wait('vmw_fallback_wait(dev_priv, seqno)', (f: { seqno: number }, k: Engine) =>
    isPassed(k.the('svga', 'svga_regs').fence, f.seqno),
  );

/**
 * A fence behind all commands so far, with one reference. NULL without memory: then the device has done them. Without
 * room for the command it is one that has passed, and the device has done them as well.
 */
export const vmw_execbuf_fence_commands = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_execbuf.c',
  'vmw_execbuf_fence_commands',
  { locals: { seqno: int, fence: ref('vmw_fence_obj') }, returns: ref('dma_fence') },
  (b) => [
    b.call(vmw_cmd_send_fence, () => ({}), 'seqno'),
    b.call(vmw_fence_create, (f) => ({ seqno: f.seqno }), 'fence'),
    b.when('!fence', (f) => isNull(f.fence), [vmw_fallback_wait(b)]),
    b.ret('&fence->base', (f) => f.fence),
  ],
);

/** Fences a reserved object, with a new fence behind all commands so far when none is given. */
export const vmw_bo_fence_single = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_bo.c',
  'vmw_bo_fence_single',
  {
    args: { bo: ref('ttm_buffer_object'), fence: ref('dma_fence') },
    locals: { made: ref('dma_fence'), ret: int },
  },
  ({ call, fallible, when, variant }) => {
    const add = (name: 'fence' | 'made') =>
      variant(
        'drm-6.1',
        [
          fallible('dma_resv_reserve_fences', [], (f) => {
            f.ret = -ENOMEM;
          }),
          when(
            'ret',
            (f) => f.ret !== 0,
            [
              when('fence', (f) => !isNull(f[name]), [
                call(dma_fence_wait, (f) => ({ fence: f[name], intr: 0 }), 'ret'),
              ]),
            ],
            [call(dma_resv_add_fence, (f) => ({ resv: f.bo.resv, fence: f[name], kernel: true }))],
          ),
        ],
        // None could be made: the device has done all, and the fence that was there says no less.
        [
          when('fence', (f) => !isNull(f[name]), [
            call(dma_resv_add_fence, (f) => ({ resv: f.bo.resv, fence: f[name], kernel: false })),
          ]),
        ],
      );
    return [
      when(
        '!fence',
        (f) => isNull(f.fence),
        [
          call(vmw_execbuf_fence_commands, () => ({}), 'made'),
          add('made'),
          variant('missing-put', [], [call(dma_fence_put, (f) => ({ fence: f.made }))]),
        ],
        [add('fence')],
      ),
    ];
  },
);

// Handles and ioctls of fences.

const handles = (k: Engine) => k.the('fence_handles', 'vmw_fpriv');

/** Gives a fence a handle that holds a reference; -ENOMEM when there is none left. */
export const vmw_user_fence_create = routine(
  file,
  'vmw_user_fence_create',
  { args: { fence: ref('dma_fence') }, locals: { handle: int }, returns: int },
  ({ step, fallible, call, acquire, release, when, ret }) => [
    when('!fence', (f) => isNull(f.fence), [ret('-ENOMEM', () => -ENOMEM)]),
    call(dma_fence_get, (f) => ({ fence: f.fence })),
    acquire('spin_lock(&tfile->lock)', (_f, k) => handles(k).lock),
    fallible(
      'vmw_user_fence_create',
      step('handle = idr_alloc(&tfile->idr)', (f, k) => {
        f.handle = newHandle(handles(k), f.fence.at);
      }),
      (f) => {
        f.handle = -ENOMEM;
      },
    ),
    release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
    when('no handle', (f) => f.handle < 0, [call(dma_fence_put, (f) => ({ fence: f.fence }))]),
    ret('handle', (f) => f.handle),
  ],
);

/** The lowest free handle, now naming `object`; -ENOMEM when all are in use. The table's lock is held. */
export function newHandle(table: Structs['vmw_fpriv'], object: number): number {
  const { size, used, objects } = table;
  if (used === size) return -ENOMEM;
  objects.set(used, object);
  let next = used + 1;
  while (next < size && objects.get(next) !== 0) next++;
  table.used = next;
  return used + 1;
}

/** A handle that is in use names nothing any more. The table's lock is held. */
export function freeHandle(table: Structs['vmw_fpriv'], handle: number): void {
  table.objects.set(handle - 1, 0);
  table.used = Math.min(table.used, handle - 1);
}

/** The address of the object that a handle names, 0 when none. The table's lock is held. */
export const ofHandle = (table: Structs['vmw_fpriv'], handle: number): number =>
  handle < 1 || handle > table.size ? 0 : table.objects.get(handle - 1);

const lookup = routine(
  file,
  'vmw_fence_obj_lookup',
  { args: { handle: int }, locals: { fence: ref('dma_fence') }, returns: ref('dma_fence') },
  ({ step, call, acquire, release, when, ret }) => [
    acquire('spin_lock(&tfile->lock)', (_f, k) => handles(k).lock),
    step('fence = idr_find(&tfile->idr, handle)', (f, k) => {
      f.fence = k.view('dma_fence', ofHandle(handles(k), f.handle));
    }),
    when('fence', (f) => !isNull(f.fence), [call(dma_fence_get, (f) => ({ fence: f.fence }))]),
    release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
    ret('fence', (f) => f.fence),
  ],
);

const ioctl = {
  args: { handle: int },
  locals: { fence: ref('dma_fence'), ret: int },
  returns: int,
} as const;

/** FENCE_WAIT: 0, -EBUSY when the time is over, -ERESTARTSYS, or -EINVAL for a handle that names nothing. */
export const vmw_fence_obj_wait_ioctl = routine(
  file,
  'vmw_fence_obj_wait_ioctl',
  { ...ioctl, args: { ...ioctl.args, timeout: int } },
  ({ call, when, ret }) => [
    call(lookup, (f) => ({ handle: f.handle }), 'fence'),
    when('!fence', (f) => isNull(f.fence), [ret('-EINVAL', () => -EINVAL)]),
    when('timeout', (f) => f.timeout !== MAX_SCHEDULE_TIMEOUT, [
      call(dma_fence_wait_timeout, (f) => ({ fence: f.fence, intr: 1, timeout: f.timeout }), 'ret'),
      call(dma_fence_put, (f) => ({ fence: f.fence })),
      when('!ret', (f) => f.ret === 0, [ret('-EBUSY', () => -EBUSY)]),
      ret('ret < 0 ? ret : 0', (f) => Math.min(f.ret, 0)),
    ]),
    call(dma_fence_wait, (f) => ({ fence: f.fence, intr: 1 }), 'ret'),
    call(dma_fence_put, (f) => ({ fence: f.fence })),
    ret('ret', (f) => f.ret),
  ],
);

/** FENCE_SIGNALED: 1 or 0, or -EINVAL. */
export const vmw_fence_obj_signaled_ioctl = routine(
  file,
  'vmw_fence_obj_signaled_ioctl',
  ioctl,
  ({ call, when, ret }) => [
    call(lookup, (f) => ({ handle: f.handle }), 'fence'),
    when('!fence', (f) => isNull(f.fence), [ret('-EINVAL', () => -EINVAL)]),
    call(vmw_fence_obj_signaled, (f) => ({ fence: f.fence }), 'ret'),
    call(dma_fence_put, (f) => ({ fence: f.fence })),
    ret('ret', (f) => f.ret),
  ],
);

/** FENCE_UNREF: the handle is free again. */
export const vmw_fence_obj_unref_ioctl = routine(
  file,
  'vmw_fence_obj_unref_ioctl',
  ioctl,
  ({ step, call, acquire, release, when, ret }) => [
    acquire('spin_lock(&tfile->lock)', (_f, k) => handles(k).lock),
    step('fence = idr_remove(&tfile->idr, handle)', (f, k) => {
      f.fence = k.view('dma_fence', ofHandle(handles(k), f.handle));
      if (!isNull(f.fence)) freeHandle(handles(k), f.handle);
    }),
    release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
    when('!fence', (f) => isNull(f.fence), [ret('-EINVAL', () => -EINVAL)]),
    call(dma_fence_put, (f) => ({ fence: f.fence })),
    ret('0', () => 0),
  ],
);

// Events.

/** FENCE_EVENT: has an event sent when a fence has passed; the event, or NULL without a fence or memory. */
export const vmw_fence_event_ioctl = routine(
  file,
  'vmw_fence_event_ioctl',
  {
    args: { handle: int },
    locals: {
      fence: ref('dma_fence'),
      action: ref('vmw_event_fence_action'),
      passed: bool,
      goal: int,
      valid: bool,
      run_update: bool,
      on: bool,
    },
    returns: ref('vmw_event_fence_action'),
  },
  (b) => [
    b.call(lookup, (f) => ({ handle: f.handle }), 'fence'),
    b.when('!fence', (f) => isNull(f.fence), [b.ret('NULL', (f) => f.action)]),
    b.fallible(
      'vmw_event_fence_action_queue',
      b.step('action = kzalloc(sizeof(*action)); action->fence = fence', (f, k) => {
        f.action = k.alloc('vmw_event_fence_action');
        if (!isNull(f.action)) f.action.fence = f.fence;
      }),
    ),
    b.when('!action', (f) => isNull(f.action), [
      b.call(dma_fence_put, (f) => ({ fence: f.fence })),
      b.ret('NULL', (f) => f.action),
    ]),
    b.acquire('mutex_lock(&fman->goal_irq_mutex)', (_f, k) => fman(k).goal_irq_mutex),
    lock(b),
    b.step('passed = dma_fence_is_signaled_locked(&fence->base)', (f) => {
      f.passed = (f.fence.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0;
    }),
    b.when(
      'passed',
      (f) => f.passed,
      [deliver(b)],
      [
        b.step('list_add_tail(&action->head, &fence->seq_passed_actions)', (f, k) => {
          const fence = vmw_fence_of(k, f.fence);
          f.action.next = fence.seq_passed_actions;
          fence.seq_passed_actions = f.action;
        }),
        b.step('goal_seqno = vmw_fence_goal_read(dev_priv)', (f, k) => {
          f.goal = k.the('svga', 'svga_regs').fence_goal | 0;
          f.valid = fman(k).seqno_valid;
        }),
        b.variant(
          'goal-later',
          [
            b.step('run_update = !(seqno_valid && goal_seqno - fence->seqno < WRAP)', (f) => {
              f.run_update = !(f.valid && isPassed(f.goal, f.fence.seqno));
            }),
          ],
          [
            b.step('run_update = !(seqno_valid && fence->seqno - goal_seqno < WRAP)', (f) => {
              f.run_update = !(f.valid && isPassed(f.fence.seqno, f.goal));
            }),
          ],
        ),
        b.when('run_update', (f) => f.run_update, [
          b.step('vmw_fence_goal_write(dev_priv, fence->seqno); seqno_valid = true', (f, k) => {
            k.the('svga', 'svga_regs').fence_goal = f.fence.seqno;
            fman(k).seqno_valid = true;
          }),
        ]),
      ],
    ),
    unlock(b),
    b.when('run_update', (f) => f.run_update, [
      b.step('on = fman->goal_irq_on; fman->goal_irq_on = true', (f, k) => {
        f.on = fman(k).goal_irq_on;
        fman(k).goal_irq_on = true;
      }),
      b.when('!on', (f) => !f.on, [b.call(vmw_goal_waiter_add, () => ({}))]),
      b.call(vmw_fences_update, () => ({})),
    ]),
    b.release('mutex_unlock(&fman->goal_irq_mutex)', (_f, k) => fman(k).goal_irq_mutex),
    b.ret('action', (f) => f.action),
  ],
);

/** read(2) of the device's file: sleeps until the event has come, and takes it. 0 or -ERESTARTSYS. */
export const drm_read = routine(
  'drivers/gpu/drm/drm_file.c',
  'drm_read',
  {
    args: { action: ref('vmw_event_fence_action') },
    locals: { fence: ref('dma_fence'), valid: bool, on: bool, ret: int },
    returns: int,
  },
  (b) => [
    b.wait('wait_event_interruptible(file_priv->event_wait)', (f) => f.action.delivered, {
      interruptible: true,
      into: 'ret',
    }),
    b.when('ret', (f) => f.ret !== 0, [b.ret('-ERESTARTSYS', () => -ERESTARTSYS)]),
    b.step('kfree(e)', (f, k) => {
      const { action } = f;
      f.fence = action.fence;
      f.action = NULL;
      k.free(action);
    }),
    b.call(dma_fence_put, (f) => ({ fence: f.fence })),
    b.acquire(
      'vmw_fence_work_func(): mutex_lock(&fman->goal_irq_mutex)',
      (_f, k) => fman(k).goal_irq_mutex,
    ),
    lock(b),
    b.step('valid = fman->seqno_valid', (f, k) => {
      f.valid = fman(k).seqno_valid;
      f.on = fman(k).goal_irq_on;
    }),
    unlock(b),
    b.when('!valid && fman->goal_irq_on', (f) => !f.valid && f.on, [
      b.step('fman->goal_irq_on = false', (_f, k) => {
        fman(k).goal_irq_on = false;
      }),
      b.call(vmw_goal_waiter_remove, () => ({})),
    ]),
    b.release('mutex_unlock(&fman->goal_irq_mutex)', (_f, k) => fman(k).goal_irq_mutex),
    b.ret('0', () => 0),
  ],
);

// Sync files.

/** The fence of a sync file is signalled: nobody waits for it any more. */
export const seqno_waiter_rm_cb = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_execbuf.c',
  'seqno_waiter_rm_cb',
  {
    args: { fence: ref('dma_fence'), cb: ref('dma_fence_cb') },
  },
  ({ step, call }) => [
    call(vmw_seqno_waiter_remove, () => ({})),
    step('kfree(ctx)', (f, k) => {
      const ctx = k.view('seqno_waiter_rm_context', f.cb.at);
      f.cb = NULL;
      k.free(ctx);
    }),
  ],
);

/** Keeps the interrupt on until a fence is signalled: who polls a sync file does not ask for it (bz-12: nobody does). */
const add_seqno_waiter = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_execbuf.c',
  'vmw_execbuf_add_seqno_waiter',
  {
    args: { fence: ref('dma_fence') },
    locals: { ctx: ref('seqno_waiter_rm_context'), ret: int },
  },
  ({ step, call, when }) => [
    step('ctx = kmalloc(sizeof(*ctx))', (f, k) => {
      f.ctx = k.alloc('seqno_waiter_rm_context');
      if (!isNull(f.ctx)) f.ctx.base.func = k.fn(seqno_waiter_rm_cb);
    }),
    when('ctx', (f) => !isNull(f.ctx), [
      call(vmw_seqno_waiter_add, () => ({})),
      call(dma_fence_add_callback, (f) => ({ fence: f.fence, cb: f.ctx.base }), 'ret'),
      when('ret < 0', (f) => f.ret < 0, [
        call(vmw_seqno_waiter_remove, () => ({})),
        step('kfree(ctx)', (f, k) => {
          const { ctx } = f;
          f.ctx = NULL;
          k.free(ctx);
        }),
      ]),
    ]),
  ],
);

/**
 * A sync file for the fence of a submission: its descriptor. -1 without one, and then the fence has been waited for;
 * 0 is no descriptor.
 */
export const vmw_execbuf_export = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_execbuf.c',
  'vmw_execbuf_export',
  {
    args: { fence: ref('dma_fence') },
    locals: { sync_file: ref('sync_file'), fd: int, ret: int },
    returns: int,
  },
  ({ call, when, variant, ret }) => [
    call(sync_file_create, (f) => ({ fence: f.fence }), 'sync_file'),
    when('sync_file', (f) => !isNull(f.sync_file), [
      call(sync_file_install, (f) => ({ sync_file: f.sync_file }), 'fd'),
      when('fd > 0', (f) => f.fd > 0, [
        variant('bz-12', [], [call(add_seqno_waiter, (f) => ({ fence: f.fence }))]),
        ret('fd', (f) => f.fd),
      ]),
    ]),
    call(dma_fence_wait, (f) => ({ fence: f.fence, intr: 0 }), 'ret'),
    ret('-1', () => -1),
  ],
);
