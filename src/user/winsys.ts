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
//   submit {first, count, submission, forget}                        -> handle of a fence (0: forgotten), or an errno
//   fence_wait {handle, submission}                                  -> 0, or a negative errno
//   fence_poll {handle, submission}                                  -> 1 when it is over, 0, or a negative errno
//   fence_forget {handle}                                            -> 0, or a negative errno
//
// `surface` counts surfaces from 0, `submission` submissions from 1: the application's own numbers, which the edges
// carry. Commands are queued with `queueCommand` (commandBuffer.ts); they name a surface by its handle. `shape` says what a surface is
// (hardware/svga/shapes). Left out: contexts, state objects.
import { load, load_bytes, store, store_bytes } from '../hardware/cpu';
import { rampByte } from '../hardware/memory';
import { PAGE_SIZE } from '../hardware/pte';
import { shapeBytes, shapeField } from '../hardware/svga/shapes';
import { vmw_execbuf_process } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_execbuf';
import {
  vmw_fence_obj_signaled_ioctl,
  vmw_fence_obj_unref_ioctl,
  vmw_fence_obj_wait_ioctl,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_fence';
import {
  vmw_gb_surface_define_ioctl,
  vmw_surface_destroy_ioctl,
} from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_surface';
import { EINVAL } from '../kernel/include/linux/errno';
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
import { bool, int, long, ref, structNamed } from '../state/layout';
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
        k.emit(edges.surface_created, { surface, bytes, coherent, sid: -1, bo, offset });
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
    args: { first: int, count: int, submission: int, forget: bool },
    locals: { handle: int, ignored: int },
    returns: int,
  },
  ({ call, when, ret }) => [
    call(
      vmw_execbuf_process,
      (f, k) => ({
        commands: k.task * bufferCommands + f.first,
        count: f.count,
        submission: f.submission,
      }),
      'handle',
    ),
    when('nobody will wait', (f) => f.forget && f.handle > 0, [
      call(vmw_fence_obj_unref_ioctl, (f) => ({ handle: f.handle }), 'ignored'),
      ret('0', () => 0),
    ]),
    ret('handle', (f) => f.handle),
  ],
);

/** Asks the kernel about a fence by `ioctl`; when that answers `over`, the thread knows that the submission is. */
const fenceRoutine = (
  name: string,
  ioctl: typeof vmw_fence_obj_wait_ioctl,
  text: string,
  over: number,
) =>
  routine(
    file,
    name,
    {
      mode: 'user',
      args: { handle: int, submission: int },
      locals: { ret: int },
      returns: int,
    },
    ({ step, call, when, ret }) => [
      call(ioctl, (f) => ({ handle: f.handle }), 'ret'),
      when(text, (f) => f.ret === over, [
        step('the submission is over', (f, k) => {
          k.emit(edges.fence_waited, { submission: f.submission });
        }),
      ]),
      ret('ret', (f) => f.ret),
    ],
  );

/** Waits until a submission is over. */
export const fence_wait = fenceRoutine('fence_wait', vmw_fence_obj_wait_ioctl, 'ok', 0);

/** Asks whether a submission is over. */
export const fence_poll = fenceRoutine('fence_poll', vmw_fence_obj_signaled_ioctl, 'signaled', 1);

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
