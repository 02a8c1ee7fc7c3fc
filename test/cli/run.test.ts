// `coherence run` on the shipped scenarios: what holds, what is lost with a fault put in, and why.
import { cpSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { commandLine } from './coherence';

const cli = commandLine();
const { run: coherence } = cli;
beforeAll(() => cpSync('examples', path.join(cli.folder, 'examples'), { recursive: true }));

/** The output without what changes with the model's grain: events and steps by number. */
const told = (out: string): string =>
  out
    .replace(/event \d+, step \d+/g, 'event N')
    .replace(/cpu(\d), step \d+/g, 'cpu$1, step N')
    .replace(/\d+ micro-steps/g, 'N micro-steps');

test('the ring buffer holds: 9 faults in the first turn and none later, each section uploaded once a frame', () => {
  const { code, out } = coherence('run', 'examples/01-ring-buffer.coh');
  expect(told(out)).toMatchInlineSnapshot(`
    "three-section ring buffer, persistent coherent
      0 read faults, 9 write faults, 0 write-protect faults, 6 scans, 48 PTEs scanned, 6 updates, 196608 bytes uploaded, 6 TLB flushes, 0 readbacks, 8 fences; N micro-steps
    holds
    "
  `);
  expect(code).toBe(0);
});

test('without its wait the race is named by pages and fence, and the verdict stays', () => {
  const { code, out } = coherence('run', 'examples/streaming/ring-buffer-without-wait.coh');
  expect(told(out)).toMatchInlineSnapshot(`
    "ring buffer that does not wait
      0 read faults, 9 write faults, 0 write-protect faults, 4 scans, 32 PTEs scanned, 4 updates, 131072 bytes uploaded, 4 TLB flushes, 0 readbacks, 6 fences; N micro-steps
    examples/streaming/ring-buffer-without-wait.coh:16:7: race: the CPU stored while submission 1 (fence done[0]) reads it, whose fence was not waited for: pages 0 to 7 of ring, from byte 0 on
    holds
    "
  `);
  expect(code).toBe(0);
});

test('a driver that cleans without flushing the TLB loses a store, and the chain says how', () => {
  const { code, out } = coherence('run', 'examples/01-ring-buffer.coh', '--with', 'no-clean-flush');
  expect(told(out).split('\n').slice(2, 8).join('\n')).toMatchInlineSnapshot(`
    "examples/01-ring-buffer.coh:27:7: R1: the GPU read 1 instead of 4, which the CPU had stored before: pages 0 to 7 of ring, from byte 0 on
        event N, render: this scan had cleaned the dirty bit before the store
        event N, render: the store went through a TLB entry of cpu0 that memory no longer backed: the dirty bit had been cleared and the entry was not flushed, so the walker did not set the bit again
        event N, render: the store that was lost
        event N, render: the scan found 0 PTEs and noted no page
        event N, gpu: the read that got the old byte"
  `);
  expect(out.trimEnd().split('\n').at(-1)).toBe('violated');
  expect(code).toBe(1);
});

test('a mkwrite callback that marks nothing loses the large buffer and leaves the ring alone', () => {
  const variant = ['--with', 'mkwrite-marks-nothing'];
  const large = coherence('run', 'examples/02-large-buffer.coh', ...variant);
  expect(told(large.out).split('\n').slice(2, 7).join('\n')).toMatchInlineSnapshot(`
    "examples/02-large-buffer.coh:26:7: R1: the GPU read 0 instead of 1, which the CPU had stored before: page 1 of big, from byte 4096 on
        event N, render: vmw_bo_vm_mkwrite was called for page 1 and marked nothing
        event N, render: the store that was lost
        event N, render: the scan found 0 PTEs and noted no page
        event N, gpu: the read that got the old byte"
  `);
  expect(large.code).toBe(1);
  expect(coherence('run', 'examples/01-ring-buffer.coh', ...variant).code).toBe(0);
});

test('with tracking off the observer names the first lost byte', () => {
  const { code, out } = coherence('run', 'examples/01-ring-buffer.coh', '--with', 'tracking-off');
  expect(told(out).split('\n').slice(2, 6).join('\n')).toMatchInlineSnapshot(`
    "examples/01-ring-buffer.coh:27:7: R1: the GPU read 0 instead of 1, which the CPU had stored before: pages 0 to 7 of ring, from byte 0 on
        event N, render: the store that was lost
        no scan looked for written pages between the store and the read
        event N, gpu: the read that got the old byte"
  `);
  expect(code).toBe(1);
});

test('the idle buffer and the render target show the counters of their documents', () => {
  expect(coherence('run', 'examples/03-idle-buffer.coh').code).toBe(0);
  expect(coherence('run', 'examples/04-render-target-readback.coh').code).toBe(0);
});

test('6.1 throws away what was written before the first submission', () => {
  const { code, out } = coherence('run', 'examples/01-ring-buffer.coh', '--kernel', 'linux-6.1');
  expect(told(out).split('\n').slice(2, 8).join('\n')).toMatchInlineSnapshot(`
    "examples/01-ring-buffer.coh:27:7: R1: the GPU read 0 instead of 1, which the CPU had stored before: pages 0 to 7 of ring, from byte 0 on
        event N, render: the store that was lost
        event N, render: the entry was taken out of the page table, and its dirty bit with it
        event N, render: that was for a move of the buffer object
        event N, render: the scan found 0 PTEs and noted no page
        event N, gpu: the read that got the old byte"
  `);
  expect(code).toBe(1);
});

test('--json is one object with verdict, violations and counters; its schedule gives the same again', () => {
  const args = ['run', 'examples/02-large-buffer.coh', '--with', 'mkwrite-marks-nothing', '--json'];
  const result = JSON.parse(coherence(...args).out);
  expect(Object.keys(result)).toEqual(['verdict', 'scenario', 'violations', 'races', 'counters']);
  expect(result.verdict).toBe('violated');
  const [first] = result.violations;
  expect(first).toMatchObject({ kind: 'R1', at: { line: 26, column: 7 } });
  const again = JSON.parse(coherence(...args, '--schedule', first.schedule).out);
  expect(again).toEqual(result);
});

test('a schedule that does not fit, and names that do not exist, are refused in a sentence', () => {
  const ring = 'examples/01-ring-buffer.coh';
  const refused = (...args: string[]) => {
    const { code, err } = coherence('run', ring, ...args);
    expect(code).toBe(2);
    return err.trimEnd();
  };
  expect(refused('--schedule', '1')).toMatchInlineSnapshot(
    `"examples/01-ring-buffer.coh: the schedule does not fit this run: at step 0 interrupt/1 cannot go"`,
  );
  expect(refused('--schedule', 'x')).toMatchInlineSnapshot(
    `"examples/01-ring-buffer.coh: schedule: 'x' is not agent, agentxN, agent/branch or place=value"`,
  );
  expect(
    refused('--scenario', 'three-section ring bufer, persistent coherent'),
  ).toMatchInlineSnapshot(
    `"examples/01-ring-buffer.coh: there is no scenario "three-section ring bufer, persistent coherent"; there are three-section ring buffer, persistent coherent"`,
  );
  expect(refused('--kernel', 'linux-6.2')).toMatchInlineSnapshot(
    `"examples/01-ring-buffer.coh: there is no kernel \`linux-6.2\`; there are series-v2 and linux-6.1"`,
  );
  expect(refused('--with', 'bz-1')).toMatchInlineSnapshot(
    `"examples/01-ring-buffer.coh: there is no variant \`bz-1\`; did you mean \`bz-01\`?"`,
  );
});

test('--faults explains every page fault, in order; --json has them as a list beside what it always has', () => {
  const { code, out } = coherence('run', 'examples/03-idle-buffer.coh', '--faults');
  expect(code).toBe(0);
  const titles = out.split('\n').filter((line) => /^\S.* fault at /.test(line));
  expect(told(titles.slice(0, 3).join('\n'))).toMatchInlineSnapshot(`
    "Write fault at page 0 of p (idle): render on cpu0, step N
    Write fault at page 1 of p (idle): render on cpu0, step N
    Write fault at page 2 of p (idle): render on cpu0, step N"
  `);
  expect(told(out).split('\n').slice(2, 23).join('\n')).toMatchInlineSnapshot(`
    "Write fault at page 0 of p (idle): render on cpu0, step N
      access   store of 4096 bytes by user mode on cpu0; line 14: write p = 1
      address  0x7ffff7fbf000, page 0 of p (idle)
      mapping  0x7ffff7fbf000-0x7ffff7fff000 rw-s mixedmap
               VmFlags: rd wr sh mr mw me ms io de dd sd mm
               offset: from page 1048576 of the file; the address is page 0 of idle, which has 64 pages
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
    Write fault at page 1 of p (idle): render on cpu0, step N
      access   store of 4096 bytes by user mode on cpu0; line 14: write p = 1"
  `);

  const plain = JSON.parse(coherence('run', 'examples/03-idle-buffer.coh', '--json').out);
  const asked = JSON.parse(
    coherence('run', 'examples/03-idle-buffer.coh', '--json', '--faults').out,
  );
  const { faults, ...rest } = asked;
  expect(rest).toEqual(plain);
  expect(faults).toHaveLength(titles.length);
  expect(Object.keys(faults[0])).toMatchInlineSnapshot(`
    [
      "id",
      "step",
      "thread",
      "kind",
      "access",
      "address",
      "place",
      "mapping",
      "around",
      "walk",
      "tlb",
      "byTlb",
      "code",
      "bits",
      "branch",
      "course",
    ]
  `);
});

test("what a fault of one's own can change in a function is listed, of a machine that has it", () => {
  const { out, code } = coherence('variants', '--function', 'vmw_bo_dirty_unmap');
  expect(out).toBe(`vmw_bo_dirty_unmap, drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c
  omit, swap: \`vmw_bo_dirty_pre_unmap\`, \`unmap_mapping_range\`, \`trace_vmw_bo_dirty_unmap\`
  always, never, negate, by a word of it: nothing
  value: nothing
  arg: \`vmw_bo_dirty_pre_unmap (vbo, start, end)\`, \`unmap_mapping_range (mapping, first_index, nr, even_cows)\`
`);
  expect(code).toBe(0);
  const fork = ['--function', 'copy_present_pte'];
  expect(coherence('variants', ...fork)).toMatchObject({
    code: 2,
    err: expect.stringMatching(
      /^this machine has no function `copy_present_pte`; with --file it is/,
    ),
  });
  const forked = coherence('variants', ...fork, '--file', 'examples/address-space/fork.coh');
  expect(forked.out).toMatch(/^copy_present_pte, mm\/memory.c\n/);
});
