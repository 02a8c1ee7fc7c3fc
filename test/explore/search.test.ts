// The search over schedules: what it finds that one run does not show, what it says of scenarios that hold, and that
// leaving out the interleavings of private steps loses nothing.
import { describe, expect, test } from 'vitest';
import { searched } from '../../src/explore/report';
import { Search, type SearchOptions, statesMax } from '../../src/explore/search';
import { parseSchedule } from '../../src/routine/schedule';
import { load, outcome } from '../scenario/outcome';
import { windowOfMkwrite as window } from '../scenario/window';

const apart = `scenario "accesses of two threads to one page"
surface a: buffer 1 page coherent
process app {
  let p = map a
  write p = 0
  thread writer on cpu0 {
    write p[0] = 7
  }
  thread reader on cpu1 {
    read p[1] as x
    assert x == 0
  }
}`;

const oneCpu = `scenario "one thread, the device and its interrupts"
machine { cpus 1 }
surface a: buffer 1 page coherent
process app {
  let p = map a
  thread writer on cpu0 {
    write p[0] = 7
    submit { draw reads a[0 .. 1] } as first
    wait first
    assert gpu(a)[0] == 7
  }
}`;

/** The search of a text, gone through. */
function search(text: string, options: SearchOptions = {}): Search {
  const found = new Search(load(text).run, options);
  while (found.state === 'running') found.go(100_000);
  return found;
}

describe('a store that only some orders lose', () => {
  test('the default schedule holds', () => {
    expect(outcome(window).verdict).toBe('holds');
  });

  test('the search finds it with one switch, and the schedule that it prints leads to the same violation', () => {
    const { verdict, found, bound, states } = search(window);
    expect([verdict, found.length, bound]).toEqual(['violated', 1, 1]);
    const [{ problem, schedule, switches }] = found as [(typeof found)[0]];
    expect(problem.message).toBe(
      'the GPU read 0 instead of 7, which the CPU had stored before: page 0 of a, from byte 0 on',
    );
    expect(switches).toBe(1);
    expect(states).toBeLessThan(statesMax / 3); // far from where a search gives up
    expect(outcome(window, { schedule }).problems).toEqual([`R1: ${problem.message}`]);
  });

  test('without a switch no order loses it, and the search says what it left out', () => {
    const found = search(window, { bound: 0 });
    expect(found.verdict).toBe('holds');
    expect(searched(found).slice(1)).toEqual([
      'looked at the orders with at most 0 switches away from who could go on',
      'not searched: orders with more switches',
    ]);
  });

  test('what a schedule lays down comes before the search', () => {
    const schedule = search(window).found[0]?.schedule ?? '';
    const before = parseSchedule(schedule);
    const found = search(window, { schedule: before as never, bound: 0 });
    expect(found.found[0]?.schedule).toBe(schedule);
    expect(found.transitions).toBe((before as unknown[]).length);
  });
});

describe('a scenario that holds', () => {
  test.each([apart, oneCpu])('is looked at in every order: %#', (text) => {
    const found = search(text);
    expect([found.verdict, found.state, found.cut]).toEqual(['holds', 'over', false]);
    expect(searched(found).at(-1)).toBe('looked at every order');
  });

  test('leaves the machine as it stood before', () => {
    const { run } = load(apart);
    const { store, events } = run.engine;
    const before = [store.hash(), events.length, store.clock];
    const found = new Search(run);
    while (found.state === 'running') found.go(100_000);
    expect([store.hash(), events.length, store.clock]).toEqual(before);
  });
});

test.each([
  ['apart', apart],
  ['oneCpu', oneCpu],
  ['racing', apart.replace('p[1]', 'p[0]')],
])(
  'private steps need no interleaving: with it the search of %s finds the same ends and problems, in more states',
  (_name, text) => {
    const [reduced, full] = [search(text), search(text, { full: true })];
    const says = (s: Search) => ({
      verdict: s.verdict,
      found: s.found.map((f) => f.problem.message),
    });
    expect(says(reduced)).toEqual(says(full));
    expect(reduced.states).toBeLessThan(full.states);
  },
);

test('a deadlock is found, with who waits for what', () => {
  const found = search(`scenario "each waits for the other"
process app {
  thread one on cpu0 {
    wait y
    signal x
  }
  thread two on cpu1 {
    wait x
    signal y
  }
}`);
  expect(found.found.map(({ problem }) => problem.message)).toEqual(['nobody can go on']);
});

test('a limit of states ends the search before a verdict', () => {
  const found = search(window, { states: 1000 });
  expect([found.state, found.verdict, found.states]).toEqual(['limit', 'incomplete', 1000]);
  expect(searched(found)).toContain('not searched: the orders behind that limit');
});

test('a search that is stopped says so', () => {
  const found = new Search(load(window).run);
  found.go(500);
  expect([found.state, found.verdict]).toEqual(['running', 'incomplete']);
  expect(searched(found)[1]).toMatch(/^stopped before the end/);
});

test('what a property asks of the past keeps states apart that are alike otherwise', () => {
  const text = `${apart}\nfinally faults.read == 1`;
  const found = search(text);
  expect(outcome(text).verdict).toBe('violated');
  expect(search(text.replace('== 1', '<= 1')).verdict).toBe('holds');
  expect(found.verdict).toBe('violated');
});
