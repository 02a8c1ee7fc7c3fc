// The order in which locks are taken, by their classes, as lockdep keeps it (kernel/locking/lockdep.c): who takes one
// lock while it holds another says that this order is meant; an order that closes a circle is a deadlock in waiting,
// whether or not anybody ever waits. Looked at only where a lock is taken, kept as history: it goes back with the run and
// is not hashed. As in Linux a trylock adds no order, what an interrupt takes none to what it interrupted has, and after the
// first report there is no other. Left out: recursive readers; a lock of the class held by a `nested` acquire is
// not told apart from others.
import { EventLog } from '../state/events';
import type { Struct } from '../state/layout';
import { structNamed } from '../state/layout';
import type { PoolSize, StaticSize } from '../state/objects';
import type { Store, StorePlan } from '../state/store';

/** Where a lock was taken. `place`: the statement of a scenario, as an offset in its text, or -1. */
export interface Taking {
  readonly task: number;
  readonly place: number;
  /** Routines, innermost first. */
  readonly frames: readonly string[];
}

/** What is wrong with a lock: the sentence, and each of the places where it was taken with what was done there. */
export interface LockReport {
  readonly kind: 'lock-order' | 'lock-irq' | 'atomic-sleep';
  readonly message: string;
  readonly takings: readonly (Taking & { readonly what: string })[];
}

/** What is known when a lock is about to be taken. */
export interface Acquire {
  readonly lock: { readonly class: string; readonly sleeps: boolean };
  readonly nested: boolean;
  /** Classes of the locks held in the same context, the lock itself left out. */
  readonly held: readonly string[];
  readonly context: 'interrupt' | 'irqs-on' | 'irqs-off';
  /** Whether one of the locks held keeps its CPU. */
  readonly atomic: boolean;
  readonly taking: () => Taking;
}

const usedInInterrupt = 0;
const usedWithIrqsOn = 1;
const usages = 2;

/** Lock classes of what a machine is made of, in a fixed order. */
function classesOf(structs: readonly Struct[]): string[] {
  const found = new Set<string>();
  const look = (struct: Struct): void => {
    for (const { field } of struct.slots) {
      if (field.kind === 'lock') found.add(field.orderedAs!);
      else if (field.kind === 'embed') look(structNamed(field.of!));
    }
  };
  structs.forEach(look);
  return [...found].sort();
}

export class Lockdep {
  private readonly numbers: ReadonlyMap<string, number>;
  private readonly base: number;
  /** Where each order and each usage was seen first; a cell names its entry, plus 1. */
  private readonly takings: EventLog;

  /** Reserves the cells; what it returns makes the rest when the store is there. */
  static reserve(
    plan: StorePlan,
    pools: readonly PoolSize[],
    statics: readonly StaticSize[],
  ): (store: Store) => Lockdep {
    const classes = classesOf([...pools, ...statics].map(({ struct }) => struct));
    plan.region('lock orders', 'history', classes.length * (classes.length + usages) + 2);
    return (store) => new Lockdep(store, classes);
  }

  private constructor(
    private readonly store: Store,
    private readonly classes: readonly string[],
  ) {
    this.numbers = new Map(classes.map((name, i) => [name, i]));
    this.base = store.region('lock orders').base;
    this.takings = new EventLog(store, this.base + classes.length * (classes.length + usages));
  }

  /** Notes that a lock is about to be taken; what is wrong with that, told once in a run. */
  note(acquire: Acquire): LockReport | undefined {
    const report = this.sleeping(acquire) ?? this.ordered(acquire) ?? this.used(acquire);
    const told = this.base + this.classes.length * (this.classes.length + usages) + 1;
    if (report === undefined || this.store.peek(told) !== 0) return undefined;
    this.store.put(told, 1);
    return report;
  }

  /** Whether `note` would find nothing new in it. */
  knows({ lock, held, context }: Acquire): boolean {
    if (lock.sleeps) return false;
    const seen = (cell: number) => this.store.peek(cell) !== 0;
    return (
      held.every((before) => before !== lock.class && seen(this.orderCell(before, lock.class))) &&
      (context === 'irqs-off' || seen(this.usageCell(lock.class, usageIn(context))))
    );
  }

  private sleeping({ lock, atomic, context, taking }: Acquire): LockReport | undefined {
    if (!lock.sleeps || !(atomic || context === 'interrupt')) return undefined;
    const where = context === 'interrupt' ? 'in an interrupt' : 'with a spinlock held';
    const what = `takes ${lock.class}`;
    const message = `${lock.class}, for which one may have to sleep, is taken ${where}`;
    return { kind: 'atomic-sleep', message, takings: [{ what, ...taking() }] };
  }

  private ordered({ lock, nested, held, taking }: Acquire): LockReport | undefined {
    let report: LockReport | undefined;
    for (const before of held) {
      const [from, to] = [before, lock.class];
      if (from === to) {
        if (!nested) report ??= recursive(to, taking());
        continue;
      }
      const cell = this.orderCell(from, to);
      if (this.store.peek(cell) !== 0) continue;
      const now = this.remember(cell, taking());
      const way = this.way(to, from);
      if (way !== undefined) report ??= this.circle([[from, to, now], ...way]);
    }
    return report;
  }

  private used({ lock, context, taking }: Acquire): LockReport | undefined {
    if (lock.sleeps || context === 'irqs-off') return undefined;
    const usage = usageIn(context);
    const cell = this.usageCell(lock.class, usage);
    if (this.store.peek(cell) !== 0) return undefined;
    const now = this.remember(cell, taking());
    const other = this.at(this.usageCell(lock.class, usages - 1 - usage));
    if (other === undefined) return undefined;
    const [interrupt, open] = context === 'interrupt' ? [now, other] : [other, now];
    const name = lock.class;
    return {
      kind: 'lock-irq',
      message:
        `${name} is taken in an interrupt, and elsewhere with interrupts enabled: when the interrupt comes while ` +
        'its CPU holds the lock, it waits for what it has interrupted',
      takings: [
        { what: `takes ${name} in an interrupt`, ...interrupt },
        { what: `takes ${name} with interrupts enabled`, ...open },
      ],
    };
  }

  /** Orders that lead from one class to another, the shortest way; undefined: none does. */
  private way(from: string, to: string): [string, string, Taking][] | undefined {
    const came = new Map<string, string>([[from, from]]);
    for (const here of came.keys()) {
      if (here === to) break;
      for (const next of this.classes) {
        if (!came.has(next) && this.store.peek(this.orderCell(here, next)) !== 0)
          came.set(next, here);
      }
    }
    if (!came.has(to)) return undefined;
    const way: [string, string, Taking][] = [];
    for (let here = to; here !== from; here = came.get(here)!) {
      const before = came.get(here)!;
      way.unshift([before, here, this.at(this.orderCell(before, here))!]);
    }
    return way;
  }

  private circle(orders: readonly (readonly [string, string, Taking])[]): LockReport {
    const said = orders.map(([held, taken]) => `${taken} is taken while ${held} is held`);
    const [first, ...others] = said;
    return {
      kind: 'lock-order',
      message: `${first}, but elsewhere ${others.join(', and ')}: tasks that do so at once wait for each other for ever`,
      takings: orders.map(([held, taken, taking]) => ({
        what: `takes ${taken} while it holds ${held}`,
        ...taking,
      })),
    };
  }

  private remember(cell: number, taking: Taking): Taking {
    this.takings.append('taking', this.store.clock, taking.task, { taking });
    this.store.put(cell, this.takings.length);
    return taking;
  }

  private at(cell: number): Taking | undefined {
    const entry = this.store.peek(cell);
    return entry === 0 ? undefined : (this.takings.at(entry - 1).args.taking as Taking);
  }

  private orderCell(from: string, to: string): number {
    return this.base + this.numbers.get(from)! * this.classes.length + this.numbers.get(to)!;
  }

  private usageCell(name: string, usage: number): number {
    const { length } = this.classes;
    return this.base + length * length + this.numbers.get(name)! * usages + usage;
  }
}

const usageIn = (context: 'interrupt' | 'irqs-on'): number =>
  context === 'interrupt' ? usedInInterrupt : usedWithIrqsOn;

function recursive(name: string, taking: Taking): LockReport {
  return {
    kind: 'lock-order',
    message: `${name} is taken while another ${name} is held, and nothing says in which order: two tasks may do so the other way round`,
    takings: [{ what: `takes a second ${name}`, ...taking }],
  };
}
