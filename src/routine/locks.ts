// Locks as fields of structs, and when a task may take one. Spinlocks, sleeping locks and reader-writer semaphores
// share one layout; the queue of a sleeping lock is in the store and is served in order: a waiting writer stops new
// readers (kernel/locking/rwsem.c). mutex_trylock() takes a free lock past its queue; other stealing, and optimistic
// spinning, are left out. A wound/wait mutex also knows the ticket under which it is held: of two who have one the older
// waits, and the younger, if it holds anything under its own, is refused (wait-die, kernel/locking/ww_mutex.h).
import type { Field, Ref } from '../state/layout';
import type { Store } from '../state/store';

export type LockMode = 'read' | 'write';

/**
 * A lock in its place. `class` is what protects groups of fields; `sleeps` tells a mutex from a spinlock; `ticketed` a
 * wound/wait mutex from others.
 */
export interface LockView extends Ref {
  readonly class: string;
  readonly sleeps: boolean;
  readonly ticketed: boolean;
}

// Cells of a lock.
const owner = 0; // number of the task that holds it for writing, plus 1
const readers = 1; // how many hold it for reading
const head = 2; // first waiting task plus 1; tasks are linked through `next`
const tail = 3; // last waiting task plus 1
const ticket = 4; // of a wound/wait mutex: the ticket under which it is held; 0: none
const lockCells = 4;

function lock(
  lockClass: string,
  sleeps: boolean,
  { orderedAs = lockClass, ticketed = false } = {},
): Field<LockView> {
  return {
    kind: 'lock',
    cells: ticketed ? lockCells + 1 : lockCells,
    of: lockClass,
    orderedAs,
    get: (store, at) => ({ store, at, class: lockClass, sleeps, ticketed }),
    set: () => {
      throw new Error('a lock is not assigned');
    },
  };
}

/**
 * A lock that is waited for by spinning; its holder is never put off its CPU. `orderedAs`: for lockdep it is of another
 * class than its place in the code that takes it says (a lock that is embedded elsewhere, and reached by a pointer).
 */
export const spinlock = (lockClass: string, orderedAs?: string): Field<LockView> =>
  lock(lockClass, false, orderedAs === undefined ? {} : { orderedAs });

/** A mutex or, with mode `read`, a reader-writer semaphore: who waits sleeps, in order of arrival. */
export const sleepingLock = (lockClass: string): Field<LockView> => lock(lockClass, true);

/** A mutex that may be taken under a ticket, a number that is lower the older it is. */
export const wwMutex = (lockClass: string): Field<LockView> =>
  lock(lockClass, true, { ticketed: true });

/** The task cells that queues and lists of held locks need; the engine gives them. */
export interface Waiters {
  next(task: number): number; // task behind it in the queue, plus 1; 0 at the end
  setNext(task: number, next: number): void;
  mode(task: number): LockMode;
  ticket(task: number): number; // under which it waits; 0: none
}

/** Who holds the lock for writing, or -1. */
export function lockOwner(store: Store, at: number): number {
  return store.peek(at + owner) - 1;
}

/** The ticket under which a wound/wait mutex is held; 0: none. */
export function lockTicket(store: Store, at: number): number {
  return store.peek(at + ticket);
}

/** How many hold it for reading. */
export function lockReaders(store: Store, at: number): number {
  return store.peek(at + readers);
}

/** Whether `task` may take the lock now: a newcomer not past a queue, a waiter in its turn. */
export function mayTake(
  store: Store,
  at: number,
  mode: LockMode,
  task: number,
  waiters: Waiters,
): boolean {
  if (store.peek(at + owner) !== 0) return false;
  if (mode === 'write' && store.peek(at + readers) !== 0) return false;
  for (let t = store.peek(at + head); t !== 0; t = waiters.next(t - 1)) {
    if (t - 1 === task) return true;
    if (mode === 'write' || waiters.mode(t - 1) === 'write') return false;
  }
  return true;
}

/** Whether a trylock gets the lock: a free mutex whoever waits for it, a semaphore for reading not past a writer. */
export function mayTry(
  store: Store,
  at: number,
  mode: LockMode,
  task: number,
  waiters: Waiters,
): boolean {
  if (mode === 'read') return mayTake(store, at, mode, task, waiters);
  return store.peek(at + owner) === 0 && store.peek(at + readers) === 0;
}

/**
 * Whether who has a ticket must not wait for a wound/wait mutex that it may not take: it has it already, or, when it
 * holds others (`holds`), somebody with an older ticket has it or stands before it in the queue.
 */
export function refuses(
  store: Store,
  at: number,
  task: number,
  mine: number,
  holds: boolean,
  waiters: Waiters,
): 'already' | 'deadlock' | undefined {
  const theirs = lockTicket(store, at);
  if (theirs === mine) return 'already';
  const isOlder = (other: number): boolean => other !== 0 && other < mine;
  if (!holds) return undefined;
  if (isOlder(theirs)) return 'deadlock';
  for (let t = store.peek(at + head); t !== 0 && t - 1 !== task; t = waiters.next(t - 1))
    if (isOlder(waiters.ticket(t - 1))) return 'deadlock';
  return undefined;
}

/** Gives the lock to `task`, under a ticket or without (0). */
export function take(
  store: Store,
  lock: LockView,
  mode: LockMode,
  task: number,
  under: number,
): void {
  const { at } = lock;
  if (mode === 'write') store.put(at + owner, task + 1);
  else store.put(at + readers, store.peek(at + readers) + 1);
  if (lock.ticketed) store.put(at + ticket, under);
}

/** Takes the lock back from a holder. */
export function drop(store: Store, lock: LockView, mode: LockMode): void {
  const { at } = lock;
  if (mode === 'write') store.put(at + owner, 0);
  else store.put(at + readers, store.peek(at + readers) - 1);
  if (lock.ticketed) store.put(at + ticket, 0);
}

/** Puts `task` at the end of the queue, or, when it waits under a ticket, before the first who has a younger one. */
export function enqueue(store: Store, at: number, task: number, waiters: Waiters): void {
  const mine = waiters.ticket(task);
  let before = store.peek(at + tail);
  if (mine !== 0) {
    before = 0;
    for (let t = store.peek(at + head); t !== 0; t = waiters.next(t - 1)) {
      if (waiters.ticket(t - 1) > mine) break;
      before = t;
    }
  }
  const behind = before === 0 ? store.peek(at + head) : waiters.next(before - 1);
  if (before === 0) store.put(at + head, task + 1);
  else waiters.setNext(before - 1, task + 1);
  if (behind === 0) store.put(at + tail, task + 1);
  else waiters.setNext(task, behind);
}

/** Takes `task` out of the queue, wherever it stands. */
export function dequeue(store: Store, at: number, task: number, waiters: Waiters): void {
  let before = 0;
  for (let t = store.peek(at + head); t !== 0; t = waiters.next(t - 1)) {
    if (t - 1 === task) {
      const next = waiters.next(task);
      if (before === 0) store.put(at + head, next);
      else waiters.setNext(before - 1, next);
      if (store.peek(at + tail) === task + 1) store.put(at + tail, before);
      waiters.setNext(task, 0);
      return;
    }
    before = t;
  }
}
