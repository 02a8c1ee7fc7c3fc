import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Parsed, parse } from '../../src/syntax/parser';
import { print } from '../../src/syntax/printer';
import { any, anything, examples, soup } from '../texts';
import { showParsed } from './show';

const settings = { seed: 20190424, numRuns: 2000 };

describe('any text whatever', () => {
  test('is parsed, with problems in the order of the text and one a line at most', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const { problems, lines } = parse(text);
        let line = -1;
        for (const { from, to, message } of problems) {
          expect(from).toBeGreaterThanOrEqual(0);
          expect(to).toBeGreaterThanOrEqual(from);
          expect(to).toBeLessThanOrEqual(text.length);
          expect(message).not.toBe('');
          const here = lines.findLastIndex((start) => start <= from);
          expect(here).toBeGreaterThan(line);
          line = here;
        }
      }),
      settings,
    );
  });

  test('that has an error in the tree has a problem, and the other way round', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const { problems, syntax } = parse(text);
        let errors = 0;
        syntax.iterate({ enter: (node) => void (errors += Number(node.type.isError)) });
        if (errors > 0) expect(problems.length).toBeGreaterThan(0);
      }),
      settings,
    );
  });

  test('is brought into a form that does not change again', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const once = print(parse(text));
        expect(print(parse(once))).toBe(once);
      }),
      settings,
    );
  });

  test('means the same when it is printed, if nothing is wrong with it', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const parsed = parse(text);
        if (parsed.problems.length > 0) return;
        expect(showParsed(parse(print(parsed)))).toBe(showParsed(parsed));
      }),
      settings,
    );
  });
});

test('after an edit the tree is the same as that of the whole text', () => {
  const edit = fc.record({ at: fc.nat(), remove: fc.nat(40), insert: fc.oneof(soup, any) });
  fc.assert(
    fc.property(fc.constantFrom(...examples), fc.array(edit, { maxLength: 4 }), (text, edits) => {
      let current = text;
      let parsed: Parsed = parse(current);
      for (const { at, remove, insert } of edits) {
        const from = at % (current.length + 1);
        current = current.slice(0, from) + insert + current.slice(from + remove);
        parsed = parse(current, parsed);
      }
      expect(parsed.text).toBe(current);
      if (parsed.problems.length === 0) expect(showParsed(parsed)).toBe(showParsed(parse(current)));
    }),
    { seed: 20190424, numRuns: 500 },
  );
});
