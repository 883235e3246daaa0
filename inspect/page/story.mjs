// The story: what happened, newest first. It keeps as many entries as the
// server, and only so many rows are ever in the page.
import { byId, el } from './el.mjs';
import { problemDetails, problemLine } from './problem.mjs';
import { clock, span, t } from './words.mjs';

const groups = { transition: 'transition', call: 'call', failure: 'failure' };
const group = (entry) => groups[entry.kind] ?? 'other';

export class Story {
  #keep = 500;
  #entries = []; // oldest first
  #waiting = []; // not in the page yet
  #frozen = null; // what was kept when the reader paused
  #texts = new WeakMap();
  #drawing = false;
  #showsEngines = false;
  #list = byId('entries');

  constructor() {
    byId('pause').addEventListener('click', () => this.#pause());
    byId('download').addEventListener('click', () => this.#download());
    byId('filter').addEventListener('input', () => this.redraw());
    byId('kinds').addEventListener('change', () => this.redraw());
    // A hidden page draws no frames, and must not save rows up for later.
    document.addEventListener('visibilitychange', () => this.#schedule());
  }

  keep(most) {
    this.#keep = most;
  }

  /** Says whether the rows must say which engine they are about. */
  showEngines(several) {
    if (several === this.#showsEngines) return;
    this.#showsEngines = several;
    this.redraw();
  }

  add(entry) {
    bounded(this.#entries, entry, this.#keep);
    bounded(this.#waiting, entry, this.#keep);
    this.#schedule();
  }

  /** Draws all rows again, after a change of the filter or the language. */
  redraw() {
    this.#list.replaceChildren();
    this.#waiting = [...this.#shown()];
    this.#schedule();
  }

  #shown() {
    return this.#frozen ?? this.#entries;
  }

  #schedule() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#draw();
    });
  }

  #draw() {
    const matches = this.#matcher();
    if (!this.#frozen || this.#list.childElementCount === 0) {
      const rows = this.#waiting.filter(matches).map((entry) => row(entry, this.#showsEngines));
      this.#list.prepend(...rows.reverse());
      this.#waiting = [];
      const oldest = this.#entries[0]?.key ?? 0;
      while (!this.#frozen && this.#list.lastElementChild && Number(this.#list.lastElementChild.dataset.key) < oldest) {
        this.#list.lastElementChild.remove();
      }
    }
    const all = this.#shown().length;
    const count = this.#list.childElementCount;
    byId('count').textContent = t('count', count, all);
    byId('empty').hidden = count > 0;
    byId('empty').textContent = t(all > 0 ? 'nothingFound' : 'empty');
    this.#labelPause();
  }

  #matcher() {
    const wanted = byId('filter').value.trim().toLowerCase();
    const kinds = new Set([...document.querySelectorAll('#kinds input:checked')].map((box) => box.value));
    return (entry) => kinds.has(group(entry)) && (wanted === '' || this.#text(entry).includes(wanted));
  }

  #text(entry) {
    let text = this.#texts.get(entry);
    if (text === undefined) {
      text = `${JSON.stringify(entry)} ${row(entry, false).textContent}`.toLowerCase();
      this.#texts.set(entry, text);
    }
    return text;
  }

  forgetTexts() {
    this.#texts = new WeakMap();
  }

  #pause() {
    this.#frozen = this.#frozen ? null : [...this.#entries];
    byId('pause').setAttribute('aria-pressed', String(Boolean(this.#frozen)));
    this.redraw();
  }

  #labelPause() {
    if (!this.#frozen) {
      byId('pause').textContent = t('pause');
      return;
    }
    const newest = this.#frozen.at(-1)?.key ?? 0;
    const more = this.#entries.filter((entry) => entry.key > newest).length;
    byId('pause').textContent = more > 0 ? t('resumeNew', more) : t('resume');
  }

  // What the reader sees, as one JSON object a line, oldest first.
  #download() {
    const lines = this.#shown().filter(this.#matcher()).map(({ key, ...entry }) => `${JSON.stringify(entry)}\n`);
    const address = URL.createObjectURL(new Blob(lines, { type: 'application/x-ndjson' }));
    const link = el('a', { href: address, download: `imreuse-${new Date().toISOString().replaceAll(':', '-').slice(0, 19)}.ndjson` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }
}

let keys = 0;

// Keys order what this page has seen, over restarts of the server.
function bounded(list, entry, most) {
  entry.key ??= ++keys;
  list.push(entry);
  if (list.length > most) list.splice(0, list.length - most);
}

function row(entry, showsEngine) {
  const [mark, ...texts] = content(entry);
  const aside = entry.after !== undefined ? el('span', { class: 'span', title: t('after', span(entry.after)) }, `+${span(entry.after)}`)
    : entry.took !== undefined ? el('span', { class: 'span', title: t('took', span(entry.took)) }, span(entry.took)) : '';
  return el('li', { class: `entry ${entry.kind}${entry.cause ? ' bad' : ''}${entry.on === false ? ' away' : ''}`, 'data-key': entry.key },
    el('time', { datetime: entry.time, title: entry.time }, clock(entry.time, true)),
    el('span', { class: 'mark', 'aria-hidden': 'true' }, mark),
    el('div', { class: 'what' }, showsEngine && entry.engine ? el('span', { class: 'engine' }, entry.engine) : '', texts),
    aside);
}

function content(entry) {
  switch (entry.kind) {
    case 'transition': return ['●', ...transition(entry)];
    case 'call': return [entry.cause ? '✕' : '↔', ...call(entry)];
    case 'failure': return ['!', ...failure(entry)];
    case 'link': return ['~', title(t(entry.on ? 'linkUp' : 'linkDown')), id(entry.accid)];
    case 'token': return ['~', title(t(entry.on ? 'tokenGood' : 'tokenExpired')), id(entry.userUuid)];
    case 'watch': return ['○', title(t('watchBegan')), el('code', {}, entry.to)];
    case 'closed': return ['○', title(t('engineClosed'))];
    case 'skipped': return ['…', title(t('skipped', entry.missed))];
    case 'gap': return ['…', title(t(`gap.${entry.reason}`, entry.missed))];
    default: return ['?', entry.kind];
  }
}

const title = (text) => el('span', { class: 'title' }, text);
const id = (text) => (text ? el('span', { class: 'id' }, text) : '');

function transition(entry) {
  const known = t(`trigger.${entry.trigger}`);
  return [
    title(known.startsWith('trigger.') ? entry.trigger : known),
    el('code', { class: 'path' }, `${entry.from} → ${entry.to}`),
    id(entry.userUuid ?? entry.accid),
    entry.cause ? problem(entry.cause, false) : '',
  ];
}

function call(entry) {
  return [el('code', { class: 'call-name' }, entry.call), entry.cause ? [el('span', { class: 'failed' }, t('callFailed')), problem(entry.cause, false)] : ''];
}

function failure(entry) {
  const where = entry.call && entry.call !== entry.op ? el('span', { class: 'where' }, t('inCall', entry.call)) : '';
  return [title(t('failed', entry.op)), where, problem(entry.cause, true)];
}

// A failed operation shows everything; for the rest, the details are one key
// away.
function problem(cause, open) {
  const details = problemDetails(cause);
  return el('div', { class: 'problem' },
    el('p', { class: 'problem-line' }, problemLine(cause)),
    open ? details : details.length ? el('details', {}, el('summary', {}, t('details')), details) : '');
}
