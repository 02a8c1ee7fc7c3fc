// Listings of the emulated kernel as documents: `coherence-listing:/mm/memory.c` is what the adapter of the active
// session prints of that file. Having an address, breakpoints set in them outlive the session. All are C, also those
// whose names do not say so: in other languages VS Code sets no breakpoints of ours.
import * as vscode from 'vscode';
import { loadedEvent } from '../protocol/messages';
import { debugType } from './moments';

const scheme = 'coherence-listing';

/** The address of the listing of a kernel file. */
export const listingUri = (file: string): string =>
  vscode.Uri.from({ scheme, path: `/${file}` }).toString();

/** The kernel file of a listing's address; undefined for any other. */
export const listingFile = (uri: string): string | undefined =>
  uri.startsWith(`${scheme}:/`) ? uri.slice(scheme.length + 2) : undefined;

/** Answers for open listings; they are printed anew for each program, whose variants they show. */
export class Listings implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly subscription = vscode.Disposable.from(
    this.changed,
    vscode.workspace.registerTextDocumentContentProvider(scheme, this),
    vscode.workspace.onDidOpenTextDocument((document) => {
      if (document.uri.scheme !== scheme || document.languageId === 'c') return;
      void vscode.languages.setTextDocumentLanguage(document, 'c');
    }),
    vscode.debug.onDidChangeActiveDebugSession((session) => this.refresh(session)),
    vscode.debug.onDidReceiveDebugSessionCustomEvent(({ event, session }) => {
      if (event === loadedEvent && session === vscode.debug.activeDebugSession) {
        this.refresh(session);
      }
    }),
  );

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const session = vscode.debug.activeDebugSession;
    if (session?.type !== debugType) {
      return 'The listings of the emulated kernel can be read while a scenario is being debugged.\n';
    }
    try {
      const { content } = await session.customRequest('source', { source: { path: `${uri}` } });
      return content;
    } catch (error) {
      return `${error instanceof Error ? error.message : error}\n`;
    }
  }

  private refresh(session: vscode.DebugSession | undefined): void {
    if (session?.type !== debugType) return; // what is open stays readable
    for (const { uri } of vscode.workspace.textDocuments) {
      if (uri.scheme === scheme) this.changed.fire(uri);
    }
  }

  dispose(): void {
    this.subscription.dispose();
  }
}
