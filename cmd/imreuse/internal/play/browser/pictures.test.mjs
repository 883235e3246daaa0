// Pictures of the page in both languages, light and dark, for people to look at.
// docs/play.png and docs/play.zh-CN.png are two of them.
import { test } from 'node:test';
import { join } from 'node:path';
import { group, lab, outcomes, pictures, press, story, visit } from './lab.mjs';

// Holds the n-th act of that name back, so that a story stays where it is.
async function hold(page, act, n) {
  let seen = 0;
  await page.route(`**/play/${act}`, (route) => (++seen === n ? undefined : route.continue()));
}

for (const locale of ['en-GB', 'zh-CN']) {
  for (const colorScheme of ['light', 'dark']) {
    test(`a picture of a mismatch, ${locale}, ${colorScheme}`, async (t) => {
      const page = await visit(t, await lab(), { locale, colorScheme, viewport: { width: 1280, height: 940 } });
      await hold(page, 'create_kit_account', 1);
      await story(page, 'mismatch').click();
      await page.locator('.steps .badge').nth(3).waitFor();
      await page.locator('#result table').waitFor();
      await page.mouse.move(0, 0);
      await page.screenshot({ path: join(pictures, `play-${locale}-${colorScheme}.png`) });
    });
  }
}

test('a picture of a kick', async (t) => {
  const page = await visit(t, await lab(), { viewport: { width: 1280, height: 1400 } });
  await hold(page, 'login_kit', 2);
  await story(page, 'kick').click();
  await page.locator('.steps .badge').nth(4).waitFor();
  await page.screenshot({ path: join(pictures, 'kick.png') });
});

test('a picture of calls that hang and fail', async (t) => {
  const page = await visit(t, await lab(), { viewport: { width: 1024, height: 1500 } });
  await press(page, 'Fail the next one');
  await group(page, 'Trouble').getByLabel('Call').selectOption('Authenticate');
  await press(page, 'Hang');
  await press(page, 'LoginKit');
  await page.locator('.in-flight').waitFor();
  await page.screenshot({ path: join(pictures, 'hang.png') });
});

test('a picture on a phone', async (t) => {
  const page = await visit(t, await lab(), { viewport: { width: 390, height: 844 } });
  await story(page, 'reuse').click();
  await outcomes(page);
  await page.screenshot({ path: join(pictures, 'phone.png'), fullPage: true });
});
