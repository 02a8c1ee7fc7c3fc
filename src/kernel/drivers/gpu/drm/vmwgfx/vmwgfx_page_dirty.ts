// drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c: which pages of a coherent buffer object the CPUs have written. Two
// methods: PAGETABLE looks at hardware dirty bits, MKWRITE write-protects and is told of writes. Everything here is
// under the object's reservation. The series of April 2019, 6.1 and what was between by variants. Left out: accounting.
import { PAGE_SHIFT, PAGE_SIZE } from '../../../../../hardware/pte';
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, type Node, routine } from '../../../../../routine/routine';
import { tracepoint } from '../../../../../state/events';
import {
  bool,
  embed,
  fieldRef,
  int,
  isNull,
  NULL,
  pte,
  ref,
  type Structs,
  same,
} from '../../../../../state/layout';
import { vm_get_page_prot } from '../../../../arch/x86/include/asm/pgtable';
import { TTM_BO_VM_NUM_PREFAULT } from '../../../../include/drm/ttm/ttm_bo_api';
import { ENOMEM } from '../../../../include/linux/errno';
import {
  FAULT_FLAG_ALLOW_RETRY,
  FAULT_FLAG_RETRY_NOWAIT,
  FAULT_FLAG_WRITE,
  is_cow_mapping,
  PE_SIZE_PMD,
  VM_FAULT_FALLBACK,
  VM_FAULT_NOPAGE,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_RAND_READ,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../../../../include/linux/mm';
import { apply_as_clean, apply_as_wrprotect } from '../../../../mm/as_dirty_helpers';
import { HPAGE_PMD_NR, HPAGE_PUD_NR } from '../../../../mm/huge_memory';
import {
  clean_record_shared_mapping_range,
  wp_shared_mapping_range,
} from '../../../../mm/mapping_dirty_helpers';
import { finish_mkwrite_fault, unmap_mapping_range } from '../../../../mm/memory';
import { vma_soft_dirty_enabled } from '../../../../mm/mmap';
import { ttm_bo_vm_fault_reserved, ttm_bo_vm_reserve } from '../ttm/ttm_bo_vm';
import { VMW_BO_DIRTY_MKWRITE, VMW_BO_DIRTY_PAGETABLE } from './vmwgfx_drv.h';
import { vmw_resource_dirty_update, vmw_resources_clean } from './vmwgfx_resource';

type Bo = Structs['vmw_buffer_object'];
const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c';

/** Scans in a row that want the other method before it is taken. */
const VMW_DIRTY_NUM_CHANGE_TRIGGERS = 2;
/** More than this share of the pages write-protected by a scan is a vote for PAGETABLE. */
const VMW_DIRTY_PERCENTAGE = 10;
/** Objects with fewer pages begin with PAGETABLE: a page of page-table entries. */
const pagesOfOneTable = PAGE_SIZE / 8;

export const vmw_bo_dirty_scan_event = tracepoint('vmw_bo_dirty_scan', {
  bo: ref('vmw_buffer_object'),
  method: int,
  count: int,
  start: int,
  end: int,
});
export const vmw_bo_dirty_method = tracepoint('vmw_bo_dirty_method', {
  bo: ref('vmw_buffer_object'),
  method: int,
});
export const vmw_bo_dirty_transfer = tracepoint('vmw_bo_dirty_transfer', {
  bo: ref('vmw_buffer_object'),
  res: ref('vmw_resource'),
  start: int,
  end: int,
});
export const vmw_bo_dirty_unmap_event = tracepoint('vmw_bo_dirty_unmap', {
  bo: ref('vmw_buffer_object'),
  start: int,
  end: int,
});
export const vmw_mkwrite = tracepoint('vmw_mkwrite', {
  bo: ref('vmw_buffer_object'),
  page: int,
  marked: bool,
});

interface Tracked {
  readonly vbo: Bo;
}

/** The object's pages in the device's file, from its page `start` on. */
const inFile = ({ vbo }: Tracked, start: number, end: number) => ({
  mapping: vbo.base.bdev.dev_mapping,
  first_index: vbo.base.vma_node_start + start,
  nr: end - start,
});

/** Write-protects pages of the object in every mapping; `into` receives how many entries were writable. */
const wrprotect = <F extends Tracked>(
  b: AnyBuilder,
  range: (f: F) => { first: number; last: number },
  into?: string,
): Node => {
  const args = (f: F) => inFile(f, range(f).first, range(f).last);
  return b.variant(
    'mm-6.1',
    [b.call(wp_shared_mapping_range, args, into)],
    [b.call(apply_as_wrprotect, args, into)],
  );
};

/** Cleans pages of the object in every mapping and records the dirty ones; `into` receives how many were dirty. */
const clean = <F extends Tracked>(
  b: AnyBuilder,
  range: (f: F) => { first: number; last: number },
  record: (f: F) => { start: Structs['pgoff_t']; end: Structs['pgoff_t'] },
  into?: string,
): Node => {
  const args = (f: F) => ({
    ...inFile(f, range(f).first, range(f).last),
    bitmap_pgoff: f.vbo.base.vma_node_start,
    bitmap: fieldRef('vmw_bo_dirty', f.vbo.dirty, 'bitmap', 'bitmap_t'),
    ...record(f),
  });
  return b.variant(
    'mm-6.1',
    [b.call(clean_record_shared_mapping_range, args, into)],
    [b.call(apply_as_clean, args, into)],
  );
};

const whole = ({ vbo }: Tracked) => ({ first: 0, last: vbo.base.num_pages });
const hull = ({ vbo: { dirty } }: Tracked) => ({ first: dirty.start, last: dirty.end });
const inTracker = ({ vbo: { dirty } }: Tracked) => ({
  start: fieldRef('vmw_bo_dirty', dirty, 'start', 'pgoff_t'),
  end: fieldRef('vmw_bo_dirty', dirty, 'end', 'pgoff_t'),
});

const args = { vbo: ref('vmw_buffer_object') };

/** Allocates the tracker of an object; whether it begins with MKWRITE depends on its pages. */
const newTracker = (
  { step, fallible }: AnyBuilder,
  beginsWithMkwrite: (pages: number) => boolean,
): Node =>
  fallible(
    'vmw_bo_dirty_add',
    step(
      'dirty = kvzalloc(size); dirty->start = dirty->bitmap_size',
      (f: Tracked & { dirty: Structs['vmw_bo_dirty']; mkwrite: boolean }, k: Engine) => {
        f.dirty = k.alloc('vmw_bo_dirty');
        if (isNull(f.dirty)) return;
        const { dirty } = f;
        dirty.bitmap_size = f.vbo.base.num_pages;
        dirty.start = dirty.bitmap_size;
        dirty.end = 0;
        dirty.ref_count = 1;
        f.mkwrite = beginsWithMkwrite(dirty.bitmap_size);
        dirty.method = f.mkwrite ? VMW_BO_DIRTY_MKWRITE : VMW_BO_DIRTY_PAGETABLE;
        f.vbo.dirty = dirty;
      },
    ),
  );

/** Begins to track an object, or counts one user more. -ENOMEM. */
export const vmw_bo_dirty_add = routine(
  file,
  'vmw_bo_dirty_add',
  { args, locals: { dirty: ref('vmw_bo_dirty'), mkwrite: bool }, returns: int },
  (b) => [
    b.step('dirty = vbo->dirty; if (dirty) dirty->ref_count++', (f) => {
      f.dirty = f.vbo.dirty;
      if (!isNull(f.dirty)) f.dirty.ref_count++;
    }),
    b.when('dirty', (f) => !isNull(f.dirty), [b.ret('0', () => 0)]),
    b.variant(
      'tracking-mkwrite',
      [newTracker(b, () => true)],
      [
        b.variant(
          'tracking-pagetable',
          [newTracker(b, () => false)],
          [newTracker(b, (pages) => pages >= pagesOfOneTable)],
        ),
      ],
    ),
    b.when('!dirty', (f) => isNull(f.dirty), [b.ret('-ENOMEM', () => -ENOMEM)]),
    b.variant('huge-faults', [
      b.variant('mm-6.1', [
        b.variant('bz-21', [], [b.variant('huge-skipped', [], [clean(b, whole, inTracker)])]),
      ]),
    ]),
    b.when('dirty->method == VMW_BO_DIRTY_MKWRITE', (f) => f.mkwrite, [
      b.variant(
        'hz-1',
        [clean(b, whole, inTracker), wrprotect(b, whole)],
        [wrprotect(b, whole), clean(b, whole, inTracker)],
      ),
    ]),
    b.ret('0', () => 0),
  ],
);

/** One user less; the last one ends the tracking. Protection of entries stays as it is. */
export const vmw_bo_dirty_release = routine(
  file,
  'vmw_bo_dirty_release',
  { args, locals: { dirty: ref('vmw_bo_dirty') } },
  ({ step, when }) => [
    step('if (dirty && --dirty->ref_count == 0) vbo->dirty = NULL', (f) => {
      const { dirty } = f.vbo;
      if (isNull(dirty)) return;
      dirty.ref_count--;
      if (dirty.ref_count > 0) return;
      f.dirty = dirty;
      f.vbo.dirty = NULL;
    }),
    when('it was the last', (f) => !isNull(f.dirty), [
      step('kvfree(dirty)', (f, k) => {
        const { dirty } = f;
        f.dirty = NULL;
        k.free(dirty);
      }),
    ]),
  ],
);

/** Looks for pages written since the last scan. Who submits work that uses the object calls it. */
export const vmw_bo_dirty_scan = routine(
  file,
  'vmw_bo_dirty_scan',
  { args, locals: { method: int } },
  ({ step, call, when }) => [
    step('method = vbo->dirty->method', (f) => {
      f.method = f.vbo.dirty.method;
    }),
    when(
      'method == VMW_BO_DIRTY_PAGETABLE',
      (f) => f.method === VMW_BO_DIRTY_PAGETABLE,
      [call(vmw_bo_dirty_scan_pagetable, (f) => ({ vbo: f.vbo }))],
      [call(vmw_bo_dirty_scan_mkwrite, (f) => ({ vbo: f.vbo }))],
    ),
  ],
);

/** Says what a scan found. */
function noteScan(k: Engine, vbo: Bo, method: number, count: number): void {
  const { start, end } = vbo.dirty;
  k.emit(vmw_bo_dirty_scan_event, { bo: vbo, method, count, start, end });
}

const vmw_bo_dirty_scan_pagetable = routine(
  file,
  'vmw_bo_dirty_scan_pagetable',
  { args, locals: { num_marked: int, change: bool } },
  (b) => [
    clean(b, whole, inTracker, 'num_marked'),
    b.step('if (num_marked == 0) dirty->change_count++; else dirty->change_count = 0', (f, k) => {
      const { dirty } = f.vbo;
      dirty.change_count = f.num_marked === 0 ? dirty.change_count + 1 : 0;
      f.change = dirty.change_count > VMW_DIRTY_NUM_CHANGE_TRIGGERS;
      noteScan(k, f.vbo, VMW_BO_DIRTY_PAGETABLE, f.num_marked);
    }),
    b.when('dirty->change_count > VMW_DIRTY_NUM_CHANGE_TRIGGERS', (f) => f.change, [
      b.step('dirty->change_count = 0; dirty->method = VMW_BO_DIRTY_MKWRITE', (f, k) => {
        f.vbo.dirty.change_count = 0;
        f.vbo.dirty.method = VMW_BO_DIRTY_MKWRITE;
        k.emit(vmw_bo_dirty_method, { bo: f.vbo, method: VMW_BO_DIRTY_MKWRITE });
      }),
      b.variant(
        'hz-1',
        [clean(b, whole, inTracker), wrprotect(b, whole)],
        [
          wrprotect(b, whole),
          clean(b, whole, inTracker), // what was written between the first clean and the write protection
        ],
      ),
    ]),
  ],
);

const vmw_bo_dirty_scan_mkwrite = routine(
  file,
  'vmw_bo_dirty_scan_mkwrite',
  {
    args,
    locals: {
      empty: bool,
      num_marked: int,
      change: bool,
      start: embed('pgoff_t'),
      end: embed('pgoff_t'),
    },
  },
  (b) => [
    b.step('dirty->end <= dirty->start', (f, k) => {
      const { dirty } = f.vbo;
      f.empty = dirty.end <= dirty.start;
      if (f.empty) noteScan(k, f.vbo, VMW_BO_DIRTY_MKWRITE, 0);
    }),
    b.when('nothing was written', (f) => f.empty, [b.ret()]),
    wrprotect(b, hull, 'num_marked'),
    b.step('if (100UL * num_marked / dirty->bitmap_size > VMW_DIRTY_PERCENTAGE) vote', (f, k) => {
      const { dirty } = f.vbo;
      const share = Math.floor((100 * f.num_marked) / dirty.bitmap_size);
      dirty.change_count = share > VMW_DIRTY_PERCENTAGE ? dirty.change_count + 1 : 0;
      f.change = dirty.change_count > VMW_DIRTY_NUM_CHANGE_TRIGGERS;
      noteScan(k, f.vbo, VMW_BO_DIRTY_MKWRITE, f.num_marked);
    }),
    b.when('dirty->change_count > VMW_DIRTY_NUM_CHANGE_TRIGGERS', (f) => f.change, [
      b.step('start = 0, end = dirty->bitmap_size', (f) => {
        f.start.val = 0;
        f.end.val = f.vbo.dirty.bitmap_size;
      }),
      b.step('dirty->method = VMW_BO_DIRTY_PAGETABLE', (f, k) => {
        f.vbo.dirty.method = VMW_BO_DIRTY_PAGETABLE;
        k.emit(vmw_bo_dirty_method, { bo: f.vbo, method: VMW_BO_DIRTY_PAGETABLE });
      }),
      clean(b, whole, (f: Tracked & Record<'start' | 'end', Structs['pgoff_t']>) => ({
        start: f.start,
        end: f.end,
      })),
      b.step('bitmap_clear(all); bitmap_set(dirty->start .. dirty->end)', (f) => {
        const { dirty } = f.vbo;
        for (let i = 0; i < dirty.bitmap_size; i++) dirty.bitmap.clear(i);
        for (let i = dirty.start; i < dirty.end; i++) dirty.bitmap.set(i);
      }),
      b.step('dirty->change_count = 0', (f) => {
        f.vbo.dirty.change_count = 0;
      }),
    ]),
  ],
);

const rangeArgs = { ...args, start: int, end: int };

/** Picks up dirty bits of pages [start, end) before their entries go. */
export const vmw_bo_dirty_pre_unmap = routine(
  file,
  'vmw_bo_dirty_pre_unmap',
  { args: rangeArgs, locals: { needed: bool } },
  (b) => {
    const range = ({ start, end }: { start: number; end: number }) => ({ first: start, last: end });
    return [
      b.step('dirty->method == VMW_BO_DIRTY_PAGETABLE && start < end', (f) => {
        f.needed = f.vbo.dirty.method === VMW_BO_DIRTY_PAGETABLE && f.start < f.end;
      }),
      b.when('there may be dirty bits', (f) => f.needed, [
        wrprotect(b, range as never),
        clean(b, range as never, inTracker),
      ]),
    ];
  },
);

/** Takes pages [start, end) of the object out of every mapping, their dirty bits recorded. */
export const vmw_bo_dirty_unmap = routine(
  file,
  'vmw_bo_dirty_unmap',
  { args: rangeArgs },
  ({ step, call, variant }) => [
    variant(
      'hz-2',
      [],
      [call(vmw_bo_dirty_pre_unmap, (f) => ({ vbo: f.vbo, start: f.start, end: f.end }))],
    ),
    call(unmap_mapping_range, (f) => ({ ...inFile(f, f.start, f.end), even_cows: false })),
    step('trace_vmw_bo_dirty_unmap(vbo, start, end)', (f, k) => {
      k.emit(vmw_bo_dirty_unmap_event, { bo: f.vbo, start: f.start, end: f.end });
    }),
  ],
);

/** First and last page, half open, of a resource in its backup. */
function pagesOf(res: Structs['vmw_resource']): { res_start: number; res_end: number } {
  const end = res.backup_offset + res.backup_size;
  return { res_start: res.backup_offset >> PAGE_SHIFT, res_end: Math.ceil(end / PAGE_SIZE) };
}

const resLocals = {
  vbo: ref('vmw_buffer_object'),
  cur: int,
  start: int,
  end: int,
  res_start: int,
  res_end: int,
  outside: bool,
};

/** Narrows the range of the tracker when a resource's pages at one of its ends have been dealt with. */
function trim(dirty: Structs['vmw_bo_dirty'], res_start: number, res_end: number): void {
  if (res_start <= dirty.start && res_end > dirty.start) dirty.start = res_end;
  if (res_start < dirty.end && res_end >= dirty.end) dirty.end = res_start;
}

/** Hands the dirty pages of a resource over to it: their bits are cleared. */
export const vmw_bo_dirty_transfer_to_res = routine(
  file,
  'vmw_bo_dirty_transfer_to_res',
  { args: { res: ref('vmw_resource') }, locals: resLocals },
  ({ step, call, when, loop, leave, ret, variant }) => [
    step('res_start, res_end = pages of the resource', (f) => {
      f.vbo = f.res.backup;
      Object.assign(f, pagesOf(f.res));
      const { dirty } = f.vbo;
      f.outside = f.res_start >= dirty.end || f.res_end <= dirty.start;
    }),
    when('res_start >= dirty->end || res_end <= dirty->start', (f) => f.outside, [ret()]),
    variant(
      'bz-01',
      [
        step('cur = max(res_start, dirty->start); res_end = max(res_end, dirty->end)', (f) => {
          f.cur = Math.max(f.res_start, f.vbo.dirty.start);
          f.res_end = Math.max(f.res_end, f.vbo.dirty.end);
        }),
      ],
      [
        step('cur = max(res_start, dirty->start); res_end = min(res_end, dirty->end)', (f) => {
          f.cur = Math.max(f.res_start, f.vbo.dirty.start);
          f.res_end = Math.min(f.res_end, f.vbo.dirty.end);
        }),
      ],
    ),
    loop('while (cur < res_end)', [
      step('start = find_next_bit(cur), end = find_next_zero_bit(start + 1)', (f) => {
        const { dirty } = f.vbo;
        f.start = f.cur >= f.res_end ? f.res_end : dirty.bitmap.nextSet(f.cur, f.res_end);
        f.outside = f.start >= f.res_end;
        if (f.outside) return;
        f.end = dirty.bitmap.nextClear(f.start + 1, f.res_end);
        f.cur = f.end + 1;
      }),
      when('start >= res_end', (f) => f.outside, [leave()]),
      step('bitmap_clear(&dirty->bitmap[0], start, end - start)', (f, k) => {
        for (let i = f.start; i < f.end; i++) f.vbo.dirty.bitmap.clear(i);
        const { vbo, res, start, end } = f;
        k.emit(vmw_bo_dirty_transfer, { bo: vbo, res, start, end });
      }),
      call(vmw_resource_dirty_update, (f) => ({ res: f.res, start: f.start, end: f.end })),
      variant(
        'shared-pages',
        [],
        [call(vmw_bo_dirty_share, (f) => ({ res: f.res, start: f.start, end: f.end }))],
      ),
    ]),
    step('dirty->start, dirty->end: without the pages of the resource', (f) => {
      trim(f.vbo.dirty, f.res_start, f.res_end);
    }),
  ],
);

/**
 * A cure of ours, not in any kernel: dirty pages [start, end) that one resource has taken are noted for all others that are
 * attached and have them too.
 */
const vmw_bo_dirty_share = routine(
  file,
  'vmw_bo_dirty_share',
  {
    args: { res: ref('vmw_resource'), start: int, end: int },
    locals: { other: ref('vmw_resource'), first: int, last: int },
  },
  ({ step, call, when, loop, leave }) => [
    step('other = first of res->backup->res_tree', (f) => {
      f.other = f.res.backup.res_tree;
    }),
    loop('for each resource of the object', [
      step('other = next that has some of the pages', (f) => {
        const has = (): boolean => {
          const { res_start, res_end } = pagesOf(f.other);
          f.first = Math.max(f.start, res_start);
          f.last = Math.min(f.end, res_end);
          return !same(f.other, f.res) && f.first < f.last;
        };
        while (!isNull(f.other) && !has()) f.other = f.other.mob_next;
      }),
      when('none', (f) => isNull(f.other), [leave()]),
      call(vmw_resource_dirty_update, (f) => ({ res: f.other, start: f.first, end: f.last })),
      step('other = next', (f) => {
        f.other = f.other.mob_next;
      }),
    ]),
  ],
);

/** Forgets the dirty pages of a resource: all of it has just been uploaded. */
export const vmw_bo_dirty_clear_res = routine(
  file,
  'vmw_bo_dirty_clear_res',
  { args: { res: ref('vmw_resource') }, locals: { cur: int, start: int, end: int } },
  ({ step, call, when, loop, leave, variant }) => [
    variant(
      'hz-6',
      [],
      [
        step('cur = first page of the resource', (f) => {
          f.cur = pagesOf(f.res).res_start;
        }),
        loop('for each run of dirty pages of the resource', [
          step('start, end of the run', (f) => {
            const { res_end } = pagesOf(f.res);
            const { bitmap } = f.res.backup.dirty;
            f.start = f.cur >= res_end ? res_end : bitmap.nextSet(f.cur, res_end);
            f.end = f.start >= res_end ? f.start : bitmap.nextClear(f.start + 1, res_end);
            f.cur = f.end + 1;
          }),
          when('none', (f) => f.start === f.end, [leave()]),
          call(vmw_bo_dirty_share, (f) => ({ res: f.res, start: f.start, end: f.end })),
        ]),
      ],
    ),
    step('bitmap_clear(pages of the resource); trim dirty->start, dirty->end', (f) => {
      const { res_start, res_end } = pagesOf(f.res);
      const { dirty } = f.res.backup;
      if (res_start >= dirty.end || res_end <= dirty.start) return;
      const from = Math.max(res_start, dirty.start);
      const to = Math.min(res_end, dirty.end);
      for (let i = from; i < to; i++) dirty.bitmap.clear(i);
      trim(dirty, res_start, res_end);
    }),
  ],
);

/** `vm_ops->pfn_mkwrite`: a write to a read-only entry. Notes the page when MKWRITE tracks the object. */
export const vmw_bo_vm_mkwrite = routine(
  file,
  'vmw_bo_vm_mkwrite',
  {
    args: { vmf: ref('vm_fault') },
    locals: { vbo: ref('vmw_buffer_object'), page_offset: int, save_flags: int, ret: int },
    returns: int,
  },
  ({ step, call, release, when, ret, variant }) => [
    step('vbo = vma->vm_private_data', (f, k) => {
      f.vbo = k.view('vmw_buffer_object', f.vmf.vma.vm_private_data);
    }),
    variant('drm-6.1', [
      step('save_flags = vmf->flags', (f) => {
        f.save_flags = f.vmf.flags;
      }),
      variant(
        'hz-5',
        [],
        [
          step('vmf->flags &= ~FAULT_FLAG_ALLOW_RETRY', (f) => {
            f.vmf.flags &= ~FAULT_FLAG_ALLOW_RETRY;
          }),
        ],
      ),
    ]),
    call(ttm_bo_vm_reserve, (f) => ({ bo: f.vbo.base, vmf: f.vmf }), 'ret'),
    variant('drm-6.1', [
      step('vmf->flags = save_flags', (f) => {
        f.vmf.flags = f.save_flags;
      }),
    ]),
    when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    variant(
      'bz-36',
      [
        step('page_offset = (vmf->address - vma->vm_start) >> PAGE_SHIFT', (f) => {
          f.page_offset = (f.vmf.address - f.vmf.vma.vm_start) / PAGE_SIZE;
        }),
      ],
      [
        step('page_offset = vmf->pgoff - drm_vma_node_start(&bo->vma_node)', (f) => {
          f.page_offset = f.vmf.pgoff - f.vbo.base.vma_node_start;
        }),
      ],
    ),
    when(
      'page_offset >= bo->num_pages',
      (f) => f.page_offset >= f.vbo.base.num_pages,
      [
        step('ret = VM_FAULT_SIGBUS', (f) => {
          f.ret = VM_FAULT_SIGBUS;
        }),
      ],
      [
        variant(
          'mkwrite-marks-nothing',
          [
            step('(the page is not marked)', (f, k) => {
              k.emit(vmw_mkwrite, { bo: f.vbo, page: f.page_offset, marked: false });
            }),
          ],
          [
            step('if (MKWRITE && !test_bit) __set_bit(page_offset, dirty->bitmap)', (f, k) => {
              const { dirty } = f.vbo;
              const marks = !isNull(dirty) && dirty.method === VMW_BO_DIRTY_MKWRITE;
              if (marks && !dirty.bitmap.test(f.page_offset)) {
                dirty.bitmap.set(f.page_offset);
                dirty.start = Math.min(dirty.start, f.page_offset);
                dirty.end = Math.max(dirty.end, f.page_offset + 1);
              }
              k.emit(vmw_mkwrite, { bo: f.vbo, page: f.page_offset, marked: marks });
            }),
          ],
        ),
        variant(
          'bz-23',
          [],
          [
            // The scan that uses the note up has to wait until there is an entry for it to protect.
            call(finish_mkwrite_fault, (f) => ({ vmf: f.vmf }), 'ret'),
            step('ret |= VM_FAULT_NOPAGE', (f) => {
              f.ret |= VM_FAULT_NOPAGE;
            }),
          ],
        ),
      ],
    ),
    release('dma_resv_unlock(bo->resv)', (f) => f.vbo.base.resv.lock),
    ret('ret', (f) => f.ret),
  ],
);

/** `vm_ops->fault`: reads back what the GPU wrote, waits for it, and maps the page with some that follow. */
export const vmw_bo_vm_fault = routine(
  file,
  'vmw_bo_vm_fault',
  {
    args: { vmf: ref('vm_fault') },
    locals: {
      vbo: ref('vmw_buffer_object'),
      page_offset: int,
      num_prefault: int,
      allowed_prefault: embed('pgoff_t'),
      tracked: bool,
      prot: pte,
      ret: int,
    },
    returns: int,
  },
  ({ step, call, release, when, ret, variant }) => {
    const sigbus = [
      release('dma_resv_unlock(bo->resv)', (f: Tracked) => f.vbo.base.resv.lock),
      ret('VM_FAULT_SIGBUS', () => VM_FAULT_SIGBUS),
    ];
    return [
      step('vbo = vma->vm_private_data', (f, k) => {
        f.vbo = k.view('vmw_buffer_object', f.vmf.vma.vm_private_data);
      }),
      call(ttm_bo_vm_reserve, (f) => ({ bo: f.vbo.base, vmf: f.vmf }), 'ret'),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
      step('num_prefault = vma->vm_flags & VM_RAND_READ ? 1 : TTM_BO_VM_NUM_PREFAULT', (f) => {
        const random = (f.vmf.vma.vm_flags & VM_RAND_READ) !== 0;
        f.num_prefault = random ? 1 : TTM_BO_VM_NUM_PREFAULT;
        f.page_offset = f.vmf.pgoff - f.vbo.base.vma_node_start;
        f.tracked = !isNull(f.vbo.dirty);
      }),
      when('vbo->dirty', (f) => f.tracked, [
        when('page_offset >= bo->num_pages', (f) => f.page_offset >= f.vbo.base.num_pages, sigbus),
        variant(
          'bz-11',
          [call(vmw_resources_clean, (f) => cleanArgs(f, PAGE_SIZE), 'ret')],
          [call(vmw_resources_clean, (f) => cleanArgs(f, 1), 'ret')],
        ),
        when('ret', (f) => f.ret !== 0, sigbus),
        step('num_prefault = min(num_prefault, allowed_prefault)', (f) => {
          f.num_prefault = Math.min(f.num_prefault, f.allowed_prefault.val);
        }),
      ]),
      step('prot: read-only for MKWRITE, else as the mapping allows', (f) => {
        const { vma } = f.vmf;
        const { dirty } = f.vbo;
        const mkwrite = !isNull(dirty) && dirty.method === VMW_BO_DIRTY_MKWRITE;
        // vma->vm_page_prot is read-only where write notifications are wanted; 6.1 says so without it.
        f.prot = vm_get_page_prot(mkwrite ? vma.vm_flags & ~VM_SHARED : vma.vm_flags);
      }),
      variant(
        'bz-28',
        [],
        [
          step('prot: read-only also while soft-dirty waits for the first write', (f) => {
            const { vm_flags } = f.vmf.vma;
            if (vma_soft_dirty_enabled(vm_flags)) f.prot = vm_get_page_prot(vm_flags & ~VM_SHARED);
          }),
        ],
      ),
      variant('prot-ignored', [
        step('prot = PAGE_SHARED, whatever the mapping allows', (f) => {
          f.prot = vm_get_page_prot(VM_READ | VM_WRITE | VM_SHARED);
        }),
      ]),
      call(
        ttm_bo_vm_fault_reserved,
        (f) => ({ vmf: f.vmf, prot: f.prot, num_prefault: f.num_prefault, fault_page_size: 1 }),
        'ret',
      ),
      when(
        'ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT)',
        (f) => f.ret === VM_FAULT_RETRY && (f.vmf.flags & FAULT_FLAG_RETRY_NOWAIT) === 0,
        [ret('ret', (f) => f.ret)], // both locks are gone
      ),
      release('dma_resv_unlock(bo->resv)', (f) => f.vbo.base.resv.lock),
      ret('ret', (f) => f.ret),
    ];
  },
);

/**
 * `vm_ops->huge_fault` (5.7 to 5.15): a read of a tracked object gets a read-only huge entry, so that the first write
 * faults and splits it; writes that are tracked are left to small entries. VM_FAULT_FALLBACK then.
 */
export const vmw_bo_vm_huge_fault = routine(
  file,
  'vmw_bo_vm_huge_fault',
  {
    args: { vmf: ref('vm_fault'), pe_size: int },
    locals: {
      vbo: ref('vmw_buffer_object'),
      fault_page_size: int,
      page_offset: int,
      allowed_prefault: embed('pgoff_t'),
      fallback: bool,
      tracked: bool,
      prot: pte,
      ret: int,
    },
    returns: int,
  },
  ({ step, unlocked, call, release, when, ret, variant }) => {
    const sigbus = [
      release('dma_resv_unlock(bo->resv)', (f: Tracked) => f.vbo.base.resv.lock),
      ret('VM_FAULT_SIGBUS', () => VM_FAULT_SIGBUS),
    ];
    return [
      step('vbo = vma->vm_private_data; fault_page_size by pe_size', (f, k) => {
        f.vbo = k.view('vmw_buffer_object', f.vmf.vma.vm_private_data);
        f.fault_page_size = f.pe_size === PE_SIZE_PMD ? HPAGE_PMD_NR : HPAGE_PUD_NR;
      }),
      unlocked('write && (READ_ONCE(vbo->dirty) || is_cow_mapping(vma->vm_flags))', (f) => {
        const write = (f.vmf.flags & FAULT_FLAG_WRITE) !== 0;
        f.fallback = write && (!isNull(f.vbo.dirty) || is_cow_mapping(f.vmf.vma.vm_flags));
      }),
      when('for small entries', (f) => f.fallback, [
        ret('VM_FAULT_FALLBACK', () => VM_FAULT_FALLBACK),
      ]),
      call(ttm_bo_vm_reserve, (f) => ({ bo: f.vbo.base, vmf: f.vmf }), 'ret'),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
      step('page_offset = vmf->pgoff - drm_vma_node_start(&bo->vma_node)', (f) => {
        f.page_offset = f.vmf.pgoff - f.vbo.base.vma_node_start;
        f.tracked = !isNull(f.vbo.dirty);
        f.fallback = f.tracked && (f.vmf.flags & FAULT_FLAG_WRITE) !== 0;
      }),
      // The cure: tracking may have begun meanwhile.
      variant(
        'huge-in-flight',
        [],
        [
          when('write && vbo->dirty', (f) => f.fallback, [
            release('dma_resv_unlock(bo->resv)', (f) => f.vbo.base.resv.lock),
            ret('VM_FAULT_FALLBACK', () => VM_FAULT_FALLBACK),
          ]),
        ],
      ),
      when('vbo->dirty', (f) => f.tracked, [
        when('page_offset >= bo->num_pages', (f) => f.page_offset >= f.vbo.base.num_pages, sigbus),
        variant(
          'bz-11',
          [call(vmw_resources_clean, (f) => cleanArgs(f, PAGE_SIZE), 'ret')],
          [call(vmw_resources_clean, (f) => cleanArgs(f, 1), 'ret')],
        ),
        when('ret', (f) => f.ret !== 0, sigbus),
      ]),
      step('prot: read-only for a tracked object, else as the mapping allows', (f) => {
        const { vm_flags } = f.vmf.vma;
        f.prot = vm_get_page_prot(f.tracked ? vm_flags & ~VM_SHARED : vm_flags);
      }),
      call(
        ttm_bo_vm_fault_reserved,
        (f) => ({
          vmf: f.vmf,
          prot: f.prot,
          num_prefault: 1,
          fault_page_size: f.fault_page_size,
        }),
        'ret',
      ),
      when(
        'ret == VM_FAULT_RETRY && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT)',
        (f) => f.ret === VM_FAULT_RETRY && (f.vmf.flags & FAULT_FLAG_RETRY_NOWAIT) === 0,
        [ret('ret', (f) => f.ret)], // both locks are gone
      ),
      release('dma_resv_unlock(bo->resv)', (f) => f.vbo.base.resv.lock),
      ret('ret', (f) => f.ret),
    ];
  },
);

function cleanArgs(
  f: { vbo: Bo; page_offset: number; allowed_prefault: Structs['pgoff_t'] },
  pages: number,
) {
  const { vbo, page_offset: start, allowed_prefault: num_prefault } = f;
  return { vbo, start, end: start + pages, num_prefault };
}
