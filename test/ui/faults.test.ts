// A person stops at a write-protect fault of the large buffer and reads why: the exception in the editor, and the walk
// level by level in the Page Tables view, in every kind of theme, by keyboard and as a screen reader says it.
import { afterEach, expect, test } from 'vitest';
import { Workbench } from './workbench';

let workbench: Workbench | undefined;
afterEach(async () => {
  await workbench?.close();
  workbench = undefined;
});

test.each([
  ['dark', 'Default Dark Modern'],
  ['light', 'Default Light Modern'],
  ['high-contrast', 'Default High Contrast'],
])('the fault, its walk and what stopped it are in view (%s)', async (name, theme) => {
  workbench = await Workbench.open({
    'workbench.colorTheme': theme,
    'debug.internalConsoleOptions': 'neverOpen',
  });
  const w = workbench;
  await w.openFile('02-large-buffer.coh');
  await w.startDebugging();
  await w.command('View: Show Run and Debug');
  await w.page.setViewportSize({ width: 1700, height: 950 });
  await w.widenSideBar(420);
  await w.foldView('Variables', true);
  await w.foldView('Watch', true);
  await w.foldView('Breakpoints', false);
  await w
    .view('Breakpoints')
    .filter({ hasText: 'Write-protect faults' })
    .locator('[role="checkbox"], input[type="checkbox"]')
    .first()
    .click({ timeout: 10_000 });
  await w.foldView('Breakpoints', true);
  await w.foldView('Call Stack', true);
  await w.foldView('Page Tables', false);
  await w.debug('Continue');
  await w.page.locator('.exception-widget').waitFor();
  const row = (text: string) => w.view('Page Tables').filter({ hasText: text }).first();
  await row('Write-protect fault at page 0 of p (big)').waitFor();
  await row('PGD[255]').waitFor();
  const leaf = w.page.locator('.pane-body .monaco-list-row[aria-label^="PTE[511]: "]').first();
  await leaf.waitFor();
  expect(await leaf.getAttribute('aria-label')).toMatch(/^PTE\[511\]: .*stops, W is clear/);

  await w.screenshot(`fault-${name}`);

  // By keyboard from the access down to the entry that stopped the walk.
  await row('store of 4096 bytes').click();
  for (let i = 0; i < 7; i++) await w.page.keyboard.press('ArrowDown');
  await expect.poll(() => leaf.getAttribute('class'), { timeout: 5000 }).toContain('focused');
});
