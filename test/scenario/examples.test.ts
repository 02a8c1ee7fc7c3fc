import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { exampleFiles } from '../examples';

for (const file of exampleFiles)
  test(`${file} has no problems and a head comment`, () => {
    const text = readFileSync(file, 'utf8');
    expect(check(text, known).diagnostics).toEqual([]);
    expect(text).toMatch(/^\/\/ \S/);
  });
