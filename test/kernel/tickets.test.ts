// Tickets of reservations: two threads that take the same objects in different orders. On every schedule that is drawn both
// come through, one of them after it has given up what it had; without tickets there are schedules on which neither does.
// drivers/gpu/drm/ttm/ttm_execbuf_util.c of Linux 5.1 and 6.1.
import { describe, expect, test } from 'vitest';
import { bufferShape } from '../../src/hardware/svga/shapes';
import {
  ttm_eu_backoff_reservation,
  ttm_eu_reserve_buffers,
} from '../../src/kernel/drivers/gpu/drm/ttm/ttm_execbuf_util';
import { EALREADY } from '../../src/kernel/include/linux/errno';
import type { Preset } from '../../src/kernel/variants';
import type { Machine } from '../../src/machine/machine';
import type { Engine } from '../../src/routine/engine';
import type { AnyBuilder, Node } from '../../src/routine/routine';
import { embed, isNull, NULL, type Structs } from '../../src/state/layout';
import * as winsys from '../../src/user/winsys';
import { alone, driverMachine, events, run, runShuffled } from './driver';

interface Taking {
  readonly ticket: Structs['ww_acquire_ctx'];
  readonly list: Structs['ttm_validate_list'];
  readonly dups: Structs['ttm_validate_list'];
  result: number;
  i: number;
}

const locals = {
  ticket: embed('ww_acquire_ctx'),
  list: embed('ttm_validate_list'),
  dups: embed('ttm_validate_list'),
};

/** The buffer object of the surface with this number goes on the thread's list. */
const listed = ({ step }: AnyBuilder, number: number): Node =>
  step(`list_add_tail(${number})`, (f: Taking, k: Engine) => {
    const node = k.alloc('vmw_validation_bo_node').base;
    k.store.unobserved(() => {
      const { objects } = k.the('surface_handles', 'vmw_fpriv');
      node.bo = k.view('vmw_resource', objects.get(number)).backup.base;
    });
    let last = f.list.first;
    if (isNull(last)) f.list.first = node;
    else {
      while (!isNull(last.next)) last = last.next;
      last.next = node;
    }
  });

/** Reserves objects in this order and lets go of them, `turns` times; the last result stays. */
const taking =
  (numbers: readonly number[], turns = 3, dups = false) =>
  (b: AnyBuilder): Node[] => [
    b.statement(undefined, [
      b.wait('both surfaces are there', (_f, k) =>
        k.store.unobserved(() => k.the('surface_handles', 'vmw_fpriv').objects.get(1) !== 0),
      ),
      ...numbers.map((number) => listed(b, number)),
    ]),
    b.loop('some times', [
      b.when('enough', (f: Taking) => f.i === turns, [b.leave()]),
      b.statement(undefined, [
        b.call(
          ttm_eu_reserve_buffers,
          (f: Taking) => ({
            ticket: f.ticket,
            list: f.list,
            intr: false,
            dups: dups ? f.dups : NULL,
          }),
          'result',
        ),
        b.when('reserved', (f: Taking) => f.result === 0, [
          b.call(ttm_eu_backoff_reservation, (f: Taking) => ({ list: f.list })),
        ]),
        b.step('next', (f: Taking) => {
          f.i++;
        }),
      ]),
    ]),
  ];

const creating = (b: AnyBuilder): Node[] => [
  b.statement(
    undefined,
    [0, 1].map((surface) =>
      b.call(winsys.gb_surface_create, () => ({
        surface,
        shape: bufferShape(4096),
        coherent: true,
        ...alone,
      })),
    ),
  ),
];

type Body = (b: AnyBuilder) => Node[];
const machineOf = (preset: Preset, others: readonly Body[], more: readonly string[] = []) =>
  driverMachine([creating, ...others], {
    preset,
    pages: 4,
    locals,
    with: ['reserve-outside-mutex', ...more],
  });

const crossing = [taking([0, 1]), taking([1, 0])];

const held = ({ engine }: Machine): number =>
  Array.from({ length: engine.taskCount }, (_, t) => engine.held(t).length).reduce((a, n) => a + n);

const backoffs = (machine: Machine): number => events(machine, { ttm_eu_backoff: '' }).length;

const seeds = Array.from({ length: 30 }, (_, i) => i + 1);

describe.each(['series-v2', 'linux-6.1'] as const)('tickets (%s)', (preset) => {
  test('crossed orders come through, by giving up; nothing stays held, lockdep has nothing to say', () => {
    const gaveUp = seeds.map((seed) => {
      const machine = machineOf(preset, crossing);
      runShuffled(machine, seed);
      expect(held(machine)).toBe(0);
      expect(events(machine, { lockdep: '' })).toEqual([]);
      return backoffs(machine);
    });
    expect(Math.max(...gaveUp)).toBeGreaterThan(0);
  });

  test.each(['no-tickets', 'backoff-keeps'])('with %s some of them end in a deadlock', (fault) => {
    const stuck = seeds.filter((seed) => {
      try {
        runShuffled(machineOf(preset, crossing, [fault]), seed);
        return false;
      } catch (error) {
        expect(String(error)).toMatch(/stuck: thread \d: .*ttm_eu_reserve_buffers/);
        return true;
      }
    });
    expect(stuck.length).toBeGreaterThan(0);
  });

  test('three threads over two objects come through as well', () => {
    for (const seed of seeds.slice(0, 10)) {
      const machine = machineOf(preset, [...crossing, taking([0, 1])]);
      runShuffled(machine, seed);
      expect(held(machine)).toBe(0);
    }
  });

  test('in the same order they come through without tickets, too', () => {
    for (const seed of seeds.slice(0, 10)) {
      const machine = machineOf(preset, [taking([0, 1]), taking([0, 1])], ['no-tickets']);
      runShuffled(machine, seed);
      expect([backoffs(machine), held(machine)]).toEqual([0, 0]);
    }
  });

  /** The numbers of entries on both lists, and the result, of an object that is named twice. */
  const twice = (dups: boolean): unknown => {
    let found: unknown;
    const length = (list: Structs['ttm_validate_list']): number => {
      let n = 0;
      for (let entry = list.first; !isNull(entry); entry = entry.next) n++;
      return n;
    };
    const machine = machineOf(preset, [
      (b) => [
        ...taking([0, 1, 0], 1, dups)(b),
        b.step('what came of it', (f: Taking) => {
          found = [f.result, length(f.list), length(f.dups)];
        }),
      ],
    ]);
    run(machine);
    expect(held(machine)).toBe(0);
    return found;
  };

  test('an object that is named twice is an error where nobody sorts that out, and a duplicate where somebody does', () => {
    expect(twice(false)).toEqual([-EALREADY, 3, 0]);
    expect(twice(true)).toEqual([0, 2, 1]);
  });
});
