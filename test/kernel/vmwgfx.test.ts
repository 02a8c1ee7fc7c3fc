// The driver through user-space routines, on the default schedule: the counts are those that Linux 5.1 with the series
// of April 2019, or Linux 6.1, would show for the same calls. Every run is checked against the rules of routines.
import { describe, expect, test } from 'vitest';
import { DEVICE_VECTOR } from '../../src/hardware/cpu';
import {
  GPU_CMD_READ,
  GPU_CMD_WRITE,
  ofBytes,
  SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE,
  type SvgaCommand,
} from '../../src/hardware/svga/commands';
import { SVGA_IRQFLAG_ANY_FENCE } from '../../src/hardware/svga/registers';
import type { Preset } from '../../src/kernel/variants';
import type { AnyBuilder, Node } from '../../src/routine/routine';
import {
  create,
  createBeside,
  createIn,
  destroy,
  driverMachine,
  events,
  forget,
  map,
  read,
  run,
  runShuffled,
  submit,
  unmap,
  wait,
  write,
} from './driver';

const KiB = 1024;
const page = 4 * KiB;
const all = {
  page_fault: 'error_code',
  vmw_mkwrite: 'page marked',
  vmw_bo_dirty_scan: 'method count',
  vmw_bo_dirty_method: 'method',
  vmw_bo_dirty_unmap: 'start end',
  vmw_dirty_sync: 'x w',
  vmw_readback: '',
  dma_fence_emit: '',
  cpu_load: 'value',
};
const draws = (offset: number, length: number) => [{ id: GPU_CMD_READ, offset, length }];
const writes = (offset: number, length: number, value: number) => [
  { id: GPU_CMD_WRITE, offset, length, value },
];

/** A loop with its counter in `i`. */
const repeat = (b: AnyBuilder, n: number, body: Node[]): Node[] => [
  b.step('i = 0', (f) => {
    f.i = 0;
  }),
  b.loop('for', [
    b.when('i == n', (f) => f.i === n, [b.leave()]),
    ...body,
    b.step('i++', (f) => {
      f.i++;
    }),
  ]),
];

const ring = (b: AnyBuilder) => [
  create(b, 96 * KiB),
  map(b, 96 * KiB),
  ...[0, 1, 2].flatMap((section) => [
    write(b, section * 32 * KiB, 32 * KiB, section + 1),
    submit(b, section + 1, draws(section * 32 * KiB, 32 * KiB)),
  ]),
  wait(b, 3),
  write(b, 0, 32 * KiB, 9),
  submit(b, 4, draws(0, 32 * KiB)),
  wait(b, 4),
];

test('a ring of three sections faults 9 times, and each submission uploads its section', () => {
  const machine = driverMachine([ring]);
  run(machine);
  expect(events(machine, { page_fault: '' })).toHaveLength(9);
  expect(events(machine, { vmw_bo_dirty_scan: 'method count', vmw_dirty_sync: 'x w' })).toEqual(
    [0, 1, 2, 0].flatMap((section) => [
      'vmw_bo_dirty_scan method=0 count=8',
      `vmw_dirty_sync x=${section * 32768} w=32768`,
    ]),
  );
  expect(machine.engine.parts.svga.peek(0, 64 * KiB)).toBe(3);
  expect(machine.engine.parts.svga.peek(0, 4 * KiB)).toBe(9);
});

test('in Linux 6.1 the first move loses the first section, and its pages fault once more', () => {
  const machine = driverMachine([ring], { preset: 'linux-6.1' });
  run(machine);
  expect(
    events(machine, { vmw_bo_dirty_scan: 'count', vmw_dirty_sync: 'x w' }).slice(0, 3),
  ).toEqual([
    'vmw_bo_dirty_scan count=0',
    'vmw_bo_dirty_scan count=8',
    'vmw_dirty_sync x=32768 w=32768',
  ]);
});

test('a large object is write-protected: one page a frame costs one notification', () => {
  const machine = driverMachine(
    [
      (b) => [
        create(b, 2048 * page),
        map(b, 2048 * page),
        ...[0, 1, 2, 3].flatMap((frame) => [
          write(b, frame * page, page, frame + 1),
          submit(b, frame + 1, draws(frame * page, page)),
        ]),
        wait(b, 4),
      ],
    ],
    { pages: 2048, surfaces: 1 },
  );
  run(machine);
  const frame = (n: number) => [
    'page_fault error_code=7',
    `vmw_mkwrite page=${n} marked=true`,
    'vmw_bo_dirty_scan method=1 count=1',
    `vmw_dirty_sync x=${n * page} w=${page}`,
    'dma_fence_emit',
  ];
  expect(events(machine, all)).toEqual([
    'page_fault error_code=6',
    ...frame(0),
    'page_fault error_code=6', // maps 16 pages, read-only, once the surface is attached
    'dma_fence_emit',
    'dma_fence_emit',
    ...[1, 2, 3].flatMap(frame),
  ]);
});

test('an idle object goes over to write protection at the fourth submission', () => {
  const machine = driverMachine(
    [
      (b) => [
        create(b, 64 * page),
        map(b, 64 * page),
        write(b, 0, 64 * page, 1),
        ...[1, 2, 3, 4, 5].map((n) => submit(b, n, draws(0, page))),
        wait(b, 5),
        write(b, 5 * page, 8, 2),
      ],
    ],
    { pages: 64 },
  );
  run(machine);
  const { vmw_bo_dirty_scan, vmw_bo_dirty_method, vmw_mkwrite } = all;
  expect(events(machine, { vmw_bo_dirty_scan, vmw_bo_dirty_method, vmw_mkwrite })).toEqual([
    'vmw_bo_dirty_scan method=0 count=64',
    'vmw_bo_dirty_scan method=0 count=0',
    'vmw_bo_dirty_scan method=0 count=0',
    'vmw_bo_dirty_scan method=0 count=0',
    'vmw_bo_dirty_method method=1',
    'vmw_bo_dirty_scan method=1 count=0',
    'vmw_mkwrite page=5 marked=true',
  ]);
});

test('what the GPU wrote is read back on the first touch, once, and needs two fences', () => {
  const machine = driverMachine([
    (b) => [
      create(b, 8 * KiB),
      map(b, 8 * KiB),
      ...[1, 2].flatMap((n) => [submit(b, n, writes(0, 8 * KiB, n)), wait(b, n), read(b, 0, 4)]),
    ],
  ]);
  run(machine);
  expect(events(machine, all)).toEqual(
    [1, 2].flatMap((n) => [
      'vmw_bo_dirty_scan method=0 count=0',
      'vmw_bo_dirty_unmap start=0 end=2',
      'dma_fence_emit',
      'page_fault error_code=4',
      'vmw_readback',
      'dma_fence_emit',
      'dma_fence_emit',
      `cpu_load value=${n}`,
    ]),
  );
});

test('CPU and GPU own halves of a page: neither loses its half', () => {
  const machine = driverMachine([
    (b) => [
      create(b, 8 * KiB),
      map(b, 8 * KiB),
      ...[1, 2].flatMap((n) => [
        submit(b, n, writes(0, 2 * KiB, n)),
        wait(b, n),
        write(b, 2 * KiB, 2 * KiB, 16 + n),
      ]),
      submit(b, 3, draws(0, 4 * KiB)),
      wait(b, 3),
      read(b, 0, 4 * KiB),
    ],
  ]);
  run(machine);
  expect(events(machine, { vmw_readback: '', cpu_load: 'value' })).toEqual([
    'vmw_readback',
    'vmw_readback',
    'cpu_load value=2',
  ]);
  expect([0, 2 * KiB].map((at) => machine.engine.parts.svga.peek(0, at))).toEqual([2, 18]);
});

describe('without coherence', () => {
  const program =
    (commands: (offset: number, length: number) => Partial<SvgaCommand>[]) => (b: AnyBuilder) => [
      create(b, 8 * KiB, false),
      map(b, 8 * KiB),
      write(b, 0, 8 * KiB, 5),
      submit(b, 1, commands(0, 8 * KiB)),
      wait(b, 1),
    ];

  test('the device sees nothing that was not flushed', () => {
    const machine = driverMachine([program(draws)]);
    run(machine);
    expect(machine.engine.parts.svga.peek(0, 0)).toBe(0);
    expect(events(machine, { vmw_bo_dirty_scan: '', vmw_dirty_sync: '' })).toEqual([]);
  });

  test('an update of its own brings the bytes over', () => {
    const flushes = (offset: number, length: number) => [
      { id: SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE, ...ofBytes(offset, length) },
    ];
    const machine = driverMachine([program(flushes)]);
    run(machine);
    expect(machine.engine.parts.svga.peek(0, 0)).toBe(5);
  });
});

test('with tracking off, or with a notification that marks nothing, the device misses the store', () => {
  const small = (b: AnyBuilder) => [
    create(b, 8 * KiB),
    map(b, 8 * KiB),
    write(b, 0, 8 * KiB, 5),
    submit(b, 1, draws(0, 8 * KiB)),
    wait(b, 1),
  ];
  const off = driverMachine([small], { with: ['tracking-off'] });
  run(off);
  expect(off.engine.parts.svga.peek(0, 0)).toBe(0);
  const large = (b: AnyBuilder) => [
    create(b, 600 * page),
    map(b, 600 * page),
    write(b, 0, 8 * KiB, 5),
    submit(b, 1, draws(0, 8 * KiB)),
    wait(b, 1),
  ];
  const options = { pages: 600, surfaces: 1 };
  const good = driverMachine([large], options);
  run(good);
  expect(good.engine.parts.svga.peek(0, 0)).toBe(5);
  const bad = driverMachine([large], { ...options, with: ['mkwrite-marks-nothing'] });
  run(bad);
  expect(bad.engine.parts.svga.peek(0, 0)).toBe(0);
});

test('a heavy writer is told of every write for three frames, then scanned for dirty bits', () => {
  const written = 300 * page; // 14 % of 2048 pages
  const machine = driverMachine(
    [
      (b) => [
        create(b, 2048 * page),
        map(b, 2048 * page),
        ...[1, 2, 3, 4, 5].flatMap((frame) => [
          write(b, 0, written, frame),
          submit(b, frame, draws(0, page)),
        ]),
        wait(b, 5),
      ],
    ],
    { pages: 2048, surfaces: 1, check: false },
  );
  run(machine);
  const faults = (code: number) =>
    events(machine, { page_fault: 'error_code' }).filter((e) => e.endsWith(`=${code}`)).length;
  expect([faults(6), faults(7)]).toEqual([300, 4 * 300]);
  const { vmw_bo_dirty_scan, vmw_bo_dirty_method } = all;
  expect(events(machine, { vmw_bo_dirty_scan, vmw_bo_dirty_method })).toEqual([
    'vmw_bo_dirty_scan method=1 count=300',
    'vmw_bo_dirty_scan method=1 count=300',
    'vmw_bo_dirty_scan method=1 count=300',
    'vmw_bo_dirty_method method=0',
    'vmw_bo_dirty_scan method=0 count=300',
    'vmw_bo_dirty_scan method=0 count=300',
  ]);
  const marked = events(machine, { vmw_mkwrite: 'marked' });
  expect(marked.filter((e) => e.endsWith('true'))).toHaveLength(900);
  expect(marked.filter((e) => e.endsWith('false'))).toHaveLength(300);
});

test('dirty bits are collected from both mappings of an object', () => {
  const machine = driverMachine([
    (b) => [
      create(b, 8 * KiB),
      map(b, 8 * KiB),
      write(b, 0, 8, 1),
      map(b, 8 * KiB),
      write(b, page, 8, 2),
      submit(b, 1, [
        { id: SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE, ...ofBytes(0, page) },
        ...draws(0, 8 * KiB),
      ]),
      wait(b, 1),
    ],
  ]);
  run(machine);
  const { page_fault, vmw_bo_dirty_scan, vmw_dirty_sync } = all;
  expect(events(machine, { page_fault, vmw_bo_dirty_scan, vmw_dirty_sync })).toEqual([
    'page_fault error_code=6',
    'page_fault error_code=6',
    'vmw_bo_dirty_scan method=0 count=2',
    'vmw_dirty_sync x=0 w=8192',
  ]);
  // The kernel's update comes before the application's own, which repeats a part of it.
  const updates = events(machine, { svga_command: 'id offset length' }).filter((e) =>
    e.includes(`id=${SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE} `),
  );
  expect(updates).toEqual([
    'svga_command id=1182 offset=0 length=8192',
    'svga_command id=1182 offset=0 length=4096',
  ]);
});

test('a signal cuts a wait for a fence short, which is done again, and the interrupt is off in the end', () => {
  const machine = driverMachine([
    (b) => [
      create(b, 8 * KiB),
      submit(b, 1, draws(0, 8 * KiB)),
      b.step('a signal is pending', (_f, k) => k.signal(k.task, true)),
      wait(b, 1),
    ],
  ]);
  run(machine);
  expect(events(machine, { dma_fence_wait_end: '', fence_waited: '' })).toEqual([
    'dma_fence_wait_end',
    'dma_fence_wait_end',
    'fence_waited',
  ]);
  expect(machine.engine.the('svga', 'svga_regs').irq_mask).toBe(0);
});

test.each<Preset>(['series-v2', 'linux-6.1'])(
  'huge-faults on %s: read, written, drawn and unmapped, and no rule is broken on the way',
  (preset) => {
    const body = (b: AnyBuilder) => [
      create(b, 512 * page),
      map(b, 512 * page),
      read(b, 9 * page, 8),
      write(b, 9 * page, 8, 3),
      submit(b, 1, [...draws(9 * page, 8), ...writes(0, 512 * page, 4)]),
      wait(b, 1),
      read(b, 9 * page, 8),
      unmap(b, 512 * page),
      destroy(b),
    ];
    const options = { preset, pages: 512, frames: 1024, with: ['huge-faults'], without: ['bz-53'] };
    const machine = driverMachine([body], options);
    run(machine);
    const wanted = { page_fault: 'error_code', vmw_dirty_sync: 'x w', cpu_load: 'value' };
    expect(events(machine, wanted)).toEqual([
      'page_fault error_code=4',
      'cpu_load value=0',
      'page_fault error_code=7', // the huge entry goes
      'page_fault error_code=7', // mkwrite
      `vmw_dirty_sync x=${9 * page} w=${page}`,
      'page_fault error_code=4',
      'cpu_load value=4',
    ]);
  },
);

describe('two surfaces side by side in one object', () => {
  const pair = (b: AnyBuilder) => [
    createIn(b, 4 * page, 8 * page),
    createBeside(b, 4 * page, 4 * page),
    map(b, 8 * page),
  ];
  const uploads = { vmw_dirty_sync: 'surface x w', warn: 'where', vmw_readback: 'surface' };

  const written = (b: AnyBuilder) => [
    ...pair(b),
    write(b, page, 8, 1),
    write(b, 5 * page, 8, 2),
    submit(b, 1, draws(page, 8)),
    submit(b, 2, draws(page, 8), 'other'),
    wait(b, 2),
  ];

  test('each gets its own pages', () => {
    const machine = driverMachine([written]);
    run(machine);
    expect(events(machine, uploads)).toEqual([
      'vmw_dirty_sync surface=0 x=4096 w=4096',
      'vmw_dirty_sync surface=1 x=4096 w=4096',
    ]);
  });

  test('bz-01: the first transfer swallows the pages of the second, with a warning', () => {
    const machine = driverMachine([written], { with: ['bz-01'] });
    run(machine);
    expect(events(machine, uploads)).toEqual([
      'warn where=8',
      'vmw_dirty_sync surface=0 x=4096 w=4096',
    ]);
    expect(machine.engine.parts.svga.peek(1, page)).toBe(0);
  });

  const drawn = (b: AnyBuilder) => [
    ...pair(b),
    submit(b, 1, writes(0, 8, 1)),
    submit(b, 2, writes(0, 8, 2), 'other'),
    wait(b, 2),
    read(b, 0, 8),
  ];

  test('a fault reads back its own surface only; bz-11: all within 4096 pages', () => {
    const machine = driverMachine([drawn]);
    run(machine);
    expect(events(machine, uploads)).toEqual(['vmw_readback surface=0']);
    const wide = driverMachine([drawn], { with: ['bz-11'] });
    run(wide);
    expect(events(wide, uploads)).toEqual(['vmw_readback surface=0', 'vmw_readback surface=1']);
  });

  test('huge-faults: an entry for both lets a CPU read what the GPU wrote to the other, not read back', () => {
    const half = 256 * page;
    const body = (b: AnyBuilder) => [
      createIn(b, half, 2 * half),
      createBeside(b, half, half),
      map(b, 2 * half),
      submit(b, 1, writes(0, 8, 5)),
      submit(b, 2, writes(0, 8, 6), 'other'),
      wait(b, 2),
      read(b, 0, 8),
      read(b, half, 8),
    ];
    const loads = (variants: string[]) => {
      const machine = driverMachine([body], { pages: 512, frames: 1024, with: variants });
      run(machine);
      return events(machine, { vmw_readback: 'surface', cpu_load: 'value' });
    };
    const first = ['vmw_readback surface=0', 'cpu_load value=5'];
    expect(loads([])).toEqual([...first, 'vmw_readback surface=1', 'cpu_load value=6']);
    expect(loads(['huge-faults'])).toEqual([...first, 'cpu_load value=0']);
  });

  test('a surface that does not fit into the object is refused', () => {
    const machine = driverMachine([(b) => [create(b, 4 * page), createBeside(b, 4 * page, page)]]);
    run(machine);
    expect(events(machine, { surface_created: 'surface' })).toEqual(['surface_created surface=0']);
  });
});

const busy = (first: number) => (b: AnyBuilder) => [
  create(b, 32 * KiB),
  map(b, 32 * KiB),
  ...repeat(b, 2, [
    write(b, 0, 16 * KiB, first),
    submit(b, first, [...draws(0, 16 * KiB), ...writes(20 * KiB, 64, first)]),
    wait(b, first),
    read(b, 16 * KiB, 8 * KiB),
    forget(b),
  ]),
  unmap(b, 32 * KiB),
  destroy(b),
];

// Processes and what is known of each CPU's TLB stay; the device hears of the last destructions with the next flush, as in the kernel.
const keeps = ['mm_struct', 'task_struct', 'page_table', 'tlb_state', 'svga_surface', 'svga_mob'];

test('two threads end in every order of steps, break no rule and leave nothing behind', () => {
  for (const preset of ['series-v2', 'linux-6.1'] as const) {
    for (let seed = 1; seed <= 10; seed++) {
      const machine = driverMachine([busy(1), busy(2)], { preset, check: seed <= 3 });
      runShuffled(machine, seed);
      // Nobody waits for the last fences: what they keep goes when somebody looks, here the next interrupt.
      machine.engine.the('svga', 'svga_regs').irq_status = SVGA_IRQFLAG_ANY_FENCE;
      machine.engine.raise(0, DEVICE_VECTOR);
      runShuffled(machine, seed);
      const { objects } = machine.engine;
      const left = objects.pools
        .map(({ struct }) => struct.name)
        .filter((name) => !keeps.includes(name))
        .filter((name) => [...objects.all(name)].length > 0);
      expect(left, `${preset}, seed ${seed}`).toEqual([]);
      expect(events(machine, { svga_error: 'id', warn: 'where' })).toEqual([]);
    }
  }
});

test('an interrupt that comes while the handler clears the status is not lost', () => {
  const { engine } = driverMachine([() => []]);
  const regs = engine.the('svga', 'svga_regs');
  const handler = engine.agentOfTask(engine.currentOf(0));
  engine.raise(0, DEVICE_VECTOR); // one too many: the handler before has seen to it
  engine.step(0);
  engine.step(handler);
  engine.step(handler); // has read the status: 0
  regs.irq_status = SVGA_IRQFLAG_ANY_FENCE;
  engine.raise(0, DEVICE_VECTOR);
  while (engine.stack(engine.currentOf(0)).length > 1) engine.step(handler);
  expect(regs.irq_status).toBe(SVGA_IRQFLAG_ANY_FENCE);
  expect(engine.runnable(0)).toBe(true);
});

test('a submission that names no surface is refused, and holds nothing afterwards', () => {
  const machine = driverMachine([
    (b) => [
      create(b, 8 * KiB),
      submit(b, 1, draws(0, 8 * KiB), 'nothing'),
      b.step('result = fence', (f) => {
        f.result = f.fence;
      }),
      submit(b, 2, draws(0, 8 * KiB)),
      wait(b, 2),
      destroy(b),
      b.wait('stay', () => false),
    ],
  ]);
  expect(() => run(machine)).toThrow('stuck');
  const { engine } = machine;
  const [frame] = engine.stack(0);
  expect(
    frame!.code.frame
      .slot('result')
      .field.get(engine.store, frame!.at + frame!.code.frame.slot('result').offset),
  ).toBe(0);
  expect(engine.held(0)).toEqual([]);
});
