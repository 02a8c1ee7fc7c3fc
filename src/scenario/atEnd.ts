// What is wrong with the state that a run has ended in, in which nobody can go on: tasks that wait for each other or for
// a fence that nobody signals and, when all have ended, what they left behind: locks that are held, references that
// nobody gave back or that were given back twice, objects that nobody can free any more. It knows what the layouts say
// (`refcount`, `holding`, `pins`), so a new struct needs nothing more.
import { VMW_FENCE_WRAP } from '../kernel/drivers/gpu/drm/vmwgfx/vmwgfx_fence';
import { DMA_FENCE_FLAG_SIGNALED_BIT } from '../kernel/include/linux/dma-fence';
import type { Engine } from '../routine/engine';
import { type Field, isNull, type Struct, structNamed } from '../state/layout';
import { lockName, type NameOf, underTicket } from './waits';

/** Something wrong at the end. `task`: whose statement it is told at, or -1. */
export interface Remains {
  readonly kind: 'deadlock' | 'self-deadlock' | 'fence' | 'leak';
  readonly message: string;
  readonly task: number;
}

/** Tasks that the run waits for and that have not ended. */
const stuckTasks = (k: Engine, waitedFor: readonly number[]): number[] =>
  waitedFor.filter((task) => !k.isDaemon(task) && !k.isFinished(task) && !k.isDead(task));

/** Why tasks cannot go on, and which fences never signal. */
export function stuck(k: Engine, waitedFor: readonly number[], nameOf: NameOf): Remains[] {
  // A handler may do so on top of any task, one that is idle too; all else comes of it.
  for (let task = 0; task < k.taskCount; task++) {
    if (!holders(k, task).includes(task)) continue;
    const lock = lockName(k, lockOf(k, task)!, nameOf);
    const message = `${k.taskName(task)} waits for ${lock}, which it holds itself`;
    return [{ kind: 'self-deadlock', message, task }];
  }
  const fences = lostFences(k);
  const waiting = new Set(fences.map(({ task }) => task));
  const left = stuckTasks(k, waitedFor).filter((task) => !waiting.has(task));
  const [first] = left;
  if (first === undefined || (fences.length > 0 && left.every((task) => behind(k, task, waiting))))
    return fences;
  const circle = circleOf(k, left);
  const told = circle.length > 0 ? circle : left.filter((t) => lockOf(k, t) !== undefined);
  const said = told.map((t) => waitText(k, t, nameOf));
  const message = ['nobody can go on', ...(said.length > 0 ? [said.join(', ')] : [])].join(': ');
  return [...fences, { kind: 'deadlock', message, task: told[0] ?? first }];
}

/** The lock that a task waits for. */
function lockOf(k: Engine, task: number): number | undefined {
  const blocked = k.blocked(task);
  return blocked?.by === 'lock' ? blocked.at : undefined;
}

const holders = (k: Engine, task: number): number[] => {
  const blocked = k.blocked(task);
  if (blocked?.by === 'lock') return k.lockHolders(blocked.at);
  return blocked?.by === 'cpu' ? [blocked.task] : [];
};

/** For a task that waits for a lock. */
function waitText(k: Engine, task: number, nameOf: NameOf): string {
  const at = lockOf(k, task)!;
  const who = holders(k, task).map((t) => k.taskName(t));
  const holding = `which ${who.join(' and ')} holds${underTicket(k.lockTicket(at))}`;
  return `${k.taskName(task)} waits for ${lockName(k, at, nameOf)}${underTicket(k.waitTicket(task))}, ${holding}`;
}

/** Tasks of which each waits for a lock that the next one holds, the last one's by the first. */
function circleOf(k: Engine, tasks: readonly number[]): readonly number[] {
  for (const start of tasks) {
    const way: number[] = [];
    for (let task: number | undefined = start; task !== undefined; ) {
      const at = way.indexOf(task);
      if (at >= 0)
        return way.slice(at).every((t) => lockOf(k, t) !== undefined) ? way.slice(at) : [];
      way.push(task);
      [task] = holders(k, task);
    }
  }
  return [];
}

/** Whether a task waits only for what one of `others` holds. */
function behind(k: Engine, task: number, others: ReadonlySet<number>): boolean {
  const seen = new Set<number>();
  for (
    let at: number | undefined = task;
    at !== undefined && !seen.has(at);
    [at] = holders(k, at)
  ) {
    if (others.has(at)) return true;
    seen.add(at);
  }
  return false;
}

/** Fences that somebody waits for, or wants to hear of, and that the device will never signal: it has nothing to do. */
function lostFences(k: Engine): Remains[] {
  const passed = k.the('svga', 'svga_regs').fence;
  const found: Remains[] = [];
  const waiters = new Map<number, number>();
  for (let task = 0; task < k.taskCount; task++) {
    const wait = k.stack(task).find(({ code }) => code.routine.name === 'dma_fence_wait');
    if (wait !== undefined) {
      const slot = wait.code.frame.slots.find(({ name }) => name === 'fence')!;
      waiters.set(k.store.peek(wait.at + slot.offset), task);
    }
  }
  for (const at of k.objects.all('vmw_fence_obj')) {
    const fence = k.view('dma_fence', at);
    const wanted = waiters.has(at) || !isNull(fence.cb_list);
    if (!wanted || (fence.flags & DMA_FENCE_FLAG_SIGNALED_BIT) !== 0) continue;
    const task = waiters.get(at) ?? -1;
    const who = task < 0 ? 'somebody wants to hear of it' : `${k.taskName(task)} waits for it`;
    const why =
      (passed - fence.seqno) >>> 0 < VMW_FENCE_WRAP
        ? 'the device has passed it, but no interrupt says so and nobody looks'
        : 'the device never comes to it';
    found.push({
      kind: 'fence',
      message: `fence ${fence.seqno} never signals: ${who}, ${why}`,
      task,
    });
  }
  return found;
}

/** Found by numbers in tables and registers, not by references to them. */
const foundByNumber: readonly string[] = [
  'file',
  'flush_tlb_info',
  'layer_mapping',
  'layer_surface',
  'mm_struct',
  'page',
  'page_table',
  'svga_context',
  'svga_mob',
  'svga_gmr',
  'svga_surface',
  'svga_transfer',
  'task_struct',
  'tlb_state',
];

/** What is left behind when all tasks have ended. */
export function leaks(k: Engine): Remains[] {
  const found: Remains[] = [];
  for (let task = 0; task < k.taskCount; task++) {
    for (const { at } of k.held(task)) {
      const message = `${k.taskName(task)} has ended and still holds ${k.lockClass(at)}`;
      found.push({ kind: 'leak', message, task });
    }
  }
  const held = heldReferences(k);
  for (const { struct } of k.objects.pools) {
    if (foundByNumber.includes(struct.name)) continue;
    const count = countIn(struct, 0);
    for (const at of k.objects.all(struct.name)) {
      const message =
        count === undefined
          ? unnamed(k, struct, at)
          : miscounted(k, struct, at, k.store.peek(at + count), held.get(at) ?? 0);
      if (message !== undefined) found.push({ kind: 'leak', message, task: -1 });
    }
  }
  return found;
}

const nameOf = (k: Engine, struct: Struct, at: number): string =>
  `${struct.name} ${k.objects.indexOf(at)}`;

function unnamed(k: Engine, struct: Struct, at: number): string | undefined {
  return k.objects.isReferred(at)
    ? undefined
    : `${nameOf(k, struct, at)} is never freed: nothing refers to it any more`;
}

function miscounted(
  k: Engine,
  struct: Struct,
  at: number,
  count: number,
  held: number,
): string | undefined {
  if (count === 0 && held === 0 && !k.objects.isReferred(at))
    return `${nameOf(k, struct, at)} counts no reference any more, and was not freed`;
  if (count === held) return undefined;
  const name = nameOf(k, struct, at);
  const counted = `${name} counts ${count} reference${count === 1 ? '' : 's'}, and ${held} ${held === 1 ? 'is' : 'are'} held`;
  return count > held
    ? `${counted}: somebody did not give one back, and it is never freed`
    : `${counted}: one was given back that nobody had, and it is freed too early`;
}

/** Where a struct, or what is embedded in it, counts the references to it. */
function countIn(struct: Struct, base: number): number | undefined {
  for (const { field, offset } of struct.slots) {
    if (field.counts === 'references') return base + offset;
    if (field.kind !== 'embed') continue;
    const inner = countIn(structNamed(field.of!), base + offset);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** How many references are held to each object, by its address. */
function heldReferences(k: Engine): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  const add = (at: number, n: number): void => {
    if (at !== 0) found.set(at, (found.get(at) ?? 0) + n);
  };
  const visit = (field: Field<unknown>, at: number, cells: number, object: number): void => {
    if (field.counts === 'one') add(k.store.peek(at), 1);
    else if (field.counts === 'own') add(object, k.store.peek(at));
    else if (field.kind === 'embed') within(structNamed(field.of!), at, field.cells, object);
    else if (field.element !== undefined && field.element.cells > 0) {
      const { element } = field;
      for (let i = 0; i + element.cells <= cells; i += element.cells) {
        visit(element, at + i, element.cells, object);
      }
    }
  };
  const within = (struct: Struct, at: number, cells: number, object: number): void => {
    for (const { field, offset } of struct.slots) {
      if (!mayHold(field)) continue;
      visit(field, at + offset, field.cells === 0 ? cells - offset : field.cells, object);
    }
  };
  for (const { struct, stride } of k.objects.pools) {
    if (!struct.slots.some(({ field }) => mayHold(field))) continue;
    for (const at of k.objects.all(struct.name)) within(struct, at, stride - 1, at);
  }
  for (const { struct, at, cells } of k.objects.allStatics) within(struct, at, cells, at);
  return found;
}

function mayHold(field: Field<unknown>): boolean {
  if (field.counts === 'one' || field.counts === 'own') return true;
  if (field.kind === 'embed') return structNamed(field.of!).slots.some((s) => mayHold(s.field));
  return field.element !== undefined && mayHold(field.element);
}
