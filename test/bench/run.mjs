// Runs every *.bench.ts of this folder, each bundled and in a process of its own: `npm run bench [NAME…]`.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const folder = fileURLToPath(new URL('.', import.meta.url));
const out = fileURLToPath(new URL('../../dist/bench/', import.meta.url));
const wanted = process.argv.slice(2);

const names = readdirSync(folder)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.slice(0, -'.bench.ts'.length))
  .filter((name) => wanted.length === 0 || wanted.includes(name));

for (const name of names) {
  await esbuild.build({
    entryPoints: { [name]: `${folder}${name}.bench.ts` },
    outdir: out,
    bundle: true,
    platform: 'node',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    packages: 'external',
    target: 'node20',
    minifySyntax: true,
    logLevel: 'warning',
  });
  const { status } = spawnSync(process.execPath, [`${out}${name}.mjs`], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
