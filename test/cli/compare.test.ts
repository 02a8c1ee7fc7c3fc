// `coherence run --compare`: both costs side by side, where the estimate lands and why, the first event that differs.
import { cpSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { commandLine } from './coherence';

const cli = commandLine();
const { run: coherence } = cli;
beforeAll(() => cpSync('examples', path.join(cli.folder, 'examples'), { recursive: true }));

test('coherent memory beside explicit: faults, scans and flushes against updates of user space', () => {
  const { code, out } = coherence('run', 'examples/02-large-buffer.coh', '--compare', 'explicit');
  expect(code).toBe(0);
  expect(out.split('\n').slice(3).join('\n')).toMatchInlineSnapshot(`
    "compared with explicit: the contract holds, what the text expects of the kernel does not
                                       as it is  explicit
      read faults                             0         0
      write faults                            3         2
      write-protect faults                   20         0
      scans                                  20         0
      PTEs walked                            20         0
      PTEs changed                           20         0
      pages flushed from TLBs                20         0
      TLB flushes                            20         0
      of them on other CPUs                   0         0
      submissions                            20        20
      updates by user space                   0        20
      bytes uploaded                      81920     81920
      bytes read back                         0         0
      waits for fences                        5         1
      bytes loaded and stored by CPUs     81920     81920
      bytes of draws                      81920     81920
      estimated time                   106.8 µs   70.6 µs
      of it for coherence               90.4 µs   54.2 µs
      as it is, it takes 51 % longer than explicit: write-protect faults +20.0 µs, waits for fences +12.0 µs, scans +2.0 µs. The series reports a typical loss of 5 % for whole applications; a scenario does little else than touch memory.
      the first event that differs is number 7:
        as it is: page_fault address 140737345744896 error_code 7 cpu 0 pid 2
        explicit: cpu_store cpu 0 address 140737345744896 pfn 65536 length 4096 unique false value 0
    "
  `);
});

test('a variant: what is lost with it, and the event that differs first', () => {
  const file = 'examples/bug-zoo/bz-01-neighbours-pages.coh';
  const { code, out } = coherence('run', file, '--compare', '+bz-01');
  expect(code).toBe(0); // of the run as it is
  expect(out).toContain('compared with +bz-01: the contract is broken\n');
  expect(out).toMatch(/bytes uploaded +\d+ +\d+\n/);
  expect(out).toMatch(
    /the first event that differs is number \d+:\n {4}as it is: .+\n {4}\+bz-01: .+\n$/,
  );
  const back = coherence('run', file, '--with', 'bz-01', '--compare', '-bz-01');
  expect(back.code).toBe(1);
  expect(back.out).toContain('compared with -bz-01: the contract holds\n');
});

test('another kernel, as JSON: both sheets, both estimates, the table with its sources', () => {
  const file = 'examples/01-ring-buffer.coh';
  const { out } = coherence('run', file, '--compare', 'linux-6.1', '--json');
  const { verdict, compare } = JSON.parse(out);
  expect(verdict).toBe('holds');
  expect(compare).toMatchObject({ with: 'linux-6.1', verdict: 'violated', contractHolds: false });
  expect(compare.as.counts.bytesUploaded).toBe(196608);
  expect(compare.compared.counts.bytesUploaded).toBe(163840);
  expect(compare.as.estimate.all).toBeGreaterThan(compare.as.estimate.coherence);
  for (const { nanoseconds, source } of Object.values(compare.table) as {
    nanoseconds: number;
    source: string;
  }[]) {
    expect(nanoseconds).toBeGreaterThanOrEqual(0);
    expect(source).not.toBe('');
  }
  expect(compare.difference.event).toBeGreaterThan(0);
});

test('nothing to compare with', () => {
  const { code, err } = coherence('run', 'examples/01-ring-buffer.coh', '--compare', 'bz-01');
  expect(code).toBe(2);
  expect(err).toBe(
    'examples/01-ring-buffer.coh: there is nothing to compare with called `bz-01`; it is `explicit`, a preset, `+VARIANT` or `-VARIANT`\n',
  );
});
