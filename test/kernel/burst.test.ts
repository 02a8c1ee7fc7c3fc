// Bursts of the walks of the dirty helpers leave what their micro-steps leave: every cell, of state, contents and history,
// the hash, the events and the number of steps. Over random tables, both generations of the helpers.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CALL_FUNCTION_VECTOR, store } from '../../src/hardware/cpu';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_PRESENT,
  _PAGE_PROTNONE,
  _PAGE_PSE,
  _PAGE_RW,
  _PAGE_SPECIAL,
  _PAGE_USER,
  PAGE_SIZE,
} from '../../src/hardware/pte';
import { ptl } from '../../src/kernel/mm/range';
import { Checker } from '../../src/routine/check';
import type { Engine } from '../../src/routine/engine';
import { take } from '../../src/routine/locks';
import { defaultAgent } from '../../src/routine/schedule';
import type { LoggedEvent } from '../../src/state/events';
import { Walks, type WalksOptions } from './walks';

const pages = 1400;
const presets = ['series-v2', 'linux-6.1'] as const;
const helpers = ['wrprotect', 'clean'] as const;

/** Everything there is to a moment. */
interface Moment {
  readonly cells: Int32Array;
  readonly hash: string;
  readonly steps: number;
  readonly events: readonly LoggedEvent[];
}

const momentOf = (k: Engine): Moment => ({
  cells: k.store.cells.slice(),
  hash: k.store.hash(),
  steps: k.steps,
  events: k.events.slice(),
});

/** Where two moments differ, or ''. */
function difference({ store }: Engine, one: Moment, other: Moment): string {
  const at = one.cells.findIndex((value, i) => value !== other.cells[i]);
  if (at >= 0) {
    const { name, base } = store.regions.find((r) => at >= r.base && at < r.base + r.cells)!;
    return `cell ${at - base} of ${name}: ${one.cells[at]} and ${other.cells[at]}`;
  }
  if (one.steps !== other.steps) return `${one.steps} and ${other.steps} steps`;
  if (one.hash !== other.hash) return 'hashes';
  return JSON.stringify(one.events) === JSON.stringify(other.events) ? '' : 'events';
}

/** What is at each table of a mapping. */
const contents = fc.constantFrom('no table', 'nothing', 'clean', 'few', 'half', 'all', 'any');
type Contents = typeof contents extends fc.Arbitrary<infer T> ? T : never;

const mapping = fc.record({
  process: fc.integer({ min: 0, max: 1 }),
  // Before a border of tables, now and then of PMD tables.
  before: fc.integer({ min: 0, max: 700 }),
  farBorder: fc.boolean(),
  page: fc.integer({ min: 0, max: 300 }),
  pages: fc.integer({ min: 1, max: 1100 }),
  tables: fc.array(contents, { minLength: 4, maxLength: 4 }),
  huge: fc.integer({ min: 0, max: 40 }), // the number of the table in whose place a huge entry is
});

const world = fc.record({
  mappings: fc.array(mapping, { minLength: 1, maxLength: 4 }),
  first: fc.integer({ min: 0, max: 500 }),
  nr: fc.integer({ min: 1, max: 1400 }),
  seed: fc.integer(),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

const gib = 2 ** 30;

/** The machine of a world, its tables filled. */
function walksOf(
  { mappings, first, nr, seed }: World,
  options: Pick<WalksOptions, 'preset' | 'others'> & { helper: 'wrprotect' | 'clean' },
): Walks {
  const { helper, ...rest } = options;
  const mapped = mappings.map((m, i) => ({
    process: i === 0 ? 0 : m.process,
    address: (64 + i) * gib + (m.farBorder ? gib : gib / 2) - m.before * PAGE_SIZE,
    page: m.page,
    pages: m.pages,
  }));
  const walk = { helper, first, nr: Math.min(nr, pages - first) };
  const walks = new Walks({ ...rest, pages, tables: 8 * mapped.length, mappings: mapped, walk });
  let state = seed;
  const draw = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    return (state >>> 9) % n;
  };
  mapped.forEach(({ address, page, pages }, m) => {
    const tables = new Set<number>();
    for (let p = page; p < page + pages; p++) {
      const place = Math.floor((address / PAGE_SIZE + (p - page)) / 512);
      tables.add(place);
      const number = tables.size - 1;
      if (mappings[m]!.huge === number) {
        walks.set(m, p, _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_PSE, 2);
        continue;
      }
      const what = mappings[m]!.tables[number % 4]!;
      if (what !== 'no table') walks.set(m, p, entryOf(what, draw));
    }
  });
  walks.k.store.settle();
  return walks;
}

function entryOf(what: Contents, draw: (n: number) => number): number {
  const clean = _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED | _PAGE_SPECIAL;
  const written = clean | _PAGE_RW | _PAGE_DIRTY;
  if (what === 'nothing') return 0;
  if (what === 'clean') return clean;
  if (what === 'few') return draw(40) === 0 ? written : clean;
  if (what === 'half') return draw(2) === 0 ? written : clean;
  if (what === 'all') return written;
  return draw(5) === 0
    ? 0
    : (draw(2) === 0 ? clean : _PAGE_PROTNONE | _PAGE_ACCESSED | _PAGE_SPECIAL) |
        (draw(2) * _PAGE_RW) |
        (draw(2) * _PAGE_DIRTY);
}

/** Lets the walking thread run to the end, or until it waits; returns how many pieces that took. */
function runWalk(walks: Walks, room: () => number): number {
  const { k, agent } = walks;
  let pieces = 0;
  while (!walks.isDone && k.runnable(agent)) {
    k.burst(agent, room());
    pieces++;
  }
  return pieces;
}

/** One micro-step at a time. */
function runSteps(walks: Walks): void {
  while (!walks.isDone && walks.k.runnable(walks.agent)) walks.k.step(walks.agent);
}

/** Both ways from one moment; fails where they differ or where going back does not lead to that moment. */
function compare(walks: Walks, run: (walks: Walks) => void): number {
  const { k } = walks;
  const { store } = k;
  const before = momentOf(k);
  const mark = store.mark();
  runSteps(walks);
  const bySteps = momentOf(k);
  store.rollback(mark);
  store.mark();
  run(walks);
  expect(difference(k, bySteps, momentOf(k))).toBe('');
  store.rollback(mark);
  expect(difference(k, before, momentOf(k))).toBe('');
  return bySteps.steps - before.steps;
}

describe.each(presets)('%s', (preset) => {
  test.each(helpers)('%s: bursts leave every cell that the micro-steps leave', (helper) => {
    let all = 0;
    let pieces = 0;
    fc.assert(
      fc.property(world, (w) => {
        const walks = walksOf(w, { preset, helper });
        all += compare(walks, () => {
          pieces += runWalk(walks, () => Number.POSITIVE_INFINITY);
        });
      }),
      { numRuns: 25 },
    );
    expect(all / pieces).toBeGreaterThan(10); // they are bursts
  });

  test.each(helpers)('%s: bursts stay within the room they are given', (helper) => {
    const rooms = fc.array(fc.constantFrom(1, 3, 9, 100, 2000, 5000), { minLength: 1 });
    fc.assert(
      fc.property(world, rooms, (w, given) => {
        const walks = walksOf(w, { preset, helper });
        const { k, agent } = walks;
        compare(walks, () => {
          for (let i = 0; !walks.isDone && k.runnable(agent); i++) {
            const room = given[i % given.length]!;
            const begin = k.steps;
            const made = k.burst(agent, room);
            expect(k.steps - begin).toBe(made);
            expect(made).toBeGreaterThan(0);
            expect(made).toBeLessThanOrEqual(room);
          }
        });
      }),
      { numRuns: 12 },
    );
  });

  test.each(helpers)(
    '%s: beside another busy CPU the default schedule comes to the same',
    (helper) => {
      const others: WalksOptions['others'] = (b) =>
        Array.from({ length: 8 }, () =>
          b.statement(undefined, [
            b.call(store, (f) => ({
              address: f.at,
              length: 1,
              user: true,
              unique: false,
              value: 1,
            })),
          ]),
        );
      fc.assert(
        fc.property(world, (w) => {
          const walks = walksOf(w, { preset, helper, others });
          const { k } = walks;
          const end = k.steps + 15_000; // some of these stores fault for ever
          const run = (step: (agent: number) => void): Moment => {
            const mark = k.store.mark();
            for (let a = defaultAgent(k); a >= 0 && k.steps < end; a = defaultAgent(k)) step(a);
            const last = momentOf(k);
            k.store.rollback(mark);
            return last;
          };
          const bySteps = run((agent) => k.step(agent));
          const inBursts = run((agent) => k.burst(agent, end - k.steps));
          expect(difference(k, bySteps, inBursts)).toBe('');
        }),
        { numRuns: 12 },
      );
    },
  );
});

const plain: World = {
  mappings: [
    {
      process: 0,
      before: 512,
      farBorder: false,
      page: 0,
      pages: 1024,
      tables: ['half', 'half', 'half', 'half'],
      huge: 40,
    },
  ],
  first: 0,
  nr: 1024,
  seed: 1,
};

/** The most micro-steps that were made at once. */
function longest(walks: Walks): number {
  let most = 0;
  while (!walks.isDone && walks.k.runnable(walks.agent)) {
    most = Math.max(most, walks.k.burst(walks.agent, Number.POSITIVE_INFINITY));
  }
  return most;
}

test.each(presets)('%s: two whole tables are one burst, once their lock is no news', (preset) => {
  // To lockdep the lock of the first table is: it is taken by a step, and then the entries of that table go at once.
  const [mapping] = plain.mappings as [(typeof plain.mappings)[0]];
  const two = { ...plain, mappings: [mapping, { ...mapping, process: 1 }] };
  const walks = walksOf(two, { preset, helper: 'clean', others: () => [] });
  expect(longest(walks)).toBeGreaterThan(2 * 512 * 4);
});

describe('there is no burst', () => {
  const ready = () => walksOf(plain, { preset: 'linux-6.1', helper: 'clean' });

  test('while an interrupt is pending on the CPU, masked or not', () => {
    const walks = ready();
    walks.k.raise(0, CALL_FUNCTION_VECTOR);
    expect(longest(walks)).toBe(1);
  });

  test('but one where it is pending on another', () => {
    const two = { ...plain, mappings: [plain.mappings[0]!, { ...plain.mappings[0]!, process: 1 }] };
    const walks = walksOf(two, { preset: 'linux-6.1', helper: 'clean', others: () => [] });
    walks.k.raise(1, CALL_FUNCTION_VECTOR);
    let most = 0;
    for (let i = 0; i < 100; i++) most = Math.max(most, walks.k.burst(walks.agent, 1e9));
    expect(most).toBeGreaterThan(1000);
  });

  test('while something is looked at after every step', () => {
    const walks = ready();
    let looks = 0;
    walks.k.afterStep.push(() => looks++);
    const before = walks.k.steps;
    expect(longest(walks)).toBe(1);
    expect(looks).toBe(walks.k.steps - before);
  });

  test('while accesses are checked', () => {
    const walks = ready();
    walks.k.checker = new Checker();
    expect(longest(walks)).toBe(1);
  });

  test('beyond a table whose lock is taken, at which the walk waits as it would otherwise', () => {
    const walks = ready();
    const { k } = walks;
    const taken = ptl(k, k.view('pte_t', walks.entry(0, 700)));
    take(k.store, taken, 'write', 1, 0);
    k.store.settle();
    compare(walks, () => runWalk(walks, () => Number.POSITIVE_INFINITY));
    longest(walks);
    expect(k.blocked(0)).toMatchObject({ by: 'lock', at: taken.at });
  });
});
