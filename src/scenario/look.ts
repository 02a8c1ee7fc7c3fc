// What expressions see of a machine, by peeking: no fault is taken, no TLB filled, no bit set.

import type { Contract } from '../contract/observer';
import { peekWalk } from '../hardware/mmu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_PRESENT,
  _PAGE_RW,
  _PAGE_SOFT_DIRTY,
  PAGE_SIZE,
  pte_pfn,
} from '../hardware/pte';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../kernel/include/linux/dma-fence';
import type { Engine } from '../routine/engine';
import { isNull, type Structs } from '../state/layout';
import type { Counters } from './counters';
import type { Bytes, Look } from './evaluate';
import type { Family, ScenarioMeaning, SurfaceMeaning, Variable } from './meaning';
import { fieldName, type ScenarioState } from './state';
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
  /** Task and frame field of a thread's variable. */
  local(variable: Variable): { task: number; field: string };
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
    if (variable.thread === undefined) return this.state.get(fieldName(variable));
    const { task, field } = this.where.local(variable);
    const root = this.k.stack(task).at(-1);
    if (root === undefined) return 0;
    const slot = root.code.frame.slot(field);
    return slot.field.get(this.k.store, root.at + slot.offset) as number;
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
    const bit = (mask: number) => Number((found.lo & mask) !== 0);
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
      case 'frame':
        return pte_pfn(found);
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
    const [byteAt, length] = this.reader(bytes);
    const first = byteAt(0);
    for (let i = 1; i < length; i++) if (byteAt(i) !== first) return -1;
    return first;
  }

  same(left: Bytes, right: Bytes): boolean {
    const [a, length] = this.reader(left);
    const [b, other] = this.reader(right);
    if (length !== other) return false;
    for (let i = 0; i < length; i++) if (a(i) !== b(i)) return false;
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
    const found = peekWalk(this.k, this.where.root(mapping.process), address + offset);
    return found?.level === 3 ? found.entry : undefined;
  }

  /** How to read the bytes of a place by their number, and how many there are. */
  private reader(bytes: Bytes): [(i: number) => number, number] {
    if (bytes.of === 'mapping') {
      const { mapping, start } = bytes;
      const end = bytes.end ?? this.mappedBytes(mapping);
      return [(i) => this.mappedByte(mapping, start + i), end - start];
    }
    const { surface, start, end } = bytes;
    return bytes.of === 'device'
      ? [(i) => this.k.parts.svga.peek(surface.index, start + i), end - start]
      : [(i) => this.memoryByte(surface, start + i), end - start];
  }

  private mappedBytes(mapping: Variable): number {
    return this.state.get(`${fieldName(mapping)} bytes`);
  }

  /** A byte as a load through the mapping would see it: of the frame that is mapped, else of the object. */
  private mappedByte(mapping: Variable, offset: number): number {
    const entry = this.entry(mapping, offset);
    const { memory } = this.k.parts;
    if (entry !== undefined && (entry.lo & _PAGE_PRESENT) !== 0 && memory.isData(pte_pfn(entry))) {
      return memory.frame(pte_pfn(entry)).peek(offset % PAGE_SIZE);
    }
    const surface = mapping.mapping?.surface;
    return surface === undefined ? 0 : this.memoryByte(surface, offset);
  }

  private memoryByte(surface: SurfaceMeaning, offset: number): number {
    const bo = this.where.object(surface);
    const tt = isNull(bo) ? undefined : bo.base.ttm;
    if (tt === undefined || isNull(tt)) return 0;
    const page = tt.pages.get(Math.floor(offset / PAGE_SIZE));
    if (page === 0) return 0;
    const pfn = this.k.parts.memory.pfnOfPage(page);
    return this.k.parts.memory.frame(pfn).peek(offset % PAGE_SIZE);
  }
}
