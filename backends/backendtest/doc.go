// Package backendtest tests an [engine.Backend] against its contract. This page
// explains how to write a backend.
//
// # Two roles
//
// A backend has two roles. The [engine.IM] role is the IM SDK, which holds at
// most one login. The [engine.Kit] role is the kit on top of it: it knows which
// IM account a kit account is bound to, and opens sessions over the current IM
// login. Write one type with both roles, or two types that you combine with
// [engine.Join].
//
// The engine makes one call at a time, in an order that its table allows, and
// ends with one call of Close. The backend does not need to know about modes,
// states and floors: it does what each call asks for and reports the result. A
// kit login from scratch is
//
//	Authenticate, InitIM, LoginIM, LoginKit
//
// and LogoutKit, LogoutIM and Close undo it.
//
// # Duties of a backend
//
//   - A call returns when its ctx ends. A login whose ctx has ended fails.
//   - A failed login leaves nobody logged in.
//   - After LogoutIM nobody is logged in to IM, and after LogoutKit nobody is
//     logged in to the kit, even if the call fails. If nobody was logged in
//     before, the call succeeds.
//   - LoginIM fails with ErrIMInUse while anybody is logged in. It never
//     replaces that login.
//   - After IM was lost, a new IM and kit login works, even if LogoutKit was
//     not called.
//   - Errors wrap an [engine.Code] if one fits, so that errors.Is finds it. An
//     unknown account is ErrTokenRejected, and so is a wrong token.
//   - No error contains a token.
//
// # Notify
//
// Each login comes with its own [engine.Notify]. Keep it with the login, not
// with the backend, so that a late report about an old login cannot end a newer
// one.
//
// Call Lost once if the login ends without a logout by the engine. For IM, the
// cause is ErrKicked or an [engine.KickError] for a kick, ErrIMLoggedOut for a
// logout behind the engine's back, ErrTokenRejected, ErrAccountBanned, or an
// error of your own. Do not call Lost for a login that LogoutIM or LogoutKit
// ends.
//
// Call Link when the connection under an IM login goes down, and when it is up
// again: a login that reconnects is not lost.
//
// You may call both from any goroutine, with locks held, even before LoginIM
// returns. They never block, and never call the backend.
//
// # Tokens that run out
//
// If the server lets a kit token run out, and a session with it still holds,
// call Expired. If it returns true, keep the session: the engine fetches a new
// token and calls RenewKit. If it returns false, end the session and call Lost
// with ErrTokenExpired. Call Expired again at each check that still finds the
// token expired, but not for a token that the session no longer has.
//
// A kit that can give an open session a new token is an [engine.KitRenewer].
// RenewKit checks the new token before it replaces the old one: if it fails, the
// session goes on with the old one.
//
// An IM SDK may ask for a fresh token when it reconnects. Call Token then, but
// hold no lock, since it may block. It is nil if the host has no source, and it
// fails once the login has ended.
//
// # Adoption
//
// If the host can drive the IM SDK itself, the backend must also be an
// [engine.IMAdopter]. AdoptIM returns the account that the host logged in. From
// then on the backend reports to n what happens to that login. An empty account
// means that nobody is logged in; n is then never called.
//
// If the host is logging in at the moment, AdoptIM waits for the result until
// ctx ends. If the link is down, it calls n.Link(false) before it returns. It
// never returns a login that LoginIM made: the engine would mistake its own
// login for the host's and never log it out. An error makes the engine's
// operation fail; it does not mean that nobody is logged in.
//
// # Wrapping a backend
//
// The engine finds AdoptIM by a type assertion. This wrapper hides AdoptIM, and
// with it every login that the host makes:
//
//	type logged struct{ engine.Backend } // wrong: has no AdoptIM
//
// RenewKit is found in the same way. Embed the concrete type instead, which keeps
// all its methods:
//
//	type logged struct{ *mockim.Device }
//
// If you have only the interface, write a second type that forwards AdoptIM,
// and use it if the inner backend has AdoptIM:
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
// If a wrapper hides AdoptIM but its Harness has a HostLogin, the case
// "adopter" fails.
//
// # Testing it
//
// The example below is a complete backend with AdoptIM. To test a backend, pass
// [Run] a function that opens a new one:
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
