// Measures how long a page waits for load(), in ten fresh profiles: with bytes that
// are there already, and with an uncompressed download from this machine.
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { cleanup, dist, serve, startBrowser } from '../harness.mjs';

const runs = 10;
const suite = cleanup();
try {
  const page = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/start.mjs"></script>';
  const script = `import { load } from '/imreuse/imreuse.mjs';
    const bytes = await (await fetch('/imreuse/imreuse.wasm')).arrayBuffer();
    const times = [performance.now()];
    await load({ wasm: bytes });
    times.push(performance.now());
    await load();
    times.push(performance.now());
    window.took = [times[1] - times[0], times[2] - times[1]];`;
  const origin = await serve(suite, { '/': () => page, '/start.mjs': () => script, '/imreuse/': dist });
  const browser = await startBrowser(suite);
  const took = [];
  for (let i = 0; i < runs; i++) {
    const { page, context } = await browser.open(origin);
    await page.waitForFunction(() => window.took);
    took.push(await page.evaluate(() => window.took));
    await context.close();
  }
  const ms = (value) => `${Math.round(value)} ms`;
  for (const [i, what] of ['compiled and started', 'with the download'].entries()) {
    const sorted = took.map((each) => each[i]).sort((a, b) => a - b);
    console.log(`${what}: median ${ms(sorted[runs / 2])}, ${ms(sorted[0])} to ${ms(sorted.at(-1))}`);
  }
  const wasm = readFileSync(fileURLToPath(new URL('../../dist/imreuse.wasm', import.meta.url)));
  console.log(`imreuse.wasm: ${wasm.length} bytes, ${brotliCompressSync(wasm).length} after brotli`);
} finally {
  await suite.run();
}
