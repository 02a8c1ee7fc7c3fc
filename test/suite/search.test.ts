// Explore in VS Code: the search runs beside the editor, and what it finds can be debugged.
import * as assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';

const text = `scenario "only some orders race"
surface a: buffer 1 page coherent
process app {
  let p = map a
  write p = 0
  thread writer on cpu0 {
    write p[0] = 7
  }
  thread drawer on cpu1 {
    submit { draw reads a[0 .. 1] } as drawn
    wait drawn
  }
}
never race
`;

suite('searching', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'coherence-search-'));
  const file = path.join(folder, 'race.coh');
  writeFileSync(file, text); // a file on the disk: before a session VS Code asks where to save one that is not
  suiteTeardown(() => rmSync(folder, { recursive: true }));

  teardown(async () => {
    await vscode.debug.stopDebugging();
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  test('what the search finds is a document, with a lens that debugs the witness', async () => {
    const document = await vscode.workspace.openTextDocument(file);
    await vscode.window.showTextDocument(document);
    const address = await vscode.commands.executeCommand<vscode.Uri>(
      'coherence.explore',
      document.uri.toString(),
      'only some orders race',
    );
    const result = await vscode.workspace.openTextDocument(address);
    assert.match(result.getText(), /race: the CPU stored while[^]*schedule: [\d x/]+\nviolated\n$/);
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
      'vscode.executeCodeLensProvider',
      address,
    );
    const [lens] = lenses;
    assert.equal(lens?.command?.title, 'Debug this witness');
    const started = new Promise<vscode.DebugSession>((resolve) => {
      const subscription = vscode.debug.onDidStartDebugSession((session) => {
        subscription.dispose();
        resolve(session);
      });
    });
    await vscode.commands.executeCommand(lens.command.command, ...(lens.command.arguments ?? []));
    assert.equal((await started).configuration['scenario'], 'only some orders race');
  });

  test('a scenario without outcomes says what is missing', async () => {
    const document = await vscode.workspace.openTextDocument(file);
    await vscode.window.showTextDocument(document);
    const nothing = await vscode.commands.executeCommand(
      'coherence.outcomes',
      document.uri.toString(),
    );
    assert.equal(nothing, undefined);
  });
});
