// `invalidate`: what the application has given up is promised to nobody, until it is written again.
import { expect, test } from 'vitest';
import { outcome } from '../scenario/outcome';

const given = (behind: string) => `scenario "given up"
surface picture: texture rgba8 64 by 64 coherent
process app {
  let p = map picture
  thread render on cpu0 {
    submit { draw writes picture = 9 } as drawn
    wait drawn
    submit { invalidate picture } as given
    wait given
    ${behind}
  }
}`;

test('bytes that were given up may be anything: the CPU sees what was in memory, and nobody is blamed', () => {
  const { verdict, events } = outcome(given('read p[0] as x\n    assert x == 0'));
  expect([verdict, events({ vmw_readback: '' })]).toEqual(['holds', []]);
});

test('without the command the same load sees what the GPU wrote', () => {
  const text = given('read p[0] as x\n    assert x == 9').replace('invalidate', 'present');
  const { verdict, events } = outcome(text);
  expect([verdict, events({ vmw_readback: '' })]).toEqual(['holds', ['vmw_readback']]);
});

test('what the CPU stores afterwards is promised again, and a driver that loses it is found', () => {
  const text = given('write p[4KiB] = 3\n    submit { draw reads picture } as last\n    wait last');
  expect(outcome(text).problems).toEqual([]);
  expect(outcome(text, { with: ['tracking-off'] }).problems).toEqual([
    'R1: the GPU read 219 instead of 3, which the CPU had stored before: page 1 of picture, from byte 4096 on',
  ]);
});

test('so is what the GPU writes afterwards', () => {
  const text = given(
    'submit { draw writes picture[8 .. 12] = 7 } as last\n    wait last\n    read p[8] as x',
  );
  expect(outcome(text).problems).toEqual([]);
  expect(outcome(text, { with: ['tracking-off'] }).problems).toEqual([
    'R2: the CPU read 0 instead of 7, which the GPU had stored before: page 0 of picture, from byte 8 on',
  ]);
});

const level = (what: string, behind: string) => `scenario "one level of a layer"
surface picture: texture rgba8 64 by 64 mips 2 layers 2 coherent
surface plain: texture rgba8 64 by 64 mips 2 layers 2
process app {
  let p = map picture
  thread render on cpu0 {
    write p = 4
    submit { draw reads picture, draw writes plain = 4, ${what} } as done
    wait done
    ${behind}
  }
}`;

test('a level that was given up is gone from the device, and all others stay; nobody is blamed for it', () => {
  const given = level(
    'invalidate level(picture, 1, 1), draw reads picture',
    `assert gpu(level(picture, 1, 1)) == 219
    assert gpu(level(picture, 0, 1)) == 4 and gpu(layer(picture, 0)) == 4`,
  );
  expect(outcome(given).problems).toEqual([]);
  expect(outcome(level('draw reads picture', 'read p')).events({ race: '' })).toEqual([]);
});

test('a level that is read back overwrites memory, in which an invalidated one is gone as well', () => {
  const text = level(
    'invalidate level(plain, 1, 0), readback level(plain, 1, 0), readback level(plain, 0, 1), draw reads plain',
    `assert level(plain, 1, 0) == 219 and level(plain, 0, 1) == 4
    assert level(plain, 0, 0) == 0 and level(plain, 1, 1) == 0`,
  );
  expect(outcome(text).problems).toEqual([]);
});

test('for the driver a level that is given up changes nothing: what the GPU wrote is still read back', () => {
  const behind = 'read level(p, 0, 0)\n    assert readbacks == 1';
  const text = level('draw writes picture = 9, invalidate level(picture, 1, 1)', behind);
  expect(outcome(text).problems).toEqual([]);
  const whole = level('draw writes picture = 9, invalidate picture', behind);
  expect(outcome(whole).problems).toEqual([expect.stringContaining('readbacks is 0')]);
});

test.each(['sm5', 'sm4_1', 'sm4', 'gb'])(
  'on a device that knows %s the commands for a level are those that it knows',
  (device) => {
    const text = level(
      'update level(plain, 1), readback level(plain, 1), invalidate level(plain, 1), draw reads plain',
      '',
    )
      .replaceAll(' layers 2', '')
      .replace('process', `machine { device ${device} }\nprocess`);
    const { problems, events } = outcome(text);
    expect(problems).toEqual([]);
    const ids = events({ svga_command: 'id' }).map((line) => Number(line.split('=')[1]));
    const subresources = [1182, 1183, 1184];
    const images = [1101, 1103, 1105];
    expect(ids.filter((id) => subresources.includes(id) || images.includes(id))).toEqual(
      device === 'gb' ? [1101, 1101, 1101, 1103, 1105] : [1182, 1182, 1182, 1183, 1184],
    );
    const defined = { sm5: 1239, sm4_1: 1239, sm4: 1134, gb: 1097 }[device];
    expect(ids.filter((id) => [1097, 1134, 1239, 1267].includes(id))).toEqual([defined, defined]);
    const released = outcome(text, { kernel: 'linux-6.1' }).events({ svga_command: 'id' });
    expect(released).toContain(`svga_command id=${device === 'sm5' ? 1267 : defined}`);
  },
);

test('a device without shader models has no arrays: the driver refuses to create one', () => {
  const text = level('draw reads plain', '').replace('process', 'machine { device gb }\nprocess');
  expect(outcome(text).problems.join('\n')).toContain('EINVAL');
});

const evicted = (drawn: string, behind: string) => `scenario "evicted"
surface picture: buffer 4 pages coherent
process app {
  let p = map picture
  thread render on cpu0 {
    write p = 5
    submit { ${drawn} } as done
    wait done
    evict picture
    ${behind}
  }
}`;

test('a driver that invalidates what the GPU wrote is found at the next load, and at the next draw', () => {
  const fault = { with: ['invalidate-for-readback'] };
  const load = evicted('draw writes picture = 9', 'read p as x');
  expect(outcome(load).problems).toEqual([]);
  expect(outcome(load, fault).problems).toEqual([expect.stringContaining('R2: the CPU read 5')]);
  const draw = evicted('draw writes picture = 9', 'submit { draw reads picture }');
  expect(outcome(draw).problems).toEqual([]);
  expect(outcome(draw, fault).problems).toEqual([expect.stringContaining('R1: the GPU read 5')]);
});

test('a driver that binds again without an upload is found: the device has given up what it had', () => {
  const text = evicted('draw reads picture', 'submit { draw reads picture }');
  expect(outcome(text).problems).toEqual([]);
  const fault = { with: ['omit.vmw_resource_unbind_list.backup_dirty'] };
  expect(outcome(text, fault).problems).toEqual([
    expect.stringContaining('R1: the GPU read 219 instead of 5'),
  ]);
});
