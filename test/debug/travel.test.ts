// The debug console, journeys through time, who goes next, memory and micro-steps: a session as a person would have it.
import { readFileSync } from 'node:fs';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { afterEach, expect, test } from 'vitest';
import { loadDebuggee } from '../../src/debug/scenario';
import { parseSchedule } from '../../src/routine/schedule';
import { type Loaded, loadScenario } from '../../src/scenario/load';
import { Timeline } from '../../src/timeline/timeline';
import { Client } from './client';

const host = { read: async (path: string) => readFileSync(path, 'utf8'), load: loadDebuggee };
const ring = 'examples/01-ring-buffer.coh';
const render = 2;

let client: Client;
afterEach(() => {
  expect(client.wrong).toEqual([]);
  client.close();
});

const frameId = async (threadId = render): Promise<number> =>
  (await client.request('stackTrace', { threadId, levels: 1 })).body.stackFrames[0].id;

/** What the console says; when the run moves, where it stands then. */
async function say(expression: string): Promise<string> {
  const from = client.messages.length;
  const args = { expression, context: 'repl', frameId: await frameId() };
  const { success, message, body } = await client.request('evaluate', args);
  if (!success) return `refused: ${message}`;
  const moves = /…$|^To step|^Event|^Branch|^$/.test(body.result);
  if (!moves) return body.result;
  const stop = await client.event('stopped', from);
  const text = stop.body.text === undefined ? '' : ` | ${stop.body.text}`;
  return `${body.result} ⇒ ${stop.body.reason}: ${stop.body.description}${text}`.trim();
}

const time = async () => (await client.request('coherence/time')).body;

async function launch(more: object = {}): Promise<void> {
  client = new Client(host);
  await client.start({ program: ring, ...more }, () =>
    client.request('setExceptionBreakpoints', { filters: ['violation', 'evict'] }),
  );
}

test('the console asks who, why and since when, and goes there', async () => {
  await launch({ with: ['no-clean-flush'] });
  await client.go('continue');
  expect((await say('why')).replace(/(event|step) \d+/g, '$1 N')).toMatchInlineSnapshot(`
    "R1: the GPU read 1 instead of 4, which the CPU had stored before: page 0 of ring, from byte 0 on
    How it came to this:
      event N, step N, render: this scan had cleaned the dirty bit before the store
      event N, step N, render: the store went through a TLB entry of cpu0 that memory no longer backed: the dirty bit had been cleared and the entry was not flushed, so the walker did not set the bit again
      event N, step N, render: the store that was lost
      event N, step N, render: the scan found 0 PTEs and noted no page
      event N, step N, gpu: the read that got the old byte"
  `);
  const there = await time();
  const said: string[] = [];
  for (const line of [
    'pte p[0]',
    'who wrote pte(p[0]).dirty',
    'history gpu(ring)[0] 2',
    'bookmark lost',
    'back to pte(p[0]).dirty',
    'run to change tlb(cpu0, p[0])',
    'run to fence done[2]',
    'run to event 3',
    'run to fault',
    'goto lost',
    'bookmarks',
    'step nobody',
    'who wrote p[0] + 1',
    'goto somewhere',
    'run to nowhere',
  ]) {
    said.push(`> ${line}`, await say(line));
  }
  const numberless = said.join('\n').replace(/step \d+/gi, 'step N');
  expect(numberless).toMatchInlineSnapshot(`
    "> pte p[0]
    PGD P W U A D pfn 0x80001 (0x80001067)
    PUD P W U A D pfn 0x80002 (0x80002067)
    PMD P W U A D pfn 0x80003 (0x80003067)
    PTE P W U A S NX pfn 0x10000 (0x8000000010000227)
    > who wrote pte(p[0]).dirty
    step N: 1 → 0. render on cpu0 wrote it in apply_pt_clean: old_pte = ptep_modify_prot_start(vma, addr, pte).
    > history gpu(ring)[0] 2
    step N: 0x00 → 0x01. gpu wrote it in update_gb_image: copy from the page of the MOB to the device.
    (all changes from the beginning of the run)
    > bookmark lost
    lost is step N
    > back to pte(p[0]).dirty
    Back to the last change of D of the PTE of 0x7ffff7fe7000 in app … ⇒ goto: D of the PTE of 0x7ffff7fe7000 in app: 1 → 0 | render on cpu0 wrote it in apply_pt_clean: old_pte = ptep_modify_prot_start(vma, addr, pte).
    > run to change tlb(cpu0, p[0])
    On to the next change of TLB entry of cpu0 for 0x7ffff7fe7000 … ⇒ goto: TLB entry of cpu0 for 0x7ffff7fe7000: pfn 0x10000 RW US D → none | render on cpu0 wrote it in flush_tlb_func_common: flush_tlb_one_user() or flush_tlb_local().
    > run to fence done[2]
    fence done[2] has signalled already; \`back to done[2]\` goes to that moment
    > run to event 3
    Event 3 was at step N ⇒ step: At step N
    > run to fault
    On to the next page fault … ⇒ goto: Write fault at page 0 of p (ring) | render on cpu0 stored to page 0 of p (ring) (0x7ffff7fe7000); the walk stops at PGD[255]: nothing is there. Next: do_user_addr_fault → handle_mm_fault → handle_pte_fault → do_fault → do_shared_fault → vmw_bo_vm_fault, because there is no page table for the address, it is a store to a shared mapping.
    > goto lost
    To step N ⇒ step: At step N
    > bookmarks
    cause1: step N
    lost: step N
    cause2: step N
    cause3: step N
    cause4: step N
    cause5: step N
    > step nobody
    refused: there is no agent nobody; \`agents\` lists them
    > who wrote p[0] + 1
    refused: this is computed from several things; take one of them, such as pte(p[0]).write, gpu(ring)[0 .. 256], tracker(ring).start, done[0] or faults.write, and put the rest into a condition
    > goto somewhere
    refused: somewhere is no step and no bookmark
    > run to nowhere
    refused: a command is written run to change EXPRESSION or run to fence NAME or run to fault or run to event NUMBER; \`help\` lists them all"
  `);
  expect((await time()).hash).toBe(there.hash);
  const differs = await say('diff 100 lost');
  expect(differs).toMatch(/^From step 100 to step \d+:\n/);
  expect(differs).toMatch(/^field:page_table#0.entries\[255\]: 0x0 → 0x80001067$/m);
  expect(differs).toMatch(/^memory: blocks with \d+ bytes$/m);
  expect(await say('diff lost lost')).toMatch(/: nothing differs$/);
  const report = await say('report');
  expect(report).toContain(
    'Scenario: "three-section ring buffer, persistent coherent" (01-ring-buffer.coh)',
  );
  expect(report).toContain('the store that was lost');
  // The schedule of the report, run again, comes to the same state.
  const text = report.slice(report.indexOf('launch configuration):') + 22);
  const loaded = loadScenario(readFileSync(ring, 'utf8'), {
    with: ['no-clean-flush'],
    schedule: parseSchedule(text),
  }) as Loaded;
  const timeline = new Timeline(loaded.run.engine, loaded.schedule);
  timeline.seek(timeline.end);
  expect(loaded.run.engine.store.hash()).toBe(there.hash);
  expect(await say('help')).toMatch(/^pte EXPRESSION +the entries of all levels/);
  const { body } = await client.request('completions', { text: 'ba', column: 3 });
  expect(body.targets).toEqual([{ label: 'back to', type: 'keyword', start: 1, length: 2 }]);
});

test('who goes next is seen and chosen: the others say why they cannot, each choice is in the schedule', async () => {
  await launch();
  await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'dma_fence_wait' }] });
  await client.go('continue', { threadId: render });
  await client.request('setFunctionBreakpoints', { breakpoints: [] });
  expect(await say('agents')).toMatchInlineSnapshot(`
    "2 app on cpu0: finished
    3 render on cpu0: ready, goes next; dma_fence_wait: trace_dma_fence_wait_start(fence)
    4 gpu: ready; svga_device: wait for commands"
  `);
  const { targets } = (await client.request('stepInTargets', { frameId: await frameId() })).body;
  expect(targets.map((t: P.StepInTarget) => t.label)).toMatchInlineSnapshot(`
    [
      "render on cpu0: dma_fence_wait: trace_dma_fence_wait_start(fence)",
      "gpu: svga_device: wait for commands",
    ]
  `);
  const { position } = await time();
  const gpu = targets.find((t: P.StepInTarget) => t.label.startsWith('gpu'));
  const stop = await client.go('stepIn', { threadId: render, targetId: gpu.id });
  expect(stop.body).toMatchObject({ reason: 'step', threadId: 3 });
  expect((await time()).position).toBe(position + 1);
  expect((await client.request('stepIn', { threadId: render, targetId: gpu.id })).message).toBe(
    `target ${gpu.id} is from before the last step; ask for the targets again`,
  );
  expect(await say('step gpu')).toMatch(/^⇒ step: /);
  const { schedule } = await time();
  expect(schedule).toMatch(/ 4x2$/);
  // The GPU is held: the thread runs until it needs it.
  expect(await say('hold gpu')).toBe('Held: gpu');
  const held = await client.go('continue', { threadId: render });
  expect(held.body).toMatchObject({
    reason: 'pause',
    description: 'Only who is held could go on',
    text: 'Held: gpu. Step one of them, or let them run again.',
  });
  const { agents } = (await client.request('coherence/agents')).body;
  expect(agents.find((a: { name: string }) => a.name === 'render on cpu0')).toMatchObject({
    state: 'blocked',
    held: false,
  });
  expect((await client.request('coherence/stepAgent', { agent: 3 })).message).toMatchInlineSnapshot(
    `"render on cpu0 cannot go on: waits: schedule_timeout(timeout)"`,
  );
  expect(await say('release')).toBe('Nobody is held');
  expect((await client.go('continue')).event).toBe('terminated');
});

test('lines are gone to, frames begun again', async () => {
  await launch();
  const lines = readFileSync(ring, 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes('submit {')) + 1;
  const asked = { source: { path: ring }, line };
  const targets = async () => (await client.request('gotoTargets', asked)).body.targets;
  const stops: string[] = [];
  for (const which of [0, 0, 1]) {
    const { id } = (await targets())[which];
    const { body } = await client.go('goto', { threadId: render, targetId: id });
    stops.push(`${body.reason}: ${body.description}, frame ${await say('frame')}`);
  }
  expect(stops).toEqual([
    `goto: At line ${line}, frame 0`,
    `goto: At line ${line}, frame 1`,
    `goto: At line ${line}, frame 0`,
  ]);
  await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'vmw_bo_dirty_scan' }] });
  await client.go('continue', { threadId: render });
  const { position } = await time();
  await client.request('setFunctionBreakpoints', { breakpoints: [] });
  await client.go('next', { threadId: render });
  await client.go('next', { threadId: render });
  const again = await client.go('restartFrame', { frameId: await frameId() });
  expect(again.body.description).toBe('At the beginning of vmw_bo_dirty_scan');
  expect((await time()).position).toBe(position);
});

test('memory is read and written by references that hold, with holes and an end', async () => {
  client = new Client(host);
  const configure = () =>
    client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'vmw_execbuf_process' }] });
  await client.start({ program: ring }, configure, { supportsMemoryEvent: true });
  await client.go('continue');
  const reference = async (expression: string) =>
    (await client.request('evaluate', { expression, frameId: await frameId() })).body
      .memoryReference;
  const references = [];
  for (const e of ['p', 'ring', 'gpu(ring)', 'pte(p[0])']) references.push(await reference(e));
  expect(references).toEqual([
    'bytes:app:0x7ffff7fe7000',
    'object:ring:0',
    'gpu:ring:0',
    'phys:0x10000000',
  ]);
  const read = async (memoryReference: string, count: number, offset = 0) => {
    const said = await client.request('readMemory', { memoryReference, offset, count });
    if (!said.success) return said.message;
    const { address, data = '', unreadableBytes = 0 } = said.body;
    const bytes = Buffer.from(data, 'base64');
    const shown = bytes.length > 8 ? `${bytes.length} bytes` : bytes.toString('hex');
    return `${address}: ${shown}${unreadableBytes > 0 ? ` hole of ${unreadableBytes}` : ''}`;
  };
  expect(await read('bytes:app:0x7ffff7fe7000', 0)).toBe('0x7ffff7fe7000: ');
  expect(await read('bytes:app:0x7ffff7fe7000', 4)).toBe('0x7ffff7fe7000: 01010101');
  expect(await read('0x7ffff7fe7000', 4, 2)).toBe('0x7ffff7fe7002: 01010101');
  expect(await read('object:ring:0', 131_072)).toBe('0x0: 98304 bytes');
  expect(await read('object:ring:0', 8, 98_300)).toBe('0x17ffc: 00000000');
  expect(await read('object:ring:0', 8, 98_304)).toBe('0x18000: ');
  expect(await read('object:ring:0', 8, -4)).toBe('-0x4:  hole of 4');
  expect(await read('gpu:ring:0', 8)).toBe('0x0:  hole of 8');
  expect(await read('phys:0x10000000', 2)).toBe('0x10000000: 0101');
  expect(await read('bytes:app:0x1000', 4)).toBe('nothing is mapped at 0x1000 in app');
  expect(await read('tables', 4)).toMatch(
    /^'tables' names no memory; one is bytes:PROCESS:0xADDRESS/,
  );
  const from = client.messages.length;
  const data = Buffer.from([7, 8, 9]).toString('base64');
  const wrote = await client.request('writeMemory', {
    memoryReference: 'bytes:app:0x7ffff7fe7000',
    offset: 4095,
    data,
  });
  expect(wrote.body).toEqual({ bytesWritten: 3 });
  expect((await client.event('memory', from)).body.memoryReference).toBe(
    'bytes:app:0x7ffff7fe7000',
  );
  expect(await read('object:ring:4094', 5)).toBe('0xffe: 0107080901');
  expect((await time()).schedule).toMatch(/ bytes:app:0x7ffff7fe7fff:3=0x070809$/);
  const refused = await client.request('writeMemory', { memoryReference: 'gpu:ring:0', data });
  expect(refused.message).toBe('of the 3 bytes from gpu:ring:0 on 0 are there');
});

test('micro-steps are instructions: sorted, padded at either end, stopped at and stepped by', async () => {
  await launch();
  await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'insert_pfn' }] });
  await client.go('continue', { threadId: render });
  const frames = (await client.request('stackTrace', { threadId: render })).body.stackFrames;
  const pointer = frames[0].instructionPointerReference;
  const disassemble = async (more: object) =>
    (
      await client.request('disassemble', {
        memoryReference: pointer,
        instructionCount: 5,
        ...more,
      })
    ).body.instructions as P.DisassembledInstruction[];
  const some = await disassemble({ instructionOffset: -1 });
  expect(some[1]).toMatchObject({ address: pointer, symbol: 'insert_pfn' });
  expect(some[1]!.location!.name).toMatch(/memory\.c$/);
  expect(some[2]!.location).toBe(undefined);
  expect(frames[0].line).toBe(some[1]!.line);
  const all = await disassemble({ instructionOffset: -50_000, instructionCount: 100_000 });
  expect(all.length).toBe(100_000);
  const addresses = all.map(({ address }) => Number(address));
  expect(addresses.every((a, i) => i === 0 || a > addresses[i - 1]!)).toBe(true);
  expect([all[0]!.presentationHint, all.at(-1)!.presentationHint]).toEqual(['invalid', 'invalid']);
  await client.request('setFunctionBreakpoints', { breakpoints: [] });
  const set = await client.request('setInstructionBreakpoints', {
    breakpoints: [{ instructionReference: pointer, offset: 2 }, { instructionReference: '0x7' }],
  });
  expect(set.body.breakpoints.map((b: P.Breakpoint) => b.verified)).toEqual([true, false]);
  const stop = await client.go('continue', { threadId: render });
  expect(stop.body.reason).toBe('instruction breakpoint');
  const now = (await client.request('stackTrace', { threadId: render })).body.stackFrames[0];
  expect(now.instructionPointerReference).toBe(some[3]!.address);
  const { position } = await time();
  await client.go('next', { threadId: render, granularity: 'instruction' });
  await client.go('stepBack', { threadId: render, granularity: 'instruction' });
  expect((await time()).position).toBe(position);
  expect(
    (await client.request('disassemble', { memoryReference: 'x', instructionCount: 1 })).message,
  ).toBe('x is the address of no micro-step');
  const { modules } = (await client.request('modules', {})).body;
  expect(modules.map((m: P.Module) => m.id)).toEqual([
    'vmwgfx',
    'ttm',
    'fence',
    'svga',
    'mm',
    'cpu',
    'user',
  ]);
});

const witness = async (): Promise<string> => {
  const loaded = loadScenario(readFileSync(ring, 'utf8'), { with: ['no-clean-flush'] }) as Loaded;
  const timeline = new Timeline(loaded.run.engine);
  timeline.run(() => undefined, 100_000);
  return timeline.schedule();
};

test('a witness opens standing on the violation, with a mark where the data were lost and one command to go there', async () => {
  const schedule = await witness();
  const files: Record<string, string> = {
    'w.json': JSON.stringify({ verdict: 'violated', violations: [{ schedule }] }),
    'empty.json': '{}',
  };
  client = new Client({ ...host, read: async (path) => files[path] ?? host.read(path) });
  await client.request('initialize', { adapterID: 'coherence' });
  const refused = async (args: object) => (await client.request('attach', args)).message;
  expect(await refused({ program: ring })).toBe(
    'attach: "schedule" is the recorded run, or "witness" names a file that holds it; use launch for a new run',
  );
  expect(await refused({ program: ring, witness: 'empty.json' })).toBe(
    'attach: there is no schedule in empty.json',
  );
  const attached = client.send('attach', {
    program: ring,
    with: ['no-clean-flush'],
    witness: 'w.json',
  });
  const from = client.messages.length;
  await client.request('configurationDone');
  expect((await client.response(attached)).success).toBe(true);
  const stop = await client.event('stopped', from);
  expect(stop.body).toMatchObject({
    reason: 'exception',
    description:
      'R1: the GPU read 1 instead of 4, which the CPU had stored before: page 0 of ring, from byte 0 on',
  });
  const { end, position } = await time();
  expect(position).toBeLessThan(end);
  expect((await client.request('exceptionInfo', { threadId: 3 })).body.exceptionId).toBe(
    'violation',
  );
  await say('goto lost');
  expect(
    (await client.stack(render)).map((frame) => frame.replace(/(\/.*):\d+$/, '$1')),
  ).toMatchInlineSnapshot(`
    [
      "store: return 0 @ arch/x86/cpu",
      "user_write @ user/winsys",
      "render on cpu0 @ 01-ring-buffer.coh:25",
    ]
  `);
  // What was not recorded leaves the witness, which stays.
  const change = { expression: 'pte(p[0]).dirty', value: '1', frameId: await frameId() };
  expect((await client.request('setExpression', change)).body.value).toBe('true');
  expect(await say('branches')).toMatch(
    new RegExp(
      `^  branch 1: from the start, up to step ${end}\n→ branch 2: leaves branch 1 at step `,
    ),
  );
});

test('scopes show the address space, the TLB, trackers, the device, fences and counters; each can be watched', async () => {
  await launch();
  await client.request('setFunctionBreakpoints', {
    breakpoints: [{ name: 'vmw_execbuf_process' }],
  });
  await client.go('continue', { threadId: render });
  const { scopes } = (await client.request('scopes', { frameId: await frameId() })).body;
  const shown: string[] = [];
  for (const { name, variablesReference } of scopes) {
    if (['Locals', 'Objects', 'Locks held'].includes(name)) continue;
    const children = await client.children(variablesReference, { start: 0, count: 3 });
    shown.push(`${name}: ${children.join('; ')}`);
  }
  expect(shown).toMatchInlineSnapshot(`
    [
      "Address space: p = 0x7ffff7fe7000-0x7ffff7fff000",
      "TLB of cpu0: 0x7ffff7fe7000 = pfn 0x10000 RW US D; 0x7ffff7fe8000 = pfn 0x10001 RW US D; 0x7ffff7fe9000 = pfn 0x10002 RW US D",
      "Trackers: ring = none",
      "GPU copies: ring = none",
      "Fences: done[0] = not there; done[1] = not there; done[2] = not there",
      "Counters: faults.read = 0; faults.write = 8; faults.writeProtect = 0",
    ]
  `);
  const tlb = scopes.find((s: P.Scope) => s.name === 'TLB of cpu0').variablesReference;
  const asked = { variablesReference: tlb, name: '0x7ffff7fe7000' };
  expect((await client.request('dataBreakpointInfo', asked)).body.dataId).toBe(
    'tlb:0:0x7ffff7fe7000',
  );
  const line =
    readFileSync(ring, 'utf8')
      .split('\n')
      .findIndex((text) => text.includes('write p[')) + 1;
  const places = await client.request('breakpointLocations', { source: { path: ring }, line });
  expect(places.body.breakpoints).toEqual([{ line, column: 7, endLine: line, endColumn: 54 }]);
  const thousands = Array.from({ length: 3000 }, (_, i) => ({ dataId: `gpu:ring:${i * 32}:32` }));
  const set = await client.request('setDataBreakpoints', { breakpoints: thousands });
  expect(set.body.breakpoints.every((b: P.Breakpoint) => b.verified)).toBe(true);
  const hit = await client.go('continue', { threadId: render });
  expect(hit.body.hitBreakpointIds.length).toBe(128); // a page arrives at once
});
