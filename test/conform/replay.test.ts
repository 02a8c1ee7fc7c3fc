// Recordings of Linux 6.1.192 (x86-64) replayed on the emulated kernel: nothing may come out otherwise.
import { expect, test } from 'vitest';
import { replay } from '../../src/conform/replay';
import { recording } from './recordings';

const directed = recording('directed.jsonl');

const wanted = new Set(
  `mmap munmap read write wrprotect clean scan unmap dirty_add dirty_release transfer clear_res
   devread devwrite dirty_unmap kread kwrite`.split(/\s+/),
);
const plain = directed.filter(
  ({ kind, ops }) => kind === 'pfn' && ops.every(({ op }) => wanted.has(op)),
);

test('46 directed programs on bare frames use mmap, accesses, the helpers and the tracker only', () => {
  expect(plain.length).toBe(46);
});

for (const program of plain) {
  test(`${program.program}: every entry, mapping, callback, count and value is the recorded one`, () => {
    const { passed, total, failed, broken } = replay(program, { check: true });
    expect(failed).toBeUndefined();
    expect(passed).toBe(total);
    expect(broken).toEqual([]);
  });
}

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

test('an operation that does not exist is named, and what follows counts as failed', () => {
  const program = plain[0]!;
  const ops = program.ops.map((op, i) => (i === 2 ? { ...op, op: 'juggle' } : op));
  expect(replay({ ...program, ops })).toMatchObject({
    passed: 2,
    total: 6,
    unsupported: 'juggle',
  });
});
