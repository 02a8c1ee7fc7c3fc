// A recorded operation opened in the debugger by the command: what differs is offered first, and the run stands there.
import * as assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import * as vscode from 'vscode';
import { readProgram } from '../../src/extension/debugging';
import { exampleUri, once } from './run';

/** Two programs that each map an object; the second is said to have mapped nothing. */
const lines = ['fine', 'wrong'].flatMap((program) => {
  const mapping = {
    ...{ p: 0, m: 0, page: 0, n: 2, va: 0, pp: '-ua---n', pte: {} },
    fl: 'rd wr sh mr mw me ms pf io de dd sd',
  };
  const after = { ret: 0, cb: [], dirty: null, pgdirty: [] };
  return [
    { program, pages: 2, kind: 'pfn', prefault: 1, base: 0 },
    { i: 0, op: 'scan', ...after, ret: -2, vmas: [] },
    { i: 1, op: 'mmap', ...after, vmas: program === 'fine' ? [mapping] : [] },
  ];
});
const text = lines.map((line) => JSON.stringify(line)).join('\n');

suite('recording', () => {
  const uri = exampleUri('two.jsonl.gz');
  suiteSetup(() => vscode.workspace.fs.writeFile(uri, gzipSync(text)));
  suiteTeardown(() => vscode.workspace.fs.delete(uri));

  test('the first that is offered is the operation that differs, and the run stands before it', async () => {
    const started = once(vscode.debug.onDidStartDebugSession);
    const stopped = once(
      vscode.debug.onDidChangeActiveStackItem,
      (item) => item instanceof vscode.DebugStackFrame,
    );
    let over = false;
    const command = vscode.commands
      .executeCommand('coherence.debugRecorded', uri)
      .then(() => (over = true));
    while (!over) {
      await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await command;
    const session = await started;
    const { recorded, operation } = session.configuration;
    assert.deepEqual([recorded, operation], ['wrong', 1]);
    await stopped;
    const { stackFrames } = await session.customRequest('stackTrace', { threadId: 1 });
    assert.equal(stackFrames[0].source.path, 'coherence-listing:/recorded/wrong.c');
    const listing = await vscode.workspace.openTextDocument(
      vscode.Uri.parse(stackFrames[0].source.path),
    );
    assert.match(listing.lineAt(stackFrames[0].line - 1).text, /p0: mmap\(m0 at 0, pages 0 \.\. 2/);
    const end = once(vscode.debug.onDidTerminateDebugSession);
    await vscode.debug.stopDebugging(session);
    await end;
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  test('a recording is unpacked; one that is damaged is refused in one sentence', async () => {
    assert.equal(await readProgram(uri.fsPath), text);
    const damaged = exampleUri('damaged.jsonl.gz');
    const packed = gzipSync(text);
    await vscode.workspace.fs.writeFile(damaged, packed.subarray(0, packed.length / 2));
    await assert.rejects(readProgram(damaged.fsPath), {
      message: `${damaged.fsPath}: it is compressed, but cannot be unpacked`,
    });
    await vscode.workspace.fs.delete(damaged);
  });
});
