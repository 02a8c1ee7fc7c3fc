// Mixing functions of the incremental state hash: two independent 32-bit lanes of one (cell, value) pair.
// Finalisers in the manner of MurmurHash3; a zero value mixes to zero, so untouched cells cost nothing.

/** Low lane of the 64-bit hash of `value` standing in cell `at`. */
export function mixLo(at: number, value: number): number {
  if (value === 0) return 0;
  let h = Math.imul(value ^ Math.imul(at + 1, 0x9e3779b1), 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h ^ at, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** High lane; other constants and another order, so that the lanes fail independently. */
export function mixHi(at: number, value: number): number {
  if (value === 0) return 0;
  let h = Math.imul(at ^ Math.imul(value, 0x27d4eb2f), 0x165667b1);
  h ^= h >>> 15;
  h = Math.imul(h ^ value, 0x9e3779b1);
  h ^= h >>> 13;
  return Math.imul(h, 0x85ebca6b) ^ (h >>> 16);
}

/** The 64-bit hash as 16 hexadecimal digits. */
export function hashText(hi: number, lo: number): string {
  return (hi >>> 0).toString(16).padStart(8, '0') + (lo >>> 0).toString(16).padStart(8, '0');
}
