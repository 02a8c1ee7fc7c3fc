// User space that keeps memory coherent keeps the rules of routines too; a capture layer that protects pages keeps the
// contract in what one process does. Its faults are in the catalogue, zoo.test.ts.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { variantSet } from '../../src/kernel/variants';
import { composeRun } from '../../src/scenario/compose';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { Timeline } from '../../src/timeline/timeline';
import { outcome } from './outcome';

const ways = ['memory-explicit', 'memory-layer', 'memory-noncoherent'];
const files = [
  'examples/01-ring-buffer.coh',
  'examples/04-render-target-readback.coh',
  'examples/address-space/fork.coh',
  'examples/explicit/noncoherent-memory.coh',
  'examples/pressure/swap.coh',
  'examples/textures/generated-mips.coh',
  'examples/vulkan/halves-of-a-page.coh',
];

describe.each(files)('%s', (path) => {
  const { scenarios, sources } = check(readFileSync(path, 'utf8'), known);
  const { meaning } = scenarios[0]!;

  test.each(ways)('%s: no step breaks a rule, and going back restores every cell', (way) => {
    const { kernel, with: own } = meaning.machine;
    const variants = variantSet(kernel as never, { with: [...own, way] });
    const run = composeRun(meaning, sources, variants, true);
    const { engine } = run;
    const before = engine.store.hash();
    const timeline = new Timeline(engine, []);
    expect(timeline.run(() => undefined, 1_000_000)).toBe('end');
    expect(engine.checker?.broken).toEqual([]);
    expect(run.problems(true).filter(({ kind }) => kind === 'leak')).toEqual([]);
    if (way !== 'memory-noncoherent') expect(run.violations()).toEqual([]);
    timeline.seek(0);
    expect(engine.store.hash()).toEqual(before);
  });
});

/** A thread over a coherent buffer of three pages that a layer keeps. */
const layered = (body: string): string => `
scenario "x"
machine { memory layer }
surface a: buffer 3 pages coherent
process app {
  let p = map a
  let q = map a[1 page .. 3 pages]
  thread t on cpu0 {
${body}
  }
}
`;

test('a store is noted once between two submissions, through either mapping', () => {
  const { problems, events } = outcome(
    layered(`
    write p[1 page .. 1 page + 8] = 1
    write p[1 page .. 1 page + 8] = 2
    write q[1 page] = 3
    submit { draw reads a } as one
    wait one
    write q[1 page] = 4
    submit { draw reads a } as two
    wait two
    assert gpu(a)[1 page] == 2 and gpu(a)[2 pages] == 4`),
  );
  expect(problems).toEqual([]);
  expect(events({ layer_mark: 'page', user_update: 'x w' })).toEqual([
    'layer_mark page=1',
    'layer_mark page=2',
    'user_update x=4096 w=8192',
    'layer_mark page=2',
    'user_update x=8192 w=4096',
  ]);
});

test('what the GPU wrote is pulled once, by the first access', () => {
  const { problems, events } = outcome(
    layered(`
    submit { draw writes a = 9 } as one
    wait one
    read q[0] as x
    write p[0] = 1
    copy p[0 .. 4] to q[4]
    assert x == 9 and p[1] == 9 and q[4] == 1`),
  );
  expect(problems).toEqual([]);
  expect(events({ user_readback: '' })).toHaveLength(1);
});

test('a readonly mapping stays so: the signal is the application’s', () => {
  const text = `
scenario "x"
machine { memory layer }
surface a: buffer 1 page coherent
process app {
  let p = map a readonly
  thread t on cpu0 {
    write p[0] = 1 else signal
    assert signal == SIGSEGV
    sigaction
  }
}
`;
  expect(outcome(text).problems).toEqual([]);
});

test('a layer cannot protect the mapping of another process: its second store is lost', () => {
  const text = `
scenario "x"
machine { memory layer }
surface a: buffer 1 page coherent
process one {
  let p = map a
  thread t on cpu0 {
    wait first
    submit { draw reads a } as d1
    wait d1
    signal sent
    wait second
    submit { draw reads a } as d2
    wait d2
  }
}
process two {
  let q = map a
  thread u on cpu1 {
    write q[0] = 1
    signal first
    wait sent
    write q[0] = 2
    signal second
  }
}
`;
  expect(outcome(text).problems.join('\n')).toMatch(/^R1: the GPU read 1 instead of 2/);
  expect(outcome(text, { with: ['memory-explicit'] }).verdict).toBe('holds');
});
