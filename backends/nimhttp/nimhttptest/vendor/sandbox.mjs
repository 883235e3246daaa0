// Runs imreuse sandbox. IMREUSE_SANDBOX is the path of the command.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

export const appKey = 'app1';
const appSecret = 'secret-of-app1';

/** Two users. Their ids are their accids: the web kit compares the two. */
export const one = { user: 'user-one', token: 'kit-token-one', imToken: 'im-token-one' };
export const two = { user: 'user-two', token: 'kit-token-two', imToken: 'im-token-two' };

/** A dynamic token of IM (docs/vendor/http.md#dynamic-tokens), made so many milliseconds ago. It lives for a minute. */
export function dynamicToken({ user }, ago = 0) {
  const [curTime, ttl] = [Date.now() - ago, 60];
  const signature = createHash('sha1').update(appKey + user + curTime + ttl + appSecret).digest('hex');
  return Buffer.from(JSON.stringify({ signature, curTime, ttl })).toString('base64');
}

const accounts = {
  appKey,
  appSecret,
  im: [one, two].map(({ user, imToken }) => ({ accid: user, token: imToken })),
  kit: [one, two].map(({ user, token }) => ({ userUuid: user, userToken: token, accid: user })),
};

/** Starts a sandbox. Returns its address and a function that stops it. */
export async function startSandbox() {
  const command = process.env.IMREUSE_SANDBOX;
  if (!command) {
    throw new Error('IMREUSE_SANDBOX is not set: run go build -o imreuse ./cmd/imreuse and set it to the path of imreuse');
  }
  const folder = await mkdtemp(path.join(os.tmpdir(), 'imreuse-sandbox-'));
  const file = path.join(folder, 'accounts.json');
  await writeFile(file, JSON.stringify(accounts));
  const child = spawn(path.resolve(command), ['sandbox', '-addr', '127.0.0.1:0', '-accounts', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit'); // rejects if the command cannot be started
  const line = once(createInterface(child.stdout), 'line');
  const [first] = await Promise.race([line, exited.then(() => Promise.reject(new Error('imreuse sandbox ended at once')))]);

  async function stop() {
    child.kill('SIGTERM');
    const [code, signal] = await exited;
    await rm(folder, { recursive: true });
    if (code !== 0) {
      throw new Error(`imreuse sandbox ended with ${signal ?? code}`);
    }
  }
  return { url: JSON.parse(first).kit, stop };
}
