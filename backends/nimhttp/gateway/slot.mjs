// The life of one slot: one account's login, held by one client of the SDK.

import { createHash } from 'node:crypto';
import { Problem } from './problem.mjs';
import { State, turn } from './state.mjs';

// The SDK waits a second at most for the server's answer to a logout. A client
// that takes longer to let go is given up for a new one.
const LET_GO_MS = 5000;

// Why a login is given up.
const DEADLINE = 'deadline';
const CLOSED = 'closed';
const CLOSING = 'closing';

// The SDK's own codes for these.
const CODE_CANCELLED = 191002;
const CODE_TIMEOUT = 191005;

export class Slot {
  #run;
  #sdk;
  #onEmpty;

  #client = null;
  #configuration = null;
  #state;
  #tokenHash = ''; // of the login that holds

  #tail = Promise.resolve();
  #queued = 0;
  #asking = 0;
  #leaseMs = 0;
  #lease;
  #stops = new Set(); // of the logins that are under way or queued

  // onEmpty is called when the slot holds nothing and no call of it is left.
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

  // gone is aborted when the request is closed before it has its reply.
  async login(request, gone) {
    const stop = new AbortController();
    const close = () => stop.abort(CLOSED);
    // The deadline runs from the arrival: a place in the queue is no excuse.
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

  // With an owner, logout and release leave the login of another one alone: the
  // snapshot that they resolve with shows it. It is looked at in the queue, so
  // no login can come in between.
  logout({ owner } = {}) {
    return this.#ask(() => this.#queue(() => this.#unlessAnothers(owner, () => this.#logOut())));
  }

  release({ owner } = {}) {
    return this.#ask(() => this.#queue(() => this.#unlessAnothers(owner, () => this.#release())));
  }

  // close is release at the end of the run: a login under way is not waited for.
  close() {
    for (const stop of this.#stops) stop.abort(CLOSING);
    return this.#queue(() => this.#client && this.#release());
  }

  // read does not queue: it is how others watch what the queue does.
  read({ after, waitMs }, gone) {
    return this.#ask(async () => {
      this.#initialised();
      await this.#state.next(after, waitMs, gone);
      this.#initialised();
      return this.#state.published;
    });
  }

  // Calls of one slot queue: each sees the slot as the one before left it.
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

  // The lease runs while nobody asks, so not while a call is being answered.
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
    if (!this.#client) throw new Problem(kind, 'PUT the slot first');
    return this.#client;
  }

  async #init(configuration, leaseMs) {
    if (!this.#client || !sameValues(configuration, this.#configuration)) {
      const { session, accid } = this.#state;
      if (session) throw new Problem('other-configuration', `${accid} is logged in: log it out first`);
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

  async #logIn({ accid, token, owner, timeoutMs }, stop, gone) {
    this.#initialised('not-initialised');
    throwIfStopped(stop);
    const tokenHash = createHash('sha256').update(token).digest('hex');
    const { session, accid: held } = this.#state;
    if (session && accid !== held) throw new Problem('other-account', `${held} is logged in: log it out first`);
    if (session && tokenHash === this.#tokenHash) return this.#state.published;
    // With another token the SDK would log out too, but without a word.
    if (session) await this.#logOut();
    await this.#decide(this.#client.login(accid, token, timeoutMs), stop);
    return this.#hold({ accid, owner, tokenHash }, gone);
  }

  // The attempt is decided by the SDK, or given up: then it is logged out.
  async #decide(attempt, stop) {
    const decided = attempt.then(
      () => null,
      ({ code, message }) => new Problem('login-failed', message || 'the SDK gave no reason', { code }),
    );
    const stopped = new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
    const failure = await Promise.race([decided, stopped]);
    if (stop.aborted) {
      await this.#letGo(decided);
      // A socket of the attempt may close late, and the SDK would take it for
      // that of its next login.
      if (this.#client) this.#replace();
      throwIfStopped(stop);
    }
    if (!failure) return;
    await this.#state.settled(); // so that the reply shows the state that it left
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
    gone.addEventListener('abort', () => this.#queue(lost), { once: true }); // the reply may be lost on its way
    return this.#state.published;
  }

  #unlessAnothers(owner, work) {
    this.#initialised();
    const { session, owner: holder } = this.#state;
    return owner !== undefined && session && holder !== owner ? this.#state.published : work();
  }

  async #logOut() {
    this.#initialised();
    await this.#letGo();
    if (this.#state.session) this.#state.end();
    return this.#state.published;
  }

  // letGo logs out and waits until the SDK has let go of the attempt as well.
  async #letGo(attempt) {
    const done = Promise.all([this.#client.logout(), attempt]).then(() => true);
    if (!(await within(LET_GO_MS, done))) this.#replace();
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
    this.#state = new State(this.#run); // whoever PUTs the slot again does not see what it held
    old.wake();
    return last;
  }

  async #discard() {
    const client = this.#client;
    this.#client = this.#configuration = null;
    this.#state.deafen();
    if (client) await within(LET_GO_MS, client.destroy());
  }
}

function throwIfStopped(stop) {
  if (!stop.aborted) return;
  if (stop.reason === CLOSING) throw new Problem('closing', 'the login was given up');
  if (stop.reason === CLOSED) throw new Problem('login-failed', 'its request was closed', { code: CODE_CANCELLED });
  throw new Problem('login-failed', 'the login took longer than timeoutMs', { code: CODE_TIMEOUT });
}

const sameValues = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// within is the value of a promise, or undefined if that takes too long.
function within(ms, promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
