// What an application and its driver in user space do: Mesa's svga winsys (src/gallium/winsys/svga/drm) as far as the
// emulated ioctls go, and plain loads and stores. Routines of mode `user`; every argument is a number:
//
//   gb_surface_create {surface, shape, coherent, room, buffer, offset} -> handle, or a negative errno; in a buffer of
//                                                                       its own of at least `room` bytes, or in that
//                                                                       of the surface `buffer`
//   gb_surface_destroy {handle, surface}                             -> 0, or a negative errno
//   map_surface {handle, surface, offset, length, readonly, private, at} -> address, or a negative errno; `at`: where,
//                                                                       whatever is there, or -1: where there is room
//   unmap_surface {address, length}                                  -> 0, or a negative errno
//   move_surface {address, length, to}                               -> 0, or a negative errno
//   fork {mm}                                                        -> 0, or a negative errno
//   exit_process {}
//   user_write {address, length, unique, value}                      -> 0, or a signal | code << 8
//   user_read {address, length}                                      -> 0, or a signal | code << 8
//   user_copy {from, to, length}                                     -> as before
//   user_ramp {address, length, first}                               -> as before; bytes that count up
//   submit {first, count, submission, forget, exported, behind, context} -> handle of a fence (0: forgotten), or an errno;
//                                                                       a sync file too (`exportedFile`); behind the
//                                                                       fence of a sync file; with a context (0: none)
//   fence_wait {handle, submission, timeout}                         -> 0, or a negative errno
//   fence_event_wait {handle, submission}                            -> as before, by an event
//   sync_wait, sync_poll {fd, submission}                            -> as fence_wait and fence_poll; 0: nothing to wait
//                                                                       for any more
//   grab_surface {handle, submission, shared, nowait}                -> 0, or a negative errno
//   release_surface {handle}                                         -> 0, or a negative errno
//   export_surface {handle}                                          -> a descriptor, 0, or a negative errno
//   attach_fence {handle, fd}                                        -> 0, or a negative errno
//   sync_close {fd}                                                  -> 0, or a negative errno
//   fence_poll {handle, submission}                                  -> 1 when it is over, 0, or a negative errno
//   fence_forget {handle}                                            -> 0, or a negative errno
//
// `surface` counts surfaces from 0, `submission` submissions from 1: the application's own numbers, which the edges
// carry. Commands are queued with `queueCommand` (commandBuffer.ts); they name a surface by its handle. `shape` says what
// a surface is (hardware/svga/shapes). Contexts are in context.ts. Left out: state objects.
import { load, load_bytes, store, store_bytes } from '../hardware/cpu';
import { rampByte } from '../hardware/memory';
import { PAGE_SIZE } from '../hardware/pte';
import { shapeBytes, shapeField } from '../hardware/svga/shapes';
import {
  dma_buf_export_sync_file,
  dma_buf_import_sync_file,
} from '../kernel/drivers/dma-buf/dma-buf';
import { close_fd, do_poll, sync_file_ioctl_fence_info } from '../kernel/drivers/dma-buf/sync_file';
import {
  vmw_user_bo_synccpu_grab,
  vmw_user_bo_synccpu_release,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_bo';
import {
  DRM_VMW_EXECBUF_FLAG_EXPORT_FENCE_FD,
  vmw_execbuf_ioctl,
  vmw_execbuf_process,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_execbuf';
import {
  drm_read,
  vmw_fence_event_ioctl,
  vmw_fence_obj_signaled_ioctl,
  vmw_fence_obj_unref_ioctl,
  vmw_fence_obj_wait_ioctl,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_fence';
import { vmw_resource_unreference } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_resource';
import {
  vmw_gb_surface_define_ioctl,
  vmw_surface_destroy_ioctl,
  vmw_user_surface_lookup_handle,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_surface';
import { EINVAL, ENOMEM, ERESTARTSYS } from '../kernel/include/linux/errno';
import {
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from '../kernel/include/linux/mm';
import { current } from '../kernel/include/linux/sched';
import { dup_mmap, exit_mm } from '../kernel/kernel/fork';
import { __vm_munmap, TASK_SIZE, vm_mmap_pgoff } from '../kernel/mm/mmap';
import { mremap_to } from '../kernel/mm/mremap';
import type { Engine } from '../routine/engine';
import { type AnyBuilder, type Node, routine } from '../routine/routine';
import { bool, int, isNull, long, ref, type Structs, structNamed } from '../state/layout';
import * as edges from './edges';
import { segv_handler } from './layer';
import { bufferCommands } from './limits';

const file = 'user/winsys';

interface Backup {
  readonly bo: number; // address of the buffer object
  readonly start: number; // of the surface's pages, first page in the device's file: the map handle, and where it lies
}

/** What the reply of surface creation says of the buffer behind a surface: user space knows it, so this only looks. */
export function backupOf(k: Engine, handle: number): Backup {
  const peek = (name: string, at: number, field: string) =>
    k.store.peek(at + structNamed(name).slot(field).offset);
  const handles = k.the('surface_handles', 'vmw_fpriv').at;
  const objects = handles + structNamed('vmw_fpriv').slot('objects').offset;
  const res = k.store.peek(objects + handle - 1);
  if (res === 0) return { bo: 0, start: 0 }; // its handle was given back, and no object has this offset
  const bo = peek('vmw_resource', res, 'backup');
  const first = peek('vmw_resource', res, 'backup_offset') / PAGE_SIZE;
  return { bo, start: peek('ttm_buffer_object', bo, 'vma_node_start') + first };
}

/** Creates a surface in a buffer of its own of at least `room` bytes, or, at `offset`, in that of the surface `buffer`. */
export const gb_surface_create = routine(
  file,
  'gb_surface_create',
  {
    mode: 'user',
    args: {
      surface: int,
      shape: shapeField,
      coherent: bool,
      room: int,
      buffer: int,
      offset: int,
    },
    locals: { handle: int, kept: bool },
    returns: int,
  },
  ({ step, call, when, variant, ret }) => [
    variant('memory-explicit', [
      step('user space keeps it coherent by itself', (f) => {
        f.kept = f.coherent;
        f.coherent = false;
      }),
    ]),
    variant('memory-layer', [
      step('a layer keeps it coherent', (f) => {
        f.kept = f.coherent;
        f.coherent = false;
      }),
    ]),
    variant('memory-noncoherent', [
      step('there is no coherent memory', (f) => {
        f.coherent = false;
      }),
    ]),
    call(
      vmw_gb_surface_define_ioctl,
      (f) => ({
        number: f.surface,
        shape: f.shape,
        coherent: f.coherent,
        room: f.room,
        buffer: f.buffer,
        offset: f.offset,
      }),
      'handle',
    ),
    when('ok', (f) => f.handle > 0, [
      step('rep.handle, rep.buffer_map_handle', (f, k) => {
        const { surface, shape, offset } = f;
        const bytes = shapeBytes(shape);
        const coherent = f.coherent || f.kept;
        const { bo } = backupOf(k, f.handle);
        const fresh = f.buffer === 0;
        k.emit(edges.surface_created, { surface, bytes, coherent, sid: -1, bo, offset, fresh });
      }),
    ]),
    ret('handle', (f) => f.handle),
  ],
);

/** Gives a surface's handle back. */
export const gb_surface_destroy = routine(
  file,
  'gb_surface_destroy',
  { mode: 'user', args: { handle: int, surface: int }, locals: { ret: int }, returns: int },
  ({ step, call, ret }) => [
    step('nothing is promised of what it holds from here on', (f, k) => {
      k.emit(edges.surface_destroyed, { surface: f.surface });
    }),
    call(vmw_surface_destroy_ioctl, (f) => ({ handle: f.handle }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/** Maps bytes [offset, offset + length) of a surface; `offset` begins a page. */
export const map_surface = routine(
  file,
  'map_surface',
  {
    mode: 'user',
    args: {
      handle: int,
      surface: int,
      offset: long,
      length: long,
      readonly: bool,
      private: bool,
      at: long,
    },
    locals: { pgoff: int, address: long },
    returns: long,
  },
  ({ step, call, when, ret }) => [
    when('there is no such surface', (f) => f.handle <= 0, [ret('-EINVAL', () => -EINVAL)]),
    step('the map handle of the surface', (f, k) => {
      f.pgoff = backupOf(k, f.handle).start + Math.floor(f.offset / PAGE_SIZE);
    }),
    call(
      vm_mmap_pgoff,
      (f, k) => ({
        file: k.the('drm_file', 'file'),
        addr: Math.max(0, f.at),
        len: f.length,
        prot: PROT_READ | (f.readonly ? 0 : PROT_WRITE),
        flags: (f.private ? MAP_PRIVATE : MAP_SHARED) | (f.at < 0 ? 0 : MAP_FIXED),
        pgoff: f.pgoff,
      }),
      'address',
    ),
    // A private mapping is a copy of the application's own as soon as it is written: nothing is promised of it.
    when('mapped', (f) => f.address > 0 && !f.private, [
      step('the address', (f, k) => {
        const { surface, address, length, offset } = f;
        k.emit(edges.surface_mapped, {
          surface,
          root: k.parts.tlb.cr3(k.cpu),
          address,
          length,
          offset,
        });
      }),
    ]),
    when('a private one in the place of others', (f) => f.address > 0 && f.private && f.at >= 0, [
      step('what was there is not used from here on', (f, k) => {
        const { address, length } = f;
        k.emit(edges.surface_unmapped, { root: k.parts.tlb.cr3(k.cpu), address, length });
      }),
    ]),
    ret('address', (f) => f.address),
  ],
);

/** Unmaps a range of addresses. */
export const unmap_surface = routine(
  file,
  'unmap_surface',
  { mode: 'user', args: { address: long, length: long }, locals: { ret: int }, returns: int },
  ({ step, call, ret }) => [
    step('the mapping is not used from here on', (f, k) => {
      const root = k.parts.tlb.cr3(k.cpu);
      k.emit(edges.surface_unmapped, { root, address: f.address, length: f.length });
    }),
    call(__vm_munmap, (f) => ({ start: f.address, len: f.length }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/** Moves a range of addresses, with what is there, to another place. */
export const move_surface = routine(
  file,
  'move_surface',
  {
    mode: 'user',
    args: { address: long, length: long, to: long },
    locals: { ret: int },
    returns: int,
  },
  ({ step, call, when, ret }) => [
    call(mremap_to, (f) => ({ addr: f.address, len: f.length, new_addr: f.to }), 'ret'),
    when('moved', (f) => f.ret === 0, [
      step('the new address', (f, k) => {
        const { address, length, to } = f;
        k.emit(edges.surface_moved, { root: k.parts.tlb.cr3(k.cpu), address, length, to });
      }),
    ]),
    ret('ret', (f) => f.ret),
  ],
);

/** Makes the empty address space `mm` a copy of the caller's. */
export const fork = routine(
  file,
  'fork',
  { mode: 'user', args: { mm: ref('mm_struct') }, locals: { ret: int }, returns: int },
  ({ step, call, when, ret }) => [
    call(dup_mmap, (f, k) => ({ mm: f.mm, oldmm: current(k).mm }), 'ret'),
    when('there is a child', (f) => f.ret === 0, [
      step('what is mapped is mapped in the child too', (f, k) => {
        k.emit(edges.surfaces_inherited, { root: f.mm.pgd, from: k.parts.tlb.cr3(k.cpu) });
      }),
    ]),
    ret('ret', (f) => f.ret),
  ],
);

/** The end of the process: its address space goes. */
export const exit_process = routine(file, 'exit_process', { mode: 'user' }, ({ step, call }) => [
  step('nothing is used from here on', (_f, k) => {
    const root = k.parts.tlb.cr3(k.cpu);
    k.emit(edges.surface_unmapped, { root, address: 0, length: TASK_SIZE });
  }),
  call(exit_mm, (_f, k) => ({ mm: current(k).mm })),
]);

/** Bytes from the address to the end of its page, or of the range. */
const chunk = ({ address, left }: { address: number; left: number }): number =>
  Math.min(left, PAGE_SIZE - (address % PAGE_SIZE));

interface Ranged {
  address: number;
  length: number;
  left: number;
  signal: number;
}

/** A signal goes to the handler of a layer, where there is one, which may have the access tried again. */
const handled = (
  { call, when, again, variant }: AnyBuilder,
  write: boolean,
  address: (f: never) => number,
): Node => [
  variant('memory-layer', [
    when('a signal that the layer may handle', (f: { signal: number }) => f.signal !== 0, [
      call(segv_handler, (f) => ({ address: address(f as never), write }), 'retry'),
      when('it did', (f: { retry: number }) => f.retry !== 0, [again()]),
    ]),
  ]),
];

/** Does `access` for each page of a range, until one ends with a signal: that is returned, else 0. */
const eachPage = (b: AnyBuilder, write: boolean, access: Node[]): Node[] => {
  const { step, loop, leave, when, ret } = b;
  return [
    step('left = length', (f: Ranged) => {
      f.left = f.length;
    }),
    loop('for each page', [
      when('!left', (f: Ranged) => f.left <= 0, [leave()]),
      ...access,
      handled(b, write, (f: Ranged) => f.address),
      when('signal', (f: Ranged) => f.signal !== 0, [ret('signal', (f: Ranged) => f.signal)]),
      step('next page', (f: Ranged) => {
        const done = chunk(f);
        f.address += done;
        f.left -= done;
      }),
    ]),
    ret('0', () => 0),
  ];
};

/** Stores a range, one instruction a page. */
export const user_write = routine(
  file,
  'user_write',
  {
    mode: 'user',
    args: { address: long, length: long, unique: bool, value: int },
    locals: { left: long, signal: int, retry: int },
    returns: int,
  },
  (b) =>
    eachPage(b, true, [
      b.call(
        store,
        (f) => ({
          address: f.address,
          length: chunk(f),
          user: true,
          unique: f.unique,
          value: f.value,
        }),
        'signal',
      ),
    ]),
);

/** Loads a range, one instruction a page. */
export const user_read = routine(
  file,
  'user_read',
  {
    mode: 'user',
    args: { address: long, length: long },
    locals: { left: long, signal: int, retry: int },
    returns: int,
  },
  (b) =>
    eachPage(b, false, [
      b.call(load, (f) => ({ address: f.address, length: chunk(f), user: true }), 'signal'),
    ]),
);

/** Copies a range to another, a load and a store for each piece that lies in one page on both sides. */
export const user_copy = routine(
  file,
  'user_copy',
  {
    mode: 'user',
    args: { from: long, to: long, length: long },
    locals: { left: long, piece: int, signal: int, retry: int },
    returns: int,
  },
  (b) => {
    const { step, call, loop, leave, when, ret } = b;
    return [
      step('left = length', (f) => {
        f.left = f.length;
      }),
      loop('for each piece', [
        when('!left', (f) => f.left <= 0, [leave()]),
        step('the piece', (f) => {
          f.piece = Math.min(
            chunk({ address: f.from, left: f.left }),
            chunk({ address: f.to, left: f.left }),
          );
        }),
        call(load_bytes, (f) => ({ address: f.from, length: f.piece, to: f.to }), 'signal'),
        handled(b as AnyBuilder, false, (f: { from: number }) => f.from),
        when('signal', (f) => f.signal !== 0, [ret('signal', (f) => f.signal)]),
        call(store_bytes, (f) => ({ address: f.to, length: f.piece }), 'signal'),
        handled(b as AnyBuilder, true, (f: { to: number }) => f.to),
        when('signal', (f) => f.signal !== 0, [ret('signal', (f) => f.signal)]),
        step('next piece', (f) => {
          f.from += f.piece;
          f.to += f.piece;
          f.left -= f.piece;
        }),
      ]),
      ret('0', () => 0),
    ];
  },
);

/** Stores bytes that count up from `first`, modulo 256, one instruction a page. */
export const user_ramp = routine(
  file,
  'user_ramp',
  {
    mode: 'user',
    args: { address: long, length: long, first: int },
    locals: { left: long, signal: int, retry: int },
    returns: int,
  },
  (b) =>
    eachPage(b, true, [
      b.step('the bytes', (f, k) => {
        const at = f.address % PAGE_SIZE;
        const first = f.first + (f.length - f.left);
        k.parts.registers.of(k.task).replace(at, chunk(f), (i) => rampByte(first, i - at));
      }),
      b.call(store_bytes, (f) => ({ address: f.address, length: chunk(f) }), 'signal'),
    ]),
);

/** Submits `count` commands of the task's command buffer, from `first` on. Who numbers submissions emits the edge `submit`. */
export const submit = routine(
  file,
  'submit',
  {
    mode: 'user',
    args: {
      first: int,
      count: int,
      submission: int,
      forget: bool,
      exported: bool,
      behind: int,
      context: int,
    },
    locals: { handle: int, ignored: int },
    returns: int,
  },
  ({ step, call, when, loop, leave, ret }) => {
    const args = (
      f: {
        first: number;
        count: number;
        submission: number;
        exported: boolean;
        context: number;
      },
      k: Engine,
    ) => ({
      commands: k.task * bufferCommands + f.first,
      count: f.count,
      submission: f.submission,
      flags: f.exported ? DRM_VMW_EXECBUF_FLAG_EXPORT_FENCE_FD : 0,
      dx_context_handle: f.context,
    });
    return [
      loop('drmIoctl()', [
        when(
          'behind another',
          (f) => f.behind > 0,
          [
            call(
              vmw_execbuf_ioctl,
              (f, k) => ({ ...args(f, k), imported_fence_fd: f.behind }),
              'handle',
            ),
          ],
          [call(vmw_execbuf_process, args, 'handle')],
        ),
        when('no signal came', (f) => f.handle !== -ERESTARTSYS, [leave()]),
        step('the handler returns; again', (_f, k) => k.signal(k.task, false)),
      ]),
      when('nobody will wait', (f) => f.forget && f.handle > 0, [
        call(vmw_fence_obj_unref_ioctl, (f) => ({ handle: f.handle }), 'ignored'),
        ret('0', () => 0),
      ]),
      ret('handle', (f) => f.handle),
    ];
  },
);

/** The descriptor of the sync file that the running task's last submission gave, 0 when it has none. */
export const exportedFile = (k: Engine): number =>
  Math.max(0, k.the('user_fence_reps', 'drm_vmw_fence_rep').fd.get(k.task));

const asked = { submission: int };
const answer = { ret: int };

/** When the kernel has answered `over`, the thread knows that the submission is. */
const learn = ({ step, when }: AnyBuilder, text: string, over: number): Node =>
  when(text, (f: { ret: number; submission: number }) => f.ret === over && f.submission > 0, [
    step('the submission is over', (f: { submission: number }, k: Engine) => {
      k.emit(edges.fence_waited, { submission: f.submission });
    }),
  ]);

/** Asks again when a signal has come in between, whose handler does nothing. */
const restarted = ({ step, when, loop, leave }: AnyBuilder, ask: Node[]): Node =>
  loop('drmIoctl()', [
    ...ask,
    when('no signal came', (f: { ret: number }) => f.ret !== -ERESTARTSYS, [leave()]),
    step('the handler returns; again', (_f: unknown, k: Engine) => k.signal(k.task, false)),
  ]);

/** Waits until a submission is over, or a time. */
export const fence_wait = routine(
  file,
  'fence_wait',
  {
    mode: 'user',
    args: { handle: int, ...asked, timeout: int },
    locals: answer,
    returns: int,
  },
  (b) => [
    restarted(b, [
      b.call(vmw_fence_obj_wait_ioctl, (f) => ({ handle: f.handle, timeout: f.timeout }), 'ret'),
    ]),
    learn(b, 'ok', 0),
    b.ret('ret', (f) => f.ret),
  ],
);

/** Asks whether a submission is over. */
export const fence_poll = routine(
  file,
  'fence_poll',
  { mode: 'user', args: { handle: int, ...asked }, locals: answer, returns: int },
  (b) => [
    b.call(vmw_fence_obj_signaled_ioctl, (f) => ({ handle: f.handle }), 'ret'),
    learn(b, 'signaled', 1),
    b.ret('ret', (f) => f.ret),
  ],
);

/** Asks for an event when a submission is over, and sleeps until it can be read. */
export const fence_event_wait = routine(
  file,
  'fence_event_wait',
  {
    mode: 'user',
    args: { handle: int, ...asked },
    locals: { ...answer, event: ref('vmw_event_fence_action') },
    returns: int,
  },
  (b) => [
    b.call(vmw_fence_event_ioctl, (f) => ({ handle: f.handle }), 'event'),
    b.when('no event', (f) => isNull(f.event), [b.ret('-ENOMEM', () => -ENOMEM)]),
    restarted(b, [b.call(drm_read, (f) => ({ action: f.event }), 'ret')]),
    learn(b, 'ok', 0),
    b.ret('ret', (f) => f.ret),
  ],
);

/** Waits for a sync file as for any file: poll(2). */
export const sync_wait = routine(
  file,
  'sync_wait',
  { mode: 'user', args: { fd: int, ...asked }, locals: answer, returns: int },
  (b) => [
    b.when('there is one', (f) => f.fd > 0, [
      restarted(b, [b.call(do_poll, (f) => ({ fd: f.fd }), 'ret')]),
    ]),
    learn(b, 'ok', 0),
    b.ret('ret', (f) => f.ret),
  ],
);

/** Asks a sync file for the state of its fence: SYNC_IOC_FILE_INFO. */
export const sync_poll = routine(
  file,
  'sync_poll',
  { mode: 'user', args: { fd: int, ...asked }, locals: answer, returns: int },
  (b) => [
    b.when(
      'there is one',
      (f) => f.fd > 0,
      [b.call(sync_file_ioctl_fence_info, (f) => ({ fd: f.fd }), 'ret')],
      [
        b.step('it has been waited for', (f) => {
          f.ret = 1;
        }),
      ],
    ),
    learn(b, 'signaled', 1),
    b.ret('ret', (f) => f.ret),
  ],
);

/** close(2) of a sync file. */
export const sync_close = routine(
  file,
  'sync_close',
  { mode: 'user', args: { fd: int }, locals: answer, returns: int },
  ({ call, ret }) => [call(close_fd, (f) => ({ fd: f.fd }), 'ret'), ret('ret', (f) => f.ret)],
);

/** Does something with the buffer object of a surface, whose handle is given; -EINVAL without one. */
const onBuffer = ({ unlocked, call, when, ret }: AnyBuilder, then: Node[]): Node[] => [
  call(vmw_user_surface_lookup_handle, (f: { handle: number }) => ({ handle: f.handle }), 'res'),
  when('!res', (f: { res: Structs['vmw_resource'] }) => isNull(f.res), [
    ret('-EINVAL', () => -EINVAL),
  ]),
  unlocked(
    'vbo = res->backup',
    (f: { res: Structs['vmw_resource']; vbo: Structs['vmw_buffer_object'] }) => {
      f.vbo = f.res.backup;
    },
  ),
  ...then,
  call(vmw_resource_unreference, (f: { res: Structs['vmw_resource'] }) => ({ res: f.res })),
];

const buffer = { res: ref('vmw_resource'), vbo: ref('vmw_buffer_object') };

/** Waits until the GPU has done with a surface's memory, and keeps it off unless it is `shared`. */
export const grab_surface = routine(
  file,
  'grab_surface',
  {
    mode: 'user',
    args: { handle: int, ...asked, shared: bool, nowait: bool },
    locals: { ...answer, ...buffer },
    returns: int,
  },
  (b) => [
    onBuffer(b, [
      restarted(b, [
        b.call(
          vmw_user_bo_synccpu_grab,
          (f) => ({ vbo: f.vbo, allow_cs: f.shared, dontblock: f.nowait }),
          'ret',
        ),
      ]),
    ]),
    learn(b, 'ok', 0),
    b.ret('ret', (f) => f.ret),
  ],
);

/** Lets the GPU have it again. */
export const release_surface = routine(
  file,
  'release_surface',
  { mode: 'user', args: { handle: int }, locals: { ...answer, ...buffer }, returns: int },
  (b) => [
    onBuffer(b, [b.call(vmw_user_bo_synccpu_release, (f) => ({ vbo: f.vbo }), 'ret')]),
    b.ret('ret', (f) => f.ret),
  ],
);

/** A sync file of all that guards a surface's memory: a descriptor, 0 when nothing does, or an errno. */
export const export_surface = routine(
  file,
  'export_surface',
  { mode: 'user', args: { handle: int }, locals: { ...answer, ...buffer }, returns: int },
  (b) => [
    onBuffer(b, [b.call(dma_buf_export_sync_file, (f) => ({ resv: f.vbo.base.resv }), 'ret')]),
    b.ret('ret', (f) => f.ret),
  ],
);

/** A sync file guards a surface's memory from here on. */
export const attach_fence = routine(
  file,
  'attach_fence',
  { mode: 'user', args: { handle: int, fd: int }, locals: { ...answer, ...buffer }, returns: int },
  (b) => [
    onBuffer(b, [
      b.call(dma_buf_import_sync_file, (f) => ({ resv: f.vbo.base.resv, fd: f.fd }), 'ret'),
    ]),
    b.ret('ret', (f) => f.ret),
  ],
);

/** Gives a fence's handle back. */
export const fence_forget = routine(
  file,
  'fence_forget',
  { mode: 'user', args: { handle: int }, locals: { ret: int }, returns: int },
  ({ call, ret }) => [
    call(vmw_fence_obj_unref_ioctl, (f) => ({ handle: f.handle }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);
