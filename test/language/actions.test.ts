import { describe, expect, test } from 'vitest';
import { applyEdits } from '../../src/base/text';
import { actions } from '../../src/language/actions';
import { check } from '../../src/scenario/diagnostics';
import { inThread, known } from './marked';

/** The actions for what stands between two markers, by their titles, with the texts that they make. */
function offered(text: string): Map<string, string> {
  const from = text.indexOf('|');
  const to = text.indexOf('|', from + 1) - 1;
  const plain = text.replaceAll('|', '');
  const found = actions(check(plain, known), { from, to });
  return new Map(found.map(({ title, edits }) => [title, applyEdits(plain, edits)]));
}

describe('quick fixes', () => {
  test('come with the messages that the selection touches', () => {
    const found = offered(inThread('|wriet| p[0] = 1'));
    expect([...found.keys()]).toEqual(['Change to `write`']);
    expect(found.get('Change to `write`')).toBe(inThread('write p[0] = 1'));
    expect([...offered(inThread('wriet p[0]\n|read| p[0]')).keys()]).toEqual([]);
  });

  test('declare a surface that is missing, where a surface is wanted', () => {
    const found = offered(inThread('submit { draw reads |target| }'));
    const after = found.get('Declare the surface `target`') ?? '';
    expect(after).toContain('coherent\nsurface target: buffer 96KiB coherent\nprocess app {');
    expect(check(after, known).diagnostics).toEqual([]);
    expect([...offered(inThread('write |target|[0]')).keys()]).toEqual([]);
  });

  test('use the mapping of a surface, or make one', () => {
    expect(offered(inThread('write |ring|[0] = 1')).get('Use its mapping `p`')).toBe(
      inThread('write p[0] = 1'),
    );
    const text = inThread('write |other|[0] = 1').replace(
      'surface ring',
      'surface other: buffer 4KiB\nsurface ring',
    );
    const after = offered(text).get('Map `other` first') ?? '';
    expect(after).toContain('      let p2 = map other\n      write p2[0] = 1\n');
    expect(check(after, known).diagnostics).toEqual([]);
  });
});

describe('extracting', () => {
  test('a surface makes it one of all scenarios, and takes the same of others away', () => {
    const one = (title: string, mark: string): string =>
      `scenario "${title}"\nsurface r${mark}${mark}ing: buffer 4KiB coherent\nprocess p { let m = map ring }\n`;
    const found = offered(one('a', '|') + one('b', ''));
    const after = found.get('Extract the surface `ring` for all scenarios of this file') ?? '';
    expect(after).toBe(
      'surface ring: buffer 4KiB coherent\n\nscenario "a"\nprocess p { let m = map ring }\nscenario "b"\nprocess p { let m = map ring }\n',
    );
    expect(check(after, known).diagnostics).toEqual([]);
  });

  test('a surface is not offered where another scenario means something else by its name', () => {
    const text =
      'scenario "a"\nsurface r||ing: buffer 4KiB\nprocess p { let m = map ring }\nscenario "b"\nsurface ring: buffer 8KiB\nprocess p { let m = map ring }\n';
    expect([...offered(text).keys()]).toEqual([]);
  });

  test('a value names it on a line before its statement', () => {
    const found = offered(inThread('write p[|(frame % 3) * 4KiB|] = 1'));
    const after = found.get('Extract into `let value`') ?? '';
    expect(after).toBe(inThread('let value = (frame % 3) * 4KiB\n      write p[value] = 1'));
    expect(check(after, known).diagnostics).toEqual([]);
  });

  test('a value in a submission is named before the submission', () => {
    const found = offered(inThread('submit { draw reads ring[0 .. |frame + 1|] }'));
    expect(found.get('Extract into `let value`')).toBe(
      inThread('let value = frame + 1\n      submit { draw reads ring[0 .. value] }'),
    );
  });

  test('a value is not extracted from a property, which is looked at again and again', () => {
    const text = `${inThread('read p[0]')}always |scans + 1| > 0\n`;
    expect([...offered(text).keys()]).toEqual([]);
  });
});

describe('what the last run came to', () => {
  const text = `${inThread('')}finally faults.write == 7\n`;
  const at = text.indexOf('7\n');
  const fix = { title: 'Expect 2', edits: [{ from: at, to: at + 1, text: '2' }] };
  const titles = (from: number): string[] =>
    actions(check(text, known), { from, to: from }, [fix]).map(({ title }) => title);

  test('is offered on its line and on the first line of the scenario, and nowhere else', () => {
    expect(titles(at)).toEqual(['Expect 2']);
    expect(titles(3)).toEqual(['Expect 2']);
    expect(titles(text.indexOf('process'))).toEqual([]);
  });
});
