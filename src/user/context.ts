// What Mesa's svga driver keeps for a context (src/gallium/drivers/svga): what is bound in which slot. A view is defined
// when something is bound by it, and destroyed when something else is or nothing; its id is the number of its slot.
// Every task has at most one context. Simplified: Mesa keeps views of a surface for later use.
import { bindingOf, bindings, points, SVGA_3D_CMD_DX_DRAW } from '../hardware/svga/bindings';
import { ofBytes, SVGA3D_INVALID_ID, svgaCommand } from '../hardware/svga/commands';
import { vmw_context_define_ioctl } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_context';
import type { Engine } from '../routine/engine';
import { routine } from '../routine/routine';
import { bool, int, struct, tail, type View } from '../state/layout';
import { queueCommand } from './commandBuffer';

// Cells of a task: the handle of its context; which views there are, and which there will be with what is queued.
const perTask = 1 + 2 * bindings;
const known = (task: number, slot: number): number => task * perTask + 1 + slot;
const queued = (task: number, slot: number): number => known(task, bindings + slot);

export const user_contexts = struct('user_contexts', { own: { cells: tail(int) } });

declare module '../state/layout' {
  interface Structs {
    user_contexts: View<typeof user_contexts>;
  }
}

/** Room for the contexts of so many tasks. */
export const contextParts = (tasks: number) => ({
  statics: [{ name: 'user_contexts', struct: user_contexts, tail: tasks * perTask }],
});

const cells = (k: Engine) => k.the('user_contexts', 'user_contexts').cells;

/** The handle of a task's context, 0: it has none. */
export const contextOf = (k: Engine): number => Math.max(0, cells(k).get(k.task * perTask));

/** Makes the running task's context. Returns its handle, or a negative errno. */
export const context_create = routine(
  'user/context',
  'context_create',
  { mode: 'user', locals: { handle: int }, returns: int },
  ({ step, call, ret }) => [
    call(vmw_context_define_ioctl, () => ({}), 'handle'),
    step('the context', (f, k) => cells(k).set(k.task * perTask, f.handle)),
    ret('handle', (f) => f.handle),
  ],
);

/** A submission begins to be queued: what is known of views is what there is. */
export function beginBinding(k: Engine): void {
  copyViews(k, known, queued);
}

/** It was submitted: what was queued has come true. */
export function endBinding(k: Engine): void {
  copyViews(k, queued, known);
}

function copyViews(k: Engine, from: typeof known, to: typeof known): void {
  for (let i = 0; i < bindings; i++) cells(k).set(to(k.task, i), cells(k).get(from(k.task, i)));
}

const bindingFields = { point: int, slot: int, handle: int, offset: int, length: int, next: int };

interface Queued {
  readonly point: number;
  readonly slot: number;
  readonly handle: number;
  readonly viewed: boolean;
}

/**
 * Queues the commands that bind bytes of a surface in a slot, from place `next` of the command buffer on; with a length
 * of 0 those that take away what is bound there. Returns the next place.
 */
export const queue_binding = routine(
  'user/context',
  'queue_binding',
  { mode: 'user', args: bindingFields, locals: { old: int, viewed: bool }, returns: int },
  ({ step, when, ret }) => {
    const put = (
      text: string,
      command: (f: Queued) => { id: number; sid?: number; value: number },
    ) =>
      step(text, (f, k) => {
        const { point, slot, offset, length } = f;
        const place = { arg: point, image: slot, ...ofBytes(offset, length) };
        queueCommand(k, f.next, svgaCommand({ ...place, ...command(f) }));
        f.next++;
      });
    const idOf = (f: Queued) => bindingOf(f.point, f.slot);
    return [
      step('which view is there', (f, k) => {
        f.viewed = points[f.point]!.view !== undefined;
        f.old = cells(k).get(queued(k.task, idOf(f)));
        if (f.viewed) cells(k).set(queued(k.task, idOf(f)), Number(f.length > 0));
      }),
      when('nothing is bound from here on', (f) => f.length === 0, [
        put('SET { slot, SVGA3D_INVALID_ID }', (f) => ({
          id: points[f.point]!.set,
          value: SVGA3D_INVALID_ID,
        })),
      ]),
      when('a view that is not used any more', (f) => f.old !== 0, [
        put('DESTROY_VIEW { id }', (f) => ({
          id: points[f.point]!.view!.destroy,
          value: idOf(f),
        })),
      ]),
      when('something is bound', (f) => f.length > 0, [
        when('by a view', (f) => f.viewed, [
          put('DEFINE_VIEW { id, sid }', (f) => ({
            id: points[f.point]!.view!.define,
            sid: f.handle,
            value: idOf(f),
          })),
        ]),
        put('SET { slot, view or sid }', (f) => ({
          id: points[f.point]!.set,
          sid: f.viewed ? 0 : f.handle,
          value: f.viewed ? idOf(f) : 0,
        })),
      ]),
      ret('next', (f) => f.next),
    ];
  },
);

/** A draw with what is bound, which writes `value` where it writes. */
export const drawBound = (value: number) => svgaCommand({ id: SVGA_3D_CMD_DX_DRAW, value });
