// A console that never prints a secret.

import { Console } from 'node:console';
import { Writable } from 'node:stream';

const hidden = new Map(); // secret -> number of hide calls that are in force

// hide keeps a secret out of everything that is printed, until the caller calls
// the function that hide returns.
export function hide(secret) {
  hidden.set(secret, (hidden.get(secret) ?? 0) + 1);
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    const left = hidden.get(secret) - 1;
    if (left) hidden.set(secret, left);
    else hidden.delete(secret);
  };
}

// redact replaces the secrets in a text. It starts with the longest, because
// one secret may be the beginning of another.
export function redact(text) {
  const secrets = [...hidden.keys()].sort((a, b) => b.length - a.length);
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '[hidden]'), String(text));
}

export function safeConsole(to) {
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      to.write(redact(chunk));
      done();
    },
  });
  return new Console(stream, stream);
}
