import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';

for (const name of readdirSync('examples').filter((file) => file.endsWith('.coh')))
  test(`${name} has no problems and a head comment`, () => {
    const text = readFileSync(`examples/${name}`, 'utf8');
    expect(check(text, known).diagnostics).toEqual([]);
    expect(text).toMatch(/^\/\/ \S/);
  });
