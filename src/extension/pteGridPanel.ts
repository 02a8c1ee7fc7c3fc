// The host's side of the PTE grid: a panel that shows one buffer object of the active session at its latest stop. The
// webview holds no truth; it keeps only what it looks at, so that it comes back after a reload of the window.
import * as vscode from 'vscode';
import type { FromGrid, GridState, ToGrid } from '../protocol/messages';
import type { BufferObject, Snapshot } from '../protocol/snapshot';
import type { Moments } from './moments';

export const pteGridType = 'coherence.pteGrid';

/** Every open PTE grid, and how to open another. */
export class PteGrids implements vscode.WebviewPanelSerializer, vscode.Disposable {
  private readonly open = new Set<PteGrid>();
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly moments: Moments,
  ) {
    moments.addLooker(() => [...this.open].some((grid) => grid.visible));
    this.subscription = vscode.Disposable.from(
      moments.onDidChange(() => {
        for (const grid of this.open) grid.update();
      }),
      vscode.window.registerWebviewPanelSerializer(pteGridType, this),
    );
  }

  /** Shows the grid of an object, in the panel that has it if there is one; of the first object by default. */
  show(object: string | null): void {
    const shown = [...this.open].find((grid) => object === null || grid.object === object);
    if (shown !== undefined) {
      shown.reveal();
      return;
    }
    const column = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    const options = { enableScripts: true, localResourceRoots: this.roots };
    this.adopt(vscode.window.createWebviewPanel(pteGridType, 'PTE Grid', column, options), object);
  }

  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state?: GridState): Promise<void> {
    panel.webview.options = { enableScripts: true, localResourceRoots: this.roots };
    this.adopt(panel, state?.object ?? null);
  }

  dispose(): void {
    this.subscription.dispose();
    for (const grid of [...this.open]) grid.close();
  }

  private get roots(): vscode.Uri[] {
    return ['dist/webview', 'media'].map((path) => vscode.Uri.joinPath(this.extension, path));
  }

  private adopt(panel: vscode.WebviewPanel, object: string | null): void {
    const [script, style] = ['dist/webview/pteGrid.js', 'media/pteGrid.css'].map((path) =>
      panel.webview.asWebviewUri(vscode.Uri.joinPath(this.extension, path)),
    );
    const grid = new PteGrid(panel, this.moments, object);
    this.open.add(grid);
    panel.onDidDispose(() => this.open.delete(grid));
    panel.webview.html = page(panel.webview.cspSource, `${script}`, `${style}`);
  }
}

class PteGrid {
  private ready = false;
  private serial = 0; // of the moment shown

  constructor(
    private readonly panel: vscode.WebviewPanel,
    private readonly moments: Moments,
    /** The object that is wanted. */
    public object: string | null,
  ) {
    panel.webview.onDidReceiveMessage((message: FromGrid) => this.hear(message));
    panel.onDidChangeViewState(() => moments.look());
  }

  get visible(): boolean {
    return this.panel.visible;
  }

  reveal(): void {
    this.panel.reveal(undefined, true);
  }

  close(): void {
    this.panel.dispose();
  }

  /** Sends the object as it is now; says so when there is none. */
  update(): void {
    if (!this.ready || !this.panel.visible) return;
    const moment = this.moments.current;
    if (moment === undefined) {
      const reason = 'No scenario is being debugged.';
      return this.send({ type: 'nothing', serial: this.serial, reason });
    }
    const { serial, now, before, stop } = moment;
    this.serial = serial;
    // One that is gone, or of another scenario, may come again: it stays the one that is wanted.
    const object = find(now, this.object) ?? now.objects[0];
    if (object === undefined) {
      return this.send({ type: 'nothing', serial, reason: 'There is no buffer object here.' });
    }
    this.object ??= object.id;
    this.panel.title = `PTEs of ${object.name}`;
    const objects = now.objects.map(({ id, name }) => ({ id, name }));
    const old = (before && find(before, object.id)) ?? null;
    const { time } = now;
    this.send({ type: 'object', serial, time, stop, object, before: old, objects });
  }

  private send(message: ToGrid): void {
    void this.panel.webview.postMessage(message);
  }

  private hear(message: FromGrid): void {
    switch (message.type) {
      case 'ready':
        this.ready = true;
        this.object ??= message.object;
        break;
      case 'choose':
        this.object = message.object;
        break;
      case 'copy':
        void vscode.env.clipboard.writeText(message.text);
        return;
    }
    this.moments.look();
    this.update();
  }
}

const find = ({ objects }: Snapshot, id: string | null): BufferObject | undefined =>
  objects.find((object) => object.id === id);

/** The page: nothing may run or be loaded but the one script and the one style sheet. */
function page(source: string, script: string, style: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const nonce = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src ${source}; script-src 'nonce-${nonce}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${style}">
<title>PTE Grid</title>
</head>
<body>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}
