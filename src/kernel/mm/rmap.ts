// mm/rmap.c (Linux 6.1): which group the private copies of a mapping belong to. A group is a number of its address space;
// neither the anon_vma itself nor its lock and tree are modelled, nor that a fork may take up one that nobody uses.
import type { Structs } from '../../state/layout';
import { find_mergeable_anon_vma } from './mmap';

/** A new group of private copies in an address space. */
export const anon_vma_alloc = (mm: Structs['mm_struct']): number => ++mm.anon_vmas;

/** A group for a mapping's private copies, unless it has one: a neighbour's if both could be one mapping. */
export function anon_vma_prepare(vma: Structs['vm_area_struct']): void {
  if (vma.anon_vma !== 0) return;
  vma.anon_vma = find_mergeable_anon_vma(vma) || anon_vma_alloc(vma.vm_mm);
  vma.anon_vma_chain = 1;
}

/** The group of a forked child's copies, beside those of its ancestors. */
export function anon_vma_fork(vma: Structs['vm_area_struct']): void {
  if (vma.anon_vma === 0) return;
  vma.anon_vma = anon_vma_alloc(vma.vm_mm);
  vma.anon_vma_chain++;
}
