// The test driver of the recordings: one object with an address_space, its fault and mkwrite handlers, and a tracker of
// dirty pages that follows the rules of vmwgfx in 6.1 (vmwgfx_page_dirty.c) restated for a single object. Routines like
// any other; the calls into memory management are the kernel's.
import { PAGE_SIZE } from '../hardware/pte';
import { vm_get_page_prot } from '../kernel/arch/x86/include/asm/pgtable';
import { EINVAL } from '../kernel/include/linux/errno';
import {
  is_cow_mapping,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_FAULT_LOCKED,
  VM_FAULT_NOPAGE,
  VM_FAULT_SIGBUS,
  VM_IO,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_SHARED,
} from '../kernel/include/linux/mm';
import { file_operations, vm_operations_struct } from '../kernel/include/linux/mm_types';
import { apply_as_clean, apply_as_wrprotect } from '../kernel/mm/as_dirty_helpers';
import { vma_pages } from '../kernel/mm/interval_tree';
import {
  clean_record_shared_mapping_range,
  wp_shared_mapping_range,
} from '../kernel/mm/mapping_dirty_helpers';
import {
  unmap_mapping_range,
  vmf_insert_mixed_prot,
  vmf_insert_pfn_prot,
} from '../kernel/mm/memory';
import type { Engine } from '../routine/engine';
import { sleepingLock } from '../routine/locks';
import { type AnyBuilder, type Node, routine } from '../routine/routine';
import { tracepoint } from '../state/events';
import {
  bits,
  bool,
  embed,
  fieldRef,
  int,
  isNull,
  long,
  oneOf,
  pte,
  ref,
  type Structs,
  struct,
  type View,
} from '../state/layout';
import type { StaticSize } from '../state/objects';

const file = 'conform/driver.c';

export const KIND_PFN = 0;
export const KIND_MIXED = 1;
export const KIND_PAGE = 2;
export const METHOD_PAGETABLE = 0;
export const METHOD_MKWRITE = 1;

/** Below this many pages a tracker begins with the page tables' own dirty bits. */
const pagetableBelow = 512;
/** A scan changes its method after more than this many scans that ask for it. */
const changesMax = 2;
/** More dirty pages than this make write faults dearer than walks. */
const percentMax = 10;

/** The object. The tracker is there while it has users. */
export const or_object = struct('or_object', {
  fixed: {
    kind: oneOf({ KIND_PFN, KIND_MIXED, KIND_PAGE }),
    pages: int,
    prefault: int,
    base: int, // page offset of the first page
    pfn: int, // frame of the first page; the others follow
  },
  own: { mapping: embed('address_space'), lock: sleepingLock('or_lock') },
  under: {
    or_lock: {
      users: int,
      method: oneOf({ METHOD_PAGETABLE, METHOD_MKWRITE }),
      change_count: int,
      start: int,
      end: int,
      bitmap: bits,
    },
  },
});

declare module '../state/layout' {
  interface Structs {
    or_object: View<typeof or_object>;
  }
}

type Obj = Structs['or_object'];

/** A callback, as the recordings have it. */
export const or_callback = tracepoint('or_callback', {
  which: int,
  pid: int,
  address: long,
  page: int,
  flags: int,
  ret: int,
  inserted: int,
  marked: int,
});
export const callbackNames = ['fault', 'pfn_mkwrite', 'page_mkwrite'] as const;

export const object = (k: Engine): Obj => k.the('or_object', 'or_object');
const bitmapOf = (k: Engine) => fieldRef('or_object', object(k), 'bitmap', 'bitmap_t');
const lockOf = (_f: unknown, k: Engine) => object(k).lock;

// Callbacks.

const of_vmf = { args: { vmf: ref('vm_fault') } };

/** Inserts entries from the faulting page on, or returns the page; beyond the object there is none. */
export const or_fault = routine(
  file,
  'or_fault',
  {
    ...of_vmf,
    locals: {
      flags: int,
      first: int,
      count: int,
      inserted: int,
      prot: pte,
      ret: int,
      mixed: bool,
      page: ref('page'),
    },
    returns: int,
  },
  ({ step, atomic, acquire, release, when, loop, leave, call, ret }) => [
    acquire('mutex_lock(&obj->lock)', lockOf),
    step('event = log_event(vmf)', (f) => {
      f.flags = f.vmf.flags;
    }),
    step('the protection and the number of entries', (f, k) => {
      const { vma, pgoff } = f.vmf;
      const obj = object(k);
      f.first = pgoff - obj.base;
      const tracked = obj.users > 0 && obj.method === METHOD_MKWRITE;
      f.prot = vm_get_page_prot(tracked ? vma.vm_flags & ~VM_SHARED : vma.vm_flags);
      f.mixed = (vma.vm_flags & VM_MIXEDMAP) !== 0;
      const wanted = (vma.vm_flags & VM_RAND_READ) !== 0 ? 1 : obj.prefault;
      const left = (vma.vm_end - f.vmf.address) / PAGE_SIZE;
      f.count = Math.min(wanted, left, obj.pages - f.first);
      f.ret = f.first < obj.pages ? VM_FAULT_NOPAGE : VM_FAULT_SIGBUS;
      if (f.ret === VM_FAULT_NOPAGE && obj.kind === KIND_PAGE) {
        f.page = pageOf(k, f.first);
        f.vmf.page = f.page;
        f.ret = 0;
      }
    }),
    when('a page of the object', (f) => f.ret !== VM_FAULT_SIGBUS, [
      when(
        'an ordinary page',
        (f) => !isNull(f.page),
        [
          atomic('get_page(page)', (f) => {
            f.page._refcount++;
          }),
          step('inserted = 1', (f) => {
            f.inserted = 1;
          }),
        ],
        [
          loop('for each entry', [
            when('enough', (f) => f.inserted === f.count, [leave()]),
            when(
              'VM_MIXEDMAP',
              (f) => f.mixed,
              [call(vmf_insert_mixed_prot, insertion, 'ret')],
              [call(vmf_insert_pfn_prot, insertion, 'ret')],
            ),
            step('inserted++', (f) => {
              f.inserted++;
            }),
            when('it failed', (f) => f.ret !== VM_FAULT_NOPAGE, [leave()]),
          ]),
        ],
      ),
    ]),
    step('event->ret = ret; event->inserted = inserted', (f, k) => log(k, 0, f.vmf, f)),
    release('mutex_unlock(&obj->lock)', lockOf),
    ret('ret', (f) => f.ret),
  ],
);

const insertion = (
  f: {
    vmf: Structs['vm_fault'];
    inserted: number;
    first: number;
    prot: { lo: number; hi: number };
  },
  k: Engine,
) => ({
  vma: f.vmf.vma,
  addr: f.vmf.address + f.inserted * PAGE_SIZE,
  pfn: object(k).pfn + f.first + f.inserted,
  pgprot: f.prot,
});

function pageOf(k: Engine, page: number): Structs['page'] {
  return k.view('page', k.parts.memory.pageOfPfn(object(k).pfn + page));
}

/** Emits the event when all of it is known. */
function log(
  k: Engine,
  which: number,
  vmf: Structs['vm_fault'],
  f: { flags: number; ret: number; inserted: number; marked?: number },
): void {
  k.emit(or_callback, {
    which,
    pid: vmf.vma.vm_mm.pid,
    address: vmf.address,
    page: vmf.pgoff - object(k).base,
    flags: f.flags,
    ret: f.ret,
    inserted: f.inserted,
    marked: f.marked ?? 0,
  });
}

/** Marks the page in the bitmap, if writes are what tells. A page comes back locked. */
export const or_mkwrite = routine(
  file,
  'or_mkwrite',
  {
    args: { vmf: ref('vm_fault'), which: int },
    locals: { flags: int, page: int, marked: int, ret: int, inserted: int },
    returns: int,
  },
  ({ step, acquire, release, when, ret }) => [
    acquire('mutex_lock(&obj->lock)', lockOf),
    step('event = log_event(vmf)', (f) => {
      f.flags = f.vmf.flags;
    }),
    step('mark the page', (f, k) => {
      const obj = object(k);
      const page = f.vmf.pgoff - obj.base;
      if (obj.users === 0 || obj.method !== METHOD_MKWRITE || obj.bitmap.test(page)) return;
      obj.bitmap.set(page);
      obj.start = Math.min(obj.start, page);
      obj.end = Math.max(obj.end, page + 1);
      f.marked = 1;
    }),
    when('page_mkwrite', (f) => f.which === 2, [
      acquire('lock_page(vmf->page)', (f) => f.vmf.page.lock),
      step('ret = VM_FAULT_LOCKED', (f) => {
        f.ret = VM_FAULT_LOCKED;
      }),
    ]),
    step('event->ret = ret; event->marked = marked', (f, k) => log(k, f.which, f.vmf, f)),
    release('mutex_unlock(&obj->lock)', lockOf),
    ret('ret', (f) => f.ret),
  ],
);

function mkwrite(name: string, which: number) {
  return routine(file, name, { ...of_vmf, locals: { ret: int }, returns: int }, ({ call, ret }) => [
    call(or_mkwrite, (f) => ({ vmf: f.vmf, which }), 'ret'),
    ret('ret', (f) => f.ret),
  ]);
}

export const or_pfn_mkwrite = mkwrite('or_pfn_mkwrite', 1);
export const or_page_mkwrite = mkwrite('or_page_mkwrite', 2);

/** Something to open and close, so that mappings of bare frames never merge. */
export const or_vma_open = routine(
  file,
  'or_vma_open',
  { args: { vma: ref('vm_area_struct') } },
  (b) => [b.ret()],
);
export const or_vma_close = routine(
  file,
  'or_vma_close',
  { args: { vma: ref('vm_area_struct') } },
  (b) => [b.ret()],
);

/** mmap() of the object's file. A private mapping of bare frames is VM_MIXEDMAP, as in drivers before 5.14. */
export const or_mmap = routine(
  file,
  'or_mmap',
  { args: { file: ref('file'), vma: ref('vm_area_struct') }, locals: { err: int }, returns: int },
  ({ step, when, ret }) => [
    step('within the object', (f, k) => {
      const { base, pages } = object(k);
      const inside = f.vma.vm_pgoff >= base && f.vma.vm_pgoff + vma_pages(f.vma) <= base + pages;
      f.err = inside ? 0 : -EINVAL;
    }),
    when('it is not', (f) => f.err !== 0, [ret('-EINVAL', (f) => f.err)]),
    step('vma->vm_flags, vma->vm_ops', ({ vma }, k) => {
      const { kind } = object(k);
      vma.vm_private_data = object(k).at;
      if (kind === KIND_PAGE) {
        vma.vm_ops = k.the('or_page_vm_ops', 'vm_operations_struct');
        return;
      }
      const bare = kind === KIND_PFN && !is_cow_mapping(vma.vm_flags);
      vma.vm_ops = k.the('or_vm_ops', 'vm_operations_struct');
      vma.vm_flags |= VM_IO | VM_DONTEXPAND | VM_DONTDUMP | (bare ? VM_PFNMAP : VM_MIXEDMAP);
    }),
    ret('0', () => 0),
  ],
);

/** The driver's tables, the object, and a bitmap for single cleans. */
export function driverStatics(pages: number): StaticSize[] {
  const tail = Math.ceil(pages / 32) + 1;
  const callbacks = { fault: or_fault, page_mkwrite: or_page_mkwrite };
  return [
    {
      name: 'or_vm_ops',
      struct: vm_operations_struct,
      initial: {
        ...callbacks,
        pfn_mkwrite: or_pfn_mkwrite,
        open: or_vma_open,
        close: or_vma_close,
      },
    },
    { name: 'or_page_vm_ops', struct: vm_operations_struct, initial: callbacks },
    { name: 'or_fops', struct: file_operations, initial: { mmap: or_mmap } },
    { name: 'or_object', struct: or_object, tail },
    { name: 'or_scratch', struct: or_scratch, tail },
  ];
}

/** Arguments and results of one clean of its own. */
export const or_scratch = struct('or_scratch', { own: { start: int, end: int, bitmap: bits } });

declare module '../state/layout' {
  interface Structs {
    or_scratch: View<typeof or_scratch>;
  }
}

// The helpers, of whichever kernel it is.

type Calls = Pick<AnyBuilder, 'call' | 'variant'>;
type Args<A> = (f: FrameOfAny, k: Engine) => A;
type Range = ReturnType<typeof everything>;
// biome-ignore lint/suspicious/noExplicitAny: the frame of whichever routine calls
type FrameOfAny = any;

/** Write-protects a range in all mappings. */
export const wrprotect = ({ call, variant }: Calls, args: Args<Range>, into: string): Node =>
  variant(
    'mm-6.1',
    [call(wp_shared_mapping_range, args, into)],
    [call(apply_as_wrprotect, args, into)],
  );

/** Cleans a range in all mappings and records what was dirty. */
const clean = (
  { call, variant }: Calls,
  args: Args<ReturnType<typeof intoBitmap>>,
  into: string,
): Node =>
  variant(
    'mm-6.1',
    [call(clean_record_shared_mapping_range, args, into)],
    [call(apply_as_clean, args, into)],
  );

// The tracker.

const everything = (k: Engine) => {
  const obj = object(k);
  return { mapping: obj.mapping, first_index: obj.base, nr: obj.pages };
};

/** Arguments of a clean of pages [first, first + nr) into the tracker's bitmap. */
function intoBitmap(k: Engine, first: number, nr: number) {
  const obj = object(k);
  return {
    mapping: obj.mapping,
    first_index: obj.base + first,
    nr,
    bitmap_pgoff: obj.base,
    bitmap: bitmapOf(k),
    start: fieldRef('or_object', obj, 'start', 'pgoff_t'),
    end: fieldRef('or_object', obj, 'end', 'pgoff_t'),
  };
}

/** No bits at all. */
function clearBits(obj: Obj, from: number, to: number): void {
  for (let bit = from; bit < to; bit++) obj.bitmap.clear(bit);
}

/** Another user; the first one makes the tracker. `method` -1: by size. Returns the number of users. */
export const or_dirty_add = routine(
  file,
  'or_dirty_add',
  { args: { method: int }, locals: { made: bool, ret: int, ignored: int }, returns: int },
  ({ step, acquire, release, when, call, variant, ret }) => [
    acquire('mutex_lock(&obj->lock)', lockOf),
    step('users++', (f, k) => {
      const obj = object(k);
      obj.users++;
      f.ret = obj.users;
      if (obj.users > 1) return;
      const small = obj.pages < pagetableBelow ? METHOD_PAGETABLE : METHOD_MKWRITE;
      obj.method = f.method < 0 ? small : f.method;
      obj.change_count = 0;
      obj.start = obj.pages;
      obj.end = 0;
      clearBits(obj, 0, obj.pages);
      f.made = obj.method === METHOD_MKWRITE;
    }),
    when('a new one that goes by write faults', (f) => f.made, [
      wrprotect({ call, variant }, (_f, k) => everything(k), 'ignored'),
      clean({ call, variant }, (_f, k) => intoBitmap(k, 0, object(k).pages), 'ignored'),
    ]),
    release('mutex_unlock(&obj->lock)', lockOf),
    ret('users', (f) => f.ret),
  ],
);

export const NO_TRACKER = -2;

/** One user less. Returns how many are left, or -2. */
export const or_dirty_release = routine(
  file,
  'or_dirty_release',
  { locals: { ret: int }, returns: int },
  ({ step, acquire, release, ret }) => [
    acquire('mutex_lock(&obj->lock)', lockOf),
    step('users--', (f, k) => {
      const obj = object(k);
      if (obj.users > 0) obj.users--;
      else f.ret = NO_TRACKER;
      if (f.ret === 0) f.ret = obj.users;
    }),
    release('mutex_unlock(&obj->lock)', lockOf),
    ret('users', (f) => f.ret),
  ],
);

/** Finds the pages written since the last scan. Returns the number of entries changed, -1 for nothing to do, or -2. */
export const or_dirty_scan = routine(
  file,
  'or_dirty_scan',
  { locals: { users: int, method: int, ret: int }, returns: int },
  ({ step, acquire, release, when, call, ret }) => [
    acquire('mutex_lock(&obj->lock)', lockOf),
    step('the method', (f, k) => {
      f.users = object(k).users;
      f.method = object(k).method;
    }),
    when(
      '!users',
      (f) => f.users === 0,
      [
        step('ret = -2', (f) => {
          f.ret = NO_TRACKER;
        }),
      ],
      [
        when(
          'method == METHOD_PAGETABLE',
          (f) => f.method === METHOD_PAGETABLE,
          [call(or_dirty_scan_pagetable, () => ({}), 'ret')],
          [call(or_dirty_scan_mkwrite, () => ({}), 'ret')],
        ),
      ],
    ),
    release('mutex_unlock(&obj->lock)', lockOf),
    ret('ret', (f) => f.ret),
  ],
);

export const or_dirty_scan_pagetable = routine(
  file,
  'or_dirty_scan_pagetable',
  { locals: { count: int, change: bool, ignored: int }, returns: int },
  ({ step, when, call, variant, ret }) => [
    clean({ call, variant }, (_f, k) => intoBitmap(k, 0, object(k).pages), 'count'),
    step('change_count', (f, k) => {
      const obj = object(k);
      obj.change_count = f.count === 0 ? obj.change_count + 1 : 0;
      f.change = obj.change_count > changesMax;
      if (!f.change) return;
      obj.change_count = 0;
      obj.method = METHOD_MKWRITE;
    }),
    when('nothing for long', (f) => f.change, [
      wrprotect({ call, variant }, (_f, k) => everything(k), 'ignored'),
      clean({ call, variant }, (_f, k) => intoBitmap(k, 0, object(k).pages), 'ignored'),
    ]),
    ret('count', (f) => f.count),
  ],
);

export const or_dirty_scan_mkwrite = routine(
  file,
  'or_dirty_scan_mkwrite',
  { locals: { start: int, end: int, count: int, change: bool, ignored: int }, returns: int },
  ({ step, when, call, variant, ret }) => [
    step('start, end', (f, k) => {
      f.start = object(k).start;
      f.end = object(k).end;
    }),
    when('start >= end', (f) => f.start >= f.end, [ret('-1', () => -1)]),
    wrprotect(
      { call, variant },
      (f, k) => ({
        mapping: object(k).mapping,
        first_index: object(k).base + f.start,
        nr: f.end - f.start,
      }),
      'count',
    ),
    step('change_count', (f, k) => {
      const obj = object(k);
      const percent = Math.floor((100 * f.count) / obj.pages);
      obj.change_count = percent > percentMax ? obj.change_count + 1 : 0;
      f.change = obj.change_count > changesMax;
      if (!f.change) return;
      obj.change_count = 0;
      obj.method = METHOD_PAGETABLE;
    }),
    when('many for long', (f) => f.change, [
      step('clear the bitmap', (f, k) => clearBits(object(k), 0, object(k).pages)),
      clean({ call, variant }, (_f, k) => intoBitmap(k, 0, object(k).pages), 'ignored'),
      step('bitmap = [start, end)', (f, k) => {
        const obj = object(k);
        clearBits(obj, 0, obj.pages);
        obj.start = f.start;
        obj.end = f.end;
        for (let bit = f.start; bit < f.end; bit++) obj.bitmap.set(bit);
      }),
    ]),
    ret('count', (f) => f.count),
  ],
);

/** Unmaps pages without losing what their entries say. */
export const or_dirty_unmap = routine(
  file,
  'or_dirty_unmap',
  { args: { first: int, nr: int }, locals: { pagetable: bool, ignored: int } },
  ({ step, acquire, release, when, call, variant }) => [
    acquire('mutex_lock(&obj->lock)', lockOf),
    step('the method', (f, k) => {
      f.pagetable = object(k).users > 0 && object(k).method === METHOD_PAGETABLE;
    }),
    when('method == METHOD_PAGETABLE', (f) => f.pagetable, [
      wrprotect(
        { call, variant },
        (f, k) => ({
          mapping: object(k).mapping,
          first_index: object(k).base + f.first,
          nr: f.nr,
        }),
        'ignored',
      ),
      clean({ call, variant }, (f, k) => intoBitmap(k, f.first, f.nr), 'ignored'),
    ]),
    call(unmap_mapping_range, (f, k) => ({
      mapping: object(k).mapping,
      first_index: object(k).base + f.first,
      nr: f.nr,
      even_cows: false,
    })),
    release('mutex_unlock(&obj->lock)', lockOf),
  ],
);

/** Runs that a transfer took: tracepoint for the result `got`. */
export const or_taken = tracepoint('or_taken', { from: int, to: int });

/**
 * A resource at [first, first + nr) takes its dirty pages. As in 6.1 the end is the greater of both ends, so it takes
 * pages beyond the resource. Returns the number of runs, or -2.
 */
export const or_transfer = routine(
  file,
  'or_transfer',
  { args: { first: int, nr: int }, locals: { ret: int }, returns: int },
  ({ step, acquire, release, ret }) => [
    acquire('mutex_lock(&obj->lock)', lockOf),
    step('take and clear the bits', (f, k) => {
      const obj = object(k);
      const rs = f.first;
      let re = f.first + f.nr;
      if (obj.users === 0) {
        f.ret = NO_TRACKER;
        return;
      }
      if (rs >= obj.end || re <= obj.start) return;
      re = Math.max(re, obj.end);
      for (let bit = Math.max(rs, obj.start); ; ) {
        const from = obj.bitmap.nextSet(bit, re);
        if (from >= re) break;
        const to = obj.bitmap.nextClear(from, re);
        clearBits(obj, from, to);
        k.emit(or_taken, { from, to });
        f.ret++;
        bit = to;
      }
      narrow(obj, rs, re);
    }),
    release('mutex_unlock(&obj->lock)', lockOf),
    ret('runs', (f) => f.ret),
  ],
);

/** Takes [rs, re) off the range that may have bits, at either of its ends. */
function narrow(obj: Obj, rs: number, re: number): void {
  if (rs <= obj.start && re > obj.start) obj.start = re;
  if (rs < obj.end && re >= obj.end) obj.end = rs;
}

/** A resource at [first, first + nr) drops its dirty pages. Returns how many pages were looked at, or -2. */
export const or_clear_res = routine(
  file,
  'or_clear_res',
  { args: { first: int, nr: int }, locals: { ret: int }, returns: int },
  ({ step, acquire, release, ret }) => [
    acquire('mutex_lock(&obj->lock)', lockOf),
    step('clear the bits', (f, k) => {
      const obj = object(k);
      if (obj.users === 0) {
        f.ret = NO_TRACKER;
        return;
      }
      if (f.first >= obj.end || f.first + f.nr <= obj.start) return;
      const rs = Math.max(f.first, obj.start);
      const re = Math.min(f.first + f.nr, obj.end);
      clearBits(obj, rs, re);
      f.ret = re - rs;
      narrow(obj, rs, re);
    }),
    release('mutex_unlock(&obj->lock)', lockOf),
    ret('pages', (f) => f.ret),
  ],
);

/** A clean of its own, into the scratch bitmap. Returns the number of entries that were dirty. */
export const or_clean = routine(
  file,
  'or_clean',
  { args: { first: int, nr: int, bit0: int }, locals: { ret: int }, returns: int },
  ({ call, variant, ret }) => [
    clean(
      { call, variant },
      (f, k) => {
        const scratch = k.the('or_scratch', 'or_scratch');
        const obj = object(k);
        return {
          mapping: obj.mapping,
          first_index: obj.base + f.first,
          nr: f.nr,
          bitmap_pgoff: obj.base + f.bit0,
          bitmap: fieldRef('or_scratch', scratch, 'bitmap', 'bitmap_t'),
          start: fieldRef('or_scratch', scratch, 'start', 'pgoff_t'),
          end: fieldRef('or_scratch', scratch, 'end', 'pgoff_t'),
        };
      },
      'ret',
    ),
    ret('ret', (f) => f.ret),
  ],
);
