// The command line: `coherence COMMAND`. Each command is a file beside this one and adds itself here.
import { Command, CommanderError } from 'commander';
import { addCheck } from './check';
import { addConform } from './conform';
import { addDap } from './dap';
import { addExplore } from './explore';
import { BAD_INPUT } from './files';
import { addFmt } from './fmt';
import { addLsp } from './lsp';
import { addRun } from './run';
import { addTest } from './test';
import { addVariants } from './variants';

const commands = [
  addRun,
  addTest,
  addExplore,
  addCheck,
  addConform,
  addFmt,
  addVariants,
  addDap,
  addLsp,
];

const program = new Command('coherence')
  .description('Scenarios of coherent graphics memory on an emulated kernel.')
  .version('0.1.0')
  .exitOverride();
for (const add of commands) add(program);

program.parseAsync().catch((error: unknown) => {
  // Help and version are no mistakes; everything else that the library stops for is a wrong call.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : BAD_INPUT;
});
