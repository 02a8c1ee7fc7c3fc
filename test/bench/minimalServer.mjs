// The least that a DAP server on Node can do: each request is answered at once, a step with its stop in the same write.
// What `npm run bench dap` measures the adapter against, in the same run.
let data = Buffer.alloc(0);
let out = '';
let seq = 0;
let line = 1;

function put(message) {
  const text = JSON.stringify({ seq: ++seq, ...message });
  out += `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

const event = (name, body = {}) => put({ type: 'event', event: name, body });

const list = (length, of) => Array.from({ length }, (_, i) => of(i));
const bodies = {
  initialize: () => ({ supportsStepBack: true, supportsConfigurationDoneRequest: true }),
  threads: () => ({ threads: [{ id: 1, name: 'thread' }] }),
  stackTrace: () => ({
    stackFrames: list(4, (i) => ({ id: i + 1, name: `frame ${i}`, line, column: 1 })),
    totalFrames: 4,
  }),
  scopes: () => ({ scopes: [{ name: 'Locals', variablesReference: 1, expensive: false }] }),
  variables: () => ({
    variables: list(8, (i) => ({ name: `v${i}`, value: `${line + i}`, variablesReference: 0 })),
  }),
};

function serve({ seq: request_seq, command }) {
  put({ type: 'response', request_seq, success: true, command, body: bodies[command]?.() ?? {} });
  if (command === 'initialize') event('initialized');
  if (command === 'configurationDone') event('stopped', { reason: 'entry', threadId: 1 });
  if (command === 'next' || command === 'stepBack') {
    line += command === 'next' ? 1 : -1;
    event('stopped', { reason: 'step', threadId: 1 });
  }
  if (command === 'disconnect') setImmediate(() => process.exit(0));
}

process.stdin.on('data', (chunk) => {
  data = Buffer.concat([data, chunk]);
  for (;;) {
    const head = data.indexOf('\r\n\r\n');
    if (head < 0) break;
    const length = Number(/Content-Length: (\d+)/.exec(data.toString('latin1', 0, head))[1]);
    if (data.length < head + 4 + length) break;
    serve(JSON.parse(data.toString('utf8', head + 4, head + 4 + length)));
    data = data.subarray(head + 4 + length);
  }
  if (out !== '') process.stdout.write(out);
  out = '';
});
process.stdin.on('end', () => process.exit(0));
