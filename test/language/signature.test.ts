import { describe, expect, test } from 'vitest';
import { signature } from '../../src/language/signature';
import { commands, operations } from '../../src/scenario/vocabulary';
import { inThread, marked } from './marked';

/** The form with its active part in angle brackets. */
function shown(text: string): string | undefined {
  const { checked, offset } = marked(text);
  const found = signature(checked, offset);
  if (found === undefined) return undefined;
  const part = found.active === undefined ? undefined : found.parts[found.active];
  if (part === undefined) return found.form;
  const [from, to] = part;
  return `${found.form.slice(0, from)}<${found.form.slice(from, to)}>${found.form.slice(to)}`;
}

describe('signature help', () => {
  test('shows how an operation is written and which part comes next', () => {
    expect(shown(inThread('write |'))).toBe('write <p[0 .. 4KiB]> = 7');
    expect(shown(inThread('write p[0 .. 4|'))).toBe('write <p[0 .. 4KiB]> = 7');
    expect(shown(inThread('write p[0 .. 4KiB] = |'))).toBe('write p[0 .. 4KiB] <= 7>');
    expect(shown(inThread('read p[0] as |'))).toBe('read p[0] <as x>');
    expect(shown(inThread('let q = map |'))).toBe('let p = map <ring>');
  });

  test('of a command in its submission', () => {
    expect(shown(inThread('submit { copy | }'))).toBe('copy <ring[0 .. 4KiB]> to target[0]');
    expect(shown(inThread('submit { draw reads ring, copy ring[0] to | }'))).toBe(
      'copy ring[0 .. 4KiB] <to target[0]>',
    );
    expect(shown(inThread('submit { draw reads ring writes | }'))).toBe(
      'draw reads ring[0 .. 4KiB] <writes target> = 5',
    );
  });

  test('of a question, where its parenthesis is open', () => {
    expect(shown(inThread('assert pte(|'))).toBe('pte(<p[0]>).dirty');
    expect(shown(inThread('assert gpu(ri|'))).toBe('gpu(<ring>)[64KiB]');
    expect(shown(inThread('assert pte(p[0]).dirty |'))).not.toMatch(/^pte/);
  });

  test('of a statement with a word of its own', () => {
    expect(shown(inThread('repeat |'))).toBe('repeat <6> as frame { … }');
    expect(shown(inThread('repeat 3 as |'))).toBe('repeat 6 <as frame> { … }');
  });

  test('of every operation and command there is', () => {
    for (const verb of Object.keys(operations))
      expect(shown(inThread(`${verb} |`)), verb).toContain(verb);
    for (const verb of Object.keys(commands))
      expect(shown(inThread(`submit { ${verb} | }`)), verb).toContain(verb);
  });

  test('of nothing where no statement has begun, and in comments', () => {
    expect(shown(inThread('|'))).toBeUndefined();
    expect(shown(inThread('wri|'))).toBeUndefined();
    expect(shown('// write |')).toBeUndefined();
  });
});
