// What a host hears from the vendor's real SDKs, without imreuse, with it, and
// with an SDK that was wrapped twice. All three must be the same.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { alice } from './accounts.mjs';
import { cleanup, html, routes, serve, startBrowser, startSandbox } from './harness.mjs';

const suite = cleanup();
after(suite.run);
let browser, origin, sandboxes;
before(async () => {
  browser = await startBrowser(suite);
  origin = await serve(suite, { ...routes, '/v1': () => html('/v1.js'), '/v2': () => html('/v2.js') });
  // One for each recording, because they run at the same time and log the same
  // account in.
  sandboxes = await Promise.all([0, 1, 2].map(() => startSandbox(suite)));
});

const { accid, token, userUuid, userToken } = alice;

// What each SDK tells at the end of a login, of a sync, and so on.
const sdks = {
  v1: { loggedIn: 'onsyncdone', dropped: 'onwillreconnect', ended: 'ondisconnect', refused: 'ondisconnect, replaced', syncs: 1 },
  v2: { loggedIn: 'onDataSync', dropped: 'onDisconnected', ended: 'onKickedOffline', refused: 'refused', syncs: 2 },
};

/** A host's day: login, a cut link, a kick, login, logout, a wrong token. */
async function record(sdk, wraps) {
  const names = sdks[sdk];
  const sandbox = sandboxes[wraps];
  const opened = await browser.open(`${origin}/${sdk}`);
  const { page } = opened;
  await page.waitForFunction(() => window.ready);
  const { control, ...addresses } = sandbox;
  await page.evaluate(
    async ([sdk, wraps, addresses]) => {
      await imreuse.load(addresses);
      const Real = sdk === 'v1' ? window.NIM : window.NIM.default;
      let SDK = Real;
      for (let i = 0; i < wraps; i++) SDK = imreuse.engine.reuseIM(SDK);
      imreuse.host = sdk === 'v1' ? new imreuse.HostV1(SDK, Real) : new imreuse.HostV2(SDK, Real, imreuse.v2());
    },
    [sdk, wraps, addresses],
  );
  const login = (token) => page.evaluate(([account, token]) => imreuse.host.login(imreuse.v1({ account, token })), [accid, token]);
  const heard = (name, times) => page.waitForFunction(([name, times]) => imreuse.count(name) >= times, [name, times]);
  const kit = (call, ...args) => (wraps > 0 ? page.evaluate(([call, args]) => imreuse.call(call, ...args), [call, args]) : undefined);
  const settled = (times) => heard(names.loggedIn, times * names.syncs);

  await login(token);
  if (wraps > 0) await page.evaluate(() => imreuse.initialize(imreuse.host.nim));
  await settled(1);
  assert.equal((await kit('loginByToken', userUuid, userToken))?.reused, wraps > 0 ? true : undefined);
  await sandbox.control('end-im', { accid, cause: 'ErrUnavailable' });
  await heard(names.dropped, 1);
  await settled(2);
  await sandbox.control('kick', { accid, reason: 2 });
  await heard(names.ended, 1);
  await login(token);
  await settled(3);
  if (sdk === 'v1') await page.evaluate(() => imreuse.host.change());
  await kit('loginByToken', userUuid, userToken);
  await page.evaluate(() => imreuse.host.logout());
  await heard(sdk === 'v1' ? 'ondisconnect, replaced' : 'logged out', 1);
  if (wraps > 0) assert.equal(await page.evaluate(() => imreuse.kit.status.via), 'im_lost', 'the kit hears of the logout, too');
  await login('a wrong token');
  await heard(names.refused, sdk === 'v1' ? 2 : 1);
  const unchanged = await page.evaluate(() => imreuse.host.check());
  const facts = await page.evaluate(() => imreuse.host.facts());
  await kit('close');
  const all = await page.evaluate(() => imreuse.heard);
  assert.deepEqual(opened.errors, []);
  await opened.context.close();
  return { unchanged, facts, heard: all };
}

for (const [sdk, { loggedIn }] of Object.entries(sdks)) {
  test(`${sdk}: a host hears the same with imreuse`, async () => {
    const [{ unchanged: ignored, ...expected }, ...others] = await Promise.all([0, 1, 2].map((wraps) => record(sdk, wraps)));
    const logins = expected.heard.filter(([name]) => name === loggedIn).length;
    assert.ok(logins >= 3 && expected.heard.length >= 15, JSON.stringify(expected.heard));
    for (const [i, { unchanged, ...seen }] of others.entries()) {
      assert.deepEqual(seen, expected, `wrapped ${i + 1} times`);
      assert.equal(unchanged, true, 'the options are as the host made them');
    }
  });
}
