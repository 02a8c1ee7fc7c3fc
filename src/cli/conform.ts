// `coherence conform FILE…`: replays recordings of a real kernel on the emulated one and prints the first differences.
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { differenceLines } from '../conform/differences';
import { programsOf } from '../conform/format';
import { type Replayed, Replayer } from '../conform/replay';
import { BAD_INPUT, DIFFERS, HOLDS, readRecording } from './files';

interface Options {
  readonly show: number;
}

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
  const replayer = new Replayer({ bursts: true });
  const unsupported = new Map<string, string[]>(); // the programs that each ends
  for (const path of files) {
    const read = readRecording(path);
    const programs = 'problem' in read ? read.problem : programsOf(path, read.text);
    if (typeof programs === 'string') {
      console.error(programs);
      return BAD_INPUT;
    }
    const names = programs.map(({ program }) => program);
    for (const [number, program] of programs.entries()) {
      const result = replayer.replay(program);
      passed += result.passed;
      failed += result.total - result.passed;
      if (result.unsupported !== undefined) {
        const ended = unsupported.get(result.unsupported) ?? [];
        unsupported.set(result.unsupported, [...ended, program.program]);
      } else if (result.failed !== undefined && shown++ < show)
        console.log(
          difference(
            path,
            result,
            names.indexOf(program.program) === number ? program.program : number + 1,
          ),
        );
    }
  }
  for (const [name, programs] of unsupported) {
    const more = programs.length === 1 ? '' : ` and ${programs.length - 1} more`;
    console.log(`${name}: not an operation that can be replayed; it ends ${programs[0]}${more}`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? HOLDS : DIFFERS;
}

/**
 * The first operation of a program that came out otherwise, how, and the launch configuration that opens it. `recorded`
 * is the program's name, or its number where another one before it has the same.
 */
function difference(
  path: string,
  { program, failed }: Replayed,
  recorded: string | number,
): string {
  const { operation, differences } = failed!;
  const launch = {
    type: 'coherence',
    request: 'launch',
    name: `${program}, operation ${operation.i}`,
    program: resolve(path),
    recorded,
    operation: operation.i,
  };
  return [
    `${path}: ${program}, operation ${operation.i} (${operation.op})`,
    ...differenceLines(differences).map((line) => `  ${line}`),
    `  debug it: ${JSON.stringify(launch)}`,
  ].join('\n');
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a number from 0.');
  return value;
}
