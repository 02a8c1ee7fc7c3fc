// `coherence lsp`: the language server on standard input and output, for any editor.
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { serve } from '../language/serve';
import { readScenario } from './files';

const noFile = { problem: 'no file' };

export function addLsp(program: Command): void {
  program
    .command('lsp')
    .description('serve the language to an editor')
    .option('--stdio', 'over standard input and output (the only way there is)')
    .action(() => {
      serve(createConnection(ProposedFeatures.all, process.stdin, process.stdout), async (uri) => {
        const read = uri.startsWith('file:') ? readScenario(fileURLToPath(uri)) : noFile;
        if ('text' in read) return read.text;
        throw new Error('there is no such file');
      });
    });
}
