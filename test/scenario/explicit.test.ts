// Memory that the kernel does not keep coherent: kept so by user space (`memory explicit`), or by the application's own
// flushes and invalidates, whose absence is its mistake and not the driver's.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  bufferShape,
  SVGA3D_BC1_UNORM,
  SVGA3D_R8G8B8A8_UNORM,
} from '../../src/hardware/svga/shapes';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import type { ScenarioMeaning } from '../../src/scenario/meaning';
import { sharesBytes } from '../../src/scenario/surfaces';
import { Timeline } from '../../src/timeline/timeline';
import { boxesOf } from '../../src/user/boxes';
import { rangesMax } from '../../src/user/transfer';
import { exampleFiles } from '../examples';
import { load, outcome } from './outcome';

const explicit = { with: ['memory-explicit'] };

/** User space notes a store for the surface that was mapped, not for others on its pages: those are the kernel's alone. */
const isApart = ({ surfaces }: ScenarioMeaning): boolean =>
  surfaces.every((s, i) => surfaces.findIndex((other) => sharesBytes(s, other)) === i);

/** A debugger's store passes user space by; what is pinned in the device's memory cannot be bound to be read back. */
const pastUserSpace = /(other-trackers\/debugger|pressure\/room-in-device-memory)\.coh$/;

const usual = exampleFiles.filter((path) => !pastUserSpace.test(path));
const files = usual.flatMap((path) => {
  const text = readFileSync(path, 'utf8');
  const titles = check(text, known).scenarios.flatMap(({ meaning }) =>
    isApart(meaning) ? [meaning.title] : [],
  );
  return titles.length > 0 ? [{ path, text, titles }] : [];
});

describe.each(files)('$path, kept coherent by user space', ({ text, titles }) => {
  test.each(titles)('%s: the contract holds', (scenario) => {
    const { run, schedule } = load(text, { scenario, schedule: '', ...explicit });
    expect(schedule).toEqual([]);
    new Timeline(run.engine, schedule).runThrough(1_000_000);
    expect(run.done).toBe(true);
    expect(run.violations()).toEqual([]);
  });
});

/** A scenario of one thread over a buffer. */
const scenario = (body: string, { buffer = '2 pages coherent', machine = '' } = {}): string => `
scenario "x"
machine { ${machine} }
surface a: buffer ${buffer}
process app {
  let p = map a
  thread t on cpu0 {
${body}
  }
}
`;

test('user space sends the bytes that were written and no others, and once', () => {
  const text = scenario(`
    write p[10 .. 20] = 1
    write p[20 .. 30] = 2
    write p[5000 .. 5001] = 3
    submit { draw reads a } as one
    wait one
    submit { draw reads a } as two
    wait two`);
  const { events, verdict } = outcome(text, explicit);
  expect(verdict).toBe('holds');
  expect(events({ user_update: 'x w', vmw_dirty_sync: '' })).toEqual([
    'user_update x=10 w=20',
    'user_update x=5000 w=1',
  ]);
});

test('without its updates the GPU misses the stores: they are what keeps the contract', () => {
  const text = scenario('write p[0] = 1\nsubmit { draw reads a } as one\nwait one');
  expect(outcome(text, { with: ['tracking-off'] }).verdict).toBe('violated');
  expect(outcome(text, { with: ['tracking-off', 'memory-explicit'] }).verdict).toBe('holds');
});

test('a surface that the GPU has written is read back before a CPU loads or stores, once', () => {
  const text = scenario(`
    submit { draw writes a = 9 } as one
    wait one
    write p[0] = 1
    read p[1] as x
    assert x == 9
    submit { draw reads a } as two
    wait two
    assert gpu(a)[0] == 1 and gpu(a)[1] == 9`);
  const { events, problems } = outcome(text, explicit);
  expect(problems).toEqual([]);
  expect(events({ user_readback: 'bytes' })).toEqual(['user_readback bytes=8192']);
});

test('more ranges than are kept apart: the nearest grows', () => {
  const text = scenario(`
    repeat ${rangesMax + 1} as n { write p[n * 100] = 1 }
    submit { draw reads a } as one
    wait one`);
  const { events, verdict } = outcome(text, explicit);
  expect(verdict).toBe('holds');
  const sent = events({ user_update: 'x w' });
  expect(sent).toHaveLength(rangesMax);
  expect(sent).toContain(`user_update x=${(rangesMax - 1) * 100} w=101`);
});

test('more updates than a command buffer holds go to the kernel in several', () => {
  const surfaces = [0, 1, 2, 3].map((i) => `surface s${i}: buffer 2 pages coherent`).join('\n');
  const maps = [0, 1, 2, 3].map((i) => `let m${i} = map s${i}`).join('\n');
  const writes = [0, 1, 2, 3].map((i) => `write m${i}[n * 100] = 7`).join('\n');
  const text = `scenario "x"
${surfaces}
process app {
${maps}
thread t on cpu0 {
repeat ${rangesMax} as n {
${writes}
}
submit { draw reads s0 reads s1 reads s2 reads s3 } as done
wait done
}
}
`;
  const { events, verdict } = outcome(text, explicit);
  expect(verdict).toBe('holds');
  expect(events({ user_update: '' })).toHaveLength(4 * rangesMax);
  expect(events({ vmw_execbuf: '' }).length).toBe(2);
});

test('a submission that fails leaves what is to be sent for the next one', () => {
  const text = scenario(`
    write p[0] = 1
    fail vmw_cmd_ctx_reserve once
    submit { draw reads a } as one else error
    assert error == ENOMEM
    submit { draw reads a } as two
    wait two
    assert gpu(a)[0] == 1`);
  expect(outcome(text, explicit).problems).toEqual([]);
});

describe('memory that is not coherent', () => {
  const plain = { buffer: '2 pages' };
  /** What is listed of the application's own, and the verdict. */
  const told = (text: string) => {
    const { run } = load(text);
    new Timeline(run.engine, []).runThrough(1_000_000);
    return {
      own: run.races().map(({ kind, message }) => `${kind}: ${message}`),
      verdict: run.verdict(true),
    };
  };

  test('an update or a flush of other bytes, or behind the draw, is missing all the same', () => {
    const text = scenario(
      `
    write p[0 .. 200] = 1
    flush p[0 .. 100]
    submit { draw reads a[0 .. 200], update a } as one
    wait one
    submit { draw reads a } as two
    wait two`,
      { ...plain, machine: 'atom 4' },
    );
    expect(told(text)).toEqual({
      own: [
        'missing flush: the GPU read an old byte of memory that is not coherent, and was not flushed since the CPU stored it: page 0 of a, from byte 100 on',
      ],
      verdict: 'holds',
    });
  });

  test('a load of what the GPU wrote needs a readback that it has waited for', () => {
    const text = scenario(
      `
    submit { readback a, draw writes a = 9 } as one
    wait one
    read p[0]
    submit { readback a } as two
    wait two
    read p[1]`,
      plain,
    );
    expect(told(text)).toEqual({
      own: [
        'missing invalidate: the CPU read an old byte of memory that is not coherent, and was not invalidated since the GPU wrote it: page 0 of a, from byte 0 on',
      ],
      verdict: 'holds',
    });
  });

  test('a readback overwrites what was stored and not flushed', () => {
    const text = scenario(
      'write p[0] = 1\nsubmit { draw reads a[4096 .. 4097] } as one\nwait one\ninvalidate p[1 page .. 2 pages]\nread p[0]',
      plain,
    );
    expect(told(text).own).toEqual([
      'missing flush: a store to memory that is not coherent was not flushed, and a readback overwrote it: page 0 of a, from byte 0 on',
    ]);
  });

  test('`never race` counts it', () => {
    const text = `${scenario('write p = 1\nsubmit { draw reads a } as one\nwait one', plain)}never race\n`;
    const { verdict, problems } = outcome(text);
    expect(verdict).toBe('violated');
    expect(problems[0]).toMatch(/^missing flush: /);
  });
});

test('bytes of a surface as boxes: rows, slices, blocks, levels', () => {
  expect(boxesOf(bufferShape(100), 10, 20)).toEqual([
    { image: 0, box: { x: 10, y: 0, z: 0, w: 10, h: 1, d: 1 } },
  ]);
  const flat = { ...bufferShape(1), format: SVGA3D_R8G8B8A8_UNORM, width: 16, height: 16, mips: 5 };
  expect(boxesOf(flat, 4, 9)).toEqual([{ image: 0, box: { x: 1, y: 0, z: 0, w: 2, h: 1, d: 1 } }]);
  expect(boxesOf(flat, 63, 65)).toEqual([
    { image: 0, box: { x: 0, y: 0, z: 0, w: 16, h: 2, d: 1 } },
  ]);
  expect(boxesOf(flat, 1023, 1025).map(({ image }) => image)).toEqual([0, 1]);
  const deep = { ...flat, mips: 1, depth: 4 };
  expect(boxesOf(deep, 1023, 1025)).toEqual([
    { image: 0, box: { x: 0, y: 0, z: 0, w: 16, h: 16, d: 2 } },
  ]);
  const blocks = { ...flat, mips: 1, format: SVGA3D_BC1_UNORM, width: 10, height: 10 };
  expect(boxesOf(blocks, 16, 24)).toEqual([
    { image: 0, box: { x: 8, y: 0, z: 0, w: 2, h: 4, d: 1 } },
  ]);
});
