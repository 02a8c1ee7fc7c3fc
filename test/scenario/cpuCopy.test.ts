// What the CPU copies from mapping to mapping: loads and stores like any others, for the driver and for the contract.
import { expect, test } from 'vitest';
import { outcome } from './outcome';

const scenario = (body: string, machine = ''): string => `scenario "copies of the CPU"
machine { cpus 2${machine} }
surface from: buffer 4 pages coherent
surface into: buffer 4 pages coherent
process app {
  let p = map from
  let q = map into
  thread render on cpu0 {
    ${body}
  }
}
never race`;

test('bytes come as they are, a piece for each page on either side', () => {
  const { verdict, problems, events } = outcome(
    scenario(`write p[0 .. 4KiB] = 1
    write p[4KiB .. 8KiB] = 2
    copy p[0 .. 8KiB] to q[100]
    assert q[100 .. 100 + 8KiB] == p[0 .. 8KiB] and q[99] == 0 and q[100 + 8KiB] == 0
    submit { draw reads into } as done
    wait done
    assert gpu(into)[100 .. 100 + 8KiB] == p[0 .. 8KiB]`),
  );
  expect(problems).toEqual([]);
  expect(verdict).toBe('holds');
  const copied = events({ cpu_store: 'length value' }).slice(2);
  expect(copied).toEqual([3996, 100, 3996, 100].map((n) => `cpu_store length=${n} value=-1`));
});

test('a store of it that the driver loses is a violation', () => {
  const { problems } = outcome(
    scenario(
      `submit { draw reads into } as first
    wait first
    write p = 7
    copy p to q
    submit { draw reads into } as second
    wait second`,
      ', tracking mkwrite, with mkwrite-marks-nothing',
    ),
  );
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^R1: the GPU read 0 instead of 7/);
});

test('what the GPU wrote is copied once it is waited for; before that it is a race', () => {
  const copied = (waits: string) =>
    outcome(
      scenario(`submit { draw writes from = 9 } as done
    ${waits}
    copy p to q
    submit { draw reads into } as second
    wait second`),
    ).problems;
  expect(copied('wait done\n    assert q == 0')).toEqual([]);
  expect(copied('').some((problem) => problem.startsWith('race: the CPU loaded'))).toBe(true);
});

test.each([
  ['protect p none', 'from its source'],
  ['protect q readonly', 'to its target'],
])('%s: a copy ends with the signal of the access %s', (protect) => {
  const of = (error: string) =>
    outcome(
      scenario(`write p = 1
    ${protect}
    copy p[0 .. 8KiB] to q[0] ${error}`),
    ).problems;
  expect(of('else signal\n    assert signal == SIGSEGV and into[0] == 0')).toEqual([]);
});

test('a ramp is stored and compared, across pages and from any place', () => {
  const { verdict, problems } = outcome(
    scenario(`repeat 2 as frame {
      write p[100 .. 9000] = ramp(250 + frame)
      assert p[100 .. 9000] == ramp(250 + frame) and p[100 .. 9000] != ramp(0)
    }
    assert p[99] == 0 and p[100] == 251 and p[105] == 0 and p[9000] == 0
    write p[5000] = 1
    assert p[100 .. 9000] != ramp(251) and p[100 .. 5000] == ramp(251)
    assert from[100 .. 5000] == ramp(251)
    submit { draw reads from } as done
    wait done
    assert gpu(from)[100 .. 5000] == ramp(251 - 256)`),
  );
  expect(problems).toEqual([]);
  expect(verdict).toBe('holds');
});
