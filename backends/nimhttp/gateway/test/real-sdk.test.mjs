// Tests with the vendor's SDK, against an IM cloud on loopback that a Go test
// starts:
//
//   IMREUSE_IM_LBS   the URL of its address service
//   IMREUSE_IM_LINK  its link server, as host:port
//   IMREUSE_IM_CTL   its controls: GET {ctl}/kick?account=&reason= and
//                    GET {ctl}/drop?account=
//
// The cloud has the account alice, with the token alice-token.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, spawnGateway, until } from '../testing/harness.mjs';

const { IMREUSE_IM_LBS: lbsUrl, IMREUSE_IM_LINK: linkAddr, IMREUSE_IM_CTL: ctl, NIM_SDK } = process.env;
const skip = lbsUrl && linkAddr ? false : 'IMREUSE_IM_LBS and IMREUSE_IM_LINK are not set';
const controlled = skip || (ctl ? false : 'IMREUSE_IM_CTL is not set');

const ALICE = { accid: 'alice', token: 'alice-token', owner: 'o1', timeoutMs: 20_000 };
const control = async (what) => assert.ok((await fetch(`${ctl}/${what}`)).ok, what);

async function start(t) {
  const gateway = spawnGateway(t, { NIM_SDK: NIM_SDK ?? '', IMREUSE_GATEWAY_LOG: 'log' });
  const call = client(await Promise.race([gateway.url, gateway.exit.then(({ stderr }) => Promise.reject(new Error(stderr)))]));
  await call('PUT', '/v1/im/a', { appKey: 'app1', lbsUrl, linkAddr, linkPlain: true });
  const login = (over) => call('POST', '/v1/im/a/login', { ...ALICE, ...over });
  // Returns the first later snapshot that meets the condition.
  const wait = async (condition, { seq }) => {
    for (let end = performance.now() + 20_000; performance.now() < end; ) {
      const { body } = await call('GET', `/v1/im/a?after=${seq}&waitMs=5000`);
      if (condition(body)) return body;
      seq = body.seq;
    }
    throw new Error('it did not come true');
  };
  return { ...gateway, call, login, wait };
}

test('real SDK: login, logout, login again', { skip }, async (t) => {
  const { call, login } = await start(t);
  const { body, text } = await login();
  assert.deepEqual([body.session, body.login, body.link], [1, 'logged_in', 'up'], text);
  const { body: out } = await call('POST', '/v1/im/a/logout');
  assert.deepEqual([out.session, out.login, out.ended], [0, 'logged_out', { session: 1 }]);
  assert.equal((await call('POST', '/v1/im/a/logout')).status, 200);
  assert.equal((await login()).body.session, 2);
});

test('real SDK: a wrong token', { skip }, async (t) => {
  const { login } = await start(t);
  const { status, body } = await login({ token: 'not-the-token' });
  assert.equal(status, 422);
  assert.ok([302, 102302].includes(body.code), body.code);
  assert.deepEqual([body.snapshot.session, body.snapshot.accid, body.snapshot.login], [0, '', 'logged_out']);
});

for (const reason of [1, 2, 3, 4]) {
  test(`real SDK: a kick with reason ${reason}`, { skip: controlled }, async (t) => {
    const { login, wait } = await start(t);
    const { body } = await login();
    await control(`kick?account=alice&reason=${reason}`);
    const after = await wait(({ session }) => session !== body.session, body);
    assert.deepEqual([after.session, after.ended.session, after.ended.kick.reason], [0, body.session, reason]);
  });
}

test('real SDK: the link drops and returns in the same session', { skip: controlled }, async (t) => {
  const { login, wait } = await start(t);
  const { body } = await login();
  await control('drop?account=alice');
  const down = await wait(({ link }) => link !== 'up', body);
  assert.equal(down.session, body.session);
  const up = await wait(({ link, login: status }) => link === 'up' && status === 'logged_in', down);
  assert.deepEqual([up.session, up.ended], [body.session, null]);
});

test('real SDK: the deadline', { skip }, async (t) => {
  const { login } = await start(t);
  const { status, body } = await login({ timeoutMs: 1 });
  assert.deepEqual([status, body.code, body.snapshot.login, body.snapshot.link], [422, 191005, 'logged_out', 'down']);
  assert.equal((await login()).body.session, 1);
});

test('real SDK: the end of stdin logs out, and no secret was printed', { skip }, async (t) => {
  const { child, call, login, exit } = await start(t);
  await login({ token: 'not-the-token' });
  const { body } = await login();
  const reader = call('GET', `/v1/im/a?after=${body.seq}&waitMs=30000`);
  await call('GET', '/v1/im/a');
  child.stdin.end();
  await until(async () => (await reader).body.ended);
  const { code, stdout, stderr } = await exit;
  assert.equal(code, 0);
  assert.notEqual(stderr, '');
  for (const secret of ['alice-token', 'not-the-token']) assert.ok(!(stdout + stderr).includes(secret), stderr);
});
