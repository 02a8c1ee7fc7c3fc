// drivers/gpu/drm/vmwgfx/vmwgfx_irq.c: the device's interrupt, wanted only while somebody waits for a fence. Linux
// 5.1; the work of the interrupt thread is done in the handler.
import {
  SVGA_IRQFLAG_ANY_FENCE,
  SVGA_IRQFLAG_COMMAND_BUFFER,
  SVGA_IRQFLAG_ERROR,
  SVGA_IRQFLAG_FENCE_GOAL,
  SVGA_IRQFLAG_FIFO_PROGRESS,
} from '../../../../../hardware/svga/registers';
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { bool, int } from '../../../../../state/layout';
import { vmw_priv } from './vmwgfx_cmd';
import { vmw_cmdbuf_irqthread } from './vmwgfx_cmdbuf';
import { vmw_fences_update } from './vmwgfx_fence';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_irq.c';

/** The handler of the device's vector: signals the fences that have passed. */
export const vmw_irq_handler = routine(
  file,
  'vmw_irq_handler',
  { mode: 'interrupt', locals: { status: int } },
  ({ step, atomic, call, when, variant }) => [
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
    when(
      'status & (ANY_FENCE | FENCE_GOAL)',
      (f) => (f.status & (SVGA_IRQFLAG_ANY_FENCE | SVGA_IRQFLAG_FENCE_GOAL)) !== 0,
      [call(vmw_fences_update, () => ({}))],
    ),
    variant('submission-buffers', [
      when(
        'status & (COMMAND_BUFFER | ERROR)',
        (f) => (f.status & (SVGA_IRQFLAG_COMMAND_BUFFER | SVGA_IRQFLAG_ERROR)) !== 0,
        [call(vmw_cmdbuf_irqthread, () => ({}))],
      ),
    ]),
    variant('submission-fifo', [
      when('status & FIFO_PROGRESS', (f) => (f.status & SVGA_IRQFLAG_FIFO_PROGRESS) !== 0, [
        step('wake_up_all(&dev_priv->fifo_queue)', (_f, k) => {
          vmw_priv(k).fifo_woken = true;
        }),
      ]),
    ]),
    step('iret', (_f, k) => k.unmaskInterrupts()),
  ],
);

const waiter_lock = (_f: unknown, k: Engine) => vmw_priv(k).waiter_lock;

/** A sync file, or a command buffer, stops waiting in the handler of the interrupt, which may not come meanwhile. */
const inHandler = (b: AnyBuilder, node: Node): Node =>
  b.variant('submission-buffers', [node], [b.having('sync files', [node])]);
const irqsOff = (b: AnyBuilder): Node =>
  inHandler(
    b,
    b.step('local_irq_save(flags)', (_f: unknown, k: Engine) => k.maskInterrupts()),
  );
const irqsOn = (b: AnyBuilder): Node =>
  inHandler(
    b,
    b.step('local_irq_restore(flags)', (_f: unknown, k: Engine) => k.unmaskInterrupts()),
  );

/** One waiter more; the first one turns the interrupt on. */
export const vmw_seqno_waiter_add = routine(
  file,
  'vmw_seqno_waiter_add',
  { locals: { first: bool } },
  (b) => [
    irqsOff(b),
    b.acquire('spin_lock(&dev_priv->waiter_lock)', waiter_lock),
    b.step('first = dev_priv->fence_queue_waiters++ == 0', (f, k) => {
      const dev_priv = vmw_priv(k);
      f.first = dev_priv.fence_queue_waiters === 0;
      dev_priv.fence_queue_waiters++;
    }),
    b.variant(
      'lost-interrupt',
      [],
      [
        b.when('first', (f) => f.first, [
          b.step('vmw_write(dev_priv, SVGA_REG_IRQMASK, irq_mask | ANY_FENCE)', (_f, k) => {
            const dev_priv = vmw_priv(k);
            dev_priv.irq_mask |= SVGA_IRQFLAG_ANY_FENCE;
            k.the('svga', 'svga_regs').irq_mask = dev_priv.irq_mask;
          }),
        ]),
      ],
    ),
    b.release('spin_unlock(&dev_priv->waiter_lock)', waiter_lock),
    irqsOn(b),
  ],
);

/** One waiter less; the last one turns the interrupt off. */
export const vmw_seqno_waiter_remove = routine(
  file,
  'vmw_seqno_waiter_remove',
  { locals: { last: bool } },
  (b) => [
    irqsOff(b),
    b.acquire('spin_lock(&dev_priv->waiter_lock)', waiter_lock),
    b.step('last = --dev_priv->fence_queue_waiters == 0', (f, k) => {
      const dev_priv = vmw_priv(k);
      dev_priv.fence_queue_waiters--;
      f.last = dev_priv.fence_queue_waiters === 0;
    }),
    b.when('last', (f) => f.last, [
      b.step('vmw_write(dev_priv, SVGA_REG_IRQMASK, irq_mask & ~ANY_FENCE)', (_f, k) => {
        const dev_priv = vmw_priv(k);
        dev_priv.irq_mask &= ~SVGA_IRQFLAG_ANY_FENCE;
        k.the('svga', 'svga_regs').irq_mask = dev_priv.irq_mask;
      }),
    ]),
    b.release('spin_unlock(&dev_priv->waiter_lock)', waiter_lock),
    irqsOn(b),
  ],
);

/** The interrupt at the goal is wanted. Only who turns it on and off itself asks: there is one waiter at most. */
export const vmw_goal_waiter_add = routine(file, 'vmw_goal_waiter_add', {}, (b) => [
  irqsOff(b),
  b.acquire('spin_lock(&dev_priv->waiter_lock)', waiter_lock),
  b.step('vmw_write(dev_priv, SVGA_REG_IRQMASK, irq_mask | FENCE_GOAL)', (_f, k) => {
    const dev_priv = vmw_priv(k);
    dev_priv.goal_queue_waiters++;
    dev_priv.irq_mask |= SVGA_IRQFLAG_FENCE_GOAL;
    k.the('svga', 'svga_regs').irq_mask = dev_priv.irq_mask;
  }),
  b.release('spin_unlock(&dev_priv->waiter_lock)', waiter_lock),
  irqsOn(b),
]);

/** No action is left. */
export const vmw_goal_waiter_remove = routine(file, 'vmw_goal_waiter_remove', {}, (b) => [
  irqsOff(b),
  b.acquire('spin_lock(&dev_priv->waiter_lock)', waiter_lock),
  b.step('vmw_write(dev_priv, SVGA_REG_IRQMASK, irq_mask & ~FENCE_GOAL)', (_f, k) => {
    const dev_priv = vmw_priv(k);
    dev_priv.goal_queue_waiters--;
    dev_priv.irq_mask &= ~SVGA_IRQFLAG_FENCE_GOAL;
    k.the('svga', 'svga_regs').irq_mask = dev_priv.irq_mask;
  }),
  b.release('spin_unlock(&dev_priv->waiter_lock)', waiter_lock),
  irqsOn(b),
]);

const counterOf = (flag: number) =>
  flag === SVGA_IRQFLAG_FIFO_PROGRESS ? 'fifo_queue_waiters' : 'cmdbuf_waiters';

/** One waiter more for an interrupt of another kind, a flag of the mask; the first one turns it on. */
export const vmw_generic_waiter_add = routine(
  file,
  'vmw_generic_waiter_add',
  { args: { flag: int }, locals: { first: bool } },
  (b) => [
    irqsOff(b),
    b.acquire('spin_lock(&dev_priv->waiter_lock)', waiter_lock),
    b.step('first = (*waiter_count)++ == 0', (f, k) => {
      const waiters = counterOf(f.flag);
      f.first = vmw_priv(k)[waiters] === 0;
      vmw_priv(k)[waiters]++;
    }),
    b.when('first', (f) => f.first, [
      b.step('vmw_write(dev_priv, SVGA_REG_IRQMASK, irq_mask | flag)', (f, k) => {
        vmw_priv(k).irq_mask |= f.flag;
        k.the('svga', 'svga_regs').irq_mask = vmw_priv(k).irq_mask;
      }),
    ]),
    b.release('spin_unlock(&dev_priv->waiter_lock)', waiter_lock),
    irqsOn(b),
  ],
);

/** One waiter less; the last one turns the interrupt off. */
export const vmw_generic_waiter_remove = routine(
  file,
  'vmw_generic_waiter_remove',
  { args: { flag: int }, locals: { last: bool } },
  (b) => [
    irqsOff(b),
    b.acquire('spin_lock(&dev_priv->waiter_lock)', waiter_lock),
    b.step('last = --(*waiter_count) == 0', (f, k) => {
      const waiters = counterOf(f.flag);
      vmw_priv(k)[waiters]--;
      f.last = vmw_priv(k)[waiters] === 0;
    }),
    b.when('last', (f) => f.last, [
      b.step('vmw_write(dev_priv, SVGA_REG_IRQMASK, irq_mask & ~flag)', (f, k) => {
        vmw_priv(k).irq_mask &= ~f.flag;
        k.the('svga', 'svga_regs').irq_mask = vmw_priv(k).irq_mask;
      }),
    ]),
    b.release('spin_unlock(&dev_priv->waiter_lock)', waiter_lock),
    irqsOn(b),
  ],
);
