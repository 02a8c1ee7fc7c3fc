// The ways in which commands come to the device, held to the rules of routines, in orders drawn by chance.
import { describe, expect, test } from 'vitest';
import { GPU_CMD_READ } from '../../src/hardware/svga/commands';
import { bufferShape } from '../../src/hardware/svga/shapes';
import type { AnyBuilder } from '../../src/routine/routine';
import * as winsys from '../../src/user/winsys';
import { alone, driverMachine, events, map, run, runShuffled, submit, wait, write } from './driver';

const page = 4096;

/** A thread that writes a surface of its own and submits it, more often than it waits. */
const body = (name: number) => (b: AnyBuilder) => [
  b.statement(undefined, [
    b.call(
      winsys.gb_surface_create,
      () => ({ surface: name, shape: bufferShape(2 * page), coherent: true, ...alone }),
      'handle',
    ),
  ]),
  map(b, 2 * page),
  ...[1, 2, 3].flatMap((n) => [
    write(b, 0, page, 10 * name + n),
    submit(b, 10 * name + n, [{ id: GPU_CMD_READ, offset: 0, length: page }]),
  ]),
  wait(b, 10 * name + 3),
  write(b, page, page, 10 * name + 4),
  submit(b, 10 * name + 4, [{ id: GPU_CMD_READ, offset: page, length: page }]),
  wait(b, 10 * name + 4),
];

describe.each(['submission-buffers', 'submission-fifo'])('%s', (way) => {
  const machine = (options = {}) => driverMachine([body(0), body(1)], { with: [way], ...options });
  const held = ({ engine }: ReturnType<typeof machine>) =>
    [0, 1].map((name) => [0, page].map((at) => engine.parts.svga.peek(name, at)));
  const all = [
    [3, 4],
    [13, 14],
  ];

  test.each(['series-v2', 'linux-6.1'] as const)('all that is stored arrives (%s)', (preset) => {
    const one = machine({ preset, without: ['bz-53'] });
    run(one);
    expect(held(one)).toEqual(all);
    expect(events(one, { svga_error: '', warn: '' })).toEqual([]);
  });

  test.each([1, 2, 3, 4])('with little room, in order %i', (seed) => {
    const one = machine({ commandBuffers: 1, ringCommands: 12 });
    runShuffled(one, seed);
    expect(held(one)).toEqual(all);
  });

  test('who finds no room sleeps until the device has made some', () => {
    const one = driverMachine([body(0)], { with: [way], commandBuffers: 2, ringCommands: 10 });
    const { engine } = one;
    const thread = 1; // behind the interrupt of the CPU
    while (engine.runnable(thread)) engine.step(thread);
    const waits = {
      'submission-buffers': 'vmw_cmdbuf_alloc_space',
      'submission-fifo': 'vmw_fifo_wait',
    };
    const frames = engine.stack(0).map(({ code }) => code.routine.name);
    expect(frames).toContain(waits[way as keyof typeof waits]);
    run(one);
    expect(engine.parts.svga.peek(0, page)).toBe(4);
    expect(events(one, { svga_irq: '' }).length).toBeGreaterThan(2);
  });
});
