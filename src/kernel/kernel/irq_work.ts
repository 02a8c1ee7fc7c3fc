// kernel/irq_work.c: what may not be done where it comes up, under a lock for instance, is done in an interrupt that the
// CPU sends itself. Linux 6.1.
import { IRQ_WORK_VECTOR } from '../../hardware/cpu';
import type { Engine } from '../../routine/engine';
import { routine } from '../../routine/routine';
import { isNull, NULL, ref, type Structs } from '../../state/layout';
import '../include/linux/irq_work';

const file = 'kernel/irq_work.c';
const args = { work: ref('irq_work') };

const raised = (k: Engine) => k.the('raised_list', 'raised_list').first;

/** Queues work on this CPU, and interrupts it when the list was empty. */
export const irq_work_queue = routine(file, 'irq_work_queue', { args }, ({ atomic }) => [
  atomic(
    'if (llist_add(&work->node, this_cpu_ptr(&raised_list))) arch_irq_work_raise()',
    (f, k) => {
      const list = raised(k);
      f.work.next = list.get(k.cpu);
      list.set(k.cpu, f.work);
      if (isNull(f.work.next)) k.raise(k.cpu, IRQ_WORK_VECTOR);
    },
  ),
]);

/** llist_reverse_order(): a list that nobody else has. */
function reversed(list: Structs['irq_work']): Structs['irq_work'] {
  let first: Structs['irq_work'] = NULL;
  for (let work = list; !isNull(work); ) {
    const { next } = work;
    work.next = first;
    first = work;
    work = next;
  }
  return first;
}

/** The handler: does what is queued, in the order in which it was. */
export const sysvec_irq_work = routine(
  'arch/x86/kernel/irq_work.c',
  'sysvec_irq_work',
  { mode: 'interrupt', locals: { ...args, next: ref('irq_work') } },
  ({ step, atomic, callPointer, loop, leave, when }) => [
    step('interrupts are off until iret', (_f, k) => k.maskInterrupts()),
    atomic('llnode = llist_del_all(this_cpu_ptr(&raised_list))', (f, k) => {
      const list = raised(k);
      f.next = reversed(list.get(k.cpu));
      list.set(k.cpu, NULL);
    }),
    loop('llist_for_each_entry_safe(work, tmp, llnode, node.llist)', [
      step('work = llnode', (f) => {
        f.work = f.next;
        if (isNull(f.work)) return;
        f.next = f.work.next;
        f.work.next = NULL;
      }),
      when('!work', (f) => isNull(f.work), [leave()]),
      callPointer(
        'work->func(work)',
        (f) => f.work.func,
        (f) => ({ work: f.work }),
      ),
    ]),
    step('iret', (_f, k) => k.unmaskInterrupts()),
  ],
);
