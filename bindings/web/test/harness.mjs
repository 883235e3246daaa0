// What the tests share: a sandbox, a web server with a strict CSP, and pages.
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { launch } from '../../../internal/browsertest/chromium.mjs';
import { accounts } from './accounts.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

export const dist = here('../dist');

/** What is started in a before hook, and ends in an after hook. */
export function cleanup() {
  const steps = [];
  return {
    after: (step) => steps.unshift(step),
    run: async () => {
      for (const step of steps) await step();
    },
  };
}

/** Starts a sandbox with the accounts, and stops it after the tests. */
export async function startSandbox(t) {
  const folder = mkdtempSync(join(tmpdir(), 'imreuse-'));
  writeFileSync(join(folder, 'accounts.json'), JSON.stringify(accounts));
  const command = process.env.IMREUSE_COMMAND;
  if (!command) throw new Error('IMREUSE_COMMAND is not set: run these tests with make -C bindings/web test');
  const child = spawn(command, ['sandbox', '-accounts', join(folder, 'accounts.json')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(async () => {
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await exit;
    rmSync(folder, { recursive: true });
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const sandbox = JSON.parse(line);
    return { ...sandbox, control: (path, body) => control(sandbox, path, body) };
  }
  throw new Error('the sandbox ended');
}

async function control(sandbox, path, body) {
  const response = await fetch(`${sandbox.control}/v1/${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${sandbox.controlSecret}` },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}

const types = {
  '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
  '.wasm': 'application/wasm', '.json': 'application/json', '.svg': 'image/svg+xml',
};

export const strictCSP =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; img-src data:; connect-src 'self' http://127.0.0.1:* ws://127.0.0.1:*";

/**
 * Serves files: a path is looked up in routes, by its longest prefix. A route is a
 * file, a folder, or a function that returns the body.
 */
export async function serve(t, routes, { csp = strictCSP, contentTypes = {} } = {}) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const prefix = Object.keys(routes)
      .filter((route) => pathname === route || (route.endsWith('/') && pathname.startsWith(route)))
      .sort((a, b) => b.length - a.length)[0];
    const route = routes[prefix];
    response.setHeader('Content-Security-Policy', csp);
    const type = { ...types, ...contentTypes }[extname(pathname) || '.html'];
    if (typeof route === 'function') {
      response.setHeader('Content-Type', type ?? 'application/json');
      return response.end(route());
    }
    const file = route && normalize(prefix.endsWith('/') ? join(route, pathname.slice(prefix.length)) : route);
    if (!file || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    if (type) response.setHeader('Content-Type', type);
    createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** The files of the package and of both SDKs, and a page that loads them. */
export const routes = {
  '/': () => html('/v1.js', '/v2.js'),
  '/imreuse/': dist,
  '/test/': here('.'),
  '/v1.js': here('node_modules/@yxim/nim-web-sdk/dist/SDK/NIM_Web_NIM.js'),
  '/v2.js': here('node_modules/nim-web-sdk-ng/dist/v2/NIM_BROWSER_SDK.js'),
  '/options.mjs': here('../../../internal/nimcloud/websdk/options.mjs'),
};

export const html = (...scripts) => `<!doctype html><meta charset="utf-8"><title>imreuse</title><link rel="icon" href="data:,">
${scripts.map((script) => `<script src="${script}"></script>`).join('\n')}
<script type="module" src="/test/page.mjs"></script>`;

/** Starts Chromium. open opens a page in a profile of its own. */
export async function startBrowser(t) {
  const browser = await launch();
  t.after(() => browser.close());
  return {
    /** What the page prints and what goes wrong in it is in lines and errors. */
    async open(url) {
      const context = await browser.newContext();
      const page = await context.newPage();
      page.setDefaultTimeout(90_000); // a busy machine is slow
      const lines = [];
      const errors = [];
      page.on('console', (message) => lines.push(message.text()));
      await page.exposeFunction('noteViolation', (text) => errors.push(text));
      await page.addInitScript(() => {
        document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sourceFile }) => {
          window.noteViolation(`the policy forbids it: ${violatedDirective} ${blockedURI} ${sourceFile}`);
        });
      });
      page.on('pageerror', (error) => errors.push(String(error?.stack ?? error))); // also unhandled rejections
      await page.goto(url);
      return { page, context, lines, errors };
    },
  };
}
