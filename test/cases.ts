// Cases in text files: a title behind `#`, the source, `==>`, what is expected. With UPDATE=1 in the environment
// the expected text is rewritten; the difference is then to be read.
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';

export interface Case {
  readonly title: string;
  readonly source: string;
  readonly expected: string;
}

/** One test for each case of the file: `actual` of the source must be what is expected. */
export function checkCases(path: string, actual: (source: string) => string): void {
  const cases = readCases(path);
  if (process.env['UPDATE'] === '1') {
    const rewritten = cases.map(
      ({ title, source }) => `# ${title}\n\n${source}\n==>\n\n${actual(source).trimEnd()}\n`,
    );
    writeFileSync(path, rewritten.join('\n'));
  }
  for (const { title, source, expected } of cases)
    test(title, () => {
      expect(actual(source).trimEnd()).toBe(
        process.env['UPDATE'] === '1' ? actual(source).trimEnd() : expected,
      );
    });
}

/** The cases of a file. */
export function readCases(path: string): readonly Case[] {
  const parts = `\n${readFileSync(path, 'utf8')}`.split(/\n# /).slice(1);
  return parts.map((part) => {
    const end = part.indexOf('\n');
    const [source = '', expected = ''] = part.slice(end + 1).split(/^==>$/m);
    return {
      title: part.slice(0, end),
      source: `${source.trim()}\n`,
      expected: expected.trim(),
    };
  });
}
