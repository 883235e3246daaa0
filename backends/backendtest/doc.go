// Package backendtest tests an [engine.Backend] against its contract, and this
// page is how to write one.
//
// # Two roles
//
// A backend plays two roles. The [engine.IM] role is the IM SDK: it holds at
// most one login. The [engine.Kit] role is the kit on top of it: it knows which
// IM account a kit account is bound to, and opens sessions over the IM login
// that is there. Write both in one type, or each alone and put them together
// with [engine.Join].
//
// The engine makes it easy. It makes one call at a time, in an order that its
// table allows, and Close last, once. The backend knows nothing of modes,
// states and floors: it does what it is told, and says what happened. A kit
// login from nothing is
//
//	Authenticate, InitIM, LoginIM, LoginKit
//
// and LogoutKit, LogoutIM and Close undo it.
//
// # What a backend owes
//
//   - It returns when ctx ends. A login whose ctx has ended fails.
//   - A failed login leaves nothing logged in.
//   - Whatever LogoutIM or LogoutKit return, nobody is logged in there
//     afterwards; and with nobody logged in they succeed.
//   - LoginIM while anybody is logged in is ErrIMInUse: never a silent swap.
//   - Once IM was lost, a fresh IM and kit login works, though LogoutKit was not
//     called.
//   - Errors carry an [engine.Code] where one fits, so that errors.Is finds it.
//     An unknown account and a wrong token are ErrTokenRejected.
//   - No token is in any error.
//
// # Notify
//
// Each login comes with its own [engine.Notify]. Keep it with the login, not
// with the backend: then late news about an old login cannot end a newer one.
// Call Lost once when the login ends unasked: ErrKicked or an [engine.KickError]
// for a kick, ErrIMLoggedOut for a logout behind the engine's back,
// ErrTokenRejected, ErrAccountBanned, or an error of your own. Do not call it
// for a logout that was asked for. Call Link when the connection goes down, and
// when it is back: a login that reconnects is not lost. Both may be called
// from any goroutine, with locks held, even before LoginIM returns; they never
// block and never call back.
//
// # Adoption
//
// Where the host can drive the IM SDK itself, the backend is an
// [engine.IMAdopter] as well. AdoptIM returns the account that the host logged
// in, and from then on tells n about that login; the empty account says that
// there is nobody, and n is dropped. It waits for a host's login in flight,
// within ctx. Where the link is down it calls n.Link(false) before it returns.
// It never reports a login that LoginIM made: the engine would take its own
// login for the host's, and leave it there for good. An error fails the
// operation; it does not mean "nobody".
//
// # Wrapping a backend
//
// AdoptIM is found by a type assertion, so this wrapper hides it, and with it
// every login that the host makes:
//
//	type logged struct{ engine.Backend } // wrong: has no AdoptIM
//
// Embed the concrete type, whose methods all show:
//
//	type logged struct{ *mockim.Device }
//
// Where only the interface is at hand, write a second type that forwards
// AdoptIM, and use it where the inner backend has one:
//
//	type loggedAdopter struct {
//		logged
//		engine.IMAdopter
//	}
//
//	func wrap(b engine.Backend) engine.Backend {
//		if a, ok := b.(engine.IMAdopter); ok {
//			return loggedAdopter{logged{b}, a}
//		}
//		return logged{b}
//	}
//
// A Harness with HostLogin around a wrapper that hides AdoptIM fails the case
// "adopter".
//
// # Testing it
//
// The example below is a whole backend, AdoptIM included. Its test, and that
// of any other, is [Run] with a function that opens a fresh one:
//
//	func TestConformance(t *testing.T) {
//		backendtest.Run(t, func(t *testing.T) *backendtest.Harness {
//			b := new(memory)
//			return &backendtest.Harness{
//				Backend:    b,
//				AppKey:     "myAppKey",
//				IM:         engine.IMAccount{Accid: "alice", Token: "im-secret-a"},
//				Kit:        engine.KitAccount{UserUUID: "user-a", Token: "kit-secret-a"},
//				Other:      engine.KitAccount{UserUUID: "user-b", Token: "kit-secret-b"},
//				Kick:       b.kick,
//				Link:       b.link,
//				HostLogin:  b.hostLogin,
//				HostLogout: b.hostLogout,
//			}
//		})
//	}
package backendtest
