// Pictures of the page in both languages, light and dark, for people to look at.
import { test } from 'node:test';
import { join } from 'node:path';
import { pictures, program, reaches, visit } from './program.mjs';

async function busy() {
  const p = await program('reuse_im');
  await p.act('loginKit');
  await p.must('init', 'loginOther');
  await p.act('loginKit');
  await p.must('logoutIM', 'loginIM', 'loginKit', 'linkDown', 'linkUp');
  return p;
}

test('pictures in both languages, light and dark', async (t) => {
  const page = await visit(t, await busy());
  await reaches(page, 'kit_logged_in');
  for (const [name, language] of [['English', 'en'], ['中文', 'zh']]) {
    await page.getByRole('button', { name }).click();
    await page.getByRole('button', { name, pressed: true }).waitFor();
    await page.evaluate(() => document.activeElement.blur());
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(pictures, `page-${language}-${colorScheme}.png`) });
    }
  }
});

test('a picture of a kick, and of a call in progress', async (t) => {
  const p = await busy();
  await p.act('kick', 1);
  await p.must('loginIM', 'fail');
  await p.act('loginKit');
  await p.act('hang');
  const page = await visit(t, p);
  await page.locator('.in-flight').waitFor();
  await page.screenshot({ path: join(pictures, 'in-flight.png') });
});

test('a picture on a phone', async (t) => {
  const page = await visit(t, await busy(), { viewport: { width: 390, height: 844 } });
  await reaches(page, 'kit_logged_in');
  await page.screenshot({ path: join(pictures, 'phone.png') });
});
