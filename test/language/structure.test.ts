import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { applyEdits, type Edit } from '../../src/base/text';
import { format, formatRange, formatTyped } from '../../src/language/format';
import { type DocumentSymbol, findSymbols, folds, outline } from '../../src/language/outline';
import { references } from '../../src/language/references';
import { homeOf } from '../../src/language/rename';
import { selections } from '../../src/language/selection';
import { check } from '../../src/scenario/diagnostics';
import { print } from '../../src/syntax/printer';
import { readCases } from '../cases';
import { examples } from '../texts';
import { inThread, known, marked } from './marked';

describe('names', () => {
  test('lead to where they are introduced', () => {
    const { checked, offset } = marked(inThread('write |p[0] = 1'));
    const place = homeOf([checked], '', offset);
    expect(place && checked.parsed.text.slice(place.from - 4, place.to + 11)).toBe(
      'let p = map ring',
    );
  });

  test('are found in all their places', () => {
    const { checked, offset } = marked(inThread('assert gpu(ri|ng)[0] == 0'));
    const { text } = checked.parsed;
    const lines = references(checked, offset).map(
      ({ from }) => text.slice(0, from).split('\n').length,
    );
    expect(lines).toEqual([3, 5, 7, 10]);
  });

  test('that are nowhere introduced lead nowhere', () => {
    const { checked, offset } = marked(inThread('write nothi|ng[0] = 1'));
    expect(homeOf([checked], '', offset)).toBeUndefined();
    expect(references(checked, offset)).toEqual([]);
  });
});

function show(symbols: readonly DocumentSymbol[], margin = ''): string[] {
  return symbols.flatMap(({ kind, name, detail, children }) => [
    `${margin}${kind} ${name} ${detail}`.trimEnd(),
    ...show(children, `${margin}  `),
  ]);
}

test('the outline shows scenarios, surfaces, processes and threads', () => {
  const { checked } = marked(`let size = 4KiB\n${inThread('|')}`);
  expect(show(outline(checked))).toEqual([
    'constant size',
    'scenario x',
    '  surface ring 96KiB',
    '  process app',
    '    thread render cpu0',
  ]);
});

test('blocks and runs of comments can be folded', () => {
  const { checked } = marked(`// one\n// two\n\n${inThread('if true {\n read p[0]\n }|')}// last`);
  const shown = folds(checked).map((fold) => [fold.fromLine, fold.toLine, fold.comment]);
  expect(shown).toEqual([
    [6, 16, false],
    [8, 15, false],
    [11, 14, false],
    [12, 13, false],
    [0, 1, true],
  ]);
});

describe('formatting', () => {
  const applied = (text: string, edits: readonly Edit[]): string => applyEdits(text, edits);
  const messy = inThread('read   p[0]\n   write p[1]=2');

  test('changes the gaps that differ and nothing else, and none when nothing does', () => {
    const edits = format(check(messy, known));
    expect(edits.map(({ text }) => text)).toEqual([' ', '\n      ', ' ', ' ']);
    const after = applied(messy, edits);
    expect(after).toBe(inThread('read p[0]\n      write p[1] = 2'));
    expect(format(check(after, known))).toEqual([]);
  });

  test('of every example and case makes what the printer prints', () => {
    const folder = 'test/syntax/cases';
    const cases = readdirSync(folder).flatMap((name) => readCases(`${folder}/${name}`));
    for (const text of [...examples, ...cases.map(({ source }) => source)]) {
      const checked = check(text, known);
      expect(applied(text, format(checked))).toBe(print(checked.parsed));
    }
  });

  test('of a range leaves the other lines alone', () => {
    const at = messy.indexOf('write p[1]');
    const after = applied(messy, formatRange(check(messy, known), { from: at, to: at }));
    expect(after).toBe(inThread('read   p[0]\n      write p[1] = 2'));
  });

  test('behind a line break is of the line that was left, but for where the cursor stands', () => {
    const { checked, offset } = marked(inThread('read   p[0]  \n |\n   write p[1]=2'));
    const after = applied(checked.parsed.text, formatTyped(checked, offset, '\n'));
    expect(after).toBe(inThread('read p[0]  \n \n   write p[1]=2'));
  });

  test('behind a closing brace is of its block', () => {
    const { checked, offset } = marked(inThread('read   p[0]\n if true {\n read  p[1]\n   }|'));
    const after = applied(checked.parsed.text, formatTyped(checked, offset, '}'));
    expect(after).toBe(inThread('read   p[0]\n      if true {\n        read p[1]\n      }'));
  });
});

test('symbols of all open files are found by letters in their order', () => {
  const found = findSymbols(outline(check(inThread(''), known)), 'rn');
  expect(found.map(({ name, container }) => `${name} in ${container}`)).toEqual([
    'ring in x',
    'render in app',
  ]);
});

test('a selection grows from the word to the file', () => {
  const { checked, offset } = marked(
    'scenario "x"\nprocess app {\n  let a = (1 + fr|ame) * 2\n}\n',
  );
  const { text } = checked.parsed;
  expect(selections(checked, offset).map(({ from, to }) => text.slice(from, to))).toEqual([
    'frame',
    '1 + frame',
    '(1 + frame)',
    '(1 + frame) * 2',
    'let a = (1 + frame) * 2',
    '\n  let a = (1 + frame) * 2\n',
    '{\n  let a = (1 + frame) * 2\n}',
    'process app {\n  let a = (1 + frame) * 2\n}',
    text,
  ]);
});
