// `coherence lsp`: the language server on standard input and output, for any editor.
import type { Command } from 'commander';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { serve } from '../language/serve';

export function addLsp(program: Command): void {
  program
    .command('lsp')
    .description('serve the language to an editor')
    .option('--stdio', 'over standard input and output (the only way there is)')
    .action(() => {
      serve(createConnection(ProposedFeatures.all, process.stdin, process.stdout));
    });
}
