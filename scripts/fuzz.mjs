// `npm run fuzz [BLOCK…]`: everything an editor asks, of 100,000 texts made at random from fixed seeds, a tenth in each
// block; `npm test` looks at the first thousand of each. Ends with a text made small when something is wrong.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const outfile = path.join(root, 'dist/fuzz/fuzz.js');
await esbuild.build({
  stdin: {
    contents: `
      import { blockSize, fuzz, textsInAll } from './test/language/fuzzing';
      const all = Array.from({ length: textsInAll / blockSize }, (_, block) => block);
      const wanted = process.argv.slice(2).map(Number);
      for (const block of wanted.length === 0 ? all : wanted) {
        const start = performance.now();
        fuzz(block, blockSize);
        const seconds = ((performance.now() - start) / 1000).toFixed(1);
        console.log(\`block \${block}: \${blockSize} texts, nothing wrong, \${seconds} s\`);
      }`,
    resolveDir: root,
    loader: 'ts',
  },
  outfile,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'warning',
});
const { status } = spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
