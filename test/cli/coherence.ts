// The command line as the shell sees it: bundled afresh, run in a folder of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll } from 'vitest';

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Cli {
  /** Where it runs; known once the tests have begun. */
  readonly folder: string;
  run(...args: string[]): Ran;
  /** Writes a file into the folder; returns its name. */
  file(name: string, content: string | Uint8Array): string;
}

/** A command line for the tests of one file. */
export function commandLine(): Cli {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'coherence-'));
    buildSync({
      entryPoints: ['src/cli/main.ts'],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      outfile: path.join(folder, 'cli.cjs'),
      logLevel: 'error',
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  return {
    get folder() {
      return folder;
    },
    run: (...args) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['cli.cjs', ...args], {
        cwd: folder,
        encoding: 'utf8',
        timeout: 20_000,
      });
      return { code: status, out: stdout, err: stderr };
    },
    file: (name, content) => {
      writeFileSync(path.join(folder, name), content);
      return name;
    },
  };
}
