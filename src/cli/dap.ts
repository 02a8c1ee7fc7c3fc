// `coherence dap`: the debug adapter for any client, over stdio or, with --port, over TCP on this machine.
import { createServer } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import { isRecording } from '../conform/format';
import { CoherenceAdapter, type Host } from '../debug/adapter';
import { loadProgram, readProgramAhead } from '../debug/program';
import { BAD_INPUT, readRecording, readScenario } from './files';

const host: Host = {
  load: loadProgram,
  readAhead: readProgramAhead,
  read: async (path) => {
    const read = isRecording(path) ? readRecording(path) : readScenario(path);
    if ('problem' in read) throw new Error(read.problem);
    return read.text;
  },
};

export function addDap(program: Command): void {
  program
    .command('dap')
    .description('the debug adapter (DAP), over stdio unless a port is given')
    .option('--stdio', 'talk over standard input and output (the default)')
    .option('--port <number>', 'listen on this TCP port of 127.0.0.1; 0 takes a free one', portOf)
    .action(({ port }: { port?: number }) => (port === undefined ? overStdio() : overTcp(port)));
}

function overStdio(): void {
  new CoherenceAdapter(host).start(process.stdin, process.stdout);
}

/** A session of its own for every connection; says on standard output where it listens. */
function overTcp(port: number): void {
  const server = createServer((socket) => {
    const adapter = new CoherenceAdapter(host);
    adapter.setRunAsServer(true);
    socket.on('close', () => adapter.dispose());
    socket.on('error', () => adapter.dispose());
    adapter.start(socket, socket);
  });
  server.on('error', (error) => {
    console.error(`port ${port}: ${error.message}`);
    process.exitCode = BAD_INPUT;
  });
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    const taken = typeof address === 'object' && address !== null ? address.port : port;
    console.log(`listening on 127.0.0.1:${taken}`);
  });
}

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port < 65536) return port;
  throw new InvalidArgumentError('a port is a number from 0 to 65535');
}
