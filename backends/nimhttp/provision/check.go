package provision

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
)

// The vendor's limits (docs/vendor/http.md#im-accounts,
// #kit-accounts-of-neroom).
const (
	maxName       = 64 // characters
	maxUserToken  = 64
	maxIMToken    = 128
	maxBoundToken = 64
)

const boundReason = "IM allows 128, but the kit servers keep only this many for a bound account"

// check folds the ids, and refuses values that the servers would refuse. If r
// has either id, the request that it returns has a UserUUID. reason explains
// maxIMToken in the error; it may be "".
func (r AccountRequest) check(maxIMToken int, reason string) (AccountRequest, error) {
	var err error
	if r.Accid, err = foldID("Accid", r.Accid); err != nil {
		return r, err
	}
	if r.UserUUID, err = foldID("UserUUID", r.UserUUID); err != nil {
		return r, err
	}
	if r.Accid != "" && r.UserUUID != "" && r.Accid != r.UserUUID {
		return r, call.Argument("UserUUID %q differs from Accid %q: the servers bind a kit account to the IM account with the same id, so leave UserUUID empty",
			r.UserUUID, r.Accid)
	}
	r.UserUUID = r.id()
	if len(r.IMToken) > maxIMToken && reason != "" {
		return r, call.Argument("IMToken is longer than %d bytes: %s", maxIMToken, reason)
	}
	if err := checkToken("IMToken", r.IMToken, maxIMToken); err != nil {
		return r, err
	}
	if err := checkToken("UserToken", r.UserToken, maxUserToken); err != nil {
		return r, err
	}
	return r, checkName(r.Name)
}

// checkBound is like check, for a new kit account.
func (r AccountRequest) checkBound() (AccountRequest, error) {
	r, err := r.check(maxBoundToken, boundReason)
	switch {
	case err != nil:
		return r, err
	case r.UserUUID == "":
		return r, call.Argument("Accid and UserUUID are both empty")
	case r.Accid != "" && r.IMToken == "":
		return r, call.Argument("IMToken is empty: set the token of the IM account that is to be bound, or leave Accid empty too and the server makes the IM account")
	case r.Accid == "" && r.IMToken != "":
		return r, call.Argument("Accid is empty, but IMToken is set: set the Accid that the token belongs to")
	}
	return r, nil
}

func foldID(field, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	if flaw := call.AccidFlaw(id); flaw != "" {
		return "", call.Argument("%s %s", field, flaw)
	}
	if id == "." || id == ".." {
		return "", call.Argument("%s %q cannot be part of a URL path", field, id)
	}
	return strings.ToLower(id), nil
}

// checkToken refuses a token that the kits could not send in a header.
func checkToken(field, token string, longest int) error {
	if token == "" {
		return nil
	}
	return call.CheckHeader(field, token, longest)
}

func checkName(name string) error {
	switch {
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return call.Argument("Name has a control character or is not valid UTF-8")
	case utf8.RuneCountInString(name) > maxName:
		return call.Argument("Name is longer than %d characters", maxName)
	}
	return nil
}
