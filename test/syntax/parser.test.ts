import { readdirSync } from 'node:fs';
import { describe } from 'vitest';
import { parse } from '../../src/syntax/parser';
import { checkCases } from '../cases';
import { showParsed } from './show';

const folder = 'test/syntax/cases';

for (const file of readdirSync(folder))
  describe(`${folder}/${file}`, () => {
    checkCases(`${folder}/${file}`, (source) => showParsed(parse(source)));
  });
