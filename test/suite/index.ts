// Runs the suites beside this file inside VS Code's extension host: the desktop's, or the one installed from npm.
// There the result goes through two files named by environment variables, because a crashed extension host
// also looks like success: without a result file nothing has passed.
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as util from 'node:util';
import Mocha from 'mocha';

const out = process.env.VSCODE_TEST_OUT;
const print = out
  ? (...args: unknown[]) => fs.appendFileSync(out, `${util.format(...args)}\n`)
  : console.log;

/** What VS Code calls; it must reject when a test failed, and when none ran. */
export async function run(): Promise<void> {
  try {
    await runAll();
  } catch (error) {
    print(error);
    throw error;
  }
}

async function runAll(): Promise<void> {
  const grep = process.env.TEST_GREP;
  const mocha = new Mocha({ ui: 'tdd', timeout: 30_000, ...(grep ? { grep } : {}) });
  Object.assign(Mocha.reporters.Base, { consoleLog: print });
  for (const file of fs.readdirSync(__dirname).sort()) {
    if (file.endsWith('.test.js')) mocha.addFile(path.join(__dirname, file));
  }
  const stats = await new Promise<Mocha.Stats | undefined>((done) => {
    const runner = mocha.run(() => done(runner.stats));
  });
  if (stats === undefined) throw new Error('mocha kept no statistics');
  if (process.env.VSCODE_TEST_RESULT) {
    fs.writeFileSync(process.env.VSCODE_TEST_RESULT, JSON.stringify(stats));
  }
  if (stats.failures > 0) throw new Error(`${stats.failures} test(s) failed`);
  if (stats.passes === 0) throw new Error('no test ran');
}
