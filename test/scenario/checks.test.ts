import { readdirSync } from 'node:fs';
import { describe } from 'vitest';
import { positionAt } from '../../src/base/text';
import { check } from '../../src/scenario/diagnostics';
import type { Known } from '../../src/scenario/known';
import { checkCases } from '../cases';

const known: Known = {
  presets: ['series-v2', 'linux-6.1'],
  variants: [
    { id: 'bz-01', sentence: 'one' },
    { id: 'bz-53', sentence: 'two' },
  ],
};

const folder = 'test/scenario/checks';

for (const file of readdirSync(folder))
  describe(`${folder}/${file}`, () => {
    checkCases(`${folder}/${file}`, (source) => {
      const { diagnostics, parsed } = check(source, known);
      return diagnostics
        .map(({ from, severity, message }) => {
          const { line, column } = positionAt(parsed.lines, from);
          return `${line + 1}:${column + 1} ${severity === 'warning' ? 'warning: ' : ''}${message}`;
        })
        .join('\n');
    });
  });
