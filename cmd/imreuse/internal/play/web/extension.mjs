// Extends the page of package inspect by the controls of "imreuse play". A
// comment in that package's extension.mjs says what the page offers.
import { el } from './el.mjs';
import { makeControls } from './play/controls.mjs';
import { nameOf, resultView } from './play/result.mjs';
import { act, getCatalogue, getPanel } from './play/server.mjs';
import { makeStories } from './play/stories.mjs';
import { say, texts } from './play/texts.mjs';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function mount({ place, controls, onLanguage, onEntry }) {
  const alarm = el('p', { class: 'alarm', role: 'alert' });
  const said = el('p', { class: 'unseen', role: 'status' });
  const stories = el('section', { class: 'card', id: 'stories' });
  const hand = el('section', { class: 'card', id: 'hand', 'aria-labelledby': 'hand-title' });
  const result = el('section', { class: 'card', id: 'result', 'aria-labelledby': 'result-title' });
  let catalogue;
  let panel;
  let shown; // the controls

  function show(next) {
    if (!next || (panel && next.version < panel.version)) return; // an older reply came later
    const fresh = !panel || next.version !== panel.version;
    panel = next;
    if (fresh) draw();
  }

  function draw() {
    const t = texts();
    shown.show(panel);
    hand.querySelector('.running').textContent =
      panel.running.length > 0 ? t.running(panel.running.map((run) => nameOf(catalogue, { ...run, details: {} })).join(', ')) : '';
    const open = result.querySelector('details')?.open;
    result.replaceChildren(...resultView(catalogue, panel.results));
    const details = result.querySelector('details');
    if (open && details) details.open = true;
  }

  // What the page's own status line does not say: acts that change no state.
  function announce(done) {
    if (done.note) said.textContent = texts().named(nameOf(catalogue, done), [say(done.note)]);
  }

  /** Carries out an act, and resolves to its result once it has one. */
  async function perform(name, details) {
    try {
      const answer = await act(name, details);
      alarm.textContent = '';
      show(answer.panel);
      const done = answer.result ?? (await ended(answer.running));
      if (done) announce(done);
      return done;
    } catch (error) {
      fail(error);
      draw(); // a radio button that was refused goes back
      return undefined;
    }
  }

  /** Waits until a running act has ended, or was swept away by a reset. */
  async function ended(id) {
    while (panel.running.some((run) => run.id === id)) {
      await pause(300);
      show(await getPanel());
    }
    return panel.results.find((done) => done.id === id);
  }

  function fail(error) {
    alarm.textContent = error.status ? error.message : texts().unreachable;
  }

  function build() {
    const t = texts();
    shown = makeControls(catalogue, perform);
    hand.replaceChildren(
      el('h2', { id: 'hand-title' }, t.controls),
      el('div', { class: 'groups' }, ...shown.children),
      el('p', { class: 'running', role: 'status' }));
    said.textContent = ''; // it is in the other language
    stories.replaceChildren(...makeStories(catalogue, perform), alarm, said);
    draw();
  }

  // Another tab may act, too.
  let refreshing;
  async function refresh() {
    if (refreshing) return;
    refreshing = true;
    try {
      await pause(150);
      show(await getPanel());
    } catch { /* the page says itself that the server is gone */
    } finally {
      refreshing = false;
    }
  }

  try {
    catalogue = await getCatalogue();
    panel = await getPanel();
  } catch (error) {
    fail(error);
    controls.append(alarm);
    controls.hidden = false;
    return;
  }
  controls.append(stories);
  place.append(result, hand);
  build();
  controls.hidden = place.hidden = false;
  onLanguage(build);
  onEntry(refresh);
  document.addEventListener('visibilitychange', refresh);
}
