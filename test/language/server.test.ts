// One conversation with the server over streams: that the features are wired to the protocol.
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  CompletionRequest,
  createConnection,
  createProtocolConnection,
  DefinitionRequest,
  DidChangeTextDocumentNotification,
  DidOpenTextDocumentNotification,
  DocumentFormattingRequest,
  DocumentHighlightRequest,
  DocumentSymbolRequest,
  FoldingRangeRequest,
  HoverRequest,
  InitializeRequest,
  ProposedFeatures,
  type ProtocolConnection,
  PublishDiagnosticsNotification,
  type PublishDiagnosticsParams,
  ReferencesRequest,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import { serve } from '../../src/language/serve';

const uri = 'file:///ring.coh';
const textDocument = { uri };
let client: ProtocolConnection;
const published: PublishDiagnosticsParams[] = [];

async function nextDiagnostics(version: number): Promise<PublishDiagnosticsParams> {
  for (;;) {
    const found = published.find((params) => params.version === version);
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, 5));
  }
}

beforeAll(async () => {
  const toServer = new PassThrough();
  const toClient = new PassThrough();
  serve(createConnection(ProposedFeatures.all, toServer, toClient));
  client = createProtocolConnection(
    new StreamMessageReader(toClient),
    new StreamMessageWriter(toServer),
  );
  client.onNotification(
    PublishDiagnosticsNotification.type,
    (params) => void published.push(params),
  );
  client.listen();
  await client.sendRequest(InitializeRequest.type, {
    processId: null,
    rootUri: null,
    capabilities: {},
  });
  const text = 'scenario "x"\nsurface ring: buffer 4KiB\nprocess app {\n  let p  = map rin\n}\n';
  await client.sendNotification(DidOpenTextDocumentNotification.type, {
    textDocument: { uri, languageId: 'coherence', version: 1, text },
  });
});

afterAll(() => client.dispose());

test('diagnostics are pushed when a document is opened and when it changes', async () => {
  const { diagnostics } = await nextDiagnostics(1);
  expect(diagnostics.map(({ message, range }) => [message, range.start])).toEqual([
    ['nothing is named `rin`; did you mean `ring`?', { line: 3, character: 15 }],
  ]);
  const end = { line: 3, character: 18 };
  await client.sendNotification(DidChangeTextDocumentNotification.type, {
    textDocument: { uri, version: 2 },
    contentChanges: [{ range: { start: end, end }, text: 'g' }],
  });
  expect((await nextDiagnostics(2)).diagnostics).toEqual([]);
});

test('the features answer', async () => {
  const position = { line: 3, character: 16 };
  const completions = await client.sendRequest(CompletionRequest.type, { textDocument, position });
  expect(JSON.stringify(completions)).toContain('"label":"ring"');
  const hover = await client.sendRequest(HoverRequest.type, { textDocument, position });
  expect(JSON.stringify(hover)).toContain('buffer, 4KiB, 1 page');
  const definition = await client.sendRequest(DefinitionRequest.type, { textDocument, position });
  expect(JSON.stringify(definition)).toContain('"start":{"line":1,"character":8}');
  const references = await client.sendRequest(ReferencesRequest.type, {
    textDocument,
    position,
    context: { includeDeclaration: true },
  });
  expect(references).toHaveLength(2);
  const highlights = await client.sendRequest(DocumentHighlightRequest.type, {
    textDocument,
    position,
  });
  expect(highlights).toHaveLength(2);
  const symbols = await client.sendRequest(DocumentSymbolRequest.type, { textDocument });
  expect(symbols?.map(({ name }) => name)).toEqual(['x']);
  const folds = await client.sendRequest(FoldingRangeRequest.type, { textDocument });
  expect(folds).toEqual([{ startLine: 2, endLine: 3 }]);
  const edits = await client.sendRequest(DocumentFormattingRequest.type, {
    textDocument,
    options: { tabSize: 2, insertSpaces: true },
  });
  expect(edits?.map(({ newText }) => newText)).toEqual(['']);
});
