// What a person meets after `npm start`: the examples, coloured, with the language known by its name.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Workbench } from './workbench';

let workbench: Workbench;
beforeAll(async () => {
  workbench = await Workbench.open();
});
afterAll(async () => {
  await workbench?.close();
});

test('npm start opens the examples, and a scenario is recognised', async () => {
  await workbench.openFile('01-ring-buffer.coh');
  const language = workbench.page.locator('.statusbar-item', { hasText: 'Coherence Scenario' });
  await language.waitFor();
  await workbench.screenshot('start');
  expect(await language.innerText()).toBe('Coherence Scenario');
});
