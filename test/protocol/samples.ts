// Hand-made moments for the tests of what panels show: a buffer of some pages in two mappings, before and after a
// store through the first one and a cleaning that forgot a TLB.
import type { BufferObject, PageEntry, Snapshot } from '../../src/protocol/snapshot';

export function pte(page: number, letters: string, more: Partial<PageEntry> = {}): PageEntry {
  const bits = { P: 1, W: 2, U: 4, A: 32, D: 64, s: 2048 };
  const low = Object.entries(bits).reduce(
    (sum, [letter, bit]) => sum + (letters.includes(letter) ? bit : 0),
    0,
  );
  const pfn = 0x10000 + page;
  return {
    page,
    level: 'PTE',
    letters,
    pfn,
    raw: `80000000${(pfn * 4096 + low).toString(16)}`,
    tlb: [],
    ...more,
  };
}

export function ring(pages: number, more: Partial<BufferObject> = {}): BufferObject {
  return {
    id: 'bo 0',
    name: 'ring',
    pages,
    placement: 'MOB',
    start: 0x100000,
    tracker: {
      method: 'PAGETABLE',
      start: 0,
      end: 2,
      changeCount: 0,
      users: 1,
      dirty: [{ from: 0, to: 2 }],
    },
    resources: [
      {
        id: 'res 0',
        name: 'ring',
        sid: 1,
        offset: 0,
        size: pages * 4096,
        attached: true,
        coherent: true,
        resDirty: false,
        backupDirty: false,
        boxes: [],
        pending: [],
      },
    ],
    mappings: [
      {
        space: 'mm 0',
        mapping: 'vma 0',
        name: 'app p',
        first: 0,
        count: pages,
        start: 0x7f0000000000,
        ptes: [pte(0, 'PWUADs'), pte(1, 'PWUAD-'), pte(2, 'P-UA--')],
      },
      {
        space: 'mm 0',
        mapping: 'vma 1',
        name: 'app q',
        first: 2,
        count: 2,
        start: 0x7f0000100000,
        ptes: [],
      },
    ],
    fences: [1],
    reservedBy: null,
    ...more,
  };
}

export function moment(time: number, objects: readonly BufferObject[]): Snapshot {
  return {
    time,
    faults: [],
    spaces: [
      {
        id: 'mm 0',
        name: 'app',
        pid: 1,
        mappings: [
          {
            id: 'vma 0',
            name: 'p',
            start: 0x7f0000000000,
            end: 0x7f0000004000,
            flags: 'rw-s pfnmap',
            object: 'bo 0',
            offset: 0,
          },
        ],
        root: {
          level: 'PTE',
          pfn: 0x80000,
          entries: (objects[0]?.mappings[0]?.ptes ?? []).map((entry) => ({
            ...entry,
            index: entry.page,
            address: 0x7f0000000000 + entry.page * 4096,
            table: null,
          })),
        },
      },
    ],
    cpus: [{ cpu: 0, space: 'mm 0', tlb: [] }],
    objects,
    absent: [],
    fences: [{ id: 'fence 0', seqno: 1, context: 1, state: 'emitted', waiters: ['render'] }],
  };
}

/** `ring`, after pages 0 and 1 were cleaned (a TLB kept page 1) and page 3 was written. */
export function later(pages: number): BufferObject {
  const before = ring(pages);
  const [first, second] = before.mappings;
  const stale = { cpu: 0, address: 0x7f0000001000, pfn: 0x10001, letters: 'PWUAD-' } as const;
  return {
    ...before,
    tracker: {
      ...before.tracker!,
      method: 'PAGETABLE',
      end: 4,
      dirty: [
        { from: 0, to: 2 },
        { from: 3, to: 4 },
      ],
    },
    resources: before.resources.map((resource) => ({
      ...resource,
      boxes: [{ subresource: 0, x: 0, y: 0, z: 0, w: 8192, h: 1, d: 1 }],
      pending: [{ from: 0, to: 2 }],
    })),
    mappings: [
      {
        ...first!,
        ptes: [
          pte(0, 'PWUA-s'),
          pte(1, 'PWUA--', { tlb: [{ ...stale, standing: 'stale' }] }),
          pte(2, 'P-UA--'),
          pte(3, 'PWUADs', {
            tlb: [
              {
                ...stale,
                address: 0x7f0000003000,
                pfn: 0x10003,
                letters: 'PWUAD-',
                standing: 'same',
              },
            ],
          }),
        ],
      },
      second!,
    ],
    fences: [],
  };
}
