// Clients that are not VS Code: what each of them sends, in its order and with its optional fields, and what a strict
// reader may count on in the answers. The clients themselves are not run here.
import { readFileSync } from 'node:fs';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { describe, expect, test } from 'vitest';
import { loadProgram } from '../../src/debug/program';
import { Client } from './client';

const program = 'examples/01-ring-buffer.coh';
const host = {
  read: (path: string) => Promise.resolve(readFileSync(path, 'utf8')),
  load: loadProgram,
};

interface Family {
  readonly name: string;
  readonly initialize: P.InitializeRequestArguments;
  /** The lines and columns that it counts from. */
  readonly base: 0 | 1;
  /** Sends the launch before it has seen `initialized`, or only behind it. */
  readonly launchFirst: boolean;
  /** What it sends to set up, in order, `configurationDone` last. */
  readonly setup: readonly (readonly [string, object])[];
  /** What it asks for at a stop, given the thread. */
  readonly atStop: (client: Client, threadId: number) => Promise<void>;
  /** How it ends a session. */
  readonly end: readonly (readonly [string, object?])[];
}

const source = { name: '01-ring-buffer.coh', path: program };
/** The statement `write p[…]` of the example. */
const line = readFileSync(program, 'utf8')
  .split('\n')
  .findIndex((text) => text.trim().startsWith('write p['));

async function frame(client: Client, args: object): Promise<P.StackFrame> {
  return (await client.request('stackTrace', args)).body.stackFrames[0];
}

async function scopes(client: Client, frameId: number): Promise<void> {
  const { body } = await client.request('scopes', { frameId });
  for (const { variablesReference, expensive } of body.scopes as P.Scope[])
    if (!expensive) await client.request('variables', { variablesReference });
}

const families: Family[] = [
  {
    name: 'nvim-dap',
    initialize: {
      clientID: 'neovim',
      clientName: 'neovim',
      adapterID: 'nvim-dap',
      pathFormat: 'path',
      columnsStartAt1: true,
      linesStartAt1: true,
      supportsRunInTerminalRequest: true,
      supportsVariableType: true,
      supportsProgressReporting: true,
      supportsStartDebuggingRequest: true,
      locale: 'en_US.UTF-8',
    },
    base: 1,
    launchFirst: true,
    setup: [
      ['setBreakpoints', { source, breakpoints: [{ line: line + 1 }], sourceModified: false }],
      ['setExceptionBreakpoints', { filters: ['violation', 'warn', 'assertion'] }],
      ['configurationDone', {}],
    ],
    atStop: async (client, threadId) => {
      await client.request('threads');
      const { id } = await frame(client, { threadId });
      await scopes(client, id);
    },
    end: [
      ['terminate', {}],
      ['disconnect', { restart: false, terminateDebuggee: true }],
    ],
  },
  {
    name: 'dape',
    initialize: {
      clientID: 'dape',
      adapterID: 'coherence',
      pathFormat: 'path',
      linesStartAt1: true,
      columnsStartAt1: true,
      supportsRunInTerminalRequest: true,
      supportsProgressReporting: true,
      supportsStartDebuggingRequest: true,
    },
    base: 1,
    launchFirst: true,
    setup: [
      ['setExceptionBreakpoints', { filters: ['violation'] }],
      ['setFunctionBreakpoints', { breakpoints: [] }],
      ['setBreakpoints', { source, breakpoints: [{ line: line + 1 }], lines: [line + 1] }],
      ['configurationDone', {}],
    ],
    atStop: async (client, threadId) => {
      await client.request('threads');
      const { id } = await frame(client, { threadId, startFrame: 0, levels: 1 });
      await client.request('stackTrace', { threadId, startFrame: 1, levels: 20 });
      await scopes(client, id);
    },
    end: [['disconnect', { restart: false, terminateDebuggee: true }]],
  },
  {
    name: 'helix',
    initialize: {
      clientID: 'hx',
      clientName: 'helix',
      adapterID: 'coherence',
      locale: 'en-us',
      linesStartAt1: true,
      columnsStartAt1: true,
      pathFormat: 'path',
      supportsVariableType: true,
      supportsVariablePaging: false,
      supportsRunInTerminalRequest: true,
      supportsMemoryReferences: false,
      supportsProgressReporting: false,
      supportsInvalidatedEvent: false,
    },
    base: 1,
    launchFirst: true,
    setup: [
      ['setBreakpoints', { source: { path: program }, breakpoints: [{ line: line + 1 }] }],
      ['configurationDone', {}],
    ],
    atStop: async (client, threadId) => {
      await client.request('threads');
      const { id } = await frame(client, { threadId });
      await scopes(client, id);
    },
    end: [['disconnect']],
  },
  {
    name: 'zed',
    initialize: {
      clientID: 'zed',
      clientName: 'Zed',
      adapterID: 'coherence',
      locale: 'en-US',
      pathFormat: 'path',
      supportsVariableType: true,
      supportsVariablePaging: false,
      supportsRunInTerminalRequest: true,
      supportsMemoryReferences: true,
      supportsProgressReporting: false,
      supportsInvalidatedEvent: false,
      linesStartAt1: true,
      columnsStartAt1: true,
      supportsStartDebuggingRequest: true,
    },
    base: 1,
    launchFirst: true,
    setup: [
      [
        'setBreakpoints',
        { source: { path: program }, breakpoints: [{ line: line + 1 }], sourceModified: false },
      ],
      [
        'setExceptionBreakpoints',
        { filters: [], filterOptions: [{ filterId: 'violation' }, { filterId: 'assertion' }] },
      ],
      ['configurationDone', {}],
    ],
    atStop: async (client, threadId) => {
      await client.request('threads');
      await client.request('modules', { startModule: 0, moduleCount: 0 });
      const { id } = await frame(client, { threadId, startFrame: 0, levels: 20 });
      await scopes(client, id);
    },
    end: [
      ['terminate', { restart: false }],
      ['disconnect', { terminateDebuggee: true }],
    ],
  },
  {
    name: 'a client that counts from 0 and launches last',
    initialize: { adapterID: 'coherence', linesStartAt1: false, columnsStartAt1: false },
    base: 0,
    launchFirst: false,
    setup: [
      ['setBreakpoints', { source: { path: program }, breakpoints: [{ line }] }],
      ['setExceptionBreakpoints', { filters: [] }],
      ['configurationDone', {}],
    ],
    atStop: async (client, threadId) => {
      await client.request('threads');
      const { id } = await frame(client, { threadId, startFrame: 0 });
      await scopes(client, id);
    },
    end: [['disconnect', {}]],
  },
];

/** The reasons of the protocol that this adapter has use for. */
const reasons = [
  ...['step', 'breakpoint', 'exception', 'pause', 'entry', 'goto'],
  ...['function breakpoint', 'data breakpoint', 'instruction breakpoint'],
];

/** What a strict client may count on, whatever it did. */
function strictlyOf(client: Client): string[] {
  const wrong = [...client.wrong];
  const answered = new Set<number>();
  const asked = new Map<number, string>();
  let going: number | undefined;
  let initialized = 0;
  let ended = 0;
  for (const message of client.messages) {
    if (message.type === 'request') {
      const { command } = message as P.Request;
      asked.set(message.seq, command);
      if (/^(next|step|continue|reverse)/.test(command)) going = message.seq;
    } else if (message.type === 'response') {
      const { request_seq, command } = message as P.Response;
      if (answered.has(request_seq)) wrong.push(`${command} was answered twice`);
      if (asked.get(request_seq) !== command) wrong.push(`${command} was not asked for`);
      answered.add(request_seq);
    } else {
      const { event, body } = message as P.Event;
      if (event.includes('/')) wrong.push(`the event ${event} is not of the protocol`);
      if (event === 'initialized' && ++initialized > 1) wrong.push('initialized came twice');
      if (event === 'terminated' && ++ended > 1) wrong.push('terminated came twice');
      if (event !== 'stopped') continue;
      if (going !== undefined && !answered.has(going)) wrong.push('stopped before the answer');
      if (!reasons.includes(body.reason)) wrong.push(`stopped for ${body.reason}`);
      if (typeof body.threadId !== 'number' || body.allThreadsStopped !== true)
        wrong.push('stopped without its thread, or not all');
    }
  }
  for (const [seq, command] of asked)
    if (!answered.has(seq)) wrong.push(`${command} was not answered`);
  return wrong;
}

describe.each(families)('$name', ({ initialize, base, launchFirst, setup, atStop, end }) => {
  test('launches, stops at its breakpoint, looks around, steps both ways and leaves', async () => {
    const client = new Client(host);
    await client.request('initialize', initialize);
    const launch = { type: 'coherence', request: 'launch', name: 'Debug', program };
    let launched = launchFirst ? client.send('launch', launch) : -1;
    await client.event('initialized');
    for (const [command, args] of setup) {
      const { success, body } = await client.request(command, args);
      expect([command, success]).toEqual([command, true]);
      if (command !== 'setBreakpoints') continue;
      // Before there is a scenario a breakpoint is pending; what became of it comes as an event.
      const [{ verified, line: placed }] = body.breakpoints;
      expect([verified, placed]).toEqual(launchFirst ? [true, line + base] : [false, undefined]);
    }
    if (!launchFirst) launched = client.send('launch', launch);
    expect((await client.response(launched)).success).toBe(true);
    if (!launchFirst) {
      const { breakpoint } = (await client.event('breakpoint')).body;
      expect([breakpoint.verified, breakpoint.line]).toEqual([true, line + base]);
    }
    let stop = await client.event('stopped');
    const threadId = () => stop.body.threadId as number;
    const at: string[] = [];
    const look = async () => {
      await atStop(client, threadId());
      const top = await frame(client, { threadId: threadId(), startFrame: 0, levels: 1 });
      at.push(`${stop.body.reason} ${top.line - base - line}`);
    };
    await look();
    const commands = 'continue continue stepIn stepOut next stepBack reverseContinue';
    for (const command of commands.split(' ')) {
      stop = await client.go(command, { threadId: threadId() });
      await look();
    }
    // Lines are counted from the statement with the breakpoint; the step into it stands in the kernel.
    expect(at.filter((_, i) => i !== 0 && i !== 3)).toEqual([
      'breakpoint 0',
      'breakpoint 0',
      'step 1', // the call was the last thing that the statement did
      'step 2',
      'step 1',
      'breakpoint 0',
    ]);
    expect([at[0], at[3]].map((text) => text?.split(' ')[0])).toEqual(['entry', 'step']);
    for (const [command, args] of end)
      expect((await client.request(command, args)).success).toBe(true);
    expect(strictlyOf(client)).toEqual([]);
  });

  test('without a stop the run ends with its exit code, and only then the session', async () => {
    const client = new Client(host);
    await client.request('initialize', initialize);
    const launch = { type: 'coherence', request: 'launch', name: 'Debug', program };
    const launched = client.send('launch', { ...launch, stopOnEntry: false });
    await client.request('configurationDone');
    await client.response(launched);
    await client.event('terminated');
    await client.request('disconnect', {});
    const events = client.messages.filter((m) => m.type === 'event') as P.Event[];
    expect(
      events.map((e) => e.event).filter((name) => !/^(output|progress.*)$/.test(name)),
    ).toEqual(['initialized', 'exited', 'terminated']);
    expect(events.find((e) => e.event === 'exited')?.body).toEqual({ exitCode: 0 });
    expect(strictlyOf(client)).toEqual([]);
  });
});

test('the strict reader itself notices what is wrong', async () => {
  const client = new Client(host);
  await client.request('initialize', families[0]!.initialize);
  client.messages.push(
    { seq: 90, type: 'request', command: 'next' } as P.Request,
    { seq: 91, type: 'event', event: 'stopped', body: { reason: 'end' } } as P.Event,
    { seq: 92, type: 'event', event: 'coherence/moved' } as P.Event,
    { seq: 93, type: 'event', event: 'initialized' } as P.Event,
  );
  await client.event('initialized');
  expect(strictlyOf(client).sort()).toEqual([
    'initialized came twice',
    'next was not answered',
    'stopped before the answer',
    'stopped for end',
    'stopped without its thread, or not all',
    'the event coherence/moved is not of the protocol',
  ]);
});
