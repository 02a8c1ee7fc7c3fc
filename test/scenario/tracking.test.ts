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

describe('what votes for the other method', () => {
  /** Writes so many pages a frame of a buffer, through as many mappings, and says what each scan counted and decided. */
  const frames = (pages: number, counts: readonly number[], mappings = 1): string[] => {
    const names = ['p', 'q'].slice(0, mappings);
    const { problems, events } = outcome(`scenario "votes"
surface big: buffer ${pages} pages coherent
process app {
  ${names.map((p) => `let ${p} = map big`).join('\n  ')}
  thread render on cpu0 {
    ${counts
      .map((n, i) =>
        [
          ...(n > 0 ? names.map((p) => `write ${p}[0 .. ${n} pages] = ${i + 1}`) : []),
          `submit { draw reads big[0] } as done[${i}]`,
          `wait done[${i}]`,
        ].join('\n    '),
      )
      .join('\n    ')}
  }
}`);
    expect(problems).toEqual([]);
    return events({ vmw_bo_dirty_scan: 'count', vmw_bo_dirty_method: 'method' });
  };
  const changes = (...args: Parameters<typeof frames>): number[] =>
    frames(...args).flatMap((line, i) => (line.startsWith('vmw_bo_dirty_method') ? [i] : []));

  test('eleven percent, rounded down from what is written, three times; scans of nothing do not count', () => {
    expect(changes(512, [57, 57, 57])).toHaveLength(1);
    expect(changes(512, [56, 56, 56, 56])).toEqual([]);
    expect(changes(1024, [113, 0, 113, 0, 113])).toHaveLength(1);
    expect(changes(1024, [113, 113, 112, 113, 113])).toEqual([]);
  });

  test('with dirty bits three scans of nothing, one after the other', () => {
    expect(changes(511, [0, 0, 0])).toHaveLength(1);
    expect(changes(511, [0, 0, 1, 0, 0])).toEqual([]);
  });

  test('entries count, not pages: two mappings of 60 pages are 120', () => {
    expect(changes(1024, [60, 60, 60])).toEqual([]);
    expect(changes(1024, [60, 60, 60], 2)).toHaveLength(1);
  });
});
