// The debug adapter as other editors meet it: `coherence dap` as a process of its own, over stdio and over TCP.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { builtCli, Wire } from './wire';

const folder = mkdtempSync(path.join(tmpdir(), 'coherence-dap-'));
const program = path.resolve('examples/01-ring-buffer.coh');
const running: ChildProcess[] = [];

let cli: string;
beforeAll(async () => {
  cli = await builtCli(folder);
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** From initialize to the stop on entry. */
async function start(wire: Wire): Promise<P.StoppedEvent> {
  await wire.request('initialize', { adapterID: 'coherence' });
  await wire.event('initialized');
  const launched = wire.request('launch', { program });
  await wire.request('setExceptionBreakpoints', { filters: ['violation'] });
  await wire.request('configurationDone');
  expect((await launched).success).toBe(true);
  return (await wire.event('stopped')) as P.StoppedEvent;
}

function spawned(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [cli, 'dap', ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  running.push(child);
  return child;
}

test('over stdio a scenario is launched, stepped and run to its end; the process ends with the session', async () => {
  const child = spawned('--stdio');
  const wire = new Wire(child.stdout!, child.stdin!);
  const { threadId } = (await start(wire)).body;
  for (const command of ['next', 'stepIn', 'stepBack']) {
    expect((await wire.request(command, { threadId })).success).toBe(true);
    expect((await wire.event('stopped')).body.reason).toMatch(/step|entry/);
  }
  wire.raw('{ this is no JSON');
  wire.raw('[1, 2, 3]');
  expect((await wire.event('output')).body.category).toBe('stderr');
  await wire.request('continue', { threadId });
  expect((await wire.event('exited')).body).toEqual({ exitCode: 0 });
  await wire.event('terminated');
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await wire.request('disconnect');
  expect(await ended).toBe(0);
});

test('a client that goes away without a word leaves no process behind', async () => {
  const child = spawned();
  const wire = new Wire(child.stdout!, child.stdin!);
  await start(wire);
  const ended = new Promise((resolve) => child.on('exit', resolve));
  child.stdin!.end();
  expect(await ended).toBe(0);
});

test('over TCP two sessions run side by side, and the server goes on after one has left', async () => {
  const child = spawned('--port', '0');
  const line = await new Promise<string>((resolve) =>
    child.stdout!.once('data', (d) => resolve(`${d}`)),
  );
  const port = Number(/listening on 127\.0\.0\.1:(\d+)/.exec(line)![1]);
  const join = () => {
    const socket = connect(port, '127.0.0.1');
    return { socket, wire: new Wire(socket, socket) };
  };
  const [one, two] = [join(), join()];
  const [a, b] = await Promise.all([start(one.wire), start(two.wire)]);
  expect(a.body.reason).toBe('entry');
  await one.wire.request('next', { threadId: a.body.threadId });
  await one.wire.event('stopped');
  expect((await two.wire.request('coherence/time')).body.position).toBe(0);
  one.socket.destroy();
  await two.wire.request('next', { threadId: b.body.threadId });
  await two.wire.event('stopped');
  await two.wire.request('disconnect');
  const three = join();
  expect((await start(three.wire)).body.reason).toBe('entry');
  three.socket.destroy();
  two.socket.destroy();
});

test('files that are no scenarios are refused at launch, each with its own sentence', async () => {
  const binary = path.join(folder, 'binary.coh');
  const empty = path.join(folder, 'empty.coh');
  const wrong = path.join(folder, 'wrong.coh');
  writeFileSync(binary, Buffer.from([0, 1, 2, 255]));
  writeFileSync(empty, '');
  writeFileSync(wrong, 'scenario "x"\nprocess app { thread t on cpu0 { wriet 5 } }\n');
  const child = spawned();
  const wire = new Wire(child.stdout!, child.stdin!);
  await wire.request('initialize', { adapterID: 'coherence' });
  const said: string[] = [];
  for (const file of ['none.coh', '.', binary, empty, wrong]) {
    const { success, message } = await wire.request('launch', {
      program: path.resolve(folder, file),
    });
    said.push(success ? 'launched' : message.replaceAll(folder, 'DIR'));
  }
  expect(said).toMatchInlineSnapshot(`
    [
      "DIR/none.coh: there is no such file",
      "DIR: this is a directory; name a scenario file (.coh) in it",
      "DIR/binary.coh: this is no text file; a scenario is text in UTF-8",
      "DIR/empty.coh:1:1: there is no scenario here; begin with \`scenario "what it shows"\`",
      "DIR/wrong.coh:2:34: \`wriet\` is nothing that a thread can do; did you mean \`write\`?",
    ]
  `);
});
