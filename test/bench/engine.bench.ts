// What the engine costs, against the same work on raw arrays: numbered tables over one Int32Array, without journal
// and hash. Both follow the same schedule and must end in the same state, or nothing is printed.
import { nanoseconds, table } from './measure';
import { RawToy } from './raw';
import { pagesOf, toyOnEngine } from './toy';

const steps = 400_000;
const pages = 16;
const tasks = 4; // a power of two
const markBytes = 20;

/** Lets tasks go at random, `steps` micro-steps in all. */
function runAtRandom(runnable: (task: number) => boolean, step: (task: number) => void): void {
  let seed = 12345;
  for (let i = 0; i < steps; ) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    const task = (seed >>> 16) & (tasks - 1);
    if (!runnable(task)) continue;
    step(task);
    i++;
  }
}

function forward(): void {
  const engine = toyOnEngine(pages, -1);
  const { store, cpus } = engine;
  const start = store.mark();
  const restart = () => {
    store.rollback(start);
    store.mark();
  };
  let raw = new RawToy(pages, -1);
  const rawRestart = () => {
    raw = new RawToy(pages, -1);
  };
  const schedule = new Uint8Array(steps);
  let recorded = 0;
  runAtRandom(
    (task) => raw.runnable(task),
    (task) => {
      schedule[recorded++] = task;
      raw.step(task);
    },
  );

  const followed = nanoseconds(
    steps,
    () => {
      for (let i = 0; i < steps; i++) engine.step(cpus + schedule[i]!);
    },
    restart,
  );
  const bytes = (store.journalBytes - markBytes) / steps;
  if (JSON.stringify(raw.columns()) !== JSON.stringify(pagesOf(engine, pages))) {
    throw new Error('the raw toy and the engine end in different states');
  }
  const rawFollowed = nanoseconds(
    steps,
    () => {
      for (let i = 0; i < steps; i++) raw.step(schedule[i]!);
    },
    rawRestart,
  );
  const chosen = nanoseconds(
    steps,
    () =>
      runAtRandom(
        (task) => engine.runnable(cpus + task),
        (task) => engine.step(cpus + task),
      ),
    restart,
  );
  const rawChosen = nanoseconds(
    steps,
    () =>
      runAtRandom(
        (task) => raw.runnable(task),
        (task) => raw.step(task),
      ),
    rawRestart,
  );
  const marked = () => {
    for (let i = 0; i < steps; i++) {
      store.mark();
      engine.step(cpus + schedule[i]!);
      void store.hashLow; // brings the hash up to date
    }
  };
  const hashed = nanoseconds(steps, marked, restart);
  const back = nanoseconds(
    steps,
    () => {
      for (let mark = steps; mark > 0; mark--) store.rollback(mark);
    },
    () => {
      restart();
      marked();
    },
  );
  const copy = raw.cells.slice();
  const rawBack = nanoseconds(20_000, () => {
    for (let i = 0; i < 20_000; i++) raw.cells.set(copy);
  });

  const row = (what: string, ns: number, rawNs: number) => [
    what,
    `${ns.toFixed(0)} ns`,
    `${rawNs.toFixed(0)} ns`,
    (ns / rawNs).toFixed(2),
  ];
  table(`Micro-steps: ${steps} of a random schedule, ${store.cells.length} cells`, [
    ['', 'engine', 'raw arrays', 'times'],
    row('forward, choosing who goes', chosen, rawChosen),
    row('forward, a recorded schedule', followed, rawFollowed),
    row('  with a mark and the hash each', hashed, rawFollowed),
    row('one step back (raw: all cells copied)', back, rawBack),
    ['bytes of journal a step', bytes.toFixed(1), '', ''],
  ]);
}

/** What a depth-first search needs of a machine. `Point` is what leads back to a state. */
interface Searched<Point> {
  readonly agents: number;
  runnable(agent: number): boolean;
  step(agent: number): void;
  here(): Point;
  back(to: Point): void;
  /** True when the state was not seen before. */
  isNew(): boolean;
}

function search<Point>(machine: Searched<Point>, statesMax: number): number {
  let states = machine.isNew() ? 1 : 0;
  const visit = () => {
    for (let agent = 0; agent < machine.agents && states < statesMax; agent++) {
      if (!machine.runnable(agent)) continue;
      const point = machine.here();
      machine.step(agent);
      if (machine.isNew()) {
        states++;
        visit();
      }
      machine.back(point);
    }
  };
  visit();
  return states;
}

/** Pairs of 32-bit words, by open addressing; about 24 bytes an entry. */
class Visited {
  private readonly mask = (1 << 21) - 1;
  private readonly words = new Int32Array(2 << 21);

  add(lo: number, hi: number): boolean {
    for (let i = lo & this.mask; ; i = (i + 1) & this.mask) {
      const [a, b] = [this.words[2 * i]!, this.words[2 * i + 1]!];
      if (a === lo && b === hi) return false;
      if (a === 0 && b === 0) {
        this.words[2 * i] = lo;
        this.words[2 * i + 1] = hi;
        return true;
      }
    }
  }
}

function searchEngine(statesMax: number): number {
  const engine = toyOnEngine(2, 2);
  const { store } = engine;
  const visited = new Visited();
  return search(
    {
      agents: engine.agents,
      runnable: (agent) => engine.runnable(agent),
      step: (agent) => engine.step(agent),
      here: () => store.mark(),
      back: (mark) => store.rollback(mark),
      isNew: () => visited.add(store.hashLow, store.hashHigh),
    },
    statesMax,
  );
}

function searchRaw(statesMax: number): number {
  const raw = new RawToy(2, 2);
  const visited = new Visited();
  return search(
    {
      agents: tasks,
      runnable: (task) => raw.runnable(task),
      step: (task) => raw.step(task),
      here: () => raw.cells.slice(),
      back: (cells: Int32Array) => raw.cells.set(cells),
      isNew: () => {
        let lo = 1;
        let hi = 2;
        for (const cell of raw.cells) {
          lo = Math.imul(lo ^ cell, 0x01000193);
          hi = Math.imul(hi + cell, 0x85ebca6b) ^ (hi >>> 13);
        }
        return visited.add(lo, hi);
      },
    },
    statesMax,
  );
}

function explored(): void {
  const rate = (run: (statesMax: number) => number, statesMax: number) => {
    let states = 0;
    const ns = nanoseconds(1, () => {
      states = run(statesMax);
    });
    return { states, text: `${((states / ns) * 1e3).toFixed(3)} M/s` };
  };
  const engine = rate(searchEngine, 300_000);
  const raw = rate(searchRaw, 10_000);
  table('States, depth first with a visited set (raw: copied and hashed whole)', [
    ['', 'engine', 'raw arrays'],
    ['states', `${engine.states}`, `${raw.states}`],
    ['states a second', engine.text, raw.text],
  ]);
}

function contents(): void {
  const { store } = toyOnEngine(1, 1);
  const { blocks } = store;
  const asBlocks = store.region('page as blocks').base;
  const asCells = store.region('page as cells').base;
  const rounds = 2000;
  /** `copy` first fills the page that it copies, outside of the measured part. */
  const measure = (
    what: 'fill' | 'copy',
    at: number,
    cells: number,
    value: (n: number) => number,
  ) => {
    let mark = store.mark();
    return nanoseconds(
      rounds,
      () => {
        for (let n = 0; n < rounds; n++) {
          const undo = store.mark();
          for (let i = 0; i < cells; i++) {
            store.write(at + i, what === 'fill' ? value(n) : store.read(at + cells + i));
          }
          store.rollback(undo);
        }
      },
      () => {
        store.rollback(mark);
        mark = store.mark();
        for (let i = 0; i < cells; i++) store.write(at + cells + i, value(i));
      },
    );
  };
  const word = (n: number) => Math.imul((n & 127) + 1, 0x01010101);
  const block = (n: number) => blocks.filled((n & 127) + 1);
  const us = (ns: number) => `${(ns / 1000).toFixed(2)} µs`;
  const raw = new Int32Array(2048);
  const rawFill = nanoseconds(rounds, () => {
    for (let n = 0; n < rounds; n++) raw.fill(word(n), 0, 1024);
  });
  const rawCopy = nanoseconds(rounds, () => {
    for (let n = 0; n < rounds; n++) raw.copyWithin(0, 1024, 2048);
  });
  table('A page of 4096 bytes, with its undo', [
    ['', '16 blocks', '1024 cells', 'raw, no undo'],
    [
      'fill',
      us(measure('fill', asBlocks, 16, block)),
      us(measure('fill', asCells, 1024, word)),
      us(rawFill),
    ],
    [
      'copy',
      us(measure('copy', asBlocks, 16, block)),
      us(measure('copy', asCells, 1024, word)),
      us(rawCopy),
    ],
  ]);
}

forward();
explored();
contents();
