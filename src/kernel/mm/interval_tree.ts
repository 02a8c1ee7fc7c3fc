// mm/interval_tree.c: the mappings of an address_space, found by page offset. Kept as a list in the order in which the
// tree is walked: by first page, then by insertion, with a forked child directly behind its parent. All functions run
// within a step of a caller that holds i_mmap_rwsem.
import { PAGE_SIZE } from '../../hardware/pte';
import { isNull, NULL, type Structs, same } from '../../state/layout';

type Vma = Structs['vm_area_struct'];
type Mapping = Structs['address_space'];

export const vma_pages = (vma: Vma): number => (vma.vm_end - vma.vm_start) / PAGE_SIZE;

/** Behind every mapping that begins at the same page or before. */
export function vma_interval_tree_insert(vma: Vma, mapping: Mapping): void {
  let before: Vma = NULL;
  for (let at = mapping.i_mmap; !isNull(at) && at.vm_pgoff <= vma.vm_pgoff; at = at.i_mmap_next) {
    before = at;
  }
  link(vma, before, mapping);
}

/** Directly behind `before`, which begins at the same page. */
export function vma_interval_tree_insert_after(vma: Vma, before: Vma, mapping: Mapping): void {
  link(vma, before, mapping);
}

export function vma_interval_tree_remove(vma: Vma, mapping: Mapping): void {
  if (same(mapping.i_mmap, vma)) mapping.i_mmap = vma.i_mmap_next;
  else {
    let before = mapping.i_mmap;
    while (!same(before.i_mmap_next, vma)) before = before.i_mmap_next;
    before.i_mmap_next = vma.i_mmap_next;
  }
  vma.i_mmap_next = NULL;
}

/** The first mapping that has a page of [first, last], or NULL. */
export function vma_interval_tree_iter_first(mapping: Mapping, first: number, last: number): Vma {
  return overlapping(mapping.i_mmap, first, last);
}

/** The next one behind `vma`. */
export function vma_interval_tree_iter_next(vma: Vma, first: number, last: number): Vma {
  return overlapping(vma.i_mmap_next, first, last);
}

/** The part of `vma` that maps pages [first, first + nr), as addresses; empty when there is none. */
export function clip(vma: Vma, first: number, nr: number): { start: number; end: number } {
  const vba = vma.vm_pgoff;
  const from = Math.max(first, vba);
  const to = Math.min(first + nr, vba + vma_pages(vma));
  const address = (page: number) => (page - vba) * PAGE_SIZE + vma.vm_start;
  return { start: address(from), end: address(to) };
}

function overlapping(from: Vma, first: number, last: number): Vma {
  let vma = from;
  while (!isNull(vma)) {
    if (vma.vm_pgoff > last) return NULL;
    if (vma.vm_pgoff + vma_pages(vma) > first) return vma;
    vma = vma.i_mmap_next;
  }
  return vma;
}

function link(vma: Vma, before: Vma, mapping: Mapping): void {
  if (isNull(before)) {
    vma.i_mmap_next = mapping.i_mmap;
    mapping.i_mmap = vma;
  } else {
    vma.i_mmap_next = before.i_mmap_next;
    before.i_mmap_next = vma;
  }
}
