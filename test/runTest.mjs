// Runs dist/test (test/suite) inside a real VS Code through @vscode/test-electron: the desktop's own build where
// it can be downloaded and shown, else the npm-installed host. Which one is said in a line; neither is a failure.
// VSCODE_EXECUTABLE names another one to use.
import fs from 'node:fs';
import path from 'node:path';
import { downloadAndUnzipVSCode, runTests } from '@vscode/test-electron';
import { freshFolder, installHost, root } from './host/host.mjs';

const shim = path.join(root, 'test/host/vscode-shim.mjs');

async function chooseVSCode() {
  if (process.env.VSCODE_EXECUTABLE) return path.resolve(process.env.VSCODE_EXECUTABLE);
  const display = process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  if (process.platform !== 'linux' || display) {
    try {
      return await downloadAndUnzipVSCode('stable');
    } catch (error) {
      console.log(`Desktop VS Code cannot be downloaded here (${error.message}).`);
    }
  } else {
    console.log('No display here for desktop VS Code.');
  }
  console.log('The suite runs in the npm-installed VS Code host.');
  installHost();
  return shim;
}

const run = freshFolder();
try {
  const workspace = path.join(run, 'workspace');
  fs.cpSync(path.join(root, 'examples'), workspace, { recursive: true });
  const vscodeExecutablePath = await chooseVSCode();
  const onDesktop = vscodeExecutablePath !== shim;
  await runTests({
    vscodeExecutablePath,
    extensionDevelopmentPath: root,
    extensionTestsPath: path.join(root, 'dist/test/index'),
    launchArgs: [
      workspace,
      '--disable-extensions',
      `--user-data-dir=${path.join(run, 'user-data')}`,
    ],
    extensionTestsEnv: onDesktop ? { VSCODE_TEST_RESULT: process.env.VSCODE_TEST_SUMMARY } : {},
  });
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  fs.rmSync(run, { recursive: true, force: true, maxRetries: 5 });
}
