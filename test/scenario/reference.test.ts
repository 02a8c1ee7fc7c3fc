// The documents for users: their scenarios run as they say, and no word of the language is missing from its reference.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Search } from '../../src/explore/search';
import { failurePoints } from '../../src/kernel/lib/fault-inject';
import { type Loaded, loadScenario } from '../../src/scenario/load';
import { stepsMax } from '../../src/scenario/run';
import * as vocabulary from '../../src/scenario/vocabulary';
import { forms } from '../../src/syntax/forms';
import { parse } from '../../src/syntax/parser';
import { print } from '../../src/syntax/printer';
import { Timeline } from '../../src/timeline/timeline';

/** The verdict of a scenario's run, or what is wrong with its text. */
function verdict(document: string, text: string): string {
  const read = (path: string) => readFileSync(path, 'utf8');
  const loaded = loadScenario(text, {}, { path: document, read });
  if (!('run' in loaded)) return JSON.stringify([loaded.problems, loaded.checked.diagnostics]);
  const { run, meaning, schedule }: Loaded = loaded;
  const { explore, outcomes } = meaning;
  if (outcomes !== undefined || explore.states !== undefined) {
    const search = new Search(run, { ...explore, schedule });
    while (search.state === 'running') search.go(100_000);
    return search.verdict;
  }
  const completed = new Timeline(run.engine, schedule).run(() => undefined, stepsMax) === 'end';
  return run.verdict(completed);
}

describe.each(['README.md', 'docs/language.md'])('%s', (document) => {
  const whole = readFileSync(document, 'utf8');
  const blocks = [...whole.matchAll(/^```coh ?(\w*)\n([^`]*)```$/gm)];
  for (const [, expected = '', text = ''] of blocks) {
    const title = /scenario "([^"]*)"/.exec(text)?.[1] ?? 'a scenario without a title';

    test(`"${title}" ${expected === '' ? 'holds' : `is ${expected}`}`, () => {
      expect(verdict(document, text)).toBe(expected === '' ? 'holds' : expected);
    });

    test(`"${title}" is in canonical form`, () => {
      expect(print(parse(text))).toBe(text);
    });
  }

  test('every block of code is one of these', () => {
    expect(blocks.length).toBeGreaterThan(0);
    expect(blocks.length).toBe([...whole.matchAll(/^```./gm)].length);
  });
});

describe('docs/language.md', () => {
  test('every word of the language is told of', () => {
    const tables = [
      forms,
      vocabulary.operations,
      vocabulary.commands,
      vocabulary.looks,
      vocabulary.pteFields,
      vocabulary.trackerFields,
      vocabulary.tlbFields,
      vocabulary.vmaFields,
      vocabulary.pagemapFields,
      vocabulary.boxFields,
      vocabulary.eventFields,
      vocabulary.methods,
      vocabulary.fenceFields,
      vocabulary.counters,
      vocabulary.occurrences,
      vocabulary.machineSettings,
      vocabulary.exploreSettings,
      vocabulary.outcomeWords,
      vocabulary.surfaceAttributes,
      vocabulary.mapWords,
      vocabulary.protections,
      vocabulary.failureWords,
      vocabulary.bindWords,
      failurePoints,
      vocabulary.advices,
      vocabulary.errors,
    ];
    const reference = readFileSync('docs/language.md', 'utf8');
    const words = tables.flatMap((table) => Object.keys(table));
    const code = [...reference.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text).join(' ');
    expect(words.filter((word) => !new RegExp(`\\b${word}\\b`).test(code))).toEqual([]);
  });

  test('every construct stands in an example that is run', () => {
    const v = vocabulary;
    const reference = readFileSync('docs/language.md', 'utf8');
    const code = [...reference.matchAll(/^```coh ?\w*\n([^`]*)```$/gm)]
      .map(([, text = '']) => text.replace(/\/\/.*$/gm, '').replace(/"[^"\n]*"/g, '""'))
      .join('\n');
    const words = [
      ...[forms, v.operations, v.commands, v.looks, v.counters, v.occurrences].flatMap(Object.keys),
      ...[v.pteFields, v.tlbFields, v.pagemapFields, v.fenceFields, v.eventFields].flatMap(
        Object.keys,
      ),
      ...[v.machineSettings, v.exploreSettings, v.surfaceAttributes].flatMap(Object.keys),
      ...[
        v.bindWords,
        v.mapWords,
        v.protections,
        v.advices,
        v.failureWords,
        v.outcomeWords,
      ].flatMap(Object.keys),
    ];
    const missing = words.filter((word) => !new RegExp(`\\b${word}\\b`).test(code));
    expect(missing).toEqual([]);
    for (const form of [
      /until idle/,
      /until \w+$/m,
      /until \w+ returns/,
      /for \d+ statement/,
      /chooses/,
    ])
      expect(code).toMatch(form);
  });
});
