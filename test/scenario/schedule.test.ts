// Schedules in words: by what happens, not by steps; what does not fit is said with its line, and who could have gone.
import { expect, test } from 'vitest';
import { presets } from '../../src/kernel/variants';
import { loadScenario } from '../../src/scenario/load';
import { outcome } from './outcome';

/** MKWRITE's window: who submits between the note and the entry takes the note away. */
const window = (schedule: string): string => `scenario "window"
machine { cpus 2, tracking mkwrite }
surface a: buffer 2 pages coherent
process app {
  let p = map a
  thread writer on cpu1 {
    submit { draw reads a[0 .. 1] } as first
    wait first
    write p[0 .. 4096] = 7
    submit { draw reads a } as last
    wait last
  }
  thread other on cpu0 {
    submit { draw reads a[4096 .. 4097] } as between
    wait between
  }
}
schedule {
${schedule}
}
`;

const words = `  app until idle
  writer until vmw_bo_vm_mkwrite returns
  other until vmw_execbuf
  gpu until idle`;

test.each(Object.keys(presets))(
  'on %s, words lead to the lost store, whatever steps there are',
  (kernel) => {
    const loaded = loadScenario(window(words), { kernel });
    expect('problems' in loaded ? loaded.problems : []).toEqual([]);
    expect(outcome(window(words), { kernel }).problems).toEqual([
      'R1: the GPU read 0 instead of 7, which the CPU had stored before: page 0 of a, from byte 0 on',
    ]);
  },
);

/** Why a schedule is refused. */
function refusal(schedule: string): readonly string[] {
  const loaded = loadScenario(window(schedule));
  return 'problems' in loaded ? loaded.problems : [];
}

test('what does not fit is told with the line, where it stood, and who could have gone', () => {
  expect(refusal('  app until idle\n  other until vmw_mkwrite')).toEqual([
    expect.stringMatching(
      /^the schedule does not fit, line 20: other cannot go at step \d+: it has ended; who could go: writer$/,
    ),
  ]);
  expect(refusal('  writer until vmw_mkwrite')).toEqual([
    'the schedule does not fit, line 19: writer cannot go at step 0: it waits: start of writer; who could go: app',
  ]);
  expect(refusal('  app until vmw_bo_vm_fualt is called')).toEqual([
    'the schedule does not fit, line 19: there is no function `vmw_bo_vm_fualt` in this machine; did you mean `vmw_bo_vm_fault`?; who could go: app',
  ]);
  expect(refusal('  interrupt cpu1')).toEqual([
    'the schedule does not fit, line 19: no interrupt can come on cpu1 at step 0; who could go: app',
  ]);
});

test('a function is named as it is called through a pointer, too', () => {
  const pointed = words.replace('vmw_bo_vm_mkwrite', 'pfn_mkwrite');
  expect(pointed).not.toBe(words);
  expect(laid(pointed)).toEqual(laid(words));
});

function laid(schedule: string) {
  const loaded = loadScenario(window(schedule));
  return 'schedule' in loaded ? loaded.schedule : loaded.problems;
}

test('an interrupt comes where it is told to, and its handler goes to its end', () => {
  const text = window(`  app until idle
  writer until idle
  gpu until idle
  interrupt cpu0
  writer until vmw_mkwrite
  other for 1 statement`);
  expect(outcome(text).verdict).toBe('holds');
});

test('a choice is made where it is told to be: a TLB that drops an entry walks again, and the store is noted', () => {
  const scenario = (schedule: string): string => `machine {
  tracking pagetable
  with no-clean-flush
}
scenario "x"
surface a: buffer 1 page coherent
process app {
  let p = map a
  thread render on cpu0 {
    write p = 1
    submit { draw reads a } as first
    wait first
    write p = 2
    submit { draw reads a } as second
    wait second
  }
}
schedule {
  app until idle
${schedule}
}
`;
  expect(outcome(scenario('')).verdict).toBe('violated');
  expect(outcome(scenario('  render chooses "is still there"')).verdict).toBe('violated');
  expect(outcome(scenario('  render chooses "has been dropped"')).verdict).toBe('holds');
});
