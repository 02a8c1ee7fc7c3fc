// drivers/gpu/drm/vmwgfx/vmwgfx_so.c and vmwgfx_cmdbuf_res.c: views of surfaces, which commands of an application define
// and destroy: a submission that fails has defined and destroyed none. Linux 5.1. Left out: state objects.
import { bindings, points } from '../../../../../hardware/svga/bindings';
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref, type Structs, same } from '../../../../../state/layout';
import { EINVAL, ENOMEM } from '../../../../include/linux/errno';
import { binding_state, contexts, vmw_binding_res_list_scrub } from './vmwgfx_binding';
import {
  VMW_CMDBUF_RES_ADD,
  VMW_CMDBUF_RES_COMMITTED,
  VMW_CMDBUF_RES_DEL,
} from './vmwgfx_binding.h';
import { putCommand, vmw_cmd_commit, vmw_cmd_reserve } from './vmwgfx_cmd';
import { vmw_resource_reference, vmw_resource_unreference } from './vmwgfx_resource';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_so.c';

type View = Structs['vmw_view'];
type Context = Structs['vmw_user_context'];

/** The first view of a context for which something holds, NULL: none. */
function findView(context: Context, holds: (view: View) => boolean): View {
  let view: View = context.views;
  while (!isNull(view) && !holds(view)) view = view.next;
  return view;
}

/** A view of a context that a submission may use; NULL: there is none by that id, or it is for something else. */
export const vmw_view_lookup = (context: Context, view_type: number, id: number): View =>
  findView(
    context,
    (v) => v.view_id === id && v.view_type === view_type && v.state !== VMW_CMDBUF_RES_DEL,
  );

/** Adds a view of a surface to those of the context, for the submission at hand. -EINVAL, -ENOMEM. */
export const vmw_view_add = routine(
  file,
  'vmw_view_add',
  {
    args: {
      context: ref('vmw_user_context'),
      srf: ref('vmw_resource'),
      view_type: int,
      view_id: int,
      offset: int,
      length: int,
    },
    locals: { view: ref('vmw_view'), taken: bool },
    returns: int,
  },
  ({ step, fallible, call, acquire, release, when, ret }) => [
    acquire('mutex_lock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
    step('vmw_cmdbuf_res_lookup(man, vmw_cmdbuf_res_view, id)', (f) => {
      const { context, view_id: id } = f;
      const other = findView(context, (v) => v.view_id === id && v.state !== VMW_CMDBUF_RES_DEL);
      f.taken = id < 0 || id >= bindings || !isNull(other);
    }),
    when('the id is taken, or none', (f) => f.taken, [
      release('mutex_unlock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
      ret('-EINVAL', () => -EINVAL),
    ]),
    fallible(
      'vmw_view_add',
      step(
        'view = kzalloc(size); vmw_cmdbuf_res_add(man, vmw_cmdbuf_res_view, id, view)',
        (f, k) => {
          f.view = k.alloc('vmw_view');
          if (isNull(f.view)) return;
          const { view, srf, view_type, view_id, offset, length } = f;
          Object.assign(view, { view_type, view_id, offset, length, srf });
          view.state = VMW_CMDBUF_RES_ADD;
          view.next = f.context.views;
          f.context.views = view;
        },
      ),
    ),
    release('mutex_unlock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
    when('!view', (f) => isNull(f.view), [ret('-ENOMEM', () => -ENOMEM)]),
    call(vmw_resource_reference, (f) => ({ res: f.srf })),
    ret('0', () => 0),
  ],
);

/** Marks a view for removal by the submission at hand. -EINVAL when there is none. */
export const vmw_view_remove = routine(
  file,
  'vmw_view_remove',
  {
    args: { context: ref('vmw_user_context'), view_type: int, view_id: int },
    locals: { view: ref('vmw_view') },
    returns: int,
  },
  ({ step, acquire, release, when, ret }) => [
    acquire('mutex_lock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
    step('entry->state = VMW_CMDBUF_RES_DEL', (f) => {
      f.view = vmw_view_lookup(f.context, f.view_type, f.view_id);
      if (!isNull(f.view)) f.view.state = VMW_CMDBUF_RES_DEL;
    }),
    release('mutex_unlock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
    when('!view', (f) => isNull(f.view), [ret('-EINVAL', () => -EINVAL)]),
    ret('0', () => 0),
  ],
);

/** What views the submission has added and removed holds from here on, or with `revert` not. Under cmdbuf_mutex. */
export const vmw_cmdbuf_res_commit = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_cmdbuf_res.c',
  'vmw_cmdbuf_res_commit',
  {
    args: { context: ref('vmw_user_context'), revert: bool },
    locals: { view: ref('vmw_view'), srf: ref('vmw_resource') },
  },
  ({ step, call, acquire, release, loop, leave, when }) => [
    loop('list_for_each_entry_safe(entry, next, list, head)', [
      acquire('mutex_lock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
      step('entry = next; what is to stay: entry->state = VMW_CMDBUF_RES_COMMITTED', (f) => {
        f.view = findView(f.context, (view) => {
          if (view.state === VMW_CMDBUF_RES_COMMITTED) return false;
          const added = view.state === VMW_CMDBUF_RES_ADD;
          if (added === f.revert) return true;
          view.state = VMW_CMDBUF_RES_COMMITTED;
          if (added) view.exists = true; // by the command of the application
          return false;
        });
      }),
      when('the view goes', (f) => !isNull(f.view), [
        call(vmw_binding_res_list_scrub, (f) => ({ res: NULL, view: f.view, kill: true })),
        step('vmw_view_unreference(view)', (f, k) => {
          const { view, context } = f;
          f.srf = view.srf;
          f.view = NULL;
          if (same(context.views, view)) context.views = view.next;
          else findView(context, ({ next }) => same(next, view)).next = view.next;
          k.free(view);
        }),
      ]),
      release('mutex_unlock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
      when('no more', (f) => isNull(f.srf), [leave()]),
      call(vmw_resource_unreference, (f) => ({ res: f.srf })),
      step('next', (f) => {
        f.srf = NULL;
      }),
    ]),
  ],
);

/** A command about a view as it is known here. */
const viewCommand = (
  context: Structs['vmw_user_context'],
  view: Structs['vmw_view'],
  id: number,
) => ({
  id,
  sid: view.srf.id,
  arg: view.view_type,
  offset: view.offset,
  length: view.length,
  value: view.view_id,
  z: context.id,
});

/** The surface leaves the device, and with it all views of it: they are defined again when they are used. */
export const vmw_view_surface_list_destroy = routine(
  file,
  'vmw_view_surface_list_destroy',
  {
    args: { res: ref('vmw_resource') },
    locals: { context: ref('vmw_user_context'), view: ref('vmw_view') },
  },
  ({ step, call, loop, leave, when }) => [
    loop('list_for_each_entry_safe(entry, next, list, srf_head)', [
      step('view = next', (f, k) => {
        f.view = NULL;
        for (const context of contexts(k)) {
          if (!isNull(f.view)) continue;
          f.view = findView(context, (view) => view.exists && same(view.srf, f.res));
          f.context = context;
        }
      }),
      when('no more', (f) => isNull(f.view), [leave()]),
      call(vmw_binding_res_list_scrub, (f) => ({ res: NULL, view: f.view, kill: false })),
      call(vmw_cmd_reserve, () => ({ count: 1 })),
      step('SVGA_3D_CMD_DX_DESTROY_…_VIEW{view}', (f, k) => {
        const { destroy } = points[f.view.view_type]!.view!;
        putCommand(k, viewCommand(f.context, f.view, destroy));
        f.view.exists = false;
      }),
      call(vmw_cmd_commit, () => ({})),
    ]),
  ],
);

/** Whether a submission uses the surface: then it is on the device, and its memory is reserved. */
function isListed(ctx: Structs['vmw_validation_context'], srf: Structs['vmw_resource']): boolean {
  let node: Structs['vmw_validation_res_node'] = ctx.resource_list;
  while (!isNull(node) && !same(node.res, srf)) node = node.next;
  return !isNull(node);
}

/** Views of a context that the device has lost are defined again, those of surfaces that the submission uses. -ENOMEM. */
export const vmw_view_create = routine(
  file,
  'vmw_view_create',
  {
    args: { ctx: ref('vmw_validation_context'), context: ref('vmw_user_context') },
    locals: { view: ref('vmw_view'), ret: int },
    returns: int,
  },
  ({ step, fallible, call, loop, leave, when, ret }) => [
    loop('for each view that is used and is not there', [
      step('view = next', (f) => {
        f.view = findView(
          f.context,
          ({ exists, state, srf }) =>
            !exists && state !== VMW_CMDBUF_RES_ADD && isListed(f.ctx, srf),
        );
      }),
      when('no more', (f) => isNull(f.view), [leave()]),
      fallible('vmw_view_create', [], (f) => {
        f.ret = -ENOMEM;
      }),
      when('!cmd', (f) => f.ret !== 0, [ret('-ENOMEM', () => -ENOMEM)]),
      call(vmw_cmd_reserve, () => ({ count: 1 })),
      step('SVGA_3D_CMD_DX_DEFINE_…_VIEW{view, sid}', (f, k) => {
        putCommand(k, viewCommand(f.context, f.view, points[f.view.view_type]!.view!.define));
        f.view.exists = true;
      }),
      call(vmw_cmd_commit, () => ({})),
    ]),
    ret('0', () => 0),
  ],
);

/** Whether a submission's command that destroys a view has to go to the device, which may have lost the view before. */
export const isOnDevice = (context: Context, view_type: number, id: number): boolean => {
  const view = findView(context, (v) => v.view_id === id && v.view_type === view_type);
  return !isNull(view) && (view.exists || view.state === VMW_CMDBUF_RES_ADD);
};
