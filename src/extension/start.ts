// What the extension adds to VS Code, the same in every host. The two entry files hand in the language
// client, the only thing that differs between them.
import type * as vscode from 'vscode';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';

export const clientOptions: LanguageClientOptions = {
  documentSelector: [{ language: 'coherence' }],
};

/** Starts the language client; everything registered here ends with the extension. */
export async function start(
  context: vscode.ExtensionContext,
  client: BaseLanguageClient,
): Promise<void> {
  context.subscriptions.push({ dispose: () => void client.dispose() });
  await client.start();
}
