// What the texts of tests import: a table, so that nothing reads a disk.
import type { Files } from '../../src/scenario/sources';

/** Files by their paths. */
export const table: Readonly<Record<string, string>> = {
  '/a/lib/fill.coh': `import "../ring.coh"

procedure fill(range, byte) {
  write range = byte
  assert range == byte + 1
}
`,
  '/a/ring.coh': 'const value = 7\nsurface ring: buffer 1 page coherent\nmachine { cpus 1 }\n',
  '/a/circle.coh': 'import "main.coh"\n',
  '/a/one.coh': 'import "two.coh"\n',
  '/a/two.coh': 'import "one.coh"\n',
  '/a/lost.coh': 'import "nothing.coh"\n',
  '/a/broken.coh': '\nconst\n',
  '/a/wrong.coh': 'const value = 7\nprocedure fill(range, byte) {\n  wirte range = byte\n}\n',
};

/** What stands in `/a/main.coh` imports these; each `endless…` imports another. */
export const files: Files = {
  path: '/a/main.coh',
  read: (path) => {
    const endless = /^\/a\/(endless\d*)\.coh$/.exec(path)?.[1];
    if (endless !== undefined) return `import "${endless}0.coh"\n`;
    return table[path] ?? { problem: 'there is no such file' };
  },
};
