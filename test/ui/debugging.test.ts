// A person stops at one write-protect fault of many, by a condition typed in the Breakpoints view, and finds the entry that
// it is about among the variables.
import { afterEach, expect, test } from 'vitest';
import { Workbench } from './workbench';

let workbench: Workbench | undefined;
afterEach(async () => {
  await workbench?.close();
  workbench = undefined;
});

test('a condition on write-protect faults, and the entry in the Variables view', async () => {
  workbench = await Workbench.open({
    'workbench.colorTheme': 'Default Dark Modern',
    'debug.internalConsoleOptions': 'neverOpen',
  });
  const w = workbench;
  await w.page.setViewportSize({ width: 1700, height: 1000 });
  await w.openFile('02-large-buffer.coh');
  await w.page.keyboard.press('F5');
  await w.page.locator('.debug-toolbar').waitFor({ timeout: 30_000 });
  await w.command('View: Show Run and Debug');
  await w.widenSideBar(420);
  for (const view of ['Watch', 'Call Stack', 'Page Tables']) await w.foldView(view, true);
  const exception = w.page.locator('.exception-widget');

  // Write-protect faults, under a condition.
  await w.foldView('Breakpoints', false);
  const filter = w.view('Breakpoints').filter({ hasText: 'Write-protect faults' });
  await filter.locator('[role="checkbox"], input[type="checkbox"]').first().click();
  await filter.hover();
  await filter.click({ button: 'right' });
  await w.page.getByRole('menuitem', { name: /^Edit Condition/ }).click();
  await w.page.locator('.monaco-inputbox :is(input, textarea):focus').fill('frame >= 18');
  await w.page.keyboard.press('Enter');
  await filter.filter({ hasText: 'frame >= 18' }).waitFor();
  await w.screenshot('debugging-condition');
  await w.foldView('Breakpoints', true);
  await w.debug('Continue');
  await exception.waitFor();
  expect(await exception.innerText()).toMatch(/page 18 of p \(big\)/);

  // Its entry among the variables.
  const unfold = async (name: RegExp) => {
    const row = w.variables().filter({ hasText: name }).first();
    await row.waitFor();
    if ((await row.getAttribute('aria-expanded')) === 'true') return;
    await row.click();
    await w.page.keyboard.press('ArrowRight');
  };
  for (const name of [/^Address space/, /^p\b/, /^PTEs/, /^\[0\.\.99\]/]) await unfold(name);
  await w
    .variables()
    .filter({ hasText: /^\[18\]/ })
    .first()
    .waitFor();
  await w.screenshot('debugging-variables');
});
