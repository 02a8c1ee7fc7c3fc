// Interned, immutable blocks of 256 bytes: what the contents cells of a store name.
// Equal bytes are one block, so equality of numbers is equality of bytes; block 0 is all zeroes.
import { assert } from '../base/assert';

export const blockBytes = 256;

/** The table of blocks. It only grows; numbers depend on the order of first use, digests do not. */
export class Blocks {
  private bytes = new Uint8Array(64 * blockBytes);
  private digests = new Int32Array(64 * 2);
  private maxima = new Uint8Array(64);
  private readonly byDigest = new Map<number, number[]>([[0, [0]]]);
  private readonly uniform = new Int32Array(256).fill(-1);
  private readonly scratch = new Uint8Array(blockBytes);
  count = 1;

  /** The byte at `offset` of a block. */
  byte(block: number, offset: number): number {
    return this.bytes[block * blockBytes + offset]!;
  }

  /** A read-only view of a block's 256 bytes. */
  view(block: number): Uint8Array {
    return this.bytes.subarray(block * blockBytes, (block + 1) * blockBytes);
  }

  /** The greatest byte of a block. */
  maximum(block: number): number {
    return this.maxima[block]!;
  }

  digestLo(block: number): number {
    return this.digests[block * 2]!;
  }

  digestHi(block: number): number {
    return this.digests[block * 2 + 1]!;
  }

  /** The block whose 256 bytes are all `value`. */
  filled(value: number): number {
    const known = this.uniform[value & 255]!;
    if (known >= 0) return known;
    this.scratch.fill(value & 255);
    const block = this.intern(this.scratch);
    this.uniform[value & 255] = block;
    return block;
  }

  /** `block` with bytes [from, to) replaced; `valueAt` gives the byte for each offset in the block. */
  with(block: number, from: number, to: number, valueAt: (offset: number) => number): number {
    assert(from >= 0 && from <= to && to <= blockBytes, 'a range within the block');
    this.scratch.set(this.view(block));
    for (let offset = from; offset < to; offset++) this.scratch[offset] = valueAt(offset);
    return this.intern(this.scratch);
  }

  /** The number of the block that holds exactly these 256 bytes. */
  intern(content: Uint8Array): number {
    assert(content.length === blockBytes, 'a block has 256 bytes');
    let lo = 0;
    let hi = 0;
    for (let i = 0; i < blockBytes; i++) {
      const byte = content[i]!;
      lo = Math.imul(lo ^ (byte + Math.imul(byte, i << 8)), 0x01000193) ^ (lo >>> 15);
      hi = Math.imul(hi + Math.imul(byte, 0x9e3779b1 + i), 0x85ebca6b) ^ (hi >>> 13);
    }
    const bucket = this.byDigest.get(lo);
    for (const candidate of bucket ?? []) if (this.equals(candidate, content)) return candidate;
    const block = this.add(content, lo, hi);
    if (bucket === undefined) this.byDigest.set(lo, [block]);
    else bucket.push(block);
    return block;
  }

  private equals(block: number, content: Uint8Array): boolean {
    const base = block * blockBytes;
    for (let i = 0; i < blockBytes; i++) if (this.bytes[base + i] !== content[i]) return false;
    return true;
  }

  private add(content: Uint8Array, lo: number, hi: number): number {
    const block = this.count++;
    if (this.count * blockBytes > this.bytes.length) {
      const bytes = new Uint8Array(this.bytes.length * 2);
      bytes.set(this.bytes);
      this.bytes = bytes;
      const digests = new Int32Array(this.digests.length * 2);
      digests.set(this.digests);
      this.digests = digests;
      const maxima = new Uint8Array(this.maxima.length * 2);
      maxima.set(this.maxima);
      this.maxima = maxima;
    }
    this.bytes.set(content, block * blockBytes);
    for (const byte of content) this.maxima[block] = Math.max(this.maxima[block]!, byte);
    // A block other than zeroes must count in the hash whatever its bytes mix to.
    this.digests[block * 2] = lo === 0 && hi === 0 ? 1 : lo;
    this.digests[block * 2 + 1] = hi;
    return block;
  }
}
