// Procedures from another file in the debugger: a frame of their own, in that file, and breakpoints in it.
import { afterEach, expect, test } from 'vitest';
import { loadDebuggee } from '../../src/debug/scenario';
import { readAhead } from '../../src/scenario/sources';
import { Client } from './client';

const files: Readonly<Record<string, string>> = {
  '/s/main.coh': `import "fill.coh"
scenario "x"
process app {
  let p = map ring
  thread render on cpu0 {
    fill(p[0 .. 1 page], 7)
    fill(p[1 page .. 2 pages], 8)
  }
}
`,
  '/s/fill.coh': `surface ring: buffer 2 pages coherent

procedure fill(range, value) {
  let more = value + 1
  write range = more
}
`,
};

const host = {
  read: async (path: string) => {
    const text = files[path];
    if (text === undefined) throw new Error(`${path}: there is no such file`);
    return text;
  },
  readAhead,
  load: loadDebuggee,
};

let client: Client;
afterEach(() => {
  expect(client.wrong).toEqual([]);
  client.close();
});

const frames = async () => {
  const { body } = await client.request('stackTrace', { threadId: 2 });
  return body.stackFrames.map(
    (f: { name: string; line: number; source: { path: string } }) =>
      `${f.name} ${f.source.path}:${f.line}`,
  );
};

test('a function breakpoint on a procedure stops in its frame, in the file that it stands in', async () => {
  client = new Client(host);
  await client.start({ program: '/s/main.coh' }, () =>
    client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'fill' }] }),
  );
  await client.go('continue');
  expect(await frames()).toEqual(['fill /s/fill.coh:4', 'render on cpu0 /s/main.coh:6']);
  await client.go('continue');
  expect(await frames()).toEqual(['fill /s/fill.coh:4', 'render on cpu0 /s/main.coh:7']);
});

test('a breakpoint in an imported file stops in every call', async () => {
  client = new Client(host);
  await client.start({ program: '/s/main.coh' }, () =>
    client.request('setBreakpoints', {
      source: { path: '/s/fill.coh' },
      breakpoints: [{ line: 5 }],
    }),
  );
  await client.go('continue');
  expect((await frames())[0]).toBe('fill /s/fill.coh:5');
  const { body } = await client.request('stackTrace', { threadId: 2, levels: 1 });
  const frameId = body.stackFrames[0].id;
  const said = await client.request('evaluate', { expression: 'more', frameId, context: 'watch' });
  expect(said.body.result).toBe('8');
});
