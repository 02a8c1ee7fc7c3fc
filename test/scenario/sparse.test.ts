// Large surfaces of which little is touched: what they cost is what the kernel itself allocates for them (a page structure
// and a place in two tables for each page of an object in use), not their bytes. Resident memory is measured in the bench.

import { expect, test } from 'vitest';
import { bufferShape } from '../../src/hardware/svga/shapes';
import { vmw_dirty_sync } from '../../src/kernel/drivers/gpu/drm/vmwgfx/vmwgfx_surface';
import { NULL } from '../../src/state/layout';
import { Timeline } from '../../src/timeline/timeline';
import { load } from './outcome';

const text = `scenario "a large buffer of which little is touched"

surface big: buffer 1GiB coherent

process app {
  let p = map big
  let tail = map big[1GiB - 8KiB .. 1GiB]

  thread render on cpu0 {
    write p[0] = 1
    write p[600MiB] = 2
    write tail[4KiB] = 3
    submit { draw reads big[0] reads big[600MiB] reads big[1GiB - 4KiB] } as done
    wait done
    assert gpu(big)[600MiB] == 2 and gpu(big)[1GiB - 4KiB] == 3
    submit { draw writes big[1GiB - 1] = 9 } as written
    wait written
    read p[1GiB - 1] as last
    assert last == 9
  }
}

finally flushedBytes == 1GiB
never race
never violation
`;

test('a surface of 1 GiB is mapped, touched here and there, drawn from, and everything goes back and forth again', () => {
  const { run } = load(text);
  const { store } = run.engine;
  const start = store.hash();
  const timeline = new Timeline(run.engine);
  expect(timeline.run(() => undefined, 5_000_000)).toBe('end');
  expect(run.problems(true)).toEqual([]);
  const { position } = timeline;
  const end = store.hash();

  const pages = 262_144;
  let used = 0;
  for (let at = 0; at < store.cells.length; at++) if (store.cells[at] !== 0) used++;
  expect(Math.round(store.cells.length / pages)).toBe(209); // cells reserved for each page, all zeroes
  expect(Math.round(used / pages)).toBe(4); // cells in use: header and count of a page, two tables
  expect(Math.round(timeline.bytes / pages)).toBeLessThan(100); // bytes of history

  timeline.back();
  expect(timeline.position).toBe(position - 1);
  timeline.seek(0);
  expect(store.hash()).toBe(start);
  timeline.seek(position);
  expect(store.hash()).toBe(end);
});

test('several large surfaces have room, more than a machine has room for are refused in one sentence', () => {
  const many = (count: number) => {
    const names = Array.from({ length: count }, (_, i) => `s${i}`);
    return `scenario "many"
${names.map((name) => `surface ${name}: buffer 1GiB coherent`).join('\n')}
process app {
  let p = map s1[1GiB - 4KiB .. 1GiB]
  thread t on cpu0 {
    write p = 1
  }
}
`;
  };
  const { run } = load(many(4));
  expect(run.engine.store.cells.length).toBeGreaterThan(100_000_000);
  expect(() => load(many(20))).toThrow(
    'the surfaces and mappings of this scenario need more room than a machine has: ' +
      'declare fewer or smaller ones, and map parts of them',
  );
});

test('what is uploaded is counted beyond 2 GiB', () => {
  const { run } = load(`scenario "counters"
process app {
}
`);
  const half = 1024 * 1024 * 1024;
  for (let i = 0; i < 5; i++) {
    const box = { x: 0, y: 0, z: 0, w: half, h: 1, d: 1 };
    const update = { shape: bufferShape(half), image: 0, ...box, bytes: half };
    run.engine.emit(vmw_dirty_sync, { res: NULL, surface: 0, sid: 0, ...update });
  }
  expect(run.counters.get('flushedBytes')).toBe(5 * half);
});
