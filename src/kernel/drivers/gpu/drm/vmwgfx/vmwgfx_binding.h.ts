// drivers/gpu/drm/vmwgfx/vmwgfx_binding.h, vmwgfx_so.h and the structs of vmwgfx_context.c: what a context has bound, the
// views of surfaces that it knows, and what the submission at hand is about to change of either. Linux 5.1. Arrays by
// slot stand in place of lists. Left out: the context's own memory (cotables), shaders, queries, legacy contexts.
import { bindings } from '../../../../../hardware/svga/bindings';
import { sleepingLock } from '../../../../../routine/locks';
import {
  array,
  bool,
  holding,
  int,
  oneOf,
  ref,
  refcount,
  struct,
  type View,
} from '../../../../../state/layout';

export const VMW_CMDBUF_RES_COMMITTED = 0;
export const VMW_CMDBUF_RES_ADD = 1;
export const VMW_CMDBUF_RES_DEL = 2;
const states = { VMW_CMDBUF_RES_COMMITTED, VMW_CMDBUF_RES_ADD, VMW_CMDBUF_RES_DEL } as const;

/** A view of a surface, by which it is bound: here a range of its bytes. */
export const vmw_view = struct('vmw_view', {
  fixed: {
    view_type: int, // the point that it is for
    view_id: int,
    offset: int,
    length: int,
    srf: holding(ref('vmw_resource')), // kept alive by it
  },
  under: {
    binding_mutex: {
      state: oneOf(states), // of the submission at hand
      exists: bool, // on the device
      next: ref('vmw_view'),
    },
  },
});

/** What is bound in each slot: a view, or a range of a surface. The surface is not kept alive by it. */
const bound = () => ({
  res: array(ref('vmw_resource'), bindings),
  view: array(ref('vmw_view'), bindings),
  offset: array(int, bindings),
  length: array(int, bindings),
});

export const vmw_user_context = struct('vmw_user_context', {
  fixed: { id: int },
  shared: { kref: refcount },
  under: {
    binding_mutex: {
      next: ref('vmw_user_context'),
      views: ref('vmw_view'), // that it knows, in no order
      ...bound(),
      scrubbed: array(bool, bindings), // the device does not know of it any more
    },
  },
});

/** Of all contexts: their lock, and what the submission at hand binds. */
export const vmw_ctx_binding_state = struct('vmw_ctx_binding_state', {
  own: { binding_mutex: sleepingLock('binding_mutex') },
  under: {
    binding_mutex: { contexts: ref('vmw_user_context') }, // all of them
    cmdbuf_mutex: {
      dx_ctx: ref('vmw_user_context'), // of the submission at hand
      staged: array(bool, bindings), // the slots that it changes
      ...bound(),
    },
  },
});

declare module '../../../../../state/layout' {
  interface Structs {
    vmw_view: View<typeof vmw_view>;
    vmw_user_context: View<typeof vmw_user_context>;
    vmw_ctx_binding_state: View<typeof vmw_ctx_binding_state>;
  }
}
