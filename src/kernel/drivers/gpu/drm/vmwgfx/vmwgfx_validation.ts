// drivers/gpu/drm/vmwgfx/vmwgfx_validation.c: the resources and buffer objects of a submission, made ready in the
// order that the series depends on: reserve all, then per object placement and scan, then per resource binding,
// transfer and update commands. Linux 5.1 with the series. With `reserve-outside-mutex`, as in other drivers, an object
// may be on the list more than once, and TTM sorts that out. Left out: memory accounting, pinned objects, rebinding.
import type { Engine } from '../../../../../routine/engine';
import { routine } from '../../../../../routine/routine';
import { bool, int, isNull, NULL, ref, type Structs, same } from '../../../../../state/layout';
import { EBUSY, ENOMEM, ESRCH } from '../../../../include/linux/errno';
import { ttm_bo_get, ttm_bo_put, ttm_bo_validate } from '../ttm/ttm_bo';
import {
  ttm_eu_backoff_reservation,
  ttm_eu_fence_buffer_objects,
  ttm_eu_reserve_buffers,
} from '../ttm/ttm_execbuf_util';
import { VMW_RES_DIRTY_NONE, VMW_RES_DIRTY_SET } from './vmwgfx_drv.h';
import { vmw_bo_dirty_scan } from './vmwgfx_page_dirty';
import {
  vmw_resource_reference,
  vmw_resource_reserve,
  vmw_resource_unreference,
  vmw_resource_unreserve,
  vmw_resource_validate,
} from './vmwgfx_resource';
import { vmw_mob_placement } from './vmwgfx_ttm_buffer';

const file = 'drivers/gpu/drm/vmwgfx/vmwgfx_validation.c';
const args = { ctx: ref('vmw_validation_context') };
const val = ref('vmw_validation_res_node');

type ResNode = Structs['vmw_validation_res_node'];
type Buffer = Structs['ttm_validate_buffer'];

const sw_context = (k: Engine) => k.the('sw_context', 'vmw_sw_context');

/** Takes the nodes of a submission out of the table by which duplicates are found (bz-09). Under cmdbuf_mutex. */
export const vmw_validation_drop_ht = routine(
  file,
  'vmw_validation_drop_ht',
  { args, locals: { val } },
  ({ step, loop, leave, when }) => [
    step('val = first of ctx->resource_list', (f) => {
      f.val = f.ctx.resource_list;
    }),
    loop('list_for_each_entry(val, &ctx->resource_list)', [
      when('end of list', (f) => isNull(f.val), [leave()]),
      step('hash_del_rcu(&val->hash.head); val = next', (f, k) => {
        const context = sw_context(k);
        if (same(context.res_ht, f.val)) context.res_ht = f.val.hash_next;
        else {
          let before = context.res_ht;
          while (!same(before.hash_next, f.val)) before = before.hash_next;
          before.hash_next = f.val.hash_next;
        }
        f.val.hash_next = NULL;
        f.val = f.val.next;
      }),
    ]),
  ],
);

/** Adds a resource to the list, once, and what the command does to it: the last command that says something wins. */
export const vmw_validation_add_resource = routine(
  file,
  'vmw_validation_add_resource',
  {
    args: { ...args, res: ref('vmw_resource'), dirty: int },
    locals: { node: val, found: bool },
    returns: int,
  },
  ({ step, atomic, fallible, call, when, ret, variant }) => {
    const append = (ctx: Structs['vmw_validation_context'], node: ResNode) => {
      let last: ResNode = ctx.resource_list;
      if (isNull(last)) ctx.resource_list = node;
      else {
        while (!isNull(last.next)) last = last.next;
        last.next = node;
      }
    };
    return [
      variant(
        'bz-09',
        [
          step('hash_for_each_possible_rcu(ctx->sw_context->res_ht, hash, head, key)', (f, k) => {
            f.node = sw_context(k).res_ht;
            while (!isNull(f.node) && f.node.key !== f.res.at) f.node = f.node.hash_next;
            f.found = !isNull(f.node);
          }),
        ],
        [
          step('node = vmw_validation_find_res_dup(ctx, res)', (f) => {
            f.node = f.ctx.resource_list;
            while (!isNull(f.node) && !same(f.node.res, f.res)) f.node = f.node.next;
            f.found = !isNull(f.node);
          }),
        ],
      ),
      when('!node', (f) => !f.found, [
        variant(
          'bz-09',
          [
            fallible(
              'vmw_validation_add_resource',
              step('node = vmw_validation_mem_alloc(ctx)', (f, k) => {
                f.node = k.alloc('vmw_validation_res_node');
              }),
            ),
          ],
          [
            fallible(
              'vmw_validation_add_resource',
              step('node = vmw_validation_mem_alloc(ctx); list_add_tail', (f, k) => {
                f.node = k.alloc('vmw_validation_res_node');
                if (isNull(f.node)) return;
                f.node.res = f.res;
                append(f.ctx, f.node);
              }),
            ),
          ],
        ),
        when('!node', (f) => isNull(f.node), [ret('-ENOMEM', () => -ENOMEM)]),
        variant(
          'bz-09',
          [
            step('hash_add_rcu(ctx->sw_context->res_ht, &node->hash.head, key)', (f, k) => {
              const context = sw_context(k);
              f.node.key = f.res.at;
              f.node.hash_next = context.res_ht;
              context.res_ht = f.node;
            }),
            atomic('node->res = vmw_resource_reference_unless_doomed(res)', (f) => {
              f.found = f.res.kref !== 0;
              if (f.found) f.res.kref++;
            }),
            when('!node->res', (f) => !f.found, [
              step('vmw_validation_mem_free(ctx): the arena goes with the submission', (f, k) => {
                const { node } = f;
                f.node = NULL;
                k.free(node);
              }),
              ret('-ESRCH', () => -ESRCH),
            ]),
            step('list_add_tail(&node->head, &ctx->resource_list)', (f) => {
              f.node.res = f.res;
              append(f.ctx, f.node);
            }),
          ],
          [call(vmw_resource_reference, (f) => ({ res: f.res }))],
        ),
      ]),
      when('dirty', (f) => f.dirty !== VMW_RES_DIRTY_NONE, [
        step('node->dirty_set = 1; node->dirty = dirty & VMW_RES_DIRTY_SET', (f) => {
          f.node.dirty_set = true;
          f.node.dirty = (f.dirty & VMW_RES_DIRTY_SET) !== 0;
        }),
      ]),
      ret('0', () => 0),
    ];
  },
);

/** Adds a buffer object to the list, once. */
const vmw_validation_add_bo = routine(
  file,
  'vmw_validation_add_bo',
  {
    args: { ...args, vbo: ref('vmw_buffer_object'), as_mob: bool },
    locals: { found: bool, node: ref('vmw_validation_bo_node') },
    returns: int,
  },
  ({ step, fallible, call, when, ret, variant }) => [
    variant(
      'reserve-outside-mutex',
      [],
      [
        step('bo_node = vmw_validation_find_bo_dup(ctx, vbo)', (f) => {
          let entry: Buffer = f.ctx.bo_list.first;
          while (!isNull(entry) && !same(entry.bo, f.vbo.base)) entry = entry.next;
          f.found = !isNull(entry);
        }),
        when('bo_node', (f) => f.found, [ret('0', () => 0)]),
      ],
    ),
    fallible(
      'vmw_validation_add_bo',
      step('bo_node = vmw_validation_mem_alloc(ctx); list_add_tail', (f, k) => {
        f.node = k.alloc('vmw_validation_bo_node');
        if (isNull(f.node)) return;
        f.node.as_mob = f.as_mob;
        f.node.base.bo = f.vbo.base;
        let last: Buffer = f.ctx.bo_list.first;
        if (isNull(last)) f.ctx.bo_list.first = f.node.base;
        else {
          while (!isNull(last.next)) last = last.next;
          last.next = f.node.base;
        }
      }),
    ),
    when('!bo_node', (f) => isNull(f.node), [ret('-ENOMEM', () => -ENOMEM)]),
    variant('missing-get', [], [call(ttm_bo_get, (f) => ({ bo: f.vbo.base }))]),
    ret('0', () => 0),
  ],
);

/** Takes every resource for this submission, and its backup into the list of objects. Under cmdbuf_mutex. */
export const vmw_validation_res_reserve = routine(
  file,
  'vmw_validation_res_reserve',
  { args, locals: { val, vbo: ref('vmw_buffer_object'), ret: int }, returns: int },
  ({ step, call, when, loop, leave, ret }) => [
    step('val = first of ctx->resource_list', (f) => {
      f.val = f.ctx.resource_list;
    }),
    loop('list_for_each_entry(val, &ctx->resource_list)', [
      when('end of list', (f) => isNull(f.val), [leave()]),
      call(vmw_resource_reserve, (f) => ({ res: f.val.res }), 'ret'),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
      step('val->reserved = 1; vbo = res->backup', (f) => {
        f.val.reserved = true;
        f.vbo = f.val.res.backup;
      }),
      call(vmw_validation_add_bo, (f) => ({ ctx: f.ctx, vbo: f.vbo, as_mob: true }), 'ret'),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
      step('val = next', (f) => {
        f.val = f.val.next;
      }),
    ]),
    ret('0', () => 0),
  ],
);

/** Lets go of every resource; without `backoff` the submission is on its way and may have dirtied them. */
export const vmw_validation_res_unreserve = routine(
  file,
  'vmw_validation_res_unreserve',
  { args: { ...args, backoff: bool }, locals: { val } },
  ({ step, call, when, loop, leave }) => [
    step('val = first of ctx->resource_list', (f) => {
      f.val = f.ctx.resource_list;
    }),
    loop('list_for_each_entry(val, &ctx->resource_list)', [
      when('end of list', (f) => isNull(f.val), [leave()]),
      when('val->reserved && !backoff', (f) => f.val.reserved && !f.backoff, [
        call(vmw_resource_unreserve, (f) => ({
          res: f.val.res,
          dirty_set: f.val.dirty_set,
          dirty: f.val.dirty,
        })),
      ]),
      step('val = next', (f) => {
        f.val = f.val.next;
      }),
    ]),
  ],
);

/** Reserves every buffer object. As ttm_eu_reserve_buffers(). */
export const vmw_validation_bo_reserve = routine(
  file,
  'vmw_validation_bo_reserve',
  { args: { ...args, intr: bool }, locals: { ret: int }, returns: int },
  ({ call, ret, variant }) => {
    const reserve = (dups: boolean) =>
      call(
        ttm_eu_reserve_buffers,
        ({ ctx, intr }) => ({
          ticket: ctx.ticket,
          list: ctx.bo_list,
          intr,
          dups: dups ? ctx.duplicates : NULL,
        }),
        'ret',
      );
    return [
      variant('reserve-outside-mutex', [reserve(true)], [reserve(false)]),
      ret('ret', (f) => f.ret),
    ];
  },
);

/** Brings every object into its placement, and scans those that are tracked. -EBUSY while a CPU access is declared. */
export const vmw_validation_bo_validate = routine(
  file,
  'vmw_validation_bo_validate',
  {
    args,
    locals: {
      entry: ref('ttm_validate_buffer'),
      vbo: ref('vmw_buffer_object'),
      cpu_writers: int,
      pinned: bool,
      tracked: bool,
      ret: int,
    },
    returns: int,
  },
  ({ step, call, when, loop, leave, ret }) => [
    step('entry = first of ctx->bo_list', (f) => {
      f.entry = f.ctx.bo_list.first;
    }),
    loop('list_for_each_entry(entry, &ctx->bo_list)', [
      when('end of list', (f) => isNull(f.entry), [leave()]),
      step('cpu_writers = atomic_read(&vbo->cpu_writers)', (f, k) => {
        f.vbo = k.view('vmw_buffer_object', f.entry.bo.at);
        f.cpu_writers = f.vbo.cpu_writers;
        f.pinned = f.vbo.base.pin_count > 0;
      }),
      when('cpu_writers', (f) => f.cpu_writers > 0, [ret('-EBUSY', () => -EBUSY)]),
      when('!vbo->pin_count', (f) => !f.pinned, [
        call(ttm_bo_validate, (f) => ({ bo: f.vbo.base, ...vmw_mob_placement }), 'ret'),
        when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
      ]),
      step('tracked = vbo->dirty', (f) => {
        f.tracked = !isNull(f.vbo.dirty);
      }),
      when('vbo->dirty', (f) => f.tracked, [call(vmw_bo_dirty_scan, (f) => ({ vbo: f.vbo }))]),
      step('entry = next', (f) => {
        f.entry = f.entry.next;
      }),
    ]),
    ret('0', () => 0),
  ],
);

/** Makes every resource ready: what the CPUs wrote goes into the command stream, ahead of the user's commands. */
export const vmw_validation_res_validate = routine(
  file,
  'vmw_validation_res_validate',
  { args, locals: { val, ret: int }, returns: int },
  ({ step, call, when, loop, leave, ret }) => [
    step('val = first of ctx->resource_list', (f) => {
      f.val = f.ctx.resource_list;
    }),
    loop('list_for_each_entry(val, &ctx->resource_list)', [
      when('end of list', (f) => isNull(f.val), [leave()]),
      call(
        vmw_resource_validate,
        (f) => ({ res: f.val.res, dirtying: f.val.dirty_set && f.val.dirty }),
        'ret',
      ),
      when('ret', (f) => f.ret !== 0, [ret('ret', (f) => f.ret)]),
      step('val = next', (f) => {
        f.val = f.val.next;
      }),
    ]),
    ret('0', () => 0),
  ],
);

/** Fences every object and lets go of it. */
export const vmw_validation_bo_fence = routine(
  file,
  'vmw_validation_bo_fence',
  { args: { ...args, fence: ref('dma_fence') } },
  ({ call }) => [
    call(ttm_eu_fence_buffer_objects, (f) => ({ list: f.ctx.bo_list, fence: f.fence })),
  ],
);

/** Lets go of every object: the submission failed. */
export const vmw_validation_bo_backoff = routine(
  file,
  'vmw_validation_bo_backoff',
  { args },
  ({ call }) => [call(ttm_eu_backoff_reservation, (f) => ({ list: f.ctx.bo_list }))],
);

/** Drops the references of both lists. No lock of an object is held. */
export const vmw_validation_unref_lists = routine(
  file,
  'vmw_validation_unref_lists',
  { args, locals: { val, entry: ref('ttm_validate_buffer') } },
  ({ step, call, when, loop, leave, variant }) => [
    variant('reserve-outside-mutex', [
      step('list_splice(&ctx->duplicates, &ctx->bo_list)', ({ ctx }) => {
        const { bo_list, duplicates } = ctx;
        let last: Buffer = duplicates.first;
        if (isNull(last)) return;
        while (!isNull(last.next)) last = last.next;
        last.next = bo_list.first;
        bo_list.first = duplicates.first;
      }),
    ]),
    loop('list_for_each_entry(entry, &ctx->bo_list)', [
      step('entry = first of ctx->bo_list; list_del', (f) => {
        f.entry = f.ctx.bo_list.first;
        if (!isNull(f.entry)) f.ctx.bo_list.first = f.entry.next;
      }),
      when('none', (f) => isNull(f.entry), [leave()]),
      call(ttm_bo_put, (f) => ({ bo: f.entry.bo })),
      step('free(entry)', (f, k) => {
        const node = k.view('vmw_validation_bo_node', f.entry.at);
        f.entry = NULL;
        k.free(node);
      }),
    ]),
    loop('list_for_each_entry(val, &ctx->resource_list)', [
      step('val = first of ctx->resource_list; list_del', (f) => {
        f.val = f.ctx.resource_list;
        if (!isNull(f.val)) f.ctx.resource_list = f.val.next;
      }),
      when('none', (f) => isNull(f.val), [leave()]),
      call(vmw_resource_unreference, (f) => ({ res: f.val.res })),
      step('free(val)', (f, k) => {
        const node = f.val;
        f.val = NULL;
        k.free(node);
      }),
    ]),
  ],
);
