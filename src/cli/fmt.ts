// `coherence fmt FILE…`: the canonical form, in place. A file that does not parse stays as it is.
import type { Command } from 'commander';
import { positionAt } from '../base/text';
import { parse } from '../syntax/parser';
import { print } from '../syntax/printer';
import { BAD_INPUT, DIFFERS, HOLDS, readScenario, writeScenario } from './files';

export function addFmt(program: Command): void {
  program
    .command('fmt')
    .description('bring scenario files into the canonical form')
    .argument('<file...>', 'scenario files (.coh)')
    .option('--check', 'change nothing; exit with 1 where a file would change')
    .action((files: readonly string[], options: { readonly check?: boolean }) => {
      process.exitCode = Math.max(...files.map((file) => format(file, options.check === true)));
    });
}

function format(path: string, onlyCheck: boolean): number {
  const read = readScenario(path);
  if ('problem' in read) {
    console.error(read.problem);
    return BAD_INPUT;
  }
  const parsed = parse(read.text);
  for (const { from, message } of parsed.problems) {
    const { line, column } = positionAt(parsed.lines, from);
    console.error(`${path}:${line + 1}:${column + 1}: ${message}`);
  }
  if (parsed.problems.length > 0) return BAD_INPUT;
  const printed = print(parsed);
  if (printed === read.text) return HOLDS;
  if (onlyCheck) {
    console.log(`${path}: would change`);
    return DIFFERS;
  }
  const problem = writeScenario(path, printed);
  if (problem === undefined) console.log(`${path}: changed`);
  else console.error(problem);
  return problem === undefined ? HOLDS : BAD_INPUT;
}
