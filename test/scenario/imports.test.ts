// Imports: what another file brings. What can be wrong with one: checks/imports.txt.
import { expect, test } from 'vitest';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { loadScenario } from '../../src/scenario/load';
import { readAhead } from '../../src/scenario/sources';
import { Timeline } from '../../src/timeline/timeline';
import { files, table } from './imported';

const scenario = `scenario "x"
process app {
  let p = map ring
  thread one on cpu0 {
    fill(p, value)
    assert ring[0] == 7
  }
}
`;

/** All messages, with the line they stand in. */
const messages = (text: string): string[] => {
  const { diagnostics, sources } = check(text, known, { files });
  return diagnostics.map(({ from, message }) => `${sources.placeAt(from).line + 1}: ${message}`);
};

test('constants, surfaces, the machine and procedures come from other files; problems name theirs', () => {
  const text = `import "lib/fill.coh"\n${scenario}`;
  expect(messages(text)).toEqual([]);
  const loaded = loadScenario(text, {}, files);
  if (!('run' in loaded)) throw new Error(JSON.stringify(loaded.problems));
  expect(loaded.meaning.machine.cpus).toBe(1);
  new Timeline(loaded.run.engine).run(() => undefined, 100_000);
  expect(loaded.run.problems(true)).toMatchObject([
    { path: '/a/lib/fill.coh', line: 5, column: 3, message: expect.stringContaining('range is 7') },
  ]);
});

test('a text that stands in no file imports nothing', () => {
  const { diagnostics } = check('import "a.coh"\nscenario "x"\nprocess app { }\n', known);
  expect(diagnostics.map(({ message }) => message)).toEqual([
    '"a.coh" cannot be read: this text stands in no file',
  ]);
});

test('a machine of its own comes before an imported one', () => {
  const { scenarios, diagnostics } = check(
    `import "ring.coh"\nmachine { cpus 4 }\n${scenario.replace('fill(p, value)', 'write p = value')}`,
    known,
    { files },
  );
  expect(diagnostics).toEqual([]);
  expect(scenarios[0]?.meaning.machine.cpus).toBe(4);
});

test('files that cannot be read at once are read beforehand, those that they import as well', async () => {
  const asked: string[] = [];
  const read = await readAhead(
    '/a/main.coh',
    `import "lib/fill.coh"\nimport "none.coh"\n`,
    async (path) => {
      asked.push(path);
      const text = table[path];
      if (text === undefined) throw new Error('it is not there');
      return text;
    },
  );
  expect(asked).toEqual(['/a/lib/fill.coh', '/a/ring.coh', '/a/none.coh']);
  expect([read('/a/ring.coh'), read('/a/none.coh')]).toEqual([
    table['/a/ring.coh'],
    { problem: 'it is not there' },
  ]);
});
