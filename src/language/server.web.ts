// The language server in a web worker, for VS Code in a browser. It has no disk: the client reads files for it.
import {
  BrowserMessageReader,
  BrowserMessageWriter,
  createConnection,
} from 'vscode-languageserver/browser';
import { readFileRequest } from './messages';
import { serve } from './serve';

const worker = self as unknown as Worker;
const connection = createConnection(
  new BrowserMessageReader(worker),
  new BrowserMessageWriter(worker),
);
serve(connection, (uri) => connection.sendRequest<string>(readFileRequest, { uri }));
