// Fakes of the vendor's SDKs, which a test drives by hand. They keep what they are
// given, write into it and call it as the real ones do.
import { EventEmitter } from 'node:events';

/** A new class each time, so that tests share no instances. */
export function fakeV1() {
  const instances = new Map();
  return class NIM {
    static info = { version: '9.21.12' };
    static calls = [];

    static getInstance(options, ...rest) {
      NIM.calls.push([this, options, rest]);
      if (!options.account) throw new Error('account is missing');
      options.nosSurvivalTime = Infinity; // the SDK writes into what it is given
      options.api = this;
      let nim = instances.get(options.account);
      if (nim) Object.assign(nim.options, options);
      else instances.set(options.account, (nim = new NIM(options)));
      return nim;
    }

    constructor(options) {
      this.options = options;
    }

    // The SDK calls the options' functions as methods of the options.
    tell(name, ...args) {
      return this.options[name]?.(...args);
    }

    destroy() {
      instances.delete(this.options.account);
      this.options = undefined;
    }
  };
}

const [LOGOUT, LOGINED, LOGINING, UNLOGIN] = [0, 1, 2, 3];

class LoginService extends EventEmitter {
  status = LOGOUT;
  user = '';

  set(status) {
    if (status !== this.status) this.emit('onLoginStatus', (this.status = status));
  }
  connecting() {
    this.set(LOGINING);
  }
  loggedIn(user) {
    this.user = user;
    this.set(LOGINED);
  }
  drop() {
    this.set(UNLOGIN);
    this.emit('onDisconnected', { code: 192003, desc: 'disconnect' });
  }
  refuse(code) {
    this.set(LOGOUT);
    this.emit('onDisconnected', { code, desc: 'refused' });
    this.emit('onLoginFailed', { code, desc: 'refused' });
  }
  logout() {
    this.set(LOGOUT);
  }
  kick(reason) {
    this.set(LOGOUT);
    this.emit('onDisconnected', { code: 192003, desc: 'disconnect' });
    this.emit('onKickedOffline', { reason, reasonDesc: 'says who', clientType: 32 });
  }
  getLoginStatus() {
    return this.status;
  }
  getLoginUser() {
    return this.user;
  }
}

export function fakeV2() {
  return class NIM {
    static instance;
    static getInstance(options, services) {
      NIM.instance ??= new NIM(options, services);
      return NIM.instance;
    }
    V2NIMLoginService = new LoginService();
    constructor(...given) {
      this.given = given;
    }
  };
}
