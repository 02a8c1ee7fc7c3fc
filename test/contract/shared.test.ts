// Surfaces that begin at the same byte of a buffer: one memory, a copy of each on the device. What is promised of bytes
// that both have, shown by what is reported and what is not.
import { expect, test } from 'vitest';
import { stepsMax } from '../../src/scenario/run';
import { Timeline } from '../../src/timeline/timeline';
import { load, outcome } from '../scenario/outcome';

const cures = 'machine { without shared-pages, without hz-6 }';

/** `small` and `large` share their first two pages, mapped as `p` and `q`. */
const sharing = (body: string, machine = cures, second = 'coherent'): string => `scenario "shared"
${machine}
surface small: buffer 2 pages coherent
surface large: buffer 4 pages ${second} in small
process app {
  let p = map small
  let q = map large
  thread t on cpu0 {
    submit { draw reads small, draw reads large } as begin
    wait begin
    ${body}
  }
}
never violation
never race`;

const found = (body: string, machine?: string, second?: string): readonly string[] =>
  outcome(sharing(body, machine, second)).problems;

test('a store through either mapping is owed to the copies of both, and seen by loads through both', () => {
  expect(
    found(`write p[0] = 3
    write q[1 page] = 4
    read q[0] as x
    read p[1 page] as y
    assert x == 3 and y == 4
    submit { draw reads small, draw reads large } as done
    wait done`),
  ).toEqual([]);
  const late = `write p[0] = 3
    submit { draw reads small } as done[0]
    submit { draw reads large } as done[1]
    wait done[1]`;
  expect(found(late)).toEqual([]);
  expect(found(late, 'machine { kernel series-v2 }')).toEqual([
    expect.stringMatching(/^R1: the GPU read 0 instead of 3, .*page 0 of large/),
  ]);
});

test('what the GPU writes to one is promised to CPUs, and to its own copy', () => {
  expect(
    found(`submit { draw writes small = 5 } as done[0]
    wait done[0]
    read q[0] as x
    assert x == 5
    submit { draw reads small } as done[1]
    wait done[1]`),
  ).toEqual([]);
  // The copy of the other is promised nothing: it holds 0 here, and no more is said.
  expect(
    found(`submit { draw writes small = 5 } as done[0]
    wait done[0]
    read q[0]
    submit { draw reads large } as done[1]
    wait done[1]
    assert gpu(large)[0] == 0
    write q[0] = 6
    submit { draw reads small, draw reads large } as done[2]
    wait done[2]`),
  ).toEqual([]);
});

test('a readback of the one over what was read back of the other is found', () => {
  expect(
    found(`submit { draw writes small = 5 } as done[0]
    wait done[0]
    read p[0]
    submit { draw writes large[3 pages .. 4 pages] = 6 } as done[1]
    wait done[1]
    read q[3 pages]
    read p[0]`),
  ).toEqual([expect.stringMatching(/^R2: the CPU read 0 instead of 5, .*page 0 of small/)]);
});

test('what the GPU writes through both is promised to nobody, until a CPU stores it', () => {
  const both = `submit { draw writes small = 5 } as done[0]
    submit { draw writes large = 6 } as done[1]
    wait done[1]
    read p[0] as x`;
  expect(found(both)).toEqual([]);
  expect(
    found(`${both}
    write p[0] = 7
    submit { draw reads small, draw reads large } as done[2]
    wait done[2]`),
  ).toEqual([]);
});

test('a surface that is given up takes what the GPU wrote to it along; stores go on for the other', () => {
  expect(
    found(`submit { draw writes large[0 .. 1 page] = 5 } as done[0]
    wait done[0]
    destroy large
    read p[0] as x
    assert x == 0
    write q[1 page] = 4
    submit { draw reads small } as done[1]
    wait done[1]
    assert gpu(small)[1 page] == 4`),
  ).toEqual([]);
});

test('a plain surface on the pages of a coherent one is told as plain', () => {
  const written = 'write p[0] = 3\n    submit { draw reads large } as done\n    wait done';
  const told = found(written, 'machine { kernel series-v2, tracking off }', '');
  expect(told).toEqual([expect.stringMatching(/^missing flush: the GPU read an old byte/)]);
});

test('the cause of a loss names stores through the mapping of the other, and readbacks of it', () => {
  const causes = (body: string, machine: string): readonly string[] => {
    const { run } = load(sharing(body, machine));
    new Timeline(run.engine).run(() => undefined, stepsMax);
    return run.contract.violations()[0]!.cause.map((text) => text.replace(/^.*?: /, ''));
  };
  expect(
    causes(
      `write p[0] = 3
    submit { draw reads small } as done[0]
    submit { draw reads large } as done[1]
    wait done[1]`,
      'machine { kernel series-v2 }',
    ),
  ).toEqual([
    'the store that was lost',
    'the scan found 1 PTE and noted pages 0 to 0',
    'pages 0 to 0 went to the surface',
    'the scan found 0 PTEs and noted no page',
    'the read that got the old byte',
  ]);
  expect(
    causes(
      `submit { draw writes small = 5 } as done
    wait done
    read q[0]`,
      'machine { with omit.vmw_resources_clean.vmw_bo_fence_single }',
    ),
  ).toEqual([
    'this is the store that was lost',
    'a readback of the surface was sent',
    'the load that got the old byte',
  ]);
});
