// examples/page as make run serves it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { axeSource } from '../../../internal/browsertest/chromium.mjs';
import { cleanup, startBrowser } from './harness.mjs';

const suite = cleanup();
after(suite.run);
let browser, address;
before(async () => {
  browser = await startBrowser(suite);
  const script = fileURLToPath(new URL('../examples/page/serve.mjs', import.meta.url));
  const child = spawn(process.execPath, [script], { env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
  suite.after(async () => {
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await exit;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    address = line;
    break;
  }
});

for (const sdk of ['v1', 'v2']) {
  test(`${sdk}: the chat, the kit and the ladder`, async () => {
    const opened = await browser.open(`${address}?sdk=${sdk}`);
    const { page } = opened;
    const reaches = (state) => page.locator(`svg[data-state=${state}]`).waitFor();
    const click = (id) => page.locator(`#${id}`).click();
    const answers = (text) => page.locator('#kit-log li').first().filter({ hasText: text }).waitFor();
    await reaches('uninitialized');
    await click('kit-alice');
    await answers('100004');
    await click('chat-login');
    await page.locator('#chat-state').getByText('logged in', { exact: true }).waitFor();
    await click('kit-bob');
    await answers('100005');
    await reaches('im_logged_in'); // the kit looked for the chat's login
    await click('kit-anonymous');
    await answers('112001');
    await click('kit-alice');
    await reaches('kit_logged_in');
    await click('cloud-down');
    await page.locator('#facts').getByText('down', { exact: true }).waitFor();
    await click('cloud-up');
    await page.locator('#facts').getByText('up', { exact: true }).waitFor();
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(await axeSource());
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`), []);
      if (process.env.IMREUSE_PICTURES) await page.screenshot({ path: join(process.env.IMREUSE_PICTURES, `${sdk}-${colorScheme}.png`), fullPage: true });
    }
    await click('cloud-kick');
    await reaches('im_initialized');
    await page.locator('#facts').getByText(/kicked/).waitFor();
    await click('chat-wrong');
    await page.locator('#chat-log').getByText(/302/).first().waitFor();
    assert.deepEqual(opened.errors, []);
    assert.deepEqual(opened.lines.filter((line) => /-token-of-/.test(line)), []);
    await opened.context.close();
  });
}
