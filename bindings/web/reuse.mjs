// This file follows a login of the vendor's web SDKs and reports it. It adds
// listeners of its own beside the host's, and the SDK and the host must not
// notice: no argument, return value, order or exception changes.
//
// A follower reports to an object with these methods:
//
//   loggingIn(), loggedIn(appKey, accid), link(online)
//   ended(number, text)     the SDK ended the login, with a number of its own
//   loggedOut()             the host logged out
//   kicked(reason, text)    1 to 4, as the SDK numbers them

/**
 * Returns an object that is the SDK in all but getInstance, which calls the
 * SDK's own. SDK is the class of @yxim/nim-web-sdk or nim-web-sdk-ng, or a module
 * with the class as its default.
 *
 * @param {WeakMap} wrapped the wrapper of each SDK, and of each wrapper itself
 * @param follow (instance, refresh) => what to report to; call refresh before
 *   the login is looked at
 */
export function wrapSDK(SDK, wrapped, follow) {
  if (!wrapped.has(SDK)) {
    const wrapper = SDK.getInstance ? wrapClass(SDK, follow) : wrapModule(SDK, wrapSDK(SDK.default, wrapped, follow));
    wrapped.set(SDK, wrapper).set(wrapper, wrapper);
  }
  return wrapped.get(SDK);
}

// The proxy stands for a copy, because one for a module that a bundler froze could
// not return another default.
function wrapModule(module, SDK) {
  return new Proxy({ ...module }, {
    get(_, name) {
      if (name === 'default') return SDK;
      if (name === 'getInstance') return SDK.getInstance.bind(SDK);
      return Reflect.get(module, name);
    },
  });
}

function wrapClass(SDK, follow) {
  const followers = new WeakMap(); // by instance
  const own = new WeakMap(); // the options that a SDK of V1 was given -> the host's

  // V1 logs in with what getInstance is given. What it says meanwhile waits until
  // the login is announced.
  let held;
  const hear = (follower, name, event) => (held ? held.push([follower, name, event]) : follower[name](event));

  const getV1 = (self, [options, ...rest]) => {
    const outer = held;
    const said = (held = []);
    let instance;
    try {
      instance = Reflect.apply(SDK.getInstance, self, [copyOptions(options, own), ...rest]);
    } finally {
      held = outer;
      quietly(() => {
        if (instance && !instance.V2NIMLoginService) connecting(instance, options);
        for (const [follower, name, event] of said) hear(follower, name, event);
      });
    }
    if (instance?.V2NIMLoginService) quietly(() => followers.has(instance) || followV2(instance, options));
    return instance;
  };

  function connecting(instance, options) {
    const follower = followers.get(instance) ?? followV1(instance, options);
    follower.listen();
    if (!options.skipConnectionOnInitialize) follower.connecting();
  }

  // V2 logs in later, and emits events.
  const getV2 = (self, args) => {
    const instance = Reflect.apply(SDK.getInstance, self, args);
    quietly(() => {
      if (instance?.V2NIMLoginService && !followers.has(instance)) followV2(instance, args[0] ?? instance.options);
    });
    return instance;
  };

  function followV1(instance, options) {
    const follower = new V1Follower(instance, options, hear);
    follower.reports = follow(instance, () => follower.refresh());
    followers.set(instance, follower);
    return follower;
  }

  function followV2(instance, options) {
    const follower = new V2Follower(instance.V2NIMLoginService, options);
    follower.reports = follow(instance, () => follower.refresh());
    followers.set(instance, follower);
    follower.refresh();
  }

  function getInstance(...args) {
    const self = this === wrapper ? SDK : this;
    return args[0]?.account === undefined ? getV2(self, args) : getV1(self, args);
  }

  const wrapper = new Proxy(SDK, {
    get(target, name, receiver) {
      if (name === 'getInstance') return getInstance;
      return Reflect.get(target, name, receiver === wrapper ? target : receiver);
    },
  });
  return wrapper;
}

// copyOptions returns a copy for the SDK to write into. The functions in it are
// called with the host's own options as this, where the SDK uses the copy.
function copyOptions(options, own) {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(options)), options);
  own.set(copy, options);
  for (const [name, value] of Object.entries(copy)) {
    if (typeof value !== 'function') continue;
    copy[name] = new Proxy(value, { apply: (target, self, args) => Reflect.apply(target, own.get(self) ?? self, args) });
  }
  return copy;
}

/** Reports an exception that nobody can catch, as the browser would. */
export function report(error) {
  if (typeof reportError === 'function') reportError(error);
  else queueMicrotask(() => { throw error; }); // Node
}

// quietly keeps exceptions of ours away from the SDK.
function quietly(f) {
  try {
    f();
  } catch (error) {
    report(error);
  }
}

// The number that V2 gives the same reason.
const kickReasons = { samePlatformKick: 1, serverKick: 2, otherPlatformKick: 3, silentlyKick: 4 };

// After these the SDK reconnects by itself, or says that it will not.
const passing = ['offlineListener', 'binarySocketUnreliable'];

// The states of a login, in both versions.
const [LOGOUT, LOGINED, LOGINING, UNLOGIN] = [0, 1, 2, 3];

const heardOfV1 = ['onconnect', 'onwillreconnect', 'ondisconnect'];

class V1Follower {
  reports;
  #instance;
  #appKey;
  #accid;
  #hear;
  #options; // of the instance; it has none once it is destroyed

  constructor(instance, { appKey, appkey, account }, hear) {
    this.#instance = instance;
    this.#appKey = String(appKey ?? appkey ?? '');
    this.#accid = String(account);
    this.#hear = hear;
  }

  // The SDK calls what its options have at the time. A second getInstance and
  // setOptions put other functions there, so each property here adds our
  // listener to whatever is put into it.
  listen() {
    const { options } = this.#instance;
    if (!options || options === this.#options) return;
    this.#options = options;
    for (const name of heardOfV1) {
      const enumerable = name in options;
      let callback = this.#through(name, options[name]);
      const set = (host) => (callback = this.#through(name, host));
      Object.defineProperty(options, name, { configurable: true, enumerable, get: () => callback, set });
    }
  }

  #through(name, host) {
    const hear = (event) => quietly(() => this.#hear(this, name, event));
    if (typeof host !== 'function') return hear;
    return new Proxy(host, {
      apply(target, self, args) {
        hear(args[0]);
        return Reflect.apply(target, self, args);
      },
    });
  }

  // An instance that is logged in already says nothing when it is asked to connect.
  connecting() {
    quietly(() => (this.#instance.getLoginStatus?.() === LOGINED ? this.onconnect() : this.reports.loggingIn()));
  }

  // An instance that is destroyed while it connects says nothing, and has no
  // options any more.
  refresh() {
    quietly(() => {
      this.listen();
      if (this.#options && !this.#instance.options) this.reports.loggedOut();
    });
  }

  // It is also called after each reconnect.
  onconnect() {
    this.reports.loggedIn(this.#appKey, this.#accid);
    this.reports.link(true);
  }

  onwillreconnect() {
    this.reports.link(false);
  }

  ondisconnect(error) {
    const { code, reason, message } = error ?? {};
    if (passing.includes(code)) return this.reports.link(false);
    if (code === 'logout' || code === 'alreadyDisconnected') return this.reports.loggedOut();
    if (code === 'kicked') return this.reports.kicked(kickReasons[reason] ?? 0, message);
    this.reports.ended(code, message);
  }
}

// A login of V2 ends with LOGOUT, and with nothing else. The event that says why
// follows within the same call of the SDK's.
class V2Follower {
  reports;
  #service;
  #appKey;
  #status = LOGOUT;
  #loggedIn = false;
  #ending = false; // LOGOUT came, and its report waits for the reason
  #listeners;

  constructor(service, { appkey } = {}) {
    this.#service = service;
    this.#appKey = String(appkey ?? '');
    this.#listeners = {
      onLoginStatus: (status) => quietly(() => this.#onStatus(status)),
      onLoginFailed: (error) => quietly(() => this.#end(() => this.reports.ended(error?.code, textOf(error)))),
      onKickedOffline: (kick) => quietly(() => this.#end(() => this.reports.kicked(kick?.reason, kick?.reasonDesc))),
    };
  }

  // refresh adds the listeners and catches up. Later calls make up for a host that
  // calls removeAllListeners, which removes ours, too.
  refresh() {
    quietly(() => {
      for (const [name, listener] of Object.entries(this.#listeners)) {
        this.#service.off(name, listener);
        this.#service.on(name, listener);
      }
      const status = this.#service.getLoginStatus();
      if (status !== this.#status) this.#onStatus(status);
    });
  }

  #onStatus(status) {
    this.#status = status;
    if (status === LOGOUT) return this.#awaitReason();
    // A second login() restarts a login in progress: LOGOUT, and at once LOGINING.
    this.#end(() => this.#loggedIn && this.reports.loggedOut());
    if (status === LOGINED) {
      this.#loggedIn = true;
      this.reports.loggedIn(this.#appKey, this.#service.getLoginUser());
      this.reports.link(true);
    }
    // UNLOGIN is a pause before the SDK tries again.
    if (status === LOGINING || status === UNLOGIN) this.reports.loggingIn();
    if (status === UNLOGIN) this.reports.link(false);
  }

  // The host's own logout has no reason. A login that is replaced by another
  // needs a moment longer until LOGINING comes.
  #awaitReason() {
    this.#ending = true;
    const later = this.#loggedIn ? queueMicrotask : setTimeout;
    later(() => quietly(() => this.#end(() => this.reports.loggedOut())));
  }

  #end(report) {
    if (!this.#ending) return;
    this.#ending = false;
    report();
    this.#loggedIn = false;
  }
}

const textOf = (error) => error?.desc ?? error?.message;
