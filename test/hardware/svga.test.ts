// The device by itself: commands put into its ring as no driver would, and what is in its copies and in memory then.
import { expect, test } from 'vitest';
import { dataPfn } from '../../src/hardware/memory';
import {
  preemptBuffer,
  SVGA_CB_MAX_QUEUED_PER_CONTEXT,
  startStop,
  submitBuffer,
} from '../../src/hardware/svga/commandBuffers';
import {
  defineSurface,
  ofBox,
  SVGA_3D_CMD_BIND_GB_SURFACE,
  SVGA_3D_CMD_DEFINE_GB_MOB,
  SVGA_3D_CMD_DEFINE_GB_MOB64,
  SVGA_3D_CMD_DEFINE_GB_SURFACE,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V2,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V3,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V4,
  SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE,
  SVGA_3D_CMD_DX_READBACK_SUBRESOURCE,
  SVGA_3D_CMD_INVALIDATE_GB_IMAGE,
  SVGA_3D_CMD_INVALIDATE_GB_SURFACE,
  SVGA_3D_CMD_READBACK_GB_IMAGE,
  SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL,
  SVGA_3D_CMD_UPDATE_GB_SURFACE,
  type SvgaCommand,
  svgaCommand,
  svgaCommandNames,
} from '../../src/hardware/svga/commands';
import { invalidatedByte } from '../../src/hardware/svga/device';
import {
  bufferShape,
  type SurfaceShape,
  SVGA3D_R8_UNORM,
  subresourceOffset,
} from '../../src/hardware/svga/shapes';
import type { AnyBuilder } from '../../src/routine/routine';
import { type DriverOptions, driverMachine, events, run } from '../kernel/driver';

const pages = 4;

/** Surface 1, of this shape and bound to a MOB of four pages that hold 7, after these commands. */
function device(
  shape: SurfaceShape,
  commands: readonly Partial<SvgaCommand>[],
  { mob = SVGA_3D_CMD_DEFINE_GB_MOB64, form = SVGA_3D_CMD_DEFINE_GB_SURFACE_V3 } = {},
  options: DriverOptions = {},
) {
  const body = ({ step }: AnyBuilder) => [
    step('put the commands into the ring', (_f, k) => {
      const pt = k.alloc('svga_mob_pt');
      for (let i = 0; i < pages; i++) {
        pt.entries.set(i, dataPfn + i);
        k.parts.memory.frame(dataPfn + i).fill(0, 4096, { unique: false, value: 7 });
      }
      const ring = k.the('svga_ring', 'svga_ring');
      [
        { id: mob, arg: 5, value: pt.at, length: pages * 4096 },
        defineSurface(form, 1, shape, 0),
        { id: SVGA_3D_CMD_BIND_GB_SURFACE, sid: 1, arg: 5 },
        ...commands.map((c) => ({ ...c, sid: 1 })),
      ].forEach((c, i) => ring.commands.set(i, svgaCommand(c)));
      k.the('svga', 'svga_regs').queued = 3 + commands.length;
    }),
  ];
  const machine = driverMachine([body], { pages, check: false, ...options });
  run(machine);
  const { svga, memory } = machine.engine.parts;
  return {
    copy: (at: number) => svga.peek(0, at),
    memory: (at: number) => memory.frame(dataPfn + Math.floor(at / 4096)).peek(at % 4096),
    refused: events(machine, { svga_error: 'id' }).map(
      (line) => svgaCommandNames[Number(line.split('=')[1])],
    ),
  };
}

const cube: SurfaceShape = {
  ...bufferShape(16),
  format: SVGA3D_R8_UNORM,
  height: 16,
  mips: 2,
  layers: 6,
  cube: true,
};
/** Where a face's second level begins. */
const small = (face: number) => subresourceOffset(cube, face * 2 + 1);

test.each([SVGA_3D_CMD_DEFINE_GB_MOB, SVGA_3D_CMD_DEFINE_GB_MOB64])(
  'a MOB is defined by either form (%i)',
  (mob) => {
    const { copy, refused } = device(bufferShape(8), [{ id: SVGA_3D_CMD_UPDATE_GB_SURFACE }], {
      mob,
    });
    expect([copy(0), refused]).toEqual([7, []]);
  },
);

const forms = [
  SVGA_3D_CMD_DEFINE_GB_SURFACE,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V2,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V3,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V4,
];

test.each(forms)('a cube is defined by every form (%i), with all of its faces', (form) => {
  const { copy, refused } = device(cube, [{ id: SVGA_3D_CMD_UPDATE_GB_SURFACE }], { form });
  expect([copy(small(5) + 63), refused]).toEqual([7, []]);
});

test('the first form knows no layers: of an array the device has the first', () => {
  const array = { ...cube, cube: false };
  const image = 2; // the first level of the second layer
  const readback = [{ id: SVGA_3D_CMD_DX_READBACK_SUBRESOURCE, image }];
  expect(device(array, readback, { form: SVGA_3D_CMD_DEFINE_GB_SURFACE }).refused).toEqual([
    'DX_READBACK_SUBRESOURCE',
  ]);
  expect(device(array, readback).refused).toEqual([]);
});

test.each([
  ['device-gb', 0],
  ['device-sm4', 1],
  ['device-sm4_1', 2],
])('%s refuses the forms that came later', (model, last) => {
  const refused = forms.filter(
    (form) => device(cube, [], { form }, { with: [model] }).refused.length > 0,
  );
  expect(refused).toEqual(forms.slice(last + 1));
});

const face3 = { arg: 3, image: 1 }; // face 3, level 1
const invalidates = [
  { title: 'an image', command: { id: SVGA_3D_CMD_INVALIDATE_GB_IMAGE, ...face3 }, others: 7 },
  {
    title: 'a subresource',
    command: { id: SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE, image: 7 },
    others: 7,
  },
  {
    title: 'a surface',
    command: { id: SVGA_3D_CMD_INVALIDATE_GB_SURFACE },
    others: invalidatedByte,
  },
];

test.each(invalidates)('what is invalidated of $title is gone', ({ command, others }) => {
  const { copy } = device(cube, [{ id: SVGA_3D_CMD_UPDATE_GB_SURFACE }, command]);
  expect([copy(small(3)), copy(small(3) + 63)]).toEqual([invalidatedByte, invalidatedByte]);
  expect([copy(small(3) - 1), copy(small(3) + 64)]).toEqual([others, others]);
});

test('an image is read back whole, or a box of it, or all but the box', () => {
  const box = ofBox({ x: 2, y: 1, z: 0, w: 3, h: 4, d: 1 });
  const partial = { id: SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL, ...face3, ...box };
  // The copy is zeroes, memory is not: what is 0 was read back. Rows of 8 bytes.
  const read = (command: Partial<SvgaCommand>) => {
    const { memory } = device(cube, [command]);
    return Array.from({ length: 64 }, (_, i) => memory(small(3) + i) === 0);
  };
  const inBox = (i: number) => i % 8 >= 2 && i % 8 < 5 && i >= 8 && i < 40;
  const bytes = Array.from({ length: 64 }, (_, i) => i);
  expect(read({ id: SVGA_3D_CMD_READBACK_GB_IMAGE, ...face3 })).toEqual(bytes.map(() => true));
  expect(read(partial)).toEqual(bytes.map(inBox));
  expect(read({ ...partial, value: 1 })).toEqual(bytes.map((i) => !inBox(i)));
});

test('an image, a subresource or a box that is not there is refused', () => {
  const beyond = ofBox({ x: 6, y: 0, z: 0, w: 3, h: 1, d: 1 });
  const { refused } = device(cube, [
    { id: SVGA_3D_CMD_INVALIDATE_GB_IMAGE, arg: 6, image: 0 },
    { id: SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE, image: 12 },
    { id: SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL, ...face3, ...beyond },
    { id: SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL, ...face3, ...beyond, value: 1 },
  ]);
  expect(refused).toEqual([
    'INVALIDATE_GB_IMAGE',
    'DX_INVALIDATE_SUBRESOURCE',
    'READBACK_GB_IMAGE_PARTIAL',
    'READBACK_GB_IMAGE_PARTIAL',
  ]);
});

/** Statuses of buffers of these lengths, handed over at once: just then, and when the device has nothing left to do. */
function statuses(lengths: readonly number[], { preempt = false } = {}) {
  const headers: number[] = [];
  const at = { once: [] as number[] };
  const body = ({ step }: AnyBuilder) => [
    step('write the registers', (_f, k) => {
      startStop(k, !preempt);
      for (const length of lengths) {
        const { cb_header } = k.alloc('vmw_cmdbuf_header');
        cb_header.length = length;
        submitBuffer(k, cb_header);
        headers.push(cb_header.at);
        at.once.push(cb_header.status);
      }
      if (preempt) while (preemptBuffer(k));
      startStop(k, true);
    }),
  ];
  const machine = driverMachine([body], {
    check: false,
    with: ['submission-buffers'],
    commandBuffers: lengths.length,
  });
  run(machine);
  return { ...at, end: headers.map((h) => machine.engine.view('SVGACBHeader', h).status) };
}

test('a header that cannot be comes back with an error; at an unknown command the device stands still', () => {
  const { once, end } = statuses([0, 1000, 1, 1]);
  expect(once).toEqual([0, 0, 0, 0]);
  expect(end).toEqual([4, 4, 3, 0]);
});

test('a queue has room for 32 buffers; one more it refuses at once', () => {
  const { once } = statuses(Array.from({ length: 34 }, () => 1));
  expect(once).toEqual(
    Array.from({ length: 34 }, (_, i) => (i < SVGA_CB_MAX_QUEUED_PER_CONTEXT ? 0 : 2)),
  );
});

test('buffers that were not begun go back when the guest takes them', () => {
  expect(statuses([1, 1], { preempt: true }).end).toEqual([5, 5]);
});
