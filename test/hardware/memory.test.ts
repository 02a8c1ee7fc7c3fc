// Bytes in contents cells behave as an array of bytes, whatever ranges they are filled, copied and compared in.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteOf, Contents, equalBytes } from '../../src/hardware/memory';
import { StorePlan } from '../../src/state/store';

const size = 1024; // four blocks

function twoMemories() {
  const plan = new StorePlan();
  plan.region('one', 'contents', size / 256);
  plan.region('other', 'contents', size / 256);
  const store = plan.build();
  const contents = (name: string) => new Contents(store, store.region(name).base, size);
  const one = { contents: contents('one'), bytes: new Uint8Array(size) };
  const other = { contents: contents('other'), bytes: new Uint8Array(size) };
  return { one, other };
}

// Ranges around the borders of blocks, and any others.
const place = fc.oneof(fc.constantFrom(0, 256, 512), fc.nat(size));
const value = fc.record({ unique: fc.boolean(), value: fc.nat(0x7fff_ffff) });
const operation = fc.record({
  what: fc.constantFrom('fill', 'copy', 'mirror'),
  swap: fc.boolean(),
  at: place,
  from: place,
  length: place,
  value,
});

test('fills and copies of random ranges give the bytes that an array would have', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 12 }), (operations) => {
      const { one, other } = twoMemories();
      for (const { what, swap, at, from, length: wanted, value: stored } of operations) {
        const [to, source] = swap ? [other, one] : [one, other];
        const length = Math.min(wanted, size - at, what === 'fill' ? size : size - from);
        if (what === 'fill') {
          to.contents.fill(at, length, stored);
          for (let i = at; i < at + length; i++) to.bytes[i] = byteOf(stored, i);
        } else {
          if (what === 'copy') to.contents.copy(at, source.contents, from, length);
          else to.contents.mirror(at, { contents: source.contents, at: from }, length);
          to.bytes.set(source.bytes.subarray(from, from + length), at);
        }
      }
      for (const { contents, bytes } of [one, other]) {
        expect(Array.from(bytes, (_, i) => contents.peek(i))).toEqual([...bytes]);
      }
    }),
  );
});

test('two ranges are compared up to their first difference; without a memory there are zeroes', () => {
  fc.assert(
    fc.property(place, place, place, fc.option(place, { nil: undefined }), (at, from, to, odd) => {
      const { one, other } = twoMemories();
      const length = Math.min(to, size - at, size - from);
      if (odd !== undefined && odd < size) {
        one.contents.fill(odd, 1, { unique: false, value: 9 });
        one.bytes[odd] = 9;
      }
      let equal = 0;
      while (equal < length && one.bytes[at + equal] === 0) equal++;
      const left = { contents: one.contents, at };
      expect(equalBytes(left, { contents: other.contents, at: from }, length)).toBe(equal);
      expect(equalBytes({ contents: undefined, at: from }, left, length)).toBe(equal);
    }),
  );
});
