// Sessions as a person would tell them, each a text file in `transcripts/`, replayed against the real adapter over stdio:
// `>` is what the user does, `$` a command line, `<` what comes of it. Every message in either direction is held against
// the protocol's schema. Numbers of steps and events and lines of listings are left out, for they change with the model.
// UPDATE=1 rewrites what comes; the difference is then to be read.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { messageChecker } from './schema';
import { builtCli, Wire } from './wire';

const folder = mkdtempSync(path.join(tmpdir(), 'coherence-told-'));
const transcripts = 'test/debug/transcripts';
const running = new Set<ChildProcess>();
let cli: string;
let check: ReturnType<typeof messageChecker>;

beforeAll(async () => {
  cli = await builtCli(folder);
  check = messageChecker();
});
afterAll(() => {
  for (const child of running) child.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** Where a frame stands: its line, where that is one of a scenario; lines of listings change with the model. */
const placeText = ({ name, source, line }: P.StackFrame): string =>
  `${name}, ${source?.name}${source?.name?.endsWith('.coh') ? `:${line}` : ''}`;

/** A session over stdio, told in lines. */
class Telling {
  readonly lines: string[] = [];
  readonly wrong: string[] = [];
  private readonly wire: Wire;
  private readonly child: ChildProcess;
  private readonly commands = new Map<number, string>();
  /** Where it stands: the thread and its innermost frame. */
  private threadId = 1;
  private frameId: number | undefined;
  private threads = new Map<number, string>();

  constructor() {
    this.child = spawn(process.execPath, [cli, 'dap'], { stdio: ['pipe', 'pipe', 'inherit'] });
    running.add(this.child);
    this.wire = new Wire(this.child.stdout!, this.child.stdin!, (m) => this.hear(m));
  }

  private hear(message: P.ProtocolMessage): void {
    if (message.type === 'request') this.commands.set(message.seq, (message as P.Request).command);
    const wrong = check(
      message,
      this.commands.get((message as P.Response).request_seq) ?? (message as P.Request).command,
    );
    if (wrong !== undefined) this.wrong.push(wrong);
    if (message.type !== 'event') return;
    const { event, body } = message as P.Event;
    if (event === 'output')
      for (const line of body.output.trimEnd().split('\n')) this.say(`output ${line}`);
    if (event === 'invalidated') this.say(`invalidated: ${body.areas.join(', ')}`);
    if (event === 'exited') this.say(`exited with ${body.exitCode}`);
    if (event === 'terminated') this.say('terminated');
  }

  private say(text: string): void {
    const numberless = text
      .replace(/\b(step|event|micro-steps?|Event) \d+/g, '$1 N')
      .replace(/(step N) of \d+/g, '$1 of N');
    this.lines.push(...numberless.split('\n').map((line) => `< ${line}`.trimEnd()));
  }

  /** Asks; what is refused is told, and nothing else comes of it. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies of any kind are told
  private async ask(command: string, args: object = {}): Promise<any> {
    const { success, message, body } = await this.wire.request(command, args);
    // What a change leads to comes behind its answer: all of it is here, and told, when the next answer is.
    if (/^(set|evaluate)/.test(command)) await this.wire.request('threads');
    if (success) return body ?? {};
    this.say(`refused: ${message}`);
    return undefined;
  }

  /** Asks for a motion, and tells where and why it stands again. */
  private async go(command: string, args: object = {}): Promise<void> {
    if ((await this.ask(command, { threadId: this.threadId, ...args })) !== undefined)
      await this.stopped();
  }

  private async stopped(): Promise<void> {
    const { event, body } = await this.wire.event('stopped', 'terminated');
    if (event === 'terminated') return;
    const { threads } = (await this.wire.request('threads')).body;
    this.threads = new Map(threads.map(({ id, name }: P.Thread) => [id, name]));
    this.threadId = body.threadId;
    const { stackFrames } = (
      await this.wire.request('stackTrace', { threadId: this.threadId, levels: 1 })
    ).body;
    const [frame] = stackFrames;
    this.frameId = frame?.id;
    this.say(`stopped (${body.reason}), ${this.threads.get(body.threadId)}: ${body.description}`);
    if (body.text !== undefined) this.say(`  ${body.text}`);
    if (frame !== undefined) this.say(`  at ${placeText(frame)}`);
  }

  private async begin(command: string, words: string, more: object = {}): Promise<void> {
    const [, program, rest = ''] = /^(\S+)(?: with (.*))?$/.exec(words)!;
    await this.ask('initialize', {
      adapterID: 'coherence',
      linesStartAt1: true,
      columnsStartAt1: true,
      supportsInvalidatedEvent: true,
    });
    await this.wire.event('initialized');
    const args = { program, ...(rest === '' ? {} : { with: rest.split(', ') }), ...more };
    const launched = this.wire.request(command, args);
    await this.ask('configurationDone');
    if (!(await launched).success) return this.say(`refused: ${(await launched).message}`);
    await this.stopped();
  }

  /** What the user does, by its first words. */
  private readonly acts: readonly [RegExp, (...words: string[]) => Promise<void>][] = [
    [/^launch (.*)$/, (words) => this.begin('launch', words)],
    [
      /^attach to witness\.json of (.*)$/,
      (words) => this.begin('attach', words, { witness: path.join(folder, 'witness.json') }),
    ],
    [
      /^stop at (\S+?)(?: if (.*))?$/,
      async (filterId, condition) => {
        const filter = { filterId, ...(condition && { condition }) };
        const body = await this.ask('setExceptionBreakpoints', {
          filters: [],
          filterOptions: [filter],
        });
        for (const b of body?.breakpoints ?? [])
          if (!b.verified) this.say(`not placed: ${b.message}`);
      },
    ],
    [
      /^stop at no exception$/,
      async () => void (await this.ask('setExceptionBreakpoints', { filters: [] })),
    ],
    [
      /^break in (.*)$/,
      async (names) => {
        const breakpoints = names.split(', ').map((name) => ({ name }));
        await this.ask('setFunctionBreakpoints', { breakpoints });
      },
    ],
    [
      /^break nowhere$/,
      async () => void (await this.ask('setFunctionBreakpoints', { breakpoints: [] })),
    ],
    [
      /^watch (.*?)(?: if (.*))?$/,
      async (name, condition) => {
        const info = await this.ask('dataBreakpointInfo', { name, frameId: this.frameId });
        if (info === undefined) return;
        this.say(
          info.dataId === null
            ? `cannot be watched: ${info.description}`
            : `watched as ${info.dataId}`,
        );
        const breakpoint = { dataId: info.dataId, ...(condition && { condition }) };
        await this.ask('setDataBreakpoints', {
          breakpoints: info.dataId === null ? [] : [breakpoint],
        });
      },
    ],
    [
      /^(continue|reverseContinue|next|stepOut|stepBack|stepIn)( by micro-step)?$/,
      (command, small) =>
        this.go(command, small === undefined ? {} : { granularity: 'instruction' }),
    ],
    [
      /^stepIn (.+)$/,
      async (label) => {
        const { targets } = await this.ask('stepInTargets', { frameId: this.frameId });
        const target = targets.find((t: P.StepInTarget) => t.label.startsWith(label));
        await this.go('stepIn', { targetId: target.id });
      },
    ],
    [
      /^who can go next$/,
      async () => {
        const { targets } = await this.ask('stepInTargets', { frameId: this.frameId });
        for (const { label } of targets) this.say(label);
      },
    ],
    [
      /^stack$/,
      async () => {
        const body = await this.ask('stackTrace', { threadId: this.threadId });
        for (const frame of body?.stackFrames ?? []) this.say(placeText(frame));
      },
    ],
    [
      /^scope (.*)$/,
      async (name) => {
        const { scopes = [] } = (await this.ask('scopes', { frameId: this.frameId })) ?? {};
        const scope = scopes.find((s: P.Scope) => s.name === name);
        if (scope === undefined) return this.say('there is no such scope');
        const { variablesReference } = scope;
        const { variables } = await this.ask('variables', { variablesReference });
        for (const v of variables) this.say(`${v.name} = ${v.value}`);
      },
    ],
    [
      /^exceptionInfo$/,
      async () => {
        const body = await this.ask('exceptionInfo', { threadId: this.threadId });
        if (body !== undefined)
          this.say(`${body.exceptionId} (${body.details.typeName}): ${body.description}`);
      },
    ],
    [
      /^set (.*?) = (.*)$/,
      async (expression, value) => {
        const body = await this.ask('setExpression', { expression, value, frameId: this.frameId });
        if (body === undefined) return;
        this.say(`${expression} is ${body.value}`);
        await this.ask('threads'); // what the change announced has come by then
      },
    ],
    [
      /^value (.*)$/,
      async (expression) => {
        const body = await this.ask('evaluate', {
          expression,
          context: 'watch',
          frameId: this.frameId,
        });
        if (body !== undefined) this.say(body.result);
      },
    ],
    [
      /^(?:(goes) )?console (.*)$/,
      async (goes, expression) => {
        const body = await this.ask('evaluate', {
          expression,
          context: 'repl',
          frameId: this.frameId,
        });
        if (body === undefined) return;
        if (body.result !== '') this.say(body.result);
        if (goes !== undefined) await this.stopped();
      },
    ],
    [
      /^disconnect$/,
      async () => {
        const ended = new Promise((resolve) => this.child.on('exit', resolve));
        await this.ask('disconnect');
        this.say(`the process ended with ${await ended}`);
      },
    ],
  ];

  async act(line: string): Promise<void> {
    this.lines.push(line);
    for (const [pattern, act] of this.acts) {
      const match = pattern.exec(line.slice(2));
      if (match !== null) return act(...(match.slice(1) as string[]));
    }
    throw new Error(`the test knows no way to do: ${line}`);
  }

  /** A command line, whose output is a file. */
  async run(line: string): Promise<void> {
    this.lines.push(line);
    const [, words, file] = /^\$ coherence (.*) > (\S+)$/.exec(line)!;
    let out: string;
    try {
      out = execFileSync(process.execPath, [cli, ...words!.split(' ')], { encoding: 'utf8' });
    } catch (error) {
      out = (error as { stdout: string }).stdout; // a violation is exit code 1
    }
    writeFileSync(path.join(folder, file!), out);
  }

  end(): void {
    this.child.kill();
    running.delete(this.child);
  }
}

test.each(readdirSync(transcripts))('%s', async (name) => {
  const file = path.join(transcripts, name);
  const text = readFileSync(file, 'utf8');
  const telling = new Telling();
  try {
    for (const line of text.split('\n')) {
      if (line.startsWith('> ')) await telling.act(line);
      else if (line.startsWith('$ ')) await telling.run(line);
      else if (!line.startsWith('<')) telling.lines.push(line);
    }
  } finally {
    telling.end();
  }
  const told = telling.lines.join('\n');
  if (process.env['UPDATE'] === '1') writeFileSync(file, told);
  else expect(told).toBe(text);
  expect(telling.wrong).toEqual([]);
});
