// Colours come from two sources: the TextMate grammar at once, the parser for all else. Over the examples and the
// parser's cases both must see the same comments, texts, numbers and words of the language.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { beforeAll, expect, test } from 'vitest';
import oniguruma from 'vscode-oniguruma';
import textmate from 'vscode-textmate';
import { lineStarts } from '../../src/base/text';
import { parse } from '../../src/syntax/parser';
import { exampleFiles } from '../examples';

type Class = 'comment' | 'text' | 'number' | 'keyword' | 'other';

let grammar: textmate.IGrammar;

beforeAll(async () => {
  const wasm = createRequire(import.meta.url).resolve('vscode-oniguruma/release/onig.wasm');
  await oniguruma.loadWASM(readFileSync(wasm));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () =>
      textmate.parseRawGrammar(
        readFileSync('syntaxes/coherence.tmLanguage.json', 'utf8'),
        'coherence.tmLanguage.json',
      ),
  });
  const loaded = await registry.loadGrammar('source.coherence');
  if (loaded === null) throw new Error('no grammar');
  grammar = loaded;
});

/** The class of each character as the TextMate grammar sees it. */
function byTextMate(text: string): Class[] {
  const classes: Class[] = [];
  let state = textmate.INITIAL;
  for (const line of text.split('\n')) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
    state = ruleStack;
    for (const { startIndex, endIndex, scopes } of tokens)
      for (let i = startIndex; i < Math.min(endIndex, line.length); i++)
        classes.push(classOfScope(scopes.at(-1) ?? ''));
    classes.push('other');
  }
  return classes;
}

function classOfScope(scope: string): Class {
  if (scope.startsWith('comment')) return 'comment';
  if (scope.startsWith('string')) return 'text';
  if (scope.startsWith('constant.numeric')) return 'number';
  if (/^(keyword\.(control|other|operator\.word)|constant\.language)/.test(scope)) return 'keyword';
  return 'other';
}

/** The class of each character as the parser sees it. */
function byParser(text: string): Class[] {
  const classes: Class[] = Array.from({ length: text.length + 1 }, () => 'other');
  parse(text).syntax.iterate({
    enter: ({ name, from, to, node }) => {
      const found = classOfNode(name, node.firstChild !== null);
      if (found !== undefined) classes.fill(found, from, to);
    },
  });
  return classes;
}

function classOfNode(name: string, inner: boolean): Class | undefined {
  if (name === 'Comment') return 'comment';
  if (name === 'String') return 'text';
  if (name === 'Number') return 'number';
  return /^[a-z]+$/.test(name) && !inner ? 'keyword' : undefined;
}

function differences(text: string): string[] {
  const a = byTextMate(text);
  const b = byParser(text);
  const lines = lineStarts(text);
  const found: string[] = [];
  for (let i = 0; i < text.length; i++) {
    if (a[i] === b[i] || text[i] === '\n' || text[i] === ' ') continue;
    const line = lines.findLastIndex((start) => start <= i);
    found.push(`${line + 1}: '${text.slice(i, i + 12)}' ${a[i]}, but the parser says ${b[i]}`);
  }
  return found;
}

for (const file of exampleFiles)
  test(`${file} has the same classes of tokens in both grammars`, () => {
    expect(differences(readFileSync(file, 'utf8'))).toEqual([]);
  });

test('the cases of the parser have the same classes of tokens in both grammars', () => {
  for (const name of ['statements.txt', 'expressions.txt']) {
    const sources = `\n${readFileSync(`test/syntax/cases/${name}`, 'utf8')}`
      .split(/\n# .*\n/)
      .slice(1)
      .map((part) => part.split(/^==>$/m)[0] ?? '');
    for (const source of sources) expect(differences(source)).toEqual([]);
  }
});

test('every operation, command, look and counter of the language is coloured', async () => {
  const { operations, commands, looks, counters, occurrences, methods, errors } = await import(
    '../../src/scenario/vocabulary'
  );
  const scopeOf = (line: string, word: string): string => {
    const { tokens } = grammar.tokenizeLine(line, textmate.INITIAL);
    const at = line.indexOf(word);
    return (
      tokens.find(({ startIndex, endIndex }) => startIndex <= at && at < endIndex)?.scopes.at(-1) ??
      ''
    );
  };
  for (const verb of [...Object.keys(operations), ...Object.keys(commands)])
    expect([verb, scopeOf(`  ${verb} p`, verb)]).toEqual([verb, 'support.function.coherence']);
  for (const look of Object.keys(looks))
    expect([look, scopeOf(`  assert ${look}(p)`, look)]).toEqual([
      look,
      'support.function.coherence',
    ]);
  for (const name of [
    ...Object.keys(counters),
    ...Object.keys(occurrences),
    ...Object.keys(methods),
    ...Object.keys(errors),
  ])
    expect([name, scopeOf(`never ${name}`, name)]).toEqual([name, 'support.constant.coherence']);
});
