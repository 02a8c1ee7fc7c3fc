// What the walks of the dirty helpers cost an entry: in bursts, micro-step by micro-step, and as a plain loop over the
// same tables, four levels of two 32-bit cells an entry, without journal. All must end in the same entries and the
// same bitmap, or nothing is printed.
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_PRESENT,
  _PAGE_RW,
  _PAGE_USER,
} from '../../src/hardware/pte';
import type { Preset } from '../../src/kernel/variants';
import { type Walk, Walks } from '../kernel/walks';
import { nanoseconds, table } from './measure';

const pages = 262_144; // a GiB
const address = 0x10_0000_0000;

/** Which pages are dirty, `percent` of all, by chance. */
function dirtyPages(percent: number): boolean[] {
  let seed = 12345;
  return Array.from({ length: pages }, () => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % 100 < percent;
  });
}

/** The plain loop over a copy of the cells. */
class Raw {
  readonly cells: Int32Array;
  readonly bitmap = new Int32Array(pages / 32);
  private readonly rootAt: number;
  private readonly stride: number;

  constructor(
    { k }: Walks,
    private readonly root: number,
  ) {
    this.cells = k.store.cells.slice();
    this.rootAt = k.parts.memory.entryAt(root, 0);
    this.stride = k.parts.memory.entryAt(root + 1, 0) - this.rootAt;
  }

  /** Where the entries of the table are that an entry with this low word points to. */
  private below(lo: number): number {
    return this.rootAt + ((lo >>> 12) - this.root) * this.stride;
  }

  /** Takes `bit` out of every entry; pages that had it are noted in the bitmap if that is wanted. Returns how many. */
  walk(bit: number, noted: boolean): number {
    const { cells, bitmap } = this;
    const pgd = this.rootAt;
    let found = 0;
    for (let g = 0; g < 1024; g += 2) {
      if ((cells[pgd + g]! & _PAGE_PRESENT) === 0) continue;
      const pud = this.below(cells[pgd + g]!);
      for (let u = 0; u < 1024; u += 2) {
        if ((cells[pud + u]! & _PAGE_PRESENT) === 0) continue;
        const pmd = this.below(cells[pud + u]!);
        for (let m = 0; m < 1024; m += 2) {
          if ((cells[pmd + m]! & _PAGE_PRESENT) === 0) continue;
          const at = this.below(cells[pmd + m]!);
          const page = m * 256;
          for (let i = 0; i < 512; i++) {
            const entry = cells[at + 2 * i]!;
            if ((entry & bit) === 0) continue;
            cells[at + 2 * i] = entry & ~bit;
            if (noted) {
              const p = page + i;
              bitmap[p >>> 5] = bitmap[p >>> 5]! | (1 << (p & 31));
            }
            found++;
          }
        }
      }
    }
    return found;
  }
}

function measure(preset: Preset, helper: Walk['helper'], percent: number): string[] {
  const walks = new Walks({
    preset,
    pages,
    tables: 2 + pages / 512,
    mappings: [{ process: 0, address, page: 0, pages }],
    walk: { helper, first: 0, nr: pages },
  });
  const { k, agent } = walks;
  const dirty = dirtyPages(percent);
  const bit = helper === 'clean' ? _PAGE_DIRTY : _PAGE_RW;
  const clean = _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED | (helper === 'clean' ? _PAGE_RW : 0);
  dirty.forEach((d, page) => walks.set(0, page, d ? clean | bit : clean));
  k.store.settle();
  const raw = new Raw(walks, walks.root(0));
  const before = raw.cells.slice();
  const mark = k.store.mark();
  const restart = () => {
    k.store.rollback(mark);
    k.store.mark();
  };
  const rawNs = nanoseconds(
    pages,
    () => raw.walk(bit, helper === 'clean'),
    () => {
      raw.cells.set(before);
      raw.bitmap.fill(0);
    },
    200,
  );
  const inBursts = nanoseconds(
    pages,
    () => {
      while (!walks.isDone) k.burst(agent, Number.POSITIVE_INFINITY);
    },
    restart,
    200,
  );
  compare(walks, raw);
  const bytes = k.store.journalBytes / pages;
  const inSteps = nanoseconds(
    pages,
    () => {
      while (!walks.isDone) k.step(agent);
    },
    restart,
    2,
  );
  compare(walks, raw);
  const ns = (value: number) => `${value.toFixed(value < 100 ? 2 : 0)} ns`;
  return [
    `${helper === 'clean' ? 'clean + record' : 'write-protect'}, ${preset}, ${percent} %`,
    ns(rawNs),
    ns(inBursts),
    (inBursts / rawNs).toFixed(2),
    ns(inSteps),
    (inSteps / rawNs).toFixed(0),
    bytes.toFixed(1),
  ];
}

function compare({ k }: Walks, raw: Raw): void {
  const { base, cells } = k.store.region('pool page_table');
  for (let at = base; at < base + cells; at++) {
    if (k.store.peek(at) !== raw.cells[at]) throw new Error('the walks leave different entries');
  }
  const { bitmap } = k.the('or_scratch', 'or_scratch');
  for (let word = 0; word < raw.bitmap.length; word++) {
    if (k.store.peek(bitmap.at + word) !== raw.bitmap[word])
      throw new Error('the walks note different pages');
  }
}

const rows = [['', 'raw', 'burst', 'times', 'micro-steps', 'times', 'bytes of journal']];
for (const preset of ['series-v2', 'linux-6.1'] as const) {
  for (const helper of ['wrprotect', 'clean'] as const) {
    for (const percent of [1, 10, 100]) rows.push(measure(preset, helper, percent));
  }
}
table(`Walks over ${pages} entries, a time for each entry`, rows);
