// What server and client say to each other beside LSP.

/** Asks the client for the text of a file: `{ uri }`, answered with the text. For servers without a disk. */
export const readFileRequest = 'coherence/readFile';
