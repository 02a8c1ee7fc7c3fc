// drivers/gpu/drm/vmwgfx/vmwgfx_binding.c: what contexts have bound, over submissions. The device forgets a binding when
// the surface behind it goes (scrubbing), and hears of it again before the next commands of the context (rebinding).
// Linux 5.1. Simplified: who looks for the bindings of a surface goes through all contexts.
import { bindings, points, SLOTS } from '../../../../../hardware/svga/bindings';
import { SVGA3D_INVALID_ID, type SvgaCommand } from '../../../../../hardware/svga/commands';
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref, type Structs, same } from '../../../../../state/layout';
import { ENOMEM } from '../../../../include/linux/errno';
import { putCommand, vmw_cmd_commit, vmw_cmd_reserve } from './vmwgfx_cmd';
import { VMW_RES_DIRTY } from './vmwgfx_drv.h';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_binding.c';

type Context = Structs['vmw_user_context'];

/** What is bound by the submission at hand, and the lock of all that is bound. */
export const binding_state = (k: Engine) => k.the('binding_state', 'vmw_ctx_binding_state');

/** What GPU work does to what is bound at each point: vmw_binding_dirtying(), and of views vmw_view_dirtying(). */
export const dirtyingOf = ({ entry }: AnyBuilder): readonly number[] =>
  points.map(({ kernel, view, written }) =>
    entry(
      view === undefined ? 'vmw_binding_dirtying' : 'vmw_view_dirtying',
      kernel,
      written ? 'set' : 'none',
      VMW_RES_DIRTY,
    ),
  );

export const pointOf = (slot: number): number => Math.floor(slot / SLOTS);

/** The surface behind a binding; NULL when nothing is bound there. */
export function boundTo(
  context: Pick<Context, 'res' | 'view'>,
  i: number,
): Structs['vmw_resource'] {
  const view = context.view.get(i);
  return isNull(view) ? context.res.get(i) : view.srf;
}

/** The command that binds what a slot has, or takes it away. */
function setCommand(context: Context, i: number, rebind: boolean): Partial<SvgaCommand> {
  const view = context.view.get(i);
  const byView = points[pointOf(i)]?.view !== undefined;
  const value = !rebind ? SVGA3D_INVALID_ID : byView ? view.view_id : 0;
  return {
    id: points[pointOf(i)]!.set,
    sid: rebind && !byView ? context.res.get(i).id : -1,
    arg: pointOf(i),
    image: i % SLOTS,
    offset: context.offset.get(i),
    length: context.length.get(i),
    value,
    z: context.id,
  };
}

/** Contexts there are. Under binding_mutex. */
export function contexts(k: Engine): Context[] {
  const found: Context[] = [];
  let context: Context = binding_state(k).contexts;
  for (; !isNull(context); context = context.next) found.push(context);
  return found;
}

/**
 * vmw_binding_res_list_scrub(), or with `kill` vmw_binding_res_list_kill(): the device is told to forget what binds the
 * resource, or the view if one is given; killed bindings are forgotten by the driver too. Under binding_mutex.
 */
export const vmw_binding_res_list_scrub = routine(
  file,
  'vmw_binding_res_list_scrub',
  {
    args: { res: ref('vmw_resource'), view: ref('vmw_view'), kill: bool },
    locals: { context: ref('vmw_user_context'), slot: int },
  },
  ({ step, call, loop, leave, when }) => [
    loop('list_for_each_entry(entry, &res->binding_head, res_list)', [
      step('entry = next', (f, k) => {
        f.context = NULL;
        for (const context of contexts(k))
          for (let i = 0; i < bindings && isNull(f.context); i++) {
            const of = isNull(f.view)
              ? same(context.res.get(i), f.res)
              : same(context.view.get(i), f.view);
            if (!of || (!f.kill && context.scrubbed.get(i))) continue;
            f.context = context;
            f.slot = i;
          }
      }),
      when('no more', (f) => isNull(f.context), [leave()]),
      call(vmw_cmd_reserve, () => ({ count: 1 })),
      step('SVGA_3D_CMD_DX_SET_…{slot, SVGA3D_INVALID_ID}; entry->scrubbed = true', (f, k) => {
        const { context, slot } = f;
        if (!context.scrubbed.get(slot)) putCommand(k, setCommand(context, slot, false));
        context.scrubbed.set(slot, !f.kill);
        if (!f.kill) return;
        context.res.set(slot, NULL);
        context.view.set(slot, NULL);
      }),
      call(vmw_cmd_commit, () => ({})),
    ]),
  ],
);

/** Tells the device of the bindings of a context that it has forgotten. Surfaces and views are there. -ENOMEM. */
export const vmw_binding_rebind_all = routine(
  file,
  'vmw_binding_rebind_all',
  { args: { context: ref('vmw_user_context') }, locals: { slot: int, ret: int }, returns: int },
  ({ step, fallible, call, loop, leave, when, ret }) => [
    loop('list_for_each_entry(entry, &cbs->list, ctx_list)', [
      step('entry = next that is scrubbed', (f) => {
        const { context } = f;
        while (f.slot < bindings && !(context.scrubbed.get(f.slot) && boundTo(context, f.slot).at))
          f.slot++;
      }),
      when('no more', (f) => f.slot === bindings, [leave()]),
      fallible('vmw_binding_rebind_all', [], (f) => {
        f.ret = -ENOMEM;
      }),
      when('!cmd', (f) => f.ret !== 0, [ret('-ENOMEM', () => -ENOMEM)]),
      call(vmw_cmd_reserve, () => ({ count: 1 })),
      step('SVGA_3D_CMD_DX_SET_…{slot, entry}; entry->scrubbed = false', (f, k) => {
        putCommand(k, setCommand(f.context, f.slot, true));
        f.context.scrubbed.set(f.slot, false);
      }),
      call(vmw_cmd_commit, () => ({})),
    ]),
    ret('0', () => 0),
  ],
);

/** vmw_binding_add(): notes what the submission at hand binds in a slot. Under cmdbuf_mutex. */
export function vmw_binding_add(
  k: Engine,
  slot: number,
  binding: {
    readonly res: Structs['vmw_resource'];
    readonly view: Structs['vmw_view'];
    readonly offset: number;
    readonly length: number;
  },
): void {
  const state = binding_state(k);
  state.staged.set(slot, true);
  state.res.set(slot, binding.res);
  state.view.set(slot, binding.view);
  state.offset.set(slot, binding.offset);
  state.length.set(slot, binding.length);
}

/** What the submission has bound is bound from here on, or, with `backoff`, forgotten. Under cmdbuf_mutex. */
export const vmw_execbuf_bindings_commit = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_execbuf.c',
  'vmw_execbuf_bindings_commit',
  { args: { backoff: bool } },
  ({ step, acquire, release, when }) => [
    when('!backoff', (f) => !f.backoff, [
      acquire('mutex_lock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
      step('vmw_binding_state_commit(to, from)', (_f, k) => {
        const from = binding_state(k);
        const { dx_ctx: to } = from;
        for (let i = 0; i < bindings; i++) {
          if (!from.staged.get(i)) continue;
          to.res.set(i, from.res.get(i));
          to.view.set(i, from.view.get(i));
          to.offset.set(i, from.offset.get(i));
          to.length.set(i, from.length.get(i));
          to.scrubbed.set(i, false);
        }
      }),
      release('mutex_unlock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
    ]),
    step('vmw_binding_state_reset(staged)', (_f, k) => {
      const state = binding_state(k);
      for (let i = 0; i < bindings; i++) {
        if (!state.staged.get(i)) continue;
        state.staged.set(i, false);
        state.res.set(i, NULL);
        state.view.set(i, NULL);
        state.offset.set(i, 0);
        state.length.set(i, 0);
      }
    }),
  ],
);
