// The guide's steps with the vendor's real SDKs, in Chromium, against a sandbox.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { alice, bob } from './accounts.mjs';
import { cleanup, html, routes, serve, startBrowser, startSandbox } from './harness.mjs';

const suite = cleanup();
after(suite.run);
let browser, origin, sandbox;
before(async () => {
  browser = await startBrowser(suite);
  origin = await serve(suite, { ...routes, '/v1': () => html('/v1.js'), '/v2': () => html('/v2.js') });
  sandbox = await startSandbox(suite);
});

/** Opens a page with one of the SDKs and a loaded engine. */
async function open(sdk) {
  const opened = await browser.open(`${origin}/${sdk}`);
  await opened.page.waitForFunction(() => window.ready);
  await opened.page.evaluate((sandbox) => imreuse.load(sandbox), plain(sandbox));
  return opened;
}

const plain = ({ control, ...addresses }) => addresses;
const settle = (page, condition, ...args) => page.waitForFunction(condition, ...args);
const state = (page, state) => settle(page, (state) => imreuse.kit.status.state === state, state);
// A machine that is too busy to answer within 15 s gives -20014, after which a
// page tries again.
async function call(page, name, ...args) {
  for (let tries = 1; ; tries++) {
    const result = await page.evaluate(([name, args]) => imreuse.call(name, ...args), [name, args]);
    if (result.code !== -20014 || tries === 3) return result;
  }
}

// A page must not print a token, and nothing may go wrong in it unseen.
function clean({ lines, errors }) {
  assert.deepEqual(errors, []);
  const told = lines.filter((line) => /-token-of-/.test(line));
  assert.deepEqual(told, []);
}

// What a page does with either SDK: log in, log out, log in with a wrong token.
const hosts = {
  v1: {
    // The kit is of one instance, so this one is made first; it does not connect.
    prepare: (page) =>
      page.evaluate(({ accid }) => {
        imreuse.SDK = imreuse.engine.reuseIM(window.NIM);
        imreuse.nim = imreuse.SDK.getInstance(imreuse.v1({ account: accid, token: 'none', skipConnectionOnInitialize: true }));
        return imreuse.initialize(imreuse.nim);
      }, alice),
    login: (page, { accid, token }) =>
      page.evaluate(([account, token]) => void imreuse.SDK.getInstance(imreuse.v1({ account, token })), [accid, token]),
    logout: (page) => page.evaluate(() => imreuse.nim.disconnect()),
  },
  v2: {
    prepare: (page) =>
      page.evaluate(() => {
        imreuse.SDK = imreuse.engine.reuseIM(window.NIM); // the module, whose default is the class
        imreuse.nim = imreuse.SDK.getInstance(...imreuse.v2());
        return imreuse.initialize(imreuse.nim);
      }),
    login: (page, { accid, token }) =>
      page.evaluate(([accid, token]) => {
        imreuse.nim.V2NIMLoginService.login(accid, token, { retryCount: 0 }).catch(() => {});
      }, [accid, token]),
    logout: (page) => page.evaluate(() => imreuse.nim.V2NIMLoginService.logout()),
  },
};

for (const [sdk, host] of Object.entries(hosts)) {
  test(`${sdk}: the guide's steps, and what may happen afterwards`, async () => {
    const opened = await open(sdk);
    const { page } = opened;
    assert.deepEqual(await page.evaluate(() => imreuse.added), [], 'names that the engine added to the page');
    await host.prepare(page);

    const early = await call(page, 'loginByToken', alice.userUuid, alice.userToken);
    assert.deepEqual([early.error, early.code, early.op], [true, 100004, 'LoginKit']);
    assert.match(early.remedy, /Log IM in/);

    // The kit waits for the login that is in progress, and IM refuses it.
    await host.login(page, { ...alice, token: 'wrong' });
    assert.equal((await call(page, 'loginByToken', alice.userUuid, alice.userToken)).code, 100004);

    await host.login(page, alice);
    const other = await call(page, 'loginByToken', bob.userUuid, bob.userToken);
    assert.deepEqual([other.error, other.code], [true, 100005]);
    assert.equal((await call(page, 'loginByToken', alice.userUuid, 'wrong')).code, -20007);
    const reused = await call(page, 'loginByToken', alice.userUuid, alice.userToken);
    assert.deepEqual(
      [reused.state, reused.reused, reused.online, reused.accid, reused.userUuid],
      ['kit_logged_in', true, true, 'alice', 'kit-alice'],
    );
    assert.equal((await call(page, 'loginAnonymous')).code, -20005);

    // The kit's logout leaves IM alone.
    assert.equal((await call(page, 'logout')).state, 'im_logged_in');
    assert.equal((await call(page, 'loginAnonymous')).code, 112001);
    assert.equal((await call(page, 'loginByToken', alice.userUuid, alice.userToken)).session, reused.session);

    // A link that is down ends nothing.
    await sandbox.control('link', { accid: alice.accid, online: false });
    await settle(page, () => !imreuse.kit.status.online);
    await sandbox.control('link', { accid: alice.accid, online: true });
    await settle(page, () => imreuse.kit.status.online);
    const back = await page.evaluate(() => imreuse.kit.status);
    assert.deepEqual([back.state, back.session], ['kit_logged_in', reused.session]);

    await sandbox.control('kick', { accid: alice.accid, reason: 2 });
    await state(page, 'im_initialized');
    const kicked = await page.evaluate(() => imreuse.kit.status);
    assert.deepEqual([kicked.via, kicked.cause.code, kicked.cause.kick.reason], ['im_lost', -20012, 2]);

    await host.login(page, alice);
    const again = await call(page, 'loginByToken', alice.userUuid, alice.userToken);
    assert.equal(again.state, 'kit_logged_in');
    assert.notEqual(again.session, reused.session);
    await host.logout(page);
    await state(page, 'im_initialized');
    const loggedOut = await page.evaluate(() => imreuse.kit.status);
    assert.deepEqual([loggedOut.via, loggedOut.cause.code], ['im_lost', -20013]);

    // Each change came once and in order.
    const seqs = await page.evaluate(() => imreuse.changes.map(({ seq }) => seq));
    assert.deepEqual(seqs, seqs.map((_, i) => seqs[0] + i));

    const closed = await call(page, 'close');
    assert.deepEqual([closed.state, closed.via], ['uninitialized', 'close']);
    clean(opened);
    await opened.context.close();
  });

  test(`${sdk}: two pages of one account`, async () => {
    const [first, second] = [await open(sdk), await open(sdk)];
    for (const { page } of [first, second]) {
      await host.prepare(page);
      await host.login(page, alice);
      assert.equal((await call(page, 'loginByToken', alice.userUuid, alice.userToken)).state, 'kit_logged_in');
    }
    await state(first.page, 'im_initialized');
    const { cause } = await first.page.evaluate(() => imreuse.kit.status);
    assert.deepEqual([cause.code, cause.kick.reason], [-20012, 1]);
    assert.equal(await second.page.evaluate(() => imreuse.kit.status.state), 'kit_logged_in');
    for (const opened of [first, second]) {
      clean(opened);
      await opened.context.close();
    }
  });

  test(`${sdk}: an aborted kit login`, async () => {
    const opened = await open(sdk);
    const { page } = opened;
    await host.prepare(page);
    await host.login(page, alice);
    await sandbox.control('fault', { path: '/scene/apps/app1/v1/login', times: 1, delayMs: 30_000 });
    const [aborted] = await Promise.all([
      page.evaluate(async ({ userUuid, userToken }) => {
        const abort = new AbortController();
        imreuse.abort = () => abort.abort(new Error('the user left'));
        const error = await imreuse.kit.loginByToken(userUuid, userToken, { signal: abort.signal }).catch((error) => error);
        return [error instanceof imreuse.ImreuseError, error.code, error.cause.message, imreuse.kit.status.state];
      }, alice),
      page.waitForRequest(/\/v1\/login$/).then(() => page.evaluate(() => imreuse.abort())),
    ]);
    assert.deepEqual(aborted, [true, -1, 'the user left', 'im_logged_in']);
    clean(opened);
    await opened.context.close();
  });
}

test('v1: an instance that is logged in before the SDK is wrapped', async () => {
  const opened = await open('v1');
  const { page } = opened;
  await page.evaluate(({ accid, token }) => {
    const connected = new Promise((onconnect) => {
      imreuse.options = imreuse.v1({ account: accid, token, onconnect });
    });
    imreuse.first = window.NIM.getInstance(imreuse.options);
    return connected.then(() => {});
  }, alice);
  const same = await page.evaluate(async () => {
    const nim = imreuse.engine.reuseIM(window.NIM).getInstance(imreuse.options);
    await imreuse.initialize(nim);
    return nim === imreuse.first;
  });
  assert.equal(same, true);
  const { reused, online } = await call(page, 'loginByToken', alice.userUuid, alice.userToken);
  assert.deepEqual([reused, online], [true, true]);
  clean(opened);
  await opened.context.close();
});

test('an exception in a function of the page is reported, and harms nothing', async () => {
  const { page, context, errors } = await open('v2');
  const [states, seen] = await page.evaluate(async () => {
    const fail = (what) => () => {
      throw new Error(`thrown by ${what}`);
    };
    const kit = await imreuse.engine.initialize({ appKey: 'app1', mock: imreuse.engine.mock(), logger: fail('the logger') });
    const seen = [];
    kit.addEventListener('change', fail('the listener'));
    kit.addEventListener('change', ({ detail }) => seen.push(detail.state));
    const states = [await kit.loginByToken('myaccid', 'myUserToken'), await kit.close()].map(({ state }) => state);
    return [states, seen];
  });
  assert.deepEqual(states, ['kit_logged_in', 'uninitialized']);
  assert.deepEqual(seen.slice(0, 3), ['im_initialized', 'im_logged_in', 'kit_logged_in']);
  for (const what of ['the logger', 'the listener']) assert.ok(errors.some((error) => error.includes(`thrown by ${what}`)), `${what}: ${errors}`);
  await context.close();
});
