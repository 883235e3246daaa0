//go:build js && wasm

package main

import (
	"context"
	"encoding/json"
	"sync"
	"syscall/js"

	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
)

// The functions that imreuse.mjs calls. It passes strings, numbers, booleans and
// functions, and refers to engines, IM clients and mocks by numbers. A function
// that can fail returns {value} or {failure}.
//
// The functions that Go calls back must not call Go before they return; the ones
// of imreuse.mjs only note what they got.
func main() {
	js.Global().Set("imreuse", map[string]any{
		"argument":      function(func(a []js.Value) any { return failure(argumentError(a[0].String(), a[1].String())) }),
		"canceled":      function(canceled),
		"newIM":         function(newIM),
		"releaseIM":     function(releaseIM),
		"loggingIn":     report(func(im *flat.IM, _ []js.Value) { im.LoggingIn() }),
		"loggedIn":      report(loggedIn),
		"loggedOut":     report(loggedOut),
		"kicked":        report(kicked),
		"endedBySDK":    report(endedBySDK),
		"link":          report(func(im *flat.IM, a []js.Value) { im.Link(a[0].Bool()) }),
		"newMock":       function(newMock),
		"mockLogin":     function(mockLogin),
		"mockLogout":    function(mockLogout),
		"mockLink":      function(mockLink),
		"mockKick":      function(mockKick),
		"mockExpire":    function(mockExpire),
		"newEngine":     function(newEngine),
		"start":         function(start),
		"cancel":        function(cancel),
		"status":        function(status),
		"watch":         function(watch),
		"unwatch":       function(unwatch),
		"close":         function(closeEngine),
		"releaseEngine": function(releaseEngine),
		"answer":        function(answer),
		"answerToken":   function(answerToken),
	})
	select {} // the functions serve the page for as long as it is there
}

func function(f func(args []js.Value) any) js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) any { return f(args) })
}

// A table has what the numbers of imreuse.mjs refer to. No number is used twice,
// so a late call finds nothing.
type table[T any] struct {
	mu      sync.Mutex
	entries map[int]T
	last    int
}

func (t *table[T]) reserve() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	return t.last
}

func (t *table[T]) put(number int, entry T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries == nil {
		t.entries = map[int]T{}
	}
	t.entries[number] = entry
}

func (t *table[T]) add(entry T) int {
	number := t.reserve()
	t.put(number, entry)
	return number
}

// get returns the entry, or its zero value.
func (t *table[T]) get(number js.Value) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entries[number.Int()]
}

// take removes the entry and returns it.
func (t *table[T]) take(number int) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	entry := t.entries[number]
	delete(t.entries, number)
	return entry
}

// result is what a function that can fail returns.
func result(value any, err error) any {
	if err != nil {
		return map[string]any{"failure": failure(err)}
	}
	return map[string]any{"value": value}
}

func argumentError(op, text string) error {
	return &engine.Error{Op: op, Err: flat.Cause(int(engine.ErrArgument), 0, text)}
}

// canceled takes an engine, or 0, and an operation that is not begun.
func canceled(a []js.Value) any {
	state := engines.get(a[0]).Status().State
	return failure(&engine.Error{Op: a[1].String(), State: state, Err: context.Canceled})
}

var profiles = map[string]engine.Profile{
	"meeting": engine.ProfileMeeting, "room": engine.ProfileRoom, "desktop": engine.ProfileDesktop,
	"roomkit1": engine.ProfileRoomKit1, "meeting1": engine.ProfileMeeting1,
}

// failure returns err for an ImreuseError, or null.
func failure(err error) any {
	if err == nil {
		return nil
	}
	f := flat.Flatten(err)
	numbers := map[string]any{}
	for name, profile := range profiles {
		numbers[name], _ = engine.Code(f.Code).In(profile)
	}
	return map[string]any{
		"code": f.Code, "message": f.Message, "remedy": f.Remedy, "op": f.Op, "call": f.Call, "numbers": numbers,
	}
}

// statusJSON is engine.Status in JSON.
func statusJSON(s flat.Status) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a Status always has a JSON form
	}
	return string(text)
}

// text returns a string, or "" for anything else.
func text(v js.Value) string {
	if v.Type() != js.TypeString {
		return ""
	}
	return v.String()
}
