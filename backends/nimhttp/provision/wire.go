package provision

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strings"
)

// The bodies of requests (docs/vendor/http.md#im-accounts and the two sections
// after it). Empty fields are not sent; an update leaves them unchanged.

type imBody struct {
	AccountID string  `json:"account_id"`
	Token     string  `json:"token,omitempty"`
	User      *imUser `json:"user_information,omitempty"`
}

type imUser struct {
	Name string `json:"name"`
}

type roomBody struct {
	UserUUID  string `json:"user_uuid,omitempty"` // only in a create; an update has it in the path
	UserToken string `json:"user_token,omitempty"`
	Name      string `json:"user_name,omitempty"`
	IMToken   string `json:"im_token,omitempty"`
}

type meetingBody struct {
	UserUUID string `json:"userUuid"`
	IMToken  string `json:"imToken,omitempty"`
	Name     string `json:"name,omitempty"`
}

func imPath(id ...string) []string   { return escaped("im/v2/accounts", id) }
func roomPath(id ...string) []string { return escaped("neroom/v3/users", id) }

func escaped(path string, id []string) []string {
	parts := []string{path}
	for _, part := range id {
		parts = append(parts, url.PathEscape(part))
	}
	return parts
}

func meetingPath(name string) []string { return []string{"scene/meeting/api/v2", name} }

// An account is an account as a server shows it, or as it is wanted. Fields
// that the server does not show are empty.
type account struct {
	accid    string // of a kit account only if the server shows it
	userUUID string // empty for an IM account
	token    string // the account's own token
	imToken  string // for a kit account: the token of its IM account
	name     string
}

func (a account) id() string { return cmp.Or(a.userUUID, a.accid) }

// UnmarshalJSON reads the field names of all three servers.
func (a *account) UnmarshalJSON(text []byte) error {
	var f struct {
		AccountID  string `json:"account_id"`
		IMAccid    string `json:"im_accid"`
		IMAccid2   string `json:"imAccid"`
		UserUUID   string `json:"user_uuid"`
		UserUUID2  string `json:"userUuid"`
		Token      string `json:"token"` // only of an IM account
		UserToken  string `json:"user_token"`
		UserToken2 string `json:"userToken"`
		IMToken    string `json:"im_token"`
		IMToken2   string `json:"imToken"`
		Name       string `json:"name"`
		UserName   string `json:"user_name"`
		User       imUser `json:"user_information"`
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	*a = account{
		accid:    strings.ToLower(cmp.Or(f.AccountID, f.IMAccid, f.IMAccid2)),
		userUUID: strings.ToLower(cmp.Or(f.UserUUID, f.UserUUID2)),
		token:    cmp.Or(f.Token, f.UserToken, f.UserToken2),
		imToken:  cmp.Or(f.IMToken, f.IMToken2),
		name:     cmp.Or(f.Name, f.UserName, f.User.Name),
	}
	return nil
}

// accounts is the reply to a query: an account, a list, or an object that has
// lists. The reply of the meeting server is not known
// (docs/vendor/http.md#kit-accounts-of-nemeeting).
type accounts []account

// UnmarshalJSON takes all accounts from the reply, in any of these forms.
func (all *accounts) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, (*[]account)(all)) == nil {
		return nil
	}
	var one account
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	if *all = (accounts{one}); one.id() != "" {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return err
	}
	for _, field := range fields {
		var list []account
		if json.Unmarshal(field, &list) == nil {
			*all = append(*all, list...)
		}
	}
	return nil
}
