// The shipped scenarios, run to their end: each shows what its head says, and faults put in are found.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { Timeline } from '../../src/timeline/timeline';
import { exampleFiles } from '../examples';
import { load, outcome } from './outcome';

describe.each(exampleFiles)('%s', (path) => {
  const text = readFileSync(path, 'utf8');
  const { scenarios } = check(text, known);

  test.each(scenarios.map(({ meaning }) => meaning.title))('%s: holds', (scenario) => {
    expect(outcome(text, { scenario }).verdict).toBe('holds');
  });
});

describe('faults put in are found', () => {
  const ring = readFileSync('examples/01-ring-buffer.coh', 'utf8');
  const large = readFileSync('examples/02-large-buffer.coh', 'utf8');

  test('the ring without the TLB flush after cleaning loses stores', () => {
    const { verdict: found, problems } = outcome(ring, { with: ['no-clean-flush'] });
    expect(found).toBe('violated');
    expect(problems.join('\n')).toMatch(/^R1: the GPU read /m);
  });

  const found = (file: string, variant: string) =>
    outcome(readFileSync(`examples/${file}`, 'utf8'), { with: [variant] });

  test('bz-01: a surface takes the dirty pages of the one beside it along, with a warning', () => {
    const { problems } = found('sharing/two-surfaces-in-one-object.coh', 'bz-01');
    expect(problems.join('\n')).toMatch(/^R1: the GPU read 0 instead of 2/m);
    expect(problems.join('\n')).toMatch(/^warn: vmw_surface_dirty_range_add/m);
  });

  test('bz-03: generated mips are not seen by the CPU', () => {
    const { problems } = found('textures/generated-mips.coh', 'bz-03');
    expect(problems.join('\n')).toMatch(/^R2: the CPU read 0 instead of 80/m);
  });

  test('bz-04: the layer of an array stays old', () => {
    const { problems } = found('textures/array-layer.coh', 'bz-04');
    expect(problems.join('\n')).toMatch(/^R1: the GPU read 0 instead of 5/m);
    expect(problems.join('\n')).toMatch(/^device: the device refused UPDATE_GB_IMAGE/m);
  });

  test('as-posted stands for the slips of the posting, and can be taken out again', () => {
    const text = readFileSync('examples/textures/array-layer.coh', 'utf8');
    expect(outcome(text, { with: ['as-posted'] }).verdict).toBe('violated');
    expect(outcome(text, { with: ['bz-04'], without: ['as-posted'] }).verdict).toBe('holds');
  });

  test('the large buffer with a mkwrite that marks nothing loses stores', () => {
    const { verdict: found, problems } = outcome(large, { with: ['mkwrite-marks-nothing'] });
    expect(found).toBe('violated');
    expect(problems.join('\n')).toMatch(/^R1: the GPU read /m);
  });
});

describe('what memory pressure shows of the kernels', () => {
  test('bz-05: what the GPU wrote is not read back when its object goes', () => {
    const text = readFileSync('examples/pressure/evict-gpu-dirty.coh', 'utf8');
    const { problems } = outcome(text, { with: ['bz-05'] });
    expect(problems.join('\n')).toMatch(/^R2: the CPU read 0 instead of 7/m);
    expect(problems.join('\n')).toMatch(/^device: the device refused READBACK_GB_IMAGE/m);
  });

  const usage = (file: string) => readFileSync(`examples/${file}`, 'utf8');
  const in61 = (text: string) =>
    text.replace(/^machine \{|^(?=surface)/m, (found) =>
      found === '' ? 'machine { kernel linux-6.1 }\n\n' : 'machine { kernel linux-6.1, ',
    );

  test('6.1 takes the entries of evicted objects away; no byte is lost by that', () => {
    const { problems } = outcome(in61(usage('pressure/evict-gpu-dirty.coh')));
    expect(problems).toEqual([
      expect.stringMatching(/^assertion: assert pte\(q\[0\]\)\.dirty does not hold/),
    ]);
    const without = usage('pressure/evict-gpu-dirty.coh').replace(
      /(evict target[^]*?)    assert pte\(q\[0\]\)\.dirty\n/,
      '$1',
    );
    expect(outcome(in61(without)).problems).toEqual([]);
  });

  test.each([
    'streaming/orphaning',
    'pressure/swap',
    'pressure/swap-notified',
    'pressure/pinned',
    'pressure/suspend',
  ])('%s holds in 6.1 as well, but for what the first move takes', (name) => {
    // A store before the first submission is lost by that move (bz-53), whatever comes then.
    const { problems } = outcome(in61(usage(`${name}.coh`)), { without: ['bz-53'] });
    expect(problems).toEqual([]);
  });

  test.each(['series-v2', 'linux-6.1'])(
    'what is stored before the first submission does not survive swap when dirty bits are all there is (%s)',
    (kernel) => {
      const text = usage('pressure/swap-notified.coh').replace(
        'tracking mkwrite',
        `kernel ${kernel}`,
      );
      const { problems } = outcome(text);
      expect(problems.join('\n')).toMatch(/^R1: the GPU read 0 instead of 8/m);
    },
  );
});

test('a deadlock lists who waits for what, and where', () => {
  const { run } = load(`scenario "two threads wait for each other"
process a {
  thread one on cpu0 {
    wait left
    signal right
  }
  thread two on cpu1 {
    wait right
    signal left
  }
}`);
  expect(new Timeline(run.engine).run(() => undefined, 1000)).toBe('end');
  const [problem, ...more] = run.problems(true);
  expect(more).toEqual([]);
  expect(problem).toMatchObject({ kind: 'deadlock', message: 'nobody can go on', line: 4 });
  expect(problem?.cause).toEqual([
    'one at line 4, wait left: until it is signaled; in one',
    'two at line 8, wait right: until it is signaled; in two',
    'gpu: wait for commands; in svga_device',
  ]);
});
