//go:build cgo

package main

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"unsafe"

	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
)

// This file has what the engine asks of a host in C: its IM client, its token
// sources, and its log.

func newClient(c *C.imreuse_im_client) flat.Client {
	user, cancel := C.uintptr_t(uintptr(c.user)), C.uintptr_t(uintptr(unsafe.Pointer(c.cancel)))
	var client flat.Client
	if f := C.uintptr_t(uintptr(unsafe.Pointer(c.init))); f != 0 {
		client.Init = func(appKey string, r *flat.Request) func(bool) {
			key := newText(appKey)
			defer key.free()
			return ask(r, user, cancel, func(h C.uintptr_t) { C.call_init(f, user, key.c, h) })
		}
	}
	if f := C.uintptr_t(uintptr(unsafe.Pointer(c.login))); f != 0 {
		client.Login = func(a engine.IMAccount, r *flat.Request) func(bool) {
			key, accid, token := newText(a.AppKey), newText(a.Accid), newText(a.Token)
			defer key.free()
			defer accid.free()
			defer token.free()
			return ask(r, user, cancel, func(h C.uintptr_t) { C.call_login(f, user, key.c, accid.c, token.c, h) })
		}
	}
	if f := C.uintptr_t(uintptr(unsafe.Pointer(c.logout))); f != 0 {
		client.Logout = func(r *flat.Request) func(bool) {
			return ask(r, user, cancel, func(h C.uintptr_t) { C.call_request(f, user, h) })
		}
	}
	return client
}

// ask gives r a handle for as long as somebody waits for the answer. cancel is
// the host's function, or 0.
func ask(r *flat.Request, user, cancel C.uintptr_t, start func(h C.uintptr_t)) func(bool) {
	h := requests.add(r)
	start(C.uintptr_t(h))
	return func(gaveUp bool) {
		if gaveUp && cancel != 0 {
			C.call_request(cancel, user, C.uintptr_t(h))
		}
		requests.remove(h)
	}
}

// newOptions fails if a handle in o is none.
func newOptions(o *C.imreuse_options) (flat.Options, error) {
	im, kit := handle(uintptr(unsafe.Pointer(o.im))), handle(uintptr(unsafe.Pointer(o.kit)))
	user := C.uintptr_t(uintptr(o.user))
	options := flat.Options{
		AppKey: str(o.app_key), IM: ims.get(im), Kit: kits.get(kit), Mode: engine.Mode(math.MaxUint8),
		RequireOnline: bool(o.require_online), SecondaryProcess: bool(o.secondary_process),
	}
	if o.mode <= math.MaxUint8 { // otherwise it is not a mode
		options.Mode = engine.Mode(o.mode)
	}
	for _, role := range []struct {
		name  string
		h     handle
		known bool
	}{{"im", im, options.IM != nil}, {"kit", kit, options.Kit != nil}} {
		if role.h != 0 && !role.known {
			return options, fmt.Errorf("%w: the %s was released, or never was one", engine.ErrClosed, role.name)
		}
	}
	if f := C.uintptr_t(uintptr(unsafe.Pointer(o.log))); f != 0 {
		options.Log = func(level slog.Level, message string, attrs []slog.Attr) {
			line := newText(logLine(level, message, attrs))
			defer line.free()
			C.call_log(f, user, C.int(level), line.c)
		}
	}
	options.KitToken = newSource(C.uintptr_t(uintptr(unsafe.Pointer(o.kit_token))), user)
	options.IMToken = newSource(C.uintptr_t(uintptr(unsafe.Pointer(o.im_token))), user)
	return options, nil
}

func newSource(f, user C.uintptr_t) func(id, refused string, r *flat.Request) func(bool) {
	if f == 0 {
		return nil
	}
	return func(id, refused string, r *flat.Request) func(bool) {
		idText, refusedText := newText(id), newText(refused)
		defer idText.free()
		defer refusedText.free()
		return ask(r, user, 0, func(h C.uintptr_t) { C.call_token(f, user, idText.c, refusedText.c, h) })
	}
}

// logLine returns a line in the form of slog's text, without time and level.
func logLine(level slog.Level, message string, attrs []slog.Attr) string {
	var line bytes.Buffer
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}
	record := slog.Record{Level: level, Message: message} // a record without a time has none in its line
	record.AddAttrs(attrs...)
	_ = slog.NewTextHandler(&line, options).Handle(context.Background(), record) // a buffer does not fail
	return string(bytes.TrimSpace(line.Bytes()))
}

// A cText is a text of Go's as a callback gets it.
type cText struct {
	c    *C.char
	size int
}

func newText(s string) cText { return cText{C.CString(s), len(s)} }

// free overwrites the text, which may be a token, and frees it.
func (t cText) free() {
	clear(unsafe.Slice((*byte)(unsafe.Pointer(t.c)), t.size))
	C.free(unsafe.Pointer(t.c))
}
