// The page in a real browser.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { axeSource } from '../../internal/browsertest/chromium.mjs';
import { program, reaches, state, visit } from './program.mjs';

const rows = (page, kind) => page.locator(`#entries .entry${kind ? `.${kind}` : ''}`);
const first = (page, kind) => rows(page, kind).first();

test('a kick while one watches', async (t) => {
  const p = await program('reuse_im');
  await p.must('init', 'loginIM', 'loginKit');
  const page = await visit(t, p);
  await reaches(page, 'kit_logged_in');
  assert.match(await page.locator('.fact-login').innerText(), /your app’s/);
  assert.match(await page.locator('.fact-kit').innerText(), /kit-of-alice\s*reused\s*since \d\d:\d\d:\d\d \(/);
  await p.act('kick', 1);
  await reaches(page, 'im_initialized');
  assert.equal(await page.locator('svg.ladder').getAttribute('data-floor'), 'im_initialized');
  const lost = first(page, 'transition');
  assert.match(await lost.innerText(), /IM login lost.*kit_logged_in → im_initialized/s);
  assert.match(await lost.innerText(), /−20012.*the service ended the IM login/s);
  await lost.locator('summary').click();
  assert.match(await lost.innerText(), /kicked by a login on another device.*Tell the user, and log in again only when they ask/s);
  assert.match(await page.locator('.fact-im').innerText(), /nobody/);
  await page.locator('#said', { hasText: 'chat: IM is initialised' }).waitFor({ state: 'attached' });
});

test('link, call in progress, and a failure with everything that is known', async (t) => {
  const p = await program('reuse_im');
  await p.must('init', 'loginIM', 'loginKit');
  const page = await visit(t, p);
  await p.must('linkDown');
  await page.locator('.fact-link .lamp.bad').waitFor();
  await p.must('linkUp');
  await page.locator('.fact-link .lamp.good').waitFor();
  await p.must('logoutKit', 'hang');
  await page.locator('.rung.flying[data-state=kit_logged_in]').waitFor();
  assert.match(await page.locator('.in-flight').textContent(), /LoginKit/);
  assert.match(await page.getByRole('img', { name: /State: IM is logged in\. Floor: IM is logged in\. In progress: LoginKit/ }).getAttribute('class'), /ladder/);
  await p.must('release');
  await reaches(page, 'kit_logged_in');
  await p.must('logoutKit', 'fail');
  assert.match(await p.act('loginKit'), /cannot be reached/);
  const failure = first(page, 'failure');
  await failure.waitFor();
  const text = await failure.innerText();
  for (const part of ['LoginKit failed', 'in Authenticate', '−20014', 'the service cannot be reached', 'dial tcp 10.0.0.7:443', 'Check the network',
    'NEMeetingKit', '100003', 'NERoom', 'RoomKit 1.x', '–', 'could contain a token']) {
    assert.ok(text.includes(part), `${part} is not in ${text}`);
  }
  assert.ok(!(await page.content()).includes('s3cr3t'));
});

test('10,000 events: the page neither grows nor lags', async (t) => {
  const p = await program('auto_login');
  await p.must('init');
  const page = await visit(t, p);
  await page.evaluate(() => {
    window.most = 0;
    window.slowest = 0;
    let last = performance.now();
    const look = (now) => {
      window.most = Math.max(window.most, document.getElementsByTagName('*').length);
      window.slowest = Math.max(window.slowest, now - last);
      last = now;
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  for (let n = 0; n < 10; n++) assert.equal(await p.act('burst', 100), ''); // 1,000 cycles of ten entries each
  await p.act('kick', 2);
  await p.must('loginIM');
  await first(page, 'transition').filter({ hasText: 'im_initialized → im_logged_in' }).waitFor();
  assert.equal(await rows(page).count(), 500);
  assert.match(await first(page).locator('time').innerText(), /\d\d:\d\d:\d\d\.\d{3}/);
  const { most, slowest } = await page.evaluate(() => ({ most: window.most, slowest: window.slowest }));
  assert.ok(most < 9000, `${most} elements`);
  t.diagnostic(`most elements: ${most}, longest time between two frames: ${Math.round(slowest)} ms`);
  await page.locator('#filter').fill('im_logged_in → im_initialized'); // it still answers
  await page.locator('#count', { hasText: / of 500 entries/ }).waitFor();
});

test('what comes from a server is text, never markup', async (t) => {
  const p = await program('reuse_im');
  await p.must('hostile');
  const page = await visit(t, p);
  await page.locator('#engines button', { hasText: '<script>' }).click();
  await reaches(page, 'kit_logged_in');
  assert.match(await page.locator('.fact-kit').innerText(), /<img src=x onerror="window.hacked=1">/);
  assert.match(await first(page, 'transition').innerText(), /<script>window.hacked=1<\/script>/);
  assert.match(await first(page, 'transition').innerText(), /<img src=x/);
  assert.equal(await page.locator('main img, main script, main b[onmouseover]').count(), 0);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.ok(!(await page.content()).includes('onmouseover'));
  assert.ok(!(await page.content()).includes('t0k3n'));
});

test('several engines, and one that is closed', async (t) => {
  const p = await program('reuse_im');
  await p.must('init', 'hostile');
  const page = await visit(t, p);
  const buttons = page.locator('#engines button');
  assert.deepEqual(await buttons.evaluateAll((list) => list.map((b) => b.getAttribute('aria-pressed'))), ['true', 'false']);
  assert.equal(await state(page), 'im_initialized');
  await buttons.nth(1).focus();
  await page.keyboard.press('Enter');
  await reaches(page, 'kit_logged_in');
  assert.ok(await buttons.nth(1).evaluate((b) => b === document.activeElement), 'the focus is lost');
  await p.must('closeOthers');
  await page.locator('#engines small', { hasText: 'closed' }).waitFor();
  await page.locator('#facts .notice', { hasText: 'This engine was closed at' }).waitFor();
  await p.must('loginIM');
  assert.equal(await state(page), 'uninitialized');
});

test('Chinese by the browser’s language, and the switch', async (t) => {
  const p = await program('reuse_im');
  await p.act('loginKit');
  const page = await visit(t, p, { locale: 'zh-CN' });
  await first(page, 'failure').waitFor();
  const text = await page.locator('body').innerText();
  for (const part of ['状态阶梯', '未初始化', 'IM 由应用登录，组件复用该登录', 'LoginKit 失败', '已开启 IM 复用，但 IM 未登录', '请先用绑定的 IM 账号登录 IM', '暂停', '下载 NDJSON']) {
    assert.ok(text.includes(part), `${part} is not in ${text}`);
  }
  assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
  await page.getByRole('button', { name: 'English' }).click();
  assert.match(await page.locator('body').innerText(), /LoginKit failed.*IM reuse is on and the host has not logged IM in.*Log IM in with the bound account/s);
  assert.equal(await page.locator('html').getAttribute('lang'), 'en');
  await page.reload();
  await page.getByRole('heading', { name: 'Ladder' }).waitFor(); // it remembers
});

test('filter, pause and download', async (t) => {
  const p = await program('auto_login');
  await p.must('init', 'loginKit');
  const page = await visit(t, p);
  await reaches(page, 'kit_logged_in');
  await page.locator('#count', { hasText: '10 entries' }).waitFor();
  await page.getByLabel('Calls').uncheck();
  await page.locator('#count', { hasText: '4 of 10 entries' }).waitFor();
  await page.getByLabel('Filter').fill('LOGIN_');
  await page.locator('#count', { hasText: '2 of 10 entries' }).waitFor();
  await page.getByLabel('Filter').fill('no such thing');
  await page.getByText('No entry matches the filter.').waitFor();
  await page.getByLabel('Filter').fill('');
  await page.getByRole('button', { name: 'Pause' }).click();
  await p.must('logoutKit');
  await page.getByRole('button', { name: 'Resume (4 new)' }).waitFor();
  assert.equal(await rows(page, 'transition').count(), 3);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download NDJSON' }).click()]);
  assert.match(file.suggestedFilename(), /^imreuse-[\d-]+T[\d-]+\.ndjson$/);
  const lines = (await readFile(await file.path(), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines.map((entry) => [entry.kind, entry.trigger]), [['watch', undefined], ['transition', 'init_im'], ['transition', 'login_im'], ['transition', 'login_kit']]);
  await page.getByRole('button', { name: /^Resume/ }).click();
  await page.locator('#count', { hasText: '6 of 14 entries' }).waitFor();
  assert.match(await first(page, 'transition').innerText(), /IM logged out/);
});

test('Last-Event-ID after the server was restarted, and while it was away', async (t) => {
  const p = await program('auto_login');
  await p.must('init', 'loginKit');
  const page = await visit(t, p);
  await reaches(page, 'kit_logged_in');
  await p.must('stop');
  await page.locator('#feed[data-state=reconnecting]').waitFor();
  assert.equal(await page.locator('#feed').innerText(), 'Connection lost, trying again …');
  await p.must('start', 'init');
  await reaches(page, 'im_initialized');
  const gap = rows(page, 'gap');
  await gap.waitFor();
  assert.equal(await gap.count(), 1);
  assert.match(await gap.innerText(), /The program was restarted/);
  const all = await rows(page).evaluateAll((list) => list.map((row) => row.className.split(' ')[1]));
  const at = all.indexOf('gap');
  assert.deepEqual(all.slice(0, at), ['transition', 'call', 'call', 'watch'], 'the new run is above the gap, and whole');
  assert.ok(all.length - at > 9, 'the old run is still below it');
});

test('by keyboard alone', async (t) => {
  const p = await program('auto_login');
  await p.must('init');
  const page = await visit(t, p);
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.value || document.activeElement.textContent);
  const path = [];
  for (let n = 0; n < 10; n++) {
    await page.keyboard.press('Tab');
    path.push(await focused());
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, 'none', `${path.at(-1)} does not show its focus`);
  }
  assert.deepEqual(path, ['Skip to the story', 'English', '中文', 'pause', 'download', 'filter', 'transition', 'call', 'failure', 'other']);
  await page.keyboard.press('Space');
  await page.locator('#count', { hasText: 'of 4 entries' }).waitFor();
  await page.reload();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => location.hash), '#story');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'pause', 'the skip link leads to the story');
});

test('axe-core finds nothing, in both languages, light and dark', async (t) => {
  const p = await program('reuse_im');
  await p.act('loginKit');
  await p.must('hostile', 'init', 'loginIM', 'loginKit', 'linkDown', 'linkUp');
  await p.act('kick', 1);
  await p.must('loginIM', 'linkDown', 'hang');
  const page = await visit(t, p);
  await page.locator('.in-flight').waitFor();
  await page.evaluate(await axeSource());
  const backgrounds = new Set();
  for (const language of ['English', '中文']) {
    await page.getByRole('button', { name: language }).click();
    await page.getByRole('button', { name: language, pressed: true }).waitFor();
    await page.locator('.entry.failure', { hasText: language === 'English' ? 'LoginKit failed' : 'LoginKit 失败' }).first().waitFor();
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      backgrounds.add(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor));
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target}: ${n.failureSummary}`).join('\n')}`), [], `${language}, ${colorScheme}`);
    }
  }
  assert.equal(backgrounds.size, 2, 'light and dark differ');
});
