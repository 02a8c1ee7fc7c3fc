// mm/mmap.c: making, splitting, merging and removing mappings. Linux 6.1, with a list by address where that kernel has a
// maple tree and 5.1 an rb-tree (the order is the same). Left out: anonymous mappings, growing stacks, mlock, accounting
// but for its flag, downgrading mmap_sem while unmapping.
import { PAGE_SIZE, PMD_SIZE } from '../../hardware/pte';
import type { Engine } from '../../routine/engine';
import { routine } from '../../routine/routine';
import {
  bool,
  embed,
  int,
  isNull,
  long,
  NULL,
  pte,
  ref,
  type Structs,
  same,
  type U64,
} from '../../state/layout';
import { pte_none, pte_pfn, vm_get_page_prot } from '../arch/x86/include/asm/pgtable';
import { EACCES, EEXIST, EINVAL, ENOMEM } from '../include/linux/errno';
import {
  FMODE_READ,
  FMODE_WRITE,
  isSharedWritable,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  VM_ACCESS_FLAGS,
  VM_ACCOUNT,
  VM_EXEC,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_READ,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_SPECIAL,
  VM_WRITE,
} from '../include/linux/mm';
import '../include/linux/mm_types';
import { current } from '../include/linux/sched';
import { split_huge_pmd_address, split_needed } from './huge_memory';
import { vma_interval_tree_insert, vma_interval_tree_remove, vma_pages } from './interval_tree';
import { unmap_vmas } from './memory';
import { tlb_finish_mmu, tlb_flush_mmu, tlb_gather_mmu, tlb_remove_table } from './mmu_gather';
import { addrEnd, entryOffset, nextEntry, pgd_offset } from './range';

const file = 'mm/mmap.c';

type Vma = Structs['vm_area_struct'];
type Mm = Structs['mm_struct'];

/** Where mappings are placed that ask for no address: downwards from here. */
export const mmap_base = 0x7fff_f7ff_f000;
/** Where addresses of user space end: one page before the end of its half, so that no access runs over. */
export const TASK_SIZE = 0x7fff_ffff_f000;

// Finding. Each runs within a step of a caller that holds mmap_sem.

/** The first mapping that ends above `addr`, or NULL. */
export function find_vma(mm: Mm, addr: number): Vma {
  let vma = mm.mmap;
  while (!isNull(vma) && vma.vm_end <= addr) vma = vma.vm_next;
  return vma;
}

/** The first mapping that overlaps [start, end), or NULL. */
export function find_vma_intersection(mm: Mm, start: number, end: number): Vma {
  const vma = find_vma(mm, start);
  return !isNull(vma) && vma.vm_start < end ? vma : NULL;
}

/** The last mapping that begins below `addr`, or NULL. */
export function find_vma_prev(mm: Mm, addr: number): Vma {
  let prev: Vma = NULL;
  for (let vma = mm.mmap; !isNull(vma) && vma.vm_start < addr; vma = vma.vm_next) prev = vma;
  return prev;
}

/** The highest hole of `len` bytes below mmap_base, or -ENOMEM. For a step that holds mmap_sem. */
export function unmapped_area(mm: Mm, len: number): number {
  const holes: [number, number][] = [];
  let from = PAGE_SIZE;
  for (let vma = mm.mmap; !isNull(vma); vma = vma.vm_next) {
    holes.push([from, vma.vm_start]);
    from = vma.vm_end;
  }
  holes.push([from, mmap_base]);
  for (const [start, end] of holes.reverse()) {
    const top = Math.min(end, mmap_base);
    if (top - start >= len) return top - len;
  }
  return -ENOMEM;
}

/** Puts a mapping into the list of its address space. */
export function __vma_link_list(mm: Mm, vma: Vma): void {
  const prev = find_vma_prev(mm, vma.vm_start);
  if (isNull(prev)) {
    vma.vm_next = mm.mmap;
    mm.mmap = vma;
  } else {
    vma.vm_next = prev.vm_next;
    prev.vm_next = vma;
  }
  mm.map_count++;
}

/** Takes a mapping out of the list of its address space. */
function __vma_unlink_list(mm: Mm, vma: Vma): void {
  const prev = find_vma_prev(mm, vma.vm_start);
  if (isNull(prev)) mm.mmap = vma.vm_next;
  else prev.vm_next = vma.vm_next;
  vma.vm_next = NULL;
  mm.map_count--;
}

// Protection.

/**
 * Whether a first write to a page is to fault although the mapping allows it: then entries start write-protected. So it
 * is for every shared writable mapping whose driver has a mkwrite callback.
 */
export function vma_wants_writenotify(vma: Vma, vm_page_prot: U64): boolean {
  const { vm_flags, vm_ops } = vma;
  if (!isSharedWritable(vm_flags)) return false;
  if (!isNull(vm_ops) && (vm_ops.page_mkwrite !== 0 || vm_ops.pfn_mkwrite !== 0)) return true;
  const wanted = vm_get_page_prot(vm_flags);
  if (wanted.lo !== vm_page_prot.lo || wanted.hi !== vm_page_prot.hi) return false;
  if (vma_soft_dirty_enabled(vm_flags)) return true;
  return false; // neither VM_PFNMAP nor a device's file accounts for writeback
}

/** Writes to the mapping are tracked by soft-dirty bits since clear_refs. */
export const vma_soft_dirty_enabled = (vm_flags: number): boolean =>
  (vm_flags & VM_SOFTDIRTY) === 0;

/** The protection of entries that follows from the flags. */
export function vma_set_page_prot(vma: Vma): void {
  const { vm_flags } = vma;
  const prot = vm_get_page_prot(vm_flags);
  vma.vm_page_prot = vma_wants_writenotify(vma, prot)
    ? vm_get_page_prot(vm_flags & ~VM_SHARED)
    : prot;
}

/** VM_READ, VM_WRITE and VM_EXEC of PROT_ bits. */
export const calc_vm_prot_bits = (prot: number): number =>
  ((prot & PROT_READ) !== 0 ? VM_READ : 0) |
  ((prot & PROT_WRITE) !== 0 ? VM_WRITE : 0) |
  ((prot & PROT_EXEC) !== 0 ? VM_EXEC : 0);

// Mapping.

const mmap_args = { file: ref('file'), addr: long, len: long, prot: int, flags: int, pgoff: int };

/** mmap(): maps `len` bytes of `file` from page `pgoff` on. Returns the address or an error. */
export const vm_mmap_pgoff = routine(
  'mm/util.c',
  'vm_mmap_pgoff',
  { args: mmap_args, locals: { mm: ref('mm_struct'), ret: long }, returns: long },
  ({ step, call, acquire, release, ret }) => [
    step('mm = current->mm', (f, k) => {
      f.mm = current(k).mm;
    }),
    acquire('down_write_killable(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    call(
      do_mmap,
      (f) => ({
        file: f.file,
        addr: f.addr,
        len: f.len,
        prot: f.prot,
        flags: f.flags,
        pgoff: f.pgoff,
      }),
      'ret',
    ),
    release('up_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    ret('ret', (f) => f.ret),
  ],
);

/** Checks a wish and turns it into flags; mmap_sem is held for writing. */
export const do_mmap = routine(
  file,
  'do_mmap',
  {
    args: mmap_args,
    locals: { mm: ref('mm_struct'), vm_flags: int, err: int, ret: long },
    returns: long,
  },
  ({ step, when, call, callPointer, ret }) => [
    step('mm = current->mm', (f, k) => {
      f.mm = current(k).mm;
      f.len = Math.ceil(f.len / PAGE_SIZE) * PAGE_SIZE;
      if (f.len === 0 || f.addr % PAGE_SIZE !== 0 || f.addr + f.len > TASK_SIZE) f.err = -EINVAL;
    }),
    when('not a range', (f) => f.err !== 0, [ret('-EINVAL', (f) => f.err)]),
    when('file->f_op->get_unmapped_area', (f) => !isFixed(f) && hasPlacing(f), [
      callPointer(
        'addr = file->f_op->get_unmapped_area(file, addr, len, pgoff, flags)',
        (f) => f.file.f_op.get_unmapped_area,
        (f) => ({ file: f.file, len: f.len, pgoff: f.pgoff }),
        'ret',
      ),
    ]),
    step('addr = get_unmapped_area(file, addr, len, pgoff, flags)', (f) => {
      if (!isFixed(f)) f.addr = hasPlacing(f) ? f.ret : unmapped_area(f.mm, f.len);
      else if ((f.flags & MAP_FIXED_NOREPLACE) !== 0) {
        if (!isNull(find_vma_intersection(f.mm, f.addr, f.addr + f.len))) f.err = -EEXIST;
      }
    }),
    when('taken', (f) => f.err !== 0, [ret('-EEXIST', (f) => f.err)]),
    when('no room', (f) => f.addr < 0, [ret('-ENOMEM', (f) => f.addr)]),
    step('vm_flags = calc_vm_prot_bits(prot) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC', (f) => {
      const { f_mode } = f.file;
      f.vm_flags = calc_vm_prot_bits(f.prot) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
      if ((f.flags & MAP_SHARED) !== 0) {
        const writable = (f_mode & FMODE_WRITE) !== 0;
        if ((f.prot & PROT_WRITE) !== 0 && !writable) f.err = -EACCES;
        f.vm_flags |= VM_SHARED | VM_MAYSHARE;
        if (!writable) f.vm_flags &= ~(VM_MAYWRITE | VM_SHARED);
      }
      if ((f_mode & FMODE_READ) === 0) f.err = -EACCES;
    }),
    when('the descriptor does not allow it', (f) => f.err !== 0, [ret('-EACCES', (f) => f.err)]),
    call(
      mmap_region,
      (f) => ({ file: f.file, addr: f.addr, len: f.len, vm_flags: f.vm_flags, pgoff: f.pgoff }),
      'ret',
    ),
    ret('ret', (f) => f.ret),
  ],
);

const isFixed = ({ flags }: { flags: number }): boolean =>
  (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0;
const hasPlacing = ({ file: { f_op } }: { file: Structs['file'] }): boolean =>
  f_op.get_unmapped_area !== 0;

/** Removes what is mapped there, joins a neighbour or makes a new mapping and lets the driver have its say. */
export const mmap_region = routine(
  file,
  'mmap_region',
  {
    args: { file: ref('file'), addr: long, len: long, vm_flags: int, pgoff: int },
    locals: {
      mm: ref('mm_struct'),
      vma: ref('vm_area_struct'),
      end: long,
      merge_start: long,
      merge_end: long,
      err: int,
    },
    returns: long,
  },
  ({ step, fallible, when, call, callPointer, acquire, release, ret }) => [
    step('mm = current->mm', (f, k) => {
      f.mm = current(k).mm;
      f.end = f.addr + f.len;
    }),
    call(do_munmap, (f) => ({ mm: f.mm, start: f.addr, len: f.len }), 'err'),
    step('accountable_mapping(file, vm_flags)', (f) => {
      if ((f.vm_flags & (VM_SHARED | VM_WRITE)) === VM_WRITE) f.vm_flags |= VM_ACCOUNT;
    }),
    when('!(vm_flags & VM_SPECIAL)', (f) => (f.vm_flags & VM_SPECIAL) === 0, [
      // Behind comes first, and what is before must go together with that: other than in vma_merge().
      step('attempt to expand an old mapping: check next, check prev', (f) => {
        const prev = find_vma_prev(f.mm, f.addr);
        const next = find_vma(f.mm, f.end);
        f.merge_start = f.addr;
        f.merge_end = f.end;
        if (can_vma_merge_before(next, f, 0)) {
          f.merge_end = next.vm_end;
          f.vma = next;
        }
        if (can_vma_merge_after(prev, f, isNull(f.vma) ? 0 : f.vma.anon_vma)) {
          f.merge_start = prev.vm_start;
          f.vma = prev;
        }
      }),
      when('vma', (f) => !isNull(f.vma), [
        call(vma_expand, (f) => ({ vma: f.vma, start: f.merge_start, end: f.merge_end })),
      ]),
    ]),
    when('!vma', (f) => isNull(f.vma), [
      fallible(
        'vm_area_alloc',
        step('vma = vm_area_alloc(mm)', (f, k) => {
          const vma = k.alloc('vm_area_struct');
          f.vma = vma;
          if (isNull(vma)) return;
          vma.vm_mm = f.mm;
          vma.vm_file = f.file;
          vma.vm_start = f.addr;
          vma.vm_end = f.addr + f.len;
          vma.vm_flags = f.vm_flags;
          vma.vm_page_prot = vm_get_page_prot(f.vm_flags);
          vma.vm_pgoff = f.pgoff;
        }),
      ),
      when('!vma', (f) => isNull(f.vma), [ret('-ENOMEM', () => -ENOMEM)]),
      callPointer(
        'error = file->f_op->mmap(file, vma)',
        (f) => f.file.f_op.mmap,
        (f) => ({ file: f.file, vma: f.vma }),
        'err',
      ),
      when('error', (f) => f.err !== 0, [
        step('vm_area_free(vma)', (f, k) => {
          const { vma } = f;
          f.vma = NULL;
          k.free(vma);
        }),
        ret('error', (f) => f.err),
      ]),
      acquire('i_mmap_lock_write(mapping)', (f) => f.file.f_mapping.i_mmap_rwsem),
      step('vma_link(mm, vma)', (f) => {
        __vma_link_list(f.mm, f.vma);
        vma_interval_tree_insert(f.vma, f.file.f_mapping);
      }),
      release('i_mmap_unlock_write(mapping)', (f) => f.file.f_mapping.i_mmap_rwsem),
    ]),
    step('vma->vm_flags |= VM_SOFTDIRTY; vma_set_page_prot(vma)', (f) => {
      f.vma.vm_flags |= VM_SOFTDIRTY;
      vma_set_page_prot(f.vma);
    }),
    ret('addr', (f) => f.addr),
  ],
);

// Merging and splitting.

/** Whether a mapping differs from the wanted one in nothing but its place. */
function is_mergeable_vma(vma: Vma, of: Structs['file'], vm_flags: number): boolean {
  const { vm_ops } = vma;
  if (((vma.vm_flags ^ vm_flags) & ~VM_SOFTDIRTY) !== 0) return false;
  return same(vma.vm_file, of) && (isNull(vm_ops) || vm_ops.close === 0);
}

/** Whether private copies on both sides, if any, belong together; `chain` is the length of the mapping's chain. */
const is_mergeable_anon_vma = (one: number, other: number, chain: number): boolean =>
  ((one === 0 || other === 0) && chain === 1) || one === other;

/** A range that wants to be part of a mapping, with what it is to map. */
interface Wanted {
  readonly addr: number;
  readonly end: number;
  readonly vm_flags: number;
  readonly file: Structs['file'];
  readonly pgoff: number;
}

/** Whether a range whose private copies are `anon_vma` can be the end of the mapping before it. */
const can_vma_merge_after = (prev: Vma, wanted: Wanted, anon_vma: number): boolean =>
  !isNull(prev) &&
  prev.vm_end === wanted.addr &&
  prev.vm_pgoff + vma_pages(prev) === wanted.pgoff &&
  is_mergeable_vma(prev, wanted.file, wanted.vm_flags) &&
  is_mergeable_anon_vma(anon_vma, prev.anon_vma, prev.anon_vma_chain);

/** Whether it can be the beginning of the mapping behind it. */
const can_vma_merge_before = (next: Vma, wanted: Wanted, anon_vma: number): boolean =>
  !isNull(next) &&
  next.vm_start === wanted.end &&
  next.vm_pgoff === wanted.pgoff + (wanted.end - wanted.addr) / PAGE_SIZE &&
  is_mergeable_vma(next, wanted.file, wanted.vm_flags) &&
  is_mergeable_anon_vma(anon_vma, next.anon_vma, next.anon_vma_chain);

/**
 * Joins [addr, end), which is to have these flags, to the mapping before it, behind it, or both. Returns the mapping
 * that holds it then, or NULL when it stays on its own; mappings of bare frames always do.
 */
export const vma_merge = routine(
  file,
  'vma_merge',
  {
    args: {
      mm: ref('mm_struct'),
      addr: long,
      end: long,
      vm_flags: int,
      anon_vma: int,
      file: ref('file'),
      pgoff: int,
    },
    locals: {
      prev: ref('vm_area_struct'),
      mid: ref('vm_area_struct'),
      next: ref('vm_area_struct'),
      merge_prev: bool,
      merge_next: bool,
      merge_both: bool,
    },
  },
  ({ step, when, call, ret }) => [
    when('vm_flags & VM_SPECIAL', (f) => (f.vm_flags & VM_SPECIAL) !== 0, [
      ret('NULL', () => NULL),
    ]),
    step('can_vma_merge_after(prev), can_vma_merge_before(next)', (f) => {
      const { prev, next, mid } = neighbours(f.mm, f.addr, f.end);
      f.prev = prev;
      f.mid = mid;
      f.next = next;
      f.merge_prev = can_vma_merge_after(prev, f, f.anon_vma);
      f.merge_next = can_vma_merge_before(next, f, f.anon_vma);
      f.merge_both =
        f.merge_prev && f.merge_next && is_mergeable_anon_vma(prev.anon_vma, next.anon_vma, 1);
    }),
    when('neither fits', (f) => !f.merge_prev && !f.merge_next, [ret('NULL', () => NULL)]),
    when('merge_prev', (f) => f.merge_prev, [
      when(
        'merge_next, and the private copies of both go together',
        (f) => f.merge_both,
        [call(__vma_adjust, (f) => ({ vma: f.prev, start: f.prev.vm_start, end: f.next.vm_end }))],
        [call(__vma_adjust, (f) => ({ vma: f.prev, start: f.prev.vm_start, end: f.end }))],
      ),
      ret('prev', (f) => f.prev),
    ]),
    call(__vma_adjust, (f) => ({ vma: f.next, start: f.addr, end: f.next.vm_end })),
    ret('next', (f) => f.next),
  ],
);

/** What lies before, in and behind [addr, end). */
function neighbours(mm: Mm, addr: number, end: number): Record<'prev' | 'mid' | 'next', Vma> {
  let prev = find_vma_prev(mm, addr);
  const at = find_vma_prev(mm, addr + 1);
  // A mapping of which [addr, end) is the upper part is the one before it.
  if (!isNull(at) && at.vm_start < addr && at.vm_end > addr) prev = at;
  const mid = isNull(prev) ? mm.mmap : prev.vm_next;
  const next = !isNull(mid) && mid.vm_end === end ? mid.vm_next : mid;
  return { prev, mid, next };
}

/**
 * Gives `vma` the bounds [start, end). Mappings that it covers now go; one that it overlaps in part shrinks. Tables and
 * entries stay where they are.
 */
export const __vma_adjust = boundsRoutine('__vma_adjust');

/** The same for a mapping that only grows, over a hole and the mapping behind it. */
export const vma_expand = boundsRoutine('vma_expand');

function boundsRoutine(name: string) {
  return routine(
    file,
    name,
    {
      args: { vma: ref('vm_area_struct'), start: long, end: long },
      locals: { mapping: ref('address_space') },
    },
    ({ step, acquire, release }) => [
      step('mapping = vma->vm_file->f_mapping', (f) => {
        f.mapping = f.vma.vm_file.f_mapping;
      }),
      acquire('i_mmap_lock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
      step('move the bounds', (f, k) => adjust(k, f.vma, f.start, f.end, f.mapping)),
      release('i_mmap_unlock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
    ],
  );
}

function adjust(
  k: Engine,
  vma: Vma,
  start: number,
  end: number,
  mapping: Structs['address_space'],
): void {
  const mm = vma.vm_mm;
  const pgoff = vma.vm_pgoff + (start - vma.vm_start) / PAGE_SIZE;
  for (let other = mm.mmap; !isNull(other); ) {
    const next = other.vm_next;
    const overlaps = other.vm_start < end && other.vm_end > start && !same(other, vma);
    if (overlaps && other.vm_start >= start && other.vm_end <= end) {
      if (vma.anon_vma === 0) {
        vma.anon_vma = other.anon_vma;
        vma.anon_vma_chain = other.anon_vma_chain;
      }
      __vma_unlink_list(mm, other);
      vma_interval_tree_remove(other, mapping);
      k.free(other);
    } else if (overlaps) {
      vma_interval_tree_remove(other, mapping);
      if (other.vm_start < start) other.vm_end = start;
      else {
        other.vm_pgoff += (end - other.vm_start) / PAGE_SIZE;
        other.vm_start = end;
      }
      vma_interval_tree_insert(other, mapping);
    }
    other = next;
  }
  vma_interval_tree_remove(vma, mapping);
  vma.vm_start = start;
  vma.vm_end = end;
  vma.vm_pgoff = pgoff;
  vma_interval_tree_insert(vma, mapping);
}

/** The group of the mapping behind or before, so that mprotect to the same protection can join them again; 0 for none. */
export function find_mergeable_anon_vma(vma: Vma): number {
  const prev = find_vma_prev(vma.vm_mm, vma.vm_start);
  return reusable_anon_vma(vma.vm_next, vma, vma.vm_next) || reusable_anon_vma(prev, prev, vma);
}

/** The group of `old`, one of the neighbours `a` and `b`, if they differ in protection only and it never was forked. */
function reusable_anon_vma(old: Vma, a: Vma, b: Vma): number {
  return !isNull(old) && old.anon_vma_chain === 1 && anon_vma_compatible(a, b) ? old.anon_vma : 0;
}

const anon_vma_compatible = (a: Vma, b: Vma): boolean =>
  a.vm_end === b.vm_start &&
  same(a.vm_file, b.vm_file) &&
  ((a.vm_flags ^ b.vm_flags) & ~(VM_ACCESS_FLAGS | VM_SOFTDIRTY)) === 0 &&
  b.vm_pgoff === a.vm_pgoff + vma_pages(a);

/** A copy of a mapping, for the step that makes it. The caller links it. */
export function vm_area_dup(k: Engine, old: Vma): Vma {
  const vma = k.alloc('vm_area_struct');
  if (isNull(vma)) return vma;
  vma.vm_mm = old.vm_mm;
  vma.vm_file = old.vm_file;
  vma.vm_start = old.vm_start;
  vma.vm_end = old.vm_end;
  vma.vm_flags = old.vm_flags;
  vma.vm_page_prot = old.vm_page_prot;
  vma.vm_pgoff = old.vm_pgoff;
  vma.vm_ops = old.vm_ops;
  vma.vm_private_data = old.vm_private_data;
  vma.anon_vma = old.anon_vma;
  vma.anon_vma_chain = old.anon_vma_chain;
  return vma;
}

/** Splits a mapping at `addr`; the new one is the lower or the upper part. Returns 0 or -ENOMEM. */
export const __split_vma = routine(
  file,
  '__split_vma',
  {
    args: { vma: ref('vm_area_struct'), addr: long, new_below: bool },
    locals: { new: ref('vm_area_struct'), mapping: ref('address_space'), open: int, across: bool },
    returns: int,
  },
  ({ step, fallible, when, call, callPointer, acquire, release, ret }) => [
    fallible(
      'vm_area_dup',
      step('new = vm_area_dup(vma)', (f, k) => {
        f.new = vm_area_dup(k, f.vma);
        if (isNull(f.new)) return;
        if (f.new_below) f.new.vm_end = f.addr;
        else {
          f.new.vm_pgoff += (f.addr - f.new.vm_start) / PAGE_SIZE;
          f.new.vm_start = f.addr;
        }
      }),
    ),
    when('!new', (f) => isNull(f.new), [ret('-ENOMEM', () => -ENOMEM)]),
    step('vma->vm_ops->open', (f) => {
      f.mapping = f.vma.vm_file.f_mapping;
      f.open = isNull(f.new.vm_ops) ? 0 : f.new.vm_ops.open;
      f.across = split_needed(f.vma, f.addr);
    }),
    when('open', (f) => f.open !== 0, [
      callPointer(
        'new->vm_ops->open(new)',
        (f) => f.new.vm_ops.open,
        (f) => ({ vma: f.new }),
      ),
    ]),
    when('vma_adjust_trans_huge(vma, start, end, 0)', (f) => f.across, [
      call(split_huge_pmd_address, (f) => ({ vma: f.vma, address: f.addr })),
    ]),
    acquire('i_mmap_lock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
    // The new part first, then the old one with its new bounds: both behind their equals.
    step('__vma_adjust(vma, start, end, pgoff, new)', (f) => {
      const { vma, mapping } = f;
      vma_interval_tree_insert(f.new, mapping);
      vma_interval_tree_remove(vma, mapping);
      if (f.new_below) {
        vma.vm_pgoff += (f.addr - vma.vm_start) / PAGE_SIZE;
        vma.vm_start = f.addr;
      } else vma.vm_end = f.addr;
      vma_interval_tree_insert(vma, mapping);
      __vma_link_list(vma.vm_mm, f.new);
    }),
    release('i_mmap_unlock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
    ret('0', () => 0),
  ],
);

// Unmapping.

/** munmap(). Returns 0 or an error. */
export const __vm_munmap = routine(
  file,
  '__vm_munmap',
  { args: { start: long, len: long }, locals: { mm: ref('mm_struct'), ret: int }, returns: int },
  ({ step, call, acquire, release, ret }) => [
    step('mm = current->mm', (f, k) => {
      f.mm = current(k).mm;
    }),
    acquire('down_write_killable(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    call(do_munmap, (f) => ({ mm: f.mm, start: f.start, len: f.len }), 'ret'),
    release('up_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    ret('ret', (f) => f.ret),
  ],
);

/** Removes [start, start + len) from an address space, splitting what lies across its ends. */
export const do_munmap = routine(
  file,
  'do_munmap',
  {
    args: { mm: ref('mm_struct'), start: long, len: long },
    locals: {
      vma: ref('vm_area_struct'),
      floor: long,
      ceiling: long,
      end: long,
      split: bool,
      err: int,
    },
    returns: int,
  },
  ({ step, when, call, ret }) => [
    step('vma = find_vma_intersection(mm, start, end)', (f) => {
      f.end = f.start + Math.ceil(f.len / PAGE_SIZE) * PAGE_SIZE;
      if (f.start % PAGE_SIZE !== 0 || f.end <= f.start) f.err = -EINVAL;
      else f.vma = find_vma_intersection(f.mm, f.start, f.end);
    }),
    when('not a range', (f) => f.err !== 0, [ret('-EINVAL', (f) => f.err)]),
    when('!vma', (f) => isNull(f.vma), [ret('0', () => 0)]),
    step('start > vma->vm_start', (f) => {
      f.split = f.start > f.vma.vm_start;
    }),
    when('it begins before', (f) => f.split, [
      call(__split_vma, (f) => ({ vma: f.vma, addr: f.start, new_below: false }), 'err'),
      when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
    ]),
    step('last = find_vma(mm, end - 1)', (f) => {
      f.vma = find_vma(f.mm, f.end - 1);
      f.split = !isNull(f.vma) && f.vma.vm_start < f.end && f.vma.vm_end > f.end;
    }),
    when('it ends behind', (f) => f.split, [
      call(__split_vma, (f) => ({ vma: f.vma, addr: f.end, new_below: true }), 'err'),
      when('err', (f) => f.err !== 0, [ret('err', (f) => f.err)]),
    ]),
    step('detach_vmas_to_be_unmapped(mm, vma, prev, end)', (f) => {
      f.vma = detach(f.mm, f.start, f.end);
      const prev = find_vma_prev(f.mm, f.start);
      const next = find_vma(f.mm, f.end);
      f.floor = isNull(prev) ? 0 : prev.vm_end;
      f.ceiling = isNull(next) ? 0 : next.vm_start;
    }),
    call(unmap_region, (f) => ({
      mm: f.mm,
      vma: f.vma,
      start: f.start,
      end: f.end,
      floor: f.floor,
      ceiling: f.ceiling,
      fullmm: false,
    })),
    call(remove_vma_list, (f) => ({ vma: f.vma })),
    ret('0', () => 0),
  ],
);

/** Takes the mappings of [start, end) out of the address space; they stay linked among themselves. */
function detach(mm: Mm, start: number, end: number): Vma {
  const first = find_vma(mm, start);
  let last = first;
  mm.map_count--;
  while (!isNull(last.vm_next) && last.vm_next.vm_start < end) {
    last = last.vm_next;
    mm.map_count--;
  }
  const prev = find_vma_prev(mm, first.vm_start);
  if (isNull(prev)) mm.mmap = last.vm_next;
  else prev.vm_next = last.vm_next;
  last.vm_next = NULL;
  return first;
}

const unmap_args = {
  mm: ref('mm_struct'),
  vma: ref('vm_area_struct'),
  start: long,
  end: long,
  floor: long,
  ceiling: long,
  fullmm: bool,
};

/** Clears the entries of detached mappings, flushes, and frees the tables that no other mapping needs. */
export const unmap_region = routine(
  file,
  'unmap_region',
  { args: unmap_args, locals: { tlb: embed('mmu_gather') } },
  ({ call }) => [
    call(tlb_gather_mmu, (f) => ({ tlb: f.tlb, mm: f.mm, fullmm: f.fullmm })),
    call(unmap_vmas, (f) => ({ tlb: f.tlb, vma: f.vma, start_addr: f.start, end_addr: f.end })),
    call(free_pgtables, (f) => ({ tlb: f.tlb, vma: f.vma, floor: f.floor, ceiling: f.ceiling })),
    call(tlb_finish_mmu, (f) => ({ tlb: f.tlb })),
  ],
);

/** Tells the drivers, and frees the structs. */
export const remove_vma_list = routine(
  file,
  'remove_vma_list',
  {
    args: { vma: ref('vm_area_struct') },
    locals: { next: ref('vm_area_struct'), close: int },
  },
  ({ step, when, loop, leave, callPointer }) => [
    loop('do', [
      step('next = vma->vm_next', (f) => {
        f.next = f.vma.vm_next;
        f.close = isNull(f.vma.vm_ops) ? 0 : f.vma.vm_ops.close;
      }),
      when('vma->vm_ops->close', (f) => f.close !== 0, [
        callPointer(
          'vma->vm_ops->close(vma)',
          (f) => f.vma.vm_ops.close,
          (f) => ({ vma: f.vma }),
        ),
      ]),
      step('vm_area_free(vma)', (f, k) => {
        const { vma } = f;
        f.vma = f.next;
        k.free(vma);
      }),
      when('!vma', (f) => isNull(f.vma), [leave()]),
    ]),
  ],
);

/** Takes detached mappings out of the interval trees, and frees page tables between `floor` and `ceiling`. */
export const free_pgtables = routine(
  'mm/memory.c',
  'free_pgtables',
  {
    args: { tlb: ref('mmu_gather'), vma: ref('vm_area_struct'), floor: long, ceiling: long },
    locals: {
      next: ref('vm_area_struct'),
      addr: long,
      end: long,
      limit: long,
      near: bool,
    },
  },
  ({ step, when, loop, leave, again, call }) => [
    step('addr = vma->vm_start', (f) => {
      f.addr = f.vma.vm_start;
    }),
    loop('while (vma)', [
      step('next = vma->vm_next', (f) => {
        f.next = f.vma.vm_next;
        f.end = f.vma.vm_end;
        f.limit = isNull(f.next) ? f.ceiling : f.next.vm_start;
        f.near = !isNull(f.next) && f.next.vm_start <= f.end + PMD_SIZE;
      }),
      call(unlink_file_vma, (f) => ({ vma: f.vma })),
      step('vma = next', (f) => {
        f.vma = f.next;
      }),
      when('the next is near: one call for both', (f) => f.near, [again()]),
      call(free_pgd_range, (f) => ({
        tlb: f.tlb,
        addr: f.addr,
        end: f.end,
        floor: f.floor,
        ceiling: f.limit,
      })),
      when('!vma', (f) => isNull(f.vma), [leave()]),
      step('addr = vma->vm_start', (f) => {
        f.addr = f.vma.vm_start;
      }),
    ]),
  ],
);

/** Takes a mapping out of the interval tree of its file. */
export const unlink_file_vma = routine(
  file,
  'unlink_file_vma',
  { args: { vma: ref('vm_area_struct') }, locals: { mapping: ref('address_space') } },
  ({ step, acquire, release }) => [
    step('mapping = vma->vm_file->f_mapping', (f) => {
      f.mapping = f.vma.vm_file.f_mapping;
    }),
    acquire('i_mmap_lock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
    step('vma_interval_tree_remove(vma, &mapping->i_mmap)', (f) =>
      vma_interval_tree_remove(f.vma, f.mapping),
    ),
    release('i_mmap_unlock_write(mapping)', (f) => f.mapping.i_mmap_rwsem),
  ],
);

const span = (level: number): number => 2 ** (39 - 9 * level);
const downTo = (address: number, size: number): number => Math.floor(address / size) * size;

const free_args = { tlb: ref('mmu_gather'), addr: long, end: long, floor: long, ceiling: long };

/** Frees the tables of [addr, end) that nothing between `floor` and `ceiling` (0: the end of user space) needs. */
export const free_pgd_range = routine(
  'mm/memory.c',
  'free_pgd_range',
  { args: free_args, locals: { first: ref('pte_t') } },
  ({ step, when, call, ret }) => [
    step('addr &= PMD_MASK; ceiling &= PMD_MASK', (f, k) => {
      f.addr = downTo(f.addr, PMD_SIZE);
      if (f.addr < f.floor) f.addr += PMD_SIZE;
      f.ceiling = f.ceiling === 0 ? 2 ** 47 : downTo(f.ceiling, PMD_SIZE);
      if (f.end > f.ceiling) f.end -= PMD_SIZE;
      f.first = pgd_offset(k, f.tlb.mm, f.addr);
    }),
    when('addr > end - 1', (f) => f.addr >= f.end, [ret()]),
    call(freeLevel(0), (f) => ({
      tlb: f.tlb,
      addr: f.addr,
      end: f.end,
      floor: f.floor,
      ceiling: f.ceiling,
      first: f.first,
      owner: NULL,
    })),
    ret(),
  ],
);

const freeNames = ['free_p4d_range', 'free_pud_range', 'free_pmd_range'] as const;
const levelNames = ['pgd', 'pud', 'pmd'] as const;
const freeLevels = freeNames.map((name, level) =>
  routine(
    'mm/memory.c',
    name,
    {
      args: { ...free_args, first: ref('pte_t'), owner: ref('pte_t') },
      locals: { start: long, next: long, entry: pte, full: bool },
    },
    ({ step, when, loop, leave, call, ret }) => [
      step('start = addr', (f) => {
        f.start = f.addr;
      }),
      loop('do', [
        step(`next = ${levelNames[level]}_addr_end(addr, end)`, (f) => {
          f.next = addrEnd(f.addr, f.end, level);
          f.entry = f.first.val;
        }),
        when(`!${levelNames[level]}_none_or_clear_bad()`, (f) => !pte_none(f.entry), [
          level < 2
            ? call(freeLevel(level + 1), (f, k) => ({
                tlb: f.tlb,
                addr: f.addr,
                end: f.next,
                floor: f.floor,
                ceiling: f.ceiling,
                first: entryOffset(k, f.entry, f.addr, level + 1),
                owner: f.first,
              }))
            : call(free_pte_range, (f) => ({ tlb: f.tlb, pmd: f.first, addr: f.addr })),
        ]),
        step(`${levelNames[level]}++, addr = next`, (f, k) => {
          f.first = nextEntry(k, f.first);
          f.addr = f.next;
        }),
        when('addr == end', (f) => f.addr === f.end, [leave()]),
      ]),
      when('something else needs this table', (f) => keepsTable(f, level), [ret()]),
      call(free_pte_range, (f) => ({ tlb: f.tlb, pmd: f.owner, addr: f.start })),
      ret(),
    ],
  ),
);

/** Whether the table of `level` that covers `start` has anything outside [floor, ceiling); the root always stays. */
function keepsTable(
  f: { start: number; end: number; floor: number; ceiling: number },
  level: number,
): boolean {
  if (level === 0) return true;
  const size = span(level - 1);
  return downTo(f.start, size) < f.floor || f.end > downTo(f.ceiling, size);
}

const freeLevel = (level: number) => freeLevels[level]!;

/** Clears the entry that points to a table; the table goes when the TLBs have been flushed. */
export const free_pte_range = routine(
  'mm/memory.c',
  'free_pte_range',
  {
    args: { tlb: ref('mmu_gather'), pmd: ref('pte_t'), addr: long },
    locals: { entry: pte, full: bool },
  },
  ({ step, atomic, when, call, ret }) => [
    atomic('token = pmd_pgtable(*pmd); pmd_clear(pmd)', (f) => {
      f.entry = f.pmd.val;
      f.pmd.val = { lo: 0, hi: 0 };
    }),
    step('pte_free_tlb(tlb, token, addr)', (f, k) => {
      const table = k.view('page_table', k.parts.memory.tableOfPfn(pte_pfn(f.entry)));
      f.full = tlb_remove_table(f.tlb, table, f.addr);
    }),
    when('the batch is full', (f) => f.full, [call(tlb_flush_mmu, (f) => ({ tlb: f.tlb }))]),
    ret(),
  ],
);

/** The end of an address space: everything is unmapped. The caller is its last user. */
export const exit_mmap = routine(
  file,
  'exit_mmap',
  { args: { mm: ref('mm_struct') }, locals: { vma: ref('vm_area_struct') } },
  ({ step, when, call, acquire, release, ret }) => [
    acquire('down_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    step('vma = mm->mmap', (f) => {
      f.vma = f.mm.mmap;
      f.mm.mmap = NULL;
      f.mm.map_count = 0;
    }),
    when('vma', (f) => !isNull(f.vma), [
      call(unmap_region, (f) => ({
        mm: f.mm,
        vma: f.vma,
        start: 0,
        end: TASK_SIZE,
        floor: 0,
        ceiling: 0,
        fullmm: true,
      })),
      call(remove_vma_list, (f) => ({ vma: f.vma })),
    ]),
    release('up_write(&mm->mmap_sem)', (f) => f.mm.mmap_sem),
    ret(),
  ],
);
