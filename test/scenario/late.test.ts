// Surfaces that are made in the middle of a run: `later` and `create`. What Linux does is that of
// vmw_gb_surface_define_internal() and vmw_bo_dirty_add(), 5.1 with the series, and 6.1.
import { describe, expect, test } from 'vitest';
import { loadDebuggee } from '../../src/debug/scenario';
import { takeSnapshot } from '../../src/debug/snapshot';
import { bufferObjects } from '../../src/protocol/outline';
import type { RunOptions } from '../../src/scenario/load';
import { Timeline } from '../../src/timeline/timeline';
import { outcome } from './outcome';

const holds = { verdict: 'holds', problems: [] };

function ran(text: string, options: RunOptions = {}) {
  const { verdict, problems } = outcome(text, options);
  return { verdict, problems };
}

const overPlain = (body: string, surfaces = '') => `scenario "over a plain buffer"
surface arena: buffer 4 pages
surface big: buffer 4 pages coherent later in arena
${surfaces}
process app {
  let a = map arena
  thread render on cpu0 {
    submit { draw reads arena } as bound // the object is where the device knows it: BZ-53 is another matter
    wait bound
    ${body}
  }
}
never race
never violation`;

describe.each([['series-v2'], ['linux-6.1']])('on %s', (kernel) => {
  test.each([['tracking-pagetable'], ['tracking-mkwrite']])(
    'what a plain mapping has stored is sent when a coherent surface is made of the buffer, by %s',
    (tracking) => {
      const text = overPlain(`
    write a[0 .. 1 page] = 7
    submit { draw reads big } as none else before
    assert before == EINVAL
    create big
    assert pte(a[0]).write == ${tracking === 'tracking-pagetable'}
    assert tracker(big[0]).dirty == ${tracking === 'tracking-mkwrite'}
    write a[1 page .. 2 pages] = 8
    submit { draw reads big } as done
    wait done
    assert gpu(big)[0 .. 1 page] == 7
    assert gpu(big)[1 page .. 2 pages] == 8
    create big else twice
    assert twice == EEXIST`);
      expect(ran(text, { kernel, with: [tracking], without: ['bz-53'] })).toEqual(holds);
    },
  );
});

test('a use before it is made is refused, of whatever kind', () => {
  const uses = {
    'let p = map big': 'EINVAL',
    'submit { draw writes big }': 'EINVAL',
    'submit { update big }': 'EINVAL',
    'submit { bind big target }': 'EINVAL',
    'evict big': 'EINVAL',
    'pin big': 'EINVAL',
    'purge big': 'EINVAL',
    'grab big': 'EINVAL',
    'export big as all': 'EINVAL',
    'cursor big': 'EINVAL',
    'destroy big': 'EINVAL',
  };
  for (const [use, error] of Object.entries(uses)) {
    const text = overPlain(`${use} else error\n    assert error == ${error}\n    create big`);
    expect([use, ran(text)]).toEqual([use, holds]);
  }
});

test('made again it has memory of its own, and a mapping of what was before is of the old', () => {
  const text = `scenario "again"
surface ring: buffer 2 pages coherent
process app {
  let old = map ring
  thread render on cpu0 {
    write old = 1
    submit { draw reads ring } as first
    wait first
    destroy ring
    create ring
    write old = 2
    let p = map ring
    submit { draw reads ring } as second
    wait second
    read p[0] as x
    assert x == 0 and gpu(ring) == 0
    write p = 3
    submit { draw reads ring } as third
    wait third
    assert gpu(ring) == 3
    read old[0] as y
    assert y == 2
  }
}
never race
never violation`;
  expect(ran(text)).toEqual(holds);
});

test('made again in a loop, one after the other has room', () => {
  const text = `scenario "many"
surface ring: buffer 1 page coherent later
process app {
  thread render on cpu0 {
    repeat 20 as turn {
      create ring
      let p = map ring
      write p[0] = turn
      submit { draw reads ring } as done
      wait done
      assert gpu(ring)[0] == turn
      destroy ring
    }
  }
}
never violation`;
  expect(ran(text)).toEqual(holds);
});

test('beside others of its memory it is made in that again: mappings go on, and old bytes are promised to nobody', () => {
  const text = `scenario "beside"
surface ring: buffer 1 page coherent
surface more: buffer 2 pages coherent later in ring offset 1 page
process app {
  thread render on cpu0 {
    create more
    let q = map more
    write q = 1
    submit { draw reads more } as first
    wait first
    destroy more
    create more
    write q[1 page .. 2 pages] = 2
    submit { draw reads more } as second
    wait second
    assert gpu(more)[1 page .. 2 pages] == 2
    assert gpu(more)[0] == 0
  }
}
never race
never violation`;
  expect(ran(text)).toEqual(holds);
});

test('whoever of the surfaces of one memory is made first makes the buffer', () => {
  const text = `scenario "the part before the whole"
surface whole: buffer 4 pages coherent later
surface part: buffer 1 page coherent in whole offset 4 pages
process app {
  let q = map part
  thread render on cpu0 {
    write q = 5
    create whole
    let p = map whole
    write p = 6
    assert events(surface_created, fresh) == 1
    submit { draw reads whole, draw reads part } as done
    wait done
    assert gpu(part) == 5 and gpu(whole) == 6
    destroy part
    destroy whole
    unmap p
    create part
    assert events(surface_created, fresh) == 2
  }
}
never race
never violation`;
  expect(ran(text)).toEqual(holds);
});

test('two threads that make surfaces of one memory make one buffer', () => {
  const text = `scenario "at once"
surface one: buffer 1 page coherent later
surface two: buffer 1 page coherent later in one
process app {
  thread a on cpu0 {
    create one
    let p = map one
    write p = 1
    signal written
  }
  thread b on cpu1 {
    create two
    wait written
    submit { draw reads two } as done
    wait done
    assert gpu(two) == 1 and events(surface_created, fresh) == 1
  }
}
never violation`;
  for (const [first, second] of ['ab', 'ba']) {
    const schedule = `schedule {\n  ${first} until vmw_bo_init is called\n  ${second} until idle\n}`;
    expect(ran(`${text}\n${schedule}`, { without: ['shared-pages'] })).toEqual(holds);
  }
});

test('who keeps memory coherent in user space sends what the buffer holds', () => {
  const text = overPlain(`
    write a = 7
    create big
    submit { draw reads big } as done
    wait done
    assert gpu(big) == 7`);
  for (const memory of ['memory-explicit', 'memory-layer'])
    expect([memory, ran(text, { with: [memory] })]).toEqual([memory, holds]);
});

describe('whatever fails while it is made', () => {
  const points = [
    'vmw_bo_init',
    'vmw_surface_define',
    'vmw_bo_dirty_add',
    'vmw_surface_dirty_alloc',
  ];
  test.each(points)(
    '%s: the thread is told, nothing stays behind, and it can be made later',
    (point) => {
      const text = `scenario "fails"
surface big: buffer 4 pages coherent later
process app {
  thread render on cpu0 {
    fail ${point} once
    create big else error
    assert error == ENOMEM
    let none = map big else unmapped
    assert unmapped == EINVAL
    create big
    let p = map big
    write p = 3
    submit { draw reads big } as done
    wait done
    assert gpu(big) == 3
  }
}
never violation`;
      expect(ran(text)).toEqual(holds);
    },
  );
});

test('an application that loses an error is told', () => {
  const text = `scenario "told"
surface big: buffer 4 pages coherent later
process app {
  thread render on cpu0 {
    fail vmw_bo_dirty_add once
    create big
  }
}`;
  expect(ran(text)).toEqual({
    verdict: 'violated',
    problems: ['error: create failed with -ENOMEM'],
  });
});

test('the views show a surface that is to be made as one that is not there', () => {
  const made = loadDebuggee(
    'x.coh',
    `scenario "shown"
surface ring: buffer 1 page coherent
surface big: buffer 2 pages coherent later
process app {
  thread render on cpu0 {
    create big
    destroy big
  }
}`,
    { with: [], without: [] },
  );
  if (!('engine' in made)) throw new Error(JSON.stringify(made));
  const { engine } = made;
  const timeline = new Timeline(engine);
  const seen: string[] = [];
  const look = () => {
    const nameOf = (struct: string, at: number) => made.nameOf(struct, at);
    const nodes = bufferObjects(takeSnapshot(engine, nameOf, [], made.absent()));
    const text = nodes.map(({ label, value }) => `${label}: ${value[0]}`).join(', ');
    if (seen.at(-1) !== text) seen.push(text);
    return undefined;
  };
  timeline.run(look, 100_000);
  expect(seen).toEqual([
    'big: not there',
    'object 0: 1 page, big: not there', // in the kernel, without a name yet
    'ring: 1 page, big: not there',
    'ring: 1 page, object 1: 2 pages, big: not there',
    'ring: 1 page, big: 2 pages, big: not there',
    'ring: 1 page, big: 2 pages',
    'ring: 1 page, big: 2 pages, big: not there',
    'ring: 1 page, object 1: 2 pages, big: not there',
    'ring: 1 page, big: not there',
  ]);
});
