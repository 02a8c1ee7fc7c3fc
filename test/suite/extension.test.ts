// The extension as VS Code sees it: found, activated by its language, contributing what package.json says.
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';

suite('extension', () => {
  test('is activated by opening a scenario', async () => {
    const document = await vscode.workspace.openTextDocument({ language: 'coherence' });
    assert.equal(document.languageId, 'coherence');
    const extension = vscode.extensions.getExtension('coherence-debugger.coherence-debugger');
    assert.ok(extension, 'the extension is installed');
    await extension.activate();
    assert.ok(extension.isActive);
  });

  test('a .coh file is a scenario', async () => {
    const folder = vscode.workspace.workspaceFolders?.[0];
    assert.ok(folder, 'a folder is open');
    const uri = vscode.Uri.joinPath(folder.uri, 'empty.coh');
    await vscode.workspace.fs.writeFile(uri, new Uint8Array());
    const document = await vscode.workspace.openTextDocument(uri);
    assert.equal(document.languageId, 'coherence');
    await vscode.workspace.fs.delete(uri);
  });
});
