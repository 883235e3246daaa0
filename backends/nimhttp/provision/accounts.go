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

// An AccountRequest describes the account that you want. The same request can
// make an IM account and the kit account that is bound to it: each call ignores
// the fields that it does not need. An AccountRequest prints without its
// tokens.
type AccountRequest struct {
	// Accid is the id of the IM account. It is folded to lower case. If it is
	// empty when a kit account is made, the server makes the IM account too.
	Accid string

	// IMToken is the token of the IM account: at most 128 bytes, or 64 if a kit
	// account is bound to it. If it is empty for a new IM account, the server
	// makes one.
	IMToken string

	// UserUUID is the id of the kit account. The servers bind a kit account to
	// the IM account with the same id, so it defaults to Accid and must not
	// differ from it.
	UserUUID string

	// UserToken is the token of the kit account, at most 64 bytes. If it is
	// empty, the server makes one; for a meeting account the server always
	// does.
	UserToken string

	Name string // the display name, at most 64 characters; optional
}

// Format implements fmt.Formatter. It prints the ids.
func (r AccountRequest) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "provision.AccountRequest{Accid:%q UserUUID:%q}", r.Accid, r.UserUUID)
}

// MarshalText returns only the id of the account, so that JSON and text logs do
// not contain the tokens.
func (r AccountRequest) MarshalText() ([]byte, error) { return []byte(r.id()), nil }

// id returns the id under which the server keeps the account.
func (r AccountRequest) id() string { return cmp.Or(r.UserUUID, r.Accid) }

func (r AccountRequest) secrets() []string { return []string{r.IMToken, r.UserToken} }

// CreateIMAccount makes the IM account r.Accid. If the account already exists,
// the call succeeds only if the server shows that its token is r.IMToken; the
// vendor's server does not show tokens. Otherwise the error is an
// [ExistsError].
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
// r.Accid. r.IMToken must be that IM account's token. If r.Accid is empty, the
// server makes the IM account too, with the id r.UserUUID.
//
// If the kit account already exists, the call succeeds only if the server shows
// its tokens and they match the ones that r sets. Otherwise the error is an
// [ExistsError].
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

// CreateMeetingAccount is like [Client.CreateRoomAccount], but makes an account
// of the meeting kit. The server always makes its token; r.UserToken is
// ignored.
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

// UpdateAccount changes the kit account r.UserUUID, of NERoom or of the meeting
// kit. The kit server keeps a copy of the IM token, so call UpdateAccount each
// time the IM token has changed. An empty IMToken, UserToken or Name is left
// unchanged.
func (c *Client) UpdateAccount(ctx context.Context, r AccountRequest) error {
	r, err := r.check(maxBoundToken, boundReason)
	switch {
	case err != nil:
	case r.UserUUID == "":
		err = call.Argument("UserUUID is empty")
	case r.IMToken+r.UserToken+r.Name == "":
		err = call.Argument("IMToken, UserToken and Name are all empty: set what is to change")
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
