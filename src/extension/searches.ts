// Explore and Outcomes: the search over schedules, in slices, so that the editor never waits for it; it shows how far it
// is and can be cancelled. What it finds becomes a document, with a lens over each schedule that debugs that witness.
import * as vscode from 'vscode';
import { foundLines, outcomeLines, searched } from '../explore/report';
import { Search } from '../explore/search';
import { type Loaded, loadScenario } from '../scenario/load';
import { readAhead } from '../scenario/sources';
import { ScheduleMismatch } from '../timeline/timeline';
import { programOf } from './debugging';
import { debugType } from './moments';
import { scenarioAt } from './scenarios';

const scheme = 'coherence-search';
const sliceMs = 20;
const sliceSteps = 2000;

/** Which way through the machine: the scenario's file and title, and the schedule. */
interface Witness {
  readonly uri: vscode.Uri;
  readonly title: string;
}

/** Registers the commands, and the documents with what they found. */
export class Searches
  implements vscode.TextDocumentContentProvider, vscode.CodeLensProvider, vscode.Disposable
{
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly texts = new Map<string, { readonly text: string; readonly of: Witness }>();
  private readonly subscription = vscode.Disposable.from(
    this.changed,
    vscode.workspace.registerTextDocumentContentProvider(scheme, this),
    vscode.languages.registerCodeLensProvider({ scheme }, this),
    ...['explore', 'outcomes'].map((what) =>
      vscode.commands.registerCommand(
        `coherence.${what}`,
        (uri?: string | vscode.Uri, title?: string) => this.search(what, uri, title),
      ),
    ),
    vscode.commands.registerCommand(
      'coherence.debugWitness',
      (program: string, scenario: string, schedule: string) =>
        vscode.debug.startDebugging(undefined, {
          type: debugType,
          request: 'launch',
          name: `Debug "${scenario}"`,
          program,
          scenario,
          schedule,
          stopOnEntry: true,
        }),
    ),
  );

  /** Searches and shows the result; the address of the document, or undefined when there is none. */
  private async search(
    what: string,
    given: string | vscode.Uri | undefined,
    wanted: string | undefined,
  ): Promise<vscode.Uri | undefined> {
    const here = scenarioAt(given, wanted);
    if (here === undefined) return undefined;
    const { uri } = here;
    const loaded = await load(uri, here.title);
    if (typeof loaded === 'string') {
      void vscode.window.showErrorMessage(loaded);
      return undefined;
    }
    const { title } = loaded.meaning;
    if (what === 'outcomes' && loaded.meaning.outcomes === undefined) {
      void vscode.window.showInformationMessage(
        `"${title}" names no outcomes; say what is looked at in the end: outcomes (gpu(ring)[0]) { allowed (0) }`,
      );
      return undefined;
    }
    const text = await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: `Exploring "${title}"`,
        cancellable: true,
      },
      (progress, token) => explored(loaded, uri, progress, token),
    );
    const address = vscode.Uri.from({ scheme, path: `/${title.replace(/[\\/?#]/g, ' ')}.txt` });
    this.texts.set(address.toString(), { text, of: { uri, title } });
    this.changed.fire(address);
    const document = await vscode.workspace.openTextDocument(address);
    await vscode.window.showTextDocument(document, {
      viewColumn: vscode.ViewColumn.Beside,
      preserveFocus: true,
    });
    return address;
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString())?.text ?? '';
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const of = this.texts.get(document.uri.toString())?.of;
    if (of === undefined) return [];
    return Array.from({ length: document.lineCount }, (_, line) => document.lineAt(line)).flatMap(
      ({ text, range }) => {
        const schedule = /\bschedule: ([\d x/]+)$/.exec(text)?.[1];
        if (schedule === undefined) return [];
        const witness = [programOf(of.uri), of.title, schedule];
        const command = {
          title: 'Debug this witness',
          command: 'coherence.debugWitness',
          arguments: witness,
        };
        return [new vscode.CodeLens(range, command)];
      },
    );
  }

  dispose(): void {
    this.subscription.dispose();
  }
}

/** The scenario ready to be searched, unsaved changes included; or a sentence that says why not. */
async function load(uri: vscode.Uri, title: string | undefined): Promise<Loaded | string> {
  const read = async (path: string) =>
    (await vscode.workspace.openTextDocument(vscode.Uri.parse(path, true))).getText();
  try {
    const path = uri.toString();
    const text = await read(path);
    const options = title === undefined ? {} : { scenario: title };
    const loaded = loadScenario(text, options, { path, read: await readAhead(path, text, read) });
    if ('run' in loaded) return loaded;
    const [problem] = loaded.checked.diagnostics.filter(({ severity }) => severity === 'error');
    return loaded.problems[0] ?? problem?.message ?? 'there is no scenario here';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Searches to its end or until it is cancelled, a slice at a time; what there is to say of it then. */
async function explored(
  { run, meaning, schedule }: Loaded,
  uri: vscode.Uri,
  progress: vscode.Progress<{ message: string }>,
  token: vscode.CancellationToken,
): Promise<string> {
  let search: Search;
  try {
    search = new Search(run, { ...meaning.explore, schedule });
  } catch (error) {
    if (error instanceof ScheduleMismatch) return `${error.message}\n`;
    throw error;
  }
  while (search.state === 'running' && !token.isCancellationRequested) {
    const until = Date.now() + sliceMs;
    while (search.state === 'running' && Date.now() < until) search.go(sliceSteps);
    progress.report({ message: `${search.states.toLocaleString()} states` });
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const name = uri.path.split('/').at(-1);
  return [
    meaning.title,
    ...searched(search).map((line) => `  ${line}`),
    ...outcomeLines(search, run).map((line) => `  ${line}`),
    ...foundLines(search, (p) => `${p.path ?? name}:${p.line}:${p.column}`),
    search.verdict,
    '',
  ].join('\n');
}
