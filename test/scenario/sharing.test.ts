// Memory that more than one uses: two processes with a mapping each, CPU and GPU in turn. What is counted is what
// Linux with the series of April 2019 would show.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { outcome } from './outcome';

const example = (name: string): string => readFileSync(`examples/${name}.coh`, 'utf8');

test('two processes write the same page: one scan of two entries, one update, and the other CPU is interrupted', () => {
  const { verdict, events } = outcome(example('address-space/two-processes'));
  expect(verdict).toBe('holds');
  expect(
    events({
      page_fault: 'pid cpu error_code',
      tlb_flush: 'cpu',
      vmw_bo_dirty_scan: 'method count start end',
      vmw_dirty_sync: 'surface x w',
    }),
  ).toEqual([
    'tlb_flush cpu=0', // both address spaces are new
    'tlb_flush cpu=1',
    'page_fault pid=2 cpu=0 error_code=6',
    'page_fault pid=4 cpu=1 error_code=6',
    'tlb_flush cpu=0', // those of the scan; CPU 1 is running in the other address space
    'tlb_flush cpu=1',
    'vmw_bo_dirty_scan method=0 count=2 start=0 end=1',
    'vmw_dirty_sync surface=0 x=0 w=4096',
  ]);
});

test('a counter between CPU and GPU: a scan, a zap, an update, the dispatch, and one readback a round', () => {
  const { verdict, events } = outcome(example('vulkan/counter-ping-pong'));
  expect(verdict).toBe('holds');
  expect(
    events({
      page_fault: 'error_code',
      vmw_bo_dirty_scan: 'method count',
      vmw_bo_dirty_unmap: 'start end',
      vmw_dirty_sync: 'x w',
      gpu_read: 'offset length',
      gpu_write: 'offset length value',
      vmw_readback: '',
      cpu_store: 'value',
      cpu_load: 'value',
    }),
  ).toEqual([
    'page_fault error_code=6',
    'cpu_store value=0',
    'vmw_bo_dirty_scan method=0 count=1',
    'vmw_bo_dirty_unmap start=0 end=1',
    'vmw_dirty_sync x=0 w=4096',
    'gpu_read offset=0 length=1',
    'gpu_write offset=0 length=1 value=1',
    'page_fault error_code=4',
    'vmw_readback',
    'cpu_load value=1',
    'cpu_store value=10', // no fault: the load brought the page in writable
    'vmw_bo_dirty_scan method=0 count=1',
    'vmw_bo_dirty_unmap start=0 end=1',
    'vmw_dirty_sync x=0 w=4096',
    'gpu_read offset=0 length=1',
    'gpu_write offset=0 length=1 value=11',
    'page_fault error_code=4',
    'vmw_readback',
    'cpu_load value=11',
  ]);
});

const shared = [
  'several-cpus/alignments',
  'address-space/table-borders',
  'several-cpus/context-switches',
  'several-cpus/two-cpus',
];

for (const name of shared) {
  test(`${name}: 6.1 holds too, once the three faults of its driver are mended`, () => {
    const mended = { kernel: 'linux-6.1', without: ['bz-01', 'bz-02', 'bz-53'] };
    expect(outcome(example(name), mended).problems).toEqual([]);
    expect(outcome(example(name), { kernel: 'linux-6.1' }).verdict).toBe(
      name === 'several-cpus/alignments' ? 'holds' : 'violated',
    );
  });
}

test.each(['several-cpus/alignments', 'several-cpus/two-cpus'])(
  '%s: a driver that does not flush after cleaning loses stores',
  (name) => {
    const options = { with: ['no-clean-flush', 'tracking-pagetable'] };
    expect(outcome(example(name), options).problems.join('\n')).toMatch(/^R1: the GPU read /m);
    expect(outcome(example(name), { with: ['tracking-pagetable'] }).problems).toEqual([]);
  },
);

test('two processes on one CPU: each change empties the TLB, and a shootdown reaches the one that is loaded', () => {
  const { events } = outcome(example('several-cpus/context-switches'));
  const flushes = events({ tlb_flush: 'cpu reason' });
  const switches = flushes.filter((line) => line === 'tlb_flush cpu=0 reason=0');
  expect(switches.length).toBeGreaterThanOrEqual(12); // to and fro, six times
  expect(events({ tlb_stale: '' })).toEqual([]);
});
