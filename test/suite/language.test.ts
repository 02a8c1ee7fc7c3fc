// Editing a scenario in VS Code: what the language server says while one types.
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { exampleUri, once, Run } from './run';

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

  test('a scenario is typed with the help of completion only, and holds', async () => {
    const editor = await open('');
    await choose(editor, 'scenario');
    await newLine(editor);
    await choose(editor, 'surface');
    await newLine(editor);
    await choose(editor, 'process');
    await choose(editor, 'map');
    await newLine(editor);
    await choose(editor, 'thread');
    await choose(editor, 'write');
    await newLine(editor);
    await choose(editor, 'submit');
    await newLine(editor);
    await choose(editor, 'wait');
    await choose(editor, 'done');
    assert.equal(
      editor.document.getText(),
      [
        'scenario "what it shows"',
        'surface ring: buffer 96KiB coherent',
        'process app {',
        '  let p = map ring',
        '  thread render on cpu0 {',
        '    write p[0 .. 4KiB] = 7',
        '    submit { draw reads ring[0 .. 4KiB] } as done',
        '    wait done',
        '  }',
        '}',
      ].join('\n'),
    );
    assert.deepEqual(await messages(editor.document, 0), []);
  });

  test('each scenario has its lenses, and Run runs it to the end without a stop', async () => {
    const document = await vscode.workspace.openTextDocument(exampleUri('01-ring-buffer.coh'));
    await vscode.window.showTextDocument(document);
    const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
      'vscode.executeCodeLensProvider',
      document.uri,
    );
    const all = await vscode.commands.getCommands(true);
    const wanted = ['run', 'debug', 'explore', 'outcomes'].filter((name) =>
      all.includes(`coherence.${name}`),
    );
    assert.deepEqual(
      lenses.map(({ command }) => command?.command),
      wanted.map((name) => `coherence.${name}`),
    );
    const run = lenses[0]!.command!;
    const ended = once(vscode.debug.onDidTerminateDebugSession);
    await vscode.commands.executeCommand(run.command, ...run.arguments!);
    const session = await ended;
    assert.equal(session.configuration.noDebug, true);
    assert.equal(session.configuration.scenario, 'three-section ring buffer, persistent coherent');
  });

  test('a name is changed in all its places, or the reason why not is shown', async () => {
    const editor = await open(mistaken.replace('rng', 'ring'));
    await messages(editor.document, 0);
    const { uri } = editor.document;
    const at = editor.document.positionAt(editor.document.getText().indexOf('ring:'));
    const rename = (name: string) =>
      vscode.commands.executeCommand<vscode.WorkspaceEdit>(
        'vscode.executeDocumentRenameProvider',
        uri,
        at,
        name,
      );
    assert.ok(await vscode.workspace.applyEdit(await rename('backing')));
    assert.equal(
      editor.document.getText(),
      mistaken.replace('rng', 'ring').replaceAll('ring', 'backing'),
    );
    await assert.rejects(async () => rename('repeat'), /a word of the language/);
  });

  test('the fix of a message is offered', async () => {
    const editor = await open(mistaken);
    await messages(editor.document, 1);
    const [diagnostic] = vscode.languages.getDiagnostics(editor.document.uri);
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      'vscode.executeCodeActionProvider',
      editor.document.uri,
      diagnostic!.range,
    );
    const fix = actions.find(({ title }) => title === 'Change to `ring`');
    assert.ok(fix?.edit);
    await vscode.workspace.applyEdit(fix.edit);
    assert.deepEqual(await messages(editor.document, 0), []);
  });

  test('what a run came to can be made what is expected', async () => {
    const editor = await open(
      'scenario "x"\nsurface ring: buffer 4KiB coherent\nprocess app {\n  let p = map ring\n  write p\n}\nfinally faults.write == 7\n',
    );
    await messages(editor.document, 0);
    const { uri } = editor.document;
    const ended = once(vscode.debug.onDidTerminateDebugSession);
    await vscode.commands.executeCommand('coherence.run', uri.toString(), 'x');
    await ended;
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      'vscode.executeCodeActionProvider',
      uri,
      new vscode.Range(6, 0, 6, 0),
    );
    const change = actions.find(({ title }) => title.startsWith('Expect'));
    assert.ok(change?.edit);
    await vscode.workspace.applyEdit(change.edit);
    assert.equal(editor.document.lineAt(6).text, 'finally faults.write == 1');
  });

  test('pages are hinted at, unless a setting says no', async () => {
    const editor = await open(mistaken);
    await messages(editor.document, 1);
    const all = new vscode.Range(0, 0, 9, 0);
    const hints = async () => {
      const found = await vscode.commands.executeCommand<vscode.InlayHint[]>(
        'vscode.executeInlayHintProvider',
        editor.document.uri,
        all,
      );
      return found.map(({ label }) => label);
    };
    const settings = vscode.workspace.getConfiguration('coherence');
    try {
      assert.deepEqual(await hints(), ['1 page']);
      await settings.update('inlayHints', false, vscode.ConfigurationTarget.Global);
      assert.deepEqual(await hints(), []);
    } finally {
      await settings.update('inlayHints', undefined, vscode.ConfigurationTarget.Global);
    }
  });

  test('while a run stands in a scenario, values are shown behind its lines', async () => {
    const uri = exampleUri('01-ring-buffer.coh');
    const run = await Run.start(uri.fsPath);
    try {
      await run.filter('fault');
      await run.move('continue');
      const frame = (await run.stack()).at(-1)!;
      const stopped = new vscode.Range(frame.line - 1, 0, frame.line - 1, 0);
      const values = await vscode.commands.executeCommand<
        vscode.InlineValueEvaluatableExpression[]
      >('vscode.executeInlineValueProvider', uri, new vscode.Range(0, 0, 99, 0), {
        frameId: frame.id,
        stoppedLocation: stopped,
      });
      const here = values.filter(({ range }) => range.start.line === frame.line - 1);
      assert.deepEqual(
        here.map(({ expression }) => expression),
        ['pte(p[0])', 'pte(p[section])', 'section', 'frame'],
      );
      const { result } = await run.session.customRequest('evaluate', {
        expression: 'section',
        frameId: frame.id,
      });
      assert.equal(result, '0');
    } finally {
      await run.end();
    }
  });

  test('a new scenario begins as one that holds', async () => {
    await vscode.commands.executeCommand('coherence.newScenario');
    const { document } = vscode.window.activeTextEditor!;
    assert.equal(document.languageId, 'coherence');
    assert.match(document.getText(), /^scenario "what it shows"/);
    assert.deepEqual(await messages(document, 0), []);
  });
});

/** Accepts what completion offers under a name where the cursor stands; a selected placeholder is typed over. */
async function choose(editor: vscode.TextEditor, wanted: string): Promise<void> {
  const { document } = editor;
  if (!editor.selection.isEmpty) await editor.edit((edit) => edit.delete(editor.selection));
  const list = await vscode.commands.executeCommand<vscode.CompletionList>(
    'vscode.executeCompletionItemProvider',
    document.uri,
    editor.selection.active,
  );
  const item = list.items.find(({ label }) => label === wanted);
  assert.ok(item, `${wanted} is offered in:\n${document.getText()}`);
  const { insertText, range } = item;
  const place = range instanceof vscode.Range ? range : range?.replacing;
  const text = typeof insertText === 'string' ? insertText : insertText?.value;
  await editor.insertSnippet(new vscode.SnippetString(text ?? wanted), place ?? editor.selection);
  // A block is gone into; the places of a line are left as they are offered, but for the last.
  const last = text === undefined || text.includes('\n') || wanted === 'wait';
  if (!last) await vscode.commands.executeCommand('leaveSnippet');
  else if (text?.includes('\n')) await intoBlock(editor, place?.start.line ?? 0);
}

/** The cursor goes to the empty line of the block that was opened on a line. */
async function intoBlock(editor: vscode.TextEditor, line: number): Promise<void> {
  await vscode.commands.executeCommand('leaveSnippet');
  const { range } = editor.document.lineAt(line + 1);
  editor.selection = new vscode.Selection(range.end, range.end);
}

async function newLine(editor: vscode.TextEditor): Promise<void> {
  await vscode.commands.executeCommand('editor.action.insertLineAfter');
  assert.ok(editor.selection.isEmpty);
}
