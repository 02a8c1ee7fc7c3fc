// A check that knows an earlier state of the text: what stays is not checked again, and what is said is what a check of
// the whole text says (the same over texts made at random: test/language/fuzzing.ts).
import { describe, expect, test } from 'vitest';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';

const scenario = (title: string, line: string): string =>
  `scenario "${title}"\nprocess app {\n  let p = map ring\n  ${line}\n}\n`;
const head = 'surface ring: buffer 4KiB\n';
const before = head + scenario('a', 'write p[0] = 1') + scenario('b', 'write p[0] = x');

const reused = (text: string, earlier = before): boolean[] => {
  const previous = check(earlier, known);
  const { judgements } = check(text, known, { previous });
  return judgements.map(({ resolved }, i) => resolved === previous.judgements[i]?.resolved);
};

describe('an edit', () => {
  test('in one scenario leaves what was found in those before it', () => {
    const text = head + scenario('a', 'write p[0] = 1') + scenario('b', 'write p[0] = 2');
    expect(reused(text)).toEqual([true, false]);
  });

  test('moves the messages of those behind it, and their meaning when it is asked for', () => {
    const text = head + scenario('a', 'write p[0 .. 4KiB] = 1') + scenario('b', 'write p[0] = x');
    const after = check(text, known, { previous: check(before, known) });
    expect(after.diagnostics).toEqual(check(text, known).diagnostics);
    const [message] = after.diagnostics;
    expect(message && text.slice(message.from, message.to)).toBe('x');
    expect(after.scenarios[1]?.meaning).toEqual(check(text, known).scenarios[1]?.meaning);
    expect(after.scenarios[1]?.notes.uses).toEqual(check(text, known).scenarios[1]?.notes.uses);
  });

  test('in what all scenarios share has all of them checked again', () => {
    expect(reused(before.replace('4KiB', '8KiB'))).toEqual([false, false]);
    expect(reused(before)).toEqual([true, true]);
  });

  test('in a file that is imported has all of them checked again', () => {
    const text = `import "head.coh"\n${before.replace(head, '')}`;
    const files = (imported: string) => ({ path: '/s/a.coh', read: () => imported });
    const previous = check(text, known, { files: files(head) });
    const same = check(text, known, { previous, files: files(head) });
    expect(same.scenarios[0]).toBe(previous.scenarios[0]);
    const other = files('surface other: buffer 4KiB\n');
    const after = check(text, known, { previous, files: other });
    expect(after.diagnostics).toEqual(check(text, known, { files: other }).diagnostics);
    expect(after.diagnostics).not.toEqual(previous.diagnostics);
  });

  test('that makes the text longer moves what is imported behind it', () => {
    const files = { path: '/s/a.coh', read: () => head };
    const text = `import "head.coh"\n${before.replace(head, '')}`;
    const longer = `${text}\n// more\n`;
    const after = check(longer, known, { previous: check(text, known, { files }), files });
    expect(after.scenarios[0]?.meaning).toEqual(
      check(longer, known, { files }).scenarios[0]?.meaning,
    );
  });
});
