// Mixing functions of the incremental state hash: two independent 32-bit lanes of one (cell, value) pair. The hash of a
// state is the exclusive or of what all its cells mix to. Each step below is a bijection of the value, so two values of
// one cell never mix alike; no last shift as in MurmurHash3, since a linear one adds nothing to an exclusive or.

/** Low lane of the 64-bit hash of `value` standing in cell `at`. */
export function mixLo(at: number, value: number): number {
  const h = Math.imul(value ^ (value >>> 16) ^ Math.imul(at, 0x9e3779b1), 0x85ebca6b);
  return Math.imul(h ^ (h >>> 15) ^ at, 0xc2b2ae35);
}

/** High lane; other constants and sums in place of exclusive ors, so that the lanes fail independently. */
export function mixHi(at: number, value: number): number {
  const h = Math.imul((value ^ (value >>> 16)) + Math.imul(at, 0x27d4eb2f), 0x165667b1);
  return Math.imul((h ^ (h >>> 13)) + at, 0x9e3779b1);
}

/** The 64-bit hash as 16 hexadecimal digits. */
export function hashText(hi: number, lo: number): string {
  return (hi >>> 0).toString(16).padStart(8, '0') + (lo >>> 0).toString(16).padStart(8, '0');
}
