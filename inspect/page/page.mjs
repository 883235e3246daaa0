// Puts the page together: the feed brings events, the ladder and the facts show
// the engine that the reader chose, and the story shows everything.
import { byId, el } from './el.mjs';
import { facts, tick } from './facts.mjs';
import { follow } from './feed.mjs';
import { ladder } from './ladder.mjs';
import { Story } from './story.mjs';
import { language, onLanguage, sentence, startLanguage, t } from './words.mjs';
import * as extension from './extension.mjs';

const engines = new Map(); // by name
let chosen; // a name
let skew = 0; // the server's clock minus ours, in ms
let drawing = false;
const engineListeners = [];
const entryListeners = [];

const now = () => Date.now() + skew;
const story = new Story();

const engine = () => engines.get(chosen) ?? engines.values().next().value;

function schedule() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  const shown = engine();
  drawChoice(shown);
  story.showEngines(engines.size > 1);
  byId('shown').hidden = !shown;
  byId('shown').textContent = shown?.name ?? '';
  document.title = shown ? `${t(`state.${shown.status.state}`)} · ${shown.name} · imreuse` : 'imreuse';
  if (shown) {
    byId('ladder').replaceChildren(ladder(shown));
    keepFocus(byId('facts'), () => byId('facts').replaceChildren(...facts(shown, now).filter(Boolean)));
  } else {
    byId('ladder').replaceChildren();
    byId('facts').replaceChildren(el('p', { class: 'notice' }, t('noEngine')));
  }
  for (const listener of engineListeners) listener(shown);
}

function drawChoice(shown) {
  const place = byId('engines');
  place.hidden = engines.size < 2;
  keepFocus(place, () => place.replaceChildren(...[...engines.values()].map((e) =>
    el('button', { type: 'button', 'data-engine': e.name, 'aria-pressed': String(e === shown), onclick: () => { chosen = e.name; schedule(); } },
      e.name, el('small', {}, e.closed ? t('closed') : t(`state.${e.status.state}`))))));
}

// Drawing again must not take the focus away from who uses a keyboard.
function keepFocus(place, change) {
  const name = place.contains(document.activeElement) ? document.activeElement.dataset.engine : undefined;
  change();
  if (name !== undefined) [...place.children].find((child) => child.dataset.engine === name)?.focus();
}

let announced = 0;
let pending;

// Tells a screen reader what matters, and not more often than one can listen.
function say(text) {
  pending = text;
  const wait = Math.max(0, announced + 1500 - Date.now());
  setTimeout(() => {
    if (pending === undefined) return;
    announced = Date.now();
    byId('said').textContent = pending;
    pending = undefined;
  }, wait);
}

function add(entry) {
  story.add(entry);
  if (entry.kind === 'failure') say(t('saidFailure', entry.op, sentence(entry.cause)));
  if (entry.kind === 'transition') say(t('saidState', entry.engine, t(`state.${entry.to}`)));
  for (const listener of entryListeners) listener(entry);
}

function drawFeed(state) {
  byId('feed').dataset.state = state;
  byId('feed-text').textContent = t(state);
}

startLanguage();
onLanguage(() => {
  drawFeed(byId('feed').dataset.state);
  story.forgetTexts();
  story.redraw();
  schedule();
});

extension.mount?.({
  place: byId('extension'),
  controls: byId('controls'),
  language,
  onLanguage,
  engine,
  onEngine: (listener) => engineListeners.push(listener),
  onEntry: (listener) => entryListeners.push(listener),
  el,
});

follow({
  hello(greeting) {
    skew = Date.parse(greeting.time) - Date.now();
    story.keep(greeting.keep);
    engines.clear(); // all that are shown come again
    schedule();
  },
  gap: (gap) => story.add({ kind: 'gap', time: new Date(now()).toISOString(), ...gap }),
  entry: add,
  engine(e) {
    engines.set(e.name, e);
    schedule();
  },
  gone({ name }) {
    engines.delete(name);
    schedule();
  },
  state: drawFeed,
});

setInterval(() => tick(byId('facts')), 1000);
schedule();
