// The command line: `coherence COMMAND`. Each command is a file beside this one.
import { Command } from 'commander';

const program = new Command('coherence')
  .description('Scenarios of coherent graphics memory on an emulated kernel.')
  .version('0.1.0');

program.parse();
