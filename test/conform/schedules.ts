// What holds of two CPUs whatever the schedule, and the first of it that random schedules find broken.
import { METHOD_MKWRITE, object } from '../../src/conform/driver';
import { PAGE_SIZE } from '../../src/hardware/pte';
import { apply_as_wrprotect } from '../../src/kernel/mm/as_dirty_helpers';
import { wp_shared_mapping_range } from '../../src/kernel/mm/mapping_dirty_helpers';
import { unmap_mapping_range } from '../../src/kernel/mm/memory';
import { mremap_to } from '../../src/kernel/mm/mremap';
import type { Preset } from '../../src/kernel/variants';
import type { AnyBuilder, Node } from '../../src/routine/routine';
import { address, mark, read, type Smp, smp, whole, write } from '../kernel/smp';

const page = 3;
const schedules = 200;

/** Numbers from 0 to below `n`, the same each time. */
function dice(seed: number): (n: number) => number {
  let x = seed * 0x9e3779b1;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

/**
 * Lets everybody go at random, thread 1 more often the higher the seed, until it has come to 'done'; then the others
 * run to their end. Returns where the log stood when it was done.
 */
function race(run: Smp, seed: number): number {
  const roll = dice(seed);
  const { k } = run;
  const second = k.agentOfTask(1);
  while (k.opOf(1)?.text !== 'done') {
    const agents = Array.from({ length: k.agents }, (_, agent) => agent).filter((agent) =>
      k.runnable(agent),
    );
    const prefers = roll(1 + (seed % 16)) > 0 && agents.includes(second);
    run.step(prefers ? second : agents[roll(agents.length)]!);
  }
  const done = k.events.length;
  run.finish();
  return done;
}

interface Property {
  readonly says: string;
  /** A thread on either CPU, at the place from which anything may happen. */
  readonly begin: (preset: Preset) => Smp;
  /** Whether it held in a run of which `done` events were logged when thread 1 was done. */
  readonly held: (run: Smp, done: number) => boolean;
}

const wrprotect = (b: AnyBuilder): Node =>
  b.variant(
    'mm-6.1',
    [b.call(wp_shared_mapping_range, (_f, k) => whole(k))],
    [b.call(apply_as_wrprotect, (_f, k) => whole(k))],
  );
const unmap = (b: AnyBuilder): Node =>
  b.call(unmap_mapping_range, (_f, k) => ({ ...whole(k), even_cows: true }));
const move = (b: AnyBuilder): Node =>
  b.call(mremap_to, () => ({
    addr: address,
    len: 8 * PAGE_SIZE,
    new_addr: address + 64 * PAGE_SIZE,
  }));

/** A thread of CPU 0 that has come to `go`, and one of its process on CPU 1 that does `what`. */
function beside(
  preset: Preset,
  first: (b: AnyBuilder) => Node[],
  what: (b: AnyBuilder) => Node,
  tracked = false,
) {
  const threads = [
    { cpu: 0, process: 0, maps: true, body: first },
    { cpu: 1, process: 0, body: (b: AnyBuilder) => [what(b), mark(b, 'done')] },
  ];
  const run = smp(threads, { preset });
  run.k.checker = undefined;
  if (tracked) object(run.k).users = 1;
  if (tracked) object(run.k).method = METHOD_MKWRITE;
  run.until(0, 'go');
  return run;
}

const noStaleStore = (after: string, what: (b: AnyBuilder) => Node): Property => ({
  says: `after ${after} no CPU stores through a stale entry`,
  begin: (preset) =>
    beside(
      preset,
      (b) => [
        write(b, page),
        mark(b, 'go'),
        ...Array.from({ length: 12 }, (_, i) => write(b, page, i)),
      ],
      what,
    ),
  held: (run, done) => !run.names(done).includes('tlb_stale'),
});

const properties: readonly Property[] = [
  noStaleStore('write-protection', wrprotect),
  noStaleStore('an unmap', unmap),
  noStaleStore('a move', move),
  {
    says: 'an unmapped entry comes back by the fault handler alone',
    begin: (preset) =>
      beside(preset, (b) => [read(b, page), mark(b, 'go'), write(b, page)], unmap, true),
    held: (run) => {
      const faults = run.k.events
        .slice()
        .filter(({ name, args }) => name === 'or_callback' && args.which === 0);
      return faults.length > 1 || run.entry(page) === 'none';
    },
  },
];

/** The properties that one of many schedules breaks. */
export const broken = (preset: Preset): string[] =>
  properties.filter((property) => isBroken(property, preset)).map(({ says }) => says);

function isBroken({ begin, held }: Property, preset: Preset): boolean {
  const run = begin(preset);
  const { store } = run.k;
  for (let seed = 1; seed <= schedules; seed++) {
    const start = store.mark();
    if (!held(run, race(run, seed))) return true;
    store.rollback(start);
  }
  return false;
}
