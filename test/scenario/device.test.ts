// What the device is taken to do where its interface leaves a choice, and how commands come to it: each way by itself, and
// beside the other.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { outcome } from './outcome';

const example = (path: string) => readFileSync(`examples/${path}.coh`, 'utf8');
const firstLines = (problems: readonly string[]) => problems.map((p) => p.split(':')[0]);

describe('a first bind', () => {
  const text = example('bug-zoo/bz-53-first-move');

  test('loads nothing: what was lost before it is missed by the first draw', () => {
    expect(firstLines(outcome(text, { with: ['bz-53'] }).problems)).toEqual(['R1', 'assertion']);
  });

  test('or loads what memory holds (bind-loads): then nothing is missed', () => {
    expect(outcome(text, { with: ['bz-53', 'bind-loads'] }).problems).toEqual([]);
  });

  const rebound = `scenario "bound again"
surface ring: buffer 4 pages coherent
process app {
  let p = map ring
  thread render on cpu0 {
    write p = 5
    submit { draw reads ring } as first
    wait first
    evict ring
    write p[0 .. 1 page] = 6
    submit { draw reads ring } as second
    wait second
  }
}`;

  test('is only the first one: a surface that comes back from an eviction needs its upload', () => {
    expect(outcome(rebound, { with: ['bind-loads'] }).problems).toEqual([]);
    const fault = 'size-for-dirty';
    const [found] = outcome(rebound, { with: ['bind-loads', fault] }).problems;
    expect(found).toContain('R1: the GPU read 219');
  });
});
