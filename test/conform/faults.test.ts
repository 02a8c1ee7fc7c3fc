// Two behaviours of Linux 6.1 that look like faults of the emulator, and are recorded: each is a variant of its own, on
// under `linux-6.1`, and what the driver loses by it is not lost without it.
import { expect, test } from 'vitest';
import type { RecordedProgram } from '../../src/conform/format';
import { Replayer, replay } from '../../src/conform/replay';
import { presets, variants } from '../../src/kernel/variants';
import { recording } from './recordings';

const directed = recording('directed.jsonl');
const named = (name: string): RecordedProgram => directed.find((p) => p.program === name)!;

/** What the operations of a program come to without a variant. */
const outcomesWithout = (program: RecordedProgram, variant: string) =>
  new Replayer({ without: [variant] }).perform(program, () => {});

test('both have a name and a sentence that says it, and belong to linux-6.1', () => {
  const sentence = (id: string) => variants.find((v) => v.id === id)?.sentence;
  expect(sentence('walk-stops')).toBe(
    'A private mapping hides all later ones from the walk, which ends at the first VMA that it does not want.',
  );
  expect(sentence('mprotect-escape')).toBe(
    'mprotect back to writable makes dirty entries writable at once: later writes escape tracking by mkwrite.',
  );
  expect(presets['linux-6.1']).toEqual(expect.arrayContaining(['walk-stops', 'mprotect-escape']));
});

test('walk-stops: a private mapping hides the dirty entries of later ones; without it they are found', () => {
  const program = named('private-first-hides-later');
  const i = program.ops.findIndex(({ op }) => op === 'clean');
  expect(replay(program).failed).toBeUndefined();
  expect(program.ops[i]).toMatchObject({ ret: 0, got: [] });
  expect(replay(program, { without: ['walk-stops'] }).failed?.operation.op).toBe('wrprotect');
  expect(outcomesWithout(program, 'walk-stops')[i]).toMatchObject({ ret: 1, got: [[1, 2]] });
});

test('mprotect-escape: the write behind mprotect calls no mkwrite and is never found; without it it is marked', () => {
  const program = named('mprotect-mkwrite-escape');
  const i = program.ops.findLastIndex(({ op }) => op === 'write');
  expect(replay(program).failed).toBeUndefined();
  expect(program.ops[i]).toMatchObject({ flt: [0, 0], cb: [] });
  expect(program.ops[i]?.dirty?.bits).toEqual([]);
  const { failed } = replay(program, { without: ['mprotect-escape'] });
  expect(failed?.operation).toMatchObject({ op: 'mprotect', prot: 'rw' });
  const escaped = outcomesWithout(program, 'mprotect-escape')[i];
  expect(escaped?.cb).toMatchObject([{ cb: 'pfn_mkwrite', mark: 1 }]);
  expect(escaped?.dirty?.bits).not.toEqual([]);
});

test('5.1 lets writes escape in the same way', () => {
  const program = named('mprotect-mkwrite-escape');
  const last = (without: string[]) => {
    const replayer = new Replayer({ preset: 'series-v2', without });
    return replayer.perform(program, () => {}).findLast((_, i) => program.ops[i]?.op === 'write')
      ?.cb;
  };
  expect(last([])).toEqual([]);
  expect(last(['mprotect-escape'])).toMatchObject([{ cb: 'pfn_mkwrite' }]);
});
