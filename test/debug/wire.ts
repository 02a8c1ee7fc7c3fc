// A DAP client over a pair of streams: frames messages as the protocol does, and waits for the ones it is asked for. The
// messages that nobody waited for stay in line.
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { DebugProtocol as P } from '@vscode/debugprotocol';
import { build } from 'esbuild';

/** The command line as a file of its own. */
export async function builtCli(folder: string): Promise<string> {
  const outfile = path.join(folder, 'cli.js');
  const entryPoints = ['src/cli/main.ts'];
  await build({ entryPoints, outfile, bundle: true, platform: 'node', logLevel: 'error' });
  return outfile;
}

export class Wire {
  private seq = 1;
  private data = Buffer.alloc(0);
  private readonly messages: P.ProtocolMessage[] = [];
  private waiting: (() => void)[] = [];

  constructor(
    input: Readable,
    private readonly output: Writable,
    /** Hears every message in either direction, before anybody waits for it. */
    private readonly hear: (message: P.ProtocolMessage) => void = () => {},
  ) {
    input.on('data', (chunk: Buffer) => {
      this.data = Buffer.concat([this.data, chunk]);
      for (;;) {
        const end = this.data.indexOf('\r\n\r\n');
        if (end < 0) break;
        const length = Number(/Content-Length: (\d+)/.exec(this.data.toString('utf8', 0, end))![1]);
        if (this.data.length < end + 4 + length) break;
        const message = JSON.parse(this.data.toString('utf8', end + 4, end + 4 + length));
        this.hear(message);
        this.messages.push(message);
        this.data = this.data.subarray(end + 4 + length);
      }
      for (const wake of this.waiting.splice(0)) wake();
    });
  }

  raw(body: string): void {
    this.output.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of any kind
  request(command: string, args: object = {}): Promise<any> {
    const seq = this.seq++;
    const request: P.Request = { seq, type: 'request', command, arguments: args };
    this.hear(request);
    this.raw(JSON.stringify(request));
    return this.message((m) => m.type === 'response' && (m as P.Response).request_seq === seq);
  }

  /** The first event of one of these names. */
  event(...names: string[]): Promise<P.Event> {
    return this.message((m) => m.type === 'event' && names.includes((m as P.Event).event));
  }

  /** Takes the first message that fits out of those that came. */
  // biome-ignore lint/suspicious/noExplicitAny: see above
  private async message(fits: (m: P.ProtocolMessage) => boolean): Promise<any> {
    for (;;) {
      const at = this.messages.findIndex(fits);
      if (at >= 0) return this.messages.splice(at, 1)[0];
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
      });
    }
  }
}
