// What the tests call in a page. The page has one of the vendor's SDKs as
// window.NIM.
import * as module from '/imreuse/imreuse.mjs';
import * as host from '/test/host.mjs';
import { v1, v2 } from '/options.mjs';

const before = new Set(Object.getOwnPropertyNames(window));

window.imreuse = {
  ...module,
  ...host,

  async load(sandbox) {
    Object.assign(this, { sandbox, engine: await module.load() });
    this.added = Object.getOwnPropertyNames(window).filter((name) => !before.has(name) && !['imreuse', 'ready'].includes(name));
  },

  /** Makes a kit of an instance, and notes its changes. */
  async initialize(im, options) {
    this.changes = [];
    this.kit = await this.engine.initialize({ appKey: 'app1', im, kitURL: this.sandbox.kit, mode: 'reuse_im', ...options });
    this.kit.addEventListener('change', (event) => this.changes.push(event.detail));
  },

  /** A call of the kit's as plain values. */
  async call(name, ...args) {
    try {
      return await this.kit[name](...args);
    } catch (error) {
      const { code, remedy, op, call, message } = error;
      return { error: error instanceof module.ImreuseError, code, remedy, op, call, message };
    }
  },

  v1: (options) => ({ ...v1(imreuse.sandbox), appKey: 'app1', db: false, debug: false, ...options }),
  v2: () => [{ appkey: 'app1', apiVersion: 'v2', debugLevel: 'off' }, v2(imreuse.sandbox)],
};

window.ready = true;
