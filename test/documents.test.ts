// What the documents name is there: files and folders by their paths, and what they link to.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

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

test.each(files.filter((file) => file.endsWith('.md')))('%s names files that exist', (document) => {
  const text = readFileSync(document, 'utf8');
  const named = [...text.matchAll(paths)].map(([, name = '']) => name);
  expect(named.filter((name) => !isOfOthers(name) && !isThere(name))).toEqual([]);
  const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target = '']) => target);
  const folder = path.dirname(document);
  expect(links.filter((target) => !existsSync(path.join(folder, target)))).toEqual([]);
});
