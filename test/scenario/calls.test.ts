// System calls of a scenario and what the contract makes of them: names follow what moves, children know what their
// parents named, errors are values; and none of it breaks a rule of routines.
import { describe, expect, test } from 'vitest';
import { variantSet } from '../../src/kernel/variants';
import { composeRun } from '../../src/scenario/compose';
import { stepsMax } from '../../src/scenario/run';
import { Timeline } from '../../src/timeline/timeline';
import { load, outcome } from './outcome';

const scenario = (thread: string, more = ''): string => `scenario "calls"
surface ring: buffer 8 pages coherent
process app {
  let p = map ring at 0x10000000
  thread render on cpu0 {
${thread}
  }
}
${more}`;

/** The verdict and what was found, with every access held to the rules of routines. */
function checked(text: string): { problems: readonly string[]; broken: readonly string[] } {
  const { meaning, checked } = load(text);
  const run = composeRun(meaning, checked.sources, variantSet('series-v2'), true);
  const ended = new Timeline(run.engine).run(() => undefined, stepsMax) === 'end';
  const problems = run.problems(ended).map(({ kind, message }) => `${kind}: ${message}`);
  return { problems, broken: run.engine.checker?.broken.map(({ message }) => message) ?? [] };
}

test('a mapping that moves takes its bytes, its entries and its name along', () => {
  const text = scenario(`
    write p = 5
    let q = remap p[4 pages .. 8 pages] at 0x20000000
    remap p[0 .. 4 pages] at 0x30000000 as r
    write q[0] = 6
    assert r[0] == 5 and q[0] == 6 and ring[4 pages] == 6
    assert pte(q[1 page]).dirty
    read p[0] else signal
    assert signal == SIGSEGV
    submit { draw reads ring } as done
    wait done
    assert gpu(ring)[4 pages] == 6 and gpu(ring)[7 pages] == 5`);
  expect(checked(text)).toEqual({ problems: [], broken: [] });
});

test('a store that is lost after a move is found', () => {
  const text = scenario(`
    submit { draw reads ring } as first
    wait first
    remap p at 0x20000000
    write p[0] = 1
    submit { draw reads ring } as second
    wait second`).replace(
    'surface',
    'machine { tracking mkwrite, with mkwrite-marks-nothing }\nsurface',
  );
  const { verdict, problems } = outcome(text);
  expect(verdict).toBe('violated');
  expect(problems).toEqual([
    'R1: the GPU read 0 instead of 1, which the CPU had stored before: page 0 of ring, from byte 0 on',
  ]);
});

test('a mapping at a fixed address takes the place of another', () => {
  const text = scenario(`
    write p = 1
    let q = map ring[4 pages .. 6 pages] at 0x10001000
    write p[1 page] = 9 // page 4 of the surface
    submit { draw reads ring } as done
    wait done
    assert gpu(ring)[4 pages] == 9 and gpu(ring)[1 page] == 1`);
  expect(checked(text)).toEqual({ problems: [], broken: [] });
});

describe('an error of a system call', () => {
  test.each([
    ['protect p[0 .. 1 page] readonly', 'mprotect', ''],
    ['advise p dofork', 'madvise', '-EINVAL'],
    ['advise p populate_write', 'madvise', '-EINVAL'],
    ['remap p at 0x10001000', 'mremap', '-EINVAL'],
    ['let q = map ring at 0x7ffffffff000', 'mmap', '-EINVAL'],
  ])('%s: %s %s', (statement, call, error) => {
    const expected = error === '' ? [] : [`error: ${call} failed with ${error}`];
    expect(outcome(scenario(statement)).problems).toEqual(expected);
    const named = scenario(`${statement} else why
    assert why == ${error === '' ? '0' : error.slice(1)}`);
    expect(outcome(named).problems).toEqual([]);
  });
});

const child = `process child forks app {
  thread worker on cpu1 {
    assert p[0] == 1
    write p[1 page] = 2
    signal written
    wait go
    exit
  }
}`;

describe('a child', () => {
  test('has the mappings of its parent, under their names, and counts for the contract', () => {
    const text = scenario(
      `
    write p[0] = 1
    fork child
    wait written
    submit { draw reads ring } as done
    wait done
    assert gpu(ring)[0] == 1 and gpu(ring)[1 page] == 2
    signal go`,
      child,
    );
    expect(checked(text)).toEqual({ problems: [], broken: [] });
  });

  test('that exits before the submission takes the dirty bits of its stores along', () => {
    const text = scenario(
      `
    write p[0] = 1
    signal go
    fork child
    wait written
    repeat 200 { let n = p[0] }
    submit { draw reads ring } as done
    wait done`,
      child,
    );
    expect(outcome(text).problems).toEqual([
      'R1: the GPU read 0 instead of 2, which the CPU had stored before: page 1 of ring, from byte 4096 on',
    ]);
  });

  test('does not have what was kept from it', () => {
    const text = scenario(
      `
    write p[0] = 1
    advise p dontfork
    fork child`,
      `process child forks app {
  thread worker on cpu1 {
    read p[0] else signal
    assert signal == SIGSEGV
    exit
  }
}`,
    );
    expect(checked(text)).toEqual({ problems: [], broken: [] });
  });

  test('that nobody forked in this run is no deadlock', () => {
    const text = scenario(
      `
    read p[0] as x
    if x == 1 { fork child }
    signal go`,
      child,
    );
    expect(outcome(text).verdict).toBe('holds');
  });
});
