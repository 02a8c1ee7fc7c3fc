// The extension in a browser (vscode.dev): as extension.ts, with the language server in a web worker.
import * as vscode from 'vscode';
import { LanguageClient } from 'vscode-languageclient/browser';
import { type Api, clientOptions, start } from './start';

export function activate(context: vscode.ExtensionContext): Promise<Api> {
  const script = vscode.Uri.joinPath(context.extensionUri, 'dist/server-web.js');
  const worker = new Worker(script.toString(true));
  return start(context, new LanguageClient('coherence', 'Coherence', worker, clientOptions));
}
