// What expressions see of a machine, by peeking: no fault is taken, no TLB filled, no bit set.

import type { Contract } from '../contract/observer';
import { type BytesFrom, equalBytes } from '../hardware/memory';
import { peekLeaf } from '../hardware/mmu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_PRESENT,
  _PAGE_RW,
  _PAGE_SOFT_DIRTY,
  PAGE_SIZE,
} from '../hardware/pte';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../kernel/include/linux/dma-fence';
import type { Engine } from '../routine/engine';
import type { Routine } from '../routine/routine';
import { isNull, type Structs } from '../state/layout';
import type { Counters } from './counters';
import type { Bytes, Look } from './evaluate';
import {
  type Family,
  isLocal,
  type ScenarioMeaning,
  type SurfaceMeaning,
  type Variable,
} from './meaning';
import { fieldName, mappedFields, type ScenarioState } from './state';
import {
  type CounterName,
  methods,
  type OccurrenceName,
  type PteField,
  type TrackerField,
} from './vocabulary';

/** Where the machine keeps what the scenario's names stand for. */
export interface Whereabouts {
  /** Address of the mm_struct of a process. */
  mm(process: string): number;
  /** Frame of the root table of a process. */
  root(process: string): number;
  /** Task of a variable in a frame, the routine of that frame, and its field there. */
  local(variable: Variable): { task: number; routine: Routine | undefined; field: string };
  /** The object behind a surface, NULL before it was created. */
  object(surface: SurfaceMeaning): Structs['vmw_buffer_object'];
  /** The fence that a handle stands for, NULL when it is gone. */
  fence(handle: number): Structs['dma_fence'];
}

export class MachineLook implements Look {
  constructor(
    private readonly k: Engine,
    private readonly meaning: ScenarioMeaning,
    private readonly state: ScenarioState,
    private readonly where: Whereabouts,
    private readonly contract: Contract,
    private readonly counters: Counters,
  ) {}

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

  pte(mapping: Variable, offset: number, field: PteField): number {
    const found = this.entry(mapping, offset);
    if (found === undefined) return 0;
    const bit = (mask: number) => Number((found.entry.lo & mask) !== 0);
    switch (field) {
      case 'present':
        return bit(_PAGE_PRESENT);
      case 'write':
        return bit(_PAGE_RW);
      case 'accessed':
        return bit(_PAGE_ACCESSED);
      case 'dirty':
        return bit(_PAGE_DIRTY);
      case 'softDirty':
        return bit(_PAGE_SOFT_DIRTY);
      case 'huge':
        return Number(found.level < 3);
      case 'frame':
        return found.pfn;
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
        return Number(dirty.bitmap.test(Math.floor((offset ?? 0) / PAGE_SIZE)));
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

  signaled(family: Family, index: number): boolean {
    const handle = this.state.peekMember(family, index) - 1;
    if (handle < 0) return false;
    const fence = this.where.fence(handle);
    return isNull(fence) || (fence.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0;
  }

  private entry(mapping: Variable, offset: number) {
    const address = this.variable(mapping);
    if (address === 0) return undefined;
    return peekLeaf(this.k, this.where.root(mapping.process), address + offset);
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
    const leaf = this.entry(mapping, offset);
    const { memory } = this.k.parts;
    if (leaf !== undefined && (leaf.entry.lo & _PAGE_PRESENT) !== 0 && memory.isData(leaf.pfn)) {
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
    const tt = isNull(bo) ? undefined : bo.base.ttm;
    if (tt === undefined || isNull(tt)) return { contents: undefined, at };
    const page = tt.pages.get(Math.floor(offset / PAGE_SIZE));
    const { memory } = this.k.parts;
    return { contents: page === 0 ? undefined : memory.frame(memory.pfnOfPage(page)), at };
  }
}
