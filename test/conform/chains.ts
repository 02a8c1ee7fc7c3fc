// Call chains: what function_graph recorded of Linux 6.1, and what the emulated kernel's stack goes through for the same
// operation, as trees of names; and tables of what only one of the two has, each name with its reason.
import type { Operation, RecordedProgram } from '../../src/conform/format';
import type { Replayer } from '../../src/conform/replay';
import type { Engine } from '../../src/routine/engine';
import type { Op } from '../../src/routine/program';

/** A function that ran, with those that it called, in their order. */
export interface Call {
  readonly name: string;
  readonly calls: readonly Call[];
}

interface Growing extends Call {
  readonly calls: Growing[];
}

/** One recording: the operation that was done, with its results, and the functions that were traced. */
export interface Chain {
  readonly kind: 'pfn' | 'mixed' | 'page';
  readonly operation: Partial<Operation>;
  readonly calls: readonly Call[];
}

/** Reads a recording: a heading, then function_graph's output. */
export function parseChain(text: string): Chain {
  const [heading = '', ...lines] = text.split('\n');
  const [, kind, op, args] = /^# (pfn|mixed|page) object: (\w+) (.*)$/.exec(heading) ?? [];
  if (op === undefined) throw new Error(`not the heading of a chain: ${heading}`);
  const root: Growing = { name: '', calls: [] };
  const open = [root];
  for (const line of lines) {
    const [, name, more] = /^ *([\w.]+)(?: \[\w+\])?\(\)(;| \{)$/.exec(line) ?? [];
    if (name !== undefined) {
      const call: Growing = { name, calls: [] };
      open.at(-1)!.calls.push(call);
      if (more === ' {') open.push(call);
    } else if (/^ *\}/.test(line)) {
      open.pop();
    } else if (line.trim() !== '') throw new Error(`not a line of a chain: ${line}`);
  }
  return {
    kind: kind as Chain['kind'],
    operation: { op, ...JSON.parse(args!) },
    calls: root.calls,
  };
}

/** What the kernel's macros and inline functions that take and release locks compile to. */
const compiled: Readonly<Record<string, string>> = {
  spin_lock: '_raw_spin_lock',
  spin_lock_nested: '_raw_spin_lock',
  pte_offset_map_lock: '_raw_spin_lock',
  spin_unlock: '_raw_spin_unlock',
  pte_unmap_unlock: '_raw_spin_unlock',
  i_mmap_lock_read: 'down_read',
  i_mmap_unlock_read: 'up_read',
  i_mmap_lock_write: 'down_write',
  i_mmap_unlock_write: 'up_write',
};

/** The functions that an operation calls without a frame of their own, by its text: `b = f(x)` calls f. */
const callsOf = ({ text }: Op): string[] =>
  [...text.matchAll(/\b(\w+)\(/g)].map(([, name]) => compiled[name!] ?? name!);

/** Follows a task: every frame is a call, and so is every recorded function that a step's text names. */
class Follower {
  readonly root: Growing = { name: '', calls: [] };
  private open: { at: number; call: Growing }[] = [];
  private next: Op | undefined;
  /** Functions that are a part of a step. */
  private readonly steps: ReadonlySet<string>;

  constructor(
    private readonly k: Engine,
    private readonly task: number,
    recorded: ReadonlySet<string>,
  ) {
    this.next = k.opOf(task);
    const routines = new Set(k.program.routines.map(({ routine }) => routine.name));
    this.steps = new Set([...recorded].filter((name) => !routines.has(name)));
  }

  /** After a micro-step: what its operation called, then the frames that were entered or left. */
  step(): void {
    const { k, task } = this;
    if (k.task !== task) return;
    const done = this.next;
    const top = this.open.at(-1)?.call;
    if (done !== undefined && top !== undefined && done.of.routine.name === top.name) {
      for (const name of callsOf(done)) {
        if (this.steps.has(name)) top.calls.push({ name, calls: [] });
      }
    }
    const frames = k.stack(task).reverse();
    let common = 0;
    while (
      common < frames.length &&
      frames[common]!.at === this.open[common]?.at &&
      frames[common]!.code.routine.name === this.open[common]!.call.name
    ) {
      common++;
    }
    this.open.splice(common);
    for (const { at, code } of frames.slice(common)) {
      const call: Growing = { name: code.routine.name, calls: [] };
      (this.open.at(-1)?.call ?? this.root).calls.push(call);
      this.open.push({ at, call });
    }
    this.next = k.opOf(task);
  }
}

/** The emulated calls of a program's last operation, steps counted when they name `recorded`, and what it came to. */
export function emulatedChain(
  replayer: Replayer,
  program: RecordedProgram,
  recorded: ReadonlySet<string>,
) {
  let follower: Follower | undefined;
  let engine: Engine | undefined;
  const last = program.ops.at(-1)!;
  const outcome = replayer
    .perform(program, (operation, k) => {
      if (operation !== last) return;
      engine = k;
      follower = new Follower(k, operation.p ?? 0, recorded);
      k.afterStep.push(() => follower!.step());
    })
    .at(-1);
  engine!.afterStep.length = 0;
  return { calls: follower!.root.calls as readonly Call[], outcome };
}

/** The outermost calls of the functions called `names`. */
export const rootsOf = (calls: readonly Call[], names: ReadonlySet<string>): Call[] =>
  calls.flatMap((call) => (names.has(call.name) ? [call] : rootsOf(call.calls, names)));

/** A table: each name with the reason of its group. */
const table = (groups: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(groups).flatMap(([reason, names]) =>
      names.split(/\s+/).map((name) => [name, reason]),
    ),
  );

/** What the model leaves out, with all that it calls. */
export const leftOut = table({
  'RCU: frees are not deferred': '__rcu_read_lock __rcu_read_unlock',
  'voluntary preemption: any task may go next at every step': '__cond_resched',
  'accounting of memory and events': `mem_cgroup_from_task __count_memcg_events __mem_cgroup_charge __cgroup_throttle_swaprate
    lock_page_memcg unlock_page_memcg __mod_lruvec_page_state add_mm_counter_fast sync_mm_rss
    vm_stat_account may_expand_vm`,
  'perf, probes and NUMA hints': 'perf_event_mmap uprobe_munmap page_cpupid_xchg_last',
  'memory types: every frame is cached write-back':
    'track_pfn_insert track_pfn_copy untrack_pfn pfn_modify_allowed',
  'page tables and pages come from pools, in one step':
    'get_zeroed_page alloc_pages vma_alloc_folio',
  'what private copies belong to is a number in the mapping, set in one step':
    '__anon_vma_prepare unlink_anon_vmas __page_set_anon_rmap',
  'LRU lists and reclaim': `lru_add_drain lru_cache_add_inactive_or_unevictable
    flush_tlb_batched_pending`,
  'freed pages and tables go back to their pools in the step of the flush':
    '___pte_free_tlb tlb_batch_pages_flush',
  'page cache and write-back: a dirty page is a flag, never written anywhere':
    'folio_mark_dirty page_rmapping balance_dirty_pages_ratelimited fput',
  'part of the step that names its caller': `folio_unlock vma_interval_tree_subtree_search vma_wants_writenotify native_flush_tlb_one_user`,
});

/** What the model does in the caller, as Linux 5.1 did: its calls are the caller's. */
export const folded = table({ 'came with 5.16, out of __pte_alloc': 'pmd_install' });

/** Emulated routines that have no call of their own in the recordings: theirs are the caller's. */
export const inlined = table({
  'static, with one caller or few: inlined by the compiler': `handle_pte_fault mm_account_fault do_read_fault do_shared_fault wp_pfn_shared wp_page_shared
    wp_page_reuse walk_pud_range walk_pmd_range walk_pte_range zap_pud_range zap_pmd_range
    zap_pte_range copy_pud_range copy_pmd_range copy_pte_range copy_present_pte
    change_protection_range change_pud_range change_pmd_range change_pte_range
    can_change_pte_writable free_p4d_range free_pud_range free_pmd_range free_pte_range`,
  'inline in a header': `put_page tlb_end_vma tlb_flush_mmu_tlbonly tlb_flush_mmu
    mmu_notifier_invalidate_range_start mmu_notifier_invalidate_range_end`,
  'the hardware: the copy of a frame is read at its user address':
    'load translate_address page_walk',
});

/** The calls without those that `pruned` names, and with those that `spliced` names replaced by their own calls. */
function over(
  calls: readonly Call[],
  spliced: Readonly<Record<string, string>>,
  pruned: Readonly<Record<string, string>> = {},
): Call[] {
  return calls.flatMap(({ name, calls }) => {
    if (Object.hasOwn(pruned, name)) return [];
    const rest = over(calls, spliced, pruned);
    return Object.hasOwn(spliced, name) ? rest : [{ name, calls: rest }];
  });
}

/** The recorded calls of functions that the model has. */
export const recordedCommon = (calls: readonly Call[]): Call[] => over(calls, folded, leftOut);

/** The emulated calls of functions that were recorded. */
export const emulatedCommon = (calls: readonly Call[]): Call[] => over(calls, inlined);

/** All names in a tree. */
export const namesIn = (calls: readonly Call[]): string[] =>
  calls.flatMap((call) => [call.name, ...namesIn(call.calls)]);

/** The tree as text, two spaces a level. */
export const chainText = (calls: readonly Call[], indent = ''): string =>
  calls.map((c) => `${indent}${c.name}\n${chainText(c.calls, `${indent}  `)}`).join('');

/** Undefined when both chains are the same over the functions that both have; else both. */
export function difference(
  recorded: readonly Call[],
  emulated: readonly Call[],
): string | undefined {
  const expected = chainText(recordedCommon(recorded));
  const actual = chainText(emulatedCommon(emulated));
  if (expected === actual) return undefined;
  return `recorded:\n${expected}emulated:\n${actual}`;
}
