// Surfaces of every shape: which pixels lie at a byte of guest memory, which boxes dirty pages make, what the device
// has afterwards. The figures follow from the layout of Linux drivers/gpu/drm/vmwgfx/vmw_surface_cache.h.
import { describe, expect, test } from 'vitest';
import { GPU_CMD_READ, SVGA_3D_CMD_DX_GENMIPS } from '../../src/hardware/svga/commands';
import {
  bufferShape,
  isValidShape,
  type SurfaceShape,
  SVGA3D_BC1_UNORM,
  SVGA3D_R8_UNORM,
  SVGA3D_R8G8B8A8_UNORM,
  shapeBytes,
} from '../../src/hardware/svga/shapes';
import {
  vmw_surface_get_loc,
  vmw_surface_setup_cache,
} from '../../src/kernel/drivers/gpu/drm/vmwgfx/vmw_surface_cache';
import { createShape, driverMachine, events, map, run, submit, wait, write } from './driver';

const page = 4096;
const rgba8 = (width: number, height: number, more: Partial<SurfaceShape> = {}): SurfaceShape => ({
  ...bufferShape(width),
  format: SVGA3D_R8G8B8A8_UNORM,
  height,
  ...more,
});

type Options = Parameters<typeof driverMachine>[1];

/** Writes pages of a coherent surface, has the GPU read all of it: the boxes sent, and the pages that the device has. */
function written(shape: SurfaceShape, pages: readonly number[], options: Options = {}) {
  const bytes = shapeBytes(shape);
  const machine = driverMachine(
    [
      (b) => [
        createShape(b, shape),
        map(b, bytes),
        ...pages.map((p) => write(b, p * page, Math.min(page, bytes - p * page), 1 + (p % 200))),
        submit(b, 1, [{ id: GPU_CMD_READ, offset: 0, length: bytes }]),
        wait(b, 1),
      ],
    ],
    {
      surfaces: 1,
      pages: Math.ceil(bytes / page),
      subresources: shape.mips * shape.layers,
      ...options,
    },
  );
  run(machine);
  const copy = (at: number) => machine.engine.parts.svga.peek(0, at);
  const last = (p: number) => Math.min((p + 1) * page, bytes) - 1;
  return {
    boxes: events(machine, { vmw_dirty_sync: 'image x y z w h d' }).map((line) =>
      line.replace('vmw_dirty_sync image=', ''),
    ),
    stale: pages.filter((p) => copy(p * page) !== 1 + (p % 200) || copy(last(p)) !== 1 + (p % 200)),
  };
}

const run1 = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('dirty pages become boxes', () => {
  const cases: [string, SurfaceShape, number[], string[]][] = [
    ['one page of a 2D image is its rows', rgba8(256, 256), [5], ['0 x=0 y=20 z=0 w=256 h=4 d=1']],
    [
      'a page over two mip levels gives both a box',
      rgba8(256, 256, { mips: 9 }),
      run1(63, 65),
      ['0 x=0 y=252 z=0 w=256 h=4 d=1', '1 x=0 y=0 z=0 w=128 h=16 d=1'],
    ],
    [
      'the small levels share two pages: all of them are sent',
      rgba8(256, 256, { mips: 9 }),
      run1(84, 85),
      [
        '3 x=0 y=0 z=0 w=32 h=32 d=1',
        '4 x=0 y=0 z=0 w=16 h=16 d=1',
        '5 x=0 y=0 z=0 w=8 h=8 d=1',
        '6 x=0 y=0 z=0 w=4 h=4 d=1',
        '7 x=0 y=0 z=0 w=2 h=2 d=1',
        '8 x=0 y=0 z=0 w=1 h=1 d=1',
      ],
    ],
    [
      'rows that do not fill pages are rounded to whole ones',
      rgba8(100, 30),
      [1],
      ['0 x=0 y=10 z=0 w=100 h=11 d=1'],
    ],
    ['a page within a row is exact', rgba8(2048, 16), [1], ['0 x=1024 y=0 z=0 w=1024 h=1 d=1']],
    ['two pages of two rows are united', rgba8(2048, 16), [0, 5], ['0 x=0 y=0 z=0 w=2048 h=3 d=1']],
    ['and so are the other halves', rgba8(2048, 16), [1, 4], ['0 x=0 y=0 z=0 w=2048 h=3 d=1']],
    [
      'a run over a border of slices is whole slices',
      rgba8(64, 64, { depth: 4 }),
      run1(3, 4),
      ['0 x=0 y=0 z=0 w=64 h=64 d=2'],
    ],
    [
      'pages of two slices are united, row by row',
      rgba8(64, 64, { depth: 4 }),
      [2, 4],
      ['0 x=0 y=0 z=0 w=64 h=48 d=2'],
    ],
    [
      'blocks of 4 by 4 pixels',
      rgba8(256, 256, { format: SVGA3D_BC1_UNORM }),
      [1],
      ['0 x=0 y=32 z=0 w=256 h=32 d=1'],
    ],
    [
      'a layer of an array is a subresource',
      rgba8(64, 64, { layers: 4 }),
      run1(8, 11),
      ['2 x=0 y=0 z=0 w=64 h=64 d=1'],
    ],
    [
      'faces of a cube that share pages are sent together',
      rgba8(64, 64, { layers: 6, mips: 7, cube: true }),
      run1(15, 19),
      [
        '15 x=0 y=10 z=0 w=32 h=22 d=1',
        '16 x=0 y=0 z=0 w=16 h=16 d=1',
        '17 x=0 y=0 z=0 w=8 h=8 d=1',
        '18 x=0 y=0 z=0 w=4 h=4 d=1',
        '19 x=0 y=0 z=0 w=2 h=2 d=1',
        '20 x=0 y=0 z=0 w=1 h=1 d=1',
        '21 x=0 y=0 z=0 w=64 h=64 d=1',
        '22 x=0 y=0 z=0 w=1 h=1 d=1',
      ],
    ],
    [
      'the small levels of a face, and the beginning of the next face',
      rgba8(128, 128, { layers: 6, mips: 8, cube: true }),
      run1(20, 22),
      [
        '2 x=0 y=0 z=0 w=32 h=32 d=1',
        '3 x=0 y=0 z=0 w=16 h=16 d=1',
        '4 x=0 y=0 z=0 w=8 h=8 d=1',
        '5 x=0 y=0 z=0 w=4 h=4 d=1',
        '6 x=0 y=0 z=0 w=2 h=2 d=1',
        '7 x=0 y=0 z=0 w=1 h=1 d=1',
        '8 x=0 y=0 z=0 w=128 h=14 d=1',
      ],
    ],
    [
      'pages of a buffer are one range',
      bufferShape(20000),
      [1, 3],
      ['0 x=4096 y=0 z=0 w=12288 h=1 d=1'],
    ],
    ['which ends with the buffer', bufferShape(20000), [4], ['0 x=16384 y=0 z=0 w=3616 h=1 d=1']],
    [
      'the first of two samples',
      rgba8(64, 64, { samples: 2 }),
      [0],
      ['0 x=0 y=0 z=0 w=64 h=16 d=1'],
    ],
    [
      'the second of two samples',
      rgba8(64, 64, { samples: 2 }),
      [7],
      ['0 x=0 y=48 z=0 w=64 h=16 d=1'],
    ],
    [
      'a run over a border of samples is everything',
      rgba8(64, 64, { samples: 2 }),
      [3, 4],
      ['0 x=0 y=0 z=0 w=64 h=64 d=1'],
    ],
  ];
  for (const [title, shape, pages, boxes] of cases) {
    test(title, () => {
      expect(written(shape, pages)).toEqual({ boxes, stale: [] });
    });
  }
});

describe('what is known to go wrong', () => {
  test('bz-02: a box whose start is lowered keeps its old size: a far row, or slice, is never sent', () => {
    const with_ = { with: ['bz-02'] };
    expect(written(rgba8(64, 64, { depth: 4 }), [2, 4], with_)).toEqual({
      boxes: ['0 x=0 y=0 z=0 w=64 h=16 d=2'],
      stale: [2],
    });
    expect(written(rgba8(64, 64, { depth: 4 }), [3, 8], with_)).toEqual({
      boxes: ['0 x=0 y=0 z=0 w=64 h=16 d=3'],
      stale: [3],
    });
    expect(written(rgba8(2048, 16), [1, 4], with_)).toEqual({
      boxes: ['0 x=0 y=0 z=0 w=1024 h=3 d=1'],
      stale: [1],
    });
  });

  test('bz-04: the old update command does not reach the layers of an array, but the faces of a cube', () => {
    const with_ = { with: ['bz-04'] };
    const layers = rgba8(64, 64, { layers: 4 });
    expect(written(layers, [8], with_).stale).toEqual([8]);
    expect(written(layers, [1], with_).stale).toEqual([]);
    const faces = rgba8(64, 64, { layers: 6, cube: true });
    expect(written(faces, [8], with_).stale).toEqual([]);
  });

  test('sheets-folded: a run from one sample into the next is lost in part', () => {
    const shape = rgba8(64, 64, { samples: 2 });
    expect(written(shape, [3, 4], { with: ['sheets-folded'] }).stale).not.toEqual([]);
    expect(written(shape, [3, 4]).stale).toEqual([]);
  });

  test('multisample-stride: strides of two samples halve the rows of a page', () => {
    const shape = rgba8(64, 64, { samples: 2 });
    const with_ = { with: ['multisample-stride'] };
    expect(written(shape, [0], with_)).toEqual({
      boxes: ['0 x=0 y=0 z=0 w=64 h=8 d=1'],
      stale: [0],
    });
    expect(written(shape, [7], with_).boxes).toEqual(['0 x=0 y=24 z=0 w=64 h=8 d=1']);
    expect(written(rgba8(64, 64), [0], with_).stale).toEqual([]);
  });
});

test('a byte and the place the driver takes it for agree with where the device puts that pixel', () => {
  const shape = rgba8(10, 6, { depth: 2, mips: 3, layers: 2 });
  const cache = vmw_surface_setup_cache(shape);
  const at = (offset: number) => vmw_surface_get_loc(cache, offset);
  expect(at(0)).toEqual({ sheet: 0, sub_resource: 0, x: 0, y: 0, z: 0 });
  expect(at(4 * (60 + 10 + 3))).toEqual({ sheet: 0, sub_resource: 0, x: 3, y: 1, z: 1 });
  expect(at(4 * 120)).toEqual({ sheet: 0, sub_resource: 1, x: 0, y: 0, z: 0 });
  expect(at(4 * (120 + 15))).toEqual({ sheet: 0, sub_resource: 2, x: 0, y: 0, z: 0 });
  expect(at(4 * (120 + 15 + 2))).toEqual({ sheet: 0, sub_resource: 3, x: 0, y: 0, z: 0 });
});

test('generated levels are means of the pixels that become one, level by level', () => {
  const shape = { ...rgba8(4, 4, { mips: 3 }), format: SVGA3D_R8_UNORM };
  const machine = driverMachine(
    [
      (b) => [
        createShape(b, shape),
        map(b, 21),
        ...Array.from({ length: 16 }, (_, i) => write(b, i, 1, 10 * i)),
        submit(b, 1, [{ id: SVGA_3D_CMD_DX_GENMIPS }]),
        wait(b, 1),
      ],
    ],
    { surfaces: 1, pages: 1, subresources: 3 },
  );
  run(machine);
  const level = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => machine.engine.parts.svga.peek(0, from + i));
  // 0 10 40 50 -> 25, 20 30 60 70 -> 45, …: rows of 4 pixels with 10 between them.
  expect(level(16, 4)).toEqual([25, 45, 105, 125]);
  expect(level(20, 1)).toEqual([75]);
});

test('what is no surface is refused with EINVAL', () => {
  const wrong = [
    rgba8(0, 4),
    rgba8(4, 4, { mips: 4 }),
    rgba8(4, 4, { format: 4711 }),
    rgba8(4, 8, { cube: true, layers: 6 }),
    { ...bufferShape(4), layers: 2 },
  ];
  expect(wrong.map(isValidShape)).toEqual([false, false, false, false, false]);
  const machine = driverMachine([(b) => [createShape(b, wrong[1]!)]]);
  run(machine);
  expect(events(machine, { surface_created: '' })).toEqual([]);
});
