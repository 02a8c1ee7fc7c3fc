// The extension in desktop VS Code and other hosts that run Node. What it adds to the workbench is in
// start.ts; here is only what differs from the browser: the language server is a process.
import type * as vscode from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import { type Api, clientOptions, start } from './start';

export function activate(context: vscode.ExtensionContext): Promise<Api> {
  const run = { module: context.asAbsolutePath('dist/server.js'), transport: TransportKind.ipc };
  return start(context, new LanguageClient('coherence', 'Coherence', run, clientOptions));
}
