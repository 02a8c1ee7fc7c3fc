// What the shipped scenarios cost on the whole machine, contract and timeline included: building it, a micro-step of a
// run, one forward again over recorded choices, one back, and a jump to anywhere.
import { readFileSync } from 'node:fs';
import { loadScenario } from '../../src/scenario/load';
import { Timeline } from '../../src/timeline/timeline';
import { firstExamples } from '../examples';
import { nanoseconds, table } from './measure';

function fresh(text: string): Timeline {
  const loaded = loadScenario(text);
  if (!('run' in loaded)) throw new Error(loaded.problems.join(', '));
  return new Timeline(loaded.run.engine, loaded.schedule);
}

const toEnd = (timeline: Timeline) => timeline.run(() => undefined, Number.POSITIVE_INFINITY);

const rows = [
  ['', 'steps', 'cells', 'build', 'step', 'step again', 'back', 'jump', 'bytes a step'],
];
for (const file of firstExamples) {
  const text = readFileSync(file, 'utf8');
  let timeline = fresh(text);
  toEnd(timeline);
  const { position: steps, bytes } = timeline;
  const ns = (count: number, run: () => void, prepare?: () => void) =>
    nanoseconds(count, run, prepare);
  const build = ns(1, () => {
    timeline = fresh(text);
  });
  const step = ns(
    steps,
    () => toEnd(timeline),
    () => {
      timeline = fresh(text);
    },
  );
  const start = () => timeline.seek(0);
  const again = ns(steps, () => timeline.seek(steps), start);
  const back = ns(
    steps,
    () => {
      while (timeline.back());
    },
    () => timeline.seek(steps),
  );
  let seed = 1;
  const jump = ns(100, () => {
    for (let i = 0; i < 100; i++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      timeline.seek(seed % (steps + 1));
    }
  });
  const cells = timeline.engine.store.cells.length;
  rows.push([
    file,
    `${steps}`,
    `${cells}`,
    `${(build / 1e6).toFixed(1)} ms`,
    `${step.toFixed(0)} ns`,
    `${again.toFixed(0)} ns`,
    `${back.toFixed(0)} ns`,
    `${(jump / 1e6).toFixed(2)} ms`,
    (bytes / steps).toFixed(0),
  ]);
}
table('Scenarios on the whole machine', rows);
