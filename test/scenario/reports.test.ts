// Reports beside the contract that no variant fires, and what must hold of all: docs/reports.md has the others, run both
// ways by zoo.test.ts.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Search } from '../../src/explore/search';
import { dma_resv_add_fence } from '../../src/kernel/drivers/dma-buf/dma-resv';
import { vmw_surface_destroy_ioctl } from '../../src/kernel/drivers/gpu/drm/vmwgfx/vmwgfx_surface';
import type { Routine } from '../../src/routine/routine';
import { Timeline } from '../../src/timeline/timeline';
import { mutated } from '../conform/mutations';
import { load, outcome } from './outcome';

/** Problems with an operation of a routine left out, and without that. */
function without(routine: unknown, at: string, text: string) {
  const mutation = {
    what: `${at} left out`,
    preset: 'series-v2',
    routine: routine as Routine,
    at,
    change: () => [],
    noticed: 'a report',
  } as const;
  return { as: outcome(text).problems, left: mutated(mutation, () => outcome(text)).problems };
}

test('a lock that is still held at the end is a leak', () => {
  const { as, left } = without(
    vmw_surface_destroy_ioctl,
    'spin_unlock(&tfile->lock)',
    `scenario "unlocked too late"
surface a: buffer 1 page
process app {
  thread t on cpu0 {
    destroy a
  }
}`,
  );
  expect(as).toEqual([]);
  expect(left).toContain('leak: t has ended and still holds tfile_lock');
});

test('a reference that was given back twice is told from one that was not given back', () => {
  const { as, left } = without(
    dma_resv_add_fence,
    'dma_fence_get',
    `scenario "a fence on an object"
surface a: buffer 2 pages
process app {
  thread t on cpu0 {
    submit { draw reads a } as done
    wait done
  }
}`,
  );
  expect(as).toEqual([]);
  expect(left).toEqual([
    'leak: vmw_fence_obj 0 counts 1 reference, and 2 are held: one was given back that nobody had, and it is freed too early',
  ]);
});

test('a livelock is found at the same step by bursts, step by step, and again after going back', () => {
  const text = readFileSync('examples/reports/livelock.coh', 'utf8');
  const timelineOf = () => {
    const { run, schedule } = load(text, { with: ['prefault-none'] });
    return new Timeline(run.engine, schedule);
  };
  const found = ({ engine, position }: Timeline) => {
    const events = engine.events.slice().filter(({ name }) => name === 'livelock');
    return { position, events, hash: engine.store.hash() };
  };
  const bursts = timelineOf();
  expect(bursts.runThrough(100_000)).toBe('livelock');
  const there = found(bursts);
  expect(there.events).toHaveLength(1);
  const steps = timelineOf();
  for (let i = 0; i < there.position + 5000; i++) steps.stepForward();
  steps.seek(1000);
  expect(found(steps).events).toEqual([]);
  steps.seek(there.position);
  expect(found(steps)).toEqual(there);
});

test('a search finds a livelock without going round it for long, and none where a holder can still go on', () => {
  const search = (variants: string[]) => {
    const { run, schedule } = load(
      `scenario "two faults at once"
machine { cpus 2 }
surface ring: buffer 1 page coherent
process app {
  let p = map ring
  thread a on cpu0 {
    write p[0] = 1
  }
  thread b on cpu1 {
    write p[1] = 1
  }
}`,
      { with: variants },
    );
    const made = new Search(run, { bound: 1, schedule });
    while (made.state === 'running') made.go(1_000_000);
    return made.found.map(({ problem }) => problem.kind);
  };
  expect(search([])).toEqual([]);
  expect(search(['prefault-none'])).toEqual(['livelock']);
});
