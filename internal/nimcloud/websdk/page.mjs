// Drives the browser builds of both SDKs in a page in Chromium. The page comes
// from a port of its own, so every request to the cloud is cross-origin. Reads
// calls from stdin and writes events to stdout, one JSON value per line.
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { launch } from '../../browsertest/chromium.mjs';

const { LBS, LINK, APPKEY } = process.env;
const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');

const require = createRequire(import.meta.url);
const files = {
  '/v1.js': require.resolve('@yxim/nim-web-sdk/dist/SDK/NIM_Web_SDK.js'),
  '/v2.js': require.resolve('nim-web-sdk-ng/dist/v2/NIM_BROWSER_SDK.js'),
  '/drive.mjs': new URL('drive.mjs', import.meta.url),
  '/options.mjs': new URL('options.mjs', import.meta.url),
};
const html = `<!doctype html><title>SDKs</title><link rel="icon" href="data:,">
<script src="/v1.js"></script><script src="/v2.js"></script>
<script type="module">import * as drive from '/drive.mjs'; window.drive = drive;</script>`;

const server = createServer((request, response) => {
  if (request.url === '/') {
    response.setHeader('Content-Type', 'text/html');
    response.end(html);
  } else if (files[request.url]) {
    response.setHeader('Content-Type', 'text/javascript');
    createReadStream(files[request.url]).pipe(response);
  } else {
    response.writeHead(404).end();
  }
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));

const browser = await launch();
const page = await browser.newPage();
page.on('console', (message) => console.error(message.text()));
page.on('requestfailed', (request) => console.error('failed:', request.url(), request.failure()?.errorText));
page.on('request', (request) => {
  const { protocol, hostname } = new URL(request.url());
  if (protocol !== 'data:' && hostname !== '127.0.0.1') say({ name: 'page', event: 'outside', text: request.url() });
});
await page.exposeFunction('say', say);
await page.goto(`http://127.0.0.1:${server.address().port}/`);
await page.waitForFunction(() => window.drive);

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  await page.evaluate(([call, cloud]) => window.drive[call.call](window, cloud, window.say, call.name, ...call.args), [
    call,
    { lbs: LBS, link: LINK, appKey: APPKEY },
  ]);
}
await browser.close();
server.close();
