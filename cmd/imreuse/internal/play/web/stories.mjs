// The stories. The page runs one step after the other, so that one can watch.
import { el } from '../el.mjs';
import { badge } from './result.mjs';
import { say, texts } from './texts.mjs';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let latest = 0; // run; an earlier one stops

/**
 * Makes the buttons of the stories. perform carries out an act and resolves to
 * its result, or to nothing if it was refused.
 */
export function makeStories(catalogue, perform) {
  const t = texts();
  const steps = el('div', { class: 'steps', hidden: true });
  latest++;

  async function run(story, opener) {
    const current = ++latest;
    const items = story.steps.map((step) => el('li', {}, el('span', {}, say(step.say))));
    const said = el('p', { class: 'unseen', role: 'status' });
    const stop = el('button', { type: 'button', onclick: () => { latest++; end(); } }, t.stop);
    const end = () => {
      if (document.activeElement === stop) opener.focus();
      stop.remove();
    };
    steps.hidden = false;
    steps.replaceChildren(el('div', { class: 'bar' }, el('h3', {}, say(story.title)), el('span', { class: 'hint' }, say(story.about)), stop), el('ol', {}, items), said);
    for (const [i, step] of story.steps.entries()) {
      items[i - 1]?.removeAttribute('aria-current');
      items[i].setAttribute('aria-current', 'step');
      said.textContent = say(step.say);
      const result = await perform(step.act, step.details);
      if (result) items[i].append(badge(result));
      if (!result || current !== latest) break;
      if (i < items.length - 1) await pause(catalogue.paceMs);
      if (current !== latest) break;
    }
    for (const item of items) item.removeAttribute('aria-current');
    end();
  }

  const buttons = catalogue.stories.map((story) => {
    const opener = el('button', { type: 'button', 'data-story': story.id, onclick: () => run(story, opener) },
      el('b', {}, say(story.title)), el('small', {}, say(story.about)));
    return el('li', {}, opener);
  });
  return [el('h2', {}, t.stories), el('ul', { class: 'stories' }, buttons), steps];
}
