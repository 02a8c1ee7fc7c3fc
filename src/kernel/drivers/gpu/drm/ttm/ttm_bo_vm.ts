// drivers/gpu/drm/ttm/ttm_bo_vm.c: CPU mappings of buffer objects, and the fault helpers that the series gives to
// drivers. Linux 5.1 with the series, and 6.1 by variants. A helper that returns VM_FAULT_RETRY without RETRY_NOWAIT has
// dropped mmap_sem and, where it was held, the reservation: the caller touches neither. Left out: imported
// objects, huge entries of io memory.
import { cpu_load, cpu_store } from '../../../../../hardware/cpu';
import { PAGE_SIZE } from '../../../../../hardware/pte';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { bool, int, isNull, long, NULL, pte, ref, type Structs } from '../../../../../state/layout';
import { pgprot_writecombine } from '../../../../arch/x86/include/asm/pgtable';
import {
  TTM_PL_SYSTEM,
  TTM_PL_VRAM,
  ttm_write_combined,
} from '../../../../include/drm/ttm/ttm_bo_api';
import { EINVAL, EIO, ERESTARTSYS } from '../../../../include/linux/errno';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_RETRY_NOWAIT,
  FAULT_FLAG_TRIED,
  FAULT_FLAG_WRITE,
  is_cow_mapping,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_FAULT_ERROR,
  VM_FAULT_FALLBACK,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_IO,
  VM_MIXEDMAP,
  VM_PFNMAP,
} from '../../../../include/linux/mm';
import {
  HPAGE_PMD_NR,
  vmf_insert_pfn_pmd_prot,
  vmf_insert_pfn_pud_prot,
} from '../../../../mm/huge_memory';
import { vmf_insert_mixed_prot, vmf_insert_pfn_prot } from '../../../../mm/memory';
import {
  dma_fence_get,
  dma_fence_is_signaled,
  dma_fence_put,
  dma_fence_wait,
} from '../../../dma-buf/dma-fence';
import { ttm_bo_get, ttm_bo_put, ttm_bo_unreserve, ttm_bo_vm_lookup } from './ttm_bo';
import { frameOf, ttm_bo_kmap } from './ttm_bo_util';
import { ttm_tt_populate } from './ttm_tt';

const file = 'drivers/gpu/drm/ttm/ttm_bo_vm.c';
const boAndFault = { bo: ref('ttm_buffer_object'), vmf: ref('vm_fault') };
const accessed = {
  vma: ref('vm_area_struct'),
  addr: long,
  len: int,
  write: bool,
  unique: bool,
  value: int,
};
const hugeArgs = { ...boAndFault, page_offset: int, fault_page_size: int };

interface Fault {
  readonly vmf: Structs['vm_fault'];
}

const nowait = (flags: number): boolean => (flags & FAULT_FLAG_RETRY_NOWAIT) !== 0;

/** What is done when the fault may be retried: in 6.1 only the first time round. */
const whenRetryAllowed = ({ when, variant }: AnyBuilder, then: Node[]): Node =>
  variant(
    'drm-6.1',
    [
      when(
        'fault_flag_allow_retry_first(vmf->flags)',
        ({ vmf }: Fault) =>
          (vmf.flags & (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED)) === FAULT_FLAG_ALLOW_RETRY,
        then,
      ),
    ],
    [
      when(
        'vmf->flags & FAULT_FLAG_ALLOW_RETRY',
        ({ vmf }: Fault) => (vmf.flags & FAULT_FLAG_ALLOW_RETRY) !== 0,
        then,
      ),
    ],
  );

/** Waits until the object is not reserved, whatever comes of it: who retries will look again. */
const ttm_bo_wait_unreserved = routine(
  'drivers/gpu/drm/ttm/ttm_bo.c',
  'ttm_bo_wait_unreserved',
  { args: { bo: ref('ttm_buffer_object') }, locals: { ret: int } },
  ({ acquire, release, when }) => [
    acquire('ret = dma_resv_lock_interruptible(bo->resv, NULL)', (f) => f.bo.resv.lock, {
      interruptible: true,
      into: 'ret',
    }),
    when('!ret', (f) => f.ret === 0, [release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock)]),
  ],
);

/**
 * Reserves the object of a fault. 0: reserved. VM_FAULT_RETRY: somebody else had it; mmap_sem is dropped unless the
 * fault said not to wait. VM_FAULT_NOPAGE: fault again.
 */
export const ttm_bo_vm_reserve = routine(
  file,
  'ttm_bo_vm_reserve',
  { args: boAndFault, locals: { got: int, ret: int }, returns: int },
  (b) => [
    b.trylock('got = dma_resv_trylock(bo->resv)', (f) => f.bo.resv.lock, { into: 'got' }),
    b.when('got', (f) => f.got === 1, [b.ret('0', () => 0)]),
    whenRetryAllowed(b, [
      b.when('!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT)', (f) => !nowait(f.vmf.flags), [
        b.call(ttm_bo_get, (f) => ({ bo: f.bo })),
        b.release('up_read(&vmf->vma->vm_mm->mmap_sem)', (f) => f.vmf.vma.vm_mm.mmap_sem),
        b.call(ttm_bo_wait_unreserved, (f) => ({ bo: f.bo })),
        b.call(ttm_bo_put, (f) => ({ bo: f.bo })),
      ]),
      b.ret('VM_FAULT_RETRY', () => VM_FAULT_RETRY),
    ]),
    b.variant('drm-6.1', [
      b.acquire('ret = dma_resv_lock_interruptible(bo->resv, NULL)', (f) => f.bo.resv.lock, {
        interruptible: true,
        into: 'ret',
      }),
      b.when('!ret', (f) => f.ret === 0, [b.ret('0', () => 0)]),
    ]),
    b.ret('VM_FAULT_NOPAGE', () => VM_FAULT_NOPAGE),
  ],
);

/**
 * Waits for a move, or a readback, of a reserved object. 0: idle, still reserved. VM_FAULT_RETRY: waited without
 * mmap_sem, and both it and the reservation are dropped (unless the fault said not to wait: then both are held).
 */
export const ttm_bo_vm_fault_idle = routine(
  file,
  'ttm_bo_vm_fault_idle',
  { args: boAndFault, locals: { moving: ref('dma_fence'), signaled: int, ret: int }, returns: int },
  (b) => {
    const forget = b.variant(
      'drm-6.1',
      [],
      [
        b.step('bo->moving = NULL', (f) => {
          f.bo.resv.fence_kernel = NULL;
        }),
        b.call(dma_fence_put, (f) => ({ fence: f.moving })),
      ],
    );
    return [
      b.step('moving = bo->moving', (f) => {
        f.moving = f.bo.resv.fence_kernel;
      }),
      b.when('!moving', (f) => isNull(f.moving), [b.ret('0', () => 0)]),
      b.variant('bz-16', [b.call(dma_fence_get, (f) => ({ fence: f.moving }))]), // and nobody puts it
      b.call(dma_fence_is_signaled, (f) => ({ fence: f.moving }), 'signaled'),
      b.when('signaled', (f) => f.signaled !== 0, [forget, b.ret('0', () => 0)]),
      whenRetryAllowed(b, [
        b.when('!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT)', (f) => !nowait(f.vmf.flags), [
          b.call(ttm_bo_get, (f) => ({ bo: f.bo })),
          b.release('up_read(&vmf->vma->vm_mm->mmap_sem)', (f) => f.vmf.vma.vm_mm.mmap_sem),
          b.call(dma_fence_wait, (f) => ({ fence: f.moving, intr: 1 })),
          b.release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock),
          b.call(ttm_bo_put, (f) => ({ bo: f.bo })),
        ]),
        b.ret('VM_FAULT_RETRY', () => VM_FAULT_RETRY),
      ]),
      b.call(dma_fence_wait, (f) => ({ fence: f.moving, intr: 1 }), 'ret'),
      b.when('ret == -ERESTARTSYS', (f) => f.ret === -ERESTARTSYS, [
        b.ret('VM_FAULT_NOPAGE', () => VM_FAULT_NOPAGE),
      ]),
      b.when('ret', (f) => f.ret !== 0, [b.ret('VM_FAULT_SIGBUS', () => VM_FAULT_SIGBUS)]),
      forget,
      b.ret('0', () => 0),
    ];
  },
);

/**
 * Maps up to `num_prefault` pages of a reserved object from the fault on, all with protection `prot`, or, when
 * `fault_page_size` (5.7 to 5.15) is not 1, that many with one huge entry. Waits first as
 * ttm_bo_vm_fault_idle does, with the same meaning of VM_FAULT_RETRY. VM_FAULT_NOPAGE when the page is mapped.
 */
export const ttm_bo_vm_fault_reserved = routine(
  file,
  'ttm_bo_vm_fault_reserved',
  {
    args: { vmf: ref('vm_fault'), prot: pte, num_prefault: int, fault_page_size: int },
    locals: {
      bo: ref('ttm_buffer_object'),
      ttm: ref('ttm_tt'),
      page_offset: int,
      page_last: int,
      pfnmap: bool,
      is_iomem: bool,
      i: int,
      pfn: int,
      ret: int,
    },
    returns: int,
  },
  ({ step, call, loop, leave, when, ret, variant, having }) => [
    step('bo = vma->vm_private_data', (f, k) => {
      f.bo = k.view('ttm_buffer_object', f.vmf.vma.vm_private_data);
    }),
    call(ttm_bo_vm_fault_idle, (f) => ({ bo: f.bo, vmf: f.vmf }), 'ret'),
    when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    step(
      'page_offset = that of the address in the object; page_last = that of the end of the vma',
      (f) => {
        const { vma, pgoff } = f.vmf;
        const start = f.bo.vma_node_start;
        f.page_offset = pgoff - start;
        f.page_last = (vma.vm_end - vma.vm_start) / PAGE_SIZE + vma.vm_pgoff - start;
        f.pfnmap = (vma.vm_flags & VM_PFNMAP) !== 0;
      },
    ),
    when('page_offset >= bo->num_pages', (f) => f.page_offset >= f.bo.num_pages, [
      ret('VM_FAULT_SIGBUS', () => VM_FAULT_SIGBUS),
    ]),
    step('ttm = bo->ttm', (f) => {
      f.ttm = f.bo.ttm;
      f.is_iomem = f.bo.mem_type === TTM_PL_VRAM; // ttm_mem_io_reserve_vm(bo)
    }),
    having('bare objects', [
      when('there is nothing that could be mapped', (f) => isNull(f.ttm) && !f.is_iomem, [
        ret('VM_FAULT_SIGBUS', () => VM_FAULT_SIGBUS),
      ]),
    ]),
    variant('write-combined', [
      step('prot = ttm_io_prot(bo->mem.placement, prot)', (f) => {
        const caching = f.is_iomem ? ttm_write_combined : f.ttm.caching;
        if (caching === ttm_write_combined) f.prot = pgprot_writecombine(f.prot);
      }),
    ]),
    when('!bo->mem.bus.is_iomem', (f) => !f.is_iomem, [
      call(ttm_tt_populate, (f) => ({ ttm: f.ttm }), 'ret'),
      when('ret', (f) => f.ret !== 0, [ret('VM_FAULT_OOM', () => VM_FAULT_OOM)]),
    ]),
    variant('huge-faults', [
      when('fault_page_size != 1', (f) => f.fault_page_size !== 1, [
        call(
          ttm_bo_vm_insert_huge,
          (f) => ({
            vmf: f.vmf,
            bo: f.bo,
            page_offset: f.page_offset,
            fault_page_size: f.fault_page_size,
            pgprot: f.prot,
          }),
          'ret',
        ),
        ret('ret', (f) => f.ret),
      ]),
    ]),
    loop('for (i = 0; i < num_prefault; ++i)', [
      when(
        'i == num_prefault || page_offset == page_last',
        (f) => f.i >= f.num_prefault || f.page_offset >= f.page_last,
        [leave()],
      ),
      step(
        'pfn = ttm_bo_io_mem_pfn(bo, page_offset), or page_to_pfn(ttm->pages[page_offset])',
        (f, k) => {
          f.pfn = frameOf(k, f.bo, f.page_offset) ?? -1;
        },
      ),
      when(
        'vma->vm_flags & VM_PFNMAP',
        (f) => f.pfnmap,
        [call(vmf_insert_pfn_prot, (f) => insertion(f), 'ret')],
        [call(vmf_insert_mixed_prot, (f) => insertion(f), 'ret')],
      ),
      when('ret & VM_FAULT_ERROR', (f) => (f.ret & VM_FAULT_ERROR) !== 0, [
        when('i == 0', (f) => f.i === 0, [
          variant(
            'drm-6.1',
            [ret('VM_FAULT_NOPAGE', () => VM_FAULT_NOPAGE)],
            [ret('ret', (f) => f.ret)],
          ),
        ]),
        leave(),
      ]),
      variant('prefault-stops', [
        when('ret == VM_FAULT_NOPAGE && i > 0', (f) => f.ret === VM_FAULT_NOPAGE && f.i > 0, [
          leave(),
        ]),
      ]),
      step('i++, page_offset++', (f) => {
        f.i++;
        f.page_offset++;
      }),
    ]),
    ret('VM_FAULT_NOPAGE', () => VM_FAULT_NOPAGE),
  ],
);

/**
 * Maps the huge page of `fault_page_size` pages around page `page_offset` of a populated object with one entry.
 * VM_FAULT_FALLBACK when the object ends before it, or its frames are not side by side and aligned.
 */
const ttm_bo_vm_insert_huge = routine(
  file,
  'ttm_bo_vm_insert_huge',
  {
    args: { ...hugeArgs, pgprot: pte },
    locals: { pfn: int, fits: bool, write: bool, ret: int },
    returns: int,
  },
  ({ step, call, when, ret }) => {
    const args = (f: {
      vmf: Structs['vm_fault'];
      pfn: number;
      pgprot: Structs['vm_fault']['orig_pte'];
      write: boolean;
    }) => ({ vmf: f.vmf, pfn: f.pfn, pgprot: f.pgprot, write: f.write });
    return [
      step(
        'page_offset &= ~(fault_page_size - 1); pfn = page_to_pfn(ttm->pages[page_offset])',
        (f, k) => {
          const { memory } = k.parts;
          const { pages } = f.bo.ttm;
          f.write = (f.vmf.flags & FAULT_FLAG_WRITE) !== 0;
          f.page_offset -= f.page_offset % f.fault_page_size;
          if (f.page_offset + f.fault_page_size > f.bo.num_pages) return;
          if (f.bo.mem_type === TTM_PL_VRAM) return;
          f.pfn = memory.pfnOfPage(pages.get(f.page_offset));
          f.fits = f.pfn % f.fault_page_size === 0;
          for (let i = 1; f.fits && i < f.fault_page_size; i++) {
            f.fits = memory.pfnOfPage(pages.get(f.page_offset + i)) === f.pfn + i;
          }
        },
      ),
      when('beyond the object, or not contiguous', (f) => !f.fits, [
        ret('VM_FAULT_FALLBACK', () => VM_FAULT_FALLBACK),
      ]),
      when(
        'fault_page_size == HPAGE_PMD_SIZE >> PAGE_SHIFT',
        (f) => f.fault_page_size === HPAGE_PMD_NR,
        [call(vmf_insert_pfn_pmd_prot, args, 'ret')],
        [call(vmf_insert_pfn_pud_prot, args, 'ret')],
      ),
      when('ret != VM_FAULT_NOPAGE', (f) => f.ret !== VM_FAULT_NOPAGE, [
        ret('VM_FAULT_FALLBACK', () => VM_FAULT_FALLBACK),
      ]),
      ret('VM_FAULT_NOPAGE', () => VM_FAULT_NOPAGE),
    ];
  },
);

function insertion(f: {
  vmf: Structs['vm_fault'];
  i: number;
  pfn: number;
  prot: Structs['vm_fault']['orig_pte'];
}) {
  const { vma, address } = f.vmf;
  const first = address - (address % PAGE_SIZE);
  return { vma, addr: first + f.i * PAGE_SIZE, pfn: f.pfn, pgprot: f.prot };
}

/** mmap of the device's file: finds the object by its fake offset. The mapping keeps a reference. */
export const ttm_bo_mmap = routine(
  file,
  'ttm_bo_mmap',
  {
    args: { vma: ref('vm_area_struct'), bdev: ref('ttm_bo_device') },
    locals: { bo: ref('ttm_buffer_object'), pgoff: int, pages: int, vm_flags: int },
    returns: int,
  },
  ({ step, call, when, ret, variant }) => [
    step('pgoff, pages, flags of the vma', (f) => {
      const { vma } = f;
      f.pgoff = vma.vm_pgoff;
      f.pages = (vma.vm_end - vma.vm_start) / PAGE_SIZE;
      f.vm_flags = vma.vm_flags;
    }),
    call(ttm_bo_vm_lookup, (f) => ({ bdev: f.bdev, pgoff: f.pgoff, pages: f.pages }), 'bo'),
    when('!bo', (f) => isNull(f.bo), [ret('-EINVAL', () => -EINVAL)]),
    variant(
      'bz-18',
      [],
      [
        variant('no-private-mappings', [
          when('is_cow_mapping(vma->vm_flags)', (f) => is_cow_mapping(f.vm_flags), [
            call(ttm_bo_put, (f) => ({ bo: f.bo })),
            ret('-EINVAL', () => -EINVAL),
          ]),
        ]),
      ],
    ),
    step('vma->vm_ops = bdev->vm_ops', (f) => {
      f.vma.vm_ops = f.bdev.vm_ops;
    }),
    step('vma->vm_private_data = bo', (f) => {
      f.vma.vm_private_data = f.bo.at;
    }),
    variant(
      'pfnmap',
      [
        step('vma->vm_flags |= VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP', (f) => {
          f.vma.vm_flags = f.vm_flags | VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP;
        }),
      ],
      [
        step('vma->vm_flags |= VM_MIXEDMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP', (f) => {
          f.vma.vm_flags = f.vm_flags | VM_MIXEDMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP;
        }),
      ],
    ),
    ret('0', () => 0),
  ],
);

/** A mapping was copied or split: it has a reference of its own. */
export const ttm_bo_vm_open = routine(
  file,
  'ttm_bo_vm_open',
  { args: { vma: ref('vm_area_struct') }, locals: { bo: ref('ttm_buffer_object') } },
  ({ step, call }) => [
    step('bo = vma->vm_private_data', (f, k) => {
      f.bo = k.view('ttm_buffer_object', f.vma.vm_private_data);
    }),
    call(ttm_bo_get, (f) => ({ bo: f.bo })),
  ],
);

/** A mapping goes away, and its reference with it. */
export const ttm_bo_vm_close = routine(
  file,
  'ttm_bo_vm_close',
  { args: { vma: ref('vm_area_struct') }, locals: { bo: ref('ttm_buffer_object') } },
  ({ step, call }) => [
    step('bo = vma->vm_private_data; vma->vm_private_data = NULL', (f, k) => {
      f.bo = k.view('ttm_buffer_object', f.vma.vm_private_data);
      f.vma.vm_private_data = 0;
    }),
    call(ttm_bo_put, (f) => ({ bo: f.bo })),
  ],
);

/** Bytes from an address to the end of its page, or of what is left. */
const piece = (f: { addr: number; left: number }): number =>
  Math.min(f.left, PAGE_SIZE - (f.addr % PAGE_SIZE));

/** Copies from or to an object that is in system pages, a page at a time, by a map of the kernel's: the bytes, or an errno. */
const ttm_bo_vm_access_kmap = routine(
  file,
  'ttm_bo_vm_access_kmap',
  {
    args: accessed,
    locals: { bo: ref('ttm_buffer_object'), left: int, ret: int },
    returns: int,
  },
  ({ step, call, when, loop, leave, ret }) => [
    step('bytes_left = len', (f, k) => {
      f.bo = k.view('ttm_buffer_object', f.vma.vm_private_data);
      f.left = f.len;
    }),
    loop('do', [
      when('!bytes_left', (f) => f.left === 0, [leave()]),
      call(ttm_bo_kmap, (f) => ({ bo: f.bo }), 'ret'),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
      step('memcpy(ptr, buf, bytes), or back', (f, k) => {
        const { vma, addr, write, unique, value } = f;
        const length = piece(f);
        const offset = addr - vma.vm_start + (vma.vm_pgoff - f.bo.vma_node_start) * PAGE_SIZE;
        const pfn = frameOf(k, f.bo, Math.floor(offset / PAGE_SIZE)) ?? -1;
        const frame = k.parts.memory.frame(pfn);
        const where = { cpu: k.cpu, root: vma.vm_mm.pgd, address: addr, pfn, length };
        if (write) {
          frame.fill(addr % PAGE_SIZE, length, { unique, value });
          k.emit(cpu_store, { ...where, unique, value });
        } else k.emit(cpu_load, { ...where, value: frame.byte(addr % PAGE_SIZE) });
        f.addr += length;
        f.left -= length;
      }),
    ]),
    ret('len', (f) => f.len),
  ],
);

/**
 * `vm_ops->access`: bytes of a mapping for somebody who has no `struct page` to take hold of, a debugger. Of an object in
 * system placement only. The tracker notes nothing, nor does any entry. How many bytes, or a negative errno.
 */
export const ttm_bo_vm_access = routine(
  file,
  'ttm_bo_vm_access',
  {
    args: accessed,
    locals: { bo: ref('ttm_buffer_object'), mem_type: int, fits: bool, ret: int },
    returns: int,
  },
  ({ step, acquire, call, when, ret, variant }) => [
    step('offset + len > bo->num_pages << PAGE_SHIFT', (f, k) => {
      const { vma, addr, len } = f;
      f.bo = k.view('ttm_buffer_object', vma.vm_private_data);
      const { vma_node_start, num_pages } = f.bo;
      const offset = addr - vma.vm_start + (vma.vm_pgoff - vma_node_start) * PAGE_SIZE;
      f.fits = len >= 1 && offset + len <= num_pages * PAGE_SIZE;
    }),
    when('outside', (f) => !f.fits, [ret('-EIO', () => -EIO)]),
    acquire('ret = ttm_bo_reserve(bo, true, false, NULL)', (f) => f.bo.resv.lock, {
      interruptible: true,
      into: 'ret',
    }),
    when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    variant(
      'bz-19',
      [
        step('bo->mem.mem_type; bo->ttm->page_flags & TTM_PAGE_FLAG_SWAPPED', (f) => {
          const { mem_type, ttm } = f.bo;
          f.mem_type = mem_type;
          if (mem_type === TTM_PL_SYSTEM && ttm.swapped) f.fits = true; // ttm_tt_populate() will swap it in
        }),
      ],
      [
        step('bo->mem.mem_type, if it has any pages', (f) => {
          f.mem_type = isNull(f.bo.ttm) ? -1 : f.bo.mem_type;
        }),
      ],
    ),
    when(
      'TTM_PL_SYSTEM',
      (f) => f.mem_type === TTM_PL_SYSTEM,
      [
        call(
          ttm_bo_vm_access_kmap,
          ({ vma, addr, len, write, unique, value }) => ({ vma, addr, len, write, unique, value }),
          'ret',
        ),
      ],
      [
        step('ret = -EIO', (f) => {
          f.ret = -EIO;
        }),
      ],
    ),
    call(ttm_bo_unreserve, (f) => ({ bo: f.bo })),
    ret('ret', (f) => f.ret),
  ],
);
