// The SVGA device's commands: ids of svga3d_cmd.h and svga_reg.h (Linux drivers/gpu/drm/vmwgfx/device_include), each
// with the fields that the model needs. Draws are generic: a command reads or writes a range of bytes of a surface.
import { type Field, record } from '../../state/layout';
import { contextCommandNames } from './bindings';
import type { SurfaceShape, SVGA3dBox } from './shapes';

export const SVGA_CMD_FENCE = 30; // value: the sequence number to write
export const SVGA_CMD_DEFINE_GMR2 = 41; // arg: region; length: pages, 0 forgets it
export const SVGA_CMD_REMAP_GMR2 = 42; // arg: region; value: address of the table of its pages; length: how many
export const SVGA_3D_CMD_DEFINE_GB_MOB = 1093; // as DEFINE_GB_MOB64, with page numbers of 32 bits
export const SVGA_3D_CMD_DESTROY_GB_MOB = 1094; // arg: mob
// The forms that define a surface; see `defineSurface`, value: its name for display. The first has no number of layers;
// what the later ones have besides (pattern and quality of samples, the stride of a buffer) no surface here asks for.
export const SVGA_3D_CMD_DEFINE_GB_SURFACE = 1097;
export const SVGA_3D_CMD_DEFINE_GB_SURFACE_V2 = 1134;
export const SVGA_3D_CMD_DEFINE_GB_SURFACE_V3 = 1239;
export const SVGA_3D_CMD_DEFINE_GB_SURFACE_V4 = 1267;
export const SVGA_3D_CMD_DESTROY_GB_SURFACE = 1098;
export const SVGA_3D_CMD_BIND_GB_SURFACE = 1099; // arg: mob, or SVGA3D_INVALID_ID; offset: where in it
export const SVGA_3D_CMD_UPDATE_GB_IMAGE = 1101; // arg: face of a cube, else 0; image: mip level; a box
export const SVGA_3D_CMD_UPDATE_GB_SURFACE = 1102;
export const SVGA_3D_CMD_READBACK_GB_IMAGE = 1103; // arg: face; image: mip level
export const SVGA_3D_CMD_READBACK_GB_SURFACE = 1104;
export const SVGA_3D_CMD_INVALIDATE_GB_IMAGE = 1105; // arg: face; image: mip level
export const SVGA_3D_CMD_INVALIDATE_GB_SURFACE = 1106;
/** arg: face; image: mip level; a box; value: 1 for all but the box (invertBox). */
export const SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL = 1128;
export const SVGA_3D_CMD_DEFINE_GB_MOB64 = 1135; // arg: mob; value: address of its page table; length: bytes
export const SVGA_3D_CMD_DX_GENMIPS = 1181; // names the surface; the real one a view of it
export const SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE = 1182; // image: subresource; a box
export const SVGA_3D_CMD_DX_READBACK_SUBRESOURCE = 1183; // image: subresource
export const SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE = 1184; // image: subresource
/** Copies within the device: `length` bytes of surface `sid` from `offset` on, to surface `arg` from `value` on. */
export const SVGA_3D_CMD_DX_BUFFER_COPY = 1209;

/** Ours, beyond the real ids: what a draw or a dispatch does to a range of a surface. */
export const GPU_CMD_READ = 3001;
export const GPU_CMD_WRITE = 3002; // value: the byte written

export const SVGA3D_INVALID_ID = -1;

/** Names for the debugger. */
export const svgaCommandNames: Readonly<Record<number, string>> = {
  [SVGA_CMD_FENCE]: 'FENCE',
  [SVGA_CMD_DEFINE_GMR2]: 'DEFINE_GMR2',
  [SVGA_CMD_REMAP_GMR2]: 'REMAP_GMR2',
  [SVGA_3D_CMD_DEFINE_GB_MOB]: 'DEFINE_GB_MOB',
  [SVGA_3D_CMD_DESTROY_GB_MOB]: 'DESTROY_GB_MOB',
  [SVGA_3D_CMD_DEFINE_GB_SURFACE]: 'DEFINE_GB_SURFACE',
  [SVGA_3D_CMD_DEFINE_GB_SURFACE_V2]: 'DEFINE_GB_SURFACE_V2',
  [SVGA_3D_CMD_DEFINE_GB_SURFACE_V3]: 'DEFINE_GB_SURFACE_V3',
  [SVGA_3D_CMD_DEFINE_GB_SURFACE_V4]: 'DEFINE_GB_SURFACE_V4',
  [SVGA_3D_CMD_DESTROY_GB_SURFACE]: 'DESTROY_GB_SURFACE',
  [SVGA_3D_CMD_BIND_GB_SURFACE]: 'BIND_GB_SURFACE',
  [SVGA_3D_CMD_UPDATE_GB_IMAGE]: 'UPDATE_GB_IMAGE',
  [SVGA_3D_CMD_UPDATE_GB_SURFACE]: 'UPDATE_GB_SURFACE',
  [SVGA_3D_CMD_READBACK_GB_IMAGE]: 'READBACK_GB_IMAGE',
  [SVGA_3D_CMD_READBACK_GB_SURFACE]: 'READBACK_GB_SURFACE',
  [SVGA_3D_CMD_INVALIDATE_GB_IMAGE]: 'INVALIDATE_GB_IMAGE',
  [SVGA_3D_CMD_INVALIDATE_GB_SURFACE]: 'INVALIDATE_GB_SURFACE',
  [SVGA_3D_CMD_READBACK_GB_IMAGE_PARTIAL]: 'READBACK_GB_IMAGE_PARTIAL',
  [SVGA_3D_CMD_DEFINE_GB_MOB64]: 'DEFINE_GB_MOB64',
  [SVGA_3D_CMD_DX_GENMIPS]: 'DX_GENMIPS',
  [SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE]: 'DX_UPDATE_SUBRESOURCE',
  [SVGA_3D_CMD_DX_READBACK_SUBRESOURCE]: 'DX_READBACK_SUBRESOURCE',
  [SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE]: 'DX_INVALIDATE_SUBRESOURCE',
  [SVGA_3D_CMD_DX_BUFFER_COPY]: 'DX_BUFFER_COPY',
  [GPU_CMD_READ]: 'GPU_READ',
  [GPU_CMD_WRITE]: 'GPU_WRITE',
  ...contextCommandNames,
};

/** One command. `sid`, and `arg` of a copy, are the device's ids of surfaces (in a user's command buffer: handles). */
export interface SvgaCommand {
  readonly id: number;
  readonly sid: number;
  readonly arg: number;
  readonly image: number; // a subresource, or a level of it
  readonly offset: number; // the box: x; of a buffer in bytes
  readonly y: number;
  readonly z: number;
  readonly length: number; // w; of a buffer in bytes
  readonly h: number;
  readonly d: number;
  readonly value: number;
  readonly submission: number; // the number the application gave its submission; 0 for the kernel's own commands
}

const noCommand: SvgaCommand = {
  id: 0,
  sid: 0,
  arg: 0,
  image: 0,
  offset: 0,
  y: 0,
  z: 0,
  length: 0,
  h: 0,
  d: 0,
  value: 0,
  submission: 0,
};

/** A command with the fields given; the others are 0. */
export const svgaCommand = (fields: Partial<SvgaCommand>): SvgaCommand => ({
  ...noCommand,
  ...fields,
});

const imageIds = {
  update: [SVGA_3D_CMD_UPDATE_GB_IMAGE, SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE],
  readback: [SVGA_3D_CMD_READBACK_GB_IMAGE, SVGA_3D_CMD_DX_READBACK_SUBRESOURCE],
  invalidate: [SVGA_3D_CMD_INVALIDATE_GB_IMAGE, SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE],
} as const;

/** A command for subresource `layer * mips + level`, by face and mip level: of arrays it knows the first layer. */
export const byFace = (what: keyof typeof imageIds, image: number, mips: number) => ({
  id: imageIds[what][0],
  arg: Math.floor(image / mips),
  image: image % mips,
});

/** The same command of devices with shader models, which knows layers too. */
export const bySubresource = (what: keyof typeof imageIds, image: number) => ({
  id: imageIds[what][1],
  image,
});

/** The fields of a command that are a box. */
export const ofBox = ({ x, y, z, w, h, d }: SVGA3dBox): Partial<SvgaCommand> => ({
  offset: x,
  y,
  z,
  length: w,
  h,
  d,
});

/** The box that a command names. */
export const boxOf = (c: Omit<SVGA3dBox, 'x' | 'w'> & { offset: number; length: number }) => ({
  x: c.offset,
  y: c.y,
  z: c.z,
  w: c.length,
  h: c.h,
  d: c.d,
});

/** The bytes [offset, offset + length) of a buffer, as a box. */
export const ofBytes = (offset: number, length: number): Partial<SvgaCommand> =>
  ofBox({ x: offset, y: 0, z: 0, w: length, h: 1, d: 1 });

/** Defines a surface, by the form `id`: a shape takes the place of box and image. */
export const defineSurface = (
  id: number,
  sid: number,
  shape: SurfaceShape,
  name: number,
): SvgaCommand =>
  svgaCommand({
    id,
    sid,
    value: name,
    arg: shape.format,
    length: shape.width,
    h: shape.height,
    d: shape.depth,
    image: shape.mips,
    y: id === SVGA_3D_CMD_DEFINE_GB_SURFACE ? 0 : shape.layers,
    z: shape.samples,
    offset: shape.cube ? 1 : 0,
  });

/** The shape in a command that defines a surface. Without a number of layers it has one, or the faces of a cube. */
export const definedShape = (c: Omit<SvgaCommand, 'id' | 'sid'>): SurfaceShape => ({
  format: c.arg,
  width: c.length,
  height: c.h,
  depth: c.d,
  mips: c.image,
  layers: c.y || (c.offset === 0 ? 1 : 6),
  samples: c.z,
  cube: c.offset !== 0,
});

export const definesSurface: ReadonlySet<number> = new Set([
  SVGA_3D_CMD_DEFINE_GB_SURFACE,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V2,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V3,
  SVGA_3D_CMD_DEFINE_GB_SURFACE_V4,
]);

/** A place for one command, as in a command buffer. */
export const command: Field<SvgaCommand> = record('command', noCommand);
