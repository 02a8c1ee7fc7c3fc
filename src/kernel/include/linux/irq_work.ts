// include/linux/irq_work.h: something to be done in an interrupt of its own, as soon as one may come. Linux 6.1. Left out:
// claiming (nobody here queues work that is queued already), lazy work, work on another CPU.
import { fnptr } from '../../../routine/routine';
import { ref, struct, tail, type View } from '../../../state/layout';

export const irq_work = struct('irq_work', {
  fixed: { func: fnptr({ work: ref('irq_work') }) },
  own: { next: ref('irq_work') }, // of whoever has it: who queues it, the list, the handler
});

/** per_cpu(raised_list): what is queued, the last one first. */
export const raised_list = struct('raised_list', {
  shared: { first: tail(ref('irq_work')) },
});

declare module '../../../state/layout' {
  interface Structs {
    irq_work: View<typeof irq_work>;
    raised_list: View<typeof raised_list>;
  }
}
