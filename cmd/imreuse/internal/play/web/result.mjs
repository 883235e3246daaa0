// What came of the last act, and what the vendor's kits would have given.
import { el } from '../el.mjs';
import { sentence } from '../words.mjs';
import { rich } from './rich.mjs';
import { say, texts } from './texts.mjs';

/** Names an act with its details, such as "LoginKit: a wrong token". */
export function nameOf(catalogue, { act, details }) {
  const t = texts();
  const more = [
    details.mode,
    t.accounts[details.account] ?? details.account,
    details.reason && say(catalogue.kicks.find((kick) => kick.reason === details.reason).text),
    t.link[details.up],
    t.token[details.token],
    details.call,
    details.code && say(catalogue.failures.find((failure) => failure.code === details.code).text),
  ].filter(Boolean);
  return more.length > 0 ? t.named(say(catalogue.acts[act]), more) : say(catalogue.acts[act]);
}

export const badge = (result) => el('span', { class: `badge ${result.outcome}` }, texts().outcomes[result.outcome]);

/** The children of the card of the last act. */
export function resultView(catalogue, results) {
  const t = texts();
  const [last, ...earlier] = results;
  const heading = el('h2', { id: 'result-title' }, t.lastAct);
  if (!last) return [heading, el('p', { class: 'hint' }, t.noAct)];
  return [
    heading,
    el('p', { class: 'act' }, el('b', {}, nameOf(catalogue, last)), ' ', badge(last)),
    ...(last.error ? problem(last) : []),
    last.note ? el('p', {}, say(last.note)) : '',
    last.act === 'login_kit' && last.reused && last.outcome === 'done' ? el('p', {}, t.reused) : '',
    last.remedy ? el('p', { class: 'remedy' }, el('b', {}, t.remedy), ' ', say(last.remedy)) : '',
    last.vendor ? vendorView(catalogue, last.vendor) : '',
    earlier.length > 0 ? earlierView(catalogue, earlier) : '',
  ].filter(Boolean);
}

// The page says what a code means in both languages. The details of the error
// are in English.
function problem({ code, sentence: text, detail }) {
  return [
    code ? el('p', { class: 'problem-line' }, el('code', { class: 'code' }, String(code).replace('-', '−')), el('span', { class: 'sentence' }, sentence({ code, text }))) : '',
    detail ? el('p', { class: 'detail', lang: 'en' }, detail) : '',
  ];
}

const earlierView = (catalogue, results) =>
  el('details', {},
    el('summary', {}, texts().earlier),
    el('ol', { class: 'earlier' }, results.map((result) => el('li', {}, nameOf(catalogue, result), ' ', badge(result)))));

function vendorView(catalogue, vendor) {
  return el('div', { class: 'vendor' },
    el('h3', {}, texts().vendor),
    vendor.platforms ? platformsView(catalogue, vendor.platforms) : '',
    (vendor.said ?? []).map(sentenceView),
    vendor.differs ? contrastView(vendor.differs) : '');
}

function platformsView(catalogue, verdicts) {
  const t = texts();
  if (verdicts.every((verdict) => verdict.outcome === 'no_number')) return el('p', { class: 'hint' }, t.noPlatform);
  return el('table', {},
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, t.platform), el('th', { scope: 'col' }, t.gives))),
    el('tbody', {}, verdicts.map((verdict) =>
      el('tr', { class: verdict.outcome },
        el('th', { scope: 'row' }, say(catalogue.platforms[verdict.platform])),
        el('td', {}, verdict.outcome === 'number' ? el('code', {}, String(verdict.number).replace('-', '−')) : t.verdicts[verdict.outcome])))));
}

function sentenceView(said) {
  const t = texts();
  return el('figure', { class: 'said' },
    el('blockquote', {}, rich(say(said.text))),
    el('figcaption', {}, said.id ? t.guide(said.id) : t.pages[said.page]));
}

function contrastView(contrast) {
  const t = texts();
  return [
    el('h4', {}, t.differs),
    el('dl', { class: 'contrast' },
      el('div', {}, el('dt', {}, t.webKit), el('dd', {}, rich(say(contrast.webKit)))),
      el('div', {}, el('dt', {}, t.here), el('dd', {}, rich(say(contrast.here))))),
  ];
}
