// drivers/gpu/drm/vmwgfx/vmwgfx_execbuf.c: the EXECBUF ioctl. Checks a buffer of the application's commands, validates
// what they use, and puts them into the command stream with a fence behind them. Linux 5.1 with the series. Left out:
// contexts and their bindings, command verification beyond handles.
import {
  GPU_CMD_READ,
  GPU_CMD_WRITE,
  SVGA_3D_CMD_DX_BUFFER_COPY,
  SVGA_3D_CMD_DX_GENMIPS,
  SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE,
  SVGA_3D_CMD_DX_READBACK_SUBRESOURCE,
  SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE,
  SVGA_3D_CMD_INVALIDATE_GB_IMAGE,
  SVGA_3D_CMD_INVALIDATE_GB_SURFACE,
  SVGA_3D_CMD_READBACK_GB_IMAGE,
  SVGA_3D_CMD_READBACK_GB_SURFACE,
  SVGA_3D_CMD_UPDATE_GB_IMAGE,
  SVGA_3D_CMD_UPDATE_GB_SURFACE,
} from '../../../../../hardware/svga/commands';
import type { Engine } from '../../../../../routine/engine';
import { routine } from '../../../../../routine/routine';
import { tracepoint } from '../../../../../state/events';
import {
  bool,
  embed,
  int,
  isNull,
  NULL,
  ref,
  type Structs,
  u32,
} from '../../../../../state/layout';
import { EFAULT, EINVAL, ENOMEM, ERESTARTSYS } from '../../../../include/linux/errno';
import { dma_fence_is_signaled, dma_fence_put, dma_fence_wait } from '../../../dma-buf/dma-fence';
import { close_fd, sync_file_get_fence } from '../../../dma-buf/sync_file';
import { putCommand, vmw_cmd_commit, vmw_cmd_reserve, vmw_priv } from './vmwgfx_cmd';
import { VMW_RES_DIRTY_CLEAR, VMW_RES_DIRTY_NONE, VMW_RES_DIRTY_SET } from './vmwgfx_drv.h';
import {
  vmw_execbuf_export,
  vmw_execbuf_fence_commands,
  vmw_fence_obj_unref_ioctl,
  vmw_user_fence_create,
} from './vmwgfx_fence';
import { vmw_resource_unreference } from './vmwgfx_resource';
import {
  vmw_user_resource_noref_lookup_handle,
  vmw_user_surface_lookup_handle,
} from './vmwgfx_surface';
import {
  vmw_validation_add_resource,
  vmw_validation_bo_backoff,
  vmw_validation_bo_fence,
  vmw_validation_bo_reserve,
  vmw_validation_bo_validate,
  vmw_validation_drop_ht,
  vmw_validation_res_reserve,
  vmw_validation_res_unreserve,
  vmw_validation_res_validate,
  vmw_validation_unref_lists,
} from './vmwgfx_validation';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_execbuf.c';

/** A submission is in the command stream. */
export const vmw_execbuf = tracepoint('vmw_execbuf', { task: int, seqno: u32 });

/**
 * vmw_cmd_entries: commands that user space may send, with what they do to the (first) surface they name. All others are
 * refused (`vmw_cmd_invalid`): those that define, bind and destroy, and READBACK_GB_IMAGE_PARTIAL.
 */
const commandEffects: ReadonlyMap<number, number> = new Map([
  [GPU_CMD_READ, VMW_RES_DIRTY_NONE],
  [GPU_CMD_WRITE, VMW_RES_DIRTY_SET],
  [SVGA_3D_CMD_UPDATE_GB_IMAGE, VMW_RES_DIRTY_NONE],
  [SVGA_3D_CMD_READBACK_GB_IMAGE, VMW_RES_DIRTY_NONE],
  [SVGA_3D_CMD_INVALIDATE_GB_IMAGE, VMW_RES_DIRTY_NONE],
  [SVGA_3D_CMD_UPDATE_GB_SURFACE, VMW_RES_DIRTY_CLEAR],
  [SVGA_3D_CMD_READBACK_GB_SURFACE, VMW_RES_DIRTY_CLEAR],
  [SVGA_3D_CMD_INVALIDATE_GB_SURFACE, VMW_RES_DIRTY_CLEAR],
  [SVGA_3D_CMD_DX_GENMIPS, VMW_RES_DIRTY_SET],
  [SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE, VMW_RES_DIRTY_NONE],
  [SVGA_3D_CMD_DX_READBACK_SUBRESOURCE, VMW_RES_DIRTY_NONE],
  [SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE, VMW_RES_DIRTY_NONE],
  [SVGA_3D_CMD_DX_BUFFER_COPY, VMW_RES_DIRTY_NONE],
]);

const sw_context = (k: Engine) => k.the('sw_context', 'vmw_sw_context');

/** The surface that a command names, in `arg` when `target`, goes on the list, with what is done to it. -EINVAL. */
const vmw_cmd_res_check = routine(
  file,
  'vmw_cmd_res_check',
  {
    args: { ctx: ref('vmw_validation_context'), i: int, target: bool, dirty: int },
    locals: { handle: int, res: ref('vmw_resource'), ret: int },
    returns: int,
  },
  ({ step, call, when, ret, variant }) => [
    step('handle = *id_loc', (f, k) => {
      const { sid, arg } = sw_context(k).commands.get(f.i);
      f.handle = f.target ? arg : sid;
    }),
    variant(
      'bz-09',
      [call(vmw_user_resource_noref_lookup_handle, (f) => ({ handle: f.handle }), 'res')],
      [call(vmw_user_surface_lookup_handle, (f) => ({ handle: f.handle }), 'res')],
    ),
    when('!res', (f) => isNull(f.res), [ret('-EINVAL', () => -EINVAL)]),
    call(vmw_validation_add_resource, (f) => ({ ctx: f.ctx, res: f.res, dirty: f.dirty }), 'ret'),
    // The list has a reference of its own, and the relocation names the resource meanwhile.
    step('vmw_resource_relocation_add(sw_context, res, offset of id_loc)', (f, k) => {
      const { commands } = sw_context(k);
      const id = f.target ? { arg: f.res.at } : { sid: f.res.at };
      commands.set(f.i, { ...commands.get(f.i), ...id });
    }),
    variant('bz-09', [], [call(vmw_resource_unreference, (f) => ({ res: f.res }))]),
    ret('ret', (f) => f.ret),
  ],
);

/** Looks at one command of the kernel's copy: the surfaces it names go on the list. -EINVAL. */
const vmw_cmd_check = routine(
  file,
  'vmw_cmd_check',
  {
    args: { ctx: ref('vmw_validation_context'), i: int },
    locals: { id: int, dirty: int, ret: int },
    returns: int,
  },
  ({ step, call, when, variant, ret }) => [
    step('entry = vmw_cmd_entries[header->id]', (f, k) => {
      f.id = sw_context(k).commands.get(f.i).id;
      f.dirty = commandEffects.get(f.id) ?? -1;
    }),
    variant('bz-03', [
      when('vmw_cmd_dx_genmips()', (f) => f.id === SVGA_3D_CMD_DX_GENMIPS, [
        step('VMW_RES_DIRTY_NONE', (f) => {
          f.dirty = VMW_RES_DIRTY_NONE;
        }),
      ]),
    ]),
    when('no such command', (f) => f.dirty < 0, [ret('-EINVAL', () => -EINVAL)]),
    call(vmw_cmd_res_check, (f) => ({ ctx: f.ctx, i: f.i, target: false, dirty: f.dirty }), 'ret'),
    when('vmw_cmd_buffer_copy_check()', (f) => f.ret === 0 && f.id === SVGA_3D_CMD_DX_BUFFER_COPY, [
      call(
        vmw_cmd_res_check,
        (f) => ({ ctx: f.ctx, i: f.i, target: true, dirty: VMW_RES_DIRTY_SET }),
        'ret',
      ),
    ]),
    ret('ret', (f) => f.ret),
  ],
);

export const DRM_VMW_EXECBUF_FLAG_EXPORT_FENCE_FD = 1 << 1;

/** Where a submission of this task says what became of its sync file. */
const fence_rep = (k: Engine) => k.the('user_fence_reps', 'drm_vmw_fence_rep').fd;

/**
 * Submits `count` commands from `commands` on of the user's command buffer. Returns the handle of a fence behind them,
 * or -EINVAL, -EFAULT, -ENOMEM, -EBUSY, -ERESTARTSYS: then nothing of the user's was submitted; or, when -ENOMEM and
 * -EFAULT are about the fence itself, all is done already. With EXPORT_FENCE_FD the reply has a sync file too, or none
 * (-1), and then the fence has been waited for.
 */
export const vmw_execbuf_process = routine(
  file,
  'vmw_execbuf_process',
  {
    args: { commands: int, count: int, submission: int, flags: int },
    locals: {
      ctx: embed('vmw_validation_context'),
      i: int,
      ret: int,
      handle: int,
      fence: ref('dma_fence'),
      fd: int,
    },
    returns: int,
  },
  ({ step, fallible, call, acquire, release, when, loop, leave, ret, variant }) => {
    const dropTable = variant('bz-09', [call(vmw_validation_drop_ht, (f) => ({ ctx: f.ctx }))]);
    const unlock = release(
      'mutex_unlock(&dev_priv->cmdbuf_mutex)',
      (_f, k: Engine) => vmw_priv(k).cmdbuf_mutex,
    );
    const unref = call(vmw_validation_unref_lists, (f) => ({ ctx: f.ctx }));
    const backoffResources = call(vmw_validation_res_unreserve, (f) => ({
      ctx: f.ctx,
      backoff: true,
    }));
    const backoffObjects = call(vmw_validation_bo_backoff, (f) => ({ ctx: f.ctx }));
    const fails = (undo: Parameters<typeof when>[2]) =>
      when('ret', (f) => f.ret !== 0, [
        ...undo,
        dropTable,
        unlock,
        unref,
        ret('ret', (f) => f.ret),
      ]);
    const waitFor = call(dma_fence_wait, (f: { fence: Structs['dma_fence'] }) => ({
      fence: f.fence,
      intr: 0,
    }));
    return [
      acquire(
        'ret = mutex_lock_interruptible(&dev_priv->cmdbuf_mutex)',
        (_f, k) => vmw_priv(k).cmdbuf_mutex,
        { interruptible: true, into: 'ret' },
      ),
      when('ret', (f) => f.ret !== 0, [ret('-ERESTARTSYS', () => -ERESTARTSYS)]),
      loop('for (i = 0; i < count; ++i)', [
        when('i == count', (f) => f.i === f.count, [leave()]),
        fallible(
          'copy_from_user',
          step('copy_from_user(sw_context->cmd_bounce + i, user_commands + i)', (f, k) => {
            const user = k.the('user_commands', 'user_command_buffer');
            const copied = { ...user.commands.get(f.commands + f.i), submission: f.submission };
            sw_context(k).commands.set(f.i, copied);
          }),
          (f) => {
            f.ret = -EFAULT;
          },
        ),
        fails([]),
        call(vmw_cmd_check, (f) => ({ ctx: f.ctx, i: f.i }), 'ret'),
        fails([]),
        step('i++', (f) => {
          f.i++;
        }),
      ]),
      call(vmw_validation_res_reserve, (f) => ({ ctx: f.ctx }), 'ret'),
      fails([backoffResources]),
      call(vmw_validation_bo_reserve, (f) => ({ ctx: f.ctx, intr: true }), 'ret'),
      fails([backoffResources]),
      call(vmw_validation_bo_validate, (f) => ({ ctx: f.ctx }), 'ret'),
      fails([backoffObjects, backoffResources]),
      call(vmw_validation_res_validate, (f) => ({ ctx: f.ctx }), 'ret'),
      fails([backoffObjects, backoffResources]),
      fallible('vmw_cmd_ctx_reserve', [], (f) => {
        f.ret = -ENOMEM;
      }),
      fails([backoffObjects, backoffResources]),
      call(vmw_cmd_reserve, (f) => ({ count: f.count })),
      step('i = 0', (f) => {
        f.i = 0;
      }),
      loop('vmw_execbuf_submit_fifo(): for each command', [
        when('i == count', (f) => f.i === f.count, [leave()]),
        step('vmw_resource_relocations_apply(); write the command', (f, k) => {
          const command = sw_context(k).commands.get(f.i);
          const idOf = (res: number) => k.view('vmw_resource', res).id;
          const copies = command.id === SVGA_3D_CMD_DX_BUFFER_COPY;
          const arg = copies ? idOf(command.arg) : command.arg;
          putCommand(k, { ...command, sid: idOf(command.sid), arg });
          f.i++;
        }),
      ]),
      call(vmw_cmd_commit, () => ({})),
      call(vmw_execbuf_fence_commands, () => ({}), 'fence'),
      call(vmw_user_fence_create, (f) => ({ fence: f.fence }), 'handle'),
      when('fence && !handle', (f) => !isNull(f.fence) && f.handle < 0, [
        waitFor, // vmw_fallback_wait()
        call(dma_fence_put, (f) => ({ fence: f.fence })),
        step('*p_fence = NULL', (f) => {
          f.fence = NULL;
        }),
      ]),
      when('fence', (f) => !isNull(f.fence), [
        step('trace_vmw_execbuf(current, fence->seqno)', (f, k) => {
          k.emit(vmw_execbuf, { task: k.task, seqno: f.fence.seqno });
        }),
      ]),
      call(vmw_validation_res_unreserve, (f) => ({ ctx: f.ctx, backoff: false })),
      call(vmw_validation_bo_fence, (f) => ({ ctx: f.ctx, fence: f.fence })),
      when(
        'fence && flags & EXPORT_FENCE_FD',
        (f) => !isNull(f.fence) && (f.flags & DRM_VMW_EXECBUF_FLAG_EXPORT_FENCE_FD) !== 0,
        [call(vmw_execbuf_export, (f) => ({ fence: f.fence }), 'fd')],
      ),
      when(
        'flags & EXPORT_FENCE_FD',
        (f) => (f.flags & DRM_VMW_EXECBUF_FLAG_EXPORT_FENCE_FD) !== 0,
        [
          step('fence_rep.fd = fd', (f, k) => {
            fence_rep(k).set(k.task, f.fd);
          }),
        ],
      ),
      fallible('vmw_execbuf_copy_fence_user', [], (f) => {
        f.ret = f.handle > 0 ? -EFAULT : 0;
      }),
      when('the fence_rep cannot be written', (f) => f.ret !== 0, [
        when('fd', (f) => f.fd > 0, [call(close_fd, (f) => ({ fd: f.fd }), 'i')]),
        call(vmw_fence_obj_unref_ioctl, (f) => ({ handle: f.handle }), 'i'),
        waitFor,
        step('fence_rep.error = -EFAULT', (f) => {
          f.handle = f.ret;
        }),
      ]),
      call(dma_fence_put, (f) => ({ fence: f.fence })),
      dropTable,
      unlock,
      unref,
      ret('handle', (f) => f.handle),
    ];
  },
);

/**
 * EXECBUF with a fence to wait for (IMPORT_FENCE_FD), which it does itself, before it looks at the commands. As
 * `vmw_execbuf_process`; -EINVAL also for a descriptor that names nothing.
 */
export const vmw_execbuf_ioctl = routine(
  file,
  'vmw_execbuf_ioctl',
  {
    args: { commands: int, count: int, submission: int, flags: int, imported_fence_fd: int },
    locals: { in_fence: ref('dma_fence'), ret: int },
    returns: int,
  },
  ({ call, when, ret }) => [
    call(sync_file_get_fence, (f) => ({ fd: f.imported_fence_fd }), 'in_fence'),
    when('!in_fence', (f) => isNull(f.in_fence), [ret('-EINVAL', () => -EINVAL)]),
    call(dma_fence_is_signaled, (f) => ({ fence: f.in_fence }), 'ret'),
    when(
      'vmw_wait_dma_fence(dev_priv->fman, in_fence)',
      (f) => f.ret !== 0,
      [],
      [call(dma_fence_wait, (f) => ({ fence: f.in_fence, intr: 1 }), 'ret')],
    ),
    call(dma_fence_put, (f) => ({ fence: f.in_fence })),
    when('ret < 0', (f) => f.ret < 0, [ret('ret', (f) => f.ret)]),
    call(
      vmw_execbuf_process,
      ({ commands, count, submission, flags }) => ({ commands, count, submission, flags }),
      'ret',
    ),
    ret('ret', (f) => f.ret),
  ],
);
