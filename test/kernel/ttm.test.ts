// Placement of buffer objects under pressure: who is evicted, what becomes of the data on the device and of the entries
// in page tables. On both presets, checked against the rules of routines; where the kernels differ a test says so.
import { describe, expect, test } from 'vitest';
import {
  GPU_CMD_READ,
  GPU_CMD_WRITE,
  SVGA_3D_CMD_BIND_GB_SURFACE,
  SVGA_3D_CMD_DEFINE_GB_MOB64,
  SVGA_3D_CMD_DESTROY_GB_MOB,
  SVGA_3D_CMD_INVALIDATE_GB_SURFACE,
  SVGA_3D_CMD_READBACK_GB_SURFACE,
  SVGA_3D_CMD_UPDATE_GB_SURFACE,
  SVGA_CMD_FENCE,
} from '../../src/hardware/svga/commands';
import { invalidatedByte } from '../../src/hardware/svga/device';
import { bufferShape } from '../../src/hardware/svga/shapes';
import { EBUSY, EINVAL, ENOMEM } from '../../src/kernel/include/linux/errno';
import type { Preset } from '../../src/kernel/variants';
import type { Machine } from '../../src/machine/machine';
import type { AnyBuilder } from '../../src/routine/routine';
import { tracepoint } from '../../src/state/events';
import * as system from '../../src/user/system';
import * as winsys from '../../src/user/winsys';
import {
  alone,
  create,
  driverMachine,
  events,
  map,
  read,
  run,
  runShuffled,
  submit,
  wait,
  write,
} from './driver';

const page = 4096;
const mark = tracepoint('mark', {});
const presets: readonly Preset[] = ['series-v2', 'linux-6.1'];
const draws = (offset: number, length: number) => [{ id: GPU_CMD_READ, offset, length }];
const fills = (offset: number, length: number, value: number) => [
  { id: GPU_CMD_WRITE, offset, length, value },
];

/** A second surface, with a buffer of its own; its handle is `other`. */
const createOther = (b: AnyBuilder, bytes: number) =>
  b.statement(undefined, [
    b.call(
      winsys.gb_surface_create,
      () => ({ surface: 1, shape: bufferShape(bytes), coherent: true, ...alone }),
      'other',
    ),
  ]);

const moves = (machine: Machine) => events(machine, { ttm_bo_move: 'old placement' });

const commandNames: Readonly<Record<number, string>> = {
  [SVGA_3D_CMD_BIND_GB_SURFACE]: 'bind',
  [SVGA_3D_CMD_DEFINE_GB_MOB64]: 'define mob',
  [SVGA_3D_CMD_DESTROY_GB_MOB]: 'destroy mob',
  [SVGA_3D_CMD_INVALIDATE_GB_SURFACE]: 'invalidate',
  [SVGA_3D_CMD_READBACK_GB_SURFACE]: 'readback',
  [SVGA_3D_CMD_UPDATE_GB_SURFACE]: 'update all',
  [SVGA_CMD_FENCE]: 'fence',
  [GPU_CMD_READ]: 'draw',
  [GPU_CMD_WRITE]: 'fill',
};

/** What the device executed between the `n`th draw or fill and the next, in words. */
function commandsAfter({ engine }: Machine, n: number): string[] {
  const names = engine.events
    .slice()
    .filter((e) => e.name === 'svga_command')
    .map((e) => commandNames[e.args.id as number] ?? `command ${e.args.id}`);
  const work = names.flatMap((name, i) => (name === 'draw' || name === 'fill' ? [i] : []));
  return names.slice(work[n - 1]! + 1, work[n]);
}

describe.each(presets)('eviction (%s)', (preset) => {
  const pressed = (b: AnyBuilder) => [
    create(b, 4 * page),
    map(b, 4 * page),
    createOther(b, 4 * page),
    submit(b, 1, fills(0, 4 * page, 7)),
    submit(b, 2, draws(0, page), 'other'),
    wait(b, 2),
    read(b, page, 4),
  ];

  test('an object that does not fit drives out the one used longest ago, with its data', () => {
    const machine = driverMachine([pressed], { preset, mobPages: 6 });
    run(machine);
    expect(moves(machine)).toEqual([
      'ttm_bo_move old=0 placement=4',
      'ttm_bo_move old=4 placement=0',
      'ttm_bo_move old=0 placement=4',
    ]);
    expect(commandsAfter(machine, 1)).toEqual([
      'fence',
      'readback',
      'bind',
      'fence',
      'destroy mob',
      'define mob',
      expect.stringMatching(/^command/), // define surface
      'bind',
    ]);
    // The CPU finds what the GPU wrote: one fault, no second readback.
    expect(events(machine, { vmw_readback: '', cpu_load: 'value' })).toEqual([
      'vmw_readback',
      'cpu_load value=7',
    ]);
    expect(events(machine, { svga_error: '' })).toEqual([]);
  });

  test('without a limit nothing moves out', () => {
    const machine = driverMachine([pressed], { preset });
    run(machine);
    expect(moves(machine)).toEqual([
      'ttm_bo_move old=0 placement=4',
      'ttm_bo_move old=0 placement=4',
    ]);
  });

  test('the data of a surface that only the CPU writes is given up on the device, and uploaded whole later', () => {
    const machine = driverMachine(
      [
        (b) => [
          create(b, 4 * page),
          map(b, 4 * page),
          createOther(b, 4 * page),
          submit(b, 1, draws(0, page)),
          write(b, 0, 4 * page, 5),
          submit(b, 2, draws(0, page), 'other'),
          write(b, page, page, 6),
          submit(b, 3, draws(0, page)),
          wait(b, 3),
        ],
      ],
      { preset, mobPages: 6 },
    );
    run(machine);
    const between = commandsAfter(machine, 1);
    expect(between.slice(between.indexOf('invalidate')).slice(0, 4)).toEqual([
      'invalidate',
      'bind',
      'fence',
      'destroy mob',
    ]);
    expect(commandsAfter(machine, 2).slice(-2)).toEqual(['bind', 'update all']);
    expect(events(machine, { vmw_dirty_sync: 'x' })).toEqual([]);
    const { svga } = machine.engine.parts;
    expect([0, page, 2 * page].map((at) => svga.peek(0, at))).toEqual([5, 6, 5]);
  });

  test('an object larger than all of MOB memory is refused with -ENOMEM, and nothing stays reserved', () => {
    const machine = driverMachine(
      [
        (b) => [
          create(b, 8 * page),
          createOther(b, page),
          submit(b, 1, draws(0, page)),
          b.step('keep', (f) => {
            f.n = f.fence;
          }),
          submit(b, 2, draws(0, page), 'other'),
          wait(b, 2),
          b.step('was it refused?', (f) => {
            f.i = f.n === -ENOMEM && f.result === 0 ? 1 : 0;
          }),
          b.when('not refused', (f) => f.i !== 1, [b.wait('never', () => false)]),
        ],
      ],
      { preset, mobPages: 4 },
    );
    run(machine);
    expect(moves(machine)).toEqual(['ttm_bo_move old=0 placement=4']);
  });

  test.each([1, 2, 3, 4, 5, 6])(
    'two threads that drive out each other end, in order %i',
    (seed) => {
      const body = (name: number) => (b: AnyBuilder) => [
        b.statement(undefined, [
          b.call(
            winsys.gb_surface_create,
            () => ({ surface: name, shape: bufferShape(4 * page), coherent: true, ...alone }),
            'handle',
          ),
        ]),
        map(b, 4 * page),
        ...[1, 2, 3].flatMap((n) => [
          write(b, 0, page, 10 * name + n),
          submit(b, 10 * name + n, draws(0, page)),
          wait(b, 10 * name + n),
        ]),
      ];
      const machine = driverMachine([body(0), body(1)], {
        preset,
        mobPages: 6,
        surfaces: 2,
        pages: 4,
      });
      runShuffled(machine, seed);
      // Who was driven out last has nothing left on the device.
      const held = [0, 1].map((name) => machine.engine.parts.svga.peek(name, 0));
      expect([
        [3, 13],
        [3, invalidatedByte],
        [invalidatedByte, 13],
      ]).toContainEqual(held);
      expect(moves(machine)).toContain('ttm_bo_move old=4 placement=0');
      expect(events(machine, { svga_error: '' })).toEqual([]);
    },
  );
});

test.each([
  ['series-v2', 0],
  ['linux-6.1', 1],
] as const)(
  'a move out of MOB placement leaves the entries of 2019, and takes those of 6.1 (%s)',
  (preset, again) => {
    const machine = driverMachine(
      [
        (b) => [
          create(b, 4 * page),
          map(b, 4 * page),
          createOther(b, 4 * page),
          submit(b, 1, draws(0, page)),
          write(b, 0, page, 5),
          submit(b, 2, draws(0, page), 'other'),
          wait(b, 2),
          b.step('count from here', (_f, k) => k.emit(mark, {})),
          read(b, 0, 4),
        ],
      ],
      { preset, mobPages: 6 },
    );
    run(machine);
    const seen = events(machine, { page_fault: '', mark: '' });
    expect(seen.slice(seen.indexOf('mark') + 1)).toHaveLength(again);
  },
);

/** What the system asks of the surface at hand; its answer is `result`. */
const asks = (
  b: AnyBuilder,
  what: typeof system.evict_surface,
  of: 'handle' | 'other' = 'handle',
) => b.statement(undefined, [b.call(what, (f) => ({ handle: f[of] }), 'result')]);
const sleeps = (b: AnyBuilder, what: typeof system.suspend) =>
  b.statement(undefined, [b.call(what, () => ({}), 'result')]);

/** The run goes on only if the last answer was this. */
const answered = (b: AnyBuilder, answer: number) =>
  b.when(`the answer was not ${answer}`, (f) => f.result !== answer, [
    b.wait('never', () => false),
  ]);

const noErrors = (machine: Machine) =>
  expect(events(machine, { svga_error: '', warn: '' })).toEqual([]);

describe.each(presets)('swap (%s)', (preset) => {
  test('what CPU and GPU wrote comes back from swap, with one upload of all', () => {
    const machine = driverMachine(
      [
        (b) => [
          create(b, 4 * page),
          map(b, 4 * page),
          submit(b, 1, fills(0, 4 * page, 7)),
          wait(b, 1),
          write(b, page, page, 8),
          asks(b, system.swap_surface),
          answered(b, 0),
          b.step('pages left', (_f, k) => {
            k.emit(mark, {});
            expect([...k.objects.all('page')]).toEqual([]);
          }),
          write(b, 2 * page, page, 9),
          read(b, 0, 4),
          read(b, page, 4),
          submit(b, 2, draws(0, page)),
          wait(b, 2),
        ],
      ],
      { preset },
    );
    run(machine);
    const seen = events(machine, { mark: '', page_fault: '', cpu_load: 'value' });
    const later = seen.slice(seen.indexOf('mark') + 1);
    expect(later.filter((e) => e !== 'page_fault')).toEqual([
      'cpu_load value=7',
      'cpu_load value=8',
    ]);
    expect(later[0]).toBe('page_fault');
    expect(commandsAfter(machine, 1).slice(-2)).toEqual(['bind', 'update all']);
    const { svga } = machine.engine.parts;
    expect([0, page, 2 * page].map((at) => svga.peek(0, at))).toEqual([7, 8, 9]);
    noErrors(machine);
  });

  test('what was written before the first submission is lost to the device: nothing was bound', () => {
    const machine = driverMachine(
      [
        (b) => [
          create(b, 4 * page),
          map(b, 4 * page),
          write(b, page, page, 8),
          asks(b, system.swap_surface),
          read(b, page, 4),
          submit(b, 1, draws(page, page)),
          wait(b, 1),
        ],
      ],
      { preset },
    );
    run(machine);
    expect(events(machine, { vmw_bo_dirty_scan: 'count', cpu_load: 'value' })).toEqual([
      'cpu_load value=8',
      'vmw_bo_dirty_scan count=0',
    ]);
    expect(machine.engine.parts.svga.peek(0, page)).toBe(0);
  });

  test('an object whose pages are out, or that never had any, is not swapped out', () => {
    const machine = driverMachine(
      [
        (b) => [
          create(b, 4 * page),
          asks(b, system.swap_surface),
          answered(b, -EBUSY),
          submit(b, 1, draws(0, page)),
          asks(b, system.swap_surface),
          answered(b, 0),
          asks(b, system.swap_surface),
          answered(b, -EBUSY),
        ],
      ],
      { preset },
    );
    run(machine);
  });

  test.each([1, 2, 3, 4])(
    'swapping while others fault and submit loses nothing, in order %i',
    (seed) => {
      const machine = driverMachine(
        [
          (b) => [
            create(b, 4 * page),
            map(b, 4 * page),
            submit(b, 1, fills(0, 4 * page, 7)),
            wait(b, 1),
            b.step('shared from here on', (f, k) => {
              k.emit(mark, {});
              shared = f.handle;
            }),
            ...[1, 2, 3].flatMap((n) => [
              write(b, page, page, n),
              submit(b, n + 1, draws(page, page)),
              wait(b, n + 1),
              read(b, 0, 4),
            ]),
          ],
          (b) => [
            b.wait('the surface', () => shared > 0),
            b.step('handle', (f) => {
              f.handle = shared;
            }),
            ...[1, 2, 3].map(() => asks(b, system.swap_surface)),
          ],
        ],
        { preset },
      );
      shared = 0;
      runShuffled(machine, seed);
      const { svga } = machine.engine.parts;
      expect([0, page].map((at) => svga.peek(0, at))).toEqual([7, 3]);
      expect(new Set(events(machine, { cpu_load: 'value' }))).toEqual(
        new Set(['cpu_load value=7']),
      );
      noErrors(machine);
    },
  );
});

/** The handle that one thread of a test leaves for another. */
let shared = 0;

describe.each(presets)('pinned surfaces (%s)', (preset) => {
  const pressed = (b: AnyBuilder, pins: boolean, answer: number) => [
    create(b, 4 * page),
    createOther(b, 4 * page),
    submit(b, 1, fills(0, 4 * page, 7)),
    ...(pins ? [asks(b, system.pin_surface), answered(b, 0)] : []),
    submit(b, 2, draws(0, page), 'other'),
    b.when(`the submission did not return ${answer}`, (f) => Math.min(f.fence, 0) !== answer, [
      b.wait('never', () => false),
    ]),
    b.when('there is no fence', (f) => f.fence < 0, [
      asks(b, system.evict_surface),
      answered(b, -EBUSY),
      asks(b, system.unpin_surface),
      answered(b, 0),
      asks(b, system.unpin_surface),
      answered(b, -EINVAL),
      submit(b, 2, draws(0, page), 'other'),
      wait(b, 2),
      answered(b, 0),
    ]),
  ];

  test('are never evicted: what does not fit is refused until they are let go', () => {
    const machine = driverMachine([(b) => pressed(b, true, -ENOMEM)], { preset, mobPages: 6 });
    run(machine);
    expect(moves(machine)).toHaveLength(3);
    noErrors(machine);
  });

  test('and without the pin nothing is refused', () => {
    const machine = driverMachine([(b) => pressed(b, false, 0)], { preset, mobPages: 6 });
    run(machine);
    expect(moves(machine)).toHaveLength(3);
  });
});

describe.each(presets)('suspend (%s)', (preset) => {
  test('takes everything off the device and out of page tables; later use brings it back', () => {
    const machine = driverMachine(
      [
        (b) => [
          create(b, 4 * page),
          map(b, 4 * page),
          submit(b, 1, fills(0, 4 * page, 7)),
          wait(b, 1),
          write(b, page, page, 8),
          sleeps(b, system.suspend),
          answered(b, 0),
          b.step('what the device has', (_f, k) => {
            expect([...k.objects.all('svga_surface')]).toEqual([]);
            expect([...k.objects.all('svga_mob')]).toEqual([]);
            expect([...k.objects.all('page')]).toEqual([]);
            k.emit(mark, {});
          }),
          sleeps(b, system.resume),
          submit(b, 2, draws(0, page)),
          wait(b, 2),
          read(b, 2 * page, 4),
        ],
      ],
      { preset },
    );
    run(machine);
    const { svga } = machine.engine.parts;
    expect([0, page].map((at) => svga.peek(0, at))).toEqual([7, 8]);
    const seen = events(machine, { mark: '', page_fault: '', cpu_load: 'value' });
    expect(seen.slice(seen.indexOf('mark') + 1)).toEqual(['page_fault', 'cpu_load value=7']);
    noErrors(machine);
  });

  test('is refused while a surface is pinned; the others have gone and come back', () => {
    const machine = driverMachine(
      [
        (b) => [
          create(b, 4 * page),
          createOther(b, page),
          asks(b, system.pin_surface),
          submit(b, 1, fills(0, page, 7), 'other'),
          wait(b, 1),
          sleeps(b, system.suspend),
          answered(b, -EBUSY),
          submit(b, 2, draws(0, page), 'other'),
          wait(b, 2),
          answered(b, 0),
        ],
      ],
      { preset },
    );
    run(machine);
    expect(machine.engine.parts.svga.peek(1, 0)).toBe(7);
    noErrors(machine);
  });

  test('what is submitted meanwhile waits for the machine to wake up', () => {
    const body = (wakes: boolean) => (b: AnyBuilder) => [
      create(b, page),
      sleeps(b, system.suspend),
      submit(b, 1, fills(0, page, 7)),
      ...(wakes ? [sleeps(b, system.resume)] : []),
      wait(b, 1),
    ];
    run(driverMachine([body(true)], { preset }));
    expect(() => run(driverMachine([body(false)], { preset }))).toThrow('stuck');
  });
});
