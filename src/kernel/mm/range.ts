// The loops over the entries of a table that every range walker of mm/ is made of (zap_pud_range, walk_pmd_range,
// change_pmd_range, ...): ours, since the kernel spells them out each time. An absent entry is passed over with its
// whole span, so a walk costs what is there.
import { levelIndex, levelSpan, pte_pfn } from '../../hardware/pte';
import type { Engine } from '../../routine/engine';
import type { LockView } from '../../routine/locks';
import {
  type AnyBuilder,
  type Burst,
  type Node,
  type Routine,
  routine,
} from '../../routine/routine';
import { type Fields, int, long, pte, ref, type Structs, type U64 } from '../../state/layout';
import { pmd_trans_huge, pte_none } from '../arch/x86/include/asm/pgtable';
import { WARN_BAD_PMD, WARN_BAD_PUD, warn } from '../include/asm-generic/bug';
import { pte_t } from '../include/linux/mm_types';

type PteRef = Structs['pte_t'];

const levelNames = ['pgd', 'pud', 'pmd', 'pte'] as const;

/** The entry at an address of the store. */
export const entryAt = (k: Engine, at: number): PteRef =>
  pte_t.view(k.store, at) as unknown as PteRef;

/** The lock of the table that an entry lies in: pte_lockptr(), pmd_lockptr(). */
export function ptl(k: Engine, entry: PteRef): LockView {
  return k.view('page_table', k.parts.memory.tableOfEntry(entry.at)).ptl;
}

/** The entry of the root table for `address`. */
export function pgd_offset(k: Engine, mm: Structs['mm_struct'], address: number): PteRef {
  return entryAt(k, k.parts.memory.entryAt(mm.pgd, levelIndex(address, 0)));
}

/** The entry for `address` of the table of `level` that `upper` points to. */
export function entryOffset(k: Engine, upper: U64, address: number, level: number): PteRef {
  return entryAt(k, k.parts.memory.entryAt(pte_pfn(upper), levelIndex(address, level)));
}

/** The entry behind this one in the same table. */
export function nextEntry(k: Engine, entry: PteRef): PteRef {
  return entryAt(k, entry.at + pte_t.cells);
}

/** Where the span of the entry of `level` (0 PGD to 2 PMD) that `address` lies in ends, at most `end`. */
export function addrEnd(address: number, end: number, level: number): number {
  const span = levelSpan(level);
  return Math.min(end, (Math.floor(address / span) + 1) * span);
}

/** What every routine of a range walk has beside the arguments that it passes on. */
export const rangeArgs = { first: ref('pte_t'), addr: long, end: long };
export const rangeLocals = { next: long, entry: pte, err: int };

// biome-ignore lint/suspicious/noExplicitAny: the frame of whichever routine walks
type AnyFrame = any;

/** How a walk goes from one level to the next. */
export interface Descent {
  /** The routine for the table below. */
  readonly below: Routine<Fields>;
  /** What it takes beside `first`, `addr` and `end`. */
  readonly args: (f: AnyFrame) => Readonly<Record<string, unknown>>;
  /** A value other than 0 of `below` ends the walk and is returned. */
  readonly stops?: boolean;
  /** Operations before the descent, for a present entry. */
  readonly before?: (b: AnyBuilder) => Node[];
  /** Whether to go down, decided after `before`; a local condition. */
  readonly wanted?: (f: AnyFrame) => boolean;
  /** Operations for an absent entry, which may fill it. */
  readonly absent?: (b: AnyBuilder) => Node[];
  /**
   * Operations for a huge entry, which may go on to `reread` it; one that is huge still is passed over. A walk without
   * them takes a huge entry for a bad one and clears it.
   */
  readonly huge?: (b: AnyBuilder, reread: Node) => Node[];
  /** How entries are gone through at once. */
  readonly burst?: Burst<AnyFrame>;
}

/** pud_clear_bad() and pmd_clear_bad(), behind the read that found a huge entry where a table is expected. */
export function clearBad(b: AnyBuilder, level: number): Node {
  const name = levelNames[level]!;
  return b.step(`${name}_clear_bad(${name})`, (f: { first: PteRef }, k) => {
    f.first.val = { lo: 0, hi: 0 };
    k.emit(warn, { where: level === 1 ? WARN_BAD_PUD : WARN_BAD_PMD });
  });
}

/** Whether a walk is to do with the whole of the huge entry of `level` at `addr`. */
export const wholeHuge = (level: number) => (f: { addr: number; next: number }) =>
  f.next - f.addr === levelSpan(level);

/** Goes through the entries of `level` from `first` on that map [addr, end). */
export function eachEntry(b: AnyBuilder, level: number, descent: Descent): Node[] {
  const name = levelNames[level]!;
  const { args, stops = false, before, absent, wanted, huge, burst } = descent;
  const read = b.step(`${name}_none_or_clear_bad(${name})`, (f) => {
    f.entry = f.first.val;
  });
  const called = [
    b.call(
      descent.below,
      (f, k) => ({
        ...args(f),
        first: entryOffset(k, f.entry, f.addr, level + 1),
        addr: f.addr,
        end: f.next,
      }),
      stops ? 'err' : undefined,
    ),
    ...(stops ? [b.when('err', (f) => f.err !== 0, [b.ret('err', (f) => f.err)])] : []),
  ];
  const isTable = (f: AnyFrame) => !pte_none(f.entry) && !pmd_trans_huge(f.entry);
  const descend =
    level === 0
      ? called
      : [
          b.when(
            `${name}_trans_huge(*${name})`,
            (f) => pmd_trans_huge(f.entry),
            huge?.(b, read) ?? [clearBad(b, level)],
          ),
          b.when('a table', isTable, called),
        ];
  return [
    b.loop('do', [
      ...(burst === undefined ? [] : [b.burst(burst)]),
      b.step(`next = ${name}_addr_end(addr, end); ${name}_none_or_clear_bad(${name})`, (f) => {
        f.next = addrEnd(f.addr, f.end, level);
        f.entry = f.first.val;
      }),
      ...(absent === undefined
        ? []
        : [b.when(`${name}_none(*${name})`, (f) => pte_none(f.entry), [...absent(b), read])]),
      b.when(`!${name}_none(*${name})`, (f) => !pte_none(f.entry), [
        ...(before?.(b) ?? []),
        ...(wanted === undefined ? descend : [b.when('go down', wanted, descend)]),
      ]),
      b.step(`${name}++, addr = next`, (f, k) => {
        f.first = nextEntry(k, f.first);
        f.addr = f.next;
      }),
      b.when('addr == end', (f) => f.addr === f.end, [b.leave()]),
    ]),
  ];
}

/** The routine of a range walk for the tables of one level. */
export function rangeRoutine<A extends Fields>(
  file: string,
  name: string,
  level: number,
  args: A,
  descent: () => Descent,
  locals: Fields = {},
): Routine<A & typeof rangeArgs> {
  const frame = { args: { ...args, ...rangeArgs }, locals: { ...rangeLocals, ...locals } };
  return routine(file, name, frame, (b) => [
    ...eachEntry(b, level, descent()),
    b.ret('0', () => 0),
  ]);
}
