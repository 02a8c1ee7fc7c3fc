// `coherence check FILE…`: all problems of the files, without running anything.
import type { Command } from 'commander';
import { check } from '../scenario/diagnostics';
import { known } from '../scenario/known';
import { BAD_INPUT, filesOf, HOLDS, readScenario, showDiagnostic } from './files';

export function addCheck(program: Command): void {
  program
    .command('check')
    .description('print all problems of scenario files')
    .argument('<file...>', 'scenario files (.coh)')
    .action((files: readonly string[]) => {
      process.exitCode = Math.max(...files.map(checkFile));
    });
}

function checkFile(path: string): number {
  const read = readScenario(path);
  if ('problem' in read) {
    console.error(read.problem);
    return BAD_INPUT;
  }
  const checked = check(read.text, known, { files: filesOf(path) });
  for (const diagnostic of checked.diagnostics)
    console.error(showDiagnostic(path, checked, diagnostic));
  return checked.diagnostics.some(({ severity }) => severity === 'error') ? BAD_INPUT : HOLDS;
}
