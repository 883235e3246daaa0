// The HTTP side: it checks the caller and the request, calls the slot, and
// writes the reply.

import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import * as input from './input.mjs';
import { isLoopback } from './loopback.mjs';
import { Problem } from './problem.mjs';
import { Slot } from './slot.mjs';
import { Run } from './state.mjs';

// The slots' time to log out at the end. StartGateway waits 3 s before it sends
// a signal.
const CLOSE_MS = 2000;

// Node checks for late requests at an interval, which is 30 s by default.
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1000,
  keepAliveTimeout: 60_000, // longer than our clients keep an idle connection, so that no call meets a closed one
};
const MAX_CONNECTIONS = 256;

// The gateway signs this and a nonce to prove that it knows the secret. It is
// part of the contract: openapi.yaml, Health.
const PROOF_LABEL = 'imreuse gateway proof 1\n';

const PATH = /^\/v1\/im\/([^/]+)(\/login|\/logout|\/token)?$/;

// The operations, by the part of the path after the slot, and by method.
const OPERATIONS = {
  '': {
    GET: { query: input.readQuery, run: (gateway, name, { query, gone }) => gateway.slot(name).read(query, gone) },
    PUT: { body: input.initBody, run: (gateway, name, { body }) => gateway.slot(name, { make: true }).init(body) },
    DELETE: { query: input.ownerQuery, run: (gateway, name, { query }) => gateway.slot(name).release(query) },
  },
  '/login': {
    POST: {
      body: input.loginBody,
      run: (gateway, name, { body, gone }) => gateway.slot(name, { missing: 'not-initialised' }).login(body, gone),
    },
  },
  '/logout': {
    POST: { body: input.logoutBody, run: (gateway, name, { body }) => gateway.slot(name).logout(body) },
  },
  '/token': {
    PUT: { body: input.answerBody, run: (gateway, name, { body }) => gateway.slot(name).answer(body) },
  },
};

export class Gateway {
  #slots = new Map();
  #run = new Run(randomUUID());
  #sdk;
  #secret;
  #version;
  #server;
  #closing = null;

  constructor({ sdk, secret, version }) {
    this.#sdk = sdk;
    this.#secret = Buffer.from(secret);
    this.#version = version;
    this.#server = http.createServer(LIMITS, (request, response) => this.#answer(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  // listen resolves with the address that the system chose.
  listen(port, host) {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port, host }, () => resolve(this.#server.address()));
    });
  }

  // close logs every slot out, waits at most CLOSE_MS for that, and stops the
  // server.
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    const ended = new Promise((resolve) => this.#server.close(resolve));
    const out = Promise.allSettled([...this.#slots.values()].map((slot) => slot.close()));
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([out, late]);
    clearTimeout(timer);
    // The last replies may still be on their way, so we close only idle
    // connections at once.
    this.#server.closeIdleConnections();
    setTimeout(() => this.#server.closeAllConnections(), 500).unref();
    await ended;
  }

  slot(name, { make = false, missing = 'no-such-slot' } = {}) {
    const slot = this.#slots.get(name);
    if (slot) return slot;
    if (!make) throw new Problem(missing, 'initialise the slot with PUT first');
    const made = new Slot({ run: this.#run, sdk: this.#sdk, onEmpty: () => this.#slots.delete(name) });
    this.#slots.set(name, made);
    return made;
  }

  async #answer(request, response) {
    const [path, search = ''] = split(request.url);
    const name = PATH.exec(path)?.[1];
    try {
      const sent = await input.receive(request);
      this.#reply(response, 200, await this.#call(request, response, { path, search, sent }));
    } catch (error) {
      const problem = error instanceof Problem ? error : fault(error);
      const snapshot = !problem.isForStranger && this.#slots.get(name)?.snapshot;
      if (!request.complete) response.setHeader('connection', 'close');
      this.#reply(response, problem.status, problem.body(snapshot));
    }
  }

  async #call(request, response, { path, search, sent }) {
    checkHost(request);
    if (path === '/healthz') return this.#health(request, response, search);
    this.#authorize(request, response);
    const [, name, rest = ''] = PATH.exec(path) ?? notFound();
    input.slotName(name);
    const operation = pick(OPERATIONS[rest], request, response);
    const query = (operation.query ?? input.noQuery)(new URLSearchParams(search));
    const body = (operation.body ?? input.noBody)(input.parse(sent, request.headers['content-type']));
    if (this.#closing) throw new Problem('closing', 'the gateway takes no more calls');
    return operation.run(this, name, { query, body, gone: whenClosed(response) });
  }

  #health(request, response, search) {
    pick({ GET: {} }, request, response);
    const { nonce } = input.healthQuery(new URLSearchParams(search));
    const slots = [...this.#slots.values()].filter((slot) => slot.snapshot).length;
    const health = { boot: this.#run.boot, sdk: this.#sdk.version, version: this.#version, slots };
    return nonce === undefined ? health : { ...health, proof: this.#prove(nonce) };
  }

  #prove(nonce) {
    return createHmac('sha256', this.#secret).update(PROOF_LABEL).update(nonce).digest('hex');
  }

  #reply(response, status, body) {
    if (this.#closing) response.setHeader('connection', 'close');
    const type = status === 200 ? 'application/json' : 'application/problem+json';
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(JSON.stringify(body));
  }

  #authorize(request, response) {
    const [, given] = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '') ?? [];
    // Node decodes a header as latin1, but the secret is UTF-8.
    if (given !== undefined && timingSafeEqual(digest(Buffer.from(given, 'latin1')), digest(this.#secret))) return;
    response.setHeader('www-authenticate', 'Bearer');
    throw new Problem('unauthorized', 'send the header Authorization: Bearer with the secret');
  }
}

// timingSafeEqual needs two values of equal length.
const digest = (secret) => createHash('sha256').update(secret).digest();

// A web site can make its own host name resolve to this machine, and its pages
// may then read our replies (DNS rebinding). Host still has the site's name. Of
// two Host headers, Node would use the first; a proxy may use the other one.
function checkHost({ headersDistinct: { host = [] } }) {
  const [, v6, name] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d+)?$/.exec(host.length === 1 ? host[0] : '') ?? [];
  if (isLoopback((v6 ?? name ?? '').toLowerCase())) return;
  throw new Problem('foreign-host', 'use the host 127.0.0.1, [::1] or localhost');
}

// URL would normalise the path, but a slot may be named "..".
function split(url) {
  const at = url.indexOf('?');
  return at < 0 ? [url] : [url.slice(0, at), url.slice(at + 1)];
}

function pick(operations, { method }, response) {
  if (Object.hasOwn(operations, method)) return operations[method];
  response.setHeader('allow', Object.keys(operations).join(', '));
  throw new Problem('method-not-allowed', `use ${Object.keys(operations).join(', ')}`);
}

function notFound() {
  throw new Problem('no-such-path', 'openapi.yaml lists the paths');
}

// A bug in the gateway. The reply does not have the error's text, which may
// hold a token.
function fault(error) {
  console.error(error);
  return new Problem('internal', "the gateway's stderr has the error");
}

function whenClosed(response) {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  if (response.destroyed) gone.abort();
  return gone.signal;
}
