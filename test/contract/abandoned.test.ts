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
    'R1: the GPU read 9 instead of 3, which the CPU had stored before: page 1 of picture, from byte 4096 on',
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
