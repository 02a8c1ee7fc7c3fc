// Every message that a check can give is provoked by a case: the cases of the parser and of the checks are gone through
// in a process that notes which code it ran, and no sentence stands in code that it did not.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';

const everyCase = `
  import { readdirSync } from 'node:fs';
  import { check } from './src/scenario/diagnostics';
  import { readCases } from './test/cases';
  import { known as all } from './src/scenario/known';
  import { known } from './test/language/marked';
  import { files } from './test/scenario/imported';
  for (const folder of ['test/scenario/checks', 'test/syntax/cases'])
    for (const name of readdirSync(folder))
      for (const { source } of readCases(folder + '/' + name)) check(source, known, { files });
  check('import "a.coh"', known); // stands in no file
  check('const sum = ' + '1 + '.repeat(600) + '1', known);
  check('machine { with gremlins } scenario "x"', all);
`;

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly ranges: readonly {
        readonly startOffset: number;
        readonly endOffset: number;
        readonly count: number;
      }[];
    }[];
  }[];
}

/** Texts of three words or more, with where they begin: none goes on in the next line. */
function sentences(script: string): readonly { readonly from: number; readonly words: string }[] {
  const literal = /"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\\n])*`/g;
  return [...script.matchAll(/.+/g)]
    .filter(([line]) => !line.trimStart().startsWith('//'))
    .flatMap(({ 0: line, index }) =>
      [...line.matchAll(literal)].map((m) => ({ from: index + m.index, words: m[0] })),
    )
    .filter(({ words }) => /\S \S+ \S/.test(words));
}

/** The sentences of the language's own files that were not come to, when the script ran. */
function notSaid(contents: string): { readonly said: number; readonly missing: string[] } {
  const folder = mkdtempSync(path.join(tmpdir(), 'coherence-'));
  try {
    const outfile = path.join(folder, 'cases.cjs');
    buildSync({
      stdin: { contents, resolveDir: process.cwd(), loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile,
      // Nothing of the tests' library is used by it.
      external: ['vitest'],
      banner: { js: "require = (of => id => id === 'vitest' ? {} : of(id))(require);" },
      logLevel: 'error',
    });
    const env = { ...process.env, NODE_V8_COVERAGE: folder };
    const { status, stderr } = spawnSync(process.execPath, [outfile], { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    const text = readFileSync(outfile, 'utf8');
    const noted = readdirSync(folder).find((name) => name.endsWith('.json')) ?? '';
    const { result } = JSON.parse(readFileSync(path.join(folder, noted), 'utf8')) as Coverage;
    const own = result.find(({ url }) => url.endsWith('cases.cjs'));
    const counts = new Int8Array(text.length);
    // Functions come with their blocks behind them; a block says more than what is around it.
    const ranges = (own?.functions ?? []).flatMap((f) => f.ranges);
    const inward = [...ranges].sort(
      (a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset,
    );
    for (const { startOffset, endOffset, count } of inward)
      counts.fill(Math.min(count, 1), startOffset, endOffset);
    const files = [...text.matchAll(/^\/\/ (\S+\.[cm]?[jt]s)$/gm)];
    let said = 0;
    const missing: string[] = [];
    for (const { from, words } of sentences(text)) {
      const file = files.findLast(({ index }) => index < from)?.[1] ?? '';
      // What the plan says is shown while a scenario runs; of deviations: deviations.test.ts.
      if (!/^src\/(scenario|syntax)\/(?!plan|deviations)/.test(file)) continue;
      if (counts[from] === 0) missing.push(`${file}: ${words}`);
      else said++;
    }
    return { said, missing };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('every message of the checks is provoked by a case', () => {
  const { said, missing } = notSaid(everyCase);
  expect(missing).toEqual([]);
  expect(said).toBeGreaterThan(300);
});

test('a message that nothing provokes is found', () => {
  const { missing } = notSaid("import { check } from './src/scenario/diagnostics'; check('', {});");
  expect(missing.join()).toContain('this wait would not end');
});
