// Submissions that meet where they reserve, in whole scenarios: what is said of who waits, signals, objects that are named
// twice, and orders drawn by chance. The lists alone: test/kernel/tickets.test.ts.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Choice } from '../../src/routine/schedule';
import { load, outcome } from './outcome';

const crossing = readFileSync('examples/several-cpus/crossing-submissions.coh', 'utf8');
const crossed = readFileSync('examples/reports/crossed-reservations.coh', 'utf8');

const kernelName = 'series-v2';

const deadlock = (variant: string): string | undefined =>
  outcome(crossed, { with: [variant] }).problems.find((problem) => problem.startsWith('deadlock'));

test('a deadlock says whose object each waits for, and under which tickets', () => {
  expect(deadlock('no-tickets')).toBe(
    'deadlock: nobody can go on: one waits for dma_resv of b, which two holds, ' +
      'two waits for dma_resv of a, which one holds',
  );
  expect(deadlock('backoff-keeps')).toBe(
    'deadlock: nobody can go on: one waits for dma_resv of b under ticket 1, which two holds under ticket 2',
  );
});

/** The scenario with another thread, and another schedule. */
const withSignal = (who: string, moment: readonly string[]): string =>
  crossing
    .replace('cpus 2', 'cpus 3')
    .replace(
      '\n}\n\nschedule',
      `\n\n  thread sender on cpu2 {\n    kill ${who}\n  }\n}\n\nschedule`,
    )
    .replace(/schedule \{[^}]*\}/, `schedule {\n${moment.join('\n')}\n}`)
    .replace(/finally events\(ttm_eu_backoff\).*\n/, '');

const oneHasA = ['app until idle', 'one until ttm_eu_reserve_buffers is called', 'one for 2 steps'];

test.each([
  ['who waits for what it could not get', 'two', [...oneHasA, 'two until idle'], 2],
  [
    'who waits for a younger one, with something reserved',
    'one',
    [...oneHasA, 'two until ttm_eu_reserve_buffers is called', 'two for 2 steps', 'one until idle'],
    1, // its second ticket is the younger one
  ],
])('a signal to %s: all is let go of, and it is done again', (_, who, moment, gaveWay) => {
  const text = withSignal(who, [...moment, 'sender until idle', `${who} until idle`]);
  const { verdict, problems, events } = outcome(text);
  expect({ verdict, problems }).toEqual({ verdict: 'holds', problems: [] });
  expect(events({ ttm_eu_backoff: '' })).toHaveLength(gaveWay);
});

test('two surfaces in one object are one reservation', () => {
  const { verdict, problems, events } = outcome(`scenario "named twice"
machine { with reserve-outside-mutex }
surface a: buffer 1 page coherent
surface b: buffer 1 page coherent in a offset 1 page
process app {
  let p = map a
  let q = map b
  thread t on cpu0 {
    write p[0] = 1
    write q[0] = 2
    submit {
      draw reads a
      draw reads b
    } as done
    wait done
    assert gpu(a[0]) == 1 and gpu(b[0]) == 2
  }
}`);
  expect({ verdict, problems }).toEqual({ verdict: 'holds', problems: [] });
  expect(events({ vmw_bo_dirty_scan: '' })).toHaveLength(1); // once for the object
});

/** Linux 6.1, where `two` needs the room of `a`, which `one` has reserved: what became of the submission of `two`. */
const roomOfAnother = (schedule: readonly string[]): string => {
  const { verdict, problems } = outcome(`scenario "room of another"
machine { kernel linux-6.1, cpus 2, mobs 1 page, with reserve-outside-mutex }
surface a: buffer 1 page
surface b: buffer 1 page
process app {
  thread one on cpu0 {
    submit { draw reads a } as moved
    wait moved
    submit { draw reads a } as first
    wait first
  }
  thread two on cpu1 {
    submit { draw reads b } as second else refused
    assert refused == 0
    if refused == 0 { wait second }
  }
}
schedule {
  app until idle
  one until idle
  gpu until idle
  interrupt cpu0
  ${schedule.join('\n')}
}`);
  return [verdict, ...problems].join(', ');
};
const oneReserves = ['one until ttm_eu_reserve_buffers returns'];

test('who needs the room of an object that a younger ticket has waits for it', () => {
  expect(
    roomOfAnother([
      'two until ttm_eu_reserve_buffers is called',
      'two for 1 step',
      ...oneReserves,
      'two until ttm_mem_evict_wait_busy is called',
      'two until idle',
      'one until idle',
    ]),
  ).toBe('holds');
});

test('who needs the room of an object that an older ticket has is refused', () => {
  expect(roomOfAnother([...oneReserves, 'two until idle'])).toBe(
    'violated, assertion: assert refused == 0 does not hold: refused is 12',
  );
});

describe.each([
  ['series-v2', []],
  ['linux-6.1', ['bz-53']],
])('orders drawn by chance, %s', (kernel, without) => {
  const text = crossing
    .replace(kernelName, kernel)
    .replace(/one for 2 steps\n.*\n.*\n/, 'two until ttm_eu_reserve_buffers is called\n')
    .replace(/finally events.*\n/, '');

  /** How often somebody gave way. */
  function shuffled(seed: number): number {
    const { run, schedule } = load(text, { without });
    const { engine } = run;
    for (const { agent, branch } of schedule as readonly Choice[]) engine.step(agent, branch);
    let state = seed;
    for (;;) {
      const agents = Array.from({ length: engine.agents }, (_, a) => a).filter((a) =>
        engine.runnable(a),
      );
      if (agents.length === 0) break;
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      engine.step(agents[(state >>> 8) % agents.length]!);
    }
    expect([seed, run.problems(true)]).toEqual([seed, []]);
    return engine.events.slice().filter(({ name }) => name === 'ttm_eu_backoff').length;
  }

  test('all is coherent, and somebody gives way now and then', () => {
    const gaveWay = Array.from({ length: 8 }, (_, seed) => shuffled(seed));
    expect(Math.max(...gaveWay)).toBeGreaterThan(0);
  });
});
