// drivers/gpu/drm/vmwgfx/vmwgfx_resource.c: things of the device that live in guest memory, their place in a buffer
// object, and what is done about them before the GPU uses them. The series of April 2019 and 6.1, which agree here.
// Left out: eviction of resources but for suspend (no device table fills up), switches of backup by user commands.
import { PAGE_SHIFT, PAGE_SIZE } from '../../../../../hardware/pte';
import type { Engine } from '../../../../../routine/engine';
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref, type Structs, same } from '../../../../../state/layout';
import { refcount_dec, refcount_inc } from '../../../../include/asm-generic/bug';
import { EINVAL, ENOMEM } from '../../../../include/linux/errno';
import { dma_fence_get, dma_fence_put } from '../../../dma-buf/dma-fence';
import { ttm_bo_put, ttm_bo_unreserve, ttm_bo_validate } from '../ttm/ttm_bo';
import { binding_state, vmw_binding_res_list_scrub } from './vmwgfx_binding';
import { vmw_bo_init } from './vmwgfx_bo';
import { vmw_priv } from './vmwgfx_cmd';
import { vmw_bo_fence_single } from './vmwgfx_fence';
import {
  vmw_bo_dirty_release,
  vmw_bo_dirty_transfer_to_res,
  vmw_bo_dirty_unmap,
} from './vmwgfx_page_dirty';
import { vmw_mob_placement } from './vmwgfx_ttm_buffer';

type Resource = Structs['vmw_resource'];
const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_resource.c';
const args = { res: ref('vmw_resource') };
const on = { backup: ref('vmw_buffer_object') };

export const vmw_resource_reference = routine(
  file,
  'vmw_resource_reference',
  { args },
  ({ atomic }) => [
    atomic('kref_get(&res->kref)', (f, k) => {
      f.res.kref = refcount_inc(k, f.res.kref);
    }),
  ],
);

/** Drops a reference; the last one takes the resource off the device. */
export const vmw_resource_unreference = routine(
  file,
  'vmw_resource_unreference',
  { args, locals: { left: int } },
  ({ atomic, when, call }) => [
    atomic('left = --res->kref', (f, k) => {
      f.left = refcount_dec(k, f.res.kref);
      f.res.kref = f.left;
    }),
    when('!left', (f) => f.left === 0, [call(vmw_resource_release, (f) => ({ res: f.res }))]),
  ],
);

const vmw_resource_release = routine(
  file,
  'vmw_resource_release',
  {
    args,
    locals: { backup: ref('vmw_buffer_object'), bound: bool, exists: bool, ret: int },
  },
  ({ step, unlocked, call, callPointer, acquire, release, when, variant, having }) => [
    unlocked('backup = res->backup', (f) => {
      f.backup = f.res.backup;
    }),
    acquire('dma_resv_lock(backup->resv)', (f) => f.backup.base.resv.lock),
    step('res->id != -1, vmw_resource_mob_attached(res)', (f) => {
      f.exists = f.res.id !== -1;
      f.bound = f.res.mob_attached;
    }),
    when('vmw_resource_mob_attached(res)', (f) => f.bound, [
      when('res->id != -1', (f) => f.exists, [
        callPointer(
          'res->func->unbind(res, false)',
          (f) => f.res.func.unbind,
          (f) => ({ res: f.res, readback: false }),
          'ret',
        ),
      ]),
      call(vmw_resource_mob_detach, (f) => ({ res: f.res })),
    ]),
    callPointer(
      'res->func->dirty_free(res)',
      (f) => f.res.func.dirty_free,
      (f) => ({ res: f.res }),
    ),
    when('res->coherent', (f) => f.res.coherent, [
      call(vmw_bo_dirty_release, (f) => ({ vbo: f.backup })),
      variant('bz-07', [call(vmw_bo_dirty_release, (f) => ({ vbo: f.backup }))]),
    ]),
    having('contexts', [
      acquire('mutex_lock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
      // vmw_binding_res_list_kill(&res->binding_head)
      call(vmw_binding_res_list_scrub, (f) => ({ res: f.res, view: NULL, kill: true })),
      release('mutex_unlock(&dev_priv->binding_mutex)', (_f, k) => binding_state(k).binding_mutex),
    ]),
    when('res->id != -1', (f) => f.exists, [
      callPointer(
        'res->hw_destroy(res)',
        (f) => f.res.func.destroy,
        (f) => ({ res: f.res }),
        'ret',
      ),
    ]),
    release('dma_resv_unlock(backup->resv)', (f) => f.backup.base.resv.lock),
    step('kfree(res)', (f, k) => {
      const { res } = f;
      f.res = NULL;
      k.free(res);
    }),
    call(ttm_bo_put, (f) => ({ bo: f.backup.base })),
  ],
);

/** vmw_bo_prio_adjust(): the highest priority that a resource of the buffer asks for; 3 without any. */
function prioAdjust({ backup, used_prio }: Resource, change: number): void {
  const { res_prios, base } = backup;
  res_prios.set(used_prio, res_prios.get(used_prio) + change);
  let priority = res_prios.length - 1;
  while (priority >= 0 && res_prios.get(priority) === 0) priority--;
  base.priority = priority < 0 ? res_prios.length - 1 : priority;
}

/** Enters a resource into the tree of its backup, by offset, behind those of the same offset. */
export const vmw_resource_mob_attach = routine(
  file,
  'vmw_resource_mob_attach',
  { args },
  ({ step }) => [
    step('rb_insert(&res->mob_node, &backup->res_tree)', (f) => {
      const { res } = f;
      const { backup } = res;
      let before: Resource = NULL;
      let next = backup.res_tree;
      while (!isNull(next) && next.backup_offset <= res.backup_offset) {
        before = next;
        next = next.mob_next;
      }
      res.mob_next = next;
      if (isNull(before)) backup.res_tree = res;
      else before.mob_next = res;
      res.mob_attached = true;
    }),
    step('vmw_bo_prio_add(backup, res->used_prio)', (f) => {
      const { res } = f;
      res.used_prio = res.res_dirty ? res.func.dirty_prio : res.func.prio;
      prioAdjust(res, 1);
    }),
  ],
);

export const vmw_resource_mob_detach = routine(
  file,
  'vmw_resource_mob_detach',
  { args },
  ({ step }) => [
    step('rb_erase(&res->mob_node, &backup->res_tree)', (f) => {
      const { res } = f;
      const { backup } = res;
      if (same(backup.res_tree, res)) backup.res_tree = res.mob_next;
      else {
        let before = backup.res_tree;
        while (!same(before.mob_next, res)) before = before.mob_next;
        before.mob_next = res.mob_next;
      }
      res.mob_next = NULL;
      res.mob_attached = false;
    }),
    step('vmw_bo_prio_del(backup, res->used_prio)', (f) => prioAdjust(f.res, -1)),
  ],
);

/** Notes that pages [start, end) of the backup were written, for a resource that keeps account of it. */
export const vmw_resource_dirty_update = routine(
  file,
  'vmw_resource_dirty_update',
  { args: { ...args, start: int, end: int }, locals: { dirty: bool } },
  ({ step, callPointer, when }) => [
    step('dirty = res->dirty', (f) => {
      f.dirty = !isNull(f.res.dirty);
    }),
    when('res->dirty', (f) => f.dirty, [
      callPointer(
        'res->func->dirty_range_add(res, start << PAGE_SHIFT, end << PAGE_SHIFT)',
        (f) => f.res.func.dirty_range_add,
        (f) => ({ res: f.res, start: f.start << PAGE_SHIFT, end: f.end << PAGE_SHIFT }),
      ),
    ]),
  ],
);

/**
 * Reads back the resources of a reserved object that intersect pages [start, end) and that the GPU has written. How
 * many pages from `start` on may be mapped afterwards goes to *num_prefault. Returns 0 or what a readback said.
 */
export const vmw_resources_clean = routine(
  file,
  'vmw_resources_clean',
  {
    args: { vbo: ref('vmw_buffer_object'), start: int, end: int, num_prefault: ref('pgoff_t') },
    locals: {
      found: ref('vmw_resource'),
      res_start: int,
      res_end: int,
      last_cleaned: int,
      dirty: bool,
      fence: ref('dma_fence'),
      old: ref('dma_fence'),
      ret: int,
    },
    returns: int,
  },
  ({ step, call, callPointer, loop, leave, when, ret, variant }) => [
    step('found = the resource of lowest offset that intersects the range', (f) => {
      f.res_start = f.start * PAGE_SIZE;
      f.res_end = f.end * PAGE_SIZE;
      f.found = f.vbo.res_tree;
      while (!isNull(f.found) && f.found.backup_offset + f.found.backup_size <= f.res_start) {
        f.found = f.found.mob_next;
      }
    }),
    loop('while (found && found->backup_offset < res_end)', [
      step('dirty = found->res_dirty', (f) => {
        if (!isNull(f.found) && f.found.backup_offset >= f.res_end) f.found = NULL;
        f.dirty = !isNull(f.found) && f.found.res_dirty;
      }),
      when('no more', (f) => isNull(f.found), [leave()]),
      when('found->res_dirty', (f) => f.dirty, [
        when('!found->func->clean', (f) => f.found.func.clean === 0, [
          ret('-EINVAL', () => -EINVAL),
        ]),
        callPointer(
          'found->func->clean(found)',
          (f) => f.found.func.clean,
          (f) => ({ res: f.found }),
          'ret',
        ),
        when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
        step('found->res_dirty = false', (f) => {
          f.found.res_dirty = false;
        }),
      ]),
      step('last_cleaned = end of found; found = rb_next(found)', (f) => {
        f.last_cleaned = f.found.backup_offset + f.found.backup_size;
        f.found = f.found.mob_next;
      }),
    ]),
    variant(
      'prefault-none',
      [
        step('*num_prefault = 0', (f) => {
          f.num_prefault.val = 0;
        }),
      ],
      [
        step('*num_prefault = 1', (f) => {
          f.num_prefault.val = 1;
        }),
      ],
    ),
    when('last_cleaned > res_start', (f) => f.last_cleaned > f.res_start, [
      step('*num_prefault = DIV_ROUND_UP(last_cleaned - res_start, PAGE_SIZE)', (f) => {
        f.num_prefault.val = Math.ceil((f.last_cleaned - f.res_start) / PAGE_SIZE);
      }),
      variant(
        'hz-3',
        [],
        [
          call(vmw_bo_fence_single, (f) => ({ bo: f.vbo.base, fence: NULL })),
          variant(
            'drm-6.1',
            [],
            [
              step('fence = reservation_object_get_excl(bo->resv)', (f) => {
                f.fence = f.vbo.base.resv.fence_excl;
              }),
              when('fence', (f) => !isNull(f.fence), [
                call(dma_fence_get, (f) => ({ fence: f.fence })),
              ]),
              step('old = bo->moving; bo->moving = fence', (f) => {
                f.old = f.vbo.base.resv.fence_kernel;
                f.vbo.base.resv.fence_kernel = f.fence;
              }),
              call(dma_fence_put, (f) => ({ fence: f.old })),
            ],
          ),
        ],
      ),
    ]),
    ret('0', () => 0),
  ],
);

/** Makes a resource ready for the device: exists, bound, its written pages in the command stream. Reserved. */
const vmw_resource_do_validate = routine(
  file,
  'vmw_resource_do_validate',
  {
    args: { ...args, dirtying: bool },
    locals: {
      vbo: ref('vmw_buffer_object'),
      id: int,
      attached: bool,
      tracked: bool,
      has_dirty: bool,
      first: int,
      last: int,
      unmap: bool,
      ret: int,
      ignored: int,
    },
    returns: int,
  },
  ({ step, call, callPointer, when, variant, ret }) => [
    step('id, attached, backup of res', (f) => {
      f.id = f.res.id;
      f.attached = f.res.mob_attached;
      f.vbo = f.res.backup;
    }),
    when('res->id == -1', (f) => f.id === -1, [
      callPointer(
        'res->func->create(res)',
        (f) => f.res.func.create,
        (f) => ({ res: f.res }),
        'ret',
      ),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
    ]),
    when('!vmw_resource_mob_attached(res)', (f) => !f.attached, [
      callPointer(
        'res->func->bind(res, val_buf)',
        (f) => f.res.func.bind,
        (f) => ({ res: f.res }),
        'ret',
      ),
      when('ret', (f) => f.ret !== 0, [
        callPointer(
          'res->func->destroy(res)',
          (f) => f.res.func.destroy,
          (f) => ({ res: f.res }),
          'ignored',
        ),
        ret('ret', (f) => f.ret),
      ]),
      call(vmw_resource_mob_attach, (f) => ({ res: f.res })),
    ]),
    step('tracked = backup->dirty, has_dirty = res->dirty', (f) => {
      f.tracked = !isNull(f.vbo.dirty);
      f.has_dirty = !isNull(f.res.dirty);
    }),
    // Only a resource that is not coherent itself meets a buffer whose tracking comes and goes.
    when('!res->coherent', (f) => !f.res.coherent, [
      when('backup->dirty && !res->dirty', (f) => f.tracked && !f.has_dirty, [
        callPointer(
          'res->func->dirty_alloc(res)',
          (f) => f.res.func.dirty_alloc,
          (f) => ({ res: f.res }),
          'ret',
        ),
        when('ret', (f) => f.ret !== 0, [
          variant('bz-08', [
            callPointer(
              'res->func->destroy(res)',
              (f) => f.res.func.destroy,
              (f) => ({ res: f.res }),
              'ignored',
            ),
          ]),
          ret('ret', (f) => f.ret),
        ]),
      ]),
      when('!backup->dirty && res->dirty', (f) => !f.tracked && f.has_dirty, [
        callPointer(
          'res->func->dirty_free(res)',
          (f) => f.res.func.dirty_free,
          (f) => ({ res: f.res }),
        ),
      ]),
    ]),
    step('has_dirty = res->dirty; unmap = dirtying && !res->res_dirty', (f) => {
      f.has_dirty = !isNull(f.res.dirty);
      f.unmap = f.dirtying && !f.res.res_dirty;
      f.first = f.res.backup_offset >> PAGE_SHIFT;
      f.last = Math.ceil((f.res.backup_offset + f.res.backup_size) / PAGE_SIZE);
    }),
    when('res->dirty', (f) => f.has_dirty, [
      when('dirtying && !res->res_dirty', (f) => f.unmap, [
        call(vmw_bo_dirty_unmap, (f) => ({ vbo: f.vbo, start: f.first, end: f.last })),
      ]),
      call(vmw_bo_dirty_transfer_to_res, (f) => ({ res: f.res })),
      callPointer(
        'res->func->dirty_sync(res)',
        (f) => f.res.func.dirty_sync,
        (f) => ({ res: f.res }),
        'ret',
      ),
      ret('ret', (f) => f.ret),
    ]),
    ret('0', () => 0),
  ],
);

/** As do_validate; would evict others of the type when the device has no room. Its backup is reserved. */
export const vmw_resource_validate = routine(
  file,
  'vmw_resource_validate',
  { args: { ...args, dirtying: bool }, locals: { ret: int }, returns: int },
  ({ call, ret }) => [
    call(vmw_resource_do_validate, (f) => ({ res: f.res, dirtying: f.dirtying }), 'ret'),
    ret('ret', (f) => f.ret),
  ],
);

/** Sees to it that a resource has a backup. Under cmdbuf_mutex. */
export const vmw_resource_reserve = routine(
  file,
  'vmw_resource_reserve',
  { args, locals: { has_backup: bool, size: int, vbo: ref('vmw_buffer_object') }, returns: int },
  ({ step, unlocked, call, acquire, release, when, ret }) => [
    step('has_backup = res->backup', (f) => {
      f.has_backup = !isNull(f.res.backup);
    }),
    when('!res->backup', (f) => !f.has_backup, [
      unlocked('size = res->backup_size', (f) => {
        f.size = f.res.backup_size;
      }),
      call(vmw_bo_init, (f) => ({ size: f.size }), 'vbo'),
      when('!vbo', (f) => isNull(f.vbo), [ret('-ENOMEM', () => -ENOMEM)]),
      acquire('dma_resv_lock(backup->resv)', (f) => f.vbo.base.resv.lock),
      step('res->backup = backup', (f) => {
        f.res.backup = f.vbo;
      }),
      release('dma_resv_unlock(backup->resv)', (f) => f.vbo.base.resv.lock),
    ]),
    ret('0', () => 0),
  ],
);

/** The submission is on its way: notes whether the GPU has now written the resource. Its backup is still reserved. */
export const vmw_resource_unreserve = routine(
  file,
  'vmw_resource_unreserve',
  { args: { ...args, dirty_set: bool, dirty: bool } },
  ({ step, when }) => [
    when('dirty_set', (f) => f.dirty_set, [
      step('res->res_dirty = dirty', (f) => {
        f.res.res_dirty = f.dirty;
      }),
    ]),
  ],
);

/** Unbinds every resource of an object that leaves the device's reach; its data is read back first. Reserved. */
export const vmw_resource_unbind_list = routine(
  file,
  'vmw_resource_unbind_list',
  {
    args: { vbo: ref('vmw_buffer_object') },
    locals: { res: ref('vmw_resource'), readback: bool, ret: int },
  },
  ({ step, call, callPointer, loop, leave, when, variant }) => [
    loop('while (!RB_EMPTY_ROOT(&vbo->res_tree))', [
      step('res = first of vbo->res_tree; readback = res->res_dirty', (f) => {
        f.res = f.vbo.res_tree;
        f.readback = !isNull(f.res) && f.res.res_dirty;
      }),
      when('none', (f) => isNull(f.res), [leave()]),
      callPointer(
        'res->func->unbind(res, res->res_dirty, &val_buf)',
        (f) => f.res.func.unbind,
        (f) => ({ res: f.res, readback: f.readback }),
        'ret',
      ),
      variant(
        'size-for-dirty',
        [
          step('res->backup_size = true; res->res_dirty = false', (f) => {
            f.res.backup_size = 1;
            f.res.res_dirty = false;
          }),
        ],
        [
          step('res->backup_dirty = true; res->res_dirty = false', (f) => {
            f.res.backup_dirty = true;
            f.res.res_dirty = false;
          }),
        ],
      ),
      call(vmw_resource_mob_detach, (f) => ({ res: f.res })),
    ]),
  ],
);

/** Takes a resource that is in use off the device; its data goes back to the backup. Under cmdbuf_mutex. */
export const vmw_resource_do_evict = routine(
  file,
  'vmw_resource_do_evict',
  { args, locals: { ...on, attached: bool, readback: bool, exists: bool, ret: int } },
  ({ step, call, callPointer, acquire, when }) => [
    step('backup = res->backup', (f) => {
      f.backup = f.res.backup;
    }),
    acquire('dma_resv_lock(backup->resv)', (f) => f.backup.base.resv.lock),
    step('may it go, and what has the device of it?', (f) => {
      const { res } = f;
      f.exists = res.id !== -1 && res.pin_count === 0;
      f.attached = res.mob_attached;
      f.readback = res.res_dirty;
    }),
    when('res->id != -1 && !res->pin_count', (f) => f.exists, [
      when('vmw_resource_mob_attached(res)', (f) => f.attached, [
        callPointer(
          'res->func->unbind(res, res->res_dirty, &val_buf)',
          (f) => f.res.func.unbind,
          (f) => ({ res: f.res, readback: f.readback }),
          'ret',
        ),
        call(vmw_resource_mob_detach, (f) => ({ res: f.res })),
      ]),
      callPointer(
        'res->func->destroy(res)',
        (f) => f.res.func.destroy,
        (f) => ({ res: f.res }),
        'ret',
      ),
      step('res->backup_dirty = true; res->res_dirty = false', (f) => {
        f.res.backup_dirty = true;
        f.res.res_dirty = false;
      }),
    ]),
    call(ttm_bo_unreserve, (f) => ({ bo: f.backup.base })),
  ],
);

/** Binds a resource and keeps its backup where it is, as a display that shows it needs. 0 or a negative errno. */
export const vmw_resource_pin = routine(
  file,
  'vmw_resource_pin',
  { args, locals: { ...on, pinned: bool, ret: int }, returns: int },
  ({ step, unlocked, call, acquire, release, when, ret, variant }) => {
    const lock = acquire(
      'mutex_lock(&dev_priv->cmdbuf_mutex)',
      (_f, k: Engine) => vmw_priv(k).cmdbuf_mutex,
    );
    const unlock = release(
      'mutex_unlock(&dev_priv->cmdbuf_mutex)',
      (_f, k: Engine) => vmw_priv(k).cmdbuf_mutex,
    );
    const reserve = acquire(
      'dma_resv_lock(backup->resv)',
      (f: { backup: Structs['vmw_buffer_object'] }) => f.backup.base.resv.lock,
    );
    return [
      variant(
        'lock-order',
        [
          unlocked('backup = res->backup', (f) => {
            f.backup = f.res.backup;
          }),
          reserve,
          lock,
        ],
        [lock],
      ),
      step('pinned = res->pin_count', (f) => {
        f.pinned = f.res.pin_count > 0;
        f.backup = f.res.backup;
      }),
      when('!res->pin_count', (f) => !f.pinned, [
        variant('lock-order', [], [reserve]),
        call(ttm_bo_validate, (f) => ({ bo: f.backup.base, ...vmw_mob_placement }), 'ret'),
        when('!ret', (f) => f.ret === 0, [
          step('vmw_bo_pin_reserved(backup, true)', (f) => {
            f.backup.base.pin_count++;
          }),
          call(vmw_resource_validate, (f) => ({ res: f.res, dirtying: true }), 'ret'),
          when('ret', (f) => f.ret !== 0, [
            step('vmw_bo_pin_reserved(backup, false)', (f) => {
              f.backup.base.pin_count--;
            }),
          ]),
        ]),
        variant('lock-order', [], [call(ttm_bo_unreserve, (f) => ({ bo: f.backup.base }))]),
      ]),
      variant('lock-order', [call(ttm_bo_unreserve, (f) => ({ bo: f.backup.base }))]),
      when('ret', (f) => f.ret !== 0, [unlock, ret('ret', (f) => f.ret)]),
      step('res->pin_count++', (f) => {
        f.res.pin_count++;
      }),
      unlock,
      ret('0', () => 0),
    ];
  },
);

/** Undoes one vmw_resource_pin(). -EINVAL when there was none, where the kernel, which counts itself, warns. */
export const vmw_resource_unpin = routine(
  file,
  'vmw_resource_unpin',
  { args, locals: { ...on, left: int }, returns: int },
  ({ step, call, acquire, release, when, ret }) => {
    const unlock = release(
      'mutex_unlock(&dev_priv->cmdbuf_mutex)',
      (_f, k: Engine) => vmw_priv(k).cmdbuf_mutex,
    );
    return [
      acquire('mutex_lock(&dev_priv->cmdbuf_mutex)', (_f, k) => vmw_priv(k).cmdbuf_mutex),
      step('left = res->pin_count - 1', (f) => {
        f.left = f.res.pin_count - 1;
        f.backup = f.res.backup;
        if (f.left >= 0) f.res.pin_count = f.left;
      }),
      when('left < 0', (f) => f.left < 0, [unlock, ret('-EINVAL', () => -EINVAL)]),
      when('!left', (f) => f.left === 0, [
        acquire('dma_resv_lock(backup->resv)', (f) => f.backup.base.resv.lock),
        step('vmw_bo_pin_reserved(backup, false)', (f) => {
          f.backup.base.pin_count--;
        }),
        call(ttm_bo_unreserve, (f) => ({ bo: f.backup.base })),
      ]),
      unlock,
      ret('0', () => 0),
    ];
  },
);
