// Buffer objects with their trackers, resources and mappings, and fences, as the panels show them. Read out of TTM's
// and vmwgfx's structs by peeking. An object counts from when it has pages until its place is freed.
import { peekLeaf } from '../hardware/mmu';
import { levels, PAGE_SIZE } from '../hardware/pte';
import { VMW_BO_DIRTY_PAGETABLE } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_drv.h';
import { VMW_PL_MOB } from '../kernel/include/drm/ttm/ttm_bo_api';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../kernel/include/linux/dma-fence';
import type {
  AddressSpace,
  Box,
  BufferObject,
  Fence,
  MappedObject,
  PageEntry,
  Resource,
  Run,
  Tracker,
} from '../protocol/snapshot';
import type { Engine } from '../routine/engine';
import type { BitsView, Structs } from '../state/layout';
import { cached, lettersOf, rawText } from './entries';

/** The scenario's own name of a struct, such as `ring`; of a `surface` by its number. */
export type NameOf = (struct: string, at: number) => string | undefined;

/** Every live object of a struct; none where the machine has no pool of it. */
export function live(k: Engine, struct: string): number[] {
  const known = k.objects.pools.some((pool) => pool.struct.name === struct);
  return known ? [...k.objects.all(struct)] : [];
}

/** What names an object over time: its struct and its place in the pool. */
export const idOf = (k: Engine, struct: string, at: number): string =>
  `${struct} ${k.objects.indexOf(at)}`;

const objectStruct = 'vmw_buffer_object';

/** The buffer object behind a mapping and the page of it that a page of the device's file is. */
export function pageInObject(
  k: Engine,
  object: number,
  pgoff: number,
): { object: string | null; offset: number } {
  if (!live(k, objectStruct).includes(object)) return { object: null, offset: pgoff };
  const { base } = k.view(objectStruct, object);
  return { object: idOf(k, objectStruct, object), offset: pgoff - base.vma_node_start };
}

/** The buffer objects, with what each address space has mapped of them. */
export function objectsOf(
  k: Engine,
  spaces: readonly AddressSpace[],
  nameOf: NameOf,
): BufferObject[] {
  return live(k, objectStruct).flatMap((at) => {
    const bo = k.view(objectStruct, at);
    const { base } = bo;
    if (base.num_pages === 0) return []; // allocated, not yet filled in
    const id = idOf(k, objectStruct, at);
    const resources = resourcesOf(k, at, nameOf);
    const { resv } = base;
    const holder = k.lockHolders(resv.lock.at)[0];
    return {
      id,
      name: nameOf(objectStruct, at) ?? resources[0]?.name ?? `object ${k.objects.indexOf(at)}`,
      pages: base.num_pages,
      placement: base.mem_type === VMW_PL_MOB ? 'MOB' : 'SYSTEM',
      start: base.vma_node_start,
      tracker: bo.dirty.at === 0 ? null : trackerOf(bo.dirty),
      resources,
      mappings: spaces.flatMap((space) => mappingsOf(k, id, space)),
      fences: [resv.fence_kernel, resv.fence_excl].flatMap((f) => (f.at === 0 ? [] : [f.seqno])),
      reservedBy: holder === undefined ? null : k.taskName(holder),
    };
  });
}

function trackerOf(dirty: Structs['vmw_bo_dirty']): Tracker {
  const { method, start, end, change_count, ref_count, bitmap, bitmap_size } = dirty;
  return {
    method: method === VMW_BO_DIRTY_PAGETABLE ? 'PAGETABLE' : 'MKWRITE',
    start,
    end,
    changeCount: change_count,
    users: ref_count,
    dirty: runsOf(bitmap, bitmap_size),
  };
}

function runsOf(bitmap: BitsView, size: number): Run[] {
  const runs: Run[] = [];
  for (let from = bitmap.nextSet(0, size); from < size; ) {
    const to = bitmap.nextClear(from, size);
    runs.push({ from, to });
    from = bitmap.nextSet(to, size);
  }
  return runs;
}

function resourcesOf(k: Engine, object: number, nameOf: NameOf): Resource[] {
  return live(k, 'vmw_surface').flatMap((at) => {
    const { res } = k.view('vmw_surface', at);
    if (res.backup.at !== object) return [];
    const boxes = res.dirty.at === 0 ? [] : boxesOf(res.dirty);
    return {
      id: idOf(k, 'vmw_surface', at),
      name: nameOf('surface', res.number) ?? `surface ${res.number}`,
      sid: res.id,
      offset: res.backup_offset,
      size: res.backup_size,
      attached: res.mob_attached,
      coherent: res.coherent,
      resDirty: res.res_dirty,
      backupDirty: res.backup_dirty,
      boxes,
      pending: boxes.map((box) => pendingPages(box, res.backup_offset, res.backup_size)),
    };
  });
}

function boxesOf({ num_subres, boxes }: Structs['vmw_surface_dirty']): Box[] {
  return Array.from({ length: num_subres }, (_, subresource) => {
    return { subresource, ...boxes.get(subresource) };
  }).filter(({ d }) => d !== 0);
}

/** The pages that a box covers: of a buffer exactly, of any other surface all of the surface. */
function pendingPages({ x, y, z, w, h, d }: Box, offset: number, size: number): Run {
  const linear = y === 0 && z === 0 && h === 1 && d === 1;
  const [from, to] = linear ? [offset + x, offset + x + w] : [offset, offset + size];
  return { from: Math.floor(from / PAGE_SIZE), to: Math.ceil(to / PAGE_SIZE) };
}

function mappingsOf(k: Engine, object: string, space: AddressSpace): MappedObject[] {
  const cpus = Array.from({ length: k.cpus }, (_, cpu) => cpu);
  const pgd = space.root?.pfn ?? 0;
  const here = cpus.filter((cpu) => pgd !== 0 && k.parts.tlb.cr3(cpu) === pgd);
  return space.mappings
    .filter((mapping) => mapping.object === object)
    .map(({ id, name, start, end, offset }) => {
      const count = (end - start) / PAGE_SIZE;
      const ptes = Array.from({ length: count }, (_, i) =>
        pageEntry(k, pgd, here, start + i * PAGE_SIZE, offset + i),
      );
      return {
        space: space.id,
        mapping: id,
        name: `${space.name} ${name}`,
        first: offset,
        count,
        start,
        ptes: ptes.filter((pte) => pte.raw !== '0' || pte.tlb.length > 0),
      };
    });
}

/** The leaf entry of one page, and what the CPUs in this address space have cached of it. */
function pageEntry(
  k: Engine,
  pgd: number,
  cpus: readonly number[],
  address: number,
  page: number,
): PageEntry {
  const found = peekLeaf(k, pgd, address);
  const { entry, level, pfn } = found ?? { entry: { lo: 0, hi: 0 }, level: 3, pfn: 0 };
  const tlb = cpus.flatMap((cpu) => {
    const known = k.parts.tlb.lookup(cpu, address);
    return known === undefined ? [] : [{ cpu, ...cached(k, pgd, known) }];
  });
  return {
    page,
    level: levels[level]!,
    raw: rawText(entry),
    letters: lettersOf(entry.lo),
    pfn,
    tlb,
  };
}

/** The fences that somebody still refers to, by their numbers. */
export function fencesOf(k: Engine): Fence[] {
  const passed = k.objects.allStatics.find(({ struct }) => struct.name === 'svga_regs');
  const last = passed === undefined ? 0 : k.the('svga', 'svga_regs').fence;
  return live(k, 'vmw_fence_obj')
    .map((at) => fenceAt(k, at, last))
    .sort((a, b) => a.seqno - b.seqno);
}

function fenceAt(k: Engine, at: number, last: number): Fence {
  const { seqno, context, flags } = k.view('vmw_fence_obj', at).base;
  const signaled = (flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0;
  const passed = ((last - seqno) | 0) >= 0; // numbers wrap around
  return {
    id: idOf(k, 'vmw_fence_obj', at),
    seqno,
    context,
    state: signaled ? 'signaled' : passed ? 'passed' : 'emitted',
    waiters: waitersFor(k, at),
  };
}

/** The tasks that are inside a wait for the fence. */
function waitersFor(k: Engine, fence: number): string[] {
  const waiters: string[] = [];
  for (let task = 0; task < k.taskCount; task++) {
    const waits = k.stack(task).some(({ at, code }) => {
      if (code.routine.name !== 'dma_fence_wait') return false;
      return k.store.peek(at + code.frame.slot('fence').offset) === fence;
    });
    if (waits) waiters.push(k.taskName(task));
  }
  return waiters;
}
