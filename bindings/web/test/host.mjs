// A host app for the comparison in compare.test.mjs: it uses an SDK, and notes
// everything that the SDK tells it.

/** What was heard, in order: name, this, number of arguments, arguments. */
export const heard = [];

export const count = (name) => heard.filter(([each]) => each === name).length;

function hear(name, self, args) {
  heard.push([name, self, args.length, ...args.map(clean)]);
}

// What differs from run to run.
const changing = ['timetag', 'connectionId', 'connectionID', 'ip', 'port', 'loginTime', 'loginTimestamp', 'deviceId', 'clientId', 'time', 'clientIP', 'duration', 'stack', 'callId', 'uuid'];

function clean(value) {
  if (value === undefined) return 'undefined';
  const text = JSON.stringify(value, (name, inner) => (changing.includes(name) && inner ? `a ${name}` : inner));
  return text === undefined ? typeof value : JSON.parse(text);
}

const callbacks = [
  'onconnect', 'onwillreconnect', 'ondisconnect', 'onerror', 'onloginportschange', 'onsyncdone', 'onblacklist',
  'onsyncmarkinblacklist', 'onmutelist', 'onmyinfo', 'onfriends', 'onusers', 'onteams', 'onsuperteams', 'onsessions', 'onupdatesessions',
  'onroamingmsgs', 'onofflinemsgs', 'onmsg', 'onsysmsg', 'onofflinesysmsgs', 'onsysmsgunread', 'onupdatesysmsgunread',
];

/** Makes an instance of 9.x. Its callbacks return something, and use this. */
export class HostV1 {
  constructor(SDK, Real) {
    Object.assign(this, { SDK, Real, changed: [] });
  }

  login(options) {
    const given = { ...options };
    const first = !this.nim;
    const host = this;
    // The SDK keeps the callbacks of the first time.
    for (const name of first ? callbacks : []) {
      given[name] = function (...args) {
        const known = new Map([[given, 'the options'], [host.nim?.options, "the SDK's options"], [host.nim, 'the instance'], [undefined, 'nothing']]);
        hear(name, known.get(this) ?? typeof this, args);
        return `returned by ${name}`;
      };
    }
    const before = Object.entries(given);
    const nim = this.SDK.getInstance(given);
    hear('getInstance', nim === this.nim ? 'the same' : 'another', []);
    this.nim = nim;
    this.check = () => {
      const now = Object.entries(given);
      return now.length === before.length && now.every(([name, value], i) => name === before[i][0] && value === before[i][1]);
    };
  }

  /** Replaces a callback later. */
  change() {
    for (const name of ['onconnect', 'ondisconnect']) {
      this.nim.setOptions({ [name]: (...args) => hear(`${name}, replaced`, '', args) });
    }
  }

  logout() {
    this.nim.disconnect();
  }

  /** What else a host can see of its instance. */
  facts() {
    const { nim, Real, SDK } = this;
    const returned = ['onconnect', 'ondisconnect', 'onsyncdone'].map((name) => nim.options[name]?.('by hand', 2));
    return {
      returned,
      own: nim instanceof Real && nim instanceof SDK && Object.getPrototypeOf(nim) === Real.prototype,
      names: Object.getOwnPropertyNames(nim).sort(),
      optionNames: Object.keys(nim.options).sort(),
    };
  }
}

const events = [
  'onLoginStatus', 'onLoginFailed', 'onKickedOffline', 'onLoginClientChanged', 'onConnectStatus', 'onDisconnected', 'onConnectFailed', 'onDataSync',
];

/** Makes an instance of 10.x. Its listeners are there before the login. */
export class HostV2 {
  constructor(SDK, Real, given) {
    const before = JSON.stringify(given);
    this.nim = SDK.getInstance(...given);
    Object.assign(this, { SDK, Real });
    const service = this.nim.V2NIMLoginService;
    for (const name of events) {
      service.on(name, function (...args) {
        hear(name, this === service ? 'the service' : typeof this, args);
        return `returned by ${name}`;
      });
    }
    this.check = () => JSON.stringify(given) === before;
  }

  login({ account, token }) {
    this.nim.V2NIMLoginService.login(account, token, { retryCount: 0 }).then(
      (...args) => hear('logged in', '', args),
      (error) => hear('refused', '', [error.code]),
    );
  }

  logout() {
    return this.nim.V2NIMLoginService.logout().then((...args) => hear('logged out', '', args));
  }

  facts() {
    const { nim, Real, SDK } = this;
    return {
      own: nim instanceof Real && nim instanceof SDK && Object.getPrototypeOf(nim) === Real.prototype,
      same: SDK.getInstance() === nim && Real.getInstance() === nim,
      names: Object.getOwnPropertyNames(nim).sort(),
      user: nim.V2NIMLoginService.getLoginUser(),
    };
  }
}
