// The page of "imreuse play" in a real Chromium. The tests also make pictures for
// people to look at; docs/play.png and docs/play.zh-CN.png are two of them.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { group, lab, outcomes, picture, press, reaches, shows, story, visit, wantAccessible } from './lab.mjs';

const stories = {
  auto_login: { outcomes: 'done done done done done done failed', state: 'im_logged_in' },
  reuse: { outcomes: 'done failed done done done done failed', state: 'im_logged_in' },
  mismatch: { outcomes: 'done done done failed done done', state: 'kit_logged_in' },
  kick: { outcomes: 'done done done done login lost failed done done', state: 'kit_logged_in' },
};

test('the four stories run at a click, one after the other', async (t) => {
  const page = await visit(t, await lab());
  for (const [name, want] of Object.entries(stories)) {
    await story(page, name).click();
    assert.equal((await outcomes(page)).join(' '), want.outcomes, name);
    await reaches(page, want.state);
    await wantAccessible(page);
  }
});

test('a mismatch in both languages, light and dark', async (t) => {
  const page = await visit(t, await lab(), { viewport: { width: 1280, height: 940 } });
  await page.route('**/play/create_kit_account', () => {}); // no reply, so the story stays there
  await story(page, 'mismatch').click();
  await page.locator('.steps .badge').nth(3).waitFor();
  for (const language of ['English', '中文']) {
    await page.getByRole('button', { name: language }).click();
    await page.locator('#result table').waitFor();
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await wantAccessible(page);
      await picture(page, `mismatch-${language === 'English' ? 'en' : 'zh'}-${colorScheme}`);
    }
  }
});

test('a story in Chinese', async (t) => {
  const page = await visit(t, await lab(), { locale: 'zh-CN', colorScheme: 'dark' });
  await story(page, 'kick').click();
  assert.equal((await outcomes(page)).join(' '), '成功 成功 成功 成功 登录失效 失败 成功 成功');
  await wantAccessible(page);
});

test('a story can be stopped, and another one started in its place', async (t) => {
  const page = await visit(t, await lab('60s'));
  await story(page, 'kick').click();
  await page.locator('.steps .badge').first().waitFor();
  await page.locator('.steps button').focus();
  await page.keyboard.press('Enter');
  assert.equal((await outcomes(page)).length, 1);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.story), 'kick', 'where the focus is after Stop');
  await story(page, 'kick').click();
  await page.locator('.steps .badge').first().waitFor();
  await story(page, 'mismatch').click(); // before the other one has ended
  await page.locator('.steps h3', { hasText: 'Mismatch' }).waitFor();
  await page.locator('.steps .badge').first().waitFor();
  assert.ok(await page.locator('.steps .bar button').isVisible(), 'the story that was started last still runs');
  await page.getByRole('button', { name: '中文' }).click();
  await page.locator('.steps h3', { hasText: '账号不匹配' }).waitFor();
  assert.deepEqual(await page.locator('.steps .badge').allTextContents(), ['成功']);
  assert.ok(await page.locator('.steps .bar button').isVisible(), 'the story goes on in the other language');
});

test('a kick, while one watches', async (t) => {
  const page = await visit(t, await lab());
  await page.getByRole('radio', { name: /reuse_im/ }).check();
  await shows(page, 'The switch is a field of the kit');
  await press(page, 'Initialise');
  await press(page, 'Log in');
  await shows(page, 'The engine did not see this login.');
  await page.getByText('The IM client is logged in as alice.').waitFor();
  await press(page, 'LoginKit');
  await reaches(page, 'kit_logged_in');
  await shows(page, 'The kit reuses the app’s IM login.');
  await group(page, 'The service').getByLabel('Reason').selectOption('2');
  await press(page, 'Kick');
  await reaches(page, 'im_initialized');
  await shows(page, 'it was kicked by the server');
  await shows(page, 'None of the kits has a number of its own for this.');
  await page.locator('#entries').getByText('IM login lost').waitFor();
  await page.getByText('Nobody is logged in to the IM client.').waitFor();
  await picture(page, 'kick');
});

test('what the vendor’s kits give stands beside the ladder', async (t) => {
  const page = await visit(t, await lab());
  await page.getByRole('radio', { name: /reuse_im/ }).check();
  await page.locator('.fact-mode').getByText('reuse_im').waitFor();
  await press(page, 'LoginKit');
  await shows(page, 'IM reuse is on and the host has not logged IM in');
  assert.deepEqual(await page.locator('#result td').allTextContents(), ['100004', '100004', '1801', '−6', '−3']);
  await shows(page, 'The vendor’s guides, G27');
  const [ladder, result] = [await page.locator('.ladder').boundingBox(), await page.locator('#result').boundingBox()];
  assert.ok(result.x > ladder.x + ladder.width && result.y < ladder.y + ladder.height, 'the last act is not beside the ladder');
});

test('acts reach the engine in the order of the clicks', async (t) => {
  const page = await visit(t, await lab());
  let arrived;
  const held = new Promise((resolve) => { arrived = resolve; });
  await page.route('**/play/setup', arrived);
  await page.getByRole('radio', { name: /reuse_im/ }).check();
  const setup = await held;
  const sent = [];
  page.on('request', (request) => sent.push(new URL(request.url()).pathname));
  await press(page, 'LoginKit');
  await page.evaluate(() => fetch('play/panel.json'));
  assert.ok(!sent.includes('/play/login_kit'), 'the login overtook the new mode');
  await setup.continue();
  await shows(page, 'IM reuse is on and the host has not logged IM in');
});

test('a new mode means a new engine', async (t) => {
  const page = await visit(t, await lab());
  for (const mode of ['reuse_im', 'auto_login', 'auto_detect']) {
    await page.getByRole('radio', { name: new RegExp(mode) }).check();
    await page.locator('.fact-mode').getByText(mode).waitFor();
  }
  await press(page, 'LoginKit');
  await reaches(page, 'kit_logged_in');
  await page.getByRole('checkbox', { name: 'the app hands out fresh tokens' }).check();
  await reaches(page, 'uninitialized');
  await press(page, 'LoginKit');
  await reaches(page, 'kit_logged_in');
  await press(page, 'Expire the kit’s token');
  await page.locator('#entries').getByText('Kit token renewed').waitFor();
  await reaches(page, 'kit_logged_in');
});

test('a call hangs, and is released', async (t) => {
  const page = await visit(t, await lab());
  const trouble = group(page, 'Trouble');
  await trouble.getByLabel('Call').selectOption('Authenticate');
  await press(page, 'Hang');
  await page.getByText('Authenticate hangs.').waitFor();
  await press(page, 'LoginKit');
  await page.getByText('Running: LoginKit').waitFor();
  await page.locator('.in-flight').waitFor();
  await wantAccessible(page);
  await picture(page, 'hang');
  await page.locator('.plans button').focus();
  await page.keyboard.press('Enter');
  await reaches(page, 'kit_logged_in');
  await shows(page, 'LoginKit: the bound account');
  await page.getByText('Running: LoginKit').waitFor({ state: 'detached' });
  assert.equal(await page.locator('.plans li').count(), 0);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SELECT', 'where the focus is after the release');
});

test('a logout ends a login that hangs, and a reset ends everything', async (t) => {
  const page = await visit(t, await lab());
  await group(page, 'Trouble').getByLabel('Call').selectOption('Authenticate');
  await press(page, 'Hang');
  await press(page, 'LoginKit');
  await page.getByText('Running: LoginKit').waitFor();
  await press(page, 'LogoutKit');
  await page.locator('#result').getByText('Before that').click();
  // The login or the logout ended last.
  await page.locator('#result .badge.failed').waitFor();
  for (let i = 0; i < 10; i++) await press(page, 'LoginKit'); // more than a browser has connections
  await page.getByText('Running: LoginKit, LoginKit').waitFor();
  await press(page, 'Reset everything');
  await page.locator('.running:empty').waitFor({ state: 'attached' });
  assert.equal(await page.locator('.plans li').count(), 0);
  await press(page, 'LoginKit');
  await reaches(page, 'kit_logged_in');
});

test('a call fails once', async (t) => {
  const page = await visit(t, await lab());
  const trouble = group(page, 'Trouble');
  await trouble.getByLabel('Failure').selectOption({ label: 'token expired' });
  await press(page, 'Fail the next one');
  await page.getByText('The next LoginKit fails: token expired.').waitFor();
  await press(page, 'LoginKit');
  await shows(page, 'the token has expired');
  assert.equal(await page.locator('.plans li').count(), 0);
  await press(page, 'LoginKit');
  await reaches(page, 'kit_logged_in');
});

test('both languages, by the browser and by a switch', async (t) => {
  const at = await lab();
  const page = await visit(t, at, { locale: 'zh-CN' });
  await group(page, '服务端').getByRole('button', { name: '踢下线' }).click();
  await shows(page, '本设备上没有登录 IM');
  const chinese = await page.locator('#hand legend').allTextContents();
  await page.getByRole('button', { name: 'English' }).click();
  await shows(page, 'Nobody is logged in to IM on this device');
  const english = await page.locator('#hand legend').allTextContents();
  assert.equal(english.length, chinese.length);
  english.forEach((text, i) => {
    assert.notEqual(text, chinese[i]);
    assert.match(chinese[i], /\p{Script=Han}/u);
    assert.doesNotMatch(text, /\p{Script=Han}/u);
  });
  assert.doesNotMatch(await page.locator('#controls, #extension').allTextContents().then((all) => all.join('')), /\p{Script=Han}|undefined|\[object/u);
});

test('the keyboard alone', async (t) => {
  const page = await visit(t, await lab());
  const places = () => page.evaluate(() => {
    const radios = new Set();
    return [...document.querySelectorAll('#controls button, #hand :is(button, select, input)')]
      .filter((element) => element.checkVisibility())
      .filter((element) => element.type !== 'radio' || (!radios.has(element.name) && radios.add(element.name))).length;
  });
  const reached = new Set();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    const key = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element.closest('#controls, #hand')) return '';
      const outline = getComputedStyle(element);
      if (outline.outlineStyle === 'none' || parseFloat(outline.outlineWidth) < 2) return `no outline: ${element.outerHTML}`;
      return String([...document.querySelectorAll('#controls *, #hand *')].indexOf(element));
    });
    assert.doesNotMatch(key, /^no outline/);
    if (key) reached.add(key);
  }
  assert.equal(reached.size, await places(), 'the controls that Tab reaches');

  await page.getByRole('radio', { name: /auto_detect/ }).focus();
  await page.keyboard.press('ArrowDown');
  await page.locator('.fact-mode').getByText('reuse_im').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.value), 'reuse_im', 'where the focus is after the change');
  await story(page, 'mismatch').focus();
  await page.keyboard.press('Enter');
  await outcomes(page);
  await reaches(page, 'kit_logged_in');
});

test('two pages share the engine', async (t) => {
  const at = await lab();
  const [one, other] = [await visit(t, at), await visit(t, at)];
  await one.getByRole('radio', { name: /auto_login/ }).check();
  await press(one, 'LoginKit');
  await reaches(other, 'kit_logged_in');
  await shows(other, 'LoginKit: the bound account');
  assert.ok(await other.getByRole('radio', { name: /auto_login/ }).isChecked());
});

test('the page survives a restart of the server, and says if it is gone', async (t) => {
  const at = await lab();
  const page = await visit(t, at, { mayFail: true });
  await press(page, 'LoginKit');
  await reaches(page, 'kit_logged_in');
  await at.restart();
  await page.locator('#feed[data-state=live]').waitFor();
  await press(page, 'InitIM');
  await reaches(page, 'im_initialized');
  await at.stop();
  await press(page, 'InitIM');
  await page.getByRole('alert').getByText('The server does not answer.').waitFor();
  await wantAccessible(page);
});

test('accessible on a phone', async (t) => {
  const page = await visit(t, await lab(), { viewport: { width: 390, height: 844 } });
  await story(page, 'reuse').click();
  await outcomes(page);
  await wantAccessible(page);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page is wider than the screen');
  await picture(page, 'phone', { fullPage: true });
});
