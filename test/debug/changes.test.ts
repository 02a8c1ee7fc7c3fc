// Values changed by hand, and data breakpoints: on the real machine, as a person would do it.
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

const frameId = async (): Promise<number> =>
  (await client.request('stackTrace', { threadId: render, levels: 1 })).body.stackFrames[0].id;

async function value(expression: string): Promise<string> {
  const said = await client.request('evaluate', { expression, frameId: await frameId() });
  return said.success ? said.body.result : `refused: ${said.message}`;
}

async function set(expression: string, to: string): Promise<string> {
  const args = { expression, value: to, frameId: await frameId() };
  const said = await client.request('setExpression', args);
  return said.success ? said.body.value : `refused: ${said.message}`;
}

async function watch(...wanted: [string, Partial<P.DataBreakpoint>?][]): Promise<P.Breakpoint[]> {
  const breakpoints: P.DataBreakpoint[] = [];
  for (const [name, more] of wanted) {
    const { body } = await client.request('dataBreakpointInfo', { name, frameId: await frameId() });
    breakpoints.push({ dataId: body.dataId ?? name, ...more });
  }
  return (await client.request('setDataBreakpoints', { breakpoints })).body.breakpoints;
}

const time = async () => (await client.request('coherence/time')).body;
const stopText = (event: P.Event) =>
  `${event.body.reason}: ${event.body.description} | ${event.body.text}`;

/** Stands at the second statement of the thread, where the first page has been written. */
async function afterFirstWrite(): Promise<void> {
  client = new Client(host);
  await client.start({ program: ring }, () =>
    client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'vmw_execbuf_process' }] }),
  );
  await client.go('continue');
}

const pages = async () => {
  await afterFirstWrite();
  await client.request('setFunctionBreakpoints', { breakpoints: [] });
};

test('a bit cleared by hand has its consequences, is an entry of the schedule, and branches the run', async () => {
  await pages();
  const { position } = await time();
  expect(await value('pte(p[0])')).toBe('P W U A D S NX pfn 0x10000');
  expect(await set('tlb(cpu0, p[64KiB])', '+RW')).toBe(
    'refused: cpu0 has nothing cached for 0x7ffff7ff7000; only an access fills a TLB',
  );
  expect(await set('pte(p[0]).write', '0')).toBe('false');
  expect(await set('tlb(cpu0, p[0])', 'none')).toBe('none');
  expect(await value('pte(p[0])')).toBe('P U A D S NX pfn 0x10000');
  expect((await time()).position).toBe(position + 2);
  expect((await time()).schedule).toMatch(
    / pte:app:0x7ffff7fe7000:RW=0 tlb:0:0x7ffff7fe7000=none$/,
  );
  // The store of the fourth frame meets the read-only entry.
  await client.request('setExceptionBreakpoints', { filters: ['fault-write-protect'] });
  const stop = await client.go('continue', { threadId: render });
  expect(stop.body.description).toBe('Write-protect fault at page 0 of p (ring)');
  const there = await time();

  // Back to before the changes, and on without them: the run branches and says so; the other course stays.
  await client.go('coherence/goto', { position });
  expect(await value('pte(p[0]).write')).toBe('true');
  await client.request('setExceptionBreakpoints', { filters: [] });
  const from = client.messages.length;
  expect(await set('pte(p[4096]).dirty', '0')).toBe('false');
  const said = (await client.event('output', from)).body.output;
  expect(said).toBe(
    `The run branches at step ${position}: this is branch 2 now. Branch 1, up to step ${there.end}, is kept: "branch 1" goes back to it.\n`,
  );
  expect((await client.request('coherence/branches')).body).toEqual({
    branch: 2,
    branches: [
      { id: 1, parent: 0, from: 0, end: there.end },
      { id: 2, parent: 1, from: position, end: position + 1 },
    ],
  });
  const back = await client.go('coherence/branch', { branch: 1 });
  expect(back.body.description).toBe(`On branch 1, at step ${position} of ${there.end}`);
  await client.go('coherence/goto', { position: there.end });
  expect((await time()).hash).toBe(there.hash);
  expect((await client.request('coherence/branch', { branch: 7 })).message).toBe(
    'there is no branch 7; the last is 2',
  );

  // The schedule alone, followed from the start of the scenario, comes to the same state.
  const schedule = parseSchedule(there.schedule);
  const again = loadScenario(readFileSync(ring, 'utf8'), { schedule }) as Loaded;
  const timeline = new Timeline(again.run.engine, again.schedule);
  while (timeline.position < there.position) timeline.stepForward();
  expect(again.run.engine.store.hash()).toBe(there.hash);
});

test('variables are changed by what they show, views are told to look again, and what cannot be is refused', async () => {
  client = new Client(host);
  const breakpoints = [{ name: 'vmw_bo_dirty_scan_pagetable' }];
  const configure = () => client.request('setFunctionBreakpoints', { breakpoints });
  await client.start({ program: ring }, configure, { supportsInvalidatedEvent: true });
  await client.go('continue');
  const locals = async () => {
    const scopes = (await client.request('scopes', { frameId: await frameId() })).body.scopes;
    return scopes.find((s: P.Scope) => s.name === 'Locals').variablesReference;
  };
  const change = async (name: string, to: string, variablesReference?: number) => {
    const reference = variablesReference ?? (await locals());
    const said = await client.request('setVariable', {
      variablesReference: reference,
      name,
      value: to,
    });
    return said.success ? said.body.value : `refused: ${said.message}`;
  };
  const names = await client.children(await locals());
  expect(names[0]).toMatch(/^vbo = ring/);
  const { body } = await client.request('variables', { variablesReference: await locals() });
  const vbo = body.variables[0].variablesReference;
  const from = client.messages.length;
  expect(await change('cpu_writers', '0x10', vbo)).toBe('16');
  expect((await client.event('invalidated', from)).body).toEqual({ areas: ['variables'] });
  const dirty = (
    await client.request('variables', { variablesReference: vbo })
  ).body.variables.find((v: P.Variable) => v.name === 'dirty').variablesReference;
  expect(await change('bitmap', '3', dirty)).toBe('refused: it has parts: change one of them');
  const bitmap = (
    await client.request('variables', { variablesReference: dirty })
  ).body.variables.find((v: P.Variable) => v.name === 'bitmap').variablesReference;
  expect(await change('[17]', '1', bitmap)).toBe('1');
  expect(await value('tracker(ring).dirtyPages')).toBe('1');
  expect(await change('method', 'VMW_BO_DIRTY_MKWRITE', dirty)).toBe('VMW_BO_DIRTY_MKWRITE');
  expect(await change('method', 'sometimes', dirty)).toBe(
    "refused: 'sometimes' is no number, and none of VMW_BO_DIRTY_PAGETABLE, VMW_BO_DIRTY_MKWRITE",
  );
  expect(await change('vbo', 'NULL')).toBe('NULL');
  expect(await change('vbo', 'vma#0')).toBe(
    'refused: there is no object vma#0; write NULL, or vmw_buffer_object#0',
  );
  expect((await time()).schedule.split(' ').filter((word: string) => word.includes('='))).toEqual([
    'field:vmw_buffer_object#0.cpu_writers=16',
    'field:vmw_bo_dirty#0.bitmap[17]=1',
    'field:vmw_bo_dirty#0.method=1',
    expect.stringMatching(/^local:1:\d+\.vbo=NULL$/),
  ]);
  expect(await set('faults.write', '3')).toBe(
    'refused: a counter says what has happened; it is not set by hand',
  );
  expect(await set('p', '3')).toMatch(/^refused: 98304 bytes are more than one value is meant for/);
  expect(await set('pte(p[0])', 'banana')).toMatch(/^refused: write a number such as/);
  expect(await set('frame + 1', '3')).toMatch(/^refused: this is computed from several things/);
});

test('the entries of a mapping are variables by page: shown, changed and watched bit by bit', async () => {
  client = new Client(host);
  const breakpoints = [{ name: 'vmw_bo_dirty_scan_pagetable' }];
  await client.start({ program: ring }, () =>
    client.request('setFunctionBreakpoints', { breakpoints }),
  );
  await client.go('continue');
  const child = async (variablesReference: number, name: string, page: object = {}) => {
    const { variables } = (await client.request('variables', { variablesReference, ...page })).body;
    return variables.find((v: P.Variable) => v.name === name);
  };
  const { scopes } = (await client.request('scopes', { frameId: await frameId() })).body;
  const space = scopes.find((s: P.Scope) => s.name === 'Address space').variablesReference;
  const mapping = await child(space, 'p');
  const entries = await child(mapping.variablesReference, 'PTEs');
  expect(entries).toMatchObject({ value: '24 pages', indexedVariables: 24 });
  expect(await client.children(entries.variablesReference, { start: 7, count: 2 })).toEqual([
    '[7] = P W U A D S NX pfn 0x10007',
    '[8] = none',
  ]);
  const [first] = (
    await client.request('variables', { variablesReference: entries.variablesReference, count: 1 })
  ).body.variables;
  expect(first.evaluateName).toBe('pte:app:0x7ffff7fe7000');
  const bit = { variablesReference: first.variablesReference, name: 'D' };
  expect((await client.request('dataBreakpointInfo', bit)).body.dataId).toBe(
    'pte:app:0x7ffff7fe7000:D',
  );
  expect((await client.request('setVariable', { ...bit, value: '0' })).body.value).toBe('0');
  const change = { variablesReference: entries.variablesReference, name: '[1]', value: '-W -D' };
  expect((await client.request('setVariable', change)).body.value).toBe('P U A S NX pfn 0x10001');
  expect(await value('pte(p[0]).dirty')).toBe('false');
  expect(await value('pte(p[4096]).write')).toBe('false');
});

test('a schedule with a change that does not fit stops where it departs, and says why', async () => {
  client = new Client(host);
  await client.start({ program: ring, schedule: '2x3 bytes:app:0x1000:1=3 2' });
  const stop = await client.go('continue');
  expect(stop.body.text).toBe(
    'the schedule does not fit this run: at step 3 bytes:app:0x1000:1=3: there is no memory at bytes:app:0x1000 yet',
  );
  expect((await time()).position).toBe(3);
});

test('data breakpoints on bits, bytes, trackers, fences and counters come alike in both directions', async () => {
  await pages();
  const [bit, ...others] = await watch(
    ['pte(p[0]).dirty'],
    ['gpu(ring)[0 .. 4]'],
    ['tracker(ring)', { condition: 'frame == 1', hitCondition: '% 4' }],
    ['done[1]'],
    ['faults.writeProtect'],
    ['tlb(cpu0, p[0])', { hitCondition: '3' }],
    ['fence:never'],
  );
  expect(bit).toEqual({ id: bit!.id, verified: true });
  expect(others.at(-1)).toMatchObject({ verified: false, message: 'there is no fence never' });
  const there: string[] = [];
  for (let i = 0; i < 9; i++) {
    const stop = await client.go('continue', { threadId: render });
    there.push(`${(await time()).position}: ${stopText(stop)}`);
  }
  expect(there.map((line) => line.replace(/^\d+: data breakpoint: /, ''))).toMatchInlineSnapshot(`
    [
      "D of the PTE of 0x7ffff7fe7000 in app: 1 → 0 | render on cpu0 wrote it in apply_pt_clean: old_pte = ptep_modify_prot_start(vma, addr, pte).",
      "4 bytes at gpu:ring:0: 0x00000000 → 0x01010101 | gpu wrote it in update_gb_image: copy from the page of the MOB to the device.",
      "Dirty bitmap of ring: 8-10 → 8-11 | render on cpu0 wrote it in apply_pt_clean: __set_bit(pgoff, clean->bitmap).",
      "Dirty bitmap of ring: 8-14 → 8-15 | render on cpu0 wrote it in apply_pt_clean: __set_bit(pgoff, clean->bitmap).",
      "Fence done[1]: not there → not signaled | render on cpu0 wrote it in render: the fence.",
      "D of the PTE of 0x7ffff7fe7000 in app: 0 → 1 | render on cpu0 wrote it in page_walk: entry = table[index]; set A, and D in the leaf on a write.",
      "D of the PTE of 0x7ffff7fe7000 in app: 1 → 0 | render on cpu0 wrote it in apply_pt_clean: old_pte = ptep_modify_prot_start(vma, addr, pte).",
      "TLB entry of cpu0 for 0x7ffff7fe7000: pfn 0x10000 RW US D → none | render on cpu0 wrote it in flush_tlb_func_common: flush_tlb_one_user() or flush_tlb_local().",
      "4 bytes at gpu:ring:0: 0x01010101 → 0x04040404 | gpu wrote it in update_gb_image: copy from the page of the MOB to the device.",
    ]
  `);
  const back: string[] = [there[8]!];
  for (let i = 0; i < 8; i++) {
    const stop = await client.go('reverseContinue', { threadId: render });
    back.push(`${(await time()).position}: ${stopText(stop)}`);
  }
  expect(back.reverse()).toEqual(there);
});

test('a data breakpoint set before anything is mapped waits for it; reads are told from writes', async () => {
  client = new Client(host);
  await client.start({ program: ring }, () =>
    client.request('setDataBreakpoints', {
      breakpoints: [
        { dataId: 'pte:app:0x7ffff7fe7000:RW' },
        { dataId: 'bytes:app:0x7ffff7fe7004:2', condition: 'new == 0x0202' },
        { dataId: 'object:ring:0:4', accessType: 'read' },
      ],
    }),
  );
  const stops: string[] = [];
  for (let i = 0; i < 5; i++) stops.push(stopText(await client.go('continue')));
  expect(stops).toMatchInlineSnapshot(`
    [
      "data breakpoint: RW of the PTE of 0x7ffff7fe7000 in app: 0 → 1 | render on cpu0 wrote it in insert_pfn: entry = pte_mkspecial(pfn_t_pte(pfn, prot)); set_pte_at(mm, addr, pte, entry).",
      "data breakpoint: RW of the PTE of 0x7ffff7fe7000 in app: 1 → 0 | render on cpu0 wrote it in apply_pt_clean: old_pte = ptep_modify_prot_start(vma, addr, pte).",
      "data breakpoint: RW of the PTE of 0x7ffff7fe7000 in app: 0 → 1 | render on cpu0 wrote it in apply_pt_clean: ptep_modify_prot_commit(vma, addr, pte, old_pte, pte_mkclean(old_pte)).",
      "data breakpoint: Read of 4 bytes at object:ring:0: 0x01010101 | gpu read it in update_gb_image: copy from the page of the MOB to the device.",
      "data breakpoint: RW of the PTE of 0x7ffff7fe7000 in app: 1 → 0 | render on cpu0 wrote it in apply_pt_clean: old_pte = ptep_modify_prot_start(vma, addr, pte).",
    ]
  `);
  const by = { name: '0x7ffff7fe7000', bytes: 8, asAddress: true };
  expect((await client.request('dataBreakpointInfo', by)).body).toEqual({
    dataId: 'bytes:app:0x7ffff7fe7000:8',
    description: '8 bytes at bytes:app:0x7ffff7fe7000',
    accessTypes: ['write', 'read', 'readWrite'],
    canPersist: true,
  });
});
