import { ImreuseError, Kit, Mock, aborted, checkText, constructorKey, later, unwrap } from './kit.mjs';
import { report, wrapSDK } from './reuse.mjs';
import { goClass } from './wasm_exec.mjs';

export { ImreuseError, Kit } from './kit.mjs';

/**
 * Loads the engine. Two loads share nothing.
 *
 * @param {object} [options]
 * @param {string | URL | Response | BufferSource} [options.wasm] default:
 *   imreuse.wasm beside this file
 * @param {AbortSignal} [options.signal]
 */
export async function load({ wasm, signal } = {}) {
  signal?.throwIfAborted();
  const source = (await wasm) ?? new URL('./imreuse.wasm', import.meta.url);
  const scope = newScope();
  const program = new (goClass(scope))();
  const { instance } = await instantiate(source, program.importObject, signal);
  signal?.throwIfAborted();
  program.run(instance).then(
    () => report(new Error('imreuse has stopped; reload the page')),
    (error) => report(error),
  );
  return new Imreuse(scope.imreuse);
}

async function instantiate(source, imports, signal) {
  if (typeof source === 'string' || source instanceof URL) source = await open(source, signal);
  if (!(source instanceof Response)) return asSource(await WebAssembly.instantiate(source, imports));
  if (!source.ok) throw new Error(`imreuse.wasm cannot be loaded: ${source.url} answers ${source.status}`);
  // If the server sends another type for .wasm, compile without streaming.
  if (/^application\/wasm\b/i.test(source.headers.get('content-type') ?? '')) {
    return WebAssembly.instantiateStreaming(source, imports);
  }
  return WebAssembly.instantiate(await source.arrayBuffer(), imports);
}

const asSource = (made) => (made instanceof WebAssembly.Instance ? { instance: made } : made);

// open also works in Node, for a page's own tests: its fetch reads no files.
async function open(url, signal) {
  const { href, protocol } = new URL(url, globalThis.document?.baseURI ?? import.meta.url);
  const fs = protocol === 'file:' && globalThis.process?.getBuiltinModule?.('node:fs/promises');
  return fs ? fs.readFile(new URL(href), { signal }) : fetch(href, { signal });
}

// newScope makes what the Go program takes for globalThis: it reads the page's,
// and adds nothing to it. The program gets no file system, not even in Node.
function newScope() {
  const own = { fetch: (...args) => globalThis.fetch(...args), fs: undefined, path: undefined, process: undefined };
  return new Proxy(own, { get: (target, name) => (name in target ? target[name] : globalThis[name]) });
}

class Imreuse {
  #go;
  #roles = new WeakMap(); // an instance of the SDK's, or a HostIM -> its IMRole
  #wrapped = new WeakMap(); // an SDK -> what reuseIM made of it
  #mocks = new WeakMap(); // Mock -> its number

  constructor(go) {
    this.#go = go;
  }

  reuseIM(SDK) {
    if (typeof SDK?.getInstance !== 'function' && typeof SDK?.default?.getInstance !== 'function') {
      throw this.#argument('reuseIM', 'pass the SDK itself, such as window.NIM: the object has no getInstance');
    }
    return wrapSDK(SDK, this.#wrapped, (instance, refresh) => {
      const role = new IMRole(this.#go, {}, refresh);
      this.#roles.set(instance, role);
      return role;
    });
  }

  hostIM(client) {
    client ??= {};
    for (const name of ['init', 'login', 'logout']) {
      if (client[name] !== undefined && typeof client[name] !== 'function') {
        throw this.#argument('hostIM', `${name} is not a function`);
      }
    }
    const role = new IMRole(this.#go, client);
    const im = new HostIM(role);
    this.#roles.set(im, role);
    return im;
  }

  mock(accounts) {
    const text = accounts === undefined || typeof accounts === 'string' ? (accounts ?? '') : JSON.stringify(accounts);
    const number = unwrap(this.#go.newMock(text));
    const mock = new Mock(this.#go, number);
    this.#mocks.set(mock, number);
    return mock;
  }

  async initialize(options) {
    const { im, mock, kitToken, imToken, logger, signal, ...plain } = options ?? {};
    if (signal?.aborted) throw aborted(this.#go, 'initialize', signal);
    const role = im ? this.#roles.get(im) : undefined;
    const cloud = mock ? this.#mocks.get(mock) : 0;
    if (im && !role) throw this.#argument('initialize', 'im is neither an instance that reuseIM(…).getInstance made, nor made by hostIM');
    if (cloud === undefined) throw this.#argument('initialize', 'mock was not made by mock');
    if (!role && !cloud) throw this.#argument('initialize', 'im is missing; pass the instance that reuseIM(…).getInstance made');
    if (plain.kitURL instanceof URL) plain.kitURL = plain.kitURL.href;
    // A wrong value must not turn into a default, such as the vendor's servers.
    for (const name of ['appKey', 'kitURL', 'deviceId', 'mode']) {
      checkText(this.#go, 'initialize', name, plain[name] ?? undefined);
    }
    for (const [name, f] of Object.entries({ kitToken, imToken, logger })) {
      if (f != null && typeof f !== 'function') throw this.#argument('initialize', `${name} is not a function`);
    }
    const engine = unwrap(
      this.#go.newEngine({
        ...plain,
        im: role?.number ?? 0,
        mock: cloud,
        kitToken: kitToken && asked(this.#go, ({ id, refused, signal }) => kitToken(id, refused, { signal }), true),
        imToken: imToken && asked(this.#go, ({ id, refused, signal }) => imToken(id, refused, { signal }), true),
        logger: logger && later(logger),
      }),
    );
    return new Kit(constructorKey, this.#go, engine, role);
  }

  #argument(op, text) {
    return new ImreuseError(this.#go.argument(op, text));
  }
}

// asked makes a function for Go from an async one of the page's. Go passes the
// number of a request, which is answered once, and gets a function that gives up.
function asked(go, f, token = false) {
  return (request, arg) => {
    const abort = new AbortController();
    Promise.resolve({ ...arg, signal: abort.signal })
      .then(f)
      .then((value) => {
        if (!token) return go.answer(request, 0, '');
        if (typeof value !== 'string') return go.answer(request, noCode, 'the token is not a string');
        go.answerToken(request, value);
      })
      .catch((error) => {
        const code = Number.isSafeInteger(error?.code) && error.code !== 0 ? error.code : noCode;
        go.answer(request, code, String(error?.message ?? error?.desc ?? error));
      });
    return () => abort.abort();
  };
}

const noCode = -1; // of an error without one of the engine's codes

const released = new FinalizationRegistry((release) => release());

// An IMRole is the page's IM client as the engine knows it. Its methods report
// what happens there.
class IMRole {
  #go;

  constructor(go, { init, login, logout }, refresh = () => {}) {
    this.#go = go;
    this.refresh = refresh;
    const number = go.newIM(...[init, login, logout].map((f) => f && asked(go, f)));
    this.number = number;
    released.register(this, () => go.releaseIM(number));
  }

  loggingIn() {
    this.#go.loggingIn(this.number);
  }

  loggedIn(appKey, accid) {
    this.#go.loggedIn(this.number, appKey, accid);
  }

  loggedOut(code = 0, reason = 0, text = '') {
    this.#go.loggedOut(this.number, code, reason, text);
  }

  kicked(reason, text) {
    this.#go.kicked(this.number, Number.isSafeInteger(reason) ? reason : 0, text);
  }

  ended(number, text) {
    this.#go.endedBySDK(this.number, Number.isSafeInteger(number) ? number : 0, text);
  }

  link(online) {
    this.#go.link(this.number, online);
  }
}

// A page may pass on what its SDK says. A word such as 'serverKick' is no number of
// the engine's, but it says that the page has not just logged out.
const number = (value) => (Number.isSafeInteger(value) ? value : (value ?? '') === '' ? 0 : noCode);

// What a page with another IM client reports.
class HostIM {
  #role;

  constructor(role) {
    this.#role = role;
  }

  loggingIn() {
    this.#role.loggingIn();
  }

  loggedIn(account) {
    this.#role.loggedIn(account?.appKey, account?.accid);
  }

  loggedOut(why) {
    const reason = number(why?.reason);
    if (reason === noCode) this.#role.loggedOut(noCode, 0, why.text);
    else this.#role.loggedOut(number(why?.code), reason, why?.text);
  }

  link(online) {
    this.#role.link(Boolean(online));
  }
}
