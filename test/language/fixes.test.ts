// Quick fixes: over every case of the checks and of the parser, a message that comes with a fix is gone when the fix
// has been made, and no fix brings a mistake that was not there.
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { applyEdits } from '../../src/base/text';
import { check, type Diagnostic } from '../../src/scenario/diagnostics';
import { readCases } from '../cases';
import { files as imported } from '../scenario/imported';
import { known } from './marked';

const files = ['test/scenario/checks', 'test/syntax/cases'].flatMap((folder) =>
  readdirSync(folder).map((name) => `${folder}/${name}`),
);
const cases = files.flatMap((file) => readCases(file).map((one) => ({ ...one, file })));

const times = (list: readonly Diagnostic[], message: string): number =>
  list.filter((diagnostic) => diagnostic.message === message).length;

test('every quick fix leaves a text without its message', () => {
  const left: string[] = [];
  let fixes = 0;
  for (const { file, title, source } of cases) {
    const { diagnostics } = check(source, known, { files: imported });
    for (const { message, fix } of diagnostics) {
      if (fix === undefined) continue;
      fixes++;
      const after = check(applyEdits(source, fix.edits), known, { files: imported });
      if (times(after.diagnostics, message) >= times(diagnostics, message))
        left.push(`${file}, ${title}: ${fix.title}: ${message}`);
    }
  }
  expect(left).toEqual([]);
  expect(fixes).toBeGreaterThan(40);
});

test('whoever says "did you mean" can put it there', () => {
  const without = cases.flatMap(({ source }) =>
    check(source, known, { files: imported })
      .diagnostics.filter(({ message, fix }) => /did you mean/.test(message) && fix === undefined)
      .filter(({ message }) => !message.startsWith('in "')) // in another file
      .map(({ message }) => message),
  );
  expect(without).toEqual([]);
});

test('a fix is named by what it does', () => {
  const titles = cases.flatMap(({ source }) =>
    check(source, known, { files: imported }).diagnostics.flatMap(({ fix }) =>
      fix === undefined ? [] : [fix.title],
    ),
  );
  expect(titles.filter((title) => !/^(Change to|Add|Remove) \S/.test(title))).toEqual([]);
});
