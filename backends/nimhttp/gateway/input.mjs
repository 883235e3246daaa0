// Checks requests. The bounds are the same as in openapi.yaml.

import { Problem } from './problem.mjs';
import { isLoopback, splitAddress } from './loopback.mjs';

export const MAX_BODY_BYTES = 64 * 1024;

const SLOT = /^[A-Za-z0-9_.-]{1,64}$/;
const DAY_MS = 24 * 60 * 60 * 1000;

const bad = (detail) => new Problem('bad-request', detail);

// A rule returns the value of a field, or throws. The value of a missing field
// is undefined.
const optional = (rule, otherwise) => (value, name) => (value === undefined ? otherwise : rule(value, name));

const text = (longest) => (value, name) => {
  if (typeof value !== 'string' || value === '' || [...value].length > longest) {
    throw bad(`${name} must be a string of 1 to ${longest} characters`);
  }
  return value;
};

const flag = (value, name) => {
  if (typeof value !== 'boolean') throw bad(`${name} must be true or false`);
  return value;
};

const integer = (least, most) => (value, name) => {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw bad(`${name} must be an integer from ${least} to ${most}`);
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
  // The IM server folds accids to lower case (docs/vendor/kits.md#identifiers);
  // the SDK sends them unchanged.
  accid: (value, name) => text(128)(value, name).toLowerCase(),
  token: text(4096),
  dynamic: optional(flag, false),
  owner: text(128),
  timeoutMs: optional(integer(1, 120_000), 60_000),
};

// Without a token, an answer says that the host has none.
const ANSWER = { asks: integer(1, Number.MAX_SAFE_INTEGER), token: optional(text(4096)) };

// Without an owner, a call applies to whoever is logged in.
const OWNER = { owner: optional(text(128)) };

// At least 128 bits in base64url, hex or base32.
const nonce = (value) => {
  if (!/^[A-Za-z0-9_-]{22,128}$/.test(value)) throw bad('nonce must be 22 to 128 of A-Z a-z 0-9 _ -');
  return value;
};
const HEALTH = { nonce: optional(nonce) };

const READ = {
  after: optional(decimal(0, Number.MAX_SAFE_INTEGER), -1),
  waitMs: optional(decimal(0, 30_000), 10_000),
};

function check(rules, given) {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(rules, name));
  if (unknown !== undefined) throw bad(`unknown name ${JSON.stringify(unknown.slice(0, 64))}`);
  const field = ([name, rule]) => [name, rule(Object.hasOwn(given, name) ? given[name] : undefined, name)];
  return Object.fromEntries(Object.entries(rules).map(field));
}

export function slotName(name) {
  if (!SLOT.test(name)) throw bad('the name of a slot must be 1 to 64 of A-Z a-z 0-9 _ . -');
  return name;
}

export const loginBody = (given) => check(LOGIN, given);
export const answerBody = (given) => check(ANSWER, given);
export const noBody = (given) => check({}, given);
export const noQuery = (query) => check({}, Object.fromEntries(query));

export const logoutBody = (given) => check(OWNER, given);
export const ownerQuery = (query) => checkQuery(OWNER, query);
export const healthQuery = (query) => checkQuery(HEALTH, query);
export const readQuery = (query) => checkQuery(READ, query);

function checkQuery(rules, query) {
  const names = [...query.keys()];
  if (new Set(names).size < names.length) throw bad('a query parameter is repeated');
  return check(rules, Object.fromEntries(query));
}

export function initBody(given) {
  const body = check(INIT, given);
  checkServers(body);
  return body;
}

// A token must not reach the wrong server. Given only one of the two addresses,
// the SDK would use the vendor's public cloud for the other.
function checkServers({ lbsUrl, linkAddr, linkPlain }) {
  if ((lbsUrl === undefined) !== (linkAddr === undefined)) throw bad('send both lbsUrl and linkAddr, or neither');
  if (linkPlain && lbsUrl === undefined) throw bad('linkPlain needs lbsUrl and linkAddr');
  if (lbsUrl === undefined) return;
  const lbs = URL.canParse(lbsUrl) ? new URL(lbsUrl) : null;
  const link = splitAddress(linkAddr);
  if (!lbs || !['http:', 'https:'].includes(lbs.protocol) || lbs.username || lbs.password) {
    throw bad('lbsUrl must be an http or https URL without credentials');
  }
  if (!link || link.port === 0) throw bad('linkAddr must be host:port');
  const lbsHere = isLoopback(lbs.hostname.replace(/^\[|\]$/g, ''));
  if (lbs.protocol === 'http:' && !lbsHere) throw bad('lbsUrl may be plain http only if its host is loopback');
  if (linkPlain && !(lbsHere && isLoopback(link.host))) {
    throw bad('linkPlain needs lbsUrl and linkAddr on loopback');
  }
}

// A client that is still writing would not see our reply, so we read a body
// that is too large to its end, up to this size.
const READ_ON_BYTES = 4 * 1024 * 1024;

// receive resolves with the size and the bytes of the body. It checks nothing.
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

// parse returns the body as an object, which is empty if there is no body.
export function parse({ size, bytes }, type) {
  if (size === 0 && type === undefined) return {};
  if (size > MAX_BODY_BYTES) throw new Problem('too-large', `a body may have at most ${MAX_BODY_BYTES} bytes`);
  if ((type ?? '').split(';')[0].trim().toLowerCase() !== 'application/json') {
    throw new Problem('wrong-media-type', 'send Content-Type: application/json');
  }
  const body = decode(bytes);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw bad('the body must be a JSON object');
  return body;
}

function decode(bytes) {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw bad('the body is not JSON'); // without the parser's message, which may quote a token
  }
}
