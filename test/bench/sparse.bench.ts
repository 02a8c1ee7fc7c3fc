// What a large surface costs of which three pages are touched: cells reserved and in use, and by how much the process's
// resident memory grows when the machine is built, has run to its end and stands at its beginning again.
import { loadScenario } from '../../src/scenario/load';
import { Timeline } from '../../src/timeline/timeline';
import { table } from './measure';

const text = (size: string) => `scenario "sparse"

surface big: buffer ${size} coherent

process app {
  let p = map big
  thread render on cpu0 {
    write p[0] = 1
    write p[${size} / 2] = 2
    write p[${size} - 1] = 3
    submit { draw reads big[0] } as done
    wait done
  }
}
`;

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
const rows = [['', 'cells', 'in use', 'history', 'built', 'run', 'back', 'seconds']];
for (const size of ['1MiB', '64MiB', '1GiB']) {
  const before = process.memoryUsage.rss();
  const start = performance.now();
  const grown = () => megabytes(process.memoryUsage.rss() - before);
  const loaded = loadScenario(text(size));
  if (!('run' in loaded)) throw new Error(loaded.problems.join(', '));
  const timeline = new Timeline(loaded.run.engine);
  const built = grown();
  timeline.run(() => undefined, Number.POSITIVE_INFINITY);
  const run = grown();
  const { cells } = loaded.run.engine.store;
  timeline.seek(0);
  const back = grown();
  timeline.seek(timeline.end);
  const seconds = ((performance.now() - start) / 1000).toFixed(2);
  let used = 0;
  for (let at = 0; at < cells.length; at++) if (cells[at] !== 0) used++;
  const { length } = cells;
  rows.push([size, `${length}`, `${used}`, megabytes(timeline.bytes), built, run, back, seconds]);
}
table('A surface of which three pages are touched: cells, and resident memory', rows);
