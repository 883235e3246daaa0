// Runs a test binary for GOOS=js in a page in Chromium, as go_js_wasm_exec does
// in Node: chromium.mjs WASM_EXEC BINARY [ARGUMENT...]. The page comes from a
// port of its own, so every request of the test is cross-origin.
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { launch } from '../../../internal/browsertest/chromium.mjs';

const [wasmExec, binary, ...args] = process.argv.slice(2);
const { KIT, STUB, CLOSED } = process.env;

const files = {
  '/wasm_exec.js': [wasmExec, 'text/javascript'],
  '/test.wasm': [binary, 'application/wasm'],
};
const server = createServer((request, response) => {
  const [file, type] = files[request.url] ?? [];
  response.setHeader('Content-Type', type ?? 'text/html');
  if (file) createReadStream(file).pipe(response);
  else response.end('<!doctype html><title>Kit</title><link rel="icon" href="data:,"><script src="/wasm_exec.js"></script>');
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));

const browser = await launch();
const page = await browser.newPage();
page.on('console', (message) => console.log(message.text()));
await page.goto(`http://127.0.0.1:${server.address().port}/`);
process.exitCode = await page.evaluate(
  async ([args, env]) => {
    const go = new globalThis.Go();
    go.argv = ['test.wasm', ...args];
    go.env = env;
    let code = 0;
    go.exit = (status) => (code = status);
    const { instance } = await WebAssembly.instantiateStreaming(fetch('/test.wasm'), go.importObject);
    await go.run(instance);
    return code;
  },
  [args, { KIT, STUB, CLOSED, IN_CHROMIUM: '1' }],
);
await browser.close();
server.close();
