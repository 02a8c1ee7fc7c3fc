// mm/pagewalk.c (Linux 6.1): the walk over the entries of a range, or of all mappings of a file, by a table of callbacks.
// Huge entries that the callbacks leave are split. Left out: holes, and walks that lock mmap_sem themselves.
import { PAGE_SIZE } from '../../hardware/pte';
import { type FnPtr, fnptr, type Routine, routine } from '../../routine/routine';
import {
  bool,
  type Fields,
  int,
  isNull,
  long,
  pte,
  ref,
  type Structs,
  struct,
  type U64,
  type View,
} from '../../state/layout';
import { pmd_trans_huge, pte_none } from '../arch/x86/include/asm/pgtable';
import '../include/linux/mm_types';
import { type EntryCall, entriesAtOnce, tablesAtOnce } from './burst';
import { __split_huge_pmd, __split_huge_pud } from './huge_memory';
import { clip, vma_interval_tree_iter_first, vma_interval_tree_iter_next } from './interval_tree';
import { find_vma } from './mmap';
import {
  type Descent,
  eachEntry,
  entryOffset,
  nextEntry,
  pgd_offset,
  ptl,
  rangeArgs,
  rangeLocals,
  rangeRoutine,
} from './range';

const file = 'mm/pagewalk.c';

/** What a callback wants the walk to do with an upper entry. */
export const ACTION_SUBTREE = 0; // go on with what is below it
export const ACTION_CONTINUE = 1; // pass it over
export const ACTION_AGAIN = 2; // look at it again

const entry_args = { pte: ref('pte_t'), addr: long, next: long, walk: ref('mm_walk') };
const vma_args = { start: long, end: long, walk: ref('mm_walk') };

/** The callbacks of a walk; all but `pte_entry` may be absent. Named arguments are those of the kernel. */
export const mm_walk_ops = struct('mm_walk_ops', {
  fixed: {
    pud_entry: fnptr(entry_args, int),
    pmd_entry: fnptr(entry_args, int),
    pte_entry: fnptr(entry_args, int),
    test_walk: fnptr(vma_args, int),
    pre_vma: fnptr(vma_args, int),
    post_vma: fnptr({ walk: ref('mm_walk') }),
  },
});

/** A walk under way; lives on the stack of whoever began it. `private` is the address of that one's own data. */
export const mm_walk = struct('mm_walk', {
  own: {
    ops: ref('mm_walk_ops'),
    mm: ref('mm_struct'),
    vma: ref('vm_area_struct'),
    action: int,
    private: int,
  },
});

declare module '../../state/layout' {
  interface Structs {
    mm_walk_ops: View<typeof mm_walk_ops>;
    mm_walk: View<typeof mm_walk>;
  }
}

/**
 * Walks pages [first_index, nr) of a file in each of its mappings, i_mmap_rwsem held. A mapping that the test refuses
 * ends the whole walk in Linux 5.5 to 6.1, where the comment says that it is passed over.
 */
export const walk_page_mapping = routine(
  file,
  'walk_page_mapping',
  {
    args: {
      mapping: ref('address_space'),
      first_index: int,
      nr: int,
      walk: ref('mm_walk'),
    },
    locals: { vma: ref('vm_area_struct'), start: long, end: long, err: int },
    returns: int,
  },
  ({ step, when, loop, leave, call, variant, ret }) => [
    step('vma = vma_interval_tree_iter_first(&mapping->i_mmap, first, last)', (f) => {
      const last = f.first_index + f.nr - 1;
      f.vma = vma_interval_tree_iter_first(f.mapping, f.first_index, last);
    }),
    loop('vma_interval_tree_foreach(vma)', [
      when('!vma', (f) => isNull(f.vma), [leave()]),
      step('clip to the vma; walk.vma = vma', (f) => {
        ({ start: f.start, end: f.end } = clip(f.vma, f.first_index, f.nr));
        f.walk.vma = f.vma;
        f.walk.mm = f.vma.vm_mm;
      }),
      when('start_addr < end_addr', (f) => f.start < f.end, [
        call(walk_page_test, (f) => ({ start: f.start, end: f.end, walk: f.walk }), 'err'),
        variant('walk-stops', [when('err', (f) => f.err !== 0, [leave()])]),
        when('!err', (f) => f.err === 0, [
          call(__walk_page_range, (f) => ({ start: f.start, end: f.end, walk: f.walk }), 'err'),
          when('err', (f) => f.err !== 0, [leave()]),
        ]),
      ]),
      step('vma = vma_interval_tree_iter_next(vma, first, last)', (f) => {
        const last = f.first_index + f.nr - 1;
        f.vma = vma_interval_tree_iter_next(f.vma, f.first_index, last);
      }),
    ]),
    ret('err < 0 ? err : 0', (f) => Math.min(f.err, 0)),
  ],
);

const walk_locals = { err: int };

/** Asks the test callback: 0 to walk, 1 to skip. */
export const walk_page_test = routine(
  file,
  'walk_page_test',
  { args: vma_args, locals: walk_locals, returns: int },
  ({ when, callPointer, ret }) => [
    when('ops->test_walk', (f) => f.walk.ops.test_walk !== 0, [
      callPointer(
        'ops->test_walk(start, end, walk)',
        (f) => f.walk.ops.test_walk,
        (f) => ({ start: f.start, end: f.end, walk: f.walk }),
        'err',
      ),
    ]),
    ret('err', (f) => f.err),
  ],
);

/** Walks one mapping, between the callbacks before and after it. */
export const __walk_page_range = routine(
  file,
  '__walk_page_range',
  { args: vma_args, locals: walk_locals, returns: int },
  ({ when, call, callPointer, ret }) => [
    when('ops->pre_vma', (f) => f.walk.ops.pre_vma !== 0, [
      callPointer(
        'ops->pre_vma(start, end, walk)',
        (f) => f.walk.ops.pre_vma,
        (f) => ({ start: f.start, end: f.end, walk: f.walk }),
        'err',
      ),
      when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
    ]),
    call(walk_pgd_range, (f) => ({ addr: f.start, end: f.end, walk: f.walk }), 'err'),
    when('ops->post_vma', (f) => f.walk.ops.post_vma !== 0, [
      callPointer(
        'ops->post_vma(walk)',
        (f) => f.walk.ops.post_vma,
        (f) => ({ walk: f.walk }),
      ),
    ]),
    ret('err', (f) => f.err),
  ],
);

const walk_args = { walk: ref('mm_walk') };
const down = (f: { walk: Structs['mm_walk'] }) => ({ walk: f.walk });

export const walk_pgd_range = routine(
  file,
  'walk_pgd_range',
  {
    args: { addr: long, end: long, ...walk_args },
    locals: { first: ref('pte_t'), ...rangeLocals },
    returns: int,
  },
  (b) => [
    b.step('pgd = pgd_offset(walk->mm, addr)', (f, k) => {
      f.first = pgd_offset(k, f.walk.mm, f.addr);
    }),
    ...eachEntry(b, 0, { below: walk_pud_range, args: down, stops: true }),
    b.ret('0', () => 0),
  ],
);

/** Whether there is a callback for what lies below an entry of this level. */
const goesBelow = (ops: Structs['mm_walk_ops'], name: 'pud_entry' | 'pmd_entry'): boolean =>
  ops.pte_entry !== 0 || (name === 'pud_entry' && ops.pmd_entry !== 0);

/** Down to the next level, after asking a callback about the entry. A huge one is split, and looked at again. */
function asking(name: 'pud_entry' | 'pmd_entry', below: Routine<Fields>): Descent {
  const split = name === 'pud_entry' ? __split_huge_pud : __split_huge_pmd;
  return {
    below,
    args: down,
    stops: true,
    before: (b) => [
      b.when(`ops->${name}`, (f) => f.walk.ops[name] !== 0, [
        b.callPointer(
          `ops->${name}(addr, next, walk)`,
          (f): FnPtr<typeof entry_args> => f.walk.ops[name],
          (f) => ({ pte: f.first, addr: f.addr, next: f.next, walk: f.walk }),
          'err',
        ),
        b.when('err', (f) => f.err !== 0, [b.ret('err', (f) => f.err)]),
        b.when('walk->action == ACTION_AGAIN', (f) => f.walk.action === ACTION_AGAIN, [b.again()]),
      ]),
    ],
    huge: (b) => [
      b.call(split, (f) => ({ vma: f.walk.vma, entry: f.first, address: f.addr })),
      b.again(),
    ],
    wanted: ({ walk }) => walk.action === ACTION_SUBTREE && goesBelow(walk.ops, name),
  };
}

export const walk_pud_range = rangeRoutine(file, 'walk_pud_range', 1, walk_args, () =>
  asking('pud_entry', walk_pmd_range),
);

const pte_entry: EntryCall = {
  pointer: (f) => f.walk.ops.pte_entry,
  args: (f, pte, addr) => ({ pte, addr, next: addr + PAGE_SIZE, walk: f.walk }),
};

export const walk_pmd_range = rangeRoutine(file, 'walk_pmd_range', 2, walk_args, () => ({
  ...asking('pmd_entry', walk_pte_range),
  burst: tablesAtOnce({
    call: pte_entry,
    // The entry read; the callback for it; in walk_pte_range the call, 4 operations; the next entry.
    around: ({ walk: { ops, action } }, k) => {
      if (ops.pmd_entry === 0) return action === ACTION_SUBTREE ? 7 : 0;
      const asked = k.repeated(ops.pmd_entry);
      return asked === undefined ? 0 : 7 + asked.short;
    },
    absent: () => 2,
    beside: ({ addr, next, first, walk }, k) => {
      k.repeated(walk.ops.pmd_entry)?.run({ pte: first, addr, next, walk }, [], k);
    },
  }),
}));

/** Calls the callback for every entry of one table, absent ones too, its lock held. */
export const walk_pte_range = routine(
  file,
  'walk_pte_range',
  {
    args: { ...walk_args, ...rangeArgs },
    locals: { table: ref('pte_t'), err: int },
    returns: int,
  },
  ({ step, when, loop, burst, leave, callPointer, acquire, release, ret }) => [
    step('pte = pte_offset_map(pmd, addr)', (f) => {
      f.table = f.first;
    }),
    acquire('spin_lock(ptl)', (f, k) => ptl(k, f.table)),
    loop('for (;;)', [
      burst(entriesAtOnce(pte_entry)),
      callPointer(
        'err = ops->pte_entry(pte, addr, addr + PAGE_SIZE, walk)',
        pte_entry.pointer,
        (f) => pte_entry.args(f, f.first, f.addr),
        'err',
      ),
      when('err', (f) => f.err !== 0, [leave()]),
      step('addr += PAGE_SIZE; pte++', (f, k) => {
        f.addr += PAGE_SIZE;
        f.first = nextEntry(k, f.first);
      }),
      when('addr >= end', (f) => f.addr >= f.end, [leave()]),
    ]),
    release('pte_unmap_unlock(pte, ptl)', (f, k) => ptl(k, f.table)),
    ret('err', (f) => f.err),
  ],
);

/** Walks the mappings of [start, end) of an address space, mmap_sem held; those the test refuses are passed over. */
export const walk_page_range = routine(
  file,
  'walk_page_range',
  {
    args: { mm: ref('mm_struct'), start: long, end: long, walk: ref('mm_walk') },
    locals: { vma: ref('vm_area_struct'), from: long, to: long, err: int, inside: bool },
    returns: int,
  },
  ({ step, when, loop, leave, call, ret }) => [
    loop('for each mapping', [
      step('walk.vma = find_vma(mm, start)', (f) => {
        f.vma = find_vma(f.mm, f.start);
        f.inside = !isNull(f.vma) && f.vma.vm_start < f.end;
        if (!f.inside) return;
        f.from = Math.max(f.start, f.vma.vm_start);
        f.to = Math.min(f.end, f.vma.vm_end);
        f.walk.vma = f.vma;
        f.walk.mm = f.mm;
      }),
      when('none left', (f) => !f.inside, [leave()]),
      call(walk_page_test, (f) => ({ start: f.from, end: f.to, walk: f.walk }), 'err'),
      when('err < 0', (f) => f.err < 0, [ret('err', (f) => f.err)]),
      when('!err', (f) => f.err === 0, [
        call(__walk_page_range, (f) => ({ start: f.from, end: f.to, walk: f.walk }), 'err'),
        when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
      ]),
      step('start = next', (f) => {
        f.start = f.to;
      }),
    ]),
    ret('0', () => 0),
  ],
);

/** The entry that maps an address, huge or not, or none; each level is read in a step of its own. */
export const readEntry = routine(
  file,
  'readEntry',
  {
    args: { mm: ref('mm_struct'), addr: long },
    locals: { entry: pte, level: int, ptep: ref('pte_t') },
  },
  ({ step, when, loop, leave, ret }) => [
    step('pgd = pgd_offset(mm, addr)', (f, k) => {
      f.ptep = pgd_offset(k, f.mm, f.addr);
    }),
    loop('down to the PTE', [
      step('*entry', (f) => {
        f.entry = f.ptep.val;
      }),
      when('none, or a leaf', (f) => pte_none(f.entry) || isLeaf(f), [leave()]),
      step('the entry below', (f, k) => {
        f.level++;
        f.ptep = entryOffset(k, f.entry, f.addr, f.level);
      }),
    ]),
    ret('entry', (f) => f.entry),
  ],
);

const isLeaf = (f: { level: number; entry: U64 }): boolean =>
  f.level === 3 || pmd_trans_huge(f.entry);
