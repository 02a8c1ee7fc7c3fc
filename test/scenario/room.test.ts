// How much of everything a scenario may have at a time, and what the contract says of private mappings.
import { expect, test } from 'vitest';
import { Timeline } from '../../src/timeline/timeline';
import { load, outcome } from './outcome';

const names = Array.from({ length: 40 }, (_, i) => `s${i}`);

test('one submission may use 40 surfaces: it holds the reservation of each', () => {
  const { verdict, problems } = outcome(`scenario "many"
${names.map((n) => `surface ${n}: buffer 1 page coherent`).join('\n')}
process app {
${names.map((n) => `  let p_${n} = map ${n}`).join('\n')}
  thread render on cpu0 {
${names.map((n) => `    write p_${n}`).join('\n')}
    submit {
${names.map((n) => `      draw reads ${n}`).join('\n')}
    } as done
    wait done
  }
}`);
  expect({ verdict, problems }).toEqual({ verdict: 'holds', problems: [] });
});

test('a loop may leave 200 mappings behind, and each of them is observed', () => {
  const { verdict, events } = outcome(
    `scenario "loop"
surface ring: buffer 1 page coherent
process app {
  thread render on cpu0 {
    repeat 200 {
      let p = map ring
      write p
    }
    submit { draw reads ring } as done
    wait done
  }
}`,
    { with: ['tracking-off'] },
  );
  expect(events({ surface_mapped: '' })).toHaveLength(200);
  expect(verdict).toBe('violated');
});

test('a store through a private mapping is no store to the surface', () => {
  const { verdict, problems } = outcome(`scenario "private"
surface ring: buffer 1 page coherent
process app {
  let shared = map ring
  let own = map ring private
  thread render on cpu0 {
    write shared = 1
    write own = 2
    submit { draw reads ring } as done
    wait done
    assert gpu(ring) == 1
    read own[0] as byte
    assert byte == 2
  }
}`);
  expect({ verdict, problems }).toEqual({ verdict: 'holds', problems: [] });
});

test('of hundreds of lost pages each is named, the first hundred with their causes', () => {
  const { run, schedule } = load(
    `scenario "lost"
surface big: buffer 600 pages coherent
process app {
  let p = map big
  thread render on cpu0 {
    write p
    submit { draw reads big } as done
    wait done
  }
}`,
    { with: ['mkwrite-marks-nothing'] },
  );
  new Timeline(run.engine, schedule).run(() => undefined, 10_000_000);
  const problems = run.problems(true);
  expect(problems).toHaveLength(600);
  expect(problems.filter(({ cause }) => cause.length > 0)).toHaveLength(100);
});

test('a thread may have more operations than a call takes arguments', () => {
  const lines = Array.from({ length: 30_000 }, (_, i) => `write p[0] = ${i % 256}`).join('\n');
  const text = `scenario "long"\nsurface s: buffer 1 page\nprocess app {\nlet p = map s\nthread one on cpu0 {\n${lines}\n}\n}\n`;
  expect(load(text).run.engine.program.ops.length).toBeGreaterThan(130_000);
});
