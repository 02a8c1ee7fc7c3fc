// A DAP client over a pair of streams: frames messages as the protocol does, and waits for the ones it is asked for. The
// messages that nobody waited for stay in line.
import type { Readable, Writable } from 'node:stream';
import type { DebugProtocol as P } from '@vscode/debugprotocol';

export class Wire {
  private seq = 1;
  private data = Buffer.alloc(0);
  private readonly messages: P.ProtocolMessage[] = [];
  private waiting: (() => void)[] = [];

  constructor(
    input: Readable,
    private readonly output: Writable,
  ) {
    input.on('data', (chunk: Buffer) => {
      this.data = Buffer.concat([this.data, chunk]);
      for (;;) {
        const end = this.data.indexOf('\r\n\r\n');
        if (end < 0) break;
        const length = Number(/Content-Length: (\d+)/.exec(this.data.toString('utf8', 0, end))![1]);
        if (this.data.length < end + 4 + length) break;
        this.messages.push(JSON.parse(this.data.toString('utf8', end + 4, end + 4 + length)));
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
    this.raw(JSON.stringify({ seq, type: 'request', command, arguments: args }));
    return this.message((m) => m.type === 'response' && (m as P.Response).request_seq === seq);
  }

  event(name: string): Promise<P.Event> {
    return this.message((m) => m.type === 'event' && (m as P.Event).event === name);
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
