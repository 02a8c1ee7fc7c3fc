// The edges of applications that the coherence contract hears, beside the CPU's stores and loads: what an application
// knows of its surfaces, mappings, submissions and waits. They are emitted in user mode, never by the driver.
import { tracepoint } from '../state/events';
import { bool, int, long } from '../state/layout';

/**
 * A surface exists. `surface` is the application's number for it, from 0; `sid` and `bo` are what kernel events call it,
 * `offset` is the byte of its buffer that it begins at; `fresh`: the buffer was made with it.
 */
export const surface_created = tracepoint('surface_created', {
  surface: int,
  bytes: long,
  coherent: bool,
  sid: int,
  bo: int,
  offset: int,
  fresh: bool,
});

/** Bytes [offset, offset + length) of a surface are mapped at `address` of the address space with root table `root`. */
export const surface_mapped = tracepoint('surface_mapped', {
  surface: int,
  root: int,
  address: long,
  length: int,
  offset: int,
});

/** The application gives a surface up: nothing is promised of what it holds from here on. */
export const surface_destroyed = tracepoint('surface_destroyed', { surface: int });

export const surface_unmapped = tracepoint('surface_unmapped', {
  root: int,
  address: long,
  length: int,
});

/** What was mapped at [address, address + length) is at `to` from here on, in place of what was there. */
export const surface_moved = tracepoint('surface_moved', {
  root: int,
  address: long,
  length: long,
  to: long,
});

/** All that is mapped in the address space with root table `from` is mapped in that of `root` too, at the same addresses. */
export const surfaces_inherited = tracepoint('surfaces_inherited', { root: int, from: int });

/** The application is about to hand submission `submission` (from 1 upwards) to the driver; its stores so far precede it. */
export const submit = tracepoint('submit', { submission: int });

/**
 * The application says of bytes of a surface that is not coherent that it has stored them: submission `from` and later
 * ones see that (vkFlushMappedMemoryRanges, or an update of its own).
 */
export const memory_flushed = tracepoint('memory_flushed', {
  surface: int,
  offset: int,
  length: int,
  from: int,
});

/**
 * The application asks for bytes of a surface that is not coherent: loads see what submissions up to `submission` wrote,
 * once that is known to be over (vkInvalidateMappedMemoryRanges, or a readback of its own).
 */
export const memory_invalidated = tracepoint('memory_invalidated', {
  surface: int,
  offset: int,
  length: int,
  submission: int,
});

/** The application gives up what bytes of a surface hold, with submission `submission`: SVGA_3D_CMD_INVALIDATE_GB_SURFACE. */
export const memory_abandoned = tracepoint('memory_abandoned', {
  surface: int,
  offset: int,
  length: int,
  submission: int,
});

/** The thread knows that submission `submission` and all before it are over: it waited for the fence, or polled it. */
export const fence_waited = tracepoint('fence_waited', { submission: int });

/** The thread begins behind another, or went on because of its event: what that one knew (`from`, a task), it knows too. */
export const synchronized = tracepoint('synchronized', { from: int });
