// A conversation with the server as each client meets it: `coherence lsp --stdio` as a process, and the script for a web
// worker, in a world without Node. That every feature is wired to the protocol, and answers the same in both.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import vm from 'node:vm';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as lsp from 'vscode-languageserver/node';

const folder = mkdtempSync(path.join(tmpdir(), 'coherence-lsp-'));
let child: ChildProcess;
afterAll(() => {
  child.kill();
  rmSync(folder, { recursive: true });
});

async function bundle(entry: string, platform: 'node' | 'browser'): Promise<string> {
  const outfile = path.join(folder, `${platform}.js`);
  // biome-ignore format: one call
  const { outputFiles } = await build({ entryPoints: [entry], outfile, bundle: true, platform, format: platform === 'node' ? 'cjs' : 'iife', mainFields: platform === 'node' ? ['main'] : ['browser', 'module', 'main'], logLevel: 'error', write: platform === 'node', target: 'es2022' });
  return outputFiles?.[0]?.text ?? outfile;
}

async function overStdio(): Promise<lsp.ProtocolConnection> {
  const cli = await bundle('src/cli/main.ts', 'node');
  child = spawn(process.execPath, [cli, 'lsp', '--stdio']);
  return lsp.createProtocolConnection(
    new lsp.StreamMessageReader(child.stdout!),
    new lsp.StreamMessageWriter(child.stdin!),
  );
}

/** The worker has what a browser gives it, and nothing of Node. */
async function inWorker(): Promise<lsp.ProtocolConnection> {
  const script = await bundle('src/language/server.web.ts', 'browser');
  const hear: ((message: lsp.Message) => void)[] = [];
  const world: Record<string, unknown> = {
    setTimeout,
    clearTimeout,
    TextEncoder,
    TextDecoder,
    console,
    queueMicrotask,
  };
  const worker: { onmessage?: (event: { data: unknown }) => void } & Record<string, unknown> = {
    ...world,
    addEventListener: () => {},
    postMessage: (data: lsp.Message) => setTimeout(() => hear.forEach((one) => void one(data))),
  };
  worker['self'] = worker;
  vm.runInNewContext(script, worker);
  // Between the two worlds everything goes as text, as between threads.
  const data = (message: unknown): unknown =>
    vm.runInContext(`(${JSON.stringify(message)})`, worker as vm.Context);
  const reader = {
    onError: () => ({ dispose: () => {} }),
    onClose: () => ({ dispose: () => {} }),
    onPartialMessage: () => ({ dispose: () => {} }),
    listen: (callback: lsp.DataCallback) => {
      hear.push((message) => callback(JSON.parse(JSON.stringify(message))));
      return { dispose: () => {} };
    },
    dispose: () => {},
  };
  const writer = {
    onError: () => ({ dispose: () => {} }),
    onClose: () => ({ dispose: () => {} }),
    write: async (message: lsp.Message) => worker.onmessage?.({ data: data(message) }),
    end: () => {},
    dispose: () => {},
  };
  return lsp.createProtocolConnection(reader, writer);
}

const uri = 'file:///ring.coh';
const textDocument = { uri };
const text = 'scenario "x"\nsurface ring: buffer 4KiB\nprocess app {\n  let p  = map rin\n}\n';

describe.each([
  ['coherence lsp --stdio', overStdio],
  ['the server in a web worker', inWorker],
])('%s', (_name, connect) => {
  let client: lsp.ProtocolConnection;
  const published: lsp.PublishDiagnosticsParams[] = [];

  async function nextDiagnostics(version: number): Promise<lsp.PublishDiagnosticsParams> {
    for (;;) {
      const found = published.find((params) => params.version === version);
      if (found !== undefined) return found;
      await new Promise((done) => setTimeout(done, 5));
    }
  }

  beforeAll(async () => {
    client = await connect();
    client.onNotification(
      lsp.PublishDiagnosticsNotification.type,
      (params) => void published.push(params),
    );
    client.listen();
    await client.sendRequest(lsp.InitializeRequest.type, {
      processId: null,
      rootUri: null,
      capabilities: { textDocument: { completion: { completionItem: { snippetSupport: true } } } },
      initializationOptions: { commands: ['coherence.run'] },
    });
    await client.sendNotification(lsp.DidOpenTextDocumentNotification.type, {
      textDocument: { uri, languageId: 'coherence', version: 1, text },
    });
  });
  afterAll(() => client.dispose());

  test('a message comes with the document, and its fix with a request; both go with the mistake', async () => {
    const { diagnostics } = await nextDiagnostics(1);
    expect(diagnostics.map(({ message, range }) => [message, range.start])).toEqual([
      ['nothing is named `rin`; did you mean `ring`?', { line: 3, character: 15 }],
    ]);
    const [{ range }] = diagnostics as [lsp.Diagnostic];
    const context = { diagnostics };
    const asked = { textDocument, range, context };
    const fixes = (await client.sendRequest(lsp.CodeActionRequest.type, asked)) as lsp.CodeAction[];
    expect(fixes.map(({ title, kind }) => [title, kind])).toContainEqual([
      'Change to `ring`',
      'quickfix',
    ]);
    const extracts = await client.sendRequest(lsp.CodeActionRequest.type, {
      ...asked,
      context: { ...context, only: ['refactor'] },
    });
    expect(extracts).toEqual([]);
    const end = { line: 3, character: 18 };
    await client.sendNotification(lsp.DidChangeTextDocumentNotification.type, {
      textDocument: { uri, version: 2 },
      contentChanges: [{ range: { start: end, end }, text: 'g' }],
    });
    expect((await nextDiagnostics(2)).diagnostics).toEqual([]);
  });

  test('helps to type', async () => {
    const position = { line: 3, character: 16 };
    const at = { textDocument, position };
    const completions = await client.sendRequest(lsp.CompletionRequest.type, at);
    expect(JSON.stringify(completions)).toContain('"label":"ring"');
    const hover = await client.sendRequest(lsp.HoverRequest.type, at);
    expect(JSON.stringify(hover)).toContain('buffer, 4KiB, 1 page');
    const help = await client.sendRequest(lsp.SignatureHelpRequest.type, at);
    expect(help?.signatures.map(({ label }) => label)).toEqual(['let p = map ring']);
    const begin = { textDocument, position: { line: 4, character: 0 } };
    const snippets = (await client.sendRequest(
      lsp.CompletionRequest.type,
      begin,
    )) as lsp.CompletionItem[];
    const unmap = snippets.find(({ label }) => label === 'unmap');
    expect(unmap?.textEdit?.newText).toBe('unmap ${1:p}');
  });

  test('knows names', async () => {
    const position = { line: 3, character: 16 };
    const at = { textDocument, position };
    const definition = await client.sendRequest(lsp.DefinitionRequest.type, at);
    expect(JSON.stringify(definition)).toContain('"start":{"line":1,"character":8}');
    const references = async (includeDeclaration: boolean) =>
      client.sendRequest(lsp.ReferencesRequest.type, { ...at, context: { includeDeclaration } });
    expect([await references(true), await references(false)].map((r) => r?.length)).toEqual([2, 1]);
    const highlights = await client.sendRequest(lsp.DocumentHighlightRequest.type, at);
    expect(highlights?.map(({ kind }) => kind)).toEqual([
      lsp.DocumentHighlightKind.Write,
      lsp.DocumentHighlightKind.Read,
    ]);
    const prepared = await client.sendRequest(lsp.PrepareRenameRequest.type, at);
    expect(prepared).toMatchObject({ placeholder: 'ring' });
    const renamed = await client.sendRequest(lsp.RenameRequest.type, { ...at, newName: 'bo' });
    expect(renamed?.changes?.[uri]?.map(({ newText }) => newText)).toEqual(['bo', 'bo']);
    await expect(
      client.sendRequest(lsp.RenameRequest.type, { ...at, newName: 'p' }),
    ).rejects.toThrow('there is a surface `p` already; choose another name');
  });

  test('knows the shape of a document', async () => {
    const symbols = await client.sendRequest(lsp.DocumentSymbolRequest.type, { textDocument });
    expect(symbols?.map(({ name }) => name)).toEqual(['x']);
    const found = await client.sendRequest(lsp.WorkspaceSymbolRequest.type, { query: 'ri' });
    expect(found?.map(({ name }) => name)).toEqual(['ring']);
    const folds = await client.sendRequest(lsp.FoldingRangeRequest.type, { textDocument });
    expect(folds).toEqual([{ startLine: 2, endLine: 3 }]);
    const [selection] =
      (await client.sendRequest(lsp.SelectionRangeRequest.type, {
        textDocument,
        positions: [{ line: 3, character: 16 }],
      })) ?? [];
    expect(selection?.range.start).toEqual({ line: 3, character: 15 });
    expect(selection?.parent?.range.start).toEqual({ line: 3, character: 11 });
  });

  test('brings it into form: all, a part, what a key asks for', async () => {
    const options = { tabSize: 2, insertSpaces: true };
    const edits = await client.sendRequest(lsp.DocumentFormattingRequest.type, {
      textDocument,
      options,
    });
    expect(edits?.map(({ newText }) => newText)).toEqual([' ']);
    const range = { start: { line: 0, character: 0 }, end: { line: 1, character: 3 } };
    const none = await client.sendRequest(lsp.DocumentRangeFormattingRequest.type, {
      textDocument,
      range,
      options,
    });
    expect(none).toEqual([]);
    const typed = await client.sendRequest(lsp.DocumentOnTypeFormattingRequest.type, {
      textDocument,
      options,
      position: { line: 4, character: 0 },
      ch: '\n',
    });
    expect(typed).toEqual(edits);
  });

  test('shows colours, hints, values and lenses', async () => {
    const start = { line: 0, character: 0 };
    const range = { start, end: { line: 5, character: 0 } };
    const full = await client.sendRequest(lsp.SemanticTokensRequest.type, { textDocument });
    expect(full?.data).toHaveLength(5 * 5);
    const part = await client.sendRequest(lsp.SemanticTokensRangeRequest.type, {
      textDocument,
      range: { start, end: { line: 2, character: 0 } },
    });
    expect(part?.data).toEqual(full?.data.slice(0, 5));
    await client.sendNotification(lsp.DidChangeTextDocumentNotification.type, {
      textDocument: { uri, version: 3 },
      contentChanges: [{ range: { start, end: start }, text: '\n' }],
    });
    const delta = await client.sendRequest(lsp.SemanticTokensDeltaRequest.type, {
      textDocument,
      previousResultId: full?.resultId ?? '',
    });
    expect(delta).toMatchObject({ edits: [{ start: 0, deleteCount: 1, data: [2] }] });
    const hints = await client.sendRequest(lsp.InlayHintRequest.type, { textDocument, range });
    expect(hints?.map(({ label }) => label)).toEqual(['1 page']);
    const stoppedLocation = { start: { line: 5, character: 0 }, end: { line: 5, character: 0 } };
    const values = await client.sendRequest(lsp.InlineValueRequest.type, {
      textDocument,
      range,
      context: { frameId: 1, stoppedLocation },
    });
    expect(JSON.stringify(values)).toContain('"expression":"pte(p[0])"');
    const lenses = await client.sendRequest(lsp.CodeLensRequest.type, { textDocument });
    expect(lenses?.map(({ command }) => command)).toEqual([
      { title: 'Run', command: 'coherence.run', arguments: [uri, 'x'] },
    ]);
  });

  test('of a document that is not open nothing is known, and nothing breaks', async () => {
    const other = {
      textDocument: { uri: 'file:///other.coh' },
      position: { line: 1, character: 1 },
    };
    expect(await client.sendRequest(lsp.HoverRequest.type, other)).toBeNull();
    expect(await client.sendRequest(lsp.CompletionRequest.type, other)).toEqual([]);
    expect(await client.sendRequest(lsp.PrepareRenameRequest.type, other)).toBeNull();
    expect(await client.sendRequest(lsp.CodeLensRequest.type, other)).toEqual([]);
  });
});
