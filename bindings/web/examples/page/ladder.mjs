// Draws the ladder of a status.

/** @type {[import('imreuse').State, string][]} */
const rungs = [
  ['uninitialized', 'Nothing is set up'],
  ['im_initialized', 'IM is initialised'],
  ['im_logged_in', 'IM is logged in'],
  ['kit_logged_in', 'The kit is logged in'],
];
const width = 340, height = 300, left = 30, right = 74, step = 70, bottom = 260;

/** @param {import('imreuse').State} state */
const height_of = (state) => bottom - rungs.findIndex(([name]) => name === state) * step;

/**
 * @param {string} name
 * @param {Record<string, unknown>} attributes
 * @param {(Node | string)[]} children
 */
function draw(name, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** Makes the ladder once. The function that it returns shows a status. */
export function makeLadder(/** @type {Element} */ place) {
  const ball = draw('circle', { class: 'ball', cx: (left + right) / 2, r: 11 });
  const rails = [left, right].map((x) => draw('path', { class: 'rail', d: `M${x} ${bottom + 22}V22` }));
  const reached = [left, right].map((x) => [x, draw('path', { class: 'rail reached' })]);
  const bars = rungs.map(([name]) => draw('path', { class: 'bar', d: `M${left} ${height_of(name)}H${right}` }));
  const names = rungs.map(([name, text]) => draw('text', { class: 'name', x: 104, y: height_of(name) - 2 }, text));
  const ids = rungs.map(([name]) => draw('text', { class: 'id', x: 104, y: height_of(name) + 15 }, name));
  const floor = draw('path', { class: 'floor' });
  const floorLabel = draw('text', { class: 'floor-label', x: width - 4, 'text-anchor': 'end' }, 'floor');
  const svg = draw('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img' },
    floor, floorLabel, ...rails, ...reached.map(([, path]) => /** @type {Node} */ (path)), ...bars, ...names, ...ids, ball);
  place.replaceChildren(svg);

  return (/** @type {import('imreuse').Status} */ status) => {
    const at = rungs.findIndex(([name]) => name === status.state);
    svg.setAttribute('aria-label', `${rungs[at][1]}. The floor is ${status.floor}.`);
    svg.dataset.state = status.state;
    ball.setAttribute('cy', String(height_of(status.state)));
    for (const [x, path] of reached) /** @type {Element} */ (path).setAttribute('d', `M${x} ${bottom + 22}V${height_of(status.state)}`);
    bars.forEach((bar, i) => bar.classList.toggle('reached', i <= at));
    names.forEach((name, i) => name.classList.toggle('now', i === at));
    const y = height_of(status.floor) + 28;
    floor.setAttribute('d', `M0 ${y}H${width}`);
    floorLabel.setAttribute('y', String(y - 5));
  };
}
