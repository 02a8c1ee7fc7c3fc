// Expressions typed while a run stands somewhere: values, and one sentence for what has none.
import { expect, test } from 'vitest';
import { watch } from '../../src/scenario/watch';
import { Timeline } from '../../src/timeline/timeline';
import { load } from './outcome';

const { run, resolved } = load(`scenario "watched"
surface ring: buffer 8KiB coherent
process app {
  let p = map ring
  write p[0 .. 4KiB] = 7
}`);
new Timeline(run.engine).run(() => undefined, 100_000);
const at = run.sources.text.length - 2; // inside of the process
const seen = (expression: string) =>
  watch(expression, resolved.notes, at, run.look, (name) => (name === 'page' ? 3 : undefined));

test.each([
  ['p[0]', 7],
  ['p[0 .. 4KiB]', 7],
  ['pte(p[0]).dirty', true],
  ['pte(p[4KiB]).present', false],
  ['tracker(ring).method', 'pagetable'],
  ['gpu(ring)[0]', 0],
  ['faults.write + page', 4],
])('%s is %s', (expression, value) => expect(seen(expression)).toEqual({ value }));

test.each([
  ['p[99999999]', '`p` has bytes 0 to 8191'],
  ['p[0] == p[8KiB]', '`p` has bytes 0 to 8191'],
  ['pte(p[8KiB]).dirty', '`p` has bytes 0 to 8191'],
  ['gpu(ring)[1GiB]', '`ring` has bytes 0 to 8191'],
  ['nonsense', 'nothing is named `nonsense`'],
  ['', 'one expression is needed, such as `pte(p[0]).dirty` or `faults.write`'],
])('%s is refused: %s', (expression, error) => expect(seen(expression)).toEqual({ error }));
