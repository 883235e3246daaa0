// The vendor's public meeting kit, with its RoomKit underneath, logs in at
// imreuse sandbox. The tests call it like its Electron app does, so all of it
// runs, including its user interface.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { hostIM, openPage, outcome } from './page.mjs';
import { appKey, one, startSandbox, two } from './sandbox.mjs';

let sandbox;
before(async () => (sandbox = await startSandbox()));
after(() => sandbox.stop());

const room = `/scene/apps/${appKey}/v1`;
const meeting = `/scene/meeting/${appKey}/v1`;

/** Opens a page whose meeting kit uses the sandbox and config. */
async function openMeetingKit(t, config) {
  const page = await openPage(sandbox.url);
  t.after(() => page.close());
  const { code } = await page.meetingKit('', 'initialize', { appKey, serverUrl: sandbox.url, ...config });
  assert.equal(code, 0);
  return page;
}

const login = (page, user, token) => outcome(page.meetingKit('NEMeetingAccountService', 'loginByToken', user, token));

test('login, reusing the IM login of the host', async (t) => {
  const page = await openMeetingKit(t, { im: hostIM(one.user) });
  const { resolved } = await login(page, one.user, one.token);
  assert.equal(resolved.code, 0);
  assert.equal(resolved.data.userUuid, one.user);
  assert.equal(resolved.data.userToken, one.token);
  assert.deepEqual(page.sent, [`GET ${meeting}/config`, `GET ${meeting}/account/info`, `POST ${room}/login`]);
  assert.equal(page.roomKit.authService.isLoggedIn, true);

  assert.equal((await page.meetingKit('NEMeetingAccountService', 'logout')).code, 0);
  assert.equal(page.roomKit.authService.isLoggedIn, false);
});

test('IM logged in with another account is 100005', async (t) => {
  const page = await openMeetingKit(t, { im: hostIM(two.user) });
  assert.deepEqual(await login(page, one.user, one.token), { rejected: 100005 });
  assert.equal(page.sent.at(-1), `POST ${room}/login`);
});

test('IM without a connection is 100004, and a later login works', async (t) => {
  const im = hostIM(one.user);
  im.connected = false;
  const page = await openMeetingKit(t, { im });
  assert.deepEqual(await login(page, one.user, one.token), { rejected: 100004 });
  im.connected = true;
  assert.equal((await login(page, one.user, one.token)).resolved.code, 0);
});

test('a wrong token is 402, from the account information, which the kit requests first', async (t) => {
  const page = await openMeetingKit(t, { im: hostIM(one.user) });
  const { rejected } = await login(page, one.user, 'wrong');
  assert.equal(rejected.code, 402);
  assert.equal(page.sent.at(-1), `GET ${meeting}/account/info`);
  assert.equal((await login(page, one.user, one.token)).resolved.code, 0);
});

const joinAnonymously = (page) =>
  page.meetingKit('NEMeetingService', 'anonymousJoinMeeting', { meetingNum: '123456789', displayName: 'guest' }, {});

test('anonymous join while IM is reused does not reach the server', async (t) => {
  const page = await openMeetingKit(t, { im: hostIM(one.user) });
  await joinAnonymously(page);
  assert.deepEqual(page.sent, [`GET ${meeting}/config`]);
});

// The join gets as far as the IM login. There is no IM cloud here, so it never
// gets to the meeting.
test('anonymous join makes a guest and logs in as that guest', async (t) => {
  const imServerConfig = { lbs: `${sandbox.url}/lbs/webconf`, link: new URL(sandbox.url).host, linkSslWeb: false };
  const page = await openMeetingKit(t, { serverConfig: { imServerConfig } });
  const joined = outcome(joinAnonymously(page));
  const { path } = await page.request(({ path }) => path.startsWith('/lbs/webconf'));
  const guest = new URL(path, sandbox.url).searchParams.get('id');
  const [config, anonymous, login] = page.requests;
  assert.deepEqual(page.sent.slice(0, 3), [`GET ${meeting}/config`, `POST ${room}/anonymous/login`, `POST ${room}/login`]);
  assert.equal(config.headers.user, '');
  assert.equal(anonymous.headers.user, '');
  assert.equal(login.headers.user, guest);
  assert.ok(guest && login.headers.token);
  assert.equal(await Promise.race([joined, 'pending']), 'pending');
});
