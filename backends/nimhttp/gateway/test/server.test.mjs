import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import net from 'node:net';
import { test } from 'node:test';
import { client, LOGIN, SECRET, startGateway, until } from '../testing/harness.mjs';
import { judge, operations, validator } from '../testing/contract.mjs';

const INIT = { appKey: 'app1' };
const ANSWER = { asks: 1, token: 'good' };
const GOOD = { ...LOGIN, token: 'good' };
const kind = ({ body }) => body.type?.replace('urn:imreuse:gateway:', '');

test('from init to release', async (t) => {
  const { call, service } = await startGateway(t);
  assert.equal((await call('PUT', '/v1/im/a', INIT)).body.session, 0);
  const { body } = await call('POST', '/v1/im/a/login', { ...GOOD, accid: 'Alice' });
  assert.deepEqual([body.accid, body.session, body.owner], ['alice', 1, 'o1']);
  assert.equal(service().calls[0][1], 'alice');
  assert.deepEqual((await call('GET', '/v1/im/a')).body, body);
  assert.deepEqual((await call('POST', '/v1/im/a/logout')).body.ended, { session: 1 });
  assert.equal((await call('POST', '/v1/im/a/logout', {})).status, 200);
  assert.equal((await call('DELETE', '/v1/im/a')).status, 200);
  assert.equal(kind(await call('GET', '/v1/im/a')), 'no-such-slot');
});

test('a reader that waits gets the next change', async (t) => {
  const { call, service } = await startGateway(t);
  await call('PUT', '/v1/im/a', INIT);
  const { body } = await call('POST', '/v1/im/a/login', GOOD);
  const reply = call('GET', `/v1/im/a?after=${body.seq}&waitMs=30000`);
  await call('GET', '/v1/im/a'); // so that the other request has arrived
  service().kick(2);
  assert.equal((await reply).body.ended.kick.reason, 2);
  assert.equal((await call('GET', '/v1/im/a?after=1&waitMs=30000')).status, 200);
  const last = (await call('GET', '/v1/im/a')).body;
  assert.deepEqual((await call('GET', `/v1/im/a?after=${last.seq}&waitMs=10`)).body, last);
});

test('health needs no secret, and counts the slots', async (t) => {
  const { call, url } = await startGateway(t);
  await call('PUT', '/v1/im/a', INIT);
  const { body } = await client(url, { secret: null })('GET', '/healthz');
  const { boot } = (await call('GET', '/v1/im/a')).body;
  assert.deepEqual(body, { boot, sdk: '0.0.1-fake', version: 'test', slots: 1 });
});

const NONCE = '0123456789abcdef0123456789ABCDEF';

test('a proof depends on the nonce and the secret', async (t) => {
  const { url } = await startGateway(t);
  const health = async (nonce) => (await client(url, { secret: null })('GET', `/healthz?nonce=${nonce}`)).body;
  const want = createHmac('sha256', SECRET).update(`imreuse gateway proof 1\n${NONCE}`).digest('hex');
  assert.equal((await health(NONCE)).proof, want);
  assert.notEqual((await health(`${NONCE}x`)).proof, want);
  assert.deepEqual(Object.keys(await health(NONCE)), ['boot', 'sdk', 'version', 'slots', 'proof']);
});

test('a secret that is not ASCII', async (t) => {
  const secret = 'geheim-für-unsere-Prüfung';
  const { url } = await startGateway(t, { secret });
  const proof = createHmac('sha256', secret).update(`imreuse gateway proof 1\n${NONCE}`).digest('hex');
  assert.equal((await client(url)('GET', `/healthz?nonce=${NONCE}`)).body.proof, proof);
  const inBytes = Buffer.from(secret).toString('latin1'); // fetch sends each character as one byte
  assert.equal((await client(url, { secret: inBytes })('PUT', '/v1/im/a', INIT)).status, 200);
});

// connect opens a socket and records what it receives.
async function connect(t, url) {
  const socket = net.connect(new URL(url).port, '127.0.0.1');
  const heard = { socket, answer: '' };
  socket.on('error', () => {});
  socket.on('data', (chunk) => (heard.answer += chunk));
  t.after(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  return heard;
}

const ask = (path, host) => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${SECRET}\r\nconnection: close\r\n\r\n`;
const HOSTS = {
  '127.0.0.1': 200, '127.0.0.1:7788': 200, '127.0.0.9:1': 200, localhost: 200, 'LocalHost:7788': 200, '[::1]': 200, '[::1]:7788': 200,
  'example.com': 421, 'example.com:7788': 421, '10.0.0.1:7788': 421, '0.0.0.0': 421, '[::]:7788': 421, '[::ffff:10.0.0.1]': 421,
  'localhost.example.com': 421, '127.0.0.1.example.com': 421, 'localhost:x': 421, '::1': 421, '': 421, 'evil@127.0.0.1': 421,
  'localhost.': 421, 'localhost\r\nhost: localhost': 421, 'localhost\r\nHost: example.com': 421,
};
for (const [host, status] of Object.entries(HOSTS)) {
  test(`the Host ${JSON.stringify(host)}`, async (t) => {
    const { url, call } = await startGateway(t);
    await call('PUT', '/v1/im/a', INIT);
    for (const path of ['/healthz', `/healthz?nonce=${NONCE}`, '/v1/im/a', '/elsewhere']) {
      const heard = await connect(t, url);
      heard.socket.write(ask(path, host));
      await until(() => heard.socket.closed, 'the answer');
      const want = path === '/elsewhere' && status === 200 ? 404 : status;
      assert.equal(Number(heard.answer.split(' ')[1]), want, heard.answer);
      if (status === 421) assert.doesNotMatch(heard.answer, /boot|proof|snapshot/);
    }
  });
}

test('connection 257 is closed, and a new one takes a place that is free again', async (t) => {
  const { url } = await startGateway(t);
  const all = [];
  for (let number = 0; number < 256; number++) all.push(await connect(t, url));
  const late = await connect(t, url);
  late.socket.write(ask('/healthz', 'localhost'));
  await until(() => late.socket.closed, 'the end of connection 257');
  assert.equal(late.answer, '');
  all[0].socket.destroy();
  await until(async () => {
    const next = await connect(t, url);
    next.socket.write(ask('/healthz', 'localhost'));
    await until(() => next.socket.closed);
    return next.answer.includes('200 OK');
  }, 'the free place');
});

const SLOW = { nothing: '', 'half a header': `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ` };
for (const [name, sent] of Object.entries(SLOW)) {
  test(`missing headers end the connection: ${name}`, { timeout: 30_000 }, async (t) => {
    const { url } = await startGateway(t);
    const heard = await connect(t, url);
    heard.socket.write(sent);
    await new Promise((resolve) => heard.socket.once('close', resolve));
  });
}

test('a logout ends only the login of its owner', async (t) => {
  const { call } = await startGateway(t);
  await call('PUT', '/v1/im/a', INIT);
  const { body } = await call('POST', '/v1/im/a/login', GOOD);
  assert.deepEqual((await call('POST', '/v1/im/a/logout', { owner: 'o2' })).body, body);
  assert.deepEqual((await call('DELETE', '/v1/im/a?owner=o2')).body, body);
  assert.deepEqual((await call('GET', '/v1/im/a')).body, body);
  assert.deepEqual((await call('POST', '/v1/im/a/logout', { owner: 'o1' })).body.ended, { session: 1 });
  assert.equal((await call('POST', '/v1/im/a/logout', { owner: 'o2' })).status, 200);
  assert.equal((await call('DELETE', '/v1/im/a?owner=o2')).status, 200);
  assert.equal(kind(await call('GET', '/v1/im/a')), 'no-such-slot');
  assert.equal(kind(await call('POST', '/v1/im/a/logout', { owner: 'o1' })), 'no-such-slot');
});

test('the owner is compared after the login in progress', async (t) => {
  const { call, service } = await startGateway(t);
  await call('PUT', '/v1/im/a', INIT);
  const login = call('POST', '/v1/im/a/login', { ...GOOD, token: 'hang', owner: 'o2' });
  await until(() => service().status === 2, 'the login');
  const [logout, release] = [call('POST', '/v1/im/a/logout', { owner: 'o1' }), call('DELETE', '/v1/im/a?owner=o1')];
  await call('GET', '/v1/im/a'); // so that the others have arrived
  service().succeed();
  const { body } = await login;
  assert.equal(body.owner, 'o2');
  for (const answer of [await logout, await release, await call('GET', '/v1/im/a')]) assert.deepEqual(answer.body, body);
});

test('another run has another boot and no slots', async (t) => {
  const [first, second] = [await startGateway(t), await startGateway(t)];
  await first.call('PUT', '/v1/im/a', INIT);
  assert.notEqual((await first.call('GET', '/healthz')).body.boot, (await second.call('GET', '/healthz')).body.boot);
  assert.equal(kind(await second.call('GET', '/v1/im/a?after=5&waitMs=30000')), 'no-such-slot');
});

const SECRETS = {
  none: null,
  empty: '',
  other: 'not-the-secret-of-the-tests',
  longer: `${SECRET}x`,
  shorter: SECRET.slice(0, -1),
};
for (const [name, secret] of Object.entries(SECRETS)) {
  test(`the secret: ${name}`, async (t) => {
    const { url, call } = await startGateway(t);
    await call('PUT', '/v1/im/a', INIT);
    const stranger = client(url, { secret });
    const calls = [['GET', '/v1/im/a'], ['PUT', '/v1/im/a', INIT], ['DELETE', '/v1/im/a'], ['POST', '/v1/im/a/login', GOOD], ['POST', '/v1/im/a/logout'], ['PUT', '/v1/im/a/token', ANSWER], ['GET', '/v1/im/none'], ['GET', '/elsewhere'], ['PATCH', '/v1/im/a']];
    for (const [method, path, body] of calls) {
      const response = await fetch(url + path, { method, body: body && JSON.stringify(body), headers: secret === null ? {} : { authorization: `Bearer ${secret}` } });
      assert.equal(response.status, 401, `${method} ${path}`);
      assert.equal(response.headers.get('www-authenticate'), 'Bearer');
      assert.equal((await response.json()).snapshot, undefined);
    }
    assert.equal((await stranger('GET', '/v1/im/a')).status, 401);
    assert.equal((await call('GET', '/v1/im/a')).body.session, 0);
  });
}

const at = (method, path, body, headers) => ({ method, path, body, headers });
const REFUSED = {
  'an unknown field of init': [400, at('PUT', '/v1/im/a', { ...INIT, extra: 1 })],
  'a field named __proto__': [400, at('PUT', '/v1/im/a', '{"appKey":"app1","__proto__":{}}')],
  'an unknown field of login': [400, at('POST', '/v1/im/a/login', { ...GOOD, password: 'x' })],
  'a field of logout': [400, at('POST', '/v1/im/a/logout', { force: true })],
  'an owner of logout that is empty': [400, at('POST', '/v1/im/a/logout', { owner: '' })],
  'an owner of logout that is not a string': [400, at('POST', '/v1/im/a/logout', { owner: 1 })],
  'an owner of logout that is too long': [400, at('POST', '/v1/im/a/logout', { owner: 'o'.repeat(129) })],
  'an answer without a question': [400, at('PUT', '/v1/im/a/token', { token: 'good' })],
  'an answer to question 0': [400, at('PUT', '/v1/im/a/token', { asks: 0 })],
  'an answer to a question that is not open': [409, at('PUT', '/v1/im/a/token', ANSWER)],
  'an unknown slot to answer': [404, at('PUT', '/v1/im/none/token', ANSWER)],
  'an answer that is posted': [405, at('POST', '/v1/im/a/token', ANSWER)],
  'an owner of release that is empty': [400, at('DELETE', '/v1/im/a?owner=')],
  'an owner of release that is too long': [400, at('DELETE', `/v1/im/a?owner=${'o'.repeat(129)}`)],
  'an owner of release, twice': [400, at('DELETE', '/v1/im/a?owner=o1&owner=o1')],
  'an unknown parameter of health': [400, at('GET', '/healthz?x=1')],
  'a nonce that is empty': [400, at('GET', '/healthz?nonce=')],
  'a nonce of 21 characters': [400, at('GET', `/healthz?nonce=${'n'.repeat(21)}`)],
  'a nonce of 129 characters': [400, at('GET', `/healthz?nonce=${'n'.repeat(129)}`)],
  'a nonce with a line feed': [400, at('GET', `/healthz?nonce=${NONCE}%0A`)],
  'a nonce twice': [400, at('GET', `/healthz?nonce=${NONCE}&nonce=${NONCE}`)],
  'an unknown parameter': [400, at('GET', '/v1/im/a?before=3')],
  'a parameter twice': [400, at('GET', '/v1/im/a?after=1&after=2')],
  'a parameter of init': [400, at('PUT', '/v1/im/a?after=1', INIT)],
  'a negative after': [400, at('GET', '/v1/im/a?after=-1')],
  'an after that is not decimal': [400, at('GET', '/v1/im/a?after=1e3')],
  'an empty after': [400, at('GET', '/v1/im/a?after=')],
  'an after beyond all integers': [400, at('GET', '/v1/im/a?after=9007199254740993')],
  'a wait that is too long': [400, at('GET', '/v1/im/a?after=1&waitMs=30001')],
  'not JSON': [400, at('PUT', '/v1/im/a', '{"appKey":')],
  'not a JSON object': [400, at('PUT', '/v1/im/a', '[]')],
  'null': [400, at('PUT', '/v1/im/a', 'null')],
  'an empty body': [415, at('PUT', '/v1/im/a', undefined, { 'content-type': 'text/plain' })],
  'no body': [400, at('PUT', '/v1/im/a')],
  'not UTF-8': [400, at('PUT', '/v1/im/a', new Uint8Array([0x22, 0xff, 0x22]))],
  'a form': [415, at('PUT', '/v1/im/a', 'appKey=app1', { 'content-type': 'application/x-www-form-urlencoded' })],
  'a body of 64 KiB and a byte': [413, at('PUT', '/v1/im/a', ' '.repeat(64 * 1024 + 1))],
  'a body of 1 MiB': [413, at('PUT', '/v1/im/a', JSON.stringify({ appKey: 'x'.repeat(1 << 20) }))],
  'a slot with a slash': [404, at('PUT', '/v1/im/a/b', INIT)],
  'a slot with an escaped slash': [400, at('PUT', '/v1/im/a%2Fb', INIT)],
  'a slot of 10 kB': [400, at('PUT', `/v1/im/${'a'.repeat(10_000)}`, INIT)],
  'a slot of 65 characters': [400, at('PUT', `/v1/im/${'a'.repeat(65)}`, INIT)],
  'no slot': [404, at('PUT', '/v1/im/', INIT)],
  'an unknown slot to read': [404, at('GET', '/v1/im/none')],
  'an unknown slot to log out': [404, at('POST', '/v1/im/none/logout')],
  'an unknown slot to release': [404, at('DELETE', '/v1/im/none')],
  'a login before init': [409, at('POST', '/v1/im/none/login', GOOD)],
  'an unknown path': [404, at('GET', '/v1/sessions')],
  'an unknown method': [405, at('DELETE', '/v1/im/a/login')],
  'a CORS preflight': [405, at('OPTIONS', '/v1/im/a')],
};
for (const [name, [status, { method, path, body, headers }]] of Object.entries(REFUSED)) {
  test(`refused: ${name}`, async (t) => {
    const { call } = await startGateway(t);
    await call('PUT', '/v1/im/a', INIT);
    const before = (await call('GET', '/v1/im/a')).body;
    const answer = await call(method, path, body, { headers });
    assert.equal(answer.status, status, answer.text);
    assert.deepEqual((await call('GET', '/v1/im/a')).body, before);
    assert.equal((await call('GET', '/healthz')).body.slots, 1);
  });
}

test('a body of 64 KiB is read', async (t) => {
  const { call } = await startGateway(t);
  const body = JSON.stringify(INIT).padEnd(64 * 1024);
  assert.equal((await call('PUT', '/v1/im/a', body)).status, 200);
});

test('a body without an end is cut off', async (t) => {
  const { url } = await startGateway(t);
  const socket = net.connect(new URL(url).port, '127.0.0.1');
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk));
  socket.write(`PUT /v1/im/a HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${SECRET}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
  for (let sent = 0; sent < 70; sent++) socket.write(chunk);
  await until(() => answer.includes('413') && socket.destroyed, 'the cut');
});

// Bodies that the schema and the service must both accept or both refuse.
const text = (length) => 'é'.repeat(length);
const PRIVATE = { appKey: 'a', lbsUrl: 'http://127.0.0.1:1/lbs', linkAddr: '127.0.0.1:2' };
const BODIES = {
  Init: [
    ...[{}, INIT, { appKey: '' }, { appKey: text(128) }, { appKey: text(129) }, { appKey: 1 }, { appKey: null }],
    ...[0, 1, 86_400_000, 86_400_001, -1, 1.5, '1', null].map((leaseMs) => ({ ...INIT, leaseMs })),
    ...[true, 'true'].map((linkPlain) => ({ ...PRIVATE, linkPlain })),
    ...[PRIVATE, { ...PRIVATE, linkAddr: undefined }, { ...PRIVATE, lbsUrl: undefined }],
  ],
  Login: [
    ...[{}, GOOD, { ...GOOD, owner: undefined }, { ...GOOD, accid: undefined }, { ...GOOD, token: undefined }],
    ...[{ ...GOOD, accid: text(128) }, { ...GOOD, accid: text(129) }, { ...GOOD, accid: '' }, { ...GOOD, accid: 7 }],
    ...[{ ...GOOD, token: `good-${text(4091)}` }, { ...GOOD, token: text(4097) }, { ...GOOD, token: '' }],
    ...[{ ...GOOD, owner: text(128) }, { ...GOOD, owner: text(129) }, { ...GOOD, owner: '' }],
    ...[1000, 120_000, 120_001, 0, -1, 2.5, '5', null].map((timeoutMs) => ({ ...GOOD, timeoutMs })),
    ...[true, false, 'true', 1, null].map((dynamic) => ({ ...GOOD, dynamic })),
  ],
};
BODIES.Answer = [
  ...[{}, ANSWER, { asks: 1 }, { ...ANSWER, owner: 'o1' }],
  ...[0, -1, 1.5, '1', null, 2 ** 53].map((asks) => ({ ...ANSWER, asks })),
  ...[text(4096), text(4097), '', 7, null].map((token) => ({ ...ANSWER, token })),
];
const PATHS = { Init: ['PUT', '/v1/im/a'], Answer: ['PUT', '/v1/im/a/token'], Login: ['POST', '/v1/im/a/login'], Logout: ['POST', '/v1/im/a/logout'] };
const GOES = { Answer: 409 }; // nobody asks
BODIES.Logout = [{}, ...['o', text(128), text(129), '', 1, null].map((owner) => ({ owner }))];
for (const [schema, bodies] of Object.entries(BODIES)) {
  for (const [index, body] of bodies.entries()) {
    test(`the contract and the service agree on ${schema} ${index}`, async (t) => {
      const { call } = await startGateway(t);
      if (schema !== 'Init') await call('PUT', '/v1/im/a', INIT);
      const [method, path] = PATHS[schema];
      const sent = JSON.parse(JSON.stringify(body));
      const { status, text: answer } = await call(method, path, sent);
      assert.equal(status, validator('components', 'schemas', schema)(sent) ? (GOES[schema] ?? 200) : 400, answer);
    });
  }
}

const SERVERS = {
  'a public address service over http': { lbsUrl: 'http://lbs.example.com/', linkAddr: 'link.example.com:443' },
  'an address service with credentials': { lbsUrl: 'https://u:p@lbs.example.com/', linkAddr: 'link.example.com:443' },
  'an address service that is not a URL': { lbsUrl: 'lbs', linkAddr: 'link.example.com:443' },
  'an address service in a file': { lbsUrl: 'file:///etc/hosts', linkAddr: 'link.example.com:443' },
  'a link without a port': { lbsUrl: 'https://lbs.example.com/', linkAddr: 'link.example.com' },
  'a link with a path': { lbsUrl: 'https://lbs.example.com/', linkAddr: 'link.example.com:443/x' },
  'a plain link in public': { lbsUrl: 'http://127.0.0.1:1/', linkAddr: 'link.example.com:80', linkPlain: true },
  'a plain link from a public address service': { lbsUrl: 'https://lbs.example.com/', linkAddr: '127.0.0.1:80', linkPlain: true },
  'a plain link to the public cloud': { linkPlain: true },
};
for (const [name, servers] of Object.entries(SERVERS)) {
  test(`refused: ${name}`, async (t) => {
    const { call } = await startGateway(t);
    assert.equal((await call('PUT', '/v1/im/a', { ...INIT, ...servers })).status, 400);
  });
}

test('the reply to a refused login has the code and the snapshot', async (t) => {
  const { call } = await startGateway(t);
  await call('PUT', '/v1/im/a', INIT);
  const { status, body } = await call('POST', '/v1/im/a/login', { ...GOOD, token: 'wrong' });
  assert.deepEqual([status, body.code, body.snapshot.session, body.snapshot.login], [422, 102302, 0, 'logged_out']);
});

test('a login that takes too long is given up', async (t) => {
  const { call, service } = await startGateway(t);
  await call('PUT', '/v1/im/a', INIT);
  const { status, body } = await call('POST', '/v1/im/a/login', { ...GOOD, token: 'hang', timeoutMs: 20 });
  assert.deepEqual([status, body.code, service().status], [422, 191005, 0]);
});

test('a login whose request is closed is logged out', async (t) => {
  const { call, service } = await startGateway(t);
  await call('PUT', '/v1/im/a', INIT);
  const gone = new AbortController();
  const reply = call('POST', '/v1/im/a/login', { ...GOOD, token: 'hang' }, { signal: gone.signal });
  await until(() => service().status === 2, 'the login');
  gone.abort();
  await assert.rejects(reply, { name: 'AbortError' });
  await until(() => service().status === 0, 'the logout');
});

test('the lease runs after a reader has gone', async (t) => {
  const { call } = await startGateway(t);
  const { seq } = (await call('PUT', '/v1/im/a', { ...INIT, leaseMs: 200 })).body;
  const gone = new AbortController();
  const reply = call('GET', `/v1/im/a?after=${seq}&waitMs=30000`, undefined, { signal: gone.signal });
  reply.catch(() => {});
  for (let calls = 0; calls < 3; calls++) await call('GET', '/v1/im/a'); // so that the other has arrived
  gone.abort();
  await until(async () => (await call('GET', '/healthz')).body.slots === 0, 'the end of the lease');
});

test('the slots do not see each other', async (t) => {
  const { call } = await startGateway(t);
  for (const slot of ['a', 'b']) await call('PUT', `/v1/im/${slot}`, INIT);
  await call('POST', '/v1/im/a/login', GOOD);
  const { body } = await call('POST', '/v1/im/b/login', { ...GOOD, accid: 'bob' });
  await call('DELETE', '/v1/im/a');
  assert.deepEqual((await call('GET', '/v1/im/b')).body, body);
});

test('closing logs out first and takes no more calls', async (t) => {
  const { gateway, call, service } = await startGateway(t);
  await call('PUT', '/v1/im/a', INIT);
  const { seq } = (await call('POST', '/v1/im/a/login', GOOD)).body;
  const reader = call('GET', `/v1/im/a?after=${seq}&waitMs=30000`);
  await call('GET', '/v1/im/a');
  await gateway.close();
  assert.equal(service().status, 0);
  assert.deepEqual((await reader).body.ended, { session: 1 });
  await assert.rejects(call('GET', '/healthz'));
});

test('every reply in the contract occurs', async (t) => {
  const { gateway, url, service } = await startGateway(t);
  const seen = new Set();
  const call = client(url, { seen });
  const stranger = client(url, { secret: 'a-stranger-s-secret', seen });
  const paths = [['PUT', '/v1/im/a', INIT], ['GET', '/v1/im/a'], ['POST', '/v1/im/a/login', GOOD], ['POST', '/v1/im/a/logout', { owner: 'o1' }], ['PUT', '/v1/im/a/token', ANSWER], ['DELETE', '/v1/im/a']];
  for (const [method, path, body] of paths) {
    await stranger(method, path, body);
    await call(method, path.replace('/a', '/%20'), body);
    // The slot does not exist yet.
    if (body === undefined || path.endsWith('/logout')) await call(method, path);
    if (path.endsWith('/token')) await call(method, '/v1/im/none/token', body);
    if (body !== undefined) for (const type of ['text/plain', 'application/json']) await call(method, path, 'x'.repeat(type.length * 5000), { headers: { 'content-type': type } });
    if (body) await call(method, path, 'x', { headers: { 'content-type': 'text/plain' } });
  }
  await call('POST', '/healthz');
  await call('GET', '/healthz?nonce=short');
  for (const [method, path] of [['GET', '/healthz'], ...paths]) {
    const heard = await connect(t, url);
    heard.socket.write(`${method} ${path} HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n`);
    await until(() => heard.socket.closed, 'the answer');
    seen.add(judge(method, path, parseAnswer(heard.answer)));
  }
  await call('POST', '/v1/im/a/login', GOOD);
  for (const [method, path, body] of paths) await call(method, path, body);
  await call('PUT', '/v1/im/a', INIT);
  await call('POST', '/v1/im/a/login', { ...GOOD, token: 'wrong' });
  await call('POST', '/v1/im/a/login', GOOD);
  await call('PUT', '/v1/im/a', { appKey: 'app2' });
  await call('POST', '/v1/im/a/login', { ...GOOD, dynamic: true });
  service().drop();
  const asked = service().reconnectWithToken();
  const { asks } = (await call('GET', '/v1/im/a')).body;
  await call('PUT', '/v1/im/a/token', { asks, token: 'a-fresh-token' });
  assert.equal(await asked, 'a-fresh-token');
  await call('GET', '/healthz');

  // While the gateway closes: calls on connections that were already open.
  let go;
  service().logoutWaits = new Promise((resolve) => (go = resolve));
  const late = await Promise.all(paths.map(([method, path, body]) => halfway(url, method, path, body)));
  const closed = gateway.close();
  for (const [index, finish] of late.entries()) {
    const { status, type, body } = await finish();
    assert.equal(status, 503);
    seen.add(judge(paths[index][0], paths[index][1], { status, type, body }));
  }
  go();
  await closed;
  assert.deepEqual(operations().filter((operation) => !seen.has(operation)), []);
});

// halfway sends a request without its end. It resolves with a function that
// sends the end and resolves with the reply.
async function halfway(url, method, path, body) {
  const socket = net.connect(new URL(url).port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk));
  const sent = JSON.stringify(body ?? {});
  const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${SECRET}\r\ncontent-type: application/json\r\n`;
  await new Promise((resolve) => socket.write(`${head}content-length: ${sent.length}\r\nexpect: 100-continue\r\n\r\n`, resolve));
  await until(() => answer.includes('100 Continue'), 'the start of the request');
  answer = '';
  return async () => {
    socket.write(sent);
    await until(() => socket.closed || socket.readableEnded, 'the answer');
    return parseAnswer(answer);
  };
}

function parseAnswer(answer) {
  const [top, ...rest] = answer.split('\r\n\r\n');
  const chunks = rest.join('\r\n\r\n');
  return {
    status: Number(top.split(' ')[1]),
    type: /content-type: (.+)/i.exec(top)[1].trim(),
    body: JSON.parse(chunks.slice(chunks.indexOf('{'), chunks.lastIndexOf('}') + 1)),
  };
}
