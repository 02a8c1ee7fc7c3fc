// The language server in a web worker, for VS Code in a browser.
import {
  BrowserMessageReader,
  BrowserMessageWriter,
  createConnection,
} from 'vscode-languageserver/browser';
import { serve } from './serve';

const worker = self as unknown as Worker;
serve(createConnection(new BrowserMessageReader(worker), new BrowserMessageWriter(worker)));
