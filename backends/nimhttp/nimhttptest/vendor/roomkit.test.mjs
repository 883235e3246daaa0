// The vendor's RoomKit, used like in an app with NERoom, logs in at imreuse
// sandbox.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { hostIM, openPage, outcome } from './page.mjs';
import { appKey, dynamicToken, one, startSandbox, two } from './sandbox.mjs';

let sandbox;
before(async () => (sandbox = await startSandbox()));
after(() => sandbox.stop());

const scene = `/scene/apps/${appKey}/v1`;
const ok = { code: 0, message: 'success', data: null };
const loggedOut = 5; // the kit's number for this event

/** Opens a page and initialises its RoomKit, which reuses im if given. */
async function openRoomKit(t, { im, config = { serverUrl: sandbox.url }, key = appKey } = {}) {
  const page = await openPage(sandbox.url);
  t.after(() => page.close());
  const { resolved } = await outcome(page.roomKit.initialize({ appKey: key, im, ...config }));
  assert.deepEqual({ ...resolved }, ok);
  const events = [];
  const auth = page.roomKit.authService;
  auth.addAuthListener({ onAuthEvent: (event) => events.push(event) });
  return { page, auth, events };
}

/** Fails unless the rejection is the sandbox's complete envelope. */
function assertRefused({ rejected }, code) {
  const { msg, requestId, ts, cost, ...rest } = rejected;
  assert.deepEqual(rest, { code });
  assert.deepEqual([msg, requestId, ts, cost].map((value) => typeof value), ['string', 'string', 'number', 'string']);
}

test('login, reusing the IM login of the host', async (t) => {
  const { page, auth, events } = await openRoomKit(t, { im: hostIM(one.user) });
  assert.deepEqual({ ...(await auth.login(one.user, one.token)) }, ok);
  assert.equal(auth.isLoggedIn, true);
  assert.deepEqual(events, []);
  assert.deepEqual(page.sent, [`GET ${scene}/skuEnv`, `POST ${scene}/login`]);
});

test('login with the server of a serverConfig, without a request for the environment', async (t) => {
  const config = { serverConfig: { roomKitServerConfig: { roomServer: sandbox.url } } };
  const { page, auth } = await openRoomKit(t, { im: hostIM(one.user), config });
  assert.deepEqual({ ...(await auth.login(one.user, one.token)) }, ok);
  assert.deepEqual(page.sent, [`POST ${scene}/login`]);
});

test('login at a private deployment with a path in its address', async (t) => {
  const { page, auth } = await openRoomKit(t, { im: hostIM(one.user), config: { serverUrl: `${sandbox.url}/private/room` } });
  assert.deepEqual({ ...(await auth.login(one.user, one.token)) }, ok);
  assert.deepEqual(page.sent, [`GET /private/room${scene}/skuEnv`, `POST /private/room${scene}/login`]);
});

for (const method of ['loginByDynamicToken', 'loginByIM']) {
  test(`${method}, whose token the sandbox checks`, async (t) => {
    const { page, auth } = await openRoomKit(t, { im: hostIM(one.user) });
    assert.deepEqual({ ...(await auth[method](one.user, dynamicToken(one), one.imToken)) }, ok);
    assert.equal(auth.isLoggedIn, true);
    assert.equal(page.requests.at(-1).headers.authtype, '1');
    assert.deepEqual({ ...(await auth.renewToken(dynamicToken(one))) }, ok);
    for (const [token, code] of [[one.token, 402], [dynamicToken(two), 402], [dynamicToken(one, 60_000), 1026]]) {
      assertRefused(await outcome(auth[method](one.user, token, one.imToken)), code);
    }
  });
}

test('IM logged in with another account is 100005, after the server accepted the token', async (t) => {
  const { page, auth, events } = await openRoomKit(t, { im: hostIM(two.user) });
  assert.deepEqual(await outcome(auth.login(one.user, one.token)), { rejected: 100005 });
  assert.equal(auth.isLoggedIn, false);
  assert.deepEqual(events, []);
  assert.equal(page.sent.at(-1), `POST ${scene}/login`);
  assert.deepEqual({ ...(await auth.login(two.user, two.token)) }, ok);
});

test('IM without a connection is 100004, and a later login works', async (t) => {
  const im = hostIM(one.user);
  im.connected = false;
  const { auth, events } = await openRoomKit(t, { im });
  assert.deepEqual(await outcome(auth.login(one.user, one.token)), { rejected: 100004 });
  assert.equal(auth.isLoggedIn, false);
  assert.deepEqual(events, []);
  im.connected = true;
  assert.deepEqual({ ...(await auth.login(one.user, one.token)) }, ok);
});

for (const [name, user, token] of [
  ['a wrong token', one.user, 'wrong'],
  ["another user's token", one.user, two.token],
  ['the IM token', one.user, one.imToken],
  ['an unknown user', 'nobody', one.token],
]) {
  test(`${name} is 402, and the kit reports it in its events`, async (t) => {
    const { auth, events } = await openRoomKit(t, { im: hostIM(one.user) });
    assertRefused(await outcome(auth.login(user, token)), 402);
    assert.equal(auth.isLoggedIn, false);
    assert.deepEqual(events, [loggedOut, 402]);
    assert.deepEqual({ ...(await auth.login(one.user, one.token)) }, ok);
    assert.equal(auth.isLoggedIn, true);
  });
}

test('an AppKey that is not served is 404, without an auth event', async (t) => {
  const config = { serverConfig: { roomKitServerConfig: { roomServer: sandbox.url } } };
  const { auth, events } = await openRoomKit(t, { im: hostIM(one.user), key: 'app2', config });
  assertRefused(await outcome(auth.login(one.user, one.token)), 404);
  assert.deepEqual(events, []);
});

test('a token without a user is 401, without an auth event', async (t) => {
  const { auth, events } = await openRoomKit(t, { im: hostIM(one.user) });
  assertRefused(await outcome(auth.login('', one.token)), 401);
  assert.deepEqual(events, []);
});

test('renewToken', async (t) => {
  const { page, auth, events } = await openRoomKit(t, { im: hostIM(one.user) });
  await auth.login(one.user, one.token);
  assert.deepEqual({ ...(await auth.renewToken(one.token)) }, ok);
  assert.equal(page.sent.at(-1), `POST ${scene}/checkToken`);
  assert.equal(auth.isLoggedIn, true);
  assert.deepEqual(events, []);
});

test('a refused renewToken ends the login', async (t) => {
  const { page, auth, events } = await openRoomKit(t, { im: hostIM(one.user) });
  await auth.login(one.user, one.token);
  const { rejected } = await outcome(auth.renewToken('wrong'));
  assert.equal(rejected.code, 402);
  assert.equal(typeof rejected.message, 'string');
  assert.equal(page.sent.at(-1), `POST ${scene}/checkToken`);
  assert.equal(auth.isLoggedIn, false);
  assert.deepEqual(events, [loggedOut, 402]);
});

test('logout sends no request', async (t) => {
  const im = hostIM(one.user);
  const { page, auth, events } = await openRoomKit(t, { im });
  await auth.login(one.user, one.token);
  const before = page.sent.length;
  assert.deepEqual({ ...(await auth.logout()) }, ok);
  assert.equal(auth.isLoggedIn, false);
  assert.deepEqual(events, [loggedOut]);
  assert.equal(page.sent.length, before);
});

// The auth service has no anonymous login. The kit has the call in its request
// layer, which has no public name.
test('anonymous login in the request layer, and login as that guest', async (t) => {
  const im = hostIM(one.user);
  const { page, auth } = await openRoomKit(t, { im });
  const requests = page.roomKit._roomService._request;

  const guest = await requests.loginByAnonymousApi('');
  const other = await requests.loginByAnonymousApi('');
  assert.equal(page.sent.at(-1), `POST ${scene}/anonymous/login`);
  assert.equal(guest.imKey, appKey);
  assert.ok(guest.userUuid && guest.userToken && guest.imToken);
  assert.notEqual(guest.userUuid, other.userUuid);
  assert.notEqual(guest.userToken, other.userToken);

  assert.deepEqual(await outcome(auth.login(guest.userUuid, guest.userToken)), { rejected: 100005 });
  assertRefused(await outcome(auth.login(guest.userUuid, other.userToken)), 402);
  im.options.account = guest.userUuid;
  assert.deepEqual({ ...(await auth.login(guest.userUuid, guest.userToken)) }, ok);
  assert.equal(auth.isLoggedIn, true);
});

// Without the host's IM, the kit uses the IM SDK in its bundle. There is no IM
// cloud here. The SDK looks for one only at the addresses from skuEnv, with the
// account and the AppKey of the login reply.
test('the IM SDK of the kit looks for IM in the sandbox only', async (t) => {
  const { page, auth } = await openRoomKit(t);
  const login = outcome(auth.login(one.user, one.token));
  const { path } = await page.request(({ path }) => path.startsWith('/lbs/webconf'));
  const query = new URL(path, sandbox.url).searchParams;
  assert.equal(query.get('id'), one.user);
  assert.equal(query.get('k'), appKey);
  await page.request(({ path }) => path.startsWith('/socket.io/'));
  assert.equal(auth.isLoggedIn, false);
  assert.equal(await Promise.race([login, 'pending']), 'pending');
});

test('the page asks for permission to send the headers of the kit', async (t) => {
  const { page, auth } = await openRoomKit(t, { im: hostIM(one.user) });
  await auth.login(one.user, one.token);
  const { path, headers } = page.preflights.at(-1);
  assert.equal(path, `${scene}/login`);
  const asked = headers['access-control-request-headers'].toLowerCase().split(/, */);
  for (const name of ['appkey', 'clienttype', 'deviceid', 'roomkitver', 'token', 'user', 'versioncode']) {
    assert.ok(asked.includes(name), `${name} in ${asked}`);
  }
});
