// What server and client say to each other beside LSP.
import type { Fix } from '../base/fixes';

/** Asks the client for the text of a file: `{ uri }`, answered with the text. For servers without a disk. */
export const readFileRequest = 'coherence/readFile';

/** Tells the server what a run of a document came to; its changes are offered while the text is that which ran. */
export const ranNotification = 'coherence/ran';

export interface Ran {
  readonly uri: string;
  readonly text: string;
  readonly expectations: readonly Fix[];
}
