import { test } from 'vitest';
import { blockSize, fuzz, textsInAll, textsInTest } from './fuzzing';

// The beginning of each block of `npm run fuzz`; in pieces, so that one that takes long is seen.
const blocks = Array.from({ length: textsInAll / blockSize }, (_, block) => block);

test.each(blocks)(
  'everything an editor asks is answered, whatever the text is (seed %i)',
  { timeout: 120_000 },
  (block) => fuzz(block, textsInTest / blocks.length),
);
