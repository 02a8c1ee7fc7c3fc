// include/asm-generic/bug.h: WARN_ON() of the emulated kernel, as an event. `where` says which, for the texts below.
import { tracepoint } from '../../../state/events';
import { int } from '../../../state/layout';

export const warn = tracepoint('warn', { where: int });

export const WARN_AS_DIRTY_NOT_IO = 1;
export const WARN_HUGE_WRITABLE = 2;

/** What each warning means. */
export const warningTexts: Readonly<Record<number, string>> = {
  [WARN_AS_DIRTY_NOT_IO]:
    'apply_as_range() met a shared writable mapping that is not VM_IO, or is of huge pages: it may have soft-dirty bits and copies on write that the helpers break.',
  [WARN_HUGE_WRITABLE]:
    'wp_clean_pmd_entry() met a huge entry that is writable or dirty: huge entries cannot be tracked page by page.',
};
