// What the device is taken to do where its interface leaves a choice, and how commands come to it: each way by itself, and
// beside the other.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { outcome } from './outcome';

const example = (path: string) => readFileSync(`examples/${path}.coh`, 'utf8');
const firstLines = (problems: readonly string[]) => problems.map((p) => p.split(':')[0]);

describe('a first bind', () => {
  const text = example('bug-zoo/bz-53-first-move');

  test('loads nothing: what was lost before it is missed by the first draw', () => {
    expect(firstLines(outcome(text, { with: ['bz-53'] }).problems)).toEqual(['R1', 'assertion']);
  });

  test('or loads what memory holds (bind-loads): then nothing is missed', () => {
    expect(outcome(text, { with: ['bz-53', 'bind-loads'] }).problems).toEqual([]);
  });

  const rebound = `scenario "bound again"
surface ring: buffer 4 pages coherent
process app {
  let p = map ring
  thread render on cpu0 {
    write p = 5
    submit { draw reads ring } as first
    wait first
    evict ring
    write p[0 .. 1 page] = 6
    submit { draw reads ring } as second
    wait second
  }
}`;

  test('is only the first one: a surface that comes back from an eviction needs its upload', () => {
    expect(outcome(rebound, { with: ['bind-loads'] }).problems).toEqual([]);
    const fault = 'size-for-dirty';
    const [found] = outcome(rebound, { with: ['bind-loads', fault] }).problems;
    expect(found).toContain('R1: the GPU read 219');
  });
});

const buffers = { with: ['submission-buffers'] };
const marks = {
  svga_error: 'id',
  vmw_cmdbuf_error: 'id offset',
  svga_fence: 'seqno',
  svga_cb: 'status',
};

/** Updates of a layer that `bz-04` words in a way that the device refuses, in several submissions one behind the other. */
const layers = (schedule: string) => `scenario "bad commands among good ones"
surface picture: texture rgba8 64 by 64 layers 2 coherent
surface ring: buffer 4 pages coherent
process app {
  let p = map picture
  let q = map ring
  thread render on cpu0 {
    write q = 3
    write layer(p, 1) = 5
    submit { draw reads picture, draw writes ring[0 .. 1] = 7 } as first
    submit { draw writes ring[1 .. 2] = 8 } as second
    submit { draw writes ring[2 .. 3] = 9 } as third
    wait third
    assert gpu(ring)[0] == 7 and gpu(ring)[1] == 8 and gpu(ring)[2] == 9
    read q[0 .. 3]
  }
}
${schedule}
`;
const queued = 'schedule {\n  app until idle\n  render until idle\n}';

describe('command buffers', () => {
  test('a command that the device refuses is told of and skipped; what is behind it is done, and fences signal', () => {
    expect(outcome(layers(''), buffers).problems).toEqual([]);
    for (const kernel of ['series-v2', 'linux-6.1']) {
      const fault = { with: ['submission-buffers', 'bz-04'], without: ['bz-53'], kernel };
      const { problems, events } = outcome(layers(''), fault);
      expect([...new Set(firstLines(problems))].sort()).toEqual(['R1', 'device', 'warn']);
      const found = events(marks);
      expect(found.slice(0, 3)).toEqual([
        'svga_error id=1101',
        'svga_cb status=3',
        'vmw_cmdbuf_error id=1101 offset=4',
      ]);
      expect(found).toContain('svga_fence seqno=3');
    }
  });

  test('buffers that wait behind a refused command are taken back and come again behind what is left of its own', () => {
    const fault = { with: ['submission-buffers', 'bz-04'] };
    const { problems, events } = outcome(layers(queued), fault);
    expect([...new Set(firstLines(problems))].sort()).toEqual(['R1', 'device', 'warn']);
    expect(events({ ...marks, gpu_write: 'submission' }).slice(0, 14)).toEqual([
      'svga_error id=1101',
      'svga_cb status=3',
      'vmw_cmdbuf_error id=1101 offset=4',
      'svga_cb status=5',
      'svga_cb status=5',
      ...[1, 2, 3].flatMap((n) => [
        `gpu_write submission=${n}`,
        `svga_fence seqno=${n}`,
        'svga_cb status=1',
      ]),
    ]);
  });

  test('the device has 31 buffers at most; for those that wait it interrupts whenever one is done', () => {
    const text = `scenario "many in flight"
surface ring: buffer 4 pages coherent
process app {
  thread render on cpu0 {
    repeat 40 { submit { draw writes ring = 3 } }
    submit { draw reads ring } as last
    wait last
  }
}
${queued}
finally MOST
`;
    const finds = (count: number, most: string) =>
      outcome(text.replace('40 {', `${count} {`).replace('MOST', most), buffers).problems;
    // One interrupt for every fence; besides, one for each of the first ten buffers, behind which others wait.
    expect(finds(40, 'events(svga_irq) == 41 + 10')).toEqual([]);
    expect(finds(40, 'events(svga_cb, status == 1) == 41')).toEqual([]);
    expect(finds(20, 'events(svga_irq) == 21')).toEqual([]);
  });
});

/** What most of the driver goes through: every one holds, however commands come to the device. */
const everyWay = [
  '01-ring-buffer',
  '04-render-target-readback',
  'pressure/suspend',
  'pressure/swap',
  'fences/sync-file-only',
  'fences/event-of-a-fence',
  'sharing/two-surfaces-in-one-object',
  'textures/generated-mips',
];

describe.each(everyWay)('%s', (path) => {
  const text = example(path);
  const titles = [...text.matchAll(/^scenario "([^"]+)"/gm)].map(([, title = '']) => title);

  test.each(['buffers', 'fifo'])('holds by %s', (way) => {
    for (const scenario of titles)
      expect(outcome(text, { scenario, with: [`submission-${way}`] })).toMatchObject({
        verdict: 'holds',
        problems: [],
      });
  });
});

test.each(['submission-buffers', 'submission-fifo'])('a loss is found by %s as well', (way) => {
  const text = example('bug-zoo/bz-05-evicted-but-bound');
  const { problems } = outcome(text, { with: ['bz-05', way] });
  expect(firstLines(problems)).toContain('R2');
});

test('what the device refuses in a fifo is left out, and fences signal', () => {
  const { problems, events } = outcome(layers(''), { with: ['submission-fifo', 'bz-04'] });
  expect([...new Set(firstLines(problems))].sort()).toEqual(['R1', 'device']);
  expect(events({ svga_fence: 'seqno' })).toContain('svga_fence seqno=3');
});
