// Properties that are looked at after every step: a broken one is noted once, at the step that broke it.
import { expect, test } from 'vitest';
import { Timeline } from '../../src/timeline/timeline';
import { load } from './outcome';

const text = `scenario "broken"
surface ring: buffer 4 pages coherent
process app {
  let p = map ring
  thread render on cpu0 { write p }
}
always faults.write < 2
never faults.write == 1`;

test('a broken property is noted once, and again when the run goes back and takes another way', () => {
  const { run } = load(text);
  const timeline = new Timeline(run.engine);
  const kinds = () => run.problems(false).map(({ kind }) => kind);
  const end = () => timeline.run(() => undefined, 1_000_000);
  end();
  expect(kinds()).toEqual(['never', 'always']);
  timeline.seek(0);
  expect(kinds()).toEqual([]);
  const { agents } = run.engine;
  const other = Array.from({ length: agents }, (_, a) => a).findLast((a) => run.engine.runnable(a));
  timeline.stepForward({ agent: other!, branch: 0 });
  end();
  expect(kinds()).toEqual(['never', 'always']);
});
