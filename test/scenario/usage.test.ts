// Scenarios beyond the examples, run to their end: what the language can express does what the driver does.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Loaded, loadScenario, type RunOptions } from '../../src/scenario/load';
import { stepsMax, type Verdict } from '../../src/scenario/run';
import { parse } from '../../src/syntax/parser';
import { print } from '../../src/syntax/printer';
import { Timeline } from '../../src/timeline/timeline';

function load(text: string, options: RunOptions = {}): Loaded {
  const loaded = loadScenario(text, options);
  if (!('run' in loaded))
    throw new Error(JSON.stringify([loaded.problems, loaded.checked.diagnostics]));
  return loaded;
}

function verdict(text: string, options: RunOptions = {}): { verdict: Verdict; problems: string[] } {
  const { run, schedule } = load(text, options);
  const completed = new Timeline(run.engine, schedule).run(() => undefined, stepsMax) === 'end';
  const problems = run.problems(completed);
  return {
    verdict: run.verdict(completed, problems),
    problems: problems.map(({ kind, message }) => `${kind}: ${message}`),
  };
}

for (const folder of ['examples', 'test/scenario/usage'])
  describe(folder, () => {
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.coh'))) {
      const text = readFileSync(`${folder}/${name}`, 'utf8');

      test(`${name} holds`, () => {
        const result = verdict(text);
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
    const { verdict: found, problems } = verdict(ring, { with: ['no-clean-flush'] });
    expect(found).toBe('violated');
    expect(problems.join('\n')).toMatch(/^R1: the GPU read /m);
  });

  test('the large buffer with a mkwrite that marks nothing loses stores', () => {
    const { verdict: found, problems } = verdict(large, { with: ['mkwrite-marks-nothing'] });
    expect(found).toBe('violated');
    expect(problems.join('\n')).toMatch(/^R1: the GPU read /m);
  });
});
