// What the extension adds to VS Code, the same in every host. The two entry files hand in the language
// client, the only thing that differs between them.
import * as vscode from 'vscode';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';
import type { MarkedNode } from '../protocol/difference';
import { bufferObjects, fences, pageTables } from '../protocol/outline';
import { Configurations } from './debugging';
import { debugType, Moments } from './moments';
import { OutlineView } from './outlineView';
import { PteGrids } from './pteGridPanel';

export const clientOptions: LanguageClientOptions = {
  documentSelector: [{ language: 'coherence' }],
};

/** What other extensions, and the tests, may look at. */
export interface Api {
  readonly pageTables: OutlineView;
  readonly bufferObjects: OutlineView;
  readonly fences: OutlineView;
}

/** Starts the language client and registers the rest; everything registered here ends with the extension. */
export async function start(
  context: vscode.ExtensionContext,
  client: BaseLanguageClient,
): Promise<Api> {
  const moments = new Moments();
  const api = {
    pageTables: new OutlineView('coherence.pageTables', moments, pageTables),
    bufferObjects: new OutlineView('coherence.bufferObjects', moments, bufferObjects),
    fences: new OutlineView('coherence.fences', moments, fences),
  };
  const grids = new PteGrids(context.extensionUri, moments);
  const configurations = new Configurations();
  context.subscriptions.push(
    { dispose: () => void client.dispose() },
    moments,
    ...Object.values(api),
    grids,
    vscode.commands.registerCommand('coherence.showPteGrid', (node?: MarkedNode) =>
      grids.show(node?.object ?? null),
    ),
    vscode.debug.registerDebugConfigurationProvider(debugType, configurations),
    vscode.debug.registerDebugConfigurationProvider(
      debugType,
      configurations,
      vscode.DebugConfigurationProviderTriggerKind.Dynamic,
    ),
  );
  await client.start();
  return api;
}
