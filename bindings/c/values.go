//go:build cgo

package main

// #include "bridge.h"
import "C"

import (
	"sync"
	"unicode/utf8"
	"unsafe"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/bindings/internal/flat"
)

// This file writes Go's values into the structs of the header, in place: making
// a C string for each text would cost five times as much.

// put writes s, and a 0 after it. A text that is too long ends at a character.
func put(to []C.char, s string) {
	if len(s) >= len(to) {
		s = s[:len(to)-1]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && !endsWhole(s) {
			s = s[:len(s)-1]
		}
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&to[0])), len(to))
	bytes[copy(bytes, s)] = 0
}

// endsWhole reports whether the last character of s is whole.
func endsWhole(s string) bool {
	r, size := utf8.DecodeLastRuneInString(s)
	return r != utf8.RuneError || size != 1
}

func writeError(e *C.imreuse_error, f flat.Failure) {
	e.code = C.int(f.Code)
	put(e.op[:], f.Op)
	put(e.call[:], f.Call)
	put(e.message[:], f.Message)
	put(e.remedy[:], f.Remedy)
}

// fail writes err into e, which may be nil, and returns the handle that stands
// for none.
func fail(e *C.imreuse_error, err error) C.uintptr_t {
	if e != nil {
		writeError(e, flat.Flatten(err))
	}
	return 0
}

func succeed(e *C.imreuse_error) { fail(e, nil) }

func writeStatus(s *C.imreuse_status, from flat.Status) {
	s.seq = C.uint64_t(from.Seq)
	s.state, s.floor = C.imreuse_state(from.State), C.imreuse_state(from.Floor)
	put(s.via[:], from.Via)
	writeError(&s.cause, from.Cause)
	s.online, s.reused, s.anonymous, s.expired = C.bool(from.Online), C.bool(from.Reused), C.bool(from.Anonymous), C.bool(from.Expired)
	putSession(s.session[:], from.Session)
	put(s.accid[:], from.Accid)
	put(s.user_uuid[:], from.UserUUID)
}

// putSession writes the text of a UUID without making a string of it.
func putSession(to []C.char, session uuid.UUID) {
	to[0] = 0
	if session == uuid.Nil {
		return
	}
	const digits = "0123456789abcdef"
	at := 0
	for i, b := range session {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			to[at] = '-'
			at++
		}
		to[at], to[at+1] = C.char(digits[b>>4]), C.char(digits[b&15])
		at += 2
	}
	to[at] = 0
}

// Structs for callbacks, which may use them until they return.
var (
	errorPool  = sync.Pool{New: func() any { return new(C.imreuse_error) }}
	statusPool = sync.Pool{New: func() any { return new(C.imreuse_status) }}
)

func callDone(done, user C.uintptr_t, err error) {
	switch {
	case done == 0:
	case err == nil:
		C.call_done(done, user, nil)
	default:
		e := errorPool.Get().(*C.imreuse_error)
		defer errorPool.Put(e)
		writeError(e, flat.Flatten(err))
		C.call_done(done, user, e)
	}
}

func callChanged(changed, user C.uintptr_t, now flat.Status) {
	s := statusPool.Get().(*C.imreuse_status)
	defer statusPool.Put(s)
	writeStatus(s, now)
	C.call_changed(changed, user, s)
}
