// The main job, by hand: the ring buffer of OpenGL 4.4 opened in VS Code, F5, a stop at the first page fault, the PTE in
// the panel, a step into the driver's fault handler, and back out of the store as if it had not happened.
import { afterEach, expect, test } from 'vitest';
import { Workbench } from './workbench';

let workbench: Workbench | undefined;
afterEach(async () => {
  await workbench?.close();
  workbench = undefined;
});

test('from F5 to the first page fault, into vmw_bo_vm_fault, and back out of the store', async () => {
  workbench = await Workbench.open({
    'workbench.colorTheme': 'Default Dark Modern',
    'debug.internalConsoleOptions': 'neverOpen',
  });
  const w = workbench;
  const top = () => w.callStack().filter({ hasText: /:\d+:\d+|\.c/ });
  await w.openFile('01-ring-buffer.coh');
  await w.startDebugging();
  await w.command('View: Show Run and Debug');
  await w.widenSideBar(160);
  await w.foldView('Variables', true);
  await w.foldView('Watch', true);

  // The first page fault.
  await w.foldView('Breakpoints', false);
  await w
    .view('Breakpoints')
    .filter({ hasText: 'Page faults' })
    .locator('[role="checkbox"], input[type="checkbox"]')
    .first()
    .click({ timeout: 10_000 });
  await w.foldView('Breakpoints', true);
  await w.debug('Continue');
  await top().filter({ hasText: 'exc_page_fault' }).first().waitFor();
  await w.page.locator('.exception-widget').waitFor();
  expect(await w.page.locator('.exception-widget').innerText()).toMatch(/page 0 of p \(ring\)/);
  await w.command('Coherence: Show PTE Grid');
  const row = (text: string) => w.webview().locator('[data-row="0"]', { hasText: text }).first();
  await row('------').waitFor();
  await w.screenshot('journey-fault');

  // Into the handler of the driver.
  for (let i = 0; i < 200; i++) {
    if ((await top().filter({ hasText: 'vmw_bo_vm_fault' }).count()) > 0) break;
    await w.debug('Step Into');
    await w.page
      .locator('.debug-toolbar')
      .getByRole('button', { name: /^Step Into/ })
      .isEnabled();
  }
  await top().filter({ hasText: 'vmw_bo_vm_fault' }).first().waitFor();
  await w.page.locator('.view-lines', { hasText: 'ttm_bo_vm_reserve' }).first().waitFor();
  await w.screenshot('journey-handler');

  // On to the next fault: the PTE is there, written and dirty.
  await w.debug('Continue');
  await row('PWUAD-').waitFor();
  await w.callStack().filter({ hasText: 'user_write' }).first().waitFor();
  for (const view of ['Page Tables', 'Buffer Objects']) await w.foldView(view, false);
  await w.view('Buffer Objects').filter({ hasText: 'mapping app p' }).first().waitFor();
  await w.screenshot('journey-next');
  for (const view of ['Page Tables', 'Buffer Objects']) await w.foldView(view, true);

  // Back to where the first fault was, and out of the store to its statement.
  await w.debug('Reverse');
  await row('------').waitFor();
  for (const caller of ['translate_address:', 'store:', 'user_write:']) {
    await w.debug('Step Back Out');
    await w.callStack().filter({ hasText: caller }).first().waitFor();
  }
  await w.debug('Step Back Out');
  await expect.poll(() => w.callStack().filter({ hasText: 'user_write' }).count()).toBe(0);
  await w.callStack().filter({ hasText: '25:7' }).first().waitFor();
  await w.page.locator('.view-lines', { hasText: 'let section' }).first().waitFor();
  await w.screenshot('journey-back');
});
