// reuseIM around fakes of both SDKs: what the host sees, and what the engine
// learns. It runs in Node, with the kit server of a mock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from '../dist/imreuse.mjs';
import { accounts, alice, appKey, bob } from './accounts.mjs';
import { fakeV1, fakeV2 } from './fakes.mjs';

const imreuse = await load();
const mock = imreuse.mock(accounts);
const kitOf = (im, options) => imreuse.initialize({ appKey, im, mock, mode: 'reuse_im', ...options });
const turn = () => new Promise((resolve) => setTimeout(resolve));
const options = (more) => ({ appKey, account: 'alice', token: alice.token, ...more });

const codeOf = (promise) => promise.then(() => 0, (error) => error.code);
const login = (kit, { userUuid, userToken } = alice) => kit.loginByToken(userUuid, userToken);

// Without and with imreuse, and with it twice, the host hears the same.
const wraps = { without: (NIM) => NIM, once: (NIM) => imreuse.reuseIM(NIM), twice: (NIM) => imreuse.reuseIM(imreuse.reuseIM(NIM)) };

// hostOfV1 drives a fake with a host that notes all that is observable.
async function hostOfV1(wrap) {
  const Real = fakeV1();
  const NIM = wrap(Real);
  const heard = [];
  const given = options({
    count: 7,
    prototypeOf: Real,
    onconnect(...args) {
      heard.push(['onconnect', this === given ? 'options' : this, args]);
      return 'returned by onconnect';
    },
    ondisconnect(...args) {
      heard.push(['ondisconnect', this === given ? 'options' : this, args]);
      throw new Error('thrown by ondisconnect');
    },
    onmsg(...args) {
      heard.push(['onmsg', this === given ? 'options' : this, args]);
      return args.length;
    },
    shouldIgnoreMsg: (msg) => msg === 'ignored',
  });
  const before = Object.entries(given);
  const nim = NIM.getInstance(given, 'another argument');
  const kit = wrap(Real) === Real ? undefined : await kitOf(nim);
  const returned = [];
  const told = (name, ...args) => {
    try {
      returned.push([name, nim.tell(name, ...args)]);
    } catch (error) {
      returned.push([name, error.message]);
    }
  };
  told('onconnect', { account: 'alice' }, 'two', undefined);
  if (kit) assert.equal((await login(kit)).state, 'kit_logged_in');
  told('onmsg', 1, 2, 3);
  told('shouldIgnoreMsg', 'ignored');
  told('onwillreconnect', { retryCount: 1, duration: 1600 });
  told('ondisconnect', { code: 'kicked', reason: 'serverKick' }, 'two');
  told('ondisconnect');
  told('onsyncdone');
  const same = NIM.getInstance(given) === nim;
  nim.options.onconnect.call('another this', 5);
  const changed = Object.entries(given).filter(([name, value], i) => before[i]?.[0] !== name || before[i][1] !== value);
  await kit?.close();
  return {
    heard, returned, same, kit, changed,
    instance: nim instanceof Real && nim instanceof NIM && nim.constructor === Real,
    self: Real.calls.map(([self, , rest]) => [self === Real, rest]),
    info: NIM.info === Real.info,
  };
}

test('V1: the host notices nothing', async () => {
  const { kit: none, changed: bySDK, ...expected } = await hostOfV1(wraps.without);
  assert.equal(expected.heard.length, 5);
  assert.ok(bySDK.length > 0, 'the fake writes into the options');
  for (const name of ['once', 'twice']) {
    const { kit, changed, ...seen } = await hostOfV1(wraps[name]);
    assert.deepEqual(seen, expected, name);
    assert.deepEqual(changed, [], `${name}: the host's options`);
  }
});

test('reuseIM: one wrapper for an SDK, which has everything else of it', () => {
  const NIM = fakeV1();
  const wrapped = imreuse.reuseIM(NIM);
  assert.equal(imreuse.reuseIM(NIM), wrapped);
  assert.equal(imreuse.reuseIM(wrapped), wrapped);
  assert.ok(new wrapped({}) instanceof NIM);
  wrapped.added = 5;
  assert.equal(NIM.added, 5);
  assert.deepEqual(Object.keys(wrapped), Object.keys(NIM));
  assert.throws(() => wrapped.getInstance({}), /account is missing/, "the SDK's own exception");
  const { getInstance } = wrapped;
  getInstance(options());
  assert.equal(NIM.calls.at(-1)[0], undefined);

  for (const module of [{ default: fakeV2(), V2NIMConst: {} }, Object.freeze({ default: fakeV2(), V2NIMConst: {} })]) {
    const both = imreuse.reuseIM(module);
    assert.equal(both.default, imreuse.reuseIM(module.default));
    assert.equal(both.V2NIMConst, module.V2NIMConst);
    assert.deepEqual(Object.keys(both), Object.keys(module));
    assert.equal(both.getInstance({ appkey: appKey }), module.default.instance);
  }
});

test('V1: an exception of ours does not reach the SDK', async () => {
  const NIM = imreuse.reuseIM(fakeV1());
  const nim = NIM.getInstance(options());
  const kit = await kitOf(nim);
  const reported = [];
  globalThis.reportError = (error) => reported.push(error);
  try {
    const hostile = { get code() { throw new Error('hostile'); } };
    assert.equal(nim.tell('ondisconnect', hostile), undefined);
    assert.deepEqual(reported.map(({ message }) => message), ['hostile']);
  } finally {
    delete globalThis.reportError;
  }
  nim.tell('onconnect', {});
  assert.equal((await login(kit)).reused, true);
  await kit.close();
});

// What ondisconnect says -> the cause that the engine publishes.
for (const [said, code, reason] of [
  [{ code: 'kicked', reason: 'samePlatformKick' }, -20012, 1],
  [{ code: 'kicked', reason: 'serverKick', message: 'bye' }, -20012, 2],
  [{ code: 'kicked', reason: 'otherPlatformKick' }, -20012, 3],
  [{ code: 'kicked', reason: 'silentlyKick' }, -20012, 4],
  [{ code: 'kicked', reason: 'unheard-of' }, -20012],
  [{ code: 'logout' }, -20013],
  [{ code: 302, message: 'wrong' }, -20007],
  [{ code: 404 }, -20007],
  [{ code: 422 }, -20009],
  [{ code: 417 }, 0],
  [{ code: 'allAttemptsFailed' }, -20014],
  [undefined, -20014],
]) {
  test(`V1: ondisconnect ${JSON.stringify(said)}`, async () => {
    const nim = imreuse.reuseIM(fakeV1()).getInstance(options());
    const kit = await kitOf(nim);
    nim.tell('onconnect', {});
    await login(kit);
    nim.tell('ondisconnect', said);
    const { state, via, cause } = kit.status;
    assert.deepEqual([state, via, cause.code, cause.kick?.reason], ['im_initialized', 'im_lost', code, reason]);
    assert.equal(await codeOf(login(kit)), 100004);
    nim.tell('onconnect', {});
    assert.equal((await login(kit)).reused, true);
    await kit.close();
  });
}

test('V1: a link that goes down and comes back', async () => {
  const nim = imreuse.reuseIM(fakeV1()).getInstance(options());
  const kit = await kitOf(nim);
  nim.tell('onconnect', {});
  const { session } = await login(kit);
  for (const [name, event, online] of [
    ['onwillreconnect', { retryCount: 1 }, false],
    ['onconnect', {}, true],
    ['ondisconnect', { code: 'offlineListener' }, false], // the SDK reconnects by itself
    ['onwillreconnect', { retryCount: 1 }, false],
    ['onconnect', {}, true],
  ]) {
    nim.tell(name, event);
    assert.deepEqual([kit.status.state, kit.status.online, kit.status.session], ['kit_logged_in', online, session], name);
  }
  await kit.close();
});

test('V1: the kit waits for a login in progress', async () => {
  const NIM = imreuse.reuseIM(fakeV1());
  const nim = NIM.getInstance(options());
  const kit = await kitOf(nim);
  let over = false;
  const waiting = login(kit).finally(() => (over = true));
  await turn();
  assert.equal(over, false);
  nim.tell('onconnect', {});
  assert.equal((await waiting).reused, true);

  nim.tell('ondisconnect', { code: 'logout' });
  NIM.getInstance(options({ skipConnectionOnInitialize: true }));
  assert.equal(await codeOf(login(kit)), 100004, 'it does not connect');
  NIM.getInstance(options());
  const refused = codeOf(login(kit));
  nim.tell('ondisconnect', { code: 302 });
  assert.equal(await refused, 100004);
  NIM.getInstance(options());
  nim.destroy(); // the SDK says nothing
  assert.equal(await codeOf(login(kit)), 100004);
  await kit.close();
});

test('V1: accounts are apart', async () => {
  const NIM = imreuse.reuseIM(fakeV1());
  const [a, b] = [NIM.getInstance(options()), NIM.getInstance(options({ account: 'bob' }))];
  const kit = await kitOf(a);
  b.tell('onconnect', {});
  a.tell('onconnect', {});
  await login(kit);
  b.tell('ondisconnect', { code: 'kicked', reason: 'serverKick' });
  assert.equal(kit.status.state, 'kit_logged_in');
  const kitOfB = await kitOf(b);
  b.tell('onconnect', {});
  assert.equal(await codeOf(login(kitOfB)), 100005);
  assert.equal((await login(kitOfB, bob)).accid, 'bob');
  await Promise.all([kit.close(), kitOfB.close()]);
});

test('V1: an app key of another app', async () => {
  const nim = imreuse.reuseIM(fakeV1()).getInstance(options({ appKey: 'app2' }));
  const kit = await kitOf(nim);
  nim.tell('onconnect', {});
  assert.equal(await codeOf(login(kit)), -20006);
  await kit.close();
});

test('V2: the host notices nothing', async () => {
  const host = async (wrap) => {
    const Real = fakeV2();
    const NIM = wrap(Real);
    const given = [{ appkey: appKey, apiVersion: 'v2' }, { V2NIMLoginServiceConfig: {} }];
    const nim = NIM.getInstance(...given);
    const kit = NIM === Real ? undefined : await kitOf(nim);
    const service = nim.V2NIMLoginService;
    const heard = [];
    for (const name of ['onLoginStatus', 'onLoginFailed', 'onDisconnected', 'onKickedOffline']) {
      service.on(name, function (...args) {
        heard.push([name, this === service, args]);
      });
    }
    service.connecting();
    service.loggedIn('alice');
    if (kit) await login(kit);
    service.drop();
    service.loggedIn('alice');
    service.kick(2);
    service.connecting();
    service.refuse(102302);
    await kit?.close();
    return { heard, own: nim instanceof Real, same: NIM.getInstance() === nim, given: nim.given.map((own, i) => own === given[i]) };
  };
  const expected = await host(wraps.without);
  assert.deepEqual(await host(wraps.once), expected);
  assert.deepEqual(await host(wraps.twice), expected);
});

test('V2: a session ends with LOGOUT, and why comes in the same turn', async () => {
  const nim = imreuse.reuseIM({ default: fakeV2() }).default.getInstance({ appkey: appKey });
  const service = nim.V2NIMLoginService;
  const kit = await kitOf(nim);
  const ends = {
    kick: [() => service.kick(3), -20012],
    refusal: [() => service.refuse(102302), -20007],
    ban: [() => service.refuse(102422), -20009],
    logout: [() => service.logout(), -20013],
  };
  for (const [name, [end, code]] of Object.entries(ends)) {
    service.connecting();
    service.loggedIn('Alice');
    const { session } = await login(kit);
    service.drop();
    assert.deepEqual([kit.status.state, kit.status.online], ['kit_logged_in', false], name);
    service.connecting();
    service.loggedIn('Alice');
    assert.deepEqual([kit.status.session, kit.status.online], [session, true], name);
    end();
    await turn();
    assert.deepEqual([kit.status.state, kit.status.cause.code], ['im_initialized', code], name);
  }
  service.connecting();
  service.loggedIn('alice');
  await login(kit);
  service.kick(2);
  assert.equal(kit.status.cause.kick.reason, 2, 'in the same turn');
  await kit.close();
});

test('V2: another login, and one that begins anew', async () => {
  const nim = imreuse.reuseIM(fakeV2()).getInstance({ appkey: appKey });
  const service = nim.V2NIMLoginService;
  const kit = await kitOf(nim);
  service.connecting();
  service.loggedIn('bob');
  await login(kit, bob);
  service.logout(); // login(alice) logs bob out first
  service.connecting();
  const waiting = login(kit);
  service.logout(); // a second login(alice) replaces the first
  service.connecting();
  service.loggedIn('alice');
  assert.equal((await waiting).accid, 'alice');
  await kit.close();
});

test('V2: an instance that is logged in already', async () => {
  const NIM = fakeV2();
  const service = NIM.getInstance({ appkey: appKey }).V2NIMLoginService;
  service.connecting();
  service.loggedIn('alice');
  const kit = await kitOf(imreuse.reuseIM(NIM).getInstance());
  assert.equal((await login(kit)).reused, true);
  await kit.close();
});

test('V2: a host that removes all listeners', async () => {
  const nim = imreuse.reuseIM(fakeV2()).getInstance({ appkey: appKey });
  const service = nim.V2NIMLoginService;
  const kit = await kitOf(nim);
  service.removeAllListeners();
  service.connecting();
  service.loggedIn('alice');
  assert.equal((await login(kit)).reused, true, 'a login that nobody heard of');
  service.kick(2);
  assert.equal(kit.status.cause.kick.reason, 2, 'the listeners are back');
  await kit.close();
});
