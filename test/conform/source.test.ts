// What the recordings do not come to, decided by the source of Linux 6.1: each test names the function that says so.
import { expect, test } from 'vitest';
import type { Kind, Operation, Outcome } from '../../src/conform/format';
import { Replayer } from '../../src/conform/replay';
import { programOf } from './programs';

type Did = Partial<Operation> & { readonly op: string };

const replayer = new Replayer({ check: true });

/** What the last of some operations on an object came to; the others go well. */
function last(kind: Kind, ops: readonly Did[], pages = 8): Outcome {
  const line = { program: 'by hand', pages, kind, prefault: 1, base: 16 };
  const outcomes = replayer.perform(programOf(line, ops), () => {});
  for (const [i, outcome] of outcomes.slice(0, -1).entries())
    expect([i, outcome?.err, outcome?.sig]).toEqual([i, undefined, undefined]);
  return outcomes.at(-1)!;
}

/** The mappings as `first page + pages, protection`. */
const mappingsOf = ({ vmas }: Outcome): string[] =>
  vmas.map(({ page, n, fl }) => `${page}+${n} ${fl.split(' m')[0]}`);

const priv = (page: number, n: number): Did => ({
  op: 'mmap',
  page,
  n,
  at: page,
  share: 'private',
});
const write = (page: number): Did => ({ op: 'write', page, val: 1 });
const protect = (page: number, n: number, prot: string): Did => ({ op: 'mprotect', page, n, prot });

test('a mapping between two whose private copies are apart joins the one before only (vma_merge, case 7)', () => {
  // Pages 0 and 4 are copied while a hole is between them, so they belong to two groups.
  const ops = [priv(0, 2), write(0), priv(4, 2), write(4), { ...priv(2, 2), prot: 'r' }];
  expect(mappingsOf(last('page', ops))).toEqual(['0+2 rd wr', '2+2 rd', '4+2 rd wr']);
  expect(mappingsOf(last('page', [...ops, protect(2, 2, 'rw')]))).toEqual([
    '0+4 rd wr',
    '4+2 rd wr',
  ]);
});

test('where only one side has private copies, mprotect joins all three (vma_merge, case 6)', () => {
  const ops = [priv(0, 2), write(0), priv(4, 2), { ...priv(2, 2), prot: 'r' }];
  expect(mappingsOf(last('page', [...ops, protect(2, 2, 'rw')]))).toEqual(['0+6 rd wr']);
});

test('a new mapping joins the one behind it first, and the one before only if their copies go together (mmap_region)', () => {
  const copiedBehind = [priv(0, 2), priv(4, 2), write(4), priv(2, 2)];
  expect(mappingsOf(last('page', copiedBehind))).toEqual(['0+2 rd wr', '2+4 rd wr']);
  const apart = [priv(0, 2), write(0), priv(4, 2), write(4), priv(2, 2)];
  expect(mappingsOf(last('page', apart))).toEqual(['0+2 rd wr', '2+4 rd wr']);
  const neither = [priv(0, 2), priv(4, 2), priv(2, 2)];
  expect(mappingsOf(last('page', neither))).toEqual(['0+6 rd wr']);
  const copiedBefore = [priv(0, 2), write(0), priv(4, 2), priv(2, 2)];
  expect(mappingsOf(last('page', copiedBefore))).toEqual(['0+6 rd wr']);
});

test('copies in neighbours that differ in protection only are of one group, so they join again (find_mergeable_anon_vma)', () => {
  const ops = [priv(0, 4), protect(2, 2, 'rwx'), write(0), write(3), protect(2, 2, 'rw')];
  expect(mappingsOf(last('page', ops))).toEqual(['0+4 rd wr']);
  const backwards = [priv(0, 4), protect(2, 2, 'rwx'), write(3), write(0), protect(2, 2, 'rw')];
  expect(mappingsOf(last('page', backwards))).toEqual(['0+4 rd wr']);
});

test('after a fork the copies of a split mapping are groups of their own, and stay apart (anon_vma_fork)', () => {
  const ops = [priv(0, 4), write(0), protect(2, 2, 'r'), { op: 'fork', child: 1 }];
  const parent = last('page', [...ops, protect(2, 2, 'rw')]);
  expect(mappingsOf(parent)).toEqual(['0+2 rd wr', '0+4 rd wr', '2+2 rd']);
  const child = last('page', [...ops, { ...protect(2, 2, 'rw'), p: 1 }]);
  expect(mappingsOf(child)).toEqual(['0+2 rd wr', '0+2 rd wr', '2+2 rd', '2+2 rd wr']);
});

test('a group is not taken for another that was made where an old mapping was', () => {
  // In the child nothing is taken from a neighbour: its copies have a group of the parent's beside their own.
  const child = (op: Did): Did => ({ ...op, p: 1 });
  const ops = [
    ...[priv(0, 4), write(0), { op: 'fork', child: 1 }, child(protect(2, 2, 'rwx'))],
    ...[child({ op: 'munmap', page: 0, n: 2 }), child(priv(0, 2)), child(write(0))],
  ];
  const { vmas } = last('page', [...ops, child(protect(2, 2, 'rw'))]);
  expect(vmas.filter(({ p }) => p === 1).map(({ page, n }) => [page, n])).toEqual([
    [0, 2],
    [2, 2],
  ]);
});

test('unmapping no pages means all from there on (unmap_mapping_pages)', () => {
  const ops = [{ op: 'mmap' }, write(1), write(3), write(7), { op: 'unmap', page: 2, n: 0 }];
  expect(last('mixed', ops).vmas[0]?.pte).toEqual({ 1: expect.any(String) });
});

test('a store beyond the object gets SIGBUS; the part that was mapped past it joined without asking the driver', () => {
  const beyond = { op: 'mmap', page: 6, n: 4, at: 6 };
  expect(last('page', [beyond]).err).toBe('EINVAL');
  const joined = last('page', [{ op: 'mmap', n: 6 }, beyond]);
  expect(mappingsOf(joined)).toEqual(['0+10 rd wr sh']);
  const { sig, code, cb } = last('page', [{ op: 'mmap', n: 6 }, beyond, write(9)]);
  expect([sig, code]).toEqual(['BUS', 2]);
  expect(cb).toMatchObject([{ cb: 'fault', page: 9, ret: 'SIGBUS', ins: 0 }]);
});

test('moving nothing is EINVAL even where nothing is mapped; an overlap is only seen where something is (mremap)', () => {
  const gone = [{ op: 'mmap' }, { op: 'munmap' }];
  const move = { op: 'mremap', page: 0, n: 4, to: 0, at: 2 };
  expect(last('mixed', [...gone, { ...move, n: 0 }]).err).toBe('EINVAL');
  expect(last('mixed', [...gone, move]).err).toBe('EFAULT');
  expect(last('mixed', [{ op: 'mmap' }, move]).err).toBe('EINVAL');
});

test('a move across the end of its mapping has emptied its destination before it fails (vma_to_resize)', () => {
  const ops = [
    ...[
      { op: 'mmap', n: 4 },
      { op: 'mmap', m: 1 },
    ],
    { op: 'mremap', page: 2, n: 4, to: 1, at: 3 },
  ];
  const { err, vmas } = last('mixed', ops);
  expect(err).toBe('EFAULT');
  expect(vmas.map(({ m, page, n }) => [m, page, n])).toEqual([
    [0, 0, 4],
    [1, 0, 3],
    [1, 7, 1],
  ]);
});

test('advice to populate goes on behind a hole, then it is ENOMEM (madvise_walk_vmas)', () => {
  const hole = [{ op: 'mmap' }, { op: 'munmap', page: 2, n: 2 }];
  const populate = { op: 'madvise', page: 0, n: 6, advice: 'populate_read' };
  const { err, vmas } = last('page', [...hole, populate]);
  expect(err).toBe('ENOMEM');
  expect(vmas.flatMap(({ pte }) => Object.keys(pte))).toEqual(['0', '1', '4', '5']);
});

test('advice is refused where the first mapping does not take it; before a hole it is only missing memory', () => {
  const free = { op: 'madvise', page: 0, n: 4, advice: 'free' };
  expect(last('page', [{ op: 'mmap' }, free]).err).toBe('EINVAL');
  expect(last('page', [{ op: 'mmap' }, { op: 'munmap' }, free]).err).toBe('ENOMEM');
  const dump = (advice: string) => ({ op: 'madvise', advice });
  expect(last('mixed', [{ op: 'mmap' }, dump('dodump')]).err).toBe('EINVAL');
  expect(last('page', [{ op: 'mmap' }, dump('dontdump')]).vmas[0]?.fl).toMatch(/ dd /);
  expect(last('page', [{ op: 'mmap' }, dump('dontdump'), dump('dodump')]).vmas[0]?.fl).not.toMatch(
    / dd /,
  );
  expect(last('page', [{ op: 'mmap' }, dump('wipeonfork')]).err).toBe('EINVAL');
});

test('leaving an object of many pages goes by batches, not deeper and deeper (zap_pte_range)', () => {
  const ops = [{ op: 'mmap' }, { op: 'madvise', advice: 'populate_write' }, { op: 'exit' }];
  expect(last('page', ops, 511).pgdirty).toEqual([[0, 511]]);
});

test('every process may have a copy of every page of every private mapping (do_wp_page)', () => {
  const mapped = [0, 1, 2, 3, 4, 5].map((m) => ({ op: 'mmap', m, share: 'private' as const }));
  const forked = [1, 2, 3].map((child) => ({ op: 'fork', child }));
  const populated = [0, 1, 2, 3].flatMap((p) =>
    mapped.map(({ m }) => ({ op: 'madvise', p, m, advice: 'populate_write' })),
  );
  const { vmas } = last('page', [...mapped, ...forked, ...populated], 16);
  const entries = vmas.flatMap(({ pte }) => Object.values(pte));
  expect(entries.filter((entry) => entry.endsWith('@cow')).length).toBe(4 * 6 * 16);
});

test('a touch that mprotect has forbidden ends in SIGSEGV, whatever was touched before (access_error)', () => {
  const touch = { op: 'refs_touch', page: 0, val: 4, first: 'read', then: 'write' };
  const { sig, code, flt } = last('page', [{ op: 'mmap', prot: 'r' }, touch]);
  expect([sig, code, flt]).toEqual(['SEGV', 2, null]);
});
