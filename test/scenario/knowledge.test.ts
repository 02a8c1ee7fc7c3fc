// Who starts behind another knows what that one has waited for: threads behind their process, a child behind its fork.
import { expect, test } from 'vitest';
import { outcome } from './outcome';

/** Whether the run ends with a race; nothing else is wrong with it. */
function races(text: string): boolean {
  const { problems } = outcome(text);
  expect(problems.filter((problem) => !problem.startsWith('race'))).toEqual([]);
  return problems.length > 0;
}

const surface = 'surface ring: buffer 1 page coherent';

/** A process that has the GPU write, and a thread of it that loads. */
const scenario = (waits: string): string => `scenario "what a thread knows at its start"
${surface}
process app {
  let p = map ring
  submit { draw writes ring = 5 } as done
  ${waits}
  thread reader on cpu1 {
    read p[0] as x
  }
}
never race`;

test('what a process has waited for, its threads know', () => {
  expect(races(scenario('wait done'))).toBe(false);
  expect(races(scenario(''))).toBe(true);
});

test('what a process has waited for, the processes behind it know', () => {
  const text = (waits: string) => `scenario "the second process"
${surface}
process one {
  submit { draw writes ring = 5 } as done
  ${waits}
}
process two {
  let p = map ring
  thread reader on cpu1 {
    read p[0] as x
  }
}
never race`;
  expect(races(text('wait done'))).toBe(false);
  expect(races(text(''))).toBe(true);
});

test.each(['', 'let q = 1'])('what a parent has waited for, its child knows: %s', (setup) => {
  const text = (waits: string) => `scenario "a child"
${surface}
process app {
  let p = map ring
  thread render on cpu0 {
    submit { draw writes ring = 5 } as done
    ${waits}
    fork child
  }
}
process child forks app {
  ${setup}
  thread worker on cpu1 {
    read p[0] as x
  }
}
never race`;
  expect(races(text('wait done'))).toBe(false);
  expect(races(text(''))).toBe(true);
});
