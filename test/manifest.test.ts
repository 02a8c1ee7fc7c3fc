// What package.json says of the extension is so: the files it names exist and are shipped, the kernels it offers are
// those there are, and the command line is of its version.
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { presets } from '../src/kernel/variants';
import { commandLine } from './cli/coherence';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const cli = commandLine();

/** Every text in a tree of JSON. */
const texts = (json: unknown): string[] =>
  typeof json === 'string'
    ? [json]
    : typeof json === 'object' && json !== null
      ? Object.values(json).flatMap(texts)
      : [];

test('the files that package.json names exist, and the package holds them', () => {
  const named = texts([manifest.icon, manifest.contributes])
    .map((text) => text.replace(/^\.\//, ''))
    .filter((text) => /^(media|syntaxes)\//.test(text));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((file) => !existsSync(file))).toEqual([]);
  const shipped = readFileSync('.vscodeignore', 'utf8').split('\n');
  for (const entry of [manifest.main, manifest.browser, `./${manifest.bin.coherence}`])
    expect(shipped).toContain(`!${entry.slice(2)}`);
  for (const folder of ['media', 'syntaxes']) expect(shipped).toContain(`!${folder}/**`);
});

test('the kernels that a launch configuration offers are those there are', () => {
  const { kernel } = manifest.contributes.debuggers[0].configurationAttributes.launch.properties;
  expect(kernel.enum).toEqual(Object.keys(presets));
  expect(kernel.enumDescriptions.length).toBe(kernel.enum.length);
});

test('every command that a menu shows is contributed', () => {
  const { commands, menus } = manifest.contributes;
  const ids = commands.map(({ command }: { command: string }) => command);
  const shown = texts(menus).filter((text) => /^coherence\.\w+$/.test(text));
  expect([...new Set(shown)].filter((command) => !ids.includes(command))).toEqual([]);
});

test('the command line is of the version of the package', () => {
  expect(cli.run('--version').out.trim()).toBe(manifest.version);
});
