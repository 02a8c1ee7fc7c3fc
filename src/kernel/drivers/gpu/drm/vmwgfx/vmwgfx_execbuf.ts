// drivers/gpu/drm/vmwgfx/vmwgfx_execbuf.c: the EXECBUF ioctl. Checks a buffer of the application's commands, validates
// what they use, and puts them into the command stream with a fence behind them. Linux 5.1 with the series. Left out:
// contexts as resources with memory of their own, command verification beyond handles.

import {
  bindingOf,
  bindings,
  type ContextDeed,
  contextDeed,
  points,
} from '../../../../../hardware/svga/bindings';
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
  SVGA3D_INVALID_ID,
  type SvgaCommand,
  svgaCommandNames,
} from '../../../../../hardware/svga/commands';
import type { Engine } from '../../../../../routine/engine';
import { type AnyBuilder, routine } from '../../../../../routine/routine';
import { tracepoint } from '../../../../../state/events';
import {
  bool,
  embed,
  int,
  isNull,
  NULL,
  ref,
  type Structs,
  same,
  u32,
} from '../../../../../state/layout';
import { EFAULT, EINVAL, ENOMEM, ERESTARTSYS } from '../../../../include/linux/errno';
import { dma_fence_is_signaled, dma_fence_put, dma_fence_wait } from '../../../dma-buf/dma-fence';
import { close_fd, sync_file_get_fence } from '../../../dma-buf/sync_file';
import {
  binding_state,
  boundTo,
  dirtyingOf,
  pointOf,
  vmw_binding_add,
  vmw_binding_rebind_all,
  vmw_execbuf_bindings_commit,
} from './vmwgfx_binding';
import { putCommand, vmw_cmd_commit, vmw_cmd_reserve, vmw_priv } from './vmwgfx_cmd';
import { contextTableLock, vmw_context_lookup } from './vmwgfx_context';
import { VMW_RES_DIRTY } from './vmwgfx_drv.h';
import {
  vmw_execbuf_export,
  vmw_execbuf_fence_commands,
  vmw_fence_obj_unref_ioctl,
  vmw_user_fence_create,
} from './vmwgfx_fence';
import { vmw_resource_unreference } from './vmwgfx_resource';
import {
  isOnDevice,
  vmw_cmdbuf_res_commit,
  vmw_view_add,
  vmw_view_create,
  vmw_view_lookup,
  vmw_view_remove,
} from './vmwgfx_so';
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

/** What becomes of the surfaces that a command names: what it does to the one in `sid`, and to the one in `arg`. */
interface CommandEntry {
  readonly sid: keyof typeof VMW_RES_DIRTY;
  readonly arg?: keyof typeof VMW_RES_DIRTY;
  /** What it is taken to do to the one in `sid` with a variant. */
  readonly under?: Readonly<Record<string, keyof typeof VMW_RES_DIRTY>>;
}

/**
 * vmw_cmd_entries: the commands that user space may send. All others are refused (`vmw_cmd_invalid`): those that define,
 * bind and destroy, and READBACK_GB_IMAGE_PARTIAL.
 */
const vmw_cmd_entries: ReadonlyMap<number, CommandEntry> = new Map([
  [GPU_CMD_READ, { sid: 'none' }],
  [GPU_CMD_WRITE, { sid: 'set' }],
  [SVGA_3D_CMD_UPDATE_GB_IMAGE, { sid: 'none' }],
  [SVGA_3D_CMD_READBACK_GB_IMAGE, { sid: 'none' }],
  [SVGA_3D_CMD_INVALIDATE_GB_IMAGE, { sid: 'none' }],
  [SVGA_3D_CMD_UPDATE_GB_SURFACE, { sid: 'clear' }],
  [SVGA_3D_CMD_READBACK_GB_SURFACE, { sid: 'clear' }],
  [SVGA_3D_CMD_INVALIDATE_GB_SURFACE, { sid: 'clear' }],
  [SVGA_3D_CMD_DX_GENMIPS, { sid: 'set', under: { 'bz-03': 'none' } }],
  [SVGA_3D_CMD_DX_UPDATE_SUBRESOURCE, { sid: 'none' }],
  [SVGA_3D_CMD_DX_READBACK_SUBRESOURCE, { sid: 'none' }],
  [SVGA_3D_CMD_DX_INVALIDATE_SUBRESOURCE, { sid: 'none' }],
  [SVGA_3D_CMD_DX_BUFFER_COPY, { sid: 'none', arg: 'set' }],
] satisfies [number, CommandEntry][]);

/** The table as a machine has it; a deviation names a row by its command, of the second surface with `_arg` behind. */
function entriesOf({ entry }: AnyBuilder): ReadonlyMap<number, { sid: number; arg: number }> {
  const dirties = (row: string, { sid, arg, under }: CommandEntry) => ({
    sid: entry('vmw_cmd_entries', row, sid, VMW_RES_DIRTY, under),
    arg: arg === undefined ? -1 : entry('vmw_cmd_entries', `${row}_arg`, arg, VMW_RES_DIRTY),
  });
  return new Map([...vmw_cmd_entries].map(([id, e]) => [id, dirties(svgaCommandNames[id]!, e)]));
}

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

/** The surfaces that are bound to the context of the submission go on the list, with what is done to them there. */
const vmw_resource_context_res_add = routine(
  file,
  'vmw_resource_context_res_add',
  {
    args: { ctx: ref('vmw_validation_context') },
    locals: { res: ref('vmw_resource'), slot: int, dirty: int, ret: int },
    returns: int,
  },
  (b) => {
    const { step, atomic, call, acquire, release, loop, leave, when, ret } = b;
    const dirtying = dirtyingOf(b as AnyBuilder);
    return [
      acquire('mutex_lock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
      loop('list_for_each_entry(entry, binding_list, ctx_list)', [
        step('entry = next; dirty = vmw_binding_dirtying(entry->bt)', (f, k) => {
          const { dx_ctx } = binding_state(k);
          while (f.slot < bindings && isNull(boundTo(dx_ctx, f.slot))) f.slot++;
          f.res = f.slot < bindings ? boundTo(dx_ctx, f.slot) : NULL;
          f.dirty = dirtying[pointOf(f.slot)] ?? 0;
        }),
        when('no more', (f) => isNull(f.res), [leave()]),
        // A surface that is going is not bound for long: its release waits for the lock.
        atomic('vmw_resource_reference_unless_doomed(entry->res)', (f) => {
          if (f.res.kref === 0) f.res = NULL;
          else f.res.kref++;
        }),
        when('res', (f) => !isNull(f.res), [
          call(
            vmw_validation_add_resource,
            (f) => ({ ctx: f.ctx, res: f.res, dirty: f.dirty }),
            'ret',
          ),
          call(vmw_resource_unreference, (f) => ({ res: f.res })),
        ]),
        when('ret', (f) => f.ret !== 0, [leave()]),
        step('slot++', (f) => {
          f.slot++;
        }),
      ]),
      release('mutex_unlock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
      ret('ret', (f) => f.ret),
    ];
  },
);

/** Ties the submission to a context, if it names one (0: none): what is bound there is used by it. -EINVAL, -ENOMEM. */
const vmw_execbuf_tie_context = routine(
  file,
  'vmw_execbuf_tie_context',
  {
    args: { ctx: ref('vmw_validation_context'), handle: int },
    locals: { context: ref('vmw_user_context'), ret: int },
    returns: int,
  },
  ({ step, call, acquire, release, when, ret }) => [
    when('handle', (f) => f.handle !== 0, [
      acquire('spin_lock(&tfile->lock)', (_f, k) => contextTableLock(k)),
      step('res = idr_find(&tfile->idr, handle)', (f, k) => {
        f.context = vmw_context_lookup(k, f.handle);
      }),
      release('spin_unlock(&tfile->lock)', (_f, k) => contextTableLock(k)),
      when('!res', (f) => isNull(f.context), [ret('-EINVAL', () => -EINVAL)]),
    ]),
    step('sw_context->dx_ctx_node = res', (f, k) => {
      binding_state(k).dx_ctx = f.context;
    }),
    when('res', (f) => !isNull(f.context), [
      call(vmw_resource_context_res_add, (f) => ({ ctx: f.ctx }), 'ret'),
    ]),
    ret('ret', (f) => f.ret),
  ],
);

const deeds: readonly (ContextDeed | undefined)[] = [undefined, 'define', 'destroy', 'set', 'draw'];

/** Looks at a command about views and bindings of the context: the surfaces behind it go on the list. -EINVAL, -ENOMEM. */
const vmw_cmd_dx_check = routine(
  file,
  'vmw_cmd_dx_check',
  {
    args: { ctx: ref('vmw_validation_context'), i: int, deed: int },
    locals: {
      context: ref('vmw_user_context'),
      view: ref('vmw_view'),
      res: ref('vmw_resource'),
      point: int,
      slot: int,
      value: int,
      offset: int,
      length: int,
      dirty: int,
      ret: int,
    },
    returns: int,
  },
  (b) => {
    const { step, call, acquire, release, when, ret } = b;
    const dirtying = dirtyingOf(b as AnyBuilder);
    const is = (deed: ContextDeed) => (f: { deed: number }) => deeds[f.deed] === deed;
    const surface = (dirty: (f: { dirty: number }) => number) => [
      call(
        vmw_cmd_res_check,
        (f) => ({ ctx: f.ctx, i: f.i, target: false, dirty: dirty(f) }),
        'ret',
      ),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
      step('res = the surface', (f, k) => {
        f.res = k.view('vmw_resource', sw_context(k).commands.get(f.i).sid);
      }),
    ];
    return [
      step('ctx_node = sw_context->dx_ctx_node', (f, k) => {
        f.context = binding_state(k).dx_ctx;
        const { arg, image, value, offset, length } = sw_context(k).commands.get(f.i);
        Object.assign(f, { point: arg, slot: bindingOf(arg, image), value, offset, length });
        f.dirty = dirtying[arg] ?? -1;
      }),
      when(
        '!ctx_node, no such slot',
        (f) => isNull(f.context) || f.dirty < 0 || f.slot >= bindings,
        [ret('-EINVAL', () => -EINVAL)],
      ),
      when('vmw_cmd_dx_cid_check()', is('draw'), [ret('0', () => 0)]),
      when('vmw_cmd_dx_view_define()', is('define'), [
        ...surface(() => VMW_RES_DIRTY.none),
        call(
          vmw_view_add,
          ({ context, res: srf, point: view_type, value: view_id, offset, length }) => ({
            context,
            srf,
            view_type,
            view_id,
            offset,
            length,
          }),
          'ret',
        ),
        ret('ret', (f) => f.ret),
      ]),
      when('vmw_cmd_dx_view_remove()', is('destroy'), [
        call(
          vmw_view_remove,
          ({ context, point: view_type, value: view_id }) => ({ context, view_type, view_id }),
          'ret',
        ),
        ret('ret', (f) => f.ret),
      ]),
      when('something is bound', (f) => f.value !== SVGA3D_INVALID_ID, [
        when(
          'by a view',
          (f) => points[f.point]?.view !== undefined,
          [
            acquire(
              'mutex_lock(&dev_priv->binding_mutex)',
              (_f, k) => binding_state(k).binding_mutex,
            ),
            step('view = vmw_view_lookup(man, view_type, id)', (f) => {
              f.view = vmw_view_lookup(f.context, f.point, f.value);
            }),
            release(
              'mutex_unlock(&dev_priv->binding_mutex)',
              (_f, k) => binding_state(k).binding_mutex,
            ),
            when('!view', (f) => isNull(f.view), [ret('-EINVAL', () => -EINVAL)]),
            call(
              vmw_validation_add_resource,
              (f) => ({ ctx: f.ctx, res: f.view.srf, dirty: f.dirty }),
              'ret',
            ),
            when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
          ],
          surface((f) => f.dirty),
        ),
      ]),
      step('vmw_binding_add(ctx_node->staged, &binding.bi, slot)', (f, k) => {
        const { slot, res, view, offset, length } = f;
        vmw_binding_add(k, slot, { res, view, offset, length });
      }),
      ret('0', () => 0),
    ];
  },
);

/** Tells the device of views and bindings that it has lost and the submission uses. Under binding_mutex. -ENOMEM. */
const vmw_rebind_contexts = routine(
  file,
  'vmw_rebind_contexts',
  {
    args: { ctx: ref('vmw_validation_context') },
    locals: { context: ref('vmw_user_context'), ret: int },
    returns: int,
  },
  ({ step, call, when, ret }) => [
    step('ctx_node = sw_context->dx_ctx_node', (f, k) => {
      f.context = binding_state(k).dx_ctx;
    }),
    when('!ctx_node', (f) => isNull(f.context), [ret('0', () => 0)]),
    call(vmw_view_create, (f) => ({ ctx: f.ctx, context: f.context }), 'ret'),
    when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    call(vmw_binding_rebind_all, (f) => ({ context: f.context }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/** Looks at one command of the kernel's copy: the surfaces it names go on the list. -EINVAL. */
const vmw_cmd_check = routine(
  file,
  'vmw_cmd_check',
  {
    args: { ctx: ref('vmw_validation_context'), i: int },
    locals: { dirty: int, target: int, deed: int, ret: int },
    returns: int,
  },
  (b) => {
    const { step, call, when, having, ret } = b;
    const entries = entriesOf(b as AnyBuilder);
    return [
      step('entry = vmw_cmd_entries[header->id]', (f, k) => {
        const { id } = sw_context(k).commands.get(f.i);
        const entry = entries.get(id);
        f.dirty = entry?.sid ?? -1;
        f.target = entry?.arg ?? -1;
        f.deed = Math.max(0, deeds.indexOf(contextDeed(id)));
      }),
      having('contexts', [
        when('a command of a context', (f) => f.deed > 0, [
          call(vmw_cmd_dx_check, ({ ctx, i, deed }) => ({ ctx, i, deed }), 'ret'),
          ret('ret', (f) => f.ret),
        ]),
      ]),
      when('no such command', (f) => f.dirty < 0, [ret('-EINVAL', () => -EINVAL)]),
      call(
        vmw_cmd_res_check,
        (f) => ({ ctx: f.ctx, i: f.i, target: false, dirty: f.dirty }),
        'ret',
      ),
      when('it names two surfaces', (f) => f.ret === 0 && f.target >= 0, [
        call(
          vmw_cmd_res_check,
          (f) => ({ ctx: f.ctx, i: f.i, target: true, dirty: f.target }),
          'ret',
        ),
      ]),
      ret('ret', (f) => f.ret),
    ];
  },
);

/** A command of the submission's context; the end of a view that the device has lost already is none. */
function putContextCommand(k: Engine, command: SvgaCommand): void {
  const { dx_ctx } = binding_state(k);
  const { id, arg, value } = command;
  if (contextDeed(id) === 'destroy' && !isOnDevice(dx_ctx, arg, value)) return;
  putCommand(k, { ...command, z: dx_ctx.id });
}

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
    args: { commands: int, count: int, submission: int, flags: int, dx_context_handle: int },
    locals: {
      ctx: embed('vmw_validation_context'),
      i: int,
      ret: int,
      handle: int,
      fence: ref('dma_fence'),
      fd: int,
      tied: bool,
    },
    returns: int,
  },
  ({ step, fallible, call, acquire, release, when, loop, leave, ret, variant, having }) => {
    const settleContext = (backoff: boolean) =>
      having('contexts', [
        when('dx_ctx_node', (f: { tied: boolean }) => f.tied, [
          ...(backoff ? [call(vmw_execbuf_bindings_commit, () => ({ backoff }))] : []),
          call(vmw_cmdbuf_res_commit, (_f, k) => ({
            context: binding_state(k).dx_ctx,
            revert: backoff,
          })),
        ]),
        step('sw_context->dx_ctx_node = NULL', (_f, k) => {
          binding_state(k).dx_ctx = NULL;
        }),
      ]);
    const unlockBindings = release(
      'mutex_unlock(&dev_priv->binding_mutex)',
      (_f, k: Engine) => binding_state(k).binding_mutex,
    );
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
        settleContext(true),
        dropTable,
        unlock,
        unref,
        ret('ret', (f) => f.ret),
      ]);
    const waitFor = call(dma_fence_wait, (f: { fence: Structs['dma_fence'] }) => ({
      fence: f.fence,
      intr: 0,
    }));
    const reserveObjects = call(
      vmw_validation_bo_reserve,
      (f) => ({ ctx: f.ctx, intr: true }),
      'ret',
    );
    const validateObjects = call(vmw_validation_bo_validate, (f) => ({ ctx: f.ctx }), 'ret');
    const checkAll = (undo: Parameters<typeof when>[2]) => [
      having('contexts', [
        call(vmw_execbuf_tie_context, (f) => ({ ctx: f.ctx, handle: f.dx_context_handle }), 'ret'),
        fails(undo),
        step('is there a context', (f) => {
          f.tied = f.dx_context_handle !== 0;
        }),
      ]),
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
        fails(undo),
        call(vmw_cmd_check, (f) => ({ ctx: f.ctx, i: f.i }), 'ret'),
        fails(undo),
        step('i++', (f) => {
          f.i++;
        }),
      ]),
    ];
    return [
      acquire(
        'ret = mutex_lock_interruptible(&dev_priv->cmdbuf_mutex)',
        (_f, k) => vmw_priv(k).cmdbuf_mutex,
        { interruptible: true, into: 'ret' },
      ),
      when('ret', (f) => f.ret !== 0, [ret('-ERESTARTSYS', () => -ERESTARTSYS)]),
      ...checkAll([]),
      call(vmw_validation_res_reserve, (f) => ({ ctx: f.ctx }), 'ret'),
      fails([backoffResources]),
      variant(
        'reserve-outside-mutex',
        [
          settleContext(true),
          dropTable,
          step('what was checked is forgotten: others may use sw_context', (f) => {
            f.i = 0;
            f.tied = false;
          }),
          unlock,
          reserveObjects,
          when('!ret', (f) => f.ret === 0, [
            validateObjects,
            when('ret', (f) => f.ret !== 0, [backoffObjects]),
          ]),
          acquire('mutex_lock(&dev_priv->cmdbuf_mutex)', (_f, k) => vmw_priv(k).cmdbuf_mutex),
          fails([backoffResources]),
          ...checkAll([backoffObjects, backoffResources]),
          step('has a handle come to name another surface meanwhile?', (f) => {
            f.ret = isAllReserved(f.ctx.resource_list) ? 0 : -EINVAL;
          }),
          fails([backoffObjects, backoffResources]),
        ],
        [
          reserveObjects,
          fails([backoffResources]),
          validateObjects,
          fails([backoffObjects, backoffResources]),
        ],
      ),
      call(vmw_validation_res_validate, (f) => ({ ctx: f.ctx }), 'ret'),
      fails([backoffObjects, backoffResources]),
      having('contexts', [
        acquire('mutex_lock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
        call(vmw_rebind_contexts, (f) => ({ ctx: f.ctx }), 'ret'),
        fails([unlockBindings, backoffObjects, backoffResources]),
      ]),
      fallible('vmw_cmd_ctx_reserve', [], (f) => {
        f.ret = -ENOMEM;
      }),
      fails([having('contexts', [unlockBindings]), backoffObjects, backoffResources]),
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
          const sid = command.sid === 0 ? SVGA3D_INVALID_ID : idOf(command.sid);
          if (contextDeed(command.id) === undefined) putCommand(k, { ...command, sid, arg });
          else putContextCommand(k, { ...command, sid });
          f.i++;
        }),
      ]),
      call(vmw_cmd_commit, () => ({})),
      having('contexts', [unlockBindings]),
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
      having('contexts', [
        when('dx_ctx_node', (f) => f.tied, [
          call(vmw_execbuf_bindings_commit, () => ({ backoff: false })),
        ]),
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
      settleContext(false),
      dropTable,
      unlock,
      unref,
      ret('handle', (f) => f.handle),
    ];
  },
);

/** Whether every resource of a list was on it when the objects were reserved. */
function isAllReserved(list: Structs['vmw_validation_res_node']): boolean {
  for (let val = list; !isNull(val); val = val.next) {
    let then = list;
    while (!isNull(then) && !(then.reserved && same(then.res, val.res))) then = then.next;
    if (isNull(then)) return false;
  }
  return true;
}

/**
 * EXECBUF with a fence to wait for (IMPORT_FENCE_FD), which it does itself, before it looks at the commands. As
 * `vmw_execbuf_process`; -EINVAL also for a descriptor that names nothing.
 */
export const vmw_execbuf_ioctl = routine(
  file,
  'vmw_execbuf_ioctl',
  {
    args: {
      commands: int,
      count: int,
      submission: int,
      flags: int,
      imported_fence_fd: int,
      dx_context_handle: int,
    },
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
      ({ commands, count, submission, flags, dx_context_handle }) => ({
        commands,
        count,
        submission,
        flags,
        dx_context_handle,
      }),
      'ret',
    ),
    ret('ret', (f) => f.ret),
  ],
);
