import { expect, test } from 'vitest';
import { didYouMean, editDistance, nearest } from '../../src/base/suggest';

test('a letter too many, too few, wrong, or two swapped are one edit each', () => {
  expect(editDistance('write', 'writte')).toBe(1);
  expect(editDistance('write', 'wite')).toBe(1);
  expect(editDistance('write', 'wride')).toBe(1);
  expect(editDistance('write', 'wirte')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
});

test('the nearest word is found if it is near', () => {
  expect(nearest('wirte', ['read', 'write', 'wait'])).toBe('write');
  expect(nearest('WRITE', ['read', 'write'])).toBe('write');
  expect(nearest('frobnicate', ['read', 'write'])).toBeUndefined();
  expect(nearest('x', ['p'])).toBeUndefined();
  expect(nearest('a'.repeat(1000), ['a'])).toBeUndefined();
});

test('a suggestion ends a message, or nothing does', () => {
  expect(didYouMean('rng', ['ring'])).toBe('; did you mean `ring`?');
  expect(didYouMean('zzz', ['ring'])).toBe('');
});
