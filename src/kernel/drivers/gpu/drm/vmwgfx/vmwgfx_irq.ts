// drivers/gpu/drm/vmwgfx/vmwgfx_irq.c: the device's interrupt, wanted only while somebody waits for a fence. Linux
// 5.1; the work of the interrupt thread is done in the handler.
import { SVGA_IRQFLAG_ANY_FENCE } from '../../../../../hardware/svga/device';
import { routine } from '../../../../../routine/routine';
import { bool, int } from '../../../../../state/layout';
import { vmw_priv } from './vmwgfx_cmd';
import { vmw_fences_update } from './vmwgfx_fence';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_irq.c';

/** The handler of the device's vector: signals the fences that have passed. */
export const vmw_irq_handler = routine(
  file,
  'vmw_irq_handler',
  { mode: 'interrupt', locals: { status: int } },
  ({ step, atomic, call, when }) => [
    step('interrupts are off until iret', (_f, k) => k.maskInterrupts()),
    step('status = vmw_irq_status_read(dev_priv)', (f, k) => {
      f.status = k.the('svga', 'svga_regs').irq_status;
    }),
    when('status', (f) => f.status !== 0, [
      // What is written clears those bits only: one that the device sets meanwhile stays.
      atomic('vmw_irq_status_write(dev_priv, status)', (f, k) => {
        k.the('svga', 'svga_regs').irq_status &= ~f.status;
      }),
    ]),
    when('status & ANY_FENCE', (f) => (f.status & SVGA_IRQFLAG_ANY_FENCE) !== 0, [
      call(vmw_fences_update, () => ({})),
    ]),
    step('iret', (_f, k) => k.unmaskInterrupts()),
  ],
);

/** One waiter more; the first one turns the interrupt on. */
export const vmw_seqno_waiter_add = routine(
  file,
  'vmw_seqno_waiter_add',
  { locals: { first: bool } },
  ({ step, acquire, release, when, variant }) => [
    acquire('spin_lock(&dev_priv->waiter_lock)', (_f, k) => vmw_priv(k).waiter_lock),
    step('first = dev_priv->fence_queue_waiters++ == 0', (f, k) => {
      const dev_priv = vmw_priv(k);
      f.first = dev_priv.fence_queue_waiters === 0;
      dev_priv.fence_queue_waiters++;
    }),
    variant(
      'lost-interrupt',
      [],
      [
        when('first', (f) => f.first, [
          step('vmw_write(dev_priv, SVGA_REG_IRQMASK, irq_mask | ANY_FENCE)', (_f, k) => {
            const dev_priv = vmw_priv(k);
            dev_priv.irq_mask |= SVGA_IRQFLAG_ANY_FENCE;
            k.the('svga', 'svga_regs').irq_mask = dev_priv.irq_mask;
          }),
        ]),
      ],
    ),
    release('spin_unlock(&dev_priv->waiter_lock)', (_f, k) => vmw_priv(k).waiter_lock),
  ],
);

/** One waiter less; the last one turns the interrupt off. */
export const vmw_seqno_waiter_remove = routine(
  file,
  'vmw_seqno_waiter_remove',
  { locals: { last: bool } },
  ({ step, acquire, release, when }) => [
    acquire('spin_lock(&dev_priv->waiter_lock)', (_f, k) => vmw_priv(k).waiter_lock),
    step('last = --dev_priv->fence_queue_waiters == 0', (f, k) => {
      const dev_priv = vmw_priv(k);
      dev_priv.fence_queue_waiters--;
      f.last = dev_priv.fence_queue_waiters === 0;
    }),
    when('last', (f) => f.last, [
      step('vmw_write(dev_priv, SVGA_REG_IRQMASK, irq_mask & ~ANY_FENCE)', (_f, k) => {
        const dev_priv = vmw_priv(k);
        dev_priv.irq_mask &= ~SVGA_IRQFLAG_ANY_FENCE;
        k.the('svga', 'svga_regs').irq_mask = dev_priv.irq_mask;
      }),
    ]),
    release('spin_unlock(&dev_priv->waiter_lock)', (_f, k) => vmw_priv(k).waiter_lock),
  ],
);
