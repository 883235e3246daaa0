// The only file that knows the vendor's SDK. The rest of the gateway sees a
// client with three methods (login, logout, destroy), a listener with four
// (login, link, failed, kicked), and words for the SDK's numbers.

import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { hide, redact } from './log.mjs';

const OFFICIAL = 'nim-web-sdk-ng/dist/nodejs/nim.js';

// The index is the SDK's number. Its order is not that of progress.
const LOGIN = ['logged_out', 'logged_in', 'logging_in', 'backing_off'];
const LINK = ['down', 'up', 'connecting', 'waiting'];

// At "debug" the SDK prints the token, so that level is not offered.
export const LOG_LEVELS = ['off', 'error', 'warn', 'log'];

// The SDK's own time-out leaves its socket open, a device that nobody holds.
// It is put behind the gateway's, which logs out.
const AFTER_OUR_DEADLINE_MS = 10_000;

const LONGEST_TEXT = 500;

export class SDKError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// loadSDK imports the SDK: the official Node build, or another one by its path
// or package name.
export async function loadSDK({ path = OFFICIAL, level = 'error' } = {}) {
  if (!LOG_LEVELS.includes(level)) throw new Error(`the log level is none of ${LOG_LEVELS.join(', ')}`);
  const file = isAbsolute(path) || path.startsWith('.');
  const { default: NIM } = await importModule(file ? resolve(path) : createRequire(import.meta.url).resolve(path));
  return {
    version: String(NIM.sdkVersionFormat ?? 'unknown'),
    connect: (configuration, listener) => new Client(NIM, level, configuration, listener),
  };
}

// The official build is an ES module in a file named .js, in a package that
// does not say so. Node detects that since 20.19, and since 22.7; older versions
// read the file as CommonJS and fail with a SyntaxError.
async function importModule(file) {
  try {
    return await import(pathToFileURL(file));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return importAsModule(file);
  }
}

// importAsModule imports a copy of the file that is named .mjs. The copy finds
// the one package that the SDK needs, ws, and is not needed once it is loaded.
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
  #unhide = () => {};

  constructor(NIM, level, configuration, listener) {
    this.#nim = new NIM(
      { appkey: configuration.appKey, apiVersion: 'v2', debugLevel: level, isAbtestEnable: false },
      options(configuration),
    );
    this.#service = this.#nim.V2NIMLoginService;
    this.#service.on('onLoginStatus', (status) => listener.login(LOGIN[status]));
    this.#service.on('onConnectStatus', (status) => listener.link(LINK[status]));
    this.#service.on('onDisconnected', (error) => listener.failed(read(error)));
    this.#service.on('onLoginFailed', (error) => listener.failed(read(error)));
    this.#service.on('onKickedOffline', (detail) => listener.kicked(kick(detail)));
  }

  async login(accid, token, timeoutMs) {
    this.#unhide();
    this.#unhide = hide(token);
    try {
      await this.#service.login(accid, token, { timeout: timeoutMs + AFTER_OUR_DEADLINE_MS });
    } catch (error) {
      const { code, message } = read(error);
      throw new SDKError(code, message);
    }
  }

  // Being out already is an error to the SDK, and a success to everyone else.
  // Whether a login ended is told by the status, not by this call.
  async logout() {
    await this.#service.logout().catch(() => {});
  }

  async destroy() {
    await this.#nim.destroy().catch(() => {});
    this.#unhide();
  }
}

function options({ lbsUrl, linkAddr, linkPlain }) {
  const own = lbsUrl ? { lbsUrls: [lbsUrl], linkUrl: linkAddr, linkSSL: !linkPlain } : {};
  return {
    V2NIMLoginServiceConfig: own,
    // By default it reports to the vendor's telemetry and asks their A/B service.
    reporterConfig: { enableCompass: false, isDataReportEnable: false },
    abtestConfig: { isAbtestEnable: false },
    loggerConfig: { storageEnable: false },
  };
}

// The SDK hands out its own errors, and now and then whatever was thrown.
function read(error) {
  const code = Number.isSafeInteger(error?.code) ? error.code : 0;
  const words = [error?.desc ?? error?.message, error?.detail?.reason].filter((word) => typeof word === 'string' && word);
  return { code, message: text([...new Set(words)].join(': ')) };
}

function kick(detail) {
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
