// The helpers of the series of April 2019 against the recordings of 6.1, where both are meant to do the same.
import { expect, test } from 'vitest';
import { Replayer, replay } from '../../src/conform/replay';
import { recording } from './recordings';
import { isAlike, onlyFlags } from './series';

for (const name of ['directed.jsonl', 'random-1.jsonl.gz', 'random-large-1.jsonl.gz']) {
  const programs = recording(name).filter(isAlike);
  test(`${name}: the v2 helpers leave the same entries, bitmaps and counts in ${programs.length} programs`, () => {
    const replayer = new Replayer({ preset: 'series-v2', check: true, except: onlyFlags });
    const results = programs.map((program) => replayer.replay(program));
    expect(results.filter(({ failed }) => failed !== undefined)).toEqual([]);
    expect(results.flatMap(({ broken }) => broken)).toEqual([]);
    expect(programs.length).toBeGreaterThan(10);
  });
}

test('v2 passes over a mapping it does not want, where 6.1 stops and hides the later ones', () => {
  const program = recording('directed.jsonl').find(
    (p) => p.program === 'private-first-hides-later',
  )!;
  expect(replay(program).failed).toBeUndefined();
  const { failed } = replay(program, { preset: 'series-v2', except: onlyFlags });
  expect(failed?.operation.op).toBe('wrprotect');
  expect(failed?.differences[0]).toMatchObject({ key: 'ret', expected: 0, actual: 1 });
});
