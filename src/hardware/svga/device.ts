// The virtual GPU: registers, a queue of commands, and its own copy of every guest-backed surface. It never snoops:
// memory and copy differ until an update or a readback. Executes one command after the other, asynchronously to the
// CPUs. Linux drivers/gpu/drm/vmwgfx/device_include is the guest's side of it. Left out: shaders. A surface is defined as
// zeroes, and binding a MOB copies nothing, unless `bind-loads` is on. What is invalidated is gone: the copy holds
// `invalidatedByte` from then on, where a host may keep it or not, so that nobody relies on it. A copy whose ranges
// overlap is refused: every API that ends here forbids it (glCopyBufferSubData, vkCmdCopyBuffer, CopySubresourceRegion).

import type { RegionRule } from '../../routine/check';
import type { Engine, TaskSpec } from '../../routine/engine';
import { routine } from '../../routine/routine';
import { blockBytes } from '../../state/blocks';
import { tracepoint } from '../../state/events';
import {
  bool,
  type FieldsView,
  int,
  NULL,
  ref,
  same,
  struct,
  tail,
  u32,
  type View,
} from '../../state/layout';
import type { PoolSize, StaticSize } from '../../state/objects';
import type { StorePlan } from '../../state/store';
import { Contents } from '../memory';
import { PAGE_SIZE } from '../pte';
import {
  bindings,
  contextCommandNames,
  contextDeed,
  points,
  SLOTS,
  SVGA_3D_CMD_DX_DEFINE_CONTEXT,
  SVGA_3D_CMD_DX_DEFINE_UA_VIEW,
  SVGA_3D_CMD_DX_DESTROY_UA_VIEW,
  SVGA_3D_CMD_DX_DRAW,
  SVGA_3D_CMD_DX_SET_UA_VIEWS,
} from './bindings';
import {
  end_buffer,
  firstBuffer,
  hasCommand,
  nextCommand,
  SVGA_CB_STATUS_CB_HEADER_ERROR,
  SVGA_CB_STATUS_COMMAND_ERROR,
  SVGA_CB_STATUS_COMPLETED,
  SVGA_CB_STATUS_NONE,
  svga_cb_context,
} from './commandBuffers';

import {
  boxOf,
  command,
  definedShape,
  definesSurface,
  GPU_CMD_READ,
  GPU_CMD_WRITE,
  SVGA_3D_CMD_BIND_GB_SURFACE,
  SVGA_3D_CMD_DEFINE_GB_MOB,
  SVGA_3D_CMD_DEFINE_GB_MOB64,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V2,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V3,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V4,
  SVGA_3D_CMD_DESTROY_GB_MOB,
  SVGA_3D_CMD_DESTROY_GB_SURFACE,
  SVGA_3D_CMD_DX_BUFFER_COPY,
  SVGA_3D_CMD_DX_GENMIPS,
  SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE,
  SVGA_3D_CMD_DX_READBACK_SUBRESOURCE,
  SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE,
  SVGA_3D_CMD_INVALIDATE_GB_IMAGE,
  SVGA_3D_CMD_INVALIDATE_GB_SURFACE,
  SVGA_3D_CMD_READBACK_GB_IMAGE,
  SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL,
  SVGA_3D_CMD_READBACK_GB_SURFACE,
  SVGA_3D_CMD_UPDATE_GB_IMAGE,
  SVGA_3D_CMD_UPDATE_GB_SURFACE,
  SVGA_CMD_DEFINE_GMR2,
  SVGA_CMD_FENCE,
  SVGA_CMD_REMAP_GMR2,
  SVGA3D_INVALID_ID,
  type SvgaCommand,
  svgaCommandNames,
} from './commands';
import { boundAt, changeContext, contextFields, contextPool, nextBound } from './contexts';
import { fifo, isAwake, svga_fifo } from './fifo';
import {
  raiseInterrupt,
  SVGA_FENCE_WRAP,
  SVGA_IRQFLAG_ANY_FENCE,
  SVGA_IRQFLAG_ERROR,
  SVGA_IRQFLAG_FENCE_GOAL,
  SVGA_IRQFLAG_FIFO_PROGRESS,
  svga_regs,
} from './registers';
import {
  boxRuns,
  descOf,
  levelFilter,
  mipLevel,
  type Runs,
  type SVGA3dBox,
  shapeBytes,
  shapeField,
  subresourceOffset,
  wholeBox,
} from './shapes';

/** The memory that commands are handed over in; as long as the machine says. */
export const svga_ring = struct('svga_ring', {
  fixed: { size: int },
  shared: { commands: tail(command) },
});

/** The page table of a MOB: frame numbers, in memory, written by the guest before it defines the MOB. */
export const svga_mob_pt = struct('svga_mob_pt', { fixed: { entries: tail(int) } });

/** The device's own record of a MOB. */
export const svga_mob = struct('svga_mob', {
  own: { id: int, length: int, pt: ref('svga_mob_pt') },
});

/** The device's own record of a guest memory region. */
export const svga_gmr = struct('svga_gmr', {
  own: { id: int, pages: int, pt: ref('svga_mob_pt') },
});

/** The device's own record of a surface; the copy of its bytes is `Svga.copy`. */
export const svga_surface = struct('svga_surface', {
  own: {
    sid: int,
    name: int,
    shape: shapeField,
    length: int, // in bytes
    mob: ref('svga_mob'),
    mob_offset: int,
    loaded: bool, // under bind-loads: has been bound before
  },
});

/** What a device can do besides guest-backed objects: nothing, or shader models, each with commands of its own. */
export const SVGA_GB = 0;
export const SVGA_SM4 = 40;
export const SVGA_SM4_1 = 41;
export const SVGA_SM5 = 50;

/** The engine's own state: where it takes the next command; SVGA_REG_BUSY, in machines that ask for it. */
export const svga_engine = struct('svga_engine', {
  fixed: { model: int, reports: bool }, // reports: what is refused comes back with its buffer
  own: { stop: int, busy: bool, refused: bool },
});

/** The commands that not every device knows, with the model that brought them. */
const broughtBy: ReadonlyMap<number, number> = new Map([
  [SVGA_3D_CMD_DEFINE_GB_SURFACE_V2, SVGA_SM4],
  [SVGA_3D_CMD_DEFINE_GB_SURFACE_V3, SVGA_SM4_1],
  [SVGA_3D_CMD_DEFINE_GB_SURFACE_V4, SVGA_SM5],
  [SVGA_3D_CMD_DX_GENMIPS, SVGA_SM4],
  [SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE, SVGA_SM4],
  [SVGA_3D_CMD_DX_READBACK_SUBRESOURCE, SVGA_SM4],
  [SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE, SVGA_SM4],
  [SVGA_3D_CMD_DX_BUFFER_COPY, SVGA_SM4],
  ...Object.keys(contextCommandNames).map((id): [number, number] => [Number(id), SVGA_SM4]),
  [SVGA_3D_CMD_DX_DEFINE_UA_VIEW, SVGA_SM5],
  [SVGA_3D_CMD_DX_DESTROY_UA_VIEW, SVGA_SM5],
  [SVGA_3D_CMD_DX_SET_UA_VIEWS, SVGA_SM5],
]);

declare module '../../state/layout' {
  interface Structs {
    svga_ring: View<typeof svga_ring>;
    svga_mob_pt: View<typeof svga_mob_pt>;
    svga_mob: View<typeof svga_mob>;
    svga_gmr: View<typeof svga_gmr>;
    svga_surface: View<typeof svga_surface>;
    svga_engine: View<typeof svga_engine>;
  }
}

/** A command is taken from the queue. */
export const svga_command = tracepoint('svga_command', {
  id: int,
  sid: int,
  offset: int,
  length: int,
  bytes: int, // that an update or a readback moves
});
/**
 * Edges: GPU work reads or writes bytes of a surface, at most a page of it at a time. `value` is what is written, or -1
 * for bytes that the command computed from what it has read.
 */
export const gpu_read = tracepoint('gpu_read', {
  surface: int,
  sid: int,
  offset: int,
  length: int,
  submission: int,
});
export const gpu_write = tracepoint('gpu_write', {
  surface: int,
  sid: int,
  offset: int,
  length: int,
  value: int,
  submission: int,
});
/** Edge: GPU work puts bytes of the surface `source`, which it has read, into another place: at most a page at a time. */
export const gpu_copy = tracepoint('gpu_copy', {
  surface: int,
  sid: int,
  offset: int,
  length: int,
  source: int,
  from: int,
  submission: int,
});
export const svga_fence = tracepoint('svga_fence', { seqno: u32 });
/** The device refuses a command: it knows none such, no such surface or MOB, nothing bound, a range outside or overlapping. */
export const svga_error = tracepoint('svga_error', { id: int, sid: int, submission: int });

/** The device's copies of surfaces: `slots` of `bytes` each, found by the place of the surface's record. */
export class Svga {
  private readonly base: number;
  private readonly slotBlocks: number;

  constructor(
    private readonly k: Engine,
    readonly bytes: number,
  ) {
    this.base = k.store.region('svga surfaces').base;
    this.slotBlocks = Math.ceil(bytes / blockBytes);
  }

  static reserve(plan: StorePlan, slots: number, bytes: number): void {
    plan.region('svga surfaces', 'contents', slots * Math.ceil(bytes / blockBytes));
  }

  /** The bytes of the surface whose record is at `surface`. */
  copy(surface: number): Contents {
    const slot = this.k.objects.indexOf(surface);
    const { k, base, slotBlocks } = this;
    return new Contents(k.store, base + slot * slotBlocks, slotBlocks * blockBytes);
  }

  /** Looking only: the copy of the surface called `name`, of that id if one is given, when the device has such a surface. */
  copyNamed(name: number, id?: number): Contents | undefined {
    const { k } = this;
    const nameAt = svga_surface.slot('name').offset;
    const idAt = svga_surface.slot('sid').offset;
    for (const at of k.objects.all('svga_surface')) {
      if (k.store.peek(at + nameAt) !== name) continue;
      if (id === undefined || k.store.peek(at + idAt) === id) return this.copy(at);
    }
    return undefined;
  }

  /** Looking only: a byte of that copy, 0 when there is none. */
  peek(name: number, offset: number): number {
    return this.copyNamed(name)?.peek(offset) ?? 0;
  }
}

declare module '../../routine/engine' {
  interface Parts {
    svga: Svga;
  }
}

const file = 'svga/device';

/** The command is not carried out. */
function refuse(k: Engine, what: { id: number; sid: number; submission: number }): void {
  const engine = k.the('svga_engine', 'svga_engine');
  if (engine.reports) engine.refused = true;
  k.emit(svga_error, what);
}

/** What the copy holds where it was invalidated: no value that an application would begin with. */
export const invalidatedByte = 0xdb;

/** The record of a surface or a MOB by its id, NULL when there is none. Private to the device. */
function surfaceOf(k: Engine, sid: number): View<typeof svga_surface> {
  for (const at of k.objects.all('svga_surface')) {
    const surface = k.view('svga_surface', at);
    if (surface.sid === sid) return surface;
  }
  return NULL;
}

function mobOf(k: Engine, id: number): View<typeof svga_mob> {
  for (const at of k.objects.all('svga_mob')) {
    const mob = k.view('svga_mob', at);
    if (mob.id === id) return mob;
  }
  return NULL;
}

function gmrOf(k: Engine, id: number): View<typeof svga_gmr> {
  for (const at of k.objects.all('svga_gmr')) {
    const gmr = k.view('svga_gmr', at);
    if (gmr.id === id) return gmr;
  }
  return NULL;
}

/** Bytes from `at` to the end of the page it is in, or to `end`. */
const chunk = (at: number, end: number): number =>
  Math.min(end, (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE) - at;

/** The frame and the place in it of byte `at` of a MOB. */
function placeInMob(k: Engine, mob: View<typeof svga_mob>, at: number): [Contents, number] {
  const pfn = mob.pt.entries.get(Math.floor(at / PAGE_SIZE));
  return [k.parts.memory.frame(pfn), at % PAGE_SIZE];
}

const range = { sid: int, offset: int, length: int };
const walk = { pos: int, end: int, surface: ref('svga_surface') };

interface Walk {
  readonly sid: number;
  readonly offset: number;
  readonly length: number;
  readonly submission?: number;
  pos: number;
  end: number;
  surface: View<typeof svga_surface>;
}

/** Begins a walk over a range of a surface; nothing to walk when the surface cannot be. */
function beginWalk(f: Walk, k: Engine, id: number): void {
  f.surface = surfaceOf(k, f.sid);
  f.pos = f.offset;
  f.end = f.offset;
  const { surface } = f;
  const end = f.length < 0 ? surface.length : f.offset + f.length;
  const bad = surface.at === 0 || end > surface.length || f.offset < 0;
  if (bad) refuse(k, { id, sid: f.sid, submission: f.submission ?? 0 });
  else f.end = end;
}

const box = { offset: int, y: int, z: int, length: int, h: int, d: int };
const images = { id: int, sid: int, image: int, ...box };
const imageWalk = { ...walk, row: int, rows: int };

interface ImageWalk extends Walk {
  readonly id: number;
  readonly image: number;
  readonly y: number;
  readonly z: number;
  readonly h: number;
  readonly d: number;
  row: number;
  rows: number;
}

/** As the image of a command: all of the surface. */
const wholeSurface = -1;
/** As the image of a command: none that there is. */
const noImage = -2;

/** The bytes of the box that a command names. */
function runsOf(f: ImageWalk): Runs | undefined {
  const { image, surface } = f;
  if (image === wholeSurface) return { length: surface.length, count: 1, begin: () => 0 };
  return boxRuns(surface.shape, image, boxOf(f));
}

/** Begins a walk over the rows of a box; nothing to walk when surface, MOB or box cannot be. */
function beginImage(f: ImageWalk, k: Engine): void {
  f.surface = surfaceOf(k, f.sid);
  const { surface } = f;
  const runs = surface.at === 0 || surface.mob.at === 0 ? undefined : runsOf(f);
  if (runs === undefined) refuse(k, { id: f.id, sid: f.sid, submission: 0 });
  f.row = 0;
  f.rows = runs?.count ?? 0;
  beginRow(f, runs);
}

function beginRow(f: ImageWalk, runs: Runs | undefined): void {
  if (runs === undefined || f.row >= f.rows) return;
  f.pos = runs.begin(f.row);
  f.end = f.pos + runs.length;
}

/** The next bytes of the box that lie in one page of the MOB; moves on behind them. */
function nextOfImage(f: ImageWalk): { offset: number; length: number } {
  const { pos: offset, surface } = f;
  const length = chunk(offset + surface.mob_offset, f.end + surface.mob_offset);
  f.pos += length;
  if (f.pos >= f.end) {
    f.row++;
    beginRow(f, runsOf(f));
  }
  return { offset, length };
}

/** Copies the bytes of a box from the bound MOB to the device's copy. */
export const update_gb_image = routine(
  file,
  'update_gb_image',
  { mode: 'device', args: images, locals: imageWalk },
  ({ step, when, loop, leave }) => [
    step('surface = lookup(sid)', (f, k) => beginImage(f, k)),
    loop('for each page of each row', [
      when('row == rows', (f) => f.row >= f.rows, [leave()]),
      step('copy from the page of the MOB to the device', (f, k) => {
        const { surface } = f;
        const { offset, length } = nextOfImage(f);
        const [frame, from] = placeInMob(k, surface.mob, offset + surface.mob_offset);
        k.parts.svga.copy(surface.at).copy(offset, frame, from, length);
      }),
    ]),
  ],
);

/** The other reading of what a first bind means: the copy is what the MOB holds. */
export const first_bind = routine(
  file,
  'first_bind',
  { mode: 'device', args: { id: int, sid: int }, locals: { first: bool } },
  ({ step, when, call }) => [
    step('first = !surface->loaded', (f, k) => {
      const surface = surfaceOf(k, f.sid);
      f.first = surface.at !== 0 && surface.mob.at !== 0 && !surface.loaded;
      if (f.first) surface.loaded = true;
    }),
    when('first', (f) => f.first, [
      call(update_gb_image, ({ id, sid }) => ({
        ...{ id, sid, image: wholeSurface },
        ...boxFields({ x: 0, y: 0, z: 0, w: 0, h: 0, d: 0 }),
      })),
    ]),
  ],
);

/** Copies the bytes of a box from the device's copy to the bound MOB. */
export const readback_gb_image = routine(
  file,
  'readback_gb_image',
  { mode: 'device', args: images, locals: imageWalk },
  ({ step, when, loop, leave }) => [
    step('surface = lookup(sid)', (f, k) => beginImage(f, k)),
    loop('for each page of each row', [
      when('row == rows', (f) => f.row >= f.rows, [leave()]),
      step('copy from the device to the page of the MOB', (f, k) => {
        const { surface } = f;
        const { offset, length } = nextOfImage(f);
        const [frame, to] = placeInMob(k, surface.mob, offset + surface.mob_offset);
        frame.copy(to, k.parts.svga.copy(surface.at), offset, length);
      }),
    ]),
  ],
);

/** Number `i` of the six boxes that are all of a subresource but a box: behind and before it, above and below, beside it. */
function boxBeside(all: SVGA3dBox, { x, y, z, w, h, d }: SVGA3dBox, i: number): SVGA3dBox {
  switch (i) {
    case 0:
      return { ...all, d: z };
    case 1:
      return { ...all, z: z + d, d: all.d - z - d };
    case 2:
      return { ...all, z, d, h: y };
    case 3:
      return { ...all, z, d, y: y + h, h: all.h - y - h };
    case 4:
      return { z, d, y, h, x: 0, w: x };
    default:
      return { z, d, y, h, x: x + w, w: all.w - x - w };
  }
}

/** Reads a box of an image back, or, with `invert`, all of the image but the box. */
export const readback_gb_image_partial = routine(
  file,
  'readback_gb_image_partial',
  { mode: 'device', args: { ...images, invert: bool }, locals: { i: int, n: int } },
  ({ step, when, loop, leave, call }) => [
    step('n = boxes to read', (f, k) => {
      const { at, shape } = surfaceOf(k, f.sid);
      // Where the box cannot be, there is nothing beside it either.
      const can = at !== 0 && f.image >= 0 && boxRuns(shape, f.image, boxOf(f)) !== undefined;
      f.n = f.invert && can ? 6 : 1;
    }),
    loop('for each box', [
      when('i == n', (f) => f.i === f.n, [leave()]),
      call(readback_gb_image, (f, k) => {
        if (f.n === 1) return { ...boxArgs(f), image: f.image };
        const all = wholeBox(surfaceOf(k, f.sid).shape, f.image);
        return {
          id: f.id,
          sid: f.sid,
          image: f.image,
          ...boxFields(boxBeside(all, boxOf(f), f.i)),
        };
      }),
      step('i++', (f) => {
        f.i++;
      }),
    ]),
  ],
);

const work = { ...range, submission: int };

/** A draw or dispatch reads bytes of the device's copy. */
export const gpu_reads = routine(
  file,
  'gpu_reads',
  { mode: 'device', args: work, locals: walk },
  ({ step, when, loop, leave }) => [
    step('surface = lookup(sid)', (f, k) => beginWalk(f, k, GPU_CMD_READ)),
    loop('for each page of the range', [
      when('pos == end', (f) => f.pos >= f.end, [leave()]),
      step('read the bytes', (f, k) => {
        const length = chunk(f.pos, f.end);
        const { sid, submission, pos: offset } = f;
        k.emit(gpu_read, { surface: f.surface.name, sid, offset, length, submission });
        f.pos += length;
      }),
    ]),
  ],
);

/** A draw or dispatch writes a byte value into the device's copy. */
export const gpu_writes = routine(
  file,
  'gpu_writes',
  { mode: 'device', args: { ...work, value: int }, locals: walk },
  ({ step, when, loop, leave }) => [
    step('surface = lookup(sid)', (f, k) => beginWalk(f, k, GPU_CMD_WRITE)),
    loop('for each page of the range', [
      when('pos == end', (f) => f.pos >= f.end, [leave()]),
      step('write the bytes', (f, k) => {
        const length = chunk(f.pos, f.end);
        const { sid, submission, value, pos: offset } = f;
        k.parts.svga.copy(f.surface.at).fill(offset, length, { unique: false, value });
        k.emit(gpu_write, { surface: f.surface.name, sid, offset, length, value, submission });
        f.pos += length;
      }),
    ]),
  ],
);

/** Copies bytes of the device's copy of a surface to that of `target`, or to another place of the same. */
export const gpu_copies = routine(
  file,
  'gpu_copies',
  {
    mode: 'device',
    args: { ...work, target: int, to: int },
    locals: { ...walk, into: ref('svga_surface') },
  },
  ({ step, when, loop, leave, ret }) => [
    step('surface = lookup(sid)', (f, k) => beginWalk(f, k, SVGA_3D_CMD_DX_BUFFER_COPY)),
    when('nothing to copy', (f) => f.pos >= f.end, [ret()]),
    step('into = lookup(target)', (f, k) => {
      f.into = surfaceOf(k, f.target);
      const { into, to, length, offset } = f;
      const overlaps = f.target === f.sid && Math.abs(to - offset) < length;
      if (into.at !== 0 && to >= 0 && to + length <= into.length && !overlaps) return;
      const { target: sid, submission } = f;
      refuse(k, { id: SVGA_3D_CMD_DX_BUFFER_COPY, sid, submission });
      f.end = f.pos;
    }),
    loop('for each page of the range', [
      when('pos == end', (f) => f.pos >= f.end, [leave()]),
      step('copy the bytes', (f, k) => {
        const { surface, into, sid, submission, pos, target } = f;
        const length = chunk(pos, f.end);
        const offset = f.to + (pos - f.offset);
        const read = { surface: surface.name, sid, offset: pos, length, submission };
        const written = { surface: into.name, sid: target, offset, length, submission };
        k.emit(gpu_read, read);
        k.parts.svga.copy(into.at).copy(offset, k.parts.svga.copy(surface.at), pos, length);
        k.emit(gpu_copy, { ...written, source: surface.name, from: pos });
        f.pos += length;
      }),
    ]),
  ],
);

/** A draw with what is bound to a context: reads all that is bound for reading, then writes all that is for writing. */
export const context_draws = routine(
  file,
  'context_draws',
  {
    mode: 'device',
    args: { context: int, value: int, submission: int },
    locals: { slot: int, sid: int, offset: int, length: int, writes: bool, written: bool },
  },
  ({ step, when, loop, leave, again, call }) => [
    loop('for each slot, those that are read first', [
      step('the next slot', (f, k) => {
        f.slot = nextBound(k, f.context, f.slot);
        const bound = f.slot < bindings ? boundAt(k, f.context, f.slot) : undefined;
        f.sid = bound?.sid ?? SVGA3D_INVALID_ID;
        f.offset = bound?.offset ?? 0;
        f.length = bound?.length ?? 0;
        f.written = points[Math.floor(f.slot / SLOTS)]?.written ?? false;
      }),
      when('no more', (f) => f.slot === bindings, [
        when('all are done', (f) => f.writes, [leave()]),
        step('those that are written', (f) => {
          f.writes = true;
          f.slot = 0;
        }),
        again(),
      ]),
      when('it is read', (f) => !f.written && !f.writes, [
        call(gpu_reads, ({ sid, offset, length, submission }) => ({
          sid,
          offset,
          length,
          submission,
        })),
      ]),
      when('it is written', (f) => f.written && f.writes, [
        call(gpu_writes, ({ sid, offset, length, submission, value }) => ({
          sid,
          offset,
          length,
          submission,
          value,
        })),
      ]),
      step('slot++', (f) => {
        f.slot++;
      }),
    ]),
  ],
);

/** Changes what a context has: its views, and what is bound. */
export const context_command = routine(
  file,
  'context_command',
  { mode: 'device', args: contextFields },
  ({ step }) => [
    step('change the context', (f, k) => {
      if (!changeContext(k, f)) refuse(k, { id: f.id, sid: f.sid, submission: 0 });
    }),
  ],
);

/** Computes the lower levels of every layer of a texture, each from the one above it, a page of bytes a step. */
export const gen_mips = routine(
  file,
  'gen_mips',
  {
    mode: 'device',
    args: { sid: int, submission: int },
    locals: { ...walk, image: int, images: int, mips: int },
  },
  ({ step, when, loop, leave, again, call, ret }) => [
    step('surface = lookup(sid)', (f, k) => {
      f.surface = surfaceOf(k, f.sid);
      const { at, shape } = f.surface;
      const can = at !== 0 && descOf(shape).blockWidth === 1 && shape.samples === 1;
      if (!can) refuse(k, { id: SVGA_3D_CMD_DX_GENMIPS, sid: f.sid, submission: f.submission });
      f.mips = can ? shape.mips : 0;
      f.images = can ? shape.mips * shape.layers : 0;
    }),
    loop('for each level of each layer', [
      when('image == images', (f) => f.image === f.images, [leave()]),
      when('the first level', (f) => f.image % f.mips === 0, [
        call(gpu_reads, ({ sid, submission, surface, image }) => ({
          sid,
          submission,
          offset: subresourceOffset(surface.shape, image),
          length: mipLevel(surface.shape, 0).bytes,
        })),
        step('image++', (f) => {
          f.image++;
        }),
        again(),
      ]),
      step('the bytes of the level', (f) => {
        const { shape } = f.surface;
        f.pos = subresourceOffset(shape, f.image);
        f.end = f.pos + mipLevel(shape, f.image % f.mips).bytes;
      }),
      loop('for each page of the level', [
        when('pos == end', (f) => f.pos >= f.end, [leave()]),
        step('compute the bytes', (f, k) => {
          const { sid, submission, pos: offset, image, mips, surface } = f;
          const { shape, name } = surface;
          const copy = k.parts.svga.copy(surface.at);
          const above = subresourceOffset(shape, image - 1);
          const first = subresourceOffset(shape, image);
          const length = chunk(offset, f.end);
          const filter = levelFilter(shape, image % mips, (i) => copy.peek(above + i));
          copy.replace(offset, length, (at) => filter(at - first));
          k.emit(gpu_write, { surface: name, sid, offset, length, value: -1, submission });
          f.pos += length;
        }),
      ]),
      step('image++', (f) => {
        f.image++;
      }),
    ]),
    ret(),
  ],
);

/** Forgets a surface and what its copy held. */
export const destroy_gb_surface = routine(
  file,
  'destroy_gb_surface',
  { mode: 'device', args: { sid: int }, locals: { ...walk, offset: int, length: int } },
  ({ step, when, loop, leave, ret }) => [
    step('surface = lookup(sid)', (f, k) => {
      f.length = -1;
      beginWalk(f, k, SVGA_3D_CMD_DESTROY_GB_SURFACE);
    }),
    when('no such surface', (f) => f.surface.at === 0, [ret()]),
    loop('for each page', [
      when('pos == end', (f) => f.pos >= f.end, [leave()]),
      step('drop the bytes', (f, k) => {
        const length = chunk(f.pos, f.end);
        k.parts.svga.copy(f.surface.at).fill(f.pos, length, { unique: false, value: 0 });
        f.pos += length;
      }),
    ]),
    step('free(surface)', (f, k) => {
      const { surface } = f;
      f.surface = NULL;
      k.free(surface);
    }),
  ],
);

/** Writes a sequence number, and raises the interrupt when the guest wants one. */
export const fence = routine(
  file,
  'fence',
  { mode: 'device', args: { seqno: u32 }, locals: { mask: int, status: int, goal: u32 } },
  ({ step, atomic, when }) => [
    step('SVGA_REG_FENCE = seqno', (f, k) => {
      k.the('svga', 'svga_regs').fence = f.seqno;
      k.emit(svga_fence, { seqno: f.seqno });
    }),
    step('mask = SVGA_REG_IRQMASK', (f, k) => {
      f.mask = k.the('svga', 'svga_regs').irq_mask;
      f.status = f.mask & SVGA_IRQFLAG_ANY_FENCE;
    }),
    when('mask & FENCE_GOAL', (f) => (f.mask & SVGA_IRQFLAG_FENCE_GOAL) !== 0, [
      step('goal = SVGA_REG_FENCE_GOAL', (f, k) => {
        f.goal = k.the('svga', 'svga_regs').fence_goal;
        if ((f.seqno - f.goal) >>> 0 < SVGA_FENCE_WRAP) f.status |= SVGA_IRQFLAG_FENCE_GOAL;
      }),
    ]),
    when('status', (f) => f.status !== 0, [
      atomic('IRQ_STATUS |= status; raise the line', (f, k) => raiseInterrupt(k, f.status)),
    ]),
  ],
);

/** The subresource that a face and a mip level name: only a cube has faces. */
function faceImage(f: { sid: number; arg: number; image: number }, k: Engine): number {
  const { at, shape } = surfaceOf(k, f.sid);
  if (at === 0 || f.image >= shape.mips || (f.arg !== 0 && !shape.cube)) return noImage;
  return f.arg * shape.mips + f.image;
}

type Boxed = FieldsView<Omit<typeof images, 'image'>>;

const boxArgs = ({ id, sid, offset, y, z, length, h, d }: Boxed): Boxed => ({
  id,
  sid,
  offset,
  y,
  z,
  length,
  h,
  d,
});

const boxFields = ({ x: offset, w: length, ...rest }: SVGA3dBox) => ({ offset, length, ...rest });

/** The arguments for all of one subresource. */
function wholeImage(f: Boxed, k: Engine, image: number): Boxed & { image: number } {
  const { at, shape } = surfaceOf(k, f.sid);
  const exists = at !== 0 && image >= 0 && image < shape.mips * shape.layers;
  if (!exists) return { ...boxArgs(f), image: noImage };
  return { id: f.id, sid: f.sid, image, ...boxFields(wholeBox(shape, image)) };
}

/** Drops what the copy holds of a subresource, or of the whole surface. */
function invalidate(k: Engine, f: { id: number; sid: number }, image: number): void {
  const surface = surfaceOf(k, f.sid);
  const { at, shape, length } = surface;
  const exists = at !== 0 && image < shape.mips * shape.layers && image !== noImage;
  if (!exists) {
    refuse(k, { id: f.id, sid: f.sid, submission: 0 });
    return;
  }
  const whole = { length, count: 1, begin: () => 0 };
  const runs = image === wholeSurface ? whole : boxRuns(shape, image, wholeBox(shape, image))!;
  const copy = k.parts.svga.copy(at);
  for (let i = 0; i < runs.count; i++)
    copy.fill(runs.begin(i), runs.length, { unique: false, value: invalidatedByte });
}

/** Bytes that a command moves between memory and the device's copy. */
function movedBytes(k: Engine, c: SvgaCommand): number {
  const surface = surfaceOf(k, c.sid);
  if (surface.at === 0) return 0;
  const of = (runs: Runs | undefined) => (runs === undefined ? 0 : runs.length * runs.count);
  const whole = (image: number) => {
    const { shape } = surface;
    const exists = image >= 0 && image < shape.mips * shape.layers;
    return exists ? of(boxRuns(shape, image, wholeBox(shape, image))) : 0;
  };
  switch (c.id) {
    case SVGA_3D_CMD_UPDATE_GB_SURFACE:
    case SVGA_3D_CMD_READBACK_GB_SURFACE:
      return surface.length;
    case SVGA_3D_CMD_UPDATE_GB_IMAGE:
      return of(boxRuns(surface.shape, faceImage(c, k), boxOf(c)));
    case SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE:
      return of(boxRuns(surface.shape, c.image, boxOf(c)));
    case SVGA_3D_CMD_READBACK_GB_IMAGE:
      return whole(faceImage(c, k));
    case SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL: {
      const image = faceImage(c, k);
      const box = of(boxRuns(surface.shape, image, boxOf(c)));
      return c.value === 0 || box === 0 ? box : whole(image) - box;
    }
    case SVGA_3D_CMD_DX_READBACK_SUBRESOURCE:
      return whole(c.image);
    default:
      return 0;
  }
}

const nothing = { id: int, sid: int, arg: int, image: int, ...box, value: int, submission: int };

const definesMob: ReadonlySet<number> = new Set([
  SVGA_3D_CMD_DEFINE_GB_MOB,
  SVGA_3D_CMD_DEFINE_GB_MOB64,
]);

const changesContext = (id: number): boolean =>
  id === SVGA_3D_CMD_DX_DEFINE_CONTEXT || !['draw', undefined].includes(contextDeed(id));

/** A command was taken out of the fifo: the guest hears of it when it waits for room. */
export const fifo_progress = routine(
  file,
  'fifo_progress',
  { mode: 'device', locals: { status: int } },
  ({ step, atomic, when }) => [
    step('mask = SVGA_REG_IRQMASK', (f, k) => {
      f.status = k.the('svga', 'svga_regs').irq_mask & SVGA_IRQFLAG_FIFO_PROGRESS;
    }),
    when('status', (f) => f.status !== 0, [
      atomic('IRQ_STATUS |= status; raise the line', (f, k) => raiseInterrupt(k, f.status)),
    ]),
  ],
);

/** A command is at hand; one that this device does not know is refused, and then it is nothing. */
function take(f: { id: number }, k: Engine, taken: SvgaCommand): void {
  Object.assign(f, taken);
  const { id, sid, offset, length, submission } = taken;
  k.emit(svga_command, { id, sid, offset, length, bytes: movedBytes(k, taken) });
  const needs = id in svgaCommandNames ? (broughtBy.get(id) ?? SVGA_GB) : Number.POSITIVE_INFINITY;
  if (needs <= k.the('svga_engine', 'svga_engine').model) return;
  refuse(k, { id, sid, submission });
  f.id = 0;
}

/** The engine: takes commands in order, for ever. One command is one turn. */
export const svga_device = routine(
  file,
  'svga_device',
  {
    mode: 'device',
    locals: { ...nothing, cb: ref('SVGACBHeader'), valid: bool, status: int, empty: bool },
  },
  ({ step, atomic, wait, when, loop, again, call, having, variant, statement }) => {
    const fromRing = step('command = ring[stop]', (f, k) => {
      const ring = k.the('svga_ring', 'svga_ring');
      const engine = k.the('svga_engine', 'svga_engine');
      const taken = ring.commands.get(engine.stop);
      engine.stop = (engine.stop + 1) % ring.size;
      take(f, k, taken);
    });
    return [
      loop('for (;;)', [
        statement(undefined, [
          variant(
            'submission-buffers',
            [wait('wait for a command buffer', (_f, k) => hasCommand(k))],
            [
              variant(
                'submission-fifo',
                [wait('wait for SVGA_REG_SYNC', (_f, k) => isAwake(k))],
                [wait('wait for commands', (_f, k) => k.the('svga', 'svga_regs').queued > 0)],
              ),
            ].flat(),
          ),
          having('vmw_cmd_send_fence', [
            step('SVGA_REG_BUSY = 1', (_f, k) => {
              k.the('svga_engine', 'svga_engine').busy = true;
            }),
          ]),
          variant(
            'submission-buffers',
            [
              step('command = first buffer[offset]', (f, k) => {
                f.cb = firstBuffer(k);
                k.the('svga_engine', 'svga_engine').refused = false;
                const taken = nextCommand(k, f.cb);
                f.valid = taken !== undefined;
                f.id = 0;
                if (taken !== undefined) take(f, k, taken);
              }),
            ],
            [
              variant(
                'submission-fifo',
                [
                  step('awake; SVGA_REG_SYNC has been seen', (_f, k) => {
                    fifo(k).awake = true;
                    fifo(k).sync = false;
                  }),
                  step('next = SVGA_FIFO_NEXT_CMD', (f, k) => {
                    f.empty = fifo(k).next_cmd === k.the('svga_engine', 'svga_engine').stop;
                  }),
                  when('next == stop', (f) => f.empty, [
                    step('SVGA_FIFO_BUSY = 0', (_f, k) => {
                      fifo(k).busy = false;
                    }),
                    // Who wrote before that did not wake the device.
                    step('asleep, if next == stop still', (_f, k) => {
                      const { stop } = k.the('svga_engine', 'svga_engine');
                      fifo(k).awake = fifo(k).next_cmd !== stop;
                    }),
                    again(),
                  ]),
                  fromRing,
                  step('SVGA_FIFO_STOP = stop', (_f, k) => {
                    fifo(k).stop = k.the('svga_engine', 'svga_engine').stop;
                  }),
                  call(fifo_progress, () => ({})),
                ],
                [
                  fromRing,
                  atomic('queued--', (_f, k) => {
                    k.the('svga', 'svga_regs').queued--;
                  }),
                ],
              ),
            ].flat(),
          ),
          when('FENCE', (f) => f.id === SVGA_CMD_FENCE, [call(fence, (f) => ({ seqno: f.value }))]),
          when('DEFINE_GB_MOB, DEFINE_GB_MOB64', (f) => definesMob.has(f.id), [
            step('define the MOB', (f, k) => {
              const mob = k.alloc('svga_mob');
              mob.id = f.arg;
              mob.length = f.length;
              mob.pt = k.view('svga_mob_pt', f.value);
            }),
          ]),
          when('DESTROY_GB_MOB', (f) => f.id === SVGA_3D_CMD_DESTROY_GB_MOB, [
            step('forget the MOB', (f, k) => {
              const mob = mobOf(k, f.arg);
              if (mob.at === 0) {
                refuse(k, { id: f.id, sid: -1, submission: 0 });
                return;
              }
              // What was bound to it is bound to nothing.
              for (const at of k.objects.all('svga_surface')) {
                const surface = k.view('svga_surface', at);
                if (same(surface.mob, mob)) surface.mob = NULL;
              }
              k.free(mob);
            }),
          ]),
          having('vram', [
            when('DEFINE_GMR2', (f) => f.id === SVGA_CMD_DEFINE_GMR2, [
              step('define the region, or forget it', (f, k) => {
                const known = gmrOf(k, f.arg);
                if (f.length === 0) {
                  if (known.at === 0) refuse(k, { id: f.id, sid: -1, submission: 0 });
                  else k.free(known);
                  return;
                }
                const gmr = known.at === 0 ? k.alloc('svga_gmr') : known;
                gmr.id = f.arg;
                gmr.pages = f.length;
              }),
            ]),
            when('REMAP_GMR2', (f) => f.id === SVGA_CMD_REMAP_GMR2, [
              step('gmr->pages = those of the command', (f, k) => {
                const gmr = gmrOf(k, f.arg);
                if (gmr.at === 0 || f.length > gmr.pages)
                  refuse(k, { id: f.id, sid: -1, submission: 0 });
                else gmr.pt = k.view('svga_mob_pt', f.value);
              }),
            ]),
          ]),
          when('DEFINE_GB_SURFACE, _V2, _V3, _V4', (f) => definesSurface.has(f.id), [
            step('define the surface', (f, k) => {
              const surface = k.alloc('svga_surface');
              surface.sid = f.sid;
              surface.name = f.value;
              surface.shape = definedShape(f);
              surface.length = shapeBytes(surface.shape);
            }),
          ]),
          when('DESTROY_GB_SURFACE', (f) => f.id === SVGA_3D_CMD_DESTROY_GB_SURFACE, [
            call(destroy_gb_surface, (f) => ({ sid: f.sid })),
          ]),
          when('BIND_GB_SURFACE', (f) => f.id === SVGA_3D_CMD_BIND_GB_SURFACE, [
            step('surface->mob = mob', (f, k) => {
              const surface = surfaceOf(k, f.sid);
              const mob = f.arg === SVGA3D_INVALID_ID ? NULL : mobOf(k, f.arg);
              if (surface.at === 0 || (f.arg !== SVGA3D_INVALID_ID && mob.at === 0)) {
                refuse(k, { id: f.id, sid: f.sid, submission: 0 });
                return;
              }
              surface.mob = mob;
              surface.mob_offset = f.offset;
            }),
            variant('bind-loads', [call(first_bind, (f) => ({ id: f.id, sid: f.sid }))]),
          ]),
          when('UPDATE_GB_IMAGE', (f) => f.id === SVGA_3D_CMD_UPDATE_GB_IMAGE, [
            call(update_gb_image, (f, k) => ({ ...boxArgs(f), image: faceImage(f, k) })),
          ]),
          when('DX_UPDATE_SUBRESOURCE', (f) => f.id === SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE, [
            call(update_gb_image, (f) => ({ ...boxArgs(f), image: f.image })),
          ]),
          when('UPDATE_GB_SURFACE', (f) => f.id === SVGA_3D_CMD_UPDATE_GB_SURFACE, [
            call(update_gb_image, (f) => ({ ...boxArgs(f), image: wholeSurface })),
          ]),
          when('READBACK_GB_IMAGE', (f) => f.id === SVGA_3D_CMD_READBACK_GB_IMAGE, [
            call(readback_gb_image, (f, k) => wholeImage(f, k, faceImage(f, k))),
          ]),
          when('DX_READBACK_SUBRESOURCE', (f) => f.id === SVGA_3D_CMD_DX_READBACK_SUBRESOURCE, [
            call(readback_gb_image, (f, k) => wholeImage(f, k, f.image)),
          ]),
          when('READBACK_GB_SURFACE', (f) => f.id === SVGA_3D_CMD_READBACK_GB_SURFACE, [
            call(readback_gb_image, (f) => ({ ...boxArgs(f), image: wholeSurface })),
          ]),
          when('READBACK_GB_IMAGE_PARTIAL', (f) => f.id === SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL, [
            call(readback_gb_image_partial, (f, k) => ({
              ...boxArgs(f),
              image: faceImage(f, k),
              invert: f.value !== 0,
            })),
          ]),
          when('INVALIDATE_GB_IMAGE', (f) => f.id === SVGA_3D_CMD_INVALIDATE_GB_IMAGE, [
            step('drop the bytes', (f, k) => invalidate(k, f, faceImage(f, k))),
          ]),
          when('DX_INVALIDATE_SUBRESOURCE', (f) => f.id === SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE, [
            step('drop the bytes', (f, k) => invalidate(k, f, f.image < 0 ? noImage : f.image)),
          ]),
          when('INVALIDATE_GB_SURFACE', (f) => f.id === SVGA_3D_CMD_INVALIDATE_GB_SURFACE, [
            step('drop the bytes', (f, k) => invalidate(k, f, wholeSurface)),
          ]),
          when('GPU_READ', (f) => f.id === GPU_CMD_READ, [
            call(gpu_reads, ({ sid, offset, length, submission }) => ({
              sid,
              offset,
              length,
              submission,
            })),
          ]),
          when('GPU_WRITE', (f) => f.id === GPU_CMD_WRITE, [
            call(gpu_writes, ({ sid, offset, length, submission, value }) => ({
              sid,
              offset,
              length,
              submission,
              value,
            })),
          ]),
          when('DX_GENMIPS', (f) => f.id === SVGA_3D_CMD_DX_GENMIPS, [
            call(gen_mips, ({ sid, submission }) => ({ sid, submission })),
          ]),
          when('DX_BUFFER_COPY', (f) => f.id === SVGA_3D_CMD_DX_BUFFER_COPY, [
            call(gpu_copies, ({ sid, offset, length, submission, arg, value }) => ({
              sid,
              offset,
              length,
              submission,
              target: arg,
              to: value,
            })),
          ]),
          having('contexts', [
            when('DX_DRAW', (f) => f.id === SVGA_3D_CMD_DX_DRAW, [
              call(context_draws, ({ z: context, value, submission }) => ({
                context,
                value,
                submission,
              })),
            ]),
            when('of a context', (f) => changesContext(f.id), [
              call(context_command, ({ id, sid, arg, image, offset, length, value, z }) => ({
                id,
                sid,
                arg,
                image,
                offset,
                length,
                value,
                z,
              })),
            ]),
          ]),
          variant('submission-buffers', [
            step('what came of it, and is it the last?', (f, k) => {
              const { cb, valid } = f;
              const { refused } = k.the('svga_engine', 'svga_engine');
              if (refused) cb.errorOffset = cb.offset - 1;
              if (!valid) f.status = SVGA_CB_STATUS_CB_HEADER_ERROR;
              else if (refused) f.status = SVGA_CB_STATUS_COMMAND_ERROR;
              else if (cb.offset === cb.length) f.status = SVGA_CB_STATUS_COMPLETED;
              else f.status = SVGA_CB_STATUS_NONE;
            }),
            when('the buffer is done', (f) => f.status !== SVGA_CB_STATUS_NONE, [
              call(end_buffer, ({ cb, status }) => ({ cb, status })),
              step('cb = NULL', (f) => {
                f.cb = NULL;
              }),
            ]),
          ]),
          having('vmw_cmd_send_fence', [
            step('SVGA_REG_BUSY = 0', (_f, k) => {
              k.the('svga_engine', 'svga_engine').busy = false;
            }),
          ]),
        ]),
      ]),
    ];
  },
);

/** Room that the device needs. */
export interface DeviceLimits {
  readonly surfaces: number; // at a time
  readonly surfaceBytes: number; // of the largest
  readonly objects: number; // MOBs
  readonly objectPages: number; // of the largest
  readonly ringCommands: number;
  readonly contexts?: number; // none when it is not given
  readonly gmrs?: boolean; // whether there are guest memory regions
  readonly lastSeqno?: number; // completed before the machine begins; 0 when it is not given
}

/** What the device adds to a machine. Call `boot` before the machine's first step. */
export function deviceParts(limits: DeviceLimits) {
  const { surfaces, surfaceBytes, objects, objectPages, ringCommands, lastSeqno = 0 } = limits;
  const pools: PoolSize[] = [
    { struct: svga_surface, count: surfaces },
    { struct: svga_mob, count: objects },
    ...(limits.gmrs === true ? [{ struct: svga_gmr, count: objects }] : []),
    // The guest may give one up and make the next before the device has taken notice.
    { struct: svga_mob_pt, count: 2 * objects, tail: objectPages },
    ...contextPool(limits.contexts ?? 0),
  ];
  const statics: StaticSize[] = [
    {
      name: 'svga',
      struct: svga_regs,
      initial: { fence: lastSeqno },
      under: { 'submission-buffers': { irq_mask: SVGA_IRQFLAG_ERROR } },
    },
    { name: 'svga_cb_context', struct: svga_cb_context },
    { name: 'svga_fifo', struct: svga_fifo, initial: { config_done: true } },
    {
      name: 'svga_ring',
      struct: svga_ring,
      tail: ringCommands * command.cells,
      initial: { size: ringCommands },
    },
    {
      name: 'svga_engine',
      struct: svga_engine,
      initial: { model: SVGA_SM5 },
      under: {
        'device-gb': { model: SVGA_GB },
        'device-sm4': { model: SVGA_SM4 },
        'device-sm4_1': { model: SVGA_SM4_1 },
        'submission-buffers': { reports: true },
      },
    },
  ];
  const task: TaskSpec = { name: 'gpu', cpu: -1, root: svga_device, daemon: true };
  // The copies are the device's own; nobody else reaches them.
  const rules: RegionRule[] = [{ region: 'svga surfaces', shared: false, unit: 1 }];
  return {
    pools,
    statics,
    tasks: [task],
    rules,
    regions: (plan: StorePlan): void => Svga.reserve(plan, surfaces, surfaceBytes),
    boot: (k: Engine): void => {
      k.parts.svga = new Svga(k, surfaceBytes);
    },
  };
}
