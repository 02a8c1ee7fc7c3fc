// What the helpers of the series of April 2019 have in common with the recorded kernel: shared mappings of bare frames.
// What 5.1 does otherwise elsewhere (flags of faults, mprotect) is left out of the comparison.

import type { Difference } from '../../src/conform/differences';
import type { Callback, RecordedProgram } from '../../src/conform/format';

const otherwise = new Set(['mprotect', 'clear_refs', 'madvise', 'refs_touch']);

/** Whether 5.1 with the series is to do the same as 6.1 in all of a program. */
export const isAlike = ({ kind, ops }: RecordedProgram): boolean =>
  kind !== 'page' &&
  ops.every(({ op, share }) => !otherwise.has(op) && (share ?? 'shared') === 'shared');

/** Flags of faults are not compared: INTERRUPTIBLE and ORIG_PTE_VALID came later. */
export function onlyFlags({ key, expected, actual }: Difference): boolean {
  const without = (callbacks: unknown) =>
    JSON.stringify((callbacks as Callback[]).map((callback) => ({ ...callback, fl: '' })));
  return key === 'cb' && without(expected) === without(actual);
}
