import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Parsed, parse } from '../../src/syntax/parser';
import { print } from '../../src/syntax/printer';
import { showParsed } from './show';

const examples = readdirSync('examples')
  .filter((name) => name.endsWith('.coh'))
  .map((name) => readFileSync(`examples/${name}`, 'utf8'));
const words =
  'scenario machine surface process thread on let map repeat as if else assert write read submit wait page pages not and or implies ring p x 0 1 4KiB 0x1f 7up "text" " { } [ ] ( ) , : . .. = == != <= + - * / % // # ; \n \n \n é \u{1f600} \0'.split(
    ' ',
  );
const soup = fc.array(fc.constantFrom(...words), { maxLength: 60 }).map((list) => list.join(' '));
const any = fc.string({ unit: 'binary', maxLength: 200 });
const cut = fc
  .tuple(fc.constantFrom(...examples), fc.nat(), fc.nat(200))
  .map(
    ([text, at, length]) =>
      text.slice(0, at % text.length) + text.slice((at % text.length) + length),
  );
const mixed = fc
  .tuple(fc.constantFrom(...examples), fc.nat(), soup)
  .map(
    ([text, at, extra]) => text.slice(0, at % text.length) + extra + text.slice(at % text.length),
  );
const anything = fc.oneof(any, soup, cut, mixed);
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
