// Locations of bytes: of address spaces, physical memory, buffer objects and the device's copies of surfaces.
import { type BytesFrom, type Contents, dataPfn } from '../../hardware/memory';
import { peekLeaf } from '../../hardware/mmu';
import { _PAGE_PRESENT, PAGE_SIZE } from '../../hardware/pte';
import { frameOf } from '../../kernel/drivers/gpu/drm/ttm/ttm_bo_util';
import { blockBytes } from '../../state/blocks';
import { structNamed } from '../../state/layout';
import { spotAt } from '../spots';
import type { Entries } from './entries';
import {
  type Cells,
  escaped,
  type Found,
  hex,
  type Location,
  type MemoryRange,
  none,
  oneCell,
  plain,
  type SurfacePlace,
  type Things,
} from './location';
import { bytesFrom, byteText, number } from './values';

/** The kinds of names that are of bytes. */
export const memoryKinds: readonly string[] = ['bytes', 'phys', 'object', 'gpu'];

/** So many bytes are shown as text. */
const shownBytes = 256;

export class Bytes {
  /** `forms`: how names of bytes are written, for who writes another. */
  constructor(
    private readonly things: Things,
    private readonly entries: Entries,
    private readonly forms: string,
  ) {}

  /** The memory that a name refers to, from its offset on; what is wrong with it. */
  memory(reference: string): MemoryRange | string {
    const [kind = '', ...rest] = reference.trim().split(':');
    const found = memoryKinds.includes(kind) ? this.memoryOf(kind, rest)?.range : undefined;
    return found ?? `'${reference}' names no memory; one is ${this.forms}`;
  }

  private memoryOf(
    kind: string,
    rest: readonly string[],
  ): { readonly range: MemoryRange | string; readonly length: number | undefined } | undefined {
    const named = kind !== 'phys';
    const owner = named ? rest[0] : '';
    const offset = number(rest[named ? 1 : 0] ?? (kind === 'bytes' ? undefined : '0'));
    const given = rest[named ? 2 : 1];
    const length = given === undefined ? undefined : number(given);
    const tooMany = rest.length > (named ? 3 : 2);
    if (owner === undefined || offset === undefined || tooMany) return undefined;
    if (given !== undefined && (length === undefined || length === 0)) return undefined;
    const range = this.rangeOf(kind, plain(owner), offset);
    return { range, length };
  }

  private rangeOf(kind: string, owner: string, offset: number): MemoryRange | string {
    const { memory, svga } = this.things.k.parts;
    if (memory === undefined) return 'this machine has no memory';
    if (kind === 'phys') {
      const base = dataPfn * PAGE_SIZE;
      return {
        name: (at) => `phys:${hex(base + at)}`,
        offset: offset - base,
        size: memory.frames * PAGE_SIZE,
        base,
        phase: 0,
        find: (at) => ({
          contents: memory.frame(dataPfn + Math.floor(at / PAGE_SIZE)),
          at: at % PAGE_SIZE,
        }),
        on: () => none,
      };
    }
    if (kind === 'bytes') return this.mapped(owner, offset);
    const place = this.things.surface(owner);
    if (typeof place === 'string') return place;
    const { index, bytes } = place;
    if (kind === 'gpu') {
      return {
        name: (at) => `gpu:${escaped(owner)}:${at}`,
        offset,
        size: bytes,
        base: 0,
        phase: 0,
        find: (at) => {
          const contents = svga.copyNamed(index);
          return contents && { contents, at };
        },
        on: () => {
          const { region, stride, count, struct } = this.things.k.objects.pool('svga_surface');
          const name = 1 + struct.slot('name').offset; // behind the header that says whether it is there
          return Array.from({ length: count }, (_, i) => region.base + i * stride).flatMap(
            (header) => [oneCell(header), oneCell(header + name)],
          );
        },
      };
    }
    return {
      name: (at) => `object:${escaped(owner)}:${at}`,
      offset,
      size: bytes,
      base: 0,
      phase: place.offset % PAGE_SIZE,
      find: (at) => {
        const { object, offset: first } = this.things.surface(owner) as SurfacePlace;
        return this.pageOf(object, first + at);
      },
      on: (at) => this.pageCells(owner, at),
    };
  }

  private pageOf(object: number, at: number): BytesFrom | undefined {
    const { k } = this.things;
    if (object === 0) return undefined;
    const { base } = k.view('vmw_buffer_object', object);
    const pfn = frameOf(k, base, Math.floor(at / PAGE_SIZE));
    if (pfn === undefined) return undefined;
    return { contents: k.parts.memory.frame(pfn), at: at % PAGE_SIZE };
  }

  /** The cells that say which frame a byte of an object is in. */
  private pageCells(owner: string, at: number): Cells {
    const { k } = this.things;
    const place = this.things.surface(owner);
    if (typeof place === 'string') return none;
    if (place.object === 0) return place.on;
    const { base } = k.view('vmw_buffer_object', place.object);
    const cells: Cells[number][] = [...place.on];
    for (const field of ['ttm', 'mem_type']) {
      const spot = spotAt(k, { struct: structNamed('ttm_buffer_object'), at: base.at }, field);
      if (spot !== undefined) cells.push(oneCell(spot.at));
    }
    const { ttm } = base;
    if (ttm.at !== 0)
      cells.push(oneCell(ttm.pages.at + Math.floor((place.offset + at) / PAGE_SIZE)));
    return cells;
  }

  /** The mapping that an address is in; what is not faulted in yet reads as the object behind it. */
  private mapped(process: string, address: number): MemoryRange | string {
    const mm = this.things.space(process);
    if (typeof mm === 'string') return mm;
    const vma = this.vma(mm, address);
    if (vma === undefined) return `nothing is mapped at ${hex(address)} in ${process}`;
    const { vm_start, vm_end } = vma;
    const range = this.virtual(process, vm_start, vm_end - vm_start) as MemoryRange;
    return { ...range, offset: address - vm_start };
  }

  /** A piece of an address space; there are bytes where something is mapped. */
  private virtual(process: string, start: number, size: number): MemoryRange | string {
    const mm = this.things.space(process);
    if (typeof mm === 'string') return mm;
    const { k } = this.things;
    return {
      name: (at) => `bytes:${escaped(process)}:${hex(start + at)}`,
      offset: 0,
      size,
      base: start,
      phase: start % PAGE_SIZE,
      find: (at) => this.behind(mm, start + at),
      on: (at) => {
        const entry = this.entries.at('pte', process, start + at, undefined);
        if (typeof entry === 'string' || k.parts.memory === undefined) return none;
        const found = entry.find();
        return [...found.at, ...found.on];
      },
    };
  }

  /** The VMA that an address is in. */
  private vma(mm: number, address: number) {
    return this.things
      .live('vm_area_struct')
      .map((at) => this.things.k.view('vm_area_struct', at))
      .find((v) => v.vm_mm.at === mm && v.vm_start <= address && address < v.vm_end);
  }

  /** As a load would see it: in the frame that is mapped, else in the object behind the mapping. */
  private behind(mm: number, address: number): BytesFrom | undefined {
    const { k } = this.things;
    const vma = this.vma(mm, address);
    if (vma === undefined) return undefined;
    const leaf = peekLeaf(k, k.view('mm_struct', mm).pgd, address);
    const { memory } = k.parts;
    if (leaf !== undefined && (leaf.entry.lo & _PAGE_PRESENT) !== 0 && memory.has(leaf.pfn))
      return { contents: memory.frame(leaf.pfn), at: address % PAGE_SIZE };
    const { vm_start, vm_pgoff, vm_private_data } = vma;
    if (!this.things.live('vmw_buffer_object').includes(vm_private_data)) return undefined;
    const { base } = k.view('vmw_buffer_object', vm_private_data);
    const first = (vm_pgoff - base.vma_node_start) * PAGE_SIZE;
    return this.pageOf(vm_private_data, first + address - vm_start);
  }

  /** Bytes that can be watched and changed; undefined when the name is not of the form. */
  at(kind: string, rest: readonly string[]): Location | string | undefined {
    const parsed = this.memoryOf(kind, rest);
    if (parsed === undefined) return undefined;
    const { length = 1 } = parsed;
    // What is not mapped yet can be watched already.
    const range =
      kind === 'bytes' ? this.virtual(plain(rest[0]!), number(rest[1])!, length) : parsed.range;
    if (typeof range === 'string') return range;
    const { offset, size } = range;
    if (offset < 0 || offset + length > size)
      return `${range.name(offset)} has ${Math.max(0, size - offset)} bytes behind it, not ${length}`;
    const all = [...pieces(range, offset, length)];
    const findPart = (part: number): Found => {
      const { from, to } = all[part]!;
      const on = range.on(from);
      const found = range.find(from);
      if (found?.contents === undefined) return { at: none, on };
      const first = found.contents.base + Math.floor(found.at / blockBytes);
      const last = found.contents.base + Math.floor((found.at + to - from - 1) / blockBytes);
      const tail = ((found.at + to - from - 1) % blockBytes) + 1;
      return { at: [[first, last + 1, found.at % blockBytes, tail]], on };
    };
    const find = (): Found => {
      const parts = all.map((_, part) => findPart(part));
      return { at: parts.flatMap(({ at }) => at), on: parts.flatMap(({ on }) => on) };
    };
    return {
      isBytes: true,
      parts: { count: all.length, find: findPart },
      id: `${range.name(offset)}:${length}`,
      what: `${length === 1 ? 'byte' : `${length} bytes`} at ${range.name(offset)}`,
      find,
      text: () => {
        const some = readBytes(range, offset, Math.min(length, shownBytes));
        const more = length > shownBytes ? '…' : '';
        return some.length === 0 ? 'none' : `0x${some.map(byteText).join('')}${more}`;
      },
      change: (value) => {
        const bytes = bytesFrom(value, length);
        if (typeof bytes === 'string') return bytes;
        const hole = bytes.findIndex((_, i) => range.find(offset + i)?.contents === undefined);
        if (hole >= 0) return `there is no memory at ${range.name(offset + hole)} yet`;
        return {
          text: `0x${bytes.map(byteText).join('')}`,
          apply: () => writeBytes(range, offset, bytes),
        };
      },
    };
  }
}

/** The pieces of [from, from + length) that lie in one page each. */
function* pieces(
  { phase }: MemoryRange,
  from: number,
  length: number,
): Generator<{ from: number; to: number }> {
  for (let at = from; at < from + length; ) {
    const page = Math.floor((at + phase) / PAGE_SIZE) + 1;
    const to = Math.min(from + length, page * PAGE_SIZE - phase);
    yield { from: at, to };
    at = to;
  }
}

/** Bytes of a range up to the first that is not there. */
export function readBytes(range: MemoryRange, from: number, length: number): number[] {
  const bytes: number[] = [];
  for (const piece of pieces(range, from, length)) {
    const found = range.find(piece.from);
    if (found?.contents === undefined) break;
    const { contents, at } = found;
    for (let i = 0; i < piece.to - piece.from; i++) bytes.push(contents.peek(at + i));
  }
  return bytes;
}

function writeBytes(range: MemoryRange, from: number, bytes: readonly number[]): void {
  for (const piece of pieces(range, from, bytes.length)) {
    const { contents, at } = range.find(piece.from) as { contents: Contents; at: number };
    const base = piece.from - from - at;
    contents.replace(at, piece.to - piece.from, (i) => bytes[base + i]!);
  }
}
