import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Run } from '../state.mjs';
import { fakeClock } from '../testing/clock.mjs';
import { CONFIGURATION, LOGIN, makeSlot, never, turn, watch } from '../testing/harness.mjs';

const rejects = (promise, kind, code) =>
  assert.rejects(promise, (error) => (assert.deepEqual([error.kind, error.extra?.code], [kind, code]), true));

const brief = ({ session, login, link }) => `${session} ${login} ${link}`;

// loggedIn returns a slot in which alice is logged in.
async function loggedIn(options) {
  const made = await makeSlot(options);
  const reply = made.slot.login(LOGIN, never());
  await turn();
  made.service().succeed();
  await reply;
  return made;
}

test('a session begins only when the login has succeeded', async () => {
  const { slot, service } = await makeSlot();
  const seen = await watch(slot, async () => {
    const reply = slot.login(LOGIN, never());
    await turn();
    service().connect();
    await turn();
    service().set(1, 1); // LOGINED, but the promise has not resolved yet
    await turn();
    assert.equal(slot.snapshot.session, 0);
    service().settle();
    assert.equal((await reply).session, 1);
  });
  assert.deepEqual(seen.map(brief), ['0 logging_in up', '0 logged_in up', '1 logged_in up']);
  const { accid, owner, ended, appKey } = slot.snapshot;
  assert.deepEqual({ accid, owner, ended, appKey }, { accid: 'alice', owner: 'o1', ended: null, appKey: 'app1' });
});

test('failures before a success do not decide the login', async () => {
  const { slot, service } = await makeSlot();
  const reply = slot.login(LOGIN, never());
  await turn();
  for (let attempt = 0; attempt < 3; attempt++) service().failAttempt();
  service().succeed();
  const { session, ended } = await reply;
  assert.deepEqual({ session, ended }, { session: 1, ended: null });
});

test('a refused login leaves no accid behind', async () => {
  const { slot, service } = await makeSlot();
  const reply = slot.login(LOGIN, never());
  await turn();
  service().refuse();
  await rejects(reply, 'login-failed', 102302);
  const { session, accid, owner, login, link, ended } = slot.snapshot;
  assert.deepEqual([session, accid, owner, login, link, ended], [0, '', '', 'logged_out', 'down', null]);
});

test('an exception without a code is a failure with code 0', async () => {
  const { slot, service } = await makeSlot();
  const reply = slot.login(LOGIN, never());
  await turn();
  service().settle(new Error('thrown by a provider'));
  await rejects(reply, 'login-failed', 0);
});

test('a link that drops and returns keeps its session', async () => {
  const { slot, service } = await loggedIn();
  const seen = await watch(slot, async () => {
    service().drop();
    await turn();
    service().reconnect();
  });
  assert.deepEqual(seen.map(brief), ['1 backing_off waiting', '1 logged_in up']);
});

for (const reason of [1, 2, 3, 4]) {
  test(`a kick with reason ${reason} is published once, with its details`, async () => {
    const { slot, service } = await loggedIn();
    const seen = await watch(slot, () => service().kick(reason));
    assert.deepEqual(seen.map(brief), ['0 logged_out down']);
    const kick = { reason, reasonDesc: 'kicked', clientType: 4, customClientType: 0 };
    assert.deepEqual(seen[0].ended, { session: 1, kick });
  });
}

test('nothing is published within the turn of a kick', async () => {
  const { slot, service } = await loggedIn();
  const before = slot.snapshot;
  service().kick();
  assert.equal(slot.snapshot, before);
  await turn();
  assert.equal(slot.snapshot.seq, before.seq + 1);
});

test('a token revoked during an outage ends the session with its code', async () => {
  const { slot, service } = await loggedIn();
  service().drop();
  const seen = await watch(slot, () => service().refuse());
  assert.deepEqual(seen.map(brief), ['1 logging_in up', '0 logged_out down']);
  assert.deepEqual(seen[1].ended, { session: 1, error: { code: 102302, message: 'invalid token' } });
});

test('failed reconnects are not the cause of a later logout', async () => {
  const { slot, service } = await loggedIn();
  service().drop();
  service().failAttempt();
  service().reconnect();
  await slot.logout();
  assert.deepEqual(slot.snapshot.ended, { session: 1 });
});

test('a kick before the success is reported fails the login and keeps its cause', async () => {
  const { slot, service } = await makeSlot();
  const reply = slot.login(LOGIN, never());
  await turn();
  service().succeed();
  service().kick(2);
  await rejects(reply, 'login-failed', 192003);
  assert.equal(slot.snapshot.session, 0);
  assert.equal(slot.snapshot.ended.kick.reason, 2);
  await turn();
  assert.equal(slot.snapshot.ended.kick.reason, 2);
});

test('logging out twice is fine', async () => {
  const { slot } = await loggedIn();
  assert.deepEqual((await slot.logout()).ended, { session: 1 });
  assert.equal((await slot.logout()).session, 0);
});

test('session numbers continue across slots', async () => {
  const run = new Run('boot-1');
  const first = await loggedIn({ run });
  await first.slot.logout();
  const second = await loggedIn({ run });
  assert.equal(second.slot.snapshot.session, 2);
  assert.ok(second.slot.snapshot.seq > first.slot.snapshot.seq);
});

test('the same account with the same token is logged in once, by its first owner', async () => {
  const { slot, service } = await loggedIn();
  const { session, owner } = await slot.login({ ...LOGIN, owner: 'o2' }, never());
  assert.deepEqual({ session, owner }, { session: 1, owner: 'o1' });
  assert.equal(service().calls.filter(([name]) => name === 'login').length, 1);
});

test('the same account with another token is logged out first', async () => {
  const { slot, service } = await loggedIn();
  const seen = await watch(slot, async () => {
    const reply = slot.login({ ...LOGIN, token: 'renewed', owner: 'o2' }, never());
    await turn();
    await turn();
    await turn();
    service().succeed();
    assert.equal((await reply).owner, 'o2');
  });
  assert.deepEqual(seen[0].ended, { session: 1 });
  assert.equal(seen.at(-1).session, 2);
});

test('another account is refused while one is logged in', async () => {
  const { slot, service } = await loggedIn();
  const calls = service().calls.length;
  await rejects(slot.login({ ...LOGIN, accid: 'bob' }, never()), 'other-account');
  assert.equal(slot.snapshot.accid, 'alice');
  assert.equal(service().calls.length, calls);
});

test('another configuration is refused while somebody is logged in, and accepted afterwards', async () => {
  const { slot, nim } = await loggedIn();
  const before = nim();
  await rejects(slot.init({ ...CONFIGURATION, appKey: 'app2' }), 'other-configuration');
  assert.equal(nim(), before);
  await slot.init(CONFIGURATION);
  assert.equal(nim(), before);
  await slot.logout();
  assert.equal((await slot.init({ ...CONFIGURATION, appKey: 'app2' })).appKey, 'app2');
  assert.notEqual(nim(), before);
  assert.ok(before.destroyed);
});

test('calls queue', async () => {
  const { slot, service } = await makeSlot();
  const first = slot.login(LOGIN, never());
  const second = slot.login({ ...LOGIN, accid: 'bob' }, never());
  const out = slot.logout();
  const third = slot.login({ ...LOGIN, accid: 'carol' }, never());
  await turn();
  assert.deepEqual(service().calls.map(([, accid]) => accid), ['alice']);
  service().succeed();
  assert.equal((await first).accid, 'alice');
  await rejects(second, 'other-account');
  assert.equal((await out).session, 0);
  await turn();
  service().succeed();
  assert.equal((await third).accid, 'carol');
});

test('a login whose request is closed is logged out', async () => {
  const { slot, service } = await makeSlot();
  const gone = new AbortController();
  const reply = slot.login(LOGIN, gone.signal);
  await turn();
  service().connect();
  gone.abort();
  await rejects(reply, 'login-failed', 191002);
  assert.equal(service().status, 0);
});

test('a login whose request is closed in the queue is never started', async () => {
  const { slot, service } = await makeSlot();
  const gone = new AbortController();
  const first = slot.login(LOGIN, never());
  const second = slot.login({ ...LOGIN, token: 'other' }, gone.signal);
  await turn();
  gone.abort();
  service().succeed();
  await first;
  await rejects(second, 'login-failed', 191002);
  assert.equal(slot.snapshot.session, 1);
});

test('a login whose reply is lost is logged out, and a later session is not', async () => {
  const { slot, service } = await makeSlot();
  const gone = new AbortController();
  const reply = slot.login(LOGIN, gone.signal);
  await turn();
  service().succeed();
  await reply;
  gone.abort();
  await turn();
  await turn();
  assert.deepEqual(slot.snapshot.ended, { session: 1 });

  const again = new AbortController();
  const second = slot.login(LOGIN, again.signal);
  await turn();
  service().succeed();
  await second;
  await slot.logout();
  const third = slot.login(LOGIN, never());
  await turn();
  service().succeed();
  await third;
  again.abort();
  await slot.init(CONFIGURATION); // queued behind the logout that the abort may have caused
  assert.equal(slot.snapshot.session, 3);
});

test('the deadline logs out, and includes the time in the queue', async (t) => {
  const clock = fakeClock(t);
  const { slot, service } = await makeSlot();
  const first = slot.login({ ...LOGIN, timeoutMs: 3000 }, never());
  const second = slot.login({ ...LOGIN, timeoutMs: 2000 }, never());
  await turn();
  const used = service();
  used.connect();
  assert.ok(used.calls[0][3].timeout > 3000);
  clock.tick(2999);
  await turn();
  assert.equal(used.status, 2);
  clock.tick(1);
  await rejects(first, 'login-failed', 191005);
  await rejects(second, 'login-failed', 191005);
  assert.deepEqual(used.calls.map(([name]) => name), ['login', 'logout']);
  assert.notEqual(service(), used); // the old client's socket may close late
  assert.deepEqual(service().calls, []);
  assert.equal(slot.snapshot.login, 'logged_out');
});

test('a client of the SDK that does not finish its logout is replaced', async (t) => {
  const clock = fakeClock(t);
  const { slot, service, nim } = await loggedIn();
  const stuck = nim();
  service().logoutWaits = new Promise(() => {});
  const out = slot.logout();
  await turn();
  clock.tick(5000);
  assert.deepEqual((await out).ended, { session: 1 });
  assert.notEqual(nim(), stuck);
  stuck.V2NIMLoginService.drop(); // its events are ignored now
  assert.equal(slot.snapshot.login, 'logged_out');
});

test('a reader gets a reply at the end of its wait', async (t) => {
  const clock = fakeClock(t);
  const { slot } = await makeSlot();
  const { seq } = slot.snapshot;
  const reply = slot.read({ after: seq, waitMs: 30_000 }, never());
  await turn();
  clock.tick(30_000);
  assert.equal((await reply).seq, seq);
});

test('a reader with a number of another run gets a reply at once', async () => {
  const { slot } = await makeSlot();
  assert.equal((await slot.read({ after: 999_999, waitMs: 30_000 }, never())).boot, 'boot-1');
});

test('the lease runs while there is no call', async (t) => {
  const clock = fakeClock(t);
  const { slot, service, nim, emptied } = await loggedIn({ lease: 1000 });
  const { seq } = slot.snapshot;
  const reader = slot.read({ after: seq, waitMs: 30_000 }, never());
  await turn();
  clock.tick(29_999);
  await turn();
  assert.equal(slot.snapshot.session, 1); // there was a call all the time
  clock.tick(1);
  await reader;
  clock.tick(999);
  await turn();
  assert.equal(slot.snapshot.session, 1);
  clock.tick(1);
  for (let turns = 0; turns < 10; turns++) await turn();
  assert.equal(slot.snapshot, null);
  assert.equal(service().status, 0);
  assert.ok(nim().destroyed);
  assert.equal(emptied(), 1);
});

test('a reader that has gone does not count as a call', async (t) => {
  const clock = fakeClock(t);
  const { slot } = await makeSlot({ lease: 1000 });
  const gone = new AbortController();
  const reply = slot.read({ after: slot.snapshot.seq, waitMs: 30_000 }, gone.signal);
  await turn();
  gone.abort();
  await reply;
  clock.tick(1000);
  for (let turns = 0; turns < 10; turns++) await turn();
  assert.equal(slot.snapshot, null);
});

test('a lease of 0 never ends', async (t) => {
  const clock = fakeClock(t);
  const { slot } = await loggedIn();
  clock.tick(2 ** 31);
  await turn();
  assert.equal(slot.snapshot.session, 1);
});

test('a release ends the waiting reads, and the slot is gone', async () => {
  const { slot } = await loggedIn();
  const seen = await watch(slot, async () => assert.deepEqual((await slot.release()).ended, { session: 1 }));
  assert.deepEqual(seen.map((next) => next.ended ?? next), [{ session: 1 }, 'no-such-slot']);
  await rejects(slot.logout(), 'no-such-slot');
  await rejects(slot.login(LOGIN, never()), 'not-initialised');
  await rejects(slot.read({ after: -1, waitMs: 0 }, never()), 'no-such-slot');
  assert.equal((await slot.init(CONFIGURATION)).ended, null);
});

test('closing gives up the login in progress', async () => {
  const { slot, service } = await makeSlot();
  const reply = slot.login(LOGIN, never());
  const queued = slot.login(LOGIN, never());
  await turn();
  service().connect();
  const closed = slot.close();
  await rejects(reply, 'closing');
  await rejects(queued, 'closing');
  await closed;
  assert.equal(service().status, 0);
  assert.equal(slot.snapshot, null);
});

test('a kick during a logout is reported', async () => {
  const { slot, service } = await loggedIn();
  const kicked = service();
  let go;
  kicked.logoutWaits = new Promise((resolve) => (go = resolve));
  const out = slot.logout();
  await turn();
  kicked.kick(3);
  go();
  assert.equal((await out).ended.kick.reason, 3);
});

test('a lease that ends while the slot is busy spares a login made meanwhile', async (t) => {
  const clock = fakeClock(t);
  const { slot, service } = await makeSlot({ lease: 1000 });
  const gone = new AbortController();
  const reply = slot.login(LOGIN, gone.signal);
  await turn();
  service().succeed();
  await reply;
  let go;
  service().logoutWaits = new Promise((resolve) => (go = resolve));
  gone.abort(); // the gateway logs out by itself
  await turn();
  clock.tick(1000);
  const reader = slot.read({ after: slot.snapshot.seq, waitMs: 30_000 }, never());
  go();
  assert.deepEqual((await reader).ended, { session: 1 });
  const again = slot.read({ after: slot.snapshot.seq, waitMs: 30_000 }, never());
  for (let turns = 0; turns < 10; turns++) await turn();
  assert.notEqual(slot.snapshot, null);
  await slot.release();
  await assert.rejects(again, { kind: 'no-such-slot' });
});
