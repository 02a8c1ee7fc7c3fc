// A person's hands and eyes for the walks: starts what `npm start` starts, opens it in a headless browser and
// offers the moves (palette, breakpoint, debug toolbar, trees, webview). Every wait is for something to appear.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Browser, FrameLocator, Locator, Page } from 'playwright-core';
import { freshFolder, launchBrowser, root } from '../host/host.mjs';

const screenshots = path.join(root, '.vscode-test/screenshots');

export class Workbench {
  private constructor(
    readonly page: Page,
    /** The folder that is open: a copy of the examples. */
    readonly folder: string,
    private readonly browser: Browser,
    private readonly stop: () => Promise<void>,
  ) {}

  /**
   * Opens a copy of the examples in the VS Code that `npm start` gives a person without a desktop VS Code, with
   * settings of the folder (a colour theme, say).
   */
  static async open(settings: Record<string, unknown> = {}): Promise<Workbench> {
    const run = freshFolder();
    const folder = path.join(run, 'examples');
    fs.cpSync(path.join(root, 'examples'), folder, { recursive: true });
    if (Object.keys(settings).length > 0) {
      fs.mkdirSync(path.join(folder, '.vscode'), { recursive: true });
      fs.writeFileSync(path.join(folder, '.vscode/settings.json'), JSON.stringify(settings));
    }
    const { address, stop } = await npmStart(folder);
    const tidyUp = async () => {
      await stop();
      fs.rmSync(run, { recursive: true, force: true, maxRetries: 5 });
    };
    try {
      const browser = await launchBrowser();
      const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
      await page.goto(address, { waitUntil: 'domcontentloaded', timeout: 60_000 });
      await page
        .locator('.explorer-folders-view .monaco-list-row')
        .first()
        .waitFor({ timeout: 60_000 });
      await page.locator('.monaco-workbench[class*="-themes-"]').waitFor({ timeout: 60_000 });
      return new Workbench(page, folder, browser, tidyUp);
    } catch (error) {
      await tidyUp();
      throw error;
    }
  }

  /** Ends browser, server and folder. */
  async close(): Promise<void> {
    await this.browser.close();
    await this.stop();
  }

  /** Writes NAME.png into .vscode-test/screenshots. */
  async screenshot(name: string): Promise<void> {
    fs.mkdirSync(screenshots, { recursive: true });
    await this.page.screenshot({ path: path.join(screenshots, `${name}.png`) });
  }

  /**
   * Runs a command by its label ("Debug: Start Debugging"). The palette is opened again until the row is there:
   * commands of the extension appear a few seconds after the workbench.
   */
  async command(label: string): Promise<void> {
    const rows = '.quick-input-list .monaco-list-row';
    for (let attempt = 1; ; attempt++) {
      await this.page.keyboard.press('Escape');
      await this.page.keyboard.press('F1');
      const input = this.page.locator('.quick-input-widget input[type="text"]:visible');
      const row = this.page.locator(
        `${rows}[aria-label="${label}"], ${rows}[aria-label^="${label}, "]`,
      );
      try {
        await input.fill(`>${label}`, { timeout: 2000 });
        await row.first().click({ timeout: 2000 });
        return;
      } catch (error) {
        if (attempt === 10) throw error;
      }
    }
  }

  /** Opens a file of the folder in an editor, and waits for its colours. */
  async openFile(name: string): Promise<void> {
    const row = `.explorer-folders-view .monaco-list-row[aria-label^="${name}"]`;
    await this.page.locator(row).dblclick();
    await this.page.locator('.tab.active', { hasText: name }).waitFor();
    await this.page.locator('.view-line span[class*="mtk"]:not(.mtk1)').first().waitFor();
  }

  /** Sets a breakpoint by a click left of the line's number; the line must be in view. */
  async setBreakpoint(line: number): Promise<void> {
    const numbers = this.page.locator('.margin-view-overlays .line-numbers');
    const box = await numbers
      .filter({ hasText: new RegExp(`^${line}$`) })
      .first()
      .boundingBox();
    if (box === null) throw new Error(`line ${line} is not in view`);
    await this.page.mouse.click(box.x - 10, box.y + box.height / 2);
    await this.page.locator('.codicon-debug-breakpoint').first().waitFor();
  }

  /**
   * F5 in the open scenario, to its first stop. Once more when nothing came of it: a key that comes while VS Code is still
   * busy with its start may be lost. A picture of that moment is left beside the others.
   */
  async startDebugging(): Promise<void> {
    const toolbar = this.page.locator('.debug-toolbar');
    await this.page.keyboard.press('F5');
    try {
      await toolbar.waitFor({ timeout: 20_000 });
    } catch {
      await this.screenshot('after-f5');
      await this.page.locator('.monaco-editor .view-line').first().click();
      await this.page.keyboard.press('F5');
      await toolbar.waitFor({ timeout: 30_000 });
    }
  }

  /** Clicks a button of the debug toolbar ("Step Over", "Step Back", "Continue", "Stop", …). */
  async debug(button: string): Promise<void> {
    await this.page
      .locator('.debug-toolbar')
      .getByRole('button', { name: new RegExp(`^${button}`) })
      .click();
  }

  /** Rows of the CALL STACK, of VARIABLES, or of a view of the side bar by its title. Only rows in view exist. */
  callStack = (): Locator => this.page.locator('.debug-call-stack .monaco-list-row');
  variables = (): Locator => this.page.locator('.debug-variables .monaco-list-row');
  view = (title: string): Locator =>
    this.page
      .locator('.pane', { has: this.page.locator('.pane-header', { hasText: title }) })
      .locator('.pane-body .monaco-list-row');

  /** Makes the side bar wider by pulling its edge. */
  async widenSideBar(by: number): Promise<void> {
    const box = await this.page.locator('.part.sidebar').boundingBox();
    if (box === null) throw new Error('the side bar is not in view');
    const [x, y] = [box.x + box.width + 1, box.y + box.height / 2];
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    await this.page.mouse.move(x + by, y, { steps: 5 });
    await this.page.mouse.up();
  }

  /** Folds a view of the side bar away, or opens it. */
  async foldView(title: string, folded: boolean): Promise<void> {
    const header = this.page.locator('.pane-header', { hasText: title }).first();
    if ((await header.getAttribute('aria-expanded')) === `${folded}`) await header.click();
  }

  /** Lines of the editor with an error squiggle. */
  errors = (): Locator => this.page.locator('.squiggly-error');

  /** The line on which the debugger stands, as the editor marks it. */
  stoppedAt = (): Locator => this.page.locator('.codicon-debug-stackframe').first();

  /** The inside of the one webview that is shown. */
  webview = (): FrameLocator =>
    this.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame');
}

/** `npm start` as a person runs it, on another folder and without opening a browser. */
async function npmStart(folder: string): Promise<{ address: string; stop: () => Promise<void> }> {
  const child = spawn(
    process.execPath,
    [path.join(root, 'scripts/start.mjs'), '--browser', '--no-open', folder],
    { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let output = '';
  const address = await new Promise<string>((resolve, reject) => {
    const hear = (data: Buffer) => {
      output += data.toString();
      const found = /(http:\/\/127\.0\.0\.1:\S+)/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (code) => reject(new Error(`npm start ended (${code}):\n${output}`)));
  });
  const stop = async () => {
    child.kill('SIGINT');
    await exited;
  };
  return { address, stop };
}
