// Any text whatever, for property tests: random characters, soups of words of the language, examples with a piece cut
// out or put in.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { firstExamples } from './examples';

export const examples = firstExamples.map((path) => readFileSync(path, 'utf8'));
const words =
  'scenario machine surface process thread on let map repeat as if else assert write read submit wait page pages not and or implies ring p x 0 1 4KiB 0x1f 7up "text" " { } [ ] ( ) , : . .. = == != <= + - * / % // # ; \n \n \n é \u{1f600} \0'.split(
    ' ',
  );
export const soup = fc
  .array(fc.constantFrom(...words), { maxLength: 60 })
  .map((list) => list.join(' '));
export const any = fc.string({ unit: 'binary', maxLength: 200 });
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
/** A text of any of these kinds. */
export const anything = fc.oneof(any, soup, cut, mixed);
