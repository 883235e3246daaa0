// The API of the package over a mock, in Node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImreuseError, Kit, load } from '../dist/imreuse.mjs';
import { accounts, alice, appKey, bob } from './accounts.mjs';

const imreuse = await load();
const mocked = (options) => {
  const mock = imreuse.mock(accounts);
  return imreuse.initialize({ appKey, mock, ...options }).then((kit) => ({ mock, kit }));
};
const login = (kit, { userUuid, userToken } = alice, options) => kit.loginByToken(userUuid, userToken, options);
const failure = (promise) => promise.then(() => assert.fail('it succeeded'), (error) => error);

/** A promise, and the functions that settle it. */
function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  return d;
}

test('the three modes', async () => {
  for (const [mode, code, reused] of [['auto_detect', 0, false], ['auto_login', 0, false], ['reuse_im', 100004]]) {
    const { kit } = await mocked({ mode });
    const result = await login(kit).catch((error) => error);
    assert.deepEqual([result.code ?? 0, result.reused], [code, reused], mode);
    await kit.close();
  }
  const { mock, kit } = await mocked();
  await mock.hostLogin(alice.accid, alice.token);
  assert.equal((await login(kit)).reused, true, 'auto_detect reuses a login');
  await kit.close();
});

test('a status is frozen, and stays the same object until it changes', async () => {
  const { mock, kit } = await mocked();
  assert.ok(kit instanceof Kit && kit instanceof EventTarget);
  assert.deepEqual({ ...kit.status }, {
    seq: 0, state: 'uninitialized', via: '', floor: 'uninitialized', online: false, reused: false, anonymous: false, expired: false,
  });
  assert.equal(kit.status, kit.status);
  const status = await login(kit);
  assert.equal(status, kit.status);
  assert.match(status.session, /^[0-9a-f-]{36}$/);
  assert.throws(() => (status.state = 'x'), TypeError);
  mock.kick(alice.accid, 3);
  assert.ok(Object.isFrozen(kit.status.cause.kick));
  assert.equal(kit.status.cause.kick.reason, 3);
  await kit.close();
});

test('every call by itself', async () => {
  const { mock, kit } = await mocked();
  const states = [];
  kit.addEventListener('change', ({ detail }) => states.push([detail.via, detail.state]));
  await kit.initIM();
  await kit.loginIM(alice);
  await login(kit);
  mock.link(false);
  assert.equal(kit.status.online, false);
  mock.link(true);
  await kit.renewToken(alice.userUuid, alice.userToken);
  assert.equal((await kit.logout()).state, 'im_logged_in');
  assert.equal((await kit.logoutIM()).state, 'im_initialized');
  assert.equal((await kit.loginAnonymous()).anonymous, true);
  mock.hostLogout();
  const closed = await kit.close();
  assert.deepEqual([closed.state, closed.via], ['uninitialized', 'close']);
  assert.equal(kit.status, closed);
  assert.deepEqual(states.map(([via]) => via).filter((via, i, all) => via !== all[i - 1]).slice(0, 5),
    ['init_im', 'login_im', 'login_kit', 'logout_kit', 'logout_im']);
});

test('failures', async () => {
  const { kit } = await mocked({ mode: 'reuse_im' });
  const early = await failure(login(kit));
  assert.ok(early instanceof ImreuseError && early instanceof Error);
  assert.equal(early.name, 'ImreuseError');
  assert.deepEqual([early.code, early.op, early.call, early.in('meeting'), early.in('desktop')], [100004, 'LoginKit', '', 100004, 1801]);
  assert.match(early.message, /the host has not logged IM in/);
  assert.match(early.remedy, /^Log IM in/);
  assert.equal(String(early), `ImreuseError: ${early.message}`);
  assert.throws(() => early.in('fax'), RangeError);
  const anonymous = await failure(kit.loginAnonymous());
  assert.equal(anonymous.code, 112001);

  for (const [what, promise] of Object.entries({
    'a number': kit.loginByToken(5, 'token'),
    'no account': kit.loginByToken('', ''),
    'no accid': kit.loginIM(),
    'a mode': imreuse.initialize({ appKey, mock: imreuse.mock(), mode: 'reuse' }),
    'no app key': imreuse.initialize({ mock: imreuse.mock() }),
    'no im': imreuse.initialize({ appKey }),
    'no options': imreuse.initialize(),
    'an im of somebody else': imreuse.initialize({ appKey, im: {} }),
    'an im that is no object': imreuse.initialize({ appKey, im: 'nim' }),
    'a mock of somebody else': imreuse.initialize({ appKey, mock: {} }),
    'a mode that is a number': imreuse.initialize({ appKey, mock: imreuse.mock(), mode: 1 }),
    'a kit server that is no text': imreuse.initialize({ appKey, im: imreuse.hostIM(), kitURL: { href: 'https://example.com' } }),
    'a device that is a number': imreuse.initialize({ appKey, im: imreuse.hostIM(), deviceId: 7 }),
    'a logger that is no function': imreuse.initialize({ appKey, mock: imreuse.mock(), logger: {} }),
    'a token that is not fetched': imreuse.initialize({ appKey, mock: imreuse.mock(), kitToken: 'token' }),
    'a kit server without TLS, as a URL': imreuse.initialize({ appKey, im: imreuse.hostIM(), kitURL: new URL('http://example.com') }),
    'a kit server without TLS': imreuse.initialize({ appKey, im: imreuse.hostIM(), kitURL: 'http://example.com' }),
  })) {
    const error = await failure(promise);
    assert.ok(error instanceof ImreuseError && error.code === -20003, `${what}: ${error}`);
  }
  for (const call of [() => imreuse.reuseIM({}), () => imreuse.reuseIM(), () => imreuse.hostIM({ login: true }), () => imreuse.mock('{')]) {
    assert.throws(call, (error) => error instanceof ImreuseError && error.code === -20003);
  }

  await kit.close();
  for (const call of [login(kit), kit.logout(), kit.initIM()]) assert.equal((await failure(call)).code, -20001, 'closed');
  assert.equal((await kit.close()).state, 'uninitialized', 'closed again');
});

test('no token is in an error or in the log', async () => {
  const lines = [];
  const { mock, kit } = await mocked({ logger: (level, message, fields) => lines.push([level, message, JSON.stringify(fields)]) });
  const error = await failure(kit.loginByToken(alice.userUuid, 'a-wrong-token'));
  await login(kit);
  mock.expire(alice.userUuid);
  mock.kick(alice.accid, 2);
  await kit.close();
  assert.equal(error.code, -20007);
  assert.ok(lines.length > 3 && lines.every(([level]) => ['debug', 'info', 'warn', 'error'].includes(level)));
  const text = [JSON.stringify(error), error.stack, error.remedy, ...lines.flat()].join('\n');
  for (const token of ['a-wrong-token', alice.token, alice.userToken]) assert.ok(!text.includes(token), text);
});

test('watch: the status now, each change in order, and an end', async () => {
  const { mock, kit } = await mocked();
  const seen = [];
  const all = (async () => {
    for await (const status of kit.watch()) seen.push(status);
  })();
  const abort = new AbortController();
  const some = (async () => {
    for await (const { state } of kit.watch({ signal: abort.signal })) if (state === 'kit_logged_in') abort.abort();
    return 'ended by the signal';
  })();
  const first = (async () => {
    for await (const { state } of kit.watch()) return state;
  })();
  assert.equal(await first, 'uninitialized');
  await login(kit);
  assert.equal(await some, 'ended by the signal');
  mock.kick(alice.accid, 2);
  const { seq } = await kit.close();
  await all;
  assert.deepEqual(seen.map((status) => status.seq), Array.from({ length: seq + 1 }, (_, i) => i));
  assert.deepEqual(seen.map(({ state }) => state).slice(0, 4), ['uninitialized', 'im_initialized', 'im_logged_in', 'kit_logged_in']);
  const late = [];
  for await (const { via } of kit.watch()) late.push(via);
  assert.deepEqual(late, ['close'], 'a watch of a closed kit has the last status');
  for await (const status of kit.watch({ signal: AbortSignal.abort() })) assert.fail(status.state);
});

test('watch: return does not wait for a change', async () => {
  const { kit } = await mocked();
  const watch = kit.watch();
  assert.equal((await watch.next()).value.seq, 0);
  const waiting = watch.next();
  assert.deepEqual(await watch.return('over'), { value: 'over', done: true });
  assert.equal((await waiting).done, true);
  await login(kit);
  assert.equal((await watch.next()).done, true);
  assert.deepEqual(await kit.watch(null).return(), { value: undefined, done: true });
  await kit.close();
});

test('a watcher that is too slow sees a gap', async () => {
  const { mock, kit } = await mocked();
  await login(kit);
  const watch = kit.watch();
  const { value: first } = await watch.next();
  for (let i = 0; i < 200; i++) mock.link(i % 2 === 1);
  await kit.renewToken(alice.userUuid, alice.userToken); // meanwhile the changes arrive
  const { value: next } = await watch.next();
  assert.ok(next.seq > first.seq + 1, `${first.seq} and then ${next.seq}`);
  await watch.return();
  await kit.close();
});

// A client of the page's whose functions the test settles.
function slowIM() {
  const calls = { init: deferred(), login: deferred(), logout: deferred() };
  const asked = {};
  const client = Object.fromEntries(
    Object.keys(calls).map((name) => [name, (call) => {
      asked[name] = call;
      calls[name].started?.();
      return calls[name].promise;
    }]),
  );
  const started = (name) => new Promise((resolve) => (calls[name].started = resolve));
  return { calls, asked, started, im: imreuse.hostIM(client) };
}

test('hostIM: the engine logs the page’s own IM client in', async () => {
  const { calls, asked, im } = slowIM();
  const kit = await imreuse.initialize({ appKey, im, mock: imreuse.mock(accounts) });
  calls.init.resolve();
  calls.login.resolve();
  calls.logout.resolve();
  const { reused, accid } = await login(kit);
  assert.deepEqual([reused, accid], [false, 'alice']);
  const { signal, ...account } = asked.login;
  assert.deepEqual(account, { appKey, accid: 'alice', token: alice.token });
  assert.ok(signal instanceof AbortSignal && !signal.aborted);
  assert.equal(asked.init.appKey, appKey);
  await kit.logout();
  assert.ok(asked.logout.signal instanceof AbortSignal);
  await kit.close();
});

test('hostIM: a login of the page’s own, and how it ends', async () => {
  const im = imreuse.hostIM();
  const kit = await imreuse.initialize({ appKey, im, mock: imreuse.mock(accounts), mode: 'reuse_im' });
  for (const [end, code, reason] of [
    [{ reason: 2, text: 'bye' }, -20012, 2],
    [{ code: -20008 }, -20008],
    [{ code: 4711, text: 'says the SDK' }, 0],
    [{ code: 'kicked', reason: 'serverKick' }, 0], // as version 9 of the SDK says it
    [{ code: 1.5, reason: Infinity, text: 5 }, 0],
    [{ code: null }, -20013],
    [null, -20013],
    [undefined, -20013],
  ]) {
    im.loggingIn();
    const waiting = login(kit);
    im.loggedIn({ accid: 'alice' });
    im.link(true);
    assert.equal((await waiting).online, true);
    im.link(false);
    assert.equal(kit.status.online, false);
    im.loggedOut(end);
    assert.deepEqual([kit.status.state, kit.status.cause.code, kit.status.cause.kick?.reason], ['im_initialized', code, reason]);
  }
  await kit.close();
});

test('hostIM: what a client’s rejection means', async () => {
  const { calls, im } = slowIM();
  calls.init.resolve();
  calls.logout.resolve();
  calls.login.reject(Object.assign(new Error(`the token ${alice.token} is wrong`), { code: -20007 }));
  const kit = await imreuse.initialize({ appKey, im, mock: imreuse.mock(accounts) });
  const error = await failure(login(kit));
  assert.deepEqual([error.code, error.call], [-20007, 'LoginIM']);
  assert.ok(!error.message.includes(alice.token));
  await kit.close();
});

test('a signal ends every call', async () => {
  const why = new Error('the user left');
  const isAborted = (error) => {
    assert.ok(error instanceof ImreuseError);
    assert.deepEqual([error.code, error.cause], [-1, why]);
    return error;
  };
  const { kit } = await mocked();
  const options = { signal: AbortSignal.abort(why) };
  for (const [name, ...args] of [
    ['loginByToken', alice.userUuid, alice.userToken], ['keep', alice.userUuid, alice.userToken], ['renewToken', alice.userUuid, alice.userToken],
    ['loginAnonymous'], ['logout'], ['initIM'], ['loginIM', alice], ['logoutIM'],
  ]) {
    isAborted(await failure(kit[name](...args, options)));
  }
  assert.equal(kit.status.state, 'uninitialized');
  const { signal } = new AbortController();
  assert.equal((await login(kit, alice, { signal })).state, 'kit_logged_in', 'a signal that is not aborted');
  await kit.close();
  await assert.rejects(load(options), why);
  await assert.rejects(imreuse.initialize({ appKey, mock: imreuse.mock(), ...options }), (error) => Boolean(isAborted(error)));
});

test('a signal ends a call in progress, and the page’s client is told', async () => {
  const { calls, asked, started, im } = slowIM();
  calls.init.resolve();
  calls.logout.resolve();
  const kit = await imreuse.initialize({ appKey, im, mock: imreuse.mock(accounts) });
  const abort = new AbortController();
  const begun = started('login');
  const waiting = failure(login(kit, alice, abort));
  await begun;
  abort.abort(new Error('the user left'));
  const error = await waiting;
  assert.deepEqual([error.code, error.cause.message, asked.login.signal.aborted], [-1, 'the user left', true]);
  calls.login.resolve(); // too late: nobody waits for it
  assert.notEqual(kit.status.state, 'kit_logged_in');
  await kit.close();
});

test('token sources', async () => {
  const asked = [];
  const { kit } = await mocked({
    async kitToken(userUuid, refused, { signal }) {
      asked.push([userUuid, refused, signal instanceof AbortSignal]);
      return refused ? alice.userToken : 'an-old-token';
    },
  });
  assert.equal((await kit.loginByToken(alice.userUuid)).state, 'kit_logged_in');
  assert.deepEqual(asked, [['kit-alice', '', true], ['kit-alice', 'an-old-token', true]]);
  await kit.close();

  const begun = deferred();
  const { kit: slow } = await mocked({ kitToken: (id, refused, { signal }) => new Promise(() => begun.resolve(signal)) });
  const abort = new AbortController();
  const waiting = failure(slow.loginByToken(alice.userUuid, '', abort));
  const signal = await begun.promise;
  abort.abort();
  assert.equal((await waiting).code, -1);
  assert.equal(signal.aborted, true);
  await slow.close();

  const { kit: broken } = await mocked({ kitToken: () => 5 });
  assert.match((await failure(broken.loginByToken(alice.userUuid))).message, /not a string/);
  await broken.close();
});

test('keep logs in again after a loss that may pass, and ends with the kit', async () => {
  const im = imreuse.hostIM();
  const kit = await imreuse.initialize({ appKey, im, mock: imreuse.mock(accounts), mode: 'reuse_im' });
  im.loggedIn({ accid: 'alice' });
  const kept = failure(kit.keep(alice.userUuid, alice.userToken));
  const sessions = new Set();
  for await (const { state, session } of kit.watch()) {
    if (state !== 'kit_logged_in') continue;
    if (sessions.add(session).size === 2) break;
    im.loggedOut({ code: -20014 });
    im.loggedIn({ accid: 'alice' });
  }
  await kit.logout();
  assert.equal((await kept).code, -20015, 'a logout is never overridden');
  await kit.close();
});

test('two loads share nothing', async () => {
  const other = await load({ wasm: new URL('../dist/imreuse.wasm', import.meta.url) });
  const im = imreuse.hostIM();
  assert.equal((await failure(other.initialize({ appKey, im, mock: other.mock() }))).code, -20003);
  const [a, b] = [await mocked(), await other.initialize({ appKey, mock: other.mock(accounts) })];
  await login(a.kit);
  await login(b, bob);
  a.mock.kick(alice.accid, 2);
  await a.kit.close();
  assert.equal(b.status.state, 'kit_logged_in');
  await b.close();
});

test('load: where the program comes from', async (t) => {
  const { readFile } = await import('node:fs/promises');
  const file = new URL('../dist/imreuse.wasm', import.meta.url);
  const bytes = await readFile(file);
  for (const wasm of [file.href, bytes, new Response(bytes), new Response(bytes, { headers: { 'Content-Type': 'application/wasm' } })]) {
    const kit = await (await load({ wasm })).initialize({ appKey, mock: imreuse.mock() }).catch((error) => error);
    assert.equal(kit.code, -20003, 'the mock is of another load');
  }
  await assert.rejects(load({ wasm: new Response('', { status: 404 }) }), /404/);
});
