// The state of a slot's login, built from the SDK's events, and the snapshots
// that clients see.

// turn waits for one turn of the event loop. The SDK reports events that belong
// together within one.
export const turn = () => new Promise((resolve) => setImmediate(resolve));

// Run is one run of the gateway. It has the counters that all slots share.
export class Run {
  seq = 0;
  sessions = 0;
  questions = 0;

  constructor(boot) {
    this.boot = boot;
  }
}

// For how long the SDK waits for a token. By itself it would wait forever.
const ANSWER_MS = 15_000;

const NOBODY = { session: 0, accid: '', owner: '' };

export class State {
  #run;
  #appKey = '';
  #holder = NOBODY;
  #login = 'logged_out';
  #link = 'down';
  #ended = null;
  #question = null; // of the SDK, for a fresh token

  #falling = null; // the cause of a LOGOUT, until the turn of the SDK ends
  #listener = null;
  #waiting = new Set();

  // The last snapshot. Nothing is published between events of one turn.
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

  // listener returns the callbacks for a new client of the SDK. Events of the
  // client before it are ignored from now on.
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
      ask: () => this.#ask(listener),
    };
    this.#listener = listener;
    this.#appKey = appKey;
    this.#login = 'logged_out';
    this.#link = 'down';
    this.#publish();
    return listener;
  }

  // ignoreEvents drops later events of the present client.
  ignoreEvents() {
    this.#listener = null;
    this.#close();
  }

  // ask resolves with a fresh token, or rejects if nobody has one.
  #ask(listener) {
    if (this.#listener !== listener) return Promise.reject(new Error('this client has been given up'));
    this.#close();
    const answer = new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#refuse('the host took too long'), ANSWER_MS);
      this.#question = { number: ++this.#run.questions, resolve, reject, timer };
    });
    this.#publish();
    return answer;
  }

  // answer answers the open question, if it has that number. It reports whether it
  // has.
  answer(number, token) {
    if (this.#question?.number !== number) return false;
    const { resolve } = this.#question;
    if (token === undefined) this.#refuse('the host has no token');
    else {
      this.#close();
      resolve(token);
      this.#publish();
    }
    return true;
  }

  #refuse(why) {
    const { reject } = this.#question;
    this.#close();
    reject(new Error(why));
    this.#publish();
  }

  // close ends the question that is open, if there is one. The attempt that asked
  // it is over, and gets no answer: the SDK would take a refusal for the failure of
  // its next attempt, or for the cause of a logout.
  #close() {
    clearTimeout(this.#question?.timer);
    this.#question = null;
  }

  // The SDK reports LOGOUT first, and its cause later in the same turn:
  // docs/vendor/im-sdk.md#states.
  #onLogin(word) {
    this.#login = word;
    if (word !== 'logging_in') this.#close();
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

  // settled resolves when the cause of the last LOGOUT is complete.
  async settled() {
    if (this.#falling) await turn();
  }

  // begin records a login that succeeded. It returns null, or the cause if the
  // login has already ended.
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
    // After a kick the SDK also reports "disconnected", which explains nothing.
    const cause = kick ? { kick } : error ? { error } : {};
    this.#ended = { session: this.session, ...cause };
    this.#holder = NOBODY;
    this.#publish();
  }

  // Each snapshot that differs from the last one gets a new number.
  #publish() {
    if (this.#falling) return;
    const seen = {
      appKey: this.#appKey,
      ...this.#holder,
      login: this.#login,
      link: this.#link,
      ended: this.#ended,
      ...(this.#question && { asks: this.#question.number }),
    };
    if (this.published && same(seen, this.published)) return;
    this.published = Object.freeze({ boot: this.#run.boot, seq: ++this.#run.seq, ...seen });
    this.wake();
  }

  wake() {
    for (const done of [...this.#waiting]) done();
  }

  // next resolves when there is a snapshot with a number greater than after,
  // when waitMs is over, or when the reader is gone.
  async next(after, waitMs, gone) {
    // A number that this run has not reached comes from another run. Its reader
    // should learn about this run at once.
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
