package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file has what the engine calls: the Backend, the accounts it is given,
// and the Notify through which it reports what happens to a login later.

// An IMAccount is an account of the IM service.
//
// It prints as its accid, never with the token. That holds for fmt, log/slog
// and JSON, and also for a pointer to an account and for an account in an
// exported field, a slice or a map. JSON drops the token on purpose, so an
// account cannot be stored as JSON and read back: store the fields yourself.
//
// Two cases are beyond any type's control. fmt does not call methods on
// unexported fields, so do not keep an account in an unexported field of a type
// that you print. Nor does fmt call them for a verb that does not fit, such as
// %p or %w; go vet reports such verbs.
type IMAccount struct {
	AppKey string // "" means the engine's AppKey
	Accid  string // at most 32 letters, digits and _ @ . -; the service folds it to lower case
	Token  string

	// Dynamic says that Token is a signed, short-lived token (the vendor's
	// authType 1). A token from Options.IMToken is of the same kind as the
	// account's.
	Dynamic bool
}

// A KitAccount is an account of the kit. It is bound to exactly one IM account.
// It prints as its UserUUID, never with the token, just as an IMAccount prints
// as its accid.
type KitAccount struct {
	UserUUID string
	Token    string
}

// Format implements fmt.Formatter. It prints the accid.
func (a IMAccount) Format(f fmt.State, verb rune) {
	formatID(f, verb, "engine.IMAccount{Accid:%q}", a.Accid)
}

// Format implements fmt.Formatter. It prints the UserUUID.
func (a KitAccount) Format(f fmt.State, verb rune) {
	formatID(f, verb, "engine.KitAccount{UserUUID:%q}", a.UserUUID)
}

func formatID(f fmt.State, verb rune, goSyntax, id string) {
	switch {
	case verb == 'v' && f.Flag('#'):
		fmt.Fprintf(f, goSyntax, id)
	case verb == 'q':
		fmt.Fprintf(f, "%q", id)
	default:
		io.WriteString(f, id)
	}
}

// MarshalText returns the accid without the token. JSON uses it, too.
func (a IMAccount) MarshalText() ([]byte, error) { return []byte(a.Accid), nil }

// MarshalText returns the UserUUID without the token. JSON uses it, too.
func (a KitAccount) MarshalText() ([]byte, error) { return []byte(a.UserUUID), nil }

// LogValue implements slog.LogValuer. It returns the accid.
func (a IMAccount) LogValue() slog.Value { return slog.StringValue(a.Accid) }

// LogValue implements slog.LogValuer. It returns the UserUUID.
func (a KitAccount) LogValue() slog.Value { return slog.StringValue(a.UserUUID) }

// fold returns id in lower case, the only form in which the services know it
// (docs/vendor/kits.md#identifiers).
func fold(id string) string { return strings.ToLower(id) }

// The functions that follow check arguments. Each failure is ErrArgument and
// names the field.

func argument(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrArgument}, args...)...)
}

// checkText refuses text that no id or token of the vendor's has, and that
// would break a header or a log line.
func checkText(field, s string) error {
	if s == "" {
		return argument("%s is empty", field)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return argument("%s contains a control character or is not UTF-8", field)
	}
	return nil
}

func checkToken(token string, hasSource bool) error {
	if token == "" && hasSource {
		return nil
	}
	return checkText("token", token)
}

const (
	maxAccid   = 32 // docs/vendor/kits.md#identifiers
	accidRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@.-"
)

// check returns what is wrong with a. The token may be missing if there is a
// source for it.
func (a IMAccount) check(hasSource bool) error {
	if err := checkText("accid", a.Accid); err != nil {
		return err
	}
	if len(a.Accid) > maxAccid {
		return argument("accid has %d characters, at most %d are allowed", len(a.Accid), maxAccid)
	}
	if strings.Trim(a.Accid, accidRunes) != "" {
		return argument("accid %q contains a character other than letters, digits and _ @ . -", a.Accid)
	}
	return checkToken(a.Token, hasSource)
}

func (a KitAccount) check(hasSource bool) error {
	if err := checkText("userUuid", a.UserUUID); err != nil {
		return err
	}
	return checkToken(a.Token, hasSource)
}

// IM is the backend's IM SDK. It holds at most one login.
//
// Each method returns when ctx ends, if not before. After a failed login nobody
// is logged in. After LogoutIM nobody is logged in either, even if it fails.
// Errors carry a [Code] if one fits, and never a token.
//
// If a method panics, or returns a broken error (a nil pointer, or one whose
// methods panic), the operation fails without a Code and undoes what the call
// may have done. The operation's error quotes at most one line of the panic's
// value, and only if that is text without a token.
type IM interface {
	// InitIM initialises the SDK for an AppKey. If the host has already
	// initialised it, InitIM does nothing: it succeeds if the AppKey is the
	// same, and otherwise fails with ErrAppKeyMismatch.
	InitIM(ctx context.Context, appKey string) error

	// LoginIM logs a in. It fails with ErrIMInUse if anybody is logged in,
	// and with ErrTokenRejected if the account is unknown or the token
	// wrong. An empty a.AppKey means the AppKey that was passed to InitIM.
	LoginIM(ctx context.Context, a IMAccount, n Notify) error

	// LogoutIM logs out whoever is logged in. It succeeds if nobody is
	// logged in.
	LogoutIM(ctx context.Context) error
}

// Kit is the backend's kit: NEMeetingKit, NERoom, or a double of them. The
// rules of [IM] about ctx, failures and errors apply here, too.
type Kit interface {
	// Authenticate has the kit server check a, and returns the IM account
	// that is bound to it. An empty accid means that none is bound. It
	// fails with ErrTokenRejected or ErrTokenExpired if the server refuses
	// a.
	Authenticate(ctx context.Context, a KitAccount) (IMAccount, error)

	// Anonymous makes a temporary account. It fails with
	// errors.ErrUnsupported if the kit has no temporary accounts.
	Anonymous(ctx context.Context) (KitAccount, error)

	// LoginKit opens a session for a on top of the current IM login.
	// Authenticate has already checked a. If the IM login under an earlier
	// session was lost, the engine may call LoginKit again without
	// LogoutKit in between.
	LoginKit(ctx context.Context, a KitAccount, n Notify) error

	// LogoutKit ends the session. It succeeds if none is open.
	LogoutKit(ctx context.Context) error
}

// A Backend is both an IM and a Kit. The engine calls it from one goroutine at
// a time, in an order that the table of [Transitions] allows. It calls Close
// once, at the very end. The package comment of backends/backendtest explains
// how to write a Backend.
type Backend interface {
	IM
	Kit
	io.Closer
}

// IMAdopter is an optional interface of a Backend; New checks for it. It is for
// an IM that can be logged in behind the engine's back, because the host drives
// its IM SDK itself.
//
// The engine calls AdoptIM only during an operation, so it does not notice a
// new login at once. If the host logs its SDK out, the backend reports that
// with Notify.Lost, like any other loss, and the engine takes TriggerIMLost.
//
// A wrapper that embeds the [Backend] interface hides AdoptIM. Embed the
// concrete type, or forward the method.
type IMAdopter interface {
	// AdoptIM returns the account that the host logged in, and from then on
	// calls n when something happens to that login. An empty accid means
	// that nobody is logged in; n is then never called. If a login of the
	// host's is in progress, AdoptIM waits for it, within ctx. If the link
	// is down, AdoptIM calls n.Link(false) before it returns. It never
	// returns a login that LoginIM made. If it fails, the operation fails,
	// too: an error does not mean that nobody is logged in.
	AdoptIM(ctx context.Context, n Notify) (IMAccount, error)
}

// Notify has the functions through which a backend reports what happens to one
// login. The backend may call them from any goroutine, while it holds any lock
// of its own, and even before the call that received the Notify has returned.
// They never block, never call back into the backend, and have no effect once
// the login has ended. The engine ignores Link for a kit login.
type Notify struct {
	Lost func(cause error) // the login ended without a logout; only the first call counts; a nil cause, or a nil pointer of an error type, counts as ErrUnavailable
	Link func(online bool) // the connection under the login went down, or came back

	// Expired reports that the token of a kit login has run out while its
	// session still holds. If it returns true, the engine renews the token. If
	// it returns false, nobody does, and the backend must call Lost. The backend
	// calls it at each check that finds the token expired, and never for a token
	// that the session no longer has. For an IM login it always returns false.
	Expired func(cause error) bool

	// Token fetches a fresh token for an IM login, for an SDK that asks again
	// when it reconnects. It is nil for a kit login, and if the host has no
	// Options.IMToken. It may block, so the backend must hold no lock. It fails
	// if the login has ended.
	Token func(ctx context.Context) (string, error)
}

// A KitRenewer is a Kit that can give a session a new token. It is optional; New
// finds out whether a backend is one. A wrapper that embeds the [Backend]
// interface hides RenewKit, as it hides AdoptIM.
type KitRenewer interface {
	// RenewKit gives the open session the new token a.Token. The account is the
	// one that LoginKit logged in. If RenewKit fails, the session keeps the old
	// token. It fails with ErrTokenRejected or ErrTokenExpired if the server
	// refuses the new one.
	RenewKit(ctx context.Context, a KitAccount) error
}

// Join makes a Backend from a host's IM and a kit. The Backend is an IMAdopter
// if im is one, and a KitRenewer if kit is one. Its Close closes kit and then
// im, if they are io.Closers. If im or kit is nil, Join returns nil, which New
// refuses.
func Join(im IM, kit Kit) Backend {
	if im == nil || kit == nil {
		return nil
	}
	j := joined{im, kit}
	a, adopts := im.(IMAdopter)
	r, renews := kit.(KitRenewer)
	switch {
	case adopts && renews:
		return adoptingRenewingJoin{j, a, r}
	case adopts:
		return adoptingJoin{j, a}
	case renews:
		return renewingJoin{j, r}
	}
	return j
}

type joined struct {
	IM
	Kit
}

type adoptingJoin struct {
	joined
	IMAdopter
}

type renewingJoin struct {
	joined
	KitRenewer
}

type adoptingRenewingJoin struct {
	joined
	IMAdopter
	KitRenewer
}

// Close closes the kit first, because it rests on the IM.
func (j joined) Close() error {
	var errs [2]error
	for i, role := range [...]any{j.Kit, j.IM} {
		if c, ok := role.(io.Closer); ok {
			errs[i] = c.Close()
		}
	}
	return errors.Join(errs[:]...)
}
