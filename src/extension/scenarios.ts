// Commands for scenarios: what the lenses over them do, and a new file to begin with. A run goes on in a debug session
// without stops, so that the editor never waits for it.
import * as vscode from 'vscode';
import { scenarioTemplate } from '../language/snippets';
import { parse } from '../syntax/parser';
import { languageId, programOf } from './debugging';
import { debugType } from './moments';

/** Registers the commands. */
export function scenarioCommands(): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.commands.registerCommand('coherence.run', (uri?: string | vscode.Uri, title?: string) =>
      start(uri, title, true),
    ),
    vscode.commands.registerCommand(
      'coherence.debug',
      (uri?: string | vscode.Uri, title?: string) => start(uri, title, false),
    ),
    vscode.commands.registerCommand('coherence.newScenario', newScenario),
  );
}

/** Starts a scenario. */
async function start(
  given: string | vscode.Uri | undefined,
  title: string | undefined,
  noDebug: boolean,
): Promise<boolean> {
  const here = scenarioAt(given, title);
  if (here === undefined) return false;
  const { uri, title: scenario } = here;
  const configuration = {
    type: debugType,
    request: 'launch',
    name: `${noDebug ? 'Run' : 'Debug'} "${scenario ?? uri.path.split('/').at(-1)}"`,
    program: programOf(uri),
    ...(scenario === undefined ? {} : { scenario }),
    stopOnEntry: true,
    noDebug,
  };
  // What was never saved runs from its editor; to save it first would ask for a name.
  const suppressSaveBeforeStart = uri.scheme === 'untitled';
  const folder = vscode.workspace.getWorkspaceFolder(uri);
  return vscode.debug.startDebugging(folder, configuration, { suppressSaveBeforeStart });
}

/** The scenario that is meant: named by its file and title, else the one that the cursor of the active editor is in. */
export function scenarioAt(
  given: string | vscode.Uri | undefined,
  title: string | undefined,
): { uri: vscode.Uri; title: string | undefined } | undefined {
  const editor = vscode.window.activeTextEditor;
  const here = editor?.document.languageId === languageId ? editor : undefined;
  const uri =
    typeof given === 'string' ? vscode.Uri.parse(given, true) : (given ?? here?.document.uri);
  if (uri === undefined) {
    void vscode.window.showErrorMessage('Open a scenario (a .coh file) to run it.');
    return undefined;
  }
  const same = here?.document.uri.toString() === uri.toString() ? here : undefined;
  return { uri, title: title ?? (same && titleAt(same.document, same.selection.active)) };
}

function titleAt(document: vscode.TextDocument, position: vscode.Position): string | undefined {
  const offset = document.offsetAt(position);
  const { scenarios } = parse(document.getText()).file;
  return scenarios.find(({ from, to }) => from <= offset && offset <= to)?.title?.text;
}

async function newScenario(): Promise<void> {
  const document = await vscode.workspace.openTextDocument({ language: languageId, content: '' });
  const editor = await vscode.window.showTextDocument(document);
  await editor.insertSnippet(new vscode.SnippetString(scenarioTemplate));
}
