// Failures, as problem details (RFC 9457).

const KINDS = {
  'bad-request': [400, 'The request breaks the contract'],
  unauthorized: [401, 'The secret is missing or wrong'],
  'no-such-path': [404, 'There is nothing at this path'],
  'no-such-slot': [404, 'The slot is not initialised or was released'],
  'no-such-question': [409, 'The SDK does not wait for this answer'],
  'method-not-allowed': [405, 'This path has no such method'],
  'not-initialised': [409, 'The slot is not initialised'],
  'other-account': [409, 'Another account is logged in'],
  'other-configuration': [409, 'The slot is logged in under another configuration'],
  'too-large': [413, 'The body is too large'],
  'wrong-media-type': [415, 'The body is not application/json'],
  'foreign-host': [421, 'The Host is not a loopback name'],
  'login-failed': [422, 'The login failed'],
  internal: [500, 'The gateway has a bug'],
  closing: [503, 'The gateway is shutting down'],
};

export class Problem extends Error {
  // extra is merged into the body. Its only member is `code`.
  constructor(kind, detail, extra = {}) {
    super(detail);
    this.kind = kind;
    this.extra = extra;
    [this.status, this.title] = KINDS[kind];
  }

  // A caller that has not sent the secret must not see a slot's snapshot.
  get isForStranger() {
    return this.kind === 'unauthorized' || this.kind === 'foreign-host';
  }

  body(snapshot) {
    return {
      type: `urn:imreuse:gateway:${this.kind}`,
      title: this.title,
      status: this.status,
      detail: this.message,
      ...this.extra,
      ...(snapshot && { snapshot }),
    };
  }
}
