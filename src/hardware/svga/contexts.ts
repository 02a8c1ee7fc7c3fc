// Contexts of the device: views of surfaces by their ids, and what is bound at each point until something else is.
import type { Engine } from '../../routine/engine';
import { array, bool, type FieldsView, int, struct, type View } from '../../state/layout';
import type { PoolSize } from '../../state/objects';
import {
  bindingOf,
  bindings,
  contextDeed,
  points,
  SVGA_3D_CMD_DX_DEFINE_CONTEXT,
} from './bindings';
import { SVGA3D_INVALID_ID } from './commands';

/** A range of a surface, in as many places as there are; sid -1: nothing. */
const ranges = () => ({
  sid: array(int, bindings),
  offset: array(int, bindings),
  length: array(int, bindings),
});

/** The device's own record of a context: views by id, and for each slot the view plus 1, or a range of a surface. */
export const svga_context = struct('svga_context', {
  own: {
    id: int,
    viewDefined: array(bool, bindings),
    viewSid: ranges().sid,
    viewOffset: ranges().offset,
    viewLength: ranges().length,
    bound: array(int, bindings), // a view plus 1; a range: 1; nothing: 0
    ...ranges(),
  },
});

declare module '../../state/layout' {
  interface Structs {
    svga_context: View<typeof svga_context>;
  }
}

/** Room for contexts, in machines that have some. */
export const contextPool = (count: number): PoolSize[] =>
  count > 0 ? [{ struct: svga_context, count }] : [];

function contextOf(k: Engine, id: number): View<typeof svga_context> | undefined {
  for (const at of k.objects.all('svga_context')) {
    const context = k.view('svga_context', at);
    if (context.id === id) return context;
  }
  return undefined;
}

/** What is bound in a slot: a range of a surface, which may be gone; undefined: nothing, or a view that is gone. */
export interface Bound {
  readonly sid: number;
  readonly offset: number;
  readonly length: number;
  readonly written: boolean;
}

/** The next slot from `from` on in which something is bound; `bindings`: none. */
export function nextBound(k: Engine, context: number, from: number): number {
  const { bound } = contextOf(k, context) ?? {};
  for (let i = from; i < bindings; i++) if (bound !== undefined && bound.get(i) !== 0) return i;
  return bindings;
}

export function boundAt(k: Engine, id: number, i: number): Bound | undefined {
  const c = contextOf(k, id)!;
  const { view, written } = points[Math.floor(i / (bindings / points.length))]!;
  if (view === undefined)
    return { sid: c.sid.get(i), offset: c.offset.get(i), length: c.length.get(i), written };
  const v = c.bound.get(i) - 1;
  if (!c.viewDefined.get(v)) return undefined;
  const [sid, offset, length] = [c.viewSid.get(v), c.viewOffset.get(v), c.viewLength.get(v)];
  return { sid, offset, length, written };
}

/** What a command says of a context: the context in `z`, the point in `arg`, the slot in `image`. */
export const contextFields = {
  id: int,
  sid: int,
  arg: int,
  image: int,
  offset: int,
  length: int,
  value: int,
  z: int,
};

/**
 * Defines a context or a view, destroys a view, binds or takes away what is bound. False when there is no such context,
 * slot or view.
 */
export function changeContext(k: Engine, command: FieldsView<typeof contextFields>): boolean {
  const { id, sid, arg, image, offset, length, value, z } = command;
  if (id === SVGA_3D_CMD_DX_DEFINE_CONTEXT) {
    k.alloc('svga_context').id = z;
    return true;
  }
  const context = contextOf(k, z);
  const deed = contextDeed(id);
  const slot = bindingOf(arg, image);
  const byView = points[arg]?.view !== undefined;
  const takesAway = deed === 'set' && value === SVGA3D_INVALID_ID;
  if (context === undefined || slot < 0 || slot >= bindings) return false;
  if (deed === 'define') {
    context.viewDefined.set(value, true);
    context.viewSid.set(value, sid);
    context.viewOffset.set(value, offset);
    context.viewLength.set(value, length);
  } else if (takesAway) context.bound.set(slot, 0);
  else if (byView) {
    if (!context.viewDefined.get(value)) return false;
    if (deed === 'destroy') context.viewDefined.set(value, false);
    else context.bound.set(slot, value + 1);
  } else {
    context.bound.set(slot, 1);
    context.sid.set(slot, sid);
    context.offset.set(slot, offset);
    context.length.set(slot, length);
  }
  return true;
}
