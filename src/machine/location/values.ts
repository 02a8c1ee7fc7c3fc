// Values of locations as they are shown and typed: bits and entries, numbers, words of flags, bytes.
import type { TlbEntry } from '../../hardware/mmu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_GLOBAL,
  _PAGE_NX,
  _PAGE_PCD,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_PWT,
  _PAGE_RW,
  _PAGE_SOFT_DIRTY,
  _PAGE_SPECIAL,
  _PAGE_UFFD_WP,
  _PAGE_USER,
  PAGE_SIZE,
} from '../../hardware/pte';
import type { U64 } from '../../state/layout';

/** Bits of an entry by name, in its low or its high word. */
export const pteBits: Readonly<Record<string, { readonly lo: number; readonly hi: number }>> = {
  P: { lo: _PAGE_PRESENT, hi: 0 },
  RW: { lo: _PAGE_RW, hi: 0 },
  US: { lo: _PAGE_USER, hi: 0 },
  PWT: { lo: _PAGE_PWT, hi: 0 },
  PCD: { lo: _PAGE_PCD, hi: 0 },
  A: { lo: _PAGE_ACCESSED, hi: 0 },
  D: { lo: _PAGE_DIRTY, hi: 0 },
  PSE: { lo: _PAGE_PSE, hi: 0 },
  G: { lo: _PAGE_GLOBAL, hi: 0 },
  S: { lo: _PAGE_SPECIAL, hi: 0 },
  UFFD: { lo: _PAGE_UFFD_WP, hi: 0 },
  SD: { lo: _PAGE_SOFT_DIRTY, hi: 0 },
  NX: { lo: 0, hi: _PAGE_NX },
};

/** Other words for them: the letters of the views and the fields of the scenario language. */
const bitWords: Readonly<Record<string, string>> = {
  W: 'RW',
  U: 'US',
  present: 'P',
  write: 'RW',
  user: 'US',
  writeThrough: 'PWT',
  cacheDisabled: 'PCD',
  accessed: 'A',
  dirty: 'D',
  special: 'S',
  softDirty: 'SD',
  uffdWp: 'UFFD',
  noExecute: 'NX',
};

/** The canonical name of a bit of an entry. */
export const pteBit = (word: string): string | undefined => {
  const name = Object.hasOwn(bitWords, word) ? bitWords[word]! : word;
  return Object.hasOwn(pteBits, name) ? name : undefined;
};

export const quoted = (value: string): string => `'${value.trim()}'`;

export function number(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*(0x[\da-f]+|\d+)\s*$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

export function bitFrom(value: string): 0 | 1 | string {
  const text = value.trim().toLowerCase();
  if (['1', 'true', 'set'].includes(text)) return 1;
  if (['0', 'false', 'clear'].includes(text)) return 0;
  return `${quoted(value)} is no bit: write 0 or 1`;
}

export function u64Text({ lo, hi }: U64): string {
  const high = (hi >>> 0).toString(16);
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? `0x${low}` : `0x${high}${low.padStart(8, '0')}`;
}

export function u64From(value: string): U64 | string {
  const text = value.trim();
  if (!/^(0x[\da-f]{1,16}|\d{1,20})$/i.test(text)) return `${quoted(value)} is no 64-bit number`;
  const whole = BigInt(text);
  if (whole >= 2n ** 64n) return `${quoted(value)} is no 64-bit number`;
  return { lo: Number(whole & 0xffffffffn) | 0, hi: Number(whole >> 32n) | 0 };
}

const entryHint =
  'write a number such as 0x8000000010000225, all its letters such as P W U A pfn 0x10000, or changes such as +W -D';

/** An entry as a number, as all of its letters, or as changes of single bits. */
export function entryFrom(value: string, before: U64): U64 | string {
  const words = value.trim().split(/\s+/);
  if (words.length === 1 && /^(0x)?\d/.test(words[0]!)) return u64From(value);
  if (words[0] === 'none') return { lo: 0, hi: 0 };
  const changes = words.every((word) => /^[+-]/.test(word));
  let { lo, hi } = changes ? before : { lo: 0, hi: 0 };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === 'pfn') {
      const pfn = number(words[++i]);
      if (pfn === undefined) return entryHint;
      lo |= pfn << 12;
      hi |= Math.floor(pfn / 0x10_0000);
      continue;
    }
    const bit = pteBit(word.replace(/^[+-]/, ''));
    if (bit === undefined) return entryHint;
    const { lo: low, hi: high } = pteBits[bit]!;
    const off = word.startsWith('-');
    lo = off ? lo & ~low : lo | low;
    hi = off ? hi & ~high : hi | high;
  }
  return { lo, hi };
}

const tlbBits = ['RW', 'US', 'D'];

export function tlbText(entry: TlbEntry | undefined): string {
  if (entry === undefined) return 'none';
  const set = tlbBits.filter((bit) => (entry.flags & pteBits[bit]!.lo) !== 0);
  return [`pfn 0x${entry.pfn.toString(16)}`, ...set].join(' ');
}

/** Rights of a cached translation: all of them, or changes. */
export function flagsFrom(value: string, before: number): number | string {
  const words = value.trim().split(/\s+/);
  let flags = words.every((word) => /^[+-]/.test(word)) ? before : 0;
  for (const word of words) {
    const bit = pteBit(word.replace(/^[+-]/, ''));
    if (bit === undefined || !tlbBits.includes(bit))
      return 'write none, or which of RW US D the entry has, or changes such as -RW +D';
    const { lo } = pteBits[bit]!;
    flags = word.startsWith('-') ? flags & ~lo : flags | lo;
  }
  return flags;
}

export function wordFrom(
  kind: string,
  names: Readonly<Record<string, number>>,
  value: string,
): number | string {
  const text = value.trim();
  if (/^-?(0x[\da-f]+|\d+)$/i.test(text)) {
    const wanted = text.startsWith('-') ? -Number(text.slice(1)) : Number(text);
    if (wanted < -(2 ** 31) || wanted >= 2 ** 32) return `${quoted(value)} does not fit 32 bits`;
    return kind === 'bool' ? Number(wanted !== 0) : wanted | 0;
  }
  if (kind === 'bool' && /^(true|false)$/.test(text)) return Number(text === 'true');
  let word = 0;
  for (const part of text.split(/\s*\|\s*/)) {
    if (!Object.hasOwn(names, part)) {
      const known = Object.keys(names);
      const hint = known.length === 0 ? '' : `, and none of ${known.join(', ')}`;
      return `${quoted(value)} is no ${kind === 'bool' ? 'truth value' : 'number'}${hint}`;
    }
    word |= names[part]!;
  }
  return word;
}

/** Bytes in hexadecimal, or one value for all of them. */
export function bytesFrom(value: string, length: number): number[] | string {
  const text = value.trim();
  const digits = /^0x((?:[\da-f]{2})+)$/i.exec(text)?.[1];
  if (digits !== undefined && digits.length === 2 * length)
    return Array.from({ length }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  const one = number(text);
  if (one !== undefined && one < 256 && length > PAGE_SIZE)
    return `${length} bytes are more than one value is meant for: take a range, such as [0 .. 4096]`;
  if (one !== undefined && one < 256) return new Array<number>(length).fill(one);
  const all = length === 1 ? '' : `, or 0x and ${2 * length} hexadecimal digits`;
  return `${quoted(value)} is no value for ${length === 1 ? 'a byte' : `${length} bytes`}: write a number below 256${all}`;
}

export const byteText = (byte: number): string => byte.toString(16).padStart(2, '0');

/** Numbers in order as ranges: `0-3, 7`. */
export function rangesText(numbers: readonly number[]): string {
  const ranges: string[] = [];
  for (let i = 0; i < numbers.length; i++) {
    const from = numbers[i]!;
    while (numbers[i + 1] === numbers[i]! + 1) i++;
    ranges.push(from === numbers[i] ? `${from}` : `${from}-${numbers[i]}`);
  }
  return ranges.join(', ');
}
