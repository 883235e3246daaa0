package flat

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/engine"
)

// NoCode is the Code of a Failure that has none of the engine's, such as a
// cancellation.
const NoCode = -1

// A Failure is an error as plain values. The zero Failure is no error.
type Failure struct {
	Code    int    // an engine.Code, or NoCode; 0: no error
	Op      string // the operation, such as "LoginKit"; "" if err was not an operation's
	Call    string // the call of the backend that failed; "" if none did
	Message string
	Remedy  string // what to do about it; "" if nothing is known
}

// Flatten returns err as plain values. None of them has a token in it.
func Flatten(err error) Failure {
	if err == nil {
		return Failure{}
	}
	code := engine.CodeOf(err)
	f := Failure{Code: int(code), Message: text(err), Remedy: code.Remedy()}
	if code == 0 {
		f.Code = NoCode
	}
	if e := operationOf(err); e != nil {
		f.Op, f.Call = e.Op, e.Call
	}
	return f
}

// operationOf returns the operation's error in err's chain, or nil. An error of
// the host's may have methods that panic.
func operationOf(err error) (e *engine.Error) {
	defer func() { _ = recover() }()
	errors.As(err, &e)
	return e
}

func text(err error) (s string) {
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("an error of type %T", err)
		}
	}()
	return err.Error()
}

// A Status is an engine.Status as plain values.
type Status struct {
	Seq          uint64
	State, Floor engine.State
	Via          string
	Cause        Failure // the zero Failure if there is none
	Online       bool
	Reused       bool
	Anonymous    bool
	Expired      bool
	Session      uuid.UUID // zero if there is none; see SessionText
	Accid        string
	UserUUID     string

	source engine.Status
}

// MarshalJSON returns the JSON of the engine.Status.
func (s Status) MarshalJSON() ([]byte, error) { return s.source.MarshalJSON() }

// FlattenStatus returns s as plain values. It does not allocate if s has no
// Cause.
func FlattenStatus(s engine.Status) Status {
	return Status{
		Seq: s.Seq, State: s.State, Floor: s.Floor, Via: string(s.Via), Cause: Flatten(s.Cause),
		Online: s.Online, Reused: s.Reused(), Anonymous: s.Anonymous, Expired: s.Expired,
		Session: s.Session, Accid: s.Accid, UserUUID: s.UserUUID,
		source: s,
	}
}

// SessionText returns the session, or "" if there is none.
func (s Status) SessionText() string {
	if s.Session == uuid.Nil {
		return ""
	}
	return s.Session.String()
}

// Cause returns the error that a host means by a code, the reason of a kick, and
// a text. It returns nil if code and reason are 0: no error. A number that is no
// engine.Code, such as one of the host's SDK, becomes an error without a Code
// that shows the number.
func Cause(code int, reason engine.KickReason, text string) error {
	c := engine.Code(code)
	switch {
	case reason != 0:
		return &engine.KickError{Reason: reason, Text: text}
	case code == 0:
		return nil
	case text == "" && isCode(c):
		return c
	case isCode(c):
		return fmt.Errorf("%w: %s", c, text)
	case code == NoCode && text != "":
		return errors.New(text)
	case text == "":
		return fmt.Errorf("the host failed with code %d", code)
	}
	return fmt.Errorf("the host failed with code %d: %s", code, text)
}

// isCode reports whether c is one of the engine's. Each of them has a remedy.
func isCode(c engine.Code) bool { return c.Remedy() != "" }
