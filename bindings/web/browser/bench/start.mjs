// Measures how long a page waits for load(): the median of ten fresh profiles,
// with the wasm from a server on this machine.
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { cleanup, dist, serve, startBrowser } from '../harness.mjs';

const runs = 10;
const suite = cleanup();
try {
  const page = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/start.mjs"></script>';
  const script = `import { load } from '/imreuse/imreuse.mjs';
    const before = performance.now();
    await load();
    window.took = performance.now() - before;`;
  const origin = await serve(suite, { '/': () => page, '/start.mjs': () => script, '/imreuse/': dist });
  const browser = await startBrowser(suite);
  const took = [];
  for (let i = 0; i < runs; i++) {
    const { page, context } = await browser.open(origin);
    await page.waitForFunction(() => window.took);
    took.push(await page.evaluate(() => window.took));
    await context.close();
  }
  took.sort((a, b) => a - b);
  const ms = (value) => `${Math.round(value)} ms`;
  console.log(`load(): median ${ms(took[runs / 2])}, ${ms(took[0])} to ${ms(took.at(-1))}`);
  const wasm = readFileSync(fileURLToPath(new URL('../../dist/imreuse.wasm', import.meta.url)));
  console.log(`imreuse.wasm: ${wasm.length} bytes, ${brotliCompressSync(wasm).length} after brotli`);
} finally {
  await suite.run();
}
