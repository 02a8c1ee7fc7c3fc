// Procedures while they run: each call has a frame of its own, in which its values are.
import { expect, test } from 'vitest';
import { Timeline } from '../../src/timeline/timeline';
import { load, outcome } from './outcome';

const text = `scenario "sections"
const section = 1 page
procedure fill(range, value, done) {
  write range = value
  submit { draw reads ring } as done
  wait done
}
procedure frame(mapping, turn) {
  let begin = turn * section
  fill(mapping[begin .. begin + section], turn + 1, drawn[turn])
  assert pte(mapping[begin]).dirty == false
}
surface ring: buffer 4 pages coherent
process app {
  let p = map ring
  thread render on cpu0 {
    repeat 3 as turn {
      frame(p, turn)
    }
    frame(p, 3)
    assert gpu(ring)[0] == 1
    assert p[0 .. section] == 1 and p[3 pages .. 4 pages] == 4
  }
}
finally flushedBytes == 4 pages
`;

test('a procedure does what its statements say with what it is given, one call after the other', () => {
  expect(outcome(text).problems).toEqual([]);
});

test('on the stack each call is a frame with its values, above the statement that called it', () => {
  const { run } = load(text);
  const { engine } = run;
  const timeline = new Timeline(engine);
  const scenarioFrames = () =>
    engine.stack(1).filter(({ code }) => code.routine.file === 'scenario');
  timeline.run(() => (scenarioFrames().length === 3 ? true : undefined), 100_000);
  expect(scenarioFrames().map(({ code }) => code.routine.name)).toEqual([
    'fill',
    'frame',
    'render',
  ]);
  const [fill] = scenarioFrames();
  const value = fill!.code.frame.slot('value');
  expect(value.field.get(engine.store, fill!.at + value.offset)).toBe(1);
  expect(text.slice(run.placeOf(1)).split('\n', 1)[0]).toBe('write range = value');
});

test('statements of a process call procedures, too', () => {
  expect(
    outcome(`scenario "setup"
surface a: buffer 1 page coherent
procedure store(mapping, value) {
  let twice = value * 2
  write mapping = twice
}
process app {
  let p = map a
  store(p, 3)
  thread one on cpu0 {
    assert p[..] == 6
  }
}`).problems,
  ).toEqual([]);
});
