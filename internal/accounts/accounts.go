// Package accounts reads the accounts that the sandbox and the mocks of other
// languages start with. They are JSON, in the form that "imreuse sandbox -help"
// shows.
package accounts

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/engine"
)

// The accounts of the vendor's guides: one IM account, and a kit account that is
// bound to it. Both have the same id, because the vendor's web kit compares the
// IM account with the userUuid.
const (
	AppKey    = "app1"
	Accid     = "myaccid"
	IMToken   = "myToken"
	UserUUID  = "myaccid"
	UserToken = "myUserToken"
)

// Guide makes a cloud with the accounts of the vendor's guides.
func Guide(appKey string) *mockim.Service {
	world := mockim.NewService(mockim.ServiceOptions{AppKey: appKey})
	world.AddIM(engine.IMAccount{Accid: Accid, Token: IMToken})
	world.Bind(engine.KitAccount{UserUUID: UserUUID, Token: UserToken}, Accid)
	return world
}

// Accounts are what an accounts file has.
type Accounts struct {
	World     *mockim.Service // a new cloud with the accounts
	AppKey    string
	AppSecret string // "" if the file has none
}

type (
	accountsFile struct {
		AppKey    string            `json:"appKey"`
		AppSecret string            `json:"appSecret"`
		IM        []json.RawMessage `json:"im"` // each decoded by itself, so that an error can name it
		Kit       []json.RawMessage `json:"kit"`
	}
	imEntry struct {
		Accid string `json:"accid"`
		Token string `json:"token"`
	}
	kitEntry struct {
		UserUUID  string `json:"userUuid"`
		UserToken string `json:"userToken"`
		Accid     string `json:"accid"`
	}
)

const (
	maxID   = 32  // docs/vendor/kits.md#identifiers
	maxText = 128 // docs/vendor/http.md#im-accounts, for tokens
)

// IDRunes are the characters that an id may have.
const IDRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@.-"

// Parse reads accounts. Errors name the line or the field, never a token.
func Parse(text []byte) (Accounts, error) {
	var none Accounts
	var file accountsFile
	if err := Decode(text, &file); err != nil {
		return none, err
	}
	if err := CheckText("appKey", file.AppKey); err != nil {
		return none, err
	}
	if file.AppSecret != "" {
		if err := CheckText("appSecret", file.AppSecret); err != nil {
			return none, err
		}
	}
	world := mockim.NewService(mockim.ServiceOptions{AppKey: file.AppKey})
	accids, err := addIM(world, file.IM)
	if err != nil {
		return none, err
	}
	if err := bindKits(world, file.Kit, accids); err != nil {
		return none, err
	}
	return Accounts{world, file.AppKey, file.AppSecret}, nil
}

// addIM adds the IM accounts to world and returns their accids.
func addIM(world *mockim.Service, entries []json.RawMessage) (ids, error) {
	accids := ids{}
	for i, text := range entries {
		var entry imEntry
		where := fmt.Sprintf("im[%d]", i)
		if err := Decode(text, &entry); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		if err := accids.add(where+".accid", entry.Accid); err != nil {
			return nil, err
		}
		if err := CheckText(where+".token", entry.Token); err != nil {
			return nil, err
		}
		world.AddIM(engine.IMAccount{Accid: entry.Accid, Token: entry.Token})
	}
	return accids, nil
}

func bindKits(world *mockim.Service, entries []json.RawMessage, accids ids) error {
	users := ids{}
	for i, text := range entries {
		var entry kitEntry
		where := fmt.Sprintf("kit[%d]", i)
		if err := Decode(text, &entry); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if err := users.add(where+".userUuid", entry.UserUUID); err != nil {
			return err
		}
		if err := CheckText(where+".userToken", entry.UserToken); err != nil {
			return err
		}
		if err := CheckID(where+".accid", entry.Accid); err != nil {
			return err
		}
		if _, known := accids[strings.ToLower(entry.Accid)]; !known {
			return fmt.Errorf("%s.accid %q is not among the accids in im", where, entry.Accid)
		}
		world.Bind(engine.KitAccount{UserUUID: entry.UserUUID, Token: entry.UserToken}, entry.Accid)
	}
	return nil
}

// ids maps each id that is in use, in lower case, to the field that has it.
type ids map[string]string

func (all ids) add(field, id string) error {
	if err := CheckID(field, id); err != nil {
		return err
	}
	folded := strings.ToLower(id)
	if first, taken := all[folded]; taken {
		return fmt.Errorf("%s %q is the same id as %s; letter case does not count", field, id, first)
	}
	all[folded] = field
	return nil
}

// CheckID refuses an id that no account can have. The error names the field.
func CheckID(field, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%s is missing or empty", field)
	case len(id) > maxID:
		return fmt.Errorf("%s %q has %d characters; the limit is %d", field, id, len(id), maxID)
	case strings.Trim(id, IDRunes) != "":
		return fmt.Errorf("%s %q may contain only letters, digits and _ @ . -", field, id)
	}
	return nil
}

// CheckText refuses a value that does not fit into an HTTP header. The error
// names the field, and does not show the value.
func CheckText(field, text string) error {
	switch {
	case text == "":
		return fmt.Errorf("%s is missing or empty", field)
	case len(text) > maxText:
		return fmt.Errorf("%s has %d characters; the limit is %d", field, len(text), maxText)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%s has a space or a character that is not printable ASCII", field)
	}
	return nil
}
