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
    const options = { kernel, with: ['huge-faults'], without: ['bz-53'] };
    const { verdict, problems, events } = outcome(text, options);
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

  test('what the GPU writes takes huge entries out, and readers get new ones', () => {
    expect(
      ran(`scenario "the GPU writes below huge entries"
surface small: buffer 3 pages coherent
surface big: buffer 1024 pages coherent
process app {
  let q = map small
  let p = map big
  thread render on cpu0 {
    write q[0 .. 3 pages] = 9 // whose frames come before those of the large one
    read p[0] as none
    read p[600 pages] as nothing
    assert pte(p[0]).huge and pte(p[600 pages]).huge
    submit { draw writes big = 5 } as drawn
    wait drawn
    assert not pte(p[0]).present and not pte(p[600 pages]).present
    read p[0] as first
    read p[1023 pages] as last
    assert first == 5 and last == 5
    assert faults.read == 4
    write p[1023 pages] = 6
    submit { draw reads big, draw reads small } as shown
    wait shown
    assert gpu(big)[1023 pages] == 6
    assert gpu(big)[1022 pages] == 5
  }
}
never race
never violation`),
    ).toEqual(holds);
  });

  test('an object that ends within a huge page has small entries there', () => {
    expect(
      ran(`scenario "the rest is small"
surface big: buffer 600 pages coherent
process app {
  let p = map big
  thread render on cpu0 {
    read p[0] as a
    read p[520 pages] as b
    assert pte(p[0]).huge and pte(p[520 pages]).present and not pte(p[520 pages]).huge
  }
}
never violation`),
    ).toEqual(holds);
  });

  test('a mapping that begins elsewhere in a huge page than its address does reads other pages', () => {
    // ttm_bo_vm_insert_huge() rounds the offset and the address down each for itself. drm_get_unmapped_area() sees to it
    // that they agree, but not where the mapping holds no whole huge page.
    const { verdict, problems } = ran(`scenario "an unfortunate part"
surface big: buffer 1024 pages coherent
process app {
  let whole = map big
  let part = map big[100 pages .. 1000 pages]
  thread render on cpu0 {
    write whole[600 pages .. 601 pages] = 8
    read part[600 pages] as x
    read part[500 pages] as y
  }
}
never violation`);
    expect([verdict, ...problems]).toEqual([
      'violated',
      'R4: the CPU read 0 instead of 8, which the CPU had stored before: page 600 of big, from byte 2457600 on',
    ]);
  });
});

describe('a scan for dirty bits that meets a huge entry', () => {
  const scanned = (kernel: string) => {
    const options = { kernel, with: ['huge-faults'], without: ['bz-53'] };
    const { verdict, problems, events } = outcome(
      `scenario "scanned"
machine { cpus 2, tracking pagetable }
surface big: buffer 1024 pages coherent
process app {
  let p = map big
  thread render on cpu0 {
    write p[600 pages] = 2
    read p[0] as before
    let huge = pte(p[0]).huge
    assert huge
    submit { draw reads big } as shown
    wait shown
    read p[0] as after
    assert gpu(big)[600 pages] == 2
  }
}
never race
never violation`,
      options,
    );
    return [verdict, ...problems, ...events({ vmw_bo_dirty_scan: 'count' })];
  };

  test('passes it over in 6.1: it is read-only and clean', () => {
    expect(scanned('linux-6.1')).toEqual(['holds', 'vmw_bo_dirty_scan count=1']);
  });

  test('clears it in the series, which says that it is bad', () => {
    expect(scanned('series-v2')).toEqual([
      'violated',
      'warn: bad pmd: a walk that knows only tables met a huge entry and cleared it. Its dirty bit is lost, and the TLBs are not flushed.',
      'vmw_bo_dirty_scan count=1',
    ]);
  });
});

describe('tracking that begins above huge entries, one written and one only read', () => {
  const begun = (tracking: string, change: { with?: string[]; without?: string[] }) => {
    const options = {
      kernel: 'linux-6.1',
      with: ['huge-faults', `tracking-${tracking}`, ...(change.with ?? [])],
      without: ['bz-53', ...(change.without ?? [])],
    };
    const { verdict, problems, events } = outcome(
      `scenario "begun"
surface arena: buffer 1024 pages
surface big: buffer 1024 pages coherent later in arena
process app {
  let p = map arena
  thread render on cpu0 {
    read p[0]
    write p[600 pages] = 2
    let huge = pte(p[0]).huge and pte(p[600 pages]).huge
    assert huge
    create big
    write p[1 page] = 3
    submit { draw reads big } as shown
    wait shown
  }
}
never violation`,
      options,
    );
    const kinds = [...new Set(problems.map((p) => p.replace(/:.*/s, '')))];
    return [verdict, ...kinds, ...events({ warn: '', vmw_bo_dirty_transfer: 'start end' })];
  };
  const transferred = (start: number, end: number) =>
    `vmw_bo_dirty_transfer start=${start} end=${end}`;

  test.each(['pagetable', 'mkwrite'])(
    'with the cure takes both out and notes the pages of the written one, by %s',
    (tracking) => {
      expect(begun(tracking, { without: ['huge-skipped'] })).toEqual([
        'holds',
        transferred(1, 2),
        transferred(512, 1024),
      ]);
    },
  );

  test('as in 5.7 to 5.15 passes both over, each time with a warning, and misses all stores', () => {
    expect(begun('mkwrite', {})).toEqual([
      'violated',
      'R1',
      'warn',
      'warn',
      'warn',
      'warn',
      'warn',
    ]);
    expect(begun('pagetable', {})).toEqual(['violated', 'R1', 'warn', 'warn', 'warn']);
  });

  test('as in 5.6 splits both, and misses what was stored before', () => {
    expect(begun('mkwrite', { with: ['bz-21'] })).toEqual([
      'violated',
      'R1',
      'warn',
      'warn',
      'warn',
      transferred(1, 2),
    ]);
  });
});
