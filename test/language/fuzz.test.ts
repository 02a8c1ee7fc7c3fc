import fc from 'fast-check';
import { expect, test } from 'vitest';
import { complete } from '../../src/language/completion';
import { format } from '../../src/language/format';
import { hover } from '../../src/language/hover';
import { folds, outline } from '../../src/language/outline';
import { definition, references } from '../../src/language/references';
import { check } from '../../src/scenario/diagnostics';
import { anything } from '../texts';
import { known } from './marked';

const settings = { seed: 20190424, numRuns: 3000 };

test('any text is checked, with problems in the order of the text', () => {
  fc.assert(
    fc.property(anything, (text) => {
      let last = 0;
      for (const { from, to, message } of check(text, known).diagnostics) {
        expect(from).toBeGreaterThanOrEqual(last);
        expect(to).toBeGreaterThanOrEqual(from);
        expect(to).toBeLessThanOrEqual(text.length);
        expect(message).not.toMatch(/undefined|NaN|\[object/);
        last = from;
      }
    }),
    settings,
  );
});

test('every feature of the editor answers at any place of any text', () => {
  fc.assert(
    fc.property(anything, fc.nat(), (text, at) => {
      const checked = check(text, known);
      const offset = at % (text.length + 1);
      for (const { from, to } of complete(checked, offset, known)) {
        expect(from).toBeLessThanOrEqual(offset);
        expect(to).toBe(offset);
      }
      hover(checked, offset, known);
      definition(checked, offset);
      references(checked, offset);
      outline(checked);
      format(checked);
      for (const { fromLine, toLine } of folds(checked)) expect(toLine).toBeGreaterThan(fromLine);
    }),
    settings,
  );
});
