// Bursts on a timeline: a run in bursts is the run in micro-steps, and each of its positions can be gone to.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  _PAGE_ACCESSED,
  _PAGE_DIRTY,
  _PAGE_PRESENT,
  _PAGE_RW,
  _PAGE_SPECIAL,
  _PAGE_USER,
} from '../../src/hardware/pte';
import { Timeline } from '../../src/timeline/timeline';
import { Walks } from '../kernel/walks';

const pages = 1500;

/** A machine about to clean 1500 entries, every third of them dirty. */
function made(): Timeline {
  const walks = new Walks({
    preset: 'linux-6.1',
    pages,
    tables: 8,
    mappings: [{ process: 0, address: 2 ** 36 + 300 * 4096, page: 0, pages }],
    walk: { helper: 'clean', first: 0, nr: pages },
  });
  const clean = _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED | _PAGE_SPECIAL | _PAGE_RW;
  for (let page = 0; page < pages; page++) {
    walks.set(0, page, page % 3 === 0 ? clean | _PAGE_DIRTY : clean);
  }
  return new Timeline(walks.k);
}

/** Everything about a position, what its last step wrote included. */
function moment(t: Timeline) {
  const { store, events } = t.engine;
  const wrote: [number, number][] = [];
  t.wrote((cell, before) => wrote.push([cell, before]));
  return {
    position: t.position,
    hash: store.hash(),
    clock: store.clock,
    events: events.length,
    cells: store.cells.slice(),
    wrote,
  };
}

const steps = 5000;

test('a run in bursts is the run in micro-steps: cells, schedule and length', () => {
  const [inSteps, inBursts] = [made(), made()];
  inSteps.run(() => undefined, 1e6);
  expect(inBursts.runThrough(1e6)).toBe('end');
  expect(inBursts.end).toBe(inSteps.end);
  expect(inBursts.schedule()).toBe(inSteps.schedule());
  expect(moment(inBursts)).toEqual(moment(inSteps));
});

test('in the middle of it, a run in bursts has a shorter journal', () => {
  const [inSteps, inBursts] = [made(), made()];
  inSteps.run(() => undefined, 2000);
  inBursts.runThrough(2000);
  expect(inBursts.position).toBe(inSteps.position);
  expect(inBursts.bytes).toBeLessThan(inSteps.bytes);
});

test('it ends after as many steps as it may make', () => {
  const t = made();
  expect(t.runThrough(steps)).toBe('budget');
  expect(t.position).toBe(steps);
});

test('every position within a burst is reached, with what its last step wrote', () => {
  const [inSteps, inBursts] = [made(), made()];
  inSteps.run(() => undefined, 1e6);
  inBursts.runThrough(1e6);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: inSteps.end }), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (positions, again) => {
        for (const position of positions) {
          inSteps.seek(position);
          inBursts.seek(position);
          expect(moment(inBursts)).toEqual(moment(inSteps));
          expect(inBursts.back()).toBe(inSteps.back());
          expect(inBursts.engine.store.hash()).toBe(inSteps.engine.store.hash());
        }
        if (again) inBursts.seek(inBursts.end);
      },
    ),
    { numRuns: 20 },
  );
});

test('the last step of a burst that just ended can be asked for, and gone back over', () => {
  const [inSteps, inBursts] = [made(), made()];
  inSteps.run(() => undefined, steps);
  inBursts.runThrough(steps);
  expect(moment(inBursts)).toEqual(moment(inSteps));
  inSteps.back();
  inBursts.back();
  expect(moment(inBursts)).toEqual(moment(inSteps));
});
