// Procedures in the editor: what stands in them, how they are called, their names.
import { expect, test } from 'vitest';
import { complete } from '../../src/language/completion';
import { folds } from '../../src/language/outline';
import { signature } from '../../src/language/signature';
import { tokens } from '../../src/language/tokens';
import { check } from '../../src/scenario/diagnostics';
import { inThread, known, marked } from './marked';

const fill = 'procedure fill(range, value) {\n  write range = value\n}\n';
const labels = (text: string): string[] => {
  const { checked, offset } = marked(text);
  return complete(checked, offset, known).map(({ label }) => label);
};

test('in a procedure stands what stands in a thread, and what it is given is known', () => {
  const found = labels(`procedure fill(range, value) {\n  |\n}\n${inThread('')}`);
  expect(found).toContain('write');
  expect(found).not.toContain('scenario');
  expect(found).not.toContain('thread');
});

test('a procedure is offered where a statement begins, with places for what it is given', () => {
  const { checked, offset } = marked(fill + inThread('|'));
  const item = complete(checked, offset, known).find(({ label }) => label === 'fill');
  expect(item?.snippet).toBe('fill(${1:range}, ${2:value})');
});

test('a call shows what the procedure is given, and which part comes next', () => {
  const active = (line: string): string | undefined => {
    const { checked, offset } = marked(fill + inThread(line));
    const found = signature(checked, offset);
    const part = found?.active === undefined ? undefined : found.parts[found.active];
    return part && `${found?.form}: ${found?.form.slice(...part)}`;
  };
  expect(active('fill(|)')).toBe('fill(range, value): range');
  expect(active('fill(p[0 .. 4KiB], |)')).toBe('fill(range, value): value');
  expect(active('fill(p, 1, |)')).toBeUndefined();
});

test('the colours tell a procedure and what it is given apart', () => {
  const text = fill + inThread('fill(p, 1)');
  const found = tokens(check(text, known), { from: 0, to: text.length }).map(
    ({ from, to, type }) => `${text.slice(from, to)} ${type}`,
  );
  expect(found.slice(0, 3)).toEqual(['fill function', 'range parameter', 'value parameter']);
  expect(found).toContain('range parameter');
  expect(found.at(-2)).toBe('fill function');
});

test('its block folds, and that of outcomes offers what may come out', () => {
  const [fold] = folds(check(fill + inThread(''), known));
  expect(fold).toEqual({ fromLine: 0, toLine: 1, comment: false });
  expect(labels(`${inThread('')}outcomes (scans) { | }`)).toEqual([
    'allowed',
    'required',
    'forbidden',
  ]);
});
