// Exception filters: on which events a run stops, and what is said then. Events are the kernel's tracepoints by name;
// an explanation tells what happened, where, and what comes next, in words that need no manual.

import { X86_PF_PROT, X86_PF_WRITE } from '../hardware/pte';
import { boxText, type SurfaceShape, type SVGA3dBox } from '../hardware/svga/shapes';
import { warningTexts } from '../kernel/include/asm-generic/bug';
import { TTM_PL_SYSTEM } from '../kernel/include/drm/ttm/ttm_bo_api';
import { type Fault, faultSummary, faultTitle } from '../protocol/fault';
import type { LoggedEvent } from '../state/events';
import type { Debuggee, Value } from './debuggee';

/** One filter. The ids are fixed: launch configurations and tests name them. */
export interface Filter {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly byDefault: boolean;
  /** Whether an event is one of those. */
  readonly catches: (event: LoggedEvent) => boolean;
}

/** What is said at a stop: a line for the call stack, a paragraph, and the chain of causes where there is one. */
export interface Explanation {
  readonly title: string;
  readonly text: string;
  readonly causes: readonly string[];
  /** Of a page fault: the whole of it. */
  readonly fault?: Fault;
}

const number = (event: LoggedEvent, name: string): number => Number(event.args[name] ?? 0);
const protection = (e: LoggedEvent) => (number(e, 'error_code') & X86_PF_PROT) !== 0;
const write = (e: LoggedEvent) => (number(e, 'error_code') & X86_PF_WRITE) !== 0;

const fault = (
  id: string,
  label: string,
  description: string,
  which: (e: LoggedEvent) => boolean,
) => filter(id, label, description, (e) => e.name === 'page_fault' && which(e));
const on = (id: string, label: string, description: string, event: string) =>
  filter(id, label, description, (e) => e.name === event);

function filter(
  id: string,
  label: string,
  description: string,
  catches: (e: LoggedEvent) => boolean,
  byDefault = false,
): Filter {
  return { id, label, description, byDefault, catches };
}

/** The filter of operations that come out otherwise than recorded. */
export const differenceFilter = 'difference';

/** Every filter, in the order in which the client shows them; of several at one step the last one tells. */
export const filters: readonly Filter[] = [
  fault('fault', 'Page faults', 'Any page fault of a CPU', () => true),
  fault(
    'fault-read',
    'Read faults',
    'A load from a page without a translation that allows it',
    (e) => !write(e),
  ),
  fault(
    'fault-not-present',
    'Not-present faults',
    'An access to a page whose entry is absent',
    (e) => !protection(e),
  ),
  fault(
    'fault-write-protect',
    'Write-protect faults',
    'A store to a page whose entry is present and read-only',
    (e) => protection(e) && write(e),
  ),
  on('mkwrite', 'mkwrite', 'The driver is told of the first store to a page', 'vmw_mkwrite'),
  on(
    'dirty-scan',
    'Dirty scans',
    'The driver looks for pages written since the last scan',
    'vmw_bo_dirty_scan',
  ),
  on(
    'dirty-method',
    'Tracking method changes',
    'A buffer object changes how it is tracked',
    'vmw_bo_dirty_method',
  ),
  on(
    'dirty-flush',
    'Dirty-range flushes',
    'A dirty range leaves the tracker as an update command',
    'vmw_dirty_sync',
  ),
  on(
    'readback',
    'Readbacks',
    'The GPU copy of a surface is read back into its pages',
    'vmw_readback',
  ),
  on(
    'unmap',
    'Unmaps of GPU-dirty pages',
    'Page-table entries are torn down before a readback',
    'vmw_bo_dirty_unmap',
  ),
  on(
    'tlb-stale',
    'Stale TLB entries',
    'An access through a translation that memory no longer grants',
    'tlb_stale',
  ),
  filter(
    'evict',
    'Evictions',
    'A buffer object loses its place in device memory',
    (e) => e.name === 'ttm_bo_move' && e.args.placement === TTM_PL_SYSTEM,
  ),
  on('submit', 'Submissions', 'A thread submits commands to the GPU', 'submit'),
  on('fence-signal', 'Fence signals', 'A fence has signalled', 'dma_fence_signaled'),
  on('fence-wait', 'Fence waits', 'A task begins to wait for a fence', 'dma_fence_wait_start'),
  on(
    'race',
    'Races of the application',
    'Two accesses to one byte with nothing between them, or a missing flush or invalidate',
    'race',
  ),
  filter(
    'warn',
    'Kernel warnings',
    'A WARN, BUG or oops of the emulated kernel; locks taken in a wrong order, use after free, livelock',
    (e) => ['warn', 'oops', 'lockdep', 'use_after_free', 'livelock'].includes(e.name),
    true,
  ),
  filter(
    'assertion',
    'Failed assertions',
    'An assertion of the scenario does not hold',
    (e) => e.name === 'assertion' && e.args.holds !== true && e.args.holds !== 1,
    true,
  ),
  filter(
    differenceFilter,
    'Differences from a recording',
    'An operation of a recorded program comes out otherwise than recorded',
    (e) => e.name === 'or_difference',
    true,
  ),
  filter(
    'violation',
    'Coherence violations',
    'A rule of the coherence contract is broken, or no thread can go on',
    (e) => e.name === 'violation',
    true,
  ),
];

/** What an event means, in words; a page fault comes with its explanation, where the machine has one. */
export function explain(event: LoggedEvent, debuggee: Debuggee, fault?: Fault): Explanation {
  const { engine } = debuggee;
  const n = (name: string) => number(event, name);
  const who =
    debuggee.threads.find((t) => t.task === event.task)?.name ?? engine.taskName(event.task);
  const object = (arg: string, struct: string) => nameOf(debuggee, struct, n(arg));
  const surface = () => debuggee.nameOf('surface', n('surface')) ?? `surface ${n('sid')}`;
  const plain = (title: string, text: string): Explanation => ({ title, text, causes: [] });
  switch (event.name) {
    case 'page_fault': {
      if (fault !== undefined) {
        return { title: faultTitle(fault), text: faultSummary(fault), causes: [], fault };
      }
      const kind = write(event) ? (protection(event) ? 'Write-protect' : 'Write') : 'Read';
      const how = write(event) ? 'stored to' : 'loaded from';
      return plain(
        `${kind} fault at ${shortPlace(debuggee, n('address'), event.task)}`,
        `${who} ${how} ${place(debuggee, n('address'), event.task)}.`,
      );
    }
    case 'vmw_mkwrite':
      return plain(
        `mkwrite of page ${n('page')} of ${object('bo', 'vmw_buffer_object')}`,
        `${who} is about to write page ${n('page')} of ${object('bo', 'vmw_buffer_object')} for the first time since ` +
          `it was protected; the driver ${n('marked') ? 'marks it in' : 'does not mark it in'} its dirty bitmap. ` +
          'Next the entry becomes writable.',
      );
    case 'vmw_bo_dirty_scan': {
      const bo = object('bo', 'vmw_buffer_object');
      const range = n('end') > n('start') ? pageRange(n('start'), n('end')) : 'nothing';
      return plain(
        `Dirty scan of ${bo}`,
        `The driver scanned ${bo} by ${method(n('method'))} and found ${pages(n('count'))} written; the dirty range ` +
          `is ${range}. Next that range goes to the resources bound to the object.`,
      );
    }
    case 'vmw_bo_dirty_method':
      return plain(
        `${object('bo', 'vmw_buffer_object')} is now tracked by ${method(n('method'))}`,
        `The last scans made ${method(n('method'))} the cheaper way to track ` +
          `${object('bo', 'vmw_buffer_object')}. It is used from now on.`,
      );
    case 'vmw_dirty_sync': {
      const { shape, image, ...box } = event.args as unknown as SVGA3dBox & {
        shape: SurfaceShape;
        image: number;
      };
      const range = boxText(shape, image, box);
      return plain(
        `Flush of ${range} of ${surface()}`,
        `The dirty ${range} of ${surface()} leave the tracker as an update command. The device copies them ` +
          'from memory before it executes what is submitted after it.',
      );
    }
    case 'vmw_readback':
      return plain(
        `Readback of ${surface()}`,
        `The device holds newer bytes of ${surface()} than memory does. A readback command copies them ` +
          'into its pages; the fault waits for it.',
      );
    case 'vmw_bo_dirty_unmap':
      return plain(
        `Unmap of ${pageRange(n('start'), n('end'))} of ${object('bo', 'vmw_buffer_object')}`,
        'The GPU wrote these pages: their page-table entries are torn down, so that the next access by a CPU ' +
          'faults and reads back first.',
      );
    case 'tlb_stale': {
      const where = place(debuggee, n('address'), event.task);
      const short = shortPlace(debuggee, n('address'), event.task);
      return plain(
        `Stale TLB entry at ${short}`,
        `${who} reached ${where} through a cached translation that the page table no longer ` +
          'grants. Nothing faults, so the kernel does not hear of it.',
      );
    }
    case 'ttm_bo_move':
      return plain(
        `Eviction of ${object('bo', 'vmw_buffer_object')}`,
        `${who} moves ${object('bo', 'vmw_buffer_object')} out of device memory, which needs the room or is shut down. ` +
          'What only the device had of its surfaces was read back before, or given up; the next submission that uses it brings it back.',
      );
    case 'submit':
      return plain(
        `Submission ${n('submission')}`,
        `${who} hands submission ${n('submission')} to the driver. Next the driver looks for what was written to the surfaces it uses, and uploads that first.`,
      );
    case 'dma_fence_signaled':
      return plain(
        `Fence ${n('seqno')} signalled`,
        `Everything submitted before fence ${n('seqno')} has been executed. Who waits for it can go on.`,
      );
    case 'dma_fence_wait_start':
      return plain(
        `Wait for fence ${n('seqno')}`,
        `${who} waits for fence ${n('seqno')}; it goes on when the fence has signalled.`,
      );
    case 'warn':
      return plain(
        'Kernel warning',
        `${who} met a WARN_ON of the kernel: ${warningTexts[n('where')]}`,
      );
    case 'oops':
      return plain(
        `Kernel oops: ${event.args.message}`,
        `${who} met ${event.args.message}. The task stays where it was and never runs again, the locks it holds ` +
          'stay taken. Go back to see how it came to this.',
      );
    case 'lockdep':
      return plain(
        `Lock report: ${event.args.kind}`,
        `${event.args.message}. The verdict of the run gives the stack of every place where such a lock was taken.`,
      );
    case 'use_after_free':
      return plain(
        `Use after free of a ${event.args.struct}`,
        `${event.args.what}, and this ${event.args.struct} was freed. The run goes on with what is there now: zeroes.`,
      );
    case 'livelock':
      return plain(
        'Livelock',
        `Everything is as it was ${n('steps')} micro-steps ago, and who goes next is, too: the run goes round for ever.`,
      );
    default: {
      const found = debuggee.finding(event);
      const label = filters.find((f) => f.id === event.name)?.label ?? event.name;
      if (found === undefined) return plain(label, `${event.name} by ${who}`);
      return { title: found.message.split('\n')[0]!, text: found.message, causes: found.causes };
    }
  }
}

/** The names an event brings into a condition: its arguments, and what its error code says. */
export function eventNames(event: LoggedEvent): (name: string) => Value | undefined {
  return (name) => {
    if (name === 'write' && event.name === 'page_fault') return write(event);
    const value = event.args[name];
    return typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
  };
}

/** A half-open range of pages in words. */
const pageRange = (start: number, end: number): string =>
  end - start === 1 ? `page ${start}` : `pages ${start} to ${end - 1}`;
const pages = (count: number): string => (count === 1 ? '1 page' : `${count} pages`);
const method = (value: number): string => (value === 0 ? 'page-table scans' : 'write protection');

/** An address with what it is to the task. */
function place(debuggee: Debuggee, address: number, task: number): string {
  const hex = `0x${address.toString(16)}`;
  const described = debuggee.describe(address, task);
  return described === undefined ? hex : `${described} (${hex})`;
}

const shortPlace = (debuggee: Debuggee, address: number, task: number): string =>
  debuggee.describe(address, task) ?? `0x${address.toString(16)}`;

function nameOf(debuggee: Debuggee, struct: string, at: number): string {
  const name = debuggee.nameOf(struct, at);
  if (name !== undefined) return name;
  const place = debuggee.engine.objects.describe(at);
  return place === undefined ? `object ${at}` : `${place.struct.name} ${place.index}`;
}
