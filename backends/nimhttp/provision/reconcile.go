package provision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
)

// An Identity is what names an account, without its tokens.
type Identity struct{ Accid, UserUUID, Name string }

// An ExistsError says that an account is there already, and that it is not the
// wanted one, or is not known to be. It unwraps to what the server answered.
type ExistsError struct {
	Wanted, Found Identity
	Differs       []string // the fields of AccountRequest in which they differ
	Unseen        []string // those that the server does not show
	Err           error    // the server's refusal to make it; nil where it gave none
}

// Error says what differs, and never a token.
func (e *ExistsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the account is there already: wanted %v, found %v", e.Wanted, e.Found)
	if len(e.Differs) > 0 {
		fmt.Fprintf(&b, ", another %s", strings.Join(e.Differs, " and "))
	}
	if len(e.Unseen) > 0 {
		fmt.Fprintf(&b, ", its %s is not shown", strings.Join(e.Unseen, " and "))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func (e *ExistsError) Unwrap() error { return e.Err }

// String has the ids that are known.
func (i Identity) String() string {
	var known []string
	for _, f := range []struct{ name, value string }{{"accid", i.Accid}, {"userUuid", i.UserUUID}, {"name", i.Name}} {
		if f.value != "" {
			known = append(known, fmt.Sprintf("%s %q", f.name, f.value))
		}
	}
	return strings.Join(known, " ")
}

// A creation is an account to be made, and how to ask whether it is there.
type creation struct {
	server        *server
	create, query request
	wanted        account
}

// create makes an account, at most one, and returns it as it is.
func (c *Client) create(ctx context.Context, n creation) (account, error) {
	var made account
	outcome, err := c.send(ctx, n.server, n.create, &made)
	if err == nil {
		if made.id() == n.wanted.id() && cmp.Or(made.token, n.wanted.token) != "" {
			n.wanted.token = cmp.Or(made.token, n.wanted.token) // its own token is the server's to say
			return n.accept(made, true, nil)
		}
		outcome.Unknown, err = true, n.server.caller.Malformed("a success without the account and its token")
	}
	refused := thereAlready(err)
	if refused == nil && !outcome.Unknown {
		return account{}, err
	}
	found, err := c.look(ctx, n.server, n.query, n.wanted.id(), err)
	if err != nil {
		return account{}, err
	}
	return n.accept(found, outcome.Unknown, refused)
}

// look asks for an account after err. A caller who gave up is not kept waiting.
func (c *Client) look(ctx context.Context, s *server, query request, id string, err error) (account, error) {
	if gaveUp := ctx.Err(); gaveUp != nil && errors.Is(err, gaveUp) {
		return account{}, fmt.Errorf("%w; it may have been done", err)
	}
	var all accounts
	if _, asked := c.send(ctx, s, query, &all); asked != nil {
		return account{}, fmt.Errorf("%w; then, asked for the account: %w", err, asked)
	}
	for _, a := range all {
		if a.id() == id {
			return a, nil
		}
	}
	return account{}, fmt.Errorf("%w; then, asked for the account: it is not there", err)
}

// accept returns found if it is the wanted account, with its token. One that may
// be of our own making is that unless something speaks against it.
func (n creation) accept(found account, ours bool, refused error) (account, error) {
	if flaw := found.flaw(); flaw != "" {
		return account{}, n.server.caller.Malformed("an account whose %s", flaw)
	}
	differs, unseen := n.wanted.compare(found)
	if ours {
		unseen = nil
	}
	found.token = cmp.Or(found.token, n.wanted.token)
	if found.token == "" {
		unseen = append(unseen, n.wanted.tokenField())
	}
	if len(differs)+len(unseen) > 0 {
		return account{}, &ExistsError{n.wanted.identity(), found.identity().without(n.create.secrets), differs, unseen, refused}
	}
	if flaw := call.Flaw(found.token, call.MaxToken); flaw != "" {
		return account{}, n.server.caller.Malformed("an account whose token %s", flaw)
	}
	return found, nil
}

// flaw says which id that the server shows could not be one, and why, or "".
func (a account) flaw() string {
	for _, id := range []struct{ name, value string }{{"accid", a.accid}, {"userUuid", a.userUUID}} {
		if flaw := call.AccidFlaw(id.value); id.value != "" && flaw != "" {
			return id.name + " " + flaw
		}
	}
	return ""
}

// compare names what is another in found, and what found does not show. The
// name is no part of it.
func (a account) compare(found account) (differs, unseen []string) {
	if a.accid != "" && found.accid != "" && found.accid != a.accid {
		differs = append(differs, "Accid")
	}
	for _, f := range []struct{ field, wanted, found string }{
		{a.tokenField(), a.token, found.token}, {"IMToken", a.imToken, found.imToken},
	} {
		switch f.wanted {
		case "", f.found:
		default:
			if f.found == "" {
				unseen = append(unseen, f.field)
			} else {
				differs = append(differs, f.field)
			}
		}
	}
	return differs, unseen
}

func (a account) tokenField() string {
	if a.userUUID == "" {
		return "IMToken"
	}
	return "UserToken"
}

// without is i as a server shows it, without the secrets that were sent to it.
func (i Identity) without(secrets []string) Identity {
	return Identity{call.Clean(i.Accid, secrets...), call.Clean(i.UserUUID, secrets...), call.Clean(i.Name, secrets...)}
}

func (a account) identity() Identity { return Identity{a.accid, a.userUUID, a.name} }

// thereAlready returns the server's refusal of an account that it has, or nil.
// 703 says it of the IM account of the same id.
func thereAlready(err error) error {
	s, number := refusal(err)
	switch {
	case s == nil:
		return nil
	case number == http.StatusConflict, number == 102405, number == 703 && s.Domain != call.DomainIM,
		number == 414 && strings.Contains(strings.ToLower(s.Msg), "already register"):
		return err
	}
	return nil
}

// update changes a kit account. It may be done twice; where it is not known to
// have been done, the server is asked.
func (c *Client) update(ctx context.Context, r AccountRequest) error {
	outcome, err := c.send(ctx, c.room, request{method: http.MethodPatch, path: roomPath(r.UserUUID), secrets: r.secrets(), repeatable: true,
		body: roomBody{UserToken: r.UserToken, Name: r.Name, IMToken: r.IMToken}}, nil)
	if !outcome.Unknown {
		return err
	}
	found, lookErr := c.look(ctx, c.room, roomQuery(r), r.UserUUID, err)
	if lookErr != nil {
		return lookErr
	}
	differs, unseen := r.kitAccount().compare(found)
	if len(differs)+len(unseen) > 0 || r.Name != "" && r.Name != found.name {
		return fmt.Errorf("%w; then, asked for the account: it is not as it should be", err)
	}
	return nil
}
