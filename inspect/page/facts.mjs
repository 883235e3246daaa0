// Says what is so now: the mode, who is logged in, over whose login, the link.
import { el } from './el.mjs';
import { problemDetails, problemLine } from './problem.mjs';
import { clock, span, t } from './words.mjs';

/** The facts about an engine. now() is the server's clock, in milliseconds. */
export function facts(engine, now) {
  const s = engine.status;
  const im = s.state === 'im_logged_in' || s.state === 'kit_logged_in';
  const kit = s.state === 'kit_logged_in';
  const row = (key, ...value) => el('div', { class: `fact fact-${key}` }, el('dt', {}, t(key)), el('dd', {}, value));
  const nobody = () => el('span', { class: 'nobody' }, t('nobody'));
  return [
    engine.closed ? el('p', { class: 'notice' }, t('closedAt', clock(engine.closed))) : '',
    el('dl', { class: 'facts' },
      row('mode', engine.mode ? [el('code', {}, engine.mode), note(t(`mode.${engine.mode}`))] : note(t('modeUnknown'))),
      row('im', im ? [el('b', { class: 'account' }, s.accid), since(engine.since?.im, now)] : nobody()),
      row('login', im ? el('span', {}, t(`owner.${engine.owner}`)) : t('none')),
      row('kit', kit
        ? [el('b', { class: 'account' }, s.userUuid), s.anonymous ? chip(t('anonymous')) : '', s.reused ? chip(t('reused'), 'good') : '', since(engine.since?.kit, now)]
        : nobody()),
      row('link', im ? lamp(s.online, t(s.online ? 'up' : 'down')) : t('none')),
      row('token', kit ? lamp(!s.expired, t(s.expired ? 'expired' : 'good')) : t('none')),
      engine.calls?.length
        ? row('inProgress', engine.calls.map((c) => el('span', { class: 'progress' }, el('code', {}, c.call), ' ', ago(c.began, now))))
        : '',
      engine.cause ? row('cause', el('div', { class: 'problem' }, el('p', { class: 'problem-line' }, problemLine(engine.cause)), problemDetails(engine.cause))) : ''),
    engine.traced ? '' : el('p', { class: 'notice' }, t('notTraced')),
  ];
}

const note = (text) => el('span', { class: 'note' }, text);
const chip = (text, kind = '') => el('span', { class: `chip ${kind}` }, text);
const lamp = (good, text) => el('span', { class: `lamp ${good ? 'good' : 'bad'}` }, el('span', { class: 'light', 'aria-hidden': 'true' }), text);

function since(time, now) {
  if (!time) return note(t('sinceBefore'));
  const update = () => t('since', clock(time), span(Math.max(0, now() - Date.parse(time))));
  return ticking(update);
}

function ago(time, now) {
  return ticking(() => span(Math.max(0, now() - Date.parse(time))));
}

// Texts that change with time are updated in place, once a second.
const ticks = new WeakMap();

function ticking(update) {
  const node = el('span', { class: 'note ticking' }, update());
  ticks.set(node, update);
  return node;
}

/** Updates the times in the given element. */
export function tick(place) {
  for (const node of place.querySelectorAll('.ticking')) {
    const text = ticks.get(node)?.();
    if (text && text !== node.textContent) node.textContent = text;
  }
}
