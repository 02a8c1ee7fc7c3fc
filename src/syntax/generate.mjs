// Compiles coherence.grammar into grammar.ts, which is checked in: node src/syntax/generate.mjs
// A test fails when the two differ.
import { readFileSync, writeFileSync } from 'node:fs';
import { buildParserFile } from '@lezer/generator';

const source = readFileSync(new URL('coherence.grammar', import.meta.url), 'utf8');
const { parser } = buildParserFile(source, { typeScript: true, includeNames: true });
writeFileSync(new URL('grammar.ts', import.meta.url), parser);
