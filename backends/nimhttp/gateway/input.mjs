// What a request may say. openapi.yaml has the same bounds.

import { Problem } from './problem.mjs';
import { isLoopback, splitAddress } from './loopback.mjs';

export const MAX_BODY_BYTES = 64 * 1024;

const SLOT = /^[A-Za-z0-9_.-]{1,64}$/;
const DAY_MS = 24 * 60 * 60 * 1000;

const bad = (detail) => new Problem('bad-request', detail);

// A rule returns the value, or throws. The value of a missing field is undefined.
const optional = (rule, otherwise) => (value, name) => (value === undefined ? otherwise : rule(value, name));

const text = (longest) => (value, name) => {
  if (typeof value !== 'string' || value === '' || [...value].length > longest) {
    throw bad(`${name} is not a string of 1 to ${longest} characters`);
  }
  return value;
};

const flag = (value, name) => {
  if (typeof value !== 'boolean') throw bad(`${name} is neither true nor false`);
  return value;
};

const integer = (least, most) => (value, name) => {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw bad(`${name} is not an integer from ${least} to ${most}`);
  }
  return value;
};

const decimal = (least, most) => (value, name) =>
  integer(least, most)(/^\d{1,16}$/.test(value) ? Number(value) : NaN, name);

const INIT = {
  appKey: text(128),
  lbsUrl: optional(text(2048)),
  linkAddr: optional(text(300)),
  linkPlain: optional(flag, false),
  leaseMs: optional(integer(0, DAY_MS), 60_000),
};

const LOGIN = {
  // The service knows accids in lower case only, and the SDK sends them as they are.
  accid: (value, name) => text(128)(value, name).toLowerCase(),
  token: text(4096),
  owner: text(128),
  timeoutMs: optional(integer(1, 120_000), 60_000),
};

// Without an owner, a call is for whoever is logged in.
const OWNER = { owner: optional(text(128)) };

// At least 128 bits in base64url, hex or base32.
const nonce = (value) => {
  if (!/^[A-Za-z0-9_-]{22,128}$/.test(value)) throw bad('nonce is not 22 to 128 of A-Z a-z 0-9 _ -');
  return value;
};
const HEALTH = { nonce: optional(nonce) };

const READ = {
  after: optional(decimal(0, Number.MAX_SAFE_INTEGER), -1),
  waitMs: optional(decimal(0, 30_000), 10_000),
};

function check(rules, given) {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(rules, name));
  if (unknown !== undefined) throw bad(`there is no ${JSON.stringify(unknown.slice(0, 64))} here`);
  const field = ([name, rule]) => [name, rule(Object.hasOwn(given, name) ? given[name] : undefined, name)];
  return Object.fromEntries(Object.entries(rules).map(field));
}

export function slotName(name) {
  if (!SLOT.test(name)) throw bad('a slot is named by 1 to 64 of A-Z a-z 0-9 _ . -');
  return name;
}

export const loginBody = (given) => check(LOGIN, given);
export const noBody = (given) => check({}, given);
export const noQuery = (query) => check({}, Object.fromEntries(query));

export const logoutBody = (given) => check(OWNER, given);
export const ownerQuery = (query) => checkQuery(OWNER, query);
export const healthQuery = (query) => checkQuery(HEALTH, query);
export const readQuery = (query) => checkQuery(READ, query);

function checkQuery(rules, query) {
  const names = [...query.keys()];
  if (new Set(names).size < names.length) throw bad('a parameter is there twice');
  return check(rules, Object.fromEntries(query));
}

export function initBody(given) {
  const body = check(INIT, given);
  checkServers(body);
  return body;
}

// A token must not reach a server that was not meant. With only one of the two
// addresses the SDK falls back to the vendor's public cloud for the other.
function checkServers({ lbsUrl, linkAddr, linkPlain }) {
  if ((lbsUrl === undefined) !== (linkAddr === undefined)) throw bad('lbsUrl and linkAddr come together or not at all');
  if (linkPlain && lbsUrl === undefined) throw bad('linkPlain needs a lbsUrl and a linkAddr');
  if (lbsUrl === undefined) return;
  const lbs = URL.canParse(lbsUrl) ? new URL(lbsUrl) : null;
  const link = splitAddress(linkAddr);
  if (!lbs || !['http:', 'https:'].includes(lbs.protocol) || lbs.username || lbs.password) {
    throw bad('lbsUrl is not an http or https URL without credentials');
  }
  if (!link || link.port === 0) throw bad('linkAddr is not host:port');
  const lbsHere = isLoopback(lbs.hostname.replace(/^\[|\]$/g, ''));
  if (lbs.protocol === 'http:' && !lbsHere) throw bad('lbsUrl is plain http, and its host is not loopback');
  if (linkPlain && !(lbsHere && isLoopback(link.host))) {
    throw bad('linkPlain is for loopback only, and lbsUrl or linkAddr is not');
  }
}

// A client that is still writing would not see the answer, so what is somewhat
// too large is read to its end as well.
const READ_ON_BYTES = 4 * 1024 * 1024;

// receive resolves with what was sent, before anything is judged by it.
export function receive(request) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
      if (size > READ_ON_BYTES) resolve({ size });
    });
    request.on('end', () => resolve({ size, bytes: Buffer.concat(chunks) }));
    request.on('close', () => reject(bad('the body ended early')));
    request.on('error', () => reject(bad('the body ended early')));
  });
}

// parse is the body as an object: an empty one if there is none.
export function parse({ size, bytes }, type) {
  if (size === 0 && type === undefined) return {};
  if (size > MAX_BODY_BYTES) throw new Problem('too-large', `a body has at most ${MAX_BODY_BYTES} bytes`);
  if ((type ?? '').split(';')[0].trim().toLowerCase() !== 'application/json') {
    throw new Problem('wrong-media-type', 'send application/json');
  }
  const body = decode(bytes);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw bad('the body is not a JSON object');
  return body;
}

function decode(bytes) {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw bad('the body is not JSON'); // its text may hold a token, so it is not repeated
  }
}
