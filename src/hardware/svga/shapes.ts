// Formats and shapes of surfaces, and how their bytes lie in guest memory: sheet (sample), layer, mip level, slice, row
// of blocks, block. svga3d_surfacedefs.h and svga3d_types.h of Linux drivers/gpu/drm/vmwgfx/device_include. Left out:
// planar video formats, pitches other than tight.
import { type Field, record } from '../../state/layout';

/** What one block of a format is: its size in pixels and in bytes. SVGA3dSurfaceDesc. */
export interface SurfaceDesc {
  readonly name: string;
  readonly blockWidth: number;
  readonly blockHeight: number;
  readonly bytesPerBlock: number;
}

export const SVGA3D_BUFFER = 37;
export const SVGA3D_R8G8B8A8_UNORM = 68;
export const SVGA3D_D24_UNORM_S8_UINT = 80;
export const SVGA3D_R8_UNORM = 93;
export const SVGA3D_R32G32B32A32_FLOAT = 122;
export const SVGA3D_R16G16B16A16_FLOAT = 123;
export const SVGA3D_BC1_UNORM = 136;
export const SVGA3D_BC3_UNORM = 138;
export const SVGA3D_B5G6R5_UNORM = 139;

const pixels = (name: string, bytesPerBlock: number): SurfaceDesc => ({
  name,
  blockWidth: 1,
  blockHeight: 1,
  bytesPerBlock,
});
const blocks4x4 = (name: string, bytesPerBlock: number): SurfaceDesc => ({
  name,
  blockWidth: 4,
  blockHeight: 4,
  bytesPerBlock,
});

/** The formats there are, by number. */
export const surfaceDescs: ReadonlyMap<number, SurfaceDesc> = new Map([
  [SVGA3D_BUFFER, pixels('buffer', 1)],
  [SVGA3D_R8_UNORM, pixels('r8', 1)],
  [SVGA3D_B5G6R5_UNORM, pixels('b5g6r5', 2)],
  [SVGA3D_R8G8B8A8_UNORM, pixels('rgba8', 4)],
  [SVGA3D_D24_UNORM_S8_UINT, pixels('d24s8', 4)],
  [SVGA3D_R16G16B16A16_FLOAT, pixels('rgba16f', 8)],
  [SVGA3D_R32G32B32A32_FLOAT, pixels('rgba32f', 16)],
  [SVGA3D_BC1_UNORM, blocks4x4('bc1', 8)],
  [SVGA3D_BC3_UNORM, blocks4x4('bc3', 16)],
]);

/** What a surface is. A buffer is an image of one row. */
export interface SurfaceShape {
  readonly format: number;
  readonly width: number; // pixels; of a buffer bytes
  readonly height: number;
  readonly depth: number;
  readonly mips: number;
  readonly layers: number; // array slices, or 6 faces
  readonly samples: number;
  /** The layers are the faces of a cube. */
  readonly cube: boolean;
}

export const bufferShape = (bytes: number): SurfaceShape => ({
  format: SVGA3D_BUFFER,
  width: bytes,
  height: 1,
  depth: 1,
  mips: 1,
  layers: 1,
  samples: 1,
  cube: false,
});

/** A shape in words: "texture rgba8 64 by 64 mips 7". */
export function shapeText(shape: SurfaceShape): string {
  if (shape.format === SVGA3D_BUFFER) return 'buffer';
  const { width, height, depth, mips, layers, samples, cube } = shape;
  const sides = depth > 1 ? [width, height, depth] : height > 1 ? [width, height] : [width];
  const more = [
    ...(mips > 1 ? [`mips ${mips}`] : []),
    ...(layers > 1 && !cube ? [`layers ${layers}`] : []),
    ...(samples > 1 ? [`samples ${samples}`] : []),
  ];
  const what = cube
    ? `cube ${descOf(shape).name} ${width}`
    : `texture ${descOf(shape).name} ${sides.join(' by ')}`;
  return [what, ...more].join(' ');
}

/** Whether there is such a surface: a known format, no side of 0, no more levels than the longest side has. */
export function isValidShape(shape: SurfaceShape): boolean {
  const { format, width, height, depth, mips, layers, samples, cube } = shape;
  const sides = [width, height, depth, mips, layers, samples];
  if (!surfaceDescs.has(format) || sides.some((n) => !Number.isInteger(n) || n < 1)) return false;
  const buffer = format === SVGA3D_BUFFER;
  if (buffer && Math.max(height, depth, mips, layers, samples) > 1) return false;
  if (cube && (layers !== 6 || width !== height || depth !== 1)) return false;
  return mips <= 1 + Math.floor(Math.log2(Math.max(width, height, depth)));
}

const noShape = { format: 0, width: 0, height: 0, depth: 0, mips: 0, layers: 0, samples: 0 };
const numbers = record('shape', noShape);

/** A place for a shape. */
export const shapeField: Field<SurfaceShape> = {
  kind: 'shape',
  cells: numbers.cells + 1,
  get: (store, at) => {
    const cube = store.read(at + numbers.cells) !== 0;
    return { ...numbers.get(store, at), cube };
  },
  set: (store, at, value) => {
    numbers.set(store, at, value);
    store.write(at + numbers.cells, value.cube ? 1 : 0);
  },
};

/** A box of a subresource, in pixels; empty when d is 0. For a buffer x and w are bytes. */
export interface SVGA3dBox {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly w: number;
  readonly h: number;
  readonly d: number;
}

/** One level of a chain of mips. */
export interface MipLevel {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly bytes: number; // of one sample
  readonly rowBytes: number; // of a row of blocks
  readonly sliceBytes: number;
}

export const descOf = ({ format }: SurfaceShape): SurfaceDesc => surfaceDescs.get(format)!;

export function mipLevel(shape: SurfaceShape, level: number): MipLevel {
  const { blockWidth, blockHeight, bytesPerBlock } = descOf(shape);
  const at = (size: number) => Math.max(1, Math.floor(size / 2 ** level));
  const [width, height, depth] = [at(shape.width), at(shape.height), at(shape.depth)];
  const rowBytes = Math.ceil(width / blockWidth) * bytesPerBlock;
  const sliceBytes = Math.ceil(height / blockHeight) * rowBytes;
  return { width, height, depth, rowBytes, sliceBytes, bytes: sliceBytes * depth };
}

/** Bytes of all levels of one layer of one sample. */
export function chainBytes(shape: SurfaceShape): number {
  let bytes = 0;
  for (let level = 0; level < shape.mips; level++) bytes += mipLevel(shape, level).bytes;
  return bytes;
}

/** Bytes of all layers of one sample. */
export const sheetBytes = (shape: SurfaceShape): number => chainBytes(shape) * shape.layers;

/** Bytes of the whole surface. */
export const shapeBytes = (shape: SurfaceShape): number => sheetBytes(shape) * shape.samples;

/** Where subresource `layer * mips + level` begins in its sheet, in bytes. */
export function subresourceOffset(shape: SurfaceShape, subresource: number): number {
  let offset = Math.floor(subresource / shape.mips) * chainBytes(shape);
  for (let level = 0; level < subresource % shape.mips; level++) {
    offset += mipLevel(shape, level).bytes;
  }
  return offset;
}

/** The bytes of a box as runs: `count` of them, each `length` long; where number `i` begins. */
export interface Runs {
  readonly length: number;
  readonly count: number;
  readonly begin: (i: number) => number;
}

/** The bytes of a box of a subresource, in every sheet; undefined when it reaches outside or cuts blocks. */
export function boxRuns(
  shape: SurfaceShape,
  subresource: number,
  box: SVGA3dBox,
): Runs | undefined {
  if (subresource < 0 || subresource >= shape.mips * shape.layers) return undefined;
  const level = mipLevel(shape, subresource % shape.mips);
  const { blockWidth, blockHeight, bytesPerBlock } = descOf(shape);
  const { x, y, z, w, h, d } = box;
  const inside =
    Math.min(x, y, z, w, h, d) >= 0 &&
    x + w <= level.width &&
    y + h <= level.height &&
    z + d <= level.depth;
  const whole = (at: number, size: number, block: number, end: number) =>
    at % block === 0 && (size % block === 0 || at + size === end);
  const blocks = whole(x, w, blockWidth, level.width) && whole(y, h, blockHeight, level.height);
  if (!inside || !blocks) return undefined;
  const first =
    subresourceOffset(shape, subresource) +
    z * level.sliceBytes +
    Math.floor(y / blockHeight) * level.rowBytes +
    Math.floor(x / blockWidth) * bytesPerBlock;
  // Rows that fill their level follow each other without a gap, and so do slices.
  let length = Math.ceil(w / blockWidth) * bytesPerBlock;
  let rows = Math.ceil(h / blockHeight);
  let slices = d;
  if (length === level.rowBytes) {
    length *= rows;
    rows = 1;
    if (length === level.sliceBytes) {
      length *= slices;
      slices = 1;
    }
  }
  const sheet = sheetBytes(shape);
  return {
    length,
    count: length === 0 ? 0 : rows * slices * shape.samples,
    begin: (i) => {
      const row = i % rows;
      const slice = Math.floor(i / rows) % slices;
      const sample = Math.floor(i / (rows * slices));
      return first + sample * sheet + slice * level.sliceBytes + row * level.rowBytes;
    },
  };
}

/**
 * How the bytes of a mip level are computed from the level above it, whose bytes `above` gives: of formats with a byte a
 * channel the mean of the (up to eight) pixels that become one, of others the first of them.
 */
export function levelFilter(
  shape: SurfaceShape,
  level: number,
  above: (at: number) => number,
): (at: number) => number {
  const { bytesPerBlock } = descOf(shape);
  const [from, to] = [mipLevel(shape, level - 1), mipLevel(shape, level)];
  const most = byteChannels.has(shape.format) ? 8 : 1;
  return (at) => {
    const x = Math.floor((at % to.rowBytes) / bytesPerBlock);
    const y = Math.floor((at % to.sliceBytes) / to.rowBytes);
    const z = Math.floor(at / to.sliceBytes);
    let sum = 0;
    let count = 0;
    for (let i = 0; i < most; i++) {
      const [px, py, pz] = [2 * x + (i & 1), 2 * y + ((i >> 1) & 1), 2 * z + (i >> 2)];
      if (px >= from.width || py >= from.height || pz >= from.depth) continue;
      const pixel = pz * from.sliceBytes + py * from.rowBytes + px * bytesPerBlock;
      sum += above(pixel + (at % bytesPerBlock));
      count++;
    }
    return Math.floor(sum / count);
  };
}

const byteChannels: ReadonlySet<number> = new Set([SVGA3D_R8_UNORM, SVGA3D_R8G8B8A8_UNORM]);

/** Whether a byte of a surface lies in a box of one of its subresources. */
export function boxHolds(
  shape: SurfaceShape,
  subresource: number,
  box: SVGA3dBox,
  byte: number,
): boolean {
  const runs = boxRuns(shape, subresource, box);
  if (runs === undefined) return false;
  for (let i = 0; i < runs.count; i++) {
    const begin = runs.begin(i);
    if (byte >= begin && byte < begin + runs.length) return true;
  }
  return false;
}

/** A box in words: of a buffer its bytes, of a texture level, layer and pixels. */
export function boxText(shape: SurfaceShape, subresource: number, box: SVGA3dBox): string {
  const { x, y, z, w, h, d } = box;
  if (shape.format === SVGA3D_BUFFER) return `bytes ${x} to ${x + w - 1}`;
  const extent = (from: number, size: number) => `${from}..${from + size}`;
  const sides = [extent(x, w), extent(y, h), ...(shape.depth > 1 ? [extent(z, d)] : [])];
  const level = shape.mips > 1 ? `, level ${subresource % shape.mips}` : '';
  const layer = Math.floor(subresource / shape.mips);
  const part = shape.layers > 1 ? `, ${shape.cube ? 'face' : 'layer'} ${layer}` : '';
  return `pixels ${sides.join(' x ')}${level}${part}`;
}

/** The box that is all of a subresource. */
export function wholeBox(shape: SurfaceShape, subresource: number): SVGA3dBox {
  const { width, height, depth } = mipLevel(shape, subresource % shape.mips);
  return { x: 0, y: 0, z: 0, w: width, h: height, d: depth };
}
