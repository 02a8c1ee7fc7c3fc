// What a session survives, and what it says then: long work and calling it off, files edited meanwhile, messages out of
// order, things of great size.
import { readFileSync } from 'node:fs';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { afterEach, expect, test, vi } from 'vitest';
import { loadDebuggee } from '../../src/debug/scenario';
import { Client } from './client';
import { toyFiles, toyHost } from './toy';

const host = { read: async (path: string) => readFileSync(path, 'utf8'), load: loadDebuggee };
const late = { program: '/toys/late.toy' };
toyFiles[late.program] = 'thread a\n  add 7\n  spin 300000\n  add 1\n';

let client: Client;
afterEach(() => {
  vi.restoreAllMocks();
  expect(client.wrong).toEqual([]);
  client.close();
});

/** A clock that goes on by one each time it is asked. */
function ownClock(): void {
  let milliseconds = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => milliseconds++);
}

const events = (names: RegExp, from = 0): P.Event[] =>
  client.messages
    .slice(from)
    .filter((m): m is P.Event => m.type === 'event' && names.test((m as P.Event).event));
const position = async () => (await client.request('coherence/time')).body.position;
const evaluate = (expression: string) => ({ expression, context: 'repl' });

test('a long run tells how far it is; cancelled, it stands where it is and the session goes on', async () => {
  ownClock();
  client = new Client();
  await client.start(late, undefined, { supportsProgressReporting: true });
  const from = client.messages.length;
  await client.request('continue', { threadId: 1 });
  await client.event('progressUpdate', from);
  const [{ body: begun }] = events(/progressStart/, from) as [P.Event];
  expect(begun).toMatchObject({ title: 'Running', cancellable: true });
  await client.request('cancel', { progressId: `${begun.progressId} of yesterday` });
  expect((await client.request('stackTrace', { threadId: 1 })).message).toBe('notStopped');
  await client.request('cancel', { progressId: begun.progressId });
  await client.event('stopped', from);
  const told = events(/progress|stopped/, from);
  expect(told.map(({ event }) => event).join(' ')).toMatch(
    /^progressStart( progressUpdate)+ progressEnd stopped$/,
  );
  expect(new Set(told.slice(0, -1).map(({ body }) => body.progressId)).size).toBe(1);
  expect(told.at(-1)!.body).toMatchObject({ reason: 'pause', description: 'Paused' });
  const here = await position();
  await client.go('stepIn', { threadId: 1, granularity: 'instruction' });
  expect(await position()).toBe(here + 1);
  await client.go('continue'); // work that comes later has a number of its own
  const starts = events(/progressStart/, from).map(({ body }) => body.progressId);
  expect(new Set(starts).size).toBe(starts.length);
  expect(starts.length).toBe(events(/progressEnd/, from).length);
});

test('who wrote looks back to the beginning, tells how far it is, and goes back to where the run stood', async () => {
  ownClock();
  client = new Client();
  await client.start(late, undefined, { supportsProgressReporting: true });
  await client.go('next');
  await client.go('next');
  const { position: here, hash } = (await client.request('coherence/time')).body;
  expect(here).toBeGreaterThan(300_000);
  const from = client.messages.length;
  const asked = client.request('evaluate', evaluate('who wrote value'));
  const stack = client.request('stackTrace', { threadId: 1 }); // waits for the answer
  expect((await asked).body.result).toMatch(
    /^step \d: 0 → 7. a on cpu0 wrote it in grow: box->value = old \+ n\.$/,
  );
  expect((await stack).success).toBe(true);
  expect((await client.request('coherence/time')).body).toMatchObject({ position: here, hash });
  const shown = events(/progress/, from);
  expect(shown[0]!.body).toMatchObject({
    title: 'Looking back',
    message: 'changes of value of box',
  });
  const parts = shown.slice(0, -1).map(({ body }) => body.percentage);
  expect(parts).toEqual([...parts].sort((a, b) => a - b));
  expect(parts.at(-1)).toBeGreaterThan(parts[0]);
  expect(shown.at(-1)!.event).toBe('progressEnd');
});

test('a look back that is called off says what it has found; the run stands where it stood', async () => {
  ownClock();
  client = new Client();
  await client.start(late, undefined, { supportsProgressReporting: true });
  await client.go('next');
  await client.go('next');
  const { position: here, hash } = (await client.request('coherence/time')).body;
  const ways = {
    pause: () => client.request('pause', { threadId: 1 }),
    request: (requestId: number) => client.request('cancel', { requestId }),
    progress: async () => {
      const { progressId } = (await client.event('progressStart', client.messages.length)).body;
      return client.request('cancel', { progressId });
    },
  };
  for (const callOff of Object.values(ways)) {
    const asked = client.send('evaluate', evaluate('history value'));
    await callOff(asked);
    const { body } = (await client.response(asked)) as P.EvaluateResponse;
    expect(body.result).toMatch(
      /^value of box did not change from step \d+ on; the look further back was called off$/,
    );
    expect((await client.request('coherence/time')).body).toMatchObject({ position: here, hash });
  }
  await client.go('stepBack', { threadId: 1, granularity: 'instruction' });
  const last = client.send('evaluate', evaluate('history value'));
  await client.request('disconnect');
  expect((await client.response(last)).success).toBe(true);
});

/** A host whose files are read when they are let through, and can be written. */
function slowHost(files: Record<string, string> = { ...toyFiles }) {
  let open: () => void = () => {};
  let gate: Promise<void> | undefined;
  const read = async (path: string) => {
    await gate;
    return toyHost.read(path).catch(() => Promise.reject(new Error(`${path} is gone`)));
  };
  return {
    host: { ...toyHost, read: async (path: string) => files[path] ?? read(path) },
    files,
    /** From now on reading waits. */
    close() {
      for (const path of Object.keys(files)) delete files[path];
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    open: () => open(),
  };
}

test('a moment far ahead of what was gone yet is set out for, and pause is heard on the way', async () => {
  ownClock();
  client = new Client();
  await client.start({ ...late, schedule: '2x200000' });
  const from = client.messages.length;
  client.send('coherence/goto', { position: 150_000 });
  await client.request('pause', { threadId: 1 });
  expect((await client.event('stopped', from)).body.description).toBe('Paused');
  expect(await position()).toBeLessThan(50_000);
  const { body } = await client.go('coherence/goto', { position: 150_000 });
  expect([body.description, await position()]).toEqual(['At step 150000', 150_000]);
});

test('a launch that is cancelled half way is refused; what waited is served, and another launch may follow', async () => {
  const slow = slowHost();
  client = new Client(slow.host);
  await client.request('initialize', { adapterID: 'coherence' });
  slow.close();
  const first = client.send('launch', { program: '/toys/two.toy' });
  const waiting = client.send('configurationDone');
  await client.request('cancel', { requestId: first });
  expect((await client.response(first)).message).toBe('cancelled');
  expect((await client.response(waiting)).success).toBe(true);
  expect((await client.request('stackTrace', { threadId: 1 })).message).toBe(
    'stackTrace: nothing is being debugged yet; send launch first',
  );
  slow.open(); // what the first launch still reads comes to nothing
  const second = client.send('launch', { program: '/toys/stuck.toy' });
  expect((await client.response(second)).success).toBe(true);
  const stop = await client.event('stopped');
  expect(stop.body.reason).toBe('entry');
  expect(await client.stack()).toEqual(['a on cpu0 @ stuck.toy:2']);
  expect(events(/stopped/).length).toBe(1);
  // A restart that is cancelled leaves the run that there was.
  slow.close();
  const restart = client.send('restart', {});
  await client.request('cancel', { requestId: restart });
  expect((await client.response(restart)).message).toBe('cancelled');
  slow.open();
  expect(await client.stack()).toEqual(['a on cpu0 @ stuck.toy:2']);
});

test('a launch that waits to be configured is cancelled, or ended, and begins nothing', async () => {
  client = new Client();
  await client.request('initialize', { adapterID: 'coherence' });
  const first = client.send('launch', { program: '/toys/two.toy' });
  await client.request('threads');
  await client.request('cancel', { requestId: first });
  expect((await client.response(first)).message).toBe('cancelled');
  const second = client.send('launch', { program: '/toys/two.toy' });
  await client.request('terminate');
  expect((await client.response(second)).message).toBe('cancelled');
  await client.request('configurationDone');
  await client.request('disconnect');
  expect(events(/stopped|terminated/).map(({ event }) => event)).toEqual(['terminated']);
});

test('a file that is edited while its run stands is told of, with its breakpoints and frames, and when it is as before', async () => {
  const path = '/toys/two.toy';
  const slow = slowHost();
  client = new Client(slow.host);
  await client.start({ program: path }, () =>
    client.request('setBreakpoints', { source: { path }, breakpoints: [{ line: 3 }] }),
  );
  const told = (from: number) =>
    events(/output|loadedSource|breakpoint/, from).map(({ event, body }) =>
      [event, body.category ?? body.reason, body.output ?? body.breakpoint?.message ?? '']
        .join(' | ')
        .trim(),
    );
  const text = slow.files[path]!;
  slow.files[path] = `// a line more\n${text}`;
  let from = client.messages.length;
  ownClock(); // the files are looked at now and then
  vi.mocked(performance.now).mockReturnValue(1e6);
  await client.go('next');
  await client.event('breakpoint', from);
  expect(told(from)).toMatchInlineSnapshot(`
    [
      "output | important | two.toy was edited after this run was loaded. The run, its lines and its breakpoints are those of the text before; restart to debug the new one.",
      "loadedSource | changed |",
      "breakpoint | changed | the file was edited after this run was loaded: lines are those of the text before",
    ]
  `);
  const { body } = await client.request('stackTrace', { threadId: 1 });
  expect(body.stackFrames[0].source.origin).toMatchInlineSnapshot(
    `"the file was edited after this run was loaded: lines are those of the text before"`,
  );
  expect(
    (await client.request('source', { source: { path }, sourceReference: 0 })).body.content,
  ).toBe(text);
  // Once is enough; a client that saves the file sends its breakpoints again.
  from = client.messages.length;
  const set = await client.request('setBreakpoints', {
    source: { path },
    breakpoints: [{ line: 3 }],
    sourceModified: true,
  });
  expect(set.body.breakpoints[0]).toMatchObject({
    verified: true,
    line: 3,
    message: body.stackFrames[0].source.origin,
  });
  slow.files[path] = text;
  await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line: 3 }] });
  await client.event('breakpoint', from);
  expect(told(from)).toMatchInlineSnapshot(`
    [
      "output | important | two.toy is again as this run has it.",
      "loadedSource | changed |",
      "breakpoint | changed |",
    ]
  `);
  expect((await client.stack())[0]).toMatch(/two.toy:3$/);
  // The restart debugs the new text.
  slow.files[path] = `// a line more\n${text}`;
  await client.go('restart', {});
  expect(await client.stack()).toEqual(['a on cpu0 @ two.toy:3']);
});

test('two sessions in one process, message by message in turn, each go as alone', async () => {
  const sessions = [
    { program: 'examples/01-ring-buffer.coh', with: ['no-clean-flush'] },
    { program: 'examples/02-large-buffer.coh', kernel: 'linux-6.1' },
  ];
  const begin = async (launch: object) => {
    const own = new Client(host);
    await own.start(launch, () =>
      own.request('setFunctionBreakpoints', { breakpoints: [{ name: 'vmw_bo_dirty_*' }] }),
    );
    return own;
  };
  const commands = 'continue stepIn next stepBack continue reverseContinue continue'.split(' ');
  const look = async (own: Client, command: string) => {
    const { body } = await own.go(command, { threadId: 3 });
    await own.stack(body.threadId);
    await own.scope('Locals', body.threadId);
    await own.request('coherence/time');
  };
  const alone: string[] = [];
  for (const session of sessions) {
    client = await begin(session);
    for (const command of commands) await look(client, command);
    alone.push(client.transcript());
    client.close();
  }
  const both = [await begin(sessions[0]!), await begin(sessions[1]!)];
  for (const command of commands) await Promise.all(both.map((own) => look(own, command)));
  expect(both.map((own) => own.transcript())).toEqual(alone);
  expect(alone[0]).not.toBe(alone[1]);
  for (const own of both) own.close();
});

test('messages in any order are each answered once, and in words', async () => {
  client = new Client();
  const answers: string[] = [];
  const say = async (command: string, args?: object) => {
    const { success, message } = await client.request(command, args);
    answers.push(`${command}: ${success ? 'yes' : message}`);
  };
  await say('next', { threadId: 1 });
  await say('configurationDone');
  await say('setBreakpoints', { source: { path: '/toys/two.toy' }, breakpoints: [{ line: 2 }] });
  await say('launch', { program: '/toys/two.toy' }); // configured already
  await say('initialize', { adapterID: 'coherence' });
  await say('launch', { program: '/toys/two.toy' });
  await say('configurationDone');
  await client.event('stopped');
  await say('pause', { threadId: 1 }); // it stands already
  await say('cancel', {});
  await say('cancel', { requestId: 99, progressId: 'none' });
  await say('terminate');
  await say('next', { threadId: 1 });
  await say('disconnect');
  await say('disconnect');
  await say('threads');
  expect(answers).toMatchInlineSnapshot(`
    [
      "next: next: nothing is being debugged yet; send launch first",
      "configurationDone: yes",
      "setBreakpoints: yes",
      "launch: yes",
      "initialize: yes",
      "launch: this session debugs a scenario already; use restart, or a session of its own",
      "configurationDone: yes",
      "pause: yes",
      "cancel: yes",
      "cancel: yes",
      "terminate: yes",
      "next: next: the session is over; restart runs it again",
      "disconnect: yes",
      "disconnect: yes",
      "threads: yes",
    ]
  `);
});

test('a run that goes round for ever is found, with agents held too, and can be paused before', async () => {
  client = new Client();
  toyFiles['/toys/turn.toy'] = 'thread a\n  turn\nthread b\n  turn\n';
  await client.start({ program: '/toys/turn.toy' }, () =>
    client.request('setExceptionBreakpoints', { filters: ['warn'] }),
  );
  client.send('continue', { threadId: 1 });
  const from = client.messages.length;
  await client.request('pause', { threadId: 1 });
  expect((await client.event('stopped', from)).body.description).toBe('Paused');
  expect((await client.go('continue')).body).toMatchObject({
    reason: 'exception',
    description: 'Livelock',
  });
  await client.go('coherence/goto', { position: 10 });
  // The default schedule would let only `a` go. Held, it leaves the turn to `b`, which gets nowhere either; that is no
  // warning of the kernel, for others could go.
  await client.request('setExceptionBreakpoints', { filters: [] });
  expect((await client.request('evaluate', evaluate('hold 2'))).body.result).toBe(
    'Held: a on cpu0',
  );
  expect((await client.go('continue')).body).toMatchObject({
    reason: 'pause',
    description: 'The run goes round while agents are held',
    text: 'Everything is again as it was before, so it would go on like this for ever. Held: a on cpu0. Step one of them, or let them run again.',
  });
  const { schedule, branch } = (await client.request('coherence/time')).body;
  expect([schedule, branch]).toEqual([expect.stringMatching(/^2x2 .* 3x\d+$/), 2]);
});

/** The longest message that came. */
const longest = (from: number) =>
  Math.max(...client.messages.slice(from).map((message) => JSON.stringify(message).length));

test('a bitmap of a million bits is given by pages; who asks for all of it gets a beginning and is told', async () => {
  client = new Client();
  toyFiles['/toys/bits.toy'] = 'bits 1000000\nthread a\n  add 1\n';
  await client.start({ program: '/toys/bits.toy' });
  const { result, variablesReference, indexedVariables } = (
    await client.request('evaluate', { expression: 'field:box.bitmap' })
  ).body;
  expect([result.length < 20_000, variablesReference, indexedVariables]).toEqual([
    true,
    0,
    undefined,
  ]);
  const { body } = await client.request('stackTrace', { threadId: 1 });
  const { scopes } = (await client.request('scopes', { frameId: body.stackFrames[0].id })).body;
  const objects = scopes.find((s: P.Scope) => s.name === 'Objects').variablesReference;
  const child = async (reference: number, name: string): Promise<P.Variable> =>
    (await client.request('variables', { variablesReference: reference })).body.variables.find(
      (v: P.Variable) => v.name === name,
    );
  const box = await child(objects, 'box');
  const bitmap = await child(box.variablesReference, 'bitmap');
  expect(bitmap).toMatchObject({ value: 'set: 0-2, 40', indexedVariables: 1_000_000 });
  const from = client.messages.length;
  const page = (start?: number, count?: number) =>
    client.children(bitmap.variablesReference, { filter: 'indexed', start, count });
  expect(await page(38, 4)).toEqual(['[38] = 0', '[39] = 0', '[40] = 1', '[41] = 0']);
  expect(await page(999_999, 100)).toEqual(['[999999] = 0']);
  expect(await page(1_000_000, 100)).toEqual([]);
  const all = await page();
  expect([all.length, all.at(-1)]).toEqual([
    10_001,
    '… = 990000 more: asked for by start and count, 10000 at a time',
  ]);
  expect(longest(from)).toBeLessThan(2 ** 21);
  const set = await client.request('setVariable', {
    variablesReference: bitmap.variablesReference,
    name: '[777777]',
    value: '1',
  });
  expect(set.body.value).toBe('1');
  expect(await page(777_776, 3)).toEqual(['[777776] = 0', '[777777] = 1', '[777778] = 0']);
});

const large = `scenario "a large buffer"
surface big: buffer 16MiB coherent
process app {
  let p = map big
  thread one on cpu0 { write p[0 .. 1 page] = 1 }
}
`;

test('memory is read in pieces, however much is asked for; values are shown up to a length', async () => {
  client = new Client({ ...host, read: async () => large });
  await client.start({ program: '/large.coh' });
  await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'vmf_insert_*' }] });
  expect((await client.go('continue')).body.description).toBe(
    'Breakpoint at vmf_insert_mixed_prot (vmf_insert_*)',
  );
  const from = client.messages.length;
  const read = await client.request('readMemory', {
    memoryReference: 'object:big:0',
    count: 2 ** 40,
  });
  expect(Buffer.from(read.body.data, 'base64').length).toBe(4 * 2 ** 20);
  expect(read.body.unreadableBytes).toBe(undefined);
  for (const expression of ['object:big:0:16777216', 'dirty:big', 'p[0 .. 16MiB]', 'big'])
    await client.request('evaluate', { expression });
  expect(longest(from)).toBeLessThan(6 * 2 ** 20);
  const watched = await client.request('setDataBreakpoints', {
    breakpoints: [{ dataId: 'object:big:0:16777216', accessType: 'write' }],
  });
  expect(watched.body.breakpoints[0].verified).toBe(true);
  expect((await client.go('continue', { threadId: 2 })).body.reason).toBe('data breakpoint');
});

const columns = `scenario "two statements a line"
surface ring: buffer 4 pages coherent
process app {
  let p = map ring
  thread one on cpu0 {
    repeat 2 as i { write p[i] = 1 }
    if 1 > 0 { write p[8] = 2 } else { write p[9] = 3 }
  }
}
`;

test('of two statements of a line each has its breakpoint, by its column; without a column both have it', async () => {
  client = new Client({ ...host, read: async () => columns });
  const source = { path: '/columns.coh' };
  await client.start({ program: source.path });
  const set = async (...breakpoints: object[]) =>
    (await client.request('setBreakpoints', { source, breakpoints })).body.breakpoints.map(
      (b: P.Breakpoint) => `${b.line}:${b.column}`,
    );
  const stops = async () => {
    const at: string[] = [];
    await client.go('coherence/goto', { position: 0 });
    for (;;) {
      const { event, body } = await client.go('continue', { threadId: 2 });
      if (event === 'terminated' || body.reason !== 'breakpoint') break;
      const { line, column } = (await client.request('stackTrace', { threadId: 2 })).body
        .stackFrames[0];
      at.push(`${line}:${column}`);
      if (at.length > 9) break;
    }
    return at;
  };
  const { breakpoints } = (
    await client.request('breakpointLocations', { source, line: 6, endLine: 7 })
  ).body;
  expect(breakpoints.map((b: P.BreakpointLocation) => `${b.line}:${b.column}`)).toEqual([
    '6:5',
    '6:21',
    '7:5',
    '7:16',
    '7:40',
  ]);
  expect(await set({ line: 6, column: 25 }, { line: 7, column: 60 })).toEqual(['6:21', '7:40']);
  await client.request('setExceptionBreakpoints', { filters: ['fence-wait'] });
  const inner = await stops();
  expect(inner).toEqual(['6:21', '6:21']); // the second branch of the if is not taken
});

test('thousands of breakpoints of every kind are set at once, and the run heeds them', async () => {
  client = new Client({ ...host, read: async () => columns });
  const many = <T>(make: (i: number) => T): T[] => Array.from({ length: 2000 }, (_, i) => make(i));
  await client.start({ program: '/columns.coh' });
  const asked: [string, object][] = [
    [
      'setBreakpoints',
      {
        source: { path: '/columns.coh' },
        breakpoints: many((i) => ({ line: 1 + (i % 9), condition: `${i} > 1990` })),
      },
    ],
    [
      'setFunctionBreakpoints',
      {
        breakpoints: many((i) => ({
          name: i % 2 ? 'vmw_*' : `no_such_${i}`,
          hitCondition: '> 5000',
        })),
      },
    ],
    [
      'setDataBreakpoints',
      {
        breakpoints: many((i) => ({
          dataId: `bytes:app:0x${(0x7fff0000 + 8 * i).toString(16)}:8`,
        })),
      },
    ],
    [
      'setInstructionBreakpoints',
      {
        breakpoints: many((i) => ({
          instructionReference: `0x${(i * 16).toString(16)}`,
          condition: '0 > 1',
        })),
      },
    ],
    [
      'setExceptionBreakpoints',
      {
        filters: [],
        filterOptions: many((i) => ({ filterId: 'fault', condition: `address == ${i}` })),
      },
    ],
  ];
  for (const [command, args] of asked) {
    const { success, body } = await client.request(command, args);
    expect([command, success, body.breakpoints.length]).toEqual([command, true, 2000]);
  }
  const stop = await client.go('continue', { threadId: 2 });
  expect(stop.body).toMatchObject({ reason: 'breakpoint', description: 'Breakpoint at line 4' });
});
