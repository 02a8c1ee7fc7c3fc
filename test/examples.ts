// The scenarios that are shipped: some to start from in `examples` itself, the others by subject in its folders.
import { readdirSync } from 'node:fs';

/** Paths of all scenario files below `examples`, in order. */
export const exampleFiles: readonly string[] = readdirSync('examples', {
  recursive: true,
  encoding: 'utf8',
})
  .filter((name) => name.endsWith('.coh'))
  .map((name) => `examples/${name.replaceAll('\\', '/')}`)
  .sort();

/** Those to start from. */
export const firstExamples: readonly string[] = exampleFiles.filter(
  (path) => path.split('/').length === 2,
);
