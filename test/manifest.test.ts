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

test('package.json says nothing twice', () => {
  const text = readFileSync('package.json', 'utf8');
  const spelled = JSON.stringify(JSON.parse(text), null, 2).split('\n').length;
  expect(text.trimEnd().split('\n').length).toBe(spelled);
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

test('the icons of scenario files are legible, in high contrast too', () => {
  // The lines of the icon against what file lists lie on: themes of VS Code, plain and of high contrast.
  const grounds = {
    light: ['#ffffff', '#f8f8f8', '#f3f3f3'],
    dark: ['#1f1f1f', '#181818', '#000000'],
  };
  const luminance = (colour: string): number => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string): number => {
    const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const [language] = manifest.contributes.languages;
  for (const theme of ['light', 'dark'] as const) {
    const colours = readFileSync(language.icon[theme], 'utf8').match(/#[0-9a-f]{6}/g) ?? [];
    expect(colours.length).toBeGreaterThan(0);
    for (const colour of colours)
      for (const ground of grounds[theme]) expect(contrast(colour, ground)).toBeGreaterThan(7);
  }
});
