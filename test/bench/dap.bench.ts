// The debug adapter over stdio, with a client that waits for each answer as an editor does, beside a server that does
// nothing; and a run of a million micro-steps: the way there, back, and to anywhere.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { Wire } from '../debug/wire';
import { table } from './measure';

const folder = mkdtempSync(path.join(tmpdir(), 'coherence-bench-'));
const cli = path.join(folder, 'cli.js');
buildSync({ entryPoints: ['src/cli/main.ts'], outfile: cli, bundle: true, platform: 'node' });

/** A scenario that goes on for long; stores and loads, each a statement of a dozen micro-steps. */
const loop = (turns: number): string => `scenario "stores and loads"
machine { kernel series-v2, cpus 1 }
surface ring: buffer 16KiB coherent
process app {
  let p = map ring
  thread main on cpu0 {
    repeat ${turns} as turn {
      write p[0] = turn % 256
      assert p[0] == turn % 256
    }
  }
}
`;

/** Another, which submits; the ring buffer of the examples, `frames` times round. */
function ring(frames: number): string {
  return `scenario "a long run"
machine { kernel series-v2, cpus 2, tracking auto }
surface ring: buffer 96KiB coherent
process app {
  let p = map ring
  thread render on cpu0 {
    repeat ${frames} as frame {
      let section = (frame % 3) * 32KiB
      if frame >= 3 { wait done[frame - 3] }
      write p[section .. section + 32KiB] = frame % 256
      submit { draw reads ring[section .. section + 32KiB] } as done[frame]
    }
    wait done[${frames - 1}]
    assert gpu(ring)[64KiB] >= 0
  }
}
`;
}

interface Server {
  readonly child: ChildProcess;
  readonly wire: Wire;
  threadId: number;
  readonly firstStopMs: number;
}

/** Starts a server and brings it to its first stop. */
async function started(command: readonly string[], program: string): Promise<Server> {
  const begun = performance.now();
  const child = spawn(process.execPath, command, { stdio: ['pipe', 'pipe', 'inherit'] });
  const wire = new Wire(child.stdout!, child.stdin!);
  await wire.request('initialize', { adapterID: 'coherence', clientID: 'bench' });
  await wire.event('initialized');
  const launched = wire.request('launch', { program, stopOnEntry: true });
  await wire.request('setExceptionBreakpoints', { filters: [] });
  await wire.request('configurationDone');
  const { success, message } = await launched;
  if (!success) throw new Error(message);
  const stop = await wire.event('stopped');
  const { threadId } = stop.body as { threadId: number };
  return { child, wire, threadId, firstStopMs: performance.now() - begun };
}

async function ended({ child, wire }: Server): Promise<void> {
  const exit = new Promise((resolve) => child.on('exit', resolve));
  await wire.request('disconnect');
  child.stdin!.end();
  await exit;
}

/** Milliseconds from a request to the stop that it leads to. */
async function moved(server: Server, command: string, args: object = {}): Promise<number> {
  const begun = performance.now();
  const answer = server.wire.request(command, { threadId: server.threadId, ...args });
  const stop = await server.wire.event('stopped');
  const elapsed = performance.now() - begun;
  await answer;
  server.threadId = (stop.body as { threadId: number }).threadId;
  return elapsed;
}

async function many(count: number, once: () => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) times.push(await once());
  return times.sort((a, b) => a - b);
}

const at = (sorted: readonly number[], part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;

/** What an editor asks for at every stop. */
async function looked({ wire, threadId }: Server): Promise<number> {
  const begun = performance.now();
  const frames = await wire.request('stackTrace', { threadId, startFrame: 0, levels: 20 });
  const scopes = await wire.request('scopes', { frameId: frames.body.stackFrames[0].id });
  const { variablesReference } = scopes.body.scopes[0];
  await wire.request('variables', { variablesReference });
  return performance.now() - begun;
}

const rounds = 3;
type Figures = Record<string, number[]>;

/** All figures of one server in one round. */
async function round(command: readonly string[], program: string, figures: Figures): Promise<void> {
  const server = await started(command, program);
  const note = (name: string, value: number) => {
    figures[name] = [...(figures[name] ?? []), value];
  };
  note('launch to the first stop', server.firstStopMs);
  await many(200, () => moved(server, 'next'));
  const steps = await many(1000, () => moved(server, 'next'));
  note('next, median', at(steps, 0.5));
  note('next, p99', at(steps, 0.99));
  const begun = performance.now();
  await many(2000, () => moved(server, 'next'));
  note('steps a second', 2000 / ((performance.now() - begun) / 1000));
  const looks = await many(300, async () => {
    await moved(server, 'next');
    return looked(server);
  });
  note('stack, scopes, variables, median', at(looks, 0.5));
  const backs = await many(500, () => moved(server, 'stepBack'));
  note('stepBack, median', at(backs, 0.5));
  note('stepBack, p99', at(backs, 0.99));
  await ended(server);
}

const written = (name: string, text: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};
const plain = written('loop.coh', loop(3000));
const program = written('long.coh', ring(1500));
const ours = [cli, 'dap'];
const minimal = ['test/bench/minimalServer.mjs'];
const of = { plain: {} as Figures, ring: {} as Figures, minimal: {} as Figures };
for (let i = 0; i < rounds; i++) {
  await round(ours, plain, of.plain);
  await round(ours, program, of.ring);
  await round(minimal, program, of.minimal);
}

const median = (values: readonly number[]) =>
  at(
    [...values].sort((a, b) => a - b),
    0.5,
  );
table(`Over stdio, median of ${rounds} rounds, each beside a server that does nothing`, [
  ['', 'minimal', 'stores and loads', 'times', 'ring buffer', 'times'],
  ...Object.keys(of.minimal).map((name) => {
    const [least, a, b] = [of.minimal, of.plain, of.ring].map((figures) => median(figures[name]!));
    const shown = (value: number) =>
      name === 'steps a second' ? value.toFixed(0) : `${value.toFixed(2)} ms`;
    const times = (value: number) => (value / least!).toFixed(2);
    return [name, shown(least!), shown(a!), times(a!), shown(b!), times(b!)];
  }),
]);

// A run of a million micro-steps.
const server = await started(ours, program);
const { wire } = server;
const time = async () => (await wire.request('coherence/time')).body;
const lines = ring(1500).split('\n');
const breakAt = async (line: number | undefined) => {
  const breakpoints = line === undefined ? [] : [{ line }];
  await wire.request('setBreakpoints', { source: { path: program }, breakpoints });
};
await breakAt(lines.findIndex((text) => text.includes('assert')) + 1);
const there = await moved(server, 'continue');
const { position, historyBytes } = await time();
await breakAt(undefined);
const backs = await many(200, () => moved(server, 'stepBack', { granularity: 'instruction' }));
const forths = await many(200, () => moved(server, 'next', { granularity: 'instruction' }));
let seed = 1;
const jumps = await many(500, () => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return moved(server, 'coherence/goto', { position: seed % position });
});
await moved(server, 'coherence/goto', { position });
const reverse = await moved(server, 'reverseContinue');
table(`A run of ${position} micro-steps`, [
  ['', 'median', 'p99'],
  ['there, without a stop', `${(there / 1000).toFixed(2)} s`, ''],
  [
    'a step back, at the end',
    `${at(backs, 0.5).toFixed(2)} ms`,
    `${at(backs, 0.99).toFixed(2)} ms`,
  ],
  ['a step', `${at(forths, 0.5).toFixed(2)} ms`, `${at(forths, 0.99).toFixed(2)} ms`],
  ['to anywhere', `${at(jumps, 0.5).toFixed(2)} ms`, `${at(jumps, 0.99).toFixed(2)} ms`],
  ['reverse continue, to the start', `${(reverse / 1000).toFixed(2)} s`, ''],
  ['history', `${(historyBytes / 2 ** 20).toFixed(1)} MiB`, ''],
  ['history, a step', `${(historyBytes / position).toFixed(1)} bytes`, ''],
]);
await ended(server);
rmSync(folder, { recursive: true, force: true });
