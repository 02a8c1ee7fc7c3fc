// What the debugger can beside stepping, in VS Code: conditions on faults, data breakpoints on one bit in both directions,
// who goes next, and a PTE changed by hand with its consequence in the views.
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { OutlineView } from '../../src/extension/outlineView';
import type { Api } from '../../src/extension/start';
import { eventually, exampleUri, once, Run } from './run';

const bit = 'pte:app:0x7ffff7fe7000:D';

suite('debugging', () => {
  let run: Run;
  const begin = async (example: string) => {
    run = await Run.start(exampleUri(example).fsPath);
  };
  teardown(() => run.end());

  const request = (command: string, args: object = {}) => run.session.customRequest(command, args);
  const value = async (expression: string) => {
    const [frame] = await run.stack();
    return (await request('evaluate', { expression, frameId: frame!.id, context: 'watch' })).result;
  };

  test('a write-protect fault stops under its condition only, forwards and backwards', async () => {
    await begin('02-large-buffer.coh');
    await run.filter(['fault-write-protect', 'frame >= 18']);
    const stops: string[] = [];
    for (const command of ['continue', 'continue', 'reverseContinue'])
      stops.push(await run.move(command));
    assert.deepEqual(
      stops,
      [18, 19, 18].map((page) => `Write-protect fault at page ${page} of p (big)`),
    );
  });

  test('a data breakpoint on one bit of a PTE is hit where the scan clears it and the walker sets it, and back', async () => {
    await begin('01-ring-buffer.coh');
    await run.filter('submit');
    await run.move('continue');
    await run.filter();
    const { dataId } = await request('dataBreakpointInfo', { name: bit });
    await request('setDataBreakpoints', { breakpoints: [{ dataId, accessType: 'write' }] });
    const stops: string[] = [];
    for (const command of ['continue', 'continue', 'reverseContinue', 'reverseContinue']) {
      const title = await run.move(command);
      const [top] = await run.stack();
      stops.push(`${title.replace(/^.*: /, '')} in ${top!.name.split(':')[0]}`);
    }
    const scan = '1 → 0 in apply_pt_clean';
    const walk = '0 → 1 in page_walk';
    assert.deepEqual(stops, [scan, walk, scan, walk]);
  });

  test('the GPU is chosen to go next by command; the choice is in the schedule', async () => {
    await begin('01-ring-buffer.coh');
    vscode.debug.addBreakpoints([new vscode.FunctionBreakpoint('dma_fence_wait')]);
    await run.move('continue');
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    const before: string = (await request('coherence/time')).schedule;
    const item = once(vscode.debug.onDidChangeActiveStackItem, (now) => now?.threadId === 3);
    // The list comes up with the thread that goes next first; the GPU is below it.
    void vscode.commands.executeCommand('coherence.chooseNext');
    for (let i = 0; i < 100 && (await request('coherence/time')).schedule === before; i++) {
      await new Promise((resolve) => setTimeout(resolve, 300)); // until the list is there
      await vscode.commands.executeCommand('workbench.action.quickOpenSelectNext');
      await vscode.commands.executeCommand('workbench.action.quickOpenSelectNext');
      await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
    }
    assert.equal((await request('coherence/time')).schedule, `${before} 4`);
    await item;
    run.thread = 3;
    const [top] = await run.stack();
    assert.match(top!.name, /^svga_device/);
  });

  test('a dirty bit cleared in the variables is gone from the views, and the GPU reads an old byte', async () => {
    const extension = vscode.extensions.getExtension<Api>('coherence-debugger.coherence-debugger');
    const api = await extension!.activate();
    await begin('01-ring-buffer.coh');
    await vscode.commands.executeCommand('coherence.bufferObjects.focus');
    await vscode.commands.executeCommand('coherence.pageTables.focus');
    await run.filter(['submit', 'submission == 4']);
    await run.move('continue');
    await run.filter('violation');
    await line(api.bufferObjects, /^mapping app p: .*D 8/);

    const child = async (variablesReference: number, name: string): Promise<number> => {
      const { variables } = await request('variables', { variablesReference });
      const found = variables.find((v: { name: string }) => v.name === name);
      assert.ok(found, `${name} among ${variables.map((v: { name: string }) => v.name)}`);
      return found.variablesReference;
    };
    const [frame] = await run.stack();
    const { scopes } = await request('scopes', { frameId: frame!.id });
    const space = scopes.find((s: { name: string }) => s.name === 'Address space');
    const entries = await child(await child(space.variablesReference, 'p'), 'PTEs');
    const variablesReference = await child(entries, '[0]');
    const changed = await request('setVariable', { variablesReference, name: 'D', value: '0' });
    assert.equal(changed.value, '0');
    assert.equal(await value('pte(p[0]).dirty'), 'false');
    await line(api.bufferObjects, /^mapping app p: .*D 8 → .*D 7|^mapping app p: .*D 7/);
    assert.match(
      await run.move('continue'),
      /^R1: the GPU read 1 instead of 4, which the CPU had stored before: page 0 of ring/,
    );
    await vscode.commands.executeCommand('coherence.goToLost');
  });
});

/** The line of a view that matches, as soon as there is one. */
const line = (view: OutlineView, pattern: RegExp): Promise<string> => {
  const lines = (nodes = view.getChildren()): string[] =>
    nodes.flatMap((node) => {
      const { label, description } = view.getTreeItem(node);
      return [`${label}: ${description}`, ...lines(view.getChildren(node))];
    });
  return eventually(
    () => lines().find((text) => pattern.test(text)),
    () => `${pattern} is not among\n${lines().join('\n')}`,
  );
};
