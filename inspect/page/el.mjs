// Makes elements. Children that are text become text nodes, so nothing that
// comes from a server can be markup. This page never parses HTML.

const svg = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== ''));
  return element;
}

/** An HTML element: el('p', { class: 'note' }, 'text', otherElement). */
export const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);

/** The same for SVG. */
export const draw = (name, attributes, ...children) => fill(document.createElementNS(svg, name), attributes, children);

export const byId = (id) => document.getElementById(id);
