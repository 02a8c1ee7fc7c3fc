// Scenarios beyond the examples, run to their end: what the language can express does what the driver does.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from '../../src/syntax/parser';
import { print } from '../../src/syntax/printer';
import { outcome } from './outcome';

for (const folder of ['examples', 'test/scenario/usage'])
  describe(folder, () => {
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.coh'))) {
      const text = readFileSync(`${folder}/${name}`, 'utf8');

      test(`${name} holds`, () => {
        const result = outcome(text);
        expect(result.problems.filter((problem) => !problem.startsWith('race'))).toEqual([]);
        expect(result.verdict).toBe('holds');
      });

      test(`${name} is in canonical form`, () => {
        expect(print(parse(text))).toBe(text);
      });
    }
  });

describe('faults put in are found', () => {
  const ring = readFileSync('examples/01-ring-buffer.coh', 'utf8');
  const large = readFileSync('examples/02-large-buffer.coh', 'utf8');

  test('the ring without the TLB flush after cleaning loses stores', () => {
    const { verdict: found, problems } = outcome(ring, { with: ['no-clean-flush'] });
    expect(found).toBe('violated');
    expect(problems.join('\n')).toMatch(/^R1: the GPU read /m);
  });

  test('the large buffer with a mkwrite that marks nothing loses stores', () => {
    const { verdict: found, problems } = outcome(large, { with: ['mkwrite-marks-nothing'] });
    expect(found).toBe('violated');
    expect(problems.join('\n')).toMatch(/^R1: the GPU read /m);
  });
});
