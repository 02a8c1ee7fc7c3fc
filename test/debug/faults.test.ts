// Page faults explained: a program in, the explanation as text out. What Linux does in each case is what
// arch/x86/mm/fault.c and mm/memory.c do in 5.1 and 6.1; the branches are compared with the routines in
// faultBranch.test.ts.
import { expect, test } from 'vitest';
import { Faults } from '../../src/debug/faults';
import { debuggeeOf } from '../../src/debug/scenario';
import { load as loadBytes, store } from '../../src/hardware/cpu';
import { PROT_READ } from '../../src/kernel/include/linux/mm';
import { do_mprotect_pkey } from '../../src/kernel/mm/mprotect';
import type { Machine } from '../../src/machine/machine';
import { type Fault, faultParts, faultText } from '../../src/protocol/fault';
import type { Engine } from '../../src/routine/engine';
import { type AnyBuilder, type Node, routine } from '../../src/routine/routine';
import { loadScenario } from '../../src/scenario/load';
import { int, long } from '../../src/state/layout';
import { Timeline } from '../../src/timeline/timeline';
import { create, driverMachine, map, read, write } from '../kernel/driver';
import { shyMachine } from '../kernel/shy';
import { load } from '../scenario/outcome';

const page = 4096;
const PROT_NONE = 0;

/** The faults of a scenario, run to its end. */
function ofScenario(text: string): Fault[] {
  const loaded = load(text, { kernel: 'series-v2' });
  const timeline = new Timeline(loaded.run.engine, loaded.schedule);
  const faults = new Faults(debuggeeOf('a.coh', text, loaded), timeline);
  expect(timeline.run(() => undefined, 200_000)).toBe('end');
  return faults.all();
}

interface Watched {
  readonly engine: Engine;
  readonly timeline: Timeline;
  readonly faults: Faults;
}

/** An engine without a text or names. */
const nameless = (engine: Engine) => ({
  engine,
  path: '',
  files: [],
  placeAt: () => ({ path: '', line: 0, column: 0 }),
  describe: () => undefined,
  nameOf: () => undefined,
});

/** A machine's engine on a timeline, its faults to be explained without names. */
function watched({ engine }: Machine): Watched {
  const timeline = new Timeline(engine);
  return { engine, timeline, faults: new Faults(nameless(engine), timeline) };
}

/** The faults of a machine, run to its end under the default schedule. */
function ofMachine(machine: Machine): Fault[] {
  const { timeline, faults } = watched(machine);
  expect(timeline.run(() => undefined, 200_000)).toBe('end');
  return faults.all();
}

/** Some parts of an explanation, each with what stands beneath it. */
function parts(fault: Fault, ...labels: string[]): string {
  const lines = faultParts(fault)
    .filter(({ label }) => labels.includes(label))
    .flatMap(({ label, value, children }) => [
      `${label}: ${value}`,
      ...children.map((below) => `  ${below.label}: ${below.value}`),
    ]);
  return `\n${lines.join('\n')}\n`;
}

/** All of it; numbers of steps move with every change of the emulated kernel. */
const whole = (fault: Fault): string =>
  `\n${faultText(fault)
    .join('\n')
    .replace(/step \d+/, 'step N')}\n`;

const text = (body: string, tracking = 'auto', mapping = 'a') => `scenario "faults"
machine { cpus 1, tracking ${tracking} }
surface a: buffer 4 pages coherent
process app {
  let p = map ${mapping}
  thread t on cpu0 {
    ${body}
  }
}`;

test('the first store to a page: no table leads to it, so the driver is asked for the page', () => {
  const [fault, ...more] = ofScenario(text('write p[0 .. 8] = 1', 'pagetable'));
  expect(more).toEqual([]);
  expect(whole(fault!)).toMatchInlineSnapshot(`
    "
    Write fault at page 0 of p (a): t on cpu0, step N
      access   store of 8 bytes by user mode on cpu0; line 7: write p[0 .. 8] = 1
      address  0x7ffff7ffb000, page 0 of p (a)
      mapping  0x7ffff7ffb000-0x7ffff7fff000 rw-s mixedmap
               VmFlags: rd wr sh mr mw me ms io de dd sd mm
               offset: from page 1048576 of the file; the address is page 0 of a, which has 4 pages
      walk     stops at PGD[255]: nothing is there
               PGD[255]: none: stops, nothing is there
      TLB      cpu0 holds nothing
      code     6: P=0 W=1 U=1
               P=0: there was no translation: an entry of the walk was not present
               W=1: the access was a store
               U=1: it was made in user mode
      path     do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → vmw_bo_vm_fault
               because: there is no page table for the address
               because: it is a store to a shared mapping
      outcome  the access is tried again, a minor fault
               went: handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → vmw_bo_vm_fault: VM_FAULT_NOPAGE
               entry: no PUD → P W U A special NX, frame 0x10000
    "
  `);
});

test('the first load from a page is a read fault', () => {
  const [fault] = ofScenario(text('read p[4096]'));
  expect(parts(fault!, 'access', 'code', 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    access: load of 1 byte by user mode on cpu0; line 7: read p[4096]
    code: 4: P=0 W=0 U=1
      P=0: there was no translation: an entry of the walk was not present
      W=0: the access was a load
      U=1: it was made in user mode
    path: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_fault → do_read_fault → vmw_bo_vm_fault
      because: there is no page table for the address
      because: it is a load
    outcome: the access is tried again, a minor fault
      went: handle_mm_fault → handle_pte_fault → do_fault → do_read_fault → vmw_bo_vm_fault: VM_FAULT_NOPAGE
      entry: no PUD → P W U A special NX, frame 0x10001
    "
  `);
});

test('under mkwrite tracking the first store to a page that is there is write-protected: the driver is told', () => {
  const [, fault] = ofScenario(text('write p[0 .. 8] = 1', 'mkwrite'));
  expect(whole(fault!)).toMatchInlineSnapshot(`
    "
    Write-protect fault at page 0 of p (a): t on cpu0, step N
      access   store of 8 bytes by user mode on cpu0; line 7: write p[0 .. 8] = 1
      address  0x7ffff7ffb000, page 0 of p (a)
      mapping  0x7ffff7ffb000-0x7ffff7fff000 rw-s mixedmap
               VmFlags: rd wr sh mr mw me ms io de dd sd mm
               offset: from page 1048576 of the file; the address is page 0 of a, which has 4 pages
      walk     stops at PTE[507]: W is clear, and this is a store
               PGD[255]: P W U A D, frame 0x80001 (0x80001067): goes on, to the PUD
               PUD[511]: P W U A D, frame 0x80002 (0x80002067): goes on, to the PMD
               PMD[447]: P W U A D, frame 0x80003 (0x80003067): goes on, to the PTE
               PTE[507]: P U A special NX, frame 0x10000 (0x8000000010000225): stops, W is clear, and this is a store
      TLB      cpu0 holds nothing
      code     7: P=1 W=1 U=1
               P=1: there was a translation, and it did not allow the access
               W=1: the access was a store
               U=1: it was made in user mode
      path     do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_wp_page → wp_pfn_shared → vmw_bo_vm_mkwrite
               because: the entry is present and read-only
               because: it is special: no struct page is behind it
               because: the mapping is shared and writable
               because: vm_ops->pfn_mkwrite is set
      outcome  the access is tried again, a minor fault
               went: handle_mm_fault → handle_pte_fault → do_wp_page → wp_pfn_shared → vmw_bo_vm_mkwrite → finish_mkwrite_fault → wp_page_reuse: 0
               entry: P U A special NX, frame 0x10000 → P W U A D special soft-dirty NX, frame 0x10000
    "
  `);
});

test('a store through a private mapping gets a copy: of an absent page, and of one that was read', () => {
  const [absent] = ofScenario(text('write p[0 .. 8] = 1', 'auto', 'a private'));
  expect(parts(absent!, 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    path: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_fault → do_cow_fault → vmw_bo_vm_fault
      because: there is no page table for the address
      because: it is a store to a private mapping
    outcome: the access is tried again, a minor fault
      went: handle_mm_fault → handle_pte_fault → do_fault → do_cow_fault → vmw_bo_vm_fault: VM_FAULT_NOPAGE
      entry: no PUD → P U A special NX, frame 0x10001
    "
  `);
  const body = 'read p[0]\n    write p[0 .. 8] = 1';
  const faults = ofScenario(text(body, 'auto', 'a private'));
  expect(parts(faults[1]!, 'walk', 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    walk: stops at PTE[507]: W is clear, and this is a store
      PGD[255]: P W U A D, frame 0x80001 (0x80001067): goes on, to the PUD
      PUD[511]: P W U A D, frame 0x80002 (0x80002067): goes on, to the PMD
      PMD[447]: P W U A D, frame 0x80003 (0x80003067): goes on, to the PTE
      PTE[507]: P U A special NX, frame 0x10000 (0x8000000010000225): stops, W is clear, and this is a store
    path: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_wp_page → wp_page_copy
      because: the entry is present and read-only
      because: it is special: no struct page is behind it
      because: the mapping is private
    outcome: the access is tried again, a minor fault
      went: handle_mm_fault → handle_pte_fault → do_wp_page → wp_page_copy: VM_FAULT_WRITE
      entry: P U A special NX, frame 0x10000 → P W U A D soft-dirty NX, frame 0x10004
    "
  `);
});

test('a store through a read-only mapping is SIGSEGV before any table is looked at', () => {
  const [fault] = ofScenario(text('write p[0 .. 8] = 1 else signal', 'auto', 'a readonly'));
  expect(parts(fault!, 'mapping', 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    mapping: 0x7ffff7ffb000-0x7ffff7fff000 r--s mixedmap
      VmFlags: rd sh mr mw me ms io de dd sd mm
      offset: from page 1048576 of the file; the address is page 0 of a, which has 4 pages
    path: do_user_addr_fault → bad_area_access_error: SIGSEGV (SEGV_ACCERR)
      because: the mapping may not be written (no VM_WRITE)
    outcome: SIGSEGV (SEGV_ACCERR)
      entry: no PUD, as before
    "
  `);
});

test('a store in a procedure of an imported file is named by that file and its line', () => {
  const main = text('fill(p)').replace('scenario', 'import "lib.coh"\n\nscenario');
  const lib = '// Fills.\nprocedure fill(range) {\n  write range = 1\n}\n';
  const files = { path: 'a.coh', read: () => lib };
  const loaded = loadScenario(main, {}, files);
  if (!('run' in loaded)) throw new Error(JSON.stringify(loaded.checked.diagnostics));
  const timeline = new Timeline(loaded.run.engine);
  const faults = new Faults(debuggeeOf('a.coh', main, loaded), timeline);
  timeline.run(() => undefined, 200_000);
  expect(parts(faults.all()[0]!, 'access')).toMatchInlineSnapshot(`
    "
    access: store of 4096 bytes by user mode on cpu0; line 3 of lib.coh: write range = 1
    "
  `);
});

// What the language has no words for: threads of a machine with the driver, mapping 4 pages at `address`.

const mapped = (b: AnyBuilder) => [create(b, 4 * page), map(b, 4 * page)];
const protect = (b: AnyBuilder, prot: number): Node =>
  b.statement(undefined, [
    b.call(do_mprotect_pkey, (f) => ({ start: f.address, len: 4 * page, prot }), 'result'),
  ]);

/** What the kernel does on behalf of a system call: a store or a load of its own. */
const copy_to_user = routine(
  'test.c',
  'copy_to_user',
  { args: { to: long, n: int }, locals: { ret: int }, returns: int },
  ({ call, ret }) => [
    call(
      store,
      (f) => ({ address: f.to, length: f.n, user: false, unique: false, value: 1 }),
      'ret',
    ),
    ret('ret', (f) => f.ret),
  ],
);
const copyTo = (b: AnyBuilder, offset: number): Node =>
  b.statement(undefined, [
    b.call(copy_to_user, (f) => ({ to: f.address + offset, n: 16 }), 'result'),
  ]);

test('an access beyond the mapping: which one ends before the address', () => {
  const [fault] = ofMachine(driverMachine([(b) => [...mapped(b), write(b, 4 * page, 8, 1)]]));
  expect(parts(fault!, 'mapping', 'walk', 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    mapping: none: a mapping ends at 0x7ffff7fff000
    walk: stops at PGD[255]: nothing is there
      PGD[255]: none: stops, nothing is there
    path: do_user_addr_fault → bad_area: SIGSEGV (SEGV_MAPERR)
      because: no mapping holds the address
    outcome: SIGSEGV (SEGV_MAPERR)
      entry: no PUD, as before
    "
  `);
});

test('PROT_NONE: an entry that has been taken away, and a mapping that allows nothing', () => {
  const [, fault] = ofMachine(
    driverMachine([(b) => [...mapped(b), read(b, 0, 8), protect(b, PROT_NONE), read(b, 0, 8)]]),
  );
  expect(parts(fault!, 'mapping', 'walk', 'code', 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    mapping: 0x7ffff7ffb000-0x7ffff7fff000 ---s mixedmap
      VmFlags: sh mr mw me ms io de dd sd mm
      offset: from page 1048576 of the file; the address is page 0 of vmw_buffer_object 0, which has 4 pages
    walk: stops at PTE[507]: P is clear, for PROT_NONE
      PGD[255]: P W U A D, frame 0x80001 (0x80001067): goes on, to the PUD
      PUD[511]: P W U A D, frame 0x80002 (0x80002067): goes on, to the PMD
      PMD[447]: P W U A D, frame 0x80003 (0x80003067): goes on, to the PTE
      PTE[507]: A special PROT_NONE, frame 0x10000 (0x10000320): stops, P is clear, for PROT_NONE
    code: 4: P=0 W=0 U=1
      P=0: there was no translation: an entry of the walk was not present
      W=0: the access was a load
      U=1: it was made in user mode
    path: do_user_addr_fault → bad_area_access_error: SIGSEGV (SEGV_ACCERR)
      because: the mapping may not be accessed at all (PROT_NONE)
    outcome: SIGSEGV (SEGV_ACCERR)
      entry: A special PROT_NONE, frame 0x10000, as before
    "
  `);
});

test('a store of the kernel on behalf of the user: handled alike, and an error where the user would get a signal', () => {
  const [granted, refused] = ofMachine(
    driverMachine([(b) => [...mapped(b), copyTo(b, 0), copyTo(b, 4 * page)]]),
  );
  expect(parts(granted!, 'access', 'code', 'outcome')).toMatchInlineSnapshot(`
    "
    access: store of 16 bytes by the kernel, in copy_to_user on cpu0
    code: 2: P=0 W=1 U=0
      P=0: there was no translation: an entry of the walk was not present
      W=1: the access was a store
      U=0: it was made by the kernel
    outcome: the access is tried again, a minor fault
      went: handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → vmw_bo_vm_fault: VM_FAULT_NOPAGE
      entry: no PUD → P W U A special NX, frame 0x10000
    "
  `);
  expect(parts(refused!, 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    path: do_user_addr_fault → bad_area: the kernel's access fails with -EFAULT
      because: no mapping holds the address
    outcome: the kernel's access fails with -EFAULT
      entry: none, as before
    "
  `);
});

test('beyond the object: the handler refuses, and that is SIGBUS', () => {
  const [fault] = ofMachine(shyMachine('series-v2', 0, 0, { sigbus: true }));
  expect(parts(fault!, 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    path: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → shy_fault
      because: there is no page table for the address
      because: it is a store to a shared mapping
    outcome: SIGBUS (BUS_ADRERR)
      went: handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → shy_fault: VM_FAULT_SIGBUS
      entry: no PUD → no PTE
    "
  `);
});

test('a handler that gives up mmap_sem: each further try, and that 6.1 counts the fault as major', () => {
  const [fault] = ofMachine(shyMachine('linux-6.1', 2, 0));
  expect(parts(fault!, 'outcome')).toMatchInlineSnapshot(`
    "
    outcome: the access is tried again, a major fault, 2 retried
      went: handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → shy_fault: VM_FAULT_RETRY
      retried: handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → shy_fault: VM_FAULT_RETRY
      retried: handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → shy_fault: VM_FAULT_NOPAGE
      entry: no PUD → P U A special NX, frame 0x10000
    "
  `);
  const [once] = ofMachine(shyMachine('series-v2', 1, 0));
  expect(parts(once!, 'outcome')).toMatchInlineSnapshot(`
    "
    outcome: the access is tried again, a minor fault, 1 retried
      went: handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → shy_fault: VM_FAULT_RETRY
      retried: handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → shy_fault: VM_FAULT_NOPAGE
      entry: no PUD → P U A special NX, frame 0x10000
    "
  `);
});

/** Lets one agent go on until something holds; by the last branch of a choice if `unusual`. */
function until({ engine, timeline }: Watched, task: number, holds: () => boolean, unusual = false) {
  const agent = engine.agentOfTask(task);
  for (let i = 0; !holds(); i++) {
    expect(i, 'steps').toBeLessThan(5000);
    const branch = unusual ? engine.branches(agent) - 1 : 0;
    if (!timeline.stepForward({ agent, branch })) throw new Error('it cannot go on');
  }
}

const within =
  ({ engine }: Watched, task: number, name: string) =>
  (): boolean =>
    engine.stack(task)[0]?.code.routine.name === name;
const raised =
  ({ engine }: Watched, task: number, times = 1) =>
  (): boolean =>
    engine.events.slice().filter((e) => e.name === 'page_fault' && e.task === task).length ===
    times;
const over =
  ({ engine }: Watched, task: number) =>
  (): boolean =>
    engine.isFinished(task);

type Body = (b: AnyBuilder, at: () => number) => Node[];

/** One thread creates and maps, then `first`; the others, each on its own CPU, access the same page when they are let. */
const racing = (first: Body, others: readonly Body[], tracking: 'mkwrite' | 'pagetable') => {
  let address = 0;
  const at = () => address;
  const creates = (b: AnyBuilder) => [
    ...mapped(b),
    b.step('tell the address', (f) => {
      address = f.address;
    }),
    ...first(b, at),
  ];
  const bodies = [creates, ...others.map((body) => (b: AnyBuilder) => body(b, at))];
  return watched(driverMachine(bodies, { with: [`tracking-${tracking}`] }));
};
const loads = (b: AnyBuilder, at: () => number): Node =>
  b.statement(undefined, [
    b.call(loadBytes, () => ({ address: at(), length: 8, user: true }), 'result'),
  ]);
const stores = (b: AnyBuilder, at: () => number): Node =>
  b.statement(undefined, [
    b.call(
      store,
      () => ({ address: at(), length: 8, user: true, unique: false, value: 2 }),
      'result',
    ),
  ]);

test('two CPUs load from one page: who comes second finds it there, and the fault is spurious', () => {
  const run = racing((b) => [read(b, 0, 8)], [(b, at) => [loads(b, at)]], 'pagetable');
  until(run, 0, within(run, 0, 'exc_page_fault'));
  until(run, 1, over(run, 1));
  until(run, 0, over(run, 0));
  const fault = run.faults.latestOf(0)!;
  expect(parts(fault, 'walk', 'code', 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    walk: is granted by PTE[507]: the access is allowed
      PGD[255]: P W U A D, frame 0x80001 (0x80001067): goes on, to the PUD
      PUD[511]: P W U A D, frame 0x80002 (0x80002067): goes on, to the PMD
      PMD[447]: P W U A D, frame 0x80003 (0x80003067): goes on, to the PTE
      PTE[507]: P W U A special NX, frame 0x10000 (0x8000000010000227): grants, the access is allowed
    code: 4: P=0 W=0 U=1
      P=0: there was no translation: an entry of the walk was not present
      W=0: the access was a load
      U=1: it was made in user mode
    path: do_user_addr_fault → handle_mm_fault → handle_pte_fault: the access is tried again
      because: the entry is there by now: another CPU was first, or the TLB was behind
    outcome: the access is tried again, a minor fault
      went: handle_mm_fault → handle_pte_fault: 0
      entry: P W U A special NX, frame 0x10000, as before
    "
  `);
});

test('another CPU comes in between after the fault was raised: the prediction fails, and what happened is told', () => {
  const run = racing((b) => [read(b, 0, 8)], [(b, at) => [loads(b, at)]], 'pagetable');
  until(run, 0, raised(run, 0));
  const open = run.faults.latestOf(0)!;
  expect(parts(open, 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    path: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_fault → do_read_fault → vmw_bo_vm_fault
      because: there is no page table for the address
      because: it is a load
    outcome: not over yet
    "
  `);
  until(run, 1, over(run, 1));
  until(run, 0, over(run, 0));
  expect(parts(run.faults.latestOf(0)!, 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    path: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_fault → do_read_fault → vmw_bo_vm_fault
      because: there is no page table for the address
      because: it is a load
    outcome: the access is tried again, a minor fault
      went: handle_mm_fault → handle_pte_fault: 0
      entry: no PUD → P W U A special NX, frame 0x10000
      otherwise than predicted: others came in between
    "
  `);
});

test('a TLB that still grants what memory no longer does is named, by its CPU', () => {
  const stored: Body = (b, at) => [stores(b, at)];
  const run = racing((b) => [read(b, 0, 8), protect(b, PROT_READ)], [stored, stored], 'pagetable');
  const inside = (name: string) => () =>
    run.engine.stack(0).some(({ code }) => code.routine.name === name);
  until(run, 0, inside('do_mprotect_pkey'));
  until(run, 1, over(run, 1)); // its TLB holds the page now, writable
  until(run, 0, inside('flush_tlb_mm_range')); // taken away from memory, not yet from TLBs
  until(run, 2, raised(run, 2));
  expect(parts(run.faults.latestOf(2)!, 'walk', 'TLB', 'path')).toMatchInlineSnapshot(`
    "
    walk: stops at PTE[507]: W is clear, and this is a store
      PGD[255]: P W U A D, frame 0x80001 (0x80001067): goes on, to the PUD
      PUD[511]: P W U A D, frame 0x80002 (0x80002067): goes on, to the PMD
      PMD[447]: P W U A D, frame 0x80003 (0x80003067): goes on, to the PTE
      PTE[507]: P U A D special NX, frame 0x10000 (0x8000000010000265): stops, W is clear, and this is a store
    TLB: cpu2 holds nothing; cpu0 holds present, writable, user, accessed, frame 0x10000 (stale: more than memory grants); cpu1 holds present, writable, user, accessed, dirty, frame 0x10000 (stale: more than memory grants)
    path: do_user_addr_fault → bad_area_access_error: SIGSEGV (SEGV_ACCERR)
      because: the mapping may not be written (no VM_WRITE)
    "
  `);
});

test('a cached translation that denies raises a fault although memory allows the access', () => {
  const first: Body = (b) => [read(b, 0, 8), write(b, 0, 8, 1)];
  const run = racing(first, [(b, at) => [stores(b, at)]], 'mkwrite');
  until(run, 0, () => run.engine.events.slice().some(({ name }) => name === 'cpu_load'));
  until(run, 1, over(run, 1)); // writable in memory now; the TLB of the first CPU does not know
  until(run, 0, over(run, 0), true);
  const fault = run.faults.latestOf(0)!;
  expect(parts(fault, 'TLB', 'code', 'path', 'outcome')).toMatchInlineSnapshot(`
    "
    TLB: cpu0 holds nothing; a translation it held denied the access and went with the fault; cpu1 holds present, writable, user, accessed, dirty, frame 0x10000 (as memory)
    code: 7: P=1 W=1 U=1
      P=1: there was a translation, and it did not allow the access
      W=1: the access was a store
      U=1: it was made in user mode
    path: do_user_addr_fault → handle_mm_fault → handle_pte_fault: the access is tried again
      because: the entry is writable by now: another CPU was first, or the TLB was behind
    outcome: the access is tried again, a minor fault
      went: handle_mm_fault → handle_pte_fault: 0
      entry: P W U A D special soft-dirty NX, frame 0x10000, as before
    "
  `);
});

test('gone back to and taken another way, the same fault is told as it went now', () => {
  const run = racing((b) => [read(b, 0, 8)], [(b, at) => [loads(b, at)]], 'pagetable');
  const outcome = () => {
    until(run, 0, over(run, 0));
    const { attempts, end } = run.faults.latestOf(0)!.course;
    return [attempts[0]?.path.at(-1), end?.asPredicted];
  };
  until(run, 0, raised(run, 0));
  const at = run.timeline.position;
  until(run, 1, over(run, 1));
  expect(outcome()).toEqual(['handle_pte_fault', false]);
  expect(outcome()).toEqual(['handle_pte_fault', false]);
  run.timeline.seek(at);
  expect(outcome()).toEqual(['vmw_bo_vm_fault', true]);
});

test('what a run looks like does not depend on whether its faults are looked at', () => {
  const [one, other] = [1, 2].map(() => load(text('write p[0 .. 8] = 1', 'mkwrite')).run.engine);
  const timeline = new Timeline(one!);
  const faults = new Faults(nameless(one!), timeline);
  timeline.run(() => {
    faults.all();
    return undefined;
  }, 200_000);
  new Timeline(other!).run(() => undefined, 200_000);
  expect(one!.store.hash()).toEqual(other!.store.hash());
  expect(one!.events.slice()).toEqual(other!.events.slice());
});
