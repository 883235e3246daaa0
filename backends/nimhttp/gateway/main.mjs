// Starts the gateway. It prints its address as one line of JSON on stdout. Its
// settings are environment variables:
//
//   IMREUSE_GATEWAY_SECRET  the secret that clients must send; required
//   IMREUSE_GATEWAY_ADDR    the loopback host:port to listen on; default
//                           127.0.0.1:0
//   IMREUSE_GATEWAY_LOG     the SDK's log level on stderr: off, error, warn or
//                           log; default error
//   NIM_SDK                 another build of the SDK: its path or package name
//
// It ends when stdin closes, and on SIGTERM, SIGINT and SIGHUP. It logs every
// slot out first. The exit code is 2 if a setting is invalid, and 1 if the
// gateway cannot start.

import { readFileSync } from 'node:fs';
import { hide, safeConsole } from './log.mjs';
import { isLoopback, splitAddress } from './loopback.mjs';
import { loadSDK, LOG_LEVELS } from './sdk.mjs';
import { Gateway } from './server.mjs';

const SHORTEST_SECRET = 16;

// The SDK writes to the console, and stdout is only for the address.
globalThis.console = safeConsole(process.stderr);
// Our parent may be gone, and then every write fails. We must still log the
// slots out.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

class Unusable extends Error {
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

function settings(env) {
  const { IMREUSE_GATEWAY_SECRET: secret = '', IMREUSE_GATEWAY_ADDR: addr = '127.0.0.1:0' } = env;
  const { IMREUSE_GATEWAY_LOG: level = 'error', NIM_SDK: path } = env;
  if (secret.length < SHORTEST_SECRET) {
    throw new Unusable(`IMREUSE_GATEWAY_SECRET must have at least ${SHORTEST_SECRET} characters`, 2);
  }
  hide(secret);
  delete env.IMREUSE_GATEWAY_SECRET; // so that the SDK does not get it
  const address = splitAddress(addr);
  if (!address) throw new Unusable(`IMREUSE_GATEWAY_ADDR ${JSON.stringify(addr)} is not host:port`, 2);
  if (!isLoopback(address.host)) {
    throw new Unusable(`IMREUSE_GATEWAY_ADDR ${addr} is not a loopback address; the gateway serves only this machine`, 2);
  }
  if (!LOG_LEVELS.includes(level)) throw new Unusable(`IMREUSE_GATEWAY_LOG must be one of ${LOG_LEVELS.join(', ')}`, 2);
  return { secret, address, level, path: path || undefined };
}

async function load(options) {
  try {
    return await loadSDK(options);
  } catch (error) {
    const hint = options.path ? 'check NIM_SDK' : "run npm ci --omit=dev in the gateway's folder";
    throw new Unusable(`cannot load the IM SDK (${hint}): ${error.message}`, 1);
  }
}

async function listen(gateway, { host, port }) {
  try {
    // A resolver could map localhost to another address.
    return await gateway.listen(port, host === 'localhost' ? '127.0.0.1' : host);
  } catch (error) {
    throw new Unusable(`cannot listen on ${host}:${port}: ${error.message}`, 1);
  }
}

function endWith(gateway) {
  const end = (why) => {
    console.error(`ends: ${why}`);
    gateway.close().then(() => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => end(signal));
  process.stdin.on('end', () => end('stdin was closed'));
  process.stdin.on('error', () => end('stdin failed'));
  process.stdin.resume();
}

async function main() {
  const { secret, address, level, path } = settings(process.env);
  const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
  const gateway = new Gateway({ sdk: await load({ path, level }), secret, version });
  const { address: host, family, port } = await listen(gateway, address);
  endWith(gateway);
  const url = `http://${family === 'IPv6' ? `[${host}]` : host}:${port}`;
  process.stdout.write(`${JSON.stringify({ url })}\n`);
}

// The SDK does not handle all of its rejected promises. Its events report the
// same failures, so a rejection need not end the process.
process.on('unhandledRejection', (error) => console.error(`unhandled: ${error?.stack ?? error}`));
process.on('uncaughtException', (error) => {
  console.error(`uncaught: ${error?.stack ?? error}`);
  process.exit(1);
});

main().catch((error) => {
  console.error(`imreuse gateway: ${error instanceof Unusable ? error.message : error.stack}`);
  process.exit(error.exitCode ?? 1);
});
