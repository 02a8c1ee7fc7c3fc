import { expect, test } from 'vitest';
import { GPU_CMD_READ, GPU_CMD_WRITE } from '../../src/hardware/svga/commands';
import { create, driverMachine, events, map, read, run, submit, wait, write } from './driver';

const KiB = 1024;
const counts = {
  page_fault: 'error_code',
  vmw_bo_dirty_scan: 'count start end',
  vmw_dirty_sync: 'x w',
  vmw_readback: '',
  dma_fence_emit: 'seqno',
};

test('a first turn of a ring takes 9 faults and uploads each section by itself', () => {
  const machine = driverMachine([
    (b) => [
      create(b, 96 * KiB),
      map(b, 96 * KiB),
      ...[0, 1, 2].flatMap((section) => [
        write(b, section * 32 * KiB, 32 * KiB, section + 1),
        submit(b, section + 1, [
          { id: GPU_CMD_READ, offset: section * 32 * KiB, length: 32 * KiB },
        ]),
      ]),
      wait(b, 3),
    ],
  ]);
  run(machine);
  expect(events(machine, { page_fault: 'error_code' })).toHaveLength(9);
  expect(events(machine, { vmw_bo_dirty_scan: 'count', vmw_dirty_sync: 'x w' })).toEqual([
    'vmw_bo_dirty_scan count=8',
    'vmw_dirty_sync x=0 w=32768',
    'vmw_bo_dirty_scan count=8',
    'vmw_dirty_sync x=32768 w=32768',
    'vmw_bo_dirty_scan count=8',
    'vmw_dirty_sync x=65536 w=32768',
  ]);
  expect(machine.engine.parts.svga.peek(0, 64 * KiB)).toBe(3);
});

test('what the GPU wrote is read back on the first touch, with two fences, and mapped', () => {
  const machine = driverMachine([
    (b) => [
      create(b, 8 * KiB),
      map(b, 8 * KiB),
      submit(b, 1, [{ id: GPU_CMD_WRITE, offset: 0, length: 8 * KiB, value: 7 }]),
      wait(b, 1),
      read(b, 4096, 4),
      read(b, 0, 4),
    ],
  ]);
  run(machine);
  expect(events(machine, { ...counts, cpu_load: 'value' })).toEqual([]);
});
