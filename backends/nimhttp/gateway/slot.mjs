// One slot: the login of one account, in one client of the SDK.

import { createHash } from 'node:crypto';
import { Problem } from './problem.mjs';
import { State, turn } from './state.mjs';

// The SDK waits at most a second for the server's answer to a logout. If a
// client of the SDK has not finished by then, we give it up and make a new one.
const LOGOUT_MS = 5000;

// The reasons to give up a login.
const DEADLINE = 'deadline';
const CLOSED = 'closed'; // the client closed the request
const CLOSING = 'closing'; // the gateway is shutting down

// The SDK's own codes for the first two.
const CODE_CANCELLED = 191002;
const CODE_TIMEOUT = 191005;

export class Slot {
  #run;
  #sdk;
  #onEmpty;

  #client = null;
  #configuration = null;
  #state;
  #tokenHash = ''; // of the present login

  #tail = Promise.resolve();
  #queued = 0;
  #asking = 0; // calls that have not been answered
  #leaseMs = 0;
  #lease;
  #stops = new Set(); // AbortControllers of the logins in progress or queued

  // onEmpty is called when the slot is not initialised and no call is queued.
  constructor({ run, sdk, onEmpty = () => {} }) {
    this.#run = run;
    this.#sdk = sdk;
    this.#onEmpty = onEmpty;
    this.#state = new State(run);
  }

  // Null while the slot is not initialised.
  get snapshot() {
    return this.#client && this.#state.published;
  }

  init({ leaseMs, ...configuration }) {
    return this.#ask(() => this.#queue(() => this.#init(configuration, leaseMs)));
  }

  // gone is aborted if the request is closed before its reply is sent.
  async login(request, gone) {
    const stop = new AbortController();
    const close = () => stop.abort(CLOSED);
    // The deadline counts from the arrival, so time in the queue counts too.
    const timer = setTimeout(() => stop.abort(DEADLINE), request.timeoutMs);
    gone.addEventListener('abort', close);
    if (gone.aborted) close();
    this.#stops.add(stop);
    try {
      return await this.#ask(() => this.#queue(() => this.#logIn(request, stop.signal, gone)));
    } finally {
      clearTimeout(timer);
      gone.removeEventListener('abort', close);
      this.#stops.delete(stop);
    }
  }

  // With an owner, logout and release leave another owner's login alone; the
  // snapshot that they resolve with shows it. They compare the owners once it
  // is their turn in the queue, so no login can come in between.
  logout({ owner } = {}) {
    return this.#ask(() => this.#queue(() => this.#unlessAnothers(owner, () => this.#logOut())));
  }

  release({ owner } = {}) {
    return this.#ask(() => this.#queue(() => this.#unlessAnothers(owner, () => this.#release())));
  }

  // close releases the slot at the end of the run. It gives up logins in
  // progress instead of waiting for them.
  close() {
    for (const stop of this.#stops) stop.abort(CLOSING);
    return this.#queue(() => this.#client && this.#release());
  }

  // read does not queue, so that clients see the changes while other calls run.
  read({ after, waitMs }, gone) {
    return this.#ask(async () => {
      this.#initialised();
      await this.#state.next(after, waitMs, gone);
      this.#initialised();
      return this.#state.published;
    });
  }

  // answer does not queue either: a call in the queue may wait for the SDK.
  answer({ asks, token }) {
    return this.#ask(() => {
      this.#initialised();
      if (!this.#state.answer(asks, token)) throw new Problem('no-such-question', `question ${asks} is not open`);
      if (token !== undefined) this.#tokenHash = hashOf({ token, dynamic: true });
      return this.#state.published;
    });
  }

  // The calls of one slot queue. Each one starts when the one before has ended.
  #queue(work) {
    this.#queued++;
    const result = this.#tail.then(() => this.#state.settled()).then(work);
    this.#tail = result
      .catch(() => {})
      .then(() => {
        if (--this.#queued === 0 && !this.#client) this.#onEmpty();
      });
    return result;
  }

  // The lease runs only while no call is being answered.
  async #ask(call) {
    this.#asking++;
    clearTimeout(this.#lease);
    try {
      return await call();
    } finally {
      if (--this.#asking === 0) this.#startLease();
    }
  }

  #startLease() {
    if (!this.#client || !this.#leaseMs) return;
    const expire = () => this.#client && !this.#asking && this.#release();
    this.#lease = setTimeout(() => this.#queue(expire), this.#leaseMs);
  }

  #initialised(kind = 'no-such-slot') {
    if (!this.#client) throw new Problem(kind, 'initialise the slot with PUT first');
    return this.#client;
  }

  async #init(configuration, leaseMs) {
    if (!this.#client || !sameValues(configuration, this.#configuration)) {
      const { session, accid } = this.#state;
      if (session) throw new Problem('other-configuration', `${accid} is logged in; log it out first`);
      await this.#discard();
      this.#connect(configuration);
    }
    this.#leaseMs = leaseMs;
    return this.#state.published;
  }

  #connect(configuration) {
    this.#configuration = configuration;
    this.#client = this.#sdk.connect(configuration, this.#state.listener(configuration.appKey));
  }

  async #logIn({ accid, token, dynamic, owner, timeoutMs }, stop, gone) {
    this.#initialised('not-initialised');
    throwIfStopped(stop);
    const tokenHash = hashOf({ token, dynamic });
    const { session, accid: held } = this.#state;
    if (session && accid !== held) throw new Problem('other-account', `${held} is logged in; log it out first`);
    if (session && tokenHash === this.#tokenHash) return this.#state.published;
    // Given another token, the SDK would log out by itself, but without an
    // event.
    if (session) await this.#logOut();
    await this.#decide(this.#client.login({ accid, token, dynamic, timeoutMs }), stop);
    return this.#hold({ accid, owner, tokenHash }, gone);
  }

  // Waits until the SDK decides the attempt, or until the login is given up. A
  // login that is given up is logged out.
  async #decide(attempt, stop) {
    const decided = attempt.then(
      () => null,
      ({ code, message }) => new Problem('login-failed', message || 'the SDK gave no reason', { code }),
    );
    const stopped = new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
    const failure = await Promise.race([decided, stopped]);
    if (stop.aborted) {
      await this.#logOutClient(decided);
      // The attempt's socket may close late, and the SDK would mistake that for
      // the end of its next login: docs/vendor/im-sdk.md#calls.
      if (this.#client) this.#replace();
      throwIfStopped(stop);
    }
    if (!failure) return;
    await this.#state.settled(); // so that the reply shows the state afterwards
    throw failure;
  }

  #hold({ accid, owner, tokenHash }, gone) {
    const cause = this.#state.begin({ accid, owner });
    if (cause) {
      const code = cause.error?.code ?? CODE_CANCELLED;
      throw new Problem('login-failed', 'the login ended as soon as it was made', { code });
    }
    this.#tokenHash = tokenHash;
    const { session } = this.#state;
    const lost = () => this.#state.session === session && this.#logOut();
    gone.addEventListener('abort', () => this.#queue(lost), { once: true }); // the client may never get the reply
    return this.#state.published;
  }

  #unlessAnothers(owner, work) {
    this.#initialised();
    const { session, owner: holder } = this.#state;
    return owner !== undefined && session && holder !== owner ? this.#state.published : work();
  }

  async #logOut() {
    this.#initialised();
    await this.#logOutClient();
    if (this.#state.session) this.#state.end();
    return this.#state.published;
  }

  // Logs the client of the SDK out, and waits until the attempt has ended too.
  // A client that takes too long is replaced.
  async #logOutClient(attempt) {
    const done = Promise.all([this.#client.logout(), attempt]).then(() => true);
    if (!(await within(LOGOUT_MS, done))) this.#replace();
    await turn();
  }

  #replace() {
    const configuration = this.#configuration;
    this.#discard();
    this.#connect(configuration);
  }

  async #release() {
    const last = await this.#logOut();
    const old = this.#state;
    await this.#discard();
    clearTimeout(this.#lease);
    this.#state = new State(this.#run); // the next client of the slot does not see the old state
    old.wake();
    return last;
  }

  async #discard() {
    const client = this.#client;
    this.#client = this.#configuration = null;
    this.#state.ignoreEvents();
    if (client) await within(LOGOUT_MS, client.destroy());
  }
}

function throwIfStopped(stop) {
  if (!stop.aborted) return;
  if (stop.reason === CLOSING) throw new Problem('closing', 'the login was given up');
  if (stop.reason === CLOSED) throw new Problem('login-failed', 'the request was closed', { code: CODE_CANCELLED });
  throw new Problem('login-failed', 'the login took longer than timeoutMs', { code: CODE_TIMEOUT });
}

const hashOf = ({ token, dynamic }) => createHash('sha256').update(`${dynamic} ${token}`).digest('hex');

const sameValues = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// within resolves with the value of the promise, or with undefined if that
// takes longer than ms.
function within(ms, promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
