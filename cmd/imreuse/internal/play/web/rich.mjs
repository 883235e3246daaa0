// Texts of the server with marks in them.
import { el } from '../el.mjs';

/** The nodes of a text in which `code` and *stress* are marked. */
export function rich(text) {
  return text.split(/(`[^`]+`|\*[^*]+\*)/).map((part) => {
    if (part.startsWith('`')) return el('code', {}, part.slice(1, -1));
    if (part.length > 2 && part.startsWith('*')) return el('em', {}, part.slice(1, -1));
    return part;
  });
}
