// Starts programs to look into, and opens their pages. The programs are in
// browser_world_test.go.
import { after } from 'node:test';
import assert from 'node:assert/strict';
import { launch } from '../../internal/browsertest/chromium.mjs';

const control = process.env.IMREUSE_PROGRAMS;
if (!control) throw new Error('IMREUSE_PROGRAMS is not set: run these tests with go test ./inspect -run TestBrowser');

export const pictures = process.env.IMREUSE_PICTURES;

let browser;
after(() => browser?.close());

async function post(path) {
  const reply = await fetch(control + path, { method: 'POST' });
  const text = await reply.text();
  assert.equal(reply.status, 200, text);
  return text;
}

/** A program with one engine, "chat", in the given mode. */
export async function program(mode) {
  const [number, address] = (await post(`/programs?mode=${mode}`)).split(' ');
  return {
    address,
    /** Has the program do something, and returns the error that it got. */
    act: (name, n = 0) => post(`/programs/${number}/${name}?n=${n}`),
    /** The same, and fails if there is an error. */
    async must(...names) {
      for (const name of names) assert.equal(await this.act(name), '', name);
    },
  };
}

/**
 * A page of the program in a browser context of its own. visit.problems has what
 * no page may do: requests to elsewhere, violations of the policy, errors.
 */
export async function visit(t, { address }, options = {}) {
  browser ??= await launch();
  const context = await browser.newContext({ locale: 'en-GB', colorScheme: 'light', timezoneId: 'UTC', viewport: { width: 1200, height: 900 }, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const problems = [];
  const home = new URL(address).origin;
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${home}/`) && !/^(data|blob):/.test(url)) problems.push(`request to ${url}`);
  });
  page.on('pageerror', (error) => problems.push(`error: ${error.stack}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/.test(message.text())) {
      problems.push(`console: ${message.text()}`);
    }
  });
  t.after(() => assert.deepEqual(problems, []));
  await page.goto(address);
  await page.locator('#feed[data-state=live]').waitFor();
  return page;
}

export const state = (page) => page.locator('svg.ladder').getAttribute('data-state');

/** Waits until the ladder shows the state. */
export const reaches = (page, name) => page.locator(`svg.ladder[data-state=${name}]`).waitFor();
