// A fake of the vendor's SDK: the same class, numbers and order of events, but
// no network. A test drives it by hand. In its own process the token drives it:
// "good" logs in, "wrong" is refused, "hang" never ends.

import { EventEmitter } from 'node:events';

const [OUT, IN, LOGGING_IN, BACKING_OFF] = [0, 1, 2, 3];
const [DOWN, UP, CONNECTING, WAITING] = [0, 1, 2, 3];

export const wrongToken = { code: 102302, desc: 'invalid token', detail: { reason: '' } };
export const disconnected = { code: 192003, desc: 'disconnected', detail: {} };

class LoginService extends EventEmitter {
  status = OUT;
  connection = DOWN;
  calls = [];
  #pending = null;

  // A test may replace these.
  onLogin = () => {};
  logoutWaits = null;

  login(accid, token, option) {
    this.calls.push(['login', accid, token, option]);
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      if (token) this.onLogin(this, accid, token);
      else option.tokenProvider().then((provided) => this.onLogin(this, accid, provided));
    });
  }

  async logout() {
    this.calls.push(['logout']);
    if (this.logoutWaits) await this.logoutWaits;
    if (this.status === OUT) throw { code: 190002, desc: 'illegal state' };
    this.set(OUT, DOWN);
    this.settle({ code: 191002, desc: 'cancelled' });
  }

  settle(error) {
    const pending = this.#pending;
    this.#pending = null;
    if (error) pending?.reject(error);
    else pending?.resolve();
  }

  // Events come only if a value changes: first the login, then the link.
  set(status, connection) {
    if (status !== this.status) this.emit('onLoginStatus', (this.status = status));
    if (connection !== this.connection) this.emit('onConnectStatus', (this.connection = connection));
  }

  connect() {
    this.set(LOGGING_IN, CONNECTING);
    this.set(LOGGING_IN, UP);
  }

  succeed() {
    this.connect();
    this.set(IN, UP);
    this.settle();
  }

  // One attempt fails, and the SDK will try again by itself.
  failAttempt(error = { code: 500, desc: 'server error' }) {
    this.connect();
    this.set(BACKING_OFF, DOWN);
    this.emit('onDisconnected', error);
    this.emit('onLoginFailed', error);
  }

  refuse(error = wrongToken) {
    this.connect();
    this.set(OUT, DOWN);
    this.emit('onDisconnected', error);
    this.emit('onLoginFailed', error);
    this.settle(error);
  }

  drop() {
    this.set(BACKING_OFF, DOWN);
    this.emit('onDisconnected', disconnected);
    this.set(BACKING_OFF, WAITING);
  }

  reconnect() {
    this.connect();
    this.set(IN, UP);
  }

  // With a dynamic token, the SDK asks for a fresh one on the new link. If it gets
  // none, it hangs up, and tries again later.
  async reconnectWithToken() {
    this.connect();
    try {
      const { 3: option } = this.calls.findLast(([name]) => name === 'login');
      const token = await option.tokenProvider();
      if (this.status !== LOGGING_IN) return null;
      this.set(IN, UP);
      return token;
    } catch (error) {
      if (this.status === LOGGING_IN) this.drop();
      this.emit('onLoginFailed', error); // whatever has come meanwhile
      return null;
    }
  }

  kick(reason = 1) {
    this.set(OUT, DOWN);
    this.emit('onDisconnected', disconnected);
    this.emit('onKickedOffline', { reason, reasonDesc: 'kicked', clientType: 4, customClientType: 0 });
  }
}

const BY_TOKEN = { good: (service) => service.succeed(), wrong: (service) => service.refuse(), hang: (service) => service.connect() };

export default class FakeNIM {
  static sdkVersionFormat = '0.0.1-fake';
  static made = [];

  constructor(options, services) {
    this.options = options;
    this.services = services;
    this.destroyed = false;
    this.V2NIMLoginService = new LoginService();
    this.V2NIMLoginService.onLogin = (service, accid, token) => {
      if (options.debugLevel === 'log') console.log(`login of ${accid} with ${token}`); // careless on purpose
      BY_TOKEN[token.split('-')[0]]?.(service);
    };
    FakeNIM.made.push(this);
  }

  async destroy() {
    if (this.V2NIMLoginService.status !== OUT) await this.V2NIMLoginService.logout();
    this.V2NIMLoginService.removeAllListeners();
    this.destroyed = true;
  }
}
