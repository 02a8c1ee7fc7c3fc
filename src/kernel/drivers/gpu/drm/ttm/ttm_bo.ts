// drivers/gpu/drm/ttm/ttm_bo.c and drm_vma_manager.c: buffer objects, their placement and their fake offsets. Linux
// 5.1, and 6.1 by variants. Left out: letting go of the reservation while
// eviction waits for an object that is to be destroyed. An object stays on its LRU list while it is reserved, as in 6.1:
// nobody who wants a victim gets it then, on the list or not.
import type { Engine } from '../../../../../routine/engine';
import { lockOwner, lockTicket } from '../../../../../routine/locks';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { tracepoint } from '../../../../../state/events';
import { bool, int, isNull, NULL, ref, type Structs, same } from '../../../../../state/layout';
import { refcount_dec, refcount_inc } from '../../../../include/asm-generic/bug';
import {
  DRM_FILE_PAGE_OFFSET_START,
  TTM_MAX_BO_PRIORITY,
  TTM_PL_SYSTEM,
  TTM_PL_VRAM,
  ttm_cached,
  ttm_write_combined,
} from '../../../../include/drm/ttm/ttm_bo_api';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../../../../include/linux/dma-fence';
import {
  EBUSY,
  EDEADLK,
  EINTR,
  ENOMEM,
  ENOSPC,
  ERESTARTSYS,
} from '../../../../include/linux/errno';
import { unmap_mapping_range } from '../../../../mm/memory';
import { dma_fence_enable_sw_signaling, dma_fence_wait } from '../../../dma-buf/dma-fence';
import { dma_resv_add_fence, dma_resv_test_signaled } from '../../../dma-buf/dma-resv';
import { ttm_tt_destroy, ttm_tt_init, ttm_tt_populate, ttm_tt_swapout } from './ttm_tt';

const file = 'drivers/gpu/drm/ttm/ttm_bo.c';
const bo = { bo: ref('ttm_buffer_object') };

/** A buffer object gets another placement: numbers of memory types. */
export const ttm_bo_move = tracepoint('ttm_bo_move', {
  bo: ref('ttm_buffer_object'),
  old: int,
  placement: int,
});

/** Takes a reference. */
export const ttm_bo_get = routine(file, 'ttm_bo_get', { args: bo }, ({ atomic }) => [
  atomic('kref_get(&bo->kref)', (f, k) => {
    f.bo.kref = refcount_inc(k, f.bo.kref);
  }),
]);

/** Drops a reference; the last one ends the object. Holds no reservation, or at most those of other objects. */
export const ttm_bo_put = routine(
  file,
  'ttm_bo_put',
  { args: bo, locals: { left: int } },
  ({ atomic, when, call }) => [
    atomic('left = --bo->kref', (f, k) => {
      f.left = refcount_dec(k, f.bo.kref);
      f.bo.kref = f.left;
    }),
    when('!left', (f) => f.left === 0, [call(ttm_bo_release, (f) => ({ bo: f.bo }))]),
  ],
);

/** The last reference is gone: the object ends now or, when the GPU or somebody else is not done with it, later. */
const ttm_bo_release = routine(
  file,
  'ttm_bo_release',
  { args: bo },
  ({ step, call, acquire, release }) => [
    acquire('write_lock(&bdev->vma_manager->vm_lock)', (f) => f.bo.bdev.vm_lock),
    step('drm_vma_offset_remove(bdev->vma_manager, &bo->vma_node)', (f) => {
      const { bo } = f;
      const { bdev } = bo;
      if (same(bdev.nodes, bo)) bdev.nodes = bo.vma_node_next;
      else {
        let before = bdev.nodes;
        while (!same(before.vma_node_next, bo)) before = before.vma_node_next;
        before.vma_node_next = bo.vma_node_next;
      }
      bo.vma_node_next = NULL;
    }),
    release('write_unlock(&bdev->vma_manager->vm_lock)', (f) => f.bo.bdev.vm_lock),
    call(ttm_bo_cleanup_refs_or_queue, (f) => ({ bo: f.bo })),
  ],
);

const ttm_bo_cleanup_refs_or_queue = routine(
  file,
  'ttm_bo_cleanup_refs_or_queue',
  { args: bo, locals: { locked: int, idle: int } },
  ({ step, trylock, acquire, release, call, when, ret }) => [
    trylock('ret = dma_resv_trylock(bo->resv)', (f) => f.bo.resv.lock, { into: 'locked' }),
    when('locked', (f) => f.locked === 1, [
      call(dma_resv_test_signaled, (f) => ({ resv: f.bo.resv }), 'idle'),
      when('idle', (f) => f.idle === 1, [
        acquire('spin_lock(&glob->lru_lock)', (f) => f.bo.bdev.lru_lock),
        step('ttm_bo_del_from_lru(bo)', (f) => lruRemove(f.bo)),
        release('spin_unlock(&glob->lru_lock)', (f) => f.bo.bdev.lru_lock),
        call(ttm_bo_cleanup_memtype_use, (f) => ({ bo: f.bo })),
        ret(),
      ]),
      call(ttm_bo_flush_all_fences, (f) => ({ bo: f.bo })),
    ]),
    acquire('spin_lock(&glob->lru_lock)', (f) => f.bo.bdev.lru_lock),
    step('list_add_tail(&bo->ddestroy, &bdev->ddestroy)', (f) => {
      ddestroyAdd(f.bo);
      f.bo.deleted = true;
    }),
    release('spin_unlock(&glob->lru_lock)', (f) => f.bo.bdev.lru_lock),
    when('locked', (f) => f.locked === 1, [
      release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock),
    ]),
  ],
);

/** Nobody will wait for the fences of a reserved object any more: each is to signal by itself. */
const ttm_bo_flush_all_fences = routine(
  file,
  'ttm_bo_flush_all_fences',
  { args: bo, locals: { fence: ref('dma_fence') } },
  ({ step, call, when }) => [
    step('fence = reservation_object_get_excl(bo->resv)', (f) => {
      f.fence = f.bo.resv.fence_excl;
    }),
    when('fence && !fence->ops->signaled', (f) => !isNull(f.fence), [
      call(dma_fence_enable_sw_signaling, (f) => ({ fence: f.fence })),
    ]),
  ],
);

/** The end of a reserved object that is idle and on no list: its placement, its pages, itself. */
const ttm_bo_cleanup_memtype_use = routine(
  file,
  'ttm_bo_cleanup_memtype_use',
  { args: bo, locals: { ret: int, start: int, ttm: ref('ttm_tt') } },
  ({ step, call, callPointer, release, when, having }) => [
    having('vram', [
      step('bo->mem.mem_type == TTM_PL_VRAM', (f, k) => {
        const { bo } = f;
        f.start = bo.mem_type === TTM_PL_VRAM ? bo.mem_start : -1;
        if (f.start < 0) return;
        bo.mem_type = TTM_PL_SYSTEM; // nothing of it is needed any more
        k.emit(ttm_bo_move, { bo, old: TTM_PL_VRAM, placement: TTM_PL_SYSTEM });
      }),
      when('it is', (f) => f.start >= 0, [
        callPointer(
          'ttm_bo_mem_put(bo, &bo->mem)',
          (f) => f.bo.bdev.man.get(TTM_PL_VRAM).put_node,
          (f) => ({ bo: f.bo, mem_type: TTM_PL_VRAM, start: f.start }),
        ),
      ]),
    ]),
    call(ttm_bo_handle_move_mem, (f) => ({ bo: f.bo, mem_type: TTM_PL_SYSTEM, start: 0 }), 'ret'),
    call(dma_resv_add_fence, (f) => ({ resv: f.bo.resv, fence: NULL, kernel: false })),
    call(dma_resv_add_fence, (f) => ({ resv: f.bo.resv, fence: NULL, kernel: true })),
    step('ttm = bo->ttm', (f) => {
      f.ttm = f.bo.ttm;
      f.bo.ttm = NULL;
    }),
    when('ttm', (f) => !isNull(f.ttm), [call(ttm_tt_destroy, (f) => ({ ttm: f.ttm }))]),
    release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock),
    callPointer(
      'bo->destroy(bo)',
      (f) => f.bo.bdev.driver.destroy,
      (f) => ({ bo: f.bo }),
    ),
  ],
);

/** Ends a reserved object of the list of delayed destruction: 0, or -EBUSY when that may not wait and it is not idle. */
const ttm_bo_cleanup_refs = routine(
  file,
  'ttm_bo_cleanup_refs',
  { args: { ...bo, no_wait_gpu: bool }, locals: { idle: int }, returns: int },
  ({ step, acquire, release, call, when, ret }) => [
    when(
      'no_wait_gpu',
      (f) => f.no_wait_gpu,
      [
        call(dma_resv_test_signaled, (f) => ({ resv: f.bo.resv }), 'idle'),
        when('!idle', (f) => f.idle === 0, [
          release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock),
          ret('-EBUSY', () => -EBUSY),
        ]),
      ],
      [call(ttm_bo_wait, (f) => ({ bo: f.bo }))],
    ),
    acquire('spin_lock(&glob->lru_lock)', (f) => f.bo.bdev.lru_lock),
    step('ttm_bo_del_from_lru(bo); list_del_init(&bo->ddestroy)', (f) => {
      lruRemove(f.bo);
      ddestroyRemove(f.bo);
    }),
    release('spin_unlock(&glob->lru_lock)', (f) => f.bo.bdev.lru_lock),
    call(ttm_bo_cleanup_memtype_use, (f) => ({ bo: f.bo })),
    ret('0', () => 0),
  ],
);

/** Looks at each object of the list of delayed destruction once. */
const ttm_bo_delayed_delete = routine(
  file,
  'ttm_bo_delayed_delete',
  {
    args: { bdev: ref('ttm_bo_device') },
    locals: { ...bo, left: int, locked: int, ret: int },
  },
  ({ step, trylock, acquire, release, call, when, loop, leave }) => [
    acquire('spin_lock(&glob->lru_lock)', (f) => f.bdev.lru_lock),
    step('how many there are', (f) => {
      for (let bo = f.bdev.ddestroy; !isNull(bo); bo = bo.ddestroy_next) f.left++;
    }),
    release('spin_unlock(&glob->lru_lock)', (f) => f.bdev.lru_lock),
    loop('while (!list_empty(&bdev->ddestroy))', [
      when('all were looked at', (f) => f.left === 0, [leave()]),
      acquire('spin_lock(&glob->lru_lock)', (f) => f.bdev.lru_lock),
      step('bo = first; list_move_tail(&bo->ddestroy, &removed)', (f) => {
        f.left--;
        f.locked = 0;
        f.bo = f.bdev.ddestroy;
        if (isNull(f.bo)) return;
        ddestroyRemove(f.bo);
        ddestroyAdd(f.bo);
      }),
      when('bo', (f) => !isNull(f.bo), [
        trylock('dma_resv_trylock(bo->resv)', (f) => f.bo.resv.lock, { into: 'locked' }),
      ]),
      release('spin_unlock(&glob->lru_lock)', (f) => f.bdev.lru_lock),
      when('locked', (f) => f.locked === 1, [
        call(ttm_bo_cleanup_refs, (f) => ({ bo: f.bo, no_wait_gpu: true }), 'ret'),
      ]),
    ]),
  ],
);

/** Whether an object waits for its end that has come to it: nobody has it reserved, and its fences have signaled. */
function isDue(k: Engine, bdev: Structs['ttm_bo_device']): boolean {
  const signaled = (fence: Structs['dma_fence']) =>
    isNull(fence) || (fence.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0;
  return k.store.unobserved(() => {
    for (let bo = bdev.ddestroy; !isNull(bo); bo = bo.ddestroy_next) {
      const { fence_excl, fence_kernel, lock } = bo.resv;
      if (lockOwner(k.store, lock.at) < 0 && signaled(fence_excl) && signaled(fence_kernel)) {
        return true;
      }
    }
    return false;
  });
}

/** The worker of delayed destruction. It looks every hundredth of a second; here, when looking comes to something. */
export const ttm_bo_delayed_workqueue = routine(
  file,
  'ttm_bo_delayed_workqueue',
  { args: { bdev: ref('ttm_bo_device') } },
  ({ wait, call, loop, statement }) => [
    loop('for ever', [
      statement(undefined, [
        wait('schedule_delayed_work(&bdev->wq, HZ / 100)', (f, k) => isDue(k, f.bdev)),
        call(ttm_bo_delayed_delete, (f) => ({ bdev: f.bdev })),
      ]),
    ]),
  ],
);

type Bo = Structs['ttm_buffer_object'];
type Ttm = Structs['ttm_tt'];

/** Takes an object off its list, if it is on one; lru_lock is held. */
function lruRemove(bo: Bo): void {
  const { bdev, lru_list } = bo;
  if (lru_list === 0) return;
  const head = bdev.lru.get(lru_list - 1);
  if (same(head, bo)) bdev.lru.set(lru_list - 1, bo.lru_next);
  else {
    let before = head;
    while (!same(before.lru_next, bo)) before = before.lru_next;
    before.lru_next = bo.lru_next;
  }
  bo.lru_list = 0;
  bo.lru_next = NULL;
}

/** Puts an object at the end of the list of delayed destruction; lru_lock is held. */
function ddestroyAdd(bo: Bo): void {
  const { bdev } = bo;
  let last = bdev.ddestroy;
  if (isNull(last)) bdev.ddestroy = bo;
  else {
    while (!isNull(last.ddestroy_next)) last = last.ddestroy_next;
    last.ddestroy_next = bo;
  }
}

/** Takes an object off that list; lru_lock is held. */
function ddestroyRemove(bo: Bo): void {
  const { bdev } = bo;
  if (same(bdev.ddestroy, bo)) bdev.ddestroy = bo.ddestroy_next;
  else {
    let before = bdev.ddestroy;
    while (!same(before.ddestroy_next, bo)) before = before.ddestroy_next;
    before.ddestroy_next = bo.ddestroy_next;
  }
  bo.ddestroy_next = NULL;
}

/** The first list of a memory type. */
const firstList = (memType: number): number => memType * TTM_MAX_BO_PRIORITY;

/** The object after `bo` in lists `from` to `to`, or the first when that is NULL; lru_lock is held. */
function lruNext(bdev: Structs['ttm_bo_device'], from: number, to: number, bo: Bo): Bo {
  if (!isNull(bo) && !isNull(bo.lru_next)) return bo.lru_next;
  let head: Bo = NULL;
  for (let list = isNull(bo) ? from : bo.lru_list; isNull(head) && list < to; list++) {
    head = bdev.lru.get(list);
  }
  return head;
}

/** The object was used: it goes to the end of the list of its placement and priority. It is reserved. */
export const ttm_bo_move_to_lru_tail_unlocked = routine(
  file,
  'ttm_bo_move_to_lru_tail_unlocked',
  { args: bo },
  ({ step, acquire, release }) => [
    acquire('spin_lock(&glob->lru_lock)', (f) => f.bo.bdev.lru_lock),
    step('list_move_tail(&bo->lru, &man->lru[bo->priority])', (f) => {
      const { bo } = f;
      const { bdev } = bo;
      lruRemove(bo);
      const list = firstList(bo.mem_type) + bo.priority;
      bo.lru_list = list + 1;
      let last = bdev.lru.get(list);
      if (isNull(last)) bdev.lru.set(list, bo);
      else {
        while (!isNull(last.lru_next)) last = last.lru_next;
        last.lru_next = bo;
      }
    }),
    release('spin_unlock(&glob->lru_lock)', (f) => f.bo.bdev.lru_lock),
  ],
);

/** Lets go of an object that was used. */
export const ttm_bo_unreserve = routine(
  'include/drm/ttm/ttm_bo_driver.h',
  'ttm_bo_unreserve',
  { args: bo },
  ({ call, release }) => [
    call(ttm_bo_move_to_lru_tail_unlocked, (f) => ({ bo: f.bo })),
    release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock),
  ],
);

/** Waits until the GPU has done everything with a reserved object. */
export const ttm_bo_wait = routine(
  file,
  'ttm_bo_wait',
  { args: bo, locals: { fence: ref('dma_fence') } },
  ({ step, call, when }) => [
    step('fence = bo->resv->fence_excl', (f) => {
      f.fence = f.bo.resv.fence_excl;
    }),
    when('fence', (f) => !isNull(f.fence), [
      call(dma_fence_wait, (f) => ({ fence: f.fence, intr: 0 })),
    ]),
    step('fence = bo->moving', (f) => {
      f.fence = f.bo.resv.fence_kernel;
    }),
    when('fence', (f) => !isNull(f.fence), [
      call(dma_fence_wait, (f) => ({ fence: f.fence, intr: 0 })),
    ]),
  ],
);

/**
 * Makes the page array of an object, cached or as everything that the device may know; NULL without memory. Over a frame
 * with `bo` and `ttm`.
 */
const ttm_tt_create = ({ step, fallible, variant }: AnyBuilder): Node => {
  const create = (caching: number) =>
    fallible(
      'ttm_tt_create',
      step('ttm = ttm_tt_create(bo)', (f: { bo: Bo; ttm: Ttm }, k: Engine) => {
        f.ttm = k.alloc('ttm_tt');
        if (!isNull(f.ttm)) ttm_tt_init(f.ttm, f.bo.num_pages, caching);
      }),
    );
  // In 2019 caching went with the placement, and system placement is cached.
  return variant(
    'write-combined',
    [variant('drm-6.1', [create(ttm_write_combined)], [create(ttm_cached)])],
    [create(ttm_cached)],
  );
};

/** The first free range of fake offsets that `pages` fit in; called with the offsets' lock held. */
function firstFit(
  bdev: Structs['ttm_bo_device'],
  pages: number,
): [Structs['ttm_buffer_object'], number] {
  let start = DRM_FILE_PAGE_OFFSET_START;
  let before: Structs['ttm_buffer_object'] = NULL;
  for (let node = bdev.nodes; !isNull(node); node = node.vma_node_next) {
    if (start + pages <= node.vma_node_start) break;
    start = node.vma_node_start + node.num_pages;
    before = node;
  }
  return [before, start];
}

/** Fills in a buffer object that nobody else knows yet: system placement, one reference, a fake offset. */
export const ttm_bo_init = routine(
  file,
  'ttm_bo_init',
  {
    args: { ...bo, bdev: ref('ttm_bo_device'), num_pages: int },
    locals: { ttm: ref('ttm_tt') },
    returns: int,
  },
  (b) => [
    b.step('bo->bdev = bdev; bo->num_pages = num_pages', (f) => {
      f.bo.bdev = f.bdev;
      f.bo.num_pages = f.num_pages;
    }),
    b.step('kref_init(&bo->kref)', (f) => {
      f.bo.kref = 1;
    }),
    ttm_tt_create(b),
    b.when('!ttm', (f) => isNull(f.ttm), [b.ret('-ENOMEM', () => -ENOMEM)]),
    b.acquire('dma_resv_lock(bo->resv, NULL)', (f) => f.bo.resv.lock),
    b.step('bo->ttm = ttm; bo->mem.mem_type = TTM_PL_SYSTEM', (f) => {
      f.bo.ttm = f.ttm;
      f.bo.mem_type = TTM_PL_SYSTEM;
      f.bo.priority = TTM_MAX_BO_PRIORITY - 1;
    }),
    b.call(ttm_bo_unreserve, (f) => ({ bo: f.bo })),
    b.acquire('write_lock(&bdev->vma_manager->vm_lock)', (f) => f.bdev.vm_lock),
    b.step('drm_vma_offset_add(bdev->vma_manager, &bo->vma_node, num_pages)', (f) => {
      const { bo, bdev } = f;
      const [before, start] = firstFit(bdev, f.num_pages);
      bo.vma_node_start = start;
      bo.vma_node_next = isNull(before) ? bdev.nodes : before.vma_node_next;
      if (isNull(before)) bdev.nodes = bo;
      else before.vma_node_next = bo;
    }),
    b.release('write_unlock(&bdev->vma_manager->vm_lock)', (f) => f.bdev.vm_lock),
    b.ret('0', () => 0),
  ],
);

/** Removes every CPU mapping of the object. */
export const ttm_bo_unmap_virtual = routine(
  file,
  'ttm_bo_unmap_virtual',
  { args: bo },
  ({ call }) => [
    call(unmap_mapping_range, (f) => ({
      mapping: f.bo.bdev.dev_mapping,
      first_index: f.bo.vma_node_start,
      nr: f.bo.num_pages,
      even_cows: true,
    })),
  ],
);

/**
 * Moves a reserved object to another placement, to `start` there. Between placements in system pages these stay the same;
 * in 2019 so do the PTEs, unless the CPU caches them in another way there. Returns 0 or what the driver says.
 */
const ttm_bo_handle_move_mem = routine(
  file,
  'ttm_bo_handle_move_mem',
  {
    args: { ...bo, mem_type: int, start: int },
    locals: { cur: int, cur_start: int, ttm: ref('ttm_tt'), ret: int },
    returns: int,
  },
  (b) => {
    const { step, call, callPointer, when, ret, variant, having } = b;
    const failed = when('ret', (f: { ret: number }) => f.ret !== 0, [
      having('vram', [
        when('bo->mem is in VRAM: its page array goes', (f: Moved) => f.cur === TTM_PL_VRAM, [
          dropTt(b),
        ]),
      ]),
      ret('ret', (f: { ret: number }) => f.ret),
    ]);
    return [
      step('cur = bo->mem; ttm = bo->ttm', (f) => {
        f.cur = f.bo.mem_type;
        f.cur_start = f.bo.mem_start;
        f.ttm = f.bo.ttm;
      }),
      when('already there', (f) => f.cur === f.mem_type, [ret('0', () => 0)]),
      variant(
        'bz-53',
        [call(ttm_bo_unmap_virtual, (f) => ({ bo: f.bo }))],
        [
          variant(
            'write-combined',
            [
              when('ttm_mem_reg_is_pci(), or other caching', (f) => isPci(f) || isRecached(f), [
                call(ttm_bo_unmap_virtual, (f) => ({ bo: f.bo })),
              ]),
            ],
            [
              having('vram', [
                when('ttm_mem_reg_is_pci(bdev, &bo->mem) || ttm_mem_reg_is_pci(bdev, mem)', isPci, [
                  call(ttm_bo_unmap_virtual, (f) => ({ bo: f.bo })),
                ]),
              ]),
            ],
          ),
        ],
      ),
      having('bare objects', [
        when('!bo->ttm', (f) => isNull(f.ttm), [
          ttm_tt_create(b),
          when('!ttm', (f) => isNull(f.ttm), [ret('-ENOMEM', () => -ENOMEM)]),
          step('bo->ttm = ttm', (f) => {
            f.bo.ttm = f.ttm;
          }),
        ]),
      ]),
      variant('write-combined', [
        variant(
          'drm-6.1',
          [],
          [
            when('mem->mem_type != TTM_PL_VRAM', (f) => f.mem_type !== TTM_PL_VRAM, [
              step('ttm_tt_set_placement_caching(bo->ttm, mem->placement)', (f) => {
                f.ttm.caching = f.mem_type === TTM_PL_SYSTEM ? ttm_cached : ttm_write_combined;
              }),
            ]),
          ],
        ),
      ]),
      when(
        'mem->mem_type uses a page array, and is not TTM_PL_SYSTEM',
        (f) => isBound(f.mem_type),
        [call(ttm_tt_populate, (f) => ({ ttm: f.ttm }), 'ret'), failed],
      ),
      callPointer(
        'bdev->driver->move(bo, mem)',
        (f) => f.bo.bdev.driver.move,
        (f) => ({ bo: f.bo, old: f.cur, mem_type: f.mem_type, start: f.start }),
        'ret',
      ),
      failed,
      step('bo->mem = *mem', (f, k) => {
        const { bo, cur: old, mem_type: placement } = f;
        bo.mem_type = placement;
        bo.mem_start = f.start;
        k.emit(ttm_bo_move, { bo, old, placement });
      }),
      having('vram', [
        when('mem->mem_type == TTM_PL_VRAM', (f) => f.mem_type === TTM_PL_VRAM, [dropTt(b)]),
      ]),
      when('cur != TTM_PL_SYSTEM', (f) => f.cur !== TTM_PL_SYSTEM, [
        callPointer(
          'ttm_bo_mem_put(bo, &cur)',
          (f) => f.bo.bdev.man.get(f.cur).put_node,
          (f) => ({ bo: f.bo, mem_type: f.cur, start: f.cur_start }),
        ),
      ]),
      ret('0', () => 0),
    ];
  },
);

interface Moved {
  readonly cur: number;
  readonly mem_type: number;
}

/** Whether a move is from or to device memory behind a BAR. */
const isPci = ({ cur, mem_type }: Moved): boolean =>
  cur === TTM_PL_VRAM || mem_type === TTM_PL_VRAM;

/** Whether the CPU caches the pages in another way after a move: where only what the device knows is write-combined. */
const isRecached = ({ cur, mem_type }: Moved): boolean =>
  (cur === TTM_PL_SYSTEM) !== (mem_type === TTM_PL_SYSTEM);

/** Whether the system pages of an object in this placement are known to the device. */
export const isBound = (mem_type: number): boolean =>
  mem_type !== TTM_PL_SYSTEM && mem_type !== TTM_PL_VRAM;

/** The object has no system pages any more; over a frame with `bo` and `ttm`. */
export const dropTt = ({ step, call, when }: AnyBuilder): Node => [
  step('ttm = bo->ttm; bo->ttm = NULL', (f: Structs['ttm_validate_buffer'] & { ttm: Ttm }) => {
    f.ttm = f.bo.ttm;
    f.bo.ttm = NULL;
  }),
  when('ttm', (f: { ttm: Ttm }) => !isNull(f.ttm), [
    call(ttm_tt_destroy, (f: { ttm: Ttm }) => ({ ttm: f.ttm })),
  ]),
];

/** Moves a reserved object to where the driver wants evicted ones. */
export const ttm_bo_evict = routine(
  file,
  'ttm_bo_evict',
  { args: bo, locals: { mem_type: int, ret: int }, returns: int },
  ({ call, callPointer, ret }) => [
    callPointer(
      'bdev->driver->evict_flags(bo, &placement)',
      (f) => f.bo.bdev.driver.evict_flags,
      (f) => ({ bo: f.bo }),
      'mem_type',
    ),
    call(ttm_bo_handle_move_mem, (f) => ({ bo: f.bo, mem_type: f.mem_type, start: 0 }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/**
 * Reserves an object that nobody uses or has pinned and, when it is to be swapped out, that has pages: 1, or 0. -EBUSY:
 * somebody has reserved it.
 */
export const ttm_bo_evict_swapout_allowable = routine(
  file,
  'ttm_bo_evict_swapout_allowable',
  { args: { ...bo, swapout: bool }, locals: { locked: int, allowed: bool }, returns: int },
  ({ step, trylock, release, when, ret, variant }) => [
    trylock('locked = dma_resv_trylock(bo->resv)', (f) => f.bo.resv.lock, { into: 'locked' }),
    when('!locked', (f) => f.locked === 0, [ret('-EBUSY', () => -EBUSY)]),
    variant(
      'bz-20',
      [
        step('ttm_tt_is_populated(bo->ttm)', (f) => {
          f.allowed = !f.swapout || isPopulated(f.bo);
        }),
      ],
      [
        step('bo->pin_count, ttm_tt_is_populated(bo->ttm)', (f) => {
          f.allowed = f.bo.pin_count === 0 && (!f.swapout || isPopulated(f.bo));
        }),
      ],
    ),
    when('allowed', (f) => f.allowed, [ret('1', () => 1)]),
    release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock),
    ret('0', () => 0),
  ],
);

const isPopulated = ({ ttm, num_pages }: Bo): boolean =>
  !isNull(ttm) && ttm.populated === num_pages;

/**
 * The first object of lists `from` to `to` that may go, reserved, and with a reference unless it waits for its end. When there
 * is none and who asks has a ticket (not 0): the first that somebody else has reserved, with a reference. Else NULL.
 */
const firstVictim = routine(
  file,
  'firstVictim',
  {
    args: { bdev: ref('ttm_bo_device'), from: int, to: int, swapout: bool, ticket: int },
    locals: { ...bo, busy_bo: ref('ttm_buffer_object'), locked: int, alive: bool },
    returns: ref('ttm_buffer_object'),
  },
  ({ step, atomic, acquire, release, call, loop, leave, when, ret, variant }) => [
    acquire('spin_lock(&glob->lru_lock)', (f) => f.bdev.lru_lock),
    loop('for each priority: list_for_each_entry(bo, &man->lru[i], lru)', [
      step('bo = next', (f) => {
        f.bo = lruNext(f.bdev, f.from, f.to, f.bo);
      }),
      when('end of the lists', (f) => isNull(f.bo), [leave()]),
      call(ttm_bo_evict_swapout_allowable, (f) => ({ bo: f.bo, swapout: f.swapout }), 'locked'),
      when('locked', (f) => f.locked === 1, [
        step('!list_empty(&bo->ddestroy)', (f) => {
          f.alive = !f.swapout && f.bo.deleted;
        }),
        when('it is to be destroyed anyway', (f) => f.alive, [leave()]),
        atomic('kref_get_unless_zero(&bo->kref)', (f) => {
          f.alive = f.bo.kref !== 0;
          if (f.alive) f.bo.kref++;
        }),
        when('got it', (f) => f.alive, [leave()]),
        release('dma_resv_unlock(bo->resv)', (f) => f.bo.resv.lock),
      ]),
      variant('drm-6.1', [
        when(
          'busy && !busy_bo && ticket',
          (f) => f.locked === -EBUSY && isNull(f.busy_bo) && f.ticket !== 0,
          [
            step('if (ticket != dma_resv_locking_ctx(bo->resv)) busy_bo = bo', (f, k) => {
              if (lockTicket(k.store, f.bo.resv.lock.at) !== f.ticket) f.busy_bo = f.bo;
            }),
          ],
        ),
      ]),
    ]),
    variant('drm-6.1', [
      when('!bo && busy_bo', (f) => isNull(f.bo) && !isNull(f.busy_bo), [
        atomic('kref_get_unless_zero(&busy_bo->kref)', (f) => {
          if (f.busy_bo.kref === 0) return;
          f.busy_bo.kref++;
          f.bo = f.busy_bo;
        }),
      ]),
    ]),
    release('spin_unlock(&glob->lru_lock)', (f) => f.bdev.lru_lock),
    ret('bo', (f) => f.bo),
  ],
);

/** Waits until somebody else's object is let go of: 0, -EBUSY when an older ticket has it, or -ERESTARTSYS. */
const ttm_mem_evict_wait_busy = routine(
  file,
  'ttm_mem_evict_wait_busy',
  {
    args: { busy_bo: ref('ttm_buffer_object'), ticket: int },
    locals: { ret: int },
    returns: int,
  },
  ({ acquire, release, when, ret }) => [
    acquire(
      'ret = dma_resv_lock_interruptible(busy_bo->resv, ticket)',
      (f) => f.busy_bo.resv.lock,
      { interruptible: true, ticket: (f) => f.ticket, into: 'ret' },
    ),
    when('!ret', (f) => f.ret === 0, [
      release('dma_resv_unlock(busy_bo->resv)', (f) => f.busy_bo.resv.lock),
    ]),
    when('ret == -EDEADLK', (f) => f.ret === -EDEADLK, [ret('-EBUSY', () => -EBUSY)]),
    when('ret == -EINTR', (f) => f.ret === -EINTR, [ret('-ERESTARTSYS', () => -ERESTARTSYS)]),
    ret('0', () => 0),
  ],
);

/**
 * Evicts the object of a memory type that was used longest ago and may go. When there is none, 6.1 waits for one that somebody
 * else has reserved, if who asks has a ticket. -EBUSY: there is nothing to be done.
 */
const ttm_mem_evict_first = routine(
  file,
  'ttm_mem_evict_first',
  {
    args: { bdev: ref('ttm_bo_device'), mem_type: int, ticket: int },
    locals: { ...bo, deleted: bool, busy: bool, ret: int },
    returns: int,
  },
  ({ unlocked, call, when, ret, variant }) => [
    call(
      firstVictim,
      ({ bdev, mem_type, ticket }) => ({
        bdev,
        from: firstList(mem_type),
        to: firstList(mem_type) + TTM_MAX_BO_PRIORITY,
        swapout: false,
        ticket,
      }),
      'bo',
    ),
    when('!bo', (f) => isNull(f.bo), [ret('-EBUSY', () => -EBUSY)]),
    unlocked('!list_empty(&bo->ddestroy)', (f, k) => {
      f.deleted = f.bo.deleted;
      f.busy = lockOwner(k.store, f.bo.resv.lock.at) !== k.task;
    }),
    variant('drm-6.1', [
      when('it is busy_bo', (f) => f.busy, [
        call(ttm_mem_evict_wait_busy, (f) => ({ busy_bo: f.bo, ticket: f.ticket }), 'ret'),
        call(ttm_bo_put, (f) => ({ bo: f.bo })),
        ret('ret', (f) => f.ret),
      ]),
    ]),
    when('it is to be destroyed anyway', (f) => f.deleted, [
      call(ttm_bo_cleanup_refs, (f) => ({ bo: f.bo, no_wait_gpu: false }), 'ret'),
      ret('ret', (f) => f.ret),
    ]),
    call(ttm_bo_evict, (f) => ({ bo: f.bo }), 'ret'),
    call(ttm_bo_unreserve, (f) => ({ bo: f.bo })),
    call(ttm_bo_put, (f) => ({ bo: f.bo })),
    ret('ret', (f) => f.ret),
  ],
);

/** Evicts every object of a memory type that may go. 0, or what an eviction returned. */
export const ttm_bo_evict_mm = routine(
  file,
  'ttm_bo_evict_mm',
  { args: { bdev: ref('ttm_bo_device'), mem_type: int }, locals: { ret: int }, returns: int },
  ({ call, loop, when, ret }) => [
    loop('while (!list_empty(&man->lru[i]))', [
      call(ttm_mem_evict_first, (f) => ({ bdev: f.bdev, mem_type: f.mem_type, ticket: 0 }), 'ret'),
      when('ret == -EBUSY', (f) => f.ret === -EBUSY, [ret('0', () => 0)]),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    ]),
  ],
);

/** Takes the pages of a reserved object out of memory; who needs them next brings them back. 0 or a negative errno. */
export const ttm_bo_swapout = routine(
  file,
  'ttm_bo_swapout',
  { args: bo, locals: { ttm: ref('ttm_tt'), ret: int }, returns: int },
  ({ step, call, callPointer, when, ret, having }) => [
    step('ttm = bo->ttm', (f) => {
      f.ttm = f.bo.ttm;
    }),
    call(ttm_bo_handle_move_mem, (f) => ({ bo: f.bo, mem_type: TTM_PL_SYSTEM, start: 0 }), 'ret'),
    when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    call(ttm_bo_wait, (f) => ({ bo: f.bo })),
    call(ttm_bo_unmap_virtual, (f) => ({ bo: f.bo })),
    having('kernel maps', [
      callPointer(
        'bo->bdev->driver->swap_notify(bo)',
        (f) => f.bo.bdev.driver.swap_notify,
        (f) => ({ bo: f.bo }),
      ),
    ]),
    call(ttm_tt_swapout, (f) => ({ ttm: f.ttm }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/** Swaps out every object that may go. */
export const ttm_bo_swapout_all = routine(
  file,
  'ttm_bo_swapout_all',
  {
    args: { bdev: ref('ttm_bo_device') },
    locals: { ...bo, ret: int },
    returns: int,
  },
  ({ call, loop, when, ret }) => [
    loop('while (ttm_bo_swapout(glob, &ctx) == 0)', [
      call(
        firstVictim,
        ({ bdev }) => ({ bdev, from: 0, to: bdev.lru.length, swapout: true, ticket: 0 }),
        'bo',
      ),
      when('!bo', (f) => isNull(f.bo), [ret('0', () => 0)]),
      call(ttm_bo_swapout, (f) => ({ bo: f.bo }), 'ret'),
      call(ttm_bo_unreserve, (f) => ({ bo: f.bo })),
      call(ttm_bo_put, (f) => ({ bo: f.bo })),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    ]),
  ],
);

/** Room for a reserved object in a memory type, at the cost of others. Where it begins, or -ENOMEM. */
const ttm_bo_mem_space = routine(
  file,
  'ttm_bo_mem_space',
  { args: { ...bo, mem_type: int }, locals: { start: int, ret: int }, returns: int },
  ({ call, callPointer, loop, when, ret }) => [
    when('mem_type == TTM_PL_SYSTEM', (f) => f.mem_type === TTM_PL_SYSTEM, [ret('0', () => 0)]),
    loop('do', [
      callPointer(
        'man->func->get_node(man, bo, place, mem)',
        (f) => f.bo.bdev.man.get(f.mem_type).get_node,
        (f) => ({ bo: f.bo, mem_type: f.mem_type }),
        'start',
      ),
      when('there is room, or an error', (f) => f.start !== -ENOSPC, [
        ret('start', (f) => f.start),
      ]),
      call(
        ttm_mem_evict_first,
        ({ bo, mem_type }, k) => ({
          bdev: bo.bdev,
          mem_type,
          ticket: lockTicket(k.store, bo.resv.lock.at), // dma_resv_locking_ctx(bo->resv): one's own
        }),
        'ret',
      ),
      when('ret == -EBUSY', (f) => f.ret === -EBUSY, [ret('-ENOMEM', () => -ENOMEM)]),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    ]),
  ],
);

/** The lowest memory type of a placement. */
const firstOf = (placement: number): number => 31 - Math.clz32(placement & -placement);

/** Brings a reserved object into one of the memory types of a placement; nothing happens when it is there. */
export const ttm_bo_validate = routine(
  file,
  'ttm_bo_validate',
  {
    args: { ...bo, placement: int, busy_placement: int },
    locals: { cur: int, mem_type: int, left: int, start: int, ret: int },
    returns: int,
  },
  ({ step, call, callPointer, when, loop, leave, ret, having }) => [
    step('cur = bo->mem.mem_type', (f) => {
      f.cur = f.bo.mem_type;
      f.mem_type = firstOf(f.busy_placement);
      f.start = -ENOSPC;
      f.left = f.placement;
    }),
    when('ttm_bo_mem_compat(placement, &bo->mem)', (f) => ((f.placement >> f.cur) & 1) !== 0, [
      ret('0', () => 0),
    ]),
    having('vram', [
      when('there is a choice', (f) => f.placement !== f.busy_placement, [
        loop('for (i = 0; i < placement->num_placement; ++i)', [
          when('no more', (f) => f.left === 0, [leave()]),
          step('place = &placement->placement[i]', (f) => {
            f.mem_type = firstOf(f.left);
            f.left &= f.left - 1;
          }),
          callPointer(
            'man->func->get_node(man, bo, place, mem)',
            (f) => f.bo.bdev.man.get(f.mem_type).get_node,
            (f) => ({ bo: f.bo, mem_type: f.mem_type }),
            'start',
          ),
          when('there is room, or an error', (f) => f.start !== -ENOSPC, [leave()]),
        ]),
        step('type_found, or busy_placement', (f) => {
          if (f.start === -ENOSPC) f.mem_type = firstOf(f.busy_placement);
        }),
      ]),
    ]),
    when('no room without others', (f) => f.start === -ENOSPC, [
      call(ttm_bo_mem_space, (f) => ({ bo: f.bo, mem_type: f.mem_type }), 'start'),
    ]),
    when('no room', (f) => f.start < 0, [ret('start', (f) => f.start)]),
    call(
      ttm_bo_handle_move_mem,
      (f) => ({ bo: f.bo, mem_type: f.mem_type, start: f.start }),
      'ret',
    ),
    when('ret && mem.mm_node', (f) => f.ret !== 0 && f.mem_type !== TTM_PL_SYSTEM, [
      callPointer(
        'ttm_bo_mem_put(bo, &mem)',
        (f) => f.bo.bdev.man.get(f.mem_type).put_node,
        (f) => ({ bo: f.bo, mem_type: f.mem_type, start: f.start }),
      ),
    ]),
    ret('ret', (f) => f.ret),
  ],
);

/** The object whose fake offsets hold page `pgoff` of the device's file, with a reference; NULL when there is none. */
export const ttm_bo_vm_lookup = routine(
  'drivers/gpu/drm/ttm/ttm_bo_vm.c',
  'ttm_bo_vm_lookup',
  {
    args: { bdev: ref('ttm_bo_device'), pgoff: int, pages: int },
    locals: { bo: ref('ttm_buffer_object') },
    returns: ref('ttm_buffer_object'),
  },
  ({ step, atomic, acquire, release, when, ret }) => [
    acquire('read_lock(&bdev->vma_manager->vm_lock)', (f) => f.bdev.vm_lock),
    step('node = drm_vma_offset_lookup_locked(bdev->vma_manager, offset, pages)', (f) => {
      f.bo = f.bdev.nodes;
      while (!isNull(f.bo) && f.bo.vma_node_start + f.bo.num_pages <= f.pgoff) {
        f.bo = f.bo.vma_node_next;
      }
      if (isNull(f.bo)) return;
      const { vma_node_start, num_pages } = f.bo;
      const inside = f.pgoff >= vma_node_start && f.pgoff + f.pages <= vma_node_start + num_pages;
      if (!inside) f.bo = NULL;
    }),
    when('node', (f) => !isNull(f.bo), [
      atomic('kref_get_unless_zero(&bo->kref)', (f) => {
        if (f.bo.kref === 0) f.bo = NULL;
        else f.bo.kref++;
      }),
    ]),
    release('read_unlock(&bdev->vma_manager->vm_lock)', (f) => f.bdev.vm_lock),
    ret('bo', (f) => f.bo),
  ],
);
