// Bad input, as the shell sees it: one clear message each, exit code 2, no stack trace.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { commandLine } from './coherence';

const cli = commandLine();
const { run: coherence, file } = cli;

const fine = 'scenario "x"\nprocess app { }\n';

describe('files that are no scenarios', () => {
  test('a missing file, a directory, a binary, an empty and a huge file get a message each', () => {
    file('binary.coh', new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 0xff]));
    file('latin1.coh', new Uint8Array([0x73, 0xe9]));
    file('empty.coh', '');
    file('huge.coh', 'write p[0] = 1\n'.repeat(700_000));
    const names = ['missing.coh', '.', 'binary.coh', 'latin1.coh', 'empty.coh', 'huge.coh'];
    const { code, out, err } = coherence('check', ...names);
    expect(err).toBe(`missing.coh: there is no such file
.: this is a directory; name a scenario file (.coh) in it
binary.coh: this is no text file; a scenario is text in UTF-8
latin1.coh: this is no text file; a scenario is text in UTF-8
empty.coh:1:1: there is no scenario here; begin with \`scenario "what it shows"\`
huge.coh: 10.0 MiB is too large; a scenario has at most 4 MiB
`);
    expect(out).toBe('');
    expect(code).toBe(2);
  });

  test('fmt leaves them alone, too', () => {
    file('binary.coh', new Uint8Array([0, 1]));
    expect(coherence('fmt', 'binary.coh', 'missing.coh').code).toBe(2);
    expect([...readFileSync(path.join(cli.folder, 'binary.coh'))]).toEqual([0, 1]);
  });
});

test('five mistakes are five diagnostics, and the exit code is 2', () => {
  file(
    'five.coh',
    `scenario "five mistakes"
machine { kernel series-v3 }
surface ring: buffer 96KB coherent
process app {
  let p = map ring
  thread render on cpu7 {
    wirte p[0] = 1
    assert p[0] = 1
  }
}
`,
  );
  const { code, err } = coherence('check', 'five.coh');
  expect(err.trimEnd().split('\n')).toEqual([
    'five.coh:2:18: there is no kernel `series-v3`; did you mean `series-v2`?',
    'five.coh:3:22: `KB` is no unit: there are KiB, MiB, GiB and pages; write `96KiB`',
    'five.coh:6:20: there is no `cpu7`: the machine has `cpu0` and `cpu1`; say `cpus 8` in `machine` for more',
    'five.coh:7:5: `wirte` is nothing that a thread can do; did you mean `write`?',
    'five.coh:8:17: compare with `==`',
  ]);
  expect(code).toBe(2);
});

describe('fmt', () => {
  test('changes a file in place, and with --check only says that it would', () => {
    file('untidy.coh', 'scenario   "x"\nprocess app {\n}');
    expect(coherence('fmt', '--check', 'untidy.coh')).toEqual({
      code: 1,
      out: 'untidy.coh: would change\n',
      err: '',
    });
    expect(coherence('fmt', 'untidy.coh').code).toBe(0);
    expect(readFileSync(path.join(cli.folder, 'untidy.coh'), 'utf8')).toBe(
      'scenario "x"\nprocess app {\n}\n',
    );
    expect(coherence('fmt', '--check', 'untidy.coh').code).toBe(0);
  });

  test('does not touch a file that does not parse', () => {
    const text = 'scenario   "x"\nprocess app {\n';
    file('broken.coh', text);
    const { code, err } = coherence('fmt', 'broken.coh');
    expect(code).toBe(2);
    expect(err).toContain('broken.coh:2:13: this block is never closed');
    expect(readFileSync(path.join(cli.folder, 'broken.coh'), 'utf8')).toBe(text);
  });
});

describe('wrong calls', () => {
  for (const args of [[], ['check'], ['frobnicate'], ['check', '--frob', 'x']])
    test(`coherence ${args.join(' ')} exits with 2 and shows no stack`, () => {
      const { code, err } = coherence(...args);
      expect(code).toBe(2);
      expect(err).not.toMatch(/\n {4}at /);
    });

  test('help and a scenario without problems exit with 0', () => {
    file('fine.coh', fine);
    expect(coherence('--help').code).toBe(0);
    expect(coherence('check', 'fine.coh')).toEqual({ code: 0, out: '', err: '' });
  });
});
