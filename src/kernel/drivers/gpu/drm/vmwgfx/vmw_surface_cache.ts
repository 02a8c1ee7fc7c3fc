// drivers/gpu/drm/vmwgfx/vmw_surface_cache.h (2019: device_include/svga3d_surfacedefs.h): which pixels lie at a byte of
// a surface's backing store, in the driver's own arithmetic. Left out: planar formats, clamping at 32 bits.
import {
  descOf,
  type MipLevel,
  mipLevel,
  type SurfaceShape,
} from '../../../../../hardware/svga/shapes';

/** Layout of a surface for dirty tracking. */
export interface vmw_surface_cache {
  readonly shape: SurfaceShape;
  readonly mip: readonly vmw_surface_mip[];
  readonly mip_chain_bytes: number;
  readonly sheet_bytes: number;
}

export interface vmw_surface_mip {
  readonly size: MipLevel;
  readonly bytes: number;
  readonly row_stride: number;
  readonly img_stride: number;
}

/** A place in a surface: of a byte, or, as the end of a box, one behind it in every direction. */
export interface vmw_surface_loc {
  readonly sheet: number;
  readonly sub_resource: number;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/**
 * The layout of a surface; its size is never 0. `stride_samples` is 1, or the number of samples where strides count all
 * of them, though the sizes of levels count one.
 */
export function vmw_surface_setup_cache(
  shape: SurfaceShape,
  stride_samples = 1,
): vmw_surface_cache {
  const mip = Array.from({ length: shape.mips }, (_, level) => {
    const size = mipLevel(shape, level);
    const row_stride = size.rowBytes * stride_samples;
    const img_stride = size.sliceBytes * stride_samples;
    return { size, bytes: size.bytes, row_stride, img_stride };
  });
  const mip_chain_bytes = mip.reduce((sum, { bytes }) => sum + bytes, 0);
  return { shape, mip, mip_chain_bytes, sheet_bytes: mip_chain_bytes * shape.layers };
}

/** Where byte `offset` of the backing store lies. */
export function vmw_surface_get_loc(cache: vmw_surface_cache, offset: number): vmw_surface_loc {
  const { bytesPerBlock, blockWidth, blockHeight } = descOf(cache.shape);
  const sheet = Math.floor(offset / cache.sheet_bytes);
  let left = offset - sheet * cache.sheet_bytes;
  const layer = Math.floor(left / cache.mip_chain_bytes);
  left -= layer * cache.mip_chain_bytes;
  let level = 0;
  while (cache.mip[level]!.bytes <= left) left -= cache.mip[level++]!.bytes;
  const { img_stride, row_stride } = cache.mip[level]!;
  const z = Math.floor(left / img_stride);
  left -= z * img_stride;
  const row = Math.floor(left / row_stride);
  left -= row * row_stride;
  return {
    sheet,
    sub_resource: layer * cache.shape.mips + level,
    x: Math.floor(left / bytesPerBlock) * blockWidth,
    y: row * blockHeight,
    z,
  };
}

/** From the place of the last byte of a range to the end of a box: one block further in each direction, clamped. */
export function vmw_surface_inc_loc(
  cache: vmw_surface_cache,
  loc: vmw_surface_loc,
): vmw_surface_loc {
  const { blockWidth, blockHeight } = descOf(cache.shape);
  const { size } = cache.mip[loc.sub_resource % cache.shape.mips]!;
  return {
    sheet: loc.sheet,
    sub_resource: loc.sub_resource + 1,
    x: Math.min(loc.x + blockWidth, size.width),
    y: Math.min(loc.y + blockHeight, size.height),
    z: Math.min(loc.z + 1, size.depth),
  };
}

/** The beginning of a subresource. */
export const vmw_surface_min_loc = (sub_resource: number): vmw_surface_loc => ({
  sheet: 0,
  sub_resource,
  x: 0,
  y: 0,
  z: 0,
});

/** The end of a subresource, as the end of a box. */
export function vmw_surface_max_loc(
  cache: vmw_surface_cache,
  sub_resource: number,
): vmw_surface_loc {
  const { size } = cache.mip[sub_resource % cache.shape.mips]!;
  return {
    sheet: 0,
    sub_resource: sub_resource + 1,
    x: size.width,
    y: size.height,
    z: size.depth,
  };
}
