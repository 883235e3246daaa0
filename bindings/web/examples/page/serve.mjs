// Serves this page with a sandbox: make -C bindings/web run. PORT chooses the
// port; without it the port is 8019.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { v1, v2 } from '../../../../internal/nimcloud/websdk/options.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const appKey = 'app1';
const account = (name) => ({ accid: name, token: `im-token-of-${name}`, userUuid: `kit-${name}`, userToken: `kit-token-of-${name}` });
const [alice, bob] = [account('alice'), account('bob')];

const sandbox = await startSandbox(process.env.IMREUSE_COMMAND ?? 'imreuse');

async function startSandbox(command) {
  const folder = mkdtempSync(join(tmpdir(), 'imreuse-page-'));
  const file = join(folder, 'accounts.json');
  writeFileSync(file, JSON.stringify({ appKey, im: [alice, bob].map(({ accid, token }) => ({ accid, token })), kit: [alice, bob].map(({ token, ...kit }) => kit) }));
  const child = spawn(command, ['sandbox', '-accounts', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.on('exit', (code) => process.exit(code ?? 1));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit());
  process.on('exit', () => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line);
  throw new Error('the sandbox ended');
}

const files = {
  '/page.mjs': here('page.mjs'),
  '/chat.mjs': here('chat.mjs'),
  '/ladder.mjs': here('ladder.mjs'),
  '/page.css': here('page.css'),
  '/imreuse/imreuse.mjs': here('../../dist/imreuse.mjs'),
  '/imreuse/imreuse.wasm': here('../../dist/imreuse.wasm'),
  '/v1.js': here('../../test/node_modules/@yxim/nim-web-sdk/dist/SDK/NIM_Web_NIM.js'),
  '/v2.js': here('../../test/node_modules/nim-web-sdk-ng/dist/v2/NIM_BROWSER_SDK.js'),
};
const types = { '.mjs': 'text/javascript', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' };
const html = readFileSync(here('index.html'), 'utf8');

const settings = (sdk) => ({ appKey, kitURL: sandbox.kit, sdk, alice, bob, v1: v1(sandbox), v2: v2(sandbox) });

// What the buttons of the cloud do, at the sandbox's control endpoint.
const acts = {
  '/cloud/kick': ['kick', { accid: alice.accid, reason: 2 }],
  '/cloud/down': ['link', { accid: alice.accid, online: false }],
  '/cloud/up': ['link', { accid: alice.accid, online: true }],
};

async function act([path, body]) {
  const { status } = await fetch(`${sandbox.control}/v1/${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${sandbox.controlSecret}` },
    body: JSON.stringify(body),
  });
  return status;
}

async function answer({ method, url, headers }, response) {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const sdk = searchParams.get('sdk') === 'v1' ? 'v1' : 'v2';
  const send = (type, body) => response.setHeader('Content-Type', type).end(body);
  if (method === 'POST' && acts[pathname] && headers['sec-fetch-site'] === 'same-origin') {
    return response.writeHead(await act(acts[pathname])).end();
  }
  if (method !== 'GET') return response.writeHead(405).end();
  if (pathname === '/') return send('text/html', html.replace('sdk.js', `${sdk}.js`));
  if (pathname === '/settings.json') return send('application/json', JSON.stringify(settings(sdk)));
  if (files[pathname]) return send(types[extname(pathname)], await readFile(files[pathname]));
  response.writeHead(404).end();
}

const policy = [
  "default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "style-src 'self'", 'img-src data:',
  `connect-src 'self' ${sandbox.kit} ${new URL(sandbox.lbs).origin} ws://${sandbox.link} http://${sandbox.link}`,
].join('; ');

const server = createServer((request, response) => {
  const { port } = server.address();
  if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(request.headers.host)) return response.writeHead(403).end();
  response.setHeader('Content-Security-Policy', policy);
  response.setHeader('Cache-Control', 'no-cache');
  answer(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
server.on('error', (error) => {
  console.error(`${error.message}; choose another port with PORT=8020`);
  process.exit(1);
});
server.listen(Number(process.env.PORT ?? 8019), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`));
