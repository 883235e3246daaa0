// A chat and a kit beside each other, and the ladder of their one IM login.
import { ImreuseError, load } from './imreuse/imreuse.mjs';
import { chatV1, chatV2 } from './chat.mjs';
import { makeLadder } from './ladder.mjs';

const settings = await (await fetch(`settings.json${location.search}`)).json();
const { appKey, kitURL, sdk, alice, bob } = settings;
document.querySelector(`nav a[href="?sdk=${sdk}"]`)?.setAttribute('aria-current', 'page');

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const onClick = (/** @type {string} */ id, /** @type {() => void} */ act) => byId(id).addEventListener('click', act);

/** Adds a line to a log, the newest first. */
function note(/** @type {string} */ log, /** @type {string} */ text, detail = '', bad = false) {
  const line = document.createElement('li');
  line.textContent = text;
  line.classList.toggle('bad', bad);
  if (detail) line.append(Object.assign(document.createElement('small'), { textContent: detail }));
  byId(log).prepend(line);
  while (byId(log).childElementCount > 4) byId(log).lastElementChild?.remove();
}

function light(/** @type {string} */ id, /** @type {string} */ text, /** @type {string} */ kind) {
  byId(id).textContent = text;
  byId(id).className = `state ${kind}`;
}

/** @type {import('./chat.mjs').Say} */
function say(what, state) {
  note('chat-log', what);
  if (state) light('chat-state', state, { 'logged in': 'good', 'logged out': '', connecting: 'waiting' }[state]);
}

// The steps of the guide.
const imreuse = await load();
const chat = sdk === 'v1' ? chatV1(imreuse.reuseIM(window.NIM), settings, say) : chatV2(imreuse.reuseIM(window.NIM.default), settings, say);
const kit = await imreuse.initialize({ appKey, im: chat.nim, kitURL, mode: 'reuse_im' });

onClick('chat-login', () => chat.login(alice));
onClick('chat-wrong', () => chat.login({ ...alice, token: 'wrong' }));
onClick('chat-logout', () => chat.logout());

/** Runs a call of the kit, and shows its outcome. */
async function run(/** @type {string} */ name, /** @type {() => Promise<import('imreuse').Status>} */ call) {
  try {
    const { state } = await call();
    note('kit-log', `${name}: ${state}`);
  } catch (error) {
    if (!(error instanceof ImreuseError)) throw error;
    note('kit-log', `${name}: ${error.code}`, `${error.message}. ${error.remedy}`, true);
  }
}
onClick('kit-alice', () => run('loginByToken', () => kit.loginByToken(alice.userUuid, alice.userToken)));
onClick('kit-bob', () => run('loginByToken', () => kit.loginByToken(bob.userUuid, bob.userToken)));
onClick('kit-anonymous', () => run('loginAnonymous', () => kit.loginAnonymous()));
onClick('kit-logout', () => run('logout', () => kit.logout()));

for (const act of ['kick', 'down', 'up']) onClick(`cloud-${act}`, () => fetch(`cloud/${act}`, { method: 'POST' }));

const show = makeLadder(byId('ladder'));
for await (const status of kit.watch()) {
  show(status);
  const loggedIn = status.state === 'kit_logged_in';
  light('kit-state', loggedIn ? 'logged in' : 'logged out', loggedIn ? 'good' : '');
  const { accid, userUuid, online, cause, via } = status;
  const facts = { 'last change': via, 'IM account': accid, 'IM link': accid && (online ? 'up' : 'down'), 'kit account': userUuid, cause: cause?.text };
  byId('facts').replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => [
      Object.assign(document.createElement('dt'), { textContent: name }),
      Object.assign(document.createElement('dd'), { textContent: value || '–' }),
    ]),
  );
}
