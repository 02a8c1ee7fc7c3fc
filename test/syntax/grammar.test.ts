import { readFileSync } from 'node:fs';
import { buildParserFile } from '@lezer/generator';
import { expect, test } from 'vitest';

test('grammar.ts is what node src/syntax/generate.mjs makes of coherence.grammar', () => {
  const source = readFileSync('src/syntax/coherence.grammar', 'utf8');
  const { parser } = buildParserFile(source, { typeScript: true, includeNames: true });
  expect(readFileSync('src/syntax/grammar.ts', 'utf8')).toBe(parser);
});
