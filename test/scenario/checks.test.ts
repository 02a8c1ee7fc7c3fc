import { readdirSync } from 'node:fs';
import { describe } from 'vitest';
import { positionAt } from '../../src/base/text';
import { check } from '../../src/scenario/diagnostics';
import { checkCases } from '../cases';
import { known } from '../language/marked';
import { files } from './imported';

const folder = 'test/scenario/checks';

for (const file of readdirSync(folder))
  describe(`${folder}/${file}`, () => {
    checkCases(`${folder}/${file}`, (source) => {
      const { diagnostics, parsed } = check(source, known, { files });
      return diagnostics
        .map(({ from, severity, message }) => {
          const { line, column } = positionAt(parsed.lines, from);
          return `${line + 1}:${column + 1} ${severity === 'warning' ? 'warning: ' : ''}${message}`;
        })
        .join('\n');
    });
  });
