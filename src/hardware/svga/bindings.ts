// What is bound to a context of the device between draws: the points that something is bound to, and the commands that
// define a view, bind it and take it away. svga3d_cmd.h and svga3d_dx.h of Linux drivers/gpu/drm/vmwgfx/device_include.
// Simplified: one shader stage, eight slots at every point, a view is a range of bytes, and the command that binds says
// the point in `arg` (the real one for render targets has the depth-stencil view with them).

export const SVGA_3D_CMD_DX_DEFINE_CONTEXT = 1143; // z: the context
export const SVGA_3D_CMD_DX_SET_SINGLE_CONSTANT_BUFFER = 1148;
export const SVGA_3D_CMD_DX_SET_SHADER_RESOURCES = 1149;
export const SVGA_3D_CMD_DX_DRAW = 1152; // value: the byte written to all that is bound for writing
export const SVGA_3D_CMD_DX_SET_VERTEX_BUFFERS = 1158;
export const SVGA_3D_CMD_DX_SET_INDEX_BUFFER = 1159;
export const SVGA_3D_CMD_DX_SET_RENDERTARGETS = 1161;
export const SVGA_3D_CMD_DX_SET_SOTARGETS = 1173;
export const SVGA_3D_CMD_DX_DEFINE_SHADERRESOURCE_VIEW = 1185;
export const SVGA_3D_CMD_DX_DESTROY_SHADERRESOURCE_VIEW = 1186;
export const SVGA_3D_CMD_DX_DEFINE_RENDERTARGET_VIEW = 1187;
export const SVGA_3D_CMD_DX_DESTROY_RENDERTARGET_VIEW = 1188;
export const SVGA_3D_CMD_DX_DEFINE_DEPTHSTENCIL_VIEW = 1189;
export const SVGA_3D_CMD_DX_DESTROY_DEPTHSTENCIL_VIEW = 1190;
export const SVGA_3D_CMD_DX_DEFINE_UA_VIEW = 1245;
export const SVGA_3D_CMD_DX_DESTROY_UA_VIEW = 1246;
export const SVGA_3D_CMD_DX_SET_UA_VIEWS = 1250;

/** A point of a context. What is bound there by a view is defined first; the rest names surfaces themselves. */
export interface BindingPoint {
  /** As the kernel calls it: vmw_ctx_binding_…, vmw_view_…. */
  readonly kernel: string;
  /** The command that binds: image: the slot; value: the view, else sid and a range; SVGA3D_INVALID_ID takes it away. */
  readonly set: number;
  /** The commands that define a view (sid and a range; value: its id) and destroy it (value). */
  readonly view: { readonly define: number; readonly destroy: number } | undefined;
  /** A draw writes what is bound here; else it reads it. */
  readonly written: boolean;
}

const view = (define: number) => ({ define, destroy: define + 1 });

/** The points, by the names that scenarios have for them. */
export const bindingPoints = {
  target: {
    kernel: 'rt',
    set: SVGA_3D_CMD_DX_SET_RENDERTARGETS,
    view: view(SVGA_3D_CMD_DX_DEFINE_RENDERTARGET_VIEW),
    written: true,
  },
  depth: {
    kernel: 'ds',
    set: SVGA_3D_CMD_DX_SET_RENDERTARGETS,
    view: view(SVGA_3D_CMD_DX_DEFINE_DEPTHSTENCIL_VIEW),
    written: true,
  },
  stream: {
    kernel: 'so_target',
    set: SVGA_3D_CMD_DX_SET_SOTARGETS,
    view: undefined,
    written: true,
  },
  storage: {
    kernel: 'ua',
    set: SVGA_3D_CMD_DX_SET_UA_VIEWS,
    view: view(SVGA_3D_CMD_DX_DEFINE_UA_VIEW),
    written: true,
  },
  resource: {
    kernel: 'sr',
    set: SVGA_3D_CMD_DX_SET_SHADER_RESOURCES,
    view: view(SVGA_3D_CMD_DX_DEFINE_SHADERRESOURCE_VIEW),
    written: false,
  },
  vertices: {
    kernel: 'vb',
    set: SVGA_3D_CMD_DX_SET_VERTEX_BUFFERS,
    view: undefined,
    written: false,
  },
  indices: {
    kernel: 'ib',
    set: SVGA_3D_CMD_DX_SET_INDEX_BUFFER,
    view: undefined,
    written: false,
  },
  constants: {
    kernel: 'cb',
    set: SVGA_3D_CMD_DX_SET_SINGLE_CONSTANT_BUFFER,
    view: undefined,
    written: false,
  },
} as const satisfies Record<string, BindingPoint>;

export type PointName = keyof typeof bindingPoints;

/** The points in order: a command names one by its place here. */
export const points: readonly BindingPoint[] = Object.values(bindingPoints);
export const pointIndex = (name: PointName): number => Object.keys(bindingPoints).indexOf(name);

export const SLOTS = 8; // of each point

/** Slots of all points, one after the other; as many views a context has room for, by their ids. */
export const bindings = points.length * SLOTS;

/** The place of a slot among all. */
export const bindingOf = (point: number, slot: number): number => point * SLOTS + slot;

export type ContextDeed = 'define' | 'destroy' | 'set' | 'draw';

const sets: ReadonlySet<number> = new Set(points.map(({ set }) => set));
const defines: ReadonlySet<number> = new Set(points.flatMap(({ view }) => view?.define ?? []));
const destroys: ReadonlySet<number> = new Set(points.flatMap(({ view }) => view?.destroy ?? []));

/** What a command does to the views or bindings of its context; undefined: it is none of these. */
export function contextDeed(id: number): ContextDeed | undefined {
  if (sets.has(id)) return 'set';
  if (defines.has(id)) return 'define';
  if (destroys.has(id)) return 'destroy';
  return id === SVGA_3D_CMD_DX_DRAW ? 'draw' : undefined;
}

/** Names for the debugger. */
export const contextCommandNames: Readonly<Record<number, string>> = {
  [SVGA_3D_CMD_DX_DEFINE_CONTEXT]: 'DX_DEFINE_CONTEXT',
  [SVGA_3D_CMD_DX_SET_SINGLE_CONSTANT_BUFFER]: 'DX_SET_SINGLE_CONSTANT_BUFFER',
  [SVGA_3D_CMD_DX_SET_SHADER_RESOURCES]: 'DX_SET_SHADER_RESOURCES',
  [SVGA_3D_CMD_DX_DRAW]: 'DX_DRAW',
  [SVGA_3D_CMD_DX_SET_VERTEX_BUFFERS]: 'DX_SET_VERTEX_BUFFERS',
  [SVGA_3D_CMD_DX_SET_INDEX_BUFFER]: 'DX_SET_INDEX_BUFFER',
  [SVGA_3D_CMD_DX_SET_RENDERTARGETS]: 'DX_SET_RENDERTARGETS',
  [SVGA_3D_CMD_DX_SET_SOTARGETS]: 'DX_SET_SOTARGETS',
  [SVGA_3D_CMD_DX_DEFINE_SHADERRESOURCE_VIEW]: 'DX_DEFINE_SHADERRESOURCE_VIEW',
  [SVGA_3D_CMD_DX_DESTROY_SHADERRESOURCE_VIEW]: 'DX_DESTROY_SHADERRESOURCE_VIEW',
  [SVGA_3D_CMD_DX_DEFINE_RENDERTARGET_VIEW]: 'DX_DEFINE_RENDERTARGET_VIEW',
  [SVGA_3D_CMD_DX_DESTROY_RENDERTARGET_VIEW]: 'DX_DESTROY_RENDERTARGET_VIEW',
  [SVGA_3D_CMD_DX_DEFINE_DEPTHSTENCIL_VIEW]: 'DX_DEFINE_DEPTHSTENCIL_VIEW',
  [SVGA_3D_CMD_DX_DESTROY_DEPTHSTENCIL_VIEW]: 'DX_DESTROY_DEPTHSTENCIL_VIEW',
  [SVGA_3D_CMD_DX_DEFINE_UA_VIEW]: 'DX_DEFINE_UA_VIEW',
  [SVGA_3D_CMD_DX_DESTROY_UA_VIEW]: 'DX_DESTROY_UA_VIEW',
  [SVGA_3D_CMD_DX_SET_UA_VIEWS]: 'DX_SET_UA_VIEWS',
};
