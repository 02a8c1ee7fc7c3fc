// `npm start [-- [--browser] [--no-open] [FOLDER]]`: builds, then opens VS Code on FOLDER (the examples) with the
// extension loaded. Desktop VS Code where `code` is on PATH; else, or with --browser, the npm-installed host on
// 127.0.0.1, whose address is printed and opened in the browser where there is one. Ctrl-C ends it.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  freshFolder,
  installHost,
  onPath,
  root,
  startServer,
  workbenchUrl,
} from '../test/host/host.mjs';

let options;
let positionals;
try {
  ({ values: options, positionals } = parseArgs({
    options: { browser: { type: 'boolean' }, 'no-open': { type: 'boolean' } },
    allowPositionals: true,
  }));
} catch (error) {
  console.error(error.message);
  process.exit(2);
}
const folder = path.resolve(positionals[0] ?? path.join(root, 'examples'));
if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
  console.error(`${folder} is not a folder`);
  process.exit(2);
}

const build = spawnSync(process.execPath, ['build.mjs'], { cwd: root, stdio: 'inherit' });
if (build.status !== 0) process.exit(1);

const code = options.browser ? undefined : onPath('code');
if (code !== undefined) {
  console.log(`Opening ${folder} in VS Code (${code})`);
  const { status } = spawnSync(code, [`--extensionDevelopmentPath=${root}`, folder], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  process.exit(status ?? 1);
}

try {
  installHost();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

const run = freshFolder();
let server;
const end = (status) => {
  server?.stop();
  fs.rmSync(run, { recursive: true, force: true, maxRetries: 5 });
  process.exit(status);
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(0));

try {
  // Installed, not under development: only then does the host show notifications.
  const { publisher, name, version } = JSON.parse(
    fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
  );
  const extensionsDir = path.join(run, 'extensions');
  fs.mkdirSync(extensionsDir);
  fs.symlinkSync(root, path.join(extensionsDir, `${publisher}.${name}-${version}`));
  server = await startServer({ folder: run, extensionsDir });
} catch (error) {
  console.error(error.message);
  end(1);
}
const address = workbenchUrl(server.url, folder);
console.log(`VS Code with the Coherence Debugger: ${address}\nCtrl-C ends it.`);
const opener = process.env.BROWSER ?? onPath('xdg-open');
if (!options['no-open'] && opener && (process.env.DISPLAY || process.env.WAYLAND_DISPLAY)) {
  spawn(opener, [address], { stdio: 'ignore', detached: true })
    .on('error', (error) => console.log(`Open it in a browser yourself (${error.message}).`))
    .unref();
}
await server.exited;
console.error(`The VS Code server ended by itself:\n${server.output().slice(-2000)}`);
end(1);
