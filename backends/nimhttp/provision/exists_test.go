package provision_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

// An account that exists is a success only if it is known to be the wanted one.
func TestThereAlready(t *testing.T) {
	both := fields{"id": "user01", "token": userToken, "imToken": imToken}
	with := func(field, value string) fields {
		f := maps.Clone(both)
		f[field] = value
		return f
	}
	anyToken := provision.AccountRequest{Accid: "user01", IMToken: imToken}
	tests := []struct {
		name            string
		call            string
		found           fields
		hidden          []string
		request         provision.AccountRequest
		token           string // on success
		differs, unseen []string
	}{
		{"IM, the same", "IM", fields{"id": "user01", "token": imToken}, nil, wanted, imToken, nil, nil},
		{"IM, another token", "IM", fields{"id": "user01", "token": "im-token-2"}, nil, wanted, "", []string{"IMToken"}, nil},
		{"IM, token not shown", "IM", fields{"id": "user01", "token": imToken}, []string{"token"}, wanted, "", nil, []string{"IMToken"}},
		{"IM, any token", "IM", fields{"id": "user01", "token": "im-token-2"}, nil, provision.AccountRequest{Accid: "user01"}, "im-token-2", nil, nil},
		{"IM, any token, not shown", "IM", fields{"id": "user01", "token": "im-token-2"}, []string{"token"}, provision.AccountRequest{Accid: "user01"}, "", nil, []string{"IMToken"}},
		{"room, the same", "room", both, nil, wanted, userToken, nil, nil},
		{"room, another name", "room", with("name", "Zoe"), nil, wanted, userToken, nil, nil},
		{"room, another IM token", "room", with("imToken", "im-token-2"), nil, wanted, "", []string{"IMToken"}, nil},
		{"room, another user token", "room", with("token", "user-token-2"), nil, wanted, "", []string{"UserToken"}, nil},
		{"room, nothing right", "room", fields{"id": "user01", "token": "user-token-2", "imToken": "im-token-2"}, nil, wanted, "", []string{"UserToken", "IMToken"}, nil},
		{"room, any user token", "room", with("token", "user-token-2"), nil, anyToken, "user-token-2", nil, nil},
		{"room, IM token not shown", "room", both, []string{"imToken"}, wanted, "", nil, []string{"IMToken"}},
		{"room, user token not shown", "room", both, []string{"token"}, anyToken, "", nil, []string{"UserToken"}},
		{"room, nothing wanted", "room", both, nil, provision.AccountRequest{UserUUID: "user01"}, userToken, nil, nil},
		{"meeting, the same", "meeting", both, nil, wanted, userToken, nil, nil},
		{"meeting, another IM token", "meeting", with("imToken", "im-token-2"), nil, wanted, "", []string{"IMToken"}, nil},
		{"meeting, IM token not shown", "meeting", both, []string{"imToken"}, wanted, "", nil, []string{"IMToken"}},
	}
	kinds := map[string]string{"IM": "im", "room": "room", "meeting": "meeting"}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.accounts[kinds[test.call]+" user01"], w.hidden = maps.Clone(test.found), test.hidden
			_, token, err := createNamed(test.call)(t.Context(), w.client(t), test.request)
			if token != test.token || (err == nil) != (test.token != "") {
				t.Errorf("got %q, %v, want %q", token, err, test.token)
			}
			var exists *provision.ExistsError
			if got := errors.As(err, &exists); got != (test.token == "") {
				t.Fatalf("got %v, want an ExistsError: %t", err, test.token == "")
			}
			if w.made != 0 || w.count("POST") != 1 || w.count("PATCH") != 0 || !maps.Equal(w.accounts[kinds[test.call]+" user01"], test.found) {
				t.Errorf("the account was changed: %d made, %d creates", w.made, w.count("POST"))
			}
			if exists == nil {
				return
			}
			if !slices.Equal(exists.Differs, test.differs) || !slices.Equal(exists.Unseen, test.unseen) {
				t.Errorf("got %v and %v, want %v and %v", exists.Differs, exists.Unseen, test.differs, test.unseen)
			}
			var refused *nimhttp.ServerError
			if !errors.As(err, &refused) {
				t.Errorf("got %v, want a ServerError in the chain", err)
			}
			wantNoSecrets(t, err)
			wantNoSecrets(t, exists)
		})
	}
}

// The error names both accounts. This server binds a kit account to an IM
// account with another id.
func TestBothSides(t *testing.T) {
	for _, body := range []string{
		`{"code":0,"data":{"user_uuid":"user01","user_token":"k","im_token":"im-token-1","im_accid":"User02","user_name":"Bob"}}`,
		`{"code":0,"data":{"user_uuid":"user01","user_token":"k","im_token":"im-token-1","imAccid":"user02","user_name":"Bob"}}`,
	} {
		w := newWorld()
		w.faults["POST"], w.faults["GET"] = []fault{{body: `{"code":409,"msg":"exists"}`}}, []fault{{body: body}}
		_, err := w.client(t).CreateRoomAccount(t.Context(), wanted)
		var exists *provision.ExistsError
		if !errors.As(err, &exists) || exists.Wanted != (provision.Identity{Accid: "user01", UserUUID: "user01", Name: "Zoë"}) ||
			exists.Found != (provision.Identity{Accid: "user02", UserUUID: "user01", Name: "Bob"}) {
			t.Fatalf("got %v, want user01 and user02", err)
		}
		for _, part := range []string{`accid "user01"`, `accid "user02"`, `"Zoë"`, `"Bob"`, "Accid"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("got %q, want it to contain %s", err, part)
			}
		}
	}
}

// The codes that mean that the account exists, and codes that only look like
// it.
func TestThereAlreadyCodes(t *testing.T) {
	tests := []struct {
		name, call, reply string
		asked             bool
	}{
		{"102405", "IM", `{"code":102405,"msg":"exists"}`, true},
		{"IM 409", "IM", `{"code":409}`, true},
		{"already register", "IM", `{"code":414,"msg":"Already register"}`, true},
		{"IM 414", "IM", `{"code":414,"msg":"token is bad"}`, false},
		{"IM 703", "IM", `{"code":703}`, false},
		{"room 409", "room", `{"code":409,"msg":"exists"}`, true},
		{"room 703", "room", `{"code":703,"msg":"exists"}`, true},
		{"room 400", "room", `{"code":400,"msg":"bad"}`, false},
		{"meeting 409", "meeting", `{"code":409}`, true},
		{"meeting 703", "meeting", `{"code":703}`, true},
		{"meeting 701", "meeting", `{"code":701}`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.faults["POST"] = []fault{{works: true, body: test.reply}} // the account exists, whoever made it
			_, _, err := createNamed(test.call)(t.Context(), w.client(t), wanted)
			if (err == nil) != test.asked || (w.count("GET") == 1) != test.asked {
				t.Errorf("got %v after %d queries, want a query: %t", err, w.count("GET"), test.asked)
			}
		})
	}
}

// 703 means that the IM account exists; the kit account does not.
func TestOnlyIMAccountIsThere(t *testing.T) {
	w := newWorld()
	w.faults["POST"] = []fault{{body: `{"code":703,"msg":"exists"}`}}
	_, err := w.client(t).CreateRoomAccount(t.Context(), provision.AccountRequest{UserUUID: "user01"})
	var refused *nimhttp.ServerError
	if !errors.As(err, &refused) || refused.Code != 703 || errors.As(err, new(*provision.ExistsError)) || !strings.Contains(err.Error(), "set its Accid and IMToken to bind it") {
		t.Errorf("got %v, want the refusal and a hint how to bind", err)
	}
}

// An account that exists after an unknown outcome may have been made by someone
// else.
func TestUnknownButAnother(t *testing.T) {
	w := newWorld()
	w.accounts["room user01"] = fields{"id": "user01", "token": userToken, "imToken": "im-token-2"}
	w.faults["POST"] = []fault{{cut: true}}
	_, err := w.client(t).CreateRoomAccount(t.Context(), wanted)
	var exists *provision.ExistsError
	if !errors.As(err, &exists) || !slices.Equal(exists.Differs, []string{"IMToken"}) || engine.CodeOf(err) != 0 {
		t.Errorf("got %v, want an ExistsError", err)
	}
}

// IM shows no tokens. An account that exists after an unknown outcome is ours
// if we know the token.
func TestUnknownAndNotShown(t *testing.T) {
	for _, unclear := range []fault{{works: true, cut: true}, {works: true, body: `{"code":200,"data":{}}`}} {
		for _, token := range []string{imToken, ""} {
			w := newWorld()
			w.hidden = []string{"token"}
			w.faults["POST"] = []fault{unclear}
			a, err := w.client(t).CreateIMAccount(t.Context(), provision.AccountRequest{Accid: "user01", IMToken: token})
			if a.Token != token || errors.As(err, new(*provision.ExistsError)) != (token == "") {
				t.Errorf("with token %q: got %v, want an error only if the token is not known", token, err)
			}
		}
	}
}
