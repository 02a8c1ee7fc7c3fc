// Editing a scenario in VS Code: what the language server says while one types.
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';

const mistaken =
  'scenario "x"\nsurface ring: buffer 4KiB coherent\nprocess app {\n  let p = map rng\n}\n';

async function open(content: string): Promise<vscode.TextEditor> {
  const document = await vscode.workspace.openTextDocument({ language: 'coherence', content });
  return vscode.window.showTextDocument(document);
}

/** The messages on a document, once they are `wanted` many. */
async function messages(document: vscode.TextDocument, wanted: number): Promise<string[]> {
  const now = () => vscode.languages.getDiagnostics(document.uri).map(({ message }) => message);
  for (let i = 0; i < 200 && now().length !== wanted; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return now();
}

suite('editing', () => {
  teardown(async () => {
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  });

  test('a mistake is marked while typing, and the mark goes with the mistake', async () => {
    const editor = await open(mistaken);
    assert.deepEqual(await messages(editor.document, 1), [
      'nothing is named `rng`; did you mean `ring`?',
    ]);
    const at = editor.document.getText().indexOf('rng');
    await editor.edit((edit) => edit.insert(editor.document.positionAt(at + 1), 'i'));
    assert.deepEqual(await messages(editor.document, 0), []);
  });

  test('a document is brought into the canonical form', async () => {
    const editor = await open('scenario   "x"\nprocess app {\n      let a=1\n}\n');
    await messages(editor.document, 0);
    await vscode.commands.executeCommand('editor.action.formatDocument');
    assert.equal(editor.document.getText(), 'scenario "x"\nprocess app {\n  let a = 1\n}\n');
  });

  test('completion offers what can stand there', async () => {
    const editor = await open('scenario "x"\nprocess app {\n  \n}\n');
    const list = await vscode.commands.executeCommand<vscode.CompletionList>(
      'vscode.executeCompletionItemProvider',
      editor.document.uri,
      new vscode.Position(2, 2),
    );
    const labels = list.items.map(({ label }) => (typeof label === 'string' ? label : label.label));
    for (const wanted of ['write', 'submit', 'thread']) assert.ok(labels.includes(wanted), wanted);
  });
});
