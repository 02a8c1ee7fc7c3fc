// What is no recording is refused with the number of its line.
import { expect, test } from 'vitest';
import { parseRecording } from '../../src/conform/format';

const program = '{"program":"p","pages":4,"kind":"pfn","prefault":1,"base":0}';

const refused: readonly (readonly [string, string])[] = [
  ['', 'the recording has no programs'],
  ['{', 'line 1 is not JSON'],
  ['[1]', 'line 1 is neither a header, a program nor an operation'],
  ['7', 'line 1 is not an object'],
  ['{"i":0,"op":"read","cb":[],"vmas":[]}', 'line 1 is an operation before any program'],
  ['{"program":"p"}', 'line 1: "pages" is a number from 1 to 65535'],
  ['{"program":"p","pages":4,"kind":"x"}', 'line 1: "kind" is pfn, mixed or page'],
  [`${program}\n{"op":"read"}`, 'line 2: "op" is a text and "i" a number'],
  [`${program}\n{"i":0,"op":"read"}`, 'line 2: "cb" and "vmas" are lists'],
  [`${program}\n{"i":0,"op":"read","page":"x","cb":[],"vmas":[]}`, 'line 2: "page" is a number'],
  ['{"program":"p","pages":4,"kind":"pfn","prefault":0}', 'line 1: "prefault" is a number from 1'],
  [
    `${program}\n{"i":0,"op":"mmap","prot":7,"cb":[],"vmas":[]}`,
    'line 2: "prot" is none, or of the letters r, w and x',
  ],
  [
    `${program}\n{"i":0,"op":"mmap","share":"rw","cb":[],"vmas":[]}`,
    'line 2: "share" is shared, private or ro',
  ],
  [
    `${program}\n{"i":0,"op":"fork","child":99,"cb":[],"vmas":[]}`,
    'line 2: there are at most 64 processes',
  ],
  [
    `${program}\n{"i":0,"op":"mremap","to":5000,"cb":[],"vmas":[]}`,
    'line 2: there are at most 1024 mappings',
  ],
];

for (const [text, message] of refused) {
  test(`'${text.slice(-40)}' is refused: ${message}`, () => {
    expect(() => parseRecording(text)).toThrow(message);
  });
}

test('a header, a program and its operations are read in order', () => {
  const text = `{"kernel":"6.1"}\n${program}\n{"i":0,"op":"scan","cb":[],"vmas":[]}\n`;
  expect(parseRecording(text)).toEqual([
    {
      program: 'p',
      pages: 4,
      kind: 'pfn',
      prefault: 1,
      base: 0,
      ops: [{ i: 0, op: 'scan', cb: [], vmas: [] }],
    },
  ]);
});
