// The vendor's package. It is fetched once and checked, and never unpacked or
// changed.
//
// It is not a dependency in package.json, because npm would then install the
// native room kit that the package needs in Electron, and that kit is not
// available for every platform.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const name = 'nemeeting-electron-sdk';
const version = '4.8.6';
const integrity = 'sha512-QGwRWp72U3Zrc4o12MAIuzRhT4FlEO3EFj/hkwADA0sfgj1inP4gu37z5oHac32b66HgXnSnEJk/9vCxMRw/2g==';
const bundle = 'package/build/umi.aedf30d8.js';

const cache = path.join(path.dirname(fileURLToPath(import.meta.url)), 'node_modules', '.cache');
const tarball = path.join(cache, `${name}-${version}.tgz`);
const run = promisify(execFile);

/** The text of the script that the vendor's own page loads. */
export async function webKit() {
  await pack();
  const { stdout } = await run('tar', ['-xzOf', tarball, bundle], { maxBuffer: 64 << 20 });
  return stdout;
}

/** Fetches the package if necessary. Fails unless the checksum is right. */
async function pack() {
  let packed = await readFile(tarball).catch(() => undefined);
  if (!packed) {
    await fetchPackage();
    packed = await readFile(tarball);
  }
  const got = 'sha512-' + createHash('sha512').update(packed).digest('base64');
  if (got !== integrity) {
    throw new Error(`${tarball}: got ${got}, want ${integrity}`);
  }
}

// Two processes may do this at once: each has its own folder, and the rename is
// atomic.
async function fetchPackage() {
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(path.join(cache, 'pack-'));
  try {
    await run('npm', ['pack', `${name}@${version}`, '--ignore-scripts', '--pack-destination', folder]);
    await rename(path.join(folder, path.basename(tarball)), tarball);
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await pack();
}
