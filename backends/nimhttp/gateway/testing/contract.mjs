// Checks the service's replies, and the requests it accepts, against
// openapi.yaml.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import { parse } from 'yaml';

export const contract = parse(readFileSync(new URL('../openapi.yaml', import.meta.url), 'utf8'));

// Not strict, because the document has more than schemas.
const ajv = new Ajv({ allErrors: true, strict: false });
ajv.addSchema(contract, 'contract');

const escape = (key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));
const compiled = new Map();

export function validator(...keys) {
  const pointer = `contract#/${keys.map(escape).join('/')}`;
  if (!compiled.has(pointer)) compiled.set(pointer, ajv.compile({ $ref: pointer }));
  return compiled.get(pointer);
}

const resolve = (node) => (node?.$ref ? node.$ref.slice(2).split('/').reduce((at, key) => at[key], contract) : node);

function pointerTo(node, keys) {
  return node.$ref ? node.$ref.slice(2).split('/') : keys;
}

const template = (path) => path.split('?')[0].replace(/^\/v1\/im\/[^/]+/, '/v1/im/{slot}');

// judge throws unless the contract allows this reply to this operation. It
// returns the operation and the status as one string.
export function judge(method, path, { status, type, body }) {
  const at = template(path);
  const item = contract.paths[at];
  if (!item) {
    assert.equal(body.type, 'urn:imreuse:gateway:no-such-path', `${method} ${path}`);
    assert.ok(validator('components', 'schemas', 'Problem')(body));
    return `${method} ${at} ${status}`;
  }
  const verb = item[method.toLowerCase()] ? method.toLowerCase() : 'x-other-methods';
  const keys = verb === 'x-other-methods' ? ['paths', at, verb, '405'] : ['paths', at, verb, 'responses', String(status)];
  const found = keys.reduce((node, key) => node?.[key], contract);
  assert.ok(found, `the contract has no ${method} ${at} ${status}`);
  const [media] = Object.keys(resolve(found).content);
  assert.equal(type, media);
  const valid = validator(...pointerTo(found, keys), 'content', media, 'schema');
  assert.ok(valid(body), `${method} ${at} ${status}: ${JSON.stringify(valid.errors)} of ${JSON.stringify(body)}`);
  return `${method} ${at} ${status}`;
}

// operations lists the contract's operations and statuses, as judge writes
// them.
export function operations() {
  const methods = ['get', 'put', 'post', 'delete'];
  return Object.entries(contract.paths).flatMap(([path, item]) =>
    methods
      .filter((method) => item[method])
      .flatMap((method) => Object.keys(item[method].responses).map((status) => `${method.toUpperCase()} ${path} ${status}`)),
  );
}
