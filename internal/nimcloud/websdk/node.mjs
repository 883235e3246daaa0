// Drives the 9.x SDK's Node build. Reads calls from stdin and writes events to
// stdout, one JSON value per line. The SDK's own output goes to stderr.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { loginV1 } from './drive.mjs';

const { LBS, LINK, APPKEY } = process.env;
const cloud = { lbs: LBS, link: LINK, appKey: APPKEY };
const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');
for (const name of ['log', 'info', 'warn', 'debug']) console[name] = console.error;

const NIM = createRequire(import.meta.url)('@yxim/nim-web-sdk/dist/SDK/NIM_Web_NIM_nodejs.js');

// The SDK keeps one instance for each account, so a process is one device.
let nim;

const calls = {
  login(name, account, token) {
    nim = loginV1({ SDK: { NIM } }, cloud, say, name, account, token);
  },
  logout: () => new Promise((done) => nim.destroy({ done: () => done() })),
  kick: (name, deviceIds) =>
    new Promise((done, fail) =>
      nim.kick({ deviceIds, done: (e, { deviceIds: kicked } = {}) => (e ? fail(e) : done(kicked.length)) }),
    ),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { name, call, args } = JSON.parse(line);
  Promise.resolve(calls[call](name, ...args)).then(
    (number) => call !== 'login' && say({ name, event: 'done', text: call, number }),
    (e) => say({ name, event: 'rejected', text: call, number: e.code }),
  );
}
process.exit(0);
