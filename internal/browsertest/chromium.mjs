// Starts the Chromium of the machine for the tests that open pages. The tests
// run where no other browser can be downloaded, so playwright-core drives
// whatever Chromium the distribution has.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const places = [process.env.IMREUSE_CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

// Without these flags, Chromium calls its maker's servers at every start.
const quiet = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Starts a headless Chromium with an empty profile. The caller closes it.
 *
 * @param {import('playwright-core').LaunchOptions} [options]
 * @returns {Promise<import('playwright-core').Browser>}
 */
export async function launch(options = {}) {
  const executablePath = places.find((place) => place && existsSync(place));
  if (!executablePath) throw new Error(`There is no Chromium. Install it, or set IMREUSE_CHROMIUM to its path.`);
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : []; // root cannot have one
  return chromium.launch({ executablePath, ...options, args: [...quiet, ...sandbox, ...(options.args ?? [])] });
}

/** The text of axe-core, for page.addScriptTag or page.evaluate. */
export async function axeSource() {
  const { default: axe } = await import('axe-core');
  return axe.source;
}
