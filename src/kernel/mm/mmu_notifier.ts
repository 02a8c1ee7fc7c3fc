// mm/mmu_notifier.c (Linux 5.1 and 6.1): tells others who keep translations (KVM, IOMMUs) that a range of an address
// space changes. Nobody listens in the emulator, so the calls are only seen, as tracepoints; what matters is where they
// stand: around the change and outside the page-table lock.
import { routine } from '../../routine/routine';
import { tracepoint } from '../../state/events';
import { int, isNull, long, NULL, oneOf, ref } from '../../state/layout';
import '../include/linux/mm_types';
import { current } from '../include/linux/sched';

export const MMU_NOTIFY_UNMAP = 0;
export const MMU_NOTIFY_CLEAR = 1;
export const MMU_NOTIFY_PROTECTION_VMA = 2;
export const MMU_NOTIFY_PROTECTION_PAGE = 3;
export const MMU_NOTIFY_SOFT_DIRTY = 4;

const event = oneOf({
  MMU_NOTIFY_UNMAP,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_SOFT_DIRTY,
});
const args = { mm: ref('mm_struct'), event, start: long, end: long };

/** The two edges of a notified range. `root`: the root table of the address space. */
export const mmu_notifier_range_start = tracepoint('mmu_notifier_range_start', {
  mm: int,
  root: int,
  event: int,
  start: long,
  end: long,
});
export const mmu_notifier_range_end = tracepoint('mmu_notifier_range_end', {
  mm: int,
  event: int,
  start: long,
  end: long,
});

export const mmu_notifier_invalidate_range_start = routine(
  'mm/mmu_notifier.c',
  'mmu_notifier_invalidate_range_start',
  { args },
  ({ step }) => [
    step('call the notifiers of mm', (f, k) => {
      k.emit(mmu_notifier_range_start, {
        mm: f.mm.at,
        root: f.mm.pgd,
        event: f.event,
        start: f.start,
        end: f.end,
      });
      const task = current(k);
      if (isNull(task)) return;
      task.notified_mm = f.mm;
      task.notified_start = f.start;
      task.notified_end = f.end;
    }),
  ],
);

export const mmu_notifier_invalidate_range_end = routine(
  'mm/mmu_notifier.c',
  'mmu_notifier_invalidate_range_end',
  { args },
  ({ step }) => [
    step('call the notifiers of mm', (f, k) => {
      k.emit(mmu_notifier_range_end, { mm: f.mm.at, event: f.event, start: f.start, end: f.end });
      const task = current(k);
      if (!isNull(task)) task.notified_mm = NULL;
    }),
  ],
);
