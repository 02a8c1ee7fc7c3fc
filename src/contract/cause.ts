// Why a byte is stale: the chain of events that lost it, read off the event log after the fact. The log is looked at
// by the names of its tracepoints only; nothing of the driver's state is.
import { boxHolds, boxText, type SurfaceShape, type SVGA3dBox } from '../hardware/svga/shapes';
import type { Engine } from '../routine/engine';
import type { LoggedEvent } from '../state/events';

/** What an event of an update says of it. */
type Update = SVGA3dBox & { readonly shape: SurfaceShape; readonly image: number };

const pageOf = (byte: number): number => Math.floor(byte / 4096);

type Numbers = Readonly<Record<string, number>>;
const args = (event: LoggedEvent): Numbers => event.args as Numbers;

/** Sentences, in the order of events, from the store that was lost to the access that missed it. */
export function causeOf(
  k: Engine,
  surface: number,
  offset: number,
  seen: LoggedEvent,
  byGpu: boolean,
): string[] {
  const events = k.events.slice(0, seen.index);
  const { bo, sid, start } = objectOf([...events, seen], surface);
  const lost = lastStore(events, surface, offset, byGpu);
  if (lost === undefined) return [];
  const page = pageOf(start + offset); // of the object
  const chain = [
    sentence(k, lost, byGpu ? 'this is the store that was lost' : 'the store that was lost'),
  ];
  const stale = events.find(
    (e) => e.name === 'tlb_stale' && e.step === lost.step && e.task === lost.task,
  );
  if (stale !== undefined) {
    const { cpu } = args(stale);
    chain.push(
      sentence(
        k,
        stale,
        `the store went through a TLB entry of cpu${cpu} that memory no longer backed: the dirty bit had been ` +
          'cleared and the entry was not flushed, so the walker did not set the bit again',
      ),
    );
    const cleaned = lastBefore(events, stale, (e) => e.name === 'vmw_bo_dirty_scan' && of(e, bo));
    if (cleaned !== undefined) {
      chain.push(sentence(k, cleaned, 'this scan had cleaned the dirty bit before the store'));
    }
  }
  if (byGpu) {
    const written = args(lost).surface!;
    const { sid: writtenSid } =
      written === surface ? { sid } : objectOf([...events, seen], written);
    chain.push(...afterGpuStore(k, events, lost, { surface: written, sid: writtenSid, offset }));
    const how = seen.name === 'cpu_load' ? 'load' : 'read';
    return inOrder(chain, seen, k, `the ${how} that got the old byte`);
  }
  const marked = lastBefore(
    events,
    seen,
    (e) => e.name === 'vmw_mkwrite' && of(e, bo) && args(e).page === page,
  );
  if (marked !== undefined) {
    const text = args(marked).marked
      ? `vmw_bo_vm_mkwrite set bit ${page} of the bitmap`
      : `vmw_bo_vm_mkwrite was called for page ${page} and marked nothing`;
    chain.push(sentence(k, marked, text));
    const cleared = lastBefore(
      events,
      lost,
      (e) => e.name === 'vmw_bo_dirty_transfer' && of(e, bo) && covers(e, page),
    );
    if (cleared !== undefined && cleared.index > marked.index) {
      const text = `bit ${page} was cleared again, its page sent, before the store that it stood for`;
      chain.push(sentence(k, cleared, text));
    }
  }
  // What a layer in user space noted, for this store or for one before it that let it through.
  const noted = lastBefore(
    events,
    seen,
    (e) =>
      e.name === 'layer_mark' && args(e).surface === surface && args(e).page === pageOf(offset),
  );
  if (noted !== undefined) chain.push(sentence(k, noted, `the layer noted page ${pageOf(offset)}`));
  const byUser = isKeptByUser(events, surface);
  const store = args(lost);
  const before = lastBefore(
    events,
    lost,
    (e) => ['vmw_bo_dirty_scan', 'vmw_bo_dirty_transfer'].includes(e.name) && of(e, bo),
  );
  if (before !== undefined && !byUser) {
    for (const e of events.slice(before.index + 1, lost.index)) {
      if (isProtected(e, store))
        chain.push(
          sentence(
            k,
            e,
            'mprotect changed what the page allows: an entry that is dirty may have become writable without the driver being asked',
          ),
        );
    }
  }
  let scanned = false;
  let taken: LoggedEvent | undefined;
  for (const e of events.slice(lost.index + 1)) {
    const change = scanned || byUser ? undefined : changeOf(e, store);
    if (change !== undefined) chain.push(sentence(k, e, change));
    if (!byUser && isTaken(e, store)) taken = e;
    else if (e.task === taken?.task && begins.has(e.name)) taken = undefined;
    if (taken !== undefined && !scanned && e.name === 'ttm_bo_move' && of(e, bo))
      chain.push(sentence(k, e, 'that was for a move of the buffer object'));
    if (e.name === 'svga_error' && args(e).sid === sid) chain.push(sentence(k, e, refused));
    if (e.name === 'vmw_bo_dirty_scan' && of(e, bo)) {
      scanned = true;
      const { count, start, end } = args(e);
      const range = start! < end! ? `pages ${start} to ${end! - 1}` : 'no page';
      chain.push(
        sentence(k, e, `the scan found ${count} PTE${count === 1 ? '' : 's'} and noted ${range}`),
      );
    } else if (e.name === 'vmw_bo_dirty_transfer' && of(e, bo)) {
      const { start, end } = args(e);
      const has = covers(e, page);
      chain.push(
        sentence(
          k,
          e,
          `pages ${start} to ${end! - 1} went to the surface${has ? '' : `, page ${page} not among them`}`,
        ),
      );
    } else if (e.name === 'vmw_dirty_sync' && args(e).sid === sid) {
      const { shape, image, ...box } = e.args as unknown as Update;
      const text = boxText(shape, image, box);
      const has = boxHolds(shape, image, box, offset);
      chain.push(sentence(k, e, `an update of ${text}${has ? '' : ', the byte not among them'}`));
    } else if (isUserUpdate(e, surface)) {
      scanned = true;
      chain.push(pushed(k, e, offset));
    }
  }
  if (!scanned && byUser)
    chain.push(
      noted === undefined
        ? 'user space noted no store to the page, and sent nothing between the store and the read'
        : 'user space sent nothing between the store and the read',
    );
  else if (!scanned) chain.push('no scan looked for written pages between the store and the read');
  return inOrder(chain, seen, k, 'the read that got the old byte');
}

function inOrder(chain: string[], seen: LoggedEvent, k: Engine, what: string): string[] {
  chain.push(sentence(k, seen, what));
  const at = (text: string) => Number(/^event (\d+)/.exec(text)?.[1] ?? Number.MAX_SAFE_INTEGER);
  const last = chain.at(-1)!;
  const unique = [...new Set(chain)];
  return unique.sort((a, b) => (a === last ? 1 : b === last ? -1 : at(a) - at(b)));
}

function afterGpuStore(
  k: Engine,
  events: readonly LoggedEvent[],
  lost: LoggedEvent,
  { surface, sid, offset }: { surface: number; sid: number | undefined; offset: number },
): string[] {
  const later = events.slice(lost.index + 1);
  const isReadback = (e: LoggedEvent): boolean =>
    (e.name === 'vmw_readback' && args(e).sid === sid) ||
    (e.name === 'user_readback' && args(e).surface === surface);
  const about = later.flatMap((e): string[] => {
    if (isUserUpdate(e, surface)) return [pushed(k, e, offset)];
    if (e.name === 'svga_error' && args(e).sid === sid) return [sentence(k, e, refused)];
    return isReadback(e) ? [sentence(k, e, 'a readback of the surface was sent')] : [];
  });
  return later.some(isReadback)
    ? about
    : [...about, 'no readback of the surface was sent after it'];
}

const isUserUpdate = (e: LoggedEvent, surface: number): boolean =>
  e.name === 'user_update' && args(e).surface === surface;

/** Whether it is user space that keeps the surface coherent, a library or a layer. */
const isKeptByUser = (events: readonly LoggedEvent[], surface: number): boolean =>
  events.some((e) => /^(user|layer)_/.test(e.name) && args(e).surface === surface);

/** An update that user space has put in front of a submission. */
function pushed(k: Engine, e: LoggedEvent, offset: number): string {
  const { shape, image, ...box } = e.args as unknown as Update;
  const has = boxHolds(shape, image, box, offset);
  const what = `user space sent ${boxText(shape, image, box)}`;
  return sentence(k, e, `${what}${has ? '' : ', the byte not among them'}`);
}

const refused = 'the device refused a command for the surface';

/** Events of mmu notifiers, as the kernel numbers them. */
const MMU_NOTIFY_UNMAP = 0;
const MMU_NOTIFY_CLEAR = 1;
const MMU_NOTIFY_PROTECTION_VMA = 2;

/** Whether an event is about the address space and the address of a store; each may say the end or the length. */
function touches(e: LoggedEvent, store: Numbers): boolean {
  const { root, address, start = address!, length = 0, end = start + length } = args(e);
  return root === store.root && start <= store.address! && store.address! < end;
}

const isProtected = (e: LoggedEvent, store: Numbers): boolean =>
  e.name === 'mmu_notifier_range_start' &&
  args(e).event === MMU_NOTIFY_PROTECTION_VMA &&
  touches(e, store);

const isTaken = (e: LoggedEvent, store: Numbers): boolean =>
  e.name === 'mmu_notifier_range_start' &&
  [MMU_NOTIFY_UNMAP, MMU_NOTIFY_CLEAR].includes(args(e).event!) &&
  touches(e, store);

/** With these a task has gone on to something else. */
const begins: ReadonlySet<string> = new Set(['submit', 'surface_created', 'page_fault']);

/** What became of the entry that a store went through, before anybody looked at it. */
function changeOf(e: LoggedEvent, store: Numbers): string | undefined {
  if (isProtected(e, store))
    return 'mprotect changed what the page allows: a scan may pass it over';
  if (e.name === 'surface_unmapped' && touches(e, store))
    return 'the mapping was taken away, and with the entry its dirty bit';
  return isTaken(e, store)
    ? 'the entry was taken out of the page table, and its dirty bit with it'
    : undefined;
}

/** The last store to the byte before the access: of a CPU through a mapping, or of the GPU. */
function lastStore(
  events: readonly LoggedEvent[],
  surface: number,
  offset: number,
  byGpu: boolean,
): LoggedEvent | undefined {
  const shared = sharing(events, surface);
  const maps = placements(events).filter((m) => shared.has(m.surface));
  for (let i = events.length - 1; i >= 0; i--) {
    const e = events[i]!;
    const a = args(e);
    if (byGpu) {
      if ((e.name !== 'gpu_write' && e.name !== 'gpu_copy') || !shared.has(a.surface!)) continue;
      if (offset >= a.offset! && offset < a.offset! + a.length!) return e;
    } else if (e.name === 'cpu_store') {
      const hit = maps.some((m) => {
        const address = m.address + (offset - m.offset);
        return m.root === a.root && address >= a.address! && address < a.address! + a.length!;
      });
      if (hit) return e;
    }
  }
  return undefined;
}

/** The surfaces that begin at the same byte of memory, the surface among them. */
function sharing(events: readonly LoggedEvent[], surface: number): ReadonlySet<number> {
  const created = events.filter(({ name }) => name === 'surface_created').map(args);
  const own = created.findLast((a) => a.surface === surface);
  const same = created.filter(
    ({ bo, offset }) => bo !== undefined && bo === own?.bo && offset === own?.offset,
  );
  return new Set([surface, ...same.map((a) => a.surface!)]);
}

interface Placement {
  readonly surface: number;
  readonly root: number;
  readonly address: number;
  readonly length: number;
  readonly offset: number;
}

/** Where surfaces were ever mapped: by mmap(), by a move, or in a child. */
function placements(events: readonly LoggedEvent[]): readonly Placement[] {
  const found: Placement[] = [];
  for (const e of events) {
    const a = args(e) as Record<string, number> & Placement;
    if (e.name === 'surface_mapped') found.push(a);
    else if (e.name === 'surfaces_inherited') {
      const of = found.filter((m) => m.root === a.from);
      found.push(...of.map((m) => ({ ...m, root: a.root })));
    } else if (e.name === 'surface_moved') {
      const of = found.filter((m) => m.root === a.root);
      found.push(...of.map((m) => ({ ...m, address: m.address + (a.to! - a.address) })));
    }
  }
  return found;
}

/** What the events of the driver call a surface and its buffer object. The id is known once the device works on it. */
function objectOf(
  events: readonly LoggedEvent[],
  surface: number,
): { bo: number | undefined; sid: number | undefined; start: number } {
  const find = (name: (name: string) => boolean) =>
    events.findLast((e) => name(e.name) && args(e).surface === surface);
  const made = find((name) => name === 'surface_created');
  const used = find((name) => ['gpu_read', 'gpu_write', 'gpu_copy'].includes(name));
  return {
    bo: made === undefined ? undefined : args(made).bo,
    start: (made === undefined ? undefined : args(made).offset) ?? 0,
    sid: used === undefined ? undefined : args(used).sid,
  };
}

/** Whether a transfer had the page among its own. */
const covers = (transfer: LoggedEvent, page: number): boolean =>
  page >= args(transfer).start! && page < args(transfer).end!;

const of = (event: LoggedEvent, bo: number | undefined): boolean =>
  bo === undefined || args(event).bo === bo;

function lastBefore(
  events: readonly LoggedEvent[],
  before: LoggedEvent,
  matches: (event: LoggedEvent) => boolean,
): LoggedEvent | undefined {
  for (let i = before.index - 1; i >= 0; i--) if (matches(events[i]!)) return events[i];
  return undefined;
}

function sentence(k: Engine, event: LoggedEvent, text: string): string {
  return `event ${event.index}, step ${event.step}, ${k.taskName(event.task)}: ${text}`;
}
