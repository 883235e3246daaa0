package provision

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/engine"
)

// An AccountRequest is an account as it is wanted. One request may serve for the
// IM account and for the kit account that is bound to it: what a call has no
// use for, it ignores. It prints without the tokens.
type AccountRequest struct {
	Accid     string // of the IM account, in either case: it is folded to lower case; "": the server makes the IM account
	IMToken   string // at most 64 bytes for an IM account that a kit account is bound to, else 128; "" for a new IM account: the server makes it
	UserUUID  string // of the kit account, which the servers bind to the IM account of the same id; "": the Accid
	UserToken string // of the kit account, at most 64 bytes; "": the server makes it. That of a meeting account is always made by the server
	Name      string // at most 64 characters; "": none
}

// Format implements fmt.Formatter. It prints the ids.
func (r AccountRequest) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "provision.AccountRequest{Accid:%q UserUUID:%q}", r.Accid, r.UserUUID)
}

// MarshalText returns the id of the account, so that JSON and text logs have
// nothing else.
func (r AccountRequest) MarshalText() ([]byte, error) { return []byte(r.id()), nil }

// id is what the server will call the account.
func (r AccountRequest) id() string { return cmp.Or(r.UserUUID, r.Accid) }

func (r AccountRequest) secrets() []string { return []string{r.IMToken, r.UserToken} }

// CreateIMAccount makes the IM account r.Accid. If it is there already, that is
// a success only where the server shows that its token is r.IMToken, which the
// vendor's does not; else it is an *ExistsError.
func (c *Client) CreateIMAccount(ctx context.Context, r AccountRequest) (engine.IMAccount, error) {
	secrets := r.secrets()
	r.UserUUID, r.UserToken = "", ""
	r, err := r.check(maxIMToken, "")
	if err == nil && r.Accid == "" {
		err = call.Argument("Accid is empty")
	}
	if err != nil {
		return engine.IMAccount{}, failed("CreateIMAccount", r, err)
	}
	body := imBody{AccountID: r.Accid, Token: r.IMToken}
	if r.Name != "" {
		body.User = &imUser{r.Name}
	}
	made, err := c.create(ctx, creation{
		server: c.im,
		create: request{method: http.MethodPost, path: imPath(), body: body, secrets: secrets},
		query:  request{method: http.MethodGet, path: imPath(r.Accid), secrets: secrets, repeatable: true},
		wanted: account{accid: r.Accid, token: r.IMToken, name: r.Name},
	})
	if err != nil {
		return engine.IMAccount{}, failed("CreateIMAccount", r, err)
	}
	return engine.IMAccount{AppKey: c.appKey, Accid: made.accid, Token: made.token}, nil
}

// CreateRoomAccount makes an account of NERoom that is bound to the IM account
// r.Accid, whose token is r.IMToken. With no r.Accid, the server makes the IM
// account too. If the kit account is there already, that is a success only
// where the server shows that it is as r wants it; else it is an *ExistsError.
func (c *Client) CreateRoomAccount(ctx context.Context, r AccountRequest) (engine.KitAccount, error) {
	r, err := r.checkBound()
	if err != nil {
		return engine.KitAccount{}, failed("CreateRoomAccount", r, err)
	}
	made, err := c.create(ctx, creation{
		server: c.room,
		create: request{method: http.MethodPost, path: roomPath(), secrets: r.secrets(),
			body: roomBody{UserUUID: r.UserUUID, UserToken: r.UserToken, Name: r.Name, IMToken: r.IMToken}},
		query:  roomQuery(r),
		wanted: r.kitAccount(),
	})
	return finish("CreateRoomAccount", r, made, err)
}

// CreateMeetingAccount makes an account of the meeting kit, as CreateRoomAccount
// does one of NERoom. The server makes its token.
func (c *Client) CreateMeetingAccount(ctx context.Context, r AccountRequest) (engine.KitAccount, error) {
	secrets := r.secrets()
	r.UserToken = ""
	r, err := r.checkBound()
	if err != nil {
		return engine.KitAccount{}, failed("CreateMeetingAccount", r, err)
	}
	made, err := c.create(ctx, creation{
		server: c.meeting,
		create: request{method: http.MethodPost, path: meetingPath("add-user"), secrets: secrets,
			body: meetingBody{UserUUID: r.UserUUID, IMToken: r.IMToken, Name: r.Name}},
		query: request{method: http.MethodGet, path: meetingPath("batch-get-user"), secrets: secrets, repeatable: true,
			query: url.Values{"userUuids": {r.UserUUID}}},
		wanted: r.kitAccount(),
	})
	return finish("CreateMeetingAccount", r, made, err)
}

// UpdateAccount changes the kit account r.UserUUID, of NERoom or of meetings,
// whose server keeps a copy of the IM token: tell it after that token changed.
// Of IMToken, UserToken and Name, what is empty stays as it is.
func (c *Client) UpdateAccount(ctx context.Context, r AccountRequest) error {
	r, err := r.check(maxBoundToken, boundReason)
	switch {
	case err != nil:
	case r.UserUUID == "":
		err = call.Argument("UserUUID is empty")
	case r.IMToken+r.UserToken+r.Name == "":
		err = call.Argument("IMToken, UserToken and Name are all empty: there is nothing to change")
	default:
		err = c.update(ctx, r)
	}
	if err != nil {
		return failed("UpdateAccount", r, err)
	}
	return nil
}

func roomQuery(r AccountRequest) request {
	return request{method: http.MethodGet, path: roomPath(r.UserUUID), secrets: r.secrets(), repeatable: true}
}

func (r AccountRequest) kitAccount() account {
	return account{r.Accid, r.UserUUID, r.UserToken, r.IMToken, r.Name}
}

func finish(op string, r AccountRequest, made account, err error) (engine.KitAccount, error) {
	if err != nil {
		return engine.KitAccount{}, failed(op, r, err)
	}
	return engine.KitAccount{UserUUID: made.userUUID, Token: made.token}, nil
}

func failed(op string, r AccountRequest, err error) error {
	return fmt.Errorf("provision: %s %q: %w", op, r.id(), err)
}
