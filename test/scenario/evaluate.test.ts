import { expect, test } from 'vitest';
import { check } from '../../src/scenario/diagnostics';
import { evaluate, type Look } from '../../src/scenario/evaluate';
import { known } from '../../src/scenario/known';

/** A machine that answers with fixed values and notes what it was asked. */
function looking(): { look: Look; asked: string[] } {
  const asked: string[] = [];
  const answer =
    (what: string, value: number) =>
    (...args: readonly unknown[]): number => {
      asked.push(`${what} ${args.map((arg) => JSON.stringify(arg, shorten)).join(' ')}`);
      return value;
    };
  const look: Look = {
    variable: answer('variable', 3),
    counter: answer('counter', 9),
    occurred: (what) => answer('occurred', 1)(what) !== 0,
    behind: answer('behind', 1),
    box: answer('box', 1),
    fence: answer('fence', 0),
    history: () => [
      { index: 4, name: 'vmw_mkwrite', step: 1, task: 0, args: { page: 1, marked: true } },
      { index: 7, name: 'vmw_mkwrite', step: 2, task: 0, args: { page: 3, marked: false } },
    ],
    tracker: answer('tracker', 1),
    mapped: () => ({ start: 0, bytes: 8192 }),
    uniform: answer('uniform', 5),
    same: (left, right) => answer('same', 1)(left, right) !== 0,
    ramps: (bytes, first) => answer('ramps', 1)(bytes, first) !== 0,
    signaled: (family, index) => answer('signaled', 0)(family, index) !== 0,
  };
  return { look, asked };
}

/** Surfaces, variables and families by name. */
function shorten(key: string, value: unknown): unknown {
  if (key !== '' && key !== 'surface' && key !== 'mapping') return value;
  return typeof value === 'object' && value !== null && 'name' in value ? value.name : value;
}

function value(expression: string): { value: number; asked: string[] } {
  const text = `scenario "x"
surface ring: buffer 8KiB
process app {
  let p = map ring
  let n = scans
  thread one on cpu0 {
    submit { draw reads ring } as done
    assert ${expression}
  }
}
`;
  const { scenarios, diagnostics } = check(text, known);
  // What is constant on both sides is said to be so, and evaluated all the same.
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const step = scenarios[0]?.meaning.processes[0]?.threads[0]?.body[1];
  if (step?.kind !== 'assert') throw new Error('no assertion');
  const { look, asked } = looking();
  return { value: evaluate(step.condition, look), asked };
}

test('arithmetic and logic on numbers', () => {
  expect(value('1 + 2 * 3 == 7').value).toBe(1);
  expect(value('7 / 2 == 3 and -7 % 3 == -1').value).toBe(1);
  expect(value('2 pages == 8KiB').value).toBe(1);
  expect(value('not (1 < 2) or 2 >= 2').value).toBe(1);
  expect(value('1 == 2 implies 1 == 3').value).toBe(1);
  expect(value('n * 2 == 6 and n / (n - 3) == 0').value).toBe(1);
});

test('looks go to the machine, with what they ask about', () => {
  expect(value('faults.write == 9').asked).toEqual(['counter "faults.write"']);
  expect(value('violation').asked).toEqual(['occurred "violation"']);
  expect(value('pte(p[4KiB]).dirty').asked).toEqual(['behind "pte" 0 "p" 4096 "dirty"']);
  expect(value('tlb(cpu1, p[0]).frame == 1').asked).toEqual(['behind "tlb" 1 "p" 0 "frame"']);
  expect(value('address(p[1]) == 4').asked).toEqual([expect.stringMatching(/^variable /)]);
  expect(value('box(ring).end == 1').asked).toEqual(['box "ring" 0 "end"']);
  expect(value('tracker(ring).method == mkwrite')).toEqual({
    value: 1,
    asked: ['tracker "ring" "method" '],
  });
  expect(value('tracker(ring[1 page]).dirty').asked).toEqual(['tracker "ring" "dirty" 4096']);
  expect(value('done.signaled')).toEqual({
    value: 0,
    asked: [expect.stringMatching(/^fence .*"signaled"$/)],
  });
});

test('events are counted, and have places and arguments; the condition knows the arguments by name', () => {
  expect(value('events(vmw_mkwrite) == 2').value).toBe(1);
  expect(value('events(vmw_mkwrite, page == n and not marked) == 1').value).toBe(1);
  expect(value('first(vmw_mkwrite) == 5 and last(vmw_mkwrite) == 8').value).toBe(1);
  expect(value('last(vmw_mkwrite).page == 3').value).toBe(1);
  expect(value('last(vmw_mkwrite, page < 2).page == 1').value).toBe(1);
  expect(value('first(vmw_mkwrite, page > 9) == 0').value).toBe(1);
});

test('a range is the byte that all of it holds, and two ranges are compared byte for byte', () => {
  expect(value('gpu(ring)[4KiB ..] == 5')).toEqual({
    value: 1,
    asked: ['uniform {"of":"device","surface":"ring","start":4096,"end":8192}'],
  });
  expect(value('ring[0] == 5').asked).toEqual([
    'uniform {"of":"memory","surface":"ring","start":0,"end":1}',
  ]);
  expect(value('p[n] == 5').asked).toEqual([
    expect.stringMatching(/^variable /),
    expect.stringMatching(/^variable /),
    'uniform {"of":"mapping","mapping":"p","start":3,"end":4}',
  ]);
  expect(value('gpu(ring)[..] == p[..]').asked).toEqual([
    'same {"of":"device","surface":"ring","start":0,"end":8192} {"of":"mapping","mapping":"p","start":0}',
  ]);
});

test('what does not matter is not looked at', () => {
  expect(value('1 == 2 and violation').asked).toEqual([]);
  expect(value('1 == 1 or violation').asked).toEqual([]);
});
