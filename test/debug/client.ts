// A client of the adapter in memory: sends requests, keeps every message, checks each against the protocol's schema,
// and writes a session down as text in which numbers that mean nothing are left out.
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { CoherenceAdapter, type Host } from '../../src/debug/adapter';
import { messageChecker } from './schema';
import { toyHost } from './toy';

let check: ReturnType<typeof messageChecker> | undefined;

export class Client {
  readonly messages: P.ProtocolMessage[] = [];
  /** What the schema says against messages, in either direction. */
  readonly wrong: string[] = [];
  private seq = 1;
  private readonly commands = new Map<number, string>();
  private readonly adapter: CoherenceAdapter;
  private readonly listeners = new Set<() => void>();

  constructor(host: Host = toyHost) {
    check ??= messageChecker();
    this.adapter = new CoherenceAdapter(host);
    this.adapter.onDidSendMessage((sent) => {
      const message = structuredClone(sent) as P.ProtocolMessage;
      this.note(message, this.commands.get((message as P.Response).request_seq));
      for (const listener of this.listeners) listener();
    });
  }

  /** Sends a request and waits for its response. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of any kind
  async request(command: string, args?: unknown): Promise<P.Response & { body: any }> {
    return this.response(this.send(command, args)) as never;
  }

  /** Sends a request, and does not wait. */
  send(command: string, args?: unknown): number {
    const seq = this.seq++;
    const request = {
      seq,
      type: 'request',
      command,
      ...(args !== undefined && { arguments: args }),
    };
    this.commands.set(seq, command);
    this.note(request as P.Request, command);
    this.adapter.handleMessage(request as P.Request);
    return seq;
  }

  response(seq: number): Promise<P.Response> {
    return this.find(
      0,
      (m) => m.type === 'response' && (m as P.Response).request_seq === seq,
    ) as never;
  }

  /** The first event of one of these names from message `from` on. */
  event(names: string, from = 0): Promise<P.Event> {
    const wanted = names.split(' ');
    return this.find(
      from,
      (m) => m.type === 'event' && wanted.includes((m as P.Event).event),
    ) as never;
  }

  /** Sends a request that makes the run go, and waits until it stands again. */
  async go(command: string, args: unknown = { threadId: 1 }): Promise<P.Event> {
    const from = this.messages.length;
    const { success, message } = await this.request(command, args);
    if (!success) throw new Error(message);
    return this.event('stopped terminated', from);
  }

  /** The usual beginning: initialize, launch, breakpoints by `configure`, then the first stop. */
  async start(
    launch: object,
    configure?: () => Promise<unknown>,
    client: object = {},
  ): Promise<P.Event> {
    await this.request('initialize', {
      adapterID: 'coherence',
      linesStartAt1: true,
      columnsStartAt1: true,
      ...client,
    });
    await this.event('initialized');
    const launched = this.send('launch', launch);
    await configure?.();
    const from = this.messages.length;
    await this.request('configurationDone');
    const { success, message } = await this.response(launched);
    if (!success) throw new Error(message);
    return this.event('stopped terminated', from);
  }

  /** The call stack of a thread, a line a frame: name, source, line. */
  async stack(threadId = 1): Promise<string[]> {
    const { body } = await this.request('stackTrace', { threadId });
    return body.stackFrames.map(
      (f: P.StackFrame) =>
        `${f.name} @ ${f.source?.path?.split('/').at(-1) ?? f.source?.name}:${f.line}`,
    );
  }

  /** Name and value of the variables of a scope of the innermost frame. */
  async scope(name: string, threadId = 1): Promise<string[]> {
    const { body } = await this.request('stackTrace', { threadId, startFrame: 0, levels: 1 });
    const scopes = await this.request('scopes', { frameId: body.stackFrames[0].id });
    const found = scopes.body.scopes.find((s: P.Scope) => s.name === name);
    return found === undefined ? [] : this.children(found.variablesReference);
  }

  async children(variablesReference: number, page: object = {}): Promise<string[]> {
    const { body } = await this.request('variables', { variablesReference, ...page });
    return body.variables.map((v: P.Variable) => `${v.name} = ${v.value}`);
  }

  close(): void {
    this.adapter.dispose();
  }

  /** The session as text: what was sent and what came, without sequence numbers. */
  transcript(from = 0): string {
    return this.messages
      .slice(from)
      .map((m) => {
        const { seq: _seq, type, request_seq, ...rest } = m as unknown as Record<string, unknown>;
        if (type === 'request') return `> ${rest.command}${bodyText(rest.arguments)}`;
        if (type === 'event') return `  * ${rest.event}${bodyText(rest.body)}`;
        const name = rest.command ?? request_seq;
        return rest.success
          ? `< ${name}${bodyText(rest.body)}`
          : `< ${name} refused: ${rest.message}`;
      })
      .join('\n');
  }

  private note(message: P.ProtocolMessage, command: string | undefined): void {
    this.messages.push(message);
    const wrong = check!(message, command);
    if (wrong !== undefined) this.wrong.push(wrong);
  }

  private find(from: number, test: (m: P.ProtocolMessage) => boolean): Promise<P.ProtocolMessage> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.messages.slice(from).find(test);
        if (found === undefined) return;
        clearTimeout(timer);
        this.listeners.delete(look);
        resolve(found);
      };
      const timer = setTimeout(
        () => reject(new Error(`not heard:\n${this.transcript(from)}`)),
        25_000, // only so that a failure says what was heard, before the test gives up
      );
      this.listeners.add(look);
      look();
    });
  }
}

const bodyText = (body: unknown): string =>
  body === undefined || Object.keys(body as object).length === 0 ? '' : ` ${JSON.stringify(body)}`;
