// A capture layer between an application and memory that the kernel does not keep coherent: it does by mprotect(2) and a
// handler of SIGSEGV what the kernel does by its page tables, as gfxreconstruct, apitrace, RenderDoc and gapid do for
// persistent mappings. Mappings are read-only until a store faults, which notes the page; noted pages are pushed in front
// of a submission and protected again; what a submission writes is protected from loads too, so that the next access
// pulls it first. Pushes and pulls are those of `transfer.ts`. Its faults are variants (bz-40 to bz-50).
//
//   layer_map {surface, handle, shape, address, length, offset, readonly}    behind mmap(): the mapping is watched
//   layer_unmap {address, length}                     around munmap()
//   layer_fork {root}                                 behind fork(): the child has what the parent has
//   layer_touch {address, length, write}              before a system call that touches memory: as if it had faulted
//   segv_handler {address, write}                     -> 1: noted, try again; 0: none of its own
//   layer_collect {surface, writes}                   -> 0, or a negative errno; before a submission, with the lock held
//
// Left out: mremap(), mprotect() by the application; a process protects only mappings of its own, so stores of another
// one are noted once at most between two submissions of that one.
import { load, store } from '../hardware/cpu';
import { PAGE_SIZE } from '../hardware/pte';
import { type SurfaceShape, shapeBytes, shapeField } from '../hardware/svga/shapes';
import { PM_PRESENT, pagemap_entry, pagemap_read } from '../kernel/fs/proc/task_mmu';
import { PROT_READ, PROT_WRITE } from '../kernel/include/linux/mm';
import { current } from '../kernel/include/linux/sched';
import { do_mprotect_pkey } from '../kernel/mm/mprotect';
import type { Engine } from '../routine/engine';
import { routine } from '../routine/routine';
import { tracepoint } from '../state/events';
import { bits, bool, int, long, struct, type View } from '../state/layout';
import type { PoolSize } from '../state/objects';
import { isGpuDirty, transfer_flush, transfer_readback, transferLock } from './transfer';

const file = 'user/layer';

/** What the layer knows of a surface. */
export const layer_surface = struct('layer_surface', {
  under: {
    transfer_lock: {
      handle: int,
      shape: shapeField,
      owner: int, // the process that mapped it first
      always: bool, // every page counts as written: protection does not work, or costs more
      votes: int, // submissions in a row that found most pages written
      written: bits, // pages stored to since the last submission
    },
  },
});

/** A mapping that it watches. */
export const layer_mapping = struct('layer_mapping', {
  under: {
    transfer_lock: {
      mm: int,
      surface: int,
      address: long,
      length: long,
      offset: long, // in the surface
      readonly: bool,
      stolen: bool, // another handler of SIGSEGV stands in its process
    },
  },
});

/** A page was noted as written. */
export const layer_mark = tracepoint('layer_mark', { surface: int, page: int });
/** What the layer allows from here on: 0 nothing, 1 loads, 3 stores too. */
export const layer_protect_event = tracepoint('layer_protect', {
  surface: int,
  address: long,
  length: long,
  prot: int,
});

export interface LayerLimits {
  readonly surfaces: number;
  readonly pages: number; // of the largest
  readonly mappings: number;
}

export function layerParts({ surfaces, pages, mappings }: LayerLimits) {
  const pools: PoolSize[] = [
    { struct: layer_surface, count: surfaces, tail: Math.ceil(pages / 32) },
    { struct: layer_mapping, count: mappings },
  ];
  const boot = (k: Engine): void => {
    for (let surface = 0; surface < surfaces; surface++) k.alloc('layer_surface');
  };
  return { pools, boot };
}

function surfaceOf(k: Engine, number: number): View<typeof layer_surface> {
  let i = 0;
  for (const at of k.objects.all('layer_surface'))
    if (i++ === number) return k.view('layer_surface', at);
  throw new Error(`no record of surface ${number}`);
}

function* mappingsOf(k: Engine, mm: number): Generator<View<typeof layer_mapping>> {
  for (const at of k.objects.all('layer_mapping')) {
    const mapping = k.view('layer_mapping', at);
    if (mapping.mm === mm) yield mapping;
  }
}

const here = (k: Engine): number => current(k).mm.at;

/** The mapping of this process in which an address lies. */
function mappingAt(k: Engine, address: number): View<typeof layer_mapping> | undefined {
  for (const m of mappingsOf(k, here(k)))
    if (address >= m.address && address < m.address + Math.ceil(m.length / PAGE_SIZE) * PAGE_SIZE)
      return m;
  return undefined;
}

const pagesOf = (shape: SurfaceShape): number => Math.ceil(shapeBytes(shape) / PAGE_SIZE);

/** Submissions with most pages written after which faults are given up. */
const votesMax = 3;

/** Protects pages [start, end) of a surface in every mapping of this process. Returns 0, or a negative errno. */
export const layer_protect = routine(
  file,
  'layer_protect',
  {
    mode: 'user',
    args: { surface: int, start: int, end: int, prot: int },
    locals: { i: int, address: long, length: long, allowed: int, ret: int },
    returns: int,
  },
  ({ step, call, when, loop, leave, again, variant, ret }) => [
    loop('for each mapping', [
      step('the next one', (f, k) => {
        const mapping = [...mappingsOf(k, here(k))].filter((m) => m.surface === f.surface)[f.i++];
        f.address = 0;
        if (mapping === undefined) return;
        const first = Math.max(0, f.start * PAGE_SIZE - mapping.offset);
        f.address = mapping.address + first;
        f.length = Math.min(mapping.length, f.end * PAGE_SIZE - mapping.offset) - first;
        f.allowed = mapping.readonly ? f.prot & ~PROT_WRITE : f.prot;
      }),
      when('no more', (f) => f.address === 0, [leave()]),
      variant('bz-45', [
        step('its pages, the last one only when it is whole', (f) => {
          f.length = Math.floor(f.length / PAGE_SIZE) * PAGE_SIZE;
        }),
      ]),
      when('none of the pages', (f) => f.length <= 0, [again()]),
      call(do_mprotect_pkey, (f) => ({ start: f.address, len: f.length, prot: f.allowed }), 'ret'),
      when('mprotect failed', (f) => f.ret < 0, [ret('ret', (f) => f.ret)]),
      step('protected', (f, k) => {
        const { surface, address, length, allowed: prot } = f;
        k.emit(layer_protect_event, { surface, address, length, prot });
      }),
    ]),
    ret('0', () => 0),
  ],
);

/** Watches a mapping. Its pages allow loads, or nothing where the device has newer data. */
export const layer_map = routine(
  file,
  'layer_map',
  {
    mode: 'user',
    args: {
      surface: int,
      handle: int,
      shape: shapeField,
      address: long,
      length: long,
      offset: long,
      readonly: bool,
    },
    locals: { first: bool, works: bool, allow: int, pages: int, signal: int, ret: int },
  },
  ({ step, call, when, acquire, release, variant }) => [
    acquire('lock', (_f, k) => transferLock(k)),
    step('the surface', (f, k) => {
      const s = surfaceOf(k, f.surface);
      f.first = s.owner === 0;
      if (!f.first) return;
      s.handle = f.handle;
      s.shape = f.shape;
      s.owner = here(k);
    }),
    step('a mapping more', (f, k) => {
      const mapping = k.alloc('layer_mapping');
      mapping.mm = here(k);
      const { surface, address, length, offset, readonly } = f;
      Object.assign(mapping, { surface, address, length, offset, readonly });
    }),
    step('what it allows', (f, k) => {
      f.allow = isGpuDirty(k, f.surface) ? 0 : PROT_READ;
      if (surfaceOf(k, f.surface).always && f.allow !== 0) f.allow |= PROT_WRITE;
      f.pages = pagesOf(f.shape);
    }),
    variant(
      'bz-42',
      [],
      [
        call(
          layer_protect,
          ({ surface, pages: end, allow: prot }) => ({ surface, start: 0, end, prot }),
          'ret',
        ),
      ],
    ),
    release('unlock', (_f, k) => transferLock(k)),
    // A test of itself: a store to a page that is there, and may only be loaded, has to end with a signal.
    variant(
      'bz-46',
      [],
      [
        when('the first mapping of it', (f) => f.first && f.allow === PROT_READ && !f.readonly, [
          variant(
            'bz-42',
            [],
            [
              call(load, (f) => ({ address: f.address, length: 1, user: true }), 'signal'),
              call(
                store,
                (f) => ({ address: f.address, length: 1, user: true, unique: false, value: 0 }),
                'signal',
              ),
              when('no signal', (f) => f.signal === 0, [
                acquire('lock', (_f, k) => transferLock(k)),
                step('protection does not work: every page counts as written', (f, k) => {
                  surfaceOf(k, f.surface).always = true;
                }),
                release('unlock', (_f, k) => transferLock(k)),
              ]),
            ],
          ),
        ]),
      ],
    ),
  ],
);

/** Watches a range no more. */
export const layer_unmap = routine(
  file,
  'layer_unmap',
  { mode: 'user', args: { address: long, length: long } },
  ({ step, acquire, release, variant }) =>
    variant(
      'bz-50',
      [],
      [
        acquire('lock', (_f, k) => transferLock(k)),
        step('the mappings without the range', (f, k) => {
          const end = f.address + f.length;
          for (const m of [...mappingsOf(k, here(k))]) {
            const { mm, surface, address, length, offset, readonly } = m;
            if (address >= end || address + length <= f.address) continue;
            k.free(m);
            const keep = (from: number, until: number) => {
              if (from >= until) return;
              const part = k.alloc('layer_mapping');
              part.mm = mm;
              const moved = offset + (from - address);
              Object.assign(part, { surface, address: from, offset: moved, readonly });
              part.length = until - from;
            };
            keep(address, f.address);
            keep(end, address + length);
          }
        }),
        release('unlock', (_f, k) => transferLock(k)),
      ],
    ) as never,
);

/** A child has the mappings of this process, and, for it shares what the layer notes, its notes. */
export const layer_fork = routine(
  file,
  'layer_fork',
  { mode: 'user', args: { mm: int } },
  ({ step, acquire, release }) => [
    acquire('lock', (_f, k) => transferLock(k)),
    step('the mappings of the child', (f, k) => {
      for (const m of [...mappingsOf(k, here(k))]) {
        const { surface, address, length, offset, readonly, stolen } = m;
        const copy = k.alloc('layer_mapping');
        copy.mm = f.mm;
        Object.assign(copy, { surface, address, length, offset, readonly, stolen });
      }
    }),
    release('unlock', (_f, k) => transferLock(k)),
  ],
);

/** The application, or a library in it, installs a handler of SIGSEGV: sigaction(2). */
export const layer_sigaction = routine(
  file,
  'layer_sigaction',
  { mode: 'user' },
  ({ step, acquire, release, variant }) =>
    variant('bz-44', [
      acquire('lock', (_f, k) => transferLock(k)),
      step("the layer's own handler is gone", (_f, k) => {
        for (const m of mappingsOf(k, here(k))) m.stolen = true;
      }),
      release('unlock', (_f, k) => transferLock(k)),
    ]) as never,
);

/** The handler of SIGSEGV: 1 when the access is to be tried again, 0 when the signal is the application's. */
export const segv_handler = routine(
  file,
  'segv_handler',
  {
    mode: 'user',
    args: { address: long, write: bool },
    locals: {
      surface: int,
      page: int,
      own: bool,
      pull: bool,
      mark: bool,
      counts: bool,
      always: bool,
      handle: int,
      shape: shapeField,
      ret: int,
    },
    returns: int,
  },
  ({ step, call, when, acquire, release, variant, ret }) => [
    acquire('lock', (_f, k) => transferLock(k)),
    step('whose address', (f, k) => {
      const m = mappingAt(k, f.address);
      f.own = m !== undefined && !m.stolen && !(f.write && m.readonly);
      if (m === undefined) return;
      f.surface = m.surface;
      f.page = Math.floor((m.offset + (f.address - m.address)) / PAGE_SIZE);
    }),
    when('none of ours', (f) => !f.own, [
      release('unlock', (_f, k) => transferLock(k)),
      ret('0', () => 0),
    ]),
    step('whether the device has newer data', (f, k) => {
      f.pull = isGpuDirty(k, f.surface);
      f.mark = f.write;
    }),
    step('the surface', (f, k) => {
      const s = surfaceOf(k, f.surface);
      f.handle = s.handle;
      f.shape = s.shape;
      f.always = s.always;
      f.counts = true;
    }),
    variant('bz-41', [
      step('any access to it counts as a write', (f) => {
        f.mark ||= f.pull;
        f.pull = false;
      }),
    ]),
    variant('bz-42-page', [
      step('a store needs no older bytes', (f) => {
        f.pull &&= !f.write;
      }),
    ]),
    variant('bz-48', [
      step('the notes of this process, which are a copy in a child', (f, k) => {
        f.counts = surfaceOf(k, f.surface).owner === here(k);
      }),
    ]),
    when('it has', (f) => f.pull, [
      call(transfer_readback, ({ surface, handle, shape }) => ({ surface, handle, shape }), 'ret'),
      call(
        layer_protect,
        ({ surface, shape, always }) => ({
          surface,
          start: 0,
          end: pagesOf(shape),
          prot: PROT_READ | (always ? PROT_WRITE : 0),
        }),
        'ret',
      ),
    ]),
    when('it is written', (f) => f.mark && f.counts, [
      step('the page is noted', (f, k) => {
        surfaceOf(k, f.surface).written.set(f.page);
        k.emit(layer_mark, { surface: f.surface, page: f.page });
      }),
    ]),
    call(
      layer_protect,
      ({ surface, page, mark, always }) => ({
        surface,
        start: page,
        end: page + 1,
        prot: PROT_READ | (mark || always ? PROT_WRITE : 0),
      }),
      'ret',
    ),
    release('unlock', (_f, k) => transferLock(k)),
    ret('1', () => 1),
  ],
);

/** Before a system call touches memory, which gives no signal: the layer does what its handler would. */
export const layer_touch = routine(
  file,
  'layer_touch',
  {
    mode: 'user',
    args: { address: long, length: long, write: bool },
    locals: { next: long, ret: int },
  },
  ({ step, call, when, loop, leave, variant }) =>
    variant(
      'bz-40',
      [],
      [
        step('next = address', (f) => {
          f.next = f.address;
        }),
        loop('for each page', [
          when('behind the end', (f) => f.next >= f.address + f.length, [leave()]),
          call(segv_handler, (f) => ({ address: f.next, write: f.write }), 'ret'),
          step('next page', (f) => {
            f.next = (Math.floor(f.next / PAGE_SIZE) + 1) * PAGE_SIZE;
          }),
        ]),
      ],
    ) as never,
);

/**
 * Before a submission that uses a surface: written pages are to be pushed, and protected again; all of it from loads too
 * where the submission `writes` it. The lock is held. Returns 0, or a negative errno.
 */
export const layer_collect = routine(
  file,
  'layer_collect',
  {
    mode: 'user',
    args: { surface: int, writes: bool },
    locals: {
      pages: int,
      bytes: int,
      start: int,
      end: int,
      found: int,
      skip: bool,
      always: bool,
      ret: int,
    },
    returns: int,
  },
  ({ step, call, when, loop, leave, again, variant, ret }) => [
    step('the surface', (f, k) => {
      const { shape, owner, always } = surfaceOf(k, f.surface);
      f.pages = owner === 0 ? 0 : pagesOf(shape);
      f.bytes = owner === 0 ? 0 : shapeBytes(shape);
      f.always = always;
    }),
    when('all of it counts as written', (f) => f.always, [
      call(transfer_flush, (f) => ({ surface: f.surface, start: 0, end: f.bytes })),
    ]),
    loop('for each run of written pages', [
      step('the next run', (f, k) => {
        const { written } = surfaceOf(k, f.surface);
        f.start = written.nextSet(f.end, f.pages);
        f.end = written.nextClear(f.start, f.pages);
        for (let page = f.start; page < f.end; page++) written.clear(page);
        f.found += f.end - f.start;
      }),
      when('no more', (f) => f.start >= f.pages, [leave()]),
      variant('bz-49', [
        call(pagemap_read, (f, k) => ({ start: addressOf(k, f.surface, f.start), count: 1 })),
        step('only what is written and present', (f, k) => {
          const last = k.events.slice().findLast((e) => e.name === pagemap_entry.name);
          f.skip = (Number(last?.args['flags'] ?? 0) & PM_PRESENT) === 0;
        }),
        when('not present', (f) => f.skip, [again()]),
      ]),
      call(
        layer_protect,
        ({ surface, start, end }) => ({ surface, start, end, prot: PROT_READ }),
        'ret',
      ),
      when('mprotect failed', (f) => f.ret < 0, [ret('ret', (f) => f.ret)]),
      call(transfer_flush, ({ surface, start, end, bytes }) => ({
        surface,
        start: start * PAGE_SIZE,
        end: Math.min(bytes, end * PAGE_SIZE),
      })),
    ]),
    variant(
      'bz-47',
      [],
      [
        step('whether faults are worth it', (f, k) => {
          const s = surfaceOf(k, f.surface);
          if (f.pages === 0 || s.always) return;
          s.votes = 2 * f.found >= f.pages ? s.votes + 1 : 0;
          f.always = s.votes >= votesMax;
          if (f.always) s.always = true;
        }),
        when('most pages each time', (f) => f.always && f.found > 0 && !f.writes, [
          call(
            layer_protect,
            ({ surface, pages: end }) => ({
              surface,
              start: 0,
              end,
              prot: PROT_READ | PROT_WRITE,
            }),
            'ret',
          ),
        ]),
      ],
    ),
    variant(
      'bz-43',
      [],
      [
        when('the submission writes it', (f) => f.writes, [
          call(
            layer_protect,
            ({ surface, pages: end }) => ({ surface, start: 0, end, prot: 0 }),
            'ret',
          ),
        ]),
      ],
    ),
    ret('0', () => 0),
  ],
);

/** Where a page of a surface is mapped in this process. */
function addressOf(k: Engine, surface: number, page: number): number {
  const at = page * PAGE_SIZE;
  for (const m of mappingsOf(k, here(k)))
    if (m.surface === surface && at >= m.offset && at < m.offset + m.length)
      return m.address + (at - m.offset);
  return 0;
}

declare module '../state/layout' {
  interface Structs {
    layer_surface: View<typeof layer_surface>;
    layer_mapping: View<typeof layer_mapping>;
  }
}
