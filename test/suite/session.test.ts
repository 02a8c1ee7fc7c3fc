// The main job inside VS Code: the ring buffer stops at a page fault, is stepped into the driver, and goes back out of
// the store; listings of the kernel are documents in which breakpoints hold.
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { readProgram } from '../../src/extension/debugging';
import { eventually, exampleUri, Run } from './run';

suite('session', () => {
  let run: Run;
  setup(async () => {
    run = await Run.start(exampleUri('01-ring-buffer.coh').fsPath);
  });
  teardown(async () => {
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    await run.end();
  });

  const names = async () => (await run.stack()).map(({ name }) => name.split(':')[0]);

  test('from the page fault into vmw_bo_vm_fault, and back out of the store', async () => {
    await run.filter('fault');
    assert.match(await run.move('continue'), /^Write fault at page 0 of p/);
    await run.filter();

    let stack = await names();
    for (let i = 0; i < 200 && stack[0] !== 'vmw_bo_vm_fault'; i++) {
      await run.move('stepIn');
      stack = await names();
    }
    assert.deepEqual(
      [stack[0], stack.includes('handle_mm_fault'), stack.at(-1)],
      ['vmw_bo_vm_fault', true, 'render on cpu0'],
    );

    for (let i = 0; i < 40 && stack.length > 1; i++) {
      await run.move('coherence/stepBackOut');
      stack = await names();
    }
    const [statement] = await run.stack();
    assert.equal(statement?.line, 25, 'at the write again');
  });

  test('a breakpoint on a function of the kernel stops there, and its listing opens', async () => {
    vscode.debug.addBreakpoints([new vscode.FunctionBreakpoint('vmw_bo_vm_fault')]);
    await run.move('continue');
    const [frame] = await run.stack();
    assert.ok(frame?.source);
    assert.equal(
      frame.source.path,
      'coherence-listing:/drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c',
    );
    const listing = await vscode.workspace.openTextDocument(vscode.Uri.parse(frame.source.path));
    assert.match(listing.getText(), /vmw_bo_vm_fault/);
    assert.match(listing.lineAt(frame.line - 1).text, /vm_private_data/);
  });

  test('a breakpoint in a listing holds', async () => {
    const uri = vscode.Uri.parse('coherence-listing:/drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c');
    const listing = await vscode.workspace.openTextDocument(uri);
    const text = listing.getText().split('\n');
    const line = text.findIndex((l) => l.includes('ttm_bo_vm_reserve'));
    assert.ok(line > 0);
    vscode.debug.addBreakpoints([
      new vscode.SourceBreakpoint(new vscode.Location(uri, new vscode.Position(line, 0))),
    ]);
    await run.move('continue');
    const [frame] = await run.stack();
    assert.deepEqual([frame?.source?.path, frame?.line], [uri.toString(), line + 1]);
  });

  test('a listing is C whatever its name, so that breakpoints can be set in it', async () => {
    const uri = vscode.Uri.parse('coherence-listing:/arch/x86/cpu');
    await vscode.workspace.openTextDocument(uri);
    const language = () =>
      vscode.workspace.textDocuments.find((open) => `${open.uri}` === `${uri}`)?.languageId;
    await eventually(
      () => (language() === 'c' ? true : undefined),
      () => `${language()}`,
    );
  });

  test('after a restart with another variant an open listing shows that one', async () => {
    const uri = vscode.Uri.parse('coherence-listing:/drivers/gpu/drm/vmwgfx/vmwgfx_page_dirty.c');
    const { uri: opened } = await vscode.workspace.openTextDocument(uri);
    const text = () =>
      vscode.workspace.textDocuments.find((open) => `${open.uri}` === `${opened}`)?.getText();
    await eventually(
      () => (/vmw_bo_vm_fault/.test(text() ?? '') ? true : undefined),
      () => `${text()}`,
    );
    const before = text();
    await run.session.customRequest('restart', {
      arguments: {
        program: exampleUri('01-ring-buffer.coh').fsPath,
        with: ['mkwrite-marks-nothing'],
      },
    });
    await eventually(
      () => (text() === before ? undefined : true),
      () => 'the listing is as it was',
    );
  });

  test('a program that is missing, or a folder, is refused in one sentence', async () => {
    const folder = vscode.workspace.workspaceFolders![0]!.uri.fsPath;
    const missing = `${folder}/none.coh`;
    await assert.rejects(readProgram(missing), { message: `${missing}: there is no such file` });
    await assert.rejects(readProgram(folder), {
      message: `${folder}: this is a directory; name a scenario file (.coh) in it`,
    });
  });

  test('a scenario that was never saved is debugged from its editor', async () => {
    await run.end();
    const bytes = await vscode.workspace.fs.readFile(exampleUri('01-ring-buffer.coh'));
    const document = await vscode.workspace.openTextDocument({
      language: 'coherence',
      content: new TextDecoder().decode(bytes),
    });
    run = await Run.start(document.uri.toString());
    assert.equal((await run.stack()).length > 0, true);
  });
});
