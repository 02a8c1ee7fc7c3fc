// Huge page-table entries of the driver: `huge-faults`, Linux 5.7 to 5.15 (vmw_bo_vm_huge_fault() of vmwgfx_page_dirty.c).
// What is read is mapped 2 MiB at a time and read-only; the first store takes the entry out, and goes on with small ones.
import { describe, expect, test } from 'vitest';
import { outcome } from './outcome';

const kernels = ['series-v2', 'linux-6.1'] as const;
const found = {
  oops: 'message',
  warn: 'where',
};

describe.each(kernels)('with huge faults on %s', (kernel) => {
  const ran = (text: string) => {
    const { verdict, problems, events } = outcome(text, { kernel, with: ['huge-faults'] });
    return { verdict, problems, events: events(found) };
  };
  const holds = { verdict: 'holds', problems: [], events: [] };

  test('one entry serves the reads of 512 pages, a store splits it, and everybody sees every byte', () => {
    expect(
      ran(`scenario "one entry for 512 pages"
machine { cpus 2 }
surface big: buffer 512 pages coherent
process app {
  let p = map big
  thread render on cpu0 {
    submit { draw writes big = 1 } as drawn
    wait drawn
    read p[0] as v1
    assert v1 == 1
    read p[511 pages] as v2
    assert v2 == 1
    assert faults.read == 1
    assert pte(p[0]).huge and pte(p[511 pages]).huge
    assert not pte(p[0]).write
    assert pte(p[511 pages]).frame - pte(p[0]).frame == 511

    write p[7 pages .. 8 pages] = 2
    assert not pte(p[7 pages]).huge and pte(p[7 pages]).write
    assert not pte(p[0]).huge
    assert tracker(big[7 pages]).dirty
    assert tracker(big).dirtyPages == 1
    submit { draw reads big } as shown
    wait shown
    assert gpu(big)[7 pages .. 8 pages] == 2
    assert gpu(big)[8 pages .. 9 pages] == 1

    read p[0] as v3
    assert v3 == 1
    read p[7 pages] as v4
    assert v4 == 2
  }
}
never race
never violation`),
    ).toEqual(holds);
  });
});
