// A check that knows an earlier state of the text: what stays is not checked again, and what is said is what a check of
// the whole text says (the same over texts made at random: test/language/fuzzing.ts).
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { resolve } from '../../src/scenario/resolve';
import { parse } from '../../src/syntax/parser';

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

/** Threads that have something to do with each other, and mistakes of their own. */
const threads = `scenario "x"
machine { cpus 2 }
surface ring: buffer 4 pages coherent
process app {
  let p = map ring
  protect p[3 pages ..] readonly
  thread one on cpu0 {
    repeat 3 as i { submit { draw reads ring } as done[i] }
    write p[5 pages]
    signal ready
  }
  thread two on cpu1 {
    wait ready
    wait done[3]
    write p[3 pages]
    if 1 == 2 { read p } else { assert 3 == 3 }
    let own = submit { draw reads ring }
    wait own
  }
  thread three on cpu0 {
    wait done[2]
    unmap p[0 .. 1 page]
  }
  thread four on cpu0 {
    read p[0] as x
    repeat x { wait nobody }
    write p[0] = 256
  }
}
process other {
  thread five on cpu1 {
    wirte p
    wait done[1]
  }
}
finally scans == 1
`;

describe('an edit in a thread', () => {
  test('leaves what was found of the others', () => {
    const kept = (before: string, text: string): boolean => {
      const ofAll = { imported: [], known };
      const { file } = parse(before);
      const earlier = resolve(
        {
          ...ofAll,
          file,
          scenario: file.scenarios[0]!,
          threads: { text: before, earlier: undefined },
        },
        () => {},
      ).threads;
      const now = parse(text).file;
      return resolve(
        { ...ofAll, file: now, scenario: now.scenarios[0]!, threads: { text, earlier } },
        () => {},
      ).partial;
    };
    expect(kept(threads, threads.replace('write p[5 pages]', 'write p[1 page] = 3'))).toBe(true);
    // A fence more, another mapping, another thread that unmaps: all threads are judged.
    expect(kept(threads, threads.replace('signal ready', 'signal steady'))).toBe(false);
    expect(kept(threads, threads.replace('map ring', 'map  ring'))).toBe(false);
    expect(kept(threads, threads.replace('unmap p[0', 'unmap p[1'))).toBe(false);
  });

  /** The messages behind an edit, when the text before it was known; behind taking it back there are none. */
  const messages = (text: string, edit: string, by: string): string[] => {
    const previous = check(text, known);
    expect(previous.diagnostics).toEqual([]);
    const now = check(text.replace(edit, by), known, { previous });
    expect(check(text, known, { previous: now }).diagnostics).toEqual([]);
    return now.diagnostics.map(({ message }) => message);
  };

  test('keeps in mind who makes a sync file', () => {
    const text = `scenario "x"
surface ring: buffer 4 pages
process app {
  thread one on cpu0 { submit { draw reads ring } as done exported }
  thread two on cpu1 {
    wait done
    attach done to ring
  }
}
`;
    expect(messages(text, 'wait', 'poll')).toEqual(['name what it tells: `poll done as over`']);
    expect(messages(text, ' exported', '')).toEqual([
      'this needs a sync file, and `done` is none; name it with `as done exported`',
    ]);
  });

  test('keeps in mind who makes a surface, and who gives it back', () => {
    const text = `scenario "x"
surface ring: buffer 4 pages
surface big: buffer 4 pages coherent later in ring
process app {
  let p = map ring
  thread one on cpu0 { submit { draw reads big } }
  thread two on cpu1 { create big }
  thread three on cpu0 { destroy ring }
  thread four on cpu1 {
    create ring
    write p[0] = 3
  }
  thread five on cpu1 { write p[0] = 3 }
}
`;
    expect(messages(text, 'five on cpu1 { write p[0]', 'five on cpu1 { write p[1]')).toEqual([]);
    expect(messages(text, 'create big', 'clear_refs')).toEqual([
      'nobody makes `big`; say `create big` in a thread, or leave `later` out',
    ]);
    expect(messages(text, 'draw reads big', 'draw reads ring')).toEqual([]);
    expect(messages(text, 'destroy ring', 'clear_refs')).toEqual([
      '`ring` is there from the beginning; declare it `later`, or `destroy ring` first',
    ]);
  });

  test('has the meaning of the whole made when it is asked for', () => {
    const text = threads.replace('write p[5 pages]', 'write p[1 page] = 3');
    const after = check(text, known, { previous: check(threads, known) });
    const whole = check(text, known);
    expect(after.scenarios[0]?.meaning).toEqual(whole.scenarios[0]?.meaning);
    expect(after.scenarios[0]?.notes.uses.length).toBe(whole.scenarios[0]?.notes.uses.length);
  });

  test('after another, and another, says what a check of the whole says', () => {
    const pieces = [
      '',
      ' ',
      '3',
      'done',
      '[2]',
      'ready',
      'p',
      '}',
      '\n',
      'wait done[4]',
      'signal ready',
      'repeat 0 { read p }',
    ];
    const edits = fc.array(
      fc.record({
        at: fc.nat({ max: threads.length }),
        length: fc.constantFrom(0, 0, 1, 4),
        piece: fc.constantFrom(...pieces),
        back: fc.boolean(),
      }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(edits, (list) => {
        let text = threads;
        let checked = check(text, known);
        for (const { at, length, piece, back } of list) {
          const edited = text.slice(0, at) + piece + text.slice(at + length);
          for (const next of back ? [edited, text] : [edited]) {
            checked = check(next, known, { previous: checked });
            expect(checked.diagnostics).toEqual(check(next, known).diagnostics);
            text = next;
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
