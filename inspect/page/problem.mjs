// Shows an error: its code, sentence, details, remedy, and the number that each
// of the vendor's kits has for it.
import { el } from './el.mjs';
import { profiles, remedy, sentence, t } from './words.mjs';

/** The code and the sentence, in one line. */
export function problemLine(problem) {
  return [
    problem.code ? el('code', { class: 'code' }, String(problem.code).replace('-', '−')) : '',
    el('span', { class: 'sentence' }, sentence(problem)),
  ];
}

/** Everything that is known, as paragraphs. */
export function problemDetails(problem) {
  const more = [];
  if (problem.mismatch) more.push(el('p', {}, t('mismatch', problem.mismatch.bound, problem.mismatch.loggedIn)));
  if (problem.kick) {
    const who = t(`kick.${problem.kick.reason}`);
    more.push(el('p', {}, t('kick', who.startsWith('kick.') ? problem.kick.text : who, problem.kick.clientType)));
  }
  if (problem.detail) more.push(el('p', { class: 'detail' }, problem.detail));
  const advice = remedy(problem);
  if (advice) more.push(el('p', { class: 'remedy' }, el('b', {}, t('remedy')), ' ', advice));
  if (problem.code) more.push(numbers(problem));
  if (problem.hidden) more.push(el('p', { class: 'hidden-text' }, t('hidden')));
  return more;
}

function numbers(problem) {
  return el('dl', { class: 'numbers', 'aria-label': t('numbers') },
    profiles.map(([key, name]) => {
      const number = problem.numbers?.[key];
      return el('div', { class: number === undefined ? 'absent' : '' },
        el('dt', {}, name),
        el('dd', {}, number === undefined ? '–' : String(number).replace('-', '−')));
    }));
}
