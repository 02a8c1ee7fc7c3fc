// `copy` from surface to surface: the device reads its own copy of the one and writes that of the other, and the
// contract holds it to both.
import { describe, expect, test } from 'vitest';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { outcome } from './outcome';

const scenario = (surfaces: string, body: string, more = ''): string => `scenario "copy"
${surfaces}
process app {
  let p = map ring
  let q = map target
  thread render on cpu0 {
    ${body}
  }
}
${more}`;

const two = 'surface ring: buffer 4 pages coherent\nsurface target: buffer 4 pages coherent';

const there = scenario(
  two,
  `write p = 5
    write p[5000 .. 5010] = 6
    submit { copy ring[4KiB .. 12KiB] to target[100] } as done
    assert not pte(q[0]).present
    wait done
    assert gpu(target)[0 .. 100] == 0
    assert gpu(target)[100] == 5 and gpu(target)[1004 .. 1014] == 6
    assert gpu(target)[1014 .. 8KiB + 100] == 5
    assert gpu(target)[8KiB + 100] == 0
    read q[1004] as seen
    assert seen == 6
    assert readbacks == 1`,
  'never race\nnever violation',
);

describe('the copy', () => {
  test('carries the bytes, and the CPU reads them back', () => {
    expect(outcome(there)).toMatchObject({ verdict: 'holds', problems: [] });
    expect(outcome(there, { kernel: 'linux-6.1', without: ['bz-53'] }).problems).toEqual([]);
  });

  test('validates both surfaces, and only the target becomes dirty', () => {
    const { events } = outcome(there);
    const what = { vmw_bo_dirty_unmap: '', vmw_dirty_sync: 'surface', svga_command: 'id' };
    expect(events(what).filter((e) => !/id=(1239|1099|1135|30)$/.test(e))).toEqual([
      'vmw_dirty_sync surface=0',
      'vmw_bo_dirty_unmap',
      'svga_command id=1182',
      'svga_command id=1209',
      'svga_command id=1104',
    ]);
    expect(
      events({ gpu_read: 'surface offset length', gpu_copy: 'surface offset length' }),
    ).toEqual([
      'gpu_read surface=0 offset=4096 length=4096',
      'gpu_copy surface=1 offset=100 length=4096',
      'gpu_read surface=0 offset=8192 length=4096',
      'gpu_copy surface=1 offset=4196 length=4096',
    ]);
  });

  test('within one surface moves ranges apart', () => {
    const text = scenario(
      'surface ring: buffer 2 pages coherent\nsurface target: buffer 1 page',
      `write p[0 .. 10] = 1
    submit { copy ring[0 .. 10] to ring[10] } as done
    wait done
    read p[19] as seen
    assert seen == 1`,
    );
    expect(outcome(text)).toMatchObject({ verdict: 'holds', problems: [] });
  });

  test('of what the GPU wrote arrives without a detour', () => {
    const text = scenario(
      two,
      `submit { clear ring = 9, copy ring to target } as done
    wait done
    read q[3 pages] as seen
    assert seen == 9
    assert updates == 0`,
    );
    expect(outcome(text)).toMatchObject({ verdict: 'holds', problems: [] });
  });
});

describe('the contract', () => {
  test('R1 names the read of a copy when the driver tracks nothing', () => {
    const { verdict, problems } = outcome(
      scenario(
        'surface ring: buffer 1 page coherent\nsurface target: buffer 1 page',
        `submit { draw reads ring } as first
    wait first
    write p[7] = 5
    submit { copy ring to target } as done
    wait done`,
      ),
      { with: ['tracking-off'] },
    );
    expect(verdict).toBe('violated');
    expect(problems).toEqual([
      'R1: the GPU read 0 instead of 5, which the CPU had stored before: page 0 of ring, from byte 7 on',
    ]);
  });

  test('R2 expects of the target what the source should have held', () => {
    const { problems } = outcome(
      scenario(
        two,
        `read q[0]
    write p[7] = 5
    submit { draw reads ring, clear target = 3, copy ring[7] to target[0] } as done
    wait done
    read q[0]`,
      ),
      { with: ['tracking-off'] },
    );
    expect(problems.filter((p) => p.startsWith('R2'))).toEqual([
      'R2: the CPU read 0 instead of 5, which the GPU had stored before: page 0 of target, from byte 0 on',
    ]);
  });

  test('a load before the fence of a copy is a race, and so is a store to its source', () => {
    const { problems } = outcome(
      scenario(
        two,
        `write p = 1
    submit { copy ring to target } as done
    repeat 20 { let pause = 0 }
    write p[0] = 2
    read q[1]
    wait done`,
        'never race',
      ),
    );
    expect(problems).toEqual([
      'race: the CPU stored while submission 1 (fence done) reads it, whose fence was not waited for: page 0 of ring, from byte 0 on',
      'race: the CPU loaded while submission 1 (fence done) writes it, whose fence was not waited for: page 0 of target, from byte 1 on',
    ]);
  });
});

describe('what cannot be copied', () => {
  const messages = (text: string) => check(text, known).diagnostics.map((d) => d.message);

  test('is refused before the run where it is known then', () => {
    const body = (copy: string) => scenario(two, `submit { ${copy} }`);
    expect(messages(body('copy ring[0 .. 8KiB] to target[12KiB]'))).toEqual([
      '8KiB copied to 12KiB do not fit: `target` has 16KiB',
    ]);
    expect(messages(body('copy ring[0 .. 8KiB] to ring[4KiB]'))).toEqual([
      'source and target overlap: one copies between ranges apart',
    ]);
  });

  test('is refused by the device otherwise', () => {
    const at = (value: number, copy: string) =>
      outcome(scenario(two, `write p[0] = ${value}\n    read p[0] as n\n    submit { ${copy} }`));
    for (const [value, copy] of [
      [15, 'copy ring[0 .. 8KiB] to target[n * 1KiB]'],
      [1, 'copy ring[0 .. 8KiB] to ring[n * 4KiB]'],
    ] as const) {
      const { verdict, problems } = at(value, copy);
      expect(verdict).toBe('violated');
      expect(problems).toEqual([
        'device: the device refused DX_BUFFER_COPY: its ranges lie outside or overlap, no memory is bound, or it knows no such command',
      ]);
    }
  });
});

test('a submission has room for 64 commands, and says so before the run', () => {
  const draws = (n: number): string =>
    scenario(two, `submit { draw ${'reads ring[0] '.repeat(n)} } as done\n    wait done`);
  expect(check(draws(65), known).diagnostics.map((d) => d.message)).toEqual([
    'a submission has room for 64 commands of the device; these are 65',
  ]);
  expect(outcome(draws(64))).toMatchObject({ verdict: 'holds', problems: [] });
});
