// Package engine takes one kit account, and the IM account under it, through
// the login lifecycle of NetEase's kits:
//
//	uninitialized → IM-initialized → IM-logged-in → kit-logged-in
//
// The IM SDK holds one logged-in account per process, but two parts of an app
// need it: the app's own chat, and a kit on top (NEMeetingKit or NERoom). An
// [Engine] resolves that conflict in one of three modes: [ReuseIM], [AutoLogin]
// or [AutoDetect]. A [Backend] gives it the IM and the kit.
//
// The engine rests on three ideas:
//
//   - States are the rungs of a ladder. Each state includes the ones below it.
//   - One table of edges serves all modes. A mode only decides how many rungs
//     [Engine.LoginKit] climbs by itself.
//   - The engine undoes what it did and leaves what it found. The highest rung
//     that the host reached, or that was already there, is the floor; a kit
//     logout or a failed login never goes below it.
//
// # Concurrency
//
// At most one operation runs at a time. It holds a one-slot channel, and only
// the holder of that slot may call the backend or touch the machine and the
// floor. A mutex guards the published Status, the watchers, the pending losses,
// and the lists of operations to interrupt. An operation that needs both takes
// the slot first. The mutex is never held during a call out of this package.
//
// Other operations wait for their turn, in the order in which they were called,
// until their ctx ends. A logout does not wait for the logins that it ends:
// LogoutKit ends a kit login in progress, LogoutIM also an IM login, and Close
// any operation that climbs.
//
// The engine runs no goroutine of its own, with two exceptions: a short one
// that applies a loss reported while no operation is running, and one that
// renews a kit token that has run out, until it has succeeded or the login has
// ended. Close waits for both. A renewal fetches the token before it waits for
// its turn, so that nothing waits for the token.
package engine
