// What a run came to, turned into what is expected: with the change made the scenario holds, and asks for no other.
import { describe, expect, test } from 'vitest';
import { applyEdits } from '../../src/base/text';
import { expectations } from '../../src/scenario/expectations';
import { loadScenario } from '../../src/scenario/load';
import { Timeline } from '../../src/timeline/timeline';

/** Runs to the end: the verdict, and what could be expected instead. */
function ran(text: string) {
  const loaded = loadScenario(text);
  if (!('run' in loaded)) throw new Error(JSON.stringify(loaded.checked.diagnostics));
  const { run } = loaded;
  new Timeline(run.engine, []).run(() => undefined, 1_000_000);
  return { verdict: run.verdict(true), offered: expectations(run, text.length) };
}

/** The text with what was offered, which must then hold. */
function expected(text: string): string {
  const { verdict, offered } = ran(text);
  expect(verdict).toBe('violated');
  expect(offered).toHaveLength(1);
  const after = applyEdits(text, offered[0]?.edits ?? []);
  expect(ran(after)).toEqual({ verdict: 'holds', offered: [] });
  return after;
}

const writes = (rest: string, second = ''): string => `scenario "x"
surface ring: buffer 2 pages coherent
process app {
  let p = map ring
  thread a on cpu0 {
    write p = 1
    submit { draw reads ring } as done
    ${second}
    wait done
  }
}
${rest}
`;

describe('what a run came to is offered as what is expected', () => {
  test('a number that `finally` compares with', () => {
    expect(expected(writes('finally faults.write == 7'))).toContain('finally faults.write == 2\n');
    expect(expected(writes('finally 7 == faults.write'))).toContain('finally 2 == faults.write\n');
  });

  test('a race that was forbidden', () => {
    const race = 'read p[0]\n    submit { draw writes ring = 2 } as more\n    write p = 3';
    expect(expected(writes('never race', race))).toContain('finally race\n');
  });

  test('an outcome that is not listed, or forbidden', () => {
    const text = writes('outcomes (faults.write) { allowed (1) }');
    expect(expected(text)).toContain('{ allowed (1), allowed (2) }');
    const forbidden = writes('outcomes (faults.write) { allowed (1), forbidden (2) }');
    expect(expected(forbidden)).toContain('{ allowed (1), allowed (2) }');
  });

  test('nothing, where all holds, or the comparison is none with a number', () => {
    expect(ran(writes('finally faults.write == 2'))).toEqual({ verdict: 'holds', offered: [] });
    expect(ran(writes('finally faults.write < 1')).offered).toEqual([]);
  });

  const lost = (rest: string, faulty = true): string =>
    writes(rest, 'wait done\n    write p = 2\n    submit { draw reads ring } as more').replace(
      'surface',
      `machine { tracking mkwrite${faulty ? ', with mkwrite-marks-nothing' : ''} }\nsurface`,
    );

  test('a broken contract: the scenario is there to show it', () => {
    expect(expected(lost(''))).toMatch(/\}\n\nfinally violation\n/);
    expect(expected(lost('never violation'))).toMatch(/\}\nfinally violation\n/);
  });

  test('`finally violation` is broken where none was found, and excuses nothing else', () => {
    expect(ran(lost('finally violation', false)).verdict).toBe('violated');
    expect(ran(lost('finally violation\nfinally faults.write == 0')).verdict).toBe('violated');
    expect(ran(lost('finally violation\nnever violation')).verdict).toBe('violated');
  });
});
