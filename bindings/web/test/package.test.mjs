// The package as npm packs it, in an empty project: in Node, in a bundle, in
// plain modules under a strict CSP, and for TypeScript.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';
import { alice, appKey } from './accounts.mjs';
import { cleanup, dist, serve, startBrowser, startSandbox, strictCSP } from './harness.mjs';
import { v1, v2 } from '../../../internal/nimcloud/websdk/options.mjs';

const suite = cleanup();
after(suite.run);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const guide = here('../examples/guide');
const modules = here('node_modules');
const run = promisify(execFile);

let project; // the folder of the empty project
let packed; // npm's description of the package
let browser, sandbox;
before(async () => {
  project = mkdtempSync(join(tmpdir(), 'imreuse-project-'));
  suite.after(() => rmSync(project, { recursive: true }));
  const npm = (...args) => run('npm', [...args, '--offline', '--no-audit', '--no-fund'], { cwd: project });
  const { stdout } = await npm('pack', dist, '--json');
  [packed] = JSON.parse(stdout);
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  await npm('install', '--ignore-scripts', join(project, packed.filename));
  cpSync(guide, join(project, 'guide'), { recursive: true });
  symlinkSync(join(modules, 'nim-web-sdk-ng'), join(project, 'node_modules/nim-web-sdk-ng'));
  browser = await startBrowser(suite);
  sandbox = await startSandbox(suite);
});

test('the package has its files, no dependency, and the size that the README promises', () => {
  const files = packed.files.map(({ path }) => path).sort();
  assert.deepEqual(files, ['LICENSE', 'README.md', 'imreuse.d.ts', 'imreuse.mjs', 'imreuse.wasm', 'package.json']);
  const { dependencies, peerDependencies, scripts } = JSON.parse(readFileSync(join(project, 'node_modules/imreuse/package.json')));
  assert.deepEqual([dependencies, peerDependencies, scripts], [undefined, undefined, undefined]);
  const wasm = readFileSync(join(project, 'node_modules/imreuse/imreuse.wasm'));
  // The best quality takes half a minute and saves another tenth.
  const { length } = brotliCompressSync(wasm, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } });
  assert.ok(length < 2_500_000, `${length} bytes`);
});

test('Node runs the package, as the README says', async () => {
  const readme = readFileSync(join(project, 'node_modules/imreuse/README.md'), 'utf8');
  const [, snippet] = readme.slice(readme.indexOf('### Your tests')).match(/```js\n(.*?)```/s);
  const program = `import { load } from 'imreuse'; const imreuse = await load(); ${snippet} process.exit();`;
  const { stdout, stderr } = await run('node', ['--input-type=module', '--eval', program], { cwd: project });
  assert.deepEqual([stdout, stderr], ['im_initialized -20012\n', '']);
});

// What settings.mjs has in the tests.
const settings = (sdk) =>
  Object.entries({ appKey, account: alice.accid, ...alice, kitURL: sandbox.kit, sdk })
    .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};\n`)
    .join('');

/** Opens a page of the guide, and waits for the outcome in its title. A page may show what comes before. */
async function outcome(origin, path) {
  const opened = await browser.open(`${origin}/${path}`);
  const { page, lines, errors } = opened;
  await page.waitForFunction(() => /^kit_logged_in|^-?\d+: /.test(document.title));
  const title = await page.title();
  assert.deepEqual([errors, lines.filter((line) => /-token-of-/.test(line))], [[], []]);
  await opened.context.close();
  return title;
}

for (const [name, sdk, options] of [
  ['v1', '@yxim/nim-web-sdk/dist/SDK/NIM_Web_NIM.js', () => v1(sandbox)],
  ['v2', 'nim-web-sdk-ng/dist/v2/NIM_BROWSER_SDK.js', () => v2(sandbox)],
]) {
  test(`${name}: the steps of the guide in a plain module, under a strict CSP`, async () => {
    const code = readFileSync(join(guide, `${name}.mjs`), 'utf8');
    assert.ok(code.trimEnd().split('\n').length <= 25, 'lines of code');
    const html = readFileSync(join(guide, `${name}.html`), 'utf8');
    const [, importMap] = html.match(/<script type="importmap">(.*?)<\/script>/s);
    const hash = createHash('sha256').update(importMap).digest('base64');
    const origin = await serve(
      suite,
      {
        '/': guide,
        [`/${sdk.split('/').at(-1)}`]: join(modules, sdk),
        '/settings.mjs': () => settings(options()),
        '/imreuse/': join(project, 'node_modules/imreuse'),
      },
      { csp: strictCSP.replace("'self'", `'self' 'sha256-${hash}'`) },
    );
    assert.equal(await outcome(origin, `${name}.html`), 'kit_logged_in, reused: true');
  });
}

test('a bundle of esbuild', async () => {
  writeFileSync(join(project, 'guide/settings.mjs'), settings(v2(sandbox)));
  const out = join(project, 'out');
  const { build } = await import('esbuild');
  await build({
    entryPoints: [join(project, 'guide/bundled.ts')], outdir: out, bundle: true, minify: true, format: 'esm', target: 'es2022',
    loader: { '.wasm': 'file' }, logLevel: 'silent',
  });
  const html = '<!doctype html><title>IM reuse</title><link rel="icon" href="data:,"><script type="module" src="/bundled.js"></script>';
  const origin = await serve(suite, { '/': out, '/index.html': () => html });
  assert.equal(await outcome(origin, 'index.html'), 'kit_logged_in, reused: true');
});

test('tsc --strict accepts the examples, and the types refuse what is wrong', async () => {
  cpSync(here('types.ts'), join(project, 'types.ts'));
  rmSync(join(project, 'guide/settings.mjs'), { force: true }); // settings.d.mts has its types
  const strict = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'esnext', '--lib', 'es2022,dom,dom.iterable,dom.asynciterable', '--types', ''];
  const tsc = (...args) =>
    run(join(modules, '.bin/tsc'), [...strict, ...args], { cwd: project }).catch((error) => assert.fail(error.stdout));
  // Without the SDK, whose own types are not strict, our types are checked, too.
  await tsc('--moduleResolution', 'bundler', 'types.ts');
  await tsc('--module', 'nodenext', '--moduleResolution', 'nodenext', 'types.ts');
  cpSync(here('../examples/page'), join(project, 'page'), { recursive: true });
  mkdirSync(join(project, 'page/imreuse')); // serve.mjs puts the package there
  writeFileSync(join(project, 'page/imreuse/imreuse.d.mts'), "export * from 'imreuse';\n");
  const examples = [
    ...['v1.mjs', 'v2.mjs', 'bundled.ts', 'page.d.mts', 'wasm.d.ts'].map((name) => `guide/${name}`),
    ...['page.mjs', 'chat.mjs', 'ladder.mjs'].map((name) => `page/${name}`),
  ];
  await tsc('--moduleResolution', 'bundler', '--allowJs', '--checkJs', '--skipLibCheck', ...examples);
});
