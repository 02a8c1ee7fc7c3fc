// `coherence test` as the shell sees it: what passes and fails, the reporters, shards, and updates in place.
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { commandLine } from './coherence';

const cli = commandLine();

const writes = (faults: number): string => `scenario "writes <once>"

surface a: buffer 1 page coherent

process app {
  let p = map a
  write p[0] = 1
}

finally faults.write == ${faults}
`;

const outcomes = `scenario "who is last"

surface a: buffer 1 page

process app {
  let p = map a
  write p = 0

  thread one on cpu0 { write p[0] = 1 }

  thread two on cpu1 { write p[0] = 2 }
}

outcomes (a[0]) {
  required (1)
}
`;

test('a folder of scenarios, and files that others import', () => {
  mkdirSync(path.join(cli.folder, 'all'));
  cli.file('all/good.coh', writes(1));
  cli.file('all/bad.coh', writes(3));
  cli.file('all/common.coh', 'const one = 1\n');
  const { code, out } = cli.run('test', 'all');
  expect(out).toBe(`FAIL all/bad.coh: writes <once>
       all/bad.coh:10:1: finally: finally faults.write == 3 does not hold: faults.write is 1, 3 is 3
ok   all/good.coh: writes <once>
1 passed, 1 failed
`);
  expect(code).toBe(1);
  expect(cli.run('test', 'all/good.coh').code).toBe(0);
});

test('each shard has its part', () => {
  const outs = ['1/2', '2/2'].map((shard) => cli.run('test', 'all', '--shard', shard));
  expect(outs.map(({ code }) => code)).toEqual([1, 0]);
  expect(outs.map(({ out }) => out.trim().split('\n').at(-1))).toEqual([
    '0 passed, 1 failed',
    '1 passed, 0 failed',
  ]);
  expect(cli.run('test', 'all', '--shard', '3/2').code).toBe(2);
});

test('reporters for other programs', () => {
  const tap = cli.run('test', 'all', '--reporter', 'tap');
  expect(tap.out).toContain('not ok 1 - all/bad.coh: writes <once>\n# all/bad.coh:10:1: finally:');
  const junit = cli.run('test', 'all', '--reporter', 'junit');
  expect(junit.out).toContain('<testcase classname="all/good.coh" name="writes &lt;once&gt;"/>');
  expect(junit.out).toContain('<testsuite name="coherence" tests="2" failures="1">');
  const json = cli.run('test', 'all', '--reporter', 'json');
  expect(JSON.parse(json.out)).toMatchObject({ passed: 1, failed: 1 });
  expect(json.err).toBe('1 passed, 1 failed\n');
});

test('--update writes counters as they are, and outcomes that were reached', () => {
  const counter = cli.file('counter.coh', writes(7));
  expect(cli.run('test', counter, '--update').out).toContain('1 passed, 0 failed');
  expect(readFileSync(path.join(cli.folder, counter), 'utf8')).toBe(writes(1));
  const litmus = cli.file('litmus.coh', outcomes);
  expect(cli.run('test', litmus).code).toBe(1);
  expect(cli.run('test', litmus, '--update').code).toBe(0);
  expect(readFileSync(path.join(cli.folder, litmus), 'utf8')).toBe(
    outcomes.replace('  required (1)\n', '  required (1)\n  allowed (2)\n'),
  );
});

test('what is no scenario, and limits that are reached, have exit codes of their own', () => {
  expect(cli.run('test', 'nowhere')).toMatchObject({
    code: 2,
    err: 'nowhere: there is no such file or folder\n',
  });
  const wrong = cli.file('wrong.coh', 'scenario "x"\nprocess app { wirte }\n');
  const { code, out } = cli.run('test', wrong);
  expect([code, out.split('\n').at(-2)]).toEqual([2, '0 passed, 1 failed']);
  const limited = cli.file('limited.coh', `${outcomes}\nexplore { states 10 }\n`);
  expect(cli.run('test', limited).code).toBe(3);
});
