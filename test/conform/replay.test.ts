// Recordings of Linux 6.1.192 (x86-64) replayed on the emulated kernel: nothing may come out otherwise.
import fc from 'fast-check';
import { expect, type TestContext, test } from 'vitest';
import { type Operation, outcomeKeys } from '../../src/conform/format';
import { type Replayed, Replayer, replay } from '../../src/conform/replay';
import { recording } from './recordings';

const directed = recording('directed.jsonl');

const checked = new Replayer({ check: true });

declare module 'vitest' {
  interface TaskMeta {
    /** Recorded operations that a test has compared; `npm test` adds them up. */
    operations?: { readonly compared: number; readonly differ: number };
  }
}

/** Says what a test has compared. What follows a difference counts with it, for it was not compared. */
function count({ task }: TestContext, results: readonly Replayed[]): void {
  const sum = (of: (result: Replayed) => number) => results.reduce((n, r) => n + of(r), 0);
  task.meta.operations = {
    compared: sum(({ total }) => total),
    differ: sum(({ total, passed }) => total - passed),
  };
}

for (const program of directed) {
  test(`${program.program}: every entry, mapping, callback, count and value is the recorded one`, (context) => {
    const result = checked.replay(program);
    const { passed, total, failed, broken } = result;
    count(context, [result]);
    expect(failed).toBeUndefined();
    expect(passed).toBe(total);
    expect(broken).toEqual([]);
  });
}

/** The programs of a recording in parts of `size`, so that each test stays short. */
function parts(name: string, size: number) {
  const programs = recording(name);
  return Array.from({ length: Math.ceil(programs.length / size) }, (_, i) => ({
    first: i * size,
    programs: programs.slice(i * size, (i + 1) * size),
  }));
}

for (const [name, size] of [
  ['random-1.jsonl.gz', 250],
  ['random-large-1.jsonl.gz', 50],
] as const) {
  for (const { first, programs } of parts(name, size)) {
    test(`${name}: programs from ${first} on come out as recorded, in every operation`, (context) => {
      const replayer = new Replayer();
      const results = programs.map((program) => replayer.replay(program));
      count(context, results);
      expect(results.filter(({ failed }) => failed !== undefined)).toEqual([]);
    });
  }
}

test('in bursts, as the command line replays them, all programs come out as recorded too', () => {
  const replayer = new Replayer({ bursts: true });
  const programs = [...directed, ...recording('random-large-1.jsonl.gz')];
  const differing = programs
    .map((program) => replayer.replay(program))
    .filter(({ failed }) => failed !== undefined);
  expect(differing).toEqual([]);
});

test('the recordings hold 28,748 operations', () => {
  const names = ['directed.jsonl', 'random-1.jsonl.gz', 'random-large-1.jsonl.gz'];
  const operations = names.flatMap(recording).flatMap(({ ops }) => ops);
  expect(operations.length).toBe(28748);
});

const plain = directed.filter(({ kind }) => kind === 'pfn');

test('an expectation that is wrong in one bit of one entry is reported, at that operation', () => {
  const program = plain.find(({ program }) => program === 'fault-read-then-write-untracked')!;
  const ops = program.ops.map((op) => ({
    ...op,
    vmas: op.vmas.map((vma) => ({
      ...vma,
      pte: Object.fromEntries(
        Object.entries(vma.pte).map(([page, entry]) => [page, entry.replace('wuad', 'wua-')]),
      ),
    })),
  }));
  const { passed, failed } = replay({ ...program, ops });
  expect(passed).toBe(3);
  expect(failed?.operation.op).toBe('write');
  expect(failed?.differences.map(({ key }) => key)).toEqual(['vmas']);
});

test('a wrong count of faults, a missing callback and a value that nobody wrote are reported', () => {
  const program = plain.find(({ program }) => program === 'fault-mkwrite-write-absent')!;
  const change = (with_: object) => ({
    ...program,
    ops: program.ops.map((op) => (op.op === 'write' ? { ...op, ...with_ } : op)),
  });
  const keys = (with_: object) => replay(change(with_)).failed?.differences.map(({ key }) => key);
  expect(keys({ flt: [1, 0] })).toEqual(['flt']);
  expect(keys({ cb: [] })).toEqual(['cb']);
  expect(keys({ value: 77 })).toEqual(['value']);
});

/** Where the numbers, texts and empty lists of a value stand in it. */
function leaves(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  const inside = Object.entries(Object(value));
  if (typeof value === 'string' || inside.length === 0) return [path];
  return inside.flatMap(([key, part]) => leaves(part, [...path, key]));
}

/** Another value in place of what stands at `path`. */
function changed(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key !== undefined) {
    const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as never;
    return Object.assign(copy, { [key]: changed((value as never)[key], rest) });
  }
  if (typeof value === 'number') return value ^ 1;
  return typeof value === 'string' ? value.slice(1) || 'x' : [[0, 1]];
}

test('one wrong value anywhere in what is recorded of an operation is reported, at that operation', () => {
  const replayer = new Replayer();
  const anywhere = fc.tuple(fc.constantFrom(...directed), fc.nat(), fc.nat());
  const wrong = fc.property(anywhere, ([program, some, place]) => {
    const number = some % program.ops.length;
    const op = program.ops[number]!;
    const outcome = Object.fromEntries(
      outcomeKeys.filter((key) => op[key] !== undefined).map((key) => [key, op[key]]),
    );
    const paths = leaves(outcome);
    const path = paths[place % paths.length]!;
    const ops = program.ops.with(number, { ...op, ...(changed(outcome, path) as Operation) });
    const { passed, failed } = replayer.replay({ ...program, ops });
    expect(passed).toBe(number);
    expect(failed?.operation.i).toBe(op.i);
    expect(failed?.differences.map(({ key }) => key)).toEqual([path[0]]);
  });
  fc.assert(wrong, { seed: 1, numRuns: 100 });
});

test('an operation that does not exist is named, and what follows counts as failed', () => {
  const program = plain[0]!;
  const ops = program.ops.map((op, i) => (i === 2 ? { ...op, op: 'juggle' } : op));
  expect(replay({ ...program, ops })).toMatchObject({
    passed: 2,
    total: 6,
    unsupported: 'juggle',
  });
});

test('so is what is not compared, advice that the emulated madvise does not know, words that every object knows', () => {
  const program = directed.find(({ program }) => program === 'madvise-populate-pfn')!;
  const named = (change: object) =>
    replay({
      ...program,
      ops: program.ops.map((op) => (op.op === 'madvise' ? { ...op, ...change } : op)),
    }).unsupported;
  expect(named({})).toBeUndefined();
  expect(named({ advice: 'pageout' })).toBe('madvise pageout');
  expect(named({ advice: 'constructor' })).toBe('madvise constructor');
  expect(named({ op: 'toString' })).toBe('toString');
  expect(named({ rss: 3 })).toBe('madvise with "rss"');
});
