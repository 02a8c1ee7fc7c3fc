// A person looks at the panels: F5 on the ring buffer, the trees of the Debug side bar and the PTE grid at a fault, in
// every kind of theme. Screenshots of each are left in .vscode-test/screenshots.
import { afterEach, expect, test } from 'vitest';
import { Workbench } from './workbench';

let workbench: Workbench | undefined;
afterEach(async () => {
  await workbench?.close();
  workbench = undefined;
});

/** Stops at a line of the ring buffer that has written pages, with the panels in view. */
async function stoppedInRing(theme: string): Promise<Workbench> {
  workbench = await Workbench.open({
    'workbench.colorTheme': theme,
    'debug.internalConsoleOptions': 'neverOpen', // leaves room for what is looked at
  });
  const w = workbench;
  await w.openFile('01-ring-buffer.coh');
  await w.setBreakpoint(27); // the submission of what was written
  await w.command('View: Show Run and Debug');
  await w.command('Debug: Start Debugging');
  await w.callStack().first().waitFor({ timeout: 30_000 });
  await w.page.setViewportSize({ width: 1600, height: 950 });
  await w.widenSideBar(130);
  await w.foldView('Variables', true);
  await w.foldView('Watch', true);
  await w.foldView('Breakpoints', true);
  for (const view of ['Page Tables', 'Buffer Objects', 'Fences']) await w.foldView(view, false);
  await w.debug('Continue');
  await w.view('Buffer Objects').filter({ hasText: 'mapping app p' }).first().waitFor();
  return w;
}

test.each([
  ['dark', 'Default Dark Modern'],
  ['light', 'Default Light Modern'],
  ['high-contrast', 'Default High Contrast'],
])('trees and grid show what the first write did (%s)', async (name, theme) => {
  const w = await stoppedInRing(theme);
  await w.command('Coherence: Show PTE Grid');
  const grid = w.webview().getByRole('grid');
  await grid.waitFor();
  await w.webview().locator('[data-row="0"]', { hasText: 'PWUAD-' }).first().waitFor();
  await w.debug('Step Over'); // the submission cleans what was written
  await w.webview().locator('[data-row="0"].changed', { hasText: 'PWUA--' }).first().waitFor();
  await w.view('Page Tables').filter({ hasText: '8 changed' }).first().waitFor();
  await w.view('Fences').filter({ hasText: 'fence 1' }).first().waitFor();
  await w.screenshot(`panels-${name}`);
  expect(await grid.getAttribute('aria-rowcount')).toBe('25');
});

test('the grid is walked by keyboard, and read as text', async () => {
  const w = await stoppedInRing('Default Dark Modern');
  await w.command('Coherence: Show PTE Grid');
  const inside = w.webview();
  await inside.locator('[data-row="0"][data-column="0"]').click();
  const focused = async () => {
    const at = inside.locator(':focus');
    return [await at.getAttribute('data-row'), await at.getAttribute('data-column')];
  };
  await w.page.keyboard.press('ArrowDown');
  await w.page.keyboard.press('ArrowRight');
  expect(await focused()).toEqual(['1', '1']);
  await w.page.keyboard.press('Control+End');
  expect((await focused())[0]).toBe('23');
  await w.page.keyboard.press('PageUp');
  expect(Number((await focused())[0])).toBeLessThan(23);
  await w.page.keyboard.press('Control+Home');
  expect(await focused()).toEqual(['0', '0']);
  await inside.getByRole('button', { name: 'Text', exact: true }).click();
  const text = await inside.locator('pre').innerText();
  expect(text).toContain('ring, at step');
  await w.screenshot('panels-text');
});
