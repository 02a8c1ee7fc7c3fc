// Connects an LSP connection, whatever carries it, with the language features of this folder: documents in, plain
// data out, offsets turned into positions. It knows nothing of the language itself.
import {
  CodeActionKind,
  CompletionItemKind,
  type Connection,
  type Diagnostic,
  DiagnosticSeverity,
  DocumentHighlightKind,
  FoldingRangeKind,
  InsertTextFormat,
  type Location,
  type DocumentSymbol as LspSymbol,
  MarkupKind,
  type Range,
  ResponseError,
  type SelectionRange,
  SemanticTokensBuilder,
  SymbolKind,
  TextDocumentSyncKind,
  TextDocuments,
  type TextEdit,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { type Edit, lineStarts, positionAt, type Span } from '../base/text';
import { type Checked, check, type Diagnostic as Found } from '../scenario/diagnostics';
import { known } from '../scenario/known';
import { type ReadFile, readAhead } from '../scenario/sources';
import { actions } from './actions';
import { type CompletionKind, complete } from './completion';
import { format, formatRange, formatTyped } from './format';
import { hover } from './hover';
import { inlays } from './inlays';
import { inlineValues } from './inlineValues';
import { lenses } from './lenses';
import { type Ran, ranNotification } from './messages';
import { type DocumentSymbol, findSymbols, folds, outline } from './outline';
import { references } from './references';
import { homeOf, type Refusal, renamable, rename, spotsOf } from './rename';
import { selections } from './selection';
import { signature } from './signature';
import { tokenModifiers, tokens, tokenTypes } from './tokens';

/** What a client may say when it starts the server. */
export interface InitializationOptions {
  /** The commands it has for scenarios; lenses are shown for these. */
  readonly commands?: readonly string[];
}

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
  procedure: SymbolKind.Function,
};

interface Current {
  readonly uri: string;
  readonly document: TextDocument;
  readonly checked: Checked;
}

/** Answers the client until it disconnects. `read` gives the text of a file that is imported and not open. */
export function serve(connection: Connection, read: (uri: string) => Promise<string>): void {
  const documents = new TextDocuments(TextDocument);
  const checks = new Map<string, { readonly version: number; readonly checked: Checked }>();
  const imported = new Map<string, ReadFile>();
  const coloured = new Map<string, SemanticTokensBuilder>();
  const ran = new Map<string, Ran>();
  let commands: ReadonlySet<string> = new Set();
  let snippets = false;

  /** The document and its check, made again when the text changed. */
  function current(uri: string): Current | undefined {
    const document = documents.get(uri);
    if (document === undefined) return undefined;
    const last = checks.get(uri);
    if (last?.version === document.version) return { uri, document, checked: last.checked };
    const checked = check(document.getText(), known, {
      previous: last?.checked,
      files: { path: uri, read: imported.get(uri) ?? notYet },
    });
    checks.set(uri, { version: document.version, checked });
    return { uri, document, checked };
  }

  /** A handler of a request about a document; `otherwise` for one that is not open. */
  function of<P extends { readonly textDocument: { readonly uri: string } }, R>(
    otherwise: R,
    answer: (current: Current, params: P) => R,
  ): (params: P) => R {
    return (params) => {
      const found = current(params.textDocument.uri);
      return found === undefined ? otherwise : answer(found, params);
    };
  }

  connection.onInitialize(({ capabilities, initializationOptions }) => {
    const options = (initializationOptions ?? {}) as InitializationOptions;
    commands = new Set(options.commands);
    snippets = capabilities.textDocument?.completion?.completionItem?.snippetSupport === true;
    return {
      capabilities: {
        textDocumentSync: TextDocumentSyncKind.Incremental,
        completionProvider: { triggerCharacters: ['.', ' '] },
        signatureHelpProvider: { triggerCharacters: [' ', '('], retriggerCharacters: ['='] },
        hoverProvider: true,
        definitionProvider: true,
        referencesProvider: true,
        renameProvider: { prepareProvider: true },
        documentHighlightProvider: true,
        documentSymbolProvider: true,
        workspaceSymbolProvider: true,
        foldingRangeProvider: true,
        selectionRangeProvider: true,
        documentFormattingProvider: true,
        documentRangeFormattingProvider: true,
        documentOnTypeFormattingProvider: {
          firstTriggerCharacter: '}',
          moreTriggerCharacter: ['\n'],
        },
        semanticTokensProvider: {
          legend: { tokenTypes: [...tokenTypes], tokenModifiers: [...tokenModifiers] },
          full: { delta: true },
          range: true,
        },
        codeLensProvider: {},
        codeActionProvider: {
          codeActionKinds: [CodeActionKind.QuickFix, CodeActionKind.RefactorExtract],
        },
        inlayHintProvider: true,
        inlineValueProvider: true,
      },
      serverInfo: { name: 'coherence' },
    };
  });

  const textOfFile = (uri: string) => documents.get(uri)?.getText() ?? read(uri);

  /** Reads what a document imports, unsaved documents first, and says what is wrong with it. */
  async function validate(uri: string): Promise<void> {
    const text = documents.get(uri)?.getText();
    if (text === undefined) return;
    const ahead = await readAhead(uri, text, async (wanted) => textOfFile(wanted));
    if (documents.get(uri)?.getText() !== text) return; // it changed meanwhile and is validated again
    imported.set(uri, ahead);
    const last = checks.get(uri);
    if (last !== undefined) checks.set(uri, { ...last, version: -1 });
    const found = current(uri);
    if (found === undefined) return;
    const { document, checked } = found;
    const diagnostics = checked.diagnostics.map((one) => diagnosticOf(document, one));
    void connection.sendDiagnostics({ uri, version: document.version, diagnostics });
  }

  documents.onDidChangeContent(({ document: { uri } }) => {
    void validate(uri);
    for (const [other, { checked }] of checks)
      if (checked.sources.parts.some(({ path }) => path === uri)) void validate(other);
  });

  connection.onNotification(ranNotification, (last: Ran) => void ran.set(last.uri, last));

  documents.onDidClose(({ document: { uri } }) => {
    ran.delete(uri);
    checks.delete(uri);
    imported.delete(uri);
    coloured.delete(uri);
    void connection.sendDiagnostics({ uri, diagnostics: [] });
  });

  /** A place of a file, as the client names it. */
  function located({ path, ...span }: Span & { readonly path: string }): Location {
    const text = documents.get(path)?.getText() ?? importedText(path);
    const lines = lineStarts(text);
    const at = (offset: number): { line: number; character: number } => {
      const { line, column } = positionAt(lines, offset);
      return { line, character: column };
    };
    return { uri: path, range: { start: at(span.from), end: at(span.to) } };
  }

  /** The text of a file that is not open, as the texts that import it have it. */
  function importedText(path: string): string {
    for (const { checked } of checks.values())
      for (const part of checked.sources.parts) if (part.path === path) return part.text;
    return '';
  }

  // What helps to type.

  connection.onCompletion(
    of([], ({ document, checked }, { position }) =>
      complete(checked, document.offsetAt(position), known).map((item, i) => ({
        label: item.label,
        kind: completionKinds[item.kind],
        detail: item.detail,
        documentation: { kind: MarkupKind.Markdown, value: item.documentation },
        // In the order of the language, which is that of reading.
        sortText: String(i).padStart(4, '0'),
        ...(snippets && item.snippet !== undefined
          ? { insertTextFormat: InsertTextFormat.Snippet }
          : {}),
        textEdit: {
          range: rangeOf(document, item),
          newText: snippets ? (item.snippet ?? item.label) : item.label,
        },
      })),
    ),
  );

  connection.onSignatureHelp(
    of(null, ({ document, checked }, { position }) => {
      const found = signature(checked, document.offsetAt(position));
      if (found === undefined) return null;
      const { form, parts, active, documentation } = found;
      const parameters = parts.map(([from, to]) => ({ label: [from, to] as [number, number] }));
      const value = { kind: MarkupKind.Markdown, value: documentation };
      return {
        signatures: [{ label: form, documentation: value, parameters }],
        activeSignature: 0,
        // Behind the last part none is marked.
        activeParameter: active ?? parts.length,
      };
    }),
  );

  connection.onHover(
    of(null, ({ document, checked }, { position }) => {
      const shown = hover(checked, document.offsetAt(position), known);
      if (shown === undefined) return null;
      const contents = { kind: MarkupKind.Markdown, value: shown.text };
      return { contents, range: rangeOf(document, shown) };
    }),
  );

  connection.onCodeAction(
    of([], ({ uri, document, checked }, { range, context }) => {
      const wanted = (kind: string): boolean =>
        context.only === undefined ||
        context.only.some((only) => `${kind}.`.startsWith(`${only}.`));
      const last = ran.get(uri);
      const expectations = last?.text === document.getText() ? last.expectations : [];
      return actions(checked, spanOf(document, range), expectations)
        .filter(({ kind }) => wanted(kind))
        .map(({ title, kind, edits, diagnostic }) => ({
          title,
          kind,
          ...(diagnostic === undefined
            ? {}
            : {
                diagnostics: [diagnosticOf(document, diagnostic)],
                isPreferred: edits.length === 1,
              }),
          edit: { changes: { [uri]: textEdits(document, edits) } },
        }));
    }),
  );

  // Names.

  /** All open texts, that of the document first: names may be known by those that import it. */
  const open = (uri: string): readonly Checked[] =>
    [uri, ...documents.keys().filter((other) => other !== uri)].flatMap(
      (one) => current(one)?.checked ?? [],
    );

  connection.onDefinition(
    of(null, ({ uri, document }, { position }) => {
      const home = homeOf(open(uri), uri, document.offsetAt(position));
      return home === undefined ? null : located(home);
    }),
  );

  connection.onReferences(
    of([], ({ uri, document }, { position, context }) =>
      spotsOf(open(uri), uri, document.offsetAt(position))
        .filter(({ introduces }) => context.includeDeclaration || !introduces)
        .map(located),
    ),
  );

  connection.onDocumentHighlight(
    of([], ({ document, checked }, { position }) =>
      references(checked, document.offsetAt(position))
        .filter(({ to }) => to <= document.getText().length)
        .map((place) => ({
          range: rangeOf(document, place),
          kind: place.introduces ? DocumentHighlightKind.Write : DocumentHighlightKind.Read,
        })),
    ),
  );

  connection.onPrepareRename(
    of(null, ({ uri, document }, { position }) => {
      const span = accepted(renamable(open(uri), uri, document.offsetAt(position)));
      return { range: rangeOf(document, span), placeholder: textOf(document, span) };
    }),
  );

  connection.onRenameRequest(
    of(null, ({ uri, document }, { position, newName }) => {
      const edits = accepted(rename(open(uri), uri, document.offsetAt(position), newName, known));
      const changes = [...edits].map(([path, list]): [string, TextEdit[]] => [
        path,
        list.map((edit) => ({ range: located({ path, ...edit }).range, newText: edit.text })),
      ]);
      return { changes: Object.fromEntries(changes) };
    }),
  );

  // The shape of a document.

  connection.onDocumentSymbol(
    of([], ({ document, checked }) => outline(checked).map(symbol(document))),
  );

  connection.onWorkspaceSymbol(({ query }) =>
    documents.all().flatMap(({ uri }) => {
      const found = current(uri);
      if (found === undefined) return [];
      return findSymbols(outline(found.checked), query).map((one) => ({
        name: one.name,
        kind: symbolKinds[one.kind],
        location: { uri, range: rangeOf(found.document, one.selection) },
        containerName: one.container,
      }));
    }),
  );

  connection.onFoldingRanges(
    of([], ({ checked }) =>
      folds(checked).map((fold) => ({
        startLine: fold.fromLine,
        endLine: fold.toLine,
        ...(fold.comment ? { kind: FoldingRangeKind.Comment } : {}),
      })),
    ),
  );

  connection.onSelectionRanges(
    of([], ({ document, checked }, { positions }) =>
      positions.map((position): SelectionRange => {
        const spans = selections(checked, document.offsetAt(position));
        const outward = spans.map((span) => ({ range: rangeOf(document, span) }));
        const nested = outward.reduceRight<SelectionRange | undefined>(
          (parent, { range }) => (parent === undefined ? { range } : { range, parent }),
          undefined,
        );
        return nested ?? { range: { start: position, end: position } };
      }),
    ),
  );

  // Form.

  connection.onDocumentFormatting(
    of([], ({ document, checked }) => textEdits(document, format(checked))),
  );

  connection.onDocumentRangeFormatting(
    of([], ({ document, checked }, { range }) =>
      textEdits(document, formatRange(checked, spanOf(document, range))),
    ),
  );

  connection.onDocumentOnTypeFormatting(
    of([], ({ document, checked }, { position, ch }) =>
      textEdits(document, formatTyped(checked, document.offsetAt(position), ch)),
    ),
  );

  // What is shown in and over the text.

  function colour(
    builder: SemanticTokensBuilder,
    { document, checked }: Current,
    span: Span,
  ): SemanticTokensBuilder {
    for (const { from, to, type, modifiers } of tokens(checked, span)) {
      const { line, character } = document.positionAt(from);
      const bits = modifiers.reduce((set, one) => set | (1 << tokenModifiers.indexOf(one)), 0);
      builder.push(line, character, to - from, tokenTypes.indexOf(type), bits);
    }
    return builder;
  }

  const whole = ({ document }: Current): Span => ({ from: 0, to: document.getText().length });

  connection.languages.semanticTokens.on(
    of({ data: [] }, (found) => {
      const builder = new SemanticTokensBuilder();
      coloured.set(found.uri, builder);
      return colour(builder, found, whole(found)).build();
    }),
  );

  connection.languages.semanticTokens.onDelta(
    of({ data: [] }, (found, { previousResultId }) => {
      const builder = coloured.get(found.uri) ?? new SemanticTokensBuilder();
      coloured.set(found.uri, builder);
      builder.previousResult(previousResultId);
      return colour(builder, found, whole(found)).buildEdits();
    }),
  );

  connection.languages.semanticTokens.onRange(
    of({ data: [] }, (found, { range }) =>
      colour(new SemanticTokensBuilder(), found, spanOf(found.document, range)).build(),
    ),
  );

  connection.languages.inlayHint.on(
    of([], ({ document, checked }, { range }) =>
      inlays(checked, spanOf(document, range)).map(({ at, text }) => ({
        position: document.positionAt(at),
        label: text,
        paddingLeft: true,
      })),
    ),
  );

  connection.languages.inlineValue.on(
    of([], ({ document, checked }, { range, context }) => {
      const stopped = document.offsetAt(context.stoppedLocation.start);
      return inlineValues(checked, spanOf(document, range), stopped).map((value) => ({
        range: rangeOf(document, value),
        expression: value.expression,
      }));
    }),
  );

  connection.onCodeLens(
    of([], ({ uri, document, checked }) =>
      lenses(checked, commands).map((lens) => ({
        range: rangeOf(document, lens),
        command: { title: lens.title, command: lens.command, arguments: [uri, lens.scenario] },
      })),
    ),
  );

  documents.listen(connection);
  connection.listen();
}

function rangeOf(document: TextDocument, { from, to }: Span): Range {
  return { start: document.positionAt(from), end: document.positionAt(to) };
}

/** Until the imports of a document have been read, they are empty. */
const notYet: ReadFile = () => '';

function spanOf(document: TextDocument, { start, end }: Range): Span {
  return { from: document.offsetAt(start), to: document.offsetAt(end) };
}

function textOf(document: TextDocument, span: Span): string {
  return document.getText(rangeOf(document, span));
}

function textEdits(document: TextDocument, edits: readonly Edit[]): TextEdit[] {
  return edits.map((edit) => ({ range: rangeOf(document, edit), newText: edit.text }));
}

function diagnosticOf(document: TextDocument, { message, severity, from, to }: Found): Diagnostic {
  return {
    range: rangeOf(document, { from, to }),
    message,
    severity: severity === 'error' ? DiagnosticSeverity.Error : DiagnosticSeverity.Warning,
    source: 'coherence',
  };
}

/** What was not refused; a refusal is shown to the user as it stands. */
function accepted<T extends object>(found: T | Refusal): T {
  if ('refused' in found) throw new ResponseError(REQUEST_FAILED, found.refused);
  return found;
}

/** LSPErrorCodes.RequestFailed: the request was right and cannot be done. */
const REQUEST_FAILED = -32803;

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
