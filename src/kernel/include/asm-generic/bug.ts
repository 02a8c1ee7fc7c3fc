// include/asm-generic/bug.h: WARN_ON() of the emulated kernel, as an event, and BUG_ON(), which is the end of the task.
// `where` says which warning, for the texts below; messages of an error level count as warnings too.
import type { Engine } from '../../../routine/engine';
import { tracepoint } from '../../../state/events';
import { int, Oops } from '../../../state/layout';

export const warn = tracepoint('warn', { where: int });

export const WARN_AS_DIRTY_NOT_IO = 1;
export const WARN_HUGE_WRITABLE = 2;
export const WARN_APPLY_UNLOCKED = 3;
export const WARN_APPLY_UNNOTIFIED = 4;
export const WARN_BAD_PMD = 5;
export const WARN_BO_TRACKED = 6;
export const WARN_BO_RESOURCES = 7;
export const WARN_RES_RANGE = 8;
export const WARN_BAD_PUD = 9;
export const WARN_HUGE_PUD_WRITABLE = 10;
export const WARN_OTHER_PMD = 11;
export const WARN_OTHER_PUD = 12;
export const WARN_REFCOUNT_ADD = 13;
export const WARN_REFCOUNT_UNDERFLOW = 14;
export const WARN_CMDBUF_COMMAND = 15;
export const WARN_CMDBUF_HEADER = 16;
export const WARN_CMDBUF_QUEUE = 17;

/** BUG_ON() and VM_BUG_ON() of a kernel `file`: the task stops for good, its locks held. */
export function BUG_ON(condition: boolean, file: string, text: string): void {
  if (condition) throw new Oops(`kernel BUG at ${file}: ${text}`);
}

/** What a count of references becomes with one more; 0 is the end of its object, from which there is no way back. */
export function refcount_inc(k: Engine, count: number): number {
  if (count <= 0) k.emit(warn, { where: WARN_REFCOUNT_ADD });
  return count + 1;
}

/** And with one less. */
export function refcount_dec(k: Engine, count: number): number {
  if (count <= 0) k.emit(warn, { where: WARN_REFCOUNT_UNDERFLOW });
  return count - 1;
}

/** What each warning means. A number stands for one WARN_ON() of the whole emulated kernel. */
export const warningTexts: Readonly<Record<number, string>> = {
  [WARN_AS_DIRTY_NOT_IO]:
    'apply_as_range() met a shared writable mapping that is not VM_IO, or is of huge pages: it may have soft-dirty bits and copies on write that the helpers break.',
  [WARN_HUGE_WRITABLE]:
    'wp_clean_pmd_entry() met a huge entry that is writable or dirty: huge entries cannot be tracked page by page.',
  [WARN_APPLY_UNLOCKED]:
    'apply_to_pfn_range() was called with neither mmap_sem of the address space nor i_mmap_rwsem of a file that all of the range maps held: mappings and page tables may go away under the walk.',
  [WARN_APPLY_UNNOTIFIED]:
    'apply_to_pfn_range() was called outside of mmu_notifier_invalidate_range_start() and _end() for the range: its function runs under a spinlock and cannot call them, so others keep stale translations.',
  [WARN_BAD_PMD]:
    'bad pmd: a walk that knows only tables met a huge entry and cleared it. Its dirty bit is lost, and the TLBs are not flushed.',
  [WARN_BO_TRACKED]:
    'vmw_bo_bo_free() frees a buffer object that is still tracked: somebody who added dirty tracking has not released it.',
  [WARN_BO_RESOURCES]:
    'vmw_bo_bo_free() frees a buffer object while resources are attached to it: they point to freed memory.',
  [WARN_RES_RANGE]:
    'vmw_surface_dirty_range_add() was told of a dirty range that lies outside of the resource: the range is dropped.',
  [WARN_BAD_PUD]:
    'bad pud: a walk that knows only tables met a huge entry and cleared it. Its dirty bit is lost, and the TLBs are not flushed.',
  [WARN_HUGE_PUD_WRITABLE]:
    'wp_clean_pud_entry() met a huge entry that is writable or dirty: huge entries cannot be tracked page by page.',
  [WARN_OTHER_PMD]:
    'insert_pfn_pmd() was to make a huge entry writable that maps other frames than those it was given: it stays as it is.',
  [WARN_OTHER_PUD]:
    'insert_pfn_pud() was to make a huge entry writable that maps other frames than those it was given: it stays as it is.',
  [WARN_REFCOUNT_ADD]:
    'refcount_t: addition on 0; use-after-free: somebody takes a reference to an object whose last one is gone.',
  [WARN_REFCOUNT_UNDERFLOW]:
    'refcount_t: underflow; use-after-free: somebody gives back a reference that nobody has.',
  [WARN_CMDBUF_COMMAND]:
    'vmw_cmdbuf_work_func() met a command that made the device stop: it is skipped, and what stood behind it is submitted again.',
  [WARN_CMDBUF_HEADER]:
    'vmw_cmdbuf_ctx_process() met a command buffer whose header the device does not accept: its commands are dropped.',
  [WARN_CMDBUF_QUEUE]:
    'vmw_cmdbuf_ctx_submit() gave the device more command buffers than it has room for.',
};
