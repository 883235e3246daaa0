// Package flat is the engine as a host in another language sees it: plain values
// instead of Go's types, and completions instead of calls that block. The skins
// in bindings/c and bindings/web are thin layers over it. The package decides
// nothing about logins, keeps no state that the engine has, and needs no cgo.
//
// # From the host to the engine
//
// [Engine.Start] runs an operation on a goroutine, and calls back exactly once,
// with the operation's error. [Call.Cancel] ends it early. [Flatten] turns the
// error into a [Failure] and [FlattenStatus] an engine.Status into a [Status],
// which have only numbers and strings.
//
// Operations take their turns in the order in which Start was called, unless the
// system stops a thread at the wrong moment: see inQueue in call.go.
//
// # From the engine to the host
//
// The engine asks the host for something that takes time: to log its IM client
// in, or to fetch a token. An [Ask] starts that and returns at once. The host
// answers the [Request] later, from anywhere, once; another answer is ignored.
// If the operation ends first, the host is told to give up, and its answer goes
// nowhere. The function that the Ask returned is called once, when nobody waits
// for the answer any more: a skin frees there what it keeps for the request.
//
// # Callbacks
//
// An engine calls the host back one call at a time: completions, watchers, log
// lines and Asks. No callback runs on the goroutine that called this package. A
// callback may call everything here, Close included. It must not wait for
// another callback of the same engine, which cannot come before it returns. If
// engines share an IM client, none of their callbacks may wait for another of
// these engines, because IM does one thing at a time for all of them.
//
// [Engine.Close] calls back when no callback runs any more, and none of that
// engine comes after it. A nil *Engine behaves like an engine that is closed, so
// a skin may pass on whatever its table of handles returns.
package flat
