// include/drm/ttm/ttm_bo_api.h, ttm_tt.h, ttm_placement.h and drm_vma_manager.h: buffer objects, their pages and their
// fake offsets. Left out: the memory types TT, which vmwgfx has not, and VMW_PL_SYSTEM (5.17); bulk moves in the LRU lists.
import { spinlock } from '../../../../routine/locks';
import { fnptr } from '../../../../routine/routine';
import {
  array,
  bool,
  embed,
  holding,
  int,
  oneOf,
  ref,
  refcount,
  struct,
  tail,
  type View,
} from '../../../../state/layout';
import '../../../../hardware/svga/device';
import '../../linux/dma-resv';
import '../../linux/mm_types';

export const TTM_PL_SYSTEM = 0;
export const TTM_PL_VRAM = 2;
export const VMW_PL_GMR = 3;
export const VMW_PL_MOB = 4;
export const TTM_PLACEMENTS = { TTM_PL_SYSTEM, TTM_PL_VRAM, VMW_PL_GMR, VMW_PL_MOB } as const;

/** Where an object may be: memory types as bits 1 << mem_type, the lowest first; `busy_placement`: at the cost of others. */
export interface TtmPlacement {
  readonly placement: number;
  readonly busy_placement: number;
}

/** LRU lists of each memory type, by priority: lower ones are evicted first. */
export const TTM_MAX_BO_PRIORITY = 4;
const memoryTypes = VMW_PL_MOB + 1;

/** How CPUs cache what they map: enum ttm_caching. Of no effect here but for the bits of entries: nothing is cached. */
export const ttm_write_combined = 1;
export const ttm_cached = 2;
export const TTM_CACHINGS = { ttm_write_combined, ttm_cached } as const;

/** First page of the fake offsets: DRM_FILE_PAGE_OFFSET_START. */
export const DRM_FILE_PAGE_OFFSET_START = 0x10_0000;
export const TTM_BO_VM_NUM_PREFAULT = 16;

/** The system pages of a buffer object: addresses of `struct page`, 0 where there is none yet. */
export const ttm_tt = struct('ttm_tt', {
  fixed: { num_pages: int },
  under: {
    dma_resv: {
      populated: int, // so many pages are there
      swapped: bool, // what is to be in them is in swap storage
      caching: oneOf(TTM_CACHINGS),
      pages: tail(int),
    },
  },
});

/** Who gives out room in a memory type. */
export const ttm_mem_type_manager = struct('ttm_mem_type_manager', {
  fixed: {
    get_node: fnptr({ bo: ref('ttm_buffer_object'), mem_type: int }, int),
    put_node: fnptr({ bo: ref('ttm_buffer_object'), mem_type: int, start: int }),
  },
});

/** Device memory behind a BAR: pages of it that are given out. */
export const ttm_range_manager = struct('ttm_range_manager', {
  own: { lock: spinlock('range_manager_lock') },
  fixed: { size: int }, // pages
  under: { range_manager_lock: { used: tail(int) } }, // 1: in use
});

/** What TTM asks of its driver. */
export const ttm_bo_driver = struct('ttm_bo_driver', {
  fixed: {
    evict_flags: fnptr({ bo: ref('ttm_buffer_object') }, int),
    move: fnptr({ bo: ref('ttm_buffer_object'), old: int, mem_type: int, start: int }, int),
    swap_notify: fnptr({ bo: ref('ttm_buffer_object') }),
    destroy: fnptr({ bo: ref('ttm_buffer_object') }),
  },
});

export const ttm_bo_device = struct('ttm_bo_device', {
  fixed: {
    driver: ref('ttm_bo_driver'),
    man: array(ref('ttm_mem_type_manager'), memoryTypes), // none of SYSTEM
    dev_mapping: ref('address_space'),
    vm_ops: ref('vm_operations_struct'),
  },
  own: { vm_lock: spinlock('vma_offset_lock'), lru_lock: spinlock('lru_lock') },
  under: {
    vma_offset_lock: { nodes: ref('ttm_buffer_object') }, // by fake offset
    // Heads of the lists of each memory type, by priority; the object used longest ago comes first.
    // Objects without a reference that the GPU was not done with, in the order in which they lost the last one.
    lru_lock: {
      lru: array(ref('ttm_buffer_object'), memoryTypes * TTM_MAX_BO_PRIORITY),
      ddestroy: ref('ttm_buffer_object'),
    },
  },
});

export const ttm_buffer_object = struct('ttm_buffer_object', {
  own: { resv: embed('dma_resv') },
  fixed: { bdev: ref('ttm_bo_device'), num_pages: int, vma_node_start: int },
  shared: { kref: refcount },
  under: {
    vma_offset_lock: { vma_node_next: ref('ttm_buffer_object') },
    lru_lock: {
      lru_list: int, // which list it is on, from 1; 0: on none
      lru_next: ref('ttm_buffer_object'),
      deleted: bool, // it is on the list of delayed destruction
      ddestroy_next: ref('ttm_buffer_object'),
    },
    dma_resv: {
      priority: int,
      pin_count: int, // above 0: stays where it is
      mem_type: oneOf(TTM_PLACEMENTS),
      mem_start: int, // the id of the MOB or GMR; in VRAM its first page there
      mem_pt: ref('svga_mob_pt'), // the page table of the MOB
      gmr_pt: ref('svga_mob_pt'), // the pages of the GMR
      ttm: ref('ttm_tt'), // NULL in VRAM
    },
  },
});

/** A buffer object on a list to be reserved and fenced together. */
export const ttm_validate_buffer = struct('ttm_validate_buffer', {
  own: { next: ref('ttm_validate_buffer'), bo: holding(ref('ttm_buffer_object')) },
});

/** Those that are reserved together. */
export const ttm_validate_list = struct('ttm_validate_list', {
  own: { first: ref('ttm_validate_buffer') },
});

declare module '../../../../state/layout' {
  interface Structs {
    ttm_tt: View<typeof ttm_tt>;
    ttm_mem_type_manager: View<typeof ttm_mem_type_manager>;
    ttm_range_manager: View<typeof ttm_range_manager>;
    ttm_bo_driver: View<typeof ttm_bo_driver>;
    ttm_bo_device: View<typeof ttm_bo_device>;
    ttm_buffer_object: View<typeof ttm_buffer_object>;
    ttm_validate_buffer: View<typeof ttm_validate_buffer>;
    ttm_validate_list: View<typeof ttm_validate_list>;
  }
}
