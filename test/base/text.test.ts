import { expect, test } from 'vitest';
import { lineAt, lineStarts, offsetAt, positionAt } from '../../src/base/text';

const text = 'one\ntwo\r\n\rlast';
const starts = lineStarts(text);

test('lines end with any of the three line ends', () => {
  expect(starts).toEqual([0, 4, 9, 10]);
  expect(lineStarts('')).toEqual([0]);
});

test('an offset belongs to the last line that begins at or before it', () => {
  expect([0, 3, 4, 8, 9, 10, 99].map((offset) => lineAt(starts, offset))).toEqual([
    0, 0, 1, 1, 2, 3, 3,
  ]);
});

test('positions lead back to their offsets, and those outside of the text to its nearest end', () => {
  for (let offset = 0; offset <= text.length; offset++)
    expect(offsetAt(starts, positionAt(starts, offset), text.length)).toBe(offset);
  expect(offsetAt(starts, { line: 9, column: 0 }, text.length)).toBe(text.length);
  expect(offsetAt(starts, { line: -1, column: 5 }, text.length)).toBe(0);
  expect(offsetAt(starts, { line: 0, column: 50 }, text.length)).toBe(3);
});
