// The debugger on the real machine: the scenarios of examples/ as a person would walk through them.
import { readFileSync } from 'node:fs';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { afterEach, expect, test } from 'vitest';
import type { Debuggee } from '../../src/debug/debuggee';
import { place, type Wanted } from '../../src/debug/placing';
import { loadDebuggee } from '../../src/debug/scenario';
import { Session } from '../../src/debug/session';
import { faultText } from '../../src/protocol/fault';
import { type OutlineNode, pageTables } from '../../src/protocol/outline';
import { Client } from './client';

const host = { read: async (path: string) => readFileSync(path, 'utf8'), load: loadDebuggee };
const ring = 'examples/01-ring-buffer.coh';
const large = 'examples/02-large-buffer.coh';
const render = 2; // the thread; the first is the process, which creates and maps

let client: Client;
afterEach(() => {
  expect(client.wrong).toEqual([]);
  client.close();
});

const lineOf = (program: string, text: string): number =>
  readFileSync(program, 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text)) + 1;

const filter = (...filters: string[]) => client.request('setExceptionBreakpoints', { filters });

async function value(expression: string): Promise<string> {
  const { body } = await client.request('stackTrace', { threadId: render, levels: 1 });
  const frameId = body.stackFrames[0].id;
  const said = await client.request('evaluate', { expression, frameId, context: 'watch' });
  return said.success ? said.body.result : `refused: ${said.message}`;
}

/** The stack without the lines of listings: those move with every change of the emulated kernel. */
const stack = async () =>
  (await client.stack(render)).map((frame) => frame.replace(/(\/.*):\d+$/, '$1'));

const time = async () => (await client.request('coherence/time')).body;

test('the ring buffer: stop at a page fault, see the PTE, step into the driver and back out of the store', async () => {
  client = new Client(host);
  await client.start({ program: ring }, () => filter('fault'));
  const { body } = await client.request('threads');
  expect(body.threads.map((t: P.Thread) => `${t.id} ${t.name}`)).toEqual([
    '1 app on cpu0',
    '2 render on cpu0',
    '3 gpu',
  ]);
  const stop = (await client.go('continue')) as P.StoppedEvent;
  expect(stop.body).toMatchInlineSnapshot(`
    {
      "allThreadsStopped": true,
      "description": "Write fault at page 0 of p (ring)",
      "hitBreakpointIds": [
        1,
      ],
      "reason": "exception",
      "text": "render on cpu0 stored to page 0 of p (ring) (0x7ffff7fe7000); the walk stops at PGD[255]: nothing is there. Next: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → vmw_bo_vm_fault, because there is no page table for the address, it is a store to a shared mapping.",
      "threadId": 2,
    }
  `);
  expect(await stack()).toMatchInlineSnapshot(`
    [
      "exc_page_fault: do_user_addr_fault(address, error_code) @ arch/x86/mm/fault.c",
      "translate_address @ arch/x86/cpu",
      "store @ arch/x86/cpu",
      "user_write @ user/winsys",
      "render on cpu0 @ 01-ring-buffer.coh:25",
    ]
  `);
  expect(await value('pte(p[0])')).toMatchInlineSnapshot(
    `"refused: there is no page table for this page yet"`,
  );
  expect(await value('address')).toMatchInlineSnapshot(`"0x7ffff7fe7000"`);

  await filter();
  await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'vmw_bo_vm_fault' }] });
  await client.go('continue', { threadId: render });
  expect(await stack()).toMatchInlineSnapshot(`
    [
      "vmw_bo_vm_fault: vbo = vma->vm_private_data @ drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c",
      "__do_fault @ mm/memory.c",
      "do_shared_fault @ mm/memory.c",
      "do_fault @ mm/memory.c",
      "handle_pte_fault @ mm/memory.c",
      "__handle_mm_fault @ mm/memory.c",
      "handle_mm_fault @ mm/memory.c",
      "do_user_addr_fault @ arch/x86/mm/fault.c",
      "exc_page_fault @ arch/x86/mm/fault.c",
      "translate_address @ arch/x86/cpu",
      "store @ arch/x86/cpu",
      "user_write @ user/winsys",
      "render on cpu0 @ 01-ring-buffer.coh:25",
    ]
  `);
  expect(await client.scope('Locals', render)).toMatchInlineSnapshot(`
    [
      "vmf = vmf of __handle_mm_fault",
      "vbo = NULL",
      "page_offset = 0",
      "num_prefault = 0",
      "allowed_prefault = {…}",
      "tracked = false",
      "prot = none",
      "ret = 0",
    ]
  `);
  const walk: string[] = [];
  for (const command of ['next', 'next', 'stepIn', 'next', 'stepBack']) {
    await client.go(command, { threadId: render });
    walk.push(`${command}: ${(await stack())[0]}`);
  }
  expect(walk).toMatchInlineSnapshot(`
    [
      "next: vmw_bo_vm_fault: ttm_bo_vm_reserve(bo, vmf) @ drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c",
      "next: vmw_bo_vm_fault: num_prefault = vma->vm_flags & VM_RAND_READ ? 1 : TTM_BO_VM_NUM_PREFAULT @ drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c",
      "stepIn: vmw_bo_vm_fault: vmw_resources_clean(vbo, start, end, num_prefault) @ drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c",
      "next: vmw_bo_vm_fault: num_prefault = min(num_prefault, allowed_prefault) @ drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c",
      "stepBack: vmw_bo_vm_fault: vmw_resources_clean(vbo, start, end, num_prefault) @ drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c",
    ]
  `);

  await client.request('setFunctionBreakpoints', { breakpoints: [] });
  const out: string[] = [];
  while ((await stack()).length > 1) {
    await client.go('stepOut', { threadId: render });
    out.push((await stack())[0]!);
  }
  expect(out).toMatchInlineSnapshot(`
    [
      "__do_fault: return ret @ mm/memory.c",
      "do_shared_fault: return ret @ mm/memory.c",
      "do_fault: return ret @ mm/memory.c",
      "handle_pte_fault: return ret @ mm/memory.c",
      "__handle_mm_fault: return ret @ mm/memory.c",
      "handle_mm_fault: trace @ mm/memory.c",
      "do_user_addr_fault: vma is no longer ours to look at @ arch/x86/mm/fault.c",
      "exc_page_fault: return to the faulting instruction @ arch/x86/mm/fault.c",
      "translate_address: return to the faulting instruction @ arch/x86/cpu",
      "store: write the bytes @ arch/x86/cpu",
      "user_write: next page @ user/winsys",
      "render on cpu0 @ 01-ring-buffer.coh:26",
    ]
  `);
  expect(await value('pte(p[0])')).toMatchInlineSnapshot(`"P W U A D S NX pfn 0x10000"`);
  expect(await value('faults.write')).toMatchInlineSnapshot(`"8"`);
  const there = await time();
  await client.go('stepBack', { threadId: render });
  expect((await client.stack(render))[0]).toBe(
    `render on cpu0 @ 01-ring-buffer.coh:${lineOf(ring, 'write p[')}`,
  );
  expect(await value('pte(p[0])')).toMatchInlineSnapshot(
    `"refused: there is no page table for this page yet"`,
  );
  await client.go('coherence/goto', { position: there.position });
  expect((await time()).hash).toBe(there.hash);
});

test('a condition on a line of a listing may follow pointers from its locals', async () => {
  client = new Client(host);
  await client.start({ program: ring });
  const { body } = await client.request('loadedSources');
  const source = body.sources.find((s: P.Source) => s.name?.endsWith('vmwgfx_page_dirty.c'));
  const { sourceReference } = source;
  const { content } = (await client.request('source', { source, sourceReference })).body;
  const line = content.split('\n').findIndex((l: string) => l.includes('vbo = vma->')) + 1;
  const condition = 'vmf->pgoff == 1048576 + 5 and vmf->vma->vm_file != 0';
  const set = await client.request('setBreakpoints', {
    source,
    breakpoints: [{ line, condition }],
  });
  expect(set.body.breakpoints[0].verified).toBe(true);
  await client.go('continue');
  expect(await value('vmf->pgoff')).toBe('1048581');
  expect(await value('vmf->pgoff - 1048576')).toBe('5');
  expect(await value('vmf->nothing == 0')).toBe('refused: there is no vmf->nothing here');
});

test('what is no expression is refused in a sentence about it alone', async () => {
  client = new Client(host);
  await client.start({ program: ring });
  await client.go('next', { threadId: render });
  const needed = 'refused: one expression is needed, such as `pte(p[0]).dirty` or `faults.write`';
  expect(await value('')).toBe(needed);
  expect(await value('1 mod 2')).toBe(needed);
  expect(await value('1 +')).toBe('refused: `+` needs a value on its right');
});

test('a condition on a write-protect fault is honoured in both directions', async () => {
  client = new Client(host);
  await client.start({ program: large }, () =>
    client.request('setExceptionBreakpoints', {
      filters: [],
      filterOptions: [{ filterId: 'fault-write-protect', condition: 'frame >= 18' }],
    }),
  );
  const stops: string[] = [];
  const positions: number[] = [];
  for (const command of ['continue', 'continue', 'reverseContinue', 'continue']) {
    const { body } = await client.go(command, { threadId: render });
    stops.push(body.description);
    positions.push((await time()).position);
  }
  expect(positions.slice(2)).toEqual(positions.slice(0, 2));
  expect(stops).toMatchInlineSnapshot(`
    [
      "Write-protect fault at page 18 of p (big)",
      "Write-protect fault at page 19 of p (big)",
      "Write-protect fault at page 18 of p (big)",
      "Write-protect fault at page 19 of p (big)",
    ]
  `);
});

test('each filter stops and explains itself; a condition may name the arguments of the event', async () => {
  client = new Client(host);
  await client.start({ program: large }, () => filter('violation'));
  const said: string[] = [];
  const kinds =
    'fault-not-present fault-write-protect mkwrite dirty-scan dirty-flush submit fence-signal fence-wait';
  for (const kind of kinds.split(' ')) {
    await client.go('coherence/goto', { position: 0 });
    await filter(kind);
    const { body } = await client.go('continue', { threadId: render });
    said.push(`${kind}: ${body.description}: ${body.text}`);
  }
  expect(said).toMatchInlineSnapshot(`
    [
      "fault-not-present: Write fault at page 0 of p (big): render on cpu0 stored to page 0 of p (big) (0x7ffff77ff000); the walk stops at PGD[255]: nothing is there. Next: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → vmw_bo_vm_fault, because there is no page table for the address, it is a store to a shared mapping.",
      "fault-write-protect: Write-protect fault at page 0 of p (big): render on cpu0 stored to page 0 of p (big) (0x7ffff77ff000); the walk stops at PTE[511]: W is clear, and this is a store. Next: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_wp_page → wp_pfn_shared → vmw_bo_vm_mkwrite, because the entry is present and read-only, it is special: no struct page is behind it, the mapping is shared and writable, vm_ops->pfn_mkwrite is set.",
      "mkwrite: mkwrite of page 0 of big: render on cpu0 is about to write page 0 of big for the first time since it was protected; the driver marks it in its dirty bitmap. Next the entry becomes writable.",
      "dirty-scan: Dirty scan of big: The driver scanned big by write protection and found 1 page written; the dirty range is page 0. Next that range goes to the resources bound to the object.",
      "dirty-flush: Flush of bytes 0 to 4095 of big: The dirty bytes 0 to 4095 of big leave the tracker as an update command. The device copies them from memory before it executes what is submitted after it.",
      "submit: Submission 1: render on cpu0 hands submission 1 to the driver. Next the driver looks for what was written to the surfaces it uses, and uploads that first.",
      "fence-signal: Fence 1 signalled: Everything submitted before fence 1 has been executed. Who waits for it can go on.",
      "fence-wait: Wait for fence 2: render on cpu0 waits for fence 2; it goes on when the fence has signalled.",
    ]
  `);
});

test('readbacks and unmaps of GPU-written pages', async () => {
  client = new Client(host);
  await client.start({ program: 'examples/04-render-target-readback.coh' }, () =>
    filter('readback', 'unmap'),
  );
  const said: string[] = [];
  for (let i = 0; i < 2; i++) {
    const { body } = await client.go('continue', { threadId: render });
    said.push(`${body.description}: ${body.text}`);
  }
  expect(said).toMatchInlineSnapshot(`
    [
      "Unmap of pages 0 to 15 of target: The GPU wrote these pages: their page-table entries are torn down, so that the next access by a CPU faults and reads back first.",
      "Readback of target: The device holds newer bytes of target than memory does. A readback command copies them into its pages; the fault waits for it.",
    ]
  `);
});

test('an eviction stops where the object has lost its place, forwards and backwards', async () => {
  client = new Client(host);
  await client.start({ program: 'examples/pressure/evict-gpu-dirty.coh' }, () => filter('evict'));
  const { body } = await client.go('continue', { threadId: render });
  expect(`${body.reason}: ${body.description}: ${body.text}`).toMatchInlineSnapshot(
    `"exception: Eviction of target: render on cpu0 moves target out of device memory, which needs the room or is shut down. What only the device had of its surfaces was read back before, or given up; the next submission that uses it brings it back."`,
  );
  const { position } = (await client.request('coherence/time')).body;
  const frames = await client.stack(render);
  expect(frames.map((frame) => frame.split(/[: ]/, 1)[0])).toEqual(
    expect.arrayContaining(['ttm_bo_handle_move_mem', 'ttm_bo_evict']),
  );
  expect((await client.go('continue', { threadId: render })).event).toBe('terminated');
  await client.go('restart', {});
  await client.go('continue', { threadId: render });
  await client.go('next', { threadId: render });
  await client.go('reverseContinue', { threadId: render });
  expect((await client.request('coherence/time')).body.position).toBe(position);
});

test('a breakpoint on a statement of a loop, with a condition over its variables and the page table', async () => {
  client = new Client(host);
  const line = lineOf(ring, 'submit {');
  await client.start({ program: ring }, () =>
    client.request('setBreakpoints', {
      source: { path: ring },
      breakpoints: [{ line, condition: 'frame == 4 and pte(p[section]).dirty' }],
    }),
  );
  const { body } = await client.go('continue', { threadId: render });
  expect(body.description).toBe(`Breakpoint at line ${line}`);
  expect((await client.scope('Locals', render)).slice(0, 5)).toMatchInlineSnapshot(`
    [
      "frame = 4",
      "section = 32768",
      "scannedBefore = 32",
      "sentBefore = 131072",
    ]
  `);
  expect(await value('gpu(ring)[32KiB .. 64KiB]')).toMatchInlineSnapshot(`"2"`);
  expect(await value('nonsense')).toMatchInlineSnapshot(`"refused: nothing is named \`nonsense\`"`);
  expect(await value('tracker(ring)')).toMatchInlineSnapshot(`"vmw_bo_dirty#0"`);
});

test('with a driver that forgets the TLB flush the run stops at the lost byte and tells what lost it', async () => {
  client = new Client(host);
  await client.start({ program: ring, with: ['no-clean-flush'] }, () =>
    filter('violation', 'warn'),
  );
  const stop = await client.go('continue');
  expect(stop.body).toMatchInlineSnapshot(`
    {
      "allThreadsStopped": true,
      "description": "R1: the GPU read 1 instead of 4, which the CPU had stored before: page 0 of ring, from byte 0 on",
      "hitBreakpointIds": [
        1,
      ],
      "reason": "exception",
      "threadId": 3,
    }
  `);
  const info = await client.request('exceptionInfo', { threadId: 1 });
  const numberless = info.body.description.replace(/(event|step) \d+/g, '$1 N');
  expect(numberless).toMatchInlineSnapshot(`
    "R1: the GPU read 1 instead of 4, which the CPU had stored before: page 0 of ring, from byte 0 on

    How it came to this:
      event N, step N, render: this scan had cleaned the dirty bit before the store
      event N, step N, render: the store went through a TLB entry of cpu0 that memory no longer backed: the dirty bit had been cleared and the entry was not flushed, so the walker did not set the bit again
      event N, step N, render: the store that was lost
      event N, step N, render: the scan found 0 PTEs and noted no page
      event N, step N, gpu: the read that got the old byte"
  `);
  await client.request('setExceptionBreakpoints', { filters: [] });
  expect((await client.go('continue')).event).toBe('terminated');
  expect((await client.event('exited')).body).toEqual({ exitCode: 1 });
});

test('the whole run forwards and backwards comes to the same stops', () => {
  const debuggee = loadDebuggee(large, readFileSync(large, 'utf8'), { with: [], without: [] });
  const session = new Session(debuggee as Debuggee);
  const wanted = (id: number, at: Wanted['at']): Wanted => ({
    id,
    at,
    condition: undefined,
    hitCondition: undefined,
    log: undefined,
  });
  const at: Wanted['at'][] = [
    ...['mkwrite', 'dirty-flush', 'fence-signal'].map(
      (id) => ({ kind: 'filter', filter: id }) as const,
    ),
    { kind: 'function', name: 'ttm_bo_vm_*' },
  ];
  session.breakpoints.replace(
    'all',
    at.map((a, i) => place(session, wanted(i, a)).placed!),
  );
  const walk = (begin: () => void, last: string): string[] => {
    const stops: string[] = [];
    for (;;) {
      begin();
      const stop = session.advance(1_000_000)!;
      if (stop.reason === last) return stops;
      stops.push(`${session.timeline.position} ${stop.title}`);
    }
  };
  session.start(true);
  const there = walk(() => session.continue(1), 'end');
  const back = walk(() => session.reverseContinue(1), 'entry');
  expect(there.length).toBeGreaterThan(80);
  expect(back.reverse()).toEqual(there);
});

test('a fault is explained alike in the exception, in the scope Fault, by $fault and in the Page Tables view', async () => {
  client = new Client(host);
  await client.start({ program: large }, () => filter('fault-write-protect'));
  await client.go('continue');
  const info = await client.request('exceptionInfo', { threadId: render });
  const { faults } = (await client.request('coherence/faults')).body;
  expect(faults.length).toBe(2);
  const [first, fault] = faults;
  expect(info.body.details.stackTrace).toBe(faultText(fault).join('\n'));
  const { body } = await client.request('stackTrace', { threadId: render, levels: 1 });
  const frameId = body.stackFrames[0].id;
  const asked = { expression: '$fault', frameId, context: 'repl' };
  expect((await client.request('evaluate', asked)).body.result).toBe(faultText(fault).join('\n'));
  expect(await value('$fault')).toBe('Write-protect fault at page 0 of p (big)');
  expect(await client.scope('Fault', render)).toMatchInlineSnapshot(`
    [
      "access = store of 4096 bytes by user mode on cpu0; line 22: write p[frame pages .. (frame + 1) pages] = frame",
      "address = 0x7ffff77ff000, page 0 of p (big)",
      "mapping = 0x7ffff77ff000-0x7ffff7fff000 rw-s mixedmap",
      "walk = stops at PTE[511]: W is clear, and this is a store",
      "TLB = cpu0 holds nothing",
      "code = 7: P=1 W=1 U=1",
      "path = do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_wp_page → wp_pfn_shared → vmw_bo_vm_mkwrite",
      "outcome = not over yet",
    ]
  `);
  expect(first.course.end).toMatchObject({ result: 'the access is tried again', counted: 'minor' });
  expect(fault.course).toEqual({ attempts: [], end: null });

  const snapshot = async () => (await client.request('coherence/snapshot')).body;
  const drawn = (node: OutlineNode, indent = ''): string[] => [
    `${indent}${node.label}: ${node.value.join(', ')}${node.icon === 'part' ? '' : ` (${node.icon})`}`,
    ...(node.open ? node.children.flatMap((child) => drawn(child, `${indent}  `)) : []),
  ];
  expect(drawn(pageTables(await snapshot())[0]!)).toMatchInlineSnapshot(`
    [
      "Write-protect fault at page 0 of p (big): render, not over yet (fault)",
      "  access: store of 4096 bytes by user mode on cpu0; line 22: write p[frame pages .. (frame + 1) pages] = frame",
      "  address: 0x7ffff77ff000, page 0 of p (big)",
      "  mapping: 0x7ffff77ff000-0x7ffff7fff000 rw-s mixedmap",
      "  walk: stops at PTE[511]: W is clear, and this is a store",
      "    PGD[255]: P W U A D, frame 0x80001 (0x80001067): goes on, to the PUD (on)",
      "    PUD[511]: P W U A D, frame 0x80002 (0x80002067): goes on, to the PMD (on)",
      "    PMD[443]: P W U A D, frame 0x80003 (0x80003067): goes on, to the PTE (on)",
      "    PTE[511]: P U A special NX, frame 0x10000 (0x8000000010000225): stops, W is clear, and this is a store (stops)",
      "  TLB: cpu0 holds nothing",
      "  code: 7: P=1 W=1 U=1",
      "  path: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_wp_page → wp_pfn_shared → vmw_bo_vm_mkwrite",
      "  outcome: not over yet",
    ]
  `);

  await filter('mkwrite');
  await client.go('continue', { threadId: render });
  const within = (await client.request('coherence/faults')).body.faults.at(-1);
  expect(within.course.end).toBe(null);
  expect(within.course.attempts[0].path.at(-1)).toBe('vmw_bo_vm_mkwrite');
  await filter('dirty-scan');
  await client.go('continue', { threadId: render });
  const over = (await client.request('coherence/faults')).body.faults.at(-1);
  expect({ ...over, course: null }).toEqual({ ...fault, course: null });
  expect(over.course.end).toMatchObject({ counted: 'minor', asPredicted: true });
});

test('looking at faults moves nothing: the run stands where it stood and goes on as it would have', async () => {
  client = new Client(host);
  await client.start({ program: large }, () => filter('dirty-scan'));
  await client.go('continue');
  const before = await time();
  await client.request('coherence/faults');
  await client.request('coherence/snapshot');
  expect(await time()).toEqual(before);
  await client.go('stepBack', { threadId: render });
  await client.go('next', { threadId: render });
  expect((await time()).position).toBe(before.position);
});

test('$fault before any page fault is refused in one sentence', async () => {
  client = new Client(host);
  await client.start({ program: large, stopOnEntry: true }, () => filter());
  expect(await value('$fault')).toBe('refused: this thread had no page fault yet');
});

test('a function breakpoint may name the pointer through which the function is called', () => {
  const debuggee = loadDebuggee(large, readFileSync(large, 'utf8'), { with: [], without: [] });
  const session = new Session(debuggee as Debuggee);
  const { placed } = place(session, {
    id: 1,
    at: { kind: 'function', name: 'pfn_mkwrite' },
    condition: undefined,
    hitCondition: undefined,
    log: undefined,
  });
  session.breakpoints.replace('all', [placed!]);
  session.start(true);
  session.continue(1);
  expect(session.advance(1_000_000)?.title).toContain('vmw_bo_vm_mkwrite');
});

test('who waits for a reservation is told whose it is and under which tickets, and so is who looks at the lock', async () => {
  client = new Client(host);
  const program = 'examples/reports/crossed-reservations.coh';
  await client.start({ program, with: ['backoff-keeps'] });
  const stop = (await client.go('continue')) as P.StoppedEvent;
  expect(stop.body.text).toBe(
    'No thread can go on: a deadlock. one on cpu0: waits for dma_resv of b ' +
      '(ret = dma_resv_lock_interruptible(bo->resv, ticket)) under ticket 1, held by two on cpu1 under ticket 2; ' +
      'two on cpu1: waits: until it was submitted.',
  );
  const { body } = await client.request('stackTrace', { threadId: render, levels: 1 });
  const { scopes } = (await client.request('scopes', { frameId: body.stackFrames[0].id })).body;
  const { variablesReference } = scopes.find(({ name }: P.Scope) => name === 'Locks held');
  const { variables } = (await client.request('variables', { variablesReference })).body;
  expect(variables.map(({ name, value }: P.Variable) => `${name}: ${value}`)).toEqual([
    'a.base.resv.lock: held under ticket 1',
  ]);
});
