import { describe, expect, test } from 'vitest';
import { format } from '../../src/language/format';
import { type DocumentSymbol, folds, outline } from '../../src/language/outline';
import { definition, references } from '../../src/language/references';
import { check } from '../../src/scenario/diagnostics';
import { inThread, known, marked } from './marked';

describe('names', () => {
  test('lead to where they are introduced', () => {
    const { checked, offset } = marked(inThread('write |p[0] = 1'));
    const place = definition(checked, offset);
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
    expect(definition(checked, offset)).toBeUndefined();
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

test('formatting is one edit from the first difference to the last, and none when nothing differs', () => {
  const text = inThread('read   p[0]');
  const edits = format(check(text, known));
  expect(edits).toHaveLength(1);
  const [edit] = edits;
  const applied = edit && text.slice(0, edit.from) + edit.text + text.slice(edit.to);
  expect(applied).toBe(inThread('read p[0]'));
  expect(format(check(applied ?? '', known))).toEqual([]);
});
