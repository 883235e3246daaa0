// Helpers for the tests: a slot, a gateway in this process, and a gateway in
// its own process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { loadSDK } from '../sdk.mjs';
import { Gateway } from '../server.mjs';
import { Slot } from '../slot.mjs';
import { Run } from '../state.mjs';
import { judge } from './contract.mjs';
import FakeNIM from './fake-nim.mjs';

export const FAKE = fileURLToPath(new URL('./fake-nim.mjs', import.meta.url));
export const SECRET = 'the-secret-of-the-tests';
export const CONFIGURATION = { appKey: 'app1', linkPlain: false, leaseMs: 0 };
export const LOGIN = { accid: 'alice', token: 'by-hand', owner: 'o1', timeoutMs: 60_000 };

export const turn = () => new Promise((resolve) => setImmediate(resolve));
export const never = () => new AbortController().signal;

// makeSlot returns an initialised slot and the fake service behind it.
export async function makeSlot({ lease = 0, run = new Run('boot-1') } = {}) {
  let emptied = 0;
  const slot = new Slot({ run, sdk: await loadSDK({ path: FAKE, level: 'off' }), onEmpty: () => emptied++ });
  await slot.init({ ...CONFIGURATION, leaseMs: lease });
  return { slot, run, nim: () => FakeNIM.made.at(-1), service: () => FakeNIM.made.at(-1).V2NIMLoginService, emptied: () => emptied };
}

// watch returns every snapshot that is published while work runs, in order.
export async function watch(slot, work) {
  const stop = new AbortController();
  const seen = [];
  const loop = (async () => {
    let after = slot.snapshot.seq;
    for (;;) {
      const next = await slot.read({ after, waitMs: 30_000 }, stop.signal);
      if (stop.signal.aborted) return;
      seen.push(next);
      after = next.seq;
    }
  })().catch((error) => seen.push(error.kind));
  await turn();
  await work();
  await turn();
  await turn();
  stop.abort();
  await loop;
  return seen;
}

// until waits for the condition turn by turn of the event loop, and throws
// after 5 s.
export async function until(condition, what = 'the condition') {
  const end = performance.now() + 5000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`timed out waiting for ${what}`);
    await turn();
  }
}

// client returns a function that makes calls and checks every reply against the
// contract.
export function client(url, { secret = SECRET, seen = new Set() } = {}) {
  return async function call(method, path, body, { headers = {}, signal } = {}) {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(url + path, {
      method,
      signal,
      headers: {
        ...(secret && { authorization: `Bearer ${secret}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined || raw ? body : JSON.stringify(body),
    });
    const text = await response.text();
    const answer = { status: response.status, type: response.headers.get('content-type'), headers: response.headers, text };
    answer.body = JSON.parse(text);
    seen.add(judge(method, path, answer));
    return answer;
  };
}

export async function startGateway(t, { secret = SECRET } = {}) {
  const gateway = new Gateway({ sdk: await loadSDK({ path: FAKE, level: 'off' }), secret, version: 'test' });
  const { port } = await gateway.listen(0, '127.0.0.1');
  t.after(() => gateway.close());
  const url = `http://127.0.0.1:${port}`;
  return { gateway, url, call: client(url), service: () => FakeNIM.made.at(-1).V2NIMLoginService };
}

// spawnGateway starts a gateway in its own process. The promises resolve when
// the process prints its address or ends.
export function spawnGateway(t, env = {}) {
  const main = fileURLToPath(new URL('../main.mjs', import.meta.url));
  const inherited = { PATH: process.env.PATH, HOME: process.env.HOME };
  const child = spawn(process.execPath, [main], {
    env: { ...inherited, IMREUSE_GATEWAY_SECRET: SECRET, NIM_SDK: FAKE, ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (chunk) => (printed[name] += chunk));
  const line = once(createInterface(child.stdout), 'line').then(([text]) => text);
  const exit = once(child, 'close').then(([code, signal]) => ({ code, signal, ...printed }));
  const url = line.then((text) => JSON.parse(text).url);
  return { child, printed, line, exit, url };
}
