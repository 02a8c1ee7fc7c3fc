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
import { bufferShape } from '../../src/hardware/svga/shapes';
import { ENOMEM } from '../../src/kernel/include/linux/errno';
import type { Preset } from '../../src/kernel/variants';
import type { Machine } from '../../src/machine/machine';
import type { AnyBuilder } from '../../src/routine/routine';
import { tracepoint } from '../../src/state/events';
import * as winsys from '../../src/user/winsys';
import {
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
      () => ({ surface: 1, shape: bufferShape(bytes), coherent: true }),
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
            () => ({ surface: name, shape: bufferShape(4 * page), coherent: true }),
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
      expect(machine.engine.parts.svga.peek(1, 0)).toBe(13);
      expect(machine.engine.parts.svga.peek(0, 0)).toBe(3);
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
