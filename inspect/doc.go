// Package inspect shows running engines in a browser: the ladder with the
// state, the floor and the step in progress, who is logged in and over whose
// login, and the story of what happened, newest first.
//
// Mount it where net/http/pprof is mounted: on loopback, behind your own login.
//
//	i := inspect.New(engine.Options{Mode: engine.ReuseIM})
//	e, err := engine.New(backend, appKey, i.Options())
//	...
//	defer i.Watch("app", e)()
//	http.Handle("/debug/imreuse/", i.Handler())
//
// # What it shows, and what it never shows
//
// The page is read only: no request changes anything. It never shows a token,
// whatever a backend puts into its errors. Nobody can tell a token from other
// text, so the page shows only text that the engine or Go's own packages wrote:
// the code, its sentence, its remedy, the vendor's numbers, and details such as
// "connection refused". The backend's own words are in your log. Names and ids
// come from servers, too; the page shows them as text, never as markup.
//
// # What it costs
//
// An engine that is not watched pays for one atomic load per call of the
// backend if it was made with [Inspector.Options], and otherwise nothing. The
// inspector keeps the last 500 entries of all engines together, and at most
// 256 KiB of them.
//
// # What it serves
//
// The handler answers GET and HEAD of these names, under any path that ends in
// a slash. It refuses a Host header other than localhost's or a loopback
// address's with status 421, because a web page of somebody else could
// otherwise read the story after rebinding its own name to 127.0.0.1. If you
// serve it under another name, check the Host header yourself, and set r.Host to
// "localhost" before you call the handler.
//
//   - "": the page. It comes with page.css, some modules, and an empty
//     extension.mjs and extension.css.
//   - status.json: the present, for scripts.
//   - events: the story as server-sent events. Last-Event-ID resumes it.
//
// The file wire.go has the JSON of all of them.
package inspect
