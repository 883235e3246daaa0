// Package engine takes one kit account, and the IM account beneath it, through
// the login lifecycle of NetEase's kits:
//
//	uninitialized → IM-initialized → IM-logged-in → kit-logged-in
//
// The IM SDK holds one logged-in account per process, and two things in an app
// want it: the app's own chat, and a kit on top (NEMeetingKit or NERoom). An
// [Engine] owns that conflict, in one of three modes: [ReuseIM], [AutoLogin]
// and [AutoDetect]. Its IM and its kit come from a [Backend].
//
// Three ideas carry it. States are rungs of a ladder, each including the one
// below. One table of edges serves all modes; a mode only decides how many
// rungs [Engine.LoginKit] climbs by itself. And the engine undoes what it did,
// and leaves what it found: the rung that the host climbed to, or that was
// found, is the floor, and a kit logout or a failed login goes down to it and
// no further.
//
// # Concurrency
//
// At most one operation runs at a time: the holder of a one-slot channel is the
// only one that may call the backend or touch the machine and the floor;
// a mutex guards only the published Status, the watchers and the pending
// losses, is taken after the slot, and is held across no call out of the
// package. Others wait their turn, in the order in which they came, as long as
// their ctx lives. A logout does not wait for a login that it is to end:
// LogoutKit ends a kit login, LogoutIM an IM login too, Close any.
//
// The engine runs no goroutine of its own, except a short one that applies
// a loss reported while no operation is running. Close waits for it.
package engine
