import { describe, expect, test } from 'vitest';
import { complete } from '../../src/language/completion';
import { scenarioTemplate, snippetOf } from '../../src/language/snippets';
import { check } from '../../src/scenario/diagnostics';
import { loadScenario } from '../../src/scenario/load';
import { commands, operations } from '../../src/scenario/vocabulary';
import { forms } from '../../src/syntax/forms';
import { parse } from '../../src/syntax/parser';
import { print } from '../../src/syntax/printer';
import { Timeline } from '../../src/timeline/timeline';
import { inThread, known, marked } from './marked';

/** What stands there when nothing is filled in: of a choice its first word. */
const filled = (snippet: string): string =>
  snippet
    .replace(/\$\{\d+\|([^,|]*)[^|]*\|\}/g, '$1')
    .replace(/\$\{\d+:((?:\\.|[^}\\])*)\}/g, (_, text: string) => text.replace(/\\(.)/g, '$1'))
    .replace(/\$\{\d+\}|\$\d/g, '')
    .replaceAll('\t', '  ');

describe('snippets', () => {
  test('keep the words of a form and make places of the rest', () => {
    expect(snippetOf('write p[0 .. 4KiB] = 7', 'write')).toBe('write ${1:p[0 .. 4KiB]} = ${2:7}');
    expect(snippetOf('surface ring: buffer 96KiB coherent', 'surface')).toBe(
      'surface ${1:ring}: buffer ${2:96KiB} coherent',
    );
    expect(snippetOf(forms.thread, 'thread')).toBe('thread ${1:render} on ${2:cpu0} {\n\t${3}\n}');
  });

  test('of every statement, operation and command make its form when nothing is filled in', () => {
    const entries = Object.entries({ ...operations, ...commands });
    const all = [
      ...entries.map(([verb, { form }]) => [verb, form] as const),
      ...Object.entries(forms),
    ];
    for (const [verb, form] of all)
      expect(filled(snippetOf(form, verb)).replace(/\{\s*\}/g, '{ … }')).toBe(form);
  });

  test('stand where a statement begins and nothing follows; else the word alone does', () => {
    const snippet = (text: string): string | undefined => {
      const { checked, offset } = marked(text);
      return complete(checked, offset, known).find(({ label }) => label === 'write')?.snippet;
    };
    expect(snippet(inThread('wr|'))).toBe('write ${1:p[0 .. 4KiB]} = ${2:7}');
    expect(snippet(inThread('if true { | }'))).toBe('write ${1:p[0 .. 4KiB]} = ${2:7}');
    expect(snippet(inThread('wr|ite p[0]'))).toBeUndefined();
  });
});

test('a new file is in canonical form, without a message, and holds when it runs', () => {
  const text = filled(scenarioTemplate).replace(/\n {4}\n/, '\n');
  expect(check(text, known).diagnostics).toEqual([]);
  expect(print(parse(text))).toBe(text);
  const loaded = loadScenario(text);
  if (!('run' in loaded)) throw new Error('refused');
  const timeline = new Timeline(loaded.run.engine, []);
  expect(timeline.run(() => undefined, 1_000_000)).toBe('end');
  expect(loaded.run.verdict(true)).toBe('holds');
});
