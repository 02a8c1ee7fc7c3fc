// Locations of what the driver and the run take note of: dirty trackers, fences, counters.
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../../kernel/include/linux/dma-fence';
import { structNamed } from '../../state/layout';
import { type Spot, spotAt } from '../spots';
import { type Cells, escaped, type Location, none, oneCell, plain, type Things } from './location';
import { bitFrom, rangesText } from './values';

export class Noted {
  constructor(private readonly things: Things) {}

  /** The bitmap of a tracker or bits of it (`dirty`), or its range. */
  tracker(kind: string, rest: readonly string[]): Location | string | undefined {
    const [name, pages] = rest;
    if (name === undefined || rest.length > (kind === 'dirty' ? 2 : 1)) return undefined;
    const place = this.things.surface(plain(name));
    if (typeof place === 'string') return place;
    const [from, to] = /^(\d+)(?:-(\d+))?$/.exec(pages ?? '0-9007199254740991')?.slice(1) ?? [];
    if (from === undefined) return undefined;
    const { k } = this.things;
    const tracker = () => {
      const now = this.things.surface(plain(name));
      return typeof now === 'string' || now.object === 0
        ? undefined
        : k.view('vmw_buffer_object', now.object);
    };
    const dirtyCell = () => {
      const bo = tracker();
      return bo && spotAt(k, { struct: structNamed('vmw_buffer_object'), at: bo.at }, 'dirty');
    };
    const spot = (path: string): Spot | undefined => {
      const bo = tracker();
      if (bo === undefined || bo.dirty.at === 0) return undefined;
      return spotAt(k, { struct: structNamed('vmw_bo_dirty'), at: bo.dirty.at }, path);
    };
    const on = (): Cells => {
      const now = this.things.surface(plain(name));
      const pointer = dirtyCell();
      const own = typeof now === 'string' ? none : now.on;
      return pointer === undefined ? own : [...own, oneCell(pointer.at)];
    };
    if (kind === 'range') {
      const read = () => ['start', 'end'].map((path) => spot(path));
      return {
        id: `range:${name}`,
        what: `dirty range of ${plain(name)}`,
        find: () => ({
          at: read().flatMap((s) => (s === undefined ? [] : [oneCell(s.at)])),
          on: on(),
        }),
        text: () => {
          const [start, end] = read().map((s) => s && k.store.peek(s.at));
          if (start === undefined || end === undefined) return 'not tracked';
          return start < end ? `${start}-${end - 1}` : 'empty';
        },
        change: () => `the range is two values: change field start or end of the tracker instead`,
      };
    }
    const first = Number(from);
    const last = () => {
      const bitmap = spot('bitmap');
      const size =
        bitmap === undefined ? 0 : k.view('vmw_bo_dirty', tracker()!.dirty.at).bitmap_size;
      return Math.min(Number(to ?? from), size - 1);
    };
    const bits = () => {
      const bitmap = spot('bitmap');
      return bitmap === undefined || last() < first ? undefined : bitmap.at;
    };
    const single = pages !== undefined && to === undefined;
    return {
      id: pages === undefined ? `dirty:${name}` : `dirty:${name}:${pages}`,
      what: `dirty ${single ? `bit of page ${from}` : pages === undefined ? 'bitmap' : `bits of pages ${pages}`} of ${plain(name)}`,
      ...(single && { mask: 1 << (first & 31) }),
      find: () => {
        const base = bits();
        if (base === undefined) return { at: none, on: on() };
        return { at: [[base + (first >> 5), base + (last() >> 5) + 1]], on: on() };
      },
      text: () => {
        const base = bits();
        if (base === undefined) return 'not tracked';
        const set: number[] = [];
        for (let page = first; page <= last(); page++)
          if (((k.store.peek(base + (page >> 5)) >>> (page & 31)) & 1) !== 0) set.push(page);
        if (single) return `${set.length}`;
        return set.length === 0 ? 'none' : rangesText(set);
      },
      change: (value) => {
        const base = bits();
        const wanted = bitFrom(value);
        if (typeof wanted === 'string') return wanted;
        if (base === undefined) return `${plain(name)} is not tracked`;
        return {
          text: `${wanted}`,
          apply: () => {
            for (let page = first; page <= last(); page++) {
              const cell = base + (page >> 5);
              const bit = 1 << (page & 31);
              const before = k.store.peek(cell);
              k.store.write(cell, wanted === 1 ? before | bit : before & ~bit);
            }
          },
        };
      },
    };
  }

  fence(name: string): Location | string {
    const known = this.things.names.fence?.(name);
    if (known === undefined) return `there is no fence ${name}`;
    const { k } = this.things;
    const flagsAt = () => {
      const { at } = this.things.names.fence!(name)!;
      if (at === 0) return undefined;
      return spotAt(k, { struct: structNamed('dma_fence'), at }, 'flags')?.at;
    };
    return {
      id: `fence:${escaped(name)}`,
      what: `fence ${name}`,
      mask: DMA_FENCE_FLAG_SIGNALED_BIT,
      find: () => {
        const cell = flagsAt();
        return {
          at: cell === undefined ? none : [oneCell(cell)],
          on: this.things.names.fence!(name)!.on,
        };
      },
      text: () => {
        const cell = flagsAt();
        if (cell === undefined) return 'not there';
        const signaled = (k.store.peek(cell) & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0;
        return signaled ? 'signaled' : 'not signaled';
      },
      change: (value) => {
        const cell = flagsAt();
        if (cell === undefined) return `fence ${name} is not there: it was not emitted, or is over`;
        const wanted = value.trim() === 'signaled' ? 1 : bitFrom(value);
        if (wanted !== 1) return 'a fence can be set to signaled, and never back';
        return {
          text: 'signaled',
          apply: () => k.store.write(cell, k.store.peek(cell) | DMA_FENCE_FLAG_SIGNALED_BIT),
        };
      },
    };
  }

  counter(name: string): Location | string {
    const cells = this.things.names.counter?.(name);
    if (cells === undefined) return `there is no counter ${name}`;
    const { store } = this.things.k;
    const at = cells[0]![0];
    return {
      id: `counter:${name}`,
      what: `counter ${name}`,
      find: () => ({ at: cells, on: none }),
      text: () => `${store.peek(at + 1) * 0x1_0000_0000 + (store.peek(at) >>> 0)}`,
      change: () => 'a counter says what has happened; it is not set by hand',
    };
  }
}
