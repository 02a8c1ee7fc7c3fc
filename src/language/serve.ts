// Connects an LSP connection, whatever carries it, with the language features of this folder: documents in, plain
// data out, offsets turned into positions. It knows nothing of the language itself.
import {
  CompletionItemKind,
  type Connection,
  type Diagnostic,
  DiagnosticSeverity,
  DocumentHighlightKind,
  FoldingRangeKind,
  type DocumentSymbol as LspSymbol,
  MarkupKind,
  type Range,
  SymbolKind,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Span } from '../base/text';
import { type Checked, check } from '../scenario/diagnostics';
import { known } from '../scenario/known';
import { type CompletionKind, complete } from './completion';
import { format } from './format';
import { hover } from './hover';
import { type DocumentSymbol, folds, outline } from './outline';
import { definition, references } from './references';

const completionKinds: Readonly<Record<CompletionKind, CompletionItemKind>> = {
  keyword: CompletionItemKind.Keyword,
  operation: CompletionItemKind.Function,
  name: CompletionItemKind.Variable,
  field: CompletionItemKind.Field,
  value: CompletionItemKind.Value,
};

const symbolKinds: Readonly<Record<DocumentSymbol['kind'], SymbolKind>> = {
  scenario: SymbolKind.Module,
  surface: SymbolKind.Object,
  process: SymbolKind.Namespace,
  thread: SymbolKind.Function,
  constant: SymbolKind.Constant,
};

/** Answers the client until it disconnects. */
export function serve(connection: Connection): void {
  const documents = new TextDocuments(TextDocument);
  const checks = new Map<string, { readonly version: number; readonly checked: Checked }>();

  /** The document and its check, made again when the text changed. */
  function current(uri: string): { document: TextDocument; checked: Checked } | undefined {
    const document = documents.get(uri);
    if (document === undefined) return undefined;
    const last = checks.get(uri);
    if (last?.version === document.version) return { document, checked: last.checked };
    const checked = check(document.getText(), known, last?.checked);
    checks.set(uri, { version: document.version, checked });
    return { document, checked };
  }

  connection.onInitialize(() => ({
    capabilities: {
      textDocumentSync: TextDocumentSyncKind.Incremental,
      completionProvider: { triggerCharacters: ['.', ' '] },
      hoverProvider: true,
      definitionProvider: true,
      referencesProvider: true,
      documentHighlightProvider: true,
      documentSymbolProvider: true,
      foldingRangeProvider: true,
      documentFormattingProvider: true,
    },
    serverInfo: { name: 'coherence' },
  }));

  documents.onDidChangeContent(({ document: { uri } }) => {
    const found = current(uri);
    if (found === undefined) return;
    const { document, checked } = found;
    const diagnostics = checked.diagnostics.map(
      ({ message, severity, ...span }): Diagnostic => ({
        range: rangeOf(document, span),
        message,
        severity: severity === 'error' ? DiagnosticSeverity.Error : DiagnosticSeverity.Warning,
        source: 'coherence',
      }),
    );
    void connection.sendDiagnostics({ uri, version: document.version, diagnostics });
  });

  documents.onDidClose(({ document: { uri } }) => {
    checks.delete(uri);
    void connection.sendDiagnostics({ uri, diagnostics: [] });
  });

  connection.onCompletion(({ textDocument, position }) => {
    const found = current(textDocument.uri);
    if (found === undefined) return [];
    const { document, checked } = found;
    return complete(checked, document.offsetAt(position), known).map((item) => ({
      label: item.label,
      kind: completionKinds[item.kind],
      detail: item.detail,
      documentation: { kind: MarkupKind.Markdown, value: item.documentation },
      textEdit: { range: rangeOf(document, item), newText: item.label },
    }));
  });

  connection.onHover(({ textDocument, position }) => {
    const found = current(textDocument.uri);
    const shown = found && hover(found.checked, found.document.offsetAt(position), known);
    if (found === undefined || shown === undefined) return null;
    return {
      contents: { kind: MarkupKind.Markdown, value: shown.text },
      range: rangeOf(found.document, shown),
    };
  });

  connection.onDefinition(({ textDocument: { uri }, position }) => {
    const found = current(uri);
    const place = found && definition(found.checked, found.document.offsetAt(position));
    if (found === undefined || place === undefined) return null;
    return { uri, range: rangeOf(found.document, place) };
  });

  connection.onReferences(({ textDocument: { uri }, position }) => {
    const found = current(uri);
    if (found === undefined) return [];
    const { document, checked } = found;
    const places = references(checked, document.offsetAt(position));
    return places.map((place) => ({ uri, range: rangeOf(document, place) }));
  });

  connection.onDocumentHighlight(({ textDocument, position }) => {
    const found = current(textDocument.uri);
    if (found === undefined) return [];
    const { document, checked } = found;
    return references(checked, document.offsetAt(position)).map((place) => ({
      range: rangeOf(document, place),
      kind: DocumentHighlightKind.Text,
    }));
  });

  connection.onDocumentSymbol(({ textDocument }) => {
    const found = current(textDocument.uri);
    return found === undefined ? [] : outline(found.checked).map(symbol(found.document));
  });

  connection.onFoldingRanges(({ textDocument }) => {
    const found = current(textDocument.uri);
    return (found === undefined ? [] : folds(found.checked)).map((fold) => ({
      startLine: fold.fromLine,
      endLine: fold.toLine,
      ...(fold.comment ? { kind: FoldingRangeKind.Comment } : {}),
    }));
  });

  connection.onDocumentFormatting(({ textDocument }) => {
    const found = current(textDocument.uri);
    if (found === undefined) return [];
    return format(found.checked).map((edit) => ({
      range: rangeOf(found.document, edit),
      newText: edit.text,
    }));
  });

  documents.listen(connection);
  connection.listen();
}

function rangeOf(document: TextDocument, { from, to }: Span): Range {
  return { start: document.positionAt(from), end: document.positionAt(to) };
}

function symbol(document: TextDocument): (found: DocumentSymbol) => LspSymbol {
  return (found) => ({
    name: found.name,
    detail: found.detail,
    kind: symbolKinds[found.kind],
    range: rangeOf(document, found),
    selectionRange: rangeOf(document, found.selection),
    children: found.children.map(symbol(document)),
  });
}
