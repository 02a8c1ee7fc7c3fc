// The user's own kernel tree beside the listings of the emulated one: with `coherence.kernelSource` set, the file that
// a selected frame stands for is opened at the function, next to the listing.
import * as vscode from 'vscode';
import { besides, functionLine } from '../protocol/kernelSource';
import { uriOf } from './debugging';
import { listingFile } from './listings';
import { debugType } from './moments';

const setting = 'coherence.kernelSource';

/** A function of the kernel, and the file of its listing. */
interface Place {
  readonly name: string;
  readonly file: string;
}

export class KernelSource implements vscode.Disposable {
  private readonly subscription = vscode.Disposable.from(
    vscode.debug.onDidChangeActiveStackItem((item) => {
      if (root() !== undefined) void this.follow(item, false);
    }),
    vscode.commands.registerCommand('coherence.openKernelSource', () => this.open()),
  );

  /** The command: asks for the tree where none is known, and says what was not found. */
  private async open(): Promise<void> {
    if (root() === undefined && !(await choose())) return;
    await this.follow(vscode.debug.activeStackItem, true);
  }

  private async follow(
    item: vscode.DebugThread | vscode.DebugStackFrame | undefined,
    asked: boolean,
  ): Promise<void> {
    const place = await placeOf(item);
    const tree = root();
    if (tree === undefined) return;
    if (place === undefined) {
      if (asked) void vscode.window.showInformationMessage('Select a frame of the kernel first.');
      return;
    }
    const found = await find(tree, place);
    if (item !== vscode.debug.activeStackItem) return; // the user has gone on
    if (found === undefined) {
      const said = `${place.name} is not defined in ${place.file} or beside it, in ${tree.fsPath}`;
      if (asked) void vscode.window.showWarningMessage(said);
      else vscode.window.setStatusBarMessage(said, 5000);
      return;
    }
    const { uri, line } = found;
    const shown = vscode.window.visibleTextEditors.find(({ document }) =>
      `${document.uri}`.startsWith(`${tree}/`),
    );
    const start = new vscode.Position(line, 0);
    const editor = await vscode.window.showTextDocument(uri, {
      viewColumn: shown?.viewColumn ?? vscode.ViewColumn.Beside,
      preserveFocus: true,
      preview: true,
    });
    editor.selection = new vscode.Selection(start, start);
    editor.revealRange(new vscode.Range(start, start), vscode.TextEditorRevealType.AtTop);
  }

  dispose(): void {
    this.subscription.dispose();
  }
}

/** The tree of the setting: a path, or a URI where files lie elsewhere. */
function root(): vscode.Uri | undefined {
  const text = vscode.workspace.getConfiguration().get(setting, '').trim().replace(/\/+$/, '');
  return text === '' ? undefined : uriOf(text);
}

async function choose(): Promise<boolean> {
  const [folder] =
    (await vscode.window.showOpenDialog({
      canSelectFiles: false,
      canSelectFolders: true,
      openLabel: 'Use This Kernel Tree',
    })) ?? [];
  if (folder === undefined) return false;
  const value = folder.scheme === 'file' ? folder.fsPath : `${folder}`;
  await vscode.workspace
    .getConfiguration()
    .update(setting, value, vscode.ConfigurationTarget.Global);
  return true;
}

/** The kernel function of a frame, or of the innermost frame of a thread. */
async function placeOf(
  item: vscode.DebugThread | vscode.DebugStackFrame | undefined,
): Promise<Place | undefined> {
  if (item?.session.type !== debugType) return undefined;
  const { threadId } = item;
  const { stackFrames } = await item.session.customRequest('stackTrace', { threadId });
  const wanted =
    'frameId' in item
      ? stackFrames.find(({ id }: { id: number }) => id === item.frameId)
      : stackFrames[0];
  const file = listingFile(wanted?.source?.path ?? '');
  return file === undefined ? undefined : { name: wanted.name.split(':')[0], file };
}

/** The definition, in the file of the same name or else in the files beside it. */
async function find(
  tree: vscode.Uri,
  { name, file }: Place,
): Promise<{ uri: vscode.Uri; line: number } | undefined> {
  const folder = file.split('/').slice(0, -1).join('/');
  const look = async (path: string) => {
    const uri = vscode.Uri.joinPath(tree, path);
    try {
      const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
      const line = functionLine(text, name);
      return line === undefined ? undefined : { uri, line };
    } catch {
      return undefined; // this version has no such file
    }
  };
  const there = await look(file);
  if (there !== undefined) return there;
  for (const beside of [folder, ...(besides[folder] ?? [])]) {
    const entries = await filesOf(vscode.Uri.joinPath(tree, beside));
    for (const entry of entries) {
      const found = await look(`${beside}/${entry}`);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

async function filesOf(folder: vscode.Uri): Promise<string[]> {
  try {
    const entries = await vscode.workspace.fs.readDirectory(folder);
    return entries.map(([name]) => name).filter((name) => /\.[ch]$/.test(name));
  } catch {
    return [];
  }
}
