// Holds the code to ARCHITECTURE.md: its table of layers is read here and compared with every import, and the
// pure layers are searched for what they may not reach. Beside it the small rules that no linter knows.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

interface Layer {
  readonly name: string;
  readonly mayImport: ReadonlySet<string>;
  readonly pure: boolean;
  readonly impureFiles: readonly string[];
}

interface Source {
  readonly path: string;
  readonly text: string;
}

describe('tidy', () => {
  const layers = readLayers(readFileSync('ARCHITECTURE.md', 'utf8'));
  const tracked = execFileSync('git', [
    'ls-files',
    '-z',
    '--cached',
    '--others',
    '--exclude-standard',
  ])
    .toString()
    .split('\0')
    .filter((file) => file !== '' && existsSync(file));
  const sources = tracked
    .filter((file) => /^src\/.*\.ts$/.test(file))
    .map((file) => ({ path: file, text: readFileSync(file, 'utf8') }));

  test('every import goes to a layer that the table of ARCHITECTURE.md allows', () => {
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.flatMap((source) => badImports(source, layers))).toEqual([]);
  });

  test('the pure layers reach no Node, VS Code, clock, timer or randomness', () => {
    expect(sources.flatMap((source) => impurities(source, layers))).toEqual([]);
  });

  test('every source file begins with a comment that says what it is', () => {
    const without = sources.filter(({ text }) => !/^\/[/*]/.test(text));
    expect(without.map((source) => source.path)).toEqual([]);
  });

  test('no tracked file names a path or a registry of one machine', () => {
    const found = tracked.filter((file) =>
      /\.([cm]?[jt]s|jsonc?|md|sh|coh|ya?ml|css)$|^\./.test(file),
    );
    expect(
      found.flatMap((file) => machinePaths({ path: file, text: readFileSync(file, 'utf8') })),
    ).toEqual([]);
  });

  test('the lock file names no registry', () => {
    expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/"resolved":/);
  });

  test('tsconfig.pure.json holds exactly the pure layers of the table', () => {
    const config = JSON.parse(
      readFileSync('tsconfig.pure.json', 'utf8').replace(/^\s*\/\/.*$/gm, ''),
    );
    const pure = [...layers.values()].filter((layer) => layer.pure);
    expect(config.include).toEqual(pure.map((layer) => `src/${layer.name}`));
    expect(config.exclude).toEqual(
      pure.flatMap((layer) => layer.impureFiles.map((file) => `src/${layer.name}/${file}`)),
    );
  });

  test('every folder of src/ is in the table', () => {
    const folders = readdirSync('src', { withFileTypes: true });
    expect(folders.map((entry) => entry.name).filter((name) => !layers.has(name))).toEqual([]);
  });

  test('process, console, document and setTimeout are compile errors in the pure layers', () => {
    const text =
      'process.exit();\nconsole.log();\ndocument.title;\nsetTimeout(() => {});\nexport {};\n';
    expect(compileAsPure(text)).toEqual(['process', 'console', 'document', 'setTimeout']);
    expect(compileAsPure('export const sum = Math.max(1, 2);\n')).toEqual([]);
  });
});

describe('tidy fires', () => {
  const layers = readLayers(`
| folder | purpose | may import | pure |
| --- | --- | --- | --- |
| \`base\` | | nothing | yes |
| \`kernel\` | | those above | yes |
| \`contract\` | | \`base\` | yes |
| \`debug\` | | those above | save \`adapter.ts\` |
| \`extension\` | | those above, not \`contract\` | no |
`);
  const at = (file: string, text: string): Source => ({ path: file, text });

  test('on an import upwards, sideways around the table, or out of src', () => {
    const bad = [
      at('src/base/a.ts', "import { x } from '../kernel/x';"),
      at('src/kernel/mm/a.ts', "import type { X } from '../../debug/x';"),
      at('src/contract/a.ts', "export * from '../kernel/x';"),
      at('src/contract/b.ts', "const x = await import('../kernel/x');"),
      at('src/extension/a.ts', "import {\n  x,\n} from '../contract/x';"),
      at('src/kernel/b.ts', "import '../../test/x';"),
    ];
    expect(bad.flatMap((source) => badImports(source, layers))).toEqual([
      'src/base/a.ts imports kernel',
      'src/kernel/mm/a.ts imports debug',
      'src/contract/a.ts imports kernel',
      'src/contract/b.ts imports kernel',
      'src/extension/a.ts imports contract',
      'src/kernel/b.ts imports ../../test/x, outside src',
    ]);
    expect(badImports(at('src/kernel/c.ts', "import { x } from '../base/x';"), layers)).toEqual([]);
  });

  test('on what a pure layer may not reach, and only there', () => {
    const text = [
      "import fs from 'node:fs';",
      "import * as vscode from 'vscode';",
      'const t = Date.now() + performance.now() + Math.random();',
      'setTimeout(f);',
    ].join('\n');
    const found = ["'node:fs'", "'vscode'", 'setTimeout', 'performance', 'Date', 'Math.random'];
    expect(impurities(at('src/debug/a.ts', text), layers)).toEqual(
      found.map((what) => `src/debug/a.ts reaches ${what}`),
    );
    expect(impurities(at('src/debug/adapter.ts', text), layers)).toEqual([]);
    expect(impurities(at('src/extension/a.ts', text), layers)).toEqual([]);
    expect(impurities(at('src/base/a.ts', '// Date, in words\n/* setTimeout */'), layers)).toEqual(
      [],
    );
  });

  test('on a path of one machine', () => {
    const home = ['', 'home', 'me', 'project'].join('/');
    expect(machinePaths(at('README.md', `see ${home}`))).toEqual([
      `README.md:1 ${home.slice(0, 8)}`,
    ]);
    expect(machinePaths(at('README.md', 'the files of src/work/ and ./root/x'))).toEqual([]);
  });
});

/** The rows of the table whose first cell is a folder in backticks. "those above" are the rows before it. */
function readLayers(markdown: string): Map<string, Layer> {
  const layers = new Map<string, Layer>();
  for (const line of markdown.split('\n')) {
    const [folder, , mayImport, pure] = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (folder === undefined || mayImport === undefined || pure === undefined) continue;
    const name = /^`([a-z]+)`$/.exec(folder)?.[1];
    if (name === undefined) continue;
    const [allowed = '', denied = ''] = mayImport.split(' not ');
    const names = new Set(allowed.includes('those above') ? layers.keys() : quoted(allowed));
    for (const other of quoted(denied)) names.delete(other);
    layers.set(name, {
      name,
      mayImport: names.add(name),
      pure: pure !== 'no',
      impureFiles: quoted(pure),
    });
  }
  return layers;
}

const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? '');

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');

/** What a source imports: import and export declarations, type-only ones too, and dynamic imports. */
function imports({ text }: Source): string[] {
  const pattern =
    /(?:^\s*(?:import|export)\b[^;'"]*?\bfrom\s*|^\s*import\s*|\bimport\()['"]([^'"]+)['"]/gm;
  return [...withoutComments(text).matchAll(pattern)].map((match) => match[1] ?? '');
}

const layerOf = (file: string): string => file.split('/')[1] ?? '';

function badImports(source: Source, layers: ReadonlyMap<string, Layer>): string[] {
  const layer = layers.get(layerOf(source.path));
  if (layer === undefined) return [`${source.path} is in no layer`];
  return imports(source)
    .filter((name) => name.startsWith('.'))
    .flatMap((name) => {
      const target = path.posix.join(path.posix.dirname(source.path), name);
      if (!target.startsWith('src/')) return [`${source.path} imports ${name}, outside src`];
      const other = layerOf(target);
      return layer.mayImport.has(other) ? [] : [`${source.path} imports ${other}`];
    });
}

function impurities(source: Source, layers: ReadonlyMap<string, Layer>): string[] {
  const layer = layers.get(layerOf(source.path));
  const file = source.path.split('/').slice(2).join('/');
  if (layer === undefined || !layer.pure || layer.impureFiles.includes(file)) return [];
  const found = imports(source)
    .filter((name) => /^(node:.*|vscode|fs|path|os|net|child_process|worker_threads)$/.test(name))
    .map((name) => `'${name}'`);
  const code = withoutComments(source.text);
  for (const call of ['setTimeout', 'setInterval', 'setImmediate', 'requestAnimationFrame']) {
    if (new RegExp(`\\b${call}\\(`).test(code)) found.push(call);
  }
  if (/\bperformance\./.test(code)) found.push('performance');
  if (/\bDate(\.|\()|\bnew Date\b/.test(code)) found.push('Date');
  if (/\bMath\.random\b/.test(code)) found.push('Math.random');
  return found.map((what) => `${source.path} reaches ${what}`);
}

function machinePaths({ path: file, text }: Source): string[] {
  const pattern = /(?<![A-Za-z0-9_.)}\]])\/(?:work|farm|root|home\/\w+|Users\/\w+)(?=\/)/g;
  return text
    .split('\n')
    .flatMap((line, i) => [...line.matchAll(pattern)].map((m) => `${file}:${i + 1} ${m[0]}`));
}

/** The names that the compiler does not know under the options of tsconfig.pure.json. */
function compileAsPure(text: string): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), 'pure-'));
  try {
    writeFileSync(path.join(folder, 'snippet.ts'), text);
    const config = {
      extends: path.resolve('tsconfig.pure.json'),
      include: ['snippet.ts'],
      exclude: [],
    };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = path.resolve('node_modules/typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
      encoding: 'utf8',
    });
    return [...stdout.matchAll(/error TS\d+: Cannot find name '(\w+)'/g)].map((m) => m[1] ?? '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
