// Programs of operations that nobody recorded: drawn from the whole grammar of the recordings by a seed, arguments at
// borders and beyond them included. The same seed gives the same program.
import type { Kind, Operation, RecordedProgram } from '../../src/conform/format';

type Did = Partial<Operation> & { readonly op: string };

/** Numbers below `n` by a small generator (mulberry32). */
function numbersOf(seed: number): (n: number) => number {
  let state = seed | 0;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

/** How often each operation is drawn, against the others. */
const weights: Readonly<Record<string, number>> = {
  mmap: 14,
  munmap: 6,
  mprotect: 18,
  madvise: 6,
  mremap: 7,
  read: 10,
  write: 24,
  kread: 3,
  kwrite: 3,
  fork: 3,
  exit: 1,
  clear_refs: 4,
  refs_touch: 2,
  pagemap: 2,
  wrprotect: 4,
  clean: 4,
  unmap: 3,
  devwrite: 1,
  dirty_add: 3,
  dirty_release: 1,
  scan: 6,
  dirty_unmap: 2,
  transfer: 3,
  clear_res: 1,
};
const drawn = Object.entries(weights).flatMap(([op, weight]) => Array<string>(weight).fill(op));

const advices = [
  ...['normal', 'random', 'sequential', 'willneed', 'dontneed', 'free', 'dontfork', 'dofork'],
  ...['dontdump', 'dodump', 'wipeonfork', 'keeponfork', 'cold', 'populate_read', 'populate_write'],
];

/** Operations as a program; the results that a recording would have are empty. */
export const programOf = (
  line: Omit<RecordedProgram, 'ops'>,
  ops: readonly Did[],
): RecordedProgram => ({
  ...line,
  ops: ops.map((op, i) => ({ i, cb: [], dirty: null, pgdirty: [], vmas: [], ...op })),
});

/** A program of `length` operations, at whose end every process ends. */
export function randomProgram(seed: number, length: number): RecordedProgram {
  const below = numbersOf(seed);
  const one = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const kind = one<Kind>(['pfn', 'mixed', 'page', 'page']);
  const pages = below(8) === 0 ? 505 + below(600) : 2 + below(15);
  const prefault = one([1, 2, 4, 16]);
  const alive = [0];
  let processes = 1;
  const regions = 1 + below(4);
  // Mostly small places, so that mappings meet; sometimes ones at the border of a page table.
  const place = () => (below(6) === 0 ? 500 + below(30) : below(pages < 64 ? 2 * pages : 32));
  const spread = () => {
    const page = below(4) === 0 ? 0 : below(pages);
    return {
      page,
      n: below(12) === 0 ? pages : below(5) === 0 ? below(3) : 1 + below(pages - page),
    };
  };
  const draw = (): Did | undefined => {
    const op = one(drawn);
    const where = { p: one(alive), m: below(regions) };
    switch (op) {
      case 'mmap':
        return {
          ...{ op, ...where, ...spread(), at: place() },
          share: one(['shared', 'shared', 'private', 'private', 'ro'] as const),
          prot: one(['rw', 'rw', 'rw', 'r', 'rwx', 'w', 'none']),
        };
      case 'munmap':
        return { op, ...where, ...spread() };
      case 'mprotect':
        return {
          ...{ op, ...where, ...spread() },
          prot: one(['r', 'rw', 'rw', 'rwx', 'rx', 'w', 'none']),
        };
      case 'madvise':
        return { op, ...where, ...spread(), advice: one(advices) };
      case 'mremap':
        return { op, ...where, ...spread(), to: below(regions + 1), at: place() };
      case 'read':
      case 'kread':
        return { op, ...where, page: below(pages) };
      case 'write':
      case 'kwrite':
        return { op, ...where, page: below(pages), val: 1 + below(255) };
      case 'refs_touch': {
        const touch = () => one(['read', 'write']);
        const page = below(pages);
        return { op, ...where, page, val: 1 + below(4), first: touch(), then: touch() };
      }
      case 'fork':
        if (processes === 5) return undefined;
        alive.push(processes);
        return { op, p: where.p, child: processes++ };
      case 'exit':
        if (alive.length === 1) return undefined;
        alive.splice(alive.indexOf(where.p), 1);
        return { op, p: where.p };
      case 'clear_refs':
        return { op, p: where.p, val: below(7) };
      case 'pagemap':
        return { op, ...where, ...spread() };
      case 'clean': {
        const range = spread();
        const given = below(2) === 0 ? {} : { start: below(pages), end: below(pages + 1) };
        return { op, ...range, bit0: below(range.page + 1), ...given };
      }
      case 'unmap':
        return { op, ...spread(), cows: below(2) };
      case 'devwrite':
        return { op, page: below(pages), val: 1 + below(255) };
      case 'dirty_add':
        return { op, method: one(['auto', 'pagetable', 'mkwrite', 'mkwrite']) };
      case 'dirty_release':
      case 'scan':
        return { op };
      default:
        return { op, ...spread() }; // wrprotect, dirty_unmap, transfer, clear_res
    }
  };
  const ops: Did[] = [{ op: 'mmap', m: 0, share: one(['shared', 'private']) }];
  while (ops.length < length) {
    const op = draw();
    if (op !== undefined) ops.push(op);
  }
  for (const p of alive) ops.push({ op: 'exit', p });
  const program = `seed ${seed}`;
  return programOf({ program, pages, kind, prefault, base: one([0, 16, 1000]) }, ops);
}
