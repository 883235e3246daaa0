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

// This file has what the engine calls: the Backend, the accounts that it gets,
// and the Notify by which it reports what happens to a login later.

// An IMAccount is an account of the IM service.
//
// It prints as its accid, never with the token: as a value, behind a pointer,
// in exported fields, slices and maps, with the verbs of package fmt that print
// values, with log/slog and as JSON. JSON drops the token on purpose, so an
// account cannot be stored as JSON and read back: keep the fields yourself.
//
// Two cases are beyond any type's control. fmt does not call methods on
// unexported fields, so do not keep an account in an unexported field of a type
// that you print; nor does it after a verb that does not fit, such as %p or %w,
// which go vet reports.
type IMAccount struct {
	AppKey string // "": the engine's own
	Accid  string // at most 32 of a-z 0-9 _ @ . -, in either case: the service folds it to lower case
	Token  string
}

// A KitAccount is an account of the kit. It is bound to exactly one IM account.
// It prints as its UserUUID, as an IMAccount does as its accid.
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

// MarshalText returns the accid alone, and so does JSON: the token is dropped on
// purpose.
func (a IMAccount) MarshalText() ([]byte, error) { return []byte(a.Accid), nil }

// MarshalText returns the UserUUID alone, and so does JSON: the token is dropped
// on purpose.
func (a KitAccount) MarshalText() ([]byte, error) { return []byte(a.UserUUID), nil }

// LogValue implements slog.LogValuer. It is the accid.
func (a IMAccount) LogValue() slog.Value { return slog.StringValue(a.Accid) }

// LogValue implements slog.LogValuer. It is the UserUUID.
func (a KitAccount) LogValue() slog.Value { return slog.StringValue(a.UserUUID) }

// fold is how the services compare ids: they know them in lower case only
// (http-api.md 2.2).
func fold(id string) string { return strings.ToLower(id) }

// The checks of arguments. Each failure is ErrArgument and names the field.

func argument(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrArgument}, args...)...)
}

// checkText refuses what no id or token of the vendor's has, and what would
// not survive a header or a log line.
func checkText(field, s string) error {
	if s == "" {
		return argument("%s is empty", field)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return argument("%s has a control character or is not UTF-8", field)
	}
	return nil
}

const (
	maxAccid   = 32 // http-api.md 2.2
	accidRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@.-"
)

func (a IMAccount) check() error {
	if err := checkText("accid", a.Accid); err != nil {
		return err
	}
	if len(a.Accid) > maxAccid {
		return argument("accid has %d characters, %d are allowed", len(a.Accid), maxAccid)
	}
	if strings.Trim(a.Accid, accidRunes) != "" {
		return argument("accid %q has a character other than letters, digits and _ @ . -", a.Accid)
	}
	return checkText("token", a.Token)
}

func (a KitAccount) check() error {
	if err := checkText("userUuid", a.UserUUID); err != nil {
		return err
	}
	return checkText("token", a.Token)
}

// IM is the role of the IM SDK. It holds at most one login.
//
// Its methods return when ctx ends, at the latest. A failed login leaves
// nothing logged in, and whatever LogoutIM returns, nobody is logged in
// afterwards. Errors carry a [Code] where one fits, and never a token.
//
// If a method panics, or returns an error that is a nil pointer or whose methods
// panic, the operation fails without a Code and undoes what the call may have
// done. The error has at most one line of the panic's value, and only if that is
// a text without a token.
type IM interface {
	// InitIM initialises the SDK for an AppKey. Where the host has done so,
	// with the same AppKey, it does nothing and succeeds; with another it
	// fails with ErrAppKeyMismatch.
	InitIM(ctx context.Context, appKey string) error

	// LoginIM logs a in. It fails with ErrIMInUse where anybody is logged
	// in, and with ErrTokenRejected for an unknown account or a wrong token.
	// An empty a.AppKey means the one that InitIM was given.
	LoginIM(ctx context.Context, a IMAccount, n Notify) error

	// LogoutIM logs out whoever is logged in; nobody being so is fine.
	LogoutIM(ctx context.Context) error
}

// Kit is the role of the kit: NEMeetingKit, NERoom, or a double of them. The
// rules of [IM] about ctx, failure and errors hold here too.
type Kit interface {
	// Authenticate checks a with the kit server and returns the one IM
	// account that is bound to it, or an empty accid for none. It fails with
	// ErrTokenRejected or ErrTokenExpired where the server refuses a.
	Authenticate(ctx context.Context, a KitAccount) (IMAccount, error)

	// Anonymous makes a temporary account. Where there are none, the error
	// is errors.ErrUnsupported.
	Anonymous(ctx context.Context) (KitAccount, error)

	// LoginKit opens the session that Authenticate checked, on top of the IM
	// login that is there. It may follow on an earlier LoginKit without
	// a LogoutKit where the IM login below that was lost.
	LoginKit(ctx context.Context, a KitAccount, n Notify) error

	// LogoutKit ends the session; none being open is fine.
	LogoutKit(ctx context.Context) error
}

// A Backend supplies both roles. The engine calls it from one goroutine at
// a time, in an order that the table of [Transitions] allows, and Close last,
// once. How to write one is the package comment of backends/backendtest.
type Backend interface {
	IM
	Kit
	io.Closer
}

// IMAdopter is optional: New finds out once whether a backend has it. It
// is for an IM that can be logged in behind the engine's back, as it is when
// the host drives its IM SDK itself. The engine asks only in an operation, so it
// does not know of a new login before; InitIM asks and needs no account. When
// the host logs out itself, the backend reports that with Notify.Lost, like any
// other loss, and the engine takes TriggerIMLost.
//
// A wrapper that embeds the [Backend] interface hides it. Embed the concrete
// type, or forward the method.
type IMAdopter interface {
	// AdoptIM returns the account that the host logged in, and from then on
	// tells n about that login; an empty accid means: nobody, and n is
	// dropped. It waits, within ctx, for a login in flight, and calls
	// n.Link(false) before it returns where the link is down. A login that
	// was made by LoginIM is never reported. An error fails the operation: it
	// never means "nobody".
	AdoptIM(ctx context.Context, n Notify) (IMAccount, error)
}

// Notify is how a backend tells the engine about one login. Its functions may
// be called from any goroutine, holding any lock of the backend, before or
// after the call that was given it returns. They never block, never call back
// into the backend, and do nothing once that login has ended. A kit's Link is
// ignored.
type Notify struct {
	Lost func(cause error) // this login ended unasked: at most once; nil, or a nil pointer of an error type, counts as ErrUnavailable
	Link func(online bool) // the connection under it went down, or came back
}

// Join makes a Backend of a host's IM and a kit. It is an IMAdopter where im is
// one, and its Close closes both, where they are io.Closers. It returns nil,
// which New refuses, where either is nil.
func Join(im IM, kit Kit) Backend {
	if im == nil || kit == nil {
		return nil
	}
	j := joined{im, kit}
	if a, ok := im.(IMAdopter); ok {
		return adoptingJoin{j, a}
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

// Close closes the kit, which rests on the IM, and then the IM.
func (j joined) Close() error {
	var errs [2]error
	for i, role := range [...]any{j.Kit, j.IM} {
		if c, ok := role.(io.Closer); ok {
			errs[i] = c.Close()
		}
	}
	return errors.Join(errs[:]...)
}
