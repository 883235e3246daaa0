// What a page gets: the kit, a mock for its tests, and their errors.

/** An error of the engine's. It has no token in it. */
export class ImreuseError extends Error {
  #numbers;

  constructor({ message, code, remedy, op, call, numbers }, options) {
    super(message, options);
    Object.assign(this, { code, remedy, op, call });
    this.#numbers = numbers;
  }

  /** The number that a generation of the vendor's kits has for the error; 0: it has none. */
  in(profile) {
    if (!Object.hasOwn(this.#numbers, profile)) {
      throw new RangeError(`there is no profile ${profile}; there are ${Object.keys(this.#numbers).sort().join(', ')}`);
    }
    return this.#numbers[profile];
  }
}
Object.defineProperty(ImreuseError.prototype, 'name', { value: 'ImreuseError', writable: true, configurable: true });

export function unwrap({ value, failure }) {
  if (failure) throw new ImreuseError(failure);
  return value;
}

// argument makes the engine's error for a bad argument.
const argument = (go, op, text) => new ImreuseError(go.argument(op, text));

// aborted makes the error of a call whose signal was aborted before it.
export const aborted = (go, op, signal, engine = 0) => new ImreuseError(go.canceled(engine, op), { cause: signal.reason });

export function checkText(go, op, name, value = '') {
  if (typeof value !== 'string') throw argument(go, op, `${name} is not a string`);
  return value;
}

// later makes a callback for Go that runs f in a microtask. Go may call back while
// our own call to Go still runs, and an exception in a callback would stop Go.
export const later = (f) => (...args) => queueMicrotask(() => f(...args));

/** Only initialize has it. */
export const constructorKey = Symbol('initialize');

// As many changes wait for a slow watcher as in the engine.
const watchQueue = 64;

/** One kit login, and the IM login below it. Its changes are events, too. */
export class Kit extends EventTarget {
  #go;
  #engine; // its number
  #role; // undefined for a mock's
  #json;
  #status; // the one that #json has
  #closed; // the promise of close
  #last; // the status after it

  constructor(key, go, engine, role) {
    if (key !== constructorKey) throw new TypeError('a Kit is made by initialize');
    super();
    this.#go = go;
    this.#engine = engine;
    this.#role = role;
    let first = true; // it is no change
    const changed = (json) => {
      if (!first) this.dispatchEvent(new CustomEvent('change', { detail: parse(json) }));
      first = false;
    };
    go.watch(engine, later(changed), () => {});
  }

  /** The status now. It never changes; each change makes a new one. */
  get status() {
    return this.#last ?? this.#parse(this.#go.status(this.#engine));
  }

  #parse(json) {
    if (json !== this.#json) {
      this.#json = json;
      this.#status = parse(json);
    }
    return this.#status;
  }

  /** Yields the status now, and each later one, until the signal or close. */
  watch(options) {
    const stop = new AbortController();
    const changes = this.#changes(options?.signal, stop.signal);
    // A generator's own return waits for the next change.
    const finish = changes.return.bind(changes);
    changes.return = (value) => {
      stop.abort();
      return finish(value);
    };
    return changes;
  }

  async *#changes(signal, stop) {
    const queue = [];
    let over = false;
    let wake = () => {};
    const changed = (json) => {
      if (queue.push(json) > watchQueue) queue.shift();
      wake();
    };
    const end = () => {
      over = true;
      wake();
    };
    const number = this.#go.watch(this.#engine, later(changed), later(end));
    if (number === null) {
      if (!signal?.aborted) yield this.status;
      return;
    }
    signal?.addEventListener('abort', end);
    stop.addEventListener('abort', end);
    try {
      while (!signal?.aborted && !stop.aborted) {
        if (queue.length > 0) yield parse(queue.shift());
        else if (over) return;
        else await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      signal?.removeEventListener('abort', end);
      this.#go.unwatch(number);
    }
  }

  loginByToken(userUuid, userToken, options) {
    return this.#start('LoginKit', { userUuid, userToken }, options);
  }

  loginAnonymous(options) {
    return this.#start('LoginAnonymous', {}, options);
  }

  keep(userUuid, userToken, options) {
    return this.#start('KeepKit', { userUuid, userToken }, options);
  }

  renewToken(userUuid, userToken, options) {
    return this.#start('RenewKit', { userUuid, userToken }, options);
  }

  logout(options) {
    return this.#start('LogoutKit', {}, options);
  }

  initIM(options) {
    return this.#start('InitIM', {}, options);
  }

  loginIM(account, options) {
    return this.#start('LoginIM', { accid: account?.accid, token: account?.token }, options);
  }

  logoutIM(options) {
    return this.#start('LogoutIM', {}, options);
  }

  close() {
    this.#closed ??= new Promise((resolve, reject) => {
      const done = (failure, json) => {
        this.#last = this.#parse(json);
        this.#go.releaseEngine(this.#engine);
        if (failure) reject(new ImreuseError(failure));
        else resolve(this.#last);
      };
      this.#go.close(this.#engine, later(done));
    });
    return this.#closed;
  }

  // start runs an operation and resolves with the status after it.
  async #start(op, account, options) {
    const signal = options?.signal;
    const [id = '', token = ''] = Object.entries(account).map(([name, value]) => checkText(this.#go, op, name, value));
    if (signal?.aborted) throw aborted(this.#go, op, signal, this.#engine);
    this.#role?.refresh();
    return new Promise((resolve, reject) => {
      const abort = () => this.#go.cancel(call);
      const done = (failure, json) => {
        signal?.removeEventListener('abort', abort);
        if (!failure) return resolve(this.#parse(json));
        const cause = signal?.aborted ? { cause: signal.reason } : undefined;
        reject(new ImreuseError(failure, cause));
      };
      const call = this.#go.start(this.#engine, op, id, token, later(done));
      signal?.addEventListener('abort', abort);
    });
  }
}

function parse(json) {
  return JSON.parse(json, (_, value) => (typeof value === 'object' ? Object.freeze(value) : value));
}

/** A cloud in memory with one device, for a page's own tests. */
export class Mock {
  #go;
  #number;

  constructor(go, number) {
    this.#go = go;
    this.#number = number;
  }

  kick(accid, reason) {
    if (![1, 2, 3, 4].includes(reason)) throw argument(this.#go, 'kick', 'reason must be 1, 2, 3 or 4');
    this.#go.mockKick(this.#number, checkText(this.#go, 'kick', 'accid', accid), reason);
  }

  expire(userUuid) {
    this.#go.mockExpire(this.#number, checkText(this.#go, 'expire', 'userUuid', userUuid));
  }

  link(online) {
    this.#go.mockLink(this.#number, Boolean(online));
  }

  async hostLogin(accid, token) {
    const account = [checkText(this.#go, 'hostLogin', 'accid', accid), checkText(this.#go, 'hostLogin', 'token', token)];
    const failure = await new Promise((resolve) => this.#go.mockLogin(this.#number, ...account, resolve));
    if (failure) throw new ImreuseError(failure);
  }

  hostLogout() {
    this.#go.mockLogout(this.#number);
  }
}
