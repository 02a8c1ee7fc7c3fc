// drivers/gpu/drm/drm_file.c (Linux 5.7 to 5.15, as far as huge page-table entries need it): where a mapping of a buffer
// object is best placed. Left out: addresses that the application wishes for.
import { PAGE_SIZE, PMD_SIZE, PUD_SIZE } from '../../../../hardware/pte';
import { routine } from '../../../../routine/routine';
import { int, isNull, long, ref, type Structs } from '../../../../state/layout';
import '../../../include/drm/ttm/ttm_bo_api';
import { current } from '../../../include/linux/sched';
import { unmapped_area } from '../../../mm/mmap';

/**
 * An address such that huge pages of the object and of the mapping begin at the same places, if it is large enough to
 * have any: frames of an object are aligned to its start, not to its offset in the device's file.
 */
export const drm_get_unmapped_area = routine(
  'drivers/gpu/drm/drm_file.c',
  'drm_get_unmapped_area',
  {
    args: { len: long, pgoff: int, bdev: ref('ttm_bo_device') },
    locals: { addr: long },
    returns: long,
  },
  ({ step, acquire, release, ret }) => [
    acquire('drm_vma_offset_lock_lookup(mgr)', (f) => f.bdev.vm_lock),
    step('pgoff -= node->vm_node.start', (f) => {
      let node = f.bdev.nodes;
      while (!isNull(node) && node.vma_node_start + node.num_pages <= f.pgoff) {
        node = node.vma_node_next;
      }
      if (!isNull(node)) f.pgoff -= node.vma_node_start;
    }),
    release('drm_vma_offset_unlock_lookup(mgr)', (f) => f.bdev.vm_lock),
    step('addr = current->mm->get_unmapped_area(file, uaddr, len, pgoff, flags)', (f, k) => {
      const { mm } = current(k);
      f.addr = unmapped_area(mm, f.len);
      for (const size of [PMD_SIZE, PUD_SIZE]) {
        if (f.addr >= 0 && f.len >= size) f.addr = inflated(mm, f.addr, f.len, f.pgoff, size);
      }
    }),
    ret('addr', (f) => f.addr),
  ],
);

/** drm_addr_inflate(): an address with the offset of page `pgoff` in a huge page, or `addr` if that gains nothing. */
function inflated(
  mm: Structs['mm_struct'],
  addr: number,
  len: number,
  pgoff: number,
  size: number,
): number {
  const offset = (pgoff * PAGE_SIZE) % size;
  if (offset !== 0 && offset + len < 2 * size) return addr;
  if (addr % size === offset) return addr;
  const found = unmapped_area(mm, len + size - PAGE_SIZE);
  if (found < 0) return addr;
  const moved = found - (found % size) + offset;
  return moved < found ? moved + size : moved;
}
