// The PTE grid of a buffer object: a row a page, a column for the tracker's bit, for the ranges of resources, and two
// for each mapping (its entry, and what TLBs hold of it). Cells are made when asked for, so that an object of any size
// costs what is in view. The text form says the same as the drawn one.
import {
  type BufferObject,
  boxText,
  hex,
  inWords,
  type MappedObject,
  noLetters,
  type PageEntry,
  pagesText,
  type Run,
  runPages,
  runsText,
} from './snapshot';

export interface Grid {
  readonly title: string;
  readonly facts: readonly Fact[];
  readonly columns: readonly Column[];
  readonly rows: number;
  cell(row: number, column: number): Cell;
  /** Rows in which a cell changed since the stop before, in order. */
  readonly changedRows: readonly number[];
}

/** Something said of the object as a whole. */
export interface Fact {
  readonly name: string;
  readonly value: string;
  readonly was: string | null;
}

export type ColumnKind = 'page' | 'bit' | 'ranges' | 'pte' | 'tlb';

export interface Column {
  readonly kind: ColumnKind;
  readonly title: string;
  readonly hint: string;
  readonly width: number; // characters of its longest cell, `old → new` counted
}

export interface Cell {
  readonly text: string;
  readonly was: string | null; // the text before, where it changed
  readonly mark: '' | 'set' | 'stale' | 'pending'; // beside the text, never instead of it
  readonly detail: string; // the whole of it in words
}

/** One moment of an object, arranged for looking up by page. */
interface Pages {
  readonly object: BufferObject;
  readonly bits: Uint8Array;
  readonly ptes: ReadonlyMap<string, ReadonlyMap<number, PageEntry>>; // by mapping, by page
}

interface Source {
  readonly column: Omit<Column, 'width'>;
  /** Text and the rest of the cell of a page at one moment. */
  at(pages: Pages, page: number): Omit<Cell, 'was'>;
  /** False where the moment before has no such column: then nothing is marked. */
  comparable: boolean;
}

/** The grid of an object, with what changed since `before`. */
export function gridOf(object: BufferObject, before: BufferObject | null): Grid {
  const now = arranged(object);
  const old = before === null ? null : arranged(before);
  const sources = [
    pageSource,
    ...(object.tracker === null ? [] : [bitSource(before !== null && before.tracker !== null)]),
    ...(object.resources.length === 0 ? [] : [rangesSource]),
    ...object.mappings.flatMap((mapped) => [
      pteSource(mapped, old?.ptes.has(mapped.mapping) ?? false),
      tlbSource(mapped, old?.ptes.has(mapped.mapping) ?? false),
    ]),
  ];
  const cell = (row: number, column: number): Cell => {
    const { at, comparable } = sources[column]!;
    const made = at(now, row);
    if (old === null || !comparable || row >= old.object.pages) return { ...made, was: null };
    const was = at(old, row).text;
    return { ...made, was: was === made.text ? null : was };
  };
  const changedRows: number[] = [];
  const widths = sources.map(({ column }) => column.title.length);
  for (let row = 0; row < object.pages; row++) {
    let changed = false;
    sources.forEach((_, column) => {
      const made = cell(row, column);
      widths[column] = Math.max(widths[column]!, textOf(made).length);
      changed ||= made.was !== null;
    });
    if (changed) changedRows.push(row);
  }
  return {
    title: object.name,
    facts: facts(object, before),
    columns: sources.map(({ column }, i) => ({ ...column, width: widths[i]! })),
    rows: object.pages,
    cell,
    changedRows,
  };
}

/** A cell on one line: `old → new` where it changed. */
const textOf = ({ text, was }: Cell): string =>
  was === null ? text : `${was || 'none'} → ${text || 'none'}`;

function arranged(object: BufferObject): Pages {
  const bits = new Uint8Array(object.pages);
  for (const { from, to } of object.tracker?.dirty ?? []) bits.fill(1, from, to);
  const ptes = new Map(
    object.mappings.map(({ mapping, ptes }) => [mapping, new Map(ptes.map((p) => [p.page, p]))]),
  );
  return { object, bits, ptes };
}

const pageSource: Source = {
  column: { kind: 'page', title: 'page', hint: 'page of the object' },
  comparable: false,
  at: (_pages, page) => ({ text: `${page}`, mark: '', detail: `page ${page}` }),
};

const bitSource = (comparable: boolean): Source => ({
  column: { kind: 'bit', title: 'dirty', hint: "the tracker's bitmap" },
  comparable,
  at: ({ bits }, page) =>
    bits[page] === 1
      ? { text: '1', mark: 'set', detail: 'bit set in the bitmap: to be transferred' }
      : { text: '0', mark: '', detail: 'bit clear in the bitmap' },
});

const rangesSource: Source = {
  column: { kind: 'ranges', title: 'resource', hint: 'resources whose bytes lie in the page' },
  comparable: true,
  at: ({ object }, page) => {
    const here = object.resources.filter(({ offset, size }) =>
      overlaps(page, { from: Math.floor(offset / 4096), to: Math.ceil((offset + size) / 4096) }),
    );
    const parts = here.map(({ name, pending }) =>
      pending.some((run) => overlaps(page, run)) ? `${name} to update` : name,
    );
    const boxes = here.flatMap((resource) =>
      resource.boxes.map((box) => `${resource.name}: box ${boxText(box)}`),
    );
    const text = parts.join(', ');
    return {
      text: text === '' ? '-' : text,
      mark: parts.length > 0 && text.includes(' to update') ? 'pending' : '',
      detail: [text === '' ? 'no resource' : text, ...boxes].join('; '),
    };
  },
};

function pteSource(mapped: MappedObject, comparable: boolean): Source {
  const { mapping, name, start, first, count } = mapped;
  const hint = `page-table entries of ${name}, mapped at ${hex(start)}`;
  return {
    column: { kind: 'pte', title: name, hint },
    comparable,
    at: ({ ptes }, page) => {
      if (page < first || page >= first + count) {
        return { text: '', mark: '', detail: `${name} does not map it` };
      }
      const address = `${name} at ${hex(start + (page - first) * 4096)}`;
      const pte = ptes.get(mapping)?.get(page);
      if (pte === undefined || pte.letters === noLetters) {
        return { text: noLetters, mark: '', detail: `${address}: no entry` };
      }
      const { letters, level, pfn, raw } = pte;
      const huge = level === 'PTE' ? '' : ` ${level}`;
      const entry = huge === '' ? 'entry' : `huge entry of the${huge}`;
      return {
        text: letters + huge,
        mark: '',
        detail: `${address}: ${inWords(letters)}; frame ${hex(pfn)}; ${entry} 0x${raw}`,
      };
    },
  };
}

function tlbSource({ mapping, name }: MappedObject, comparable: boolean): Source {
  return {
    column: { kind: 'tlb', title: 'TLB', hint: `what the TLBs hold of ${name}` },
    comparable,
    at: ({ ptes }, page) => {
      const cached = ptes.get(mapping)?.get(page)?.tlb ?? [];
      const parts = cached.map(({ cpu, letters, standing }) =>
        standing === 'same' ? `cpu${cpu} =` : `cpu${cpu} ${letters} ${standing}`,
      );
      const words = cached.map(
        ({ cpu, letters, standing, pfn }) =>
          `TLB of cpu ${cpu}: ${inWords(letters)}, frame ${hex(pfn)}, ${standings[standing]}`,
      );
      return {
        text: parts.join(', '),
        mark: cached.some(({ standing }) => standing === 'stale') ? 'stale' : '',
        detail: words.length === 0 ? `no TLB holds the page of ${name}` : words.join('; '),
      };
    },
  };
}

const standings = {
  same: 'as memory',
  behind: 'grants less than memory: the next such access walks the tables',
  stale: 'stale: grants what memory does not, until it is flushed',
} as const;

const overlaps = (page: number, { from, to }: Run): boolean => page >= from && page < to;

function facts(object: BufferObject, before: BufferObject | null): Fact[] {
  const old = new Map(before === null ? [] : said(before));
  return said(object).map(([name, value]) => {
    const was = old.get(name);
    return { name, value, was: was === undefined || was === value ? null : was };
  });
}

function said({
  pages,
  placement,
  tracker,
  resources,
  fences,
  reservedBy,
}: BufferObject): [string, string][] {
  const rows: [string, string][] = [
    ['pages', `${pages}`],
    ['placement', placement],
    ['tracker', tracker === null ? 'none' : tracker.method],
  ];
  if (tracker !== null) {
    const { start, end, changeCount, dirty } = tracker;
    rows.push(
      ['dirty pages', `${runPages(dirty)}`],
      ['start..end', start < end ? pagesText(start, end) : 'empty'],
      ['change_count', `${changeCount}`],
    );
  }
  const written = resources.filter(({ resDirty }) => resDirty).map(({ name }) => name);
  if (resources.length > 0) rows.push(['GPU-dirty', written.join(', ') || 'no']);
  rows.push(
    ['fences', fences.length === 0 ? 'none' : fences.join(', ')],
    ['reserved', reservedBy === null ? 'no' : `by ${reservedBy}`],
  );
  return rows;
}

/** The grid as text in columns; neighbouring pages whose cells say the same are one line. */
export function gridText(grid: Grid, stop: string): string {
  const facts = grid.facts.map(
    ({ name, value, was }) => `${name}: ${was === null ? '' : `${was} → `}${value}`,
  );
  const lines = [grid.columns.map(({ title, kind }) => (kind === 'page' ? 'pages' : title))];
  for (let from = 0; from < grid.rows; ) {
    const cells = rowTexts(grid, from);
    let to = from + 1;
    while (to < grid.rows && sameTexts(cells, rowTexts(grid, to))) to++;
    lines.push([pagesText(from, to), ...cells]);
    from = to;
  }
  const widths = grid.columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const table = lines.map((line) =>
    line
      .map((text, i) => text.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  return [`${grid.title}, ${stop}`, ...facts, '', ...table, ''].join('\n');
}

/** The texts of a row but for its number. */
function rowTexts(grid: Grid, row: number): string[] {
  return grid.columns.slice(1).map((_, i) => textOf(grid.cell(row, i + 1)));
}

const sameTexts = (a: readonly string[], b: readonly string[]): boolean =>
  a.every((text, i) => text === b[i]);

/** `0-7` of `runsText` for pages given one by one, in order. */
export function rowsText(rows: readonly number[]): string {
  const runs: { from: number; to: number }[] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last !== undefined && last.to === row) last.to++;
    else runs.push({ from: row, to: row + 1 });
  }
  return runsText(runs);
}
