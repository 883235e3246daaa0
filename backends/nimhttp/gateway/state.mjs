// What a slot knows about its login, from what the SDK says, and the snapshots
// of it that others see.

// A turn of the event loop: what the SDK says in one breath is complete then.
export const turn = () => new Promise((resolve) => setImmediate(resolve));

// Run is one run of the gateway, with the counters that its slots share.
export class Run {
  seq = 0;
  sessions = 0;

  constructor(boot) {
    this.boot = boot;
  }
}

const NOBODY = { session: 0, accid: '', owner: '' };

export class State {
  #run;
  #appKey = '';
  #holder = NOBODY;
  #login = 'logged_out';
  #link = 'down';
  #ended = null;

  #falling = null; // the cause of a LOGOUT, while the SDK is still telling it
  #listener = null;
  #waiting = new Set();

  // The last snapshot: between two events of one breath there is nothing to see.
  published = null;

  constructor(run) {
    this.#run = run;
  }

  get session() {
    return this.#holder.session;
  }

  get accid() {
    return this.#holder.accid;
  }

  get owner() {
    return this.#holder.owner;
  }

  // A new client is heard from now on, and the one before no more.
  listener(appKey) {
    const heard = (apply) => (value) => {
      if (this.#listener !== listener) return;
      apply(value);
      this.#publish();
    };
    const listener = {
      login: heard((word) => this.#onLogin(word)),
      link: heard((word) => (this.#link = word)),
      failed: heard((error) => this.#falling && (this.#falling.error = error)),
      kicked: heard((kick) => this.#falling && (this.#falling.kick = kick)),
    };
    this.#listener = listener;
    this.#appKey = appKey;
    this.#login = 'logged_out';
    this.#link = 'down';
    this.#publish();
    return listener;
  }

  deafen() {
    this.#listener = null;
  }

  // The cause comes in the same tick as the LOGOUT, after it.
  #onLogin(word) {
    this.#login = word;
    if (word !== 'logged_out' || this.#falling) return;
    this.#falling = {};
    setImmediate(() => this.#fallen());
  }

  #fallen() {
    const cause = this.#falling;
    if (!cause) return;
    this.#falling = null;
    if (this.session) this.end(cause);
    else this.#publish();
  }

  // settled resolves when no LOGOUT is being told.
  async settled() {
    if (this.#falling) await turn();
  }

  // begin is a login that was decided. It returns null, or the cause if it ended
  // before its success was told.
  begin({ accid, owner }) {
    this.#holder = { session: ++this.#run.sessions, accid, owner };
    if (this.#login !== 'logged_out') {
      this.#publish();
      return null;
    }
    const cause = this.#falling ?? {};
    this.#falling = null;
    this.end(cause);
    return cause;
  }

  end({ kick, error } = {}) {
    // Of a kick the SDK also says "disconnected", which explains nothing.
    const cause = kick ? { kick } : error ? { error } : {};
    this.#ended = { session: this.session, ...cause };
    this.#holder = NOBODY;
    this.#publish();
  }

  // One number for each thing to see.
  #publish() {
    if (this.#falling) return;
    const seen = {
      appKey: this.#appKey,
      ...this.#holder,
      login: this.#login,
      link: this.#link,
      ended: this.#ended,
    };
    if (this.published && same(seen, this.published)) return;
    this.published = Object.freeze({ boot: this.#run.boot, seq: ++this.#run.seq, ...seen });
    this.wake();
  }

  wake() {
    for (const done of [...this.#waiting]) done();
  }

  // next resolves with the first snapshot after a number, at the end of the
  // wait, or when its reader has gone.
  async next(after, waitMs, gone) {
    // A number that this run has not given out is from another run, whose
    // reader had better hear of it at once.
    if (this.published.seq > after || after > this.#run.seq || gone.aborted) return;
    await new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        gone.removeEventListener('abort', done);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      gone.addEventListener('abort', done);
      this.#waiting.add(done);
    });
  }
}

const same = (seen, { boot, seq, ...last }) => JSON.stringify(seen) === JSON.stringify(last);
