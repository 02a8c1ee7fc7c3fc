// Bundles everything that runs into dist/, one esbuild call per runtime. `--watch` rebuilds on change.
import { readdirSync, rmSync } from 'node:fs';
import * as esbuild from 'esbuild';

/** Webview scripts: src/webview/NAME.ts becomes dist/webview/NAME.js; its style is media/NAME.css. */
const webviews = ['pteGrid'];

const suites = readdirSync('test/suite').filter((name) => name.endsWith('.ts'));

const common = {
  bundle: true,
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  target: 'es2022',
};
const node = { ...common, platform: 'node', format: 'cjs', target: 'node20' };
const browser = { ...common, platform: 'browser', mainFields: ['browser', 'module', 'main'] };

/**
 * @vscode/debugadapter names Node modules at its top even where it only passes objects on. In a browser
 * `events` is the package of that name; the others are never called there (no sockets, files or log).
 */
const withoutNode = {
  name: 'without-node',
  setup(build) {
    build.onResolve({ filter: /^(net|fs|path|url)$/ }, ({ path }) => ({
      path,
      namespace: 'absent',
    }));
    build.onLoad({ filter: /.*/, namespace: 'absent' }, ({ path }) => ({
      contents: path === 'url' ? 'module.exports = { URL };' : 'module.exports = {};',
    }));
  },
};

const bundles = [
  {
    ...node,
    entryPoints: { extension: 'src/extension/extension.ts' },
    outdir: 'dist',
    external: ['vscode'],
  },
  {
    ...browser,
    entryPoints: { 'extension-web': 'src/extension/extension.web.ts' },
    outdir: 'dist',
    format: 'cjs',
    external: ['vscode'],
    plugins: [withoutNode],
  },
  { ...node, entryPoints: { server: 'src/language/server.ts' }, outdir: 'dist' },
  {
    ...browser,
    entryPoints: { 'server-web': 'src/language/server.web.ts' },
    outdir: 'dist',
    format: 'iife',
  },
  {
    ...node,
    entryPoints: { cli: 'src/cli/main.ts' },
    outdir: 'dist',
    banner: { js: '#!/usr/bin/env node' },
  },
  {
    ...browser,
    entryPoints: Object.fromEntries(webviews.map((name) => [name, `src/webview/${name}.ts`])),
    outdir: 'dist/webview',
    format: 'iife',
  },
  {
    // The suites that run inside VS Code; mocha stays a package, as it finds its own files by path.
    ...node,
    entryPoints: suites.map((name) => `test/suite/${name}`),
    outdir: 'dist/test',
    external: ['vscode', 'mocha'],
  },
];

rmSync('dist', { recursive: true, force: true });
if (process.argv.includes('--watch')) {
  const contexts = await Promise.all(bundles.map((bundle) => esbuild.context(bundle)));
  // Whoever waits for the line below finds everything built; a mistake has been printed and waits for its mending.
  await Promise.allSettled(contexts.map((context) => context.rebuild()));
  await Promise.all(contexts.map((context) => context.watch()));
  console.log('watching');
} else {
  await Promise.all(bundles.map((bundle) => esbuild.build(bundle)));
}
