// This is the only file that uses the vendor's SDK. The rest of the gateway
// sees a client with three methods (login, logout, destroy), a listener with
// five (login, link, failed, kicked, ask), and words instead of the SDK's
// numbers.

import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hide, redact } from './log.mjs';

const OFFICIAL = 'nim-web-sdk-ng/dist/nodejs/nim.js';

// The index is the SDK's number: docs/vendor/im-sdk.md#states.
const LOGIN = ['logged_out', 'logged_in', 'logging_in', 'backing_off'];
const LINK = ['down', 'up', 'connecting', 'waiting'];

// "debug" is missing because the SDK prints the token at that level.
export const LOG_LEVELS = ['off', 'error', 'warn', 'log'];

// After the SDK's own time-out its socket stays open, so the account stays
// online (docs/vendor/im-sdk.md#calls). We make that time-out longer than our
// own, after which the slot logs out.
const AFTER_OUR_DEADLINE_MS = 10_000;

// Of a login: the SDK asks the tokenProvider for each token.
const AUTH_DYNAMIC = 1;

const LONGEST_TEXT = 500;

export class SDKError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// loadSDK imports the official Node build of the SDK, or another build by its
// path or package name.
export async function loadSDK({ path = OFFICIAL, level = 'error' } = {}) {
  if (!LOG_LEVELS.includes(level)) throw new Error(`the log level must be one of ${LOG_LEVELS.join(', ')}`);
  const file = isAbsolute(path) || path.startsWith('.');
  const { default: NIM } = await importModule(file ? resolve(path) : createRequire(import.meta.url).resolve(path));
  return {
    version: String(NIM.sdkVersionFormat ?? 'unknown'),
    connect: (configuration, listener) => new Client(NIM, level, configuration, listener),
  };
}

// The official build is an ES module in a .js file, but its package does not
// declare the type. Node 20.19 and 22.7 and later detect that; earlier versions
// read the file as CommonJS and fail with a SyntaxError.
async function importModule(file) {
  try {
    return await import(pathToFileURL(file));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return importAsModule(file);
  }
}

// importAsModule imports a copy of the file that is named .mjs. A link lets the
// copy find ws, the one package that the SDK needs. Once it is loaded, the copy
// can go.
async function importAsModule(file) {
  const folder = mkdtempSync(join(tmpdir(), 'imreuse-sdk-'));
  try {
    const packages = dirname(dirname(createRequire(file).resolve('ws/package.json')));
    symlinkSync(packages, join(folder, 'node_modules'), 'junction'); // needs no privilege on Windows
    const copy = join(folder, 'nim.mjs');
    copyFileSync(file, copy);
    return await import(pathToFileURL(copy));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Client {
  #nim;
  #service;
  #listener;
  #unhide = []; // of the tokens of the login: the last, and the one before it

  constructor(NIM, level, configuration, listener) {
    this.#nim = new NIM(
      { appkey: configuration.appKey, apiVersion: 'v2', debugLevel: level, isAbtestEnable: false },
      options(configuration),
    );
    this.#service = this.#nim.V2NIMLoginService;
    this.#listener = listener;
    this.#service.on('onLoginStatus', (status) => listener.login(LOGIN[status]));
    this.#service.on('onConnectStatus', (status) => listener.link(LINK[status]));
    this.#service.on('onDisconnected', (error) => listener.failed(readError(error)));
    this.#service.on('onLoginFailed', (error) => listener.failed(readError(error)));
    this.#service.on('onKickedOffline', (detail) => listener.kicked(readKick(detail)));
  }

  async login({ accid, token, dynamic, timeoutMs }) {
    this.#hide(token);
    const login = { token, decided: false };
    const asked = { authType: AUTH_DYNAMIC, tokenProvider: () => this.#tokenFor(login) };
    try {
      const options = { timeout: timeoutMs + AFTER_OUR_DEADLINE_MS, ...(dynamic && asked) };
      await this.#service.login(accid, dynamic ? '' : token, options);
    } catch (error) {
      const { code, message } = readError(error);
      throw new SDKError(code, message);
    } finally {
      login.decided = true;
    }
  }

  // The SDK asks for the token at each attempt of a login, and at each reconnect.
  async #tokenFor({ token, decided }) {
    if (!decided) return token;
    const fresh = await this.#listener.ask();
    this.#hide(fresh);
    return fresh;
  }

  // The token before may still be in what the SDK prints.
  #hide(token) {
    this.#unhide.push(hide(token));
    if (this.#unhide.length > 2) this.#unhide.shift()();
  }

  // The SDK rejects logout if nobody is logged in; to us that is a success. The
  // status events report whether a login has ended, so other errors do not
  // matter here.
  async logout() {
    await this.#service.logout().catch(() => {});
  }

  async destroy() {
    await this.#nim.destroy().catch(() => {});
    for (const unhide of this.#unhide) unhide();
  }
}

function options({ lbsUrl, linkAddr, linkPlain }) {
  const own = lbsUrl ? { lbsUrls: [lbsUrl], linkUrl: linkAddr, linkSSL: !linkPlain } : {};
  return {
    V2NIMLoginServiceConfig: own,
    // By default the SDK sends telemetry and A/B requests to the vendor's
    // hosts: docs/vendor/im-sdk.md#where-it-runs.
    reporterConfig: { enableCompass: false, isDataReportEnable: false },
    abtestConfig: { isAbtestEnable: false },
    loggerConfig: { storageEnable: false },
  };
}

// readError returns the code and the text of an error. Most errors are the
// SDK's own, but it also passes on exceptions of other types.
function readError(error) {
  const code = Number.isSafeInteger(error?.code) ? error.code : 0;
  const words = [error?.desc ?? error?.message, error?.detail?.reason].filter((word) => typeof word === 'string' && word);
  return { code, message: text([...new Set(words)].join(': ')) };
}

function readKick(detail) {
  const { reason, reasonDesc, clientType, customClientType } = detail ?? {};
  return {
    reason: number(reason),
    reasonDesc: text(reasonDesc),
    clientType: number(clientType),
    customClientType: number(customClientType),
  };
}

const number = (value) => (Number.isSafeInteger(value) ? value : 0);
const text = (value) => redact(value ?? '').slice(0, LONGEST_TEXT);
