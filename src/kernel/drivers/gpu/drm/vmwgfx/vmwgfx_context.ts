// drivers/gpu/drm/vmwgfx/vmwgfx_context.c: contexts of the device, each with what is bound to it. Linux 5.1. Left out: the
// memory that the device keeps a context in, destruction (a context lives as long as the file that is open), and legacy
// contexts.
import { SVGA_3D_CMD_DX_DEFINE_CONTEXT } from '../../../../../hardware/svga/bindings';
import type { Engine } from '../../../../../routine/engine';
import { routine } from '../../../../../routine/routine';
import { int, isNull, NULL, ref, type Structs } from '../../../../../state/layout';
import { EINVAL, ENOMEM } from '../../../../include/linux/errno';
import { binding_state } from './vmwgfx_binding';
import { putCommand, vmw_cmd_commit, vmw_cmd_reserve } from './vmwgfx_cmd';
import { newHandle, ofHandle } from './vmwgfx_fence';

const handles = (k: Engine) => k.the('context_handles', 'vmw_fpriv');

/**
 * DRM_VMW_CREATE_EXTENDED_CONTEXT: a context with nothing bound. Returns its handle, -ENOMEM, or -EINVAL where the device
 * has no shader models.
 */
export const vmw_context_define_ioctl = routine(
  'drivers/gpu/drm/vmwgfx/vmwgfx_context.c',
  'vmw_context_define_ioctl',
  { locals: { context: ref('vmw_user_context'), handle: int }, returns: int },
  ({ step, fallible, call, acquire, release, when, ret, variant }) => [
    variant('device-gb', [
      step('has_sm4_context(dev_priv)', (f) => {
        f.handle = -EINVAL;
      }),
      when('!has_sm4_context(dev_priv)', (f) => f.handle !== 0, [ret('-EINVAL', () => -EINVAL)]),
    ]),
    fallible(
      'vmw_context_define',
      step('ctx = kzalloc(sizeof(*ctx)); vmw_context_init(ctx)', (f, k) => {
        f.context = k.alloc('vmw_user_context');
        if (!isNull(f.context)) f.context.kref = 1;
      }),
    ),
    when('!ctx', (f) => isNull(f.context), [ret('-ENOMEM', () => -ENOMEM)]),
    acquire('spin_lock(&tfile->lock)', (_f, k) => handles(k).lock),
    step('handle = idr_alloc(&tfile->idr); ctx->id = handle', (f, k) => {
      f.handle = newHandle(handles(k), f.context.at);
      f.context.id = f.handle;
    }),
    release('spin_unlock(&tfile->lock)', (_f, k) => handles(k).lock),
    acquire('mutex_lock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
    step('its bindings can be found', (f, k) => {
      f.context.next = binding_state(k).contexts;
      binding_state(k).contexts = f.context;
    }),
    release('mutex_unlock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
    call(vmw_cmd_reserve, () => ({ count: 1 })),
    step('SVGA_3D_CMD_DX_DEFINE_CONTEXT{cid}', (f, k) =>
      putCommand(k, { id: SVGA_3D_CMD_DX_DEFINE_CONTEXT, z: f.context.id }),
    ),
    call(vmw_cmd_commit, () => ({})),
    ret('handle', (f) => f.handle),
  ],
);

/** The context of a handle; NULL when it names none. The table's lock is held. */
export function vmw_context_lookup(k: Engine, handle: number): Structs['vmw_user_context'] {
  const at = ofHandle(handles(k), handle);
  return at === 0 ? NULL : k.view('vmw_user_context', at);
}

/** The lock of the table of contexts. */
export const contextTableLock = (k: Engine) => handles(k).lock;
