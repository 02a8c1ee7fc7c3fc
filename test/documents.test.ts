// What the documents name is there: files and folders by their paths, and what they link to; what they show of the command
// line is what it prints, but for line breaks, what `…` leaves out, and numbers of steps and events; a scenario that a
// page shows of a file is that of the file.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { commandLine } from './cli/coherence';

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'])
  .toString()
  .split('\n')
  .filter((file) => existsSync(file));

const paths = /`([a-z.][\w.-]*(?:\/[\w.-]+)+|[\w-]+\.(?:ts|mjs|coh|md|grammar))`/gi;

/** Whole, or only its end, as in `vmwgfx_page_dirty.ts`; a folder whole. */
const isThere = (name: string): boolean =>
  existsSync(name) || files.some((file) => file.endsWith(`/${name}`));

/** Files of the kernel, names of messages, and what the scripts make. */
const isOfOthers = (name: string): boolean =>
  /\.[ch]$|^coherence\/|^(dist|node_modules|\.vscode-test)(\/|$)/.test(name);

const documents = files.filter((file) => file.endsWith('.md'));

test.each(documents)('%s names files that exist', (document) => {
  const text = readFileSync(document, 'utf8');
  const named = [...text.matchAll(paths)].map(([, name = '']) => name);
  expect(named.filter((name) => !isOfOthers(name) && !isThere(name))).toEqual([]);
  const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target = '']) => target);
  const folder = path.dirname(document);
  expect(links.filter((target) => !existsSync(path.join(folder, target)))).toEqual([]);
});

const cli = commandLine();
const shown = /^ {4}\$ node dist\/cli\.js (.*)\n((?: {4}.*\n)*)/gm;
const plain = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/(event|step) \d+/g, '$1 N')
    .replace(/\d+ micro-steps/g, 'N micro-steps')
    .trim();

test.each(
  documents.flatMap((document) =>
    [...readFileSync(document, 'utf8').matchAll(shown)].map(([, line = '', printed = '']) => [
      document,
      line,
      printed,
    ]),
  ),
)('%s shows what `coherence %s` prints', (_document, line, printed) => {
  const args = line.split(' ').map((arg) => (existsSync(arg) ? path.resolve(arg) : arg));
  const out = plain(cli.run(...args).out.replaceAll(`${process.cwd()}${path.sep}`, ''));
  for (const part of printed.split('…')) expect(out).toContain(plain(part));
});

const ofFile = /`(examples\/[\w./-]+\.coh)`[^`]*\n```coh\n([^`]*)```/g;

test.each(
  documents.flatMap((document) =>
    [...readFileSync(document, 'utf8').matchAll(ofFile)].map(([, file = '', text = '']) => [
      document,
      file,
      text,
    ]),
  ),
)('%s shows the scenario of %s', (_document, file, text) => {
  const whole = readFileSync(file, 'utf8');
  expect(whole.slice(whole.indexOf('scenario "'))).toBe(text);
});
