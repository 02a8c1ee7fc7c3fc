// A comparison that could not fail would prove nothing: each of these small wrong changes to memory management is
// noticed. What one CPU shows, by the recordings: named is the first operation that comes out otherwise, and in what.
// What needs a second CPU, by a property of all schedules: named is the property.
import { expect, test } from 'vitest';
import type { RecordedProgram } from '../../src/conform/format';
import { Replayer } from '../../src/conform/replay';
import type { Preset } from '../../src/kernel/variants';
import { concurrent, mutated, sequential } from './mutations';
import { recording } from './recordings';
import { broken } from './schedules';
import { isAlike, onlyFlags } from './series';

const recorded = recording('directed.jsonl');

/** The first difference: program, number and name of the operation, and what differs. */
function difference(preset: Preset): string | undefined {
  const v2 = preset === 'series-v2';
  const replayer = new Replayer(v2 ? { preset, except: onlyFlags } : { preset });
  for (const program of v2 ? recorded.filter(isAlike) : recorded) {
    const found = differenceIn(program, replayer);
    if (found !== undefined) return found;
  }
  return undefined;
}

function differenceIn(program: RecordedProgram, replayer: Replayer): string | undefined {
  const { passed, failed } = replayer.replay(program);
  if (failed === undefined) return undefined;
  const keys = failed.differences
    .map(({ key, actual }) => (key === 'error' ? ending(String(actual)) : key))
    .join(', ');
  return `${program.program}, operation ${passed + 1}, ${failed.operation.op}: ${keys}`;
}

/** An operation that faults for ever is a difference; any other error is one of the change itself. */
function ending(error: string): string {
  if (error.includes('an operation that ends')) return 'it does not end';
  throw new Error(error);
}

for (const mutation of sequential) {
  const { what, preset, routine } = mutation;
  test(`${preset}, ${routine.name}: ${what}; the recordings notice it`, () => {
    expect(mutated(mutation, () => difference(preset))).toBe(mutation.noticed);
  });
}

for (const mutation of concurrent) {
  const { what, preset, routine } = mutation;
  test(`${preset}, ${routine.name}: ${what}; a second CPU notices it`, () => {
    expect(mutated(mutation, () => broken(preset))).toContain(mutation.noticed);
  });
}

for (const preset of ['series-v2', 'linux-6.1'] as const) {
  test(`${preset}: unchanged, the recordings agree and the properties hold`, () => {
    expect(difference(preset)).toBeUndefined();
    expect(broken(preset)).toEqual([]);
  });
}
