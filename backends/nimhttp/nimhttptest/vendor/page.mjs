// A page of a web app that contains the vendor's kit, under jsdom.

import assert from 'node:assert/strict';
import { channel } from 'node:diagnostics_channel';
import { EventEmitter, on, once } from 'node:events';

import { JSDOM, VirtualConsole } from 'jsdom';

import { webKit } from './pack.mjs';

// The origin differs from the sandbox's, so that jsdom asks for permission like
// a browser (CORS). Nothing is fetched from it.
const origin = 'http://app.test';

const html = '<!DOCTYPE html><body><div id="root"></div><div id="ne-web-meeting"></div></body>';

// The kit reports its use to the first host, and the IM SDK asks the second
// which experiments to run. The page blocks both. If anything tries another
// host, the test fails.
const telemetry = ['statistic.live.126.net', 'abt-online.netease.im'];

const patience = 20_000; // milliseconds to wait for something that must happen

let script;

/** Opens a page that can only reach sandbox. */
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
  #refused = []; // every address that was blocked
  #errors = [];
  #calls = 0;

  /** The requests to the sandbox, in order: {method, path, headers}. */
  requests = [];
  /** The browser's preflight requests to the sandbox. */
  preflights = [];

  constructor(sandbox) {
    this.#sandbox = sandbox;
    channel('http.client.request.start').subscribe(this.#noteRequest);
    channel('net.client.socket').subscribe(this.#noteSocket);
  }

  load(script) {
    const console = new VirtualConsole(); // discards the log of the kit, which is long
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
   * Calls the vendor's public meeting kit over the same channel as its Electron
   * app. Electron would copy the arguments; here im stays the host's own
   * object. The service '' is the kit itself.
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

  /** The requests as "METHOD /path", without preflights. */
  get sent() {
    return this.requests.map(({ method, path }) => `${method} ${path}`);
  }

  /** Returns the first request that matches; waits for it if necessary. */
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

  /** Closes the page. Fails if it tried another host, or had an error. */
  close() {
    this.window.close();
    channel('http.client.request.start').unsubscribe(this.#noteRequest);
    channel('net.client.socket').unsubscribe(this.#noteSocket);
    assert.deepEqual([...new Set(this.#sockets)], [new URL(this.#sandbox).host], 'connected to');
    assert.deepEqual(this.#refused.filter((url) => !telemetry.includes(new URL(url).hostname)), [], 'tried to reach another host');
    assert.deepEqual(this.#errors, [], 'errors of the page');
  }

  // The parts of a browser and of Electron that the kit uses and jsdom lacks. A
  // login needs none of them.
  #furnish(window) {
    window.MediaStreamTrack = class {}; // the RTC part reads the prototype
    window.HTMLCanvasElement.prototype.getContext = () => new Proxy({}, { get: () => () => {} }); // the animations draw
    window.ipcRenderer = {
      on: (...args) => this.#ipc.on(...args),
      send: (...args) => this.#answers.emit(...args),
    };
    this.#fence(window);
  }

  // Blocks the two ways out of a jsdom page. It loads no resources and has no
  // fetch.
  #fence(window) {
    const check = (url) => {
      const to = new URL(url, origin);
      if (to.host !== new URL(this.#sandbox).host) {
        this.#refused.push(to.href);
        throw new window.DOMException('blocked: ' + to.host, 'NetworkError');
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

  // These two see all requests and sockets of the process, not only the page's.
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

/** The parts of a host's IM instance that the web kit reads. */
export function hostIM(account) {
  const im = {
    connected: true,
    options: { account, token: 'the host has its own' },
    protocol: { isConnected: () => im.connected },
  };
  return im;
}

/** Returns how a promise settles, to compare failures of any shape. */
export async function outcome(promise) {
  try {
    return { resolved: await promise };
  } catch (rejected) {
    return { rejected };
  }
}
