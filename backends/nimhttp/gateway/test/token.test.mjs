// Logins with dynamic tokens, for which the SDK asks each time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redact } from '../log.mjs';
import { fakeClock } from '../testing/clock.mjs';
import { LOGIN, makeSlot, never, turn, watch } from '../testing/harness.mjs';

const DYNAMIC = { ...LOGIN, token: 'the-first-token', dynamic: true };

const brief = ({ session, login, link, asks }) => `${session} ${login} ${link} ${asks}`;
const notOpen = (promise) => assert.rejects(promise, ({ kind, status }) => (assert.deepEqual([kind, status], ['no-such-question', 409]), true));
const option = (service) => service.calls.find(([name]) => name === 'login')[3];

// loggedIn is a slot in which alice holds a session with a dynamic token.
async function loggedIn(options) {
  const made = await makeSlot(options);
  const reply = made.slot.login(DYNAMIC, never());
  await turn();
  made.service().succeed();
  await reply;
  return made;
}

test('a dynamic token reaches the SDK as authType 1, by its provider alone', async () => {
  const { service } = await loggedIn();
  const [, accid, token, { authType, tokenProvider }] = service().calls[0];
  assert.deepEqual([accid, token, authType, typeof tokenProvider], ['alice', '', 1, 'function']);
});

test('a static token reaches the SDK as before', async () => {
  const { slot, service } = await makeSlot();
  const reply = slot.login(LOGIN, never());
  await turn();
  service().succeed();
  await reply;
  const [, accid, token, { authType, tokenProvider }] = service().calls[0];
  assert.deepEqual([accid, token, authType, tokenProvider], ['alice', 'by-hand', undefined, undefined]);
});

test("the login's own questions get the token of its body, and are not counted", async () => {
  const { slot, service } = await makeSlot();
  const reply = slot.login(DYNAMIC, never());
  await turn();
  for (let attempt = 0; attempt < 4; attempt++) {
    assert.equal(await option(service()).tokenProvider(), 'the-first-token');
    assert.equal('asks' in slot.snapshot, false);
    service().failAttempt();
  }
  service().succeed();
  assert.equal('asks' in (await reply), false);
});

test('a reconnect asks, with the link up and nobody logged in, until it is answered', async () => {
  const { slot, service } = await loggedIn();
  let token;
  const seen = await watch(slot, async () => {
    service().drop();
    await turn();
    token = service().reconnectWithToken();
    await turn();
    const { asks } = slot.snapshot;
    const reply = await slot.answer({ asks, token: 'a-fresh-token' });
    assert.equal(brief(reply), '1 logging_in up undefined');
    await turn();
  });
  assert.equal(await token, 'a-fresh-token');
  assert.deepEqual(seen.map(brief), ['1 backing_off waiting undefined', '1 logging_in up 1', '1 logged_in up undefined']);
});

test('the number grows with each question, over slots too', async () => {
  const one = await loggedIn();
  const oneService = one.service();
  const two = await loggedIn({ run: one.run });
  const numbers = [];
  for (const [slot, service] of [[one.slot, oneService], [two.slot, two.service()], [one.slot, oneService]]) {
    service.drop();
    const asked = service.reconnectWithToken();
    await turn();
    numbers.push(slot.snapshot.asks);
    await slot.answer({ asks: numbers.at(-1), token: 'a-fresh-token' });
    await asked;
  }
  assert.deepEqual(numbers, [1, 2, 3]);
});

test('without a token, the reconnect fails, and the session holds and asks again', async () => {
  const { slot, service } = await loggedIn();
  service().drop();
  const asked = service().reconnectWithToken();
  await turn();
  await slot.answer({ asks: 1 });
  assert.equal(await asked, null);
  assert.equal(brief(slot.snapshot), '1 backing_off waiting undefined');
  const again = service().reconnectWithToken();
  await turn();
  assert.equal(brief(slot.snapshot), '1 logging_in up 2');
  await slot.answer({ asks: 2, token: 'a-fresh-token' });
  assert.equal(await again, 'a-fresh-token');
});

test('an answer is given up after 15 s', async (t) => {
  const clock = fakeClock(t);
  const { slot, service } = await loggedIn();
  service().drop();
  const asked = service().reconnectWithToken();
  await turn();
  clock.tick(14_999);
  await turn();
  assert.equal(slot.snapshot.asks, 1);
  clock.tick(1);
  assert.equal(await asked, null);
  assert.equal(brief(slot.snapshot), '1 backing_off waiting undefined');
  await notOpen(slot.answer({ asks: 1, token: 'too-late' }));
});

test('a question that is not open is a 409', async () => {
  const { slot, service } = await loggedIn();
  await notOpen(slot.answer({ asks: 1, token: 'unasked' }));
  service().drop();
  const asked = service().reconnectWithToken();
  await turn();
  for (const asks of [2, 99]) await notOpen(slot.answer({ asks, token: 'of-another' }));
  await slot.answer({ asks: 1, token: 'a-fresh-token' });
  await notOpen(slot.answer({ asks: 1, token: 'again' }));
  assert.equal(await asked, 'a-fresh-token');
});

const ENDS = {
  'a link that drops': ({ service }) => service().drop(),
  'a kick': ({ service }) => service().kick(),
  'a logout': ({ slot }) => slot.logout(),
  'a release': ({ slot }) => slot.release(),
  'the end of the run': ({ slot }) => slot.close(),
};
for (const [name, end] of Object.entries(ENDS)) {
  test(`${name} closes the question, and has no other cause for that`, async () => {
    const made = await loggedIn();
    const { slot, service } = made;
    service().drop();
    service().reconnectWithToken();
    await turn();
    assert.equal(slot.snapshot.asks, 1);
    await end(made);
    await turn();
    assert.equal(slot.snapshot?.asks, undefined);
    assert.equal(slot.snapshot?.ended?.error, undefined);
    await assert.rejects(slot.answer({ asks: 1, token: 'too-late' }));
  });
}

test('an answer does not wait in the queue of the slot', async () => {
  const { slot, service } = await loggedIn();
  service().drop();
  const asked = service().reconnectWithToken();
  await turn();
  let go;
  service().logoutWaits = new Promise((resolve) => (go = resolve));
  const out = slot.logout();
  await turn();
  await slot.answer({ asks: 1, token: 'a-fresh-token' });
  assert.equal(await asked, 'a-fresh-token');
  go();
  assert.equal((await out).session, 0);
});

test('the token that a login has now is the one that it may be asked for again with', async () => {
  const { slot, service } = await loggedIn();
  service().drop();
  const asked = service().reconnectWithToken();
  await turn();
  await slot.answer({ asks: 1, token: 'a-fresh-token' });
  await asked;
  assert.equal((await slot.login({ ...DYNAMIC, token: 'a-fresh-token' }, never())).session, 1);
  for (const other of [DYNAMIC, { ...DYNAMIC, token: 'a-fresh-token', dynamic: false }]) {
    const before = slot.snapshot.session;
    const reply = slot.login(other, never());
    await turn();
    await turn();
    service().succeed();
    assert.equal((await reply).session, before + 1);
  }
});

test('the tokens of a login are hidden, the last two of them', async () => {
  const { slot, service, nim } = await loggedIn();
  for (let asks = 1; asks <= 3; asks++) {
    service().drop();
    const asked = service().reconnectWithToken();
    await turn();
    await slot.answer({ asks, token: `fresh-token-${asks}` });
    await asked;
  }
  assert.equal(redact('fresh-token-1 fresh-token-2 fresh-token-3'), 'fresh-token-1 [hidden] [hidden]');
  await slot.release();
  assert.ok(nim().destroyed);
  assert.equal(redact('fresh-token-2 fresh-token-3'), 'fresh-token-2 fresh-token-3');
});
