// What is shown in and over the text: colours, inlay hints, inline values, lenses.
import { describe, expect, test } from 'vitest';
import { inlays } from '../../src/language/inlays';
import { inlineValues } from '../../src/language/inlineValues';
import { lenses } from '../../src/language/lenses';
import { tokens } from '../../src/language/tokens';
import { check } from '../../src/scenario/diagnostics';
import { inThread, known, marked } from './marked';

const all = (text: string) => ({ from: 0, to: text.length });

describe('semantic colours', () => {
  const coloured = (text: string): string[] =>
    tokens(check(text, known), all(text)).map(({ from, to, type, modifiers }) =>
      [text.slice(from, to), type, ...modifiers].join(' '),
    );

  test('tell kinds of names apart, and where each is introduced', () => {
    expect(coloured(inThread('write p[0] = frame'))).toEqual([
      'ring type declaration',
      'app namespace declaration',
      'p variable declaration',
      'map function defaultLibrary',
      'ring type',
      'render function declaration',
      'submit function defaultLibrary',
      'draw function defaultLibrary',
      'ring type',
      'done event declaration',
      'signal function defaultLibrary',
      'ready event declaration',
      'frame variable declaration',
      'write function defaultLibrary',
      'p variable',
      'frame variable',
    ]);
  });

  test('know what the language brings along, and leave unknown words alone', () => {
    const found = coloured(inThread('assert tracker(ring).method == mkwrite and faults.read == x'));
    expect(found.slice(13)).toEqual([
      'tracker function defaultLibrary',
      'ring type',
      'method property defaultLibrary',
      'mkwrite enumMember defaultLibrary',
      'faults property defaultLibrary',
      'read property defaultLibrary',
    ]);
  });

  test('a name that is a constant is read only', () => {
    expect(coloured('const size = 1\nscenario "x"\nprocess a { let b = size }\n')).toEqual([
      'size variable declaration readonly',
      'a namespace declaration',
      'b variable declaration',
      'size variable readonly',
    ]);
  });

  test('of a part of the text are those of the whole that lie in it', () => {
    const text = inThread('write p[0] = frame');
    const span = { from: text.indexOf('write'), to: text.indexOf('= frame') };
    const part = tokens(check(text, known), span).map(({ from }) => from);
    const whole = tokens(check(text, known), all(text)).map(({ from }) => from);
    expect(part).toEqual(whole.filter((from) => span.from <= from && from < span.to));
  });
});

describe('inlay hints', () => {
  const hinted = (text: string): string[] =>
    inlays(check(text, known), all(text)).map(
      ({ at, text: hint }) =>
        `${text.slice(text.lastIndexOf('\n', at - 1) + 1, at).trim()} ‹${hint}›`,
    );

  test('say how many pages a surface has, and which a range touches', () => {
    expect(hinted(inThread('write p[4KiB .. 12KiB] = 1'))).toEqual([
      'surface ring: buffer 96KiB ‹24 pages›',
      'write p[4KiB .. 12KiB] ‹pages 1 to 2›',
    ]);
    expect(hinted(inThread('write p[0 .. 1] = 1'))).toContain('write p[0 .. 1] ‹page 0›');
  });

  test('compute constants, and end an open range of a surface with it', () => {
    const text = `const part = 32KiB\n${inThread('submit { draw reads ring[part * 2 ..] }')}`;
    expect(hinted(text)).toContain('submit { draw reads ring[part * 2 ..] ‹pages 16 to 23›');
  });

  test('say nothing where the text is in pages, or only the run knows', () => {
    expect(hinted('scenario "x"\nsurface a: buffer 3 pages\nprocess p { }\n')).toEqual([]);
    expect(hinted(inThread('write p[frame * 4KiB .. 8KiB] = 1'))).toHaveLength(1);
    expect(hinted(inThread('write p[0] = 1'))).toHaveLength(1);
  });
});

describe('inline values', () => {
  const valued = (text: string): string[] => {
    const { checked, offset } = marked(text);
    const { text: whole } = checked.parsed;
    return inlineValues(checked, all(whole), offset).map(
      ({ from, to, expression }) => `${whole.slice(from, to)}: ${expression}`,
    );
  };

  test('are of variables, mappings and fences up to the line of the stop, and of the PTEs that it names', () => {
    expect(valued(inThread('|write p[frame * 4KiB] = frame'))).toEqual([
      'p: pte(p[0])',
      'done: done.signaled',
      'frame: frame',
      'p: pte(p[0])',
      'p[frame * 4KiB]: pte(p[frame * 4KiB])',
      'frame: frame',
    ]);
  });

  test('of one of several fences the one that the line names', () => {
    const text = inThread('submit { draw reads ring } as more[frame]\n|wait more[frame - 0]');
    expect(valued(text)).toContain('more: more[frame - 0].signaled');
  });

  test('are of nothing behind the stop', () => {
    const values = valued(inThread('|read p[0] as x\n      let later = x'));
    expect(values.join()).not.toContain('later');
  });
});

describe('code lenses', () => {
  const text = 'scenario "a"\nprocess p { }\n\nscenario "b"\nprocess p { }\nscenario\n';
  const shown = (...commands: string[]): string[] =>
    lenses(check(text, known), new Set(commands)).map(
      ({ from, title, scenario }) =>
        `${text.slice(0, from).split('\n').length}: ${title} ${scenario}`,
    );

  test('stand over each scenario that has a title, in one order', () => {
    expect(shown('coherence.debug', 'coherence.run')).toEqual([
      '1: Run a',
      '1: Debug a',
      '4: Run b',
      '4: Debug b',
    ]);
  });

  test('are there for the commands that the client has', () => {
    expect(shown('coherence.outcomes', 'coherence.explore', 'other.run')).toEqual([
      '1: Explore a',
      '1: Outcomes a',
      '4: Explore b',
      '4: Outcomes b',
    ]);
    expect(shown()).toEqual([]);
  });
});
