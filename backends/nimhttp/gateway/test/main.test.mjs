import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { client, FAKE, LOGIN, SECRET, spawnGateway, until } from '../testing/harness.mjs';

const GOOD = { ...LOGIN, token: 'good-enough-a-token' };

async function loggedIn(t, env) {
  const gateway = spawnGateway(t, env);
  const url = await gateway.url;
  const call = client(url);
  await call('PUT', '/v1/im/a', { appKey: 'app1' });
  const { body } = await call('POST', '/v1/im/a/login', GOOD);
  return { ...gateway, url, call, snapshot: body };
}

test('stdout has one line, which is the address', async (t) => {
  const { child, line, exit } = spawnGateway(t);
  assert.match(await line, /^\{"url":"http:\/\/127\.0\.0\.1:\d+"\}$/);
  child.stdin.end();
  assert.equal((await exit).stdout, `${await line}\n`);
});

const ENDS = {
  'the end of stdin': (child) => child.stdin.end(),
  SIGTERM: (child) => child.kill('SIGTERM'),
  SIGINT: (child) => child.kill('SIGINT'),
  SIGHUP: (child) => child.kill('SIGHUP'),
};
for (const [name, end] of Object.entries(ENDS)) {
  test(`${name} logs out and ends`, async (t) => {
    const { child, call, snapshot, exit } = await loggedIn(t);
    const reader = call('GET', `/v1/im/a?after=${snapshot.seq}&waitMs=30000`);
    await call('GET', '/v1/im/a');
    end(child);
    assert.deepEqual((await reader).body.ended, { session: 1 });
    const { code, signal } = await exit;
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
  });
}

test('it logs out even if nobody reads its output', async (t) => {
  const { child, call, snapshot, exit } = await loggedIn(t, { IMREUSE_GATEWAY_LOG: 'log' });
  const reader = call('GET', `/v1/im/a?after=${snapshot.seq}&waitMs=30000`);
  await call('GET', '/v1/im/a');
  child.stderr.destroy();
  child.stdout.destroy();
  child.stdin.end();
  assert.deepEqual((await reader).body.ended, { session: 1 });
  assert.equal((await exit).code, 0);
});

test('a login in progress does not delay the end', async (t) => {
  const { child, url, exit } = spawnGateway(t);
  const call = client(await url);
  await call('PUT', '/v1/im/a', { appKey: 'app1' });
  const reply = call('POST', '/v1/im/a/login', { ...GOOD, token: 'hang', timeoutMs: 120_000 });
  await until(async () => (await call('GET', '/v1/im/a')).body.login === 'logging_in', 'the login');
  child.kill('SIGTERM');
  assert.equal((await reply).status, 503);
  assert.equal((await exit).code, 0);
});

const UNUSABLE = {
  'a public address': [{ IMREUSE_GATEWAY_ADDR: '0.0.0.0:0' }, 2, /not a loopback address/],
  'a public address of v6': [{ IMREUSE_GATEWAY_ADDR: '[::]:0' }, 2, /not a loopback address/],
  'a name': [{ IMREUSE_GATEWAY_ADDR: 'example.com:80' }, 2, /not a loopback address/],
  'a name that begins like loopback': [{ IMREUSE_GATEWAY_ADDR: '127.0.0.1.example.com:80' }, 2, /not a loopback address/],
  'an address without a host': [{ IMREUSE_GATEWAY_ADDR: ':7788' }, 2, /not host:port/],
  'an address without a port': [{ IMREUSE_GATEWAY_ADDR: '127.0.0.1' }, 2, /not host:port/],
  'an invalid port': [{ IMREUSE_GATEWAY_ADDR: '127.0.0.1:70000' }, 2, /not host:port/],
  'no secret': [{ IMREUSE_GATEWAY_SECRET: '' }, 2, /IMREUSE_GATEWAY_SECRET/],
  'a short secret': [{ IMREUSE_GATEWAY_SECRET: 'fifteen-letters' }, 2, /at least 16/],
  'the level that prints tokens': [{ IMREUSE_GATEWAY_LOG: 'debug' }, 2, /IMREUSE_GATEWAY_LOG/],
  'a missing SDK': [{ NIM_SDK: '/nowhere/nim.js' }, 1, /cannot load the IM SDK/],
};
for (const [name, [env, wanted, message]] of Object.entries(UNUSABLE)) {
  test(`refused at the start: ${name}`, async (t) => {
    const { code, stdout, stderr } = await spawnGateway(t, env).exit;
    assert.equal(code, wanted, stderr);
    assert.match(stderr, message);
    assert.equal(stdout, '');
    assert.doesNotMatch(stderr, /\n.+\n/s); // one line, no stack
  });
}

test('a port that is taken', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await until(() => other.listening);
  const { code, stdout, stderr } = await spawnGateway(t, { IMREUSE_GATEWAY_ADDR: `127.0.0.1:${other.address().port}` }).exit;
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
  assert.match(stderr, /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
});

// As on Node 20.0 to 20.18 and 22.0 to 22.6, which read every .js file as
// CommonJS.
test('an SDK whose package does not say that it is an ES module', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'imreuse-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const ws = join(folder, 'node_modules', 'ws');
  mkdirSync(ws, { recursive: true });
  writeFileSync(join(ws, 'package.json'), '{"name": "ws", "main": "index.js"}');
  writeFileSync(join(ws, 'index.js'), 'module.exports = class WebSocket {};');
  const sdk = join(folder, 'nim.js');
  writeFileSync(sdk, `import ws from 'ws'; import NIM from ${JSON.stringify(pathToFileURL(FAKE))};\nexport default new ws() && NIM;`);
  const newer = ['detect-module', 'require-module'].filter((name) => process.allowedNodeEnvironmentFlags.has(`--experimental-${name}`));
  const options = newer.map((name) => `--no-experimental-${name}`).join(' ');
  const { url, exit, child } = spawnGateway(t, { NIM_SDK: sdk, NODE_OPTIONS: options, TMPDIR: folder });
  const ended = exit.then(({ stderr }) => Promise.reject(new Error(stderr)));
  ended.catch(() => {});
  assert.equal((await client(await Promise.race([url, ended]))('GET', '/healthz')).body.sdk, '0.0.1-fake');
  assert.deepEqual(readdirSync(folder).sort(), ['nim.js', 'node_modules']); // no copy is left
  child.stdin.end();
});

test('localhost and v6 are loopback', async (t) => {
  assert.match(await spawnGateway(t, { IMREUSE_GATEWAY_ADDR: 'localhost:0' }).line, /127\.0\.0\.1/);
  const v6 = spawnGateway(t, { IMREUSE_GATEWAY_ADDR: '[::1]:0' });
  const line = await Promise.race([v6.line, v6.exit.then(({ stderr }) => stderr)]);
  assert.match(line, /\[::1\]|EADDRNOTAVAIL|EAFNOSUPPORT/); // some machines have no IPv6
});

for (const level of ['off', 'error', 'warn', 'log']) {
  test(`nothing secret is printed at level ${level}`, async (t) => {
    const { child, call, exit } = await loggedIn(t, { IMREUSE_GATEWAY_LOG: level });
    await call('POST', '/v1/im/a/logout');
    await call('POST', '/v1/im/a/login', { ...GOOD, token: 'wrong-and-secret' });
    await call('PUT', '/v1/im/a', '{"token": "half-a-token');
    child.stdin.end();
    const { stdout, stderr } = await exit;
    for (const secret of [SECRET, GOOD.token, 'wrong-and-secret', 'half-a-token']) {
      assert.ok(!(stdout + stderr).includes(secret), stderr);
    }
    // The fake prints its token at this level, so this shows that it was
    // hidden.
    assert.equal(stderr.includes('login of alice with [hidden]'), level === 'log', stderr);
  });
}
