// Starts servers of "imreuse play" and opens their pages. The servers are in
// browser_test.go.
import { after } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { axeSource, launch } from '../../../../../internal/browsertest/chromium.mjs';

const control = process.env.IMREUSE_LABS;
if (!control) throw new Error('IMREUSE_LABS is not set: run these tests with go test ./cmd/imreuse/internal/play -run TestBrowser');

let browser;
after(() => browser?.close());

async function call(path, method = 'POST') {
  const reply = await fetch(control + path, { method });
  const text = await reply.text();
  assert.equal(reply.status, 200, text);
  return text;
}

/** A server with an engine in auto_detect. */
export async function lab(pace = '0s') {
  const [number, address] = (await call(`/labs?pace=${pace}`)).split(' ');
  return {
    address,
    restart: () => call(`/labs/${number}/restart`),
    stop: () => call(`/labs/${number}/stop`),
    tokens: async () => (await call(`/labs/${number}/tokens`, 'GET')).split('\n').filter(Boolean),
  };
}

/**
 * Opens the page in a browser context of its own. At the end it checks what no
 * page may do: requests to elsewhere, violations of the policy, errors, tokens.
 */
export async function visit(t, at, { mayFail = false, ...options } = {}) {
  browser ??= await launch();
  const context = await browser.newContext({ locale: 'en-GB', colorScheme: 'light', timezoneId: 'UTC', viewport: { width: 1440, height: 1000 }, ...options });
  const page = await context.newPage();
  const problems = [];
  const bodies = [];
  const home = new URL(at.address).origin;
  page.on('request', (request) => {
    if (!request.url().startsWith(`${home}/`) && !/^(data|blob):/.test(request.url())) problems.push(`request to ${request.url()}`);
  });
  page.on('response', (response) => {
    if (/\/play\/\w+(\.json)?$/.test(response.url())) bodies.push(response.text().catch(() => ''));
  });
  page.on('pageerror', (error) => problems.push(`error: ${error.stack}`));
  page.on('console', (message) => {
    const expected = mayFail && /ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|status of 4/.test(message.text());
    if (message.type() === 'error' && !expected) problems.push(`console: ${message.text()}`);
  });
  t.after(async () => {
    const text = await page.content();
    await context.close();
    assert.deepEqual(problems, []);
    if (mayFail) return;
    assert.ok(bodies.length > 1, 'no reply was seen');
    const seen = [text, ...(await Promise.all(bodies))].join('\n');
    for (const token of await at.tokens()) assert.ok(!seen.includes(token), `the token ${token} is on the page`);
  });
  await page.goto(at.address);
  await page.locator('#feed[data-state=live]').waitFor();
  await page.locator('#hand fieldset').first().waitFor();
  return page;
}

/** Waits until the ladder shows the state. */
export const reaches = (page, name) => page.locator(`svg.ladder[data-state=${name}]`).waitFor();

export const story = (page, name) => page.locator(`[data-story=${name}]`);

/** Waits until a story has ended, and returns the outcome of each step. */
export async function outcomes(page) {
  await page.locator('.steps li').first().waitFor();
  await page.locator('.steps .bar button').waitFor({ state: 'hidden' });
  return page.locator('.steps .badge').allTextContents();
}

export const group = (page, name) => page.getByRole('group', { name, exact: false });

/** Presses a button of the controls. */
export const press = (page, name) => page.locator('#hand').getByRole('button', { name, exact: true }).click();

/** Waits until the card of the last act shows the text. */
export const shows = (page, text) => page.locator('#result').getByText(text).first().waitFor();

/** Makes a picture, in the folder that IMREUSE_PICTURES names. */
export const picture = (page, name, options) => page.screenshot({ path: join(process.env.IMREUSE_PICTURES, `${name}.png`), ...options });

/** Fails if axe-core finds a violation. */
export async function wantAccessible(page) {
  // Chromium evaluates the text for the test, which the page's policy would forbid.
  if (!(await page.evaluate(() => Boolean(globalThis.axe)))) await page.evaluate(await axeSource());
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((node) => node.html).join(' ')}`), []);
}
