// The stories. The page runs one step after the other, so that one can watch.
import { el } from '../el.mjs';
import { badge } from './result.mjs';
import { say, texts } from './texts.mjs';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let run; // the latest: { story, results, at, running }
let draw; // shows it, in the page's language

/**
 * Makes the buttons of the stories. perform carries out an act and resolves to
 * its result, or to nothing if it was refused. A story that runs goes on when
 * they are made again in another language.
 */
export function makeStories(catalogue, perform) {
  const t = texts();
  const title = el('h3', {});
  const stop = el('button', { type: 'button', onclick: () => end(run) }, t.stop);
  const list = el('ol', {});
  const said = el('p', { class: 'unseen', role: 'status' });
  const steps = el('div', { class: 'steps', hidden: true }, el('div', { class: 'bar' }, title, stop), list, said);
  const buttons = catalogue.stories.map((story) =>
    el('button', { type: 'button', 'data-story': story.id, onclick: () => tell(story) }, el('b', {}, say(story.title)), el('small', {}, say(story.about))));

  async function tell(story) {
    const mine = { story, results: [], at: 0, running: true };
    run = mine;
    for (; mine.at < story.steps.length; mine.at++) {
      draw();
      const { act, details } = story.steps[mine.at];
      const result = await perform(act, details);
      if (!result) break;
      mine.results.push(result);
      if (run !== mine) return;
      draw();
      if (mine.running && mine.at < story.steps.length - 1) await pause(catalogue.paceMs);
      if (run !== mine) return;
      if (!mine.running) break;
    }
    end(mine);
  }

  function end(ending) {
    ending.running = false;
    if (ending === run) draw();
  }

  draw = () => {
    if (!run) return;
    steps.hidden = false;
    title.textContent = say(run.story.title);
    list.replaceChildren(...run.story.steps.map((step, i) =>
      el('li', { 'aria-current': run.running && i === run.at ? 'step' : undefined },
        say(step.say), run.results[i] ? [' ', badge(run.results[i])] : '')));
    const now = run.running ? say(run.story.steps[run.at].say) : '';
    if (said.textContent !== now) said.textContent = now;
    // The button goes away, but not the focus of the keyboard.
    if (!run.running && document.activeElement === stop) buttons[catalogue.stories.indexOf(run.story)].focus();
    stop.hidden = !run.running;
  };
  draw();
  return [el('h2', {}, t.stories), el('ul', { class: 'stories' }, buttons.map((button) => el('li', {}, button))), steps];
}
