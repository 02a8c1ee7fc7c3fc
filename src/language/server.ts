// The language server as a process of its own (Node). The features are functions beside this file.
import { readFile } from 'node:fs/promises';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { serve } from './serve';

serve(createConnection(ProposedFeatures.all), async (uri) => {
  try {
    return await readFile(new URL(uri), 'utf8');
  } catch {
    throw new Error('there is no such file');
  }
});
