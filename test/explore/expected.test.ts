// A search of a scenario that is there to show a fault: each order must break the contract.
import { expect, test } from 'vitest';
import { Search } from '../../src/explore/search';
import { load } from '../scenario/outcome';

const text = (setting: string) => `scenario "x"
machine { cpus 1, tracking mkwrite${setting} }
surface a: buffer 1 page coherent
process app {
  let p = map a
  thread one on cpu0 {
    submit { draw reads a } as first
    wait first
    write p[0]
    submit { draw reads a } as second
    wait second
  }
}
finally violation
`;

test.each([
  [', with mkwrite-marks-nothing', 'holds'],
  ['', 'violated'],
])('with the machine `tracking mkwrite%s` it is: %s', (setting, verdict) => {
  const search = new Search(load(text(setting)).run, { bound: 1 });
  while (search.state === 'running') search.go(100_000);
  expect(search.verdict).toBe(verdict);
});
