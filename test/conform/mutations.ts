// Small wrong changes to memory management, each of which a comparison with the real kernel must notice. A change
// replaces one operation in the table of one routine, before machines are built; nothing in the sources knows of it.
import { PAGE_SIZE } from '../../src/hardware/pte';
import {
  pte_mkclean,
  pte_mkdirty,
  pte_mkold,
  pte_mkspecial,
  pte_mkwrite,
  pte_wrprotect,
} from '../../src/kernel/arch/x86/include/asm/pgtable';
import { flush_tlb_func, flush_tlb_multi } from '../../src/kernel/arch/x86/mm/tlb';
import { clear_refs_pte_range } from '../../src/kernel/fs/proc/task_mmu';
import {
  apply_as_range,
  apply_pt_clean,
  apply_pt_wrprotect,
} from '../../src/kernel/mm/as_dirty_helpers';
import { madvise_vma_behavior } from '../../src/kernel/mm/madvise';
import {
  clean_record_pte,
  wp_clean_post_vma,
  wp_pte,
} from '../../src/kernel/mm/mapping_dirty_helpers';
import {
  copy_present_pte,
  do_page_mkwrite,
  finish_mkwrite_fault,
  handle_pte_fault,
  insert_pfn,
  wp_page_reuse,
  wp_pfn_shared,
  zap_pte_range,
} from '../../src/kernel/mm/memory';
import { tlb_flush_mmu_tlbonly } from '../../src/kernel/mm/mmu_gather';
import {
  can_change_pte_writable,
  change_pte_range,
  mprotect_fixup,
} from '../../src/kernel/mm/mprotect';
import { move_ptes } from '../../src/kernel/mm/mremap';
import { walk_page_mapping } from '../../src/kernel/mm/pagewalk';
import type { Preset } from '../../src/kernel/variants';
import type { Node, Routine, StepNode, WhenNode } from '../../src/routine/routine';

/** Any operation but a list of them. */
type Operation = Exclude<Node, readonly Node[]>;
type Change = (operation: Operation) => Node;

export interface Mutation {
  readonly what: string;
  readonly preset: Preset;
  readonly routine: Routine;
  /** How the operation begins that is replaced. */
  readonly at: string;
  readonly change: Change;
  /** By what. */
  readonly noticed: string;
}

// Ways to change an operation.

// biome-ignore lint/suspicious/noExplicitAny: operations of many routines, each with a frame of its own
type Frame = any;

const leftOut: Change = () => [];
/** The step, and something more in it. */
const andThen =
  (more: (f: Frame) => void): Change =>
  (operation) => {
    const step = operation as StepNode<Frame>;
    return {
      ...step,
      run: (f, k) => {
        step.run(f, k);
        more(f);
      },
    };
  };
const always: Change = (operation) => ({
  ...(operation as WhenNode<Frame>),
  condition: () => true,
});
const never: Change = (operation) => ({
  ...(operation as WhenNode<Frame>),
  condition: () => false,
});

const of = (
  preset: Preset,
  routine: unknown,
  at: string,
  what: string,
  noticed: string,
  change: Change,
): Mutation => ({ what, preset, routine: routine as Routine, at, noticed, change });
const in61 = of.bind(null, 'linux-6.1');
const inV2 = of.bind(null, 'series-v2');

/** What one CPU shows, an operation at a time: the recordings notice it. */
export const sequential: readonly Mutation[] = [
  in61(
    insert_pfn,
    'entry = pte_mkspecial',
    'A is forgotten on insert',
    'fault-prefault-16, operation 2, read: vmas',
    andThen((f) => {
      f.pte.val = pte_mkold(f.pte.val);
    }),
  ),
  in61(
    insert_pfn,
    'entry = pte_mkspecial',
    'an inserted entry is dirty from the start',
    'fault-read-then-write-untracked, operation 2, read: vmas',
    andThen((f) => {
      f.pte.val = pte_mkdirty(f.pte.val);
    }),
  ),
  in61(
    insert_pfn,
    'mkwrite, and it is this frame',
    'an entry that is there is made writable',
    'fault-prefault-16, operation 5, write: vmas',
    always,
  ),
  in61(
    insert_pfn,
    'none',
    'an entry that is there is overwritten',
    'fault-prefault-16, operation 5, write: vmas',
    always,
  ),
  in61(
    wp_page_reuse,
    'ptep_set_access_flags',
    'D is forgotten after mkwrite',
    'madvise-populate, operation 3, madvise: vmas',
    andThen((f) => {
      f.vmf.pte.val = pte_mkclean(f.vmf.pte.val);
    }),
  ),
  in61(
    wp_page_reuse,
    'ptep_set_access_flags',
    'the entry stays read-only after mkwrite',
    'fault-mkwrite-read-then-write, operation 4, write: it does not end',
    andThen((f) => {
      f.vmf.pte.val = pte_wrprotect(f.vmf.pte.val);
    }),
  ),
  in61(
    wp_pfn_shared,
    'pfn_mkwrite',
    'pfn_mkwrite is never called',
    'fault-mkwrite-read-then-write, operation 4, write: cb, dirty',
    never,
  ),
  in61(
    wp_pfn_shared,
    'vmf->flags |= FAULT_FLAG_MKWRITE',
    'mkwrite is not told that it is one',
    'fault-mkwrite-read-then-write, operation 4, write: cb',
    leftOut,
  ),
  in61(
    do_page_mkwrite,
    'vmf->flags = FAULT_FLAG_WRITE',
    'page_mkwrite is offered a retry',
    'fault-page-both-methods, operation 3, write: cb',
    leftOut,
  ),
  in61(
    handle_pte_fault,
    '!pte_write(entry)',
    'a write to a read-only entry only sets its bits',
    'fault-mkwrite-read-then-write, operation 4, write: it does not end',
    never,
  ),
  in61(
    wp_pte,
    'ptep_modify_prot_commit',
    'wrprotect clears D',
    'fault-page-both-methods, operation 14, scan: vmas',
    andThen((f) => {
      f.pte.val = pte_mkclean(f.pte.val);
    }),
  ),
  in61(
    wp_pte,
    'pte_write(ptent)',
    'wrprotect counts read-only entries',
    'fault-prefault-mkwrite-each-write, operation 7, scan: ret',
    always,
  ),
  in61(
    clean_record_pte,
    'ptep_modify_prot_commit',
    'cleaning clears the write bit',
    'fault-pagetable-read-write, operation 7, scan: vmas',
    andThen((f) => {
      f.pte.val = pte_wrprotect(f.pte.val);
    }),
  ),
  in61(
    clean_record_pte,
    '__set_bit',
    'cleaning records nothing',
    'fault-pagetable-read-write, operation 7, scan: dirty',
    leftOut,
  ),
  in61(
    walk_page_mapping,
    'err',
    'the walk passes over a mapping it does not want',
    'private-first-hides-later, operation 5, wrprotect: ret, vmas',
    never,
  ),
  in61(
    zap_pte_range,
    'ptent = ptep_get_and_clear_full',
    'unmapping leaves the entries',
    'fault-prefault-keeps-present, operation 6, unmap: vmas',
    andThen((f) => {
      f.first.val = f.entry;
    }),
  ),
  in61(
    copy_present_pte,
    'set_pte_at(dst_vma',
    "the child's entries stay dirty",
    'fork-shared-pfn, operation 5, fork: vmas',
    andThen((f) => {
      f.dst_pte.val = pte_mkdirty(f.dst_pte.val);
    }),
  ),
  in61(
    copy_present_pte,
    'is_cow_mapping',
    'fork leaves private pages writable',
    'fork-private-cow, operation 4, fork: vmas',
    never,
  ),
  in61(
    change_pte_range,
    'ptent = pte_modify',
    'mprotect clears D',
    'fault-exec-mapping, operation 4, mprotect: vmas',
    andThen((f) => {
      f.ptent = pte_mkclean(f.ptent);
    }),
  ),
  in61(
    can_change_pte_writable,
    'return true',
    'mprotect makes nothing writable by itself',
    'fault-exec-mapping, operation 4, mprotect: vmas',
    (operation) => ({
      ...(operation as StepNode<Frame>),
      kind: 'ret',
      value: () => 0,
    }),
  ),
  in61(
    mprotect_fixup,
    'vma->vm_flags = newflags',
    'mprotect changes the entries but not the mapping',
    'fault-prot-read-mapping, operation 7, mprotect: vmas',
    andThen((f) => {
      f.vma.vm_flags = f.oldflags;
    }),
  ),
  in61(
    move_ptes,
    'set_pte_at(mm, new_addr',
    'mremap sets no soft-dirty bit',
    'mremap-moves-ptes, operation 4, mremap: vmas',
    (operation) => ({
      ...(operation as StepNode<Frame>),
      run: (f: Frame) => {
        f.new_pte.val = f.entry;
      },
    }),
  ),
  in61(
    clear_refs_pte_range,
    'ptep_modify_prot_commit',
    'clear_refs leaves entries writable',
    'mremap-mixed-softdirty, operation 4, clear_refs: vmas',
    andThen((f) => {
      f.ptep.val = pte_mkwrite(f.ptep.val);
    }),
  ),
  in61(
    madvise_vma_behavior,
    'not for such a mapping',
    'MADV_DONTNEED takes mappings of bare frames',
    'fork-dontfork, operation 8, madvise: ret, err, vmas',
    never,
  ),
  inV2(
    apply_pt_wrprotect,
    'ptep_modify_prot_commit',
    'wrprotect of v2 clears D',
    'fault-prefault-mkwrite-each-write, operation 7, scan: vmas',
    andThen((f) => {
      f.pte.val = pte_mkclean(f.pte.val);
    }),
  ),
  inV2(
    apply_pt_clean,
    'ptep_modify_prot_commit',
    'cleaning of v2 forgets that the entry is special',
    'fault-pagetable-read-write, operation 7, scan: vmas',
    andThen((f) => {
      f.pte.val = { ...f.pte.val, lo: f.pte.val.lo & ~pte_mkspecial({ lo: 0, hi: 0 }).lo };
    }),
  ),
  inV2(
    apply_pt_clean,
    '__set_bit',
    'cleaning of v2 records nothing',
    'fault-pagetable-read-write, operation 7, scan: dirty',
    leftOut,
  ),
  inV2(
    apply_as_range,
    'vm_flags = READ_ONCE',
    'the helpers of v2 leave out the last page',
    'fault-prefault-mkwrite-each-write, operation 7, scan: ret, vmas',
    andThen((f) => {
      f.end -= PAGE_SIZE;
    }),
  ),
];

/** What only two CPUs show: checks over many schedules notice it. */
export const concurrent: readonly Mutation[] = [
  in61(
    wp_clean_post_vma,
    'wpwalk->tlbflush_end',
    'no flush after write-protecting and cleaning',
    'after write-protection no CPU stores through a stale entry',
    never,
  ),
  inV2(
    apply_as_range,
    'aas->end > aas->start',
    'no flush after the helpers of v2',
    'after write-protection no CPU stores through a stale entry',
    never,
  ),
  in61(
    tlb_flush_mmu_tlbonly,
    'flush_tlb_mm_range',
    'unmapping flushes no TLB',
    'after an unmap no CPU stores through a stale entry',
    leftOut,
  ),
  inV2(
    tlb_flush_mmu_tlbonly,
    'flush_tlb_mm_range',
    'unmapping flushes no TLB',
    'after an unmap no CPU stores through a stale entry',
    leftOut,
  ),
  in61(
    move_ptes,
    'flush_tlb_mm_range',
    'mremap flushes no TLB',
    'after a move no CPU stores through a stale entry',
    leftOut,
  ),
  in61(
    flush_tlb_multi,
    'csd_lock_wait()',
    'a shootdown does not wait for its answers',
    'after an unmap no CPU stores through a stale entry',
    leftOut,
  ),
  in61(
    flush_tlb_func,
    'flush_tlb_one_user()',
    'an interrupted CPU flushes nothing',
    'after an unmap no CPU stores through a stale entry',
    leftOut,
  ),
  in61(
    finish_mkwrite_fault,
    'changed meanwhile',
    'what mkwrite returns to is not looked at again',
    'an unmapped entry comes back by the fault handler alone',
    never,
  ),
  inV2(
    finish_mkwrite_fault,
    'changed meanwhile',
    'what mkwrite returns to is not looked at again',
    'an unmapped entry comes back by the fault handler alone',
    never,
  ),
];

/** Puts a change in for as long as `run` takes. Machines built before do not have it. */
export function mutated<T>({ routine, at, change, what }: Mutation, run: () => T): T {
  const { body } = routine;
  let replaced = 0;
  const replace = (node: Node): Node => {
    if (Array.isArray(node)) return node.map(replace);
    const operation = node as Operation;
    if ('text' in operation && operation.text.startsWith(at)) {
      if (++replaced === 1) return change(operation);
    }
    if (operation.kind === 'when') {
      const then = operation.then.map(replace);
      return { ...operation, then, otherwise: operation.otherwise?.map(replace) };
    }
    if (operation.kind === 'loop' || operation.kind === 'statement') {
      return { ...operation, body: operation.body.map(replace) };
    }
    return operation;
  };
  const open = routine as { body: Routine['body'] };
  open.body = (builder) => {
    replaced = 0;
    const made = replace(body(builder) as Node);
    if (replaced === 0) throw new Error(`${what}: ${routine.name} has no operation '${at}'`);
    return made;
  };
  try {
    return run();
  } finally {
    open.body = body;
  }
}
