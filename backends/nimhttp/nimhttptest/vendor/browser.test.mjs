// The permissions that a browser needs from the sandbox for the kit's requests
// (CORS).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { appKey, one, startSandbox } from './sandbox.mjs';

let sandbox;
before(async () => (sandbox = await startSandbox()));
after(() => sandbox.stop());

const origin = 'https://app.example';
const room = ['clienttype', 'user', 'token', 'versioncode', 'deviceid', 'appkey', 'roomkitver', 'authtype', 'framework'];
const meeting = [...room, 'meetingver', 'appver'];

const calls = [
  ['POST', `/scene/apps/${appKey}/v1/login`, room],
  ['POST', `/scene/apps/${appKey}/v1/checkToken`, room],
  ['POST', `/scene/apps/${appKey}/v1/anonymous/login`, [...room, 'authorization']],
  ['GET', `/scene/apps/${appKey}/v1/skuEnv`, room],
  ['GET', `/scene/meeting/${appKey}/v1/account/info`, meeting],
  ['GET', `/scene/meeting/${appKey}/v1/config`, meeting],
  ['POST', `/no/such/path`, room], // so that a page can see the 404
];

/** The names that a header lists. */
const list = (headers, name) => (headers.get(name) ?? '').toLowerCase().split(/ *, */);

// In the standard, * stands for any header except authorization.
const allowed = (names, name) => names.includes(name) || (names.includes('*') && name !== 'authorization');

for (const [method, path, names] of calls) {
  test(`${method} ${path} from a page of another origin`, async () => {
    const preflight = await fetch(sandbox.url + path, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': names.join(','),
      },
    });
    assert.ok(preflight.ok, `HTTP ${preflight.status}`);
    assert.ok([origin, '*'].includes(preflight.headers.get('access-control-allow-origin')));
    assert.ok(allowed(list(preflight.headers, 'access-control-allow-methods'), method.toLowerCase()));
    const granted = list(preflight.headers, 'access-control-allow-headers');
    assert.deepEqual(names.filter((name) => !allowed(granted, name)), []);

    const headers = { origin, appkey: appKey, user: one.user, token: one.token, deviceid: 'device-1' };
    const reply = await fetch(sandbox.url + path, { method, headers });
    assert.ok([origin, '*'].includes(reply.headers.get('access-control-allow-origin')));
    assert.equal((await reply.json()).code, path.startsWith('/scene/') ? 0 : 404);
  });
}
