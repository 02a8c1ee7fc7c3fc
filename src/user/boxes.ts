// From bytes of a surface to boxes of its subresources, as user space needs them for update commands.
import {
  descOf,
  mipLevel,
  type SurfaceShape,
  type SVGA3dBox,
  sheetBytes,
  subresourceOffset,
} from '../hardware/svga/shapes';

/** A box of a subresource. */
export interface ImageBox {
  readonly image: number;
  readonly box: SVGA3dBox;
}

/** Boxes that hold the bytes [from, to) of a surface: one for each subresource that they touch, of whole rows at least. */
export function boxesOf(shape: SurfaceShape, from: number, to: number): readonly ImageBox[] {
  const sheet = sheetBytes(shape);
  const boxes: ImageBox[] = [];
  // A box is of every sheet; what reaches over the end of one is all of a sheet for all that is known here.
  const first = Math.floor(from / sheet) === Math.floor((to - 1) / sheet);
  const [start, end] = first ? [from % sheet, ((to - 1) % sheet) + 1] : [0, sheet];
  for (let image = 0; image < shape.mips * shape.layers; image++) {
    const begin = subresourceOffset(shape, image);
    const { bytes } = mipLevel(shape, image % shape.mips);
    const [a, b] = [Math.max(0, start - begin), Math.min(bytes, end - begin)];
    if (a < b) boxes.push({ image, box: boxIn(shape, image % shape.mips, a, b) });
  }
  return boxes;
}

/** The box of a level that holds its bytes [from, to). */
function boxIn(shape: SurfaceShape, level: number, from: number, to: number): SVGA3dBox {
  const { width, height, rowBytes, sliceBytes } = mipLevel(shape, level);
  const { blockWidth, blockHeight, bytesPerBlock } = descOf(shape);
  const along = (size: number, a: number, b: number, end: number): [number, number] => [
    a * size,
    Math.min(end, (b + 1) * size) - a * size,
  ];
  const last = to - 1;
  const [z, zEnd] = [Math.floor(from / sliceBytes), Math.floor(last / sliceBytes)];
  if (z !== zEnd) return { x: 0, y: 0, z, w: width, h: height, d: zEnd - z + 1 };
  const row = (byte: number) => Math.floor((byte % sliceBytes) / rowBytes);
  const [y, h] = along(blockHeight, row(from), row(last), height);
  if (row(from) !== row(last)) return { x: 0, y, z, w: width, h, d: 1 };
  const block = (byte: number) => Math.floor((byte % rowBytes) / bytesPerBlock);
  const [x, w] = along(blockWidth, block(from), block(last), width);
  return { x, y, z, w, h, d: 1 };
}
