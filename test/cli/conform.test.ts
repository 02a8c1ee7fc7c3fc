// `coherence conform`: what it prints of a difference, with the launch configuration that opens it; and what is no
// recording.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { commandLine } from './coherence';

const cli = commandLine();
const { run: coherence, file } = cli;

/** The first programs of the recordings, as text. */
const recording = readFileSync('test/conform/recordings/directed.jsonl', 'utf8')
  .split('\n')
  .slice(0, 39)
  .join('\n')
  .replace(/\n\{"program"[^\n]*$/, '');
/** Page 5 is said to be write-protected although operation 3 wrote it. */
const doctored = recording.replace(
  '{"0":"wuadspn","5":"wuadspn"}',
  '{"0":"wuadspn","5":"-uadspn"}',
);

test('a recording that agrees is counted', () => {
  const { code, out } = coherence('conform', file('fine.jsonl', recording));
  expect(out).toMatch(/^\d+ passed, 0 failed\n$/);
  expect(code).toBe(0);
});

test('a difference is told by its field, with the launch configuration that stops there', () => {
  const name = file('wrong.jsonl.gz', gzipSync(doctored));
  const { code, out } = coherence('conform', name);
  expect(code).toBe(1);
  const [where, what, debug, counts] = out.split('\n');
  expect(where).toBe('wrong.jsonl.gz: fault-mkwrite-write-absent, operation 3 (write)');
  expect(what).toBe('  vmas[0].pte.5: recorded "-uadspn", emulated "wuadspn"');
  expect(counts).toMatch(/^\d+ passed, 2 failed$/);
  expect(JSON.parse(debug!.replace('  debug it: ', ''))).toEqual({
    type: 'coherence',
    request: 'launch',
    name: 'fault-mkwrite-write-absent, operation 3',
    program: expect.stringMatching(new RegExp(`${path.basename(cli.folder)}.wrong.jsonl.gz$`)),
    recorded: 'fault-mkwrite-write-absent',
    operation: 3,
  });
});

test('of two programs with one name the second is opened by its number', () => {
  const { out } = coherence('conform', file('twice.jsonl', `${recording}\n${doctored}`));
  const programs = recording.match(/"program"/g)!.length;
  const wrong = [...recording.matchAll(/"program":"([^"]*)"/g)]
    .map(([, name]) => name)
    .indexOf('fault-mkwrite-write-absent');
  expect(JSON.parse(/debug it: (.*)/.exec(out)![1]!)).toMatchObject({
    recorded: programs + wrong + 1,
    operation: 3,
  });
});

test('an operation that cannot be replayed is named once, with the first program that it ends', () => {
  const odd = recording.replaceAll('"op":"read"', '"op":"juggle"');
  const { code, out } = coherence('conform', file('odd.jsonl', odd));
  expect(out).toMatchInlineSnapshot(`
    "juggle: not an operation that can be replayed; it ends fault-read-then-write-untracked and 3 more
    12 passed, 20 failed
    "
  `);
  expect(code).toBe(1);
});

test('the printed configuration opens in the debug adapter, standing at that operation', () => {
  const name = file('wrong.jsonl.gz', gzipSync(doctored));
  const launch = JSON.parse(/debug it: (.*)/.exec(coherence('conform', name).out)![1]!);
  const requests = [
    { command: 'initialize', arguments: { adapterID: 'coherence' } },
    { command: 'launch', arguments: launch },
    { command: 'configurationDone' },
  ].map((request, i) => JSON.stringify({ seq: i + 1, type: 'request', ...request }));
  const input = requests.map((r) => `Content-Length: ${Buffer.byteLength(r)}\r\n\r\n${r}`).join('');
  const { stdout } = spawnSync(process.execPath, ['cli.cjs', 'dap'], {
    cwd: cli.folder,
    encoding: 'utf8',
    input,
    timeout: 20_000,
  });
  expect(stdout).toContain('"description":"Before operation 3, the first that differs"');
});

test('a damaged file, a directory and a file that is no recording get a sentence each', () => {
  const packed = gzipSync(recording);
  const damaged = file('damaged.jsonl.gz', packed.subarray(0, packed.length / 2));
  const said = (name: string) => {
    const { code, err } = coherence('conform', name);
    return [code, err];
  };
  expect(said(damaged)).toEqual([2, `${damaged}: it is compressed, but cannot be unpacked\n`]);
  expect(said('.')).toEqual([
    2,
    '.: this is a directory; name a recording (.jsonl or .jsonl.gz) in it\n',
  ]);
  expect(said('none.jsonl')).toEqual([2, 'none.jsonl: there is no such file\n']);
  expect(said(file('a.coh', 'scenario "x"'))).toEqual([2, 'a.coh: line 1 is not JSON\n']);
});
