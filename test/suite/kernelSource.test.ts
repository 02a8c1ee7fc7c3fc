// A kernel tree of the user's beside the listings: the function of a selected frame opens there, found by name.
import * as assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { eventually, exampleUri, Run } from './run';

const setting = 'coherence.kernelSource';

suite('kernel source', () => {
  let run: Run;
  let tree: string;
  setup(async () => {
    tree = mkdtempSync(path.join(tmpdir(), 'kernel-'));
    const folder = path.join(tree, 'drivers/gpu/drm/vmwgfx');
    mkdirSync(folder, { recursive: true });
    // In this version the function stands in another file of the folder.
    const text = `${'\n'.repeat(40)}vm_fault_t vmw_bo_vm_fault(struct vm_fault *vmf)\n{\n\treturn 0;\n}\n`;
    writeFileSync(path.join(folder, 'vmwgfx_other.c'), text);
    const use = (value: string | undefined) =>
      vscode.workspace.getConfiguration().update(setting, value, vscode.ConfigurationTarget.Global);
    await use(tree);
    run = await Run.start(exampleUri('01-ring-buffer.coh').fsPath);
  });
  teardown(async () => {
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    await run.end();
    await vscode.workspace
      .getConfiguration()
      .update(setting, undefined, vscode.ConfigurationTarget.Global);
    rmSync(tree, { recursive: true, force: true });
  });

  test('a stop in a function of the kernel opens it in the tree, beside its listing', async () => {
    vscode.debug.addBreakpoints([new vscode.FunctionBreakpoint('vmw_bo_vm_fault')]);
    await run.move('continue');
    const shown = () => vscode.window.visibleTextEditors;
    const own = await eventually(
      () => shown().find(({ document }) => document.uri.fsPath.startsWith(tree)),
      () =>
        shown()
          .map(({ document }) => `${document.uri}`)
          .join(', '),
    );
    assert.equal(path.basename(own.document.uri.fsPath), 'vmwgfx_other.c');
    assert.equal(own.selection.active.line, 40);
    const listing = shown().find(({ document }) => document.uri.scheme === 'coherence-listing');
    assert.notEqual(own.viewColumn, listing?.viewColumn);
  });
});
