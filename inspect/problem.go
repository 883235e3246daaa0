package inspect

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/imreuse/imreuse/engine"
)

// This file decides which text of an error may be shown. A backend could put a
// token into its errors, in any spelling, so no text of a backend is shown. What
// is left: the text of a Code, the fields of the engine's own error types that
// are no text, sentences that only the engine writes, and the errors of Go's own
// packages.

var profiles = map[string]engine.Profile{
	"meeting": engine.ProfileMeeting, "room": engine.ProfileRoom, "desktop": engine.ProfileDesktop,
	"roomkit1": engine.ProfileRoomKit1, "meeting1": engine.ProfileMeeting1,
}

func problemOfCode(c engine.Code) *problem {
	p := &problem{Code: int(c)}
	if c == 0 {
		return p
	}
	p.Text = c.Error()
	if c.Remedy() != "" {
		p.Remedy = &remedy{English: c.Remedy(), Chinese: c.RemedyIn("zh")}
	}
	for name, profile := range profiles {
		if n, ok := c.In(profile); ok {
			if p.Numbers == nil {
				p.Numbers = map[string]int{}
			}
			p.Numbers[name] = n
		}
	}
	return p
}

// problemOf describes an error, such as the cause of a loss or what a call of
// the backend returned.
func problemOf(err error) *problem {
	p := problemOfCode(engine.CodeOf(err))
	if e, ok := err.(*engine.Error); ok && e != nil { // the engine wraps some causes of losses
		err = e.Err
	}
	func() {
		defer func() { _ = recover() }() // a method of the error may panic
		p.addFields(err)
		p.Detail = detailOf(err)
		p.Hidden = hides(p, err.Error())
	}()
	return p
}

// knowsMore reports whether p says more than other about the same error.
func (p *problem) knowsMore(other *problem) bool {
	return other.Detail == "" && other.Mismatch == nil && (p.Detail != "" || p.Kick != nil)
}

func (p *problem) addFields(err error) {
	var kicked *engine.KickError
	if errors.As(err, &kicked) && kicked != nil {
		p.Kick = &kick{Reason: int(kicked.Reason), Text: kicked.Reason.String(), ClientType: kicked.ClientType}
	}
}

// hides reports whether the text of an error has more than p shows.
func hides(p *problem, text string) bool {
	for _, shown := range []string{p.Text, p.Detail} {
		text = strings.Replace(text, shown, "", 1)
	}
	if p.Kick != nil {
		text = strings.Replace(text, "it was kicked "+p.Kick.Text, "", 1)
	}
	return strings.Trim(text, ": ") != ""
}

// plainErrors are errors of Go's own packages whose text never changes.
var plainErrors = []error{context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded, io.ErrUnexpectedEOF, io.EOF,
	net.ErrClosed, errors.ErrUnsupported}

// detailOf returns what the errors of Go's own packages in err's chain say. It
// leaves out any text that a server has written.
func detailOf(err error) string {
	var parts []string
	var op *net.OpError
	if errors.As(err, &op) && op != nil && (op.Op == "dial" || op.Op == "read" || op.Op == "write") {
		part := op.Op
		if addr, ok := op.Addr.(*net.TCPAddr); ok && addr != nil {
			part += " tcp " + addr.String()
		}
		parts = append(parts, part)
	}
	var errno syscall.Errno
	var lookup *net.DNSError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &errno):
		parts = append(parts, errno.Error())
	case errors.As(err, &lookup) && lookup != nil && lookup.IsNotFound:
		parts = append(parts, "no such host")
	case errors.As(err, &lookup):
		parts = append(parts, "the name server failed")
	case errors.As(err, &authority):
		parts = append(parts, "the certificate is signed by an unknown authority")
	case errors.As(err, &hostname):
		parts = append(parts, "the certificate is for another host")
	case errors.As(err, &invalid):
		parts = append(parts, "the certificate is not valid")
	default:
		for _, plain := range plainErrors {
			if errors.Is(err, plain) {
				parts = append(parts, plain.Error())
				break
			}
		}
	}
	return strings.Join(parts, ": ")
}

// ownWords matches the details that the engine writes into its errors. The ids in
// them are of the characters that an accid may have.
var ownWords = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`IM is not initialised; call InitIM first`,
	`by the engine, for the kit`,
	`the host logged it in, and reuse is off; set ReuseIM or AutoDetect to reuse its login`,
	`(?:accid|userUuid|token|appKey|the token from Options\.(?:KitToken|IMToken)) (?:is empty|contains a control character or is not UTF-8)`,
	`accid has \d+ characters, at most 32 are allowed`,
	`ctx is nil`,
}, "|") + `)$`)

// mismatched matches the text of a MismatchError between accounts.
var mismatched = regexp.MustCompile(`^it is bound to "([\w@.-]{1,32})", but "([\w@.-]{1,32})" is logged in$`)

// waiting matches the text of a deadline, up to the cause that the host gave.
var waiting = regexp.MustCompile(`^(the deadline (?:passed while waiting for [A-Za-z' ]+|had passed before the operation began)): `)

// faulted matches the text of a backend that broke the rules, up to what it said.
var faulted = regexp.MustCompile(`^(the (?:backend|host) (?:panicked in|returned a nil) [\w.*]+)`)

// problemOfText describes a failed operation of which only the text is known.
func problemOfText(c engine.Code, op, call, text string) *problem {
	p := problemOfCode(c)
	rest := strings.TrimPrefix(text, "imreuse: "+op+" in ")
	if _, after, ok := strings.Cut(rest, ": "); ok && rest != text {
		rest = after
	}
	rest = strings.TrimPrefix(rest, call+": ")
	if p.Text != "" {
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, p.Text), ": ")
	}
	switch m := mismatched.FindStringSubmatch(rest); {
	case rest == "":
	case ownWords.MatchString(rest):
		p.Detail = rest
	case m != nil && call == "" && c == engine.ErrIMAccountMismatch:
		p.Mismatch = &mismatch{Bound: m[1], LoggedIn: m[2]}
	case waiting.MatchString(rest):
		p.Detail = waiting.FindStringSubmatch(rest)[1]
		p.Hidden = !strings.HasSuffix(rest, ": "+context.DeadlineExceeded.Error())
	case faulted.MatchString(rest):
		p.Detail, p.Hidden = faulted.FindString(rest), true
	default:
		for _, plain := range plainErrors {
			if rest == plain.Error() {
				p.Detail = rest
				return p
			}
		}
		p.Hidden = true
	}
	return p
}

// clip returns at most the given number of bytes of the text, as valid UTF-8 and
// in memory of its own.
func clip(text string, most int) string {
	if len(text) > most {
		text = strings.Clone(text[:most]) + "…"
	}
	return strings.ToValidUTF8(text, "�")
}
