// `tracking` in `machine { … }`: how written pages are found.
import { describe, expect, test } from 'vitest';
import { presets, variantSet } from '../../src/kernel/variants';
import { outcome } from './outcome';

const scenario = (tracking: string, pages: number): string => `scenario "tracking"
machine { tracking ${tracking} }
surface ring: buffer ${pages} pages coherent
process app {
  let p = map ring
  thread render on cpu0 {
    repeat 5 as i {
      write p[i pages] = i + 1
      submit { draw reads ring[i pages] } as done
      wait done
    }
  }
}`;
const scans = { vmw_bo_dirty_scan: 'method count', vmw_bo_dirty_method: 'method' };
const told = (tracking: string, pages: number, options = {}) => {
  const { verdict, events } = outcome(scenario(tracking, pages), options);
  return [...events(scans), verdict];
};
const five = (method: number) =>
  Array<string>(5).fill(`vmw_bo_dirty_scan method=${method} count=1`);

describe('tracking', () => {
  test('auto goes by the size', () => {
    expect(told('auto', 16)).toEqual([...five(0), 'holds']);
    expect(told('auto', 512)).toEqual([...five(1), 'holds']);
  });

  test('pagetable and mkwrite begin with that method whatever the size', () => {
    expect(told('pagetable', 512)).toEqual([...five(0), 'holds']);
    expect(told('mkwrite', 16)).toEqual([...five(1), 'holds']);
  });

  test('the method is changed as ever: more than a tenth of the pages, three times in a row', () => {
    expect(told('mkwrite', 8)).toEqual([
      ...five(1).slice(2),
      'vmw_bo_dirty_method method=0',
      ...five(0).slice(3),
      'holds',
    ]);
  });

  test('off loses the first byte, and says which', () => {
    const { verdict, problems, events } = outcome(scenario('off', 16));
    expect(verdict).toBe('violated');
    expect(events(scans)).toEqual([]);
    expect(problems[0]).toBe(
      'R1: the GPU read 0 instead of 1, which the CPU had stored before: page 0 of ring, from byte 0 on',
    );
  });

  test('a variant given with the run goes before what the text says', () => {
    expect(told('mkwrite', 16, { with: ['tracking-pagetable'] })).toEqual([...five(0), 'holds']);
    expect(told('off', 16, { without: ['tracking-off'] })).toEqual([...five(0), 'holds']);
  });
});

test('of the variants of tracking one is on, the one added last', () => {
  const own = presets['series-v2'];
  const active = (...withIds: string[]) => [...variantSet('series-v2', { with: withIds }).active];
  expect(active('tracking-off', 'tracking-mkwrite')).toEqual([...own, 'tracking-mkwrite']);
  expect(active('tracking-mkwrite', 'bz-01', 'tracking-off')).toEqual([
    ...own,
    'bz-01',
    'tracking-off',
  ]);
});
