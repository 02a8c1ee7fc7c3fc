// Interned blocks of 256 bytes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Blocks, blockBytes } from '../../src/state/blocks';

test('block 0 is all zeroes and hashes to nothing', () => {
  const blocks = new Blocks();
  expect(blocks.filled(0)).toBe(0);
  expect(blocks.intern(new Uint8Array(blockBytes))).toBe(0);
  expect([blocks.digestLo(0), blocks.digestHi(0)]).toEqual([0, 0]);
});

test('equal bytes are one block, however they came about', () => {
  const blocks = new Blocks();
  const filled = blocks.filled(7);
  const written = blocks.with(0, 0, blockBytes, () => 7);
  expect(written).toBe(filled);
  expect(blocks.with(filled, 10, 12, () => 7)).toBe(filled);
});

test('replacing a range leaves the block it came from as it was', () => {
  const blocks = new Blocks();
  const before = blocks.filled(1);
  const after = blocks.with(before, 4, 6, (offset) => offset * 10);
  expect([3, 4, 5, 6].map((i) => blocks.byte(after, i))).toEqual([1, 40, 50, 1]);
  expect([3, 4, 5, 6].map((i) => blocks.byte(before, i))).toEqual([1, 1, 1, 1]);
});

test('a range beyond the block is refused', () => {
  const blocks = new Blocks();
  expect(() => blocks.with(0, 250, 257, () => 1)).toThrow('a range within the block');
  expect(() => blocks.intern(new Uint8Array(3))).toThrow('a block has 256 bytes');
});

test('the table grows past its first size and keeps what it holds', () => {
  const blocks = new Blocks();
  const numbers = Array.from({ length: 300 }, (_, i) =>
    blocks.with(0, 0, 2, (offset) => (offset === 0 ? i & 255 : i >> 8)),
  );
  expect(new Set(numbers).size).toBe(300);
  expect(numbers.every((n, i) => blocks.byte(n, 0) + 256 * blocks.byte(n, 1) === i)).toBe(true);
});

test('equal numbers are equal bytes, and unequal bytes have unequal digests, for random blocks', () => {
  const sparse = fc.array(
    fc.record({ at: fc.nat(blockBytes - 1), value: fc.integer({ min: 0, max: 255 }) }),
    { maxLength: 4 },
  );
  fc.assert(
    fc.property(sparse, sparse, (one, other) => {
      const blocks = new Blocks();
      const bytes = (writes: typeof one) => {
        const content = new Uint8Array(blockBytes);
        for (const { at, value } of writes) content[at] = value;
        return content;
      };
      const a = blocks.intern(bytes(one));
      const b = blocks.intern(bytes(other));
      const equal = bytes(one).every((byte, i) => byte === bytes(other)[i]);
      expect(a === b).toBe(equal);
      expect(blocks.view(a)).toEqual(bytes(one));
      expect(blocks.maximum(a)).toBe(Math.max(...bytes(one)));
      const same =
        blocks.digestLo(a) === blocks.digestLo(b) && blocks.digestHi(a) === blocks.digestHi(b);
      expect(same).toBe(equal);
    }),
  );
});
