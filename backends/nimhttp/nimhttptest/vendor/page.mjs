// A page of a host's web app, with the vendor's kit in it, under jsdom.

import assert from 'node:assert/strict';
import { channel } from 'node:diagnostics_channel';
import { EventEmitter, on, once } from 'node:events';

import { JSDOM, VirtualConsole } from 'jsdom';

import { webKit } from './pack.mjs';

// Another origin than the sandbox's, so that jsdom asks for permission as a
// browser does (CORS). Nothing is fetched from it.
const origin = 'http://app.test';

const html = '<!DOCTYPE html><body><div id="root"></div><div id="ne-web-meeting"></div></body>';

// Where the kit reports its own use to, and the IM SDK asks which experiments to
// run. They are not let there. Any other address that they try is a failure.
const telemetry = ['statistic.live.126.net', 'abt-online.netease.im'];

const patience = 20_000; // milliseconds, for what must happen

let script;

/** Opens a page that may talk to sandbox, and to nothing else. */
export async function openPage(sandbox) {
  script ??= await webKit();
  const page = new Page(sandbox);
  page.load(script);
  return page;
}

class Page {
  #sandbox;
  #dom;
  #ipc = new EventEmitter(); // from the host to the kit
  #answers = new EventEmitter(); // from the kit to the host
  #seen = new EventEmitter();
  #sockets = []; // every address that this process connected to
  #refused = []; // every address that the kit was not let to
  #errors = [];
  #calls = 0;

  /** What left for the sandbox, in order: {method, path, headers}. */
  requests = [];
  /** What the browser asked the sandbox's permission for. */
  preflights = [];

  constructor(sandbox) {
    this.#sandbox = sandbox;
    channel('http.client.request.start').subscribe(this.#noteRequest);
    channel('net.client.socket').subscribe(this.#noteSocket);
  }

  load(script) {
    const console = new VirtualConsole(); // the kit logs a lot: it goes nowhere
    console.on('jsdomError', (error) => this.#errors.push(error.detail ?? error));
    this.#dom = new JSDOM(html, {
      url: origin,
      runScripts: 'dangerously',
      virtualConsole: console,
      beforeParse: (window) => this.#furnish(window),
    });
    const element = this.window.document.createElement('script');
    element.textContent = script;
    this.window.document.body.append(element);
  }

  get window() {
    return this.#dom.window;
  }

  /** The vendor's RoomKit, which its bundle leaves on the window. */
  get roomKit() {
    return this.window.NERoom.getInstance();
  }

  /**
   * Calls the vendor's public meeting kit, over the channel on which its Electron
   * app does. That one would copy the arguments; here im stays the host's own.
   * Service '' is the kit itself.
   */
  async meetingKit(service, method, ...args) {
    const seqId = `call-${++this.#calls}`;
    const answer = once(this.#answers, seqId, { signal: AbortSignal.timeout(patience) });
    this.#ipc.emit('NEMeetingKit', {}, { module: service, method, args, seqId });
    const [{ result, error }] = await answer;
    if (error !== undefined) {
      throw error;
    }
    return result;
  }

  /** What was sent, as "METHOD /path", preflights left out. */
  get sent() {
    return this.requests.map(({ method, path }) => `${method} ${path}`);
  }

  /** The first request that matches, which may be still to come. */
  async request(matches) {
    const found = this.requests.find(matches);
    if (found) {
      return found;
    }
    for await (const [request] of on(this.#seen, 'request', { signal: AbortSignal.timeout(patience) })) {
      if (matches(request)) {
        return request;
      }
    }
  }

  /** Closes the page, and fails where anything went elsewhere, or broke. */
  close() {
    this.window.close();
    channel('http.client.request.start').unsubscribe(this.#noteRequest);
    channel('net.client.socket').unsubscribe(this.#noteSocket);
    assert.deepEqual([...new Set(this.#sockets)], [new URL(this.#sandbox).host], 'connected to');
    assert.deepEqual(this.#refused.filter((url) => !telemetry.includes(new URL(url).hostname)), [], 'wanted to go elsewhere');
    assert.deepEqual(this.#errors, [], 'errors of the page');
  }

  // What the kit wants of a browser, or of Electron, and jsdom has not; no login needs any of it.
  #furnish(window) {
    window.MediaStreamTrack = class {}; // its RTC part looks at the prototype
    window.HTMLCanvasElement.prototype.getContext = () => new Proxy({}, { get: () => () => {} }); // its animations draw
    window.ipcRenderer = {
      on: (...args) => this.#ipc.on(...args),
      send: (...args) => this.#answers.emit(...args),
    };
    this.#fence(window);
  }

  // The two ways out of a jsdom page: it loads no resources, and has no fetch.
  #fence(window) {
    const check = (url) => {
      const to = new URL(url, origin);
      if (to.host !== new URL(this.#sandbox).host) {
        this.#refused.push(to.href);
        throw new window.DOMException('no way to ' + to.host, 'NetworkError');
      }
    };
    const { XMLHttpRequest, WebSocket } = window;
    const { open } = XMLHttpRequest.prototype;
    XMLHttpRequest.prototype.open = function (method, url, ...rest) {
      check(url);
      return open.call(this, method, url, ...rest);
    };
    window.WebSocket = class extends WebSocket {
      constructor(url, ...rest) {
        check(url);
        super(url, ...rest);
      }
    };
  }

  // These two see what the process does, whatever the page was let do.
  #noteRequest = ({ request }) => {
    const { method, path } = request;
    if (method === 'OPTIONS') {
      this.preflights.push({ path, headers: request.getHeaders() });
      return;
    }
    const entry = { method, path, headers: request.getHeaders() };
    this.requests.push(entry);
    this.#seen.emit('request', entry);
  };

  #noteSocket = ({ socket }) => {
    socket.on('connectionAttempt', (address, port) => this.#sockets.push(`${address}:${port}`));
    socket.on('lookup', (_error, address, _family, host) => {
      if (address !== host) {
        this.#sockets.push(host);
      }
    });
  };
}

/** What the web kit looks at in a host's IM instance. */
export function hostIM(account) {
  const im = {
    connected: true,
    options: { account, token: 'the host has its own' },
    protocol: { isConnected: () => im.connected },
  };
  return im;
}

/** What a promise comes to, so that a test can compare failures of any shape. */
export async function outcome(promise) {
  try {
    return { resolved: await promise };
  } catch (rejected) {
    return { rejected };
  }
}
