// `coherence conform FILE…`: replays recordings of a real kernel on the emulated one and prints the first differences.
import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type Command, InvalidArgumentError } from 'commander';
import { parseRecording, type RecordedProgram } from '../conform/format';
import { type Difference, type Replayed, Replayer } from '../conform/replay';
import { BAD_INPUT, DIFFERS, HOLDS } from './files';

interface Options {
  readonly show: number;
}

const textMax = 400; // characters of a value that are printed

export function addConform(program: Command): void {
  program
    .command('conform')
    .description('replay recordings of a real kernel and compare everything after each operation')
    .argument('<file...>', 'recordings (.jsonl or .jsonl.gz)')
    .option('--show <n>', 'how many differing programs to print', count, 10)
    .action((files: readonly string[], options: Options) => {
      process.exitCode = conform(files, options);
    });
}

function conform(files: readonly string[], { show }: Options): number {
  let passed = 0;
  let failed = 0;
  let shown = 0;
  const replayer = new Replayer();
  const unsupported = new Map<string, number>();
  for (const path of files) {
    const programs = readRecording(path);
    if (typeof programs === 'string') {
      console.error(`${path}: ${programs}`);
      return BAD_INPUT;
    }
    for (const program of programs) {
      const result = replayer.replay(program);
      passed += result.passed;
      failed += result.total - result.passed;
      if (result.unsupported !== undefined) {
        unsupported.set(result.unsupported, (unsupported.get(result.unsupported) ?? 0) + 1);
      } else if (result.failed !== undefined && shown++ < show)
        console.log(difference(path, result));
    }
  }
  for (const [name, programs] of unsupported) {
    console.log(`${name}: not an operation that can be replayed; it ends ${programs} programs`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? HOLDS : DIFFERS;
}

/** The programs of a file, or what is wrong with it. */
function readRecording(path: string): RecordedProgram[] | string {
  try {
    if (statSync(path).isDirectory()) return 'this is a directory; name a recording in it';
    const bytes = readFileSync(path);
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return parseRecording((packed ? gunzipSync(bytes) : bytes).toString('utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return 'there is no such file';
    }
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      return 'it is compressed, but cannot be unpacked';
    }
    return error instanceof Error ? error.message : String(error);
  }
}

/** The first operation of a program that came out otherwise, and how. */
function difference(path: string, { program, failed }: Replayed): string {
  const { operation, differences } = failed!;
  const lines = differences.flatMap((d: Difference) => [
    `  ${d.key} recorded: ${short(d.expected)}`,
    `  ${d.key} replayed: ${short(d.actual)}`,
  ]);
  return [`${path}: ${program}, operation ${operation.i} (${operation.op})`, ...lines].join('\n');
}

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > textMax ? `${text.slice(0, textMax)}…` : text;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a number from 0.');
  return value;
}
