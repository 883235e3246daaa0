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

// An Identity names an account. It has no tokens.
type Identity struct{ Accid, UserUUID, Name string }

// An ExistsError reports that an account with that id already exists, and that
// it differs from the wanted one, or that the server does not show enough to
// tell. It unwraps to Err.
type ExistsError struct {
	Wanted, Found Identity
	Differs       []string // the fields of AccountRequest that differ
	Unseen        []string // the fields that the server does not show
	Err           error    // the server's refusal to make the account; nil if there was none
}

// Error names the fields that differ, and the ids and names. It has no token.
func (e *ExistsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the account already exists: wanted %v, found %v", e.Wanted, e.Found)
	if len(e.Differs) > 0 {
		fmt.Fprintf(&b, "; different: %s", strings.Join(e.Differs, " and "))
	}
	if len(e.Unseen) > 0 {
		fmt.Fprintf(&b, "; not shown: %s", strings.Join(e.Unseen, " and "))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func (e *ExistsError) Unwrap() error { return e.Err }

// String returns the ids and the name, without the empty ones.
func (i Identity) String() string {
	var known []string
	for _, f := range []struct{ name, value string }{{"accid", i.Accid}, {"userUuid", i.UserUUID}, {"name", i.Name}} {
		if f.value != "" {
			known = append(known, fmt.Sprintf("%s %q", f.name, f.value))
		}
	}
	return strings.Join(known, " ")
}

// A creation is an account to make, with the request that makes it and the
// query that asks whether it exists.
type creation struct {
	server        *server
	create, query request
	wanted        account
}

// create makes an account, or finds the one that exists, and returns it.
func (c *Client) create(ctx context.Context, n creation) (account, error) {
	var made account
	outcome, err := c.send(ctx, n.server, n.create, &made)
	if err == nil {
		if made.id() == n.wanted.id() && cmp.Or(made.token, n.wanted.token) != "" {
			n.wanted.token = cmp.Or(made.token, n.wanted.token) // the server may choose the token
			return n.accept(made, true, nil)
		}
		outcome.Unknown, err = true, n.server.caller.Malformed("a success without the account and its token")
	}
	refused := existsAlready(err)
	if refused == nil && !outcome.Unknown {
		return account{}, err
	}
	found, err := c.lookUp(ctx, n.server, n.query, n.wanted.id(), err)
	if err != nil {
		return account{}, err
	}
	return n.accept(found, outcome.Unknown, refused)
}

// lookUp asks the server for an account after a call failed with err. If the
// caller gave up, it returns at once.
func (c *Client) lookUp(ctx context.Context, s *server, query request, id string, err error) (account, error) {
	if gaveUp := ctx.Err(); gaveUp != nil && errors.Is(err, gaveUp) {
		return account{}, fmt.Errorf("%w; the server may have carried it out", err)
	}
	var all accounts
	if _, asked := c.send(ctx, s, query, &all); asked != nil {
		return account{}, fmt.Errorf("%w; looking the account up then failed too: %w", err, asked)
	}
	for _, a := range all {
		if a.id() == id {
			return a, nil
		}
	}
	return account{}, fmt.Errorf("%w; the account does not exist", err)
}

// accept returns found, with its token, if it is the wanted account. If this
// call may have made it (ours), fields that the server does not show count as
// equal.
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

// flaw names an id in the reply that no id can be, and why; or it returns "".
func (a account) flaw() string {
	for _, id := range []struct{ name, value string }{{"accid", a.accid}, {"userUuid", a.userUUID}} {
		if flaw := call.AccidFlaw(id.value); id.value != "" && flaw != "" {
			return id.name + " " + flaw
		}
	}
	return ""
}

// compare names the fields in which found differs from a, and the fields that
// found does not show. It ignores the name.
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

// without removes secrets from an Identity that a server sent, in case the
// server echoed them.
func (i Identity) without(secrets []string) Identity {
	return Identity{call.Clean(i.Accid, secrets...), call.Clean(i.UserUUID, secrets...), call.Clean(i.Name, secrets...)}
}

func (a account) identity() Identity { return Identity{a.accid, a.userUUID, a.name} }

// existsAlready returns err if the server refused to make the account because
// it exists, or nil. Code 703 means that the IM account with the same id
// exists.
func existsAlready(err error) error {
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

// update changes a kit account. The server may carry it out twice without harm.
// If it is unknown whether it did, update compares the account that the server
// shows.
func (c *Client) update(ctx context.Context, r AccountRequest) error {
	outcome, err := c.send(ctx, c.room, request{method: http.MethodPatch, path: roomPath(r.UserUUID), secrets: r.secrets(), repeatable: true,
		body: roomBody{UserToken: r.UserToken, Name: r.Name, IMToken: r.IMToken}}, nil)
	if !outcome.Unknown {
		return err
	}
	found, lookErr := c.lookUp(ctx, c.room, roomQuery(r), r.UserUUID, err)
	if lookErr != nil {
		return lookErr
	}
	differs, unseen := r.kitAccount().compare(found)
	if len(differs)+len(unseen) > 0 || r.Name != "" && r.Name != found.name {
		return fmt.Errorf("%w; the server does not show the changed account", err)
	}
	return nil
}
