// Numbers with units. Binary units only: a page is 4KiB, and 4KB would be taken for it.

/** Bytes in a page, x86-64. */
export const PAGE_SIZE = 4096;

const units: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  page: PAGE_SIZE,
  pages: PAGE_SIZE,
};

const meant: Readonly<Record<string, string>> = {
  k: 'KiB',
  kb: 'KiB',
  kib: 'KiB',
  m: 'MiB',
  mb: 'MiB',
  mib: 'MiB',
  g: 'GiB',
  gb: 'GiB',
  gib: 'GiB',
};

export interface ReadNumber {
  readonly value: number;
  readonly unit: 'bytes' | undefined;
  readonly problem: string | undefined;
  /** How it was probably meant. */
  readonly meant: string | undefined;
}

/** Reads a word that begins with a digit: `5`, `100_000`, `0x1f`, `4KiB`; what cannot be read is 0 with a problem. */
export function readNumber(text: string): ReadNumber {
  const [, written = '', unit] = /^(0x[0-9a-fA-F_]+|[0-9][0-9_]*)([A-Za-z]\w*)?$/.exec(text) ?? [];
  const digits = Number(written.replaceAll('_', ''));
  if (unit === undefined) return checked(digits, undefined, text);
  const factor = units[unit];
  if (factor === undefined) {
    const known = meant[unit.toLowerCase()];
    const better = known === undefined ? undefined : `${written}${known}`;
    const advice = better === undefined ? '' : `; write \`${better}\``;
    return failed(`\`${unit}\` is no unit: there are KiB, MiB, GiB and pages${advice}`, better);
  }
  return checked(digits * factor, 'bytes', text);
}

function checked(value: number, unit: 'bytes' | undefined, text: string): ReadNumber {
  if (Number.isSafeInteger(value)) return { value, unit, problem: undefined, meant: undefined };
  const shown = text.length > 24 ? `${text.slice(0, 20)}…` : text;
  return failed(`\`${shown}\` is too large; numbers end below 2^53`);
}

function failed(problem: string, better?: string): ReadNumber {
  return { value: 0, unit: undefined, problem, meant: better };
}

/** A size as one would write it: 98304 is `96KiB`, 100 is `100 bytes`. */
export function showBytes(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const factor = units[unit] ?? 1;
    if (bytes !== 0 && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return bytes === 0 ? '0' : bytes === 1 ? '1 byte' : `${bytes} bytes`;
}
