// Texts made at random from a seed, hostile ones among them, and everything an editor asks of each. Shared by the test,
// which looks at some, and by `npm run fuzz`, which looks at all.
import fc from 'fast-check';
import { applyEdits, type Edit } from '../../src/base/text';
import { actions } from '../../src/language/actions';
import { complete } from '../../src/language/completion';
import { format, formatRange, formatTyped } from '../../src/language/format';
import { hover } from '../../src/language/hover';
import { inlays } from '../../src/language/inlays';
import { inlineValues } from '../../src/language/inlineValues';
import { lenses } from '../../src/language/lenses';
import { findSymbols, folds, outline } from '../../src/language/outline';
import { references } from '../../src/language/references';
import { renamable, rename, spotsOf } from '../../src/language/rename';
import { selections } from '../../src/language/selection';
import { signature } from '../../src/language/signature';
import { tokens } from '../../src/language/tokens';
import { type Checked, check } from '../../src/scenario/diagnostics';
import { print } from '../../src/syntax/printer';
import { anything, examples } from '../texts';
import { known } from './marked';

/** So many texts are looked at in all, and so many of them in every run of the tests. */
export const textsInAll = 100_000;
export const textsInTest = 10_000;

/** The n-th block of texts has its own seed, so that any block can be looked at alone. */
export const blockSize = 10_000;
export const seedOf = (block: number): number => 20190424 + block;

/** A text may take so long, or it counts as hanging. */
const MILLISECONDS_MAX = 10_000;

const deep = fc
  .tuple(
    fc.constantFrom('{', '(', '[', 'if true {', 'not ', '- ', '1 + ', 'repeat 1 {'),
    fc.nat(3000),
  )
  .map(
    ([piece, count]) =>
      `scenario "x"\nprocess p { thread t on cpu0 { let a = ${piece.repeat(count)}`,
  );
const huge = fc
  .tuple(
    fc.constantFrom('9', '0x', 'f', '1_'),
    fc.nat(400),
    fc.constantFrom('', 'KiB', 'GiB', ' pages'),
  )
  .map(
    ([digit, count, unit]) =>
      `scenario "x"\nsurface s: buffer 1${digit.repeat(count)}${unit}\nprocess p { let m = map s\nwrite m[0 .. 1${digit.repeat(count)}] = 1 }`,
  );
const unicode = fc
  .array(
    fc.constantFrom(
      '\u2028',
      '\u200b',
      '\u0301',
      '\u{1f600}',
      '\ud800',
      '\udc00',
      '\ufeff',
      'ﬁ',
      'İ',
      '\0',
      '\u202e',
    ),
    { maxLength: 40 },
  )
  .map((signs) => signs.join(' x '));
const ends = fc
  .tuple(fc.constantFrom(...examples), fc.constantFrom('\r\n', '\r', '\n\r', '\u0085'), fc.nat())
  .map(([text, end, at]) => text.slice(0, at % text.length).replaceAll('\n', end));
const truncated = fc
  .tuple(fc.constantFrom(...examples), fc.nat())
  .map(([text, at]) => text.slice(0, at % (text.length + 1)));
const spoilt = fc
  .tuple(fc.constantFrom(...examples), fc.nat(), unicode)
  .map(([text, at, signs]) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + signs + text.slice(place);
  });

/** Any text, hostile ones among them, with a place in it and an edit to come. */
const cases = fc.tuple(
  fc.oneof(
    { weight: 20, arbitrary: anything },
    { weight: 4, arbitrary: truncated },
    { weight: 3, arbitrary: ends },
    { weight: 3, arbitrary: spoilt },
    { weight: 1, arbitrary: unicode },
    { weight: 1, arbitrary: huge },
    { weight: 1, arbitrary: deep },
  ),
  fc.nat(),
  fc.nat(),
);

/** Looks at a part of a block; what is wrong with a text is thrown, with the text made as small as it gets. */
export function fuzz(block: number, count: number): void {
  fc.assert(
    fc.property(cases, ([text, at, other]) => askEverything(text, at, other)),
    { seed: seedOf(block), numRuns: count },
  );
}

/** Everything that is asked of a text, with what must hold of every answer. */
function askEverything(text: string, at: number, other: number): void {
  const begin = performance.now();
  const checked = check(text, known);
  inOrder(checked);
  const offset = at % (text.length + 1);
  const end = other % (text.length + 1);
  const span = { from: Math.min(offset, end), to: Math.max(offset, end) };
  for (const { from, to } of complete(checked, offset, known))
    hold(from <= offset && to === offset, 'completion replaces what stands before the cursor');
  hover(checked, offset, known);
  signature(checked, offset);
  references(checked, offset);
  findSymbols(outline(checked), 'a');
  for (const { fromLine, toLine } of folds(checked)) hold(toLine > fromLine, 'a fold has lines');
  grows(selections(checked, offset).map(({ from, to }) => to - from));
  grows(tokens(checked, { from: 0, to: text.length }).map(({ from }) => from));
  inlays(checked, span);
  inlineValues(checked, { from: 0, to: text.length }, offset);
  lenses(checked, new Set(['coherence.run']));
  spotsOf([checked], '', offset);
  if (!('refused' in renamable([checked], '', offset)))
    rename([checked], '', offset, 'fresh', known);
  for (const { edits } of actions(checked, span)) apart(text, edits);
  formatted(checked, span, offset);
  // What is known of the text before an edit changes nothing of what is said of the text behind it.
  const edited = text.slice(0, span.from) + (other % 2 === 0 ? 'x ' : '') + text.slice(span.to);
  same(check(edited, known, { previous: checked }), check(edited, known));
  hold(performance.now() - begin < MILLISECONDS_MAX, 'an answer comes in time');
}

function inOrder({ diagnostics, parsed }: Checked): void {
  let last = 0;
  for (const { from, to, message, fix } of diagnostics) {
    hold(last <= from && from <= to && to <= parsed.text.length, 'messages stand in order');
    hold(!/undefined|NaN|\[object/.test(message), message);
    if (fix !== undefined) apart(parsed.text, fix.edits);
    last = from;
  }
}

function formatted(checked: Checked, span: { from: number; to: number }, offset: number): void {
  const { text } = checked.parsed;
  const edits = format(checked);
  apart(text, edits);
  const printed = print(checked.parsed);
  hold(applyEdits(text, edits) === printed, 'the edits make what the printer prints');
  const again = check(printed, known, { previous: checked });
  hold(print(again.parsed) === printed, 'the canonical form is that of itself');
  for (const some of [
    formatRange(checked, span),
    formatTyped(checked, offset, '}'),
    formatTyped(checked, offset, '\n'),
  ])
    apart(text, some);
}

/** Two checks of one text say the same. */
function same(a: Checked, b: Checked): void {
  const told = ({ diagnostics }: Checked): string => JSON.stringify(diagnostics);
  hold(told(a) === told(b), 'an edit is checked as the whole text is');
  hold(
    JSON.stringify(a.parsed.file) === JSON.stringify(b.parsed.file),
    'an edit leads to the tree of the whole text',
  );
}

/** Edits lie in the text and do not overlap. */
function apart(text: string, edits: readonly Edit[]): void {
  let last = 0;
  for (const { from, to } of [...edits].sort((a, b) => a.from - b.from || a.to - b.to)) {
    hold(last <= from && from <= to && to <= text.length, 'edits lie apart');
    last = to;
  }
}

function grows(numbers: readonly number[]): void {
  numbers.forEach((n, i) =>
    hold(i === 0 || n > (numbers[i - 1] ?? 0), 'each is more than the last'),
  );
}

function hold(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}
