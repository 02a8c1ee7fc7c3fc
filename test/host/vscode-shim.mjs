#!/usr/bin/env node
// Answers to desktop VS Code's command line, as far as @vscode/test-electron uses it, with the npm-installed
// host: runs the suite named by --extensionTestsPath and exits 0 only when it reported passing tests.
import fs from 'node:fs';
import path from 'node:path';
import util from 'node:util';
import { freshFolder, launchBrowser, remoteUri, startServer, workbenchUrl } from './host.mjs';

const TAKES_VALUE =
  /^(extensionDevelopmentPath|extensionTestsPath|user-data-dir|extensions-dir|folder-uri|log|locale|profile)$/;
const limitSeconds = Number(process.env.VSCODE_TEST_LIMIT ?? 300);

/** The flags that have a meaning here; the others are for the desktop's window and sandbox. */
function parse(argv) {
  const args = { dev: [], payload: [] };
  for (let i = 0; i < argv.length; i++) {
    const flag = /^--?([^=]+)(?:=(.*))?$/s.exec(argv[i]);
    if (flag === null) {
      args.folder = argv[i];
      continue;
    }
    const name = flag[1];
    let value = flag[2];
    if (value === undefined && TAKES_VALUE.test(name) && !argv[i + 1]?.startsWith('-'))
      value = argv[++i];
    if (name === 'extensionDevelopmentPath') args.dev.push(value);
    else if (name === 'extensionTestsPath') args.tests = value;
    else if (name === 'user-data-dir') args.userDataDir = path.resolve(value);
    else if (name === 'extensions-dir') args.extensionsDir = path.resolve(value);
    else if (name === 'folder-uri') args.folder = decodeURIComponent(new URL(value).pathname);
    else if (name === 'disable-extensions') args.payload.push(['disableExtensions', 'true']);
    else if (name === 'skip-welcome') args.payload.push(['skipWelcome', 'true']);
  }
  return args;
}

const args = parse(process.argv.slice(2));
const folder = freshFolder();
const outFile = path.join(folder, 'out.txt');
const resultFile = path.join(folder, 'result.json');
fs.writeFileSync(outFile, '');

const say = (text) => process.stdout.write(`${text}\n`);
let copied = 0;
const copyOutput = () => {
  const text = fs.readFileSync(outFile);
  process.stdout.write(text.subarray(copied));
  copied = text.length;
};

let server;
let browser;
let page;
let finishing = false;
/** Tells all that is known, ends browser and server, and exits. */
async function finish(code) {
  if (finishing) return;
  finishing = true;
  copyOutput();
  if (code !== 0 && process.env.VSCODE_TEST_SCREENSHOT) {
    await page?.screenshot({ path: process.env.VSCODE_TEST_SCREENSHOT }).catch(() => {});
  }
  const result = readResult();
  if (result !== undefined && process.env.VSCODE_TEST_SUMMARY) {
    fs.copyFileSync(resultFile, process.env.VSCODE_TEST_SUMMARY);
  }
  await browser?.close().catch(() => {});
  server?.stop();
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit(code);
}

function readResult() {
  try {
    return JSON.parse(fs.readFileSync(resultFile, 'utf8'));
  } catch {
    return undefined; // the extension host crashed, or the suite did not load
  }
}

const errors = [];
/** The suite's run() ended. A crashed extension host also comes here, with code 0: only the file counts. */
function suiteEnded(code) {
  const result = readResult();
  if (result === undefined) {
    for (const error of errors.slice(-6)) say(error.slice(0, 400));
    const crash = /Extension Host Process exited with .*/.exec(server.output())?.[0];
    say(`the suite reported no result (${crash ?? `exit ${code}`})`);
  }
  void finish(code === 0 && result?.failures === 0 && result.passes > 0 ? 0 : 1);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void finish(130));
setTimeout(() => {
  say(
    `no result within ${limitSeconds} s; the server's last words:\n${server?.output().slice(-2000)}`,
  );
  void finish(124);
}, limitSeconds * 1000);
setInterval(copyOutput, 100);

try {
  server = await startServer({
    folder,
    userDataDir: args.userDataDir,
    extensionsDir: args.extensionsDir,
    driver: true,
    env: { VSCODE_TEST_OUT: outFile, VSCODE_TEST_RESULT: resultFile },
  });
  void server.exited.then(() => {
    say('the VS Code server ended early');
    void finish(1);
  });
  browser = await launchBrowser();
  page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.on('crash', () => {
    say('the browser page crashed');
    void finish(1);
  });
  await page.exposeFunction('codeAutomationLog', (type, parts) => {
    const text = util.format(...parts);
    if (process.env.VSCODE_TEST_VERBOSE) say(`[${type}] ${text}`);
    else if (type === 'error') errors.push(text);
  });
  await page.exposeFunction('codeAutomationExit', suiteEnded);
  const payload = [
    ...args.payload,
    ...args.dev.map((dev) => ['extensionDevelopmentPath', remoteUri(server.url, dev)]),
    ...(args.tests ? [['extensionTestsPath', remoteUri(server.url, args.tests)]] : []),
  ];
  await page.goto(workbenchUrl(server.url, args.folder, payload), {
    waitUntil: 'domcontentloaded',
    timeout: 60_000,
  });
} catch (error) {
  say(util.format(error));
  void finish(1);
}
