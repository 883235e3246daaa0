// Draws the ladder: the state, the floor, and the step in progress.
import { draw } from './el.mjs';
import { t } from './words.mjs';

export const states = ['uninitialized', 'im_initialized', 'im_logged_in', 'kit_logged_in'];

const width = 440, height = 352, step = 84, bottom = 308;
const left = 34, right = 78, middle = (left + right) / 2, label = 112;
const y = (state) => bottom - states.indexOf(state) * step;

/** The ladder of an engine, as an SVG that a screen reader can read, too. */
export function ladder(engine) {
  const { state, floor } = engine.status;
  const call = engine.calls?.at(-1);
  const at = states.indexOf(state);
  const text = t('ladderText', t(`state.${state}`), t(`state.${floor}`), call?.call);
  return draw('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': text, class: 'ladder', 'data-state': state, 'data-floor': floor },
    draw('defs', {}, draw('pattern', { id: 'ground', width: 8, height: 8, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
      draw('path', { d: 'M0 0V8', class: 'ground-line' }))),
    ground(floor),
    rails(at),
    states.map((name, i) => rung(name, i, at, call)),
    call ? inFlight(call, state) : '');
}

function rails(at) {
  const top = y('kit_logged_in') - 26, foot = bottom + 22;
  const rail = (x, from, to, kind) => draw('path', { d: `M${x} ${from}V${to}`, class: `rail ${kind}` });
  const reached = bottom - at * step;
  return [left, right].flatMap((x) => [rail(x, top, foot, 'ahead'), at > 0 ? rail(x, reached, foot, 'reached') : '']);
}

// Below the floor is ground: a logout of the kit cannot go there.
function ground(floor) {
  const surface = y(floor) + 26;
  return draw('g', { class: 'ground' },
    draw('rect', { x: 0, y: surface, width, height: height - surface, fill: 'url(#ground)' }),
    draw('path', { d: `M0 ${surface}H${width}`, class: 'surface' }),
    draw('text', { x: width - 6, y: surface - 8, class: 'floor-label', 'text-anchor': 'end' }, t('floor')));
}

function rung(name, i, at, call) {
  const now = i === at;
  const kind = now ? 'now' : i < at ? 'reached' : 'ahead';
  return draw('g', { class: `rung ${kind}${call?.rung === name ? ' flying' : ''}`, 'data-state': name },
    draw('path', { d: `M${left} ${y(name)}H${right}`, class: 'bar' }),
    now ? draw('circle', { cx: middle, cy: y(name), r: 13, class: 'halo' }) : '',
    now ? draw('circle', { cx: middle, cy: y(name), r: 8, class: 'ball' }) : '',
    draw('text', { x: label, y: y(name) - 2, class: 'name' }, t(`state.${name}`)),
    draw('text', { x: label, y: y(name) + 17, class: 'id' }, name));
}

// An arrow from the ball to the rung of the call, or down from it.
function inFlight(call, state) {
  const from = y(state);
  const rungY = y(call.rung);
  const target = call.up ? rungY : call.rung === 'uninitialized' ? bottom : rungY + step;
  const to = target === from ? from + (call.up ? -step * 0.55 : step * 0.55) : target;
  const up = to < from;
  const tip = to + (up ? 15 : -15);
  const start = from + (up ? -17 : 17);
  const head = up ? 7 : -7;
  return draw('g', { class: 'in-flight' },
    draw('path', { d: `M${middle} ${start}V${tip}`, class: 'arrow' }),
    draw('path', { d: `M${middle - 6} ${tip + head}L${middle} ${tip}L${middle + 6} ${tip + head}`, class: 'head' }),
    draw('text', { x: label, y: (start + tip) / 2 + 4, class: 'call' }, t('climbing', call.call)));
}
