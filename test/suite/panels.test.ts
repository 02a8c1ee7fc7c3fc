// The panels in a debug session of the ring buffer, as VS Code holds them: the trees of the Debug side bar and the PTE
// grid, at a page fault, after it, and back in time.
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { Configurations } from '../../src/extension/debugging';
import type { OutlineView } from '../../src/extension/outlineView';
import type { Api } from '../../src/extension/start';
import type { MarkedNode } from '../../src/protocol/difference';
import { eventually, exampleUri, once, Run } from './run';

/** One line a node: label and what stands beside it. */
function lines(view: OutlineView, nodes: MarkedNode[] = view.getChildren()): string[] {
  return nodes.flatMap((node) => {
    const { label, description } = view.getTreeItem(node);
    return [`${label}: ${description}`, ...lines(view, view.getChildren(node))];
  });
}

suite('panels', () => {
  let api: Api;
  let run: Run;

  const line = (view: OutlineView, pattern: RegExp) =>
    eventually(
      () => lines(view).find((text) => pattern.test(text)),
      () => `${pattern} is not among\n${lines(view).join('\n')}`,
    );

  setup(async () => {
    const extension = vscode.extensions.getExtension<Api>('coherence-debugger.coherence-debugger');
    assert.ok(extension);
    api = await extension.activate();
    run = await Run.start(exampleUri('01-ring-buffer.coh').fsPath);
    await vscode.commands.executeCommand('coherence.fences.focus');
    await vscode.commands.executeCommand('coherence.bufferObjects.focus');
    await vscode.commands.executeCommand('coherence.pageTables.focus');
  });

  teardown(() => run.end());

  test('a page fault shows in the trees, and going back takes it back', async () => {
    await run.filter('fault');
    await run.move('continue');
    const before = await line(api.bufferObjects, /^mapping app p: /);
    assert.match(before, /P 0, W 0, D 0/);

    await run.move('continue');
    const after = await line(api.bufferObjects, /^mapping app p: .*P 1/);
    assert.match(after, /P 0, W 0, D 0 → P 1, W 1, D 1/);
    await line(api.pageTables, /^PTE\[\d+\]: new: PWUAD/);

    await run.move('reverseContinue');
    await line(api.bufferObjects, /^mapping app p: P 1, W 1, D 1 → P 0, W 0, D 0/);
    await line(api.pageTables, /^PTE\[\d+\]: gone: PWUAD/);
  });

  test('fences appear with the first submission', async () => {
    await run.filter('fence-signal');
    await run.move('continue');
    assert.match(await line(api.fences, /^fence 1: /), /signaled/);
  });

  test('the PTE grid opens on the object, in one panel however often it is asked for', async () => {
    await run.filter('fault');
    await run.move('continue');
    await eventually(
      () => (lines(api.bufferObjects).length > 0 ? true : undefined),
      () => 'no object',
    );
    await vscode.commands.executeCommand('coherence.showPteGrid');
    await vscode.commands.executeCommand(
      'coherence.showPteGrid',
      api.bufferObjects.getChildren()[0],
    );
    const grids = () =>
      vscode.window.tabGroups.all.flatMap(({ tabs }) =>
        tabs.filter(({ label }) => label === 'PTEs of ring'),
      );
    await eventually(
      () => (grids().length > 0 ? true : undefined),
      () => 'no grid of the ring',
    );
    assert.equal(grids().length, 1);
  });

  test('ids of nodes stay the same from stop to stop', async () => {
    await run.filter('fault');
    await run.move('continue');
    await line(api.bufferObjects, /^mapping app p: /);
    const [first] = api.bufferObjects.getChildren();
    await run.move('continue');
    await line(api.bufferObjects, /^mapping app p: .*P 1/);
    const [second] = api.bufferObjects.getChildren();
    assert.ok(first && second);
    assert.equal(api.bufferObjects.getTreeItem(first).id, api.bufferObjects.getTreeItem(second).id);
  });

  test('when the session ends, the trees are empty', async () => {
    await run.end();
    await eventually(
      () => (lines(api.pageTables).length === 0 ? true : undefined),
      () => lines(api.pageTables).join('\n'),
    );
  });
});

suite('debug configurations', () => {
  test('F5 on an open scenario needs no launch.json', async () => {
    const uri = exampleUri('01-ring-buffer.coh');
    await vscode.window.showTextDocument(uri);
    const started = once(vscode.debug.onDidStartDebugSession);
    await vscode.commands.executeCommand('workbench.action.debug.start');
    const session = await started;
    assert.equal(session.type, 'coherence');
    assert.equal(session.configuration.program, uri.fsPath);
    assert.equal(session.configuration.stopOnEntry, true);
    const end = once(vscode.debug.onDidTerminateDebugSession);
    await vscode.debug.stopDebugging(session);
    await end;
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  test('the scenarios of open files are offered by name', async () => {
    const uri = exampleUri('01-ring-buffer.coh');
    const document = await vscode.workspace.openTextDocument(uri);
    const offered = new Configurations().provideDebugConfigurations();
    const mine = offered.find(({ program }) => program === document.uri.fsPath);
    assert.equal(mine?.name, 'Debug "three-section ring buffer, persistent coherent"');
  });
});
