// Outcomes, as of a litmus test: what may come out at the end of a run, compared with what the search reaches.
import { describe, expect, test } from 'vitest';
import { outcomeLines } from '../../src/explore/report';
import { Search, type SearchOptions } from '../../src/explore/search';
import { load, outcome } from '../scenario/outcome';

/** Each thread stores to its own word and loads the other's; the pages are there already. */
const buffering = (rows: string): string => `scenario "store buffering"
surface flags: buffer 1 page coherent
process app {
  let p = map flags
  write p[0] = 0
  thread one on cpu0 {
    write p[0] = 1
    read p[64] as saw
  }
  thread two on cpu1 {
    write p[64] = 1
    read p[0] as saw
  }
}
outcomes (one.saw, two.saw) {
${rows}
}
`;

/** The device reads while another thread may or may not have told it what was written. */
const flushing = (update: string, rows: string): string => `scenario "flush"
surface plain: buffer 1 page
process app {
  let p = map plain
  write p[0] = 0
  thread writer on cpu0 {
    write p[0] = 5
    submit { ${update}draw reads plain } as done
    wait done
  }
}
outcomes (gpu(plain)[0]) {
${rows}
}
`;

function search(text: string, options: SearchOptions = {}) {
  const { run } = load(text);
  const found = new Search(run, { states: 3_000_000, ...options });
  while (found.state === 'running') found.go(100_000);
  const problems = [...found.found.map(({ problem }) => problem), ...found.missing];
  return {
    verdict: found.verdict,
    outcomes: outcomeLines(found, run).map((line) => line.replace(/; schedule.*/, '')),
    problems: problems.map(({ message, line }) => `${line}: ${message}`),
    found,
  };
}

describe('store buffering, where every access is seen by all at once', () => {
  test('three outcomes are reached, and not the one that a store buffer would allow', () => {
    const { verdict, outcomes, problems, found } = search(
      buffering('allowed (0, 1)\nallowed (1, 0)\nrequired (1, 1)\nforbidden (0, 0)'),
    );
    expect(problems).toEqual([]);
    expect(verdict).toBe('holds');
    expect(outcomes.sort()).toEqual([
      'outcome (0, 1): allowed',
      'outcome (1, 0): allowed',
      'outcome (1, 1): required',
    ]);
    expect([found.state, found.cut]).toEqual(['over', false]);
  });

  test('what is not listed, what is forbidden and what is required and never comes are told', () => {
    const { verdict, problems } = search(
      buffering('allowed (1, 1)\nforbidden (0, 1)\nrequired (0, 0)'),
    );
    expect(verdict).toBe('violated');
    expect(problems.sort()).toEqual([
      '15: (1, 0) is none of the outcomes that are listed',
      '17: (0, 1) is forbidden',
      '18: (0, 0) is required, and no order ends so',
    ]);
  });

  test('the schedule of an outcome leads to it', () => {
    const text = buffering('forbidden (0, 1)');
    const { found } = search(text);
    const [{ problem, schedule }] = found.found as unknown as [(typeof found.found)[0]];
    expect(problem.message).toBe('(0, 1) is forbidden');
    expect(outcome(text, { schedule }).problems).toEqual(['outcome: (0, 1) is forbidden']);
  });

  test('the search that interleaves private steps, too, reaches the same', () => {
    const text = buffering('allowed (0, 1)\nallowed (1, 0)');
    const [reduced, full] = [search(text), search(text, { full: true })];
    expect(reduced.outcomes.sort()).toEqual(full.outcomes.sort());
    expect(reduced.found.states).toBeLessThan(full.found.states);
  });

  test('where all lines forbid, everything else may come out', () => {
    expect(search(buffering('forbidden (0, 0)')).verdict).toBe('holds');
  });
});

test('without a flush the device keeps its old byte in every order, with one it never does', () => {
  expect(search(flushing('', 'required (0)'))).toMatchObject({ verdict: 'holds' });
  expect(search(flushing('update plain, ', 'required (5)'))).toMatchObject({ verdict: 'holds' });
  expect(search(flushing('', 'required (5)')).problems).toEqual([
    '12: (0) is none of the outcomes that are listed',
    '13: (5) is required, and no order ends so',
  ]);
});

test('a single run is judged by its outcome, too, but for what is only required', () => {
  expect(outcome(flushing('', 'allowed (5)')).problems).toEqual([
    'outcome: (0) is none of the outcomes that are listed',
  ]);
  expect(outcome(flushing('', 'allowed (0)\nrequired (5)')).verdict).toBe('holds');
});
