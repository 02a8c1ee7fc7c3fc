import { describe, expect, test } from 'vitest';
import { applyEdits } from '../../src/base/text';
import { homeOf, renamable, rename, spotsOf } from '../../src/language/rename';
import { check } from '../../src/scenario/diagnostics';
import { inThread, known, marked } from './marked';

/** The text after the rename, or why there is none. */
function renamed(text: string, name: string): string {
  const { checked, offset } = marked(text);
  const edits = rename([checked], '', offset, name, known);
  return 'refused' in edits ? edits.refused : applyEdits(checked.parsed.text, edits.get('') ?? []);
}

function prepared(text: string): string {
  const { checked, offset } = marked(text);
  const span = renamable([checked], '', offset);
  return 'refused' in span ? span.refused : checked.parsed.text.slice(span.from, span.to);
}

describe('rename', () => {
  test('changes a name in all its places, and leaves a text that means the same', () => {
    const after = renamed(inThread('submit { draw reads ri|ng[0 .. 4KiB] }'), 'backing');
    expect(after).not.toMatch(/\bring\b/);
    expect(after.match(/\bbacking\b/g)).toHaveLength(4);
    expect(check(after, known).diagnostics).toEqual([]);
  });

  test('of a fence reaches the submission that names it', () => {
    expect(renamed(inThread('wait do|ne'), 'over')).toContain('draw reads ring } as over');
  });

  test('of a thread reaches the lines of a schedule', () => {
    const text = `${inThread('write p[0]')}schedule { app until idle, render until idle }\n`;
    const at = text.replace('thread render', 'thread ren|der');
    expect(renamed(at, 'painter')).toContain('schedule { app until idle, painter until idle }');
  });

  test('of what all scenarios of a file share changes all of them', () => {
    const text = (n: string, mark: string): string =>
      `surface ${n}: buffer 4KiB\nscenario "a"\nprocess p { let m = map ${n} }\nscenario "b"\nprocess p { let m = map ${n}${mark} }\n`;
    expect(renamed(text('ring', '|'), 'other')).toBe(text('other', ''));
  });

  test('keeps apart what has the same name in two scenarios', () => {
    const text = (n: string): string =>
      `scenario "a"\nprocess p { let ${n} = 1 }\nscenario "b"\nprocess p { let x = 1 }\n`;
    expect(renamed(text('|x'), 'y')).toBe(text('y'));
  });

  test('is refused where the name is taken, around or further in', () => {
    expect(renamed(inThread('let |x = 1'), 'ring')).toBe(
      'there is a surface `ring` already; choose another name',
    );
    expect(renamed(inThread('let x = 1').replace('let p', 'let |p'), 'x')).toBe(
      'there is a variable `x` already; choose another name',
    );
  });

  test('is refused where the new one is no name', () => {
    expect(renamed(inThread('let |x = 1'), '2x')).toMatch(/^a name is made of letters/);
    expect(renamed(inThread('let |x = 1'), 'repeat')).toBe('`repeat` is a word of the language');
    expect(renamed(inThread('let |x = 1'), 'faults')).toMatch(/is a word of the language/);
  });

  test('is offered for names, and for nothing else', () => {
    expect(prepared(inThread('write |p[0] = 1'))).toBe('p');
    expect(prepared(inThread('wri|te p[0] = 1'))).toBe('`write` is no name of this file');
    expect(prepared(inThread('assert pte(p[0]).di|rty'))).toBe('`dirty` is no name of this file');
    expect(prepared(`|${inThread('')}`)).toBe('`scenario` is no name of this file');
    expect(prepared('scenario "x"\n|\n')).toBe('there is no name here');
  });
});

describe('names of several files', () => {
  const paths = { head: '/s/head.coh', one: '/s/one.coh', two: '/s/two.coh' };
  const texts = {
    head: 'const size = 4KiB\nprocedure fill(range, value) {\n  write range = value\n}\n',
    one: 'import "head.coh"\nscenario "a"\nsurface s: buffer size\nprocess p {\n  let m = map s\n  fill(m, 1)\n}\n',
    two: 'import "head.coh"\nscenario "b"\nsurface s: buffer size * 2\nprocess p {\n  let m = map s\n  fill(m, 2)\n}\n',
  };
  const read = (path: string): string => (path === paths.head ? texts.head : '');
  const checkAt = (file: keyof typeof texts) =>
    check(texts[file], known, { files: { path: paths[file], read } });
  const open = [checkAt('head'), checkAt('one'), checkAt('two')];
  const renamed = (file: keyof typeof texts, at: string, name: string) =>
    rename(open, paths[file], texts[file].indexOf(at), name, known);

  test('are all changed, from where they are used and from where they stand', () => {
    for (const file of ['head', 'one', 'two'] as const) {
      const edits = renamed(file, 'fill', 'store');
      if ('refused' in edits) throw new Error(edits.refused);
      for (const one of ['head', 'one', 'two'] as const) {
        const after = applyEdits(texts[one], edits.get(paths[one]) ?? []);
        expect(after).toBe(texts[one].replace('fill', 'store'));
      }
    }
  });

  test('of what is given to a procedure stay in it', () => {
    const edits = renamed('head', 'value', 'byte');
    expect('refused' in edits ? edits.refused : [...edits.keys()]).toEqual([paths.head]);
  });

  test('are refused where another file has the name', () => {
    const edits = renamed('head', 'size', 's');
    expect('refused' in edits && edits.refused).toMatch(/already/);
  });

  test('lead from one file to the other', () => {
    const home = homeOf(open, paths.one, texts.one.indexOf('fill'));
    expect(home).toMatchObject({ path: paths.head, from: texts.head.indexOf('fill') });
    const spots = spotsOf(open, paths.head, texts.head.indexOf('size'));
    expect(spots.map(({ path, introduces }) => `${path} ${introduces}`)).toEqual([
      '/s/head.coh true',
      '/s/one.coh false',
      '/s/two.coh false',
    ]);
  });
});
