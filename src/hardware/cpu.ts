// The CPU's load and store: TLB, walk, page fault, access. One instruction touches at most one page; longer ranges are
// several instructions. Intel SDM vol. 3, chapter "Interrupt and exception handling", #PF. Left out: instruction fetch,
// store buffers (x86 is modelled as sequentially consistent, see ARCHITECTURE.md).
import type { Engine } from '../routine/engine';
import { type FnPtr, routine } from '../routine/routine';
import { tracepoint } from '../state/events';
import { bool, int, long } from '../state/layout';
import { faultCode, isInDoubt, isStale, page_walk, tlb_allows, tlb_denies } from './mmu';
import { PAGE_SIZE } from './pte';

const pageFaultSignature = { address: long, error_code: int };

/** Where exceptions go: filled by the machine with kernel routines, as a kernel fills the IDT at boot. */
export interface Vectors {
  readonly page_fault: FnPtr<typeof pageFaultSignature>;
}

/** Numbers of the interrupt vectors; the lowest pending one is delivered first. */
export const CALL_FUNCTION_VECTOR = 0;
export const DEVICE_VECTOR = 1;
export const IRQ_WORK_VECTOR = 2; // a CPU interrupts itself

/**
 * An edge: a store reached memory. `root` is the frame of the root table it was made under; `value` -1: the bytes are not
 * all one.
 */
export const cpu_store = tracepoint('cpu_store', {
  cpu: int,
  root: int,
  address: long,
  pfn: int,
  length: int,
  unique: bool,
  value: int,
});

/** An edge: a load read memory; `value` is its first byte. */
export const cpu_load = tracepoint('cpu_load', {
  cpu: int,
  root: int,
  address: long,
  pfn: int,
  length: int,
  value: int,
});

/** An access was served by a translation that memory no longer holds. */
export const tlb_stale = tracepoint('tlb_stale', { cpu: int, address: long, write: bool });

interface Access {
  readonly address: number;
  readonly pfn: number;
}

function noteStale(f: Access, k: Engine, write: boolean): void {
  if (isStale(k, k.cpu, f.address, f.pfn, write)) {
    k.emit(tlb_stale, { cpu: k.cpu, address: f.address, write });
  }
}

/** Faults at one instruction after which it lets others go first: it may be waiting for one of them. */
const faultsBeforeGivingWay = 2;

/**
 * The translation that both accesses begin with. Returns the frame number, or minus a signal (with its code, as
 * exc_page_fault gives it). A cached translation may have been dropped by the hardware at any time, and one that denies
 * may be believed or not. Either is offered as a choice only where memory has come to say something else: anywhere else
 * both ways lead to the same cells, and a search would go through each of them twice.
 */
const translate_address = routine(
  'arch/x86/cpu',
  'translate_address',
  {
    mode: 'instruction',
    args: { address: long, write: bool, user: bool },
    locals: {
      pfn: int,
      serves: bool,
      inDoubt: bool,
      other: int,
      error_code: int,
      signal: int,
      faults: int,
    },
    returns: int,
  },
  ({ step, choose, call, callPointer, when, loop, leave, again, ret }) => [
    loop('for (;;)', [
      step('look up the TLB', (f, k) => {
        const entry = k.parts.tlb.lookup(k.cpu, f.address);
        const { write, user } = f;
        f.pfn = entry?.pfn ?? -1;
        f.serves = entry !== undefined && tlb_allows(entry, write, user);
        f.other = 0;
        f.inDoubt =
          entry !== undefined &&
          (f.serves || tlb_denies(entry, write, user)) &&
          isInDoubt(k, entry, f.address);
      }),
      when('memory says something else than the cached translation', (f) => f.inDoubt, [
        when(
          'it serves the access',
          (f) => f.serves,
          [choose('the cached translation', ['is still there', 'has been dropped'], 'other')],
          [choose('the cached translation', ['has been dropped', 'still denies'], 'other')],
        ),
      ]),
      when('hit', (f) => f.serves && f.other === 0, [leave()]),
      when(
        'it still denies',
        (f) => !f.serves && f.other !== 0,
        [
          step('the page fault drops it', (f, k) => {
            f.error_code = faultCode(f, true);
            k.parts.tlb.flushPage(k.cpu, f.address);
          }),
        ],
        [
          call(
            page_walk,
            (f) => ({ address: f.address, write: f.write, user: f.user }),
            'error_code',
          ),
          when('the walk found a translation', (f) => f.error_code < 0, [again()]),
        ],
      ),
      callPointer(
        'raise #PF(error_code), CR2 = address',
        (_f, k) => k.parts.vectors.page_fault,
        (f) => ({ address: f.address, error_code: f.error_code }),
        'signal',
      ),
      when('a signal', (f) => f.signal !== 0, [ret('-signal', (f) => -Math.abs(f.signal))]),
      step('return to the faulting instruction', (f, k) => {
        f.faults = Math.min(f.faults + 1, faultsBeforeGivingWay); // no state of its own for every further one
        if (f.faults === faultsBeforeGivingWay) k.giveWay();
      }),
    ]),
    ret('pfn', (f) => f.pfn),
  ],
);

/** Stores `length` bytes of one page. Returns 0, or the signal that ended it. */
export const store = routine(
  'arch/x86/cpu',
  'store',
  {
    mode: 'instruction',
    args: { address: long, length: int, user: bool, unique: bool, value: int },
    locals: { pfn: int },
    returns: int,
  },
  ({ step, call, when, ret }) => [
    call(translate_address, (f) => ({ address: f.address, write: true, user: f.user }), 'pfn'),
    when('signal', (f) => f.pfn < 0, [ret('signal', (f) => -f.pfn)]),
    step('write the bytes', (f, k) => {
      noteStale(f, k, true);
      const value = { unique: f.unique, value: f.value };
      k.parts.memory.frame(f.pfn).fill(f.address % PAGE_SIZE, f.length, value);
      k.emit(cpu_store, {
        cpu: k.cpu,
        root: k.parts.tlb.cr3(k.cpu),
        address: f.address,
        pfn: f.pfn,
        length: f.length,
        ...value,
      });
    }),
    ret('0', () => 0),
  ],
);

/** Loads `length` bytes of one page; `value` of the event is the first. Returns 0, or the signal that ended it. */
export const load = routine(
  'arch/x86/cpu',
  'load',
  {
    mode: 'instruction',
    args: { address: long, length: int, user: bool },
    locals: { pfn: int },
    returns: int,
  },
  ({ step, call, when, ret }) => [
    call(translate_address, (f) => ({ address: f.address, write: false, user: f.user }), 'pfn'),
    when('signal', (f) => f.pfn < 0, [ret('signal', (f) => -f.pfn)]),
    step('read the bytes', (f, k) => {
      noteStale(f, k, false);
      k.emit(cpu_load, {
        cpu: k.cpu,
        root: k.parts.tlb.cr3(k.cpu),
        address: f.address,
        pfn: f.pfn,
        length: f.length,
        value: k.parts.memory.frame(f.pfn).byte(f.address % PAGE_SIZE),
      });
    }),
    ret('0', () => 0),
  ],
);

/** Loads `length` bytes of one page into the task's registers, for a store at `to`. Returns as `load`. */
export const load_bytes = routine(
  'arch/x86/cpu',
  'load_bytes',
  {
    mode: 'instruction',
    args: { address: long, length: int, to: long },
    locals: { pfn: int },
    returns: int,
  },
  ({ step, call, when, ret }) => [
    call(translate_address, (f) => ({ address: f.address, write: false, user: true }), 'pfn'),
    when('signal', (f) => f.pfn < 0, [ret('signal', (f) => -f.pfn)]),
    step('read the bytes', (f, k) => {
      noteStale(f, k, false);
      const { address, pfn, length } = f;
      const frame = k.parts.memory.frame(pfn);
      const from = address % PAGE_SIZE;
      k.parts.registers.of(k.task).copy(f.to % PAGE_SIZE, frame, from, length);
      const value = frame.peek(from);
      k.emit(cpu_load, { cpu: k.cpu, root: k.parts.tlb.cr3(k.cpu), address, pfn, length, value });
    }),
    ret('0', () => 0),
  ],
);

/** Stores `length` bytes of one page from the task's registers, which are empty then. Returns as `store`. */
export const store_bytes = routine(
  'arch/x86/cpu',
  'store_bytes',
  {
    mode: 'instruction',
    args: { address: long, length: int },
    locals: { pfn: int },
    returns: int,
  },
  ({ step, call, when, ret }) => [
    call(translate_address, (f) => ({ address: f.address, write: true, user: true }), 'pfn'),
    when('signal', (f) => f.pfn < 0, [ret('signal', (f) => -f.pfn)]),
    step('write the bytes', (f, k) => {
      noteStale(f, k, true);
      const { address, pfn, length } = f;
      const at = address % PAGE_SIZE;
      const held = k.parts.registers.of(k.task);
      k.parts.memory.frame(pfn).copy(at, held, at, length);
      held.clear();
      const root = k.parts.tlb.cr3(k.cpu);
      k.emit(cpu_store, { cpu: k.cpu, root, address, pfn, length, unique: false, value: -1 });
    }),
    ret('0', () => 0),
  ],
);

declare module '../routine/engine' {
  interface Parts {
    vectors: Vectors;
  }
}
