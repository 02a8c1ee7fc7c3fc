// Names of fences: a name that is given again lets go of the fence that had it.
import { expect, test } from 'vitest';
import { Search } from '../../src/explore/search';
import type { Structs } from '../../src/state/layout';
import { Timeline } from '../../src/timeline/timeline';
import { load, outcome } from './outcome';

const scenario = (body: string): string => `scenario "fences"
surface ring: buffer 1 page coherent
process app {
  let p = map ring
  thread render on cpu0 {
    ${body}
  }
}
never race
never violation`;

/** How many handles of fences are in use. */
function handlesInUse(table: Structs['vmw_fpriv']): number {
  let used = 0;
  for (let i = 0; i < table.size; i++) if (table.objects.get(i) !== 0) used++;
  return used;
}

test('500 submissions into one name keep one handle', () => {
  const { run, schedule } = load(
    scenario(`repeat 500 { submit { draw reads ring } as done }
    wait done
    write p[0] = 1`),
  );
  new Timeline(run.engine, schedule).run(() => undefined, 10_000_000);
  expect(run.problems(true)).toEqual([]);
  expect(handlesInUse(run.engine.the('fence_handles', 'vmw_fpriv'))).toBe(1);
});

test('members of a name are let go of one by one', () => {
  const { run, schedule } = load(
    scenario(`repeat 300 as i { submit { draw reads ring } as done[i % 3] }
    wait done[2]
    write p[0] = 1`),
  );
  new Timeline(run.engine, schedule).run(() => undefined, 10_000_000);
  expect(run.problems(true)).toEqual([]);
  expect(handlesInUse(run.engine.the('fence_handles', 'vmw_fpriv'))).toBe(3);
});

test('who waits while the name is given again waits for one of the fences', () => {
  const text = `scenario "two"
machine { cpus 2 }
surface ring: buffer 1 page coherent
process app {
  let p = map ring
  thread render on cpu0 { repeat 8 { submit { draw reads ring } as done } }
  thread other on cpu1 { repeat 8 { wait done } }
}
never violation`;
  expect(outcome(text)).toMatchObject({ verdict: 'holds', problems: [] });
});

test('who sleeps on an array of fences is woken by an interrupt of its own, in whatever order', () => {
  const text = `scenario "an array is waited for on another CPU"
machine { cpus 2 }
surface shared: buffer 1 page coherent
surface other: buffer 1 page coherent
process app {
  thread use on cpu1 {
    submit { draw writes shared = 9 } as written exported
    submit { draw reads other } as looked exported
    attach looked to shared
    export shared as all
    wait all
  }
}
schedule {
  app until idle
  use for 4 statements
}
never violation`;
  const { run, meaning, schedule } = load(text);
  const search = new Search(run, { ...meaning.explore, schedule });
  search.go(1_000_000);
  expect({ verdict: search.verdict, found: search.found }).toEqual({ verdict: 'holds', found: [] });
});
