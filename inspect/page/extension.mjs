// The place for a page that does more. The inspector serves this empty module;
// a server that extends the page serves its own module under the same name, and
// its own extension.css.
//
// Once the page stands, it calls mount, if there is one, with what this module
// may use:
//
//   mount({ place, controls, language, onLanguage, engine, onEngine, onEntry, el })
//
//   place       an empty <section id="extension"> under the ladder, which is
//               hidden until something is in it
//   controls    an empty <section id="controls"> above the ladder, the same
//   language()  "en" or "zh"
//   onLanguage  calls the function that it is given after each switch
//   engine()    the engine that the reader looks at, an engineJSON of wire.go;
//               undefined if there is none
//   onEngine    calls the function with that engine after each change
//   onEntry     calls the function with each new entryJSON, oldest first
//   el          makes an element from a name, attributes and children; text
//               children stay text: el('b', { class: 'x' }, 'text', otherElement)
export {};
