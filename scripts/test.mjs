// `npm test`: types, lint, unit tests, build, the suite inside VS Code, the walks through its workbench; every stage
// runs, whatever failed before it, and the last line sums them up. Arguments name the stages to run instead of all.
// A stage that ran no test has failed.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { installHost, root } from '../test/host/host.mjs';

const results = path.join(root, '.vscode-test/results');
fs.rmSync(results, { recursive: true, force: true });
fs.mkdirSync(results, { recursive: true });

const bin = (name) => path.join(root, 'node_modules', name);
function node(args, env = {}) {
  return spawnSync(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  }).status;
}
const readJson = (file) => {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined; // the runner did not get as far as writing it
  }
};

/** A stage that is one check: it holds or it does not. */
const check = (status) => ({ passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 });

/** A stage with a report of its own. No report, no test, or a bad exit without a failed test: one failure more. */
const report = (status, { passed = 0, failed = 0, also = [] } = {}) => ({
  passed,
  failed: failed + (failed === 0 && (status !== 0 || passed === 0) ? 1 : 0),
  also,
});

/** How many recorded operations the tests of a run compared with the emulation: their meta says so. */
function conform({ testResults }) {
  const counts = testResults.flatMap(({ assertionResults }) =>
    assertionResults.flatMap(({ meta }) => meta?.operations ?? []),
  );
  if (counts.length === 0) return [];
  const sum = (key) => counts.reduce((n, count) => n + count[key], 0).toLocaleString('en');
  return [`conform: ${sum('compared')} operations compared, ${sum('differ')} differ`];
}

function vitest(name, config) {
  const file = path.join(results, `${name}.json`);
  const status = node(
    // biome-ignore format: one command line
    [bin('vitest/vitest.mjs'), 'run', '--config', config, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
  );
  const json = readJson(file);
  return report(
    status,
    json && {
      passed: json.numPassedTests,
      failed: json.numFailedTests,
      also: conform(json),
    },
  );
}

function host() {
  const file = path.join(results, 'host.json');
  const status = node(['test/runTest.mjs'], { VSCODE_TEST_SUMMARY: file });
  const json = readJson(file);
  return report(status, json && { passed: json.passes, failed: json.failures });
}

function ui() {
  try {
    installHost();
  } catch (error) {
    console.error(error.message);
    return report(1);
  }
  return vitest('ui', 'vitest.ui.config.mts');
}

const stages = {
  types: () =>
    check(
      node([bin('typescript/bin/tsc'), '-p', 'tsconfig.json']) ||
        node([bin('typescript/bin/tsc'), '-p', 'tsconfig.pure.json']),
    ),
  lint: () => check(node([bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings'])),
  build: () => check(node(['build.mjs'])),
  unit: () => vitest('unit', 'vitest.config.mts'),
  host,
  ui,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in stages));
if (unknown.length > 0) {
  console.error(`No stage ${unknown.join(', ')}; there are ${Object.keys(stages).join(', ')}.`);
  process.exit(2);
}
// What runs inside VS Code runs from dist/.
const chosen =
  asked.length === 0 ? Object.keys(stages) : ['build', ...asked.filter((name) => name !== 'build')];

const lines = [];
let [passed, failed] = [0, 0];
for (const name of chosen) {
  console.log(`\n== ${name}`);
  const start = performance.now();
  const result = stages[name]();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  lines.push(
    `${name}: ${result.passed} passed, ${result.failed} failed, ${seconds} s`,
    ...(result.also ?? []),
  );
  passed += result.passed;
  failed += result.failed;
}
console.log(`\n${lines.join('\n')}\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
