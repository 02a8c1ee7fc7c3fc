// Bursts of the range walks that call a function for every entry: what apply_to_pfn_range() and walk_page_range() come to
// when nobody can tell, entries and whole tables at a time. Ours. What the function itself comes to stands beside it
// (`repeated`); that both leave the cells of the micro-steps is tested.
import { PAGE_SIZE } from '../../hardware/pte';
import type { Engine } from '../../routine/engine';
import type { RepeatedCalls } from '../../routine/program';
import type { Burst, FnPtr, Stretch } from '../../routine/routine';
import { type BitsView, pte, type Structs } from '../../state/layout';
import { pmd_trans_huge, pte_none } from '../arch/x86/include/asm/pgtable';
import { pte_t } from '../include/linux/mm_types';
import { addrEnd, entryAt, entryOffset, ptl } from './range';

type PteRef = Structs['pte_t'];

// biome-ignore lint/suspicious/noExplicitAny: the frame of whichever routine walks
type AnyFrame = any;

/** The function that a walk calls for every entry, and what it gives it. */
export interface EntryCall {
  readonly pointer: (f: AnyFrame) => FnPtr;
  readonly args: (f: AnyFrame, pte: PteRef, addr: number) => Readonly<Record<string, unknown>>;
}

/** The loop over the entries of one table, `first` for `addr` up to `end`: a call, and the step to the next one. */
export function entriesAtOnce({ pointer, args }: EntryCall): Burst<AnyFrame> {
  return (f, k, room) => {
    const repeated = k.repeated(pointer(f));
    if (repeated === undefined) return 0;
    const { first, addr } = f;
    const left = Math.floor((f.end - addr) / PAGE_SIZE);
    const n = Math.min(left, Math.floor(room / perEntry(repeated)));
    if (n < 1) return 0;
    const longer = repeated.run(args(f, first, addr), [{ at: first.at, addr, n }], k);
    f.first = entryAt(k, first.at + n * pte_t.cells);
    f.addr = addr + n * PAGE_SIZE;
    f.err = 0;
    return stepsOf(repeated, n, longer);
  };
}

/** How a turn of the loop over the entries of a PMD table goes. */
export interface TableTurns {
  readonly call: EntryCall;
  /** Micro-steps of a turn beside those of the loop over the table's own entries, or 0: not at once. */
  readonly around: (f: AnyFrame, k: Engine) => number;
  /** Micro-steps of a turn for an absent entry, or 0: not at once. */
  readonly absent: (f: AnyFrame) => number;
  /** What turns do beside going through the tables' entries. */
  readonly beside?: (f: AnyFrame, k: Engine) => void;
}

/** The loop over the entries of a PMD table, each with all entries of the table below it. */
export function tablesAtOnce({ call, around, absent, beside }: TableTurns): Burst<AnyFrame> {
  return (f, k, room) => {
    const repeated = k.repeated(call.pointer(f));
    if (repeated === undefined) return 0;
    const [ofPresent, ofAbsent] = [around(f, k), absent(f)];
    const { first, end } = f;
    const stretches: Stretch[] = [];
    let { addr, entry } = f;
    let pmd: number = first.at;
    let entries = 0;
    let steps = 0; // but those for the entries
    while (addr < end) {
      const next = addrEnd(addr, end, 2);
      const value = pte.get(k.store, pmd);
      const turn = pte_none(value) ? ofAbsent : ofPresent;
      const n = pte_none(value) ? 0 : (next - addr) / PAGE_SIZE;
      const most = steps + turn + (entries + n) * perEntry(repeated);
      if (turn === 0 || most > room || pmd_trans_huge(value)) break;
      if (n > 0) {
        const table = entryOffset(k, value, addr, 3);
        if (!k.isFree(ptl(k, table))) break;
        stretches.push({ at: table.at, addr, n });
      }
      steps += turn;
      entries += n;
      entry = value;
      addr = next;
      pmd += pte_t.cells;
    }
    if (steps === 0) return 0;
    if (entries > 0) {
      beside?.(f, k);
      const longer = repeated.run(call.args(f, first, f.addr), stretches, k);
      steps += stepsOf(repeated, entries, longer);
    }
    f.entry = entry;
    f.next = addr;
    f.addr = addr;
    f.first = entryAt(k, pmd);
    f.err = 0;
    return steps;
  };
}

// A turn of the loop over a table's entries is a call and the step to the next one.
const perEntry = ({ long }: RepeatedCalls): number => long + 1;
const stepsOf = ({ short, long }: RepeatedCalls, entries: number, longer: number): number =>
  entries * (short + 1) + longer * (long - short);

/** What taking a bit out of entries came to: how many had it, and the addresses of the first and the last of them. */
interface Taken {
  count: number;
  first: number;
  last: number;
}

/** Notes which entries had the bit: the one for address 0 would be bit `origin`. */
interface Noted {
  readonly bitmap: BitsView;
  readonly origin: number;
}

/**
 * Takes a bit of the low word out of all entries of the stretches. It looks at 32 at a time, of which first a word is made
 * of the bits they had: that is without branches.
 */
export function takeBit(
  { store }: Engine,
  stretches: readonly Stretch[],
  bit: number,
  noted?: Noted,
): Taken {
  const { cells } = store;
  const shift = 31 - Math.clz32(bit);
  const taken: Taken = { count: 0, first: 0, last: 0 };
  for (const { at, addr, n } of stretches) {
    for (let i = 0; i < n; i += 32) {
      const begin = at + 2 * i;
      const end = at + 2 * Math.min(i + 32, n);
      let had = 0;
      for (let cell = end - 2; cell >= begin; cell -= 2) {
        had = (had << 1) | ((cells[cell]! >>> shift) & 1);
      }
      if (had === 0) continue;
      const page = addr / PAGE_SIZE + i;
      noted?.bitmap.setMany(noted.origin + page, had);
      if (taken.count === 0) taken.first = (page + lowest(had)) * PAGE_SIZE;
      taken.last = (page + 31 - Math.clz32(had)) * PAGE_SIZE;
      for (let rest = had; rest !== 0; rest &= rest - 1) {
        const cell = begin + 2 * lowest(rest);
        store.put(cell, cells[cell]! & ~bit);
        taken.count++;
      }
    }
  }
  return taken;
}

const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits);
