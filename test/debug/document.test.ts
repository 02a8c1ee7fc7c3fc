// docs/debugger.md has every command of the console and every kind of location.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { consoleForms } from '../../src/debug/console';
import { locationForms } from '../../src/machine/locations';

test('the page on the debugger has every command of the console and every kind of location', () => {
  const text = readFileSync('docs/debugger.md', 'utf8');
  const forms = [...consoleForms, ...Object.values(locationForms)];
  expect(forms.length).toBeGreaterThan(30);
  expect(forms.filter((form) => !text.includes(`\`${form}\``))).toEqual([]);
});
