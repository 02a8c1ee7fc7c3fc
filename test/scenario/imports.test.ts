// Imports: what another file brings, and every way in which one can fail. Files are a table here; nothing reads a disk.
import { describe, expect, test } from 'vitest';
import { check } from '../../src/scenario/diagnostics';
import { known } from '../../src/scenario/known';
import { loadScenario } from '../../src/scenario/load';
import { readAhead } from '../../src/scenario/sources';
import { Timeline } from '../../src/timeline/timeline';

const scenario = `scenario "x"
process app {
  let p = map ring
  thread one on cpu0 {
    fill(p, value)
    assert ring[0] == 7
  }
}
`;

const table: Readonly<Record<string, string>> = {
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
  '/a/broken.coh': '\nconst\n',
  '/a/wrong.coh': 'const value = 7\nprocedure fill(range, byte) {\n  wirte range = byte\n}\n',
};

const files = {
  path: '/a/main.coh',
  read: (path: string) => table[path] ?? { problem: 'there is no such file' },
};

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

describe('what can be wrong', () => {
  test.each([
    ['import "nothing.coh"', '1: "nothing.coh" cannot be read: there is no such file'],
    [
      'import ""',
      '1: name a file by its way from this one: `import "rings.coh"`, `import "../rings.coh"`',
    ],
    [
      'import "/a/ring.coh"',
      '1: name a file by its way from this one: `import "rings.coh"`, `import "../rings.coh"`',
    ],
    ['import', '1: say in quotes which file: `import "rings.coh"`'],
    ['import "main.coh"', '1: imports go in a circle: main.coh → main.coh; leave one of them out'],
    [
      'import "circle.coh"',
      '1: imports go in a circle: main.coh → circle.coh → main.coh; leave one of them out',
    ],
    [
      'import "one.coh"',
      '1: imports go in a circle: one.coh → two.coh → one.coh; leave one of them out',
    ],
    [
      'import "broken.coh"',
      '1: "broken.coh" has problems, the first in line 2: name the value: `const section = 32KiB`',
    ],
    [
      'import "wrong.coh"',
      '1: in "wrong.coh", line 3: `wirte` is nothing that a process can do; did you mean `write`?',
    ],
  ])('%s', (text, message) => {
    expect(messages(`${text}\nscenario "x"\nprocess app { }\n`)).toEqual([message]);
  });

  test('an import stands before the first scenario', () => {
    expect(messages('scenario "x"\nimport "ring.coh"\nprocess app { }\n')).toEqual([
      '2: an import stands before the first scenario of its file',
    ]);
  });

  test('a text that stands in no file imports nothing', () => {
    const { diagnostics } = check('import "a.coh"\nscenario "x"\nprocess app { }\n', known);
    expect(diagnostics.map(({ message }) => message)).toEqual([
      '"a.coh" cannot be read: this text stands in no file',
    ]);
  });
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
