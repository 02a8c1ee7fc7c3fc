import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from '../../src/syntax/parser';
import { print } from '../../src/syntax/printer';
import { checkCases } from '../cases';
import { exampleFiles } from '../examples';
import { showParsed } from './show';

const format = (source: string): string => print(parse(source));

describe('canonical form', () => {
  checkCases('test/syntax/format/format.txt', (source) => {
    const once = format(source);
    expect(format(once)).toBe(once);
    return once;
  });
});

describe('examples', () => {
  for (const file of exampleFiles)
    test(`${file} is in canonical form`, () => {
      const text = readFileSync(file, 'utf8');
      expect(format(text)).toBe(text);
    });

  for (const file of exampleFiles)
    test(`${file} means the same after its blanks are disarranged and it is formatted`, () => {
      const text = readFileSync(file, 'utf8');
      const spoiled = text
        .replaceAll('  ', '\t ')
        .replaceAll(' == ', '==')
        .replaceAll('\n', '\r\n');
      expect(format(spoiled)).toBe(text);
      expect(showParsed(parse(format(spoiled)))).toBe(showParsed(parse(text)));
    });
});
