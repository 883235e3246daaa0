// Command web is the engine for web pages: GOOS=js GOARCH=wasm builds it into
// the npm package "imreuse", together with imreuse.mjs. See README.md.
package main
