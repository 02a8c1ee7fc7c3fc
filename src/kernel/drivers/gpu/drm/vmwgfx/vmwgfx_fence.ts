// drivers/gpu/drm/vmwgfx/vmwgfx_fence.c: the driver's fences, one context in order of submission. A fence that the
// device has passed is signalled when somebody looks: the interrupt, which comes only while somebody waits, a wait, or a
// query. Linux 5.1. Left out: fence goals and actions, events, sync files.
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { int, isNull, NULL, ref, type Structs, same } from '../../../../../state/layout';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../../../../include/linux/dma-fence';
import { EINVAL, ENOMEM, ERESTARTSYS } from '../../../../include/linux/errno';
import {
  dma_fence_get,
  dma_fence_init,
  dma_fence_is_signaled,
  dma_fence_put,
  dma_fence_signal,
  dma_fence_signal_locked,
  dma_fence_wait,
  spin_lock_irqsave,
  spin_unlock_irqrestore,
} from '../../../dma-buf/dma-fence';
import { dma_resv_add_fence } from '../../../dma-buf/dma-resv';
import { vmw_cmd_send_fence } from './vmwgfx_cmd';
import { vmw_seqno_waiter_add, vmw_seqno_waiter_remove } from './vmwgfx_irq';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_fence.c';
export const VMW_FENCE_WRAP = 2 ** 31;

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
    b.step('fence = kzalloc(sizeof(*fence)); dma_fence_init(&fence->base, ...)', (f, k) => {
      f.fence = k.alloc('vmw_fence_obj');
      if (isNull(f.fence)) return;
      const ops = k.the('vmw_fence_ops', 'dma_fence_ops');
      dma_fence_init(k, f.fence.base, { ops, lock: fman(k).lock, context: 1, seqno: f.seqno });
    }),
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

/** Signals, in order, every fence that the device has passed. */
export const vmw_fences_update = routine(
  file,
  'vmw_fences_update',
  { locals: { seqno: int, fence: ref('vmw_fence_obj'), ret: int } },
  (b) => [
    b.variant('fence-irqs-on', [b.acquire('spin_lock(&fman->lock)', held)], lock(b)),
    b.step('seqno = vmw_fence_read(dev_priv)', (f, k) => {
      f.seqno = k.the('svga', 'svga_regs').fence | 0;
    }),
    b.loop('list_for_each_entry_safe(fence, &fman->fence_list)', [
      b.step('fence = first, if it has passed; list_del_init(&fence->head)', (f, k) => {
        f.fence = fman(k).fence_list;
        if (isNull(f.fence)) return;
        const passed = (f.seqno - f.fence.base.seqno) >>> 0 < VMW_FENCE_WRAP;
        if (passed) list_del(k, f.fence);
        else f.fence = NULL;
      }),
      b.when('none', (f) => isNull(f.fence), [b.leave()]),
      b.variant(
        'signal-relocks',
        [b.call(dma_fence_signal, (f) => ({ fence: f.fence.base }), 'ret')],
        [b.call(dma_fence_signal_locked, (f) => ({ fence: f.fence.base }), 'ret')],
      ),
    ]),
    b.variant('fence-irqs-on', [b.release('spin_unlock(&fman->lock)', held)], unlock(b)),
  ],
);

/** `ops->enable_signaling`: 0 when the fence has passed already. The fence's lock is held. */
export const vmw_fence_enable_signaling = routine(
  file,
  'vmw_fence_enable_signaling',
  { args: { fence: ref('dma_fence') }, locals: { seqno: int }, returns: int },
  ({ step, ret }) => [
    step('seqno = vmw_fence_read(dev_priv)', (f, k) => {
      f.seqno = k.the('svga', 'svga_regs').fence | 0;
    }),
    ret('has not passed', (f) => ((f.seqno - f.fence.seqno) >>> 0 < VMW_FENCE_WRAP ? 0 : 1)),
  ],
);

/** `ops->wait`: looks itself, then sleeps until the interrupt signals the fence. 0 or -ERESTARTSYS. */
export const vmw_fence_wait = routine(
  file,
  'vmw_fence_wait',
  {
    args: { fence: ref('dma_fence'), intr: int },
    locals: { signaled: int, interrupted: int },
    returns: int,
  },
  ({ call, wait, when, loop, leave, ret }) => {
    const signaled = (f: { fence: Structs['dma_fence'] }) =>
      (f.fence.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0;
    return [
      call(dma_fence_is_signaled, (f) => ({ fence: f.fence }), 'signaled'),
      when('signaled', (f) => f.signaled !== 0, [ret('0', () => 0)]),
      call(vmw_seqno_waiter_add, () => ({})),
      loop('for (;;)', [
        call(vmw_fences_update, () => ({})),
        call(dma_fence_is_signaled, (f) => ({ fence: f.fence }), 'signaled'),
        when('signaled', (f) => f.signaled !== 0, [leave()]),
        when(
          'intr',
          (f) => f.intr !== 0,
          [
            wait('schedule_timeout(timeout)', signaled, {
              interruptible: true,
              into: 'interrupted',
            }),
          ],
          [wait('schedule_timeout(timeout)', signaled)],
        ),
        when('signal_pending(current)', (f) => f.interrupted !== 0, [leave()]),
      ]),
      call(vmw_seqno_waiter_remove, () => ({})),
      when('signal_pending(current)', (f) => f.interrupted !== 0, [
        ret('-ERESTARTSYS', () => -ERESTARTSYS),
      ]),
      ret('0', () => 0),
    ];
  },
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

/** A fence behind all commands so far, with one reference. NULL without memory: then the device is idle on return. */
export const vmw_execbuf_fence_commands = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_execbuf.c',
  'vmw_execbuf_fence_commands',
  { locals: { seqno: int, fence: ref('vmw_fence_obj') }, returns: ref('dma_fence') },
  ({ call, wait, when, ret }) => [
    call(vmw_cmd_send_fence, () => ({}), 'seqno'),
    call(vmw_fence_create, (f) => ({ seqno: f.seqno }), 'fence'),
    when('!fence', (f) => isNull(f.fence), [
      wait(
        'vmw_fallback_wait(dev_priv, seqno)',
        (f, k) => (k.the('svga', 'svga_regs').fence - f.seqno) >>> 0 < VMW_FENCE_WRAP,
      ),
    ]),
    ret('&fence->base', (f) => f.fence),
  ],
);

/** Fences a reserved object, with a new fence behind all commands so far when none is given. */
export const vmw_bo_fence_single = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_bo.c',
  'vmw_bo_fence_single',
  {
    args: { bo: ref('ttm_buffer_object'), fence: ref('dma_fence') },
    locals: { made: ref('dma_fence') },
  },
  ({ call, when, variant }) => {
    const add = (name: 'fence' | 'made') =>
      variant(
        'drm-6.1',
        [call(dma_resv_add_fence, (f) => ({ resv: f.bo.resv, fence: f[name], kernel: true }))],
        [call(dma_resv_add_fence, (f) => ({ resv: f.bo.resv, fence: f[name], kernel: false }))],
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
  ({ step, call, acquire, release, when, ret }) => [
    when('!fence', (f) => isNull(f.fence), [ret('-ENOMEM', () => -ENOMEM)]),
    call(dma_fence_get, (f) => ({ fence: f.fence })),
    acquire('spin_lock(&tfile->lock)', (_f, k) => handles(k).lock),
    step('handle = idr_alloc(&tfile->idr)', (f, k) => {
      f.handle = newHandle(handles(k), f.fence.at);
    }),
    release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
    when('no handle', (f) => f.handle < 0, [call(dma_fence_put, (f) => ({ fence: f.fence }))]),
    ret('handle', (f) => f.handle),
  ],
);

/** The lowest free handle, now naming `object`; -ENOMEM when all are in use. The table's lock is held. */
export function newHandle(table: Structs['vmw_fpriv'], object: number): number {
  for (let i = 0; i < table.size; i++) {
    if (table.objects.get(i) !== 0) continue;
    table.objects.set(i, object);
    return i + 1;
  }
  return -ENOMEM;
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

/** FENCE_WAIT: 0, -ERESTARTSYS, or -EINVAL for a handle that names nothing. */
export const vmw_fence_obj_wait_ioctl = routine(
  file,
  'vmw_fence_obj_wait_ioctl',
  ioctl,
  ({ call, when, ret }) => [
    call(lookup, (f) => ({ handle: f.handle }), 'fence'),
    when('!fence', (f) => isNull(f.fence), [ret('-EINVAL', () => -EINVAL)]),
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
      if (!isNull(f.fence)) handles(k).objects.set(f.handle - 1, 0);
    }),
    release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
    when('!fence', (f) => isNull(f.fence), [ret('-EINVAL', () => -EINVAL)]),
    call(dma_fence_put, (f) => ({ fence: f.fence })),
    ret('0', () => 0),
  ],
);
