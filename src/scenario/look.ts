// What expressions see of a machine, by peeking: no fault is taken, no TLB filled, no bit set.

import type { Contract } from '../contract/observer';
import { type BytesFrom, equalBytes, rampByte } from '../hardware/memory';
import { isStale, peekEntry, peekLeaf } from '../hardware/mmu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_GLOBAL,
  _PAGE_NX,
  _PAGE_PCD,
  _PAGE_PRESENT,
  _PAGE_PSE,
  _PAGE_PWT,
  _PAGE_RW,
  _PAGE_SOFT_DIRTY,
  _PAGE_SPECIAL,
  _PAGE_UFFD_WP,
  _PAGE_USER,
  PAGE_SIZE,
  pte_pfn,
} from '../hardware/pte';
import { pte_present, pte_soft_dirty } from '../kernel/arch/x86/include/asm/pgtable';
import { frameOf } from '../kernel/drivers/gpu/drm/ttm/ttm_bo_util';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../kernel/include/linux/dma-fence';
import {
  VM_DONTCOPY,
  VM_IO,
  VM_MAYWRITE,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_WRITE,
} from '../kernel/include/linux/mm';
import type { Engine } from '../routine/engine';
import type { Routine } from '../routine/routine';
import type { LoggedEvent } from '../state/events';
import { isNull, NULL, type Structs, type U64 } from '../state/layout';
import type { Counters } from './counters';
import type { Bytes, Look } from './evaluate';
import {
  type BehindLook,
  type Family,
  isLocal,
  type ScenarioMeaning,
  type SurfaceMeaning,
  type Variable,
} from './meaning';
import { fieldName, mappedFields, type ScenarioState } from './state';
import {
  type CounterName,
  type FenceField,
  methods,
  type OccurrenceName,
  type PteField,
  type pagemapFields,
  type TrackerField,
  type tlbFields,
  type vmaFields,
} from './vocabulary';

/** Where the machine keeps what the scenario's names stand for. */
export interface Whereabouts {
  /** Address of the mm_struct of a process. */
  mm(process: string): number;
  /** Frame of the root table of a process. */
  root(process: string): number;
  /** Task of a variable in a frame, the routine of that frame, and its field there. */
  local(variable: Variable): { task: number; routine: Routine | undefined; field: string };
  /** The vm_area_struct in which a byte of a mapping lies. */
  vma(mapping: Variable, offset: number): Structs['vm_area_struct'] | undefined;
  /** The resource that a surface is in the kernel, NULL before it was created. */
  resource(surface: SurfaceMeaning): Structs['vmw_surface']['res'];
  /** The object behind a surface, NULL before it was created. */
  object(surface: SurfaceMeaning): Structs['vmw_buffer_object'];
  /** The fence that a handle stands for, NULL when it is gone. */
  fence(handle: number): Structs['dma_fence'];
}

/** Levels of the tables, from the root down. */
const levelOf = { pgd: 0, pud: 1, pmd: 2 } as const;

/** An entry with its level and the frame that it gives the page. */
interface Leaf {
  readonly entry: U64;
  readonly level: number;
  readonly pfn: number;
}

const vmaFlags = {
  read: VM_READ,
  write: VM_WRITE,
  shared: VM_SHARED,
  mayWrite: VM_MAYWRITE,
  pfnMap: VM_PFNMAP,
  mixedMap: VM_MIXEDMAP,
  io: VM_IO,
  sequential: VM_SEQ_READ,
  random: VM_RAND_READ,
  dontFork: VM_DONTCOPY,
  softDirty: VM_SOFTDIRTY,
} as const;

/** Bits of the low and the high word of an entry. */
const lowBits: Partial<Record<PteField, number>> = {
  present: _PAGE_PRESENT,
  write: _PAGE_RW,
  user: _PAGE_USER,
  writeThrough: _PAGE_PWT,
  cacheDisabled: _PAGE_PCD,
  accessed: _PAGE_ACCESSED,
  dirty: _PAGE_DIRTY,
  special: _PAGE_SPECIAL,
  uffdWp: _PAGE_UFFD_WP,
  softDirty: _PAGE_SOFT_DIRTY,
};
const highBits: Partial<Record<PteField, number>> = { devmap: 1 << 26, noExecute: _PAGE_NX };

/** A field of an entry, 0 where there is no table. */
function entryField(found: Leaf | undefined, field: PteField): number {
  if (found === undefined) return Number(field === 'none');
  const { lo, hi } = found.entry;
  const leaf = found.level === 3;
  const global = (lo & _PAGE_GLOBAL) !== 0;
  switch (field) {
    case 'none':
      return Number((lo & ~(_PAGE_ACCESSED | _PAGE_DIRTY)) === 0 && hi === 0);
    case 'global':
      return Number(global && (lo & _PAGE_PRESENT) !== 0);
    case 'protNone':
      return Number(global && (lo & _PAGE_PRESENT) === 0);
    case 'frame':
      return found.pfn;
    case 'huge':
      return Number(!leaf && (lo & _PAGE_PSE) !== 0);
    case 'pat':
      return Number(leaf && (lo & _PAGE_PSE) !== 0);
    case 'key':
      return (hi >>> 27) & 15;
    default:
      return Number((lo & (lowBits[field] ?? 0)) !== 0 || (hi & (highBits[field] ?? 0)) !== 0);
  }
}

export class MachineLook implements Look {
  /** Events by the names of their tracepoints, as far as the run has ever been. */
  private readonly byName = new Map<string, LoggedEvent[]>();

  constructor(
    private readonly k: Engine,
    private readonly meaning: ScenarioMeaning,
    private readonly state: ScenarioState,
    private readonly where: Whereabouts,
    private readonly contract: Contract,
    private readonly counters: Counters,
  ) {
    k.listeners.push((event) => this.note(event));
  }

  private note(event: LoggedEvent): void {
    const known = this.byName.get(event.name) ?? [];
    while ((known.at(-1)?.index ?? -1) >= event.index) known.pop();
    known.push(event);
    this.byName.set(event.name, known);
  }

  variable(variable: Variable): number {
    return this.field(variable, (name) => name);
  }

  mapped(mapping: Variable): { start: number; bytes: number } {
    return {
      start: this.field(mapping, (name) => mappedFields(name).start),
      bytes: this.field(mapping, (name) => mappedFields(name).bytes),
    };
  }

  /** A field that belongs to a variable: of the scenario's state, or of its frame. */
  private field(variable: Variable, named: (name: string) => string): number {
    if (!isLocal(variable)) return this.state.get(named(fieldName(variable)));
    const { task, routine, field } = this.where.local(variable);
    const frame = this.k.stack(task).find(({ code }) => code.routine === routine);
    if (frame === undefined) return 0;
    const slot = frame.code.frame.slot(named(field));
    return slot.field.get(this.k.store, frame.at + slot.offset) as number;
  }

  counter(counter: CounterName): number {
    return this.counters.get(counter);
  }

  occurred(what: OccurrenceName): boolean {
    return what === 'race' ? this.contract.hasRace : this.contract.hasViolation;
  }

  behind(look: BehindLook, cpu: number, mapping: Variable, offset: number, field: string): number {
    switch (look) {
      case 'tlb':
        return this.tlb(cpu, mapping, offset, field as keyof typeof tlbFields);
      case 'vma':
        return this.vma(mapping, offset, field as keyof typeof vmaFields);
      case 'pagemap':
        return this.pagemap(mapping, offset, field as keyof typeof pagemapFields);
      case 'pte':
        return entryField(this.leaf(mapping, offset), field as PteField);
      default:
        return entryField(this.entry(mapping, offset, levelOf[look]), field as PteField);
    }
  }

  private tlb(
    cpu: number,
    mapping: Variable,
    offset: number,
    field: keyof typeof tlbFields,
  ): number {
    const { tlb } = this.k.parts;
    const address = this.variable(mapping) + offset;
    const own = tlb.cr3(cpu) === this.where.root(mapping.process);
    const found = own ? tlb.lookup(cpu, address) : undefined;
    if (found === undefined) return 0;
    const writes = (found.flags & (_PAGE_RW | _PAGE_DIRTY)) === (_PAGE_RW | _PAGE_DIRTY);
    switch (field) {
      case 'present':
        return 1;
      case 'write':
        return Number((found.flags & _PAGE_RW) !== 0);
      case 'user':
        return Number((found.flags & _PAGE_USER) !== 0);
      case 'dirty':
        return Number((found.flags & _PAGE_DIRTY) !== 0);
      case 'frame':
        return found.pfn;
      case 'stale':
        return Number(isStale(this.k, cpu, address, found.pfn, writes));
    }
  }

  private vma(mapping: Variable, offset: number, field: keyof typeof vmaFields): number {
    const vma = this.where.vma(mapping, offset);
    if (vma === undefined) return 0;
    switch (field) {
      case 'present':
        return 1;
      case 'start':
        return vma.vm_start;
      case 'end':
        return vma.vm_end;
      case 'offset': {
        const surface = mapping.mapping?.surface;
        const bo = surface === undefined ? NULL : this.where.object(surface);
        return vma.vm_pgoff - (isNull(bo) ? 0 : bo.base.vma_node_start);
      }
      default:
        return Number((vma.vm_flags & vmaFlags[field]) !== 0);
    }
  }

  /** As pagemap_read() has it: mappings of bare frames are holes, new ones count as soft-dirty. */
  private pagemap(mapping: Variable, offset: number, field: keyof typeof pagemapFields): number {
    const flags = this.where.vma(mapping, offset)?.vm_flags;
    if (flags === undefined) return 0;
    const bare = (flags & VM_PFNMAP) !== 0;
    const entry = bare ? undefined : this.leaf(mapping, offset)?.entry;
    const there = entry !== undefined && pte_present(entry);
    if (field === 'present') return Number(there);
    return Number((flags & VM_SOFTDIRTY) !== 0 || (there && pte_soft_dirty(entry)));
  }

  box(surface: SurfaceMeaning, image: number, field: string): number {
    const resource = this.where.resource(surface);
    if (isNull(resource) || isNull(resource.dirty)) return 0;
    const box = resource.dirty.boxes.get(image);
    if (box.d === 0) return 0;
    switch (field) {
      case 'dirty':
        return 1;
      case 'start':
        return box.x;
      case 'end':
        return box.x + box.w;
      default:
        return box[field as keyof typeof box];
    }
  }

  tracker(surface: SurfaceMeaning, field: TrackerField, offset: number | undefined): number {
    const bo = this.where.object(surface);
    const dirty = isNull(bo) ? undefined : bo.dirty;
    if (dirty === undefined || isNull(dirty)) return field === 'method' ? methods.untracked : 0;
    switch (field) {
      case 'method':
        return dirty.method;
      case 'start':
        return dirty.start;
      case 'end':
        return dirty.end;
      case 'votes':
        return dirty.change_count;
      case 'dirtyPages': {
        let pages = 0;
        for (let i = 0; i < dirty.bitmap_size; i++) pages += Number(dirty.bitmap.test(i));
        return pages;
      }
      case 'dirty':
        return Number(
          dirty.bitmap.test(Math.floor((surface.store.offset + (offset ?? 0)) / PAGE_SIZE)),
        );
    }
  }

  uniform(bytes: Bytes): number {
    const length = this.length(bytes);
    let first = 0;
    for (let i = 0; i < length; ) {
      const { contents, at } = this.from(bytes, i);
      if (i === 0) first = contents?.peek(at) ?? 0;
      const end = Math.min(length, i + PAGE_SIZE - (at % PAGE_SIZE));
      for (let j = at; i < end; i++, j++) if ((contents?.peek(j) ?? 0) !== first) return -1;
    }
    return first;
  }

  same(left: Bytes, right: Bytes): boolean {
    const length = this.length(left);
    if (length !== this.length(right)) return false;
    for (let i = 0; i < length; ) {
      const [one, other] = [this.from(left, i), this.from(right, i)];
      const end = i + PAGE_SIZE - Math.max(one.at % PAGE_SIZE, other.at % PAGE_SIZE);
      const piece = Math.min(length, end) - i;
      if (equalBytes(one, other, piece) < piece) return false;
      i += piece;
    }
    return true;
  }

  ramps(bytes: Bytes, first: number): boolean {
    const length = this.length(bytes);
    for (let i = 0; i < length; ) {
      const { contents, at } = this.from(bytes, i);
      const end = Math.min(length, i + PAGE_SIZE - (at % PAGE_SIZE));
      for (let j = at; i < end; i++, j++)
        if ((contents?.peek(j) ?? 0) !== rampByte(first, i)) return false;
    }
    return true;
  }

  fence(family: Family, index: number, field: FenceField): number {
    const handle = this.state.peekMember(family, index) - 1;
    if (handle < 0) return 0;
    const fence = this.where.fence(handle);
    if (field === 'submitted') return 1;
    // Who has given the handle back knew that it was over.
    if (field === 'seqno') return isNull(fence) ? 0 : fence.seqno;
    return Number(isNull(fence) || (fence.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0);
  }

  signaled(family: Family, index: number): boolean {
    return this.state.peekMember(family, index) !== 0;
  }

  history(tracepoint: string): readonly LoggedEvent[] {
    const { events } = this.k;
    const known = this.byName.get(tracepoint) ?? [];
    // What was noted before the run went back may be another event by now, or none.
    return known.filter((event) => event.index < events.length && events.at(event.index) === event);
  }

  /** The entry that maps a byte, at whatever level; undefined where the tables do not reach so far. */
  private leaf(mapping: Variable, offset: number): Leaf | undefined {
    const address = this.variable(mapping);
    if (address === 0) return undefined;
    return peekLeaf(this.k, this.where.root(mapping.process), address + offset);
  }

  /** The entry of one level for a byte. */
  private entry(mapping: Variable, offset: number, level: number): Leaf | undefined {
    const address = this.variable(mapping);
    if (address === 0) return undefined;
    const root = this.where.root(mapping.process);
    const found = peekEntry(this.k, root, address + offset, level);
    return found && { entry: found.entry, level, pfn: pte_pfn(found.entry) };
  }

  private length(bytes: Bytes): number {
    const { start } = bytes;
    return (bytes.end ?? this.mapped((bytes as { mapping: Variable }).mapping).bytes) - start;
  }

  /** Where the byte number `i` of a place is, and the others of its page behind it. */
  private from(bytes: Bytes, i: number): BytesFrom {
    const at = bytes.start + i;
    if (bytes.of === 'mapping') return this.through(bytes.mapping, at);
    if (bytes.of === 'memory') return this.memory(bytes.surface, at);
    return { contents: this.k.parts.svga.copyNamed(bytes.surface.index), at };
  }

  /** As a load through the mapping would see it: in the frame that is mapped, else in the object. */
  private through(mapping: Variable, offset: number): BytesFrom {
    const leaf = this.leaf(mapping, offset);
    const { memory } = this.k.parts;
    if (leaf !== undefined && (leaf.entry.lo & _PAGE_PRESENT) !== 0 && memory.has(leaf.pfn)) {
      return { contents: memory.frame(leaf.pfn), at: offset % PAGE_SIZE };
    }
    const surface = mapping.mapping?.surface;
    return surface === undefined
      ? { contents: undefined, at: offset }
      : this.memory(surface, this.mapped(mapping).start + offset);
  }

  private memory(surface: SurfaceMeaning, offset: number): BytesFrom {
    const at = offset % PAGE_SIZE;
    const bo = this.where.object(surface);
    const page = Math.floor((surface.store.offset + offset) / PAGE_SIZE);
    const pfn = isNull(bo) ? undefined : frameOf(this.k, bo.base, page);
    return { contents: pfn === undefined ? undefined : this.k.parts.memory.frame(pfn), at };
  }
}
