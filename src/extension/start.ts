// What the extension adds to VS Code, the same in every host. The two entry files hand in the language
// client, the only thing that differs between them.
import * as vscode from 'vscode';
import {
  type BaseLanguageClient,
  InlayHintRequest,
  type LanguageClientOptions,
} from 'vscode-languageclient';
import { CoherenceAdapter } from '../debug/adapter';
import { loadProgram, readProgramAhead } from '../debug/program';
import { type Ran, ranNotification, readFileRequest } from '../language/messages';
import type { InitializationOptions } from '../language/serve';
import type { MarkedNode } from '../protocol/difference';
import { type Ended, endedEvent } from '../protocol/messages';
import { bufferObjects, fences, pageTables } from '../protocol/outline';
import { registerChoosing } from './choosing';
import { Configurations, languageId, readProgram, uriOf } from './debugging';
import { KernelSource } from './kernelSource';
import { Listings, listingUri } from './listings';
import { debugType, Moments } from './moments';
import { OutlineView } from './outlineView';
import { PteGrids } from './pteGridPanel';
import { recordingCommand } from './recordings';
import { scenarioCommands } from './scenarios';
import { Searches } from './searches';

const hintsSetting = 'coherence.inlayHints';

export const clientOptions: LanguageClientOptions = {
  documentSelector: [{ language: languageId }],
  middleware: {
    provideInlayHints: (document, range, token, next) =>
      vscode.workspace.getConfiguration().get(hintsSetting, true)
        ? next(document, range, token)
        : [],
  },
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
    vscode.commands.registerCommand('coherence.copyText', async (node?: MarkedNode) => {
      if (node?.text !== undefined) await vscode.env.clipboard.writeText(node.text);
    }),
    new Listings(),
    new KernelSource(),
    scenarioCommands(),
    new Searches(),
    recordingCommand(),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration(hintsSetting)) refreshHints(client);
    }),
    ...registerChoosing(),
    ...['stepBackInto', 'stepBackOut'].map((step) =>
      vscode.commands.registerCommand(`coherence.${step}`, () => stepBack(`coherence/${step}`)),
    ),
    vscode.debug.registerDebugAdapterDescriptorFactory(debugType, {
      createDebugAdapterDescriptor: () =>
        new vscode.DebugAdapterInlineImplementation(
          new CoherenceAdapter({
            read: readProgram,
            readAhead: readProgramAhead,
            load: loadProgram,
            listingUri,
          }),
        ),
    }),
    vscode.debug.registerDebugConfigurationProvider(debugType, configurations),
    vscode.debug.registerDebugConfigurationProvider(
      debugType,
      configurations,
      vscode.DebugConfigurationProviderTriggerKind.Dynamic,
    ),
  );
  const all = await vscode.commands.getCommands(true);
  const commands = all.filter((command) => command.startsWith('coherence.'));
  client.clientOptions.initializationOptions = { commands } satisfies InitializationOptions;
  await client.start();
  context.subscriptions.push(
    vscode.debug.onDidReceiveDebugSessionCustomEvent(({ event, session, body }) => {
      if (event !== endedEvent || session.type !== debugType) return;
      const { program, text, expectations }: Ended = body;
      const ran: Ran = { uri: uriOf(program).toString(), text, expectations };
      void client.sendNotification(ranNotification, ran);
    }),
  );
  client.onRequest(readFileRequest, ({ uri }: { uri: string }) => readProgram(uri));
  return api;
}

/** Lets open editors ask for their inlay hints again. */
function refreshHints(client: BaseLanguageClient): void {
  for (const document of vscode.workspace.textDocuments)
    client.getFeature(InlayHintRequest.method).getProvider(document)?.onDidChangeInlayHints.fire();
}

/** Steps that DAP has no word for, of the thread that is selected. */
async function stepBack(request: string): Promise<void> {
  const item = vscode.debug.activeStackItem;
  if (item?.session.type === debugType) {
    await item.session.customRequest(request, { threadId: item.threadId });
  }
}
