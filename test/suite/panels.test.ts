// The panels in a debug session of the ring buffer, as VS Code holds them: the trees of the Debug side bar and the PTE
// grid, at a page fault, after it, and back in time.
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { OutlineView } from '../../src/extension/outlineView';
import type { Api } from '../../src/extension/start';
import type { MarkedNode } from '../../src/protocol/difference';
import { type Moved, movedEvent } from '../../src/protocol/messages';

/** One line a node: label and what stands beside it. */
function lines(view: OutlineView, nodes: MarkedNode[] = view.getChildren()): string[] {
  return nodes.flatMap((node) => {
    const { label, description } = view.getTreeItem(node);
    return [`${label}: ${description}`, ...lines(view, view.getChildren(node))];
  });
}

/** Waits until `find` yields something; the panels follow the run with a request of their own. */
async function eventually<T>(find: () => T | undefined, what: string): Promise<T> {
  for (let i = 0; i < 100; i++) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(what);
}

/** Ends a session, if it has not ended yet, and waits until it has. */
async function ended(session: vscode.DebugSession): Promise<void> {
  if (vscode.debug.activeDebugSession === undefined) return;
  const end = new Promise<void>((resolve) => {
    const subscription = vscode.debug.onDidTerminateDebugSession(() => {
      subscription.dispose();
      resolve();
    });
  });
  await vscode.debug.stopDebugging(session);
  await end;
}

suite('panels', () => {
  let api: Api;
  let session: vscode.DebugSession;
  let thread: number;

  /** Does something that ends in a stop, and waits for that. */
  async function untilStopped(act: () => unknown): Promise<Moved> {
    let subscription: vscode.Disposable | undefined;
    const moved = new Promise<Moved>((resolve) => {
      subscription = vscode.debug.onDidReceiveDebugSessionCustomEvent((message) => {
        if (message.event !== movedEvent) return;
        session = message.session;
        resolve(message.body);
      });
    });
    await act();
    const stop = await moved;
    subscription?.dispose();
    return stop;
  }
  const request = (command: string, args: object = {}) =>
    untilStopped(() => session.customRequest(command, { threadId: thread, ...args }));

  const line = (view: OutlineView, pattern: RegExp) =>
    eventually(
      () => lines(view).find((text) => pattern.test(text)),
      `${pattern} is not among\n${lines(view).join('\n')}`,
    );

  setup(async () => {
    const extension = vscode.extensions.getExtension<Api>('coherence-debugger.coherence-debugger');
    assert.ok(extension);
    api = await extension.activate();
    const folder = vscode.workspace.workspaceFolders?.[0];
    assert.ok(folder);
    const program = vscode.Uri.joinPath(folder.uri, '01-ring-buffer.coh').fsPath;
    await untilStopped(() =>
      vscode.debug.startDebugging(folder, {
        type: 'coherence',
        request: 'launch',
        name: 'panels',
        program,
      }),
    );
    const { threads } = await session.customRequest('threads');
    thread = threads[0].id;
    await vscode.commands.executeCommand('coherence.fences.focus');
    await vscode.commands.executeCommand('coherence.bufferObjects.focus');
    await vscode.commands.executeCommand('coherence.pageTables.focus');
  });

  teardown(async () => {
    await ended(session);
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  const stopOnFaults = () =>
    session.customRequest('setExceptionBreakpoints', {
      filters: [],
      filterOptions: [{ filterId: 'fault' }],
    });

  test('a page fault shows in the trees, and going back takes it back', async () => {
    await stopOnFaults();
    await request('continue');
    const before = await line(api.bufferObjects, /^mapping app p: /);
    assert.match(before, /P 0, W 0, D 0/);

    await request('continue');
    const after = await line(api.bufferObjects, /^mapping app p: .*P 1/);
    assert.match(after, /P 0, W 0, D 0 → P 1, W 1, D 1/);
    await line(api.pageTables, /^PTE\[\d+\]: new: PWUAD/);

    await request('reverseContinue');
    await line(api.bufferObjects, /^mapping app p: P 1, W 1, D 1 → P 0, W 0, D 0/);
    await line(api.pageTables, /^PTE\[\d+\]: gone: PWUAD/);
  });

  test('fences appear with the first submission', async () => {
    await session.customRequest('setExceptionBreakpoints', {
      filters: [],
      filterOptions: [{ filterId: 'fence-signal' }],
    });
    await request('continue');
    assert.match(await line(api.fences, /^fence 1: /), /signaled/);
  });

  test('the PTE grid opens on the object, in one panel however often it is asked for', async () => {
    await stopOnFaults();
    await request('continue');
    await eventually(() => (lines(api.bufferObjects).length > 0 ? true : undefined), 'an object');
    await vscode.commands.executeCommand('coherence.showPteGrid');
    await vscode.commands.executeCommand(
      'coherence.showPteGrid',
      api.bufferObjects.getChildren()[0],
    );
    const grids = () =>
      vscode.window.tabGroups.all.flatMap(({ tabs }) =>
        tabs.filter(({ label }) => label === 'PTEs of ring'),
      );
    await eventually(() => (grids().length > 0 ? true : undefined), 'the grid of the ring');
    assert.equal(grids().length, 1);
  });

  test('ids of nodes stay the same from stop to stop', async () => {
    await stopOnFaults();
    await request('continue');
    await line(api.bufferObjects, /^mapping app p: /);
    const [first] = api.bufferObjects.getChildren();
    await request('continue');
    await line(api.bufferObjects, /^mapping app p: .*P 1/);
    const [second] = api.bufferObjects.getChildren();
    assert.ok(first && second);
    assert.equal(api.bufferObjects.getTreeItem(first).id, api.bufferObjects.getTreeItem(second).id);
  });

  test('when the session ends, the trees are empty', async () => {
    await ended(session);
    await eventually(
      () => (lines(api.pageTables).length === 0 ? true : undefined),
      'empty page tables',
    );
  });
});

suite('debug configurations', () => {
  test('F5 on an open scenario needs no launch.json', async () => {
    const folder = vscode.workspace.workspaceFolders?.[0];
    assert.ok(folder);
    const uri = vscode.Uri.joinPath(folder.uri, '01-ring-buffer.coh');
    await vscode.window.showTextDocument(uri);
    const started = new Promise<vscode.DebugSession>((resolve) => {
      const subscription = vscode.debug.onDidStartDebugSession((session) => {
        subscription.dispose();
        resolve(session);
      });
    });
    await vscode.commands.executeCommand('workbench.action.debug.start');
    const session = await started;
    assert.equal(session.type, 'coherence');
    assert.equal(session.configuration.program, uri.fsPath);
    assert.equal(session.configuration.stopOnEntry, true);
    await ended(session);
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });
});
